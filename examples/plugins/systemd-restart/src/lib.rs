//! Proposes to restart the systemd unit that is at fault, where a restart can help.

use chaos_plugin::{Action, Check, Diagnosed, EntityKind, Expect, Fixer, OnFailure, Plan, Reversibility, Verdict};

struct SystemdRestart;

/// Faults of the catalogue that a restart ends.
const HELPED: &[&str] = &["service_down", "service_killed", "service_hang", "fd_exhaustion", "memory_leak"];

impl Fixer for SystemdRestart {
    fn propose(input: &Diagnosed) -> Result<Plan, String> {
        let none = |why: &str| Plan {
            summary: why.into(),
            actions: Vec::new(),
            alternatives: Vec::new(),
            next_questions: Vec::new(),
        };
        let Verdict::Fault(fault) = &input.diagnosis.verdict else { return Ok(none("no fault is known")) };
        if !HELPED.contains(&fault.as_str()) {
            return Ok(none("a restart would not help"));
        }
        let Some(unit) = unit(input) else { return Ok(none("no unit is known to be at fault")) };
        let is_it = |v: &Verdict| matches!(v, Verdict::Fault(f) if f == fault);
        let at = input.diagnosis.hypotheses.iter().position(|h| is_it(&h.verdict));
        let at = at.ok_or("the diagnosis is none of its hypotheses")? as u32;
        Ok(Plan {
            summary: format!("restart {unit}"),
            actions: vec![restart(&unit, at, input.diagnosis.confidence)],
            ..none("")
        })
    }
}

chaos_plugin::fixer!(SystemdRestart);

fn unit(input: &Diagnosed) -> Option<String> {
    let culprit = &input.diagnosis.culprit.as_ref()?.entity;
    let attribute = culprit.attributes.iter().find(|(k, _)| k == "unit").map(|(_, v)| v.as_str());
    let name = if culprit.kind == EntityKind::Unit { Some(culprit.name.as_str()) } else { attribute }?;
    let known = |b: u8| b.is_ascii_alphanumeric() || b"-_.@:".contains(&b);
    let name = if name.contains('.') { name.to_owned() } else { format!("{name}.service") };
    (name.len() <= 200 && !name.starts_with('-') && name.bytes().all(known)).then_some(name)
}

fn restart(unit: &str, hypothesis: u32, confidence: f64) -> Action {
    let words = |argv: &[&str]| argv.iter().map(|w| (*w).to_owned()).collect::<Vec<String>>();
    let check = |title: &str, argv: &[&str], within_s| Check {
        title: title.to_owned(),
        argv: words(argv),
        expect: Expect::Success,
        within_s,
    };
    Action {
        id: "restart-unit".into(),
        title: format!("Restart {unit}"),
        target: format!("unit {unit}"),
        argv: words(&["systemctl", "restart", unit]),
        rationale: "what is wrong is in the running processes, and a new start does without it".into(),
        cites: vec![hypothesis],
        confidence: (confidence * 0.8).clamp(0.0, 1.0),
        preconditions: vec![check("the unit is known to systemd", &["systemctl", "cat", unit], 0)],
        idempotent: true,
        timeout_s: 90,
        on_failure: OnFailure::Abort,
        reversibility: Reversibility::Partial,
        backup: Vec::new(),
        rollback: Vec::new(),
        verify: vec![check("the unit is active", &["systemctl", "is-active", "--quiet", unit], 30)],
        depends_on: Vec::new(),
        downtime: "the unit is down until it has started again".into(),
    }
}
