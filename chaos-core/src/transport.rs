//! How a target is reached: what an implementer writes ([`Transport`], one method that does I/O) and the stream
//! that it returns. Knows nothing of agents; agents hold a [`crate::host::ReadOnlyHost`] instead.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc, watch};

use crate::{
    error::{Error, ErrorKind, Result},
    model::{AgentName, Ask, End, Facts, TargetInfo, Timestamp},
};

/// One question to a target. `(agent, ask, nth time)` is a replay's key; `agent` is also the audit trail.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who asks.
    pub agent: AgentName,
    /// What.
    pub ask: Ask,
    /// The reply must have ended by then; the transport ends the command itself. [`Duration::MAX`]: no limit.
    pub within: Duration,
    /// How many bytes may wait unread.
    pub max_bytes: usize,
}

/// Which of a command's two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Stream {
    Stdout,
    Stderr,
}

/// A piece of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// When it was read, by the coordinator's clock.
    pub at: Timestamp,
    /// From which stream.
    pub stream: Stream,
    /// Any bytes, cut anywhere.
    pub bytes: Vec<u8>,
}

/// What a transport can do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Capabilities {
    /// There is a live system behind it, to which time matters.
    pub live: bool,
    /// It answers [`Ask::HttpGet`].
    pub http_get: bool,
    /// It can run a command as root.
    pub elevate: bool,
}

impl Capabilities {
    /// All capabilities given.
    #[must_use]
    pub const fn new(live: bool, http_get: bool, elevate: bool) -> Self {
        Self { live, http_get, elevate }
    }
}

/// A way to a target.
///
/// # Behavior
/// The conformance suite (feature `conformance`) checks each of these.
/// - `open` returns as soon as the command runs, before it prints; a program that does not exist is an error of
///   kind `NotFound`, here or as the stream's [`End::Failed`].
/// - Both streams arrive complete and each in order; bytes are passed on as they are.
/// - Exit code and signal are told apart by [`End`].
/// - [`Reply::stop`] and dropping the reply end the command *and all it started*.
/// - `within` ends the command and the stream with [`End::Failed`] of kind `Deadline`; what came before stays.
/// - One unread stream never holds up another.
/// - A reader that is slower than the command loses nothing, and memory stays within about `max_bytes`: the
///   transport waits ([`ReplyWriter::room`]) or, where it can't, ends the stream with kind `OutputLimit`.
#[async_trait]
pub trait Transport: Send + Sync {
    /// What this transport can do.
    fn capabilities(&self) -> Capabilities;

    /// Which target this is.
    fn target(&self) -> TargetInfo;

    /// What is known of the target without asking it; `None`: the pipeline asks.
    fn known_facts(&self) -> Option<Facts> {
        None
    }

    /// Asks, and returns the stream of what comes back.
    async fn open(&self, request: &Request) -> Result<Reply>;
}

enum Item {
    Chunk(Chunk),
    End(End, Timestamp),
}

/// The transport's half of a stream.
pub struct ReplyWriter {
    tx: mpsc::UnboundedSender<Item>,
    unread: Arc<AtomicUsize>,
    read: Arc<Notify>,
    max_bytes: usize,
    stop: watch::Receiver<bool>,
}

/// The reader's half of a stream. It never fails: it ends, and [`Reply::end`] says how, so that `?` can't lose
/// what was read. Dropping it stops the command.
pub struct Reply {
    rx: mpsc::UnboundedReceiver<Item>,
    unread: Arc<AtomicUsize>,
    read: Arc<Notify>,
    stop: watch::Sender<bool>,
    pub(crate) window: Option<Stop>,
    end: Option<(End, Timestamp)>,
    last: Timestamp,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("end", &self.end).finish_non_exhaustive()
    }
}

impl fmt::Debug for ReplyWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyWriter").finish_non_exhaustive()
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.rx.close();
        self.read.notify_waiters();
    }
}

impl ReplyWriter {
    /// Passes output on; never waits.
    ///
    /// # Errors
    /// `OutputLimit` when there was no [`ReplyWriter::room`] and the reader would be more than `max_bytes` behind, `Stopped` when nobody reads any more; in
    /// both cases the transport should end the command.
    pub fn push(&self, chunk: Chunk) -> Result<()> {
        let n = chunk.bytes.len();
        let waiting = self.unread.fetch_add(n, Ordering::AcqRel);
        // Where there was room, a chunk of any size passes: who waits for room is never told that there is none.
        if waiting > self.max_bytes / 2 && waiting.saturating_add(n) > self.max_bytes {
            return Err(Error::new(ErrorKind::OutputLimit, "more output than the limit allows")
                .with("max_bytes", self.max_bytes));
        }
        self.tx.send(Item::Chunk(chunk)).map_err(|_| Error::new(ErrorKind::Stopped, "nobody reads any more"))
    }

    /// Returns once less than half of the limit waits unread, or nobody reads any more.
    pub async fn room(&self) {
        loop {
            // Made before the look, so that what is read in between is not missed.
            let read = self.read.notified();
            if self.unread.load(Ordering::Acquire) <= self.max_bytes / 2 || self.tx.is_closed() {
                return;
            }
            read.await;
        }
    }

    /// Returns when the command should end: [`Reply::stop`], the window's end, or the reply was dropped.
    pub async fn stopped(&self) {
        let _ = self.stop.clone().wait_for(|stop| *stop).await;
    }

    /// Ends the stream.
    pub fn finish(self, end: End, at: Timestamp) {
        let _ = self.tx.send(Item::End(end, at));
    }
}

impl Reply {
    /// Both halves of a stream that lets `max_bytes` wait unread.
    #[must_use]
    pub fn pair(max_bytes: usize) -> (ReplyWriter, Self) {
        let (tx, rx) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let (unread, read) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let writer = ReplyWriter { tx, unread: unread.clone(), read: read.clone(), max_bytes, stop: stopped };
        (writer, Self { rx, unread, read, stop, window: None, end: None, last: Timestamp::default() })
    }

    /// The next piece, or `None` when the stream has ended.
    pub async fn next(&mut self) -> Option<Chunk> {
        if self.end.is_some() {
            return None;
        }
        loop {
            let item = match self.window.clone() {
                Some(window) => tokio::select! {
                    biased;
                    () = window.wait() => {
                        self.window = None;
                        self.stop();
                        continue;
                    }
                    item = self.rx.recv() => item,
                },
                None => self.rx.recv().await,
            };
            match item {
                Some(Item::Chunk(chunk)) => {
                    self.unread.fetch_sub(chunk.bytes.len(), Ordering::AcqRel);
                    // All who wait: a command's two streams wait side by side, and either may be the one with output.
                    self.read.notify_waiters();
                    self.last = chunk.at;
                    return Some(chunk);
                }
                Some(Item::End(end, at)) => self.end = Some((end, at)),
                None => {
                    let why = Error::new(ErrorKind::Internal, "the transport dropped the stream without an end");
                    self.end = Some((End::Failed(why), self.last));
                }
            }
            return None;
        }
    }

    /// Asks the transport to end the command; what it printed until then still comes.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// How the stream ended and when; `None` before [`Reply::next`] returned `None`.
    #[must_use]
    pub fn end(&self) -> Option<(&End, Timestamp)> {
        self.end.as_ref().map(|(end, at)| (end, *at))
    }

    /// Reads all that is left. Keeps at most `limit` bytes of each stream and stops the command beyond.
    pub async fn output(mut self, limit: usize) -> Output {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let mut over = false;
        while let Some(chunk) = self.next().await {
            let kept = match chunk.stream {
                Stream::Stdout => &mut stdout,
                Stream::Stderr => &mut stderr,
            };
            let room = limit - kept.len();
            if chunk.bytes.len() > room {
                over = true;
                self.stop();
            }
            kept.extend_from_slice(&chunk.bytes[..chunk.bytes.len().min(room)]);
        }
        let (mut end, at) = self.end.take().expect("next returned None, which sets end");
        if over {
            end = End::Failed(
                Error::new(ErrorKind::OutputLimit, "more output than the limit allows").with("max_bytes", limit),
            );
        }
        Output { stdout, stderr, end, at }
    }
}

/// A whole reply.
#[derive(Debug, Clone)]
pub struct Output {
    /// Standard output, or a response's body.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
    /// How it ended.
    pub end: End,
    /// When it ended.
    pub at: Timestamp,
}

impl Output {
    /// Standard output as text, when the command exited with 0.
    ///
    /// # Errors
    /// The stream's own failure, or `CommandFailed` with the first line of standard error.
    pub fn text(&self) -> Result<String> {
        match &self.end {
            End::Exited(0) | End::Stopped => Ok(String::from_utf8_lossy(&self.stdout).into_owned()),
            End::Failed(why) => Err(why.clone()),
            End::Exited(code) => Err(self.failed(&format!("exit code {code}"))),
            End::Signalled(signal) => Err(self.failed(&format!("signal {signal}"))),
        }
    }

    fn failed(&self, how: &str) -> Error {
        let stderr = String::from_utf8_lossy(&self.stderr);
        let said = stderr.lines().find(|l| !l.trim().is_empty()).unwrap_or("it printed nothing");
        Error::new(ErrorKind::CommandFailed, format!("the command failed with {how}: {said}"))
    }
}

/// A latch that many can wait on: once over, over for good.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::channel(false).0))
    }
}

impl Stop {
    /// Ends it.
    pub fn end(&self) {
        self.0.send_replace(true);
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when it is over.
    pub async fn wait(&self) {
        let _ = self.0.subscribe().wait_for(|over| *over).await;
    }
}
