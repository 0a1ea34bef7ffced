//! Whether an incident is still what was written. Each event of `trace.json` carries the hash of the one before it, and
//! the run's last event the hashes of all files: who edits one later has to write the whole rest anew. The hash of the
//! last event, kept elsewhere, shows even that.

use std::{collections::BTreeMap, fs, io, path::Path};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    error::{Error, ErrorKind, Result},
    model::{IncidentId, Phase, TraceEvent},
};

/// SHA-256 in lower-case hex.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// What the first event of an incident carries in place of the hash of one before it.
#[must_use]
pub fn genesis(id: &IncidentId) -> String {
    sha256_hex(id.as_str().as_bytes())
}

/// The data of a run's last event.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Sealed {
    /// SHA-256 in hex of each file, by its name.
    pub(crate) files: BTreeMap<String, String>,
}

/// What was found of an incident's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// The incident, as its trace was begun.
    pub incident: IncidentId,
    /// Events of the trace, up to the first that does not follow from the one before it.
    pub events: u64,
    /// SHA-256 in hex of the last of them. Kept elsewhere, it shows that nobody wrote the trace anew.
    pub head_sha256: String,
    /// Files that are as they were written.
    pub files: u64,
    /// What is not as it was written, one sentence each; empty: all is.
    pub broken: Vec<String>,
    /// What can't be told, one sentence each.
    pub unknown: Vec<String>,
}

/// Checks the directory of an incident.
///
/// # Errors
/// `Storage` or `NotFound` when its trace can't be read; `InvalidInput` when it is none.
pub fn verify(dir: &Path, id: &IncidentId) -> Result<Audit> {
    let path = dir.join("trace.json");
    let text = fs::read_to_string(&path).map_err(|e| Error::storage("read the trace", &path, e))?;
    let mut audit = Audit {
        incident: id.clone(),
        events: 0,
        head_sha256: genesis(id),
        files: 0,
        broken: Vec::new(),
        unknown: Vec::new(),
    };
    let body = text.strip_prefix("[\n").and_then(|t| t.strip_suffix("\n]\n")).ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, "this is no trace, or was written by another program")
            .with("path", path.display())
    })?;
    let mut sealed: Option<Sealed> = None;
    let (mut ended, mut after) = (false, 0);
    for (n, line) in body.split('\n').filter(|line| !line.is_empty()).enumerate() {
        let line = line.strip_suffix(',').unwrap_or(line);
        let event: TraceEvent = match serde_json::from_str(line) {
            Ok(event) => event,
            Err(e) => {
                audit.broken.push(format!("event {n} of trace.json can't be understood: {e}"));
                break;
            }
        };
        if event.previous_sha256.is_empty() && n == 0 {
            audit.unknown.push("the trace was written before events carried hashes: nothing can be told".into());
            return Ok(audit);
        }
        if event.previous_sha256 != audit.head_sha256 {
            let what = if n == 0 { "is not the first of this incident" } else { "does not follow from the one before" };
            audit.broken.push(format!("event {n} of trace.json {what}: one was changed, added or taken away"));
            break;
        }
        audit.head_sha256 = sha256_hex(line.as_bytes());
        audit.events += 1;
        after += u64::from(event.phase != Phase::Apply);
        if event.phase == Phase::Apply
            && let Some(data) = &event.data
            && let Ok(later) = Sealed::deserialize(data)
        {
            // What was written when a plan had been applied counts from then on, as does the report of a run whose process
            // had died.
            sealed.get_or_insert_default().files.extend(later.files);
        }
        if event.phase == Phase::Done && !ended {
            sealed = event.data.and_then(|data| serde_json::from_value(data).ok());
            ended = sealed.is_some();
            after = 0;
        }
    }
    match (ended, &sealed) {
        _ if !audit.broken.is_empty() => {}
        (false, None) => {
            audit.unknown.push("the trace does not come to the run's end: its files can't be held against it".into());
        }
        (false, Some(_)) => {
            let said = "the trace does not come to the run's end: only what was written later can be held against it";
            audit.unknown.push(said.into());
        }
        (true, _) if after > 0 => audit.unknown.push(format!("{after} events were added after the run's end")),
        (true, _) => {}
    }
    if let Some(sealed) = sealed {
        files(dir, &sealed, &mut audit);
    }
    Ok(audit)
}

fn files(dir: &Path, sealed: &Sealed, audit: &mut Audit) {
    for (name, digest) in &sealed.files {
        match fs::read(dir.join(name)) {
            Ok(bytes) if sha256_hex(&bytes) == *digest => audit.files += 1,
            Ok(_) => audit.broken.push(format!("{name} was changed")),
            // What a replay wrote has no recording beside it.
            Err(e) if e.kind() == io::ErrorKind::NotFound && name.starts_with("recording/") => {
                audit.unknown.push(format!("{name} is not here"));
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => audit.broken.push(format!("{name} is gone")),
            Err(e) => audit.unknown.push(format!("{name} can't be read: {e}")),
        }
    }
}
