//! The commands, one file a group. Here is what they share: which command runs, and where incidents are.

mod analyze;
mod apply;
mod assess;
pub(crate) mod chaos;
mod confirm;
mod eval;
mod explain;
mod follow;
mod incidents;
pub(crate) mod plugins;
mod rehearse;
mod replay;
mod report;
pub(crate) mod run;
mod scenarios;
mod scripts;
mod serve;
pub(crate) mod target;

use std::{path::PathBuf, time::Duration};

use chaos_core::{
    artifact::ArtifactSink as _,
    clock::{Clock as _, SystemClock},
    error::{Error, ErrorKind},
    model::IncidentId,
    sinks::Dir,
};

use crate::{
    cli::{Cli, Command},
    config::Config,
    exit::{Exit, Failure},
    interrupted, output,
};

pub(crate) use incidents::read as read_incident;

/// How long what was given up may hold the process up at the end.
const LEAVING: Duration = Duration::from_millis(500);

/// Runs the command that was asked for.
///
/// # Errors
/// Why it could not be done.
pub(crate) fn main(cli: Cli) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Error::new(ErrorKind::Internal, "cannot start the runtime").because(e))?;
    let ended = runtime.block_on(dispatch(cli));
    runtime.shutdown_timeout(LEAVING);
    ended
}

async fn dispatch(cli: Cli) -> Result<Exit, Failure> {
    let config = Config::load(cli.config.as_deref())?;
    let root = cli.incidents.or_else(|| config.incidents.clone()).unwrap_or_else(|| PathBuf::from("incidents"));
    match cli.command {
        Command::Run(args) => run::run(*args, config, root).await,
        Command::Replay(args) => replay::replay(args, &config, &root).await,
        Command::List(args) => incidents::list(&root, args.json),
        Command::Show(args) => incidents::show(&root, &args.id, args.json.json).await,
        Command::Explain(args) => explain::explain(&root, &args.id, args.json.json).await,
        Command::Confirm(args) => confirm::confirm(&root, &args).await,
        Command::Approve(args) => apply::approve(&root, &args, &config).await,
        Command::Apply(args) => apply::apply(&root, &args, &config).await,
        Command::Verify(args) => incidents::verify(&root, &args.id, args.json.json).await,
        Command::Report(args) => report::report(&root, &args).await,
        Command::Stop(args) => incidents::stop(&root, &args.id, !args.no_wait).await,
        Command::Scenarios(args) => scenarios::list(args.json),
        Command::Cleanup(args) => scenarios::cleanup(&args, &config).await,
        Command::Scripts(what) => scripts::scripts(what, &config).await,
        Command::Analyze(what) => analyze::analyze(&what),
        Command::Assess(args) => assess::assess(&args),
        Command::Rehearse(args) => rehearse::rehearse(&args, &config).await,
        Command::Plugins(what) => plugins::plugins(what, &config, &root).await,
        Command::Eval(args) => eval::eval(&args).await,
        Command::Serve(args) => serve::serve(args, config, root).await,
    }
}

/// Opens the incidents that are there, without making the directory; `None` when it is not there.
fn existing(root: &std::path::Path) -> Result<Option<Dir>, Failure> {
    match root.metadata() {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        _ => Dir::open(root).map(Some).map_err(|e| Failure::storage(&e)),
    }
}

/// Marks incidents whose process died, and says so.
fn mark_interrupted(dir: &Dir) -> Result<(), Failure> {
    for id in interrupted::mark(dir, SystemClock::default().now()).map_err(|e| Failure::storage(&e))? {
        output::note(&format!(
            "{id} was interrupted: its process died. If it had injected a fault, the target reverts that by itself; \
             `chaos-handler cleanup`, for the same target, does it now."
        ));
    }
    Ok(())
}

/// The incident that a person means by an id or `latest`.
async fn find(root: &std::path::Path, text: &str) -> Result<(Dir, IncidentId), Failure> {
    let named = if text == "latest" { None } else { Some(IncidentId::parse(text)?) };
    let nothing = || Failure::new(Exit::NotFound, format!("there are no incidents in {}", root.display()));
    let dir = existing(root)?.ok_or_else(nothing)?;
    let id = match named {
        Some(id) => id,
        None => dir.incidents().await?.pop().ok_or_else(nothing)?,
    };
    if !dir.path(&id).is_dir() {
        return Err(Failure::new(Exit::NotFound, format!("there is no incident {id} in {}", root.display())));
    }
    Ok((dir, id))
}
