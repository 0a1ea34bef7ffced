//! The conformance suite of transports and sinks, for those that are written in Python.

use std::{future::Future, sync::Arc};

use chaos_core::{
    artifact::ArtifactSink,
    clock::SystemClock,
    conformance,
    error::{Error, ErrorKind, Result},
};
use pyo3::prelude::*;

use crate::{errors::ForPython, runtime::wait, sink::PySink, target::Target};

/// Runs the behaviours of a transport on what this target is; raises with those that do not hold.
#[pyfunction]
pub(crate) fn check_transport(py: Python<'_>, target: &Target) -> PyResult<()> {
    let opener = target.opener();
    let checked = async move {
        let transport = opener.open(Arc::new(SystemClock::default())).await?;
        held(conformance::transport(move || transport.clone())).await
    };
    wait(py, checked)?.for_python(py)
}

/// Runs the behaviours of a sink on this one; raises with those that do not hold.
#[pyfunction]
pub(crate) fn check_sink(py: Python<'_>, call: Py<PyAny>) -> PyResult<()> {
    let sink: Arc<dyn ArtifactSink> = Arc::new(PySink::new(call));
    wait(py, held(conformance::sink(move || sink.clone())))?.for_python(py)
}

/// The suite panics with the names of what does not hold.
async fn held(suite: impl Future<Output = ()> + Send + 'static) -> Result<()> {
    let Err(broken) = tokio::spawn(suite).await else { return Ok(()) };
    let told = broken.try_into_panic().ok().and_then(|panic| panic.downcast::<String>().ok());
    let text = told.map_or_else(|| "the suite broke off".to_owned(), |text| *text);
    Err(Error::new(ErrorKind::AgentFailed, text))
}
