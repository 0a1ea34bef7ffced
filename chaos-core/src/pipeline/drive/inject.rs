//! The fault of a run: armed, started, reverted. None of it is ever dropped half-way.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::timeout;

use super::{Drive, INJECTING, Slot, artifacts};
use crate::{
    error::{Error, ErrorKind, Result},
    model::{EventType, Incident, Injection, Phase, Recovery, Status, Timestamp, TraceEvent},
    scenario::Armed,
};

impl Drive {
    /// Injects the fault, if there is one; gives the time when that began.
    pub(super) async fn inject(&mut self, live: bool) -> Option<Timestamp> {
        if let Some(replay) = self.replay.clone() {
            return self.inject_again(replay.run().injection.clone()?).await;
        }
        let scenario = self.scenario.clone()?;
        if self.stop.is_over() || !live {
            return None;
        }
        let args = scenario.args();
        let mut injection = Injection {
            scenario: scenario.name().to_owned(),
            args: args.clone(),
            causes: scenario.causes(),
            started: None,
            fires_at: None,
            reverted: None,
            recovery: Recovery::Unknown("it was never reverted".into()),
        };
        let began = self.phase(Phase::Inject, format!("injecting {} {args}", scenario.name())).await;
        self.keep(&injection).await;
        // None of this is inside a select: it is never dropped half-way.
        let raw = self.raw.clone();
        let armed = guarded("arming the revert", INJECTING, async move { scenario.arm(raw).await }).await;
        match armed.and_then(|armed| armed) {
            Ok(armed) => {
                let fires_in = armed.fires_in();
                let at = self.chaos(armed_text(fires_in)).await;
                injection.fires_at = Some(at + fires_in);
                self.keep(&injection).await;
                if self.stop.is_over() {
                    let disarmed = guarded("taking the revert back", INJECTING, armed.disarm()).await;
                    injection.recovery = disarmed.unwrap_or_else(|e| Recovery::Unknown(e.to_string()));
                } else {
                    match start(armed, &self.injected).await {
                        Ok(()) => {
                            injection.started = Some(self.chaos("the fault has started".into()).await);
                            self.keep(&injection).await;
                        }
                        Err(e) => self.failed(&self.me, &e),
                    }
                    if self.injected.lock().expect("no panic while held").is_none() {
                        let why = "how far it started is not known; the armed revert ends it on the target";
                        injection.recovery = Recovery::Unknown(why.into());
                    }
                }
            }
            Err(e) => {
                injection.recovery = Recovery::Proven;
                self.failed(
                    &self.me,
                    &Error::new(e.kind(), "the revert could not be armed, so no fault was injected").because(e),
                );
            }
        }
        self.incident.injection = Some(injection);
        Some(began)
    }

    /// In a replay: the same events at the same times, and no fault.
    async fn inject_again(&mut self, recorded: Injection) -> Option<Timestamp> {
        let began = self.phase(Phase::Inject, format!("injecting {} {}", recorded.scenario, recorded.args)).await;
        if let Some(fires_at) = recorded.fires_at {
            // The text tells the time that is left, which depends on when the arming was stamped.
            let mut chaos = self.replay.iter().flat_map(|r| r.trace()).filter(|e| e.kind == EventType::Chaos);
            let armed = chaos.next().map_or(fires_at, |e| e.timestamp);
            self.chaos(armed_text(fires_at.since(armed))).await;
        }
        if recorded.started.is_some() {
            self.chaos("the fault has started".into()).await;
        }
        let went_wrong = |e: &&TraceEvent| e.phase == Phase::Inject && e.kind == EventType::Error && e.agent == self.me;
        for event in self.replay.iter().flat_map(|r| r.trace()).filter(went_wrong) {
            self.cx().emit_with(EventType::Error, event.content.clone(), &event.data);
        }
        self.incident.injection = Some(recorded);
        Some(began)
    }

    pub(super) async fn revert(&mut self) {
        let held = self.injected.lock().expect("no panic while held").take();
        let recorded =
            if self.replay.is_some() { self.incident.injection.clone().filter(|i| i.reverted.is_some()) } else { None };
        if held.is_none() && recorded.is_none() {
            return;
        }
        self.phase(Phase::Revert, "ending the fault".into()).await;
        let recovery = match (held, recorded) {
            (Some(injected), _) => guarded("the revert", injected.patience(), injected.revert())
                .await
                .unwrap_or_else(|e| Recovery::Unknown(format!("{e}; the armed revert ends the fault on the target"))),
            (None, Some(recorded)) => recorded.recovery,
            (None, None) => return,
        };
        let said = match &recovery {
            Recovery::Proven => "the fault is reverted: the target's state is as before".to_owned(),
            Recovery::NotRecovered(why) => format!("the fault is NOT reverted: {why}"),
            Recovery::Unknown(why) => format!("whether the fault is reverted is not known: {why}"),
        };
        let at = self.chaos(said.clone()).await;
        if recovery != Recovery::Proven {
            self.failed(&self.me, &Error::new(ErrorKind::CommandFailed, said));
        }
        if let Some(mut injection) = self.incident.injection.take() {
            injection.reverted = Some(at);
            injection.recovery = recovery;
            self.keep(&injection).await;
            self.incident.injection = Some(injection);
        }
    }

    /// Writes how far the fault is while the run goes on: where this process dies, whoever finds the incident knows what
    /// may be left on the target. A replay has no fault that could be left.
    async fn keep(&mut self, injection: &Injection) {
        if self.replay.is_none() {
            let injection = Some(injection.clone());
            let known = Incident { status: Status::Running, injection, ..self.incident.clone() };
            self.write_all(vec![artifacts::incident(&known)]).await;
        }
    }
}

fn armed_text(fires_in: Duration) -> String {
    format!("the revert is armed on the target: it fires in {} s, whatever happens to us", fires_in.as_secs())
}

/// Does one thing to a fault, in a task of its own: a defect of the scenario ends with it, and what takes longer than
/// it is given is not dropped half-way but goes on unattended.
async fn guarded<T: Send + 'static>(
    what: &str,
    within: Duration,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T> {
    match timeout(within, tokio::spawn(work)).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(e)) => Err(Error::new(ErrorKind::Internal, format!("{what} panicked")).because(e)),
        Err(_) => Err(Error::new(ErrorKind::Deadline, format!("{what} took too long"))),
    }
}

/// Starts a fault, and puts its revert where the supervisor finds it. A fault that starts too late is reverted then.
async fn start(armed: Box<dyn Armed>, slot: &Slot) -> Result<()> {
    let late = Arc::new(Mutex::new(false));
    let (gave_up, found) = (late.clone(), slot.clone());
    let started = guarded("starting the fault", INJECTING, async move {
        let (injected, started) = armed.start().await;
        let unwanted = {
            let late = gave_up.lock().expect("no panic while held");
            if *late {
                Some(injected)
            } else {
                *found.lock().expect("no panic while held") = Some(injected);
                None
            }
        };
        if let Some(injected) = unwanted {
            injected.revert().await;
        }
        started
    })
    .await;
    *late.lock().expect("no panic while held") = true;
    started.and_then(|started| started)
}
