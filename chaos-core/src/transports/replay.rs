//! A recorded incident in place of a host: answers by `(agent, ask, nth time)`, with the recorded times.

use std::{
    collections::BTreeMap,
    fmt,
    path::Path,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;

use super::Entry;
use crate::{
    audit::sha256_hex,
    error::{Error, ErrorKind, Result},
    model::{AgentName, Ask, End, Facts, SCHEMA_VERSION, TargetInfo, Timestamp, TraceEvent},
    recording::RunRecord,
    transport::{Capabilities, Chunk, Reply, Request, Transport},
};

/// One recorded reply.
#[derive(Debug)]
struct Recorded {
    failed: Option<Error>,
    chunks: Vec<Chunk>,
    end: Option<(End, Timestamp)>,
}

type Key = (AgentName, Ask);

/// What a question is known by. A script of ours is known by its first line, a comment that says what it prints: a
/// recording stays good when the script is mended, and only a new format gets a new first line.
fn known_by(ask: &Ask) -> Ask {
    let mut ask = ask.clone();
    if let Ask::Run(command) = &mut ask
        && let [sh, c, text] = command.argv.as_mut_slice()
        && sh == "sh"
        && c == "-c"
        && text.starts_with("# ")
    {
        text.truncate(text.find('\n').unwrap_or(text.len()));
    }
    ask
}

/// A recorded incident, as a transport and as all else that a replay needs.
///
/// What was not asked when it was recorded, or was asked less often, is an error of kind `NotRecorded`.
/// `stop` and deadlines change nothing: the recording ends where it ended.
pub struct Replay {
    run: RunRecord,
    trace: Vec<TraceEvent>,
    edited: bool,
    /// The recording's files, with the hashes that they have.
    files: [(&'static str, String); 2],
    replies: BTreeMap<Key, Vec<Arc<Recorded>>>,
    served: Mutex<BTreeMap<Key, usize>>,
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").field("id", &self.run.id).finish_non_exhaustive()
    }
}

impl Replay {
    /// Reads an incident's directory: `recording/` and `trace.json`.
    ///
    /// # Errors
    /// `NotFound` when a file of the recording is missing, `Unsupported` when it was written by a newer version,
    /// `InvalidInput` with file and line when it can't be understood.
    pub fn open(incident: &Path) -> Result<Self> {
        let read = |name: &str| {
            let path = incident.join(name);
            std::fs::read(&path).map_err(|e| {
                let error = Error::storage("read the recording", &path, e);
                if error.kind() == ErrorKind::NotFound {
                    let message = "this is not a recorded incident: a file of its recording is missing";
                    return Error::new(ErrorKind::NotFound, message).with("path", path.display());
                }
                error
            })
        };
        let run_bytes = read("recording/run.json")?;
        let version: Version = parse(&run_bytes, incident, "recording/run.json", 0)?;
        if version.schema_version > SCHEMA_VERSION {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "this recording was made by a newer version; update to replay it",
            )
            .with("schema_version", version.schema_version)
            .with("understood", SCHEMA_VERSION));
        }
        let run: RunRecord = parse(&run_bytes, incident, "recording/run.json", 0)?;
        let answers = read("recording/answers.jsonl")?;
        let digest = sha256_hex(&answers);
        let edited = run.answers_sha256.as_ref().is_some_and(|recorded| *recorded != digest);
        let trace_bytes = read("trace.json")?;
        let trace = parse(&trace_bytes, incident, "trace.json", 0)?;
        let files = [("recording/answers.jsonl", digest), ("recording/run.json", sha256_hex(&run_bytes))];
        Ok(Self { run, trace, edited, files, replies: index(&answers, incident)?, served: Mutex::default() })
    }

    /// How the recorded run was set up, and how its fault ended.
    pub(crate) fn run(&self) -> &RunRecord {
        &self.run
    }

    /// The recorded events; a replay takes its times from them.
    pub(crate) fn trace(&self) -> &[TraceEvent] {
        &self.trace
    }

    /// The files of the recording with the SHA-256, in hex, of each.
    pub(crate) fn files(&self) -> &[(&'static str, String)] {
        &self.files
    }

    /// Whether the answers were changed after they were recorded.
    #[must_use]
    pub fn is_edited(&self) -> bool {
        self.edited
    }
}

#[derive(serde::Deserialize)]
struct Version {
    schema_version: u32,
}

fn parse<T: serde::de::DeserializeOwned>(bytes: &[u8], incident: &Path, file: &str, line: usize) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|e| {
        let line = if line == 0 { e.line() } else { line };
        Error::new(ErrorKind::InvalidInput, "the recording is damaged")
            .with("path", incident.join(file).display())
            .with("line", line)
            .because(e)
    })
}

fn index(answers: &[u8], incident: &Path) -> Result<BTreeMap<Key, Vec<Arc<Recorded>>>> {
    const FILE: &str = "recording/answers.jsonl";
    let damaged = |line: usize, what: &str| {
        Error::new(ErrorKind::InvalidInput, format!("the recording is damaged: {what}"))
            .with("path", incident.join(FILE).display())
            .with("line", line)
    };
    let mut open: BTreeMap<u32, (Key, Recorded)> = BTreeMap::new();
    for (number, line) in answers.split_inclusive(|b| *b == b'\n').enumerate().map(|(i, l)| (i + 1, l)) {
        // A last line without an end was cut by a SIGKILL or a full disk: what comes before is whole.
        if !line.ends_with(b"\n") {
            break;
        }
        let unknown = || damaged(number, "output of a reply that was never opened");
        match parse::<Entry>(line, incident, FILE, number)? {
            Entry::Open { reply, agent, ask, failed } => {
                let recorded = Recorded { failed, chunks: Vec::new(), end: None };
                if open.insert(reply, ((agent, known_by(&ask)), recorded)).is_some() {
                    return Err(damaged(number, "a reply is opened twice"));
                }
            }
            Entry::Chunk { reply, at, stream, text, hex } => {
                let bytes = match (text, hex) {
                    (Some(text), None) => text.into_bytes(),
                    (None, Some(hex)) => unhex(&hex).ok_or_else(|| damaged(number, "bytes that are not hex"))?,
                    _ => return Err(damaged(number, "a chunk needs text or hex")),
                };
                let chunk = Chunk { at: Timestamp::from_millis(at), stream, bytes };
                open.get_mut(&reply).ok_or_else(unknown)?.1.chunks.push(chunk);
            }
            Entry::End { reply, at, end } => {
                open.get_mut(&reply).ok_or_else(unknown)?.1.end = Some((end, Timestamp::from_millis(at)));
            }
        }
    }
    let mut replies: BTreeMap<Key, Vec<Arc<Recorded>>> = BTreeMap::new();
    for (key, recorded) in open.into_values() {
        replies.entry(key).or_default().push(Arc::new(recorded));
    }
    Ok(replies)
}

fn unhex(hex: &str) -> Option<Vec<u8>> {
    if !hex.len().is_multiple_of(2) || !hex.is_ascii() {
        return None;
    }
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).ok()).collect()
}

#[async_trait]
impl Transport for Replay {
    fn capabilities(&self) -> Capabilities {
        Capabilities { live: false, ..self.run.capabilities }
    }

    fn target(&self) -> TargetInfo {
        self.run.target.clone()
    }

    fn known_facts(&self) -> Option<Facts> {
        self.run.facts.clone()
    }

    async fn open(&self, request: &Request) -> Result<Reply> {
        let key = (request.agent.clone(), known_by(&request.ask));
        let nth = {
            let mut served = self.served.lock().expect("no panic while held");
            let n = served.entry(key.clone()).or_insert(0);
            *n += 1;
            *n - 1
        };
        let recorded = self.replies.get(&key).and_then(|all| all.get(nth)).cloned().ok_or_else(|| {
            Error::new(ErrorKind::NotRecorded, "this was not asked when the incident was recorded")
                .with("ask", &request.ask)
        })?;
        if let Some(failed) = &recorded.failed {
            return Err(failed.clone());
        }
        let (writer, reply) = Reply::pair(usize::MAX);
        for chunk in &recorded.chunks {
            writer.push(chunk.clone())?;
        }
        let last = recorded.chunks.last().map_or(Timestamp::default(), |c| c.at);
        let (end, at) = recorded.end.clone().unwrap_or_else(|| {
            (End::Failed(Error::new(ErrorKind::NotRecorded, "the recording breaks off here")), last)
        });
        writer.finish(end, at);
        Ok(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::known_by;
    use crate::model::Ask;

    #[test]
    fn a_script_of_ours_is_known_by_its_first_line() {
        let script = |text: &str| known_by(&Ask::run(["sh", "-c", text]));
        assert_eq!(script("# prints frames\nold"), script("# prints frames\nnew"));
        assert_ne!(script("# prints frames\nx"), script("# prints other frames\nx"));
        assert_ne!(script("echo a\nx"), script("echo a\ny"), "a script without a name is known by all of it");
    }
}
