//! `GET /status/{id}`: how far an incident is, from memory while it runs here, else from its files.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use chaos_core::model::{IncidentId, Phase, Status, TargetInfo, Timestamp};
use serde::{Deserialize, Serialize};

use super::{raw, standing, target, unknown, word};
use crate::server::{
    Server,
    input::{Ask, Id},
    problem::Problem,
    runs::{Live, Request, Stage},
    told::{AgentView, Told, array},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::server) struct Query {
    #[serde(default = "all")]
    after: i64,
}

pub(super) const fn all() -> i64 {
    -1
}

/// All but the trace.
#[derive(Serialize)]
struct View<'a> {
    incident_id: &'a IncidentId,
    status: &'static str,
    phase: &'static str,
    target: &'a TargetInfo,
    scenario: Option<&'a str>,
    began: Timestamp,
    ended: Option<Timestamp>,
    reason: Option<&'a str>,
    queue_position: Option<usize>,
    last_seq: i64,
    agents: Vec<AgentView<'a>>,
}

impl View<'_> {
    /// The trace's events are JSON already: they are put in as they are.
    fn answer(&self, told: &Told, after: i64) -> Response {
        let mut text = serde_json::to_string(self).unwrap_or_default();
        text.truncate(text.len().saturating_sub(1));
        let trace = array(told.after(after));
        text.reserve(trace.len() + 16);
        text.push_str(",\"trace\":");
        text.push_str(&trace);
        text.push('}');
        raw(text)
    }
}

pub(in crate::server) async fn status(
    State(server): State<Arc<Server>>,
    Id(id): Id,
    Ask(query): Ask<Query>,
) -> Result<Response, Problem> {
    match server.runs.get(&id) {
        Some(live) => Ok(of_live(&server, &live, query.after)),
        None => of_files(&server, &id, query.after).await,
    }
}

fn of_live(server: &Server, live: &Live, after: i64) -> Response {
    let position = server.runs.position(&live.id);
    let state = live.state();
    let over = matches!(state.stage, Stage::Over(_));
    let view = View {
        incident_id: &live.id,
        status: word(state.stage),
        phase: phase(state.stage, &state.told),
        target: &live.target,
        scenario: live.scenario.as_deref(),
        began: live.began,
        ended: state.told.end().filter(|_| over),
        reason: state.reason.as_deref(),
        queue_position: position,
        last_seq: state.told.last_seq(),
        agents: state.told.agents(state.stage == Stage::Queued, over),
    };
    view.answer(&state.told, after)
}

pub(super) fn phase(stage: Stage, told: &Told) -> &'static str {
    match stage {
        Stage::Queued => "queued",
        Stage::Running | Stage::Over(_) => told.phase().as_str(),
    }
}

async fn of_files(server: &Arc<Server>, id: &IncidentId, after: i64) -> Result<Response, Problem> {
    let (head, told) = {
        let (server, id) = (server.clone(), id.clone());
        let read = tokio::task::spawn_blocking(move || {
            (server.past.head(&server.dir, &id), server.past.trace(&server.dir, &id))
        });
        read.await.map_err(|_| Problem::new(chaos_core::error::ErrorKind::Internal, "a reader was lost"))?
    };
    let head = head.ok_or_else(|| unknown(id))?;
    let request = Request::of(&server.dir, id);
    let target = target(request.as_ref(), &head);
    let over = head.status != Status::Running;
    let view = View {
        incident_id: id,
        status: standing(server, id, &head),
        phase: told.phase().as_str(),
        target: &target,
        scenario: scenario(&head, request.as_ref()),
        began: head.began,
        ended: ended(&head, &told).filter(|_| over),
        reason: head.reason.as_deref(),
        queue_position: None,
        last_seq: told.last_seq(),
        agents: told.agents(false, over),
    };
    Ok(view.answer(&told, after))
}

/// When it ended; of one whose process died and that has no report yet, only the trace tells.
pub(super) fn ended(head: &super::Head, told: &Told) -> Option<Timestamp> {
    let is_open = head.status == Status::Interrupted && head.ended <= head.began;
    let last = if is_open { told.end() } else { None };
    Some(last.unwrap_or(head.ended).max(head.began))
}

/// The fault that was, or was to be, injected.
pub(super) fn scenario<'a>(head: &'a super::Head, request: Option<&'a Request>) -> Option<&'a str> {
    head.scenario.as_deref().or_else(|| request?.scenario.as_deref())
}

/// The last phase of an incident that is over and whose trace is not looked at.
pub(super) const fn last_phase(status: Status) -> &'static str {
    match status {
        Status::Completed | Status::Failed | Status::Stopped => Phase::Done.as_str(),
        Status::Running | Status::Interrupted => Phase::Prepare.as_str(),
    }
}
