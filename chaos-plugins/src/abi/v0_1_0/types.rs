//! The records of version 0.1.0, as wasmtime passes them: what goes to a plugin borrows from the model, what comes from
//! it is owned. Fields and cases are those of `wit/0.1.0/plugin.wit`, in its order.

use wasmtime::component::{ComponentType, Lift, Lower};

#[derive(ComponentType, Lower, Debug, Clone)]
#[component(record)]
pub(super) struct Window {
    pub(super) start: i64,
    pub(super) end: i64,
}

#[derive(ComponentType, Lift, Lower, Debug, Clone, Copy, PartialEq)]
#[component(enum)]
#[repr(u8)]
pub(super) enum Level {
    #[component(name = "trace")]
    Trace,
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "notice")]
    Notice,
    #[component(name = "warning")]
    Warning,
    #[component(name = "error")]
    Error,
    #[component(name = "critical")]
    Critical,
    #[component(name = "alert")]
    Alert,
    #[component(name = "emergency")]
    Emergency,
}

#[derive(ComponentType, Lower, Debug, Clone)]
#[component(record)]
pub(super) struct Histogram<'a> {
    pub(super) start: i64,
    #[component(name = "width-ms")]
    pub(super) width_ms: u64,
    pub(super) counts: &'a [u32],
}

#[derive(ComponentType, Lower, Debug, Clone)]
#[component(record)]
pub(super) struct LogPattern<'a> {
    pub(super) id: &'a str,
    pub(super) template: &'a str,
    pub(super) level: Option<Level>,
    pub(super) count: u64,
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) histogram: Histogram<'a>,
    pub(super) rows: &'a [u32],
}

#[derive(ComponentType, Lower, Debug, Clone, Default)]
#[component(record)]
pub(super) struct LogStream<'a> {
    pub(super) at: Vec<i64>,
    pub(super) levels: Vec<u8>,
    pub(super) writers: Vec<u32>,
    pub(super) pids: Vec<u32>,
    pub(super) shapes: Vec<u32>,
    #[component(name = "text-ends")]
    pub(super) text_ends: Vec<u32>,
    pub(super) texts: String,
    pub(super) units: Vec<&'a str>,
    pub(super) patterns: Vec<LogPattern<'a>>,
    #[component(name = "total-events")]
    pub(super) total_events: u64,
}

#[derive(ComponentType, Lower, Debug, Clone)]
#[component(record)]
pub(super) struct MetricSeries<'a> {
    pub(super) name: &'a str,
    pub(super) unit: &'a str,
    pub(super) attributes: Vec<(&'a str, &'a str)>,
    pub(super) at: &'a [i64],
    pub(super) values: &'a [f64],
}

#[derive(ComponentType, Lower, Debug, Clone)]
#[component(variant)]
pub(super) enum Body<'a> {
    #[component(name = "logs")]
    Logs(LogStream<'a>),
    #[component(name = "metric")]
    Metric(MetricSeries<'a>),
}

#[derive(ComponentType, Lower, Debug, Clone)]
#[component(record)]
pub(super) struct Gap {
    pub(super) span: Window,
    pub(super) why: String,
}

#[derive(ComponentType, Lower, Debug, Clone)]
#[component(record)]
pub(super) struct Evidence<'a> {
    pub(super) source: &'a str,
    pub(super) body: Body<'a>,
    pub(super) gaps: Vec<Gap>,
}

#[derive(ComponentType, Lower, Debug, Clone)]
#[component(record)]
pub(super) struct Facts<'a> {
    pub(super) live: bool,
    pub(super) hostname: &'a str,
    pub(super) os: &'a str,
    pub(super) kernel: &'a str,
    pub(super) systemd: bool,
    pub(super) root: bool,
    pub(super) cpus: u32,
    #[component(name = "memory-bytes")]
    pub(super) memory_bytes: u64,
    #[component(name = "uptime-s")]
    pub(super) uptime_s: f64,
    pub(super) tools: Vec<&'a str>,
    pub(super) limits: Vec<&'a str>,
}

#[derive(ComponentType, Lower, Debug, Clone)]
#[component(record)]
pub(super) struct Observation<'a> {
    pub(super) facts: Facts<'a>,
    pub(super) baseline: Option<Window>,
    pub(super) observed: Window,
    pub(super) evidence: Vec<Evidence<'a>>,
}

#[derive(ComponentType, Lift, Lower, Debug, Clone, Copy, PartialEq)]
#[component(enum)]
#[repr(u8)]
pub(super) enum EntityKind {
    #[component(name = "host")]
    Host,
    #[component(name = "process")]
    Process,
    #[component(name = "unit")]
    Unit,
    #[component(name = "filesystem")]
    Filesystem,
    #[component(name = "directory")]
    Directory,
    #[component(name = "file")]
    File,
    #[component(name = "device")]
    Device,
    #[component(name = "interface")]
    Interface,
    #[component(name = "port")]
    Port,
    #[component(name = "log")]
    Log,
}

#[derive(ComponentType, Lift, Lower, Debug, Clone)]
#[component(record)]
pub(super) struct Entity {
    pub(super) kind: EntityKind,
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
}

#[derive(ComponentType, Lift, Lower, Debug, Clone, Copy, PartialEq)]
#[component(enum)]
#[repr(u8)]
pub(super) enum MetricChange {
    #[component(name = "level-up")]
    LevelUp,
    #[component(name = "level-down")]
    LevelDown,
    #[component(name = "spike")]
    Spike,
    #[component(name = "dip")]
    Dip,
    #[component(name = "trend-up")]
    TrendUp,
    #[component(name = "trend-down")]
    TrendDown,
    #[component(name = "saturated")]
    Saturated,
    #[component(name = "missing")]
    Missing,
    #[component(name = "variance-up")]
    VarianceUp,
    #[component(name = "variance-down")]
    VarianceDown,
    #[component(name = "flatline")]
    Flatline,
}

#[derive(ComponentType, Lift, Lower, Debug, Clone)]
#[component(record)]
pub(super) struct MetricSignal {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) change: MetricChange,
    pub(super) before: Option<f64>,
    pub(super) after: f64,
}

#[derive(ComponentType, Lift, Lower, Debug, Clone, Copy, PartialEq)]
#[component(enum)]
#[repr(u8)]
pub(super) enum LogChange {
    #[component(name = "new")]
    New,
    #[component(name = "burst")]
    Burst,
    #[component(name = "silence")]
    Silence,
    #[component(name = "severe")]
    Severe,
    #[component(name = "repeated")]
    Repeated,
    #[component(name = "off-beat")]
    OffBeat,
    #[component(name = "focused")]
    Focused,
}

#[derive(ComponentType, Lift, Lower, Debug, Clone)]
#[component(record)]
pub(super) struct LogSignal {
    pub(super) pattern: String,
    pub(super) template: String,
    pub(super) example: String,
    pub(super) level: Option<Level>,
    pub(super) change: LogChange,
    pub(super) count: u64,
}

#[derive(ComponentType, Lift, Lower, Debug, Clone)]
#[component(variant)]
pub(super) enum Signal {
    #[component(name = "metric")]
    Metric(MetricSignal),
    #[component(name = "log")]
    Log(LogSignal),
    #[component(name = "other")]
    Other(String),
}

#[derive(ComponentType, Lift, Lower, Debug, Clone)]
#[component(record)]
pub(super) struct Rows {
    pub(super) evidence: u32,
    pub(super) start: u32,
    pub(super) end: u32,
}

#[derive(ComponentType, Lift, Lower, Debug, Clone)]
#[component(variant)]
pub(super) enum Citation {
    #[component(name = "rows")]
    Rows(Rows),
    #[component(name = "answer")]
    Answer(u32),
}

#[derive(ComponentType, Lift, Lower, Debug, Clone)]
#[component(record)]
pub(super) struct Finding {
    pub(super) signal: Signal,
    pub(super) entity: Entity,
    pub(super) summary: String,
    pub(super) score: f64,
    pub(super) onset: Option<i64>,
    pub(super) cites: Vec<Citation>,
}

#[derive(ComponentType, Lower, Debug, Clone)]
#[component(variant)]
pub(super) enum Ending {
    #[component(name = "exited")]
    Exited(i32),
    #[component(name = "signalled")]
    Signalled(i32),
    #[component(name = "broken")]
    Broken,
}

#[derive(ComponentType, Lower, Debug, Clone)]
#[component(record)]
pub(super) struct Answer {
    pub(super) id: u32,
    pub(super) argv: Vec<String>,
    pub(super) ended: Ending,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

#[derive(ComponentType, Lower, Debug, Clone)]
#[component(variant)]
pub(super) enum Verdict<'a> {
    #[component(name = "healthy")]
    Healthy,
    #[component(name = "unknown")]
    Unknown,
    #[component(name = "fault")]
    Fault(&'a str),
}

#[derive(ComponentType, Lower, Debug, Clone)]
#[component(variant)]
pub(super) enum Basis {
    #[component(name = "finding")]
    Finding(u32),
    #[component(name = "answer")]
    Answer(u32),
}

#[derive(ComponentType, Lower, Debug, Clone)]
#[component(record)]
pub(super) struct Hypothesis<'a> {
    pub(super) verdict: Verdict<'a>,
    pub(super) title: &'a str,
    pub(super) posterior: f64,
    pub(super) basis: Vec<Basis>,
    pub(super) against: Vec<&'a str>,
}

#[derive(ComponentType, Lower, Debug, Clone)]
#[component(record)]
pub(super) struct Culprit<'a> {
    pub(super) entity: Entity,
    pub(super) summary: &'a str,
}

#[derive(ComponentType, Lower, Debug, Clone)]
#[component(record)]
pub(super) struct Diagnosis<'a> {
    pub(super) verdict: Verdict<'a>,
    pub(super) title: &'a str,
    pub(super) confidence: f64,
    pub(super) culprit: Option<Culprit<'a>>,
    pub(super) hypotheses: Vec<Hypothesis<'a>>,
    pub(super) limits: Vec<&'a str>,
}

#[derive(ComponentType, Lower, Debug, Clone)]
#[component(record)]
pub(super) struct Diagnosed<'a> {
    pub(super) seen: Observation<'a>,
    pub(super) findings: Vec<Finding>,
    pub(super) answers: Vec<Answer>,
    pub(super) diagnosis: Diagnosis<'a>,
}

#[derive(ComponentType, Lift, Debug, Clone)]
#[component(variant)]
pub(super) enum Expect {
    #[component(name = "success")]
    Success,
    #[component(name = "failure")]
    Failure,
    #[component(name = "prints")]
    Prints(String),
}

#[derive(ComponentType, Lift, Debug, Clone)]
#[component(record)]
pub(super) struct Check {
    pub(super) title: String,
    pub(super) argv: Vec<String>,
    pub(super) expect: Expect,
    #[component(name = "within-s")]
    pub(super) within_s: u32,
}

#[derive(ComponentType, Lift, Lower, Debug, Clone, Copy, PartialEq)]
#[component(enum)]
#[repr(u8)]
pub(super) enum OnFailure {
    #[component(name = "abort")]
    Abort,
    #[component(name = "continue")]
    Continue,
    #[component(name = "rollback")]
    Rollback,
}

#[derive(ComponentType, Lift, Lower, Debug, Clone, Copy, PartialEq)]
#[component(enum)]
#[repr(u8)]
pub(super) enum Reversibility {
    #[component(name = "full")]
    Full,
    #[component(name = "partial")]
    Partial,
    #[component(name = "none")]
    None,
}

#[derive(ComponentType, Lift, Debug, Clone)]
#[component(record)]
pub(super) struct Action {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) target: String,
    pub(super) argv: Vec<String>,
    pub(super) rationale: String,
    pub(super) cites: Vec<u32>,
    pub(super) confidence: f64,
    pub(super) preconditions: Vec<Check>,
    pub(super) idempotent: bool,
    #[component(name = "timeout-s")]
    pub(super) timeout_s: u32,
    #[component(name = "on-failure")]
    pub(super) on_failure: OnFailure,
    pub(super) reversibility: Reversibility,
    pub(super) backup: Vec<Vec<String>>,
    pub(super) rollback: Vec<Vec<String>>,
    pub(super) verify: Vec<Check>,
    #[component(name = "depends-on")]
    pub(super) depends_on: Vec<String>,
    pub(super) downtime: String,
}

#[derive(ComponentType, Lift, Debug, Clone)]
#[component(record)]
pub(super) struct Plan {
    pub(super) summary: String,
    pub(super) actions: Vec<Action>,
    pub(super) alternatives: Vec<String>,
    #[component(name = "next-questions")]
    pub(super) next_questions: Vec<String>,
}

#[derive(ComponentType, Lift, Lower, Debug, Clone, Copy, PartialEq)]
#[component(enum)]
#[repr(u8)]
pub(super) enum LogLevel {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warning")]
    Warning,
}

#[derive(ComponentType, Lift, Lower, Debug, Clone, Copy, PartialEq)]
#[component(enum)]
#[repr(u8)]
pub(super) enum Refusal {
    #[component(name = "refused")]
    Refused,
    #[component(name = "unavailable")]
    Unavailable,
    #[component(name = "deadline")]
    Deadline,
    #[component(name = "not-recorded")]
    NotRecorded,
    #[component(name = "too-many")]
    TooMany,
}
