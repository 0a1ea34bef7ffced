//! What each route does, one file a group. The shapes are those of `API.md`.

pub(super) mod alerts;
pub(super) mod control;
pub(super) mod detail;
pub(super) mod events;
pub(super) mod files;
pub(super) mod fix;
pub(super) mod list;
pub(super) mod report;
pub(super) mod start;
pub(super) mod status;
pub(super) mod world;

use axum::{
    http::header,
    response::{IntoResponse as _, Response},
};
use chaos_core::model::{IncidentId, Status};
use serde::Serialize;

use crate::remedy;

use super::{
    Server,
    past::Head,
    problem::Problem,
    runs::{Request, Stage},
};

/// A JSON answer.
fn json(value: &impl Serialize) -> Response {
    raw(serde_json::to_string(value).unwrap_or_default())
}

/// A JSON answer that is text already.
fn raw(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// Says that there is no such incident.
fn unknown(id: &IncidentId) -> Problem {
    Problem::not_found(format!("there is no incident {id}"))
}

/// Makes sure that there is such an incident.
fn existing(server: &Server, id: &IncidentId) -> Result<(), Problem> {
    if server.dir.path(id).is_dir() { Ok(()) } else { Err(unknown(id)) }
}

/// As the API says it.
fn word(stage: Stage) -> &'static str {
    match stage {
        Stage::Queued => "queued",
        Stage::Running => Status::Running.as_str(),
        Stage::Over(status) => status.as_str(),
    }
}

/// How an incident stands that this process does not run.
fn standing(server: &Server, id: &IncidentId, head: &Head) -> &'static str {
    let is_at_work = || server.is_applying(id) || remedy::is_at_work(&server.dir, id);
    if head.status == Status::Completed && is_at_work() { APPLYING } else { head.status.as_str() }
}

/// Of an incident that is over, while a plan of it is being applied.
const APPLYING: &str = "applying";

/// The target as the API shows it: by the name under which it was asked for, else as the incident has it.
fn target(request: Option<&Request>, head: &Head) -> chaos_core::model::TargetInfo {
    match request {
        Some(r) => chaos_core::model::TargetInfo { name: r.target.clone(), kind: r.kind.clone() },
        None => head.target.clone(),
    }
}
