//! `list`, `show`, `report` and `stop`: what is stored of incidents, and the end of one that is running.

use std::{path::Path, time::Duration};

use chaos_core::{
    agents,
    artifact::ArtifactSink as _,
    audit,
    chart::visible,
    model::{Confirmation, Incident, IncidentId, Recovery, SCHEMA_VERSION, Status},
    sinks::{Dir, Summary},
};
use serde_json::json;

use super::{existing, find, mark_interrupted};
use crate::{
    exit::{Exit, Failure},
    output,
};

/// How long a run that was asked to stop may take: a revert, and a report.
const STOPPING: Duration = Duration::from_secs(150);
/// Longest text of a cell or of a finding, in characters.
const MAX_TEXT: usize = 120;
/// Findings that `show` prints; the report has all.
const MAX_FINDINGS: usize = 15;

pub(super) fn list(root: &Path, as_json: bool) -> Result<Exit, Failure> {
    let all = match existing(root)? {
        Some(dir) => {
            mark_interrupted(&dir)?;
            dir.summaries().map_err(|e| Failure::storage(&e))?
        }
        None => Vec::new(),
    };
    if as_json {
        output::print_json(&all)?;
    } else if all.is_empty() {
        output::note(&format!("there are no incidents in {}", root.display()));
    } else {
        output::print(&table(&all))?;
    }
    Ok(Exit::Ok)
}

fn table(all: &[Summary]) -> String {
    let mut text = format!("{:<17} {:<11} {:<19} {:<12} CAUSE\n", "ID", "STATUS", "BEGAN (UTC)", "TARGET");
    for s in all {
        let began = s.began.to_string().replace('T', " ");
        let cause = match (&s.cause, s.confidence) {
            (Some(cause), Some(p)) => {
                let sure = chaos_core::model::Confidence::new(p);
                let found = s.confirmed.as_ref().map_or(String::new(), |v| format!("; was: {}", visible(v.id())));
                format!("{} ({sure}{found})", cut(cause))
            }
            _ => "-".to_owned(),
        };
        let (id, status, target) = (s.id.as_str(), s.status.as_str(), cut(&s.target.name));
        text.push_str(&format!(
            "{id:<17} {status:<11} {:<19} {target:<12} {cause}\n",
            began.get(..19).unwrap_or(&began)
        ));
    }
    text
}

pub(super) async fn show(root: &Path, id: &str, as_json: bool) -> Result<Exit, Failure> {
    let (dir, id) = find(root, id).await?;
    mark_interrupted(&dir)?;
    let incident = read(&dir, &id)?;
    let confirmed = dir.confirmation(&id).map_err(|e| Failure::storage(&e))?;
    let files: Vec<String> = dir.list(&id).await?.iter().map(|n| n.as_str().to_owned()).collect();
    if as_json {
        output::print_json(&json!({
            "id": incident.id,
            "status": incident.status,
            "reason": incident.reason,
            "target": incident.target,
            "began": incident.span.start,
            "ended": incident.span.end,
            "cause": incident.diagnosis.as_ref().map(|d| json!({
                "verdict": d.verdict.id(), "title": d.title, "confidence": d.confidence,
            })),
            "culprit": incident.diagnosis.as_ref().and_then(|d| d.culprit.as_ref()).map(|c| json!({
                "entity": c.entity, "summary": c.summary,
            })),
            "findings": incident.findings.iter().map(|(_, f)| json!({
                "agent": f.agent, "summary": f.summary, "score": f.score, "entity": f.entity, "onset": f.onset,
            })).collect::<Vec<_>>(),
            "confirmed": confirmed,
            "injection": incident.injection,
            "errors": incident.errors,
            "path": dir.path(&id),
            "files": files,
        }))?;
    } else {
        output::print(&shown(&incident, confirmed.as_ref(), &dir.path(&id), &files))?;
    }
    Ok(Exit::Ok)
}

fn shown(incident: &Incident, confirmed: Option<&Confirmation>, path: &Path, files: &[String]) -> String {
    let mut text = agents::terminal_summary(incident);
    if let (Some(c), Some(d)) = (confirmed, &incident.diagnosis) {
        text.push_str(&format!("  {:<10} {}\n", "Outcome", super::confirm::told(c, d)));
    }
    let took = incident.span.end.since(incident.span.start).as_secs();
    text.push_str(&format!("  {:<10} {} to {} ({took} s)\n", "Time", incident.span.start, incident.span.end));
    let mut findings: Vec<_> = incident.findings.iter().map(|(_, f)| f).collect();
    findings.sort_by(|a, b| b.score.total_cmp(&a.score));
    if !findings.is_empty() {
        text.push_str(&format!("\nFindings ({}), strongest first\n", findings.len()));
    }
    for finding in findings.iter().take(MAX_FINDINGS) {
        text.push_str(&format!("  {:.2}  {}\n", finding.score, cut(&finding.summary)));
    }
    if findings.len() > MAX_FINDINGS {
        text.push_str(&format!("  … and {} more, see the report\n", findings.len() - MAX_FINDINGS));
    }
    text.push_str(&format!("\nFiles in {}\n", path.display()));
    for file in files {
        text.push_str(&format!("  {}\n", visible(file)));
    }
    text
}

pub(super) async fn verify(root: &Path, id: &str, as_json: bool) -> Result<Exit, Failure> {
    let (dir, id) = find(root, id).await?;
    mark_interrupted(&dir)?;
    if dir.is_running(&id) {
        return Err(Failure::new(Exit::Conflict, format!("{id} is still running: it is being written")));
    }
    let audit = audit::verify(&dir.path(&id), &id)?;
    if as_json {
        output::print_json(&audit)?;
    } else {
        let mut text =
            format!("{id}: {} events follow from each other, {} files are as written\n", audit.events, audit.files);
        text.push_str(&format!("  {:<10} {}\n", "Head", audit.head_sha256));
        for (label, said) in [("Changed", &audit.broken), ("Unknown", &audit.unknown)] {
            said.iter().for_each(|line| text.push_str(&format!("  {label:<10} {}\n", visible(line))));
        }
        output::print(&text)?;
    }
    Ok(if audit.broken.is_empty() { Exit::Ok } else { Exit::Altered })
}

pub(super) async fn stop(root: &Path, id: &str, wait: bool) -> Result<Exit, Failure> {
    let (dir, id) = find(root, id).await?;
    dir.request_stop(&id)?;
    output::note(&format!("asked {id} to stop: it reverts what it injected, and reports what it knows"));
    if !wait {
        return Ok(Exit::Ok);
    }
    let ended = async {
        while dir.is_running(&id) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    if tokio::time::timeout(STOPPING, ended).await.is_err() {
        return Err(Failure::new(Exit::Conflict, format!("{id} is still running after {} s", STOPPING.as_secs())));
    }
    mark_interrupted(&dir)?;
    let incident = read(&dir, &id)?;
    output::print(&agents::terminal_summary(&incident))?;
    let reverted = incident.injection.as_ref().is_none_or(|i| i.recovery == Recovery::Proven);
    let died = incident.status == Status::Interrupted;
    Ok(if reverted && !died { Exit::Ok } else { Exit::NotReverted })
}

/// Reads `incident.json`.
pub(crate) fn read(dir: &Dir, id: &IncidentId) -> Result<Incident, Failure> {
    #[derive(serde::Deserialize)]
    struct Head {
        schema_version: u32,
    }
    let path = dir.path(id).join("incident.json");
    let bytes = dir.state(id)?;
    let damaged = |e| Failure::new(Exit::Storage, format!("{} can't be understood: {e}", path.display()));
    let head: Head = serde_json::from_slice(&bytes).map_err(damaged)?;
    if head.schema_version > SCHEMA_VERSION {
        return Err(Failure::new(
            Exit::Target,
            format!("{} was written by a newer version; update to read it", path.display()),
        ));
    }
    serde_json::from_slice(&bytes).map_err(damaged)
}

pub(super) fn cut(text: &str) -> String {
    let text = visible(text);
    match text.char_indices().nth(MAX_TEXT) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
