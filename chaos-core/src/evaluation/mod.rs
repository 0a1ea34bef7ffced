//! How good diagnoses are: recorded incidents with a label are thought over again, and what comes out is held against
//! what was really wrong.

mod label;
mod score;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

pub use label::{LABEL, Label, Named};
pub use score::{Bin, Evaluation, Judged, Share};

use crate::{
    catalogue::Catalogue,
    error::{Error, ErrorKind, Result},
    pipeline::Pipeline,
    sinks::Memory,
};

/// The name under which the built-in investigator asks.
const INVESTIGATOR: &str = "Investigator";
/// Directories below each other in which labelled incidents are looked for.
const DEEPEST: usize = 8;

/// The labelled incidents in a directory, in the order of their paths: itself, if it is one, else those below it.
///
/// # Errors
/// A directory that can't be read.
pub fn labelled(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    look(dir, DEEPEST, &mut found)?;
    found.sort();
    Ok(found)
}

fn look(dir: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    if dir.join(LABEL).is_file() {
        found.push(dir.to_owned());
        return Ok(());
    }
    let failed = |e| Error::storage("list a directory of incidents", dir, e);
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // A link could lead round in circles.
        if depth > 0 && entry.file_type().map_err(failed)?.is_dir() {
            look(&entry.path(), depth - 1, found)?;
        }
    }
    Ok(())
}

/// Thinks a labelled incident over again, blind, and judges the diagnosis. Nothing is written.
///
/// # Errors
/// A label or a recording that can't be read; `NotFound` when no diagnosis came out, with the reason.
pub async fn judge(incident: &Path, catalogue: &Catalogue) -> Result<Judged> {
    let at = |e: Error| e.with("incident", incident.display());
    let label = Label::read(&incident.join(LABEL))?;
    let pipeline = Pipeline::replay(incident, Arc::new(Memory::default())).map_err(at)?;
    let started = Instant::now();
    let run = pipeline.with_catalogue(catalogue).start().await.map_err(at)?;
    let outcome = run.outcome().await.map_err(at)?;
    let took_ms = started.elapsed().as_secs_f64() * 1e3;
    let Some(diagnosis) = &outcome.incident.diagnosis else {
        let why = outcome.incident.reason.unwrap_or_else(|| "the recording holds no evidence".into());
        return Err(at(Error::new(ErrorKind::NotFound, format!("no diagnosis came out: {why}"))));
    };
    // The fixer and the tester ask as well.
    let probes = outcome.incident.answers.iter().filter(|(_, a)| a.agent.as_str() == INVESTIGATOR).count();
    Ok(Judged::new(incident, label, diagnosis, probes, took_ms))
}
