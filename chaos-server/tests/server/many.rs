//! Many incidents at once: who runs, who waits, who is turned away, and that nothing is lost.

use std::time::Duration;

use serde_json::{Value, json};

use crate::rig::{Rig, targets};

const SOON: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn those_that_fit_run_some_wait_and_the_rest_is_turned_away() {
    let text = format!("[server]\nmax_running = 2\nmax_queued = 2\nseveral_per_target = true\n{}", targets());
    let rig = Rig::new(&text).await;
    let long = json!({ "target": "here", "options": { "observe": 600 } });
    let mut ids = Vec::new();
    for status in ["started", "started", "queued", "queued"] {
        let answer = rig.post("/start_incident", long.clone()).await.json();
        assert_eq!(answer["status"], status);
        ids.push(answer["incident_id"].as_str().unwrap().to_owned());
    }
    let full = rig.post("/start_incident", long).await;
    assert_eq!(full.status, 429, "{}", full.text());
    assert!(full.header("retry-after").parse::<u32>().unwrap() > 0);
    let list = rig.get("/incidents?status=queued").await.json();
    assert_eq!(
        (&list["running"], &list["queued"], list["incidents"].as_array().map(Vec::len)),
        (&json!(2), &json!(2), Some(2))
    );
    let waiting = rig.get(&format!("/status/{}", ids[3])).await.json();
    assert_eq!(
        (&waiting["phase"], &waiting["queue_position"], &waiting["last_seq"]),
        (&json!("queued"), &json!(2), &json!(-1))
    );
    assert!(waiting["agents"].as_array().unwrap().iter().all(|a| a["status"] == "waiting"));

    // One that waits ends at once, and one that runs makes room.
    rig.post(&format!("/incidents/{}/stop", ids[2]), json!(null)).await;
    let status = rig.get(&format!("/status/{}", ids[2])).await.json();
    assert_eq!((&status["status"], &status["reason"]), (&json!("stopped"), &json!("stopped before it began")));
    rig.post(&format!("/incidents/{}/stop", ids[0]), json!(null)).await;
    rig.over_by(&ids[0], SOON).await;
    let next = rig.get(&format!("/status/{}", ids[3])).await.json();
    assert_eq!(next["status"], "running", "{next}");

    rig.server.close().await;
    for id in &ids {
        assert_eq!(rig.get(&format!("/status/{id}")).await.json()["status"], "stopped", "{id}");
    }
    assert_eq!(rig.post("/start_incident", json!({ "target": "demo" })).await.status, 503);
    assert_eq!(rig.get("/readyz").await.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_lose_no_event() {
    let text = format!("[server]\nmax_running = 16\nmax_queued = 100\nseveral_per_target = true\n{}", targets());
    let rig = Rig::new(&text).await;
    let mut ids = Vec::new();
    for _ in 0..24 {
        ids.push(rig.start(json!({ "target": "demo" })).await);
    }
    let mut unique = ids.clone();
    unique.dedup();
    assert_eq!(unique.len(), 24);
    let mut lengths = Vec::new();
    for id in &ids {
        let status = rig.over_by(id, SOON).await;
        assert_eq!(status["status"], "completed");
        let trace = status["trace"].as_array().unwrap();
        let in_order = trace.iter().enumerate().all(|(i, e)| e["seq"] == i);
        assert!(in_order, "{id}");
        let written: Vec<Value> =
            serde_json::from_slice(&std::fs::read(rig.path(id).join("trace.json")).unwrap()).unwrap();
        assert_eq!(*trace, written);
        lengths.push(trace.len());
    }
    assert!(lengths.iter().all(|n| *n == lengths[0]), "{lengths:?}");
}
