//! The built-in agents. Each file is one agent; what it calculates lives in `analysis` and `catalogue`.

mod fixer;
mod investigator;
mod log;
mod metrics;
mod reporter;
mod tester;

#[allow(unused_imports)] // the pipeline puts it on the allow-list
pub(crate) use metrics::SAMPLER;
pub use metrics::{MetricsAgent, MetricsFile, metrics_json, parse_metrics_json};
