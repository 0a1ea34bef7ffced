//! The pipeline's recorder for tests: wraps a transport, and leaves a directory that
//! [`Replay`](crate::transports::Replay) opens.

use std::{fmt, sync::Arc};

use crate::{
    artifact::{ArtifactName, ArtifactSink},
    error::Result,
    model::{Facts, IncidentId, RunOptions, SCHEMA_VERSION, Timestamp},
    recording::RunRecord,
    transport::Transport,
    transports::Recorder,
};

/// A recording under way.
pub struct Recording {
    recorder: Recorder,
    transport: Arc<dyn Transport>,
    sink: Arc<dyn ArtifactSink>,
    id: IncidentId,
}

impl fmt::Debug for Recording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recording").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Recording {
    /// Records what is asked of `inner` into the incident `id` of `sink`, as a run does.
    pub fn start(inner: Arc<dyn Transport>, sink: Arc<dyn ArtifactSink>, id: IncidentId) -> Self {
        let recorder = Recorder::start(sink.clone(), id.clone());
        Self { transport: recorder.wrap(inner), recorder, sink, id }
    }

    /// The transport to ask.
    #[must_use]
    pub fn transport(&self) -> Arc<dyn Transport> {
        self.transport.clone()
    }

    /// Writes down what is left, and what else a replay needs. Every reply must have ended.
    ///
    /// # Errors
    /// When the sink can't be written to.
    pub async fn finish(self) -> Result<()> {
        let digest = self.recorder.finish().await?;
        let record = RunRecord {
            schema_version: SCHEMA_VERSION,
            id: self.id.clone(),
            began: Timestamp::default(),
            target: self.transport.target(),
            capabilities: self.transport.capabilities(),
            options: RunOptions::default(),
            plugins: Vec::new(),
            history: Vec::new(),
            facts: Some(Facts::default()),
            injection: None,
            answers_sha256: Some(digest),
        };
        let bytes = serde_json::to_vec(&record).expect("a record is plain data");
        self.sink.write(&self.id, &ArtifactName::known("recording/run.json"), &bytes).await?;
        self.sink.close(&self.id).await
    }
}
