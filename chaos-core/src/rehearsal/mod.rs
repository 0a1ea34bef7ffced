//! Rehearsal: commands run for real on the target, as root, on a copy of it that is thrown away. A layer (overlayfs)
//! over each file system takes what they write; namespaces of their own keep processes, network, mounts and IPC apart;
//! what could act on the kernel is dropped; programs that act on more than files are replaced by stand-ins that note what
//! they were asked. Nothing of it stays on the target, and nothing of the target is changed.
//!
//! The way in is `enter.sh`, which ends with an error when anything of the host is still in reach. What a rehearsal
//! can't know is in [`Rehearsed::limits`].

mod records;
#[cfg(test)]
mod tests;

use std::{fmt::Write, sync::Arc, time::Duration};

use crate::{
    agents::shell_quote,
    error::{ErrorKind, Result},
    model::{Action, AgentName, Ask, Command, End, FixPlan, Rehearsed},
    redact::redact,
    transport::{Request, Transport},
};

/// How long all steps may take together, beside the time that the sandbox itself takes.
const MOST: Duration = Duration::from_secs(60);
/// How long making the sandbox and reading what came of it may take.
const AROUND: Duration = Duration::from_secs(30);
/// How long one step may take at most, whatever the plan gives it.
const STEP_S: u32 = 20;
/// Bytes of all that is told.
pub(crate) const MAX_OUTPUT: usize = 1 << 20;
/// Bytes of the commands at most: all has to fit into one argument of the login shell.
const MOST_TEXT: usize = 60_000;
/// Steps that are rehearsed at most.
const STEPS: usize = 40;

/// One command to rehearse.
#[derive(Debug, Clone)]
pub struct Step {
    /// Whose it is: an action's id.
    pub action: String,
    /// The command, as root.
    pub argv: Vec<String>,
    /// Seconds that it may take; 20 at most.
    pub timeout_s: u32,
}

/// The steps of a plan: what saves its state, and then what it does.
#[must_use]
pub fn steps(plan: &FixPlan) -> Vec<Step> {
    let of = |action: &Action| {
        let run = match &action.shell {
            Some(line) => ["bash", "-c", line].map(str::to_owned).to_vec(),
            None => action.argv.clone(),
        };
        let step = |argv: Vec<String>| Step { action: action.id.clone(), argv, timeout_s: action.timeout_s };
        action.backup.iter().cloned().chain([run]).map(step).collect::<Vec<_>>()
    };
    plan.actions.iter().flat_map(of).collect()
}

/// Rehearses on a target.
///
/// # Errors
/// Why the target can't be reached. A target on which there can be no sandbox is no error: see [`Rehearsed::unable`].
pub async fn rehearse(target: &Arc<dyn Transport>, steps: &[Step]) -> Result<Rehearsed> {
    let request = Request {
        agent: AgentName::new("TesterAgent"),
        ask: ask(steps, target.capabilities().elevate),
        within: within(),
        max_bytes: MAX_OUTPUT,
    };
    if let Some(why) = refuses(steps) {
        return Ok(Rehearsed { unable: Some(why), ..Rehearsed::default() });
    }
    let output = target.open(&request).await?.output(MAX_OUTPUT).await;
    Ok(read(steps, &output.stdout, &output.stderr, &output.end))
}

/// The question that rehearses `steps`.
pub(crate) fn ask(steps: &[Step], elevate: bool) -> Ask {
    let mut calls = String::new();
    let mut left = u32::try_from(MOST.as_secs()).unwrap_or(u32::MAX);
    for step in steps.iter().take(STEPS) {
        let seconds = step.timeout_s.clamp(1, STEP_S).min(left.max(1));
        left = left.saturating_sub(seconds);
        let words: Vec<String> = step.argv.iter().map(|w| shell_quote(w)).collect();
        let _ = writeln!(calls, "step {seconds} {}", words.join(" "));
    }
    let seconds = (MOST + AROUND).as_secs().to_string();
    let argv = [
        "sh",
        "-c",
        include_str!("outer.sh"),
        "rehearse",
        &calls,
        &seconds,
        include_str!("build.sh"),
        include_str!("enter.sh"),
        include_str!("changes.sh"),
        include_str!("shim.sh"),
    ];
    Ask::Run(Command { elevate, ..Command::new(argv) })
}

/// How long the answer to [`ask`] may take.
pub(crate) fn within() -> Duration {
    MOST + AROUND + Duration::from_secs(10)
}

/// Why these can't be rehearsed, whatever the target is.
pub(crate) fn refuses(steps: &[Step]) -> Option<String> {
    let bytes: usize = steps.iter().flat_map(|s| &s.argv).map(String::len).sum();
    if bytes > MOST_TEXT {
        return Some(format!("its commands are {bytes} bytes long; at most {MOST_TEXT} can be sent at once"));
    }
    let has_nul = steps.iter().flat_map(|s| &s.argv).any(|w| w.contains('\0'));
    has_nul.then(|| "a command holds a NUL byte".to_owned())
}

/// What the target said.
pub(crate) fn read(steps: &[Step], stdout: &[u8], stderr: &[u8], end: &End) -> Rehearsed {
    let (mut out, is_whole) = records::read(steps, stdout);
    if !is_whole && out.unable.is_none() {
        let said = String::from_utf8_lossy(stderr);
        let why = match end {
            End::Failed(why) if why.kind() == ErrorKind::OutputLimit => "more came of it than can be told".to_owned(),
            End::Failed(why) => why.to_string(),
            _ => format!("it ended midway: {}", said.trim().lines().last().unwrap_or("nothing was said")),
        };
        out.unable = Some(redact(&why).into_owned());
    }
    if steps.len() > STEPS {
        out.limits.push(format!("only the first {STEPS} commands were rehearsed"));
    }
    out
}
