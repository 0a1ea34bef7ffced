//! The built-in agents. Each file is one agent; what it calculates lives in `analysis` and `catalogue`.

mod fixer;
mod investigator;
mod log;
mod metrics;
mod reporter;
mod tester;

pub use reporter::{ReporterAgent, terminal_summary};
