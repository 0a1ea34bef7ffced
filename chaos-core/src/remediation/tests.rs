//! Plans with real commands on this machine, within a directory of their own.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;

use super::*;
use crate::{
    clock::{Clock, SystemClock},
    error::{Error, ErrorKind, Result},
    model::{
        Action, Applied, Approval, Ask, Check, Compared, Confidence, Ending, Expect, FixPlan, OnFailure, Reversibility,
        StepKind, TargetInfo, Timestamp,
    },
    transport::{Capabilities, Reply, Request, Transport},
    transports::Local,
};

pub(super) fn action(id: &str, line: &str) -> Action {
    Action {
        id: id.into(),
        title: id.into(),
        target: format!("the file of {id}"),
        argv: vec![],
        shell: Some(line.into()),
        rationale: String::new(),
        cites: vec![],
        confidence: Confidence::new(1.0),
        preconditions: vec![],
        idempotent: true,
        timeout_s: 5,
        on_failure: OnFailure::Rollback,
        reversibility: Reversibility::Full,
        backup: vec![],
        rollback: vec![],
        verify: vec![],
        depends_on: vec![],
        downtime: "none".into(),
    }
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

fn check(line: &str, expect: Expect, within_s: u32) -> Check {
    Check { title: line.into(), argv: words(line), expect, within_s }
}

/// Makes the file `name`, proves it, and can take it away again.
fn makes(dir: &Path, name: &str) -> Action {
    let path = dir.join(name).display().to_string();
    Action {
        preconditions: vec![check(&format!("test -e {path}"), Expect::Failure, 0)],
        rollback: vec![words(&format!("rm -- {path}"))],
        verify: vec![check(&format!("test -e {path}"), Expect::Success, 2)],
        ..action(name, &format!("touch {path}"))
    }
}

pub(super) fn approval(plan: &FixPlan) -> Approval {
    Approval {
        schema_version: crate::model::SCHEMA_VERSION,
        plan_sha256: plan.plan_sha256.clone(),
        approver: "ann".into(),
        reason: "seen it".into(),
        at: Timestamp(1000),
        expires_at: Timestamp(2000),
        dangerous: false,
    }
}

/// One application at a time on this machine: the lock is the machine's.
static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn applier() -> Apply {
    let clock = Arc::new(SystemClock::default());
    Apply::new(Arc::new(Local::new(clock.clone())), clock)
}

async fn apply(actions: Vec<Action>) -> Applied {
    let _one = ONE.lock().await;
    let plan = FixPlan { actions, ..FixPlan::default() }.sealed();
    let mut heard = 0;
    let applied = applier().run(&plan, approval(&plan), &mut |_| heard += 1).await.unwrap();
    assert_eq!(heard, applied.steps.len());
    applied
}

fn kinds(applied: &Applied) -> Vec<(StepKind, bool)> {
    applied.steps.iter().map(|s| (s.kind, s.passed)).collect()
}

#[tokio::test]
async fn a_plan_is_checked_done_and_verified_step_by_step() {
    let dir = tempfile::tempdir().unwrap();
    let noisy = Action { backup: vec![words("echo password=hunter2hunter2")], ..makes(dir.path(), "b") };
    let applied = apply(vec![makes(dir.path(), "a"), noisy]).await;
    assert_eq!(applied.ending, Ending::Resolved, "{applied:#?}");
    assert_eq!(applied.in_force, ["a", "b"]);
    use StepKind::{Action as Act, Backup, Precondition, Verify};
    let want = [Precondition, Act, Verify, Precondition, Backup, Act, Verify].map(|kind| (kind, true));
    assert_eq!(kinds(&applied), want);
    assert!(dir.path().join("a").exists() && dir.path().join("b").exists());
    // A secret that a command prints is not kept.
    assert!(!applied.steps[4].output.contains("hunter2"), "{}", applied.steps[4].output);
}

#[tokio::test]
async fn what_fails_is_undone_in_reverse_order() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let undo = |name: &str| {
        vec![words(&format!("sh -c echo>>{}", log.display())), words(&format!("rm -- {}/{name}", dir.path().display()))]
    };
    let (mut a, mut b, mut c) = (makes(dir.path(), "a"), makes(dir.path(), "b"), makes(dir.path(), "c"));
    a.rollback = undo("a");
    b.rollback = undo("b");
    c.verify = vec![check("false", Expect::Success, 1)];
    let applied = apply(vec![a, b, c]).await;
    assert_eq!(applied.ending, Ending::RolledBack, "{applied:#?}");
    assert!(applied.in_force.is_empty() && applied.why.contains("not reached"), "{applied:#?}");
    let undone: Vec<&str> =
        applied.steps.iter().filter(|s| s.kind == StepKind::Rollback).map(|s| s.action.as_str()).collect();
    assert_eq!(undone, ["c", "b", "b", "a", "a"]);
    for name in ["a", "b", "c"] {
        assert!(!dir.path().join(name).exists(), "{name}");
    }
}

#[tokio::test]
async fn what_does_not_hold_before_stops_it_before_anything_is_done() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a"), "").unwrap();
    let applied = apply(vec![makes(dir.path(), "a")]).await;
    assert_eq!((applied.ending, kinds(&applied)), (Ending::NothingDone, vec![(StepKind::Precondition, false)]));
    assert!(dir.path().join("a").exists());
}

#[tokio::test]
async fn a_step_that_can_not_be_undone_leaves_everything_and_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let for_good = Action { rollback: vec![], ..makes(dir.path(), "a") };
    let mut b = makes(dir.path(), "b");
    b.shell = Some("exit 3".into());
    let applied = apply(vec![for_good, b]).await;
    assert_eq!(applied.ending, Ending::Stopped, "{applied:#?}");
    assert_eq!(applied.in_force, ["a", "b"]);
    assert!(applied.by_hand.iter().any(|l| l.contains("no command that undoes it")), "{:?}", applied.by_hand);
    assert!(dir.path().join("a").exists());
}

#[tokio::test]
async fn a_rollback_that_fails_stops_and_says_what_state_the_host_is_in() {
    let dir = tempfile::tempdir().unwrap();
    let mut a = makes(dir.path(), "a");
    a.rollback = vec![words("false")];
    let mut b = makes(dir.path(), "b");
    b.shell = Some("exit 3".into());
    b.rollback = vec![words("true")];
    let applied = apply(vec![a, b]).await;
    assert_eq!(applied.ending, Ending::RollbackFailed, "{applied:#?}");
    assert_eq!(applied.in_force, ["a"]);
    assert_eq!(applied.by_hand, ["a: false"]);
}

#[tokio::test]
async fn what_never_returns_is_ended_by_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let mut slow = makes(dir.path(), "a");
    slow.shell = Some("sleep 600".into());
    slow.timeout_s = 1;
    slow.rollback = vec![words("true")];
    assert_eq!(apply(vec![slow]).await.ending, Ending::RolledBack);
    let mut deaf = makes(dir.path(), "b");
    deaf.verify = vec![check("sleep 600", Expect::Success, 1)];
    let applied = apply(vec![deaf]).await;
    assert_eq!(applied.ending, Ending::RolledBack, "{applied:#?}");
    assert!(!dir.path().join("b").exists());
}

#[tokio::test]
async fn what_may_fail_is_passed_over_and_what_needs_it_is_not_done() {
    let dir = tempfile::tempdir().unwrap();
    let mut a = makes(dir.path(), "a");
    a.shell = Some("exit 3".into());
    a.on_failure = OnFailure::Continue;
    let needs = Action { depends_on: vec!["a".into()], ..makes(dir.path(), "b") };
    let applied = apply(vec![a, needs, makes(dir.path(), "c")]).await;
    assert_eq!((applied.ending, applied.in_force), (Ending::Stopped, vec!["c".to_owned()]));
    assert!(!dir.path().join("b").exists() && dir.path().join("c").exists());
}

#[tokio::test]
async fn two_can_not_apply_to_one_target_at_once() {
    let _one = ONE.lock().await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("go").display().to_string();
    let waits = Action {
        verify: vec![check(&format!("test -e {path}"), Expect::Success, 20)],
        rollback: vec![words("true")],
        ..action("waits", "true")
    };
    let plan = FixPlan { actions: vec![waits], ..FixPlan::default() }.sealed();
    let (first, approved) = (plan.clone(), approval(&plan));
    let running = tokio::spawn(async move { applier().run(&first, approved, &mut |_| {}).await });
    // Until the first has the target, and then while it has it.
    let refused = loop {
        let other = FixPlan { actions: vec![action("other", "exit 1")], ..FixPlan::default() }.sealed();
        match applier().run(&other, approval(&other), &mut |_| {}).await {
            Err(e) => break e,
            Ok(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    assert_eq!(refused.kind(), ErrorKind::Conflict, "{refused}");
    fs::write(path, "").unwrap();
    assert_eq!(running.await.unwrap().unwrap().ending, Ending::Resolved);
    // And free again, soon after.
    let plan = FixPlan { actions: vec![action("later", "true")], ..FixPlan::default() }.sealed();
    let free = async {
        while applier().run(&plan, approval(&plan), &mut |_| {}).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), free).await.unwrap();
}

/// A clock whose waiting takes no time.
#[derive(Debug, Default)]
struct Quick(AtomicI64);

#[async_trait]
impl Clock for Quick {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
    async fn wait(&self, duration: Duration) {
        self.0.fetch_add(duration.as_millis() as i64, Ordering::Relaxed);
    }
}

/// This machine over a connection that is lost when a command of these words is asked, so many times.
struct Lossy {
    local: Local,
    at: &'static str,
    left: AtomicI64,
}

#[async_trait]
impl Transport for Lossy {
    fn capabilities(&self) -> Capabilities {
        self.local.capabilities()
    }
    fn target(&self) -> TargetInfo {
        self.local.target()
    }
    async fn open(&self, request: &Request) -> Result<Reply> {
        let lost = || Error::new(ErrorKind::Unreachable, "the connection was lost");
        let Ask::Run(command) = &request.ask else { panic!("only commands") };
        if !command.argv.join(" ").contains(self.at) || self.left.fetch_sub(1, Ordering::Relaxed) <= 0 {
            return self.local.open(request).await;
        }
        // What was asked is done all the same; only the answer does not come.
        self.local.open(request).await?.output(1 << 20).await;
        Err(lost())
    }
}

async fn over_a_lossy_line(actions: Vec<Action>, at: &'static str, times: i64) -> Applied {
    let _one = ONE.lock().await;
    let clock = Arc::new(Quick::default());
    let local = Local::new(Arc::new(SystemClock::default()));
    let target = Lossy { local, at, left: times.into() };
    let plan = FixPlan { actions, ..FixPlan::default() }.sealed();
    Apply::new(Arc::new(target), clock).run(&plan, approval(&plan), &mut |_| {}).await.unwrap()
}

#[tokio::test]
async fn a_target_that_is_lost_for_a_while_is_waited_for() {
    // Between the action and its check.
    let dir = tempfile::tempdir().unwrap();
    let plain = Action { preconditions: vec![], ..makes(dir.path(), "a") };
    let applied = over_a_lossy_line(vec![plain], "test -e", 3).await;
    assert_eq!((applied.ending, applied.in_force), (Ending::Resolved, vec!["a".to_owned()]), "{:#?}", applied.steps);
    // While the action ran: its check tells that it was done.
    let dir = tempfile::tempdir().unwrap();
    let applied = over_a_lossy_line(vec![makes(dir.path(), "a")], "bash -c", 1).await;
    assert_eq!(applied.ending, Ending::Resolved, "{:#?}", applied.steps);
    assert!(!applied.steps.iter().find(|s| s.kind == StepKind::Action).unwrap().passed);
}

#[tokio::test]
async fn a_target_that_stays_lost_leaves_an_ending_that_is_not_known() {
    let dir = tempfile::tempdir().unwrap();
    let applied = over_a_lossy_line(vec![makes(dir.path(), "a")], "test -e", i64::MAX).await;
    assert_eq!(applied.ending, Ending::NothingDone, "its precondition could not be asked");
    let dir = tempfile::tempdir().unwrap();
    let plain = Action { preconditions: vec![], ..makes(dir.path(), "a") };
    let applied = over_a_lossy_line(vec![plain, makes(dir.path(), "b")], "test -e", i64::MAX).await;
    assert_eq!(applied.ending, Ending::Unknown, "{:#?}", applied.steps);
    assert!(applied.in_force.is_empty() && !applied.by_hand.is_empty(), "{applied:#?}");
    // Nothing was undone or begun on a target that nobody sees.
    assert!(!dir.path().join("b").exists());
    assert!(!applied.steps.iter().any(|s| s.kind == StepKind::Rollback));
}

#[tokio::test]
async fn the_report_says_what_was_done_and_nothing_of_it_is_markup() {
    let dir = tempfile::tempdir().unwrap();
    let hostile = Action { id: "<b>|x".into(), ..makes(dir.path(), "a") };
    let applied = apply(vec![hostile]).await;
    let report = report_with("# inc-20261124-001: it broke\n\nText.\n", &applied);
    let lines: Vec<&str> = report.lines().collect();
    assert_eq!(lines[0], "# inc-20261124-001: it broke");
    assert!(lines[2].starts_with("**Since this was written a plan was applied: resolved.**"), "{}", lines[2]);
    assert!(report.contains("\nText.\n\n## What was done\n\n**Resolved**: every step"), "{report}");
    assert!(report.contains("### Every command") && !report.contains("<b>"), "{report}");
}

#[tokio::test]
async fn a_plan_that_made_it_worse_is_undone() {
    let dir = tempfile::tempdir().unwrap();
    let plan = FixPlan { actions: vec![makes(dir.path(), "a"), makes(dir.path(), "b")], ..FixPlan::default() }.sealed();
    let _one = ONE.lock().await;
    let mut applied = applier().run(&plan, approval(&plan), &mut |_| {}).await.unwrap();
    assert!(dir.path().join("b").exists());
    applier().undo(&plan, &mut applied, "worse than before: CPU busy", &mut |_| {}).await.unwrap();
    assert_eq!((applied.ending, applied.in_force.len()), (Ending::RolledBack, 0), "{applied:#?}");
    assert!(!dir.path().join("a").exists() && !dir.path().join("b").exists());
    assert!(applied.why.contains("worse"));
    let compared = |then, now| Compared {
        what: String::new(),
        usual: Some(1.0),
        then,
        now,
        unit: "1".into(),
        back: false,
        demand: false,
    };
    assert!(compared(3.0, Some(5.0)).is_worse() && compared(0.5, Some(0.0)).is_worse());
    assert!(!compared(3.0, Some(3.5)).is_worse() && !compared(3.0, Some(-9.0)).is_worse());
    assert!(!compared(3.0, None).is_worse());
    // More connections after a limit was lifted are no trouble; where nothing else tells, they are.
    let asked = Compared { demand: true, ..compared(200.0, Some(400.0)) };
    let well = Compared { back: true, ..compared(3.0, Some(1.0)) };
    assert_eq!(still_odd(&[asked.clone(), well]).count(), 0);
    assert_eq!(still_odd(&[asked]).count(), 1);
}
