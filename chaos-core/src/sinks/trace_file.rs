//! `trace.json`: a JSON array that is whole after every append, at a cost that does not grow.
//!
//! The file is `[`, then one event a line, then `]`. An append overwrites the closing bracket with `,`, the
//! event and a new bracket, in one write. A write that is cut short (disk full, a kill in its middle) leaves a
//! torn tail: the writer puts the bracket back at once if it can, else the next open does. No line before it is
//! ever touched.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use crate::{
    error::{Error, Result},
    model::TraceEvent,
};

const OPEN: &[u8] = b"[\n";
const CLOSE: &[u8] = b"\n]\n";
/// A trace without events.
const EMPTY: &[u8] = b"[\n\n]\n";

/// An open trace.
#[derive(Debug)]
pub(super) struct TraceFile {
    file: File,
    path: PathBuf,
    /// Where the closing bracket begins.
    end: u64,
    events: u64,
}

impl TraceFile {
    /// Writes a trace without events.
    pub(super) fn begin(path: &Path) -> Result<()> {
        fs::write(path, EMPTY).map_err(|e| Error::storage("begin the trace", path, e))
    }

    /// Opens or creates, and mends a torn tail.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let failed = |e| Error::storage("open the trace", path, e);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let (end, events) = whole_part(&bytes);
        let mut trace = Self { file, path: path.to_owned(), end, events };
        if bytes.get(end as usize..) != Some(CLOSE) || events == 0 && bytes != EMPTY {
            trace.close_array().map_err(failed)?;
        }
        Ok(trace)
    }

    /// Appends an event.
    pub(super) fn append(&mut self, event: &TraceEvent) -> Result<()> {
        let mut line = Vec::with_capacity(256);
        if self.events > 0 {
            line.extend_from_slice(b",\n");
        }
        line.extend_from_slice(&event.line());
        let new_end = self.end + line.len() as u64;
        line.extend_from_slice(CLOSE);
        if let Err(e) = self.file.write_all_at(&line, self.end) {
            // The bracket's own bytes were allocated before, so putting it back needs no room.
            let _ = self.close_array();
            return Err(Error::storage("append to the trace", &self.path, e));
        }
        self.end = new_end;
        self.events += 1;
        Ok(())
    }

    /// Writes the closing bracket where the events end, and cuts off what follows.
    fn close_array(&mut self) -> io::Result<()> {
        if self.events == 0 {
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(OPEN)?;
            self.end = OPEN.len() as u64;
        }
        self.file.write_all_at(CLOSE, self.end)?;
        self.file.set_len(self.end + CLOSE.len() as u64)
    }
}

/// Where the whole events end, and how many there are. A line counts when it begins with an object; the first that
/// is more than that and a comma is the last, and what follows it was never written whole. An append that was cut
/// after its first byte leaves such a line: its comma took the place of the line's end.
fn whole_part(bytes: &[u8]) -> (u64, u64) {
    let Some(body) = bytes.strip_prefix(OPEN) else { return (OPEN.len() as u64, 0) };
    let (mut end, mut events) = (OPEN.len(), 0);
    let mut at = OPEN.len();
    for line in body.split_inclusive(|b| *b == b'\n') {
        let mut objects =
            serde_json::Deserializer::from_slice(line).into_iter::<serde_json::Map<String, serde_json::Value>>();
        if !matches!(objects.next(), Some(Ok(_))) {
            break;
        }
        let length = objects.byte_offset();
        end = at + length;
        events += 1;
        at += line.len();
        if !matches!(&line[length..], b"\n" | b",\n") {
            break;
        }
    }
    (end as u64, events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AgentName, EventType, Phase, Timestamp};

    fn event(seq: u64) -> TraceEvent {
        TraceEvent {
            seq,
            timestamp: Timestamp(1_700_000_000_000),
            phase: Phase::Observe,
            agent: AgentName::new("LogAgent"),
            kind: EventType::Note,
            content: format!("line\nbreak, ] and \" number {seq}"),
            data: None,
            previous_sha256: String::new(),
        }
    }

    fn read(path: &Path) -> Vec<TraceEvent> {
        serde_json::from_slice(&fs::read(path).unwrap()).expect("a valid JSON array of events")
    }

    #[test]
    fn it_is_a_valid_array_after_every_append_and_every_open() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace.json");
        assert!(TraceFile::open(&path).is_ok());
        assert!(read(&path).is_empty());
        for seq in 0..20 {
            // Opened anew on every third: a file that was closed goes on where it was.
            let mut trace = TraceFile::open(&path).unwrap();
            for seq in seq * 3..seq * 3 + 3 {
                trace.append(&event(seq)).unwrap();
                assert_eq!(read(&path).len() as u64, seq + 1);
            }
        }
        assert!(read(&path).iter().enumerate().all(|(i, e)| e.seq == i as u64));
    }

    #[test]
    fn a_write_cut_at_any_byte_loses_nothing_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace.json");
        let mut trace = TraceFile::open(&path).unwrap();
        trace.append(&event(0)).unwrap();
        trace.append(&event(1)).unwrap();
        let before = fs::read(&path).unwrap();
        let kept = trace.end as usize;
        trace.append(&event(2)).unwrap();
        let after = fs::read(&path).unwrap();
        for cut in kept..=after.len() {
            // What the disk holds when only the first bytes of the write arrived: new up to `cut`, old beyond.
            let mut torn = after[..cut].to_vec();
            if cut < before.len() {
                torn.extend_from_slice(&before[cut..]);
            }
            fs::write(&path, &torn).unwrap();
            let mut trace = TraceFile::open(&path).unwrap();
            let events = read(&path);
            assert!(events.len() == 2 || events.len() == 3, "cut at {cut}: {} events", events.len());
            assert_eq!(events[..2], [event(0), event(1)]);
            trace.append(&event(9)).unwrap();
            assert_eq!(read(&path).last().unwrap().seq, 9);
        }
    }

    #[test]
    fn a_file_cut_at_any_byte_opens_and_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace.json");
        let mut trace = TraceFile::open(&path).unwrap();
        for seq in 0..3 {
            trace.append(&event(seq)).unwrap();
        }
        let whole = fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            TraceFile::open(&path).unwrap().append(&event(7)).unwrap();
            assert_eq!(read(&path).last().unwrap().seq, 7, "cut at {cut}");
        }
    }
}
