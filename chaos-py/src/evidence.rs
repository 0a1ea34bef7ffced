//! What was seen, held where Rust put it: Python and any dataframe library read the same memory.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use chaos_core::{
    analysis::logs::LogMiner,
    error::{Error, ErrorKind, Result},
    model::{Body, Evidence, Gap, Incident, LogLine, Logs, Observation, Series, Timestamp},
};
use pyo3::{
    exceptions::{PyIndexError, PyValueError},
    prelude::*,
    types::{PyBytes, PyDict},
};

use crate::{arrow, convert, errors::ForPython};

/// Something that holds evidence, as long as anybody looks at it.
pub(crate) enum Owner {
    Seen(Arc<Observation>),
    Incident(Arc<Incident>),
    Made(Box<Evidence>),
}

impl Owner {
    fn observation(&self) -> Option<&Observation> {
        match self {
            Self::Seen(seen) => Some(seen),
            Self::Incident(incident) => incident.observation.as_ref(),
            Self::Made(_) => None,
        }
    }
}

/// One piece of evidence of an owner.
#[derive(Clone)]
pub(crate) struct Held {
    owner: Arc<Owner>,
    index: usize,
}

impl Held {
    fn evidence(&self) -> &Evidence {
        match (&*self.owner, self.owner.observation()) {
            (Owner::Made(evidence), _) => evidence,
            (_, Some(seen)) => seen.evidence.iter().nth(self.index).expect("counted when it was made").1,
            (_, None) => unreachable!("an incident without an observation holds no evidence"),
        }
    }

    pub(crate) fn series(&self) -> &Series {
        match &self.evidence().body {
            Body::Metric(series) => series,
            _ => unreachable!("it was told apart when it was made"),
        }
    }

    pub(crate) fn logs(&self) -> &Logs {
        match &self.evidence().body {
            Body::Logs(logs) => logs,
            _ => unreachable!("it was told apart when it was made"),
        }
    }

    /// Its number among what was seen; `None` of what was made here.
    fn number(&self) -> Option<usize> {
        self.owner.observation().map(|_| self.index)
    }

    pub(crate) fn known_gaps(&self) -> &[Gap] {
        &self.evidence().gaps
    }

    fn gaps<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        convert::to_python(py, &self.known_gaps())
    }
}

/// All of an owner's evidence, each as what it is.
pub(crate) fn all(py: Python<'_>, owner: Owner) -> PyResult<Vec<Py<PyAny>>> {
    let owner = Arc::new(owner);
    let Some(seen) = owner.observation() else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for (index, (_, evidence)) in seen.evidence.iter().enumerate() {
        let held = Held { owner: owner.clone(), index };
        match &evidence.body {
            Body::Metric(_) => all.push(Py::new(py, MetricSeries(held))?.into_any()),
            Body::Logs(_) => all.push(Py::new(py, LogStream(held))?.into_any()),
            _ => {}
        }
    }
    Ok(all)
}

/// Which numbers of a series.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    At,
    Values,
}

/// The numbers of a series, without a copy: a sequence, and an array for numpy.
#[pyclass(frozen, module = "chaos_handler._native")]
pub(crate) struct Column {
    held: Held,
    which: Which,
}

impl Column {
    fn number(&self, at: usize) -> Option<f64> {
        let series = self.held.series();
        match self.which {
            Which::At => series.at.get(at).map(|at| *at as f64),
            Which::Values => series.values.get(at).copied(),
        }
    }
}

#[pymethods]
impl Column {
    fn __len__(&self) -> usize {
        self.held.series().values.len()
    }

    fn __getitem__(&self, index: isize) -> PyResult<f64> {
        let len = self.__len__();
        let at = if index < 0 { len.checked_sub(index.unsigned_abs()) } else { Some(index.unsigned_abs()) };
        at.and_then(|at| self.number(at)).ok_or_else(|| PyIndexError::new_err("no such sample"))
    }

    fn __iter__(&self) -> ColumnIterator {
        ColumnIterator { column: Self { held: self.held.clone(), which: self.which }, next: AtomicUsize::new(0) }
    }

    /// As numpy's protocol wants it: <https://numpy.org/doc/stable/reference/arrays.interface.html>. Read-only.
    #[getter]
    fn __array_interface__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let series = self.held.series();
        let (kind, address) = match self.which {
            Which::At => ("<i8", series.at.as_ptr().addr()),
            Which::Values => ("<f8", series.values.as_ptr().addr()),
        };
        let told = PyDict::new(py);
        told.set_item("version", 3)?;
        told.set_item("shape", (series.values.len(),))?;
        told.set_item("typestr", kind)?;
        told.set_item("data", (address, true))?;
        Ok(told.into_any())
    }

    fn __repr__(&self) -> String {
        format!("<{} numbers>", self.__len__())
    }
}

/// The numbers one by one.
#[pyclass(frozen, module = "chaos_handler._native")]
pub(crate) struct ColumnIterator {
    column: Column,
    next: AtomicUsize,
}

#[pymethods]
impl ColumnIterator {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&self) -> Option<f64> {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        self.column.number(at)
    }
}

/// A metric over time, as it was sampled.
#[pyclass(frozen, module = "chaos_handler._native")]
pub(crate) struct MetricSeries(pub(crate) Held);

#[pymethods]
impl MetricSeries {
    #[getter]
    fn source(&self) -> &str {
        &self.0.evidence().source
    }

    #[getter]
    fn number(&self) -> Option<usize> {
        self.0.number()
    }

    #[getter]
    fn name(&self) -> &str {
        &self.0.series().name
    }

    #[getter]
    fn unit(&self) -> &str {
        &self.0.series().unit
    }

    #[getter]
    fn attributes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        convert::to_python(py, &self.0.series().attributes)
    }

    fn __len__(&self) -> usize {
        self.0.series().values.len()
    }

    #[getter]
    fn at(&self) -> Column {
        Column { held: self.0.clone(), which: Which::At }
    }

    #[getter]
    fn values(&self) -> Column {
        Column { held: self.0.clone(), which: Which::Values }
    }

    fn gaps<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.gaps(py)
    }

    /// What is abnormal in it within `observed` (milliseconds since the epoch), compared with `baseline`.
    #[pyo3(signature = (observed, baseline = None))]
    fn anomalies<'py>(
        &self,
        py: Python<'py>,
        observed: (i64, i64),
        baseline: Option<(i64, i64)>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let held = self.0.clone();
        let found = py.detach(move || crate::analysis::anomalies(held.series(), observed, baseline));
        convert::to_python(py, &found)
    }

    fn arrow_stream<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        arrow::stream(py, arrow::series(&self.0))
    }

    fn arrow_schema<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        arrow::schema(py, &arrow::series_schema())
    }
}

/// A log stream: all of it counted by pattern, part of it kept.
#[pyclass(frozen, module = "chaos_handler._native")]
pub(crate) struct LogStream(pub(crate) Held);

#[pymethods]
impl LogStream {
    #[getter]
    fn source(&self) -> &str {
        &self.0.evidence().source
    }

    #[getter]
    fn number(&self) -> Option<usize> {
        self.0.number()
    }

    #[getter]
    fn total_lines(&self) -> u64 {
        self.0.logs().total_lines
    }

    #[getter]
    fn total_bytes(&self) -> u64 {
        self.0.logs().total_bytes
    }

    fn __len__(&self) -> usize {
        self.0.logs().lines.len()
    }

    /// The rows from `start` on, `end` excluded, as dicts.
    fn lines<'py>(&self, py: Python<'py>, start: usize, end: usize) -> PyResult<Bound<'py, PyAny>> {
        let lines = &self.0.logs().lines;
        let end = end.min(lines.len());
        convert::to_python(py, &lines[start.min(end)..end])
    }

    fn patterns<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        convert::to_python(py, &self.0.logs().patterns)
    }

    fn gaps<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.gaps(py)
    }

    /// The kept rows by column: milliseconds since the epoch (as bytes of 64-bit numbers), level, unit, process, text and
    /// template.
    fn columns<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let logs = self.0.logs();
        let at: Vec<u8> = logs.lines.iter().flat_map(|l| l.at.0.to_le_bytes()).collect();
        let texts = |of: &dyn Fn(&LogLine) -> Option<String>| logs.lines.iter().map(of).collect::<Vec<_>>();
        let columns = PyDict::new(py);
        columns.set_item("at", PyBytes::new(py, &at))?;
        columns.set_item("level", texts(&|l| l.level.map(|level| level.as_str().to_owned())))?;
        columns.set_item("unit", texts(&|l| l.unit.clone()))?;
        columns.set_item("pid", logs.lines.iter().map(|l| l.pid).collect::<Vec<_>>())?;
        columns.set_item("text", texts(&|l| Some(l.text.clone())))?;
        columns.set_item("template", texts(&|l| arrow::template(logs, l).map(str::to_owned)))?;
        Ok(columns.into_any())
    }

    fn arrow_stream<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        arrow::stream(py, arrow::logs(&self.0))
    }

    fn arrow_schema<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        arrow::schema(py, &arrow::logs_schema())
    }
}

fn made(source: String, body: Body) -> Held {
    let evidence = Evidence { source, body, gaps: Vec::new() };
    Held { owner: Arc::new(Owner::Made(Box::new(evidence))), index: 0 }
}

/// A series from numbers: `at` in milliseconds since the epoch, NaN where a value is missing.
#[pyfunction]
pub(crate) fn metric_series(
    source: String,
    name: String,
    unit: String,
    attributes: std::collections::BTreeMap<String, String>,
    at: Vec<i64>,
    values: Vec<f64>,
) -> PyResult<MetricSeries> {
    if at.len() != values.len() {
        let text = format!("a series has a time for each value; there are {} and {}", at.len(), values.len());
        return Err(PyValueError::new_err(text));
    }
    Ok(MetricSeries(made(source, Body::Metric(Series { name, unit, attributes, at, values }))))
}

/// A series from packed 64-bit numbers, as an array's `tobytes` gives them.
#[pyfunction]
pub(crate) fn metric_series_packed(
    source: String,
    name: String,
    unit: String,
    attributes: std::collections::BTreeMap<String, String>,
    at: &[u8],
    values: &[u8],
) -> PyResult<MetricSeries> {
    let at = at.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b)).collect();
    let values = values.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
    metric_series(source, name, unit, attributes, at, values)
}

/// A log stream from lines with the time at which each was read, in milliseconds since the epoch; secrets are taken out
/// and the lines are mined as those of the built-in collectors are.
#[pyfunction]
pub(crate) fn log_stream(py: Python<'_>, source: String, lines: Vec<(i64, Vec<u8>)>) -> LogStream {
    let logs = py.detach(move || {
        let mut redactor = chaos_core::redact::Redactor::new();
        let first = lines.first().map_or(Timestamp::default(), |(at, _)| Timestamp::from_millis(*at));
        let mut miner = LogMiner::new(first);
        for (at, line) in &lines {
            let at = Timestamp::from_millis(*at);
            miner.push(at, &redactor.line(line));
            miner.push(at, b"\n");
        }
        miner.finish()
    });
    LogStream(made(source, Body::Logs(logs)))
}

/// What a collector of others returned.
pub(crate) fn collected(returned: &Bound<'_, PyAny>) -> Result<Vec<Evidence>> {
    let wrong = || Error::new(ErrorKind::InvalidInput, "a collector returns a list of MetricSeries and LogStream");
    let mut all = Vec::new();
    for item in returned.try_iter().map_err(|_| wrong())? {
        let item = item.map_err(|_| wrong())?;
        if let Ok(series) = item.cast::<MetricSeries>() {
            all.push(series.get().0.evidence().clone());
        } else if let Ok(logs) = item.cast::<LogStream>() {
            all.push(logs.get().0.evidence().clone());
        } else {
            return Err(wrong());
        }
    }
    Ok(all)
}

/// All that was seen.
#[pyclass(frozen, name = "Observation", module = "chaos_handler._native")]
pub(crate) struct Seen(pub(crate) Arc<Observation>);

#[pymethods]
impl Seen {
    fn facts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        convert::to_python(py, &self.0.facts)
    }

    /// Milliseconds since the epoch.
    #[getter]
    fn baseline(&self) -> Option<(i64, i64)> {
        self.0.baseline.as_ref().map(|span| (span.start.0, span.end.0))
    }

    /// Milliseconds since the epoch.
    #[getter]
    fn observed(&self) -> (i64, i64) {
        (self.0.observed.start.0, self.0.observed.end.0)
    }

    fn evidence(&self, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
        all(py, Owner::Seen(self.0.clone()))
    }
}

/// An incident with all that is known about it.
#[pyclass(frozen, name = "Incident", module = "chaos_handler._native")]
pub(crate) struct Known(pub(crate) Arc<Incident>);

#[pymethods]
impl Known {
    #[getter]
    fn id(&self) -> &str {
        self.0.id.as_str()
    }

    /// A part of the incident, by the name of its field.
    fn section<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let i = &self.0;
        match name {
            "status" => convert::to_python(py, &i.status),
            "reason" => convert::to_python(py, &i.reason),
            "target" => convert::to_python(py, &i.target),
            "options" => convert::to_python(py, &i.options),
            "span" => convert::to_python(py, &i.span),
            "facts" => convert::to_python(py, &i.observation.as_ref().map(|o| &o.facts)),
            "findings" => convert::to_python(py, &i.findings),
            "answers" => convert::to_python(py, &i.answers),
            "diagnosis" => convert::to_python(py, &i.diagnosis),
            "plans" => convert::to_python(py, &i.plans),
            "risks" => convert::to_python(py, &i.risks),
            "injection" => convert::to_python(py, &i.injection),
            "errors" => convert::to_python(py, &i.errors),
            _ => Err(PyValueError::new_err(format!("an incident has no {name:?}"))),
        }
    }

    /// Whether anything was seen, and then: baseline and observed span, in milliseconds since the epoch.
    #[allow(clippy::type_complexity)]
    fn spans(&self) -> Option<(Option<(i64, i64)>, (i64, i64))> {
        let seen = self.0.observation.as_ref()?;
        let baseline = seen.baseline.as_ref().map(|span| (span.start.0, span.end.0));
        Some((baseline, (seen.observed.start.0, seen.observed.end.0)))
    }

    fn evidence(&self, py: Python<'_>) -> PyResult<Vec<Py<PyAny>>> {
        all(py, Owner::Incident(self.0.clone()))
    }

    /// `incident.json`.
    fn json(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        let incident = self.0.clone();
        py.detach(move || serde_json::to_vec(&*incident))
            .map_err(|e| Error::new(ErrorKind::Internal, "cannot write the incident").because(e))
            .for_python(py)
    }

    /// The conclusion in a few lines, for a terminal.
    fn summary(&self) -> String {
        chaos_core::agents::terminal_summary(&self.0)
    }
}

/// Reads `incident.json`.
#[pyfunction]
pub(crate) fn open_incident(py: Python<'_>, path: std::path::PathBuf) -> PyResult<Known> {
    let read = py.detach(move || {
        let text = std::fs::read(&path).map_err(|e| Error::storage("read the incident", &path, e))?;
        let incident: Incident = serde_json::from_slice(&text).map_err(|e| {
            Error::new(ErrorKind::InvalidInput, "not an incident of a version that can be read")
                .with("path", path.display())
                .because(e)
        })?;
        if incident.schema_version > chaos_core::model::SCHEMA_VERSION {
            return Err(Error::new(ErrorKind::Unsupported, "a newer version wrote this incident")
                .with("path", path.display())
                .with("schema_version", incident.schema_version));
        }
        Ok(Known(Arc::new(incident)))
    });
    read.for_python(py)
}
