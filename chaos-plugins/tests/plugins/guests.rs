//! The examples as they are committed, and those in Python and JavaScript where their tools are.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use chaos_core::{
    agent::AgentContext,
    audit::sha256_hex,
    clock::SystemClock,
    model::{Body, Evidence, Finding, Incident, LogLine, Logs, Observation, RunOptions, Signal, Timestamp},
    pipeline::Pipeline,
    sinks::Memory,
    transports::Files,
};
use chaos_plugins::{Kind, Language, Limits, Plugin, embed, inspect, template};

use crate::support::{host, little, load_with, of};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/plugins")
}

fn built(name: &str) -> Vec<u8> {
    std::fs::read(examples().join("built").join(format!("{name}.wasm"))).unwrap()
}

async fn on_the_sample(plugin: Plugin) -> Incident {
    let clock = Arc::new(SystemClock::default());
    let files = Files::open(&[examples().join("jvm-gc/sample")], clock.clone()).unwrap();
    let plugins = of([plugin]);
    let pipeline = Pipeline::new(Arc::new(files), clock, Arc::new(Memory::default()), RunOptions::default());
    let run = pipeline.map_agents(|agents| plugins.register(agents)).start().await.unwrap();
    run.outcome().await.unwrap().incident
}

fn found<'a>(incident: &'a Incident, name: &str) -> Vec<&'a Finding> {
    assert_eq!(incident.errors.len(), 0, "{:?}", incident.errors);
    incident.findings.iter().map(|(_, f)| f).filter(|f| f.agent.as_str() == name).collect()
}

#[test]
fn what_is_committed_is_what_was_built() {
    let sums = std::fs::read_to_string(examples().join("built/SHA256SUMS")).unwrap();
    assert_eq!(sums.lines().count(), 3);
    for line in sums.lines() {
        let (sum, file) = line.split_once("  ").unwrap();
        assert_eq!(sha256_hex(&std::fs::read(examples().join("built").join(file)).unwrap()), sum, "{file}");
        let name = file.trim_end_matches(".wasm");
        let about = inspect(&built(name)).unwrap();
        assert_eq!(about.manifest.name, name);
        let source = std::fs::read_to_string(examples().join(name).join("plugin.toml")).unwrap();
        assert_eq!(
            chaos_plugins::Manifest::parse(&source).unwrap(),
            about.manifest,
            "built before the manifest changed"
        );
        assert_eq!(about.probes(), name == "cert-expiry");
        assert_eq!(about.kind, if name == "systemd-restart" { Kind::Fixer } else { Kind::Detector });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn long_collections_are_found_in_the_sample() {
    let incident = on_the_sample(load_with(&built("jvm-gc"), Limits::default())).await;
    let [finding] = found(&incident, "jvm-gc")[..] else { panic!("{:?}", incident.findings) };
    assert_eq!(finding.signal, Signal::Other { name: "jvm.heap.exhausted".into() });
    assert!(finding.summary.contains("free next to nothing") && finding.onset.is_some(), "{}", finding.summary);
    assert!(finding.summary.contains("(10 % and more count as a finding)"), "{}", finding.summary);
    let seen = incident.observation.as_ref().unwrap();
    let Body::Logs(logs) = &seen.evidence.get(finding.cites[0].evidence).unwrap().body else {
        panic!("it cites a log");
    };
    for cite in &finding.cites {
        let line = &logs.lines[cite.rows.start as usize].text;
        assert!(line.contains("Pause Full"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_a_text_moves_no_row_when_it_stands_in_one() {
    let line = |text: &str| LogLine {
        at: Timestamp(7),
        level: None,
        unit: Some("java".into()),
        pid: None,
        text: text.into(),
        pattern: 0,
    };
    let pause = |n: u32| format!("GC({n}) Pause Full (Ergonomics) 100M->99M(100M) 900.0ms");
    let texts = ["\0".into(), format!("a\0\0{}", pause(1)), "in\0between".into(), String::new(), pause(2)];
    let lines: Vec<LogLine> = texts.iter().map(|text| line(text)).collect();
    let logs = Logs { total_lines: lines.len() as u64, lines, ..Logs::default() };
    let evidence = Evidence { source: "gc.log".into(), body: Body::Logs(logs), gaps: Vec::new() };
    let seen = Observation { evidence: [evidence].into_iter().collect(), ..little() };
    let plugin = load_with(&built("jvm-gc"), Limits::default());
    let cx = AgentContext::detached("jvm-gc", tokio::time::Instant::now());
    let [finding] = &plugin.detect(&cx, &seen, None).await.unwrap()[..] else { panic!("one finding") };
    let rows: Vec<_> = finding.cites.iter().map(|c| c.rows.clone()).collect();
    assert_eq!(rows, [1..2, 4..5]);
}

/// Builds the example with its tool, or says why not. These tools are no part of the continuous integration: what they
/// make is 1 and 18 MB and not committed, so a machine without them skips this, there too. `cargo xtask guests` gets them.
fn foreign(name: &str, tool: &str, variable: &str, args: &[&str]) -> Option<Vec<u8>> {
    let program = std::env::var(variable).unwrap_or_else(|_| tool.to_owned());
    let out = tempfile::tempdir().unwrap();
    let wasm = out.path().join("out.wasm");
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("wit/0.1.0");
    let args = args.iter().map(|a| if *a == "WIT" { wit.as_os_str() } else { a.as_ref() });
    let status = Command::new(&program).current_dir(examples().join(name)).args(args).arg(&wasm).output();
    let output = match status {
        Ok(output) => output,
        Err(e) => {
            eprintln!("skipped, also in CI: {program} is not here ({e}); {variable} can name it");
            return None;
        }
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let manifest = std::fs::read_to_string(examples().join(name).join("plugin.toml")).unwrap();
    Some(embed(&std::fs::read(wasm).unwrap(), &manifest).unwrap())
}

async fn finds_the_same(component: &[u8], name: &str) {
    let plugin = load_with(component, Limits { time_ms: 50_000, ..Limits::default() });
    let incident = on_the_sample(plugin).await;
    let [finding] = found(&incident, name)[..] else { panic!("{:?}", incident.findings) };
    assert_eq!(finding.signal, Signal::Other { name: "jvm.gc.pause".into() });
    assert!(finding.summary.starts_with("79 garbage collections of 500 ms or longer (79 full)"), "{}", finding.summary);
    assert_eq!(finding.cites.len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_in_javascript_finds_them_too() {
    let args =
        ["--wit", "WIT", "--js", "plugin.js", "-n", "detector-plugin", "--stub-wasi", "--sync", "--opt-size", "-o"];
    if let Some(component) = foreign("jvm-gc-js", "componentize-qjs", "COMPONENTIZE_QJS", &args) {
        finds_the_same(&component, "jvm-gc-js").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_in_python_finds_them_too() {
    let args = ["-d", "WIT", "-w", "detector-plugin", "componentize", "--stub-wasi", "app", "-o"];
    if let Some(component) = foreign("jvm-gc-python", "componentize-py", "COMPONENTIZE_PY", &args) {
        finds_the_same(&component, "jvm-gc-python").await;
    }
}

#[test]
fn templates_are_whole_and_named() {
    for (language, kind) in [
        (Language::Rust, Kind::Detector),
        (Language::Rust, Kind::Fixer),
        (Language::Python, Kind::Detector),
        (Language::JavaScript, Kind::Detector),
    ] {
        let files = template("my-plugin", language, kind).unwrap();
        let manifest = files.iter().find(|(name, _)| *name == "plugin.toml").map(|(_, text)| text).unwrap();
        assert_eq!(chaos_plugins::Manifest::parse(manifest).unwrap().name, "my-plugin");
        assert!(files.iter().any(|(name, text)| name.ends_with("plugin.wit") && text.contains("chaos:plugin@0.1.0")));
        assert!(!files.iter().any(|(_, text)| text.contains("\"NAME\"")), "every name is filled in");
    }
    assert!(template("LogAgent", Language::Rust, Kind::Detector).is_err());
    assert!(host().is_pooled(), "the tests run on a pool, as a user's process does");
}
