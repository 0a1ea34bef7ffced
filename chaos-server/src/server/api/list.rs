//! `GET /incidents`: lists and filters.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use chaos_core::{
    artifact::ArtifactSink as _,
    error::ErrorKind,
    model::{IncidentId, Status, TargetInfo, Timestamp},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{APPLYING, json, standing, status, target, word};
use crate::server::{Server, input::Ask, problem::Problem, runs::Request};

const USUAL: usize = 50;
const MOST: usize = 500;
const STATUSES: [&str; 7] = ["queued", "running", "completed", "failed", "stopped", "interrupted", APPLYING];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::server) struct Query {
    status: Option<String>,
    target: Option<String>,
    fault: Option<String>,
    q: Option<String>,
    limit: Option<usize>,
    before: Option<String>,
}

#[derive(Serialize)]
struct Row {
    incident_id: IncidentId,
    status: &'static str,
    phase: &'static str,
    target: TargetInfo,
    scenario: Option<String>,
    began: Timestamp,
    ended: Option<Timestamp>,
    cause: Option<String>,
    fault: Option<String>,
    confidence: Option<f64>,
    confirmed: Option<String>,
}

pub(in crate::server) async fn list(
    State(server): State<Arc<Server>>,
    Ask(query): Ask<Query>,
) -> Result<Response, Problem> {
    let limit = query.limit.unwrap_or(USUAL);
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::invalid(format!("limit is from 1 to {MOST}")));
    }
    if let Some(bad) = statuses(&query).find(|s| !STATUSES.contains(s)) {
        return Err(Problem::invalid(format!("status {bad:?} is none of {}", STATUSES.join(", "))));
    }
    let before = query.before.as_deref().map(IncidentId::parse).transpose()?;
    let mut ids = server.dir.incidents().await?;
    let total = ids.len();
    if let Some(before) = &before {
        let at = ids.iter().position(|id| id == before);
        ids.truncate(at.ok_or_else(|| super::unknown(before))?);
    }
    let words = query.q.as_deref().map(str::to_lowercase);
    let kept = move |row: &Row| {
        (query.status.is_none() || statuses(&query).any(|s| s == row.status))
            && query.target.as_ref().is_none_or(|t| *t == row.target.name)
            && query.fault.as_ref().is_none_or(|f| Some(f) == row.fault.as_ref())
            && words.as_ref().is_none_or(|words| {
                let texts = [row.incident_id.as_str(), &row.target.name, row.cause.as_deref().unwrap_or_default()];
                texts.iter().any(|text| text.to_lowercase().contains(words))
            })
    };
    let (running, queued) = server.runs.counts();
    let read = tokio::task::spawn_blocking(move || {
        let mut rows: Vec<Row> =
            ids.iter().rev().filter_map(|id| row(&server, id)).filter(kept).take(limit + 1).collect();
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|r| r.incident_id.clone());
        (rows, next)
    });
    let (rows, next) = read.await.map_err(|_| Problem::new(ErrorKind::Internal, "a reader was lost"))?;
    Ok(json(&json!({ "incidents": rows, "next": next, "total": total, "running": running, "queued": queued })))
}

fn statuses(query: &Query) -> impl Iterator<Item = &str> {
    query.status.iter().flat_map(|s| s.split(','))
}

fn row(server: &Server, id: &IncidentId) -> Option<Row> {
    if let Some(live) = server.runs.get(id) {
        let state = live.state();
        return Some(Row {
            incident_id: id.clone(),
            status: word(state.stage),
            phase: status::phase(state.stage, &state.told),
            target: live.target.clone(),
            scenario: live.scenario.clone(),
            began: live.began,
            ended: None,
            cause: None,
            fault: None,
            confidence: None,
            confirmed: None,
        });
    }
    let head = server.past.head(&server.dir, id)?;
    let request = Request::of(&server.dir, id);
    let over = head.status != Status::Running;
    // Of one whose process died only the trace tells how far it came.
    let (phase, ended) = match head.status {
        Status::Running | Status::Interrupted => {
            let told = server.past.trace(&server.dir, id);
            (told.phase().as_str(), status::ended(&head, &told))
        }
        over => (status::last_phase(over), Some(head.ended)),
    };
    Some(Row {
        incident_id: id.clone(),
        status: standing(server, id, &head),
        phase,
        target: target(request.as_ref(), &head),
        scenario: status::scenario(&head, request.as_ref()).map(str::to_owned),
        began: head.began,
        ended: ended.filter(|_| over).map(|ended| ended.max(head.began)),
        cause: head.cause.clone(),
        fault: head.fault.clone(),
        confidence: head.confidence,
        confirmed: server.dir.confirmation(id).ok().flatten().map(|c| c.verdict.id().to_owned()),
    })
}
