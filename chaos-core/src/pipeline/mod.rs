//! The coordinator: sequences the agents, gives each its deadline, writes the trace and the artifacts, and owns
//! the revert of what it injected. It works nothing out itself.

mod artifacts;
mod drive;
mod facts;
mod trace;

use std::{collections::BTreeSet, fmt, path::Path, sync::Arc};

use async_trait::async_trait;
use tokio::{sync::mpsc, task::JoinHandle};

use crate::{
    agent::{
        Agent, AgentContext, Case, Collector, Detector, Diagnosed, Fixer, Investigator, ProbingDetector, Rehearsal,
        Reporter, Tester,
    },
    agents,
    artifact::ArtifactSink,
    catalogue::Catalogue,
    clock::{Clock, SystemClock},
    error::{Error, ErrorKind, Result},
    events::Message,
    host::ReadOnlyHost,
    model::{
        AgentName, Diagnosis, Evidence, Finding, FixPlan, Incident, IncidentId, Observation, Past, PluginUsed, Report,
        RiskAssessment, RunOptions, TraceEvent,
    },
    readonly::AllowList,
    scenario::Scenario,
    transport::{Stop, Transport},
    transports::Replay,
};

/// Somewhere that hears of a finished incident, such as a chat channel. Not called in a replay.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Whether it has to hear of this one; nothing is said in the trace of one that need not.
    fn wants(&self, incident: &Incident) -> bool {
        let _ = incident;
        true
    }
    /// Passes the news on. A failure becomes an event, never a failure of the run.
    async fn notify(&self, incident: &Incident, report: &Report) -> Result<()>;
}

/// An agent under the name by which it was registered. Names belong to a registration, not to a type: two
/// configurations of one detector are two agents.
struct Named<A: ?Sized>(AgentName, Arc<A>);

// Written out, because a derive would ask `A: Clone`.
impl<A: ?Sized> Clone for Named<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), self.1.clone())
    }
}

impl<A: ?Sized> fmt::Debug for Named<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The agents of a pipeline, in the order in which they are asked.
#[derive(Debug, Clone, Default)]
pub struct Agents {
    collectors: Vec<Named<Collector>>,
    detectors: Vec<Named<Detector>>,
    probing: Vec<Named<ProbingDetector>>,
    investigator: Option<Named<Investigator>>,
    fixers: Vec<Named<Fixer>>,
    tester: Option<Named<Tester>>,
    reporter: Option<Named<Reporter>>,
    plugins: Vec<PluginUsed>,
}

impl Agents {
    /// The built-in agents, set up for a run.
    #[must_use]
    pub fn builtin(options: &RunOptions) -> Self {
        let logs = Arc::new(agents::LogAgent::new(options.log_files.clone()));
        let metrics = Arc::new(agents::MetricsAgent::new(options.metrics_endpoint.clone()));
        Self::default()
            .collector_dyn("LogAgent", logs.clone())
            .collector_dyn("MetricsAgent", metrics.clone())
            .detector_dyn("LogAgent", logs)
            .detector_dyn("MetricsAgent", metrics)
            .investigator("Investigator", agents::Investigator::default())
            .fixer("FixerAgent", agents::FixerAgent::default())
            .tester("TesterAgent", agents::TesterAgent::default())
            .reporter("ReporterAgent", agents::ReporterAgent::default())
    }

    /// Adds a collector.
    #[must_use]
    pub fn collector(self, name: &str, agent: impl Agent<ReadOnlyHost, Vec<Evidence>> + 'static) -> Self {
        self.collector_dyn(name, Arc::new(agent))
    }

    /// Adds a collector that is shared.
    #[must_use]
    pub fn collector_dyn(mut self, name: &str, agent: Arc<Collector>) -> Self {
        self.collectors.push(Named(AgentName::new(name), agent));
        self
    }

    /// Adds a detector.
    #[must_use]
    pub fn detector(self, name: &str, agent: impl Agent<Observation, Vec<Finding>> + 'static) -> Self {
        self.detector_dyn(name, Arc::new(agent))
    }

    /// Adds a detector that is shared.
    #[must_use]
    pub fn detector_dyn(mut self, name: &str, agent: Arc<Detector>) -> Self {
        self.detectors.push(Named(AgentName::new(name), agent));
        self
    }

    /// Adds a detector that is shared and may ask the target, read-only; those that can't come before all that can.
    #[must_use]
    pub fn probing_detector_dyn(mut self, name: &str, agent: Arc<ProbingDetector>) -> Self {
        self.probing.push(Named(AgentName::new(name), agent));
        self
    }

    /// Sets the investigator; there is one.
    #[must_use]
    pub fn investigator(mut self, name: &str, agent: impl Agent<Case, Diagnosis> + 'static) -> Self {
        self.investigator = Some(Named(AgentName::new(name), Arc::new(agent)));
        self
    }

    /// Adds a fixer; the plans of all are rehearsed.
    #[must_use]
    pub fn fixer(self, name: &str, agent: impl Agent<Diagnosed, FixPlan> + 'static) -> Self {
        self.fixer_dyn(name, Arc::new(agent))
    }

    /// Adds a fixer that is shared.
    #[must_use]
    pub fn fixer_dyn(mut self, name: &str, agent: Arc<Fixer>) -> Self {
        self.fixers.push(Named(AgentName::new(name), agent));
        self
    }

    /// Sets the tester; there is one.
    #[must_use]
    pub fn tester(mut self, name: &str, agent: impl Agent<Rehearsal, RiskAssessment> + 'static) -> Self {
        self.tester = Some(Named(AgentName::new(name), Arc::new(agent)));
        self
    }

    /// Sets the reporter; there is one.
    #[must_use]
    pub fn reporter(mut self, name: &str, agent: impl Agent<Incident, Report> + 'static) -> Self {
        self.reporter = Some(Named(AgentName::new(name), Arc::new(agent)));
        self
    }

    /// Notes that an agent is a plugin: a run records those that it had.
    #[must_use]
    pub fn plugin(mut self, plugin: PluginUsed) -> Self {
        self.plugins.push(plugin);
        self
    }

    fn check(&self) -> Result<()> {
        fn unique<'a>(role: &str, agents: impl Iterator<Item = &'a AgentName>) -> Result<()> {
            let mut names = BTreeSet::new();
            for name in agents {
                if name.as_str().is_empty() || !names.insert(name) {
                    return Err(Error::new(ErrorKind::InvalidInput, format!("a {role}'s name is empty or taken"))
                        .with("name", name));
                }
            }
            Ok(())
        }
        unique("collector", self.collectors.iter().map(|n| &n.0))?;
        unique("detector", self.detectors.iter().map(|n| &n.0).chain(self.probing.iter().map(|n| &n.0)))?;
        unique("fixer", self.fixers.iter().map(|n| &n.0))?;
        match (&self.investigator, &self.reporter) {
            (Some(_), Some(_)) => Ok(()),
            (None, _) => Err(Error::new(ErrorKind::InvalidInput, "a pipeline needs an investigator")),
            (_, None) => Err(Error::new(ErrorKind::InvalidInput, "a pipeline needs a reporter")),
        }
    }

    /// The place of an agent in the order of registration, the coordinator first.
    fn order(&self) -> Vec<AgentName> {
        let collectors = self.collectors.iter().map(|n| n.0.clone());
        std::iter::once(AgentName::new(COORDINATOR)).chain(collectors).collect()
    }
}

/// The coordinator's own name in the trace.
pub(crate) const COORDINATOR: &str = "Coordinator";

/// What the pipeline runs on: a live target, or a recorded incident.
enum Source {
    Target { transport: Arc<dyn Transport>, clock: Arc<dyn Clock> },
    Replay(Arc<Replay>),
}

/// One incident, set up and not yet started.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> chaos_core::error::Result<()> {
/// # let dir = std::env::temp_dir().join(format!("chaos-core-doctest-{}", std::process::id()));
/// # std::fs::create_dir_all(&dir).unwrap();
/// # std::fs::write(dir.join("app.log"), "2026-11-24T08:00:00Z ERROR no space left on device\n").unwrap();
/// use std::{path::PathBuf, sync::Arc};
/// use chaos_core::{clock::SystemClock, model::RunOptions, pipeline::Pipeline, sinks::Memory, transports::Files};
///
/// let clock = Arc::new(SystemClock::default());
/// let files = Files::open(&[PathBuf::from(&dir)], clock.clone())?;
/// let pipeline = Pipeline::new(Arc::new(files), clock, Arc::new(Memory::default()), RunOptions::default());
/// let outcome = pipeline.start().await?.outcome().await?;
/// assert!(outcome.report.markdown.contains("no space left on device"));
/// # std::fs::remove_dir_all(&dir).unwrap();
/// # Ok(()) }
/// ```
pub struct Pipeline {
    source: Source,
    sink: Arc<dyn ArtifactSink>,
    options: RunOptions,
    agents: Agents,
    scenario: Option<Arc<dyn Scenario>>,
    notifiers: Vec<(String, Arc<dyn Notifier>)>,
    history: Vec<Past>,
    id: Option<IncidentId>,
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").field("agents", &self.agents).field("options", &self.options).finish_non_exhaustive()
    }
}

impl Pipeline {
    /// A run on a target, with the built-in agents.
    #[must_use]
    pub fn new(
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
        sink: Arc<dyn ArtifactSink>,
        options: RunOptions,
    ) -> Self {
        let agents = Agents::builtin(&options);
        let source = Source::Target { transport, clock };
        Self { source, sink, options, agents, scenario: None, notifiers: Vec::new(), history: Vec::new(), id: None }
    }

    /// A run on a recorded incident (its directory), with the built-in agents. It gets the recorded incident's id in
    /// `sink` when that is a [`crate::sinks::Dir`] in which the id was taken up, see [`Pipeline::with_id`].
    ///
    /// # Errors
    /// As [`Replay::open`].
    pub fn replay(incident: &Path, sink: Arc<dyn ArtifactSink>) -> Result<Self> {
        let replay = Replay::open(incident)?;
        let options = replay.run().options.clone();
        let agents = Agents::builtin(&options);
        let history = replay.run().history.clone();
        let source = Source::Replay(Arc::new(replay));
        Ok(Self { source, sink, options, agents, scenario: None, notifiers: Vec::new(), history, id: None })
    }

    /// The id of the recorded incident, in a replay.
    #[must_use]
    pub fn recorded_id(&self) -> Option<&IncidentId> {
        match &self.source {
            Source::Replay(replay) => Some(&replay.run().id),
            Source::Target { .. } => None,
        }
    }

    /// The built-in investigator and fixer with this catalogue, in place of those that there are.
    #[must_use]
    pub fn with_catalogue(mut self, catalogue: &Catalogue) -> Self {
        self.agents.fixers.clear();
        self.agents = self
            .agents
            .investigator("Investigator", agents::Investigator::new(catalogue.clone()))
            .fixer("FixerAgent", agents::FixerAgent::new(catalogue.clone()));
        self
    }

    /// Other agents in place of the built-in ones.
    #[must_use]
    pub fn with_agents(mut self, agents: Agents) -> Self {
        self.agents = agents;
        self
    }

    /// The agents that there are, and others beside them.
    #[must_use]
    pub fn map_agents(mut self, change: impl FnOnce(Agents) -> Agents) -> Self {
        self.agents = change(self.agents);
        self
    }

    /// A fault to inject between baseline and observation.
    #[must_use]
    pub fn with_scenario(mut self, scenario: Arc<dyn Scenario>) -> Self {
        self.scenario = Some(scenario);
        self
    }

    /// Somebody to tell when it is over.
    #[must_use]
    pub fn with_notifier(mut self, name: &str, notifier: Arc<dyn Notifier>) -> Self {
        self.notifiers.push((name.to_owned(), notifier));
        self
    }

    /// Earlier incidents of the target, oldest first; see [`crate::sinks::Dir::history`]. They are recorded: a replay
    /// knows what was known then.
    #[must_use]
    pub fn with_history(mut self, history: Vec<Past>) -> Self {
        self.history = history;
        self
    }

    /// Writes to this incident, which exists in the sink already, in place of a new one.
    #[must_use]
    pub fn with_id(mut self, id: IncidentId) -> Self {
        self.id = Some(id);
        self
    }

    /// Creates the incident and starts the run in the background of the current tokio runtime.
    ///
    /// # Errors
    /// When the set-up is wrong, or the sink can't be written to. From then on, failures are part of the run.
    pub async fn start(self) -> Result<Run> {
        self.agents.check()?;
        let (events_in, events) = mpsc::unbounded_channel();
        let stop = Stop::default();
        let drive = drive::Drive::prepare(self, events_in, stop.clone()).await?;
        let id = drive.id().clone();
        // A task of its own: a client that goes away must never skip a revert.
        let done = tokio::spawn(drive.supervise());
        Ok(Run { id, events, stop, done })
    }
}

/// A run that goes on in the background. Dropping it does not cancel it: a client that goes away must never skip
/// a revert.
#[derive(Debug)]
pub struct Run {
    id: IncidentId,
    events: mpsc::UnboundedReceiver<TraceEvent>,
    stop: Stop,
    done: JoinHandle<Outcome>,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Everything that is known.
    pub incident: Incident,
    /// What was told.
    pub report: Report,
    /// The first failure to write an artifact; the run went on all the same.
    pub storage_error: Option<Error>,
}

impl Run {
    /// The incident's id.
    #[must_use]
    pub fn id(&self) -> &IncidentId {
        &self.id
    }

    /// The next event, as it happens; `None` when the run is over.
    pub async fn next_event(&mut self) -> Option<TraceEvent> {
        self.events.recv().await
    }

    /// A handle that ends the run from elsewhere.
    #[must_use]
    pub fn stopper(&self) -> Stop {
        self.stop.clone()
    }

    /// Ends the run as stopped: what was injected is reverted, and what is known so far is told.
    pub fn stop(&self) {
        self.stop.end();
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// `Internal` when the run's own task was lost, with its runtime.
    pub async fn outcome(self) -> Result<Outcome> {
        self.done.await.map_err(|e| Error::new(ErrorKind::Internal, "the run was lost").because(e))
    }
}

/// The allow-list of a run: the built-in rules, and the scripts that the built-in agents and the coordinator ask.
fn allow_list() -> AllowList {
    crate::catalogue::allow_list().with_script(agents::SAMPLER).with_script(facts::SCRIPT)
}

/// The clock of a run without a target of its own.
fn idle_clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::default())
}

/// Contexts for agents of one run.
#[derive(Clone)]
struct Contexts {
    id: IncidentId,
    events: mpsc::UnboundedSender<Message>,
}

impl Contexts {
    fn of(&self, agent: &AgentName, deadline: tokio::time::Instant) -> AgentContext {
        AgentContext::new(self.id.clone(), agent.clone(), deadline, self.events.clone())
    }
}
