//! `run`: answers an incident on a target or from files, after injecting a fault where one was asked for.

use std::{path::PathBuf, sync::Arc};

use chaos_core::{
    agents::TesterAgent,
    clock::{Clock, SystemClock},
    error::{Error, ErrorKind},
    model::RunOptions,
    pipeline::{Agents, Pipeline},
    sinks::Dir,
    transport::Transport,
    transports::Files,
};

use super::{
    chaos::{Chaos, Wanted},
    follow::{Ended, Follow},
    mark_interrupted, plugins, target,
};
use crate::{
    cli::RunArgs,
    config::{Config, Endpoint, Seconds},
    exit::{Exit, Failure},
    notify::{self, Patience},
    output,
    progress::Display,
    signals::Signals,
};

/// What is watched before a fault, and after.
pub(crate) const BASELINE: Seconds = Seconds(20);
pub(crate) const OBSERVE: Seconds = Seconds(30);

pub(super) async fn run(args: RunArgs, config: Config, root: PathBuf) -> Result<Exit, Failure> {
    let options = options(&args, &config)?;
    let wanted = |scenario| Wanted {
        scenario,
        set: &args.set,
        duration: args.duration,
        max_runtime: args.max_runtime,
        observe_s: options.observe_s,
        allow_unmarked: args.allow_unmarked,
    };
    let chaos = args.scenario.as_deref().map(|name| Chaos::new(&wanted(name))).transpose()?;
    let plugins = plugins::load(&args.plugins, &config, true)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let target: Arc<dyn Transport> = match args.offline.as_slice() {
        [] => target::open(&args.target, &config, clock.clone()).await?,
        paths => Arc::new(Files::open(paths, clock.clone())?),
    };
    let dir = Arc::new(Dir::open(root).map_err(|e| Failure::storage(&e))?);
    mark_interrupted(&dir)?;
    if let Some(chaos) = &chaos {
        chaos.confirm(&target.target(), options.baseline_s, args.yes)?;
        chaos.check(target.clone()).await?;
    }
    let signals =
        Signals::catch().map_err(|e| Error::new(ErrorKind::Internal, "cannot listen for signals").because(e))?;
    let display = Display::new(args.json, &options);
    let history = dir.history(&target.target()).map_err(|e| Failure::storage(&e))?;
    let mut agents = Agents::builtin(&options);
    if args.no_rehearse || config.rehearse == Some(false) {
        agents = agents.tester("TesterAgent", TesterAgent::without_sandbox());
    }
    let agents = plugins.register(agents);
    let mut pipeline = Pipeline::new(target, clock, dir.clone(), options).with_agents(agents).with_history(history);
    if let Some(chaos) = &chaos {
        pipeline = pipeline.with_scenario(Arc::new(chaos.scenario()));
    }
    for (name, notifier) in notify::configured(&config, Patience::SHORT) {
        pipeline = pipeline.with_notifier(name, notifier);
    }
    let run = pipeline.start().await.map_err(|e| Failure::storage(&e))?;
    let max_runtime_s = chaos.map(|c| c.max_runtime_s);
    let ended = Follow { dir: &dir, display, max_runtime_s, signals }.until_over(run).await?;
    conclude(&ended, &dir, args.json)?;
    Ok(ended.exit())
}

/// Flags and environment, then the file, then defaults.
fn options(args: &RunArgs, config: &Config) -> Result<RunOptions, Failure> {
    let is_chaos = args.scenario.is_some();
    // The file's baseline is for faults of ours: before an incident that is there already nothing is as usual.
    let usual = if is_chaos { config.baseline.unwrap_or(BASELINE) } else { Seconds(0) };
    let Seconds(baseline_s) = args.baseline.unwrap_or(usual);
    let Seconds(observe_s) = args.observe.or(config.observe).unwrap_or(OBSERVE);
    if observe_s == 0 && args.offline.is_empty() {
        return Err(Failure::usage("--observe must be at least 1 s: without observation there is no evidence"));
    }
    let log_files = if args.log_files.is_empty() { &config.log_files } else { &args.log_files };
    let absolute = |file: &String| {
        let path = std::path::absolute(file).map_err(|e| Failure::usage(format!("log file {file:?}: {e}")))?;
        path.into_os_string().into_string().map_err(|_| Failure::usage(format!("log file {file:?} is not UTF-8")))
    };
    Ok(RunOptions {
        baseline_s,
        observe_s,
        log_files: log_files.iter().map(absolute).collect::<Result<_, _>>()?,
        metrics_endpoint: args
            .metrics
            .as_ref()
            .or(config.metrics.as_ref())
            .map(|Endpoint(port, path)| (*port, path.clone())),
    })
}

/// Says what went wrong as a whole, and prints the conclusion and where it is told at length.
pub(super) fn conclude(ended: &Ended, dir: &Dir, json: bool) -> Result<(), Failure> {
    let incident = &ended.outcome.incident;
    let path = dir.path(&incident.id);
    for complaint in ended.complaints() {
        output::note(&format!("error: {complaint}"));
    }
    if json {
        return Ok(());
    }
    let mut text = chaos_core::agents::terminal_summary(incident);
    let has_fix = incident.plans.first().is_some_and(|plan| !plan.actions.is_empty());
    for (label, name, wanted) in [("Report", "report.md", true), ("Script", "fix.sh", has_fix)] {
        let file = path.join(name);
        if wanted && file.exists() {
            text.push_str(&format!("  {label:<10} {}\n", file.display()));
        }
    }
    output::print(&text)
}
