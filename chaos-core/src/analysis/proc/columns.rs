//! The host's own series: CPU, memory, paging, disks, network, pressure, limits. One column per series, one row per
//! frame; counters become rates here.

use std::collections::BTreeMap;

use super::{attributes, frame::Frame};
use crate::model::Series;

/// Bytes of a sector in `/proc/diskstats`, whatever the device's own are.
const SECTOR: f64 = 512.0;
/// `cpu.mode` of each field of the `cpu` line; idle and the guests (part of user and nice) have none.
const MODES: [(&str, &[usize]); 6] =
    [("user", &[0]), ("nice", &[1]), ("system", &[2]), ("iowait", &[4]), ("steal", &[7]), ("interrupt", &[5, 6])];

/// A series' name, unit and up to two attributes.
type Name<'a> = (&'static str, &'static str, [(&'static str, &'a str); 2]);

#[derive(Debug)]
struct Column {
    unit: &'static str,
    keys: [&'static str; 2],
    values: Vec<f64>,
    last: Option<(usize, f64)>,
}

/// All columns of the host.
#[derive(Debug, Default)]
pub(super) struct Columns {
    table: BTreeMap<&'static str, BTreeMap<(String, String), Column>>,
    cpu: Vec<f64>,
    cpus: f64,
    /// The host was started anew: what its clock says of its boot moved for that reason.
    restarted: bool,
}

impl Columns {
    /// What comes from here on is of another boot.
    pub(super) fn restarted(&mut self) {
        self.restarted = true;
    }

    /// Takes in one frame; `since` is the time from the last one in seconds. Returns the number of CPUs.
    pub(super) fn frame(&mut self, row: usize, since: Option<f64>, frame: &Frame<'_>) -> f64 {
        self.processor(row, frame);
        self.memory(row, frame);
        for (key, value) in &frame.stat {
            match *key {
                "total" => self.gauge(row, ("system.process.count", "{process}", NONE), *value),
                "procs_running" => self.gauge(row, ("system.process.running", "{process}", NONE), *value),
                "procs_blocked" => self.gauge(row, ("system.process.blocked", "{process}", NONE), *value),
                "zombies" => {
                    self.gauge(row, ("system.process.state.count", "{process}", one("state", "zombie")), *value);
                }
                "stopped" => {
                    self.gauge(row, ("system.process.state.count", "{process}", one("state", "stopped")), *value);
                }
                "btime" if !self.restarted => self.gauge(row, ("system.boot_time", "s", NONE), *value),
                "processes" => self.rate(row, since, ("system.process.created", "{process}/s", NONE), *value, 1.0),
                _ => {}
            }
        }
        if let Some(load) = frame.load {
            self.gauge(row, ("system.cpu.load_average.1m", "{thread}", NONE), load);
        }
        self.disks(row, since, frame);
        self.network(row, since, frame);
        self.kernel(row, since, frame);
        self.cpus.max(1.0)
    }

    /// The columns as series without the rows before their first value.
    pub(super) fn into_series(self, at: &[i64]) -> Vec<Series> {
        let mut all = Vec::new();
        for (name, columns) in self.table {
            for ((first, second), mut column) in columns {
                column.values.resize(at.len(), f64::NAN);
                let Some(begin) = column.values.iter().position(|v| v.is_finite()) else { continue };
                // A device that did nothing all the time tells nothing.
                if name.starts_with("system.disk.")
                    && first.starts_with("zram")
                    && column.values.iter().all(|v| v.is_nan() || *v == 0.0)
                {
                    continue;
                }
                let pairs = [(column.keys[0], first.as_str()), (column.keys[1], second.as_str())];
                let pairs: Vec<_> = pairs.into_iter().filter(|(k, _)| !k.is_empty()).collect();
                all.push(Series {
                    name: name.to_owned(),
                    unit: column.unit.to_owned(),
                    attributes: attributes(&pairs),
                    at: at[begin..].to_vec(),
                    values: column.values.split_off(begin),
                });
            }
        }
        all
    }

    fn column(&mut self, (name, unit, pairs): Name<'_>) -> &mut Column {
        let key = (pairs[0].1.to_owned(), pairs[1].1.to_owned());
        self.table.entry(name).or_default().entry(key).or_insert_with(|| Column {
            unit,
            keys: [pairs[0].0, pairs[1].0],
            values: Vec::new(),
            last: None,
        })
    }

    fn gauge(&mut self, row: usize, name: Name<'_>, value: f64) {
        let column = self.column(name);
        column.values.resize(row, f64::NAN);
        column.values.push(value);
    }

    /// A cumulative counter as `scale` times its growth per second. A counter that was not in the frame before, or that
    /// fell, gives no sample.
    fn rate(&mut self, row: usize, since: Option<f64>, name: Name<'_>, count: f64, scale: f64) {
        let column = self.column(name);
        column.values.resize(row, f64::NAN);
        let value = match (column.last, since) {
            (Some((at, last)), Some(seconds)) if at + 1 == row && count >= last && seconds > 0.0 => {
                (count - last) * scale / seconds
            }
            _ => f64::NAN,
        };
        column.values.push(value);
        column.last = Some((row, count));
    }

    fn processor(&mut self, row: usize, frame: &Frame<'_>) {
        if let Some((_, n)) = frame.stat.iter().find(|(key, n)| *key == "cpus" && *n >= 1.0) {
            self.cpus = *n;
            self.gauge(row, ("system.cpu.logical.count", "{cpu}", NONE), *n);
        }
        let mut ticks = frame.cpu.clone();
        if ticks.len() < 4 {
            return;
        }
        ticks.resize(8, 0.0);
        let last = std::mem::replace(&mut self.cpu, ticks.clone());
        // idle and iowait may run backwards by a few ticks (proc(5)); that is no reset.
        let used: Vec<f64> = ticks.iter().zip(&last).map(|(now, then)| (now - then).max(0.0)).collect();
        let total: f64 = used.iter().sum();
        if used.len() < 8 || total <= 0.0 {
            return;
        }
        let share = |n: f64| (n / total).clamp(0.0, 1.0);
        self.gauge(row, ("system.cpu.utilization", "1", NONE), share(total - used[3] - used[4]));
        for (mode, fields) in MODES {
            let n = fields.iter().map(|f| used[*f]).sum();
            self.gauge(row, ("system.cpu.utilization", "1", one("cpu.mode", mode)), share(n));
        }
    }

    fn memory(&mut self, row: usize, frame: &Frame<'_>) {
        let get = |key: &str| frame.memory.iter().find(|(k, _)| *k == key).map(|(_, kib)| kib * 1024.0);
        let (Some(total), Some(free)) = (get("MemTotal").filter(|n| *n > 0.0), get("MemFree")) else { return };
        let buffers = get("Buffers").unwrap_or(0.0);
        let cached = get("Cached").unwrap_or(0.0) + get("SReclaimable").unwrap_or(0.0);
        // Kernels before 3.14 have no MemAvailable; shared memory counts as cached and can't be dropped.
        let available =
            get("MemAvailable").unwrap_or_else(|| (free + buffers + cached - get("Shmem").unwrap_or(0.0)).max(free));
        self.gauge(row, ("system.memory.utilization", "1", NONE), (1.0 - available / total).clamp(0.0, 1.0));
        self.gauge(row, ("system.memory.limit", "By", NONE), total);
        let used = (total - free - buffers - cached).max(0.0);
        for (state, bytes) in [("used", used), ("free", free), ("cached", cached), ("buffers", buffers)] {
            self.gauge(row, ("system.memory.usage", "By", one("system.memory.state", state)), bytes);
        }
        if let (Some(swap), Some(left)) = (get("SwapTotal").filter(|n| *n > 0.0), get("SwapFree")) {
            self.gauge(row, ("system.paging.utilization", "1", NONE), (1.0 - left / swap).clamp(0.0, 1.0));
        }
    }

    fn disks(&mut self, row: usize, since: Option<f64>, frame: &Frame<'_>) {
        for (device, [reads, read, writes, written, busy]) in &frame.disks {
            if is_partition(device, frame) {
                continue;
            }
            let to = |direction| [("system.device", *device), ("disk.io.direction", direction)];
            for (direction, count, sectors) in [("read", reads, read), ("write", writes, written)] {
                self.rate(row, since, ("system.disk.io", "By/s", to(direction)), *sectors, SECTOR);
                self.rate(row, since, ("system.disk.operations", "{operation}/s", to(direction)), *count, 1.0);
            }
            let name = ("system.disk.utilization", "1", one("system.device", device));
            self.rate(row, since, name, *busy, 0.001);
            // A request that ends after the reading of the clock counts a little more than the time that has passed.
            if let Some(share) = self.column(name).values.last_mut().filter(|v| v.is_finite()) {
                *share = share.min(1.0);
            }
        }
    }

    fn network(&mut self, row: usize, since: Option<f64>, frame: &Frame<'_>) {
        for (interface, counts) in &frame.interfaces {
            for (direction, of) in [("receive", &counts[..4]), ("transmit", &counts[4..])] {
                let pairs = [("network.interface.name", *interface), ("network.io.direction", direction)];
                let names = [
                    ("system.network.io", "By/s"),
                    ("system.network.packets", "{packet}/s"),
                    ("system.network.errors", "{error}/s"),
                    ("system.network.dropped", "{packet}/s"),
                ];
                for ((name, unit), count) in names.into_iter().zip(of) {
                    self.rate(row, since, (name, unit, pairs), *count, 1.0);
                }
            }
        }
        for (key, value) in &frame.tcp {
            let state = match *key {
                "RetransSegs" => {
                    let name = ("system.network.tcp.retransmits", "{segment}/s", NONE);
                    self.rate(row, since, name, *value, 1.0);
                    continue;
                }
                "ListenOverflows" => {
                    let name = ("system.network.tcp.listen_overflows", "{connection}/s", NONE);
                    self.rate(row, since, name, *value, 1.0);
                    continue;
                }
                "CurrEstab" => "established",
                "tw" => "time_wait",
                "orphan" => "orphan",
                _ => continue,
            };
            let pairs = one("network.connection.state", state);
            self.gauge(row, ("system.network.connection.count", "{connection}", pairs), *value);
        }
    }

    fn kernel(&mut self, row: usize, since: Option<f64>, frame: &Frame<'_>) {
        for (key, count) in &frame.vmstat {
            let name = match *key {
                "pswpin" => ("system.paging.operations", "{operation}/s", one("system.paging.direction", "in")),
                "pswpout" => ("system.paging.operations", "{operation}/s", one("system.paging.direction", "out")),
                "pgmajfault" => ("system.paging.faults", "{fault}/s", one("system.paging.fault.type", "major")),
                "oom_kill" => ("system.memory.oom_kills", "{kill}/s", NONE),
                _ => continue,
            };
            self.rate(row, since, name, *count, 1.0);
        }
        for (resource, kind, stalled) in &frame.pressure {
            if !matches!(*resource, "cpu" | "memory" | "io") || !matches!(*kind, "some" | "full") {
                continue;
            }
            let name = ("system.linux.pressure", "1", [("resource", *resource), ("kind", *kind)]);
            self.rate(row, since, name, *stalled, 1e-6);
            if let Some(share) = self.column(name).values.last_mut().filter(|v| v.is_finite()) {
                *share = share.min(1.0);
            }
        }
        let limits = [
            ("system.file_descriptor.utilization", frame.files),
            ("system.network.conntrack.utilization", frame.conntrack),
        ];
        for (name, pair) in limits {
            if let Some((used, limit)) = pair.filter(|(_, limit)| *limit > 0.0) {
                self.gauge(row, (name, "1", NONE), (used / limit).clamp(0.0, 1.0));
            }
        }
    }
}

const NONE: [(&str, &str); 2] = [("", ""), ("", "")];

fn one<'a>(key: &'static str, value: &'a str) -> [(&'static str, &'a str); 2] {
    [(key, value), ("", "")]
}

/// Whether the whole disk is among the devices too: `sda1` of `sda`, `nvme0n1p2` of `nvme0n1`.
fn is_partition(device: &str, frame: &Frame<'_>) -> bool {
    let stem = device.trim_end_matches(|c: char| c.is_ascii_digit());
    if stem.len() == device.len() || device.starts_with("dm-") || device.starts_with("md") {
        return false;
    }
    let whole = match stem.strip_suffix('p') {
        Some(disk) if disk.ends_with(|c: char| c.is_ascii_digit()) => disk,
        _ => stem,
    };
    frame.disks.iter().any(|(other, _)| *other == whole)
}
