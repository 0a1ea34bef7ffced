//! What is written of an incident before and beside its run: who asked for what, and how it ended when it never began.
//! It is there before anybody is told of the incident.

use chaos_core::{
    artifact::{ArtifactName, ArtifactSink as _},
    audit::{genesis, sha256_hex},
    clock::{Clock as _, SystemClock},
    error::{Error, ErrorKind, Result},
    model::{AgentName, EventType, Incident, IncidentId, Ledger, Phase, SCHEMA_VERSION, Status, Timestamp, TraceEvent},
    sinks::Dir,
};
use serde::{Deserialize, Serialize};

use super::{Job, Live, TargetVm};

/// What was asked for. No secret: a scenario's arguments are not in here.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Request {
    /// A target of the configuration, or as the API shows it.
    pub(crate) target: String,
    pub(crate) kind: String,
    /// A machine that the request described.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) vm: Option<TargetVm>,
    pub(crate) scenario: Option<String>,
    pub(crate) caller: String,
}

impl Request {
    /// What was asked for; `None` of an incident that was not started by a server.
    pub(crate) fn of(dir: &Dir, id: &IncidentId) -> Option<Self> {
        serde_json::from_slice(&dir.asked(id)?).ok()
    }
}

/// What an incident is made with: the request, and the incident as it stands until its run begins.
#[derive(Serialize)]
struct Asked<'a> {
    #[serde(flatten)]
    request: &'a Request,
    incident: &'a Incident,
}

/// Makes the incident.
///
/// # Errors
/// When it can't be written; then nothing is left of it.
pub(super) fn create(dir: &Dir, began: Timestamp, job: &Job) -> Result<IncidentId> {
    dir.create_asked(began, |id| {
        let incident = Incident {
            schema_version: SCHEMA_VERSION,
            id: id.clone(),
            status: Status::Running,
            reason: None,
            target: job.subject.info.clone(),
            options: job.options.clone(),
            span: began..began,
            observation: None,
            findings: Ledger::default(),
            answers: Ledger::default(),
            diagnosis: None,
            plans: Vec::new(),
            risks: Vec::new(),
            injection: None,
            errors: Vec::new(),
        };
        serde_json::to_vec(&Asked { request: &job.request, incident: &incident }).unwrap_or_default()
    })
}

/// Ends an incident of which no run was begun: two events, and the status.
pub(super) async fn conclude(dir: &Dir, live: &Live, status: Status, why: &str) {
    let mut head = genesis(&live.id);
    let events = [
        (EventType::Error, Phase::Prepare, why.to_owned()),
        (EventType::Phase, Phase::Done, format!("{}: {why}", status.as_str())),
    ];
    for (seq, (kind, phase, content)) in events.into_iter().enumerate() {
        let timestamp = SystemClock::default().now().max(live.began);
        let agent = AgentName::new("Coordinator");
        let event =
            TraceEvent { seq: seq as u64, timestamp, phase, agent, kind, content, data: None, previous_sha256: head };
        if let Err(e) = dir.append_event(&live.id, &event).await {
            crate::output::note(&format!("{}: {e}", live.id));
        }
        head = sha256_hex(&event.line());
        live.event(&event);
    }
    if let Err(e) = ended(dir, live, status, why).await {
        crate::output::note(&format!("{}: {e}", live.id));
    }
    let _ = dir.close(&live.id).await;
    live.end(status, Some(why.to_owned()));
}

async fn ended(dir: &Dir, live: &Live, status: Status, why: &str) -> Result<()> {
    let mut incident: Incident = serde_json::from_slice(&dir.state(&live.id)?)
        .map_err(|e| Error::new(ErrorKind::Storage, "the incident can't be understood").because(e))?;
    incident.status = status;
    incident.reason = Some(why.to_owned());
    incident.span.end = SystemClock::default().now().max(live.began);
    let bytes = serde_json::to_vec(&incident).unwrap_or_default();
    dir.write(&live.id, &ArtifactName::new("incident.json")?, &bytes).await
}
