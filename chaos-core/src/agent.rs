//! The agent trait, the roles over it, and what an agent holds while it runs.
//!
//! Types keep the flow one-way: what reads a target can't write to it, what thinks has no target at all, and
//! nobody downstream can add evidence.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use async_trait::async_trait;
use tokio::{sync::mpsc, time::Instant};

use crate::{
    error::Result,
    events::{Emitted, Message},
    host::ReadOnlyHost,
    model::{
        AgentName, Answer, Diagnosis, EventType, Evidence, Finding, FixPlan, Incident, IncidentId, Ledger, Observation,
        Past, Report, RiskAssessment,
    },
};

/// Something that turns an `In` into an `Out`, once, within a deadline.
///
/// # Behavior
/// - `run` looks at nothing but its arguments: the same input gives the same output.
/// - It returns before [`AgentContext::deadline`]; later its result is dropped and the deadline is an event.
/// - An error or a panic becomes an event of type `error`, and the run goes on without this agent.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an agent from `{In}` to `{Out}`",
    note = "roles: Collector ReadOnlyHost→Vec<Evidence>, Detector Observation→Vec<Finding>, ProbingDetector Probed→Vec<Finding>, Investigator Case→Diagnosis, Fixer Diagnosed→FixPlan, Tester Rehearsal→RiskAssessment, Reporter Incident→Report"
)]
#[async_trait]
pub trait Agent<In: Sync, Out>: Send + Sync {
    /// Does the work. Events on the way go through `cx`.
    async fn run(&self, cx: &AgentContext, input: &In) -> Result<Out>;
}

/// Reads a target over the whole window.
pub type Collector = dyn Agent<ReadOnlyHost, Vec<Evidence>>;
/// Finds what is abnormal.
pub type Detector = dyn Agent<Observation, Vec<Finding>>;
/// Finds what is abnormal; may ask the target about it, read-only.
pub type ProbingDetector = dyn Agent<Probed, Vec<Finding>>;
/// Works out the cause; may ask the target, read-only.
pub type Investigator = dyn Agent<Case, Diagnosis>;
/// Proposes what to do.
pub type Fixer = dyn Agent<Diagnosed, FixPlan>;
/// Judges a plan; may ask the target, read-only.
pub type Tester = dyn Agent<Rehearsal, RiskAssessment>;
/// Tells the story.
pub type Reporter = dyn Agent<Incident, Report>;

/// What a detector works on that may ask the target.
#[derive(Debug, Clone)]
pub struct Probed {
    /// All that was seen.
    pub seen: Arc<Observation>,
    /// To ask about it.
    pub host: ReadOnlyHost,
}

/// What an investigator works on.
#[derive(Debug, Clone)]
pub struct Case {
    /// All that was seen.
    pub seen: Arc<Observation>,
    /// What is abnormal in it.
    pub findings: Arc<Ledger<Finding>>,
    /// Earlier incidents of the same target, oldest first.
    pub history: Arc<Vec<Past>>,
    /// To ask further.
    pub host: ReadOnlyHost,
}

/// What a fixer works on.
#[derive(Debug, Clone)]
pub struct Diagnosed {
    /// All that was seen.
    pub seen: Arc<Observation>,
    /// What is abnormal in it.
    pub findings: Arc<Ledger<Finding>>,
    /// What the target was asked.
    pub answers: Arc<Ledger<Answer>>,
    /// What explains it.
    pub diagnosis: Arc<Diagnosis>,
}

/// What a tester works on.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    /// The plan to judge.
    pub plan: Arc<FixPlan>,
    /// To ask about what the plan would touch.
    pub host: ReadOnlyHost,
}

/// How many events one agent may emit in one run of its own; what is beyond is counted and dropped.
const MAX_EVENTS: u32 = 10_000;

/// Who runs, for which incident, until when, and where to say so. Nothing else, and no clock.
#[derive(Clone)]
pub struct AgentContext {
    pub(crate) incident: IncidentId,
    pub(crate) agent: AgentName,
    pub(crate) deadline: Instant,
    pub(crate) events: mpsc::UnboundedSender<Message>,
    pub(crate) emitted: Arc<AtomicU32>,
}

impl fmt::Debug for AgentContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentContext")
            .field("incident", &self.incident)
            .field("agent", &self.agent)
            .finish_non_exhaustive()
    }
}

impl AgentContext {
    pub(crate) fn new(
        incident: IncidentId,
        agent: AgentName,
        deadline: Instant,
        events: mpsc::UnboundedSender<Message>,
    ) -> Self {
        Self { incident, agent, deadline, events, emitted: Arc::default() }
    }

    /// A context outside any pipeline, for testing an agent by itself; its events go nowhere.
    #[must_use]
    pub fn detached(agent: &str, deadline: Instant) -> Self {
        let id = IncidentId::parse("inc-19700101-001").expect("a valid id");
        Self::new(id, AgentName::new(agent), deadline, mpsc::unbounded_channel().0)
    }

    /// The incident.
    #[must_use]
    pub fn incident(&self) -> &IncidentId {
        &self.incident
    }

    /// The name under which this agent is registered.
    #[must_use]
    pub fn agent(&self) -> &AgentName {
        &self.agent
    }

    /// When the result is no longer wanted.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Says something; never waits. The single trace writer stamps it.
    pub fn emit(&self, kind: EventType, content: impl Into<String>) {
        self.send(kind, content.into(), None);
    }

    /// Says something with data for programs; what can't be JSON is left out.
    pub fn emit_with(&self, kind: EventType, content: impl Into<String>, data: impl serde::Serialize) {
        self.send(kind, content.into(), serde_json::to_value(data).ok());
    }

    fn send(&self, kind: EventType, content: String, data: Option<serde_json::Value>) {
        let n = self.emitted.fetch_add(1, Ordering::Relaxed);
        let event = match n.cmp(&MAX_EVENTS) {
            std::cmp::Ordering::Less => Emitted { agent: self.agent.clone(), kind, content, data },
            std::cmp::Ordering::Equal => Emitted {
                agent: self.agent.clone(),
                kind: EventType::Error,
                content: format!("more than {MAX_EVENTS} events; the rest is dropped"),
                data: None,
            },
            std::cmp::Ordering::Greater => return,
        };
        // The receiver lives as long as the run; a late agent that was given up speaks to nobody.
        let _ = self.events.send(Message::Event(event));
    }
}

/// An agent made from a function: for tests, notebooks and small detectors.
#[derive(Clone)]
pub struct FnAgent<F>(F);

impl<F> fmt::Debug for FnAgent<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FnAgent")
    }
}

/// Makes an agent from a function.
pub fn agent_fn<In: Sync, Out, F>(f: F) -> FnAgent<F>
where
    F: Fn(&AgentContext, &In) -> Result<Out> + Send + Sync,
{
    FnAgent(f)
}

#[async_trait]
impl<In: Sync, Out, F> Agent<In, Out> for FnAgent<F>
where
    F: Fn(&AgentContext, &In) -> Result<Out> + Send + Sync,
{
    async fn run(&self, cx: &AgentContext, input: &In) -> Result<Out> {
        (self.0)(cx, input)
    }
}
