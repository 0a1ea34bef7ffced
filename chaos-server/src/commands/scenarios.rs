//! `scenarios` and `cleanup`: which faults there are, and the end of all of them.

use std::sync::Arc;

use chaos_core::{
    chart::visible,
    clock::SystemClock,
    model::Recovery,
    scenario::{Script, ScriptState, install},
};
use chaos_scripts::{ArgKind, SCENARIOS};
use serde_json::json;

use super::{chaos::files, scripts::state, target};
use crate::{
    cli::Target,
    config::Config,
    exit::{Exit, Failure},
    output,
};

pub(super) fn list(as_json: bool) -> Result<Exit, Failure> {
    if as_json {
        let all: Vec<_> = SCENARIOS.iter().map(|s| {
            let args: Vec<_> = s.args.iter().map(|a| json!({ "name": a.name, "wants": a.kind.wanted(), "help": a.help, "default": a.default, "required": a.required })).collect();
            json!({ "name": s.name, "summary": s.summary, "args": args, "max_runtime_s": s.default_max_runtime, "causes": s.causes, "needs_root": s.needs_root })
        }).collect();
        output::print_json(&all)?;
        return Ok(Exit::Ok);
    }
    let mut text = String::new();
    for scenario in SCENARIOS {
        let root = if scenario.needs_root { " Needs root on the target." } else { "" };
        text.push_str(&format!("{}\n  {}{root}\n", scenario.name, scenario.summary));
        for arg in scenario.args.iter().filter(|a| a.name != "duration") {
            let value = match arg.kind {
                ArgKind::Number { .. } => "N",
                ArgKind::Name { .. } => "NAME",
                ArgKind::Choice(_) => "WORD",
                ArgKind::Secret => "-",
            };
            let default = arg.default.map_or(String::new(), |d| format!("; default {d}"));
            let about = if arg.required { "required; " } else { "" };
            text.push_str(&format!(
                "  --set {}={value}  {} ({about}{}{default})\n",
                arg.name,
                arg.help,
                arg.kind.wanted()
            ));
        }
        text.push('\n');
    }
    text.push_str("Each takes --duration and --max-runtime; see `chaos-handler run --help`.\n");
    output::print(&text)?;
    Ok(Exit::Ok)
}

pub(super) async fn cleanup(on: &Target, config: &Config) -> Result<Exit, Failure> {
    let target = target::open(on, config, Arc::new(SystemClock::default())).await?;
    let directory = install(&target, &files()).await?;
    let mut exit = Exit::Ok;
    for scenario in SCENARIOS {
        let script = Script::installed(target.clone(), &directory, scenario.name);
        let before = script.status().await;
        // That it is idle is what would be the proof afterwards.
        if before.as_ref().is_ok_and(|status| status.state == ScriptState::Idle) {
            output::print(&format!("{:<16} proven: nothing was there\n", scenario.name))?;
            continue;
        }
        let said = match (script.stop().await, before) {
            (Recovery::Proven, Ok(status)) => {
                let since = status.since.map_or(String::new(), |since| format!(" since {since}"));
                format!("proven: reverted, it was {}{since}", state(status.state))
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
        output::print(&format!("{:<16} {}\n", scenario.name, visible(&said)))?;
    }
    if exit == Exit::NotReverted {
        output::note("error: not every fault is proven to be reverted");
    }
    Ok(exit)
}
