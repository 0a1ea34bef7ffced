//! Who is told of an incident: against servers of our own in the places of Slack's and PagerDuty's.

use std::{fs, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
    task::JoinHandle,
    time::{Instant, sleep},
};

use crate::rig::Rig;

const KEY: &str = "0123456789abcdef0123456789ABCDEF";

/// Answers with these statuses, one a request, and hands back the bodies.
async fn serve(statuses: &'static [u16]) -> (String, JoinHandle<Vec<Value>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/T0/B0/topsecret", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let mut bodies = Vec::new();
        for status in statuses {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let mut length = 0;
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).await.unwrap();
                if let Some(n) = line.to_lowercase().strip_prefix("content-length:") {
                    length = n.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await.unwrap();
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            bodies.push(serde_json::from_slice(&body).unwrap());
        }
        bodies
    });
    (address, task)
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_and_pagerduty_are_told_after_retries_and_nothing_is_held_up() {
    let logs = Arc::new(tempfile::tempdir().unwrap());
    let lines: String = (0..40)
        .map(|i| format!("2026-11-24T08:00:{i:02}Z ERROR cannot write /var/<b>: No space left on device\n"))
        .collect();
    fs::write(logs.path().join("app.log"), lines).unwrap();
    let (slack, told) = serve(&[503, 200]).await;
    let (pagerduty, called) = serve(&[429, 500, 202]).await;
    let config = format!(
        "slack_webhook = '{slack}'\npagerduty_key = '{KEY}'\npagerduty_url = '{pagerduty}'\n[targets.logs]\nfiles = [{:?}]\n",
        logs.path()
    );
    let rig = Rig::new(&config).await;
    let id = rig.start(json!({ "target": "logs" })).await;
    let status = rig.over_by(&id, Duration::from_secs(60)).await;
    assert_eq!(status["status"], "completed");

    let (told, called) = (told.await.unwrap(), called.await.unwrap());
    assert_eq!(told[0], told[1]);
    let blocks = told[1]["blocks"].as_array().unwrap();
    assert_eq!(blocks[0]["type"], "header");
    assert!(blocks[1]["text"]["text"].as_str().unwrap().contains(&id), "{blocks:?}");
    assert!(told[1]["text"].as_str().unwrap().contains(&id));
    let event = &called[2];
    assert_eq!((&event["routing_key"], &event["event_action"]), (&json!(KEY), &json!("trigger")));
    assert_eq!(event["dedup_key"], json!(format!("chaos-handler/{id}")));
    assert!(["error", "warning"].contains(&event["payload"]["severity"].as_str().unwrap()), "{event}");

    let until = Instant::now() + Duration::from_secs(10);
    let trace = loop {
        let trace = rig.get(&format!("/status/{id}")).await.text();
        if trace.contains("Slack was told") && trace.contains("PagerDuty was told") {
            break trace;
        }
        assert!(Instant::now() < until, "{trace}");
        sleep(Duration::from_millis(50)).await;
    };
    assert!(trace.contains("\"phase\":\"done\",\"target\""), "{trace}");
    for file in rig.get(&format!("/incidents/{id}/artifacts")).await.json()["files"].as_array().unwrap() {
        let text = rig.get(&format!("/incidents/{id}/artifacts/{}", file["name"].as_str().unwrap())).await.text();
        assert!(!text.contains("topsecret") && !text.contains(KEY), "{file}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_called_for_a_replay() {
    let (slack, told) = serve(&[200]).await;
    let rig = Rig::new(&format!("slack_webhook = '{slack}'\npagerduty_key = '{KEY}'\n")).await;
    let id = rig.start(json!({ "target": "demo" })).await;
    rig.over_by(&id, Duration::from_secs(60)).await;
    sleep(Duration::from_millis(500)).await;
    assert!(!told.is_finished());
    assert!(!rig.get(&format!("/status/{id}")).await.text().contains("Slack"));
}
