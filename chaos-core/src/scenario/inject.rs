//! A scenario that is a script: arms, starts and reverts it, on a target that is fair game.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::time::Instant;

use super::{
    Armed, Injected, Scenario, Script, ScriptFile, ScriptState,
    files::{FAIR_GAME, is_fair_game},
    script::Arguments,
};
use crate::{
    error::{Error, ErrorKind, Result},
    model::{FaultId, Recovery},
    transport::Transport,
};

/// How much longer than its armed revert a target that can't be reached is waited for: it reverts, and comes back.
const BACK_AGAIN: Duration = Duration::from_secs(90);
/// How long a revert on a target that answers may take.
const REVERTING: Duration = Duration::from_secs(180);

/// A scenario that is a script.
#[derive(Clone)]
pub struct ScriptScenario {
    name: String,
    causes: FaultId,
    files: Vec<ScriptFile>,
    given: Arguments,
    max_runtime_s: u32,
    needs_mark: bool,
}

impl std::fmt::Debug for ScriptScenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Its input may hold a secret.
        f.debug_struct("ScriptScenario").field("name", &self.name).field("args", &self.given.words).finish()
    }
}

impl ScriptScenario {
    /// The script `name` out of `files`, started with `args`, which causes `causes` and reverts by itself after
    /// at most `max_runtime_s` seconds. A target other than this machine has to be marked as fair game.
    #[must_use]
    pub fn new(name: &str, causes: FaultId, files: Vec<ScriptFile>, args: Vec<String>, max_runtime_s: u32) -> Self {
        let given = Arguments { words: args, input: String::new() };
        Self { name: name.to_owned(), causes, files, given, max_runtime_s, needs_mark: true }
    }

    /// Gives the script `text` on its standard input: what must not be seen in process lists, reports or recordings.
    #[must_use]
    pub fn with_input(mut self, text: String) -> Self {
        self.given.input = text;
        self
    }

    /// Does without the mark. Whoever calls this has agreed to break a machine that nobody declared fair game.
    #[must_use]
    pub fn without_mark(mut self) -> Self {
        self.needs_mark = false;
        self
    }

    /// Looks whether the fault could be injected now: the target is fair game, the fault is not there already, and
    /// the script takes its arguments. Puts the scripts there, and changes nothing else.
    ///
    /// # Errors
    /// `Refused` when the target is not marked, `Conflict` when the fault is there, or what the script says.
    pub async fn check(&self, target: Arc<dyn Transport>) -> Result<()> {
        let script = self.prepare(target).await?;
        let mut given = self.given.clone();
        given.words.extend(self.limit());
        given.words.push("--dry-run".into());
        script.call("start", &given).await.map(drop)
    }

    async fn prepare(&self, target: Arc<dyn Transport>) -> Result<Script> {
        if self.needs_mark && target.target().kind != "local" && !is_fair_game(&target).await? {
            let message = "the target is not marked as fair game for faults; `chaos-handler scripts install \
                           --allow-chaos` marks it, if it is a machine that may be broken";
            return Err(Error::new(ErrorKind::Refused, message).with("mark", FAIR_GAME));
        }
        let script = Script::install(target, &self.files, &self.name).await?;
        let before = script.status().await?;
        if before.state != ScriptState::Idle {
            let since = before.since.unwrap_or_else(|| "an unknown time".into());
            let message = "this fault is on the target already; `chaos-handler cleanup`, for the same target, ends it";
            return Err(Error::new(ErrorKind::Conflict, message).with("scenario", &self.name).with("since", since));
        }
        Ok(script)
    }

    fn limit(&self) -> [String; 2] {
        ["--max-runtime".into(), self.max_runtime_s.to_string()]
    }
}

#[async_trait]
impl Scenario for ScriptScenario {
    fn name(&self) -> &str {
        &self.name
    }

    fn args(&self) -> String {
        self.given.words.join(" ")
    }

    fn causes(&self) -> FaultId {
        self.causes.clone()
    }

    async fn arm(&self, target: Arc<dyn Transport>) -> Result<Box<dyn Armed>> {
        let script = self.prepare(target).await?;
        let before = script.state(&self.given).await?;
        let limit = Arguments { words: self.limit().to_vec(), ..Arguments::default() };
        script.call("arm", &limit).await?;
        let armed = script.status().await?;
        match (armed.armed_by, armed.fires_in_seconds) {
            (Some(_), Some(seconds)) => {
                let fires_in = Duration::from_secs(seconds);
                let run = ScriptRun { script, before, scenario: self.clone(), fires_at: Instant::now() + fires_in };
                Ok(Box::new(ArmedScript { run, fires_in }))
            }
            _ => Err(Error::new(ErrorKind::CommandFailed, "the script armed no revert").with("scenario", &self.name)),
        }
    }
}

/// One injection of a script.
struct ScriptRun {
    script: Script,
    scenario: ScriptScenario,
    /// The target's state before anything was done to it.
    before: String,
    fires_at: Instant,
}

impl ScriptRun {
    async fn revert(&self) -> Recovery {
        match self.script.stop_until(self.fires_at + BACK_AGAIN).await {
            Recovery::Proven => self.script.is_as_before(&self.scenario.given, &self.before).await,
            recovery => recovery,
        }
    }
}

struct ArmedScript {
    run: ScriptRun,
    fires_in: Duration,
}

#[async_trait]
impl Armed for ArmedScript {
    fn fires_in(&self) -> Duration {
        self.fires_in
    }

    async fn start(self: Box<Self>) -> (Box<dyn Injected>, Result<()>) {
        let mut given = self.run.scenario.given.clone();
        given.words.extend(self.run.scenario.limit());
        let started = self.run.script.call("start", &given).await.map(drop);
        (Box::new(self.run), started)
    }

    async fn disarm(self: Box<Self>) -> Recovery {
        self.run.revert().await
    }
}

#[async_trait]
impl Injected for ScriptRun {
    fn patience(&self) -> Duration {
        self.fires_at.saturating_duration_since(Instant::now()) + BACK_AGAIN + REVERTING
    }

    async fn revert(self: Box<Self>) -> Recovery {
        (*self).revert().await
    }
}
