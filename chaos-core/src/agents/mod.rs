//! The built-in agents. Each file is one agent; what it calculates lives in `analysis`, `catalogue` and `risk`.

mod count;
mod fixer;
#[cfg(test)]
mod fixture;
mod investigator;
mod log;
mod metrics;
mod reporter;
mod tester;

pub use fixer::{FixerAgent, fix_sh, shell_quote};
pub use investigator::Investigator;
pub use log::LogAgent;
pub(crate) use metrics::SAMPLER;
pub use metrics::{
    JointChange, JointMember, MetricsAgent, MetricsFile, changed_together, metrics_json, parse_metrics_file,
    parse_metrics_json,
};
pub(crate) use reporter::escape_text;
pub use reporter::{ReporterAgent, interrupted_report, terminal_summary};
pub use tester::TesterAgent;
