//! What was over before we stopped looking: a job that took the CPU for some seconds and ended is no trouble that lasts.

use crate::{
    agent::Case,
    model::{Body, Finding, Signal},
};

/// How long, in milliseconds and in samples, a series must have been as before again.
const AGAIN_MS: i64 = 5_000;
const AGAIN_SAMPLES: usize = 4;
/// Metrics of which a rise says that something is at work, and its end that it is done. What counts events, or what
/// stays used, is not among them.
const OF_WORK: [&str; 8] = [
    "system.cpu.utilization",
    "system.cpu.load_average",
    "system.linux.pressure",
    "system.disk.",
    "system.network.io",
    "system.process.running",
    "system.process.blocked",
    "process.cpu.utilization",
];

/// Whether a rise of this metric says that something is at work.
pub(super) fn is_of_work(name: &str) -> bool {
    OF_WORK.iter().any(|of| name.starts_with(of))
}

/// Whether the finding tells of work that was over by the end of the observation.
pub(super) fn is_over(finding: &Finding, case: &Case) -> bool {
    let Signal::Metric { name, .. } = &finding.signal else { return false };
    if !is_of_work(name) || finding.cites.is_empty() {
        return false;
    }
    let end = case.seen.series().filter_map(|(_, s)| s.at.last().copied()).max().unwrap_or(i64::MAX);
    finding.cites.iter().all(|cite| {
        let Some(Body::Metric(series)) = case.seen.evidence.get(cite.evidence).map(|e| &e.body) else { return false };
        let after = series.at.get(cite.rows.end as usize..).unwrap_or_default();
        match (after, series.at.last()) {
            // The process is gone, while others are still seen.
            ([], Some(last)) => name.starts_with("process.") && end - last >= AGAIN_MS,
            ([first, ..], _) => after.len() >= AGAIN_SAMPLES && end - first >= AGAIN_MS,
            ([], None) => false,
        }
    })
}
