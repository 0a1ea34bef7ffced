//! What a catalogue entry says: symptoms, probes, culprit, remedies. Plain data as read from TOML; whether an
//! entry makes sense is decided in `check`, and what it means for an incident in `matching` and `reading`.

use std::{collections::BTreeMap, sync::OnceLock};

use regex::Regex;
use serde::Deserialize;

use crate::{
    error::{Error, ErrorKind},
    model::{Change, EntityKind, FaultId, Level, LogChange, OnFailure, Reversibility},
};

/// A probability strictly between 0 and 1: nothing that is read from a host is certain.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Deserialize)]
#[serde(try_from = "f64")]
pub struct Probability(f64);

impl Probability {
    /// Its value.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Probability {
    type Error = Error;
    fn try_from(p: f64) -> Result<Self, Error> {
        if p > 0.0 && p < 1.0 {
            Ok(Self(p))
        } else {
            Err(Error::new(ErrorKind::InvalidInput, "a probability lies strictly between 0 and 1").with("value", p))
        }
    }
}

/// A regular expression, compiled when it is first used: an incident needs few of the catalogue's.
#[derive(Debug, Clone, Deserialize)]
#[serde(from = "String")]
pub struct Pattern {
    text: String,
    regex: OnceLock<Regex>,
}

impl Pattern {
    /// The expression. One that is none finds nothing; that is refused when a file is checked.
    #[must_use]
    pub fn regex(&self) -> &Regex {
        self.regex.get_or_init(|| {
            self.compiled().unwrap_or_else(|_| Regex::new(NOTHING).expect("a class without members is an expression"))
        })
    }

    fn compiled(&self) -> Result<Regex, regex::Error> {
        Regex::new(&self.text)
    }

    /// Why it is no expression, if it is none.
    pub(super) fn mistake(&self) -> Option<String> {
        match self.compiled() {
            Ok(regex) => {
                let _ = self.regex.set(regex);
                None
            }
            Err(e) => Some(e.to_string()),
        }
    }

    fn text(&self) -> &str {
        &self.text
    }

    /// The names of its captures, in order.
    pub fn captures(&self) -> impl Iterator<Item = &str> {
        self.regex().capture_names().flatten()
    }
}

/// Matches no text.
const NOTHING: &str = r"[^\s\S]";

impl From<String> for Pattern {
    fn from(text: String) -> Self {
        Self { text, regex: OnceLock::new() }
    }
}

/// One catalogue file: symptoms that any fault can refer to, and at most one fault.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) symptoms: Vec<Symptom>,
    pub(super) fault: Option<Fault>,
}

/// Something that can be seen on a host. Exactly one of `metric`, `log` and `other` is given.
///
/// Only findings of at least [`super::NOTABLE`] are looked at: what is weaker is neither present nor absent
/// evidence for anything.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Symptom {
    /// Unique in the catalogue.
    pub id: String,
    /// What is the case when it is present, for a person.
    pub sentence: String,
    /// How likely it is in one observation of a host where nothing that would cause it is wrong.
    pub background: Probability,
    /// A metric that changed.
    pub metric: Option<MetricMatch>,
    /// Log records.
    pub log: Option<LogMatch>,
    /// The dotted name of a third party's signal.
    pub other: Option<String>,
    /// What kind of thing it must be about.
    pub entity: Option<EntityKind>,
}

/// Which changes of a metric are meant.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricMatch {
    /// The metric's name; `*` stands for any text.
    pub name: String,
    /// Any of these.
    pub change: Vec<Change>,
    /// Permitted values by attribute; an empty text permits that the attribute is not there.
    #[serde(default)]
    pub attributes: BTreeMap<String, Vec<String>>,
    /// The least value after the change, in the metric's unit.
    pub after_min: Option<f64>,
    /// The value after the change lies below this.
    pub after_below: Option<f64>,
}

/// Which log records are meant.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogMatch {
    /// Searched for in the template and in the example of a log finding.
    pub pattern: Pattern,
    /// The least level; records without a level pass.
    pub level_min: Option<Level>,
    /// What must have become of the records; empty: anything but that they stopped.
    #[serde(default)]
    pub change: Vec<LogChange>,
    /// The least number of records.
    #[serde(default)]
    pub count_min: u64,
    /// Whether it counts however weak the finding is: where what became of the records says enough.
    #[serde(default)]
    pub quiet: bool,
    /// Texts that `pattern` must find; checked when the entry is read.
    #[serde(rename = "match")]
    pub matches: Vec<String>,
    /// Texts that it must not find; checked when the entry is read.
    pub not_match: Vec<String>,
}

/// One kind of fault.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Unique in the catalogue.
    pub id: FaultId,
    /// For a person: `Runaway process saturates the CPU`.
    pub title: String,
    /// `resource`, `network`, `service`, …
    pub category: String,
    /// How it works, in a sentence or two.
    pub summary: String,
    /// How likely it is before anything was seen, given that somebody looks.
    pub prior: Probability,
    /// Whether nothing is wrong when it is this: what explains that a host is not as it was, and needs no fix. Its
    /// `prior` is the part of the healthy hosts that somebody looks at of which it is true.
    #[serde(default)]
    pub benign: bool,
    /// What it makes visible.
    pub symptoms: Vec<Expected>,
    /// Questions that tell it from others or name what causes it.
    #[serde(default)]
    pub probes: Vec<Probe>,
    /// Which of the things that were found is to blame.
    pub culprit: Option<CulpritRule>,
    /// What helps, best first; the first that fits is proposed, the others are told as alternatives.
    #[serde(default)]
    pub remedies: Vec<Remedy>,
    /// Faults that follow from this one.
    #[serde(default)]
    pub explains: Vec<Effect>,
    /// What to read.
    #[serde(default)]
    pub references: Vec<String>,
    /// What keeps it from coming back.
    #[serde(default)]
    pub action_items: Vec<String>,
    /// What a person should look at when the cause could not be named or must not be touched.
    #[serde(default)]
    pub questions: Vec<String>,
}

/// How likely a symptom is when the fault is there.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// The symptom.
    pub id: String,
    /// P(present | fault).
    pub p: Probability,
}

/// A fault that follows from another.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// Which.
    pub fault: FaultId,
    /// P(it is there too | the cause).
    pub p: Probability,
}

/// A read-only question to the target.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Unique within the fault.
    pub id: String,
    /// What it finds out, for a person.
    pub question: String,
    /// Program first; words may hold placeholders such as `{pid}`. `["sh", "-c", "@NAME"]` is one of the scripts that
    /// come with the catalogue: `@db_clients`, `@io_top`, `@port_rivals`, ….
    pub argv: Vec<String>,
    /// What asking costs, in seconds of the target's time.
    pub cost_s: f64,
    /// How long it may take at most, in seconds; 10 unless said. What it said until then counts, as far as it goes.
    #[serde(default = "ten")]
    pub within_s: f64,
    /// Whether it sees more as root; asked as root only where the way to the target can.
    #[serde(default)]
    pub elevate: bool,
    /// Attributes that the culprit must have with these values: the question is one for this unit, say.
    #[serde(default)]
    pub only: BTreeMap<String, String>,
    /// Attributes of the culprit, any of which makes it needless: the question for what is known is not asked.
    #[serde(default)]
    pub unless: Vec<String>,
    /// What the answer says about the fault.
    pub reading: Option<Reading>,
    /// What the answer says about the culprit.
    pub names: Option<Names>,
    /// Answers and what must be read from them; checked when the entry is read.
    pub examples: Vec<Example>,
}

impl Probe {
    /// Whether something is read from standard error: then what it says there is no failure to answer.
    #[must_use]
    pub fn reads_errors(&self) -> bool {
        let on = [self.reading.as_ref().map(|r| r.on), self.names.as_ref().map(|n| n.on)];
        on.contains(&Some(Output::Stderr))
    }
}

/// Where a command says what is read from it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Output {
    #[default]
    Stdout,
    Stderr,
}

/// How an answer tells for or against a fault.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reading {
    /// Where the pattern is searched for: standard output unless said.
    #[serde(default)]
    pub on: Output,
    /// Searched for in each line there.
    pub pattern: Option<Pattern>,
    /// The capture `value` must be at least this for a line to count.
    pub value_min: Option<f64>,
    /// How many lines must count.
    #[serde(default = "one")]
    pub lines_min: usize,
    /// Instead of a pattern: the exit code.
    pub exit: Option<i32>,
    /// P(present | fault).
    pub p: Probability,
    /// P(present | not this fault).
    pub background: Probability,
    /// What is the case when it is present.
    pub sentence: String,
}

impl Reading {
    /// Whether it finds present what `other` finds present.
    pub(crate) fn looks_for_the_same(&self, other: &Self) -> bool {
        self.pattern.as_ref().map(Pattern::text) == other.pattern.as_ref().map(Pattern::text)
            && self.on == other.on
            && self.exit == other.exit
            && self.value_min == other.value_min
            && self.lines_min == other.lines_min
    }
}

const fn ten() -> f64 {
    10.0
}

const fn one() -> usize {
    1
}

fn unit() -> String {
    "unit".to_owned()
}

/// How an answer names the culprit: captures become attributes. A capture `kib` becomes `bytes`; a `spawner` counts only
/// where several lines agree on it, since who began one process need not begin another.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// Where the pattern is searched for: standard output unless said.
    #[serde(default)]
    pub on: Output,
    /// Searched for in each line (or NUL-terminated record) there.
    pub pattern: Pattern,
    /// Which line counts when several match.
    #[serde(default)]
    pub pick: Pick,
    /// What the lines are that [`Pick::Most`] counts, for the culprit's summary: `connections`.
    pub counts: Option<String>,
    /// What kind of thing it names; without it, it describes the culprit that is already known.
    pub kind: Option<EntityKind>,
}

/// Which of several matching lines names the culprit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pick {
    /// The first.
    #[default]
    First,
    /// The one with the largest `kib`; a directory when it holds several that make up most of it together.
    Largest,
    /// The one that was `modified` last, in seconds since the epoch.
    Latest,
    /// The processes (`pid`) of the `command` that occurs on most lines, or that has `read` and `written` most.
    Most,
}

/// An answer and what must be read from it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Example {
    /// Standard output.
    #[serde(default)]
    pub stdout: String,
    /// Standard error.
    #[serde(default)]
    pub stderr: String,
    /// Exit code.
    #[serde(default)]
    pub exit: i32,
    /// What the reading says.
    pub present: Option<bool>,
    /// What is named, at least.
    #[serde(default)]
    pub names: BTreeMap<String, String>,
}

/// Which finding's entity is the culprit.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CulpritRule {
    /// What kind of thing.
    pub kind: EntityKind,
    /// The symptoms whose findings name it.
    pub symptoms: Vec<String>,
    /// For log findings: captures in the example become attributes.
    pub pattern: Option<Pattern>,
    /// Whether processes of one command are to blame together.
    #[serde(default)]
    pub group: bool,
    /// What the unit is that wrote the log which shows it, where nothing better is known: the `unit` to blame, or another
    /// attribute of the culprit, such as the one that is `waiting`.
    #[serde(default = "unit")]
    pub writer: String,
    /// What the culprit is measured in, for its summary.
    pub measure: Option<Measure>,
}

/// What the metric of the finding that names the culprit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Share of all CPUs.
    Cores,
    /// Bytes.
    Bytes,
}

/// One way to remove the cause: an action with placeholders.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remedy {
    /// Unique within the fault.
    pub id: String,
    /// For a person; may hold placeholders.
    pub title: String,
    /// Attributes that the culprit must have.
    #[serde(default)]
    pub when: Vec<String>,
    /// The command.
    pub argv: Vec<String>,
    /// Why it helps.
    pub rationale: String,
    /// How sure it is to help when the cause is right.
    pub confidence: Probability,
    /// What must hold before. A check with `{pid}` is made once for each process.
    #[serde(default)]
    pub preconditions: Vec<CheckTemplate>,
    /// Whether twice is the same as once.
    pub idempotent: bool,
    /// Seconds until it counts as failed.
    pub timeout_s: u32,
    /// What then.
    pub on_failure: OnFailure,
    /// Whether it can be undone.
    pub reversibility: Reversibility,
    /// Saves what it changes.
    #[serde(default)]
    pub backup: Vec<Vec<String>>,
    /// Undoes it.
    #[serde(default)]
    pub rollback: Vec<Vec<String>>,
    /// What must hold afterwards.
    pub verify: Vec<CheckTemplate>,
    /// What it costs the service.
    pub downtime: String,
    /// Remedies of the same fault that come after it in the same plan, where they apply: first what helps at once, then
    /// what lasts, or first what is in the way.
    #[serde(default)]
    pub then: Vec<String>,
    /// It only comes after another, and is no plan by itself.
    #[serde(default)]
    pub only_after: bool,
}

/// A check with placeholders: at most one of `prints`, `has`, `lacks` and `fails`. Without any the command must succeed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckTemplate {
    /// What holds.
    pub title: String,
    /// The command; read-only.
    pub argv: Vec<String>,
    /// It prints exactly this.
    pub prints: Option<String>,
    /// It succeeds, and this is a line of what it prints.
    pub has: Option<String>,
    /// It succeeds, and this is no line of what it prints.
    pub lacks: Option<String>,
    /// It fails.
    #[serde(default)]
    pub fails: bool,
    /// Seconds within which it comes to hold.
    #[serde(default)]
    pub within_s: u32,
}
