//! The way of an incident through the API, from its start to its report.

use std::time::Duration;

use serde_json::{Value, json};

use crate::rig::{FAULTS, Rig, recorded, targets};

const SOON: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_started_followed_and_reported() {
    let rig = Rig::new("").await;
    let answer = rig.post("/start_incident", json!({ "target": "demo" })).await;
    let id = answer.json()["incident_id"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location"), format!("/incidents/{id}"));
    let status = rig.over_by(&id, SOON).await;
    assert_eq!((&status["status"], &status["phase"]), (&json!("completed"), &json!("done")), "{status}");
    assert_eq!(status["target"], json!({ "name": "demo", "kind": "replay" }));
    let names: Vec<&str> = status["agents"].as_array().unwrap().iter().map(|a| a["name"].as_str().unwrap()).collect();
    let all = ["Coordinator", "LogAgent", "MetricsAgent", "Investigator", "FixerAgent", "TesterAgent", "ReporterAgent"];
    assert_eq!(names, all);
    assert!(status["agents"].as_array().unwrap().iter().all(|a| a["status"] == "done"), "{}", status["agents"]);
    let trace = status["trace"].as_array().unwrap();
    let written: Vec<Value> =
        serde_json::from_slice(&std::fs::read(rig.path(&id).join("trace.json")).unwrap()).unwrap();
    assert_eq!(*trace, written, "the status has the trace as it is written");
    let last = status["last_seq"].as_i64().unwrap();
    let after = rig.get(&format!("/status/{id}?after={}", last - 2)).await.json();
    assert_eq!(after["trace"].as_array().unwrap().as_slice(), &trace[trace.len() - 2..]);

    let detail = rig.get(&format!("/incidents/{id}")).await.json();
    assert_eq!(detail["diagnosis"]["fault"], "cpu_saturation");
    let command = detail["plans"][0]["actions"][0]["command"].as_str().unwrap();
    assert!(command.starts_with("kill -TERM "), "{command}");
    assert_eq!(detail["plans"][0]["risk"]["verdict"], "needs_approval");
    assert_eq!(detail["injection"]["recovery"], json!({ "state": "proven" }));

    let markdown = rig.get(&format!("/report/{id}")).await;
    assert_eq!(markdown.header("content-type"), "text/markdown; charset=utf-8");
    assert_eq!(markdown.body, std::fs::read(rig.path(&id).join("report.md")).unwrap());
    let html = rig.get(&format!("/report/{id}?format=html&download=1")).await;
    assert_eq!(html.header("content-disposition"), format!("attachment; filename=\"{id}.html\""));
    assert!(html.text().contains("data:image/svg+xml;base64,") && html.text().contains("stress-ng-cpu"));
    let report = rig.get(&format!("/report/{id}?format=json")).await.json();
    assert_eq!(report["charts"], json!(["artifacts/cpu-utilization.svg"]));
    assert!(report["slack_summary"].as_str().unwrap().contains("Culprit"));
    for link in report["links"].as_object().unwrap().values().filter_map(Value::as_str) {
        assert_eq!(rig.get(link).await.status, 200, "{link}");
    }

    let files = rig.get(&format!("/incidents/{id}/artifacts")).await.json();
    for file in files["files"].as_array().unwrap() {
        let name = file["name"].as_str().unwrap();
        let answer = rig.get(&format!("/incidents/{id}/artifacts/{name}")).await;
        assert_eq!(answer.body.len() as u64, file["bytes"].as_u64().unwrap(), "{name}");
        assert_eq!(answer.header("content-type"), file["type"].as_str().unwrap());
        assert!(answer.header("content-security-policy").starts_with("sandbox"), "{name}");
    }
    let tail = rig.get(&format!("/incidents/{id}/artifacts/raw_logs.txt?tail=2")).await.text();
    assert_eq!(tail.lines().count(), 2);
    let tail = rig.get(&format!("/incidents/{id}/artifacts/trace.json?tail=2")).await;
    assert_eq!((tail.header("content-type"), tail.text().lines().last()), ("text/plain; charset=utf-8", Some("]")));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_after_a_place_and_wait_for_something_new() {
    let rig = Rig::new("").await;
    let id = rig.start(json!({ "target": "here", "options": { "observe": 2 } })).await;
    let first = rig.get(&format!("/incidents/{id}/events?wait=10")).await.json();
    assert!(!first["events"].as_array().unwrap().is_empty());
    let mut seen: Vec<Value> = first["events"].as_array().unwrap().clone();
    let status = loop {
        let after = seen.last().unwrap()["seq"].as_u64().unwrap();
        let more = rig.get(&format!("/incidents/{id}/events?after={after}&wait=20")).await.json();
        seen.extend(more["events"].as_array().unwrap().clone());
        if more["status"] != "running" {
            break more["status"].clone();
        }
        assert!(!more["events"].as_array().unwrap().is_empty(), "it waited for nothing");
    };
    assert_eq!(status, "completed");
    let rest = rig.over_by(&id, SOON).await;
    assert_eq!(Value::from(seen), rest["trace"]);
    assert_eq!(rig.get(&format!("/incidents/{id}/events?wait=26")).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_filtered_and_paged() {
    let rig = Rig::new("").await;
    let mut ids = Vec::new();
    for target in ["demo", "calm", "demo"] {
        let id = rig.start(json!({ "target": target })).await;
        rig.over_by(&id, SOON).await;
        ids.push(id);
    }
    let listed = async |query: &str| -> Vec<String> {
        let list = rig.get(&format!("/incidents?{query}")).await.json();
        list["incidents"].as_array().unwrap().iter().map(|i| i["incident_id"].as_str().unwrap().to_owned()).collect()
    };
    let newest_first: Vec<String> = ids.iter().rev().cloned().collect();
    assert_eq!(listed("").await, newest_first);
    assert_eq!(listed("target=calm").await, [ids[1].clone()]);
    assert_eq!(listed("fault=cpu_saturation").await, [ids[2].clone(), ids[0].clone()]);
    assert_eq!(listed("q=RUNAWAY&limit=1").await, [ids[2].clone()]);
    assert!(listed("status=failed,stopped").await.is_empty());
    let page = rig.get("/incidents?limit=2").await.json();
    assert_eq!((&page["next"], &page["total"]), (&json!(ids[1]), &json!(3)));
    assert_eq!(listed(&format!("before={}", ids[1])).await, [ids[0].clone()]);
    for bad in ["limit=0", "limit=501", "status=x", "before=x", "nope=1"] {
        assert_eq!(rig.get(&format!("/incidents?{bad}")).await.status, 400, "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_wrongly_is_said() {
    let rig = Rig::new("").await;
    for (body, status, says) in [
        (json!({}), 400, "one of target"),
        (json!({ "target": "nobody" }), 404, "no target"),
        (json!({ "target": "demo", "colour": 1 }), 400, "colour"),
        (json!({ "target": "demo", "scenario": "cpu_spike" }), 422, "no fault can be injected into files"),
        (json!({ "target": "here", "scenario": "cpu_spike" }), 403, "allow_chaos"),
        (json!({ "target": "here", "scenario": "none" }), 400, "unknown scenario"),
        (json!({ "target": "here", "options": { "duration": 9 } }), 400, "for a scenario"),
        (json!({ "target": "here", "options": { "observe": 0 } }), 400, "observe"),
        (json!({ "target": "here", "options": { "observe": 90000 } }), 400, "at most 24h"),
        (json!({ "target": "here", "options": { "log_files": ["/etc/shadow"] } }), 403, "log_dirs"),
        (json!({ "target": "here", "options": { "log_files": ["/var/log/../../etc/shadow"] } }), 403, "log_dirs"),
        (json!({ "target_vm": { "host": "127.0.0.1", "user": "a", "key_path": "/k" } }), 403, "server.adhoc"),
        (json!([]), 400, "can't be understood"),
    ] {
        let answer = rig.post("/start_incident", body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        assert!(answer.json()["detail"].as_str().unwrap().contains(says), "{body}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    assert_eq!(rig.get("/incidents").await.json()["total"], 0, "nothing was started");
    let id = "inc-20260101-001";
    for path in ["status", "report", "incidents"] {
        assert_eq!(rig.get(&format!("/{path}/{id}")).await.status, 404);
        assert_eq!(rig.get(&format!("/{path}/nonsense")).await.status, 400);
    }
    let plain = rig
        .ask("POST", "/start_incident", &[("content-type", "text/plain")], Some("{\"target\":\"demo\"}".into()))
        .await;
    assert_eq!(plain.status, 415);
    assert_eq!(rig.ask("DELETE", "/incidents", &[], None).await.status, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_incident_is_stopped_and_reset() {
    let _alone = FAULTS.lock().await;
    let rig = Rig::new("").await;
    let id = rig.start(json!({ "target": "here", "options": { "observe": 600 } })).await;
    assert_eq!(rig.get("/targets").await.json()["targets"][2]["busy_with"], json!(id));
    assert_eq!(rig.post("/start_incident", json!({ "target": "here" })).await.status, 409);
    let answer = rig.post(&format!("/incidents/{id}/stop"), json!(null)).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (202, &json!("stopping")));
    assert_eq!(rig.over_by(&id, SOON).await["status"], "stopped");
    assert_eq!(rig.post(&format!("/incidents/{id}/stop"), json!(null)).await.status, 409);
    let reset = rig.post(&format!("/incidents/{id}/reset"), json!(null)).await;
    let reset_of = reset.json();
    assert_eq!(
        (&reset_of["proven"], reset_of["scenarios"].as_array().map(Vec::len)),
        (&json!(true), Some(6)),
        "{reset_of}"
    );
    let replayed = rig.start(json!({ "target": "calm" })).await;
    rig.over_by(&replayed, SOON).await;
    assert_eq!(rig.post(&format!("/incidents/{replayed}/reset"), json!(null)).await.status, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn plans_are_approved_only_where_that_is_allowed() {
    let rig = Rig::new("").await;
    let id = rig.start(json!({ "target": "demo" })).await;
    rig.over_by(&id, SOON).await;
    let plan =
        rig.get(&format!("/incidents/{id}")).await.json()["plans"][0]["plan_sha256"].as_str().unwrap().to_owned();
    let consent = json!({ "plan": plan[..10], "reason": "agreed" });
    assert_eq!(rig.post(&format!("/incidents/{id}/approve"), consent.clone()).await.status, 403);

    let text = format!("allow_apply = true\n{}", targets());
    let rig = Rig::over(rig.dir.clone(), &text).await;
    assert_eq!(
        rig.post(&format!("/incidents/{id}/approve"), json!({ "plan": "0123456789", "reason": "x" })).await.status,
        404
    );
    assert_eq!(rig.post(&format!("/incidents/{id}/approve"), json!({ "plan": plan, "reason": " " })).await.status, 400);
    let approval = rig.post(&format!("/incidents/{id}/approve"), consent).await;
    assert_eq!((&approval.json()["approver"], &approval.json()["plan_sha256"]), (&json!("local"), &json!(plan)));
    let detail = rig.get(&format!("/incidents/{id}")).await.json();
    assert_eq!((&detail["approval"], &detail["phase"]), (&approval.json(), &json!("apply")));
    let apply = rig.post(&format!("/incidents/{id}/apply"), json!({})).await;
    assert_eq!(apply.status, 422, "there is no machine behind a recording: {}", apply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_start_incidents_on_mapped_targets() {
    let text = format!("{}\n[[alerts]]\ntarget = 'demo'\nlabels = {{ instance = 'web1:9100' }}\n", targets());
    let rig = Rig::new(&text).await;
    let alert = |status: &str, name: &str, instance: &str| json!({ "status": status, "labels": { "alertname": name, "instance": instance } });
    let message = json!({ "version": "4", "status": "firing", "receiver": "chaos", "alerts": [
        alert("firing", "HighLoad", "web1:9100"), alert("firing", "HighLoad2", "web1:9100"),
        alert("firing", "Other", "db:9100"), alert("resolved", "HighLoad", "web1:9100"),
    ] });
    let taken = rig.post("/webhooks/alertmanager", message).await.json();
    assert_eq!(taken["started"].as_array().map(Vec::len), Some(1), "{taken}");
    assert_eq!(taken["skipped"], json!([{ "alert": "Other", "why": "no target is mapped to its labels" }]));
    let id = taken["started"][0]["incident_id"].as_str().unwrap();
    assert_eq!(rig.over_by(id, SOON).await["status"], "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_world_around_incidents_is_told() {
    let rig = Rig::new("").await;
    let scenarios = rig.get("/scenarios").await.json();
    assert_eq!(scenarios["scenarios"].as_array().map(Vec::len), Some(6));
    assert_eq!(rig.get("/plugins").await.json(), json!({ "plugins": [], "refused": [] }));
    let built = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/plugins/built/jvm-gc.wasm");
    let asking = built.with_file_name("cert-expiry.wasm");
    let with =
        Rig::new(&format!("plugins = [{built:?}, {asking:?}]\nplugin_grants = \"/nonexistent/grants.toml\"\n")).await;
    let told = with.get("/plugins").await.json();
    assert_eq!(
        (&told["plugins"][0]["name"], &told["plugins"][0]["roles"][0]),
        (&"jvm-gc".into(), &"detector".into()),
        "{told}"
    );
    let granted = &told["plugins"][0]["granted"];
    assert_eq!((&granted["commands"], &granted["limits"]["memory_mb"]), (&json!([]), &json!(64)), "{told}");
    assert_eq!(told["refused"][0]["file"], "cert-expiry.wasm", "{told}");
    assert!(told["refused"][0]["why"].as_str().unwrap().contains("nothing was granted to it"), "{told}");
    assert_eq!(rig.get("/me").await.json()["role"], "approve");
    assert_eq!(rig.get("/healthz").await.json()["status"], "ok");
    assert_eq!(rig.get("/readyz").await.json()["status"], "ready");
    let metrics = rig.get("/metrics").await.text();
    assert!(metrics.contains("\nchaos_handler_incidents_running 0\n"), "{metrics}");
    assert!(rig.get("/docs").await.text().contains("<h1"));
    let index = rig.get("/").await;
    assert!(index.text().starts_with("<!doctype html>") || index.text().starts_with("<!DOCTYPE html>"));
    let again = rig.ask("GET", "/", &[("if-none-match", index.header("etag"))], None).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    assert_eq!(rig.get("/nothing").await.status, 404);
    std::fs::remove_dir_all(rig.dir.path().join("incidents")).unwrap();
    assert_eq!(rig.get("/readyz").await.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_cannot_be_had_fails_with_the_reason() {
    let gone = recorded("healthy").join("nothing-here");
    let rig = Rig::new(&format!("[targets.gone]\nreplay = {gone:?}\n")).await;
    let id = rig.start(json!({ "target": "gone" })).await;
    let status = rig.over_by(&id, SOON).await;
    assert_eq!(status["status"], "failed");
    assert!(status["reason"].as_str().unwrap().contains("not a recorded incident"), "{status}");
    assert_eq!(status["trace"].as_array().map(Vec::len), Some(2));
    assert_eq!(rig.get(&format!("/report/{id}")).await.status, 404);
}

/// An incident of this machine with a plan that it can take: one that makes a file.
fn with_a_plan(rig: &Rig, id: &str, made: &std::path::Path) -> String {
    use chaos_core::model::{Action, FixPlan, Incident, RiskAssessment, RiskVerdict};
    let dir = rig.path(id);
    let copied = std::process::Command::new("cp").arg("-r").arg(recorded("disk_fill")).arg(&dir).status().unwrap();
    assert!(copied.success());
    let mut incident: Incident = serde_json::from_slice(&std::fs::read(dir.join("incident.json")).unwrap()).unwrap();
    let words = |line: String| -> Vec<String> { line.split(' ').map(str::to_owned).collect() };
    let action = Action {
        argv: words(format!("touch {}", made.display())),
        shell: None,
        preconditions: Vec::new(),
        backup: Vec::new(),
        rollback: vec![words(format!("rm -f -- {}", made.display()))],
        verify: Vec::new(),
        depends_on: Vec::new(),
        ..incident.plans[0].actions[0].clone()
    };
    let plan = FixPlan { actions: vec![action], ..FixPlan::default() }.sealed();
    let risk = RiskAssessment {
        plan_sha256: plan.plan_sha256.clone(),
        verdict: RiskVerdict::NeedsApproval,
        ..incident.risks[0].clone()
    };
    incident.options.observe_s = 2;
    (incident.plans, incident.risks) = (vec![plan.clone()], vec![risk]);
    std::fs::write(dir.join("incident.json"), serde_json::to_vec(&incident).unwrap()).unwrap();
    let request = json!({ "target": "here", "kind": "local", "scenario": null, "caller": "local" });
    std::fs::write(dir.join(".request.json"), request.to_string()).unwrap();
    plan.plan_sha256
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_plan_is_applied_once() {
    let _alone = FAULTS.lock().await;
    let rig = Rig::new(&format!("allow_apply = true\n{}", targets())).await;
    let (id, made) = ("inc-20260101-001", rig.dir.path().join("made"));
    let plan = with_a_plan(&rig, id, &made);
    let apply = format!("/incidents/{id}/apply");
    assert_eq!(rig.post(&apply, json!({})).await.status, 404, "nobody has approved it");
    let approved = rig.post(&format!("/incidents/{id}/approve"), json!({ "plan": plan, "reason": "seen" })).await;
    assert_eq!(approved.status, 200, "{}", approved.text());
    let answer = rig.post(&apply, json!({})).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (202, &json!("applying")), "{}", answer.text());
    assert_eq!(rig.post(&apply, json!({})).await.status.as_u16() / 100, 4, "once is enough");
    let status = rig.get(&format!("/status/{id}")).await.json();
    assert_eq!((&status["status"], &status["ended"].is_string()), (&json!("applying"), &true), "{status}");
    for path in [format!("/incidents/{id}"), format!("/incidents/{id}/events")] {
        assert_eq!(rig.get(&path).await.json()["status"], "applying", "{path}");
    }
    assert_eq!(rig.get("/incidents?status=applying").await.json()["incidents"].as_array().map(Vec::len), Some(1));
    let until = tokio::time::Instant::now() + SOON;
    let applied = loop {
        let detail = rig.get(&format!("/incidents/{id}")).await.json();
        if !detail["applied"].is_null() {
            break detail["applied"].clone();
        }
        assert!(tokio::time::Instant::now() < until, "{detail}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(made.exists() && ["resolved", "not_resolved"].contains(&applied["ending"].as_str().unwrap()), "{applied}");
    let status = rig.over_by(id, SOON).await;
    assert_eq!((&status["status"], &status["phase"]), (&json!("completed"), &json!("apply")), "{status}");
}
