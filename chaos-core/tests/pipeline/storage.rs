//! Sinks that fail, and sinks that are shared.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use chaos_core::{
    artifact::{ArtifactName, ArtifactSink},
    async_trait,
    error::{Error, ErrorKind, Result},
    model::{IncidentId, Status, Timestamp, TraceEvent},
    sinks::{Dir, Memory},
};

use crate::support::{Fault, pipeline};

/// Works for so many calls, then the disk is full.
struct Fills {
    inner: Memory,
    left: AtomicU32,
}

impl Fills {
    fn take(&self) -> Result<()> {
        let left = self.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| n.checked_sub(1));
        left.map(drop).map_err(|_| Error::new(ErrorKind::Storage, "no space left"))
    }
}

#[async_trait]
impl ArtifactSink for Fills {
    async fn create(&self, at: Timestamp) -> Result<IncidentId> {
        self.inner.create(at).await
    }
    async fn append_event(&self, id: &IncidentId, event: &TraceEvent) -> Result<()> {
        self.take()?;
        self.inner.append_event(id, event).await
    }
    async fn write(&self, id: &IncidentId, name: &ArtifactName, bytes: &[u8]) -> Result<()> {
        self.take()?;
        self.inner.write(id, name, bytes).await
    }
    async fn append(&self, id: &IncidentId, name: &ArtifactName, bytes: &[u8]) -> Result<()> {
        self.take()?;
        self.inner.append(id, name, bytes).await
    }
    async fn read(&self, id: &IncidentId, name: &ArtifactName) -> Result<Vec<u8>> {
        self.inner.read(id, name).await
    }
    async fn list(&self, id: &IncidentId) -> Result<Vec<ArtifactName>> {
        self.inner.list(id).await
    }
    async fn incidents(&self) -> Result<Vec<IncidentId>> {
        self.inner.incidents().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_fails_at_any_moment_skips_no_revert_and_is_said() {
    let mut failed_later = 0;
    for calls in [0, 1, 2, 3, 5, 8, 12, 16, 20] {
        let fault = Fault::default();
        let sink = Fills { inner: Memory::default(), left: AtomicU32::new(calls) };
        let started = pipeline(Arc::new(sink)).with_scenario(Arc::new(fault.clone())).start().await;
        let run = match started {
            Ok(run) => run,
            Err(e) => {
                assert_eq!(e.kind(), ErrorKind::Storage);
                assert!(calls < 2 && fault.log().is_empty(), "after {calls} calls: {e}");
                continue;
            }
        };
        let outcome = run.outcome().await.unwrap();
        let error = outcome.storage_error.unwrap_or_else(|| panic!("after {calls} calls nothing was said"));
        assert_eq!(error.kind(), ErrorKind::Storage);
        assert_eq!(fault.log(), ["arm", "start", "revert"], "after {calls} calls");
        assert_eq!(outcome.incident.status, Status::Completed);
        assert!(outcome.report.markdown.contains("Test fault"));
        failed_later += 1;
    }
    assert!(failed_later >= 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_at_the_same_time_on_one_directory_do_not_mix() {
    let place = tempfile::tempdir().unwrap();
    let sink = Arc::new(Dir::open(place.path()).unwrap());
    let mut runs = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let run = pipeline(sink.clone()).start().await.unwrap();
        runs.spawn(async move { run.outcome().await.unwrap() });
    }
    let outcomes = runs.join_all().await;
    let mut ids: Vec<_> = outcomes.iter().map(|o| o.incident.id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    assert_eq!(sink.incidents().await.unwrap(), ids);
    for outcome in outcomes {
        let id = outcome.incident.id;
        assert!(outcome.storage_error.is_none());
        assert!(!sink.is_running(&id));
        let trace = sink.read(&id, &ArtifactName::new("trace.json").unwrap()).await.unwrap();
        let events: Vec<TraceEvent> = serde_json::from_slice(&trace).unwrap();
        assert!(events.iter().enumerate().all(|(i, e)| e.seq == i as u64));
        assert!(events[0].content.contains(id.as_str()), "{}", events[0].content);
        let names: Vec<String> = sink.list(&id).await.unwrap().into_iter().map(String::from).collect();
        let want = [
            "fix.sh",
            "fix_suggestion.json",
            "incident.json",
            "metrics.json",
            "raw_logs.txt",
            "recording/answers.jsonl",
            "recording/run.json",
            "report.md",
            "slack_summary.txt",
            "trace.json",
        ];
        assert_eq!(names, want);
    }
    let summaries = sink.summaries().unwrap();
    assert_eq!(summaries.len(), 4);
    assert!(summaries.iter().all(|s| s.status == Status::Completed && s.cause.as_deref() == Some("Test fault")));
}
