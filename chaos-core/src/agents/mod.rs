//! The built-in agents. Each file is one agent; what it calculates lives in `analysis`, `catalogue` and `risk`.

mod fixer;
mod investigator;
mod log;
mod metrics;
mod reporter;
mod tester;

pub use investigator::Investigator;
