//! `replay`: thinks a recorded incident over again.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use chaos_core::{
    error::{Error, ErrorKind},
    model::{IncidentId, RunOptions},
    pipeline::Pipeline,
    sinks::Dir,
};

use super::{follow::Follow, plugins, run::conclude};
use crate::{
    cli::ReplayArgs,
    config::Config,
    exit::{Exit, Failure},
    progress::Display,
    signals::Signals,
};

pub(super) async fn replay(args: ReplayArgs, config: &Config, root: &Path) -> Result<Exit, Failure> {
    let recorded = recorded(&args.incident, root).await?;
    // Those that are named, and not those of the configuration, which may have had others when it was recorded.
    let plugins = plugins::load(&args.plugins, config, false)?;
    // Read whole before anything is written.
    let dir = Arc::new(Dir::open(&args.out).map_err(|e| Failure::storage(&e))?);
    let pipeline = Pipeline::replay(&recorded, dir.clone())?.map_agents(|agents| plugins.register(agents));
    let id = pipeline.recorded_id().cloned().expect("a replay has an id");
    spare_recordings(&recorded, &dir.path(&id))?;
    dir.replace(&id)?;
    let signals =
        Signals::catch().map_err(|e| Error::new(ErrorKind::Internal, "cannot listen for signals").because(e))?;
    let display = Display::new(args.json, &RunOptions { baseline_s: 0, observe_s: 0, ..RunOptions::default() });
    let run = pipeline.with_id(id).start().await.map_err(|e| Failure::storage(&e))?;
    let ended = Follow { dir: &dir, display, max_runtime_s: None, signals }.until_over(run).await?;
    conclude(&ended, &dir, args.json)?;
    Ok(ended.exit())
}

/// A directory, or an id among the incidents, or `latest`.
pub(super) async fn recorded(given: &Path, root: &Path) -> Result<PathBuf, Failure> {
    match given.to_str() {
        Some(text) if !given.exists() && (text == "latest" || IncidentId::parse(text).is_ok()) => {
            let (dir, id) = super::find(root, text).await?;
            Ok(dir.path(&id))
        }
        _ => Ok(given.to_owned()),
    }
}

/// What is there is replaced: that must be no recording, least of all the one that is replayed.
fn spare_recordings(recorded: &Path, out: &Path) -> Result<(), Failure> {
    let inside = |path: &Path| path.canonicalize().is_ok_and(|path| path.starts_with(out));
    if out.join("recording").exists() || inside(recorded) {
        return Err(Failure::new(
            Exit::Conflict,
            format!(
                "{} holds a recording, which the replay's outputs would replace; choose another --out",
                out.display()
            ),
        ));
    }
    Ok(())
}
