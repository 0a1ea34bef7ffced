//! Proposes to reload the unit that is at fault.

use chaos_plugin::{Action, Check, Diagnosed, EntityKind, Expect, Fixer, OnFailure, Plan, Reversibility};

struct Plugin;

impl Fixer for Plugin {
    fn propose(input: &Diagnosed) -> Result<Plan, String> {
        let mut plan = Plan { summary: String::new(), actions: vec![], alternatives: vec![], next_questions: vec![] };
        let culprit = input.diagnosis.culprit.as_ref().filter(|c| c.entity.kind == EntityKind::Unit);
        let (Some(culprit), false) = (culprit, input.diagnosis.hypotheses.is_empty()) else {
            plan.summary = "no unit is at fault".into();
            return Ok(plan);
        };
        let unit = culprit.entity.name.as_str();
        let words = |argv: &[&str]| argv.iter().map(|w| (*w).to_owned()).collect();
        plan.summary = format!("reload {unit}");
        plan.actions.push(Action {
            id: "reload".into(),
            title: format!("Reload {unit}"),
            target: format!("unit {unit}"),
            argv: words(&["systemctl", "reload", unit]),
            rationale: "it reads its configuration again".into(),
            cites: vec![0], // the most likely hypothesis
            confidence: input.diagnosis.confidence / 2.0,
            preconditions: vec![],
            idempotent: true,
            timeout_s: 30,
            on_failure: OnFailure::Abort,
            reversibility: Reversibility::Partial,
            backup: vec![],
            rollback: vec![],
            verify: vec![Check {
                title: "the unit is active".into(),
                argv: words(&["systemctl", "is-active", "--quiet", unit]),
                expect: Expect::Success,
                within_s: 10,
            }],
            depends_on: vec![],
            downtime: "none".into(),
        });
        Ok(plan)
    }
}

chaos_plugin::fixer!(Plugin);
