//! The Behavior of [`Transport`] and [`ArtifactSink`]
//! as functions that the tests of an implementation call. Each behaviour is a public function that panics where it
//! does not hold; [`transport()`] and [`sink()`] run all of them and say which failed. Uses nothing but the public API,
//! apart from [`Recording`], which gives tests the pipeline's own recorder.
//!
//! ```no_run
//! # #[tokio::main] async fn main() {
//! use std::sync::Arc;
//! use chaos_core::{clock::SystemClock, conformance, transports::Local};
//!
//! conformance::transport(|| Arc::new(Local::new(Arc::new(SystemClock::default())))).await;
//! # }
//! ```

pub mod artifacts;
pub mod commands;
pub mod endpoint;
pub mod flow;
mod recording;

use std::{future::Future, pin::Pin, sync::Arc};

use tokio::task::JoinSet;

use crate::{artifact::ArtifactSink, transport::Transport};

pub use recording::Recording;

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;
type Behaviour<T> = (&'static str, fn(Arc<T>) -> Running);

/// The table of behaviours: each function under its own name.
macro_rules! behaviours {
    ($($module:ident :: $name:ident),+ $(,)?) => { &[$((stringify!($name), |it| Box::pin($module::$name(it)))),+] };
}

const TRANSPORT: &[Behaviour<dyn Transport>] = behaviours![
    commands::output_is_complete_and_in_order,
    commands::bytes_are_passed_on_as_they_are,
    commands::no_output_is_no_chunk,
    commands::arguments_arrive_as_they_are,
    commands::stdin_arrives_and_ends,
    commands::exit_code_and_signal_are_told_apart,
    commands::an_unknown_program_is_not_found,
    commands::output_arrives_while_the_command_runs,
    commands::what_a_command_leaves_behind_does_not_hold_its_end,
    commands::fifty_at_once_do_not_mix,
    flow::stop_ends_the_command_and_all_it_started,
    flow::dropping_the_reply_ends_the_command_and_all_it_started,
    flow::stop_keeps_what_came_before,
    flow::the_deadline_ends_a_silent_command,
    flow::the_deadline_ends_a_command_that_never_pauses,
    flow::an_unread_stream_holds_up_no_other,
    flow::a_slow_reader_loses_nothing,
    flow::a_command_that_ended_waits_for_its_reader,
    flow::what_waits_unread_is_bounded,
    endpoint::a_get_returns_the_body,
    endpoint::another_status_is_the_exit_code,
    endpoint::a_port_that_nobody_listens_on_is_unreachable,
];

const SINK: &[Behaviour<dyn ArtifactSink>] = behaviours![
    artifacts::ids_are_given_out_once,
    artifacts::the_trace_is_a_valid_array_after_every_append,
    artifacts::events_from_many_tasks_all_arrive_in_order,
    artifacts::write_replaces_an_artifact_whole,
    artifacts::append_creates_and_adds_to_the_end,
    artifacts::what_was_never_written_is_not_found,
    artifacts::an_unknown_incident_is_not_found,
    artifacts::artifacts_are_listed_once_and_sorted,
    artifacts::incidents_are_listed_oldest_first,
    artifacts::a_closed_incident_can_be_written_on,
    artifacts::names_never_leave_the_incident,
];

/// Runs every behaviour of a transport, each on what `make` returns, all at the same time. Those of `GET` are left
/// out where [`http_get`](crate::transport::Capabilities::http_get) is not among the capabilities. The target needs
/// `sh` and coreutils; for `GET` it must be this machine. Wants a runtime with several threads.
///
/// # Panics
/// When a behaviour does not hold, with the names of all that don't.
pub async fn transport(make: impl Fn() -> Arc<dyn Transport>) {
    let http_get = make().capabilities().http_get;
    let chosen = TRANSPORT.iter().filter(|(name, _)| http_get || !is_get(name));
    run(chosen.map(|(name, behaviour)| (*name, behaviour(make())))).await;
}

/// Runs every behaviour of a sink, each on what `make` returns, all at the same time. The sinks may share one place,
/// or be one.
///
/// # Panics
/// When a behaviour does not hold, with the names of all that don't.
pub async fn sink(make: impl Fn() -> Arc<dyn ArtifactSink>) {
    run(SINK.iter().map(|(name, behaviour)| (*name, behaviour(make())))).await;
}

fn is_get(name: &str) -> bool {
    ["a_get_returns_the_body", "another_status_is_the_exit_code", "a_port_that_nobody_listens_on_is_unreachable"]
        .contains(&name)
}

async fn run(behaviours: impl Iterator<Item = (&'static str, Running)>) {
    let mut all = JoinSet::new();
    let mut names = std::collections::BTreeMap::new();
    for (name, behaviour) in behaviours {
        names.insert(all.spawn(behaviour).id(), name);
    }
    let mut failed = Vec::new();
    while let Some(done) = all.join_next_with_id().await {
        if let Err(e) = done {
            failed.push(format!("{}: {}", names[&e.id()], said(e)));
        }
    }
    failed.sort();
    assert!(failed.is_empty(), "{} behaviours do not hold\n{}", failed.len(), failed.join("\n"));
}

fn said(e: tokio::task::JoinError) -> String {
    match e.try_into_panic().map(|p| p.downcast::<String>()) {
        Ok(Ok(text)) => *text,
        Ok(Err(other)) => other.downcast_ref::<&str>().map_or_else(|| "it panicked".into(), |s| (*s).to_owned()),
        Err(e) => e.to_string(),
    }
}
