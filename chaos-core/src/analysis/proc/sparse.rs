//! Series that come with every fifth frame only: which services run and are held back, and the round trips of TCP
//! connections.

use std::collections::BTreeMap;

use super::{attributes, frame::Frame};
use crate::model::Series;

/// Services that are watched.
const MAX_SERVICES: usize = 512;

/// What a service counts, as which metric, in which unit, and how it becomes one per second if it is a counter.
const COUNTERS: [(&str, &str, &str, Option<f64>); 5] = [
    ("throttled_usec", "systemd.service.cpu.throttled", "1", Some(1e-6)),
    ("oom_kill", "systemd.service.memory.oom_kills", "{kill}/s", Some(1.0)),
    ("memory_max", "systemd.service.memory.limited", "{time}/s", Some(1.0)),
    ("max", "systemd.service.tasks.refused", "{task}/s", Some(1.0)),
    ("frozen", "systemd.service.frozen", "1", None),
];

/// Services and round trips over time.
#[derive(Debug, Default)]
pub(super) struct Sparse {
    /// Row and whether it runs, from the first time that it did.
    services: BTreeMap<String, Vec<(usize, f64)>>,
    /// By service and what it counts: row and count, from the first time that it was not nought.
    held_back: BTreeMap<(String, String), Vec<(usize, f64)>>,
    /// The rows in which any service was seen.
    rows: Vec<usize>,
    /// Row and seconds.
    round_trips: Vec<(usize, f64)>,
}

impl Sparse {
    pub(super) fn frame(&mut self, row: usize, frame: &Frame<'_>) {
        if !frame.services.is_empty() {
            for name in &frame.services {
                if self.services.len() < MAX_SERVICES && !self.services.contains_key(*name) {
                    self.services.insert((*name).to_owned(), Vec::new());
                }
            }
            for (name, samples) in &mut self.services {
                samples.push((row, if frame.services.contains(&name.as_str()) { 1.0 } else { 0.0 }));
            }
        }
        if !frame.services.is_empty() {
            self.rows.push(row);
        }
        for (service, key, count) in &frame.held_back {
            let id = ((*service).to_owned(), (*key).to_owned());
            if self.held_back.len() < MAX_SERVICES || self.held_back.contains_key(&id) {
                self.held_back.entry(id).or_default().push((row, *count));
            }
        }
        // The median, so that one far or slow peer changes nothing.
        let mut trips = frame.round_trips.clone();
        trips.sort_by(f64::total_cmp);
        if let (Some(low), Some(high)) = (trips.get(trips.len().saturating_sub(1) / 2), trips.get(trips.len() / 2)) {
            self.round_trips.push((row, (low + high) / 2.0 / 1e3));
        }
    }

    pub(super) fn into_series(self, at: &[i64]) -> Vec<Series> {
        let series = |name: &str, unit: &str, pairs: &[(&str, &str)], samples: Vec<(usize, f64)>| Series {
            name: name.to_owned(),
            unit: unit.to_owned(),
            attributes: attributes(pairs),
            at: samples.iter().map(|(row, _)| at[*row]).collect(),
            values: samples.into_iter().map(|(_, v)| v).collect(),
        };
        let mut all = Vec::new();
        if !self.round_trips.is_empty() {
            all.push(series("system.network.tcp.rtt", "s", &[], self.round_trips));
        }
        for ((service, key), counts) in &self.held_back {
            let Some((_, name, unit, scale)) = COUNTERS.iter().find(|(counter, ..)| counter == key) else { continue };
            // What was not said was nought: only what is not is said.
            let count = |row: &usize| counts.iter().find(|(at, _)| at == row).map_or(0.0, |(_, n)| *n);
            let samples = match *scale {
                None => self.rows.iter().map(|row| (*row, count(row))).collect(),
                Some(scale) => self
                    .rows
                    .windows(2)
                    .filter_map(|pair| {
                        let seconds = (at[pair[1]] - at[pair[0]]) as f64 / 1e3;
                        // A service that was started again counts from nought.
                        let more = count(&pair[1]) - count(&pair[0]);
                        let more = if more < 0.0 { count(&pair[1]) } else { more };
                        (seconds > 0.0).then_some((pair[1], more * scale / seconds))
                    })
                    .collect(),
            };
            all.push(series(name, unit, &[("systemd.unit.name", service)], samples));
        }
        for (name, samples) in self.services {
            all.push(series("systemd.service.running", "{service}", &[("systemd.unit.name", &name)], samples));
        }
        all
    }
}
