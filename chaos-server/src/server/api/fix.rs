//! Approving a plan, and applying it: what the command line does, for a caller with the role for it.

use std::sync::{Arc, PoisonError};

use axum::{Extension, extract::State, http::StatusCode, response::Response};
use chaos_core::{error::ErrorKind, model::IncidentId};
use serde::Deserialize;
use serde_json::json;

use super::{existing, json};
use crate::{
    config::Seconds,
    output,
    remedy::{self, Consent},
    server::{
        Server,
        access::Who,
        input::{Id, Input},
        problem::Problem,
        runs::{self, Request},
    },
};

/// How long an approval is good unless something else is said.
const USUAL: Seconds = Seconds(30 * 60);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::server) struct ApproveRequest {
    plan: String,
    reason: String,
    expires: Option<Seconds>,
    #[serde(default)]
    dangerous: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::server) struct ApplyRequest {
    #[serde(default)]
    dangerous: bool,
}

fn allowed(server: &Server) -> Result<(), Problem> {
    if server.settings.config.allow_apply {
        return Ok(());
    }
    let detail =
        "nothing is changed on a target unless the operator allows it: allow_apply = true in the configuration";
    Err(Problem::new(ErrorKind::Refused, detail))
}

fn over(server: &Server, id: &IncidentId) -> Result<(), Problem> {
    existing(server, id)?;
    if server.runs.get(id).is_some() {
        return Err(Problem::new(ErrorKind::Conflict, format!("{id} is still running")));
    }
    Ok(())
}

pub(in crate::server) async fn approve(
    State(server): State<Arc<Server>>,
    Extension(who): Extension<Who>,
    Id(id): Id,
    Input(request): Input<ApproveRequest>,
) -> Result<Response, Problem> {
    allowed(&server)?;
    over(&server, &id)?;
    let consent = Consent {
        plan: request.plan,
        approver: who.name,
        reason: request.reason,
        expires: request.expires.unwrap_or(USUAL),
        dangerous: request.dangerous,
    };
    let (approval, _) = remedy::approve(&server.dir, &id, consent)?;
    Ok(json(&super::detail::approval(&approval)))
}

pub(in crate::server) async fn apply(
    State(server): State<Arc<Server>>,
    Id(id): Id,
    Input(request): Input<ApplyRequest>,
) -> Result<Response, Problem> {
    allowed(&server)?;
    over(&server, &id)?;
    let ready = remedy::ready(&server.dir, &id, request.dangerous)?;
    let unknown = || {
        Problem::new(
            ErrorKind::Unsupported,
            "this incident was not started here: its target is not known; use chaos-handler apply",
        )
    };
    let asked = Request::of(&server.dir, &id).ok_or_else(unknown)?;
    let subject = runs::subject(&server, &asked).await?;
    if !subject.is_live() {
        return Err(Problem::new(
            ErrorKind::Unsupported,
            "its target is no machine: there is nothing to apply a plan to",
        ));
    }
    let applying = Applying::begin(&server, &id)?;
    tokio::spawn(async move {
        let Applying(server, id) = &applying;
        let done = async {
            let host = subject.open(server.clock.clone()).await?;
            remedy::apply(&server.dir, ready, host, server.clock.clone(), |_| {}).await
        };
        let why = match done.await {
            Ok((_, None)) => return,
            Ok((_, Some(lost))) => lost.to_string(),
            Err(failure) => failure.message().to_owned(),
        };
        output::note(&format!("{id}: applying: {why}"));
        let said = format!("the plan was not applied: {why}");
        let _ = server.dir.annotate(id, "FixerAgent", chaos_core::model::EventType::Error, said, json!({}));
    });
    let mut response = json(&json!({ "incident_id": id, "status": "applying" }));
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

/// An application that goes on, for as long as this is held.
struct Applying(Arc<Server>, IncidentId);

impl Applying {
    fn begin(server: &Arc<Server>, id: &IncidentId) -> Result<Self, Problem> {
        let mut all = server.applying.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.insert(id.clone()) {
            return Err(Problem::new(ErrorKind::Conflict, format!("a plan of {id} is being applied")));
        }
        Ok(Self(server.clone(), id.clone()))
    }
}

impl Drop for Applying {
    fn drop(&mut self) {
        self.0.applying.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.1);
    }
}
