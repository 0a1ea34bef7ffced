//! Incidents in memory: for tests, replays and embedders that keep nothing.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;

use crate::{
    artifact::{ArtifactName, ArtifactSink},
    error::{Error, ErrorKind, Result},
    model::{IncidentId, Timestamp, TraceEvent},
};

type Artifacts = BTreeMap<ArtifactName, Vec<u8>>;

/// Incidents in memory. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Memory(Arc<Mutex<BTreeMap<IncidentId, Artifacts>>>);

impl Memory {
    fn with<T>(&self, id: &IncidentId, f: impl FnOnce(&mut Artifacts) -> T) -> Result<T> {
        let mut incidents = self.0.lock().expect("no panic while held");
        let artifacts =
            incidents.get_mut(id).ok_or_else(|| Error::new(ErrorKind::NotFound, "no such incident").with("id", id))?;
        Ok(f(artifacts))
    }
}

#[async_trait]
impl ArtifactSink for Memory {
    async fn create(&self, at: Timestamp) -> Result<IncidentId> {
        let mut incidents = self.0.lock().expect("no panic while held");
        let day = at.day();
        let id = (1..=u32::MAX)
            .map(|n| IncidentId::numbered(&day, n))
            .find(|id| !incidents.contains_key(id))
            .ok_or_else(|| Error::new(ErrorKind::Storage, "no number is left for this day").with("day", day))?;
        let trace = BTreeMap::from([(ArtifactName::known("trace.json"), b"[\n\n]\n".to_vec())]);
        incidents.insert(id.clone(), trace);
        Ok(id)
    }

    async fn append_event(&self, id: &IncidentId, event: &TraceEvent) -> Result<()> {
        self.with(id, |artifacts| {
            let trace = artifacts.entry(ArtifactName::known("trace.json")).or_default();
            let empty = trace.len() <= b"[\n\n]\n".len();
            trace.truncate(if empty { 2 } else { trace.len() - 3 });
            if !empty {
                trace.extend_from_slice(b",\n");
            }
            serde_json::to_writer(&mut *trace, event).expect("events are plain data");
            trace.extend_from_slice(b"\n]\n");
        })
    }

    async fn write(&self, id: &IncidentId, name: &ArtifactName, bytes: &[u8]) -> Result<()> {
        self.with(id, |artifacts| {
            artifacts.insert(name.clone(), bytes.to_vec());
        })
    }

    async fn append(&self, id: &IncidentId, name: &ArtifactName, bytes: &[u8]) -> Result<()> {
        self.with(id, |artifacts| artifacts.entry(name.clone()).or_default().extend_from_slice(bytes))
    }

    async fn read(&self, id: &IncidentId, name: &ArtifactName) -> Result<Vec<u8>> {
        self.with(id, |artifacts| artifacts.get(name).cloned())?
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "no such artifact").with("id", id).with("name", name))
    }

    async fn list(&self, id: &IncidentId) -> Result<Vec<ArtifactName>> {
        self.with(id, |artifacts| artifacts.keys().cloned().collect())
    }

    async fn incidents(&self) -> Result<Vec<IncidentId>> {
        let mut ids: Vec<IncidentId> = self.0.lock().expect("no panic while held").keys().cloned().collect();
        ids.sort_by(|a, b| a.age().cmp(&b.age()));
        Ok(ids)
    }
}
