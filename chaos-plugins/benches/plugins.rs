//! What plugins cost. Prints medians; asserts nothing about time.

#![allow(clippy::print_stdout, reason = "a measurement is printed")]
#![allow(clippy::unwrap_used, reason = "a measurement that can't be made ends here")]

#[allow(unreachable_pub, dead_code, unused_imports)]
#[path = "../../examples/plugins/jvm-gc/src/lib.rs"]
mod jvm_gc;

#[path = "shared/events.rs"]
mod events;

use std::{
    fmt::Write as _,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use chaos_core::{
    agent::{AgentContext, Diagnosed},
    clock::SystemClock,
    model::{Body, Confidence, Diagnosis, Evidence, Facts, LogLine, Logs, Observation, RunOptions, Timestamp, Verdict},
    pipeline::Pipeline,
    sinks::Memory,
    transports::Files,
};
use chaos_plugins::{Grants, Host, Plugin, Plugins, embed, read};

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/plugins/built/jvm-gc.wasm");
    let component = read(&built).unwrap();
    let fixer = read(&built.with_file_name("systemd-restart.wasm")).unwrap();
    runtime.block_on(calls(&component, &fixer));
    loads(&component);
    idle(&component);
    runtime.block_on(incident(&component));
}

fn median(took: Vec<Duration>) -> f64 {
    spread(took).0
}

/// The median and the fastest, which is what is left of a measurement on a machine that others use.
fn spread(mut took: Vec<Duration>) -> (f64, f64) {
    took.sort();
    (took[took.len() / 2].as_secs_f64() * 1e6, took[0].as_secs_f64() * 1e6)
}

fn observation(count: usize) -> Observation {
    let line = |n| LogLine {
        at: Timestamp(events::at(n)),
        level: None,
        unit: Some("app.service".into()),
        pid: Some(7),
        text: events::text(n),
        pattern: 0,
    };
    let lines: Vec<LogLine> = (0..count).map(line).collect();
    let total_lines = lines.len() as u64;
    let body = Body::Logs(Logs { lines, patterns: vec![], total_lines, total_bytes: 0 });
    let evidence = Evidence { source: "journald".into(), body, gaps: vec![] };
    Observation {
        facts: Facts::default(),
        baseline: None,
        observed: Timestamp(1_795_000_000_000)..Timestamp(1_795_000_600_000),
        evidence: (if count == 0 { vec![] } else { vec![evidence] }).into_iter().collect(),
    }
}

/// The same, as a guest has it.
fn native(seen: &Observation) -> chaos_plugin::Observation {
    let Body::Logs(logs) = &seen.evidence.iter().next().unwrap().1.body else { unreachable!() };
    let mut same =
        chaos_plugin::Observation::empty().with_log("journald", logs.lines.iter().map(|l| (l.at.0, &l.text)));
    let chaos_plugin::Body::Logs(stream) = &mut same.evidence[0].body else { unreachable!() };
    stream.units.push("app.service".into());
    stream.writers.fill(1);
    stream.pids.fill(7);
    same
}

/// What a fixer that has nothing to do is told of the same.
fn healthy(seen: Observation) -> Diagnosed {
    let diagnosis = Diagnosis::new(Verdict::Healthy, "Healthy", Confidence::new(1.0));
    let (findings, answers) = Default::default();
    Diagnosed { seen: seen.into(), findings, answers, diagnosis: diagnosis.into() }
}

async fn calls(component: &[u8], fixer: &[u8]) {
    let host = Host::new().unwrap();
    let plugin = host.load(component, &Grants::default()).unwrap();
    let cx = AgentContext::detached("jvm-gc", tokio::time::Instant::now());
    let time = async |seen: &Observation, times: usize| {
        let mut took = Vec::new();
        for _ in 0..times {
            let started = Instant::now();
            plugin.detect(&cx, seen, None).await.unwrap();
            took.push(started.elapsed());
        }
        spread(took.split_off(times / 10))
    };
    let (nothing, fastest) = time(&observation(0), 5000).await;
    println!(
        "plugins: an instance and a call with nothing to see: {nothing:.1} µs (median of 5000, the fastest {fastest:.1})"
    );
    let seen = observation(8000);
    let Body::Logs(logs) = &seen.evidence.iter().next().unwrap().1.body else { unreachable!() };
    let bytes: usize = logs.lines.iter().map(|l| l.text.len()).sum();
    let in_wasm = time(&seen, 200).await;
    let fixer = host.load(fixer, &Grants::default()).unwrap();
    let input = healthy(observation(8000));
    let mut took = Vec::new();
    for _ in 0..200 {
        let started = Instant::now();
        fixer.propose(&cx, &input).await.unwrap();
        took.push(started.elapsed());
    }
    let unread = spread(took.split_off(20));
    let guest = native(&seen);
    let took = (0..200).map(|_| {
        let started = Instant::now();
        std::hint::black_box(jvm_gc::found(std::hint::black_box(&guest), 500.0, 0.1));
        started.elapsed()
    });
    let natively = spread(took.collect());
    println!("plugins: {:.2} MB in {} log events, medians (the fastest):", bytes as f64 / 1e6, logs.lines.len());
    let told = |what: &str, (median, fastest): (f64, f64)| println!("  {what}: {median:.0} µs ({fastest:.0})");
    told("the plugin", in_wasm);
    told("a plugin that reads none of them", unread);
    told("the same detector natively, on records that need not be copied", natively);
    println!("  the plugin by natively: {:.1} × ({:.1} ×)", in_wasm.0 / natively.0, in_wasm.1 / natively.1);
}

fn loads(component: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    let host = Host::new().unwrap().with_cache(dir.path().join("cache"));
    let started = Instant::now();
    host.load(component, &Grants::default()).unwrap();
    let first = started.elapsed().as_secs_f64() * 1e3;
    let took = (0..100).map(|_| {
        let started = Instant::now();
        assert!(host.load(component, &Grants::default()).unwrap().was_cached());
        started.elapsed()
    });
    println!(
        "plugins: to load one of {} KB: {first:.1} ms compiling, {:.2} ms cached",
        component.len() / 1000,
        median(took.collect()) / 1e3
    );
}

fn many(host: &Host, component: &[u8], count: usize) -> Vec<Plugin> {
    let named = |n| embed(component, &format!("name = \"copy-{n}\"\nversion = \"1\"\n")).unwrap();
    (0..count).map(|n| host.load(&named(n), &Grants::default()).unwrap()).collect()
}

fn idle(component: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let host = Host::new().unwrap().with_cache(&cache);
    drop(many(&host, component, 50));
    let entries = std::fs::read_dir(&cache).unwrap().map(|e| e.unwrap().metadata().unwrap().len());
    let code = entries.sum::<u64>() / 50;
    let before = resident_kb();
    let plugins = many(&host, component, 50);
    let each = resident_kb().saturating_sub(before) / plugins.len() as u64;
    println!("plugins: an idle one holds {each} KB of resident memory; its compiled code is {} KB", code / 1000);
}

fn resident_kb() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

async fn incident(component: &[u8]) {
    let dir = tempfile::tempdir().unwrap();
    let mut log = String::new();
    for n in 0..100_000_u32 {
        let (s, ms) = (n / 50, n % 50 * 20);
        let at = format!("2026-11-24T{:02}:{:02}:{:02}.{ms:03}Z", 8 + s / 3600, s / 60 % 60, s % 60);
        let _ = match n % 9 {
            0 => writeln!(log, "{at} INFO db: query took {} ms rows={}", n % 97, n % 1013),
            1 => writeln!(log, "{at} WARNING cache: miss for key user:{:x}", n.wrapping_mul(2_654_435_761)),
            _ => writeln!(log, "{at} INFO http: GET /api/v1/items/{} 200 {} us", n % 10_007, n % 9_001),
        };
    }
    std::fs::write(dir.path().join("app.log"), log).unwrap();
    let host = Host::new().unwrap();
    let twenty = many(&host, component, 20);
    let plugins = Plugins { loaded: twenty.into_iter().map(|p| ("x".into(), p)).collect(), refused: vec![] };
    let none = Plugins::default();
    let time = async |plugins: &Plugins| {
        let mut took = Vec::new();
        for _ in 0..7 {
            let clock = Arc::new(SystemClock::default());
            let files = Files::open(&[dir.path().to_owned()], clock.clone()).unwrap();
            let sink = Arc::new(Memory::default());
            let pipeline = Pipeline::new(Arc::new(files), clock, sink, RunOptions::default());
            let started = Instant::now();
            let run = pipeline.map_agents(|agents| plugins.register(agents)).start().await.unwrap();
            let outcome = run.outcome().await.unwrap();
            assert!(outcome.incident.errors.is_empty(), "{:?}", outcome.incident.errors);
            took.push(started.elapsed());
        }
        median(took) / 1e3
    };
    let (without, with) = (time(&none).await, time(&plugins).await);
    println!(
        "plugins: 20 of them in an incident of 100,000 lines: {with:.0} ms, without: {without:.0} ms (+{:.0} ms)",
        with - without
    );
}
