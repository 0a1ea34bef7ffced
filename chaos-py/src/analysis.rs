//! Log and metric analysis, the assessment of commands, and the judgement of diagnoses, as functions.

use std::{ops::Range, path::PathBuf};

use chaos_core::{
    analysis::{
        logs::{LineTag, LogMiner, Survey},
        metrics,
    },
    catalogue::Catalogue,
    error::{Error, ErrorKind, Result},
    evaluation::{Evaluation, LABEL, Label, judge, labelled},
    model::{Change, RiskCategory, RiskLevel, RiskVerdict, Series, Timestamp},
    risk::RiskRules,
};
use pyo3::{
    exceptions::PyTypeError,
    prelude::*,
    types::{PyBytes, PyString},
};
use serde::Serialize;

use crate::{convert, errors::ForPython, runtime::wait};

/// Bytes after which lines that were taken from Python are given to the miner.
const BATCH: usize = 1 << 20;

/// Mines lines into templates, a piece at a time.
#[pyclass(module = "chaos_handler._native")]
pub(crate) struct Miner {
    miner: Option<LogMiner>,
    tags: Option<Vec<LineTag>>,
}

#[pymethods]
impl Miner {
    /// `reference` (milliseconds since the epoch) gives times without a year theirs; with `per_line` the template of each
    /// line is kept.
    #[new]
    fn new(reference: i64, per_line: bool) -> Self {
        let miner = LogMiner::new(Timestamp::from_millis(reference)).counting();
        let miner = if per_line { miner.tag_lines() } else { miner };
        Self { miner: Some(miner), tags: per_line.then(Vec::new) }
    }

    /// Takes a piece of a log file, cut anywhere.
    fn push(&mut self, py: Python<'_>, bytes: &[u8]) -> PyResult<()> {
        py.detach(|| self.feed(bytes)).for_python(py)
    }

    /// Takes lines, each text or bytes; a line end within one makes two of it.
    fn push_lines(&mut self, py: Python<'_>, lines: &Bound<'_, PyAny>) -> PyResult<()> {
        let mut batch = Vec::with_capacity(BATCH + (64 << 10));
        for line in lines.try_iter()? {
            let line = line?;
            if let Ok(text) = line.cast::<PyString>() {
                match text.to_str() {
                    Ok(text) => batch.extend_from_slice(text.as_bytes()),
                    // A text with lone surrogates, as Python reads bytes that are no UTF-8.
                    Err(_) => batch.extend_from_slice(text.to_string_lossy().as_bytes()),
                }
            } else if let Ok(bytes) = line.cast::<PyBytes>() {
                batch.extend_from_slice(bytes.as_bytes());
            } else {
                let kind = line.get_type().name()?;
                return Err(PyTypeError::new_err(format!("a line is str or bytes, not {kind}")));
            }
            if batch.last() != Some(&b'\n') {
                batch.push(b'\n');
            }
            if batch.len() >= BATCH {
                py.detach(|| self.feed(&batch)).for_python(py)?;
                batch.clear();
                py.check_signals()?;
            }
        }
        py.detach(|| self.feed(&batch)).for_python(py)
    }

    /// What came so far is what is usual; what comes is compared with it.
    fn baseline_ends(&mut self, py: Python<'_>) -> PyResult<()> {
        self.open().for_python(py)?.baseline_ends();
        self.keep_tags();
        // Lines of the baseline are not asked about.
        if let Some(tags) = &mut self.tags {
            tags.clear();
        }
        Ok(())
    }

    /// The survey, and for each line the position of its template (packed 32-bit numbers, -1 of a line without).
    #[allow(clippy::type_complexity)]
    fn finish<'py>(&mut self, py: Python<'py>) -> PyResult<(Bound<'py, PyAny>, Option<Bound<'py, PyBytes>>)> {
        self.open().for_python(py)?.cut();
        self.keep_tags();
        let (miner, tags) = (self.miner.take(), self.tags.take());
        let (survey, positions) = py.detach(move || {
            let survey = miner.map(LogMiner::survey).unwrap_or_default();
            let positions = tags.map(|tags| positions(&survey, &tags));
            (survey, positions)
        });
        Ok((convert::to_python(py, &survey)?, positions.map(|packed| PyBytes::new(py, &packed))))
    }
}

impl Miner {
    fn open(&mut self) -> Result<&mut LogMiner> {
        self.miner.as_mut().ok_or_else(|| Error::new(ErrorKind::Conflict, "this miner has finished; make another"))
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        self.open()?.push(Timestamp::default(), bytes);
        self.keep_tags();
        Ok(())
    }

    fn keep_tags(&mut self) {
        if let (Some(miner), Some(tags)) = (&mut self.miner, &mut self.tags) {
            tags.append(&mut miner.take_tags());
        }
    }
}

fn positions(survey: &Survey, tags: &[LineTag]) -> Vec<u8> {
    let place = |tag: &LineTag| survey.position(*tag).and_then(|p| i32::try_from(p).ok()).unwrap_or(-1);
    tags.iter().flat_map(|tag| place(tag).to_le_bytes()).collect()
}

/// Something abnormal in a series.
#[derive(Serialize)]
pub(crate) struct Anomaly {
    change: Change,
    before: Option<f64>,
    after: f64,
    onset: Option<Timestamp>,
    rows: Range<u32>,
    score: f64,
    slope_per_s: Option<f64>,
    exhausted_after_s: Option<f64>,
}

/// What is abnormal in a series within `observed`, compared with `baseline`; spans in milliseconds since the epoch.
pub(crate) fn anomalies(series: &Series, observed: (i64, i64), baseline: Option<(i64, i64)>) -> Vec<Anomaly> {
    let span = |(from, to)| Timestamp::from_millis(from)..Timestamp::from_millis(to);
    let found = metrics::detect(series, baseline.map(span).as_ref(), &span(observed));
    let told = found.into_iter().map(|a| Anomaly {
        change: a.change,
        before: a.before,
        after: a.after,
        onset: a.onset,
        rows: a.rows,
        score: a.score,
        slope_per_s: a.slope,
        exhausted_after_s: a.exhausted_after.map(|d| d.as_secs_f64()),
    });
    told.collect()
}

/// The risk of a command or a script.
#[derive(Serialize)]
struct Assessed {
    verdict: RiskVerdict,
    level: RiskLevel,
    categories: Vec<RiskCategory>,
    reasons: Vec<String>,
    rules: Vec<chaos_core::model::RuleHit>,
    unresolved: Vec<String>,
}

/// Judges a script by its text alone.
#[pyfunction]
pub(crate) fn assess(py: Python<'_>, script: String) -> PyResult<Bound<'_, PyAny>> {
    let assessed = py.detach(move || {
        let risk = RiskRules::builtin().script(&script);
        Assessed {
            verdict: risk.verdict,
            level: risk.level,
            categories: risk.categories.iter().copied().collect(),
            reasons: risk.reasons(),
            rules: risk.hits(),
            unresolved: risk.unresolved.clone(),
        }
    });
    convert::to_python(py, &assessed)
}

/// Thinks labelled incidents over again and judges the diagnoses.
#[pyfunction]
pub(crate) fn evaluate(py: Python<'_>, dirs: Vec<PathBuf>, catalogues: Vec<PathBuf>) -> PyResult<Bound<'_, PyAny>> {
    let evaluation = wait(py, async move {
        let catalogue = Catalogue::load(&catalogues)?;
        let (mut judged, mut not_judged) = (Vec::new(), Vec::new());
        for dir in &dirs {
            let found = labelled(dir)?;
            if found.is_empty() {
                let why = "no incident with a label.toml is there";
                return Err(Error::new(ErrorKind::NotFound, why).with("directory", dir.display()));
            }
            for incident in found {
                Label::read(&incident.join(LABEL))?;
                match judge(&incident, &catalogue).await {
                    Ok(one) => judged.push(one),
                    Err(e) => not_judged.push((incident.display().to_string(), e.to_string())),
                }
            }
        }
        Ok(Evaluation { not_judged, ..Evaluation::new(judged) })
    })?;
    convert::to_python(py, &evaluation.for_python(py)?)
}
