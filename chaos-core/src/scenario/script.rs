//! Faults as shell scripts on the target: `NAME.sh arm|start|stop|status`. Which scripts there are is given from
//! outside; this is how they are put there, driven, and how their revert is proven.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{Armed, Injected, Scenario};
use crate::{
    error::{Error, ErrorKind, Result},
    model::{AgentName, Ask, Command, FaultId, Recovery},
    transport::{Request, Transport},
};

/// How long one call of a script may take: `stop` waits for processes to end.
const WITHIN: Duration = Duration::from_secs(30);
/// Prints which of its arguments exist. A process that has ended and waits for its parent to take note (state Z)
/// is gone.
const LOOK: &str = r#"for path do
  if [ -e "$path" ] || [ -L "$path" ]; then
    case $path in /proc/*) if grep -q '^State:[[:space:]]*[ZX]' "$path/status" 2>/dev/null || ! [ -e "$path" ]; then continue; fi ;; esac
    echo "$path"
  fi
done"#;
/// How often a revert is tried.
const ATTEMPTS: u32 = 3;

/// A file of the scripts' directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScriptFile {
    /// Its name, ending in `.sh`.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

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
    /// Puts `files` on the target where they are not there already, letter by letter, and gives a handle to the
    /// script `name`: in `/opt/chaos-scripts` as root, else in a directory of the user's own.
    ///
    /// # Errors
    /// When the target can't be reached, or the directory can't be written or belongs to somebody else.
    pub async fn install(target: Arc<dyn Transport>, files: &[ScriptFile], name: &str) -> Result<Self> {
        let installer = Command { stdin: installer(files), ..Command::new(["sh", "-s"]) };
        let directory = call(&target, installer).await?.trim().to_owned();
        if directory.starts_with('/') && !directory.contains('\n') {
            Ok(Self { target, directory, name: name.to_owned() })
        } else {
            Err(Error::new(ErrorKind::CommandFailed, "the scripts' directory can't be told")
                .with("said", directory.escape_debug()))
        }
    }

    async fn call(&self, args: &[String]) -> Result<String> {
        let script = format!("{}/{}.sh", self.directory, self.name);
        let argv = ["bash".to_owned(), script].into_iter().chain(args.iter().cloned());
        call(&self.target, Command::new(argv)).await
    }

    /// What is there now.
    ///
    /// # Errors
    /// When the target can't be asked or answers nonsense.
    pub async fn status(&self) -> Result<ScriptStatus> {
        let said = self.call(&["status".into(), "--json".into()]).await?;
        serde_json::from_str(said.trim()).map_err(|e| {
            Error::new(ErrorKind::CommandFailed, "the script's status can't be understood")
                .with("script", &self.name)
                .because(e)
        })
    }

    /// Ends the fault and proves it: whatever was there before is asked for again afterwards, both of the script
    /// and of the system itself.
    pub async fn stop(&self) -> Recovery {
        let before = self.status().await;
        let mut last = Recovery::Unknown("it was never tried".into());
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            let stopped = self.call(&["stop".into()]).await;
            last = match (self.status().await, stopped) {
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
        }
        last
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

async fn call(target: &Arc<dyn Transport>, command: Command) -> Result<String> {
    let command = Command { elevate: target.capabilities().elevate, ..command };
    let ask = Ask::Run(command);
    let request = Request { agent: AgentName::new("Coordinator"), ask, within: WITHIN, max_bytes: 1 << 20 };
    let output = target.open(&request).await?.output(1 << 20).await;
    output.text()
}

/// A shell script that writes the files, each beside its place and then moved there, and prints the directory.
fn installer(files: &[ScriptFile]) -> String {
    let mut script = String::from(
        r#"set -eu
umask 077
if [ "$(id -u)" = 0 ]; then dir=/opt/chaos-scripts; else dir="${XDG_RUNTIME_DIR:-/tmp/chaos-$(id -u)}/scripts"; fi
mkdir -p "$dir"
if [ -L "$dir" ] || [ ! -O "$dir" ]; then echo "$dir belongs to somebody else" >&2; exit 1; fi
if [ "$(id -u)" = 0 ]; then chmod 755 "$dir"; fi
put() {
  if [ -f "$dir/$1" ] && [ ! -L "$dir/$1" ] && cmp -s "$dir/.$1.new" "$dir/$1"; then rm -f "$dir/.$1.new"; return; fi
  chmod 755 "$dir/.$1.new"
  mv -f "$dir/.$1.new" "$dir/$1"
}
"#,
    );
    for ScriptFile { name, text } in files {
        // A line of the text can't be its own digest.
        let end: String = Sha256::digest(text.as_bytes()).iter().take(12).map(|b| format!("{b:02x}")).collect();
        let text = text.trim_end_matches('\n');
        script.push_str(&format!("cat >\"$dir/.{name}.new\" <<'{end}'\n{text}\n{end}\nput {name}\n"));
    }
    script.push_str("printf '%s\\n' \"$dir\"\n");
    script
}

/// A scenario that is a script.
#[derive(Debug, Clone)]
pub struct ScriptScenario {
    name: String,
    causes: FaultId,
    files: Vec<ScriptFile>,
    args: Vec<String>,
    max_runtime_s: u32,
}

impl ScriptScenario {
    /// The script `name` out of `files`, started with `args`, which causes `causes` and reverts by itself after
    /// at most `max_runtime_s` seconds.
    #[must_use]
    pub fn new(name: &str, causes: FaultId, files: Vec<ScriptFile>, args: Vec<String>, max_runtime_s: u32) -> Self {
        Self { name: name.to_owned(), causes, files, args, max_runtime_s }
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
        self.args.join(" ")
    }

    fn causes(&self) -> FaultId {
        self.causes.clone()
    }

    async fn arm(&self, target: Arc<dyn Transport>) -> Result<Box<dyn Armed>> {
        let script = Script::install(target, &self.files, &self.name).await?;
        let before = script.status().await?;
        if before.state != ScriptState::Idle {
            let since = before.since.unwrap_or_else(|| "an unknown time".into());
            let message = "this fault is on the target already; `chaos-handler cleanup` ends it";
            return Err(Error::new(ErrorKind::Conflict, message).with("scenario", &self.name).with("since", since));
        }
        let mut args = vec!["arm".to_owned()];
        args.extend(self.limit());
        script.call(&args).await?;
        let armed = script.status().await?;
        match (armed.armed_by, armed.fires_in_seconds) {
            (Some(_), Some(seconds)) => {
                let fires_in = Duration::from_secs(seconds);
                Ok(Box::new(ArmedScript { script, scenario: self.clone(), fires_in }))
            }
            _ => Err(Error::new(ErrorKind::CommandFailed, "the script armed no revert").with("scenario", &self.name)),
        }
    }
}

struct ArmedScript {
    script: Script,
    scenario: ScriptScenario,
    fires_in: Duration,
}

#[async_trait]
impl Armed for ArmedScript {
    fn fires_in(&self) -> Duration {
        self.fires_in
    }

    async fn start(self: Box<Self>) -> (Box<dyn Injected>, Result<()>) {
        let mut args = vec!["start".to_owned()];
        args.extend(self.scenario.args.iter().cloned());
        args.extend(self.scenario.limit());
        let started = self.script.call(&args).await.map(drop);
        (Box::new(RunningScript { script: self.script }), started)
    }

    async fn disarm(self: Box<Self>) -> Recovery {
        self.script.stop().await
    }
}

struct RunningScript {
    script: Script,
}

#[async_trait]
impl Injected for RunningScript {
    async fn revert(self: Box<Self>) -> Recovery {
        self.script.stop().await
    }
}
