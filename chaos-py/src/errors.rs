//! Failures on their way between Rust and Python. The exceptions themselves are Python, in `chaos_handler/errors.py`.

use chaos_core::error::{Error, ErrorKind};
use pyo3::{prelude::*, sync::PyOnceLock};

/// `chaos_handler.errors.of_kind(kind, message)`.
static OF_KIND: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The exception for a failure.
pub(crate) fn raised(py: Python<'_>, error: &Error) -> PyErr {
    let kind = serde_json::to_value(error.kind()).unwrap_or_default();
    let made = OF_KIND
        .import(py, "chaos_handler.errors", "of_kind")
        .and_then(|of_kind| of_kind.call1((kind.as_str().unwrap_or("internal"), error.to_string())));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(e) => e,
    }
}

/// What a callback raised: one of ours keeps its kind, anything else is a broken agent. With it the traceback.
pub(crate) fn caught(py: Python<'_>, raised: &PyErr) -> (Error, String) {
    let value = raised.value(py);
    let kind = value
        .getattr("kind")
        .and_then(|kind| kind.extract::<String>())
        .ok()
        .and_then(|kind| serde_json::from_value::<ErrorKind>(kind.into()).ok());
    let text = value.str().map(|text| text.to_string_lossy().into_owned()).unwrap_or_default();
    let name = value.get_type().name().map(|name| name.to_string()).unwrap_or_else(|_| "an exception".to_owned());
    let error = match kind {
        Some(kind) => Error::new(kind, one_line(&text)),
        None => Error::new(ErrorKind::AgentFailed, format!("the Python code raised {name}: {}", one_line(&text))),
    };
    let traceback = py
        .import("traceback")
        .and_then(|module| module.call_method1("format_exception", (value.get_type(), value, raised.traceback(py))))
        .and_then(|lines| lines.extract::<Vec<String>>())
        .map(|lines| lines.concat())
        .unwrap_or_default();
    (error, traceback)
}

/// An event is one line; what has more is cut there and said in full by its traceback.
fn one_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// A result of ours for Python.
pub(crate) trait ForPython<T> {
    /// Turns a failure into its exception.
    fn for_python(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> ForPython<T> for Result<T, Error> {
    fn for_python(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|e| raised(py, &e))
    }
}
