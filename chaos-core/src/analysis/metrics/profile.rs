//! Which differences of which metric matter. All that is known of metrics by name stands in this table.

use crate::model::Series;

/// What matters about one metric.
#[derive(Debug, Clone, Copy)]
pub(super) struct Profile {
    /// Smaller differences are nothing, however unusual.
    pub(super) floor: f64,
    /// The difference that a person would call abnormal.
    pub(super) notable: f64,
    /// From here on it is saturated.
    pub(super) limit: Option<f64>,
    /// It has a hard end at 1.
    pub(super) exhaustible: bool,
    /// A single occurrence matters.
    pub(super) event: bool,
    /// How much a fall counts, compared with a rise.
    pub(super) fall: f64,
}

/// Name, value of the attribute that tells variants apart (any if empty), floor, notable, limit.
type Row = (&'static str, &'static str, f64, f64, Option<f64>);

const MB: f64 = 1e6;

#[rustfmt::skip]
const TABLE: &[Row] = &[
    ("system.cpu.utilization", "iowait", 0.1, 0.3, None),
    ("system.cpu.utilization", "steal", 0.05, 0.15, None),
    ("system.cpu.utilization", "interrupt", 0.05, 0.15, None),
    ("system.cpu.utilization", "nice", 0.1, 0.5, None),
    ("system.cpu.utilization", "user", 0.1, 0.4, None),
    ("system.cpu.utilization", "system", 0.1, 0.3, None),
    ("system.cpu.utilization", "", 0.1, 0.35, Some(0.9)),
    ("system.cpu.load_average.1m", "", 1.0, 4.0, None),
    ("system.memory.utilization", "", 0.02, 0.1, Some(0.9)),
    ("system.memory.oom_kills", "", 0.0, 0.1, None),
    ("system.paging.utilization", "", 0.05, 0.2, Some(0.9)),
    ("system.paging.operations", "", 50.0, 500.0, None),
    ("system.paging.faults", "", 50.0, 300.0, None),
    ("system.disk.io", "", 5.0 * MB, 50.0 * MB, None),
    ("system.disk.operations", "", 100.0, 1000.0, None),
    ("system.disk.utilization", "", 0.2, 0.5, None),
    ("system.filesystem.utilization", "", 0.004, 0.05, Some(0.9)),
    ("system.filesystem.inodes.utilization", "", 0.004, 0.05, Some(0.9)),
    ("system.network.io", "", MB, 20.0 * MB, None),
    ("system.network.packets", "", 1000.0, 10_000.0, None),
    ("system.network.errors", "", 1.0, 10.0, None),
    ("system.network.dropped", "", 1.0, 20.0, None),
    ("system.network.tcp.retransmits", "", 2.0, 10.0, None),
    ("system.network.tcp.rtt", "", 0.03, 0.1, None),
    ("system.network.connection.count", "time_wait", 100.0, 1000.0, None),
    ("system.network.connection.count", "", 20.0, 100.0, None),
    ("system.process.count", "", 15.0, 60.0, None),
    ("system.process.running", "", 3.0, 6.0, None),
    ("system.process.blocked", "", 2.0, 4.0, None),
    ("system.process.created", "", 20.0, 100.0, None),
    ("system.linux.pressure", "full", 0.1, 0.25, None),
    ("system.linux.pressure", "", 0.15, 0.4, None),
    ("system.file_descriptor.utilization", "", 0.02, 0.1, Some(0.9)),
    ("system.network.conntrack.utilization", "", 0.05, 0.2, Some(0.9)),
    ("system.network.tcp.listen_overflows", "", 0.0, 0.3, None),
    ("system.process.state.count", "zombie", 5.0, 30.0, None),
    ("system.process.state.count", "stopped", 0.0, 1.0, None),
    ("system.boot_time", "", 5.0, 30.0, None),
    ("systemd.service.cpu.throttled", "", 0.05, 0.3, None),
    ("systemd.service.memory.oom_kills", "", 0.0, 0.02, None),
    // A service that reads files meets its limit now and then, and the page cache gives way: that is as it should be.
    ("systemd.service.memory.limited", "", 5.0, 30.0, None),
    ("systemd.service.tasks.refused", "", 0.0, 0.1, None),
    ("process.cpu.utilization", "", 0.03, 0.15, None),
    ("process.memory.usage", "", 32.0 * MB, 150.0 * MB, None),
    ("process.open_file_descriptor.count", "", 100.0, 400.0, None),
];

/// Series of which a single occurrence matters.
const EVENTS: [&str; 4] = [
    "system.memory.oom_kills",
    "system.network.tcp.listen_overflows",
    "systemd.service.memory.oom_kills",
    "systemd.service.tasks.refused",
];

/// Series that are at nought, or near it, on a host that is well: a level that is notable is so whatever was before.
const AT_REST: [(&str, &str); 12] = [
    ("system.cpu.utilization", "iowait"),
    ("system.cpu.utilization", "steal"),
    ("system.linux.pressure", ""),
    ("system.network.dropped", ""),
    ("system.network.errors", ""),
    ("system.network.tcp.retransmits", ""),
    ("system.paging.operations", ""),
    ("system.process.blocked", ""),
    ("system.process.state.count", "stopped"),
    ("system.process.state.count", "zombie"),
    ("systemd.service.cpu.throttled", ""),
    ("systemd.service.memory.limited", ""),
];

/// Series that say again what another one says, or never change.
const REDUNDANT: [&str; 6] = [
    "system.cpu.logical.count",
    "system.memory.usage",
    "system.memory.limit",
    "system.filesystem.usage",
    "system.filesystem.limit",
    "system.linux.pressure/cpu/full",
];

/// Whether findings about the series would only repeat those about another one.
#[must_use]
pub fn is_redundant(series: &Series) -> bool {
    let path = format!("{}/{}/{}", series.name, series.attribute("resource"), series.attribute("kind"));
    REDUNDANT.iter().any(|r| *r == series.name || *r == path)
}

/// Whether the series has a known limit, so that `Saturated` can be told without a baseline.
#[must_use]
pub fn has_limit(series: &Series) -> bool {
    row(series).is_some_and(|(_, _, _, _, limit)| limit.is_some())
}

/// Whether the series is near nought on a host that is well, so that a level can be told without a baseline.
#[must_use]
pub fn is_at_rest(series: &Series) -> bool {
    let is = |variant: &str| variant.is_empty() || series.attributes.values().any(|v| v == variant);
    AT_REST.iter().any(|(name, variant)| *name == series.name && is(variant))
}

fn row(series: &Series) -> Option<&'static Row> {
    let is = |variant: &str| variant.is_empty() || series.attributes.values().any(|v| v == variant);
    TABLE.iter().find(|(name, variant, ..)| *name == series.name && is(variant))
}

impl Profile {
    /// Of the series, whose usual value and spread are given: an application's own metrics are judged by those.
    pub(super) fn of(series: &Series, center: f64, scale: f64) -> Self {
        let (floor, notable, limit) = match row(series) {
            Some((_, _, floor, notable, limit)) => (*floor, *notable, *limit),
            None => {
                let least = match series.unit.as_str() {
                    "1" => 0.05,
                    "By" | "By/s" => MB,
                    "s" => 0.01,
                    _ => 1.0,
                };
                let size = center.abs();
                ((0.1 * size).max(least), (0.5 * size).max(4.0 * scale).max(4.0 * least), None)
            }
        };
        let exhaustible = limit.is_some() && !series.name.starts_with("system.cpu.");
        // Less of memory, disk or pressure is rarely what is wrong; fewer packets or processes may be.
        let fall = if exhaustible || series.unit == "1" { 0.4 } else { 0.7 };
        Self { floor, notable, limit, exhaustible, event: EVENTS.contains(&series.name.as_str()), fall }
    }
}
