//! Incidents as directories: `incidents/{id}/…`, one file an artifact. Several processes may share one place.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::trace_file::TraceFile;
use crate::{
    artifact::{ArtifactName, ArtifactSink},
    audit::{genesis, sha256_hex},
    clock::{Clock as _, SystemClock},
    error::{Error, ErrorKind, Result},
    model::{
        AgentName, Confidence, Confirmation, Culprit, EventType, IncidentId, Past, Phase, Status, TargetInfo,
        Timestamp, TraceEvent, Verdict,
    },
};

/// A running incident holds a lock on this file in its directory; it goes away when the incident ends.
const LOCK: &str = ".running";
/// What was asked for, where the incident was made with that: until its end it stands in [`LOCK`].
const ASKED: &str = ".request.json";
/// The incident as it stands.
const STATE: &str = "incident.json";
/// What a person found out about an incident.
const CONFIRMED: &str = "confirmed.json";
/// Earlier incidents that are looked through, and those of one target that are kept.
const LOOKED_THROUGH: usize = 1000;
const KEPT: usize = 100;
/// Its presence asks the process that runs the incident to stop it.
const STOP: &str = ".stop";

/// A directory of incidents.
#[derive(Debug)]
pub struct Dir {
    root: PathBuf,
    held: Mutex<BTreeMap<IncidentId, Held>>,
    /// The last number that was given out, with its day: where to go on without listing what is there.
    last: Mutex<(String, u32)>,
}

/// What is kept open for an incident that this process writes.
#[derive(Debug, Default)]
struct Held {
    /// Opened for the first event: an incident may wait for long, beside many others, before it has one.
    trace: Option<TraceFile>,
    /// Locked for as long as it is open; the kernel lets go when the process dies, however it dies.
    lock: Option<File>,
    /// What was asked for stands in the lock.
    was_asked: bool,
}

/// An incident in one line, as `incident.json` has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Summary {
    /// Its id.
    pub id: IncidentId,
    /// How far it came; `Running` only while its process lives.
    pub status: Status,
    /// What it is about.
    pub target: TargetInfo,
    /// When it began.
    pub began: Timestamp,
    /// The diagnosis' title, where it came to one.
    pub cause: Option<String>,
    /// The diagnosis' confidence.
    pub confidence: Option<f64>,
    /// What a person found out was really wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Verdict>,
}

impl Dir {
    /// Uses `root`, and creates it if it is not there.
    ///
    /// # Errors
    /// `Denied` or `Storage` when it can't be written to: said now rather than in the middle of an incident.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        fs::create_dir_all(&root).map_err(|e| Error::storage("create the incidents directory", &root, e))?;
        let root = root.canonicalize().map_err(|e| Error::storage("open the incidents directory", &root, e))?;
        Ok(Self { root, held: Mutex::default(), last: Mutex::default() })
    }

    /// Where an incident's files are.
    #[must_use]
    pub fn path(&self, id: &IncidentId) -> PathBuf {
        self.root.join(id.as_str())
    }

    /// Makes an incident that is to be run later, perhaps much later: of it there is one file, locked, with what was asked
    /// for. That is a JSON object whose `incident` is the incident as it stands until [`ArtifactSink::write`] has written
    /// one; the rest is the caller's.
    ///
    /// # Errors
    /// `Storage` when it can't be written; then nothing is left of it.
    pub fn create_asked(&self, at: Timestamp, asked: impl FnOnce(&IncidentId) -> Vec<u8>) -> Result<IncidentId> {
        let id = self.numbered(at)?;
        let file = self.path(&id).join(LOCK);
        let made = File::create(&file).and_then(|mut lock| {
            lock.lock()?;
            lock.write_all(&asked(&id))?;
            Ok(lock)
        });
        match made {
            Ok(lock) => {
                self.held().insert(id.clone(), Held { trace: None, lock: Some(lock), was_asked: true });
                Ok(id)
            }
            Err(e) => {
                let _ = fs::remove_file(&file);
                let _ = fs::remove_dir(self.path(&id));
                Err(Error::storage("write what was asked for", &file, e))
            }
        }
    }

    /// What an incident was made with by [`Dir::create_asked`]; `None` when it was made otherwise, or can't be read.
    #[must_use]
    pub fn asked(&self, id: &IncidentId) -> Option<Vec<u8>> {
        // It may come to its end between the two.
        let read = |name| fs::read(self.path(id).join(name)).ok().filter(|bytes| !bytes.is_empty());
        read(LOCK).or_else(|| read(ASKED))
    }

    /// `incident.json`; of an incident that has none yet, what it was made with.
    ///
    /// # Errors
    /// `Storage` when there is neither.
    pub fn state(&self, id: &IncidentId) -> Result<Vec<u8>> {
        #[derive(Deserialize)]
        struct Asked<'a> {
            #[serde(borrow)]
            incident: &'a RawValue,
        }
        let path = self.path(id).join(STATE);
        let failed = |e| Error::storage("read the incident", &path, e);
        match fs::read(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let asked = self.asked(id).ok_or_else(|| failed(e))?;
                let asked = serde_json::from_slice::<Asked<'_>>(&asked);
                asked.map(|a| a.incident.get().into()).map_err(|e| failed(e.into()))
            }
            read => read.map_err(failed),
        }
    }

    /// Takes up `id` as it is, emptied: for outputs that are to have a given id, such as a replay's.
    ///
    /// # Errors
    /// `Conflict` when a process is writing it.
    pub fn replace(&self, id: &IncidentId) -> Result<()> {
        let path = self.path(id);
        if self.is_running(id) {
            return Err(Error::new(ErrorKind::Conflict, "this incident is running").with("id", id));
        }
        match fs::remove_dir_all(&path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(Error::storage("replace the incident", &path, e));
            }
            _ => {}
        }
        fs::create_dir(&path).map_err(|e| Error::storage("create the incident's directory", &path, e))?;
        self.hold(id)
    }

    /// Asks whichever process runs this incident to stop it.
    ///
    /// # Errors
    /// `NotFound` when there is no such incident, `Conflict` when it is not running.
    pub fn request_stop(&self, id: &IncidentId) -> Result<()> {
        self.existing(id)?;
        if !self.is_running(id) {
            return Err(Error::new(ErrorKind::Conflict, "this incident is not running").with("id", id));
        }
        let path = self.path(id).join(STOP);
        File::create(&path).map(drop).map_err(|e| Error::storage("ask for the stop", &path, e))
    }

    /// Whether somebody asked for this incident's end.
    #[must_use]
    pub fn is_stop_requested(&self, id: &IncidentId) -> bool {
        self.path(id).join(STOP).exists()
    }

    /// Whether a living process writes this incident.
    #[must_use]
    pub fn is_running(&self, id: &IncidentId) -> bool {
        // A lock that can't be taken is held by the living; one that can is dead, and let go again at once.
        File::open(self.path(id).join(LOCK))
            .is_ok_and(|file| matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)))
    }

    /// Marks incidents whose process died as interrupted: in `incident.json` and with a last event in the trace,
    /// whose torn tail is mended. Gives the ones that it marked.
    ///
    /// # Errors
    /// When the directory can't be read. An incident that can't be marked is passed over.
    pub fn mark_interrupted(&self, now: Timestamp) -> Result<Vec<IncidentId>> {
        let mut marked = Vec::new();
        for id in self.ids()? {
            let Ok(lock) = File::open(self.path(&id).join(LOCK)) else { continue };
            // One that ended between the two is let go of as well, but its file is gone.
            let is_left = lock.try_lock().is_ok() && self.path(&id).join(LOCK).exists();
            if is_left && self.mark(&id, now).is_ok() {
                marked.push(id);
            }
        }
        Ok(marked)
    }

    fn mark(&self, id: &IncidentId, now: Timestamp) -> Result<()> {
        // Without it the incident was only just created, and its process may be about to take the lock.
        let bytes = self.state(id)?;
        let file = self.path(id).join(STATE);
        let mut incident: serde_json::Value = serde_json::from_slice(&bytes).map_err(|e| {
            Error::new(ErrorKind::Storage, "the incident can't be understood").with("path", file.display()).because(e)
        })?;
        let path = self.path(id).join("trace.json");
        let mut trace = TraceFile::open(&path)?;
        let written = fs::read(&path).unwrap_or_default();
        let events: Vec<TraceEvent> = serde_json::from_slice(&written).unwrap_or_default();
        let last = events.last();
        let phase = last.map_or(Phase::Prepare, |e| e.phase);
        let fault = match &incident["injection"] {
            serde_json::Value::Null => "",
            _ => "; the target itself reverts the fault that it had injected",
        };
        let why = format!("the process that ran this incident died in its phase {}{fault}", phase.as_str());
        trace.append(&TraceEvent {
            seq: last.map_or(0, |e| e.seq + 1),
            timestamp: last.map_or(now, |e| e.timestamp.max(now)),
            phase,
            agent: AgentName::new("Coordinator"),
            kind: EventType::Error,
            content: format!("interrupted: {why}"),
            data: None,
            previous_sha256: last_line(&written).map_or_else(|| genesis(id), sha256_hex),
        })?;
        incident["status"] = serde_json::json!(Status::Interrupted);
        incident["reason"] = serde_json::json!(why);
        replace_file(&file, incident.to_string().as_bytes())?;
        let _ = fs::remove_file(self.path(id).join(STOP));
        self.unlock(id, self.path(id).join(LOCK).metadata().is_ok_and(|lock| lock.len() > 0))
    }

    /// Ends what says that an incident is running, and keeps what was asked for.
    fn unlock(&self, id: &IncidentId, was_asked: bool) -> Result<()> {
        let lock = self.path(id).join(LOCK);
        let ended = if was_asked { fs::rename(&lock, self.path(id).join(ASKED)) } else { fs::remove_file(&lock) };
        ended.map_err(|e| Error::storage("unlock the incident", &lock, e))
    }

    /// All incidents in one line each, oldest first; those that can't be read are left out.
    ///
    /// # Errors
    /// When the directory can't be read.
    pub fn summaries(&self) -> Result<Vec<Summary>> {
        Ok(self.ids()?.iter().filter_map(|id| self.summary(id)).collect())
    }

    fn summary(&self, id: &IncidentId) -> Option<Summary> {
        #[derive(Deserialize)]
        struct Head {
            status: Status,
            target: TargetInfo,
            span: std::ops::Range<Timestamp>,
            diagnosis: Option<Diagnosis>,
        }
        #[derive(Deserialize)]
        struct Diagnosis {
            title: String,
            confidence: f64,
        }
        let head: Head = serde_json::from_slice(&self.state(id).ok()?).ok()?;
        Some(Summary {
            id: id.clone(),
            status: head.status,
            target: head.target,
            began: head.span.start,
            cause: head.diagnosis.as_ref().map(|d| d.title.clone()),
            confidence: head.diagnosis.as_ref().map(|d| d.confidence),
            confirmed: self.confirmation(id).ok().flatten().map(|c| c.verdict),
        })
    }

    /// Adds an event to the trace of an incident that is over, chained to the one before it.
    ///
    /// # Errors
    /// `Conflict` while it runs; `Storage` when the trace can't be written.
    pub fn annotate(
        &self,
        id: &IncidentId,
        agent: &str,
        kind: EventType,
        content: String,
        data: serde_json::Value,
    ) -> Result<()> {
        let path = self.existing(id)?.join("trace.json");
        if self.is_running(id) {
            return Err(Error::new(ErrorKind::Conflict, "this incident is running").with("id", id));
        }
        let failed = |e| Error::storage("add to the trace", &path, e);
        // One at a time, whoever they are: each event follows from the one before it.
        let lock = File::open(&path).map_err(failed)?;
        lock.lock().map_err(failed)?;
        let mut trace = TraceFile::open(&path)?;
        let written = fs::read(&path).map_err(failed)?;
        let last = last_line(&written);
        let before: Option<TraceEvent> = last.and_then(|line| serde_json::from_slice(line).ok());
        let now = SystemClock::default().now();
        trace.append(&TraceEvent {
            seq: before.as_ref().map_or(0, |e| e.seq + 1),
            timestamp: before.as_ref().map_or(now, |e| e.timestamp.max(now)),
            phase: Phase::Apply,
            agent: AgentName::new(agent),
            kind,
            content,
            data: Some(data),
            previous_sha256: last.map_or_else(|| genesis(id), sha256_hex),
        })
    }

    /// Writes a file of an incident that is over, whole or not at all.
    ///
    /// # Errors
    /// `NotFound` when there is no such incident, `Storage` when it can't be written.
    pub fn put(&self, id: &IncidentId, name: &ArtifactName, bytes: &[u8]) -> Result<()> {
        replace_file(&self.existing(id)?.join(name.as_str()), bytes)
    }

    /// What a person found out about an incident; `None` until somebody said.
    ///
    /// # Errors
    /// `Storage` when what was said can't be read or understood.
    pub fn confirmation(&self, id: &IncidentId) -> Result<Option<Confirmation>> {
        let path = self.path(id).join(CONFIRMED);
        let bytes = match fs::read(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|e| Error::storage("read what was confirmed", &path, e))?,
        };
        let damaged = |e| {
            Error::new(ErrorKind::Storage, "what was confirmed can't be understood")
                .with("path", path.display())
                .because(e)
        };
        serde_json::from_slice(&bytes).map(Some).map_err(damaged)
    }

    /// Keeps what a person found out about an incident, in place of what was said before.
    ///
    /// # Errors
    /// `NotFound` when there is no such incident, `Storage` when it can't be written.
    pub fn confirm(&self, id: &IncidentId, confirmation: &Confirmation) -> Result<()> {
        let path = self.existing(id)?.join(CONFIRMED);
        let text = serde_json::to_vec_pretty(confirmation).expect("plain data");
        replace_file(&path, &text)
    }

    /// Takes back what was said of an incident.
    ///
    /// # Errors
    /// `NotFound` when nothing was, or there is no such incident.
    pub fn unconfirm(&self, id: &IncidentId) -> Result<()> {
        let path = self.existing(id)?.join(CONFIRMED);
        match fs::remove_file(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                Err(Error::new(ErrorKind::NotFound, "nothing was confirmed of this incident").with("id", id))
            }
            removed => removed.map_err(|e| Error::storage("take back what was confirmed", &path, e)),
        }
    }

    /// The diagnosed incidents of a target, oldest first: the latest hundred among the latest thousand of all. One that
    /// can't be read is left out.
    ///
    /// # Errors
    /// When the directory can't be read.
    pub fn history(&self, target: &TargetInfo) -> Result<Vec<Past>> {
        let latest = self.ids()?.into_iter().rev().take(LOOKED_THROUGH);
        let mut past: Vec<Past> = latest.filter_map(|id| self.past(&id, target)).take(KEPT).collect();
        past.reverse();
        Ok(past)
    }

    fn past(&self, id: &IncidentId, wanted: &TargetInfo) -> Option<Past> {
        #[derive(Deserialize)]
        struct Head {
            target: TargetInfo,
            span: std::ops::Range<Timestamp>,
            diagnosis: Option<Named>,
            injection: Option<serde::de::IgnoredAny>,
        }
        #[derive(Deserialize)]
        struct Named {
            #[serde(flatten)]
            verdict: Verdict,
            confidence: Confidence,
            culprit: Option<Culprit>,
        }
        let head: Head = serde_json::from_slice(&fs::read(self.path(id).join(STATE)).ok()?).ok()?;
        let named = head.diagnosis.filter(|_| head.target == *wanted)?;
        Some(Past {
            id: id.clone(),
            began: head.span.start,
            verdict: named.verdict,
            confidence: named.confidence,
            culprit: named.culprit.map(|c| c.summary),
            injected: head.injection.is_some(),
            confirmed: self.confirmation(id).ok().flatten().map(|c| c.verdict),
        })
    }

    fn ids(&self) -> Result<Vec<IncidentId>> {
        let failed = |e| Error::storage("list the incidents", &self.root, e);
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.root).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            ids.extend(name.to_str().and_then(|n| IncidentId::parse(n).ok()));
        }
        ids.sort_by(|a, b| a.age().cmp(&b.age()));
        Ok(ids)
    }

    fn existing(&self, id: &IncidentId) -> Result<PathBuf> {
        let path = self.path(id);
        if path.is_dir() {
            Ok(path)
        } else {
            Err(Error::new(ErrorKind::NotFound, "no such incident").with("id", id).with("path", self.root.display()))
        }
    }

    /// Makes the directory of the day's next incident.
    fn numbered(&self, at: Timestamp) -> Result<IncidentId> {
        let day = at.day();
        let prefix = format!("inc-{day}-");
        let taken = |id: &IncidentId| id.as_str().strip_prefix(&prefix).and_then(|n| n.parse::<u32>().ok());
        let known = self.last.lock().expect("no panic while held").clone();
        let mut number = match known {
            (known, number) if known == day => number,
            _ => self.ids()?.iter().filter_map(taken).max().unwrap_or(0),
        };
        loop {
            number = number
                .checked_add(1)
                .ok_or_else(|| Error::new(ErrorKind::Storage, "no number is left for this day").with("day", &day))?;
            let id = IncidentId::numbered(&day, number);
            // Making a directory either succeeds for one of all who try, or fails.
            match fs::create_dir(self.path(&id)) {
                Ok(()) => {
                    *self.last.lock().expect("no panic while held") = (day, number);
                    return Ok(id);
                }
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(Error::storage("create the incident's directory", &self.path(&id), e)),
            }
        }
    }

    /// Locks an incident whose directory was just made, and begins its trace.
    fn hold(&self, id: &IncidentId) -> Result<()> {
        let path = self.path(id);
        let file = path.join(LOCK);
        let failed = |e| Error::storage("lock the incident", &file, e);
        let lock = File::create(&file).map_err(failed)?;
        lock.lock().map_err(failed)?;
        TraceFile::begin(&path.join("trace.json"))?;
        self.held().insert(id.clone(), Held { trace: None, lock: Some(lock), was_asked: false });
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, BTreeMap<IncidentId, Held>> {
        self.held.lock().expect("no panic while held")
    }
}

/// The last event of a whole trace, as it stands there.
fn last_line(trace: &[u8]) -> Option<&[u8]> {
    let body = trace.strip_prefix(b"[\n")?.strip_suffix(b"\n]\n")?;
    body.rsplit(|b| *b == b'\n').next().filter(|line| !line.is_empty())
}

/// Writes a file whole beside its place, then moves it there: a reader sees the old or the new, never a part.
fn replace_file(path: &Path, bytes: &[u8]) -> Result<()> {
    // One for each write: many may replace the same file at once. No artifact's name begins with a dot.
    static WRITES: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unique = format!(".{name}.{}.{}", std::process::id(), WRITES.fetch_add(1, Ordering::Relaxed));
    let temporary = path.with_file_name(unique);
    let written =
        File::create(&temporary).and_then(|mut f| f.write_all(bytes)).and_then(|()| fs::rename(&temporary, path));
    written.map_err(|e| {
        let _ = fs::remove_file(&temporary);
        Error::storage("write", path, e)
    })
}

#[async_trait]
impl ArtifactSink for Dir {
    // File operations here are short and local; they run where they are called rather than on another thread.

    async fn create(&self, at: Timestamp) -> Result<IncidentId> {
        let id = self.numbered(at)?;
        self.hold(&id)?;
        Ok(id)
    }

    async fn append_event(&self, id: &IncidentId, event: &TraceEvent) -> Result<()> {
        let path = self.existing(id)?;
        let mut held = self.held();
        let trace = &mut held.entry(id.clone()).or_default().trace;
        let trace = match trace {
            Some(trace) => trace,
            None => trace.insert(TraceFile::open(&path.join("trace.json"))?),
        };
        trace.append(event)
    }

    async fn write(&self, id: &IncidentId, name: &ArtifactName, bytes: &[u8]) -> Result<()> {
        let path = self.existing(id)?.join(name.as_str());
        make_parent(&path, name)?;
        replace_file(&path, bytes)
    }

    async fn append(&self, id: &IncidentId, name: &ArtifactName, bytes: &[u8]) -> Result<()> {
        let path = self.existing(id)?.join(name.as_str());
        make_parent(&path, name)?;
        let failed = |e| Error::storage("append to", &path, e);
        let mut file = File::options().create(true).append(true).open(&path).map_err(failed)?;
        let before = file.metadata().map_err(failed)?.len();
        file.write_all(bytes).map_err(|e| {
            let _ = file.set_len(before);
            failed(e)
        })
    }

    async fn read(&self, id: &IncidentId, name: &ArtifactName) -> Result<Vec<u8>> {
        let path = self.existing(id)?.join(name.as_str());
        fs::read(&path).map_err(|e| Error::storage("read", &path, e))
    }

    async fn list(&self, id: &IncidentId) -> Result<Vec<ArtifactName>> {
        let root = self.existing(id)?;
        let mut names = Vec::new();
        for prefix in ["", "artifacts/", "recording/"] {
            let Ok(entries) = fs::read_dir(root.join(prefix)) else { continue };
            for entry in entries.flatten().filter(|e| e.path().is_file()) {
                let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
                names.extend(ArtifactName::new(name));
            }
        }
        names.sort();
        Ok(names)
    }

    async fn close(&self, id: &IncidentId) -> Result<()> {
        let held = self.held().remove(id);
        if let Some(Held { lock: Some(_lock), was_asked, .. }) = held {
            let _ = fs::remove_file(self.path(id).join(STOP));
            let _ = self.unlock(id, was_asked);
        }
        Ok(())
    }

    async fn incidents(&self) -> Result<Vec<IncidentId>> {
        self.ids()
    }
}

/// Makes the folder of an artifact, where it is not the incident's own.
fn make_parent(path: &Path, name: &ArtifactName) -> Result<()> {
    if !name.as_str().contains('/') {
        return Ok(());
    }
    let parent = path.parent().expect("an artifact lies in an incident's directory");
    fs::create_dir_all(parent).map_err(|e| Error::storage("create", parent, e))
}
