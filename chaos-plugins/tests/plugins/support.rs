//! A host, and incidents for plugins to be in.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use chaos_core::{
    agent::{Agent, AgentContext, Case, agent_fn},
    async_trait,
    clock::{Clock, SystemClock},
    error::Result,
    host::ReadOnlyHost,
    model::{
        Body, Confidence, Diagnosis, End, EventType, Evidence, Facts, Finding, Incident, Observation, Report,
        RunOptions, Series, Status, TargetInfo, Timestamp, TraceEvent, Verdict,
    },
    pipeline::{Agents, Pipeline},
    sinks::Memory,
    transport::{Capabilities, Chunk, Reply, Request, Stream, Transport},
    transports::Files,
};
use chaos_plugins::{Grant, Grants, Host, Limits, Plugin, Plugins};
use tokio::time::Instant;

/// One engine for all tests: it reserves much of the address space.
pub(crate) fn host() -> Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| Host::new().unwrap()).clone()
}

pub(crate) fn load(component: &[u8]) -> Plugin {
    host().load(component, &Grants::default()).unwrap()
}

/// With limits, and with all commands that it asks for.
pub(crate) fn load_with(component: &[u8], limits: Limits) -> Plugin {
    host().load(component, &granting(component, limits)).unwrap()
}

pub(crate) fn granting(component: &[u8], limits: Limits) -> Grants {
    let about = chaos_plugins::inspect(component).unwrap();
    let commands = about.manifest.commands.clone();
    let name = about.manifest.name.clone();
    Grants { all: vec![Grant { sha256: about.sha256, name, commands, config: [].into(), limits: Some(limits) }] }
}

pub(crate) fn quick() -> Limits {
    Limits { time_ms: 300, memory_mb: 16, ..Limits::default() }
}

/// What a plugin finds in little.
pub(crate) async fn call(plugin: &Plugin) -> Result<Vec<Finding>> {
    plugin.detect(&AgentContext::detached(plugin.name(), Instant::now()), &little(), None).await
}

pub(crate) fn little() -> Observation {
    let series = Series { name: "test.load".into(), at: vec![1, 2], values: vec![0.5, 0.6], ..Series::default() };
    let evidence = Evidence { source: "test".into(), body: Body::Metric(series), gaps: Vec::new() };
    Observation {
        facts: Facts::default(),
        baseline: None,
        observed: Timestamp(1)..Timestamp(3),
        evidence: [evidence].into_iter().collect(),
    }
}

/// How an incident ended that had plugins in it.
pub(crate) struct Ended {
    pub(crate) incident: Incident,
    pub(crate) report: Report,
    pub(crate) events: Vec<TraceEvent>,
}

impl Ended {
    /// What failed under this name.
    pub(crate) fn errors_of(&self, name: &str) -> Vec<&str> {
        let of = self.events.iter().filter(|e| e.kind == EventType::Error && e.agent.as_str() == name);
        of.map(|e| e.content.as_str()).collect()
    }

    pub(crate) fn findings_of(&self, name: &str) -> Vec<&Finding> {
        self.incident.findings.iter().map(|(_, f)| f).filter(|f| f.agent.as_str() == name).collect()
    }

    /// It went through, and the built-in agents did what they do without plugins.
    pub(crate) fn assert_whole(&self) {
        assert_eq!(self.incident.status, Status::Completed, "{:?}", self.incident.reason);
        assert!(!self.findings_of("LogAgent").is_empty());
        assert!(self.incident.diagnosis.is_some() && self.report.markdown.contains("No space left on device"));
        assert_eq!(self.errors_of("LogAgent"), [""; 0]);
    }
}

async fn follow(pipeline: Pipeline) -> Ended {
    let mut run = pipeline.start().await.unwrap();
    let mut events = Vec::new();
    while let Some(event) = run.next_event().await {
        events.push(event);
    }
    let outcome = run.outcome().await.unwrap();
    Ended { incident: outcome.incident, report: outcome.report, events }
}

/// An incident from a log file.
pub(crate) async fn incident(plugins: &Plugins) -> Ended {
    let dir = tempfile::tempdir().unwrap();
    let mut log = String::from("2026-11-24T08:00:00Z INFO started\n");
    for s in 10..40 {
        log += &format!("2026-11-24T08:00:{s}Z ERROR cannot write /var/lib/app/data: No space left on device\n");
    }
    std::fs::write(dir.path().join("app.log"), log).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let files = Files::open(&[dir.path().to_owned()], clock.clone()).unwrap();
    let pipeline = Pipeline::new(Arc::new(files), clock, Arc::new(Memory::default()), RunOptions::default());
    follow(pipeline.map_agents(|agents| plugins.register(agents))).await
}

pub(crate) fn of(plugins: impl IntoIterator<Item = Plugin>) -> Plugins {
    let loaded = plugins.into_iter().map(|p| (PathBuf::from("x.wasm"), p)).collect();
    Plugins { loaded, refused: Vec::new() }
}

// -- a live target

/// Answers `openssl`, and hangs for `ls`.
struct Fake;

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
        Some(facts)
    }
    async fn open(&self, request: &Request) -> Result<Reply> {
        let (writer, reply) = Reply::pair(request.max_bytes);
        if request.ask.to_string().starts_with("ls") {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        let bytes = b"notAfter=Jan  1 00:00:00 2020 GMT\n".to_vec();
        writer.push(Chunk { at: Timestamp(1), stream: Stream::Stdout, bytes })?;
        writer.finish(End::Exited(0), Timestamp(1));
        Ok(reply)
    }
}

/// Sees one metric at once.
struct Eyes;

#[async_trait]
impl Agent<ReadOnlyHost, Vec<Evidence>> for Eyes {
    async fn run(&self, _: &AgentContext, _: &ReadOnlyHost) -> Result<Vec<Evidence>> {
        Ok(little().evidence.iter().map(|(_, e)| e.clone()).collect())
    }
}

/// Knows nothing, and asks nothing.
fn unknown(_: &AgentContext, _: &Case) -> Result<Diagnosis> {
    Ok(Diagnosis::new(Verdict::Unknown, "Unknown", Confidence::new(1.0)))
}

/// An incident on a live target.
pub(crate) async fn live(plugins: &Plugins) -> Ended {
    let options = RunOptions { baseline_s: 0, observe_s: 1, ..RunOptions::default() };
    let agents = Agents::default()
        .collector("Eyes", Eyes)
        .investigator("Investigator", agent_fn(unknown))
        .reporter("ReporterAgent", chaos_core::agents::ReporterAgent::default());
    let clock = Arc::new(SystemClock::default());
    let pipeline = Pipeline::new(Arc::new(Fake), clock, Arc::new(Memory::default()), options);
    follow(pipeline.with_agents(plugins.register(agents))).await
}
