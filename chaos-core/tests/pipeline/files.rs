//! The built-in agents on directories of files, the most hostile ones too.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use chaos_core::{
    clock::SystemClock,
    model::{RunOptions, Status},
    pipeline::{Outcome, Pipeline},
    sinks::{Dir, Memory},
    transports::Files,
};

async fn analyze(logs: &Path, sink: Arc<dyn chaos_core::artifact::ArtifactSink>) -> Outcome {
    let clock = Arc::new(SystemClock::default());
    let files = Files::open(&[logs.to_owned()], clock.clone()).unwrap();
    let pipeline = Pipeline::new(Arc::new(files), clock, sink, RunOptions::default());
    pipeline.start().await.unwrap().outcome().await.unwrap()
}

fn all_files(root: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all_files(&path, found) } else { found.push(path) }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_in_logs_reach_no_file_of_the_incident() {
    let (logs, place) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let secrets = [
        "hunter2-correct-horse",
        "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQDsecretbody",
        "ghp_0123456789abcdefghijABCDEFGHIJ012345",
        "AKIAIOSFODNN7EXAMPLE",
    ];
    let text = format!(
        "2026-11-24T08:00:00Z ERROR db: cannot connect with password={} to db1\n\
         2026-11-24T08:00:01Z ERROR key follows\n-----BEGIN PRIVATE KEY-----\n{}\n{}\n-----END PRIVATE KEY-----\n\
         2026-11-24T08:00:02Z ERROR push to github failed, token {} refused\n\
         2026-11-24T08:00:03Z ERROR aws said no to {}\n",
        secrets[0], secrets[1], secrets[1], secrets[2], secrets[3],
    );
    std::fs::write(logs.path().join("app.log"), text.repeat(20)).unwrap();
    let sink = Arc::new(Dir::open(place.path()).unwrap());
    let outcome = analyze(logs.path(), sink).await;
    assert_eq!(outcome.incident.status, Status::Completed);
    assert!(outcome.report.markdown.contains("cannot connect"), "{}", outcome.report.markdown);
    let mut files = Vec::new();
    all_files(place.path(), &mut files);
    assert!(files.len() >= 8, "{files:?}");
    for file in files {
        let text = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).into_owned();
        for secret in secrets {
            assert!(!text.contains(secret), "{} in {}", secret, file.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_logs_are_read_to_their_end() {
    let logs = tempfile::tempdir().unwrap();
    let mut bytes = Vec::new();
    for n in 0..2000 {
        // Times run backwards, and jump.
        let (minute, second) = (59 - n / 60 % 60, 59 - n % 60);
        bytes.extend(format!("2026-11-24T08:{minute:02}:{second:02}Z INFO request {n} served\n").bytes());
    }
    bytes.extend(b"\x00\x00\x00\n\xff\xfe\xfd invalid \x80 utf-8\n");
    bytes.extend(b"0000-99-99T99:99:99Z ERROR no such time\n");
    std::fs::write(logs.path().join("odd.log"), &bytes).unwrap();
    let mut huge = b"2026-11-24T08:00:00Z ERROR one huge line: ".to_vec();
    huge.resize(10 << 20, b'x');
    std::fs::write(logs.path().join("huge.log"), &huge).unwrap();
    std::fs::write(logs.path().join("nul.log"), vec![0; 1 << 20]).unwrap();
    std::fs::write(logs.path().join("empty.log"), b"").unwrap();
    std::fs::write(logs.path().join("<script>|`x`\n.log"), "2026-11-24T08:00:00Z ERROR a name of markup\n").unwrap();
    let outcome = analyze(logs.path(), Arc::new(Memory::default())).await;
    assert_eq!(outcome.incident.status, Status::Completed, "{:?}", outcome.incident.reason);
    assert!(outcome.storage_error.is_none());
    let seen = outcome.incident.observation.as_ref().unwrap();
    let lines: u64 =
        seen.logs().filter(|(_, source, _)| source.ends_with("odd.log")).map(|(_, _, l)| l.total_lines).sum();
    assert!((2002..=2003).contains(&lines), "{lines} lines");
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, pulldown_cmark::Parser::new(&outcome.report.markdown));
    assert!(!html.contains("<script"), "markup is passed on");
    assert!(outcome.report.markdown.len() < 1 << 20, "{} bytes of report", outcome.report.markdown.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_with_holes_and_no_sense_are_read_as_far_as_they_make_sense() {
    let logs = tempfile::tempdir().unwrap();
    let at = |n: i64| format!("2026-11-24T08:{:02}:{:02}Z", n / 60, n % 60);
    let points: Vec<String> = (0..600)
        // An hour's gap is in the middle of it, and every tenth is missing.
        .filter(|n| !(200..300).contains(n))
        .map(|n| {
            let value =
                if n % 10 == 0 { "null".to_owned() } else { format!("{}", 0.2 + f64::from(n as i32 % 7) / 100.0) };
            format!(r#"{{"timestamp":"{}","value":{value}}}"#, at(n))
        })
        .collect();
    std::fs::write(logs.path().join("good.prom"), "load 0.5\nbroken{ 1\nnan NaN\ninf +Inf\n").unwrap();
    std::fs::write(
        logs.path().join("metrics.json"),
        format!(r#"{{"series":[{{"name":"system.cpu.utilization","unit":"1","points":[{}]}}]}}"#, points.join(",")),
    )
    .unwrap();
    std::fs::write(logs.path().join("nan.json"), r#"{"cpu": NaN, "x": [1, 2"#).unwrap();
    std::fs::write(
        logs.path().join("series.csv"),
        "time,value\n2026-11-24T08:00:00Z,NaN\n2026-11-24T08:00:01Z,1e400\n2026-11-24T08:00:02Z,x\n",
    )
    .unwrap();
    std::fs::write(logs.path().join("app.log"), "2026-11-24T08:00:00Z INFO started\n").unwrap();
    let outcome = analyze(logs.path(), Arc::new(Memory::default())).await;
    assert_eq!(outcome.incident.status, Status::Completed, "{:?}", outcome.incident.reason);
    assert!(outcome.incident.errors.iter().any(|e| e.contains("nan.json")), "{:?}", outcome.incident.errors);
    let seen = outcome.incident.observation.unwrap();
    assert!(seen.series().count() >= 2, "{:?}", seen.series().map(|(_, s)| &s.name).collect::<Vec<_>>());
}
