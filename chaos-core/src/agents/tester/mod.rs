//! The tester: what could go wrong with a plan. Static risk comes from the commands' own words, whatever the fixer
//! claims; then each command that has a dry run of its own gets it, what it would reach on this target is looked up, and
//! the whole plan is rehearsed in a sandbox there. What was not tried is said, with the reason.

mod dry_run;
mod ripple;

use std::collections::BTreeSet;

use async_trait::async_trait;

use self::dry_run::Findings;
use crate::{
    agent::{Agent, AgentContext, Rehearsal},
    error::Result,
    model::{Action, ActionRisk, EventType, Reversibility, RiskAssessment, RiskCategory, RiskLevel, RiskVerdict},
    risk::RiskRules,
};

/// Judges a plan by its commands, by what the target says about them, and by what they do in a sandbox there.
#[derive(Debug, Clone, Copy)]
pub struct TesterAgent {
    sandbox: bool,
}

impl Default for TesterAgent {
    fn default() -> Self {
        Self { sandbox: true }
    }
}

impl TesterAgent {
    /// One that only reads and asks.
    #[must_use]
    pub fn without_sandbox() -> Self {
        Self { sandbox: false }
    }
}

#[async_trait]
impl Agent<Rehearsal, RiskAssessment> for TesterAgent {
    async fn run(&self, cx: &AgentContext, input: &Rehearsal) -> Result<RiskAssessment> {
        let mut actions = Vec::new();
        let mut blast_radius: Vec<String> = Vec::new();
        let mut ground = None;
        for action in &input.plan.actions {
            let found = dry_run::action(action, &input.host, &mut ground).await;
            for touched in &found.touches {
                if !blast_radius.contains(touched) {
                    blast_radius.push(touched.clone());
                }
            }
            actions.push(judged(action, found));
        }
        let rehearsed = match self.sandbox {
            true => dry_run::sandboxed(&input.plan, &input.host, &mut actions).await,
            false => None,
        };
        let assessment = RiskAssessment {
            plan_sha256: input.plan.plan_sha256.clone(),
            level: actions.iter().map(|a| a.level).max().unwrap_or(RiskLevel::None),
            verdict: actions.iter().map(|a| a.verdict).max().unwrap_or(RiskVerdict::Safe),
            categories: actions.iter().flat_map(|a| a.categories.iter().copied()).collect(),
            actions,
            blast_radius,
            rehearsed,
        };
        cx.emit_with(EventType::Risk, told(&assessment), &assessment);
        Ok(assessment)
    }
}

fn judged(action: &Action, found: Findings) -> ActionRisk {
    let risk = RiskRules::builtin().assess(action);
    let rules = risk.hits();
    let (mut level, mut verdict, mut categories) = (risk.level, risk.verdict, risk.categories);
    // Saved and undone by commands that are as risky: a plan is judged with its backup and its rollback.
    for argv in action.backup.iter().chain(&action.rollback) {
        let beside = RiskRules::builtin().command(argv);
        level = level.max(beside.level);
        verdict = verdict.max(beside.verdict);
    }
    if action.reversibility == Reversibility::None && verdict > RiskVerdict::Safe {
        categories.insert(RiskCategory::Irreversible);
    }
    if !found.touches.is_empty() && found.ripples {
        categories.insert(RiskCategory::DependencyRipple);
        level = level.max(RiskLevel::High);
    }
    // Who is cut off can't see what became of it, nor undo it.
    if found.ours {
        categories.insert(RiskCategory::Network);
        level = RiskLevel::High;
        verdict = RiskVerdict::Dangerous;
    }
    // A dry run that says it would fail, or hit something else, is a reason to look again, not a lower risk.
    if found.simulated.iter().any(|s| !s.passed) {
        level = level.max(RiskLevel::Medium);
        verdict = verdict.max(RiskVerdict::NeedsApproval);
    }
    ActionRisk {
        action: action.id.clone(),
        level,
        verdict,
        categories,
        rules,
        unresolved: risk.unresolved,
        simulated: found.simulated,
        not_simulated: found.not_simulated,
        connections: found.connections,
    }
}

fn told(risk: &RiskAssessment) -> String {
    if risk.actions.is_empty() {
        return "the plan does nothing, so it risks nothing".into();
    }
    let level = match risk.level {
        RiskLevel::None => "no",
        RiskLevel::Low => "low",
        RiskLevel::Medium => "medium",
        RiskLevel::High => "high",
    };
    let verdict = match risk.verdict {
        RiskVerdict::Safe => "it reads only",
        RiskVerdict::NeedsApproval => "a person must approve it",
        RiskVerdict::Dangerous => "a person must approve it twice",
    };
    let failed: BTreeSet<&str> =
        risk.actions.iter().filter(|a| a.simulated.iter().any(|s| !s.passed)).map(|a| a.action.as_str()).collect();
    let mut text = format!("{level} risk; {verdict}");
    match &risk.rehearsed {
        Some(r) if r.is_success() => text.push_str("; rehearsed in a sandbox"),
        Some(r) if r.unable.is_none() => text.push_str("; the rehearsal failed"),
        _ => {}
    }
    if !failed.is_empty() {
        let names: Vec<&str> = failed.into_iter().collect();
        text.push_str(&format!("; the dry run speaks against {}", names.join(", ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{super::fixture, *};
    use crate::model::{Confidence, FixPlan, OnFailure};

    fn action(words: &str) -> Action {
        Action {
            id: "a".into(),
            title: "a".into(),
            target: "a".into(),
            argv: words.split(' ').map(str::to_owned).collect(),
            shell: None,
            rationale: String::new(),
            cites: vec![],
            confidence: Confidence::new(1.0),
            preconditions: vec![],
            idempotent: true,
            timeout_s: 5,
            on_failure: OnFailure::Abort,
            reversibility: Reversibility::Full,
            backup: vec![],
            rollback: vec![],
            verify: vec![],
            depends_on: vec![],
            downtime: "none".into(),
        }
    }

    async fn assess(actions: Vec<Action>, answers: &[(&str, &str, i32)]) -> RiskAssessment {
        let plan = FixPlan { actions, ..FixPlan::default() }.sealed();
        let rehearsal = Rehearsal { plan: Arc::new(plan), host: fixture::host(answers) };
        TesterAgent::default().run(&fixture::context(), &rehearsal).await.unwrap()
    }

    #[tokio::test]
    async fn stopping_a_unit_shows_who_goes_down_with_it() {
        let show = "LoadState=loaded\nActiveState=active\nRequiredBy=app.service web.service\nWantedBy=multi-user.target\nBoundBy=\nConsistsOf=\nTriggeredBy=\n";
        let risk = assess(vec![action("systemctl restart db.service")], &[("systemctl show", show, 0)]).await;
        assert!(risk.actions[0].simulated[0].passed);
        assert!(risk.blast_radius.iter().any(|b| b.contains("app.service")), "{:?}", risk.blast_radius);
        assert!(!risk.blast_radius.iter().any(|b| b.contains("multi-user.target")));
        assert!(risk.categories.contains(&RiskCategory::DependencyRipple));
        assert_eq!(risk.verdict, RiskVerdict::NeedsApproval);
    }

    #[tokio::test]
    async fn a_unit_that_is_not_there_fails_the_dry_run() {
        let risk =
            assess(vec![action("systemctl stop no.service")], &[("systemctl show", "LoadState=not-found\n", 0)]).await;
        assert!(!risk.actions[0].simulated[0].passed);
    }

    #[tokio::test]
    async fn killing_shows_the_process_and_its_children() {
        let answers = &[
            ("kill -0 812", "", 0),
            ("ps -ww -o pid=,args= -p 812", "  812 /opt/worker\n", 0),
            ("ps -ww -o pid=,args= --ppid 812", "  820 sleep 9\n", 0),
        ];
        let risk = assess(vec![action("kill -TERM 812")], answers).await;
        assert!(risk.actions[0].simulated.iter().all(|s| s.passed));
        assert!(risk.blast_radius.iter().any(|b| b.contains("sleep 9")), "{:?}", risk.blast_radius);
    }

    #[tokio::test]
    async fn removal_is_measured_first_and_names_are_never_options() {
        let answers = &[("du -sk --", "900\t/tmp/x\n", 0), ("ls -ld --", "-rw-r--r-- 1 app app 9 /tmp/x\n", 0)];
        let risk = assess(vec![action("rm -- /tmp/x")], answers).await;
        assert_eq!(risk.actions[0].simulated.len(), 2);
        assert!(risk.blast_radius.iter().any(|b| b.contains("900")), "{:?}", risk.blast_radius);
        assert_eq!(risk.verdict, RiskVerdict::NeedsApproval);
    }

    #[tokio::test]
    async fn what_was_not_tried_is_said_and_never_counts_as_tried() {
        let risk = assess(vec![action("frobnicate x"), action("kill -TERM 5")], &[]).await;
        for a in &risk.actions {
            assert!(a.simulated.is_empty() && !a.not_simulated.is_empty(), "{a:?}");
            assert_eq!(a.verdict, RiskVerdict::NeedsApproval);
        }
        let shell = Action { shell: Some("true".into()), ..action("true") };
        let risk = assess(vec![shell], &[]).await;
        assert!(risk.verdict > RiskVerdict::Safe);
    }

    #[tokio::test]
    async fn what_fails_in_the_sandbox_speaks_against_the_plan() {
        for (status, passed) in [(0, true), (1, false)] {
            let said = format!("step\t1\t{status}\t\0acts\tsystemctl\trestart\tx\u{1e}\0done\0");
            let risk = assess(vec![action("frobnicate x")], &[("sh -c", &said, 0)]).await;
            let rehearsed = risk.rehearsed.as_ref().unwrap();
            assert_eq!(rehearsed.is_success(), passed, "{rehearsed:?}");
            assert_eq!(rehearsed.would_run[0], ["systemctl", "restart", "x"]);
            assert_eq!(told(&risk).contains("the rehearsal failed"), !passed);
        }
        let risk = assess(vec![action("frobnicate x")], &[]).await;
        assert_eq!(risk.rehearsed.unwrap().unable.as_deref(), Some("it was not recorded"));
    }

    #[tokio::test]
    async fn an_empty_plan_risks_nothing() {
        let risk = assess(vec![], &[]).await;
        assert_eq!((risk.level, risk.verdict), (RiskLevel::None, RiskVerdict::Safe));
    }
}
