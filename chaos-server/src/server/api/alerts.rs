//! `POST /webhooks/alertmanager`: alerts of the field's usual alert router become incidents on mapped targets.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{Extension, extract::State, response::Response};
use serde::Deserialize;
use serde_json::json;

use super::{json, start::plain};
use crate::server::{
    Server,
    access::Who,
    input::{Input, Object},
    problem::Problem,
    runs,
};

/// Most alerts of one message that are looked at.
const MOST: usize = 1000;

/// Version 4 of the message; what is not needed is left out, and unknown keys are allowed.
#[derive(Deserialize)]
pub(in crate::server) struct Message {
    alerts: Vec<Object<Alert>>,
}

#[derive(Deserialize)]
struct Alert {
    status: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

pub(in crate::server) async fn alertmanager(
    State(server): State<Arc<Server>>,
    Extension(who): Extension<Who>,
    Input(message): Input<Message>,
) -> Result<Response, Problem> {
    let (mut started, mut skipped, mut seen, mut full) = (Vec::new(), Vec::new(), BTreeSet::new(), None);
    for alert in message.alerts.iter().map(|Object(alert)| alert).take(MOST).filter(|a| a.status == "firing") {
        let name = alert.labels.get("alertname").map_or("(no name)", String::as_str);
        let mapped = server
            .settings
            .config
            .alerts
            .iter()
            .find(|entry| entry.labels.iter().all(|(key, value)| alert.labels.get(key) == Some(value)));
        let Some(entry) = mapped else {
            skipped.push(json!({ "alert": name, "why": "no target is mapped to its labels" }));
            continue;
        };
        if !seen.insert(&entry.target) {
            continue;
        }
        let job = plain(&server, &entry.target, &who.name)?;
        match runs::start(&server, &who.name, job).await {
            Ok((live, _)) => started.push(json!({ "target": entry.target, "incident_id": live.id })),
            Err(e) => {
                skipped.push(json!({ "alert": name, "why": e.detail() }));
                full = full.or(e.is_busy().then_some(e));
            }
        }
    }
    match full {
        Some(busy) if started.is_empty() => Err(busy),
        _ => Ok(json(&json!({ "started": started, "skipped": skipped }))),
    }
}
