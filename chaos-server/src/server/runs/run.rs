//! One run from its target to its end. Its events go to whoever looks at it; its files are the pipeline's business.

use std::{sync::Arc, time::Duration};

use chaos_core::{
    agents::TesterAgent,
    error::{Error, ErrorKind},
    model::{EventType, Phase, Status},
    pipeline::{Agents, Outcome, Pipeline, Run},
};

use super::{Job, Live, stored};
use crate::{
    exit::Failure,
    notify::{self, Patience},
    output,
    server::Server,
};

/// How often it is looked whether another process asked for the end.
const LOOKING: Duration = Duration::from_millis(500);

pub(super) async fn run(server: &Arc<Server>, live: &Arc<Live>, job: Job) {
    let replayed = job.subject.recording().is_some();
    let started = tokio::select! {
        started = begin(server, live, job) => started,
        () = live.stop.wait() => {
            return stored::conclude(&server.dir, live, Status::Stopped, "stopped before the target was reached").await;
        }
    };
    match started {
        Ok(run) => {
            let outcome = follow(server, live, run).await;
            if let Some(outcome) = outcome.filter(|_| !replayed) {
                tell(server, outcome);
            }
        }
        Err(failure) => stored::conclude(&server.dir, live, Status::Failed, failure.message()).await,
    }
}

async fn begin(server: &Arc<Server>, live: &Arc<Live>, job: Job) -> Result<Run, Failure> {
    let dir = server.dir.clone();
    let clock = server.clock.clone();
    let mut pipeline = match job.subject.recording().cloned() {
        Some(recording) => {
            let made = tokio::task::spawn_blocking(move || Pipeline::replay(&recording, dir)).await;
            made.map_err(|e| {
                Error::new(ErrorKind::Internal, "the thread that read the recording was lost").because(e)
            })??
        }
        None => {
            let target = job.subject.open(clock.clone()).await?;
            if let Some(chaos) = &job.chaos {
                chaos.check(target.clone()).await?;
            }
            let history = dir.history(&target.target())?;
            let mut agents = Agents::builtin(&job.options);
            if !job.rehearse {
                agents = agents.tester("TesterAgent", TesterAgent::without_sandbox());
            }
            let agents = server.settings.plugins.register(agents);
            Pipeline::new(target, clock, dir, job.options).with_agents(agents).with_history(history)
        }
    };
    if let Some(chaos) = &job.chaos {
        pipeline = pipeline.with_scenario(Arc::new(chaos.scenario()));
    }
    Ok(pipeline.with_id(live.id.clone()).start().await?)
}

async fn follow(server: &Server, live: &Live, mut run: Run) -> Option<Outcome> {
    let mut look = tokio::time::interval(LOOKING);
    let mut stopping = false;
    loop {
        tokio::select! {
            event = run.next_event() => {
                let Some(event) = event else { break };
                live.event(&event);
                // An agent that was given up may hold the events open for longer.
                if event.phase == Phase::Done {
                    break;
                }
            }
            () = live.stop.wait(), if !stopping => {
                stopping = true;
                run.stop();
            }
            _ = look.tick(), if !stopping => {
                if server.dir.is_stop_requested(&live.id) {
                    live.stop.end();
                }
            }
        }
    }
    match run.outcome().await {
        Ok(outcome) => {
            server.count_ended(outcome.incident.status);
            live.end(outcome.incident.status, outcome.incident.reason.clone());
            Some(outcome)
        }
        Err(e) => {
            live.end(Status::Interrupted, Some(e.to_string()));
            None
        }
    }
}

/// Passes the news on, each in its own time: it holds up neither the run nor another. What became of it is noted in the
/// trace.
fn tell(server: &Arc<Server>, outcome: Outcome) {
    let outcome = Arc::new(outcome);
    let configured = notify::configured(&server.settings.config, Patience::LONG);
    for (name, notifier) in configured.into_iter().filter(|(_, n)| n.wants(&outcome.incident)) {
        let (server, outcome) = (server.clone(), outcome.clone());
        tokio::spawn(async move {
            let id = &outcome.incident.id;
            let (kind, said) = match notifier.notify(&outcome.incident, &outcome.report).await {
                Ok(()) => (EventType::Report, format!("{name} was told")),
                Err(e) => (EventType::Error, format!("{name} was not told: {e}")),
            };
            if let Err(e) = server.dir.annotate(id, "Coordinator", kind, said, serde_json::Value::Null) {
                output::note(&format!("{id}: {e}"));
            }
        });
    }
}
