use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;

use super::*;
use crate::{
    clock::SystemClock,
    events::Message,
    model::{AgentName, IncidentId, Ledger, TargetInfo},
    readonly::AllowList,
    transport::{Capabilities, Chunk, Request, Stop, Transport},
};

const T0: i64 = 1_795_508_000_000;

/// Plays a script for each command: when, which bytes, and how it ends.
struct Script(BTreeMap<String, Prints>);

#[async_trait]
impl Transport for Script {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new(true, false, false)
    }
    fn target(&self) -> TargetInfo {
        TargetInfo::default()
    }
    async fn open(&self, request: &Request) -> Result<Reply> {
        let Ask::Run(command) = &request.ask else { panic!("a command") };
        let key = command.argv.join(" ");
        let Some((_, (chunks, end))) = self.0.iter().find(|(k, _)| key.starts_with(*k)) else {
            return Err(Error::new(ErrorKind::NotFound, "no such program"));
        };
        let (writer, reply) = Reply::pair(request.max_bytes);
        for (at, bytes) in chunks {
            let stream = if bytes.starts_with(b"journalctl: ") { Stream::Stderr } else { Stream::Stdout };
            let chunk = Chunk { at: Timestamp(T0 + at), stream, bytes: bytes.to_vec() };
            writer.push(chunk).unwrap();
        }
        writer.finish(end.clone(), Timestamp(T0 + 240_000));
        Ok(reply)
    }
}

/// What a source prints, by milliseconds from the start, and how it ends.
type Prints = (Vec<(i64, &'static [u8])>, End);
/// A source, by its command, and what it prints.
type Source<'a> = (&'a str, Vec<(i64, &'static [u8])>, End);

async fn collect(facts: Facts, files: &[&str], script: Vec<Source<'_>>) -> (Vec<Evidence>, Vec<(EventType, String)>) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let (events, mut said) = mpsc::unbounded_channel();
    let script = Script(script.into_iter().map(|(k, c, e)| (k.to_owned(), (c, e))).collect());
    let host = ReadOnlyHost::new(
        Arc::new(script),
        Arc::new(SystemClock::default()),
        Arc::new(facts),
        Arc::new(AllowList::default()),
        AgentName::new("LogAgent"),
        deadline,
        Stop::default(),
        Arc::new(Mutex::new(Ledger::default())),
    );
    let id = IncidentId::parse("inc-20261124-001").unwrap();
    let cx = AgentContext::new(id, AgentName::new("LogAgent"), deadline, events);
    let agent = LogAgent::new(files.iter().map(|f| (*f).to_owned()).collect());
    let evidence: Vec<Evidence> = agent.run(&cx, &host).await.unwrap();
    drop(cx);
    let mut out = Vec::new();
    while let Some(Message::Event(event)) = said.recv().await {
        out.push((event.kind, event.content));
    }
    (evidence, out)
}

fn facts(live: bool, journald: bool, files: &[&str]) -> Facts {
    Facts {
        live,
        journald,
        root: true,
        uptime_s: 100.0,
        log_files: files.iter().map(|f| (*f).to_owned()).collect(),
        ..Facts::default()
    }
}

fn logs(evidence: &Evidence) -> &Logs {
    match &evidence.body {
        Body::Logs(logs) => logs,
        Body::Metric(_) => panic!("logs"),
    }
}

#[tokio::test]
async fn a_source_that_fails_is_a_gap_and_the_others_go_on() {
    let broken = End::Failed(Error::new(ErrorKind::Unreachable, "the connection was lost"));
    let (evidence, events) = collect(
        facts(true, true, &["/var/log/b.log", "/var/log/wtmp", "/var/log/gone.log"]),
        &["/var/log/a.log", "relative.log"],
        vec![
            ("journalctl -o json", vec![(0, b"{\"MESSAGE\":\"a b\",\"PRIOR"), (10, b"ITY\":\"3\"}\n")], End::Stopped),
            ("tail -n 1000 -F /var/log/a.log", vec![(0, b"one line\n")], broken),
            ("tail -n 1000 -F /var/log/b.log", vec![(0, b"x\ny")], End::Stopped),
        ],
    )
    .await;
    let names: Vec<&str> = evidence.iter().map(|e| e.source.as_str()).collect();
    assert_eq!(names, ["journald", "/var/log/a.log", "/var/log/b.log", "/var/log/gone.log"]);
    assert_eq!(evidence.iter().map(|e| logs(e).total_lines).collect::<Vec<_>>(), [1, 1, 2, 0]);
    assert_eq!(evidence.iter().map(|e| e.gaps.len()).collect::<Vec<_>>(), [0, 1, 0, 1]);
    assert_eq!(evidence[3].gaps[0].span, Timestamp(T0)..Timestamp(T0 + 240_000));
    assert_eq!(logs(&evidence[0]).lines[0].level, Some(Level::Error));
    let said: Vec<&str> = events.iter().map(|(_, c)| c.as_str()).collect();
    assert_eq!(
        said,
        [
            "relative.log: a log file needs an absolute path",
            "following journald",
            "following /var/log/a.log",
            "following /var/log/b.log",
            "/var/log/gone.log: no such program",
            "journald: 1 line, 1 pattern, 1 severe",
            "/var/log/a.log: the connection was lost",
            "/var/log/a.log: 1 line, 1 pattern, 0 severe",
            "/var/log/b.log: 2 lines, 2 patterns, 0 severe",
        ]
    );
}

#[tokio::test]
async fn what_never_ends_or_loses_what_is_read_is_not_read() {
    let (evidence, events) = collect(
        facts(true, true, &[]),
        &["/dev/zero", "/run/pipe", "/srv/app.log"],
        vec![
            ("journalctl -o json", vec![], End::Stopped),
            ("stat -L -c %F -- /dev/zero", vec![(0, b"character special file\n")], End::Exited(0)),
            ("stat -L -c %F -- /run/pipe", vec![(0, b"fifo\n")], End::Exited(0)),
            ("stat -L -c %F -- /srv/app.log", vec![(0, b"regular empty file\n")], End::Exited(0)),
            ("tail -n 1000 -F /srv/app.log", vec![(0, b"one line\n")], End::Stopped),
        ],
    )
    .await;
    assert_eq!(evidence.iter().map(|e| e.source.as_str()).collect::<Vec<_>>(), ["journald", "/srv/app.log"]);
    let said: Vec<&str> = events.iter().filter(|(k, _)| *k == EventType::Error).map(|(_, c)| c.as_str()).collect();
    assert_eq!(
        said,
        [
            "/dev/zero: not read, as it is a character special file, not a regular file",
            "/run/pipe: not read, as it is a fifo, not a regular file",
        ]
    );
}

#[tokio::test]
async fn a_source_whose_target_was_away_goes_on_with_what_is_new() {
    let lost = || End::Failed(Error::new(ErrorKind::Unreachable, "the connection was lost"));
    let (evidence, events) = collect(
        facts(true, false, &["/var/log/a.log", "/var/log/b.log"]),
        &[],
        vec![
            ("cat /dev/kmsg", vec![], lost()),
            ("tail -n 1000 -F /var/log/a.log", vec![(0, b"one line\ntorn")], lost()),
            ("tail -n 0 -F /var/log/a.log", vec![(9000, b"another line\n")], End::Stopped),
            ("tail -n 1000 -F /var/log/b.log", vec![(0, b"one line\n")], lost()),
        ],
    )
    .await;
    assert_eq!(
        evidence.iter().map(|e| e.source.as_str()).collect::<Vec<_>>(),
        ["kernel", "/var/log/a.log", "/var/log/b.log"]
    );
    let texts: Vec<&str> = logs(&evidence[1]).lines.iter().map(|l| l.text.as_str()).collect();
    assert_eq!(texts, ["one line", "torn", "another line"]);
    assert_eq!(evidence.iter().map(|e| e.gaps.len()).collect::<Vec<_>>(), [1, 1, 1]);
    let lost: Vec<_> = events.iter().filter(|(kind, _)| *kind == EventType::Error).collect();
    assert_eq!(lost.len(), 3, "{events:?}");
}

#[tokio::test]
async fn a_journal_that_can_not_give_some_fields_only_gives_all() {
    let refused = b"journalctl: unrecognized option '--output-fields=MESSAGE,PRIORITY'\n";
    let (evidence, events) = collect(
        facts(true, true, &[]),
        &[],
        vec![
            ("journalctl -o json --output-fields", vec![(0, refused)], End::Exited(1)),
            ("journalctl -o json --all -f", vec![(5, b"{\"MESSAGE\":\"a b\",\"PRIORITY\":\"3\"}\n")], End::Stopped),
        ],
    )
    .await;
    assert_eq!((logs(&evidence[0]).total_lines, evidence[0].gaps.len()), (1, 0));
    assert!(events.iter().all(|(kind, _)| *kind != EventType::Error), "{events:?}");
}

#[tokio::test]
async fn without_an_uptime_nothing_tells_when_the_kernel_spoke() {
    let script = vec![("cat /dev/kmsg", vec![(0, &b"3,1,90000000,-;Out of memory\n"[..])], End::Stopped)];
    let (evidence, _) = collect(Facts { uptime_s: 0.0, ..facts(true, false, &[]) }, &[], script).await;
    assert!(evidence.is_empty());
}

#[tokio::test]
async fn without_a_journal_the_kernel_is_followed_and_its_times_count_from_boot() {
    let script = vec![("cat /dev/kmsg", vec![(0, &b"3,1,90000000,-;Out of memory\n"[..])], End::Stopped)];
    let (evidence, _) = collect(facts(true, false, &[]), &[], script).await;
    assert_eq!(evidence[0].source, "kernel");
    assert_eq!(logs(&evidence[0]).lines[0].at, Timestamp(T0 - 10_000));
}

#[tokio::test]
async fn a_directory_of_files_is_read_by_its_own_times() {
    let script = vec![("cat logs/app.log", vec![(0, &b"2019-01-01 00:00:00 ERROR x\n"[..])], End::Exited(0))];
    let (evidence, _) = collect(facts(false, false, &["logs/app.log"]), &[], script).await;
    assert_eq!(logs(&evidence[0]).lines[0].at, Timestamp::parse("2019-01-01T00:00:00Z").unwrap());
    assert!(evidence[0].gaps.is_empty());
}

#[tokio::test]
async fn what_broke_off_is_not_called_silent() {
    let mut miner = LogMiner::new(Timestamp(T0));
    for s in 0..120 {
        miner.push(Timestamp(T0 + s * 1000), b"heartbeat sent\n");
    }
    let logs = miner.finish();
    let span = |a: i64, b: i64| Timestamp(T0 + a * 1000)..Timestamp(T0 + b * 1000);
    let observe = |gaps| Observation {
        facts: Facts::default(),
        baseline: Some(span(0, 120)),
        observed: span(120, 240),
        evidence: [Evidence { source: "x".into(), body: Body::Logs(logs.clone()), gaps }].into_iter().collect(),
    };
    let why = Error::new(ErrorKind::Unreachable, "lost");
    let cx = AgentContext::detached("LogAgent", Instant::now());
    let agent = LogAgent::default();
    let silent: Vec<Finding> = agent.run(&cx, &observe(vec![])).await.unwrap();
    let blind: Vec<Finding> = agent.run(&cx, &observe(vec![Gap { span: span(120, 240), why }])).await.unwrap();
    assert_eq!((silent.len(), blind.len()), (1, 0));
}

#[tokio::test]
async fn what_broke_off_for_a_while_is_not_called_late() {
    let mut miner = LogMiner::new(Timestamp(T0));
    for s in (0..240).step_by(5).filter(|s| !(150..200).contains(s)) {
        miner.push(Timestamp(T0 + s * 1000), b"heartbeat sent\n");
    }
    let logs = miner.finish();
    let span = |a: i64, b: i64| Timestamp(T0 + a * 1000)..Timestamp(T0 + b * 1000);
    let cx = AgentContext::detached("LogAgent", Instant::now());
    let mut told = Vec::new();
    for gaps in [vec![], vec![Gap { span: span(150, 200), why: Error::new(ErrorKind::Unreachable, "lost") }]] {
        let seen = Observation {
            facts: Facts::default(),
            baseline: Some(span(0, 120)),
            observed: span(120, 240),
            evidence: [Evidence { source: "x".into(), body: Body::Logs(logs.clone()), gaps }].into_iter().collect(),
        };
        let found: Vec<Finding> = LogAgent::default().run(&cx, &seen).await.unwrap();
        told.push(found.into_iter().map(|f| f.summary).collect::<Vec<_>>());
    }
    assert_eq!(told, [vec!["x: heartbeat sent (none for 55 s, every 5.0 s before)".to_owned()], vec![]]);
}
