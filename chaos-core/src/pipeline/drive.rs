//! One run, phase by phase. Read [`Drive::run`] first: it is the flow.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};

use super::trace::{Flushed, Message, Timeline, Writer};
use super::{
    Agents, COORDINATOR, Contexts, Named, Notifier, Outcome, Pipeline, Source, allow_list, artifacts, facts, idle_clock,
};
use crate::{
    agent::{Agent, AgentContext, Case, Diagnosed, Emitted, Rehearsal},
    artifact::{ArtifactName, ArtifactSink},
    clock::Clock,
    error::{Error, ErrorKind, Result},
    host::ReadOnlyHost,
    model::{
        AgentName, Answer, Basis, Diagnosis, EventType, Evidence, Facts, Finding, FixPlan, Incident, IncidentId,
        Injection, Ledger, Observation, Phase, Recovery, Report, RiskAssessment, RunOptions, SCHEMA_VERSION, Status,
        Timestamp, TraceEvent,
    },
    readonly::AllowList,
    recording::RunRecord,
    scenario::{Armed, Injected, Scenario},
    transport::{Stop, Transport},
    transports::{Recorder, Replay},
};

/// How long collectors may take to open their streams before the baseline begins without them.
const OPENING: Duration = Duration::from_secs(15);
/// How long collectors may take to finish once the window is over.
const DRAINING: Duration = Duration::from_secs(15);
/// How long reading a target that is not live may take.
const READING: Duration = Duration::from_secs(30 * 60);
/// How long an agent without a target, and one with a target, may think.
const THINKING: Duration = Duration::from_secs(60);
const ASKING: Duration = Duration::from_secs(120);
/// How long a fault may take to be armed, started or reverted, and the news to be passed on.
const INJECTING: Duration = Duration::from_secs(60);
const NOTIFYING: Duration = Duration::from_secs(15);

/// A started fault, where the supervisor finds it whatever became of the run.
type Slot = Arc<Mutex<Option<Box<dyn Injected>>>>;

/// A run that is set up, with all that it needs.
pub(super) struct Drive {
    agents: Agents,
    options: RunOptions,
    scenario: Option<Arc<dyn Scenario>>,
    notifiers: Vec<(String, Arc<dyn Notifier>)>,
    replay: Option<Arc<Replay>>,
    /// What only the scenario gets.
    raw: Arc<dyn Transport>,
    /// What everything else is asked through: redacting, and in a live run recording.
    transport: Arc<dyn Transport>,
    recorder: Option<Recorder>,
    clock: Arc<dyn Clock>,
    sink: Arc<dyn ArtifactSink>,
    allow: Arc<AllowList>,
    contexts: Contexts,
    writer: JoinHandle<()>,
    stop: Stop,
    injected: Slot,
    me: AgentName,
    incident: Incident,
    record: RunRecord,
    storage_error: Option<Error>,
}

impl Drive {
    pub(super) async fn prepare(
        pipeline: Pipeline,
        events: mpsc::UnboundedSender<TraceEvent>,
        stop: Stop,
    ) -> Result<Self> {
        let Pipeline { source, sink, options, agents, scenario, notifiers, id } = pipeline;
        let (raw, clock, replay): (Arc<dyn Transport>, Arc<dyn Clock>, _) = match source {
            Source::Target { transport, clock } => (transport, clock, None),
            Source::Replay(replay) => (replay.clone(), idle_clock(), Some(replay)),
        };
        let began = replay.as_ref().map_or_else(|| clock.now(), |r| r.run().began);
        let id = match id {
            Some(id) => id,
            None => sink.create(began).await?,
        };
        let timeline = match &replay {
            Some(replay) => Timeline::recorded(replay.trace()),
            None => Timeline::Live(clock.clone()),
        };
        let (messages, inbox) = mpsc::unbounded_channel();
        let writer = Writer {
            timeline,
            sink: sink.clone(),
            id: id.clone(),
            events,
            order: agents.order(),
            phase: Phase::Prepare,
            seq: 0,
            held: Vec::new(),
            flushed: Flushed::default(),
        };
        let recorder = replay.is_none().then(|| Recorder::start(sink.clone(), id.clone()));
        let transport = recorder.as_ref().map_or_else(|| raw.clone(), |r| r.wrap(raw.clone()));
        let target = raw.target();
        let incident = Incident {
            schema_version: SCHEMA_VERSION,
            id: id.clone(),
            status: Status::Running,
            reason: None,
            target: target.clone(),
            options: options.clone(),
            span: began..began,
            observation: None,
            findings: Ledger::default(),
            answers: Ledger::default(),
            diagnosis: None,
            plans: Vec::new(),
            risks: Vec::new(),
            injection: None,
            errors: Vec::new(),
        };
        let record = RunRecord {
            schema_version: SCHEMA_VERSION,
            id: id.clone(),
            began,
            target,
            capabilities: raw.capabilities(),
            options: options.clone(),
            facts: None,
            injection: None,
            answers_sha256: None,
        };
        let mut drive = Self {
            agents,
            options,
            scenario,
            notifiers,
            replay,
            raw,
            transport,
            recorder,
            clock,
            sink,
            allow: Arc::new(allow_list()),
            contexts: Contexts { id, events: messages },
            writer: writer.spawn(inbox),
            stop,
            injected: Slot::default(),
            me: AgentName::new(COORDINATOR),
            incident,
            record,
            storage_error: None,
        };
        // The first writes fail here and now when the sink can't be written to.
        let (name, bytes) = artifacts::incident(&drive.incident);
        drive.sink.write(drive.id(), &name, &bytes).await?;
        drive.write_record().await;
        match drive.storage_error.take() {
            Some(e) => Err(e),
            None => Ok(drive),
        }
    }

    pub(super) fn id(&self) -> &IncidentId {
        &self.incident.id
    }

    /// Runs, and owns the revert should the run panic.
    pub(super) async fn supervise(self) -> Outcome {
        let (slot, contexts, sink) = (self.injected.clone(), self.contexts.clone(), self.sink.clone());
        let last_known = self.incident.clone();
        match tokio::spawn(self.run()).await {
            Ok(outcome) => outcome,
            Err(e) => {
                let why = Error::new(ErrorKind::Internal, "the run panicked").because(e);
                let held = slot.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
                let mut incident = Incident { status: Status::Failed, reason: Some(why.to_string()), ..last_known };
                if let Some(injected) = held {
                    let recovery = injected.revert().await;
                    incident
                        .errors
                        .push(format!("{COORDINATOR}: the fault was reverted after the panic: {recovery:?}"));
                }
                let cx = contexts.of(&AgentName::new(COORDINATOR), Instant::now());
                cx.emit(EventType::Error, why.to_string());
                let (reply, flushed) = oneshot::channel();
                let _ = contexts.events.send(Message::Flush(reply));
                let _ = flushed.await;
                let (name, bytes) = artifacts::incident(&incident);
                let storage_error = sink.write(&incident.id, &name, &bytes).await.err();
                let _ = sink.close(&incident.id).await;
                Outcome { incident, report: Report::default(), storage_error }
            }
        }
    }

    /// The flow.
    async fn run(mut self) -> Outcome {
        let reached = match self.facts().await {
            Ok(facts) => self.watch(facts).await,
            Err(e) => Err(e),
        };
        match reached {
            Ok(observation) => {
                let observation = Arc::new(observation);
                self.write_all(artifacts::evidence(&observation)).await;
                self.think(&observation).await;
                self.incident.observation = Some(Arc::unwrap_or_clone(observation));
                self.incident.status = Status::Completed;
            }
            Err(e) => {
                self.incident.status = Status::Failed;
                self.incident.reason = Some(e.to_string());
                self.failed(&self.me, &e);
            }
        }
        self.revert().await;
        if self.stop.is_over() {
            self.incident.status = Status::Stopped;
            self.incident.reason = Some("somebody asked for the end".into());
        }
        let report = self.report().await;
        self.finish(report).await
    }

    // -- prepare

    async fn facts(&mut self) -> Result<Arc<Facts>> {
        let target = self.incident.target.name.clone();
        self.phase(Phase::Prepare, format!("{} on {target}", self.incident.id)).await;
        if self.replay.as_ref().is_some_and(|r| r.is_edited()) {
            self.note("the recording was edited after it was made: what follows is about the edited one");
        }
        let facts = match self.transport.known_facts() {
            Some(facts) => facts,
            None => {
                let stop = self.stop.clone();
                tokio::select! {
                    facts = facts::ask(&*self.transport, self.me.clone(), self.clock.now()) => facts?,
                    () = stop.wait() => return Err(Error::new(ErrorKind::Stopped, "stopped before the target was reached")),
                }
            }
        };
        let what = [facts.hostname.as_str(), &facts.os, &facts.kernel].into_iter().filter(|s| !s.is_empty());
        let cpus = if facts.cpus > 0 {
            format!(", {} CPUs, {} MiB memory", facts.cpus, facts.memory_bytes >> 20)
        } else {
            String::new()
        };
        let what = what.collect::<Vec<_>>().join(", ");
        if !what.is_empty() {
            self.cx().emit_with(EventType::Note, format!("target: {what}{cpus}"), &facts);
        }
        for limit in &facts.limits {
            self.note(limit);
        }
        self.record.facts = Some(facts.clone());
        self.write_record().await;
        Ok(Arc::new(facts))
    }

    // -- baseline, inject, observe

    /// Watches the target from the baseline to the end of the observation, with the fault in between.
    async fn watch(&mut self, facts: Arc<Facts>) -> Result<Observation> {
        let live = facts.live && self.replay.is_none();
        let (baseline_s, observe_s) =
            if facts.live { (self.options.baseline_s, self.options.observe_s) } else { (0, 0) };
        let window = Stop::default();
        let limit =
            if live { OPENING + seconds(baseline_s) + seconds(observe_s) + INJECTING * 2 + DRAINING } else { READING };
        let hard = Instant::now() + limit;
        let collecting = self.collect(&facts, &window, hard);
        if live {
            self.until_open(&collecting).await;
        }
        let mut baseline = None;
        if baseline_s > 0 {
            let from =
                self.phase(Phase::Baseline, format!("watching the target as it usually is for {baseline_s} s")).await;
            self.wait(live, baseline_s).await;
            baseline = Some(from);
        }
        let injected = self.inject(live).await;
        let said =
            if facts.live { format!("watching the target for {observe_s} s") } else { "reading the files".into() };
        let from = self.phase(Phase::Observe, said).await;
        self.wait(live, observe_s).await;
        if live || self.stop.is_over() {
            window.end();
        }
        let deadline = if live { (Instant::now() + DRAINING).min(hard) } else { hard };
        let evidence = self.gather(collecting, deadline, &window).await;
        let until = self.phase(Phase::Detect, "looking for what is abnormal".into()).await;
        if evidence.is_empty() {
            return Err(Error::new(ErrorKind::NotFound, "there is no evidence at all: nothing could be collected"));
        }
        let baseline = baseline.map(|start| start..injected.unwrap_or(from));
        let observed = if facts.live { from..until } else { span_of(&evidence).unwrap_or(from..until) };
        Ok(Observation { facts: Arc::unwrap_or_clone(facts), baseline, observed, evidence })
    }

    fn collect(&self, facts: &Arc<Facts>, window: &Stop, hard: Instant) -> Vec<Collecting> {
        let start = |Named(name, agent): &Named<crate::agent::Collector>| {
            let host = self.host(facts, name, hard, window, Arc::default());
            let (cx, agent, opened) = (self.contexts.of(name, hard), agent.clone(), host.opened());
            let task = tokio::spawn(async move { agent.run(&cx, &host).await });
            Collecting { name: name.clone(), task, opened }
        };
        self.agents.collectors.iter().map(start).collect()
    }

    /// The baseline begins once every collector has an open stream or has failed.
    async fn until_open(&self, collecting: &[Collecting]) {
        let all = async {
            for c in collecting {
                while !c.opened.is_over() && !c.task.is_finished() {
                    let _ = timeout(Duration::from_millis(20), c.opened.wait()).await;
                }
            }
        };
        tokio::select! { _ = timeout(OPENING, all) => {}, () = self.stop.wait() => {} }
    }

    async fn wait(&self, live: bool, s: u32) {
        if live {
            tokio::select! { () = self.clock.wait(seconds(s)) => {}, () = self.stop.wait() => {} }
        }
    }

    /// Collects what the collectors return, in the order of registration.
    async fn gather(&self, collecting: Vec<Collecting>, deadline: Instant, window: &Stop) -> Ledger<Evidence> {
        let mut evidence = Ledger::default();
        for Collecting { name, mut task, .. } in collecting {
            let gathered = tokio::select! {
                done = timeout_at(deadline, &mut task) => done,
                // Files are read to their end unless somebody asks for ours.
                () = self.stop.wait(), if !window.is_over() => {
                    window.end();
                    timeout(DRAINING, &mut task).await
                }
            };
            match gathered {
                Ok(Ok(Ok(all))) => {
                    for e in all {
                        evidence.push(e);
                    }
                }
                Ok(Ok(Err(e))) => self.failed(&name, &e),
                Ok(Err(e)) => self.failed(&name, &Error::new(ErrorKind::AgentFailed, "the agent panicked").because(e)),
                Err(_) => {
                    task.abort();
                    self.failed(&name, &Error::new(ErrorKind::Deadline, "the agent ran past its deadline"));
                }
            }
        }
        evidence
    }

    // -- inject, revert

    /// Injects the fault, if there is one; gives the time when that began.
    async fn inject(&mut self, live: bool) -> Option<Timestamp> {
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
        // None of this is inside a select: it is never dropped half-way.
        let raw = self.raw.clone();
        let armed = guarded("arming the revert", async move { scenario.arm(raw).await }).await;
        match armed.and_then(|armed| armed) {
            Ok(armed) => {
                let fires_in = armed.fires_in();
                let at = self.chaos(armed_text(fires_in)).await;
                injection.fires_at = Some(at + fires_in);
                if self.stop.is_over() {
                    let disarmed = guarded("taking the revert back", armed.disarm()).await;
                    injection.recovery = disarmed.unwrap_or_else(|e| Recovery::Unknown(e.to_string()));
                } else {
                    match start(armed, &self.injected).await {
                        Ok(()) => injection.started = Some(self.chaos("the fault has started".into()).await),
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

    async fn revert(&mut self) {
        let held = self.injected.lock().expect("no panic while held").take();
        let recorded =
            if self.replay.is_some() { self.incident.injection.clone().filter(|i| i.reverted.is_some()) } else { None };
        if held.is_none() && recorded.is_none() {
            return;
        }
        self.phase(Phase::Revert, "ending the fault".into()).await;
        let recovery = match (held, recorded) {
            (Some(injected), _) => guarded("the revert", injected.revert())
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
        if let Some(injection) = &mut self.incident.injection {
            injection.reverted = Some(at);
            injection.recovery = recovery;
        }
    }

    // -- detect, investigate, plan, rehearse

    async fn think(&mut self, seen: &Arc<Observation>) {
        if self.stop.is_over() {
            return;
        }
        let findings = Arc::new(self.detect(seen).await);
        let answers = Arc::new(Mutex::new(Ledger::default()));
        let diagnosis = if self.stop.is_over() { None } else { self.investigate(seen, &findings, &answers).await };
        if let Some(diagnosis) = diagnosis.filter(|_| !self.stop.is_over()) {
            let diagnosis = Arc::new(diagnosis);
            self.incident.diagnosis = Some((*diagnosis).clone());
            self.plan(seen, &findings, &answers, &diagnosis).await;
        }
        self.incident.findings = Arc::unwrap_or_clone(findings);
        self.incident.answers = answers.lock().expect("no panic while held").clone();
        if let Some(diagnosis) = self.incident.diagnosis.clone() {
            self.write_all(artifacts::fix(&self.incident, &diagnosis)).await;
        }
    }

    async fn detect(&self, seen: &Arc<Observation>) -> Ledger<Finding> {
        let mut findings = Ledger::default();
        for Named(name, agent) in &self.agents.detectors {
            let cx = self.contexts.of(name, Instant::now() + THINKING);
            match pure(agent.clone(), cx.clone(), seen.clone(), &self.stop).await {
                Ok(found) => {
                    for mut finding in found {
                        if finding.cites.is_empty() || !finding.cites.iter().all(|c| seen.holds(c)) {
                            let e = Error::new(
                                ErrorKind::DanglingCitation,
                                "a finding without existing evidence is dropped",
                            );
                            self.failed(name, &e.with("finding", finding.summary.escape_debug()));
                            continue;
                        }
                        finding.agent = name.clone();
                        let (summary, data) = (finding.summary.clone(), finding_data(&finding, findings.len()));
                        findings.push(finding);
                        cx.emit_with(EventType::Finding, summary, data);
                    }
                }
                Err(e) => self.failed(name, &e),
            }
        }
        if findings.is_empty() {
            self.note("nothing abnormal was found");
        }
        findings
    }

    async fn investigate(
        &self,
        seen: &Arc<Observation>,
        findings: &Arc<Ledger<Finding>>,
        answers: &Arc<Mutex<Ledger<Answer>>>,
    ) -> Option<Diagnosis> {
        self.phase(Phase::Investigate, "working out the cause".into()).await;
        let Named(name, agent) = self.agents.investigator.as_ref()?;
        let deadline = Instant::now() + ASKING;
        let host = self.host(&Arc::new(seen.facts.clone()), name, deadline, &self.stop, answers.clone());
        let case = Case { seen: seen.clone(), findings: findings.clone(), host };
        let diagnosis = self.asking(agent.clone(), self.contexts.of(name, deadline), case).await;
        let checked = diagnosis.and_then(|d| {
            let answers = answers.lock().expect("no panic while held");
            let held = |b: &Basis| match b {
                Basis::Finding(id) => findings.get(*id).is_some(),
                Basis::Answer(id) => answers.get(*id).is_some(),
            };
            let culprit = d.culprit.iter().flat_map(|c| &c.basis);
            if d.hypotheses.iter().flat_map(|(_, h)| &h.basis).chain(culprit).all(held) {
                return Ok(d);
            }
            Err(Error::new(ErrorKind::DanglingCitation, "the diagnosis cites what does not exist"))
        });
        checked.map_err(|e| self.failed(name, &e)).ok()
    }

    async fn plan(
        &mut self,
        seen: &Arc<Observation>,
        findings: &Arc<Ledger<Finding>>,
        answers: &Arc<Mutex<Ledger<Answer>>>,
        diagnosis: &Arc<Diagnosis>,
    ) {
        self.phase(Phase::Plan, "working out what to do".into()).await;
        let asked = Arc::new(answers.lock().expect("no panic while held").clone());
        let mut plans: Vec<FixPlan> = Vec::new();
        for Named(name, agent) in &self.agents.fixers {
            let cx = self.contexts.of(name, Instant::now() + THINKING);
            let input = Diagnosed {
                seen: seen.clone(),
                findings: findings.clone(),
                answers: asked.clone(),
                diagnosis: diagnosis.clone(),
            };
            match pure(agent.clone(), cx, Arc::new(input), &self.stop).await {
                Ok(plan)
                    if plan.actions.iter().flat_map(|a| &a.cites).any(|id| diagnosis.hypotheses.get(*id).is_none()) =>
                {
                    self.failed(
                        name,
                        &Error::new(ErrorKind::DanglingCitation, "the plan cites a hypothesis that does not exist"),
                    );
                }
                // Sealed here: the hash that an approval binds is never the fixer's own claim.
                Ok(plan) => plans.push(plan.sealed()),
                Err(e) => self.failed(name, &e),
            }
        }
        self.rehearse(seen, answers, plans).await;
    }

    /// Judges every plan, and orders them: lowest risk first, then highest confidence.
    async fn rehearse(&mut self, seen: &Arc<Observation>, answers: &Arc<Mutex<Ledger<Answer>>>, plans: Vec<FixPlan>) {
        let mut judged: Vec<(FixPlan, Option<RiskAssessment>)> = Vec::new();
        if plans.iter().any(|p| !p.actions.is_empty()) {
            self.phase(Phase::Rehearse, "judging the plan without touching the target".into()).await;
        }
        for plan in plans {
            let mut risk = None;
            if let (Some(Named(name, agent)), false) = (&self.agents.tester, plan.actions.is_empty()) {
                let deadline = Instant::now() + ASKING;
                let host = self.host(&Arc::new(seen.facts.clone()), name, deadline, &self.stop, answers.clone());
                let rehearsal = Rehearsal { plan: Arc::new(plan.clone()), host };
                match self.asking(agent.clone(), self.contexts.of(name, deadline), rehearsal).await {
                    Ok(assessed) if assessed.plan_sha256 == plan.plan_sha256 => risk = Some(assessed),
                    Ok(_) => {
                        self.failed(name, &Error::new(ErrorKind::AgentFailed, "the assessment is of another plan"));
                    }
                    Err(e) => self.failed(name, &e),
                }
            }
            judged.push((plan, risk));
        }
        let confidence = |p: &FixPlan| p.actions.iter().map(|a| a.confidence.get()).fold(0.0, f64::max);
        // A plan without actions is no plan to prefer over one that has some; a plan that was not judged comes last.
        judged.sort_by(|(a, ra), (b, rb)| {
            let key = |p: &FixPlan, r: &Option<RiskAssessment>| {
                (p.actions.is_empty(), r.is_none(), r.as_ref().map(|r| (r.verdict, r.level)))
            };
            key(a, ra).cmp(&key(b, rb)).then(confidence(b).total_cmp(&confidence(a)))
        });
        for (plan, risk) in judged {
            self.incident.plans.push(plan);
            self.incident.risks.extend(risk);
        }
    }

    // -- report

    async fn report(&mut self) -> Report {
        let until = self.phase(Phase::Report, "writing the report".into()).await;
        self.incident.span.end = until;
        self.flush().await;
        let Some(Named(name, agent)) = self.agents.reporter.clone() else { return Report::default() };
        let cx = self.contexts.of(&name, Instant::now() + THINKING);
        let report = match pure(agent, cx, Arc::new(self.incident.clone()), &Stop::default()).await {
            Ok(report) => report,
            Err(e) => {
                self.failed(&name, &e);
                Report::default()
            }
        };
        match artifacts::report(&report) {
            Ok(files) => self.write_all(files).await,
            Err(e) => self.failed(&name, &e),
        }
        if self.replay.is_none() {
            let news = Arc::new((self.incident.clone(), report.clone()));
            for (name, notifier) in &self.notifiers {
                let (notifier, news) = (notifier.clone(), news.clone());
                // A task of its own, like an agent: a defect of it ends with it.
                let task = tokio::spawn(async move { notifier.notify(&news.0, &news.1).await });
                let stop = task.abort_handle();
                let sent = match timeout(NOTIFYING, task).await {
                    Ok(Ok(sent)) => sent,
                    Ok(Err(e)) => Err(Error::new(ErrorKind::AgentFailed, "the notifier panicked").because(e)),
                    Err(_) => Err(Error::new(ErrorKind::Deadline, "nobody took the news in time")),
                };
                stop.abort();
                match sent {
                    Ok(()) => self.cx().emit(EventType::Report, format!("{name} has the summary")),
                    Err(e) => self.failed(&self.me, &Error::new(e.kind(), format!("{name} was not told")).because(e)),
                }
            }
        }
        report
    }

    async fn finish(mut self, report: Report) -> Outcome {
        if let Some(recorder) = self.recorder.take() {
            match recorder.finish().await {
                Ok(digest) => self.record.answers_sha256 = Some(digest),
                Err(e) => drop(self.storage_error.get_or_insert(e)),
            }
            self.record.injection = self.incident.injection.clone();
            self.write_record().await;
        }
        let mut last = self.incident.status.as_str().to_owned();
        if let Some(diagnosis) = &self.incident.diagnosis {
            last = format!("{last}: {} ({})", diagnosis.title, diagnosis.confidence);
        } else if let Some(reason) = &self.incident.reason {
            last = format!("{last}: {reason}");
        }
        // The end is stamped before it is stored, and said after: who sees it finds all files there.
        self.flush().await;
        self.write_all(vec![artifacts::incident(&self.incident)]).await;
        self.phase(Phase::Done, last).await;
        self.flush().await;
        if let Err(e) = self.sink.close(self.id()).await {
            self.storage_error.get_or_insert(e);
        }
        let Self { incident, storage_error, contexts, writer, .. } = self;
        // Agents that were given up may still hold a sender; the writer is not waited for.
        drop((contexts, writer));
        Outcome { incident, report, storage_error }
    }

    // -- small parts

    fn cx(&self) -> AgentContext {
        self.contexts.of(&self.me, Instant::now())
    }

    fn note(&self, text: &str) {
        self.cx().emit(EventType::Note, text);
    }

    fn failed(&self, agent: &AgentName, error: &Error) {
        self.contexts.of(agent, Instant::now()).emit_with(EventType::Error, error.to_string(), error);
    }

    fn host(
        &self,
        facts: &Arc<Facts>,
        agent: &AgentName,
        deadline: Instant,
        window: &Stop,
        answers: Arc<Mutex<Ledger<Answer>>>,
    ) -> ReadOnlyHost {
        let (transport, clock, allow) = (self.transport.clone(), self.clock.clone(), self.allow.clone());
        ReadOnlyHost::new(transport, clock, facts.clone(), allow, agent.clone(), deadline, window.clone(), answers)
    }

    async fn phase(&self, phase: Phase, content: String) -> Timestamp {
        let (reply, at) = oneshot::channel();
        let emitted = Emitted { agent: self.me.clone(), kind: EventType::Phase, content, data: None };
        let _ = self.contexts.events.send(Message::Phase(phase, emitted, reply));
        at.await.unwrap_or_default()
    }

    async fn chaos(&self, content: String) -> Timestamp {
        let (reply, at) = oneshot::channel();
        let emitted = Emitted { agent: self.me.clone(), kind: EventType::Chaos, content, data: None };
        let _ = self.contexts.events.send(Message::Stamp(emitted, reply));
        at.await.unwrap_or_default()
    }

    async fn flush(&mut self) {
        let (reply, flushed) = oneshot::channel();
        let _ = self.contexts.events.send(Message::Flush(reply));
        let flushed: Flushed = flushed.await.unwrap_or_default();
        self.incident.errors = flushed.errors;
        if let Some(e) = flushed.storage {
            self.storage_error.get_or_insert(e);
        }
    }

    async fn write_all(&mut self, files: Vec<(ArtifactName, Vec<u8>)>) {
        for (name, bytes) in files {
            if let Err(e) = self.sink.write(&self.incident.id, &name, &bytes).await {
                self.failed(&self.me, &e);
                self.storage_error.get_or_insert(e);
            }
        }
    }

    async fn write_record(&mut self) {
        if self.replay.is_none() {
            let name = ArtifactName::known("recording/run.json");
            self.write_all(vec![(name, artifacts::pretty(&self.record))]).await;
        }
    }

    /// Runs an agent that may ask the target; `stop` ends it.
    async fn asking<In: Send + Sync + 'static, Out: Send + 'static>(
        &self,
        agent: Arc<dyn Agent<In, Out>>,
        cx: AgentContext,
        input: In,
    ) -> Result<Out> {
        let deadline = cx.deadline;
        let mut task = tokio::spawn(async move { agent.run(&cx, &input).await });
        let ended = tokio::select! {
            ended = timeout_at(deadline, &mut task) => settle(ended),
            () = self.stop.wait() => Err(Error::new(ErrorKind::Stopped, "stopped")),
        };
        task.abort();
        ended
    }
}

/// A collector at work.
struct Collecting {
    name: AgentName,
    task: JoinHandle<Result<Vec<Evidence>>>,
    opened: Stop,
}

fn seconds(s: u32) -> Duration {
    Duration::from_secs(u64::from(s))
}

fn armed_text(fires_in: Duration) -> String {
    format!("the revert is armed on the target: it fires in {} s, whatever happens to us", fires_in.as_secs())
}

/// What a program gets of a finding as it happens; the whole is in `incident.json`.
fn finding_data(finding: &Finding, index: usize) -> serde_json::Value {
    serde_json::json!({
        "finding": index,
        "score": (finding.score * 1e3).round() / 1e3,
        "entity": finding.entity,
        "onset": finding.onset,
    })
}

/// From the first to the last time in the evidence, for a target that has no now. The end is included.
fn span_of(evidence: &Ledger<Evidence>) -> Option<std::ops::Range<Timestamp>> {
    use crate::model::Body;
    let mut span: Option<(Timestamp, Timestamp)> = None;
    for (_, e) in evidence.iter() {
        let (first, last) = match &e.body {
            Body::Logs(logs) => {
                (logs.patterns.iter().map(|p| p.first).min(), logs.patterns.iter().map(|p| p.last).max())
            }
            Body::Metric(series) => (series.samples().map(|s| s.0).min(), series.samples().map(|s| s.0).max()),
        };
        if let (Some(first), Some(last)) = (first, last) {
            span = Some(span.map_or((first, last), |(a, b)| (a.min(first), b.max(last))));
        }
    }
    span.map(|(a, b)| a..b + Duration::from_millis(1))
}

/// Does one thing to a fault, in a task of its own: a defect of the scenario ends with it, and what takes longer than
/// it is given is not dropped half-way but goes on unattended.
async fn guarded<T: Send + 'static>(what: &str, work: impl Future<Output = T> + Send + 'static) -> Result<T> {
    match timeout(INJECTING, tokio::spawn(work)).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(e)) => Err(Error::new(ErrorKind::Internal, format!("{what} panicked")).because(e)),
        Err(_) => Err(Error::new(ErrorKind::Deadline, format!("{what} took too long"))),
    }
}

/// Starts a fault, and puts its revert where the supervisor finds it. A fault that starts too late is reverted then.
async fn start(armed: Box<dyn Armed>, slot: &Slot) -> Result<()> {
    let late = Arc::new(Mutex::new(false));
    let (gave_up, found) = (late.clone(), slot.clone());
    let started = guarded("starting the fault", async move {
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

type Settled<T> =
    std::result::Result<std::result::Result<Result<T>, tokio::task::JoinError>, tokio::time::error::Elapsed>;

fn settle<T>(ended: Settled<T>) -> Result<T> {
    match ended {
        Ok(Ok(result)) => result,
        Ok(Err(e)) => Err(Error::new(ErrorKind::AgentFailed, "the agent panicked").because(e)),
        Err(_) => Err(Error::new(ErrorKind::Deadline, "the agent ran past its deadline")),
    }
}

/// Runs an agent without a target. It may burn CPU or hold a lock of its own: it runs off the reactor, so that
/// deadlines fire all the same.
async fn pure<In: Send + Sync + 'static, Out: Send + 'static>(
    agent: Arc<dyn Agent<In, Out>>,
    cx: AgentContext,
    input: Arc<In>,
    stop: &Stop,
) -> Result<Out> {
    let (deadline, runtime) = (cx.deadline, tokio::runtime::Handle::current());
    let task = tokio::task::spawn_blocking(move || runtime.block_on(agent.run(&cx, &input)));
    tokio::select! {
        ended = timeout_at(deadline, task) => settle(ended),
        () = stop.wait() => Err(Error::new(ErrorKind::Stopped, "stopped")),
    }
}
