//! Every built-in transport and sink keeps the Behavior of its trait, and every reader what it promises of any bytes.

#![allow(clippy::unwrap_used)]

#[path = "fuzz/changed.rs"]
mod changed;
#[path = "fuzz/mod.rs"]
mod fuzz;
#[path = "fuzz/properties.rs"]
mod properties;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use chaos_core::{
    artifact::{ArtifactName, ArtifactSink},
    clock::SystemClock,
    conformance::{self, Recording},
    error::ErrorKind,
    model::{AgentName, Ask, End, EventType, IncidentId, Phase, Status, Timestamp, TraceEvent},
    sinks::{Dir, Memory},
    transport::{Output, Request, Transport},
    transports::{Files, Local, Replay},
};

const NOON: Timestamp = Timestamp(1_795_521_600_000);
/// Tells a child of this test binary what to do; unset, the tests for children do nothing.
const PLACE: &str = "CHAOS_CONFORMANCE_PLACE";

fn local() -> Arc<dyn Transport> {
    Arc::new(Local::new(Arc::new(SystemClock::default())))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn local_conforms() {
    conformance::transport(local).await;
}

/// What is recorded of a conforming transport conforms, and so does the replay: the same questions get the same
/// answers.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn record_and_its_replay_conform() {
    let place = tempfile::tempdir().unwrap();
    let sink = Arc::new(Dir::open(place.path()).unwrap());
    let id = sink.create(NOON).await.unwrap();
    let recording = Recording::start(local(), sink.clone(), id.clone());
    conformance::transport(|| recording.transport()).await;
    recording.finish().await.unwrap();
    let replay = Replay::open(&sink.path(&id)).unwrap();
    assert!(!replay.is_edited());
    let replay: Arc<dyn Transport> = Arc::new(replay);
    conformance::transport(|| replay.clone()).await;
}

#[tokio::test]
async fn what_was_not_asked_when_recorded_is_said_to_be_missing() {
    let place = tempfile::tempdir().unwrap();
    let sink = Arc::new(Dir::open(place.path()).unwrap());
    let id = sink.create(NOON).await.unwrap();
    let recording = Recording::start(local(), sink.clone(), id.clone());
    let once = request(Ask::run(["echo", "once"]));
    let output = recording.transport().open(&once).await.unwrap().output(100).await;
    recording.finish().await.unwrap();
    let replay = Replay::open(&sink.path(&id)).unwrap();
    let again = replay.open(&once).await.unwrap().output(100).await;
    assert_eq!((again.stdout, again.at), (output.stdout, output.at));
    let mut other_agent = once.clone();
    other_agent.agent = AgentName::new("another");
    for request in [&once, &request(Ask::run(["echo", "twice"])), &other_agent] {
        assert_eq!(replay.open(request).await.unwrap_err().kind(), ErrorKind::NotRecorded);
    }
}

fn request(ask: Ask) -> Request {
    Request { agent: AgentName::new("test"), ask, within: Duration::from_secs(30), max_bytes: 64 << 10 }
}

fn files(root: &Path) -> Files {
    Files::open(&[root.to_owned()], Arc::new(SystemClock::default())).unwrap()
}

async fn cat(files: &Files, path: &Path) -> Output {
    let ask = Ask::run(["cat".to_owned(), path.display().to_string()]);
    files.open(&request(ask)).await.unwrap().output(1 << 30).await
}

#[tokio::test]
async fn files_pass_on_every_byte_to_a_reader_of_any_speed() {
    let place = tempfile::tempdir().unwrap();
    let (log, empty) = (place.path().join("app.log"), place.path().join("empty.log"));
    let bytes: Vec<u8> = (0..3_000_000u32).flat_map(|n| [(n % 251) as u8, (n / 251 % 256) as u8]).collect();
    std::fs::write(&log, &bytes).unwrap();
    std::fs::write(&empty, b"").unwrap();
    let files = files(place.path());
    let output = cat(&files, &log).await;
    assert!(matches!(output.end, End::Exited(0)), "{:?}", output.end);
    assert!(output.stdout == bytes);
    assert!(cat(&files, &empty).await.stdout.is_empty());
    let mut reply = files.open(&request(Ask::run(["cat", log.to_str().unwrap()]))).await.unwrap();
    let mut got = Vec::new();
    while let Some(chunk) = reply.next().await {
        got.extend(chunk.bytes);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert!(matches!(reply.end(), Some((End::Exited(0), _))), "{:?}", reply.end());
    assert!(got == bytes);
}

#[tokio::test]
async fn files_bound_what_waits_unread_and_stop() {
    let place = tempfile::tempdir().unwrap();
    let log = place.path().join("app.log");
    std::fs::write(&log, vec![b'x'; 8 << 20]).unwrap();
    let reply = files(place.path()).open(&request(Ask::run(["cat", log.to_str().unwrap()]))).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    reply.stop();
    let output = reply.output(1 << 30).await;
    assert!(matches!(output.end, End::Stopped), "{:?}", output.end);
    assert!(output.stdout.len() < 1 << 20, "{} bytes waited", output.stdout.len());
}

#[tokio::test]
async fn files_answer_nothing_but_the_reading_of_their_own() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("app.log"), "x\n").unwrap();
    let outside = place.path().join("sub/../../etc/passwd").display().to_string();
    let files = files(place.path());
    let asks = [
        (Ask::run(["cat", "/etc/passwd"]), ErrorKind::NotFound),
        (Ask::run(["cat", &outside]), ErrorKind::NotFound),
        (Ask::run(["cat"]), ErrorKind::Unsupported),
        (Ask::run(["sh", "-c", "id"]), ErrorKind::Unsupported),
        (Ask::run(Vec::<String>::new()), ErrorKind::Unsupported),
        (Ask::HttpGet { port: 80, path: "/".into() }, ErrorKind::Unsupported),
    ];
    for (ask, kind) in asks {
        assert_eq!(files.open(&request(ask.clone())).await.unwrap_err().kind(), kind, "{ask}");
    }
    assert_eq!(files.capabilities(), chaos_core::transport::Capabilities::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_conforms() {
    let sink: Arc<dyn ArtifactSink> = Arc::new(Memory::default());
    conformance::sink(|| sink.clone()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn dir_conforms() {
    let place = tempfile::tempdir().unwrap();
    let sink: Arc<dyn ArtifactSink> = Arc::new(Dir::open(place.path()).unwrap());
    conformance::sink(|| sink.clone()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_dirs_on_one_place_conform() {
    let place = tempfile::tempdir().unwrap();
    conformance::sink(|| Arc::new(Dir::open(place.path()).unwrap())).await;
}

/// This test binary again, as a process of its own that runs one test.
fn child(test: &str, place: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([test, "--exact", "--nocapture", "--include-ignored"]).env(PLACE, place);
    command
}

fn place_of_child() -> PathBuf {
    PathBuf::from(std::env::var_os(PLACE).expect("run by another test"))
}

fn assert_passed(output: &std::process::Output) {
    let said = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn four_processes_never_get_the_same_id() {
    let place = tempfile::tempdir().unwrap();
    let start = |_| {
        let mut command = child("child_creates_incidents", place.path());
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = (0..4).map(start).collect();
    let mut ids = Vec::new();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert_passed(&output);
        let text = String::from_utf8(output.stdout).unwrap();
        ids.extend(text.lines().filter_map(|l| l.strip_prefix("created ").map(str::to_owned)));
    }
    assert_eq!((ids.len(), ids.iter().collect::<BTreeSet<_>>().len()), (200, 200));
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 200);
}

#[tokio::test]
#[ignore = "run as a process of its own by another test"]
async fn child_creates_incidents() {
    let sink = Dir::open(place_of_child()).unwrap();
    let mut said = String::from("\n");
    for _ in 0..50 {
        let id = sink.create(NOON).await.unwrap();
        sink.close(&id).await.unwrap();
        said += &format!("created {id}\n");
    }
    std::io::Write::write_all(&mut std::io::stdout(), said.as_bytes()).unwrap();
}

#[test]
fn an_append_costs_no_more_after_ten_thousand_events() {
    let place = tempfile::tempdir().unwrap();
    assert_passed(&child("child_measures_appends", place.path()).output().unwrap());
}

/// Bytes that this process has read and written so far, by any system call.
fn bytes_moved() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    let value = |key: &str| io.lines().find_map(|l| l.strip_prefix(key)).unwrap().trim().parse::<u64>().unwrap();
    value("rchar:") + value("wchar:")
}

fn event(seq: u64) -> TraceEvent {
    TraceEvent {
        seq,
        timestamp: NOON,
        phase: Phase::Observe,
        agent: AgentName::new("LogAgent"),
        kind: EventType::Note,
        content: format!("number {:05}", seq % 100_000),
        data: None,
        previous_sha256: String::new(),
    }
}

#[tokio::test]
#[ignore = "run as a process of its own by another test"]
async fn child_measures_appends() {
    let sink = Dir::open(place_of_child()).unwrap();
    let id = sink.create(NOON).await.unwrap();
    let path = sink.path(&id).join("trace.json");
    // Looking at the counters moves bytes too, about the same each time.
    let looking = {
        let first = bytes_moved();
        bytes_moved() - first
    };
    let mut costs = Vec::new();
    for seq in 0..10_001 {
        let (length, before) = (std::fs::metadata(&path).unwrap().len(), bytes_moved());
        // The same number of digits throughout.
        sink.append_event(&id, &event(seq + 100_000)).await.unwrap();
        let moved = bytes_moved() - before;
        let grown = std::fs::metadata(&path).unwrap().len() - length;
        costs.push((moved.saturating_sub(looking), grown));
    }
    let (tenth, last) = (costs[10], costs[10_000]);
    assert_eq!(tenth.1, last.1, "the file grows by one event");
    assert!(last.0 <= tenth.0 + 16, "{last:?} bytes for the last, {tenth:?} for the tenth");
    assert!(last.0 < 1000, "{last:?}");
}

/// A file that may grow no further stands in for a full disk.
#[test]
fn a_failed_write_leaves_what_was_there() {
    let place = tempfile::tempdir().unwrap();
    let inner = child("child_runs_into_the_limit", place.path());
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""])
        .arg(inner.get_program())
        .args(inner.get_args())
        .env(PLACE, place.path())
        .output()
        .unwrap();
    assert_passed(&output);
}

#[tokio::test]
#[ignore = "run as a process of its own by another test"]
async fn child_runs_into_the_limit() {
    let sink = Dir::open(place_of_child()).unwrap();
    let id = sink.create(NOON).await.unwrap();
    let [report, answers, trace] =
        ["report.md", "recording/answers.jsonl", "trace.json"].map(|n| ArtifactName::new(n).unwrap());
    sink.write(&id, &report, b"first").await.unwrap();
    let large = vec![b'x'; 1 << 20];
    assert_eq!(sink.write(&id, &report, &large).await.unwrap_err().kind(), ErrorKind::Storage);
    assert_eq!(sink.read(&id, &report).await.unwrap(), b"first");
    sink.append(&id, &answers, b"first\n").await.unwrap();
    assert_eq!(sink.append(&id, &answers, &large).await.unwrap_err().kind(), ErrorKind::Storage);
    assert_eq!(sink.read(&id, &answers).await.unwrap(), b"first\n");
    let mut kept = 0;
    let failed = loop {
        match sink.append_event(&id, &event(kept)).await {
            Ok(()) => kept += 1,
            Err(e) => break e,
        }
        assert!(kept < 10_000, "the limit never came");
    };
    assert_eq!(failed.kind(), ErrorKind::Storage);
    let events: Vec<TraceEvent> = serde_json::from_slice(&sink.read(&id, &trace).await.unwrap()).unwrap();
    assert_eq!(events.len() as u64, kept);
    assert!(sink.append_event(&id, &event(kept)).await.is_err());
    let names: Vec<String> = sink.list(&id).await.unwrap().into_iter().map(String::from).collect();
    assert_eq!(names, ["recording/answers.jsonl", "report.md", "trace.json"]);
    let left = std::fs::read_dir(sink.path(&id))
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().contains("tmp"));
    assert_eq!(left.count(), 0, "a half-written file is left");
}

/// A SIGKILL leaves us no time to end what runs; it ends all the same, and what ended before is not touched.
#[test]
fn commands_end_with_a_process_that_is_killed() {
    let place = tempfile::tempdir().unwrap();
    let mut command = child("child_waits_for_a_command", place.path());
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    let pids = lines.find_map(|l| l.unwrap().strip_prefix("started ").map(str::to_owned)).unwrap();
    let runs = |pid: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X']))
    };
    let pids: Vec<&str> = pids.split(' ').collect();
    assert!(pids.len() == 2 && pids.iter().all(|p| runs(p)), "{pids:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    let gone = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        !pids.iter().any(|p| runs(p))
    });
    assert!(gone, "{pids:?} still run");
}

#[tokio::test]
#[ignore = "run as a process of its own by another test"]
async fn child_waits_for_a_command() {
    place_of_child();
    let local = local();
    let _ended = local.open(&request(Ask::run(["true"]))).await.unwrap().output(10).await;
    let mut reply = local.open(&request(Ask::run(["sh", "-c", "sleep 300 & echo started $! $$; wait"]))).await.unwrap();
    let mut said = vec![b'\n'];
    while !said.ends_with(b"\n") || said.len() == 1 {
        said.extend(reply.next().await.unwrap().bytes);
    }
    std::io::Write::write_all(&mut std::io::stdout(), &said).unwrap();
    assert!(reply.next().await.is_none(), "it runs until we are killed");
}

#[tokio::test]
async fn an_incident_is_running_for_as_long_as_it_is_open() {
    let place = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Dir::open(place.path()).unwrap(), Dir::open(place.path()).unwrap());
    let id = ours.create(NOON).await.unwrap();
    assert!(theirs.is_running(&id));
    assert_eq!(theirs.replace(&id).unwrap_err().kind(), ErrorKind::Conflict);
    theirs.request_stop(&id).unwrap();
    assert!(ours.is_stop_requested(&id));
    assert!(theirs.mark_interrupted(NOON).unwrap().is_empty());
    ours.close(&id).await.unwrap();
    assert!(!theirs.is_running(&id) && !ours.is_stop_requested(&id));
    assert_eq!(theirs.request_stop(&id).unwrap_err().kind(), ErrorKind::Conflict);
    let unknown = IncidentId::parse("inc-19990101-001").unwrap();
    assert_eq!(theirs.request_stop(&unknown).unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn an_incident_that_waits_is_one_file_and_nothing_of_it_is_lost() {
    let place = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Dir::open(place.path()).unwrap(), Dir::open(place.path()).unwrap());
    let asked = |id: &IncidentId| {
        use serde_json::json;
        let span = json!({ "start": NOON, "end": NOON });
        let target = json!({ "name": "web", "kind": "ssh" });
        let incident = json!({ "id": id, "status": "running", "target": target, "span": span });
        json!({ "caller": "ops", "incident": incident }).to_string().into_bytes()
    };
    let id = ours.create_asked(NOON, asked).unwrap();
    assert_eq!(std::fs::read_dir(ours.path(&id)).unwrap().count(), 1);
    assert!(theirs.is_running(&id) && theirs.mark_interrupted(NOON).unwrap().is_empty());
    // Others list it, and see who asked for it.
    assert_eq!(theirs.summaries().unwrap()[0].target.name, "web");
    assert_eq!(theirs.asked(&id), Some(asked(&id)));
    // Its process died before it began.
    drop(ours);
    assert_eq!(theirs.mark_interrupted(NOON).unwrap(), std::slice::from_ref(&id));
    assert_eq!(theirs.summaries().unwrap()[0].status, Status::Interrupted);
    assert_eq!(theirs.asked(&id), Some(asked(&id)));
    let trace = std::fs::read(theirs.path(&id).join("trace.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Vec<TraceEvent>>(&trace).unwrap().len(), 1);
    // One that came to its end keeps it too.
    let next = theirs.create_asked(NOON, asked).unwrap();
    assert_ne!(next, id);
    theirs.close(&next).await.unwrap();
    assert!(!theirs.is_running(&next) && theirs.mark_interrupted(NOON).unwrap().is_empty());
    assert_eq!(theirs.asked(&next), Some(asked(&next)));
    // One that was cut short while it was made was promised to nobody; the next number goes on.
    let torn = theirs.create_asked(NOON, |_| b"{\"incident\":".to_vec()).unwrap();
    drop(theirs);
    let again = Dir::open(place.path()).unwrap();
    assert!(again.mark_interrupted(NOON).unwrap().is_empty());
    assert!(again.summaries().unwrap().iter().all(|s| s.id != torn));
    assert!(again.create_asked(NOON, asked).unwrap() > torn);
}
