//! `analyze metrics`: what changed in the series of a file, or how unusual each of its samples is.

use std::{fs, path::Path, time::Duration};

use chaos_core::{
    analysis::metrics::{ALERT, Anomaly, ChangePoint, Episode, change_points, detect, episodes, sample_scores},
    chart::{self, area, human, visible},
    error::Error,
    model::{Change, Series, Timestamp},
};
use serde::Serialize;

use super::{
    input::Input,
    series::{Column, full_name, read},
    together::{Begun, joint, shown as shown_together},
};
use crate::{
    cli::AnalyzeMetricsArgs,
    exit::{Exit, Failure},
    output,
};

/// Series that a person is shown at most, and lines of each; JSON has all.
const MOST: usize = 12;
const MOST_LINES: usize = 12;
/// Characters of a chart.
const COLUMNS: usize = 72;
const ROWS: usize = 6;
/// Trends that reach their limit later than this, in seconds, reach it for nobody.
const NEVER: f64 = 1e9;

/// What became of one series.
#[derive(Serialize)]
struct Analysis<'a> {
    name: &'a str,
    unit: &'a str,
    attributes: &'a std::collections::BTreeMap<String, String>,
    samples: usize,
    missing: usize,
    span: Option<std::ops::Range<Timestamp>>,
    change_points: Vec<ChangePoint>,
    anomalies: Vec<Told>,
    unusual: Vec<Unusual>,
    #[serde(skip_serializing_if = "Option::is_none")]
    chart: Option<String>,
}

/// What the detectors of a run would find with no baseline.
#[derive(Serialize)]
struct Told {
    change: Change,
    before: Option<f64>,
    after: f64,
    onset: Option<Timestamp>,
    score: f64,
    slope_per_s: Option<f64>,
    exhausted_after_s: Option<f64>,
}

/// The strongest sample of what is an alert.
#[derive(Serialize)]
struct Unusual {
    /// As it is written.
    timestamp: String,
    /// Where it begins, as it is written.
    since: String,
    at: Option<Timestamp>,
    value: f64,
    score: f64,
}

pub(super) fn metrics(args: &AnalyzeMetricsArgs) -> Result<Exit, Failure> {
    let mut columns = read(Input::open(&args.file)?)?;
    if let Some(wanted) = &args.series {
        columns.retain(|c| c.series.name == *wanted || full_name(&c.series) == *wanted);
        if columns.is_empty() {
            return Err(Failure::usage(format!("there is no series {wanted}")));
        }
    }
    if args.per_sample {
        per_sample(&columns)?;
        return Ok(Exit::Ok);
    }
    let mut all: Vec<Analysis<'_>> = columns.iter().map(|c| analysis(c, args.limit)).collect();
    if let Some(dir) = &args.chart {
        draw(dir, &columns, &mut all)?;
    }
    if args.json {
        output::print_json(&serde_json::json!({ "series": all, "changed_together": joint(&begun(&columns, &all)) }))?;
    } else {
        output::print(&(shown(&columns, &all) + &shown_together(&joint(&begun(&columns, &all)))))?;
    }
    Ok(Exit::Ok)
}

fn samples(column: &Column) -> (Vec<Option<i64>>, Vec<f64>) {
    (column.rows.iter().map(|(_, at, _)| *at).collect(), column.judged.clone())
}

/// All changes with the time at which they began.
fn begun<'a>(columns: &'a [Column], all: &[Analysis<'_>]) -> Vec<Begun<'a>> {
    let of = |(column, analysis): (&'a Column, &Analysis<'_>)| {
        let anomalies = analysis.anomalies.iter().filter_map(|a| Some((a.change, a.onset?)));
        let level = |c: &ChangePoint| if c.after > c.before { Change::LevelUp } else { Change::LevelDown };
        let levels = analysis.change_points.iter().map(|c| (level(c), c.at));
        let begun = |(change, at)| Begun { name: full_name(&column.series), series: &column.series, change, at };
        anomalies.chain(levels).map(begun).collect::<Vec<_>>()
    };
    columns.iter().zip(all).flat_map(of).collect()
}

fn scores(column: &Column) -> Vec<f64> {
    let (at, values) = samples(column);
    sample_scores(&at, &values)
}

/// The alerts, in the order of their rows.
fn unusual(column: &Column) -> Vec<Unusual> {
    let (at, values) = samples(column);
    let mut all: Vec<_> = episodes(&at, &values).into_iter().filter(|e| e.score >= ALERT).collect();
    all.sort_by_key(|e| e.peak);
    let told = |e: Episode| {
        let (timestamp, at, _) = column.rows[e.peak].clone();
        let value = column.judged[e.peak];
        Unusual { timestamp, since: column.rows[e.from].0.clone(), at: at.map(Timestamp), value, score: e.score }
    };
    all.into_iter().map(told).collect()
}

fn per_sample(columns: &[Column]) -> Result<(), Failure> {
    let [column] = columns else {
        let names: Vec<String> = columns.iter().take(5).map(|c| full_name(&c.series)).collect();
        let more = if columns.len() > names.len() { ", …" } else { "" };
        return Err(Failure::usage(format!(
            "--per-sample is of one series; --series is one of {}{more}",
            names.join(", ")
        )));
    };
    let mut text = String::from("timestamp,value,anomaly_score\n");
    for ((written, _, value), score) in column.rows.iter().zip(scores(column)) {
        text.push_str(&format!("{written},{value:?},{score:.4}\n"));
    }
    output::print(&text)
}

fn analysis(column: &Column, limit: Option<f64>) -> Analysis<'_> {
    let series = &column.series;
    let missing = column.rows.iter().filter(|(_, at, v)| at.is_none() || !v.is_finite()).count();
    let span = span(series);
    let anomalies = span.as_ref().map(|s| detect(series, None, s)).unwrap_or_default();
    Analysis {
        name: &series.name,
        unit: &series.unit,
        attributes: &series.attributes,
        samples: column.rows.len(),
        missing,
        span,
        change_points: change_points(series),
        anomalies: anomalies.iter().map(|a| told(a, limit)).collect(),
        unusual: unusual(column),
        chart: None,
    }
}

/// From the first sample to just after the last.
fn span(series: &Series) -> Option<std::ops::Range<Timestamp>> {
    let (first, last) = (series.at.iter().min()?, series.at.iter().max()?);
    Some(Timestamp(*first)..Timestamp::from_millis(last.saturating_add(1)))
}

fn told(a: &Anomaly, limit: Option<f64>) -> Told {
    let until = |limit: f64| Some((limit - a.after) / a.slope?).filter(|s| (0.0..NEVER).contains(s));
    let known = a.exhausted_after.map(|d| d.as_secs_f64());
    Told {
        change: a.change,
        before: a.before,
        after: a.after,
        onset: a.onset,
        score: a.score,
        slope_per_s: a.slope,
        exhausted_after_s: limit.and_then(until).or(known),
    }
}

/// Writes a chart for each series, and notes its name.
fn draw(dir: &Path, columns: &[Column], all: &mut [Analysis<'_>]) -> Result<(), Failure> {
    let failed = |path: &Path, e| Failure::storage(&Error::storage("write", path, e));
    fs::create_dir_all(dir).map_err(|e| failed(dir, e))?;
    for (i, (column, analysis)) in columns.iter().zip(all).enumerate() {
        let Some(observed) = &analysis.span else { continue };
        let onset = analysis.anomalies.iter().find_map(|a| a.onset).or(analysis.change_points.first().map(|c| c.at));
        let spec = chart::Spec {
            title: full_name(&column.series),
            unit: column.series.unit.clone(),
            lines: vec![chart::Line { label: column.series.name.clone(), series: &column.series, gaps: &[] }],
            baseline: None,
            observed: observed.clone(),
            fault: None,
            onset,
        };
        let path = dir.join(format!("{:03}-{}.svg", i + 1, slug(&column.series.name)));
        fs::write(&path, chart::render(&spec)).map_err(|e| failed(&path, e))?;
        analysis.chart = Some(path.display().to_string());
    }
    Ok(())
}

fn slug(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    name.chars().take(60).map(plain).collect()
}

fn shown(columns: &[Column], all: &[Analysis<'_>]) -> String {
    let says = |a: &Analysis<'_>| !(a.change_points.is_empty() && a.anomalies.is_empty() && a.unusual.is_empty());
    let few = all.len() <= MOST;
    let mut text = String::new();
    let mut left = 0;
    for (n, (column, analysis)) in columns.iter().zip(all).filter(|(_, a)| few || says(a)).enumerate() {
        match n < MOST {
            true => text.push_str(&one(&column.series, analysis)),
            false => left += 1,
        }
    }
    if !few {
        let quiet = all.iter().filter(|a| !says(a)).count();
        text.push_str(&format!("{quiet} of {} series have nothing unusual", all.len()));
        let rest = if left > 0 { format!(", and {left} more have: --json has all\n") } else { "\n".to_owned() };
        text.push_str(&rest);
    }
    text
}

fn one(series: &Series, a: &Analysis<'_>) -> String {
    let value = |v: f64| human(v, &series.unit);
    let mut text =
        format!("{}: {} sample{}", visible(&full_name(series)), a.samples, if a.samples == 1 { "" } else { "s" });
    if a.missing > 0 {
        text.push_str(&format!(", {} missing", a.missing));
    }
    if let Some(span) = &a.span {
        text.push_str(&format!(", {} to {}", span.start, Timestamp(span.end.0 - 1)));
    }
    text.push('\n');
    if series.values.len() > 1 {
        text.push_str(&area(&series.values, &series.unit, COLUMNS, ROWS));
    }
    let mut lines: Vec<String> = Vec::new();
    for t in &a.anomalies {
        let from = t.before.map_or(String::new(), |b| format!("{} → ", value(b)));
        let since = t.onset.map_or(String::new(), |o| format!(" since {o}"));
        let until = t
            .exhausted_after_s
            .map_or(String::new(), |s| format!(", limit reached in {}", lasting(Duration::from_secs_f64(s))));
        lines.push(format!("{}: {from}{}{since}{until} (score {:.2})", words(t.change), value(t.after), t.score));
    }
    lines.extend(
        a.change_points.iter().map(|c| format!("new level at {}: {} → {}", c.at, value(c.before), value(c.after))),
    );
    let unusual = |u: &Unusual| {
        let at = u.at.map_or_else(|| visible(&u.timestamp), |at| at.to_string());
        format!("unusual at {at}: {} (score {:.2})", value(u.value), u.score)
    };
    lines.extend(a.unusual.iter().map(unusual));
    if let Some(chart) = &a.chart {
        lines.push(format!("chart: {}", visible(chart)));
    }
    if lines.is_empty() {
        lines.push("nothing unusual".to_owned());
    }
    let more = lines.len().saturating_sub(MOST_LINES);
    lines.truncate(MOST_LINES);
    for line in lines {
        text.push_str(&format!("  {line}\n"));
    }
    if more > 0 {
        text.push_str(&format!("  … and {more} more; --json has all\n"));
    }
    text + "\n"
}

pub(super) fn words(change: Change) -> &'static str {
    match change {
        Change::LevelUp => "higher",
        Change::LevelDown => "lower",
        Change::Spike => "high for a moment",
        Change::Dip => "low for a moment",
        Change::TrendUp => "growing",
        Change::TrendDown => "shrinking",
        Change::Saturated => "at its limit",
        Change::Missing => "no longer reported",
        Change::VarianceUp => "swings more",
        Change::VarianceDown => "swings less",
        Change::Flatline => "stands still",
        _ => "changed",
    }
}

pub(super) fn lasting(time: Duration) -> String {
    match time.as_secs() {
        s if s < 120 => format!("{s} s"),
        s if s < 7200 => format!("{} min", s / 60),
        s if s < 172_800 => format!("{} h", s / 3600),
        s => format!("{} days", s / 86_400),
    }
}
