//! Ending an incident, and every fault on its target.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use chaos_core::model::Recovery;
use serde_json::json;

use super::{existing, json};
use crate::server::{Server, input::Id, problem::Problem, runs};

pub(in crate::server) async fn stop(State(server): State<Arc<Server>>, Id(id): Id) -> Result<Response, Problem> {
    existing(&server, &id)?;
    if !runs::stop(&server, &id, "stopped before it began").await {
        // It may be another process' own.
        server.dir.request_stop(&id)?;
    }
    let mut response = json(&json!({ "incident_id": id, "status": "stopping" }));
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

pub(in crate::server) async fn reset(State(server): State<Arc<Server>>, Id(id): Id) -> Result<Response, Problem> {
    existing(&server, &id)?;
    if let Some(live) = server.runs.get(&id) {
        runs::stop(&server, &id, "stopped before it began").await;
        live.over().await;
    }
    let (target, proofs) = runs::reset(&server, &id).await?;
    let proven = proofs.iter().all(|p| p.recovery == Recovery::Proven);
    let scenarios: Vec<_> = proofs
        .iter()
        .map(|p| {
            let (state, why) = match &p.recovery {
                Recovery::Proven => ("proven", None),
                Recovery::NotRecovered(why) => ("not_recovered", Some(why)),
                Recovery::Unknown(why) => ("unknown", Some(why)),
            };
            json!({ "scenario": p.scenario, "state": state, "why": why })
        })
        .collect();
    Ok(json(&json!({ "incident_id": id, "target": target, "proven": proven, "scenarios": scenarios })))
}
