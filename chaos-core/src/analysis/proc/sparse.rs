//! Series that come with every fifth frame only: which services run, and the round trips of TCP connections.

use std::collections::BTreeMap;

use super::{attributes, frame::Frame};
use crate::model::Series;

/// Services that are watched.
const MAX_SERVICES: usize = 512;

/// Services and round trips over time.
#[derive(Debug, Default)]
pub(super) struct Sparse {
    /// Row and whether it runs, from the first time that it did.
    services: BTreeMap<String, Vec<(usize, f64)>>,
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
        for (name, samples) in self.services {
            all.push(series("systemd.service.running", "{service}", &[("systemd.unit.name", &name)], samples));
        }
        all
    }
}
