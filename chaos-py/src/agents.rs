//! Agents that are written in Python, each a callable that the package has wrapped: it gets what is here as Python
//! objects and gives plain data back. They run on threads of their own, whatever they do there.

use std::sync::Arc;

use chaos_core::{
    agent::{Agent, AgentContext, Case, Diagnosed, Probed, Rehearsal},
    async_trait,
    error::{Error, ErrorKind, Result},
    host::ReadOnlyHost,
    model::{Diagnosis, EventType, Evidence, Finding, FixPlan, Incident, Report, RiskAssessment},
    pipeline::Agents,
};
use pyo3::{prelude::*, types::PyDict};
use serde::de::DeserializeOwned;
use tokio::task::spawn_blocking;

use crate::{
    convert,
    errors::caught,
    evidence::{Known, Seen, collected},
    host::{Context, Host},
};

/// An agent whose `call(context, input)` is Python.
#[derive(Clone)]
pub(crate) struct PyAgent(Arc<Py<PyAny>>);

impl PyAgent {
    pub(crate) fn new(call: Py<PyAny>) -> Self {
        Self(Arc::new(call))
    }

    /// Calls it with what `input` makes, and reads what it returned.
    async fn call<T: Send + 'static>(
        &self,
        cx: &AgentContext,
        input: impl FnOnce(Python<'_>) -> PyResult<Py<PyAny>> + Send + 'static,
        read: impl FnOnce(&Bound<'_, PyAny>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (call, cx) = (self.0.clone(), cx.clone());
        let work = move || {
            Python::try_attach(|py| {
                let returned = input(py).and_then(|input| call.call1(py, (Context(cx.clone()), input)));
                match returned {
                    Ok(returned) => read(returned.bind(py)),
                    Err(e) => {
                        let (error, traceback) = caught(py, &e);
                        let told = serde_json::json!({ "traceback": traceback });
                        cx.emit_with(EventType::Error, error.to_string(), told);
                        Err(error)
                    }
                }
            })
            .unwrap_or_else(|| Err(Error::new(ErrorKind::Stopped, "Python has ended")))
        };
        spawn_blocking(work)
            .await
            .unwrap_or_else(|e| Err(Error::new(ErrorKind::AgentFailed, "the agent panicked").because(e)))
    }
}

fn data<T: DeserializeOwned>(what: &'static str) -> impl FnOnce(&Bound<'_, PyAny>) -> Result<T> {
    move |returned| convert::from_python(returned, what)
}

fn object<T: pyo3::PyClass + Into<PyClassInitializer<T>>>(py: Python<'_>, object: T) -> PyResult<Py<PyAny>> {
    Ok(Py::new(py, object)?.into_any())
}

#[async_trait]
impl Agent<ReadOnlyHost, Vec<Evidence>> for PyAgent {
    async fn run(&self, cx: &AgentContext, host: &ReadOnlyHost) -> Result<Vec<Evidence>> {
        let host = Host(host.clone());
        self.call(cx, move |py| object(py, host), collected).await
    }
}

#[async_trait]
impl Agent<Probed, Vec<Finding>> for PyAgent {
    async fn run(&self, cx: &AgentContext, probed: &Probed) -> Result<Vec<Finding>> {
        let probed = probed.clone();
        let input = move |py: Python<'_>| {
            let input = PyDict::new(py);
            input.set_item("seen", object(py, Seen(probed.seen))?)?;
            input.set_item("host", object(py, Host(probed.host))?)?;
            Ok(input.into_any().unbind())
        };
        self.call(cx, input, data("a list of findings")).await
    }
}

#[async_trait]
impl Agent<Case, Diagnosis> for PyAgent {
    async fn run(&self, cx: &AgentContext, case: &Case) -> Result<Diagnosis> {
        let case = case.clone();
        let input = move |py: Python<'_>| {
            let input = PyDict::new(py);
            input.set_item("findings", convert::to_python(py, &*case.findings)?)?;
            input.set_item("history", convert::to_python(py, &*case.history)?)?;
            input.set_item("seen", object(py, Seen(case.seen))?)?;
            input.set_item("host", object(py, Host(case.host))?)?;
            Ok(input.into_any().unbind())
        };
        self.call(cx, input, data("a diagnosis")).await
    }
}

#[async_trait]
impl Agent<Diagnosed, FixPlan> for PyAgent {
    async fn run(&self, cx: &AgentContext, diagnosed: &Diagnosed) -> Result<FixPlan> {
        let diagnosed = diagnosed.clone();
        let input = move |py: Python<'_>| {
            let input = PyDict::new(py);
            input.set_item("findings", convert::to_python(py, &*diagnosed.findings)?)?;
            input.set_item("answers", convert::to_python(py, &*diagnosed.answers)?)?;
            input.set_item("diagnosis", convert::to_python(py, &*diagnosed.diagnosis)?)?;
            input.set_item("seen", object(py, Seen(diagnosed.seen))?)?;
            Ok(input.into_any().unbind())
        };
        self.call(cx, input, data("a plan")).await
    }
}

#[async_trait]
impl Agent<Rehearsal, RiskAssessment> for PyAgent {
    async fn run(&self, cx: &AgentContext, rehearsal: &Rehearsal) -> Result<RiskAssessment> {
        let rehearsal = rehearsal.clone();
        let input = move |py: Python<'_>| {
            let input = PyDict::new(py);
            input.set_item("plan", convert::to_python(py, &*rehearsal.plan)?)?;
            input.set_item("host", object(py, Host(rehearsal.host))?)?;
            Ok(input.into_any().unbind())
        };
        self.call(cx, input, data("a risk assessment")).await
    }
}

#[async_trait]
impl Agent<Incident, Report> for PyAgent {
    async fn run(&self, cx: &AgentContext, incident: &Incident) -> Result<Report> {
        let known = Known(Arc::new(incident.clone()));
        self.call(cx, move |py| object(py, known), data("a report")).await
    }
}

/// Adds an agent to those of a pipeline; `Err` names a role that there is not.
pub(crate) fn add(agents: Agents, role: &str, name: &str, agent: PyAgent) -> Result<Agents> {
    Ok(match role {
        "collector" => agents.collector_dyn(name, Arc::new(agent)),
        "detector" => agents.probing_detector_dyn(name, Arc::new(agent)),
        "investigator" => agents.investigator(name, agent),
        "fixer" => agents.fixer_dyn(name, Arc::new(agent)),
        "tester" => agents.tester(name, agent),
        "reporter" => agents.reporter(name, agent),
        _ => return Err(Error::new(ErrorKind::InvalidInput, "no such role").with("role", role)),
    })
}
