//! The metrics agent: collects series from a host, and says which of them are abnormal. What it calculates lives in
//! `analysis::proc` and `analysis::metrics`; here it is asked for, cited and put into words.

mod artifact;
mod away;
mod clock;
mod collect;
mod files;
mod find;
mod joint;
mod words;

pub use self::{
    artifact::{MetricsFile, metrics_json, parse_metrics_json},
    files::file as parse_metrics_file,
    joint::{JointChange, JointMember, changed_together},
};

/// The agentless sampler, run as `sh -c SAMPLER`: the allow-list passes it letter by letter. It needs a POSIX shell,
/// `sleep` and any awk; what else is missing costs only its part.
pub(crate) const SAMPLER: &str = include_str!("sampler.sh");

/// Collects metrics (a Collector) and finds what is abnormal in them (a Detector).
///
/// # Behavior
/// - On a live host it follows one long-lived command that samples `/proc` once a second, and besides that polls an
///   HTTP endpoint, where one was given, about every five seconds.
/// - On a target of files it reads [`crate::model::Facts::metric_files`]: `metrics.json` as [`metrics_json`] writes
///   it, `*.prom` and `*.csv`.
/// - What breaks off is a gap in the evidence and an event; what was read until then stays.
#[derive(Debug, Clone, Default)]
pub struct MetricsAgent {
    endpoint: Option<(u16, String)>,
}

impl MetricsAgent {
    /// `endpoint`: TCP port on the target's loopback and path, of a Prometheus exporter or of JSON as
    /// `{"metrics":[{"name","unit","attributes","value","type"}]}`, where a `type` of `counter` becomes a rate.
    #[must_use]
    pub fn new(endpoint: Option<(u16, String)>) -> Self {
        Self { endpoint }
    }
}

#[cfg(test)]
#[allow(clippy::print_stdout)] // shown on failure, or asked for
mod tests;
