//! The pipeline as a library: watches this machine for half a minute, prints what it finds as it finds it, and
//! ends with the post-mortem. Run it with `cargo run --release --example embed`.

#![allow(clippy::print_stdout, reason = "it is a program for the terminal")]

use std::sync::Arc;

use chaos_core::{
    clock::SystemClock, error::Result, model::RunOptions, pipeline::Pipeline, sinks::Dir, transports::Local,
};

#[tokio::main]
async fn main() -> Result<()> {
    let clock = Arc::new(SystemClock::default());
    let target = Arc::new(Local::new(clock.clone()));
    let sink = Arc::new(Dir::open("incidents")?);
    let options = RunOptions { baseline_s: 10, observe_s: 20, ..RunOptions::default() };

    let mut run = Pipeline::new(target, clock, sink, options).start().await?;
    while let Some(event) = run.next_event().await {
        println!("{} {}: {}", event.timestamp.time_of_day(), event.agent, event.content);
    }
    let outcome = run.outcome().await?;
    println!("\n{}", outcome.report.markdown);
    Ok(())
}
