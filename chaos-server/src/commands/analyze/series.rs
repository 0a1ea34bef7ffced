//! A file of metrics as series, told by its content: CSV, our JSON, or Prometheus text. Owns how a row of the input
//! keeps its place.

use chaos_core::{
    agents::parse_metrics_file,
    analysis::metrics::{Table, counter},
    model::Series,
};

use super::input::Input;
use crate::exit::Failure;

/// Bytes of a file of metrics, unpacked.
const MAX_BYTES: usize = 512 << 20;

/// One series, and how its rows are written.
pub(super) struct Column {
    pub(super) series: Series,
    /// Each row's time as it is written, in milliseconds since the epoch, and its value.
    pub(super) rows: Vec<(String, Option<i64>, f64)>,
    /// What is judged of each row: its value, or the growth per second of a counter.
    pub(super) judged: Vec<f64>,
}

/// Reads all series of a file.
///
/// # Errors
/// `Usage` when it is none of the formats, or has no sample.
pub(super) fn read(input: Input) -> Result<Vec<Column>, Failure> {
    let (name, at, stem) = (input.name.clone(), input.written, input.stem());
    let text = input.text(MAX_BYTES)?;
    let wrong = |e: &dyn std::fmt::Display| Failure::usage(format!("{name}: {e}"));
    if text.trim().is_empty() {
        return Err(wrong(&"it is empty"));
    }
    let columns = if is_csv(&text) {
        let stem = stem.strip_suffix(".csv").unwrap_or(&stem);
        of_table(&Table::parse(if stem.is_empty() { "value" } else { stem }, &text).map_err(|e| wrong(&e))?)
    } else {
        let format = if text.trim_start().starts_with(['{', '[']) { "metrics.json" } else { "metrics.prom" };
        let all = parse_metrics_file(format, &text, at).map_err(|e| wrong(&e))?;
        all.into_iter().map(of_series).collect()
    };
    match columns.is_empty() {
        true => Err(wrong(&"it has no samples")),
        false => Ok(columns),
    }
}

/// Whether the first line that says something is separated by commas before anything else that has a meaning.
fn is_csv(text: &str) -> bool {
    let first = text.lines().find(|l| !l.trim().is_empty() && !l.starts_with('#')).unwrap_or("");
    first.find([',', '{', '[']).is_some_and(|at| first[at..].starts_with(','))
}

fn of_table(table: &Table) -> Vec<Column> {
    let rows = |values: &[f64]| {
        let written = table.written.iter().zip(&table.at).zip(values);
        written.map(|((text, at), value)| (text.clone(), *at, *value)).collect()
    };
    let column = |(mut series, values): (Series, &Vec<f64>)| {
        if !counter::is_counter(&series.name) {
            return Column { series, rows: rows(values), judged: values.clone() };
        }
        let judged = counter::growth(&table.at, values);
        let timed = table.at.iter().zip(&judged).filter(|(at, _)| at.is_some());
        series.values = timed.map(|(_, rate)| *rate).collect();
        series.unit = "/s".to_owned();
        Column { series, rows: rows(values), judged }
    };
    table.series().into_iter().zip(&table.columns).map(column).collect()
}

fn of_series(series: Series) -> Column {
    let rows = series.at.iter().zip(&series.values).map(|(at, v)| (at.to_string(), Some(*at), *v)).collect();
    let judged = series.values.clone();
    Column { series, rows, judged }
}

/// The series' name with its attributes.
pub(super) fn full_name(series: &Series) -> String {
    let mut name = series.name.clone();
    for (i, (key, value)) in series.attributes.iter().enumerate() {
        name.push_str(if i == 0 { "{" } else { ", " });
        name.push_str(&format!("{key}={value}"));
    }
    if !series.attributes.is_empty() {
        name.push('}');
    }
    name
}
