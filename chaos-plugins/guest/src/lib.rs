//! Plugins of AI Chaos-Handler in Rust. A detector is a type with one function:
//!
//! ```
//! use chaos_plugin::{Detector, Finding, Observation, Signal};
//!
//! struct OutOfSpace;
//!
//! impl Detector for OutOfSpace {
//!     fn detect(seen: &Observation) -> Result<Vec<Finding>, String> {
//!         let finding = |event: chaos_plugin::Event<'_>| {
//!             let finding = Finding::new(Signal::Other("app.disk.full".into()), event.text).score(0.8);
//!             finding.since(event.at).cite(event.source, event.row)
//!         };
//!         Ok(seen.containing("No space left on device").take(10).map(finding).collect())
//!     }
//! }
//!
//! chaos_plugin::detector!(OutOfSpace);
//! # fn main() {}
//! ```
//!
//! The types are those of `wit/plugin.wit`, which is the specification. There is no file system, no network, no clock
//! and no randomness: the same input gives the same findings. `cargo test` runs natively.

/// What `wit-bindgen` made of the contract.
#[doc(hidden)]
#[allow(missing_docs, unsafe_code)]
pub mod bindings {
    /// A detector. Of what it may import only what it calls ends up in the component.
    pub mod detector {
        wit_bindgen::generate!({
            path: "wit",
            world: "probing-detector-plugin",
            pub_export_macro: true,
            default_bindings_module: "::chaos_plugin::bindings::detector",
            export_macro_name: "export_detector",
        });
    }
    /// A fixer.
    pub mod fixer {
        wit_bindgen::generate!({
            path: "wit",
            world: "fixer-plugin",
            pub_export_macro: true,
            default_bindings_module: "::chaos_plugin::bindings::fixer",
            export_macro_name: "export_fixer",
            with: {
                "chaos:plugin/types@0.1.0": super::detector::chaos::plugin::types,
                "chaos:plugin/host@0.1.0": super::detector::chaos::plugin::host,
            },
        });
    }
}

pub use bindings::detector::chaos::plugin::probe::Refusal;
pub use bindings::detector::chaos::plugin::types::{
    Action, Answer, Basis, Body, Check, Citation, Culprit, Diagnosed, Diagnosis, Ending, Entity, EntityKind, Evidence,
    Expect, Facts, Finding, Gap, Histogram, Hypothesis, Level, LogChange, LogPattern, LogSignal, LogStream,
    MetricChange, MetricSeries, MetricSignal, Observation, OnFailure, Plan, Reversibility, Rows, Signal, Verdict,
    Window,
};

/// Finds what is abnormal.
pub trait Detector {
    /// Looks at all that was seen. An `Err` is one line that says what failed.
    ///
    /// # Errors
    /// Whatever makes it impossible to look.
    fn detect(seen: &Observation) -> Result<Vec<Finding>, String>;
}

/// Proposes what to do.
pub trait Fixer {
    /// Proposes a plan, which is empty when there is nothing to do. An `Err` is one line that says what failed.
    ///
    /// # Errors
    /// Whatever makes it impossible to say.
    fn propose(input: &Diagnosed) -> Result<Plan, String>;
}

/// Makes a component of a [`Detector`]. It asks for a target only if it calls [`run`].
#[macro_export]
macro_rules! detector {
    ($name:ident) => {
        const _: () = {
            impl $crate::bindings::detector::exports::chaos::plugin::detector::Guest for $name {
                fn detect(
                    seen: $crate::Observation,
                ) -> ::std::result::Result<::std::vec::Vec<$crate::Finding>, ::std::string::String> {
                    <$name as $crate::Detector>::detect(&seen)
                }
            }
    $crate::bindings::detector::export_detector!($name with_types_in $crate::bindings::detector);
        };
    };
}

/// Makes a component of a [`Fixer`].
#[macro_export]
macro_rules! fixer {
    ($name:ident) => {
        const _: () = {
            impl $crate::bindings::fixer::exports::chaos::plugin::fixer::Guest for $name {
                fn propose(input: $crate::Diagnosed) -> ::std::result::Result<$crate::Plan, ::std::string::String> {
                    <$name as $crate::Fixer>::propose(&input)
                }
            }
    $crate::bindings::fixer::export_fixer!($name with_types_in $crate::bindings::fixer);
        };
    };
}

/// One log record that was kept, and where it is.
#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    /// Position of the evidence.
    pub source: u32,
    /// Its row there.
    pub row: u32,
    /// In milliseconds since 1970.
    pub at: i64,
    /// Its severity, where it says so.
    pub level: Option<Level>,
    /// systemd unit, program or component that wrote it.
    pub unit: Option<&'a str>,
    /// Process that wrote it.
    pub pid: Option<u32>,
    /// The message; several lines when they belong together.
    pub text: &'a str,
    /// Position in [`LogStream::patterns`].
    pub pattern: u32,
}

/// A log stream, and where it is.
#[derive(Debug, Clone, Copy)]
pub struct Logs<'a> {
    /// Position of the evidence.
    pub source: u32,
    /// All of it, as the contract has it.
    pub stream: &'a LogStream,
}

impl<'a> Logs<'a> {
    /// The records that were kept, in order of arrival.
    pub fn events(self) -> impl DoubleEndedIterator<Item = Event<'a>> + ExactSizeIterator + Clone {
        (0..self.stream.at.len()).map(move |row| self.event(row))
    }

    /// Those whose message contains `needle`, in order of arrival: all messages are searched as the one text that they
    /// are, many bytes at a time. Much faster than to look at each; use it for what tells most records apart from those
    /// that may matter.
    pub fn containing(self, needle: &str) -> impl Iterator<Item = Event<'a>> + Clone + use<'a> {
        let LogStream { text_ends, texts, .. } = self.stream;
        let finder = memchr::memmem::Finder::new(needle).into_owned();
        // What ends a message is in none of them.
        let (mut from, mut row) = (if needle.contains('\0') { texts.len() } else { 0 }, 0);
        std::iter::from_fn(move || {
            let at = from + finder.find(texts.as_bytes().get(from..)?)?;
            row += text_ends.get(row..)?.partition_point(|end| (*end as usize) < at);
            from = *text_ends.get(row)? as usize + 1;
            let event = self.event(row);
            row += 1;
            Some(event)
        })
    }

    /// # Panics
    /// Where there is no such row.
    fn event(self, row: usize) -> Event<'a> {
        let LogStream { at, levels, writers, pids, shapes, text_ends, texts, units, .. } = self.stream;
        let start = row.checked_sub(1).map_or(0, |before| text_ends[before] as usize + 1);
        Event {
            source: self.source,
            row: row as u32,
            at: at[row],
            level: levels[row].checked_sub(1).and_then(|l| LEVELS.get(usize::from(l)).copied()),
            unit: writers[row].checked_sub(1).map(|unit| units[unit as usize].as_str()),
            pid: Some(pids[row]).filter(|pid| *pid != 0),
            text: &texts[start..text_ends[row] as usize],
            pattern: shapes[row],
        }
    }
}

/// From the least severe, as the contract counts them.
const LEVELS: [Level; 9] = [
    Level::Trace,
    Level::Debug,
    Level::Info,
    Level::Notice,
    Level::Warning,
    Level::Error,
    Level::Critical,
    Level::Alert,
    Level::Emergency,
];

impl LogStream {
    /// One more record, whose writer and severity are not known.
    fn push(&mut self, at: i64, text: &str) {
        self.at.push(at);
        self.levels.push(0);
        self.writers.push(0);
        self.pids.push(0);
        self.shapes.push(0);
        self.texts += text;
        self.text_ends.push(self.texts.len() as u32);
        self.texts.push('\0');
        self.total_events += 1;
    }
}

impl Observation {
    /// All log records that were kept.
    pub fn events(&self) -> impl Iterator<Item = Event<'_>> {
        self.logs().flat_map(Logs::events)
    }

    /// All log records that were kept and contain `needle`: see [`Logs::containing`].
    pub fn containing<'a>(&'a self, needle: &str) -> impl Iterator<Item = Event<'a>> {
        let found: Vec<_> = self.logs().map(|logs| logs.containing(needle)).collect();
        found.into_iter().flatten()
    }

    /// All log streams.
    pub fn logs(&self) -> impl Iterator<Item = Logs<'_>> {
        self.evidence.iter().zip(0..).filter_map(|(e, source)| match &e.body {
            Body::Logs(stream) => Some(Logs { source, stream }),
            Body::Metric(_) => None,
        })
    }

    /// All metrics, with the position of the evidence.
    pub fn series(&self) -> impl Iterator<Item = (u32, &MetricSeries)> {
        self.evidence.iter().zip(0..).filter_map(|(e, source)| match &e.body {
            Body::Metric(series) => Some((source, series)),
            Body::Logs(_) => None,
        })
    }

    /// An observation of files with nothing in it yet, for tests: see [`Observation::with_log`].
    #[must_use]
    pub fn empty() -> Self {
        let facts = Facts {
            live: false,
            hostname: String::new(),
            os: String::new(),
            kernel: String::new(),
            systemd: false,
            root: false,
            cpus: 1,
            memory_bytes: 0,
            uptime_s: 0.0,
            tools: Vec::new(),
            limits: Vec::new(),
        };
        Self { facts, baseline: None, observed: Window { start: 0, end: 0 }, evidence: Vec::new() }
    }

    /// The same with one more log, for tests: each record a time, in milliseconds since 1970, and a message.
    #[must_use]
    pub fn with_log(mut self, source: &str, records: impl IntoIterator<Item = (i64, impl AsRef<str>)>) -> Self {
        let mut stream = LogStream {
            at: vec![],
            levels: vec![],
            writers: vec![],
            pids: vec![],
            shapes: vec![],
            text_ends: vec![],
            texts: String::new(),
            units: vec![],
            patterns: vec![],
            total_events: 0,
        };
        for (at, text) in records {
            stream.push(at, text.as_ref());
            self.observed.end = self.observed.end.max(at + 1);
        }
        self.evidence.push(Evidence { source: source.to_owned(), body: Body::Logs(stream), gaps: Vec::new() });
        self
    }
}

impl Finding {
    /// A finding about the host as a whole, with score 0.5 and no citation yet. It needs one to be taken.
    #[must_use]
    pub fn new(signal: Signal, summary: impl AsRef<str>) -> Self {
        let entity = Entity { kind: EntityKind::Host, name: String::new(), attributes: Vec::new() };
        let mut summary = summary.as_ref().trim();
        if let Some((end, _)) = summary.char_indices().nth(500) {
            summary = &summary[..end];
        }
        Self { signal, entity, summary: summary.to_owned(), score: 0.5, onset: None, cites: Vec::new() }
    }

    /// How far from usual, 0 to 1.
    #[must_use]
    pub fn score(mut self, score: f64) -> Self {
        self.score = score.clamp(0.0, 1.0);
        self
    }

    /// What it is about.
    #[must_use]
    pub fn about(mut self, kind: EntityKind, name: impl Into<String>) -> Self {
        self.entity.kind = kind;
        self.entity.name = name.into();
        self
    }

    /// What else identifies that.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<String>) -> Self {
        self.entity.attributes.push((key.to_owned(), value.into()));
        self
    }

    /// When it began, in milliseconds since 1970.
    #[must_use]
    pub fn since(mut self, at: i64) -> Self {
        self.onset = Some(at);
        self
    }

    /// Rests on one row of the evidence at this position.
    #[must_use]
    pub fn cite(mut self, evidence: u32, row: u32) -> Self {
        self.cites.push(Citation::Rows(Rows { evidence, start: row, end: row.saturating_add(1) }));
        self
    }

    /// Rests on what the target answered.
    #[must_use]
    pub fn cite_answer(mut self, answer: &Answer) -> Self {
        self.cites.push(Citation::Answer(answer.id));
        self
    }
}

/// The value that the operator set, else the one in `plugin.toml`; natively there is none.
#[must_use]
pub fn config(key: &str) -> Option<String> {
    #[cfg(target_arch = "wasm32")]
    return bindings::detector::chaos::plugin::host::config(key);
    #[cfg(not(target_arch = "wasm32"))]
    {
        let _ = key;
        None
    }
}

/// The same as a number, or `otherwise` where there is none.
#[must_use]
pub fn number(key: &str, otherwise: f64) -> f64 {
    config(key).and_then(|text| text.trim().parse().ok()).filter(|n: &f64| n.is_finite()).unwrap_or(otherwise)
}

/// Says a line in the incident's trace; natively on standard error.
pub fn say(message: &str) {
    #[cfg(target_arch = "wasm32")]
    bindings::detector::chaos::plugin::host::log(bindings::detector::chaos::plugin::host::LogLevel::Info, message);
    #[cfg(not(target_arch = "wasm32"))]
    eprintln!("{message}");
}

/// Asks the target: a program and its arguments, read-only, among the commands of `plugin.toml` that were granted.
/// Natively there is no target.
///
/// # Errors
/// Why there is no answer.
pub fn run(argv: &[&str]) -> Result<Answer, Refusal> {
    #[cfg(target_arch = "wasm32")]
    {
        let argv: Vec<String> = argv.iter().map(|w| (*w).to_owned()).collect();
        return bindings::detector::chaos::plugin::probe::run_readonly_command(&argv);
    }
    #[cfg(not(target_arch = "wasm32"))]
    {
        let _ = argv;
        Err(Refusal::Unavailable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_and_series_come_with_their_places() {
        let metric =
            MetricSeries { name: "m".into(), unit: "1".into(), attributes: vec![], at: vec![1], values: vec![2.0] };
        let mut seen = Observation::empty();
        seen.evidence.push(Evidence { source: "x".into(), body: Body::Metric(metric), gaps: vec![] });
        let seen = seen.with_log("y", [(5, "a"), (6, ""), (7, "é\nb")]);
        let at: Vec<_> = seen.events().map(|e| (e.source, e.row, e.at, e.text)).collect();
        assert_eq!(at, [(1, 0, 5, "a"), (1, 1, 6, ""), (1, 2, 7, "é\nb")]);
        assert_eq!(seen.logs().next().unwrap().events().next_back().unwrap().text, "é\nb");
        assert_eq!(seen.series().map(|(e, s)| (e, s.values[0])).collect::<Vec<_>>(), [(0, 2.0)]);
        assert_eq!((seen.observed.start, seen.observed.end), (0, 8));
    }

    #[test]
    fn a_search_finds_each_record_once_and_never_what_lies_between_two() {
        let texts = ["aa", "", "xaxaa", "é\naa", "a", "a", "b"];
        let seen = Observation::empty().with_log("x", texts.map(|text| (1, text))).with_log("y", [(1, "b"), (1, "aa")]);
        let found = |needle: &str| seen.containing(needle).map(|e| (e.source, e.row)).collect::<Vec<_>>();
        for needle in ["aa", "a", "", "é", "xa", "aab", "b", "\n"] {
            let each: Vec<_> = seen.events().filter(|e| e.text.contains(needle)).map(|e| (e.source, e.row)).collect();
            assert_eq!(found(needle), each, "{needle:?}");
        }
        assert_eq!(found("\0"), []);
        assert_eq!(found("a\0a"), []);
    }

    #[test]
    fn a_finding_keeps_within_the_contract() {
        let f =
            Finding::new(Signal::Other("x".into()), "é".repeat(900)).score(7.0).cite(1, 4).about(EntityKind::Unit, "u");
        assert_eq!((f.summary.chars().count(), f.score), (500, 1.0));
        assert!(matches!(f.cites[..], [Citation::Rows(Rows { evidence: 1, start: 4, end: 5 })]));
    }

    #[test]
    fn natively_there_is_no_operator_and_no_target() {
        assert_eq!(number("x", 3.0), 3.0);
        assert!(matches!(run(&["true"]), Err(Refusal::Unavailable)));
    }
}
