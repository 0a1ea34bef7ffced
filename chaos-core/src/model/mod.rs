//! Plain data of an incident: what is seen, found, concluded, planned and told. No I/O, no behaviour beyond
//! construction and validation; every type is the JSON that users and other programs read.

mod applied;
mod diagnosis;
mod evidence;
mod finding;
mod history;
mod id;
mod incident;
mod plan;
mod plugin;
mod rehearsed;
mod report;
mod risk;
mod target;
mod time;
mod trace;

pub(crate) use applied::Holds;
pub use applied::{Applied, Approval, Compared, Ending, Step, StepKind};
pub use diagnosis::{Basis, Culprit, Diagnosis, Hypothesis, InvestigationStep, RecentChange, Verdict};
pub use evidence::{Body, Citation, Evidence, Gap, Histogram, Level, LogLine, LogPattern, Logs, Observation, Series};
pub use finding::{Change, Entity, EntityKind, Finding, LogChange, Signal};
pub use history::{Confirmation, Past, Recurrence};
pub use id::{AgentName, Confidence, FaultId, Id, IncidentId, Ledger};
pub use incident::{Incident, Injection, Recovery, RunOptions, SCHEMA_VERSION, Status};
pub use plan::{Action, Check, Expect, FixPlan, OnFailure, Reversibility};
pub use plugin::PluginUsed;
pub use rehearsed::{FileChange, FileChangeKind, Rehearsed, RehearsedStep};
pub use report::{Chart, Report};
pub use risk::{ActionRisk, RiskAssessment, RiskCategory, RiskLevel, RiskVerdict, RuleHit, Simulation};
pub use target::{Answer, Ask, Command, End, Facts, TargetInfo};
pub use time::Timestamp;
pub use trace::{EventType, Phase, TraceEvent};
