//! Reads comma-separated samples, and keeps how each row's time was written. Pure; knows nothing of files.
//!
//! # Behavior
//! - The first column is the time: RFC 3339, the same with a space or without a zone (then UTC), or seconds or
//!   milliseconds since the epoch. Each further column is a series, named by the heading where there is one.
//! - A heading is a first row whose time can't be read. Blank rows are skipped, every other one is a row.
//! - A time that can't be read is none; a value that is no number, or is missing, is NaN.

use crate::{
    error::{Error, ErrorKind, Result},
    model::{Series, Timestamp},
};

/// Columns that are read.
const MAX_COLUMNS: usize = 256;

/// Rows of samples.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// Names of the series.
    pub names: Vec<String>,
    /// Each row's time as it is written.
    pub written: Vec<String>,
    /// The same in milliseconds since the epoch, where it can be read.
    pub at: Vec<Option<i64>>,
    /// For each series its value in each row; NaN where there is none.
    pub columns: Vec<Vec<f64>>,
}

impl Table {
    /// Reads a text; a column without a heading is called `name`, the next ones `name.2` and so on.
    ///
    /// # Errors
    /// `InvalidInput` when no row has a time and a number.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let mut table = Self::default();
        let mut heading: Vec<&str> = Vec::new();
        let mut usable = false;
        let lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines();
        for (row, line) in lines.filter(|l| !l.trim().is_empty()).enumerate() {
            let mut cells = line.split(',').map(cell);
            let written = cells.next().unwrap_or("");
            let at = time(written).map(|t| t.0);
            if row == 0 && at.is_none() {
                heading = cells.take(MAX_COLUMNS).collect();
                continue;
            }
            let values: Vec<f64> = cells.take(MAX_COLUMNS).map(|c| c.parse().unwrap_or(f64::NAN)).collect();
            usable |= at.is_some() && values.iter().any(|v| v.is_finite());
            let rows = table.written.len();
            while table.columns.len() < values.len() {
                table.columns.push(vec![f64::NAN; rows]);
            }
            for (i, column) in table.columns.iter_mut().enumerate() {
                column.push(values.get(i).copied().unwrap_or(f64::NAN));
            }
            table.written.push(written.to_owned());
            table.at.push(at);
        }
        if !usable {
            return Err(Error::new(ErrorKind::InvalidInput, "no row is a time and a number"));
        }
        let single = table.columns.len() == 1;
        table.names = (0..table.columns.len())
            .map(|i| match (heading.get(i), i) {
                (Some(h), _) if !(h.is_empty() || single && *h == "value") => (*h).to_owned(),
                (_, 0) => name.to_owned(),
                _ => format!("{name}.{}", i + 1),
            })
            .collect();
        Ok(table)
    }

    /// The series, without rows that have no time.
    #[must_use]
    pub fn series(&self) -> Vec<Series> {
        let of = |(name, column): (&String, &Vec<f64>)| {
            let rows = self.at.iter().zip(column).filter_map(|(at, v)| Some(((*at)?, *v)));
            let (at, values) = rows.unzip();
            Series { name: name.clone(), at, values, ..Series::default() }
        };
        self.names.iter().zip(&self.columns).map(of).collect()
    }
}

fn cell(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text)
}

fn time(text: &str) -> Option<Timestamp> {
    if let Some(n) = text.parse::<f64>().ok().filter(|n| n.is_finite()) {
        return Some(Timestamp::from_millis(if n.abs() < 1e11 { (n * 1000.0) as i64 } else { n as i64 }));
    }
    let text = text.replacen(' ', "T", 1);
    Timestamp::parse(&text).or_else(|| Timestamp::parse(&format!("{text}Z")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rows_keep_how_their_time_was_written() {
        let text = "\u{feff}timestamp,value\n2026-11-24 08:00:00,1\n\n\"2026-11-24T08:00:01Z\",NaN\n1795507202,inf\nx,3\n1795507203\n";
        let table = Table::parse("cpu", text).unwrap();
        assert_eq!(table.names, ["cpu"]);
        assert_eq!(table.written, ["2026-11-24 08:00:00", "2026-11-24T08:00:01Z", "1795507202", "x", "1795507203"]);
        let t0 = 1_795_507_200_000;
        assert_eq!(table.at, [Some(t0), Some(t0 + 1000), Some(t0 + 2000), None, Some(t0 + 3000)]);
        assert_eq!(table.series()[0].at.len(), 4);
        assert!(table.columns[0][1].is_nan() && table.columns[0][4].is_nan());
    }

    #[test]
    fn each_column_is_a_series() {
        let table = Table::parse("f", "time,a,\n1,2,3\n2,3,4\n").unwrap();
        assert_eq!(table.names, ["a", "f.2"]);
        assert_eq!(table.columns, [[2.0, 3.0], [3.0, 4.0]]);
    }

    #[test]
    fn what_has_no_samples_is_an_error() {
        for text in ["", "timestamp,value\n", "a b c", "1,x\n2,\n", "\n\n", ","] {
            assert!(Table::parse("f", text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "[\\PC\n,\"0-9]{0,120}") {
            if let Ok(table) = Table::parse("f", &text) {
                prop_assert!(table.columns.iter().all(|c| c.len() == table.written.len()));
            }
        }
    }
}
