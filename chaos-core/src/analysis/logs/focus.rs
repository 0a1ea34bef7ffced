//! Whether a pattern's records come to be about one value: one client, one path, one key. What stands at the places that
//! vary is read from the records that are kept; what was usual, from the pattern's sample.

use std::{collections::BTreeMap, ops::Range};

use super::values::taken;
use crate::model::{LogPattern, Logs, Timestamp};

/// Records that tell what is usual, and what is now.
const FEWEST: usize = 10;
/// Different values that a place must have had, so that it varies at all.
const VARIETY: usize = 4;
/// What one value's share must be, and by how much it must have grown.
const MOST: f64 = 0.6;
const GROWN: f64 = 0.4;
/// How unlikely it must be that so many records have the value by chance.
const CHANCE: f64 = 1e-5;

/// One value of a place is in most records now.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Focus {
    pub(super) value: String,
    /// Its share of the records, 0 to 1.
    pub(super) now: f64,
    pub(super) before: f64,
    /// Rows that have it.
    pub(super) rows: Vec<u32>,
}

/// The place of a pattern where a value stands out most, if there is one.
pub(super) fn find(
    pattern: &LogPattern,
    logs: &Logs,
    before: &Range<Timestamp>,
    now: &Range<Timestamp>,
) -> Option<Focus> {
    let read = |rows: &[u32], span: &Range<Timestamp>| {
        let lines = rows.iter().filter_map(|row| Some((*row, logs.lines.get(*row as usize)?)));
        let within = lines.filter(|(_, line)| span.contains(&line.at));
        within.filter_map(|(row, line)| Some((row, taken(&pattern.template, &line.text)?))).collect::<Vec<_>>()
    };
    let usual = read(&pattern.sample, before);
    let recent = read(&pattern.rows, now);
    if usual.len() < FEWEST || recent.len() < FEWEST {
        return None;
    }
    let places = recent[0].1.len();
    let found = (0..places).filter_map(|place| at(place, places, &usual, &recent));
    found.max_by(|a, b| (a.now - a.before).total_cmp(&(b.now - b.before)))
}

type Read = (u32, Vec<String>);

fn at(place: usize, places: usize, usual: &[Read], recent: &[Read]) -> Option<Focus> {
    let count = |records: &[Read]| {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for (_, values) in records {
            *counts.entry(values.get(place).cloned().unwrap_or_default()).or_default() += 1;
        }
        counts
    };
    let (then, counts) = (count(usual), count(recent));
    let (value, hits) = counts.into_iter().max_by_key(|(_, n)| *n)?;
    let seen = then.get(&value).copied().unwrap_or(0);
    let (now, before) = (hits as f64 / recent.len() as f64, seen as f64 / usual.len() as f64);
    // One more of each kind than was seen: what is rare is not impossible.
    let expected = (seen + 1) as f64 / (usual.len() + 2) as f64;
    let unlikely = chance(hits, recent.len(), expected) * (places as f64) < CHANCE;
    let focused = then.len() >= VARIETY && now >= MOST && now - before >= GROWN && unlikely;
    let rows = || recent.iter().filter(|(_, v)| v.get(place) == Some(&value)).map(|(row, _)| *row).collect();
    focused.then(|| Focus { now, before, rows: rows(), value: value.clone() })
}

/// An upper bound (Hoeffding, 1963) on the chance of `hits` of `all` where each has the chance `expected`.
fn chance(hits: usize, all: usize, expected: f64) -> f64 {
    let (share, all) = (hits as f64 / all as f64, all as f64);
    if share <= expected {
        return 1.0;
    }
    let rest = if share < 1.0 { (1.0 - share) * ((1.0 - share) / (1.0 - expected)).ln() } else { 0.0 };
    (-all * (share * (share / expected).ln() + rest)).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::logs::LogMiner;

    const BEFORE: Range<Timestamp> = Timestamp(0)..Timestamp(600_000);
    const NOW: Range<Timestamp> = Timestamp(600_000)..Timestamp(900_000);

    fn focus(client: impl Fn(u32) -> u32) -> Option<Focus> {
        let mut miner = LogMiner::new(Timestamp(0));
        for second in 0..900 {
            let line = format!("request {second} of client 10.0.0.{} was served\n", client(second));
            miner.push(Timestamp(i64::from(second) * 1000), line.as_bytes());
        }
        let logs = miner.finish();
        assert_eq!(logs.patterns.len(), 1);
        find(&logs.patterns[0], &logs, &BEFORE, &NOW)
    }

    #[test]
    fn a_value_that_comes_to_be_in_most_records_is_told() {
        let all = |s: u32| s * 7919 % 50;
        let found = focus(|s| if s >= 600 && s % 10 > 0 { 9 } else { all(s) }).unwrap();
        assert_eq!(found.value, "10.0.0.9");
        assert!(found.now > 0.85 && found.before < 0.1 && found.rows.len() > 200, "{found:?}");
    }

    #[test]
    fn what_is_as_varied_or_as_constant_as_before_is_nothing() {
        assert_eq!(focus(|s| s * 7919 % 50), None);
        assert_eq!(focus(|_| 9), None);
        assert_eq!(focus(|s| if s % 4 > 0 { 9 } else { s % 50 }), None);
        // A place that only ever had two values.
        assert_eq!(focus(|s| if s >= 600 { 1 } else { s % 2 }), None);
    }

    #[test]
    fn a_bound_on_chance_is_one() {
        assert!(chance(5, 10, 0.5) >= 1.0);
        assert!((chance(10, 10, 0.5) - 0.5f64.powi(10)).abs() < 1e-12);
        assert!(chance(9, 10, 0.5) > 11.0 * 0.5f64.powi(10));
    }
}
