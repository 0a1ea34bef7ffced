//! Whole agents over recorded frames.

mod hosts;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::Instant;

use super::*;
use crate::{
    agent::{Agent, AgentContext},
    clock::SystemClock,
    error::{Error, ErrorKind, Result},
    host::ReadOnlyHost,
    model::*,
    readonly::AllowList,
    transport::{Capabilities, Chunk, Reply, Request, Stop, Stream, Transport},
};

/// What one ask is answered, time after time.
type Answers = Vec<(Vec<u8>, End)>;

/// Answers each ask with what was scripted for its nth time, as a replay does.
struct Script {
    answers: Mutex<BTreeMap<Ask, Answers>>,
}

#[async_trait]
impl Transport for Script {
    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }
    fn target(&self) -> TargetInfo {
        TargetInfo::default()
    }
    async fn open(&self, request: &Request) -> Result<Reply> {
        let mut answers = self.answers.lock().unwrap();
        let left = answers.get_mut(&request.ask).filter(|a| !a.is_empty());
        let Some((bytes, end)) = left.map(|a| a.remove(0)) else {
            return Err(Error::new(ErrorKind::NotRecorded, "not recorded"));
        };
        let n = Timestamp(5000 * answers.values().map(|a| 9 - a.len() as i64).sum::<i64>());
        let (writer, reply) = Reply::pair(1 << 30);
        for piece in bytes.chunks(1000) {
            writer.push(Chunk { at: n, stream: Stream::Stdout, bytes: piece.to_vec() })?;
        }
        writer.finish(end, n);
        Ok(reply)
    }
}

fn host(facts: Facts, answers: impl IntoIterator<Item = (Ask, Answers)>) -> ReadOnlyHost {
    ReadOnlyHost::new(
        Arc::new(Script { answers: Mutex::new(answers.into_iter().collect()) }),
        Arc::new(SystemClock::default()),
        Arc::new(facts),
        Arc::new(AllowList::default().with_script(SAMPLER)),
        AgentName::new("MetricsAgent"),
        Instant::now() + Duration::from_secs(60),
        Stop::default(),
        Arc::default(),
    )
}

fn context() -> AgentContext {
    AgentContext::detached("MetricsAgent", Instant::now() + Duration::from_secs(60))
}

fn live() -> Facts {
    Facts { live: true, ..Facts::default() }
}

fn sampler(bytes: &[u8], end: End) -> (Ask, Answers) {
    (Ask::run(["sh", "-c", SAMPLER]), vec![(bytes.to_vec(), end)])
}

async fn collect(agent: &MetricsAgent, host: &ReadOnlyHost) -> Vec<Evidence> {
    Agent::<ReadOnlyHost, Vec<Evidence>>::run(agent, &context(), host).await.unwrap()
}

/// What the agent finds in a recording whose first 17 frames are the baseline.
async fn found(frames: &str) -> Vec<Finding> {
    let host = host(live(), [sampler(frames.as_bytes(), End::Stopped)]);
    let agent = MetricsAgent::default();
    let evidence = collect(&agent, &host).await;
    let Body::Metric(load) = &evidence
        .iter()
        .find(|e| matches!(&e.body, Body::Metric(s) if s.name == "system.cpu.load_average.1m"))
        .unwrap()
        .body
    else {
        panic!()
    };
    let (start, split, end) =
        (Timestamp(load.at[0]), Timestamp(load.at[17]), Timestamp(load.at[load.at.len() - 1] + 1000));
    let seen = Observation {
        facts: live(),
        baseline: Some(start..split),
        observed: split..end,
        evidence: evidence.into_iter().collect(),
    };
    let findings = Agent::<Observation, Vec<Finding>>::run(&agent, &context(), &seen).await.unwrap();
    for f in &findings {
        println!("{:.2} {:?} {}", f.score, f.entity.kind, f.summary);
        assert!(f.cites.iter().all(|c| seen.holds(c)), "{f:?}");
        assert!((0.0..=1.0).contains(&f.score));
    }
    let again = Agent::<Observation, Vec<Finding>>::run(&agent, &context(), &seen).await.unwrap();
    assert_eq!(serde_json::to_string(&findings).unwrap(), serde_json::to_string(&again).unwrap());
    let file = parse_metrics_json(&metrics_json(&seen)).unwrap();
    assert_eq!(file.series.len(), seen.series().count());
    findings
}

fn has(findings: &[Finding], metric: &str, changes: &[Change], least: f64) -> bool {
    findings.iter().any(|f| {
        matches!(&f.signal, Signal::Metric { name, change, .. } if name == metric && changes.contains(change))
            && f.score >= least
    })
}

#[tokio::test]
async fn an_idle_machine_gives_nothing() {
    let findings = found(include_str!("../../../tests/data/proc/idle.frames")).await;
    assert!(findings.is_empty());
}

/// The idle machine's frames with rows of our own in every fifth.
fn idle_with(rows: impl Fn(usize) -> String) -> String {
    let idle = include_str!("../../../tests/data/proc/idle.frames");
    let frames = idle.split_inclusive("\nE\n").enumerate();
    let with = |(n, frame): (usize, &str)| match frame.strip_suffix("E\n") {
        Some(head) if n % 5 == 0 => format!("{head}{}E\n", rows(n)),
        _ => frame.to_owned(),
    };
    frames.map(with).collect()
}

#[tokio::test]
async fn a_service_that_stops_is_named_and_one_that_restarts_or_starts_is_not() {
    let findings = found(&idle_with(|n| {
        let mut rows = "u app.service\n".to_owned();
        for (unit, runs) in [("nginx", n < 20), ("restarted", n != 20), ("timer", n == 5), ("started", n > 20)] {
            if runs {
                rows.push_str(&format!("u {unit}.service\n"));
            }
        }
        rows
    }))
    .await;
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_eq!((findings[0].entity.kind, findings[0].entity.name.as_str()), (EntityKind::Unit, "nginx.service"));
    assert!(findings[0].summary.starts_with("nginx.service does not run any more since "), "{}", findings[0].summary);
}

#[tokio::test]
async fn round_trips_that_take_longer_are_seen_although_one_peer_is_far() {
    let slow = |n: usize| if n < 18 { "r 1.5\nr 2.5\nr 180\n" } else { "r 201.5\nr 203\nr 380\n" }.to_owned();
    let findings = found(&idle_with(slow)).await;
    assert!(has(&findings, "system.network.tcp.rtt", &[Change::LevelUp, Change::TrendUp], 0.5), "{findings:#?}");
    let newcomer = |n: usize| format!("r 1.5\nr 2.5\n{}", if n < 18 { "" } else { "r 400\n" });
    assert!(found(&idle_with(newcomer)).await.is_empty());
}

#[tokio::test]
async fn workers_of_one_group_are_one_culprit() {
    let findings = found(include_str!("../../../tests/data/proc/cpu_workers.frames")).await;
    assert!(has(&findings, "system.cpu.utilization", &[Change::Saturated], 0.8));
    let culprits: Vec<_> = findings.iter().filter(|f| f.entity.kind == EntityKind::Process).collect();
    assert_eq!(culprits.len(), 1);
    assert!(culprits[0].score > 0.7);
    assert_eq!(culprits[0].entity.attributes["count"], "4");
    assert_eq!(culprits[0].entity.attributes["pids"].split(',').count(), 4);
}

#[tokio::test]
async fn a_single_busy_process_is_named() {
    let findings = found(include_str!("../../../tests/data/proc/cpu_one.frames")).await;
    assert!(has(&findings, "system.cpu.utilization", &[Change::LevelUp], 0.5));
    assert!(has(&findings, "process.cpu.utilization", &[Change::LevelUp], 0.7));
}

#[tokio::test]
async fn growing_memory_is_a_trend_of_its_process() {
    let findings = found(include_str!("../../../tests/data/proc/memory_growth.frames")).await;
    let process = findings.iter().find(|f| f.entity.kind == EntityKind::Process).unwrap();
    assert!(process.summary.starts_with("memory of python3"), "{}", process.summary);
    assert!(process.summary.contains("MB/s"), "{}", process.summary);
    assert!(has(&findings, "process.memory.usage", &[Change::TrendUp], 0.8));
    assert!(has(&findings, "system.memory.utilization", &[Change::TrendUp], 0.2));
}

#[tokio::test]
async fn a_filling_disk_is_seen_although_it_is_sampled_every_five_seconds() {
    let findings = found(include_str!("../../../tests/data/proc/disk_fill.frames")).await;
    assert!(has(&findings, "system.filesystem.utilization", &[Change::TrendUp, Change::LevelUp], 0.5));
    assert!(findings.iter().any(|f| f.entity.kind == EntityKind::Filesystem && f.entity.name == "/"));
}

#[tokio::test]
async fn a_sampler_that_breaks_off_is_a_gap_and_what_came_before_stays() {
    let text = include_str!("../../../tests/data/proc/idle.frames");
    let host = host(live(), [sampler(&text.as_bytes()[..text.len() / 2], End::Exited(2))]);
    let evidence = collect(&MetricsAgent::default(), &host).await;
    assert!(evidence.len() > 20);
    let gaps: Vec<_> = evidence.iter().flat_map(|e| &e.gaps).collect();
    assert_eq!(gaps.len(), 1);
    assert!(gaps[0].why.to_string().contains("exit code 2"));
}

#[tokio::test]
async fn nothing_at_all_is_an_error() {
    let host = host(live(), []);
    let result = Agent::<ReadOnlyHost, Vec<Evidence>>::run(&MetricsAgent::default(), &context(), &host).await;
    assert_eq!(result.unwrap_err().kind(), ErrorKind::NotRecorded);
}

/// Two halves of the same recording, with the connection lost in between and again at the end.
#[tokio::test]
async fn a_target_that_was_away_is_sampled_on_and_one_that_stays_away_is_a_finding() {
    let text = include_str!("../../../tests/data/proc/idle.frames");
    let (one, two) = text.split_at(text.len() / 2);
    let lost = || End::Failed(Error::new(ErrorKind::Unreachable, "the connection broke"));
    let ask = Ask::run(["sh", "-c", SAMPLER]);
    for (answers, last, is_found) in [
        (vec![(one.into(), lost())], 60_000, true),
        (vec![(one.into(), lost()), (two.into(), End::Stopped)], 0, false),
        (vec![(one.into(), lost()), (two.into(), lost())], 60_000, true),
    ] {
        let count = answers.len();
        let host = host(live(), [(ask.clone(), answers)]);
        let mut evidence = Ledger::default();
        for one in collect(&MetricsAgent::default(), &host).await {
            evidence.push(one);
        }
        let gaps = evidence.iter().map(|(_, e)| e.gaps.len()).sum::<usize>();
        assert_eq!(gaps, if is_found { count } else { count - 1 });
        let observed = Timestamp(0)..Timestamp(0);
        let mut seen = Observation { facts: live(), baseline: None, observed, evidence };
        let end = seen.series().filter_map(|(_, s)| s.at.last()).max().unwrap() + last;
        seen.observed = Timestamp(0)..Timestamp(end);
        let found = away::find(&seen);
        assert_eq!(found.is_some(), is_found, "{found:?}");
        if let Some(found) = found {
            assert!(found.summary.contains("has not answered since") && found.summary.contains("connection broke"));
        }
    }
}

/// As on a host whose `/proc` is hidden.
#[tokio::test]
async fn a_sampler_without_a_sample_is_an_error() {
    let host = host(live(), [sampler(b"", End::Stopped)]);
    let result = Agent::<ReadOnlyHost, Vec<Evidence>>::run(&MetricsAgent::default(), &context(), &host).await;
    let why = result.unwrap_err();
    assert_eq!(why.kind(), ErrorKind::Unsupported);
    assert!(why.to_string().contains("not one sample"), "{why}");
}

#[tokio::test]
async fn a_replay_polls_as_often_as_was_recorded() {
    let get = Ask::HttpGet { port: 9100, path: "/metrics".into() };
    let body = |n: u32| (format!("# TYPE hits counter\nhits {n}\nqueue 3\n").into_bytes(), End::Exited(0));
    let down = (Vec::new(), End::Failed(Error::new(ErrorKind::Unreachable, "connection refused")));
    let answers = vec![body(0), body(50), down, body(100), (b"torn".to_vec(), End::Stopped)];
    let host = host(live(), [(get, answers), sampler(b"", End::Stopped)]);
    let mut evidence = collect(&MetricsAgent::new(Some((9100, "/metrics".into()))), &host).await;
    evidence.retain(|e| e.source != "/proc");
    let series: Vec<_> =
        evidence.iter().filter_map(|e| if let Body::Metric(s) = &e.body { Some(s) } else { None }).collect();
    let names: Vec<_> = series.iter().map(|s| (s.name.as_str(), s.values.len())).collect();
    assert_eq!(names, [("hits", 2), ("queue", 3)]);
    assert_eq!(series[0].values, [10.0, 5.0]);
    assert_eq!(evidence.iter().flat_map(|e| &e.gaps).count(), 1);
}

#[tokio::test]
async fn a_dead_targets_files_become_series() {
    let file = r#"{"schema_version":1,"window":{},"series":[{"name":"a","unit":"1","at":[1,2],"values":[0.5,null]}]}"#;
    let cat = |path: &str, text: &str| (Ask::run(["cat", path]), vec![(text.as_bytes().to_vec(), End::Exited(0))]);
    let files = ["/m/metrics.json", "/m/x.prom", "/m/y.csv", "/m/bad.csv"];
    let facts = Facts { metric_files: files.map(str::to_owned).to_vec(), ..Facts::default() };
    let host = host(
        facts,
        [
            cat(files[0], file),
            cat(files[1], "x{l=\"v\"} 1 1700000000000\nx{l=\"v\"} 2 1700000001000\n"),
            cat(files[2], "timestamp,value\n2026-01-01 00:00:00,1.5\n2026-01-01 00:05:00,2\n"),
            cat(files[3], "what?"),
        ],
    );
    let evidence = collect(&MetricsAgent::default(), &host).await;
    let shapes: Vec<_> = evidence.iter().map(|e| (e.source.as_str(), e.body.rows(), e.gaps.len())).collect();
    assert_eq!(shapes, [(files[0], 2, 0), (files[1], 2, 0), (files[2], 2, 0), (files[3], 0, 1)]);
}

#[test]
fn the_sampler_passes_the_allow_list_letter_by_letter() {
    assert!(AllowList::default().with_script(SAMPLER).check(&Ask::run(["sh", "-c", SAMPLER])).is_ok());
}

#[test]
fn a_metrics_file_that_is_wrong_is_refused_in_one_line() {
    for text in [
        "",
        "{}",
        r#"{"schema_version":2,"series":[]}"#,
        r#"{"schema_version":1,"series":[{"name":"a","unit":"1","at":[1],"values":[]}]}"#,
    ] {
        let error = parse_metrics_json(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(!error.to_string().contains('\n'));
    }
}

/// Two frames of a script, and the pid that it had.
fn sampled(script: &str) -> (Vec<Series>, u32) {
    sampled_frames(script, 2, |_| {})
}

/// The same of more; `after` gets all that is printed, as soon as a frame is.
fn sampled_frames(script: &str, frames: usize, mut after: impl FnMut(&str)) -> (Vec<Series>, u32) {
    use std::io::Read as _;
    let mut child = std::process::Command::new("sh")
        .args(["-c", script])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut sampler = crate::analysis::proc::ProcSampler::new();
    let (mut printed, mut buffer) = (Vec::new(), [0; 4096]);
    while String::from_utf8_lossy(&printed).matches("\nE\n").count() < frames {
        let n = stdout.read(&mut buffer).unwrap();
        assert!(n > 0, "it ended by itself");
        printed.extend_from_slice(&buffer[..n]);
        sampler.push(Timestamp(1), &buffer[..n]);
        after(&String::from_utf8_lossy(&printed));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    (sampler.finish(), child.id())
}

#[test]
fn what_is_missing_in_proc_only_drops_its_part() {
    let proc = tempfile::tempdir().unwrap();
    for file in ["uptime", "meminfo"] {
        std::fs::copy(format!("/proc/{file}"), proc.path().join(file)).unwrap();
    }
    let place = proc.path().to_str().unwrap();
    let script = SAMPLER.replace("\"/proc/", &format!("\"{place}/")).replace(" /proc/[", &format!(" {place}/["));
    let (series, _) = sampled(&script);
    let has = |prefix: &str| series.iter().any(|s| s.name.starts_with(prefix) && s.samples().count() > 0);
    assert!(has("system.memory.utilization"));
    for gone in ["system.cpu.utilization", "system.disk.io", "system.network.io", "system.linux.pressure", "process."] {
        assert!(!has(gone), "{gone}");
    }
}

/// What begins and ends between two frames is seen nowhere; who starts it again and again is.
#[test]
fn whoever_starts_what_is_over_at_once_is_who_is_busy() {
    use std::os::unix::process::CommandExt as _;
    let starts = "while :; do awk 'BEGIN { for (i = 0; i < 200000; i++); }'; done";
    let mut child = std::process::Command::new("sh").args(["-c", starts]).process_group(0).spawn().unwrap();
    let (series, _) = sampled_frames(SAMPLER, 6, |_| {});
    let group = format!("-{}", child.id());
    assert!(std::process::Command::new("kill").args(["-KILL", "--", &group]).status().unwrap().success());
    child.wait().unwrap();
    let of = |s: &&Series| s.name == "process.cpu.utilization" && s.attribute("process.pid") == child.id().to_string();
    let most = series.iter().filter(of).flat_map(Series::samples).map(|(_, share)| share).fold(0.0, f64::max);
    assert!(most > 0.02, "{most}");
}

/// A parent is counted what nobody saw of its children, and not again what was seen of them: by a `/proc` of our own, in
/// which one that used 150 ticks, 155 at its end, is waited for, together with one of 40 that came and went.
#[test]
fn what_was_seen_of_a_child_is_not_counted_again_for_its_parent() {
    let proc = tempfile::tempdir().unwrap();
    let write = |pid: u32, parent: u32, ticks: u32, ended: u32| {
        let stat = format!("{pid} (sh) S {parent} 100 100 0 -1 0 0 0 0 0 {ticks} 0 {ended} 0 20 0 1 0 7 4096 9 0\n");
        std::fs::create_dir_all(proc.path().join(pid.to_string())).unwrap();
        std::fs::write(proc.path().join(pid.to_string()).join("stat"), stat).unwrap();
    };
    std::fs::write(proc.path().join("uptime"), "1000.00 1.00\n").unwrap();
    write(100, 1, 0, 0);
    write(101, 100, 50, 0);
    let place = proc.path().to_str().unwrap();
    let script = SAMPLER.replace("\"/proc/", &format!("\"{place}/")).replace(" /proc/[", &format!(" {place}/["));
    let (mut seen, mut text) = (0, String::new());
    sampled_frames(&script, 5, |printed| {
        printed.clone_into(&mut text);
        let frames = printed.matches("\nE\n").count();
        if frames == seen {
            return;
        }
        seen = frames;
        match frames {
            1 => write(101, 100, 150, 0),
            2 => {
                std::fs::remove_dir_all(proc.path().join("101")).unwrap();
                write(100, 1, 0, 155 + 40);
            }
            _ => {}
        }
    });
    let ticks = |pid: &str| {
        let lines = text.lines().filter_map(|line| line.strip_prefix(&format!("P {pid} ")));
        lines.filter_map(|line| line.split(' ').nth(3)?.parse::<u32>().ok()).sum::<u32>()
    };
    assert_eq!((ticks("101"), ticks("100")), (100, 45), "{text}");
}

/// The script itself, on the machine that runs the tests.
#[test]
fn the_sampler_prints_frames_that_are_understood() {
    let (series, pid) = sampled(SAMPLER);
    for name in ["system.cpu.utilization", "system.memory.utilization", "system.process.count", "process.memory.usage"]
    {
        assert!(series.iter().any(|s| s.name == name && s.samples().count() > 0), "{name}");
    }
    // What measures must not measure itself.
    let own = [pid, std::process::id()].map(|pid| pid.to_string());
    assert!(!series.iter().any(|s| own.iter().any(|pid| s.attribute("process.pid") == pid)));
}
