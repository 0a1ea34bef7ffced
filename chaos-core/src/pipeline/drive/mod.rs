//! One run, phase by phase. Read [`Drive::run`] first: it is the flow.

mod inject;
mod think;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::{Instant, timeout, timeout_at},
};

use self::think::{pure, settle};
use super::trace::{Timeline, Writer};
use super::{
    Agents, COORDINATOR, Contexts, Named, Notifier, Outcome, Pipeline, Source, allow_list, artifacts, facts, idle_clock,
};
use crate::{
    agent::{Agent, AgentContext},
    artifact::{ArtifactName, ArtifactSink},
    audit::{Sealed, genesis, sha256_hex},
    clock::Clock,
    error::{Error, ErrorKind, Result},
    events::{Emitted, Flushed, Message},
    host::ReadOnlyHost,
    model::{
        AgentName, Answer, EventType, Evidence, Facts, Incident, IncidentId, Ledger, Observation, Phase, PluginUsed,
        Report, RunOptions, SCHEMA_VERSION, Status, Timestamp, TraceEvent,
    },
    readonly::AllowList,
    recording::RunRecord,
    scenario::{Injected, Scenario},
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
/// How long a fault may take to be armed or started, and the news to be passed on.
const INJECTING: Duration = Duration::from_secs(120);
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
    /// The files that were written, with their hashes.
    sealed: Sealed,
}

impl Drive {
    pub(super) async fn prepare(
        pipeline: Pipeline,
        events: mpsc::UnboundedSender<TraceEvent>,
        stop: Stop,
    ) -> Result<Self> {
        let Pipeline { source, sink, options, agents, scenario, notifiers, history, id } = pipeline;
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
            head: genesis(&id),
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
            history,
            plugins: agents.plugins.clone(),
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
            sealed: Sealed::default(),
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
        for said in self.plugins_not_here() {
            self.note(&said);
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

    /// The plugins of the recorded run that this replay does not have, or has in another form.
    fn plugins_not_here(&self) -> Vec<String> {
        let recorded = self.replay.iter().flat_map(|r| &r.run().plugins);
        let missing = recorded.filter(|p| !self.agents.plugins.contains(p));
        let said = |p: &PluginUsed| {
            let is_other = self.agents.plugins.iter().any(|here| here.name == p.name);
            let here = if is_other { "is here with another content" } else { "is not here" };
            let sha256 = p.sha256.get(..16).unwrap_or(&p.sha256);
            format!(
                "the run had the plugin {} of version {}, SHA-256 {sha256}, which {here}: what it had to say may differ",
                p.name, p.version
            )
        };
        missing.map(said).collect()
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
            for (name, notifier) in self.notifiers.iter().filter(|(_, n)| n.wants(&news.0)) {
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
                Ok(digest) => {
                    self.sealed.files.insert("recording/answers.jsonl".into(), digest.clone());
                    self.record.answers_sha256 = Some(digest);
                }
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
        if let Some(replay) = &self.replay {
            let files = replay.files().iter().map(|(name, digest)| ((*name).to_owned(), digest.clone()));
            self.sealed.files.extend(files);
        }
        let sealed = serde_json::to_value(&self.sealed).ok();
        self.phase_with(Phase::Done, last, sealed).await;
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
        self.phase_with(phase, content, None).await
    }

    async fn phase_with(&self, phase: Phase, content: String, data: Option<serde_json::Value>) -> Timestamp {
        let (reply, at) = oneshot::channel();
        let emitted = Emitted { agent: self.me.clone(), kind: EventType::Phase, content, data };
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
            match self.sink.write(&self.incident.id, &name, &bytes).await {
                Ok(()) => drop(self.sealed.files.insert(name.as_str().to_owned(), sha256_hex(&bytes))),
                Err(e) => {
                    self.failed(&self.me, &e);
                    self.storage_error.get_or_insert(e);
                }
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
