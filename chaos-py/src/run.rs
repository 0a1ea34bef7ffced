//! A run that goes on in the background: its events, its end.

use std::sync::{Arc, Mutex, PoisonError};

use chaos_core::{
    error::{Error, Result},
    model::{Incident, Report, TraceEvent},
    pipeline,
    transport::Stop,
};
use pyo3::prelude::*;
use tokio::sync::watch;

use crate::{
    convert,
    errors::ForPython,
    evidence::Known,
    runtime::{register, then, wait},
};

/// How a run ended, for as many as want to know.
struct Ended {
    incident: Arc<Incident>,
    report: Report,
    storage_error: Option<Error>,
}

/// What is known of a run so far.
#[derive(Default)]
struct Course {
    events: Vec<TraceEvent>,
    ended: Option<Result<Arc<Ended>>>,
}

#[derive(Clone)]
struct Shared {
    course: Arc<Mutex<Course>>,
    changed: watch::Receiver<u64>,
}

impl Shared {
    fn look<T>(&self, at: impl FnOnce(&Course) -> T) -> T {
        at(&self.course.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The event after so many; `None` when the run is over and there is none.
    async fn event(mut self, after: usize) -> Option<TraceEvent> {
        loop {
            self.changed.mark_unchanged();
            let (event, over) = self.look(|c| (c.events.get(after).cloned(), c.ended.is_some()));
            if event.is_some() || over {
                return event;
            }
            if self.changed.changed().await.is_err() {
                return self.look(|c| c.events.get(after).cloned());
            }
        }
    }

    async fn end(mut self) -> Result<Arc<Ended>> {
        loop {
            self.changed.mark_unchanged();
            if let Some(ended) = self.look(|c| c.ended.clone()) {
                return ended;
            }
            if self.changed.changed().await.is_err() {
                let lost = || Err(Error::new(chaos_core::error::ErrorKind::Internal, "the run was lost"));
                return self.look(|c| c.ended.clone()).unwrap_or_else(lost);
            }
        }
    }
}

/// A run that goes on whether anybody looks at it or not.
#[pyclass(frozen, module = "chaos_handler._native")]
pub(crate) struct Run {
    id: String,
    stop: Stop,
    shared: Shared,
}

impl Run {
    /// Follows `run` to its end. To be called on the runtime.
    pub(crate) fn follow(mut run: pipeline::Run) -> Self {
        let (id, stop) = (run.id().to_string(), run.stopper());
        let course = Arc::new(Mutex::new(Course::default()));
        let (tell, changed) = watch::channel(0);
        let (over, is_over) = watch::channel(false);
        register(stop.clone(), is_over);
        let kept = course.clone();
        tokio::spawn(async move {
            let keep = |change: &mut dyn FnMut(&mut Course)| {
                change(&mut kept.lock().unwrap_or_else(PoisonError::into_inner));
                tell.send_modify(|n| *n += 1);
            };
            while let Some(event) = run.next_event().await {
                let mut event = Some(event);
                keep(&mut |course| course.events.extend(event.take()));
            }
            let ended = run.outcome().await.map(|outcome| {
                let incident = Arc::new(outcome.incident);
                Arc::new(Ended { incident, report: outcome.report, storage_error: outcome.storage_error })
            });
            keep(&mut |course| course.ended = Some(ended.clone()));
            over.send_replace(true);
        });
        Self { id, stop, shared: Shared { course, changed } }
    }
}

/// The incident, its report, and the first failure to write an artifact.
fn given(py: Python<'_>, ended: &Ended) -> PyResult<Py<PyAny>> {
    let incident = Py::new(py, Known(ended.incident.clone()))?;
    let report = convert::to_python(py, &ended.report)?;
    let storage_error = ended.storage_error.as_ref().map(ToString::to_string);
    Ok((incident, report, storage_error).into_pyobject(py)?.into_any().unbind())
}

fn event(py: Python<'_>, event: Option<TraceEvent>) -> PyResult<Py<PyAny>> {
    match event {
        Some(event) => Ok(convert::to_python(py, &event)?.unbind()),
        None => Ok(py.None()),
    }
}

#[pymethods]
impl Run {
    #[getter]
    fn id(&self) -> &str {
        &self.id
    }

    /// Whether it has ended.
    #[getter]
    fn is_over(&self) -> bool {
        self.shared.look(|c| c.ended.is_some())
    }

    /// Ends it as stopped: what was injected is reverted, and what is known so far is told.
    fn stop(&self) {
        self.stop.end();
    }

    /// The event after so many; `None` when there is no more. Ctrl-C raises, and the run goes on.
    fn event(&self, py: Python<'_>, after: usize) -> PyResult<Py<PyAny>> {
        let found = wait(py, self.shared.clone().event(after))?;
        event(py, found)
    }

    /// The same without waiting here: `done(event, error)` is called.
    fn event_then(&self, py: Python<'_>, after: usize, done: Py<PyAny>) -> PyResult<()> {
        let shared = self.shared.clone();
        then(py, async move { Ok(shared.event(after).await) }, event, done)
    }

    /// How many events there have been.
    #[getter]
    fn events(&self) -> usize {
        self.shared.look(|c| c.events.len())
    }

    /// The incident, the report and what could not be stored, once it is over. Ctrl-C raises, and the run goes on.
    fn outcome(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let ended = wait(py, self.shared.clone().end())?.for_python(py)?;
        given(py, &ended)
    }

    /// The same without waiting here: `done(outcome, error)` is called.
    fn outcome_then(&self, py: Python<'_>, done: Py<PyAny>) -> PyResult<()> {
        then(py, self.shared.clone().end(), |py, ended| given(py, &ended), done)
    }
}
