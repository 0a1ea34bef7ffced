//! What Python agents hold while they run: the target, read-only, and where to say something.

use std::{sync::Arc, time::Duration};

use chaos_core::{
    agent::AgentContext,
    host::ReadOnlyHost,
    model::{Ask, EventType},
    transport::{Reply, Stream},
};
use pyo3::{exceptions::PyValueError, prelude::*, types::PyBytes};
use tokio::{sync::Mutex, time::Instant};

use crate::{convert, errors::ForPython, runtime::wait};

/// A target as agents see it.
#[pyclass(frozen, module = "chaos_handler._native")]
pub(crate) struct Host(pub(crate) ReadOnlyHost);

fn seconds(seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds).map_err(|_| PyValueError::new_err(format!("not a time in seconds: {seconds}")))
}

#[pymethods]
impl Host {
    fn facts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        convert::to_python(py, self.0.facts())
    }

    /// The answer's number and the answer.
    fn ask<'py>(&self, py: Python<'py>, argv: Vec<String>, within_s: f64) -> PyResult<(usize, Bound<'py, PyAny>)> {
        self.put(py, Ask::run(argv), within_s)
    }

    /// `GET http://127.0.0.1:port/path` as seen from the target.
    fn get<'py>(
        &self,
        py: Python<'py>,
        port: u16,
        path: String,
        within_s: f64,
    ) -> PyResult<(usize, Bound<'py, PyAny>)> {
        self.put(py, Ask::HttpGet { port, path }, within_s)
    }

    /// A stream until the observation ends, or for so many seconds at most.
    #[pyo3(signature = (argv, within_s = None))]
    fn follow(&self, py: Python<'_>, argv: Vec<String>, within_s: Option<f64>) -> PyResult<Followed> {
        let within = within_s.map(seconds).transpose()?.unwrap_or(Duration::MAX);
        let host = self.0.clone();
        let reply = wait(py, async move { host.follow_within(Ask::run(argv), within).await })?.for_python(py)?;
        Ok(Followed(Arc::new(Mutex::new(reply))))
    }

    /// Whether such a command would be let through; raises why not.
    fn allows(&self, py: Python<'_>, argv: Vec<String>) -> PyResult<()> {
        self.0.allows(&Ask::run(argv)).for_python(py)
    }
}

impl Host {
    fn put<'py>(&self, py: Python<'py>, ask: Ask, within_s: f64) -> PyResult<(usize, Bound<'py, PyAny>)> {
        let (within, host) = (seconds(within_s)?, self.0.clone());
        let (id, answer) = wait(py, async move { host.ask(ask, within).await })?.for_python(py)?;
        Ok((id.index(), convert::to_python(py, &answer)?))
    }
}

/// A command's output as it comes.
#[pyclass(frozen, module = "chaos_handler._native")]
pub(crate) struct Followed(Arc<Mutex<Reply>>);

#[pymethods]
impl Followed {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    /// The time in milliseconds since the epoch, `stdout` or `stderr`, and the bytes.
    #[allow(clippy::type_complexity)]
    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<(i64, &'static str, Bound<'py, PyBytes>)>> {
        let reply = self.0.clone();
        let chunk = wait(py, async move { reply.lock().await.next().await })?;
        Ok(chunk.map(|chunk| {
            let stream = match chunk.stream {
                Stream::Stdout => "stdout",
                Stream::Stderr => "stderr",
            };
            (chunk.at.0, stream, PyBytes::new(py, &chunk.bytes))
        }))
    }

    /// Asks the command to end; what it printed until then still comes.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        let reply = self.0.clone();
        wait(py, async move { reply.lock().await.stop() })
    }

    /// How it ended and when, in milliseconds since the epoch; `None` before the iteration was over.
    fn end<'py>(&self, py: Python<'py>) -> PyResult<Option<(Bound<'py, PyAny>, i64)>> {
        let reply = self.0.clone();
        let end = wait(py, async move { reply.lock().await.end().map(|(end, at)| (end.clone(), at.0)) })?;
        end.map(|(end, at)| Ok((convert::to_python(py, &end)?, at))).transpose()
    }
}

/// Who runs, for which incident, until when, and where to say so.
#[pyclass(frozen, module = "chaos_handler._native")]
pub(crate) struct Context(pub(crate) AgentContext);

#[pymethods]
impl Context {
    #[getter]
    fn incident(&self) -> &str {
        self.0.incident().as_str()
    }

    #[getter]
    fn agent(&self) -> &str {
        self.0.agent().as_str()
    }

    /// Seconds until the result is no longer wanted.
    #[getter]
    fn left_s(&self) -> f64 {
        self.0.deadline().saturating_duration_since(Instant::now()).as_secs_f64()
    }

    /// Says something in the trace.
    #[pyo3(signature = (kind, content, data = None))]
    fn emit(&self, py: Python<'_>, kind: &str, content: String, data: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let kind: EventType = serde_json::from_value(kind.into())
            .map_err(|_| PyValueError::new_err(format!("no event has the type {kind:?}")))?;
        match data {
            Some(data) => {
                let data: serde_json::Value = convert::from_python(data, "data for an event").for_python(py)?;
                self.0.emit_with(kind, content, data);
            }
            None => self.0.emit(kind, content),
        }
        Ok(())
    }
}
