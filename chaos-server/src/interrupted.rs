//! Incidents whose process died: they are marked, and their report is written, as far as it can be, by whoever finds
//! them; once more when it is known what became of their fault.

use std::{collections::BTreeMap, fs};

use chaos_core::{
    agents::interrupted_report,
    artifact::ArtifactName,
    audit::sha256_hex,
    error::{Error, ErrorKind, Result},
    model::{EventType, Incident, IncidentId, Injection, Phase, Recovery, Timestamp, TraceEvent},
    sinks::Dir,
};
use serde_json::json;

use crate::output;

/// The heading under which a report that was finished says that its run was not.
const HEADING: &str = "## Interrupted";

/// What was found out about a fault that was left behind.
pub(crate) struct Found {
    /// Whether it is gone.
    pub(crate) recovery: Recovery,
    /// When that was found out.
    pub(crate) at: Timestamp,
    /// One line for a person.
    pub(crate) said: String,
}

/// Marks incidents whose process died, and writes their reports. Gives the ones that were marked.
///
/// # Errors
/// When the incidents can't be read.
pub(crate) fn mark(dir: &Dir, now: Timestamp) -> Result<Vec<IncidentId>> {
    let ids = dir.mark_interrupted(now)?;
    for id in &ids {
        if let Err(e) = tell(dir, id, None) {
            output::note(&format!("{id}: its report can't be written: {e}"));
        }
    }
    Ok(ids)
}

/// Writes the report of an interrupted incident, and notes in the trace what was found out.
///
/// # Errors
/// When the incident can't be read, or the report not be written.
pub(crate) fn tell(dir: &Dir, id: &IncidentId, found: Option<&Found>) -> Result<()> {
    if let Some(Found { recovery, said, .. }) = found {
        let kind = if *recovery == Recovery::Proven { EventType::Chaos } else { EventType::Error };
        dir.annotate(id, "Coordinator", kind, said.clone(), json!({ "recovery": recovery }))?;
    }
    let mut incident: Incident = parsed(&read(dir, id, "incident.json")?)?;
    let trace: Vec<TraceEvent> = parsed(&read(dir, id, "trace.json")?)?;
    if let Some(last) = trace.iter().rfind(|e| e.phase != Phase::Apply) {
        incident.span.end = last.timestamp.max(incident.span.start);
    }
    let wrong = trace.iter().filter(|e| e.kind == EventType::Error);
    incident.errors = wrong.map(|e| format!("{}: {}", e.agent, e.content)).collect();
    if let Some(injection) = &mut incident.injection {
        settle(injection, found);
    }
    let mut files = vec![("incident.json", serde_json::to_vec(&incident).unwrap_or_default())];
    match fs::read_to_string(dir.path(id).join("report.md")) {
        // It had come to its report already, which knows more than what was saved.
        Ok(written) if incident.diagnosis.is_none() && !written.contains("## What was done until then") => {
            files.push(("report.md", with_note(&written, &incident).into_bytes()));
        }
        _ => {
            let report = interrupted_report(&incident, &trace);
            files.push(("report.md", report.markdown.into_bytes()));
            files.push(("slack_summary.txt", report.slack.into_bytes()));
        }
    }
    let mut hashes = BTreeMap::new();
    for (name, bytes) in &files {
        dir.put(id, &ArtifactName::new(*name)?, bytes)?;
        hashes.insert(*name, sha256_hex(bytes));
    }
    let said = "wrote what is known of the interrupted run".to_owned();
    dir.annotate(id, "ReporterAgent", EventType::Report, said, json!({ "files": hashes }))
}

/// What the report is to say of the fault. One that was proven to be reverted stays so, unless something of it is there.
fn settle(injection: &mut Injection, found: Option<&Found>) {
    let was_proven = injection.reverted.is_some() && injection.recovery == Recovery::Proven;
    match found {
        Some(Found { recovery: Recovery::Unknown(_), .. }) if was_proven => {}
        Some(found) => {
            injection.reverted = Some(found.at).filter(|_| found.recovery == Recovery::Proven);
            injection.recovery = found.recovery.clone();
        }
        None if injection.reverted.is_none() => {
            let own = match injection.fires_at {
                Some(at) => format!("its own armed revert fires on the target at {at} at the latest"),
                None => "whether its own revert was armed is not known either".to_owned(),
            };
            injection.recovery = Recovery::Unknown(format!("the process died before it reverted the fault; {own}"));
        }
        None => {}
    }
}

fn with_note(report: &str, incident: &Incident) -> String {
    let written = report.split(HEADING).next().unwrap_or_default().trim_end();
    let why = incident.reason.as_deref().unwrap_or("its process died");
    let fault = incident.injection.as_ref().map_or(String::new(), |i| match &i.recovery {
        Recovery::Proven => format!(" The fault {} is proven to be gone.", i.scenario),
        Recovery::NotRecovered(_) => format!(" The fault {} is **not reverted**.", i.scenario),
        Recovery::Unknown(_) => format!(" Whether the fault {} is gone is **not known**.", i.scenario),
    });
    format!("{written}\n\n{HEADING}\n\nThis report was written before the run was cut off: {why}.{fault}\n")
}

fn read(dir: &Dir, id: &IncidentId, name: &str) -> Result<Vec<u8>> {
    let path = dir.path(id).join(name);
    fs::read(&path).map_err(|e| Error::storage("read", &path, e))
}

fn parsed<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    serde_json::from_slice(bytes)
        .map_err(|e| Error::new(ErrorKind::Storage, "the incident can't be understood").because(e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chaos_core::{
        clock::{Clock as _, SystemClock},
        model::Status,
    };

    #[test]
    fn a_report_that_was_there_is_kept_and_told_of_the_interruption_once() {
        let place = tempfile::tempdir().unwrap();
        let dir = Dir::open(place.path()).unwrap();
        let id = IncidentId::parse("inc-20260101-001").unwrap();
        let recorded = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/incidents/disk_fill");
        let bytes = fs::read(recorded.join("incident.json")).unwrap();
        let mut incident: Incident = serde_json::from_slice(&bytes).unwrap();
        (incident.id, incident.status, incident.diagnosis, incident.observation) =
            (id.clone(), Status::Running, None, None);
        let injection = incident.injection.as_mut().expect("it was injected");
        (injection.reverted, injection.recovery) = (None, Recovery::Unknown("it was never reverted".into()));
        let there = dir.path(&id);
        fs::create_dir(&there).unwrap();
        fs::write(there.join("incident.json"), serde_json::to_vec(&incident).unwrap()).unwrap();
        fs::write(there.join("trace.json"), "[\n]\n").unwrap();
        fs::write(there.join("report.md"), "# What was found\n\nMuch.\n").unwrap();
        fs::write(there.join(".running"), "").unwrap();

        let now = SystemClock::default().now();
        assert_eq!(mark(&dir, now).unwrap(), std::slice::from_ref(&id));
        let report = fs::read_to_string(there.join("report.md")).unwrap();
        assert!(report.starts_with("# What was found\n\nMuch.\n\n## Interrupted\n"), "{report}");
        assert!(report.contains("Whether the fault disk_fill is gone is **not known**"), "{report}");
        let found = Found { recovery: Recovery::Proven, at: now, said: "it is gone".into() };
        tell(&dir, &id, Some(&found)).unwrap();
        let report = fs::read_to_string(there.join("report.md")).unwrap();
        assert_eq!((report.matches(HEADING).count(), report.contains("proven to be gone")), (1, true), "{report}");
        // What is proven stays so when nobody can be asked later.
        let lost = Found { recovery: Recovery::Unknown("gone".into()), at: now, said: "not known".into() };
        tell(&dir, &id, Some(&lost)).unwrap();
        let told: Incident = serde_json::from_slice(&fs::read(there.join("incident.json")).unwrap()).unwrap();
        assert_eq!(told.injection.map(|i| i.recovery), Some(Recovery::Proven));
        assert!(mark(&dir, now).unwrap().is_empty());
    }
}
