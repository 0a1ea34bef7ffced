//! Frontends of AI Chaos-Handler: the command line ([`main`]) and the HTTP server ([`server::app`]). Nothing is worked
//! out here; both convert, call `chaos-core`, and convert.

mod cli;
mod commands;
mod config;
mod exit;
mod html;
mod interrupted;
mod notify;
mod output;
#[cfg_attr(feature = "pdf", path = "pdf/mod.rs")]
#[cfg_attr(not(feature = "pdf"), path = "pdf/without.rs")]
mod pdf;
mod progress;
mod remedy;
pub mod server;
mod signals;

use std::process::ExitCode;

use clap::Parser as _;

/// Does what the command line says, and gives its exit code.
#[must_use]
pub fn main() -> ExitCode {
    commands::main(cli::Cli::parse()).unwrap_or_else(|failure| failure.say()).into()
}
