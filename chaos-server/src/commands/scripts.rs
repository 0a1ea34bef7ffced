//! `scripts`: the faults' scripts on a target, put there and looked at.

use std::sync::Arc;

use chaos_core::{
    chart::visible,
    clock::SystemClock,
    scenario::{self, FAIR_GAME, FileState, Script, ScriptState},
    transport::Transport,
};
use chaos_scripts::SCENARIOS;
use serde_json::json;

use super::{chaos::files, target};
use crate::{
    cli::{InstallArgs, Scripts, StatusArgs, Target},
    config::Config,
    exit::{Exit, Failure},
    output,
};

pub(super) async fn scripts(what: Scripts, config: &Config) -> Result<Exit, Failure> {
    match what {
        Scripts::Install(args) => install(args, config).await,
        Scripts::Status(args) => status(args, config).await,
        Scripts::Verify(args) => verify(args, config).await,
    }
}

async fn open(args: &Target, config: &Config) -> Result<Arc<dyn Transport>, Failure> {
    target::open(args, config, Arc::new(SystemClock::default())).await
}

async fn install(args: InstallArgs, config: &Config) -> Result<Exit, Failure> {
    let target = open(&args.target, config).await?;
    let name = visible(&target.target().name);
    if args.allow_chaos && !scenario::is_fair_game(&target).await? {
        output::note(&format!("WARNING: this declares {name} fair game: from then on faults may be injected into it."));
        output::note("  Never do this to a machine that anybody depends on.");
        output::confirm(args.yes)?;
    }
    let directory = scenario::install(&target, &files()).await?;
    output::print(&format!("installed {} files in {}\n", files().len(), visible(&directory)))?;
    if args.allow_chaos {
        scenario::mark_as_fair_game(&target).await?;
    }
    let marked = scenario::is_fair_game(&target).await?;
    output::print(&format!("{}\n", mark(marked)))?;
    Ok(Exit::Ok)
}

fn mark(is_marked: bool) -> String {
    match is_marked {
        true => format!("marked as fair game ({FAIR_GAME})"),
        false => format!("not marked as fair game: there is no {FAIR_GAME}"),
    }
}

async fn status(args: StatusArgs, config: &Config) -> Result<Exit, Failure> {
    let target = open(&args.target, config).await?;
    let is_marked = scenario::is_fair_game(&target).await?;
    let (directory, states) = scenario::verify(&target, &files()).await?;
    let installed = states.iter().all(|(_, state)| *state != FileState::Missing);
    let mut all = Vec::new();
    if installed {
        for info in SCENARIOS {
            let status = Script::installed(target.clone(), &directory, info.name).status().await?;
            all.push((info.name, status));
        }
    }
    if args.json.json {
        let scenarios: Vec<_> = all
            .iter()
            .map(|(name, s)| {
                json!({ "scenario": name, "state": state(s.state), "pids": s.pids, "since": s.since,
                        "armed_by": s.armed_by, "fires_in_seconds": s.fires_in_seconds })
            })
            .collect();
        output::print_json(&json!({
            "target": target.target().name, "directory": directory, "installed": installed,
            "fair_game": is_marked, "scenarios": scenarios,
        }))?;
        return Ok(Exit::Ok);
    }
    let mut text = format!("{}\n", mark(is_marked));
    if !installed {
        text.push_str(&format!("not installed in {directory}; `chaos-handler scripts install` does it\n"));
    }
    for (name, s) in &all {
        text.push_str(&format!("{name:<16} {}", state(s.state)));
        if let Some(since) = &s.since {
            text.push_str(&format!(" since {since}"));
        }
        if let (Some(by), Some(seconds)) = (&s.armed_by, s.fires_in_seconds) {
            text.push_str(&format!(", reverts in {seconds} s ({by})"));
        }
        text.push('\n');
    }
    output::print(&text.lines().map(|l| visible(l) + "\n").collect::<String>())?;
    Ok(Exit::Ok)
}

pub(super) fn state(state: ScriptState) -> String {
    format!("{state:?}").to_lowercase()
}

async fn verify(args: Target, config: &Config) -> Result<Exit, Failure> {
    let target = open(&args, config).await?;
    let (directory, states) = scenario::verify(&target, &files()).await?;
    let mut all_same = true;
    for (name, state) in states {
        all_same &= state == FileState::Same;
        output::print(&format!("{name:<24} {}\n", format!("{state:?}").to_lowercase()))?;
    }
    if all_same {
        return Ok(Exit::Ok);
    }
    Err(Failure::new(
        Exit::Conflict,
        format!(
            "the scripts in {} are not ours, letter by letter; `chaos-handler scripts install` puts ours there",
            directory
        ),
    ))
}
