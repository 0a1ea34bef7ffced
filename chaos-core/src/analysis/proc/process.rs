//! Series of processes. Owns which processes are worth keeping and what a frame that does not name one means: it used
//! no CPU and is as large as before, until it is said to be gone.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    attributes,
    frame::{Frame, Key, Process},
    put,
};
use crate::model::Series;

/// Processes whose series are kept.
const MAX_KEPT: usize = 40;
/// Processes that are remembered while reading; a host that starts more within a window has a fork storm, which the
/// counts of processes show.
const MAX_SEEN: usize = 20_000;
/// Share of all CPUs in one second from which a process matters.
const BUSY: f64 = 0.01;
/// How many of the largest, of the fastest growing and of those with most open files matter.
const TOP: usize = 15;

#[derive(Debug)]
struct Life {
    parent: u32,
    group: i64,
    command: String,
    /// Row from which it is known to use no CPU unless said.
    known: usize,
    /// Row of each sample and share of all CPUs, where more than none.
    cpu: Vec<(usize, f64)>,
    /// Row of each sample and resident bytes.
    resident: Vec<(usize, f64)>,
    open: Vec<(usize, f64)>,
    /// First row without it.
    gone: Option<usize>,
}

/// All processes.
#[derive(Debug, Default)]
pub(super) struct Processes {
    lives: BTreeMap<Key, Life>,
}

impl Processes {
    pub(super) fn seen(&self) -> usize {
        self.lives.len()
    }

    pub(super) fn frame(&mut self, row: usize, uptime: f64, hz: f64, cpus: f64, since: Option<f64>, frame: &Frame<'_>) {
        for key in &frame.gone {
            if let Some(life) = self.lives.get_mut(key) {
                life.gone.get_or_insert(row);
            }
        }
        for process in &frame.processes {
            let old = process.key.start as f64 / hz + since.unwrap_or(0.0) < uptime;
            let Some(life) = self.life(process, if old { 1 } else { row }) else { continue };
            life.gone = None;
            process.command.clone_into(&mut life.command);
            (life.parent, life.group) = (process.parent, process.group);
            if let (Some(ticks), Some(seconds)) = (process.ticks, since.filter(|_| row > 0))
                && ticks > 0.0
            {
                put(&mut life.cpu, row, (ticks / hz / seconds / cpus).clamp(0.0, 1.0));
            }
            put(&mut life.resident, row, process.resident);
        }
        for (key, count) in &frame.open_files {
            if let Some(life) = self.lives.get_mut(key) {
                put(&mut life.open, row, *count);
            }
        }
    }

    pub(super) fn into_series(self, at: &[i64]) -> Vec<Series> {
        let kept = self.kept();
        let lives: Vec<_> = self.lives.iter().filter(|(key, _)| kept.contains(key)).collect();
        let mut all = Vec::with_capacity(lives.len() * 3);
        for (name, unit) in [
            ("process.cpu.utilization", "1"),
            ("process.memory.usage", "By"),
            ("process.open_file_descriptor.count", "{count}"),
        ] {
            for (key, life) in &lives {
                let samples = match name {
                    "process.cpu.utilization" => life.cpu_samples(at.len()),
                    "process.memory.usage" => life.resident_samples(at.len()),
                    _ => life.open.clone(),
                };
                if !samples.is_empty() {
                    all.push(Series {
                        name: name.to_owned(),
                        unit: unit.to_owned(),
                        attributes: life.attributes(**key),
                        at: samples.iter().map(|(row, _)| at[*row]).collect(),
                        values: samples.into_iter().map(|(_, v)| v).collect(),
                    });
                }
            }
        }
        all
    }

    fn life(&mut self, process: &Process<'_>, known: usize) -> Option<&mut Life> {
        if self.lives.len() >= MAX_SEEN && !self.lives.contains_key(&process.key) {
            return None;
        }
        Some(self.lives.entry(process.key).or_insert_with(|| Life {
            parent: process.parent,
            group: process.group,
            command: process.command.to_owned(),
            known,
            cpu: Vec::new(),
            resident: Vec::new(),
            open: Vec::new(),
            gone: None,
        }))
    }

    /// Round-robin over the rankings (CPU, size, growth, open files), so that none crowds out another.
    fn kept(&self) -> BTreeSet<Key> {
        let ranking = |measure: fn(&Life) -> f64, least: f64, most: usize| {
            let mut ranked: Vec<(f64, Key)> = self.lives.iter().map(|(key, life)| (measure(life), *key)).collect();
            ranked.retain(|(n, _)| *n >= least);
            ranked.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            ranked.truncate(most);
            ranked.into_iter().map(|(_, key)| key).collect::<Vec<_>>()
        };
        let rankings = [
            ranking(Life::busiest, BUSY, MAX_KEPT),
            ranking(Life::growth, 1e6, TOP),
            ranking(Life::largest, 1.0, TOP),
            ranking(Life::most_open, 1.0, TOP),
        ];
        let mut kept = BTreeSet::new();
        for place in 0..MAX_KEPT {
            for key in rankings.iter().filter_map(|r| r.get(place)) {
                if kept.len() < MAX_KEPT {
                    kept.insert(*key);
                }
            }
        }
        kept
    }
}

impl Life {
    /// CPU time first, so that the one that is busy all the time comes before the one with a moment's burst.
    fn busiest(&self) -> f64 {
        let peak = self.cpu.iter().map(|(_, v)| *v).fold(0.0, f64::max);
        if peak >= BUSY { self.cpu.iter().map(|(_, v)| *v).sum::<f64>().max(BUSY) } else { 0.0 }
    }

    fn largest(&self) -> f64 {
        self.resident.iter().map(|(_, v)| *v).fold(0.0, f64::max)
    }

    fn growth(&self) -> f64 {
        self.resident.first().map_or(0.0, |(_, first)| self.largest() - first)
    }

    fn most_open(&self) -> f64 {
        self.open.iter().map(|(_, v)| *v).fold(0.0, f64::max)
    }

    fn cpu_samples(&self, rows: usize) -> Vec<(usize, f64)> {
        let begin = self.known.max(1);
        let end = self.gone.unwrap_or(rows);
        let mut all: Vec<(usize, f64)> = (begin..end).map(|row| (row, 0.0)).collect();
        for (row, share) in &self.cpu {
            if let Some(slot) = row.checked_sub(begin).and_then(|i| all.get_mut(i)) {
                slot.1 = *share;
            }
        }
        all
    }

    fn resident_samples(&self, rows: usize) -> Vec<(usize, f64)> {
        let Some((begin, mut size)) = self.resident.first().copied() else { return Vec::new() };
        let mut said = self.resident.iter().peekable();
        (begin..self.gone.unwrap_or(rows))
            .map(|row| {
                while let Some((_, now)) = said.next_if(|(at, _)| *at <= row) {
                    size = *now;
                }
                (row, size)
            })
            .collect()
    }

    fn attributes(&self, key: Key) -> BTreeMap<String, String> {
        attributes(&[
            ("process.pid", &key.pid.to_string()),
            ("process.command", &self.command),
            ("process.parent_pid", &self.parent.to_string()),
            ("process.group_id", &self.group.to_string()),
            ("process.start_ticks", &key.start.to_string()),
        ])
    }
}
