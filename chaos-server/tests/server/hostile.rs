//! Strings and paths of somebody who means harm: in requests, and in what a host says.

use std::{fs, time::Duration};

use serde_json::json;

use crate::rig::Rig;

const NASTY: [&str; 6] = [
    "<script>alert(1)</script>",
    "\u{1b}[31mred\u{1b}]0;title\u{7}",
    "abc\u{202e}cba\u{2066}",
    "\"><img src=x onerror=alert(1)>",
    "a\r\nset-cookie: x=1",
    "../../../etc/passwd\u{0}",
];

#[tokio::test(flavor = "multi_thread")]
async fn hostile_strings_are_refused_and_shown_as_text() {
    let rig = Rig::new("allow_apply = true").await;
    let id = rig.start(json!({ "target": "demo" })).await;
    rig.over_by(&id, Duration::from_secs(60)).await;
    for nasty in NASTY {
        for (path, body) in [
            ("/start_incident".to_owned(), json!({ "target": nasty })),
            ("/start_incident".into(), json!({ "target": "here", "scenario": nasty })),
            (
                "/start_incident".into(),
                json!({ "target": "here", "scenario": "cpu_spike", "options": { "args": { nasty: 1 } } }),
            ),
            (
                "/start_incident".into(),
                json!({ "target": "here", "scenario": "cpu_spike", "options": { "args": { "load": nasty } } }),
            ),
            ("/start_incident".into(), json!({ "target": "here", "options": { "log_files": [nasty] } })),
            ("/start_incident".into(), json!({ "target": "here", "options": { "metrics": nasty } })),
            (
                "/start_incident".into(),
                json!({ "target_vm": { "host": nasty, "user": nasty, "key_path": nasty, "host_key": nasty } }),
            ),
            ("/start_incident".into(), json!({ nasty: nasty })),
            (format!("/incidents/{id}/approve"), json!({ "plan": nasty, "reason": "x" })),
        ] {
            let answer = rig.post(&path, body.clone()).await;
            assert!(answer.status.is_client_error(), "{body}: {} {}", answer.status, answer.text());
            assert_eq!(answer.header("content-type"), "application/problem+json");
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            assert!(!detail.chars().any(|c| c.is_control() || "\u{202e}\u{2066}".contains(c)), "{body}: {detail:?}");
            assert!(answer.headers.get("set-cookie").is_none());
        }
        let escaped: String = nasty.bytes().map(|b| format!("%{b:02x}")).collect();
        for path in [
            format!("/status/{escaped}"),
            format!("/report/{id}?format={escaped}"),
            format!("/incidents?status={escaped}"),
            format!("/incidents/{id}/artifacts/{escaped}"),
            format!("/assets/{escaped}"),
        ] {
            let answer = rig.get(&path).await;
            assert!(answer.status.is_client_error(), "{path}: {}", answer.status);
            assert!(!answer.text().chars().any(|c| c.is_control() || c == '\u{202e}'), "{path}: {:?}", answer.text());
        }
    }
    assert_eq!(rig.get("/incidents").await.json()["total"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_do_not_escape() {
    let rig = Rig::new("").await;
    let id = rig.start(json!({ "target": "demo" })).await;
    rig.over_by(&id, Duration::from_secs(60)).await;
    fs::write(rig.dir.path().join("secret.json"), "secret").unwrap();
    fs::write(rig.path(&id).join("other.txt"), "secret").unwrap();
    std::os::unix::fs::symlink(rig.dir.path().join("secret.json"), rig.path(&id).join("artifacts/link.json")).unwrap();
    for name in [
        "../../secret.json",
        "..%2f..%2fsecret.json",
        "artifacts/..%2f..%2f..%2fsecret.json",
        "%2fetc%2fpasswd",
        "/etc/passwd",
        ".request.json",
        ".running",
        "other.txt",
        "artifacts/link.json",
        "artifacts/",
        "artifacts",
        "recording/../trace.json",
        "trace.json%00.txt",
        "",
    ] {
        let answer = rig.get(&format!("/incidents/{id}/artifacts/{name}")).await;
        let listed = name.is_empty() && answer.status == 404;
        assert!(listed || answer.status.is_client_error(), "{name}: {} {}", answer.status, answer.text());
        assert!(!answer.text().contains("secret\n") && answer.body != b"secret", "{name}");
    }
    for path in ["/assets/../index.html", "/assets/..%2findex.html", "/assets/%2e%2e/index.html"] {
        assert!(rig.get(path).await.status.is_client_error(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_host_says_is_never_markup() {
    let logs = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for (i, nasty) in NASTY.iter().cycle().take(60).enumerate() {
        let nasty = nasty.replace(['\r', '\n', '\0'], " ");
        text.push_str(&format!(
            "2026-11-24T08:00:{:02}Z ERROR cannot write {nasty}: No space left on device\n",
            i % 60
        ));
    }
    fs::write(logs.path().join("app.log"), text).unwrap();
    let rig = Rig::new(&format!("[targets.logs]\nfiles = [{:?}]\n", logs.path())).await;
    let id = rig.start(json!({ "target": "logs" })).await;
    let status = rig.over_by(&id, Duration::from_secs(60)).await;
    assert_eq!(status["status"], "completed", "{status}");
    let html = rig.get(&format!("/report/{id}?format=html")).await.text();
    assert!(html.contains("No space left on device"), "the report is about it");
    for bad in ["<script", "<img src=x", "onerror=alert(1)>\"", "\u{1b}", "\u{202e}"] {
        assert!(!html.contains(bad), "{bad:?} in the page");
    }
    let detail = rig.get(&format!("/incidents/{id}")).await;
    assert!(!detail.text().contains('\u{1b}'));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_be_an_object_is_no_array() {
    let rig = Rig::new("allow_apply = true").await;
    let vm = json!(["localhost", 22, "root", "/root/.ssh/id", null]);
    for (path, body) in [
        ("/start_incident", json!([null, "demo", null, {}])),
        ("/start_incident", json!({ "target": "demo", "options": [null, null] })),
        ("/start_incident", json!({ "target_vm": vm })),
        ("/incidents/inc-20260101-001/approve", json!(["9f2c9f2c", "seen", null, true])),
        ("/webhooks/alertmanager", json!([[]])),
        ("/webhooks/alertmanager", json!({ "alerts": [["firing", {}]] })),
    ] {
        let answer = rig.post(path, body.clone()).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        assert!(answer.text().contains("expected an object"), "{body}: {}", answer.text());
    }
    let twice = rig
        .ask(
            "POST",
            "/start_incident",
            &[("content-type", "application/json")],
            Some("{\"target\":\"demo\",\"target\":\"here\"}".into()),
        )
        .await;
    assert_eq!(twice.status, 400, "{}", twice.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_a_limit() {
    let rig = Rig::new("").await;
    let long = format!("{{\"target\":\"{}\"}}", "x".repeat(2 << 20));
    let json = ("content-type", "application/json");
    let length = long.len().to_string();
    assert_eq!(
        rig.ask("POST", "/start_incident", &[json, ("content-length", &length)], Some(long.clone())).await.status,
        413
    );
    assert_eq!(rig.ask("POST", "/start_incident", &[json], Some(long)).await.status, 413);
    let deep = "[".repeat(100_000);
    assert_eq!(rig.ask("POST", "/start_incident", &[json], Some(deep)).await.status, 400);
}
