//! Recordings, and what they are asked again.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use chaos_core::{
    agent::{Agent, AgentContext, Case},
    artifact::ArtifactSink,
    async_trait,
    clock::SystemClock,
    error::{ErrorKind, Result},
    model::{Ask, Diagnosis, EventType, IncidentId, Phase, RunOptions, Status, TraceEvent},
    pipeline::{Outcome, Pipeline},
    sinks::{Dir, Memory},
    transports::{Files, Local},
};

use crate::support::{Fault, Wrong, agents, assert_said, diagnosis, options, pipeline, run_through};

/// Every artifact that a run leaves but the recording, which a replay does not write.
async fn artifacts(sink: &dyn ArtifactSink, id: &IncidentId) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for name in sink.list(id).await.unwrap() {
        if !name.as_str().starts_with("recording/") {
            all.insert(name.to_string(), sink.read(id, &name).await.unwrap());
        }
    }
    all
}

fn assert_same(name: &str, one: &BTreeMap<String, Vec<u8>>, other: &BTreeMap<String, Vec<u8>>) {
    assert_eq!(one.keys().collect::<Vec<_>>(), other.keys().collect::<Vec<_>>(), "{name}");
    for (file, bytes) in one {
        let (a, b) = (String::from_utf8_lossy(bytes), String::from_utf8_lossy(&other[file]));
        let line = a.lines().zip(b.lines()).find(|(a, b)| a != b);
        assert!(bytes == &other[file], "{name}: {file} differs: {line:#?}");
    }
}

/// The same, where agents that ran at the same time may have spoken within one millisecond: a replay tells such events
/// in the order of registration, whatever the order was.
fn assert_same_but_for_ties(name: &str, recorded: &BTreeMap<String, Vec<u8>>, replayed: &BTreeMap<String, Vec<u8>>) {
    let sorted = |artifacts: &BTreeMap<String, Vec<u8>>| {
        let mut artifacts = artifacts.clone();
        let mut events: Vec<TraceEvent> = serde_json::from_slice(&artifacts["trace.json"]).unwrap();
        events.sort_by_key(|e| (e.timestamp, e.agent.clone()));
        for (seq, event) in events.iter_mut().enumerate() {
            event.seq = seq as u64;
            // An event in the millisecond in which a phase begins may be on either side of it.
            if event.kind != EventType::Phase {
                event.phase = Phase::Prepare;
            }
        }
        artifacts.insert("trace.json".into(), serde_json::to_vec_pretty(&events).unwrap());
        artifacts
    };
    assert_same(name, &sorted(recorded), &sorted(replayed));
}

/// Replays into a place of its own.
async fn replay(incident: &Path, with: impl FnOnce(Pipeline) -> Pipeline) -> (BTreeMap<String, Vec<u8>>, Outcome) {
    let place = tempfile::tempdir().unwrap();
    let sink = Arc::new(Dir::open(place.path()).unwrap());
    let pipeline = Pipeline::replay(incident, sink.clone()).unwrap();
    let id = pipeline.recorded_id().unwrap().clone();
    sink.replace(&id).unwrap();
    let outcome = with(pipeline).with_id(id.clone()).start().await.unwrap().outcome().await.unwrap();
    (artifacts(&*sink, &id).await, outcome)
}

struct Recorded {
    _place: tempfile::TempDir,
    path: PathBuf,
    artifacts: BTreeMap<String, Vec<u8>>,
}

async fn record(pipeline: impl FnOnce(Arc<Dir>) -> Pipeline) -> Recorded {
    let place = tempfile::tempdir().unwrap();
    let sink = Arc::new(Dir::open(place.path()).unwrap());
    let outcome = pipeline(sink.clone()).start().await.unwrap().outcome().await.unwrap();
    assert_eq!(outcome.incident.status, Status::Completed, "{:?}", outcome.incident.reason);
    assert!(outcome.storage_error.is_none(), "{:?}", outcome.storage_error);
    let id = outcome.incident.id;
    Recorded { path: sink.path(&id), artifacts: artifacts(&*sink, &id).await, _place: place }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_files_gives_the_same_artifacts_to_the_byte() {
    let logs = tempfile::tempdir().unwrap();
    let lines: String = (0..500)
        .map(|n| {
            format!(
                "2026-11-24T08:{:02}:{:02}Z {} request {n}\n",
                n / 60,
                n % 60,
                if n > 400 { "ERROR no space left on device for" } else { "INFO" }
            )
        })
        .collect();
    std::fs::write(logs.path().join("app.log"), lines).unwrap();
    let recorded = record(|sink| {
        let clock = Arc::new(SystemClock::default());
        let files = Files::open(&[logs.path().to_owned()], clock.clone()).unwrap();
        Pipeline::new(Arc::new(files), clock, sink, RunOptions::default())
    })
    .await;
    let (first, _) = replay(&recorded.path, |p| p).await;
    let (second, _) = replay(&recorded.path, |p| p).await;
    assert_same("the second replay", &first, &second);
    assert_same_but_for_ties("the replay", &recorded.artifacts, &first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_a_live_run_with_a_fault_tells_the_same_story() {
    let fault = Fault::default();
    let recorded = record(|sink| {
        let clock = Arc::new(SystemClock::default());
        let local = Arc::new(Local::new(clock.clone()));
        Pipeline::new(local, clock, sink, options(1, 2)).with_scenario(Arc::new(fault.clone()))
    })
    .await;
    let (first, outcome) = replay(&recorded.path, |p| p).await;
    let (second, _) = replay(&recorded.path, |p| p).await;
    assert_same("the second replay", &first, &second);
    assert_eq!(outcome.incident.injection.unwrap().scenario, "test_scenario");
    assert_eq!(fault.log(), ["arm", "start", "revert"], "a replay injects nothing");
    for name in
        ["report.md", "slack_summary.txt", "fix_suggestion.json", "raw_logs.txt", "metrics.json", "incident.json"]
    {
        let (was, is) = (&recorded.artifacts[name], &first[name]);
        assert!(was == is, "{name} differs:\n{}\n{}", String::from_utf8_lossy(was), String::from_utf8_lossy(is));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_that_went_wrong_is_replayed_as_it_went() {
    for wrong in [Wrong::StartFails, Wrong::ArmFails] {
        let recorded = record(|sink| pipeline(sink).with_scenario(Arc::new(Fault::wrong(wrong)))).await;
        let (first, _) = replay(&recorded.path, |p| p.with_agents(agents())).await;
        let (second, _) = replay(&recorded.path, |p| p.with_agents(agents())).await;
        assert_same("the second replay", &first, &second);
        assert_same_but_for_ties(&format!("{wrong:?}"), &recorded.artifacts, &first);
    }
}

/// Asks something that was not asked when it was recorded.
struct Curious;

#[async_trait]
impl Agent<Case, Diagnosis> for Curious {
    async fn run(&self, _: &AgentContext, case: &Case) -> Result<Diagnosis> {
        case.host.ask(Ask::run(["uname", "-a"]), Duration::from_secs(5)).await?;
        Ok(diagnosis(case))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_was_not_recorded_is_said() {
    let recorded = record(|sink| pipeline(sink)).await;
    let sink = Arc::new(Memory::default());
    let run = Pipeline::replay(&recorded.path, sink).unwrap().with_agents(agents().investigator("Curious", Curious));
    let (events, outcome) = run_through(run.start().await.unwrap()).await;
    assert_said(&events, EventType::Error, "Curious", "this was not asked when the incident was recorded");
    assert_eq!(outcome.incident.status, Status::Completed);
}

fn refused(incident: &Path) -> chaos_core::error::Error {
    Pipeline::replay(incident, Arc::new(Memory::default())).unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_that_is_missing_newer_or_damaged_is_refused_with_its_place() {
    let nothing = tempfile::tempdir().unwrap();
    assert_eq!(refused(nothing.path()).kind(), ErrorKind::NotFound);
    assert_eq!(refused(Path::new("/no/such/place")).kind(), ErrorKind::NotFound);
    for file in ["recording/run.json", "recording/answers.jsonl", "trace.json"] {
        let recorded = record(|sink| pipeline(sink)).await;
        let path = recorded.path.join(file);
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{{ damaged\n{whole}")).unwrap();
        let error = refused(&recorded.path);
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
        assert!(error.to_string().contains(file) && error.to_string().contains("line: 1"), "{error}");
        std::fs::write(&path, b"\xff\x00\n").unwrap();
        assert_eq!(refused(&recorded.path).kind(), ErrorKind::InvalidInput);
        std::fs::remove_file(&path).unwrap();
        let error = refused(&recorded.path);
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
        assert!(error.to_string().contains(file), "{error}");
    }
    let recorded = record(|sink| pipeline(sink)).await;
    let path = recorded.path.join("recording/run.json");
    let newer = std::fs::read_to_string(&path).unwrap().replace("\"schema_version\": 1", "\"schema_version\": 99");
    std::fs::write(&path, newer.replacen('{', "{\"from_the_future\": true,", 1)).unwrap();
    assert_eq!(refused(&recorded.path).kind(), ErrorKind::Unsupported);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_or_cut_recording_is_replayed_and_said_to_be_edited() {
    let recorded = record(|sink| pipeline(sink)).await;
    let path = recorded.path.join("recording/answers.jsonl");
    let whole = std::fs::read_to_string(&path).unwrap();
    for changed in [whole.replace("90.0", "91.0"), whole[..whole.len() - 5].to_owned()] {
        assert_ne!(changed, whole);
        std::fs::write(&path, changed).unwrap();
        let run = Pipeline::replay(&recorded.path, Arc::new(Memory::default())).unwrap().with_agents(agents());
        let (events, outcome) = run_through(run.start().await.unwrap()).await;
        assert_said(&events, EventType::Note, "Coordinator", "the recording was edited after it was made");
        assert_eq!(outcome.incident.status, Status::Completed);
    }
}
