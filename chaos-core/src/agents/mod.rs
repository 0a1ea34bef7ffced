//! The built-in agents. Each file is one agent; what it calculates lives in `analysis`, `catalogue` and `risk`.

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
pub use tester::TesterAgent;
