//! `analyze`: what the engine makes of files of logs and metrics, without an incident.

mod input;
mod logs;
mod metrics;
mod quick;
mod series;
mod together;

use crate::{
    cli::Analyze,
    exit::{Exit, Failure},
};

pub(super) fn analyze(what: &Analyze) -> Result<Exit, Failure> {
    match what {
        Analyze::Logs(args) if args.quick => quick::quick(args),
        Analyze::Logs(args) => logs::logs(args),
        Analyze::Metrics(args) => metrics::metrics(args),
    }
}
