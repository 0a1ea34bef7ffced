//! Plain data between the two languages: what serde can write becomes dicts, lists, texts and numbers, and back. The
//! package's records, in `chaos_handler/model.py`, are made from those.

use chaos_core::error::{Error, ErrorKind};
use pyo3::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

use crate::errors::raised;

/// As dicts and lists.
pub(crate) fn to_python<'py>(py: Python<'py>, data: &(impl Serialize + ?Sized)) -> PyResult<Bound<'py, PyAny>> {
    pythonize::pythonize(py, data)
        .map_err(|e| raised(py, &Error::new(ErrorKind::Internal, "cannot turn data into Python's").because(e)))
}

/// From dicts and lists; `what` names it where it does not fit.
pub(crate) fn from_python<T: DeserializeOwned>(data: &Bound<'_, PyAny>, what: &str) -> Result<T, Error> {
    pythonize::depythonize(data)
        .map_err(|e| Error::new(ErrorKind::InvalidInput, format!("not {what}: {}", first_line(&e.to_string()))))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
