//! `chaos-handler`, the command line of AI Chaos-Handler.

mod cli;
mod commands;
mod config;
mod exit;
mod output;
mod progress;
mod signals;
mod slack;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    commands::main(cli::Cli::parse()).unwrap_or_else(|failure| failure.say()).into()
}
