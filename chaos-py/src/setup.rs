//! Everything that a run needs, collected before it starts.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use chaos_core::{
    agents::TesterAgent,
    artifact::ArtifactSink,
    catalogue::Catalogue,
    clock::{Clock, SystemClock},
    error::{Error, ErrorKind, Result},
    model::{FaultId, RunOptions},
    pipeline::{Agents, Pipeline},
    scenario::{ScriptFile, ScriptScenario},
    sinks::{Dir, Memory},
    transport::Transport,
};
use chaos_plugins::{Grants, Host, default_cache_dir, default_grants_file};
use pyo3::prelude::*;

use crate::{
    agents::{PyAgent, add},
    convert,
    errors::ForPython,
    run::Run,
    runtime::{then, wait},
    sink::PySink,
    target::{Opener, Target},
};

/// Where artifacts go.
enum Place {
    Memory,
    Dir(PathBuf),
    Python(PySink),
}

/// A fault to inject.
#[derive(Clone)]
struct Fault {
    scenario: ScriptScenario,
}

/// Everything that a run needs; taken when it starts.
#[pyclass(module = "chaos_handler._native")]
pub(crate) struct Setup(Option<Parts>);

struct Parts {
    opener: Opener,
    recorded: Option<PathBuf>,
    place: Place,
    options: RunOptions,
    agents: Vec<(String, String, PyAgent)>,
    rehearse: bool,
    builtin: bool,
    catalogues: Vec<PathBuf>,
    plugins: Vec<PathBuf>,
    grants: Option<PathBuf>,
    fault: Option<Fault>,
}

#[pymethods]
impl Setup {
    #[new]
    fn new(target: &Target) -> Self {
        Self(Some(Parts {
            opener: target.opener(),
            recorded: target.recorded().cloned(),
            place: Place::Memory,
            options: RunOptions::default(),
            agents: Vec::new(),
            rehearse: true,
            builtin: true,
            catalogues: Vec::new(),
            plugins: Vec::new(),
            grants: None,
            fault: None,
        }))
    }

    /// Artifacts go to this directory.
    fn dir(&mut self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        self.open(py)?.place = Place::Dir(path);
        Ok(())
    }

    /// Artifacts go to this sink: `call(method, arguments)`.
    fn sink(&mut self, py: Python<'_>, call: Py<PyAny>) -> PyResult<()> {
        self.open(py)?.place = Place::Python(PySink::new(call));
        Ok(())
    }

    /// Of a replay these are the recorded ones, whatever is said here.
    fn options(&mut self, py: Python<'_>, options: &Bound<'_, PyAny>) -> PyResult<()> {
        self.open(py)?.options = convert::from_python(options, "options of a run").for_python(py)?;
        Ok(())
    }

    /// Adds an agent to a role: `call(context, input)`.
    fn agent(&mut self, py: Python<'_>, role: String, name: String, call: Py<PyAny>) -> PyResult<()> {
        self.open(py)?.agents.push((role, name, PyAgent::new(call)));
        Ok(())
    }

    /// No agents but those that were added.
    fn without_builtin(&mut self, py: Python<'_>) -> PyResult<()> {
        self.open(py)?.builtin = false;
        Ok(())
    }

    /// Plans are judged, and not rehearsed on the target.
    fn without_rehearsal(&mut self, py: Python<'_>) -> PyResult<()> {
        self.open(py)?.rehearse = false;
        Ok(())
    }

    /// Catalogue files or directories beside the built-in ones.
    fn catalogues(&mut self, py: Python<'_>, paths: Vec<PathBuf>) -> PyResult<()> {
        self.open(py)?.catalogues = paths;
        Ok(())
    }

    /// WebAssembly plugins, and the file of what they are granted.
    #[pyo3(signature = (paths, grants = None))]
    fn plugins(&mut self, py: Python<'_>, paths: Vec<PathBuf>, grants: Option<PathBuf>) -> PyResult<()> {
        let parts = self.open(py)?;
        (parts.plugins, parts.grants) = (paths, grants);
        Ok(())
    }

    /// A fault to inject between baseline and observation.
    #[allow(clippy::needless_pass_by_value)] // as Python hands it over
    fn scenario(
        &mut self,
        py: Python<'_>,
        name: &str,
        set: BTreeMap<String, String>,
        duration_s: Option<u32>,
        max_runtime_s: Option<u32>,
        allow_unmarked: bool,
    ) -> PyResult<()> {
        let parts = self.open(py)?;
        let info = chaos_scripts::scenario(name).map_err(wrong).for_python(py)?;
        let start =
            info.start(&set, duration_s, max_runtime_s, parts.options.observe_s).map_err(wrong).for_python(py)?;
        let files = chaos_scripts::FILES.iter().map(|f| ScriptFile { name: f.name, text: f.text }).collect();
        let causes = FaultId(info.causes.to_owned());
        let mut scenario = ScriptScenario::new(info.name, causes, files, start.args, start.max_runtime_s);
        if let Some(input) = start.input {
            scenario = scenario.with_input(input);
        }
        if allow_unmarked {
            scenario = scenario.without_mark();
        }
        parts.fault = Some(Fault { scenario });
        Ok(())
    }

    /// Reaches the target and starts. A set-up starts once.
    fn start(&mut self, py: Python<'_>) -> PyResult<Run> {
        let parts = self.take(py)?;
        wait(py, parts.start())?.for_python(py)
    }

    /// The same without waiting here: `done(run, error)` is called.
    fn start_then(&mut self, py: Python<'_>, done: Py<PyAny>) -> PyResult<()> {
        let parts = self.take(py)?;
        then(py, parts.start(), |py, run| Ok(Py::new(py, run)?.into_any()), done)
    }
}

fn wrong(why: String) -> Error {
    Error::new(ErrorKind::InvalidInput, why)
}

fn used() -> Error {
    Error::new(ErrorKind::Conflict, "this pipeline was started already; make another")
}

impl Setup {
    fn open(&mut self, py: Python<'_>) -> PyResult<&mut Parts> {
        self.0.as_mut().ok_or_else(used).for_python(py)
    }

    fn take(&mut self, py: Python<'_>) -> PyResult<Parts> {
        self.0.take().ok_or_else(used).for_python(py)
    }
}

impl Parts {
    async fn start(self) -> Result<Run> {
        let dir = match &self.place {
            Place::Dir(path) => Some(Arc::new(Dir::open(path)?)),
            _ => None,
        };
        let sink: Arc<dyn ArtifactSink> = match (&self.place, &dir) {
            (_, Some(dir)) => dir.clone(),
            (Place::Python(sink), _) => Arc::new(sink.clone()),
            _ => Arc::new(Memory::default()),
        };
        let mut pipeline = match &self.recorded {
            Some(incident) => {
                if self.fault.is_some() {
                    return Err(wrong("nothing can be injected into a recorded incident".into()));
                }
                Pipeline::replay(incident, sink)?
            }
            None => {
                let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
                let target: Arc<dyn Transport> = self.opener.open(clock.clone()).await?;
                if let Some(fault) = &self.fault {
                    // Before the baseline rather than after it.
                    fault.scenario.check(target.clone()).await?;
                }
                let history = dir.map(|dir| dir.history(&target.target())).transpose()?.unwrap_or_default();
                Pipeline::new(target, clock, sink, self.options).with_history(history)
            }
        };
        if !self.builtin {
            pipeline = pipeline.with_agents(Agents::default());
        } else if !self.catalogues.is_empty() {
            pipeline = pipeline.with_catalogue(&Catalogue::load(&self.catalogues)?);
        }
        if self.builtin && !self.rehearse {
            pipeline = pipeline.map_agents(|agents| agents.tester("TesterAgent", TesterAgent::without_sandbox()));
        }
        if !self.plugins.is_empty() {
            let loaded = plugins(&self.plugins, self.grants)?;
            pipeline = pipeline.map_agents(|agents| loaded.register(agents));
        }
        let mut added = Ok(());
        for (role, name, agent) in self.agents {
            pipeline = pipeline.map_agents(|agents| match add(agents.clone(), &role, &name, agent) {
                Ok(agents) => agents,
                Err(e) => {
                    added = Err(e);
                    agents
                }
            });
        }
        added?;
        if let Some(fault) = self.fault {
            pipeline = pipeline.with_scenario(Arc::new(fault.scenario));
        }
        Ok(Run::follow(pipeline.start().await?))
    }
}

fn plugins(paths: &[PathBuf], grants: Option<PathBuf>) -> Result<chaos_plugins::Plugins> {
    let mut host = Host::new()?;
    if let Some(dir) = default_cache_dir() {
        host = host.with_cache(dir);
    }
    let grants = match grants.or_else(default_grants_file) {
        Some(file) => Grants::read(&file)?,
        None => Grants::default(),
    };
    host.load_all(paths, &grants)
}

/// What there is to inject: name, what it does, and its arguments with what each is for.
#[pyfunction]
#[allow(clippy::type_complexity)]
pub(crate) fn scenarios() -> Vec<(&'static str, &'static str, Vec<(&'static str, &'static str, Option<&'static str>)>)>
{
    chaos_scripts::SCENARIOS
        .iter()
        .map(|s| (s.name, s.summary, s.args.iter().map(|a| (a.name, a.help, a.default)).collect()))
        .collect()
}
