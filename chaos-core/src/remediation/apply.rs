//! The commands of an approved plan, one after the other.

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use crate::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
    model::{
        Action, AgentName, Applied, Approval, Ask, Check, Command, End, Ending, FixPlan, Holds, OnFailure,
        SCHEMA_VERSION, Step, StepKind,
    },
    redact::redact,
    transport::{Output, Reply, Request, Transport},
};

/// How long a check's command, a backup or a step of a rollback may take by itself.
const BY_ITSELF: Duration = Duration::from_secs(60);
/// How long a target that is lost between an action and its check is waited for, beyond the check's own time.
const LOST: Duration = Duration::from_secs(60);
/// Output that is kept of a command, and what a command may print.
const KEPT: usize = 2000;
const MAX_OUTPUT: usize = 4 << 20;
/// How long one application may hold the target for itself.
const HELD_S: u32 = 4 * 3600;
/// Held by whoever applies a plan; the kernel lets go when its process ends, however it ends.
const LOCK: &str = "/run/lock/chaos-handler-apply.lock";
/// It writes now and then, so that it ends soon after nobody reads any more.
const HOLD: &str = "# Holds the target for one who applies a plan, as long as somebody listens and the time is not up.
exec 9>>\"$1\" || exit 74
flock -w 5 9 || exit 75
echo held
left=$2
while [ \"$left\" -gt 0 ] && echo; do sleep 2 9>&-; left=$((left - 2)); done";
const TAKEN: i32 = 75;

/// Hears of every step when it is done.
pub type Progress<'a> = &'a mut (dyn FnMut(&Step) + Send);

/// One plan to be carried out on one target.
pub struct Apply {
    target: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    me: AgentName,
}

impl fmt::Debug for Apply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Apply").finish_non_exhaustive()
    }
}

/// How far a plan came.
struct Course<'a, 'p> {
    approval: Approval,
    steps: Vec<Step>,
    done: Vec<&'a Action>,
    progress: Progress<'p>,
}

/// Why an action is not done.
enum Failed {
    /// Nothing of it was done.
    Before(String),
    /// It was done, or in part.
    After(String),
    /// The target was lost after it had begun.
    Lost(String),
}

impl Apply {
    /// Carries out plans on `target`.
    #[must_use]
    pub fn new(target: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Self {
        Self { target, clock, me: AgentName::new("FixerAgent") }
    }

    /// Carries out `plan`, which `approval` was checked for. Whatever fails on the way is in the result.
    ///
    /// # Errors
    /// `Conflict` when somebody else applies a plan to this target; `Unsupported` when the target has no way to tell; or
    /// why it can't be reached. Nothing was done then.
    pub async fn run(&self, plan: &FixPlan, approval: Approval, progress: Progress<'_>) -> Result<Applied> {
        let began = self.clock.now();
        let mut held = self.hold().await?;
        let mut course = Course { approval, steps: Vec::new(), done: Vec::new(), progress };
        let mut failed = BTreeSet::new();
        let mut ending = (Ending::Resolved, "every step was done, and every check holds".to_owned());
        let mut by_hand = Vec::new();
        for action in &plan.actions {
            if let Some(missing) = action.depends_on.iter().find(|id| failed.contains(id.as_str())) {
                failed.insert(action.id.as_str());
                ending = (Ending::Stopped, format!("{}: it needs {missing}, which failed", action.id));
                continue;
            }
            let Err(why) = self.action(action, &mut course).await else {
                course.done.push(action);
                continue;
            };
            failed.insert(action.id.as_str());
            let (begun, text) = match why {
                Failed::Lost(text) => {
                    by_hand.extend(undo_by_hand(action));
                    ending = (Ending::Unknown, format!("{}: {text}", action.id));
                    break;
                }
                Failed::Before(text) => (false, text),
                Failed::After(text) => (true, text),
            };
            let text = format!("{}: {text}", action.id);
            if action.on_failure == OnFailure::Continue {
                ending = (Ending::Stopped, text);
                continue;
            }
            ending = self.back_out(action, begun, text, &mut course, &mut by_hand).await;
            break;
        }
        // Free again when this returns, not some moments later.
        held.stop();
        while held.next().await.is_some() {}
        let Course { approval, steps, done, .. } = course;
        Ok(Applied {
            schema_version: SCHEMA_VERSION,
            approval,
            began,
            ended: self.clock.now(),
            ending: ending.0,
            why: ending.1,
            steps,
            in_force: done.iter().map(|a| a.id.clone()).collect(),
            by_hand,
            compared: Vec::new(),
        })
    }

    /// Undoes a plan that was applied, because it turned out to make things worse.
    ///
    /// # Errors
    /// Why the target could not be taken again; nothing was undone then.
    pub async fn undo(&self, plan: &FixPlan, applied: &mut Applied, why: &str, progress: Progress<'_>) -> Result<()> {
        let mut held = self.hold().await?;
        let done = plan.actions.iter().filter(|a| applied.in_force.contains(&a.id)).collect();
        let mut course = Course { approval: applied.approval.clone(), steps: Vec::new(), done, progress };
        let (ending, why) = self.undo_done(why.to_owned(), &mut course, &mut applied.by_hand).await;
        held.stop();
        while held.next().await.is_some() {}
        applied.ending = ending;
        applied.why = why;
        applied.ended = self.clock.now();
        applied.in_force = course.done.iter().map(|a| a.id.clone()).collect();
        applied.steps.append(&mut course.steps);
        Ok(())
    }

    /// Undoes what was done, the last first, after `failed` did not come through.
    async fn back_out<'a>(
        &self,
        failed: &'a Action,
        begun: bool,
        why: String,
        course: &mut Course<'a, '_>,
        by_hand: &mut Vec<String>,
    ) -> (Ending, String) {
        if begun {
            course.done.push(failed);
        }
        self.undo_done(why, course, by_hand).await
    }

    /// Undoes what is done, the last first.
    async fn undo_done(&self, why: String, course: &mut Course<'_, '_>, by_hand: &mut Vec<String>) -> (Ending, String) {
        if course.done.is_empty() {
            return (Ending::NothingDone, why);
        }
        if let Some(stays) = course.done.iter().find(|a| a.rollback.is_empty()) {
            // Half of a plan undone is a state that nobody has thought of.
            by_hand.extend(course.done.iter().rev().flat_map(|a| undo_by_hand(a)));
            return (Ending::Stopped, format!("{why}; {} can't be undone, so nothing was", stays.id));
        }
        while let Some(action) = course.done.last().copied() {
            for argv in &action.rollback {
                let step = self.run_step(action, StepKind::Rollback, argv, BY_ITSELF, course).await;
                if step.is_none_or(|passed| !passed) {
                    by_hand.extend(course.done.iter().rev().flat_map(|a| undo_by_hand(a)));
                    return (Ending::RollbackFailed, format!("{why}; and undoing {} failed", action.id));
                }
            }
            course.done.pop();
        }
        (Ending::RolledBack, why)
    }

    async fn action<'a>(&self, action: &'a Action, course: &mut Course<'a, '_>) -> Result<(), Failed> {
        for check in &action.preconditions {
            match self.check(action, StepKind::Precondition, check, Duration::ZERO, course).await {
                Holds::Yes => {}
                Holds::No => return Err(Failed::Before(format!("does not hold: {}", check.title))),
                Holds::Lost => return Err(Failed::Before("the target can't be reached".into())),
            }
        }
        for argv in &action.backup {
            if self.run_step(action, StepKind::Backup, argv, BY_ITSELF, course).await != Some(true) {
                return Err(Failed::Before(format!("what it changes could not be saved by `{}`", argv.join(" "))));
            }
        }
        let shell;
        let argv = match &action.shell {
            Some(line) => {
                shell = ["bash", "-c", line].map(str::to_owned).to_vec();
                &shell
            }
            None => &action.argv,
        };
        let within = Duration::from_secs(u64::from(action.timeout_s));
        match self.run_step(action, StepKind::Action, argv, within, course).await {
            Some(true) => {}
            Some(false) => return Err(Failed::After("the command failed".into())),
            // It may have been done all the same: the checks tell, if the target comes back.
            None if action.verify.is_empty() => {
                return Err(Failed::Lost("the target was lost while it ran, and no check tells what was done".into()));
            }
            None => {}
        }
        for check in &action.verify {
            match self.check(action, StepKind::Verify, check, LOST, course).await {
                Holds::Yes => {}
                Holds::No => return Err(Failed::After(format!("not reached: {}", check.title))),
                Holds::Lost => {
                    let text = format!("the target was lost before it was known whether {}", check.title);
                    return Err(Failed::Lost(text));
                }
            }
        }
        Ok(())
    }

    /// Asks until it holds or its time is up; a target that can't be reached is waited for a while longer.
    async fn check(
        &self,
        action: &Action,
        kind: StepKind,
        check: &Check,
        patience: Duration,
        course: &mut Course<'_, '_>,
    ) -> Holds {
        let within = Duration::from_secs(u64::from(check.within_s));
        let began = self.clock.now();
        loop {
            let output = self.command(&check.argv, BY_ITSELF.min(within.max(Duration::from_secs(10)))).await;
            let holds = match &output {
                Err(_) => Holds::Lost,
                Ok(Output { end: End::Failed(why), .. }) if why.kind() != ErrorKind::Deadline => Holds::Lost,
                // One that never returns says nothing.
                Ok(Output { end: End::Failed(_), .. }) => Holds::No,
                Ok(output) => {
                    let said = String::from_utf8_lossy(&output.stdout);
                    if check.holds(output.end.is_success(), &said) { Holds::Yes } else { Holds::No }
                }
            };
            let spent = self.clock.now().since(began);
            let over = match holds {
                Holds::Yes => true,
                Holds::No => spent >= within,
                Holds::Lost => spent >= within + patience,
            };
            if over {
                let step = self.step(action, kind, &check.argv, holds == Holds::Yes, &output);
                (course.progress)(&step);
                course.steps.push(step);
                return holds;
            }
            self.clock.wait(Duration::from_secs(1)).await;
        }
    }

    /// Runs one command of an action: whether it succeeded; `None` when the target was lost.
    async fn run_step(
        &self,
        action: &Action,
        kind: StepKind,
        argv: &[String],
        within: Duration,
        course: &mut Course<'_, '_>,
    ) -> Option<bool> {
        let output = self.command(argv, within).await;
        let passed = match &output {
            Ok(output) => match &output.end {
                End::Failed(why) if why.kind() != ErrorKind::Deadline && why.kind() != ErrorKind::OutputLimit => None,
                end => Some(end.is_success()),
            },
            Err(_) => None,
        };
        let step = self.step(action, kind, argv, passed == Some(true), &output);
        (course.progress)(&step);
        course.steps.push(step);
        passed
    }

    fn step(&self, action: &Action, kind: StepKind, argv: &[String], passed: bool, output: &Result<Output>) -> Step {
        let (ended, output) = match output {
            Ok(output) => {
                let ended = match &output.end {
                    End::Exited(code) => format!("exit code {code}"),
                    End::Signalled(signal) => format!("signal {signal}"),
                    End::Stopped => "stopped".to_owned(),
                    End::Failed(why) => why.to_string(),
                };
                let bytes = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
                (ended, String::from_utf8_lossy(&bytes).trim_end().to_owned())
            }
            Err(why) => (why.to_string(), String::new()),
        };
        let skipped = output.chars().count().saturating_sub(KEPT);
        let output: String = redact(&output).chars().skip(skipped).collect();
        Step {
            action: action.id.clone(),
            kind,
            argv: argv.to_vec(),
            passed,
            at: self.clock.now(),
            ended: redact(&ended).into_owned(),
            output,
        }
    }

    async fn command(&self, argv: &[String], within: Duration) -> Result<Output> {
        Ok(self.open(argv.to_vec(), within).await?.output(MAX_OUTPUT).await)
    }

    async fn open(&self, argv: Vec<String>, within: Duration) -> Result<Reply> {
        let elevate = self.target.capabilities().elevate;
        let ask = Ask::Run(Command { elevate, ..Command::new(argv) });
        let request = Request { agent: self.me.clone(), ask, within, max_bytes: MAX_OUTPUT };
        self.target.open(&request).await
    }

    /// Takes the target for ourselves until what is given back is dropped.
    async fn hold(&self) -> Result<Reply> {
        let argv = ["sh", "-c", HOLD, "sh", LOCK, &HELD_S.to_string()].map(str::to_owned).to_vec();
        let mut held = self.open(argv, Duration::from_secs(u64::from(HELD_S))).await?;
        let mut said = Vec::new();
        while let Some(chunk) = held.next().await {
            said.extend_from_slice(&chunk.bytes);
            if said.starts_with(b"held\n") {
                return Ok(held);
            }
        }
        match held.end() {
            Some((End::Exited(TAKEN), _)) => {
                Err(Error::new(ErrorKind::Conflict, "somebody else applies a plan to this target").with("lock", LOCK))
            }
            Some((End::Failed(why), _)) => Err(why.clone()),
            _ => {
                let said = String::from_utf8_lossy(&said).trim().to_owned();
                Err(Error::new(ErrorKind::Unsupported, "the target can't be held for one who applies a plan")
                    .with("lock", LOCK)
                    .with("said", said.escape_debug()))
            }
        }
    }
}

fn undo_by_hand(action: &Action) -> Vec<String> {
    if action.rollback.is_empty() {
        return vec![format!("{}: there is no command that undoes it; look at {}", action.id, action.target)];
    }
    let shown = |argv: &Vec<String>| {
        let words: Vec<String> = argv.iter().map(|w| crate::agents::shell_quote(w)).collect();
        format!("{}: {}", action.id, words.join(" "))
    };
    action.rollback.iter().map(shown).collect()
}
