//! A fault is armed before it starts, and reverted exactly once, whatever happens.

use std::{sync::Arc, time::Duration};

use chaos_core::{
    artifact::{ArtifactName, ArtifactSink},
    model::{EventType, Incident, Phase, Recovery, Status},
    pipeline::Run,
    sinks::Memory,
};

use crate::support::{Fault, Wrong, assert_said, pipeline, run_through, said};

async fn start(fault: &Fault) -> Run {
    pipeline(Arc::new(Memory::default())).with_scenario(Arc::new(fault.clone())).start().await.unwrap()
}

async fn until_phase(run: &mut Run, phase: Phase) {
    while run.next_event().await.expect("the run goes on").phase != phase {}
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_in_the_baseline_injects_nothing() {
    let fault = Fault::default();
    let mut run = start(&fault).await;
    until_phase(&mut run, Phase::Baseline).await;
    run.stop();
    let outcome = run.outcome().await.unwrap();
    assert_eq!(outcome.incident.status, Status::Stopped);
    assert!(outcome.incident.injection.is_none());
    assert!(fault.log().is_empty(), "{:?}", fault.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_while_the_fault_runs_reverts_it_once() {
    let fault = Fault::default();
    let mut run = start(&fault).await;
    until_phase(&mut run, Phase::Observe).await;
    let stopper = run.stopper();
    stopper.end();
    run.stop();
    let outcome = run.outcome().await.unwrap();
    assert_eq!(outcome.incident.status, Status::Stopped);
    assert_eq!(fault.log(), ["arm", "start", "revert"]);
    let injection = outcome.incident.injection.unwrap();
    assert_eq!(injection.recovery, Recovery::Proven);
    assert!(injection.started <= injection.reverted && injection.reverted < injection.fires_at);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_that_starts_half_way_is_reverted_once_and_one_without_a_revert_never_starts() {
    let fault = Fault::wrong(Wrong::StartFails);
    let (events, outcome) = run_through(start(&fault).await).await;
    assert_eq!(fault.log(), ["arm", "start", "revert"]);
    assert_said(&events, EventType::Error, "Coordinator", "half of it started");
    assert_eq!(outcome.incident.status, Status::Completed);
    let injection = outcome.incident.injection.unwrap();
    assert_eq!((injection.started, injection.recovery), (None, Recovery::Proven));

    let fault = Fault::wrong(Wrong::ArmFails);
    let (events, outcome) = run_through(start(&fault).await).await;
    assert_eq!(fault.log(), ["arm"]);
    assert_said(&events, EventType::Error, "Coordinator", "the revert could not be armed, so no fault was injected");
    assert_eq!(outcome.incident.injection.unwrap().started, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_skips_no_revert() {
    let (fault, sink) = (Fault::default(), Arc::new(Memory::default()));
    let mut run = pipeline(sink.clone()).with_scenario(Arc::new(fault.clone())).start().await.unwrap();
    until_phase(&mut run, Phase::Observe).await;
    let id = run.id().clone();
    drop(run);
    let name = ArtifactName::new("incident.json").unwrap();
    for _ in 0..100 {
        let incident: Incident = serde_json::from_slice(&sink.read(&id, &name).await.unwrap()).unwrap();
        if incident.status == Status::Completed {
            assert_eq!(fault.log(), ["arm", "start", "revert"]);
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the run did not go on to its end: {:?}", fault.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revert_that_is_not_proven_is_said_and_kept() {
    for (recovery, text) in [
        (Recovery::NotRecovered("a process is left".into()), "the fault is NOT reverted: a process is left"),
        (Recovery::Unknown("the host is gone".into()), "whether the fault is reverted is not known: the host is gone"),
    ] {
        let fault = Fault { recovery: recovery.clone(), ..Fault::default() };
        let (events, outcome) = run_through(start(&fault).await).await;
        assert_said(&events, EventType::Chaos, "Coordinator", text);
        assert_said(&events, EventType::Error, "Coordinator", text);
        assert_eq!(outcome.incident.injection.unwrap().recovery, recovery);
        assert!(outcome.incident.errors.iter().any(|e| e.contains(text)), "{:?}", outcome.incident.errors);
    }
}

/// A defect of a scenario is no proof of a recovery, and costs nothing of what the run knows otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_that_panics_is_an_event_and_its_outcome_unknown() {
    for (wrong, log) in
        [(Wrong::StartPanics, &["arm", "start"][..]), (Wrong::RevertPanics, &["arm", "start", "revert"][..])]
    {
        let fault = Fault::wrong(wrong);
        let (events, outcome) = run_through(start(&fault).await).await;
        assert_eq!(fault.log(), log);
        assert!(!said(&events, EventType::Error).is_empty());
        assert_eq!(outcome.incident.status, Status::Completed, "{wrong:?}");
        assert!(outcome.incident.diagnosis.is_some());
        let injection = outcome.incident.injection.unwrap();
        assert!(matches!(injection.recovery, Recovery::Unknown(_)), "{:?}", injection.recovery);
    }
}

// Time is paused and runs on when everybody waits.
#[tokio::test(start_paused = true)]
async fn a_start_that_does_not_come_back_is_given_up_and_reverted_when_it_does() {
    let fault = Fault::wrong(Wrong::StartTakesAnHour);
    let (events, outcome) = run_through(start(&fault).await).await;
    assert_said(&events, EventType::Error, "Coordinator", "starting the fault took too long");
    assert_eq!(outcome.incident.status, Status::Completed);
    assert!(matches!(outcome.incident.injection.unwrap().recovery, Recovery::Unknown(_)));
    assert_eq!(fault.log(), ["arm", "start"]);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(fault.log(), ["arm", "start", "revert"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_the_reporter_learns_of_the_fault() {
    let sink = Arc::new(Memory::default());
    let fault = Fault::default();
    let run = pipeline(sink.clone()).with_scenario(Arc::new(fault)).start().await.unwrap();
    let outcome = run.outcome().await.unwrap();
    for shown in [
        serde_json::to_string(&outcome.incident.observation).unwrap(),
        serde_json::to_string(&outcome.incident.findings).unwrap(),
        serde_json::to_string(&outcome.incident.answers).unwrap(),
    ] {
        assert!(!shown.contains("test_scenario"), "{shown}");
    }
}
