//! A way to a target that is written in Python. Its object gets a request and gives pieces of output until it is told
//! to stop; reading it happens on a thread of its own, because nothing can interrupt Python code that does not look.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chaos_core::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
    model::{Ask, End, TargetInfo},
    transport::{Capabilities, Chunk, Reply, ReplyWriter, Request, Stream, Transport},
};
use pyo3::{prelude::*, types::PyBytes};
use tokio::{sync::mpsc, task::spawn_blocking, time::Instant};

use crate::{convert, errors::caught};

/// How long a stopped command has to give what it printed before.
const GRACE: Duration = Duration::from_secs(2);
/// How many bytes of that are kept.
const AFTER_STOP: usize = 1 << 20;
/// How many pieces may wait between the thread that reads and the stream.
const WAITING: usize = 4;

/// A transport whose `run` is Python: `run(request)` gives an iterator of `("stdout" | "stderr", bytes)` that ends with
/// `("end", End)`.
pub(crate) struct PyTransport {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) live: bool,
    pub(crate) elevate: bool,
    pub(crate) run: Py<PyAny>,
}

impl PyTransport {
    /// The same, stamping by the coordinator's clock.
    pub(crate) fn for_run(self: Arc<Self>, clock: Arc<dyn Clock>) -> Arc<dyn Transport> {
        Arc::new(Stamped { inner: self, clock })
    }
}

struct Stamped {
    inner: Arc<PyTransport>,
    clock: Arc<dyn Clock>,
}

/// What is asked of a Python transport, and whether anybody still wants to know.
#[pyclass(frozen, module = "chaos_handler._native")]
pub(crate) struct TransportRequest {
    argv: Vec<String>,
    stdin: String,
    elevate: bool,
    within_s: Option<f64>,
    agent: String,
    stopped: Arc<AtomicBool>,
}

#[pymethods]
impl TransportRequest {
    #[getter]
    fn argv(&self) -> Vec<String> {
        self.argv.clone()
    }

    #[getter]
    fn stdin(&self) -> &str {
        &self.stdin
    }

    #[getter]
    fn elevate(&self) -> bool {
        self.elevate
    }

    #[getter]
    fn within_s(&self) -> Option<f64> {
        self.within_s
    }

    #[getter]
    fn agent(&self) -> &str {
        &self.agent
    }

    /// Whether the command should end now.
    #[getter]
    fn stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }
}

enum Piece {
    Output(Stream, Vec<u8>),
    End(End),
}

#[async_trait]
impl Transport for Stamped {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new(self.inner.live, false, self.inner.elevate)
    }

    fn target(&self) -> TargetInfo {
        TargetInfo { name: self.inner.name.clone(), kind: self.inner.kind.clone() }
    }

    async fn open(&self, request: &Request) -> Result<Reply> {
        let Ask::Run(command) = &request.ask else {
            return Err(Error::new(ErrorKind::Unsupported, "a transport in Python runs commands and nothing else"));
        };
        let stopped = Arc::new(AtomicBool::new(false));
        let asked = TransportRequest {
            argv: command.argv.clone(),
            stdin: command.stdin.clone(),
            elevate: command.elevate,
            within_s: (request.within != Duration::MAX).then_some(request.within.as_secs_f64()),
            agent: request.agent.to_string(),
            stopped: stopped.clone(),
        };
        let inner = self.inner.clone();
        let opened = spawn_blocking(move || {
            Python::try_attach(|py| {
                let opened = inner.run.call1(py, (asked,)).and_then(|pieces| {
                    let pieces = pieces.bind(py).try_iter()?;
                    Ok(pieces.into_any().unbind())
                });
                opened.map_err(|e| caught(py, &e).0)
            })
            .unwrap_or_else(|| Err(ended()))
        });
        let pieces =
            opened.await.unwrap_or_else(|e| Err(Error::new(ErrorKind::Internal, "the transport broke").because(e)))?;
        let (tx, rx) = mpsc::channel(WAITING);
        spawn_blocking(move || read(&pieces, &tx));
        let (writer, reply) = Reply::pair(request.max_bytes);
        let until = Instant::now().checked_add(request.within);
        tokio::spawn(pass_on(rx, writer, self.clock.clone(), until, stopped));
        Ok(reply)
    }
}

/// Takes pieces from Python until there are none, or nobody wants them.
fn read(pieces: &Py<PyAny>, tx: &mpsc::Sender<Piece>) {
    loop {
        let piece = Python::try_attach(|py| next(pieces.bind(py))).unwrap_or_else(|| Piece::End(End::Failed(ended())));
        let last = matches!(piece, Piece::End(_));
        if tx.blocking_send(piece).is_err() || last {
            break;
        }
    }
    Python::try_attach(|py| {
        // A generator's `finally` ends what it started.
        if let Ok(close) = pieces.bind(py).getattr("close")
            && let Err(e) = close.call0()
        {
            e.write_unraisable(py, None);
        }
    });
}

fn next(pieces: &Bound<'_, PyAny>) -> Piece {
    let py = pieces.py();
    let failed = |e: PyErr| Piece::End(End::Failed(caught(py, &e).0));
    let wrong = |what: &str| Piece::End(End::Failed(Error::new(ErrorKind::AgentFailed, what)));
    let Ok(mut pieces) = pieces.try_iter() else { return wrong("a transport's run gives an iterator") };
    match pieces.next() {
        None => wrong("the transport's output ended without an end"),
        Some(Err(e)) => failed(e),
        Some(Ok(item)) => match item.extract::<(String, Bound<'_, PyAny>)>() {
            Ok((kind, data)) => match (kind.as_str(), data.cast::<PyBytes>()) {
                ("stdout", Ok(bytes)) => Piece::Output(Stream::Stdout, bytes.as_bytes().to_vec()),
                ("stderr", Ok(bytes)) => Piece::Output(Stream::Stderr, bytes.as_bytes().to_vec()),
                ("end", _) => Piece::End(convert::from_python(&data, "an end").unwrap_or_else(End::Failed)),
                _ => wrong("a transport's output is (\"stdout\" | \"stderr\", bytes), and at last (\"end\", …)"),
            },
            Err(e) => failed(e),
        },
    }
}

async fn pass_on(
    mut pieces: mpsc::Receiver<Piece>,
    writer: ReplyWriter,
    clock: Arc<dyn Clock>,
    until: Option<Instant>,
    stopped: Arc<AtomicBool>,
) {
    let late = async {
        match until {
            Some(until) => tokio::time::sleep_until(until).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(late);
    let mut stopping = None;
    let mut late_bytes = 0;
    let end = loop {
        let piece = tokio::select! {
            biased;
            () = writer.stopped(), if stopping.is_none() => {
                stopped.store(true, Ordering::Release);
                stopping = Some(Instant::now() + GRACE);
                continue;
            }
            () = &mut late, if stopping.is_none() => {
                break End::Failed(Error::new(ErrorKind::Deadline, "the command took longer than it was given"));
            }
            () = tokio::time::sleep_until(stopping.unwrap_or_else(Instant::now)), if stopping.is_some() => {
                break End::Stopped;
            }
            piece = async { writer.room().await; pieces.recv().await } => piece,
        };
        match piece {
            Some(Piece::Output(stream, bytes)) => {
                late_bytes += if stopping.is_some() { bytes.len() } else { 0 };
                if late_bytes > AFTER_STOP {
                    break End::Stopped;
                }
                let chunk = Chunk { at: clock.now(), stream, bytes };
                if let Err(e) = writer.push(chunk) {
                    break if e.kind() == ErrorKind::Stopped { End::Stopped } else { End::Failed(e) };
                }
            }
            Some(Piece::End(_)) | None if stopping.is_some() => break End::Stopped,
            Some(Piece::End(end)) => break end,
            None => break End::Failed(Error::new(ErrorKind::Internal, "the transport's thread was lost")),
        }
    };
    // The thread sees it at its next piece; one that never gives another is left alone.
    stopped.store(true, Ordering::Release);
    writer.finish(end, clock.now());
}

fn ended() -> Error {
    Error::new(ErrorKind::Stopped, "Python has ended")
}
