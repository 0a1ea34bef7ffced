//! One shell script of a fault on one target: `NAME.sh status|state|stop`, and the proof that a fault is gone.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use tokio::time::{Instant, sleep};

use super::{ScriptFile, call, files::install};
use crate::{
    error::{Error, ErrorKind, Result},
    model::{Command, Recovery},
    transport::Transport,
};

/// Prints which of its arguments exist. A process that has ended and waits for its parent to take note (state Z)
/// is gone.
const LOOK: &str = r#"for path do
  if [ -e "$path" ] || [ -L "$path" ]; then
    case $path in /proc/*) if grep -q '^State:[[:space:]]*[ZX]' "$path/status" 2>/dev/null || ! [ -e "$path" ]; then continue; fi ;; esac
    echo "$path"
  fi
done"#;
/// How often a revert is tried on a target that answers.
const ATTEMPTS: u32 = 3;
/// The pause between attempts at first; it doubles up to the second.
const PAUSE: Duration = Duration::from_secs(1);
const LONG_PAUSE: Duration = Duration::from_secs(8);
/// How long a target may take to come back to its state once the fault has ended: services take time to start.
const SETTLING: Duration = Duration::from_secs(45);

/// What `status --json` of a script says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ScriptStatus {
    /// How far it is.
    pub state: ScriptState,
    /// The fault's processes.
    #[serde(default)]
    pub pids: Vec<u32>,
    /// The fault's files.
    #[serde(default)]
    files: Vec<OwnedFile>,
    /// What holds the armed revert: `systemd`, `watchdog`.
    #[serde(default)]
    pub armed_by: Option<String>,
    /// In how many seconds the revert fires.
    #[serde(default)]
    pub fires_in_seconds: Option<u64>,
    /// Since when the fault is there.
    #[serde(default)]
    pub since: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct OwnedFile {
    path: String,
}

/// How far a script is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum ScriptState {
    Idle,
    Armed,
    Running,
    Leftover,
}

/// What `start` and `state` are given.
#[derive(Clone, Default)]
pub(super) struct Arguments {
    /// Words; seen in process lists and reports.
    pub(super) words: Vec<String>,
    /// Standard input, for what nobody may see.
    pub(super) input: String,
}

/// One script on one target.
#[derive(Clone)]
pub struct Script {
    target: Arc<dyn Transport>,
    directory: String,
    name: String,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Script({})", self.name)
    }
}

impl Script {
    /// Puts `files` on the target as [`install`] does, and gives a handle to the script `name`.
    ///
    /// # Errors
    /// As [`install`].
    pub async fn install(target: Arc<dyn Transport>, files: &[ScriptFile], name: &str) -> Result<Self> {
        let directory = install(&target, files).await?;
        Ok(Self { target, directory, name: name.to_owned() })
    }

    /// The script `name` of those that are installed already in `directory`, as [`install`] gives it.
    #[must_use]
    pub fn installed(target: Arc<dyn Transport>, directory: &str, name: &str) -> Self {
        Self { target, directory: directory.to_owned(), name: name.to_owned() }
    }

    pub(super) async fn call(&self, command: &str, given: &Arguments) -> Result<String> {
        let script = format!("{}/{}.sh", self.directory, self.name);
        let argv = ["bash".to_owned(), script, command.to_owned()].into_iter().chain(given.words.iter().cloned());
        call(&self.target, Command { stdin: given.input.clone(), ..Command::new(argv) }).await
    }

    /// What is there now.
    ///
    /// # Errors
    /// When the target can't be asked or answers nonsense.
    pub async fn status(&self) -> Result<ScriptStatus> {
        let as_json = Arguments { words: vec!["--json".into()], ..Arguments::default() };
        let said = self.call("status", &as_json).await?;
        serde_json::from_str(said.trim()).map_err(|e| {
            Error::new(ErrorKind::CommandFailed, "the script's status can't be understood")
                .with("script", &self.name)
                .because(e)
        })
    }

    /// What a fault with these arguments would change, as it is now: one fact a line, without what changes by itself.
    pub(super) async fn state(&self, given: &Arguments) -> Result<String> {
        self.call("state", given).await
    }

    /// Ends the fault and proves it: whatever was there before is asked for again afterwards, both of the script
    /// and of the system itself.
    pub async fn stop(&self) -> Recovery {
        self.stop_until(Instant::now()).await
    }

    /// As [`Script::stop`]; a target that can't be reached is tried until then, for it may be the fault that cuts us
    /// off, and the target reverts that by itself.
    pub(super) async fn stop_until(&self, until: Instant) -> Recovery {
        let before = self.status().await;
        let mut attempts = 0;
        let mut pause = PAUSE;
        loop {
            let stopped = self.call("stop", &Arguments::default()).await;
            let after = self.status().await;
            let unreachable = matches!(&after, Err(e) if e.is_retryable() || e.kind() == ErrorKind::Deadline);
            let last = match (after, stopped) {
                (Ok(after), _) if after.state == ScriptState::Idle => {
                    return match &before {
                        Ok(before) => self.gone(before).await,
                        Err(_) => Recovery::Proven,
                    };
                }
                (Ok(after), Err(e)) => {
                    Recovery::NotRecovered(format!("{} is {:?}: {e}", self.name, after.state).to_lowercase())
                }
                (Ok(after), Ok(_)) => {
                    Recovery::NotRecovered(format!("{} is {:?}", self.name, after.state).to_lowercase())
                }
                (Err(e), _) => Recovery::Unknown(e.to_string()),
            };
            attempts += 1;
            if attempts >= ATTEMPTS && !(unreachable && Instant::now() < until) {
                return last;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONG_PAUSE);
        }
    }

    /// Waits until the state is as it was before, and says what differs when it does not come back.
    pub(super) async fn is_as_before(&self, given: &Arguments, before: &str) -> Recovery {
        let until = Instant::now() + SETTLING;
        loop {
            let last = match self.state(given).await {
                Ok(now) if now == before => return Recovery::Proven,
                Ok(now) => Recovery::NotRecovered(difference(before, &now)),
                Err(e) => Recovery::Unknown(format!("the state can't be compared with that before: {e}")),
            };
            if Instant::now() >= until {
                return last;
            }
            sleep(PAUSE).await;
        }
    }

    /// Asks the system, not the script, whether the fault's processes and files are gone.
    async fn gone(&self, before: &ScriptStatus) -> Recovery {
        let processes = before.pids.iter().map(|pid| format!("/proc/{pid}"));
        let paths: Vec<String> = processes.chain(before.files.iter().map(|f| f.path.clone())).collect();
        if paths.is_empty() {
            return Recovery::Proven;
        }
        let look = ["sh", "-c", LOOK, "sh"];
        let argv = look.into_iter().map(str::to_owned).chain(paths);
        match call(&self.target, Command::new(argv)).await {
            Ok(left) if left.trim().is_empty() => Recovery::Proven,
            Ok(left) => {
                Recovery::NotRecovered(format!("still there: {}", left.trim().replace('\n', ", ").escape_debug()))
            }
            Err(e) => Recovery::Unknown(e.to_string()),
        }
    }
}

/// Which lines are no longer there, and which are new.
fn difference(before: &str, now: &str) -> String {
    let missing = |of: &str, from: &str| {
        let lines = of.lines().filter(|line| !from.lines().any(|l| l == *line)).map(|l| l.escape_debug().to_string());
        lines.collect::<Vec<_>>().join("; ")
    };
    format!("it was \"{}\" and is \"{}\"", missing(before, now), missing(now, before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_what_changed_and_nothing_else() {
        let said = difference("unit a active\nunit b active\n", "unit a active\nunit b failed\n");
        assert_eq!(said, "it was \"unit b active\" and is \"unit b failed\"");
    }
}
