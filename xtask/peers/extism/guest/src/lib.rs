//! The detector of the example, its source as it is, over types that travel as Extism's own do: as JSON or MessagePack.

// The detector names the crate that it is written for; here that is this one.
extern crate self as chaos_plugin;

#[allow(dead_code, unused)]
#[path = "../../../../../examples/plugins/jvm-gc/src/lib.rs"]
mod jvm_gc;

use extism_pdk::{FnResult, Json, Msgpack, plugin_fn};
use serde::{Deserialize, Serialize};

#[macro_export]
macro_rules! detector {
    ($name:ident) => {};
}

pub trait Detector {
    fn detect(seen: &Observation) -> Result<Vec<Finding>, String>;
}

#[derive(Deserialize)]
pub struct Observation {
    pub evidence: Vec<LogStream>,
}

#[derive(Deserialize)]
pub struct LogStream {
    pub events: Vec<LogEvent>,
}

#[derive(Deserialize)]
pub struct LogEvent {
    pub at: i64,
    pub unit: Option<String>,
    pub pid: Option<u32>,
    pub text: String,
}

#[derive(Serialize)]
pub enum Signal {
    Other(String),
}

#[derive(Serialize)]
pub enum EntityKind {
    Host,
    Unit,
    Process,
}

#[derive(Serialize)]
pub struct Finding {
    signal: Signal,
    summary: String,
    score: f64,
    onset: Option<i64>,
    kind: EntityKind,
    name: String,
    attributes: Vec<(String, String)>,
    cites: Vec<(u32, u32)>,
}

/// As the detector sees a record.
#[derive(Clone, Copy)]
pub struct Event<'a> {
    pub source: u32,
    pub row: u32,
    pub at: i64,
    pub unit: Option<&'a str>,
    pub pid: Option<u32>,
    pub text: &'a str,
}

pub struct Logs<'a> {
    source: u32,
    stream: &'a LogStream,
}

impl<'a> Logs<'a> {
    pub fn events(&self) -> impl DoubleEndedIterator<Item = Event<'a>> + use<'a> {
        let source = self.source;
        self.stream.events.iter().enumerate().map(move |(row, e)| {
            let LogEvent { at, unit, pid, text } = e;
            Event { source, row: row as u32, at: *at, unit: unit.as_deref(), pid: *pid, text }
        })
    }
}

impl<'a> Logs<'a> {
    pub fn containing(&self, needle: &str) -> impl DoubleEndedIterator<Item = Event<'a>> + use<'a> {
        let finder = memchr::memmem::Finder::new(needle).into_owned();
        self.events().filter(move |event| finder.find(event.text.as_bytes()).is_some())
    }
}

impl Observation {
    pub fn logs(&self) -> impl Iterator<Item = Logs<'_>> {
        self.evidence.iter().zip(0..).map(|(stream, source)| Logs { source, stream })
    }
}

impl Finding {
    pub fn new(signal: Signal, summary: impl AsRef<str>) -> Self {
        let (summary, kind, name) = (summary.as_ref().to_owned(), EntityKind::Host, String::new());
        Self { signal, summary, score: 0.5, onset: None, kind, name, attributes: Vec::new(), cites: Vec::new() }
    }

    pub fn score(mut self, score: f64) -> Self {
        self.score = score;
        self
    }

    pub fn about(mut self, kind: EntityKind, name: impl Into<String>) -> Self {
        (self.kind, self.name) = (kind, name.into());
        self
    }

    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.attributes.push((key.to_owned(), value.into()));
        self
    }

    pub fn since(mut self, at: i64) -> Self {
        self.onset = Some(at);
        self
    }

    pub fn cite(mut self, evidence: u32, row: u32) -> Self {
        self.cites.push((evidence, row));
        self
    }
}

pub fn number(_key: &str, otherwise: f64) -> f64 {
    otherwise
}

#[plugin_fn]
pub fn detect_json(Json(seen): Json<Observation>) -> FnResult<Json<Vec<Finding>>> {
    Ok(Json(jvm_gc::found(&seen, 500.0, 0.1)))
}

#[plugin_fn]
pub fn detect_msgpack(Msgpack(seen): Msgpack<Observation>) -> FnResult<Msgpack<Vec<Finding>>> {
    Ok(Msgpack(jvm_gc::found(&seen, 500.0, 0.1)))
}
