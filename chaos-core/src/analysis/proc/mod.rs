//! Turns what the agentless sampler prints into metric series. Owns the frame format and the bookkeeping across
//! frames; knows nothing of hosts, agents or what is abnormal.
//!
//! # Frames
//! A line is a one-letter tag and fields apart by one space. `F uptime` begins a frame and `E` ends it; what has no
//! `E` was torn off and is dropped. Lines that are not understood are skipped, so a target without a file, or with
//! a newer one, costs only that part.
//!
//! | tag | fields |
//! |---|---|
//! | `H` | version, clock ticks per second |
//! | `s` | `cpu` and the ten ticks of `/proc/stat`, or `cpus`, `processes`, `procs_running`, `procs_blocked`, `btime`, `total`, `zombies`, `stopped` and a number |
//! | `m` | key and KiB of `/proc/meminfo` |
//! | `d` | device, reads, sectors read, writes, sectors written, milliseconds busy |
//! | `n` | interface, then bytes, packets, errors, dropped received, and the same sent |
//! | `t` | `orphan`, `tw`, `CurrEstab`, `RetransSegs`, `ListenOverflows` and a number |
//! | `l` | load over one minute |
//! | `v` | key and count of `/proc/vmstat` |
//! | `p` | resource, `some` or `full`, microseconds stalled |
//! | `f`, `c` | used and limit of file handles, of tracked connections |
//! | `P` | pid, parent, process group, start in ticks, ticks used since the last frame or `-`, resident bytes, command |
//! | `o` | pid, start in ticks, open files, command |
//! | `x` | pid and start in ticks of a process that is gone |
//! | `b`, `i` | a line of `df -kP`, of `df -iP` |
//! | `u` | a service that runs, as its unit is called |
//! | `g` | a service that was held back, `throttled_usec`, `oom_kill`, `max` (tasks refused), `memory_max` (met its limit of memory) or `frozen`, and a number |
//! | `w` | the mount point of a device that is mounted read-only |
//! | `r` | round-trip time in milliseconds of a TCP connection to another host |

mod columns;
mod filesystem;
mod frame;
mod process;
mod sparse;

use std::collections::BTreeMap;

use self::{columns::Columns, filesystem::Filesystems, process::Processes, sparse::Sparse};
use crate::model::{Series, Timestamp};

/// Bytes of one line that are read; a longer one is not from the sampler.
const MAX_LINE: usize = 4096;
/// Lines of one frame that are read.
const MAX_LINES: usize = 4096;
/// Frames that are kept: a week of seconds. What comes later is not read.
const MAX_FRAMES: usize = 7 * 86_400;

/// Reads the sampler's output piece by piece.
///
/// The time of a sample is the stamp of the first frame plus the difference of `/proc/uptime`, so that neither
/// delays on the way nor a step of the target's clock can move it. Cumulative counters become rates per second; where
/// one runs backwards the sample is missing, never negative.
#[derive(Debug, Default)]
pub struct ProcSampler {
    partial: Vec<u8>,
    lines: Vec<String>,
    first: Option<(Timestamp, f64)>,
    stamp: Timestamp,
    uptime: Option<f64>,
    resumed: bool,
    ticks_per_second: f64,
    at: Vec<i64>,
    columns: Columns,
    filesystems: Filesystems,
    sparse: Sparse,
    processes: Processes,
}

impl ProcSampler {
    /// Nothing read yet.
    #[must_use]
    pub fn new() -> Self {
        Self { ticks_per_second: 100.0, ..Self::default() }
    }

    /// Reads the next piece, cut anywhere; `at` is when it was received.
    pub fn push(&mut self, at: Timestamp, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            if self.partial.is_empty() {
                self.line(at, &rest[..end]);
            } else {
                let mut whole = std::mem::take(&mut self.partial);
                if whole.len() <= MAX_LINE {
                    whole.extend_from_slice(&rest[..end.min(MAX_LINE + 1)]);
                }
                self.line(at, &whole);
                whole.clear();
                self.partial = whole;
            }
            rest = &rest[end + 1..];
        }
        if self.partial.len() <= MAX_LINE {
            self.partial.extend_from_slice(&rest[..rest.len().min(MAX_LINE + 1)]);
        }
    }

    /// What comes from here on is another sampler's output, on the same host, which may have been started anew: what
    /// was torn off stays so.
    pub fn resume(&mut self) {
        self.partial.clear();
        self.lines.clear();
        self.uptime = None;
        self.resumed = true;
    }

    /// How many whole frames were read.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.at.len()
    }

    /// How many different processes were seen.
    #[must_use]
    pub fn processes(&self) -> usize {
        self.processes.seen()
    }

    /// All series: those of the host by name and attributes, then at most 40 processes' by name and pid.
    #[must_use]
    pub fn finish(self) -> Vec<Series> {
        let mut series = self.columns.into_series(&self.at);
        series.extend(self.filesystems.into_series(&self.at));
        series.extend(self.sparse.into_series(&self.at));
        series.sort_by(|a, b| (&a.name, &a.attributes).cmp(&(&b.name, &b.attributes)));
        series.extend(self.processes.into_series(&self.at));
        series
    }

    fn line(&mut self, at: Timestamp, line: &[u8]) {
        if line.len() > MAX_LINE {
            return;
        }
        let text = String::from_utf8_lossy(line);
        match text.as_bytes() {
            [b'F', b' ', ..] => {
                self.lines.clear();
                self.stamp = at;
                let uptime = text[2..].split(' ').next().and_then(|t| t.parse().ok());
                // Years of uptime at most: what is beyond would overflow the arithmetic of time.
                self.uptime = uptime.filter(|t| (0.0..1e10).contains(t));
            }
            [b'E'] => self.frame(),
            [b'H', b' ', ..] => {
                let hz = text.split(' ').nth(2).and_then(|t| t.trim().parse::<f64>().ok());
                self.ticks_per_second = hz.filter(|t| (1.0..=1e6).contains(t)).unwrap_or(100.0);
            }
            [_, b' ', ..] if self.lines.len() < MAX_LINES => self.lines.push(text.into_owned()),
            _ => {}
        }
    }

    fn frame(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        let Some(uptime) = self.uptime.take() else { return };
        let (stamp, start) = *self.first.get_or_insert((self.stamp, uptime));
        let mut at = Timestamp::from_millis(stamp.0.saturating_add(((uptime - start) * 1000.0).round() as i64)).0;
        if std::mem::take(&mut self.resumed) && self.at.last().is_some_and(|last| at <= *last) {
            // The host was started anew meanwhile.
            self.first = Some((self.stamp, uptime));
            at = self.stamp.0;
            self.columns.restarted();
        }
        // Uptime never runs backwards on a host that runs.
        let since = match self.at.last() {
            Some(last) if at <= *last => return,
            Some(last) => Some((at - last) as f64 / 1000.0),
            None => None,
        };
        if self.at.len() >= MAX_FRAMES {
            return;
        }
        self.at.push(at);
        let row = self.at.len() - 1;
        let parsed = frame::parse(&lines);
        let cpus = self.columns.frame(row, since, &parsed);
        self.filesystems.frame(row, &parsed);
        self.sparse.frame(row, &parsed);
        self.processes.frame(row, uptime, self.ticks_per_second, cpus, since, &parsed);
    }
}

/// Adds the sample of a row; of several in one frame the last counts.
fn put<T>(samples: &mut Vec<(usize, T)>, row: usize, value: T) {
    match samples.last_mut() {
        Some((at, old)) if *at == row => *old = value,
        _ => samples.push((row, value)),
    }
}

/// Attributes from pairs.
fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

#[cfg(test)]
mod tests;
