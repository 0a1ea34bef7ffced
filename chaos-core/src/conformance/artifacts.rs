//! The behaviours of an [`ArtifactSink`].

use std::{collections::BTreeSet, sync::Arc};

use tokio::task::JoinSet;

use crate::{
    artifact::{ArtifactName, ArtifactSink},
    error::{Error, ErrorKind},
    model::{AgentName, EventType, IncidentId, Phase, Timestamp, TraceEvent},
};

const NOON: Timestamp = Timestamp(1_795_521_600_000);

fn name(text: &str) -> ArtifactName {
    ArtifactName::new(text).expect("a name of the contract")
}

fn trace() -> ArtifactName {
    name("trace.json")
}

async fn create(sink: &dyn ArtifactSink) -> IncidentId {
    sink.create(NOON).await.expect("an id is given out")
}

/// An event of `agent`, with text that JSON must escape.
fn event(agent: &str, seq: u64) -> TraceEvent {
    TraceEvent {
        seq,
        timestamp: NOON,
        phase: Phase::Observe,
        agent: AgentName::new(agent),
        kind: EventType::Note,
        content: format!("line\nbreak, ],[ \"quoted\" \u{0} ö {seq}"),
        data: None,
        previous_sha256: String::new(),
    }
}

async fn events(sink: &dyn ArtifactSink, id: &IncidentId) -> Vec<TraceEvent> {
    let bytes = sink.read(id, &trace()).await.expect("there is a trace");
    serde_json::from_slice(&bytes).unwrap_or_else(|e| panic!("not an array of events: {e}"))
}

fn assert_not_found<T: std::fmt::Debug>(what: &str, result: Result<T, Error>) {
    match result {
        Err(e) => assert_eq!(e.kind(), ErrorKind::NotFound, "{what}: {e}"),
        Ok(got) => panic!("{what}: want NotFound, got {got:?}"),
    }
}

/// `create` gives no id out twice, to whatever number of tasks, and each names the day.
///
/// # Panics
/// When it does.
pub async fn ids_are_given_out_once(sink: Arc<dyn ArtifactSink>) {
    let mut tasks = JoinSet::new();
    for _ in 0..16 {
        let sink = sink.clone();
        tasks.spawn(async move {
            let mut ids = Vec::new();
            for _ in 0..8 {
                let id = create(&*sink).await;
                sink.close(&id).await.expect("it can be closed");
                ids.push(id);
            }
            ids
        });
    }
    let ids = tasks.join_all().await.concat();
    let different: BTreeSet<_> = ids.iter().collect();
    assert_eq!((ids.len(), different.len()), (128, 128), "ids are given out twice");
    let day = format!("inc-{}-", NOON.day());
    assert!(ids.iter().all(|id| id.as_str().starts_with(&day)), "{ids:?}");
    let listed: BTreeSet<_> = sink.incidents().await.expect("they are listed").into_iter().collect();
    assert!(ids.iter().all(|id| listed.contains(id)), "one that was given out is not listed");
}

/// `trace.json` is a valid array of all events after every append.
///
/// # Panics
/// When it is not.
pub async fn the_trace_is_a_valid_array_after_every_append(sink: Arc<dyn ArtifactSink>) {
    let id = create(&*sink).await;
    for seq in 0..50 {
        sink.append_event(&id, &event("one", seq)).await.expect("an event is appended");
        let now = events(&*sink, &id).await;
        assert_eq!(now.len() as u64, seq + 1);
        assert_eq!(now.last(), Some(&event("one", seq)));
    }
    assert!(events(&*sink, &id).await.iter().enumerate().all(|(i, e)| e.seq == i as u64), "the order changed");
}

/// Of sixteen tasks that append at once, all events arrive, those of each task in its order; what is read in between
/// is valid.
///
/// # Panics
/// When one is lost or torn.
pub async fn events_from_many_tasks_all_arrive_in_order(sink: Arc<dyn ArtifactSink>) {
    let id = create(&*sink).await;
    let mut tasks = JoinSet::new();
    for task in 0..16 {
        let (sink, id) = (sink.clone(), id.clone());
        tasks.spawn(async move {
            for seq in 0..100 {
                sink.append_event(&id, &event(&format!("task {task}"), seq)).await.expect("an event is appended");
            }
        });
    }
    let mut before = 0;
    while tasks.try_join_next().is_some() || !tasks.is_empty() {
        // A reader may be between two writes of one append; what counts is that it can read on.
        if let Ok(bytes) = sink.read(&id, &trace()).await
            && let Ok(now) = serde_json::from_slice::<Vec<TraceEvent>>(&bytes)
        {
            assert!(now.len() >= before, "events were lost");
            before = now.len();
        }
        tokio::task::yield_now().await;
    }
    let all = events(&*sink, &id).await;
    assert_eq!(all.len(), 1600);
    for task in 0..16 {
        let agent = AgentName::new(format!("task {task}"));
        let seqs: Vec<u64> = all.iter().filter(|e| e.agent == agent).map(|e| e.seq).collect();
        assert!(seqs.iter().copied().eq(0..100), "{agent}: {seqs:?}");
    }
}

/// `write` replaces an artifact whole, though many write at once: a reader sees one of them, never a part or a mixture.
///
/// # Panics
/// When it sees anything else.
pub async fn write_replaces_an_artifact_whole(sink: Arc<dyn ArtifactSink>) {
    let (id, name) = (create(&*sink).await, name("incident.json"));
    sink.write(&id, &name, &[b'-'; 300_000]).await.expect("it is written");
    let mut tasks = JoinSet::new();
    for task in 0..8u8 {
        let (sink, id, name) = (sink.clone(), id.clone(), name.clone());
        tasks.spawn(async move {
            for _ in 0..10 {
                let length = 1000 + 30_000 * usize::from(task);
                sink.write(&id, &name, &vec![b'a' + task; length]).await.expect("it is written");
                let now = sink.read(&id, &name).await.expect("it is there");
                assert!(now.iter().all(|b| *b == now[0]), "two writes are mixed");
                assert_eq!(now.len(), 1000 + 30_000 * usize::from(now[0] - b'a'), "a part is missing");
            }
        });
    }
    tasks.join_all().await;
    sink.write(&id, &name, b"").await.expect("it is written");
    assert!(sink.read(&id, &name).await.expect("it is there").is_empty(), "an empty artifact is one too");
}

/// `append` creates an artifact and adds to its end.
///
/// # Panics
/// When it does not.
pub async fn append_creates_and_adds_to_the_end(sink: Arc<dyn ArtifactSink>) {
    let (id, name) = (create(&*sink).await, name("recording/answers.jsonl"));
    for part in [&b"one\n"[..], b"", b"\x00\xff\n", b"three"] {
        sink.append(&id, &name, part).await.expect("it is appended");
    }
    assert_eq!(sink.read(&id, &name).await.expect("it is there"), b"one\n\x00\xff\nthree");
}

/// `read` of what was never written is `NotFound`.
///
/// # Panics
/// When it is not.
pub async fn what_was_never_written_is_not_found(sink: Arc<dyn ArtifactSink>) {
    let id = create(&*sink).await;
    for text in ["report.md", "artifacts/chart.svg"] {
        assert_not_found(text, sink.read(&id, &name(text)).await);
    }
}

/// Anything about an incident that does not exist is `NotFound`, and creates nothing.
///
/// # Panics
/// When it is not, or does.
pub async fn an_unknown_incident_is_not_found(sink: Arc<dyn ArtifactSink>) {
    let id = IncidentId::parse("inc-19990101-001").expect("a valid id");
    let name = name("report.md");
    assert_not_found("append_event", sink.append_event(&id, &event("nobody", 0)).await);
    assert_not_found("write", sink.write(&id, &name, b"x").await);
    assert_not_found("append", sink.append(&id, &name, b"x").await);
    assert_not_found("read", sink.read(&id, &name).await);
    assert_not_found("list", sink.list(&id).await);
    assert!(!sink.incidents().await.expect("they are listed").contains(&id));
}

/// `list` names every artifact once, sorted, whatever it is called.
///
/// # Panics
/// When it does not.
pub async fn artifacts_are_listed_once_and_sorted(sink: Arc<dyn ArtifactSink>) {
    let id = create(&*sink).await;
    let mut want = BTreeSet::new();
    for text in
        ["report.md", "artifacts/z.svg", "artifacts/a.tmp", "incident.json", "recording/run.json", "raw_logs.txt"]
    {
        for _ in 0..2 {
            sink.write(&id, &name(text), b"x").await.expect("it is written");
        }
        want.insert(name(text));
    }
    sink.append_event(&id, &event("one", 0)).await.expect("an event is appended");
    want.insert(trace());
    let listed = sink.list(&id).await.expect("they are listed");
    assert_eq!(listed, want.into_iter().collect::<Vec<_>>());
}

/// `incidents` names every incident once, oldest first, also past the thousandth of a day.
///
/// # Panics
/// When it does not.
pub async fn incidents_are_listed_oldest_first(sink: Arc<dyn ArtifactSink>) {
    const DAY: i64 = 86_400_000;
    // A day of its own: others may create on the same place at the same time.
    let day = Timestamp(NOON.0 + 7 * DAY);
    let mut created = Vec::new();
    for _ in 0..1002 {
        let id = sink.create(day).await.expect("an id is given out");
        sink.close(&id).await.expect("it can be closed");
        created.push(id);
    }
    let next = sink.create(Timestamp(day.0 + DAY)).await.expect("an id is given out");
    created.push(next);
    let listed = sink.incidents().await.expect("they are listed");
    let ours: Vec<_> = listed.iter().filter(|id| created.contains(id)).cloned().collect();
    assert_eq!(ours.len(), created.len(), "one is listed twice, or not at all");
    let at = ours.iter().zip(&created).position(|(a, b)| a != b);
    assert!(at.is_none(), "listed {:?}, created {:?}", at.map(|i| &ours[i]), at.map(|i| &created[i]));
}

/// After `close`, which may come twice, everything is still there and more can be added.
///
/// # Panics
/// When it can't.
pub async fn a_closed_incident_can_be_written_on(sink: Arc<dyn ArtifactSink>) {
    let id = create(&*sink).await;
    for seq in 0..4 {
        sink.append_event(&id, &event("one", seq)).await.expect("an event is appended");
        sink.close(&id).await.expect("it can be closed");
        sink.close(&id).await.expect("it can be closed twice");
    }
    assert_eq!(events(&*sink, &id).await.len(), 4);
}

/// There is no name by which an artifact could lie outside its incident.
///
/// # Panics
/// When one is let through.
pub async fn names_never_leave_the_incident(sink: Arc<dyn ArtifactSink>) {
    let id = create(&*sink).await;
    for bad in [
        "../x",
        "artifacts/../x",
        "artifacts/..",
        "recording/../../x",
        "/etc/passwd",
        "artifacts//x",
        "artifacts/a/b",
        "x.md",
        "artifacts/.hidden",
        "",
        "artifacts/",
        "artifacts/a\0b",
        "artifacts/a\\b",
        "REPORT.MD",
    ] {
        let made = ArtifactName::new(bad);
        assert!(made.is_err(), "{bad:?} is let through");
        let read: Result<ArtifactName, _> = serde_json::from_value(serde_json::json!(bad));
        assert!(read.is_err(), "{bad:?} is let through as JSON");
    }
    let listed = sink.list(&id).await.expect("they are listed");
    assert!(listed.iter().all(|n| *n == trace()), "{listed:?}");
}
