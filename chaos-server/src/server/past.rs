//! Incidents as their files tell them, whoever wrote those: heads for lists, traces, and what the API shows of one.

use std::{
    collections::{HashMap, VecDeque},
    fs,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use chaos_core::{
    error::{Error, ErrorKind, Result},
    model::{IncidentId, Status, TargetInfo, Timestamp, Verdict},
    sinks::Dir,
};
use serde::Deserialize;

use super::told::Told;

/// Heads that are kept, and traces.
const KEPT_HEADS: usize = 20_000;
const KEPT_TRACES: usize = 16;
/// Longest file that is read whole.
const MAX_FILE: u64 = 64 << 20;

/// An incident in a few words.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) status: Status,
    pub(super) reason: Option<String>,
    pub(super) target: TargetInfo,
    pub(super) began: Timestamp,
    pub(super) ended: Timestamp,
    pub(super) cause: Option<String>,
    pub(super) fault: Option<String>,
    pub(super) confidence: Option<f64>,
    pub(super) scenario: Option<String>,
}

#[derive(Deserialize)]
struct Stored {
    status: Status,
    reason: Option<String>,
    target: TargetInfo,
    span: std::ops::Range<Timestamp>,
    diagnosis: Option<StoredDiagnosis>,
    injection: Option<StoredInjection>,
}

#[derive(Deserialize)]
struct StoredDiagnosis {
    #[serde(flatten)]
    verdict: Verdict,
    title: String,
    confidence: f64,
}

#[derive(Deserialize)]
struct StoredInjection {
    scenario: String,
}

impl Stored {
    fn head(self) -> Head {
        let diagnosis = self.diagnosis.as_ref();
        Head {
            status: self.status,
            reason: self.reason,
            target: self.target,
            began: self.span.start,
            ended: self.span.end,
            cause: diagnosis.map(|d| d.title.clone()),
            fault: diagnosis.map(|d| d.verdict.id().to_owned()),
            confidence: diagnosis.map(|d| d.confidence),
            scenario: self.injection.map(|i| i.scenario),
        }
    }
}

/// What tells that a file was not written since: a file is replaced or grows.
type Mark = (SystemTime, u64);

/// Reads incidents, and remembers what does not change.
#[derive(Debug, Default)]
pub(super) struct Past {
    heads: Mutex<HashMap<IncidentId, (Mark, Arc<Head>)>>,
    traces: Mutex<VecDeque<(IncidentId, Mark, Arc<Told>)>>,
}

fn mark(path: &Path) -> Option<Mark> {
    let meta = fs::metadata(path).ok()?;
    Some((meta.modified().ok()?, meta.len()))
}

/// A file's bytes, where it is not too long to be held.
pub(super) fn read(path: &Path) -> Result<Vec<u8>> {
    let failed = |e| Error::storage("read the file", path, e);
    let meta = fs::symlink_metadata(path).map_err(failed)?;
    if !meta.is_file() {
        return Err(Error::new(ErrorKind::NotFound, "this is no file of the incident"));
    }
    if meta.len() > MAX_FILE {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        return Err(Error::new(ErrorKind::OutputLimit, "the file is too long to be sent").with("file", name));
    }
    fs::read(path).map_err(failed)
}

impl Past {
    /// The head of an incident; `None` when it is not there or can't be read.
    pub(super) fn head(&self, dir: &Dir, id: &IncidentId) -> Option<Arc<Head>> {
        let path = dir.path(id).join("incident.json");
        let Some(mark) = mark(&path) else {
            // It was not begun yet.
            return Some(Arc::new(serde_json::from_slice::<Stored>(&dir.state(id).ok()?).ok()?.head()));
        };
        let known = self.heads.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        if let Some((at, head)) = known
            && at == mark
        {
            return Some(head);
        }
        let head = Arc::new(serde_json::from_slice::<Stored>(&read(&path).ok()?).ok()?.head());
        let mut heads = self.heads.lock().unwrap_or_else(PoisonError::into_inner);
        if heads.len() >= KEPT_HEADS {
            heads.clear();
        }
        heads.insert(id.clone(), (mark, head.clone()));
        Some(head)
    }

    /// The trace of an incident, as far as it is written.
    pub(super) fn trace(&self, dir: &Dir, id: &IncidentId) -> Arc<Told> {
        let path = dir.path(id).join("trace.json");
        let Some(mark) = mark(&path) else { return Arc::default() };
        {
            let traces = self.traces.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, _, told)) = traces.iter().find(|(i, at, _)| i == id && *at == mark) {
                return told.clone();
            }
        }
        let bytes = read(&path).unwrap_or_default();
        let told = Arc::new(Told::parse(&String::from_utf8_lossy(&bytes)));
        let mut traces = self.traces.lock().unwrap_or_else(PoisonError::into_inner);
        traces.retain(|(i, _, _)| i != id);
        traces.push_front((id.clone(), mark, told.clone()));
        traces.truncate(KEPT_TRACES);
        told
    }
}
