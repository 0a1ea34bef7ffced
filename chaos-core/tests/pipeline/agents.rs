//! Order, and what becomes of a run when agents fail.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chaos_core::{
    agent::{Agent, AgentContext, Case, Diagnosed, Rehearsal, agent_fn},
    artifact::{ArtifactName, ArtifactSink},
    async_trait,
    error::{Error, ErrorKind, Result},
    host::ReadOnlyHost,
    model::{
        Ask, Basis, Diagnosis, EventType, Evidence, Finding, FixPlan, Incident, Observation, Phase, Report,
        RiskAssessment, Status, TraceEvent,
    },
    pipeline::{Agents, Notifier},
    sinks::Memory,
};

use crate::support::{
    Fake, FastClock, Fault, agents, assert_said, diagnosis, finding, options, pipeline, plan, report, run_through,
    said, series, thinkers,
};

#[tokio::test(flavor = "multi_thread")]
async fn phases_come_in_order_and_the_trace_is_what_was_said() {
    let sink = Arc::new(Memory::default());
    let fault = Fault::default();
    let run = pipeline(sink.clone()).with_scenario(Arc::new(fault.clone())).start().await.unwrap();
    let id = run.id().clone();
    let (events, outcome) = run_through(run).await;
    let phases: Vec<Phase> = events.iter().filter(|e| e.kind == EventType::Phase).map(|e| e.phase).collect();
    use Phase::{Baseline, Detect, Done, Inject, Investigate, Observe, Plan, Prepare, Rehearse, Revert};
    let want = [Prepare, Baseline, Inject, Observe, Detect, Investigate, Plan, Rehearse, Revert, Phase::Report, Done];
    assert_eq!(phases, want);
    assert!(events.iter().enumerate().all(|(i, e)| e.seq == i as u64));
    assert!(events.is_sorted_by_key(|e| e.timestamp));
    assert!(events.is_sorted_by_key(|e| e.phase));
    let bytes = sink.read(&id, &ArtifactName::new("trace.json").unwrap()).await.unwrap();
    assert_eq!(serde_json::from_slice::<Vec<TraceEvent>>(&bytes).unwrap(), events);
    assert_eq!((outcome.incident.status, outcome.incident.errors.len()), (Status::Completed, 0));
    assert_eq!((outcome.incident.plans.len(), outcome.incident.risks.len()), (1, 1));
    let seen = outcome.incident.observation.unwrap();
    assert!(seen.baseline.unwrap().end <= seen.observed.start && seen.observed.start < seen.observed.end);
    assert_eq!(fault.log(), ["arm", "start", "revert"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finding_without_existing_evidence_is_dropped_and_said() {
    let agents = agents().detector(
        "Dreamer",
        agent_fn(|_: &AgentContext, seen: &Observation| {
            let mut elsewhere = finding(seen, 0..1);
            elsewhere.cites[0].evidence = serde_json::from_str("99").unwrap();
            let mut none = finding(seen, 0..1);
            none.cites.clear();
            Ok(vec![elsewhere, finding(seen, 0..11), finding(seen, 3..3), none, finding(seen, 0..1)])
        }),
    );
    let run = pipeline(Arc::new(Memory::default())).with_agents(agents).start().await.unwrap();
    let (events, outcome) = run_through(run).await;
    assert_eq!(said(&events, EventType::Error).len(), 4, "{:#?}", said(&events, EventType::Error));
    assert_said(&events, EventType::Error, "Dreamer", "a finding without existing evidence is dropped");
    let by: Vec<&str> = outcome.incident.findings.iter().map(|(_, f)| f.agent.as_str()).collect();
    assert_eq!(by, ["Finder", "Dreamer"]);
    assert_eq!(outcome.incident.status, Status::Completed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diagnosis_and_a_plan_that_cite_nothing_are_refused() {
    let dreamer = agents().investigator(
        "Dreamer",
        agent_fn(|_: &AgentContext, case: &Case| {
            let mut d = diagnosis(case);
            let mut hypothesis = d.hypotheses.iter().next().unwrap().1.clone();
            hypothesis.basis = vec![Basis::Answer(serde_json::from_str("7").unwrap())];
            d.hypotheses = [hypothesis].into_iter().collect();
            Ok(d)
        }),
    );
    let run = pipeline(Arc::new(Memory::default())).with_agents(dreamer).start().await.unwrap();
    let (events, outcome) = run_through(run).await;
    assert_said(&events, EventType::Error, "Dreamer", "the diagnosis cites what does not exist");
    assert!(outcome.incident.diagnosis.is_none() && outcome.incident.plans.is_empty());
    assert_eq!(outcome.incident.findings.len(), 1);

    let planner = agents().fixer(
        "Planner",
        agent_fn(|_: &AgentContext, case: &Diagnosed| {
            let mut p = plan(case);
            p.actions[0].cites = vec![serde_json::from_str("5").unwrap()];
            Ok(p)
        }),
    );
    let run = pipeline(Arc::new(Memory::default())).with_agents(planner).start().await.unwrap();
    let (events, outcome) = run_through(run).await;
    assert_said(&events, EventType::Error, "Planner", "the plan cites a hypothesis that does not exist");
    assert_eq!(outcome.incident.plans.len(), 1);
}

/// Fails, by an error or a panic, before or after it has asked the target.
struct Blind {
    panics: bool,
}

#[async_trait]
impl Agent<ReadOnlyHost, Vec<Evidence>> for Blind {
    async fn run(&self, _: &AgentContext, host: &ReadOnlyHost) -> Result<Vec<Evidence>> {
        host.ask(Ask::run(["cat", "/proc/uptime"]), Duration::from_secs(5)).await?;
        assert!(!self.panics, "cannot look");
        Err(Error::new(ErrorKind::Denied, "must not look"))
    }
}

fn panicking() -> Agents {
    fn never<T>() -> Result<T> {
        panic!("an agent's own defect")
    }
    Agents::default()
        .collector("Panics", Blind { panics: true })
        .collector("Eyes", crate::support::Eyes)
        .detector("Panics", agent_fn(|_: &AgentContext, _: &Observation| never::<Vec<Finding>>()))
        .detector("Finder", agent_fn(|_: &AgentContext, seen: &Observation| Ok(vec![finding(seen, 5..10)])))
        .investigator("Investigator", agent_fn(|_: &AgentContext, case: &Case| Ok(diagnosis(case))))
        .fixer("Panics", agent_fn(|_: &AgentContext, _: &Diagnosed| never::<FixPlan>()))
        .fixer("Fixer", agent_fn(|_: &AgentContext, case: &Diagnosed| Ok(plan(case))))
        .tester("Panics", agent_fn(|_: &AgentContext, _: &Rehearsal| never::<RiskAssessment>()))
        .reporter("Panics", agent_fn(|_: &AgentContext, _: &Incident| never::<Report>()))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_panics_is_an_event_and_the_run_goes_on_without_it() {
    let fault = Fault::default();
    let run = pipeline(Arc::new(Memory::default()))
        .with_agents(panicking())
        .with_scenario(Arc::new(fault.clone()))
        .start()
        .await
        .unwrap();
    let (events, outcome) = run_through(run).await;
    let panics = said(&events, EventType::Error);
    assert_eq!(panics.len(), 5, "{panics:#?}");
    assert!(panics.iter().all(|p| p.starts_with("Panics: the agent panicked")), "{panics:#?}");
    assert_eq!(outcome.incident.status, Status::Completed);
    assert!(outcome.incident.diagnosis.is_some());
    assert_eq!((outcome.incident.plans.len(), outcome.incident.risks.len()), (1, 0));
    assert_eq!(fault.log(), ["arm", "start", "revert"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_diagnosis_there_is_still_a_report() {
    let agents = agents().investigator(
        "Investigator",
        agent_fn(|_: &AgentContext, _: &Case| -> Result<Diagnosis> { panic!("no idea") }),
    );
    let run = pipeline(Arc::new(Memory::default())).with_agents(agents).start().await.unwrap();
    let (events, outcome) = run_through(run).await;
    assert_said(&events, EventType::Error, "Investigator", "no idea");
    assert_eq!(outcome.incident.status, Status::Completed);
    assert!(outcome.report.markdown.contains("cause: none"), "{}", outcome.report.markdown);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_fails_is_an_event_and_without_any_evidence_the_run_failed() {
    let blind = || Blind { panics: false };
    let run =
        pipeline(Arc::new(Memory::default())).with_agents(agents().collector("Blind", blind())).start().await.unwrap();
    let (events, outcome) = run_through(run).await;
    assert_said(&events, EventType::Error, "Blind", "must not look");
    assert_eq!(outcome.incident.status, Status::Completed);

    let fault = Fault::default();
    let run = pipeline(Arc::new(Memory::default()))
        .with_agents(thinkers().collector("Blind", blind()))
        .with_scenario(Arc::new(fault.clone()))
        .start()
        .await
        .unwrap();
    let (events, outcome) = run_through(run).await;
    assert_said(&events, EventType::Error, "Coordinator", "no evidence at all");
    assert_eq!(outcome.incident.status, Status::Failed);
    assert!(outcome.incident.reason.unwrap().contains("no evidence at all"));
    assert!(!outcome.report.markdown.is_empty());
    assert_eq!(fault.log(), ["arm", "start", "revert"]);
}

/// Never comes back by itself.
struct Forever;

#[async_trait]
impl<In: Sync, Out: Send + 'static> Agent<In, Out> for Forever {
    async fn run(&self, _: &AgentContext, _: &In) -> Result<Out> {
        std::future::pending().await
    }
}

// Time is paused and runs on when everybody waits, so the real deadlines pass at once.
#[tokio::test(start_paused = true)]
async fn an_agent_past_its_deadline_is_an_event_and_the_run_goes_on() {
    let agents = agents().collector("Forever", Forever).investigator("Forever", Forever);
    let pipeline = chaos_core::pipeline::Pipeline::new(
        Arc::new(Fake),
        Arc::new(FastClock::default()),
        Arc::new(Memory::default()),
        options(1, 1),
    );
    let (events, outcome) = run_through(pipeline.with_agents(agents).start().await.unwrap()).await;
    let late = said(&events, EventType::Error);
    assert_eq!(late.len(), 2, "{late:#?}");
    assert!(late.iter().all(|e| e.starts_with("Forever: the agent ran past its deadline")), "{late:#?}");
    assert_eq!(outcome.incident.status, Status::Completed);
    assert!(outcome.incident.diagnosis.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_does_not_wait_for_a_detector_that_spins() {
    let release = Arc::new(AtomicBool::new(false));
    let held = release.clone();
    let agents = agents().detector(
        "Spins",
        agent_fn(move |_: &AgentContext, _: &Observation| {
            while !held.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
            Ok(Vec::<Finding>::new())
        }),
    );
    let fault = Fault::default();
    let mut run = pipeline(Arc::new(Memory::default()))
        .with_agents(agents)
        .with_scenario(Arc::new(fault.clone()))
        .start()
        .await
        .unwrap();
    while run.next_event().await.expect("the run goes on").kind != EventType::Finding {}
    let stopped = std::time::Instant::now();
    run.stop();
    let outcome = run.outcome().await.unwrap();
    release.store(true, Ordering::Relaxed);
    assert!(stopped.elapsed() < Duration::from_secs(2), "{:?}", stopped.elapsed());
    assert_eq!(outcome.incident.status, Status::Stopped);
    assert_eq!(fault.log(), ["arm", "start", "revert"]);
}

struct Told {
    how: fn() -> Result<()>,
}

#[async_trait]
impl Notifier for Told {
    async fn notify(&self, _: &Incident, _: &Report) -> Result<()> {
        (self.how)()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notifier_that_fails_is_an_event_and_the_others_are_told() {
    let run = pipeline(Arc::new(Memory::default()))
        .with_notifier("broken", Arc::new(Told { how: || Err(Error::new(ErrorKind::Unreachable, "no route")) }))
        .with_notifier("defect", Arc::new(Told { how: || panic!("a defect of the notifier") }))
        .with_notifier("works", Arc::new(Told { how: || Ok(()) }))
        .start()
        .await
        .unwrap();
    let (events, outcome) = run_through(run).await;
    assert_said(&events, EventType::Error, "Coordinator", "broken was not told: no route");
    assert_said(&events, EventType::Error, "Coordinator", "defect was not told");
    assert_said(&events, EventType::Report, "Coordinator", "works has the summary");
    assert_eq!(outcome.incident.status, Status::Completed);
    assert!(outcome.incident.diagnosis.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_read_only_never_reaches_the_target() {
    struct Writes;
    #[async_trait]
    impl Agent<ReadOnlyHost, Vec<Evidence>> for Writes {
        async fn run(&self, _: &AgentContext, host: &ReadOnlyHost) -> Result<Vec<Evidence>> {
            host.ask(Ask::run(["rm", "-rf", "/tmp/x"]), Duration::from_secs(5)).await?;
            Ok(vec![series()])
        }
    }
    let run = pipeline(Arc::new(Memory::default()))
        .with_agents(thinkers().collector("Writes", Writes))
        .start()
        .await
        .unwrap();
    let (events, outcome) = run_through(run).await;
    assert_eq!(said(&events, EventType::Error).len(), 2, "{:#?}", said(&events, EventType::Error));
    assert_eq!(outcome.incident.status, Status::Failed);
}

#[tokio::test]
async fn a_pipeline_that_is_set_up_wrong_does_not_start() {
    let no_investigator =
        Agents::default().reporter("Reporter", agent_fn(|_: &AgentContext, incident: &Incident| Ok(report(incident))));
    let twice =
        agents().detector("Finder", agent_fn(|_: &AgentContext, seen: &Observation| Ok(vec![finding(seen, 0..1)])));
    let nameless = agents().fixer("", agent_fn(|_: &AgentContext, case: &Diagnosed| Ok(plan(case))));
    for agents in [no_investigator, twice, nameless] {
        let sink = Memory::default();
        let refused = pipeline(Arc::new(sink.clone())).with_agents(agents).start().await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidInput);
        assert!(sink.incidents().await.unwrap().is_empty());
    }
}
