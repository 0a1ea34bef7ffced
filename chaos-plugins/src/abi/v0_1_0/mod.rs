//! Version 0.1.0 of the contract, `wit/0.1.0/plugin.wit`: what is linked, and how a plugin is called.

mod convert;
#[allow(dead_code)] // wasmtime makes them of what a plugin gives
mod types;

use std::time::Duration;

use chaos_core::{
    agent::Diagnosed,
    error::{Error, ErrorKind, Result},
    model::{Ask, Finding, FixPlan, Observation},
};
use wasmtime::{
    Engine, Store, StoreContextMut,
    component::{Component, ComponentExportIndex, InstancePre, Linker},
};

use self::types as abi;
use crate::{
    call::{State, failed},
    inspect::Kind,
};

/// How long one question to the target may take; the limit on the whole call ends it earlier.
const QUESTION: Duration = Duration::from_secs(20);

/// A compiled component with what it may import, and where its function is.
#[derive(Clone)]
pub(crate) struct Linked {
    instance: InstancePre<State>,
    function: ComponentExportIndex,
}

impl Linked {
    /// Links what was granted, and nothing else.
    pub(crate) fn new(engine: &Engine, component: &Component, kind: Kind, probes: bool) -> Result<Self> {
        let wrong = |e: wasmtime::Error| {
            let why: String = format!("{e:#}").chars().take(300).collect();
            Error::new(
                ErrorKind::InvalidInput,
                format!("not a plugin: it does not fit the contract: {}", why.escape_debug()),
            )
        };
        let linker = linker(engine, probes).map_err(wrong)?;
        let instance = linker.instantiate_pre(component).map_err(wrong)?;
        let (interface, function) = match kind {
            Kind::Detector => ("chaos:plugin/detector@0.1.0", "detect"),
            Kind::Fixer => ("chaos:plugin/fixer@0.1.0", "propose"),
        };
        let missing = || Error::new(ErrorKind::InvalidInput, format!("not a plugin: {interface} has no {function}"));
        let interface = component.get_export_index(None, interface).ok_or_else(missing)?;
        let function = component.get_export_index(Some(&interface), function).ok_or_else(missing)?;
        Ok(Self { instance, function })
    }

    /// What is abnormal in `seen`.
    pub(crate) async fn detect(&self, store: &mut Store<State>, seen: &Observation) -> Result<Vec<Finding>> {
        type Found = (std::result::Result<Vec<abi::Finding>, String>,);
        let instance = self.instance.instantiate_async(&mut *store).await.map_err(|e| failed(store.data(), &e))?;
        let function = instance.get_typed_func::<(abi::Observation<'_>,), Found>(&mut *store, &self.function);
        let function = function.map_err(|e| failed(store.data(), &e))?;
        let called = function.call_async(&mut *store, (convert::observation(seen),)).await;
        let (found,) = called.map_err(|e| failed(store.data(), &e))?;
        convert::model_findings(found.map_err(said)?, store.data().asked())
    }

    /// What to do about it.
    pub(crate) async fn propose(&self, store: &mut Store<State>, input: &Diagnosed) -> Result<FixPlan> {
        type Proposed = (std::result::Result<abi::Plan, String>,);
        let instance = self.instance.instantiate_async(&mut *store).await.map_err(|e| failed(store.data(), &e))?;
        let function = instance.get_typed_func::<(abi::Diagnosed<'_>,), Proposed>(&mut *store, &self.function);
        let function = function.map_err(|e| failed(store.data(), &e))?;
        let called = function.call_async(&mut *store, (convert::diagnosed(input),)).await;
        let (plan,) = called.map_err(|e| failed(store.data(), &e))?;
        convert::model_plan(plan.map_err(said)?)
    }
}

#[allow(clippy::needless_pass_by_value)] // it is a `map_err`
fn said(why: String) -> Error {
    let why: String = why.chars().take(500).collect::<String>().escape_debug().collect();
    Error::new(ErrorKind::AgentFailed, format!("the plugin failed: {why}"))
}

fn linker(engine: &Engine, probes: bool) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    let mut host = linker.instance("chaos:plugin/host@0.1.0")?;
    host.func_wrap("log", |mut store: StoreContextMut<'_, State>, (level, message): (abi::LogLevel, String)| {
        store.data_mut().log(level != abi::LogLevel::Debug, &message);
        Ok(())
    })?;
    host.func_wrap("config", |store: StoreContextMut<'_, State>, (key,): (String,)| Ok((store.data().config(&key),)))?;
    if probes {
        linker.instance("chaos:plugin/probe@0.1.0")?.func_wrap_async(
            "run-readonly-command",
            |mut store: StoreContextMut<'_, State>, (argv,): (Vec<String>,)| {
                Box::new(async move { Ok((run(&mut store, argv).await,)) })
            },
        )?;
    }
    Ok(linker)
}

async fn run(
    store: &mut StoreContextMut<'_, State>,
    argv: Vec<String>,
) -> std::result::Result<abi::Answer, abi::Refusal> {
    let state = store.data_mut();
    let host = match state.may_ask(&argv) {
        Ok(host) => host,
        Err(ErrorKind::Busy) => return Err(abi::Refusal::TooMany),
        Err(_) => return Err(abi::Refusal::Refused),
    };
    match host.ask(Ask::run(argv), QUESTION).await {
        Ok((id, answer)) => {
            state.note_answer(id);
            Ok(convert::answer(id.index(), &answer))
        }
        Err(e) => Err(match e.kind() {
            ErrorKind::Refused | ErrorKind::InvalidInput => abi::Refusal::Refused,
            ErrorKind::Deadline => abi::Refusal::Deadline,
            ErrorKind::NotRecorded => abi::Refusal::NotRecorded,
            _ => abi::Refusal::Unavailable,
        }),
    }
}
