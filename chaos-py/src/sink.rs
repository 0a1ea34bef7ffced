//! Where an incident's files go, written in Python: an object with the methods of `chaos_handler.ArtifactSink`.

use std::sync::Arc;

use chaos_core::{
    artifact::{ArtifactName, ArtifactSink},
    async_trait,
    error::{Error, ErrorKind, Result},
    model::{IncidentId, Timestamp, TraceEvent},
};
use pyo3::{
    prelude::*,
    types::{PyBytes, PyTuple},
};
use tokio::task::spawn_blocking;

use crate::{convert, errors::caught};

/// A sink whose `call(method, arguments)` is Python.
#[derive(Clone)]
pub(crate) struct PySink(Arc<Py<PyAny>>);

impl PySink {
    pub(crate) fn new(call: Py<PyAny>) -> Self {
        Self(Arc::new(call))
    }

    async fn call<T: Send + 'static>(
        &self,
        method: &'static str,
        arguments: impl FnOnce(Python<'_>) -> PyResult<Bound<'_, PyTuple>> + Send + 'static,
        read: impl FnOnce(&Bound<'_, PyAny>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let call = self.0.clone();
        let work = move || {
            Python::try_attach(|py| {
                let returned = arguments(py).and_then(|arguments| call.call1(py, (method, arguments)));
                match returned {
                    Ok(returned) => read(returned.bind(py)),
                    Err(e) => Err(storage(caught(py, &e).0)),
                }
            })
            .unwrap_or_else(|| Err(Error::new(ErrorKind::Stopped, "Python has ended")))
        };
        spawn_blocking(work)
            .await
            .unwrap_or_else(|e| Err(Error::new(ErrorKind::Storage, "the sink panicked").because(e)))
    }
}

/// What a sink raises that is none of ours is a failure to store.
fn storage(error: Error) -> Error {
    match error.kind() {
        ErrorKind::AgentFailed => Error::new(ErrorKind::Storage, error.message()),
        _ => error,
    }
}

fn nothing(_: &Bound<'_, PyAny>) -> Result<()> {
    Ok(())
}

fn texts(returned: &Bound<'_, PyAny>) -> Result<Vec<String>> {
    returned.extract().map_err(|_| Error::new(ErrorKind::Storage, "the sink gave no list of texts"))
}

#[async_trait]
impl ArtifactSink for PySink {
    async fn create(&self, at: Timestamp) -> Result<IncidentId> {
        let read = |returned: &Bound<'_, PyAny>| {
            let text: String =
                returned.extract().map_err(|_| Error::new(ErrorKind::Storage, "the sink gave no text for an id"))?;
            IncidentId::parse(&text)
        };
        self.call("create", move |py| (at.to_string(),).into_pyobject(py), read).await
    }

    async fn append_event(&self, id: &IncidentId, event: &TraceEvent) -> Result<()> {
        let (id, event) = (id.to_string(), event.clone());
        self.call("append_event", move |py| (id, convert::to_python(py, &event)?).into_pyobject(py), nothing).await
    }

    async fn write(&self, id: &IncidentId, name: &ArtifactName, bytes: &[u8]) -> Result<()> {
        let (id, name, bytes) = (id.to_string(), name.to_string(), bytes.to_vec());
        self.call("write", move |py| (id, name, PyBytes::new(py, &bytes)).into_pyobject(py), nothing).await
    }

    async fn append(&self, id: &IncidentId, name: &ArtifactName, bytes: &[u8]) -> Result<()> {
        let (id, name, bytes) = (id.to_string(), name.to_string(), bytes.to_vec());
        self.call("append", move |py| (id, name, PyBytes::new(py, &bytes)).into_pyobject(py), nothing).await
    }

    async fn read(&self, id: &IncidentId, name: &ArtifactName) -> Result<Vec<u8>> {
        let (id, name) = (id.to_string(), name.to_string());
        let read = |returned: &Bound<'_, PyAny>| {
            let bytes = returned.cast::<PyBytes>();
            Ok(bytes.map_err(|_| Error::new(ErrorKind::Storage, "the sink gave no bytes"))?.as_bytes().to_vec())
        };
        self.call("read", move |py| (id, name).into_pyobject(py), read).await
    }

    async fn list(&self, id: &IncidentId) -> Result<Vec<ArtifactName>> {
        let id = id.to_string();
        let names = self.call("list", move |py| (id,).into_pyobject(py), texts).await?;
        names.into_iter().map(ArtifactName::new).collect()
    }

    async fn close(&self, id: &IncidentId) -> Result<()> {
        let id = id.to_string();
        self.call("close", move |py| (id,).into_pyobject(py), nothing).await
    }

    async fn incidents(&self) -> Result<Vec<IncidentId>> {
        let ids = self.call("incidents", |py| Ok(PyTuple::empty(py)), texts).await?;
        ids.iter().map(|id| IncidentId::parse(id)).collect()
    }
}
