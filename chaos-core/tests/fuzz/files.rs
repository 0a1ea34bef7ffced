//! An incident's files: what a replay reads, and a trace that was cut.

use std::{path::Path, sync::LazyLock, time::Duration};

use chaos_core::{
    agents::terminal_summary,
    artifact::ArtifactSink,
    model::{AgentName, Ask, EventType, Incident, IncidentId, Phase, Timestamp, TraceEvent},
    sinks::Dir,
    transport::{Request, Transport},
    transports::Replay,
};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::input::Input;

/// Between the files of a seed.
const BETWEEN: &[u8] = b"\n----\n";
const ID: &str = "inc-20261124-001";

thread_local! {
    static PLACE: TempDir = tempfile::tempdir().unwrap();
}
static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap());

/// Files of any content are a replay or an error; all that was recorded can be asked. Of a trace that was cut, what was
/// whole stays.
pub(super) fn incidents(data: &[u8]) {
    let mut input = Input::new(data);
    let cut = input.place();
    let mut files = Vec::new();
    let mut rest = input.text;
    while files.len() < 2
        && let Some(at) = rest.windows(BETWEEN.len()).position(|w| w == BETWEEN)
    {
        files.push(&rest[..at]);
        rest = &rest[at + BETWEEN.len()..];
    }
    files.push(rest);
    files.resize(3, b"");
    PLACE.with(|place| {
        let folder = place.path().join(ID);
        std::fs::create_dir_all(folder.join("recording")).unwrap();
        for (name, bytes) in ["recording/run.json", "recording/answers.jsonl", "trace.json"].iter().zip(&files) {
            std::fs::write(folder.join(name), bytes).unwrap();
        }
        if let Ok(replay) = Replay::open(&folder) {
            ask(&replay, files[1]);
        }
        torn(place.path(), input.text, cut);
    });
    if let Ok(incident) = serde_json::from_slice::<Incident>(rest) {
        let shown = terminal_summary(&incident);
        assert!(!shown.contains(|c: char| c.is_control() && c != '\n'), "{shown:?}");
        let written = serde_json::to_string(&incident).unwrap();
        let again: Incident = serde_json::from_str(&written).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), written);
    }
}

fn ask(replay: &Replay, answers: &[u8]) {
    for line in answers.split(|b| *b == b'\n') {
        let Ok(entry) = serde_json::from_slice::<serde_json::Value>(line) else { continue };
        let Ok(ask) = serde_json::from_value::<Ask>(entry["open"]["ask"].clone()) else { continue };
        let agent = AgentName::new(entry["open"]["agent"].as_str().unwrap_or(""));
        let request = Request { agent, ask, within: Duration::from_secs(5), max_bytes: 4096 };
        RUNTIME.block_on(async {
            if let Ok(reply) = replay.open(&request).await {
                assert!(reply.output(4096).await.stdout.len() <= 4096);
            }
        });
    }
}

fn torn(root: &Path, text: &[u8], cut: usize) {
    let event = |seq, content: &[u8]| TraceEvent {
        seq,
        timestamp: Timestamp(1_795_521_600_000),
        phase: Phase::Observe,
        agent: AgentName::new("LogAgent"),
        kind: EventType::Note,
        content: String::from_utf8_lossy(content).into_owned(),
        data: None,
        previous_sha256: String::new(),
    };
    let events: Vec<TraceEvent> = (0..).zip(text.splitn(4, |b| *b == b'\n')).map(|(i, c)| event(i, c)).collect();
    let (id, path) = (IncidentId::parse(ID).unwrap(), root.join(ID).join("trace.json"));
    let read = || serde_json::from_slice::<Vec<TraceEvent>>(&std::fs::read(&path).unwrap()).unwrap();
    let append = |events: &[TraceEvent]| {
        RUNTIME.block_on(async {
            let dir = Dir::open(root).unwrap();
            for event in events {
                dir.append_event(&id, event).await.unwrap();
            }
        });
    };
    std::fs::remove_file(&path).unwrap();
    append(&events);
    assert_eq!(read(), events);
    let bytes = std::fs::read(&path).unwrap();
    let cut = cut.min(bytes.len());
    let whole =
        bytes[..cut].split_inclusive(|b| *b == b'\n').filter(|l| l.starts_with(b"{") && l.ends_with(b"\n")).count();
    std::fs::write(&path, &bytes[..cut]).unwrap();
    append(&[event(9, b"last")]);
    let left = read();
    assert!(left.len() > whole && left[..whole] == events[..whole], "{whole} whole ones, {left:?}");
    assert_eq!(left.last(), Some(&event(9, b"last")));
}
