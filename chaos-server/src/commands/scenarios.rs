//! `scenarios` and `cleanup`: which faults there are, and the end of all of them.

use std::sync::Arc;

use chaos_core::{
    clock::SystemClock,
    model::Recovery,
    scenario::{Script, ScriptState},
};
use chaos_scripts::SCENARIOS;
use serde_json::json;

use super::{chaos::files, target};
use crate::{
    exit::{Exit, Failure},
    output,
};

pub(super) fn list(as_json: bool) -> Result<Exit, Failure> {
    if as_json {
        let all: Vec<_> = SCENARIOS.iter().map(|s| {
            let args: Vec<_> = s.args.iter().map(|a| json!({ "name": a.name, "unit": a.unit, "help": a.help, "default": a.default })).collect();
            json!({ "name": s.name, "summary": s.summary, "args": args, "max_runtime_s": s.default_max_runtime, "causes": s.causes })
        }).collect();
        output::print_json(&all)?;
        return Ok(Exit::Ok);
    }
    let mut text = String::new();
    for scenario in SCENARIOS {
        text.push_str(&format!("{}\n  {}\n", scenario.name, scenario.summary));
        for arg in scenario.args.iter().filter(|a| a.name != "duration") {
            text.push_str(&format!("  --set {}=N  {} ({})\n", arg.name, arg.help, arg.unit));
        }
        text.push('\n');
    }
    text.push_str("Each takes --duration and --max-runtime; see `chaos-handler run --help`.\n");
    output::print(&text)?;
    Ok(Exit::Ok)
}

pub(super) async fn cleanup(on: &str) -> Result<Exit, Failure> {
    let target = target::open(on, Arc::new(SystemClock::default()))?;
    let mut exit = Exit::Ok;
    for scenario in SCENARIOS {
        let script = Script::install(target.clone(), &files(), scenario.name).await?;
        let before = script.status().await;
        let said = match (script.stop().await, before) {
            (Recovery::Proven, Ok(status)) if status.state == ScriptState::Idle => {
                "proven: nothing was there".to_owned()
            }
            (Recovery::Proven, Ok(status)) => {
                let since = status.since.map_or(String::new(), |since| format!(" since {since}"));
                format!("proven: reverted, it was {}{since}", format!("{:?}", status.state).to_lowercase())
            }
            (Recovery::Proven, Err(_)) => "proven: nothing is there".to_owned(),
            (Recovery::NotRecovered(why), _) => {
                exit = Exit::NotReverted;
                format!("NOT REVERTED: {why}")
            }
            (Recovery::Unknown(why), _) => {
                exit = Exit::NotReverted;
                format!("NOT KNOWN: {why}")
            }
        };
        output::print(&format!("{:<12} {}\n", scenario.name, chaos_core::chart::visible(&said)))?;
    }
    if exit == Exit::NotReverted {
        output::note("error: not every fault is proven to be reverted");
    }
    Ok(exit)
}
