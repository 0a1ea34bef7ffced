//! A small target, small agents and a small fault.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use chaos_core::{
    agent::{AgentContext, Case, Diagnosed, Rehearsal, agent_fn},
    artifact::ArtifactSink,
    async_trait,
    clock::{Clock, SystemClock},
    error::{Error, ErrorKind, Result},
    host::ReadOnlyHost,
    model::{
        Action, AgentName, Ask, Basis, Body, Change, Citation, Confidence, Diagnosis, End, EventType, Evidence, Facts,
        FaultId, Finding, FixPlan, Hypothesis, Incident, Observation, OnFailure, Recovery, Report, Reversibility,
        RiskAssessment, RiskLevel, RiskVerdict, RunOptions, Series, Signal, TargetInfo, Timestamp, TraceEvent, Verdict,
    },
    pipeline::{Agents, Outcome, Pipeline, Run},
    scenario::{Armed, Injected, Scenario},
    transport::{Capabilities, Chunk, Reply, Request, Stream, Transport},
};

/// The machine's clock, on which waiting takes a twentieth of the time.
#[derive(Debug, Default)]
pub(crate) struct FastClock(SystemClock);

#[async_trait]
impl Clock for FastClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
    async fn wait(&self, duration: Duration) {
        self.0.wait(duration / 20).await;
    }
}

/// A live target that answers every question with one line.
pub(crate) struct Fake;

#[async_trait]
impl Transport for Fake {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new(true, false, true)
    }
    fn target(&self) -> TargetInfo {
        TargetInfo { name: "fake".into(), kind: "fake".into() }
    }
    fn known_facts(&self) -> Option<Facts> {
        let mut facts = Facts::default();
        facts.live = true;
        facts.cpus = 2;
        Some(facts)
    }
    async fn open(&self, request: &Request) -> Result<Reply> {
        let (writer, reply) = Reply::pair(request.max_bytes);
        writer.push(Chunk { at: Timestamp(1), stream: Stream::Stdout, bytes: b"90.0 80.0\n".to_vec() })?;
        writer.finish(End::Exited(0), Timestamp(1));
        Ok(reply)
    }
}

pub(crate) fn series() -> Evidence {
    let series = Series {
        name: "test.load".into(),
        unit: "1".into(),
        at: (0..10).map(|n| 1_795_521_600_000 + n * 1000).collect(),
        values: vec![0.1, 0.1, 0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.9, 0.9],
        ..Series::default()
    };
    Evidence { source: "test".into(), body: Body::Metric(series), gaps: Vec::new() }
}

/// Asks the target one thing, and sees one metric.
pub(crate) struct Eyes;

#[async_trait]
impl chaos_core::agent::Agent<ReadOnlyHost, Vec<Evidence>> for Eyes {
    async fn run(&self, cx: &AgentContext, host: &ReadOnlyHost) -> Result<Vec<Evidence>> {
        let (_, answer) = host.ask(Ask::run(["cat", "/proc/uptime"]), Duration::from_secs(10)).await?;
        cx.emit(EventType::Evidence, format!("{} bytes", answer.stdout.len()));
        Ok(vec![series()])
    }
}

pub(crate) fn finding(seen: &Observation, rows: std::ops::Range<u32>) -> Finding {
    let signal = Signal::Metric {
        name: "test.load".into(),
        attributes: Default::default(),
        change: Change::LevelUp,
        before: Some(0.1),
        after: 0.9,
    };
    let evidence = seen.evidence.iter().next().expect("there is evidence").0;
    Finding::new(signal, "the load went up", [Citation { evidence, rows }])
}

pub(crate) fn diagnosis(case: &Case) -> Diagnosis {
    let basis = case.findings.iter().map(|(id, _)| Basis::Finding(id)).collect();
    let verdict = Verdict::Fault(FaultId("test_fault".into()));
    let posterior = Confidence::new(0.9);
    let title = "Test fault".to_owned();
    let hypothesis = Hypothesis { verdict: verdict.clone(), title: title.clone(), posterior, basis, against: vec![] };
    Diagnosis {
        verdict,
        title,
        confidence: posterior,
        culprit: None,
        hypotheses: [hypothesis].into_iter().collect(),
        steps: vec![],
        changes: Vec::new(),
        history: None,
        limits: vec![],
    }
}

pub(crate) fn plan(case: &Diagnosed) -> FixPlan {
    let action = Action {
        id: "look".into(),
        title: "Look".into(),
        target: "the host".into(),
        argv: vec!["uptime".into()],
        shell: None,
        rationale: "it tells".into(),
        cites: case.diagnosis.hypotheses.iter().map(|(id, _)| id).collect(),
        confidence: Confidence::new(0.5),
        preconditions: vec![],
        idempotent: true,
        timeout_s: 10,
        on_failure: OnFailure::Abort,
        reversibility: Reversibility::Full,
        backup: vec![],
        rollback: vec![],
        verify: vec![],
        depends_on: vec![],
        downtime: "none".into(),
    };
    FixPlan { summary: "Look at it".into(), actions: vec![action], ..FixPlan::default() }
}

pub(crate) fn risk(rehearsal: &Rehearsal) -> RiskAssessment {
    RiskAssessment {
        plan_sha256: rehearsal.plan.plan_sha256.clone(),
        level: RiskLevel::None,
        verdict: RiskVerdict::Safe,
        categories: Default::default(),
        actions: vec![],
        blast_radius: vec![],
        rehearsed: None,
    }
}

pub(crate) fn report(incident: &Incident) -> Report {
    let cause = incident.diagnosis.as_ref().map_or("none", |d| d.title.as_str());
    let markdown = format!("# {}\n\ncause: {cause}\nerrors: {:#?}\n", incident.id, incident.errors);
    Report { markdown, slack: cause.into(), charts: vec![] }
}

/// Everything from the findings on.
pub(crate) fn thinkers() -> Agents {
    Agents::default()
        .detector("Finder", agent_fn(|_: &AgentContext, seen: &Observation| Ok(vec![finding(seen, 5..10)])))
        .investigator("Investigator", agent_fn(|_: &AgentContext, case: &Case| Ok(diagnosis(case))))
        .fixer("Fixer", agent_fn(|_: &AgentContext, case: &Diagnosed| Ok(plan(case))))
        .tester("Tester", agent_fn(|_: &AgentContext, rehearsal: &Rehearsal| Ok(risk(rehearsal))))
        .reporter("Reporter", agent_fn(|_: &AgentContext, incident: &Incident| Ok(report(incident))))
}

pub(crate) fn agents() -> Agents {
    thinkers().collector("Eyes", Eyes)
}

pub(crate) fn options(baseline_s: u32, observe_s: u32) -> RunOptions {
    RunOptions { baseline_s, observe_s, ..RunOptions::default() }
}

pub(crate) fn pipeline(sink: Arc<dyn ArtifactSink>) -> Pipeline {
    Pipeline::new(Arc::new(Fake), Arc::new(FastClock::default()), sink, options(2, 2)).with_agents(agents())
}

/// Runs to the end, with all events on the way.
pub(crate) async fn run_through(run: Run) -> (Vec<TraceEvent>, Outcome) {
    let mut run = run;
    let mut events = Vec::new();
    while let Some(event) = run.next_event().await {
        events.push(event);
        if events.last().is_some_and(|e| e.phase == chaos_core::model::Phase::Done) {
            break;
        }
    }
    (events, run.outcome().await.expect("the run's task is not lost"))
}

/// The texts of the events of a kind, with who says them.
pub(crate) fn said(events: &[TraceEvent], kind: EventType) -> Vec<String> {
    events.iter().filter(|e| e.kind == kind).map(|e| format!("{}: {}", e.agent, e.content)).collect()
}

pub(crate) fn assert_said(events: &[TraceEvent], kind: EventType, agent: &str, text: &str) {
    let agent = AgentName::new(agent);
    let is = |e: &TraceEvent| e.kind == kind && e.agent == agent && e.content.contains(text);
    assert!(events.iter().any(is), "want {agent}: {text}, got {:#?}", said(events, kind));
}

/// Where a fault goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    Nowhere,
    ArmFails,
    StartFails,
    StartPanics,
    StartTakesAnHour,
    RevertPanics,
}

/// A fault that only says what is done with it.
#[derive(Clone)]
pub(crate) struct Fault {
    pub log: Arc<Mutex<Vec<&'static str>>>,
    pub wrong: Wrong,
    pub recovery: Recovery,
}

impl Default for Fault {
    fn default() -> Self {
        Self { log: Arc::default(), wrong: Wrong::Nowhere, recovery: Recovery::Proven }
    }
}

impl Fault {
    pub(crate) fn wrong(wrong: Wrong) -> Self {
        Self { wrong, ..Self::default() }
    }
    pub(crate) fn log(&self) -> Vec<&'static str> {
        self.log.lock().unwrap().clone()
    }
    fn say(&self, what: &'static str) {
        self.log.lock().unwrap().push(what);
    }
}

#[async_trait]
impl Scenario for Fault {
    fn name(&self) -> &str {
        "test_scenario"
    }
    fn args(&self) -> String {
        "for 60 s".into()
    }
    fn causes(&self) -> FaultId {
        FaultId("test_fault".into())
    }
    async fn arm(&self, _: Arc<dyn Transport>) -> Result<Box<dyn Armed>> {
        self.say("arm");
        if self.wrong == Wrong::ArmFails {
            return Err(Error::new(ErrorKind::Unsupported, "no timer there"));
        }
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Armed for Fault {
    fn fires_in(&self) -> Duration {
        Duration::from_secs(90)
    }
    async fn start(self: Box<Self>) -> (Box<dyn Injected>, Result<()>) {
        self.say("start");
        assert!(self.wrong != Wrong::StartPanics, "start panics");
        if self.wrong == Wrong::StartTakesAnHour {
            tokio::time::sleep(Duration::from_secs(3600)).await;
        }
        let started = match self.wrong {
            Wrong::StartFails => Err(Error::new(ErrorKind::CommandFailed, "half of it started")),
            _ => Ok(()),
        };
        (self, started)
    }
    async fn disarm(self: Box<Self>) -> Recovery {
        self.say("disarm");
        self.recovery.clone()
    }
}

#[async_trait]
impl Injected for Fault {
    async fn revert(self: Box<Self>) -> Recovery {
        self.say("revert");
        assert!(self.wrong != Wrong::RevertPanics, "revert panics");
        self.recovery.clone()
    }
}
