//! The files that a run leaves, from what is known. Which name each has is the contract; nothing here decides.

use serde::Serialize;

use crate::{
    agents,
    analysis::logs::raw_logs,
    artifact::ArtifactName,
    error::{Error, ErrorKind, Result},
    model::{Diagnosis, FixPlan, Incident, IncidentId, Observation, Report, RiskAssessment, SCHEMA_VERSION},
};

/// Longest `raw_logs.txt`.
const MAX_RAW_LOGS: usize = 8 << 20;

type Artifact = (ArtifactName, Vec<u8>);

/// What was seen.
pub(super) fn evidence(seen: &Observation) -> Vec<Artifact> {
    vec![
        (ArtifactName::known("raw_logs.txt"), raw_logs(seen, MAX_RAW_LOGS).into_bytes()),
        (ArtifactName::known("metrics.json"), agents::metrics_json(seen).into_bytes()),
    ]
}

/// `fix_suggestion.json`.
#[derive(Serialize)]
struct FixSuggestion<'a> {
    schema_version: u32,
    incident: &'a IncidentId,
    diagnosis: &'a str,
    confidence: f64,
    executed: bool,
    plans: Vec<Suggested<'a>>,
}

#[derive(Serialize)]
struct Suggested<'a> {
    #[serde(flatten)]
    plan: &'a FixPlan,
    risk: Option<&'a RiskAssessment>,
}

/// What is proposed: the typed form of all plans, and the best one as a script.
pub(super) fn fix(incident: &Incident, diagnosis: &Diagnosis) -> Vec<Artifact> {
    let suggestion = FixSuggestion {
        schema_version: SCHEMA_VERSION,
        incident: &incident.id,
        diagnosis: diagnosis.verdict.id(),
        confidence: diagnosis.confidence.get(),
        executed: false,
        plans: incident
            .plans
            .iter()
            .map(|plan| Suggested { plan, risk: incident.risks.iter().find(|r| r.plan_sha256 == plan.plan_sha256) })
            .collect(),
    };
    let mut files = vec![(ArtifactName::known("fix_suggestion.json"), pretty(&suggestion))];
    if let Some(best) = incident.plans.first() {
        let script = agents::fix_sh(best, diagnosis, incident.id.as_str(), incident.span.end);
        files.push((ArtifactName::known("fix.sh"), script.into_bytes()));
    }
    files
}

/// What is told.
///
/// # Errors
/// When a reporter gives a chart a name that is not a file name.
pub(super) fn report(report: &Report) -> Result<Vec<Artifact>> {
    let mut files = vec![
        (ArtifactName::known("report.md"), report.markdown.clone().into_bytes()),
        (ArtifactName::known("slack_summary.txt"), report.slack.clone().into_bytes()),
    ];
    for chart in &report.charts {
        let name = ArtifactName::new(format!("artifacts/{}", chart.name))
            .map_err(|e| Error::new(ErrorKind::AgentFailed, "a chart needs a plain file name").because(e))?;
        files.push((name, chart.svg.clone().into_bytes()));
    }
    Ok(files)
}

/// `incident.json`.
pub(super) fn incident(incident: &Incident) -> Artifact {
    let mut bytes = serde_json::to_vec(incident).expect("an incident is plain data");
    bytes.push(b'\n');
    (ArtifactName::known("incident.json"), bytes)
}

pub(super) fn pretty(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("plain data");
    bytes.push(b'\n');
    bytes
}
