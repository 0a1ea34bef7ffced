//! Goes along with a run until it ends: shows its events, and passes on whoever asks for its end.

use std::time::Duration;

use chaos_core::{
    error::{Error, ErrorKind},
    model::{EventType, Injection, Phase, Recovery, Status, Timestamp, TraceEvent},
    pipeline::{Outcome, Run},
    sinks::Dir,
};

use crate::{
    exit::{Exit, Failure},
    progress::Display,
    signals::{Asked, Signals},
};

/// How long a revert may take before its wait is explained: it may be the fault that cuts the target off.
const REVERTING: Duration = Duration::from_secs(15);
/// How often it is looked whether another process asked for the end.
const LOOKING: Duration = Duration::from_millis(300);

/// A run that we go along with.
pub(super) struct Follow<'a> {
    pub(super) dir: &'a Dir,
    pub(super) display: Display,
    /// The armed revert's delay in seconds, where a fault is to be injected.
    pub(super) max_runtime_s: Option<u32>,
    pub(super) signals: Signals,
}

/// How a run ended, and who ended it.
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    asked: Option<Asked>,
    /// Whether a fault was to be injected, rather than the story of one told again.
    is_chaos: bool,
    /// Why the fault could not be injected.
    injecting: Option<ErrorKind>,
}

impl Follow<'_> {
    /// Returns when the run is over.
    ///
    /// # Errors
    /// `Internal` when the run was lost.
    pub(super) async fn until_over(mut self, mut run: Run) -> Result<Ended, Failure> {
        let (mut asked, mut injecting, mut fires_at) = (None, None, None);
        let mut look = tokio::time::interval(LOOKING);
        let mut stopping = false;
        let mut explain_at = None;
        loop {
            tokio::select! {
                event = run.next_event() => {
                    let Some(event) = event else { break };
                    self.display.event(&event);
                    let is_reverting = event.phase == Phase::Revert && event.kind == EventType::Phase;
                    explain_at = is_reverting.then(|| tokio::time::Instant::now() + REVERTING);
                    injecting = injecting.or_else(|| failed_to_inject(&event));
                    fires_at = fires_at.or_else(|| self.fires_at(&event));
                    // An agent that was given up may hold the events open for longer.
                    if event.phase == Phase::Done {
                        break;
                    }
                }
                signal = self.signals.next() => match asked {
                    None => {
                        asked = Some(signal);
                        self.stop(&run, &mut stopping, fires_at.is_some());
                    }
                    // A terminal that closes may well say so twice.
                    Some(_) if signal == Asked::Hangup => {}
                    Some(first) => self.leave(first, fires_at),
                },
                () = at(explain_at), if explain_at.is_some() => {
                    explain_at = None;
                    if let Some(fires_at) = fires_at {
                        self.display.note(&format!(
                            "still reverting; a target that can't be reached reverts by itself at {} UTC at the latest",
                            fires_at.time_of_day()
                        ));
                    }
                }
                _ = look.tick(), if !stopping => {
                    if self.dir.is_stop_requested(run.id()) {
                        self.stop(&run, &mut stopping, fires_at.is_some());
                    }
                }
            }
        }
        self.display.finish();
        let outcome = run.outcome().await?;
        Ok(Ended { outcome, asked, is_chaos: self.max_runtime_s.is_some(), injecting })
    }

    fn stop(&self, run: &Run, stopping: &mut bool, armed: bool) {
        run.stop();
        *stopping = true;
        self.display.note(match armed {
            true => "stopping: reverting the fault…",
            false => "stopping: writing what is known so far…",
        });
    }

    /// A second signal: somebody does not want to wait for the revert.
    fn leave(&mut self, asked: Asked, fires_at: Option<Timestamp>) -> ! {
        self.display.finish();
        self.display.note(&match fires_at {
            Some(at) => format!(
                "leaving at once: the revert is armed on the target and fires by itself at {} UTC at the latest; \
                 `chaos-handler cleanup`, for the same target, does it now",
                at.time_of_day()
            ),
            None => "leaving at once: no fault was injected".to_owned(),
        });
        std::process::exit(asked.exit() as i32)
    }

    /// When the revert fires, told by the event that says that it was armed.
    fn fires_at(&self, event: &TraceEvent) -> Option<Timestamp> {
        let armed = event.kind == EventType::Chaos && event.phase == Phase::Inject;
        let delay = Duration::from_secs(u64::from(self.max_runtime_s?));
        armed.then(|| event.timestamp + delay)
    }
}

async fn at(when: Option<tokio::time::Instant>) {
    match when {
        Some(when) => tokio::time::sleep_until(when).await,
        None => std::future::pending().await,
    }
}

fn failed_to_inject(event: &TraceEvent) -> Option<ErrorKind> {
    let ours = event.kind == EventType::Error && event.phase == Phase::Inject && event.agent.as_str() == "Coordinator";
    let error = event.data.clone().filter(|_| ours)?;
    Some(serde_json::from_value::<Error>(error).ok()?.kind())
}

impl Ended {
    /// The exit code: what a person has to act upon goes first.
    pub(super) fn exit(&self) -> Exit {
        let status = self.outcome.incident.status;
        if self.injection().is_some_and(|i| i.recovery != Recovery::Proven) {
            Exit::NotReverted
        } else if let Some(asked) = self.asked {
            asked.exit()
        } else if status == Status::Stopped {
            Exit::Terminate
        } else if self.outcome.storage_error.is_some() {
            Exit::Storage
        } else if status != Status::Completed {
            Exit::NoEvidence
        } else if self.injection().is_some_and(|i| i.started.is_none()) {
            self.injecting.map_or(Exit::Target, Exit::from)
        } else {
            Exit::Ok
        }
    }

    /// What went wrong as a whole, one line each.
    pub(super) fn complaints(&self) -> Vec<String> {
        let incident = &self.outcome.incident;
        let mut all = Vec::new();
        if let Some(e) = &self.outcome.storage_error {
            all.push(format!("not everything could be stored: {e}"));
        }
        if let (Status::Failed, Some(reason)) = (incident.status, &incident.reason) {
            all.push(reason.clone());
        }
        match self.injection() {
            Some(i) if i.recovery != Recovery::Proven => {
                all.push(
                    "the fault is not proven to be reverted; `chaos-handler cleanup`, for the same target, tries again"
                        .to_owned(),
                );
            }
            Some(i) if i.started.is_none() && incident.status == Status::Completed => {
                all.push("the fault could not be injected, so this is about the target as it is".to_owned());
            }
            _ => {}
        }
        all
    }

    fn injection(&self) -> Option<&Injection> {
        self.outcome.incident.injection.as_ref().filter(|_| self.is_chaos)
    }
}
