//! One call of a plugin: what it holds while it runs, and how its end is told.

use std::{collections::BTreeMap, fmt, sync::Arc};

use chaos_core::{
    agent::AgentContext,
    error::{Error, ErrorKind},
    host::ReadOnlyHost,
    model::{Answer, EventType, Id},
};
use wasmtime::{ResourceLimiter, Trap};

use crate::{grants::Granted, limits::MOST_TABLE_ELEMENTS};

/// Bytes of a line that a plugin says.
const LONGEST_LINE: usize = 500;

/// What a plugin holds during one call.
pub(crate) struct State {
    granted: Arc<Granted>,
    cx: AgentContext,
    host: Option<ReadOnlyHost>,
    asked: Vec<Id<Answer>>,
    questions: u32,
    lines: u32,
    dropped: u64,
    memory: usize,
    denied: Option<&'static str>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("agent", self.cx.agent()).finish_non_exhaustive()
    }
}

impl State {
    pub(crate) fn new(granted: Arc<Granted>, cx: AgentContext, host: Option<ReadOnlyHost>) -> Self {
        Self { granted, cx, host, asked: Vec::new(), questions: 0, lines: 0, dropped: 0, memory: 0, denied: None }
    }

    pub(crate) fn asked(&self) -> &[Id<Answer>] {
        &self.asked
    }

    pub(crate) fn note_answer(&mut self, id: Id<Answer>) {
        self.asked.push(id);
    }

    /// The host, if this command was granted and there are questions left. That it is read-only is for the host to see.
    pub(crate) fn may_ask(&mut self, argv: &[String]) -> Result<ReadOnlyHost, ErrorKind> {
        let Some(host) = self.host.clone() else { return Err(ErrorKind::Refused) };
        if !self.granted.allows(argv) {
            let words: Vec<String> = argv.iter().take(8).map(|w| w.chars().take(60).collect()).collect();
            let text = format!("a command that was not granted was refused: {}", words.join(" ").escape_debug());
            self.say(EventType::Probe, &text);
            return Err(ErrorKind::Refused);
        }
        if self.questions >= self.granted.limits.commands {
            return Err(ErrorKind::Busy);
        }
        self.questions += 1;
        Ok(host)
    }

    pub(crate) fn config(&self, key: &str) -> Option<String> {
        let config: &BTreeMap<String, String> = &self.granted.config;
        config.get(key).cloned()
    }

    /// A line of the plugin's own.
    pub(crate) fn log(&mut self, shown: bool, message: &str) {
        if shown {
            self.say(EventType::Note, message);
        }
    }

    fn say(&mut self, kind: EventType, text: &str) {
        if self.lines >= self.granted.limits.log_lines {
            self.dropped += 1;
            return;
        }
        self.lines += 1;
        let mut end = text.len().min(LONGEST_LINE);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let more = if end < text.len() { "…" } else { "" };
        self.cx.emit(kind, format!("{}{more}", text[..end].escape_debug()));
    }

    /// Says what was left out, at the end of a call.
    pub(crate) fn finish(&mut self) {
        if self.dropped > 0 {
            let most = self.granted.limits.log_lines;
            self.cx.emit(EventType::Note, format!("{} more lines are left out: the limit is {most}", self.dropped));
        }
    }
}

impl ResourceLimiter for State {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current);
        if self.memory.saturating_add(more) > self.granted.limits.memory_bytes() {
            self.denied = Some("memory");
            return Ok(false);
        }
        self.memory += more;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        if desired > MOST_TABLE_ELEMENTS {
            self.denied = Some("table elements");
            return Ok(false);
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        64
    }

    fn tables(&self) -> usize {
        16
    }

    fn memories(&self) -> usize {
        4
    }
}

/// Why a call failed. What wasmtime says of a plugin's own making is told shortly and escaped.
pub(crate) fn failed(state: &State, error: &wasmtime::Error) -> Error {
    let limits = &state.granted.limits;
    let whole = format!("{error:#}");
    // A plugin that is denied memory ends as its language has it, mostly by a trap that looks like a panic.
    if let Some(what) = state.denied {
        let most = if what == "memory" { format!("{} MiB", limits.memory_mb) } else { MOST_TABLE_ELEMENTS.to_string() };
        return Error::new(ErrorKind::AgentFailed, format!("the plugin wanted more {what} than its limit of {most}"));
    }
    // wasmtime has no type for it; a test tells when the text changes.
    if whole.contains("fuel allocated for hostcalls") {
        let text = format!("the plugin gave more output than its limit of {} KiB", limits.output_kb);
        return Error::new(ErrorKind::OutputLimit, text);
    }
    let why = match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => "its stack overflowed".to_owned(),
        Some(Trap::UnreachableCodeReached) => "it panicked, or ran into code that must not be reached".to_owned(),
        Some(trap) => trap.to_string(),
        None => whole.chars().take(300).collect::<String>().escape_debug().collect(),
    };
    Error::new(ErrorKind::AgentFailed, format!("the plugin trapped: {why}"))
}
