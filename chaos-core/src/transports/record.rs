//! Wraps any transport: redacts what looks like a secret, and writes down all that a replay needs. Agents see
//! only what passed through here, so that a recording holds exactly what they saw, and never a secret.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

use crate::{
    artifact::{ArtifactName, ArtifactSink},
    error::{Error, ErrorKind, Result},
    model::{AgentName, Ask, End, Facts, IncidentId, TargetInfo, Timestamp},
    redact::Redactor,
    transport::{Capabilities, Chunk, Reply, ReplyWriter, Request, Stream, Transport},
};

/// Bytes of one reply that are written down; a replay of a longer one ends there, and says so.
const RECORD_LIMIT: usize = 32 << 20;
/// A line longer than this is passed on in pieces.
const MAX_LINE: usize = 64 << 10;

/// A line of `recording/answers.jsonl`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Entry {
    /// Something was asked; `failed` when not even a stream came back.
    Open {
        reply: u32,
        agent: AgentName,
        ask: Ask,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failed: Option<Error>,
    },
    /// A piece of output: `text`, or `hex` where it is not UTF-8.
    Chunk {
        reply: u32,
        at: i64,
        stream: Stream,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hex: Option<String>,
    },
    /// The reply ended.
    End { reply: u32, at: i64, end: End },
}

/// Takes entries from many replies and writes them down in the order in which they came.
pub(crate) struct Recorder {
    entries: mpsc::UnboundedSender<Job>,
    task: JoinHandle<()>,
}

enum Job {
    Entry(Entry),
    Finish(oneshot::Sender<Result<String>>),
}

impl Recorder {
    pub(crate) fn start(sink: Arc<dyn ArtifactSink>, id: IncidentId) -> Self {
        let (entries, jobs) = mpsc::unbounded_channel();
        Self { entries, task: tokio::spawn(write_down(jobs, sink, id)) }
    }

    /// Wraps `inner`, so that all that passes is redacted and written down here.
    pub(crate) fn wrap(&self, inner: Arc<dyn Transport>) -> Arc<dyn Transport> {
        Arc::new(Record { inner, entries: self.entries.clone(), next: AtomicU32::new(0) })
    }

    /// Waits until everything so far is written; gives the SHA-256 of the whole file in hex.
    pub(crate) async fn finish(self) -> Result<String> {
        let (done, wait) = oneshot::channel();
        let _ = self.entries.send(Job::Finish(done));
        let result = wait.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "the recorder is gone")));
        self.task.abort();
        result
    }
}

async fn write_down(mut jobs: mpsc::UnboundedReceiver<Job>, sink: Arc<dyn ArtifactSink>, id: IncidentId) {
    const BATCH: usize = 256 << 10;
    let name = ArtifactName::known("recording/answers.jsonl");
    let (mut hash, mut failed, mut batch) = (Sha256::new(), None, Vec::new());
    while let Some(job) = jobs.recv().await {
        let finish = match job {
            Job::Entry(entry) => {
                serde_json::to_writer(&mut batch, &entry).expect("entries are plain data");
                batch.push(b'\n');
                None
            }
            Job::Finish(done) => Some(done),
        };
        // What waits already goes into the same write.
        if finish.is_none() && batch.len() < BATCH && !jobs.is_empty() {
            continue;
        }
        // After a failed write nothing more is written: a recording has no holes.
        if failed.is_none() && !batch.is_empty() {
            hash.update(&batch);
            failed = sink.append(&id, &name, &batch).await.err();
        }
        batch.clear();
        if let Some(done) = finish {
            let digest = hash.clone().finalize().iter().map(|b| format!("{b:02x}")).collect();
            let _ = done.send(failed.clone().map_or(Ok(digest), Err));
        }
    }
}

/// The wrapper.
pub(crate) struct Record {
    inner: Arc<dyn Transport>,
    entries: mpsc::UnboundedSender<Job>,
    next: AtomicU32,
}

impl Record {
    fn note(&self, entry: Entry) {
        let _ = self.entries.send(Job::Entry(entry));
    }
}

#[async_trait]
impl Transport for Record {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn target(&self) -> TargetInfo {
        self.inner.target()
    }

    fn known_facts(&self) -> Option<Facts> {
        self.inner.known_facts()
    }

    async fn open(&self, request: &Request) -> Result<Reply> {
        let reply = self.next.fetch_add(1, Ordering::Relaxed);
        let opened = self.inner.open(request).await;
        let (agent, ask) = (request.agent.clone(), request.ask.clone());
        self.note(Entry::Open { reply, agent, ask, failed: opened.as_ref().err().cloned() });
        let (writer, outer) = Reply::pair(request.max_bytes);
        tokio::spawn(Tap { reply, writer, entries: self.entries.clone(), recorded: 0, cut: false }.run(opened?));
        Ok(outer)
    }
}

/// Carries one reply from the inner transport to the reader.
struct Tap {
    reply: u32,
    writer: ReplyWriter,
    entries: mpsc::UnboundedSender<Job>,
    recorded: usize,
    cut: bool,
}

impl Tap {
    async fn run(mut self, mut inner: Reply) {
        let mut lines = [HeldLine::default(), HeldLine::default()];
        let mut failed = None;
        let mut stopping = false;
        loop {
            // A reader that is behind holds up the inner stream, not memory. Once stopping, what is left drains.
            let room = async {
                self.writer.room().await;
                inner.next().await
            };
            let chunk = tokio::select! {
                biased;
                () = self.writer.stopped(), if !stopping => {
                    stopping = true;
                    inner.stop();
                    continue;
                }
                chunk = room => chunk,
            };
            let Some(chunk) = chunk else { break };
            let held = &mut lines[usize::from(chunk.stream == Stream::Stderr)];
            let bytes = held.complete(&chunk.bytes);
            if let Err(e) = self.pass_on(Chunk { bytes, ..chunk })
                && !stopping
            {
                stopping = true;
                inner.stop();
                failed = (e.kind() != ErrorKind::Stopped).then_some(e);
            }
        }
        let (end, at) = inner.end().map_or((End::Stopped, Timestamp::default()), |(end, at)| (end.clone(), at));
        for (held, stream) in lines.iter_mut().zip([Stream::Stdout, Stream::Stderr]) {
            // The reader may be gone; the recording keeps the rest all the same.
            let _ = self.pass_on(Chunk { at, stream, bytes: held.rest() });
        }
        let end = failed.map_or(end, End::Failed);
        let recorded = if self.cut {
            let limit = Error::new(ErrorKind::OutputLimit, "the recording was cut").with("max_bytes", RECORD_LIMIT);
            End::Failed(limit)
        } else {
            end.clone()
        };
        self.note(Entry::End { reply: self.reply, at: at.0, end: recorded });
        self.writer.finish(end, at);
    }

    fn pass_on(&mut self, chunk: Chunk) -> Result<()> {
        if chunk.bytes.is_empty() {
            return Ok(());
        }
        self.recorded += chunk.bytes.len();
        self.cut |= self.recorded > RECORD_LIMIT;
        if !self.cut {
            let (text, hex) = match std::str::from_utf8(&chunk.bytes) {
                Ok(text) => (Some(text.to_owned()), None),
                Err(_) => (None, Some(chunk.bytes.iter().map(|b| format!("{b:02x}")).collect())),
            };
            self.note(Entry::Chunk { reply: self.reply, at: chunk.at.0, stream: chunk.stream, text, hex });
        }
        self.writer.push(chunk)
    }

    fn note(&self, entry: Entry) {
        let _ = self.entries.send(Job::Entry(entry));
    }
}

/// Redacts line by line: a secret may be cut in two between two chunks, hardly ever between two lines.
#[derive(Default)]
struct HeldLine {
    partial: Vec<u8>,
    redactor: Redactor,
}

impl HeldLine {
    /// Takes a chunk, gives back the lines that are complete, redacted.
    fn complete(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut done = Vec::with_capacity(bytes.len() + self.partial.len());
        let mut rest = bytes;
        while let Some(at) = memchr::memchr(b'\n', rest) {
            let (line, after) = rest.split_at(at);
            if self.partial.is_empty() {
                done.extend_from_slice(&self.redactor.line(line));
            } else {
                self.partial.extend_from_slice(line);
                done.extend_from_slice(&self.redactor.line(&self.partial));
                self.partial.clear();
            }
            done.push(b'\n');
            rest = &after[1..];
        }
        self.partial.extend_from_slice(rest);
        if self.partial.len() > MAX_LINE {
            done.append(&mut self.rest());
        }
        done
    }

    fn rest(&mut self) -> Vec<u8> {
        let partial = std::mem::take(&mut self.partial);
        self.redactor.line(&partial).into_owned()
    }
}
