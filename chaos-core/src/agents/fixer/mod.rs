//! The fixer: from a diagnosis and its culprit to the smallest plan. Remedies come from the catalogue, what fills
//! them from the diagnosis, and what is never touched from `guard`. It proposes; nothing here executes anything.

mod guard;
mod script;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use async_trait::async_trait;

pub use self::script::{fix_sh, shell_quote};
use crate::{
    agent::{Agent, AgentContext, Diagnosed},
    catalogue::{
        Catalogue, CheckTemplate, Fault, Remedy,
        placeholder::{SEPARATOR, fill, fill_text, placeholders},
    },
    error::Result,
    model::{
        Action, Check, Confidence, Culprit, Diagnosis, EntityKind, EventType, Expect, FixPlan, Hypothesis, Id,
        Reversibility, Verdict,
    },
};

/// Below this posterior a remedy is only told as an alternative: acting on a guess makes a second incident.
const ACT_FROM: f64 = 0.5;

/// Proposes remedies of a catalogue.
#[derive(Debug, Clone, Default)]
pub struct FixerAgent {
    catalogue: Catalogue,
}

impl FixerAgent {
    /// A fixer that knows these faults.
    #[must_use]
    pub fn new(catalogue: Catalogue) -> Self {
        Self { catalogue }
    }

    /// The plan for a diagnosis; a pure function.
    #[must_use]
    pub fn plan(&self, diagnosis: &Diagnosis) -> FixPlan {
        let asks = |summary: &str, next_questions: Vec<String>| FixPlan {
            summary: summary.to_owned(),
            next_questions,
            ..FixPlan::default()
        };
        let plan = match &diagnosis.verdict {
            Verdict::Healthy => asks("no action", Vec::new()),
            Verdict::Unknown => asks("no action: the cause is not known", self.open_questions(diagnosis)),
            Verdict::Fault(id) => match self.catalogue.fault(id) {
                None => asks("no action: the catalogue has no remedy for this fault", Vec::new()),
                Some(fault) => remedied(fault, diagnosis).unwrap_or_else(|why| {
                    let mut questions = vec![why];
                    questions.extend(fault.questions.iter().cloned());
                    asks("no action: a person has to look first", questions)
                }),
            },
        };
        plan.sealed()
    }

    /// What to look at when the cause is not known: the questions of what is likeliest.
    fn open_questions(&self, diagnosis: &Diagnosis) -> Vec<String> {
        let mut out =
            vec!["What changed on the host when this began (deployments, configuration, traffic)?".to_owned()];
        for (_, h) in diagnosis.hypotheses.iter().take(4) {
            if let Verdict::Fault(id) = &h.verdict
                && let Some(fault) = self.catalogue.fault(id)
            {
                out.extend(fault.questions.iter().cloned());
            }
        }
        out
    }
}

#[async_trait]
impl Agent<Diagnosed, FixPlan> for FixerAgent {
    async fn run(&self, cx: &AgentContext, input: &Diagnosed) -> Result<FixPlan> {
        let plan = self.plan(&input.diagnosis);
        cx.emit_with(EventType::Fix, &plan.summary, &plan);
        Ok(plan)
    }
}

/// The plan that removes the culprit, or why there can't be one.
fn remedied(fault: &Fault, diagnosis: &Diagnosis) -> std::result::Result<FixPlan, String> {
    let Some(culprit) = &diagnosis.culprit else {
        return Err("What exactly is at fault? Nothing names it yet.".into());
    };
    if diagnosis.confidence.get() < ACT_FROM {
        return Err(format!(
            "Is it {}? The evidence makes it no more than {} likely.",
            culprit.summary, diagnosis.confidence
        ));
    }
    let attributes = usable(culprit)?;
    let fits = |r: &&Remedy| r.when.iter().all(|key| attributes.contains_key(key));
    let mut actions: Vec<Action> = Vec::new();
    let mut alternatives = Vec::new();
    let mut refused = None;
    for remedy in fault.remedies.iter().filter(fits).filter(|r| !r.only_after) {
        match action(remedy, &attributes, culprit, diagnosis) {
            Ok(action) if actions.is_empty() => {
                actions.push(action);
                actions.extend(follow_ups(fault, remedy, &attributes, culprit, diagnosis));
            }
            Ok(action) if actions.iter().any(|a| a.id == action.id) => {}
            Ok(action) => alternatives.push(trade_off(&action)),
            Err(why) => refused = refused.or(Some(why)),
        }
    }
    if actions.is_empty() {
        return Err(
            refused.unwrap_or_else(|| format!("What can be done about {}? No remedy fits it.", culprit.summary))
        );
    }
    let titles: Vec<&str> = actions.iter().map(|a| a.title.as_str()).collect();
    Ok(FixPlan {
        summary: format!("{}; {}", titles.join(", then: "), culprit.summary),
        actions,
        alternatives,
        ..FixPlan::default()
    })
}

/// What comes after a remedy in the same plan. A unit that must not be touched is not started either.
fn follow_ups(
    fault: &Fault,
    remedy: &Remedy,
    attributes: &BTreeMap<String, String>,
    culprit: &Culprit,
    diagnosis: &Diagnosis,
) -> Vec<Action> {
    if attributes.get("waiting").is_some_and(|u| guard::unit(u).is_some()) {
        return Vec::new();
    }
    let next = remedy.then.iter().filter_map(|id| fault.remedies.iter().find(|r| r.id == *id));
    let next = next.filter(|r| r.when.iter().all(|key| attributes.contains_key(key)));
    let mut before = remedy.id.clone();
    let mut out = Vec::new();
    for r in next {
        // What can't be said of this culprit is left to a person; the first step stands by itself.
        if let Ok(action) = action(r, attributes, culprit, diagnosis) {
            out.push(Action { depends_on: vec![std::mem::replace(&mut before, r.id.clone())], ..action });
        }
    }
    out
}

/// What speaks for and against another way.
fn trade_off(action: &Action) -> String {
    let undo = match action.reversibility {
        Reversibility::Full => "can be undone",
        Reversibility::Partial => "can be undone in part",
        Reversibility::None => "can't be undone",
    };
    let Action { title, argv, confidence, downtime, .. } = action;
    format!("{title} (`{}`): {confidence} likely to help, {undo}; downtime: {downtime}", argv.join(" "))
}

/// The culprit's attributes as far as they may be acted on, or why it must not be touched at all.
fn usable(culprit: &Culprit) -> std::result::Result<BTreeMap<String, String>, String> {
    let mut attributes = culprit.entity.attributes.clone();
    let ask = |why: String| format!("May {} be touched? {why}.", culprit.summary);
    match culprit.entity.kind {
        EntityKind::Process => {
            if let Some(why) = guard::process(&attributes, &culprit.entity.name) {
                return Err(ask(why));
            }
            attributes.entry("command".into()).or_insert_with(|| culprit.entity.name.clone());
            // The process may be ended although its unit may not: cron's jobs run in cron's unit.
            if attributes.get("unit").is_some_and(|u| guard::unit(u).is_some()) {
                attributes.remove("unit");
            }
            // Nor may who began it, where that is a session or keeps the host alive.
            let spawner = [("spawner", "pid"), ("spawner_ppid", "ppid"), ("spawner_args", "args")];
            let spawner =
                spawner.iter().filter_map(|(of, key)| Some(((*key).to_owned(), attributes.get(*of)?.clone())));
            let begun_by = attributes.get("spawner_command").cloned().unwrap_or_default();
            if guard::process(&spawner.collect(), &begun_by).is_some() {
                attributes.remove("spawner");
            }
        }
        EntityKind::Unit => {
            if let Some(why) = attributes.get("unit").and_then(|u| guard::unit(u)) {
                return Err(ask(why));
            }
        }
        EntityKind::File | EntityKind::Directory => {
            let files = attributes.get("files").map_or("", String::as_str);
            if let Some(why) = files.split(SEPARATOR).find_map(guard::file) {
                return Err(ask(why));
            }
            let path = attributes.get("path").map_or("", String::as_str);
            // Emptying follows a symbolic link that somebody may put there meanwhile, so only where root alone writes.
            let log = path.starts_with("/var/log/");
            if log && culprit.entity.kind == EntityKind::File {
                attributes.insert("is_log".into(), "true".into());
            }
        }
        _ => {}
    }
    Ok(attributes)
}

fn action(
    remedy: &Remedy,
    attributes: &BTreeMap<String, String>,
    culprit: &Culprit,
    diagnosis: &Diagnosis,
) -> std::result::Result<Action, String> {
    let build = || -> Result<Action> {
        let commands =
            |list: &[Vec<String>]| list.iter().map(|argv| fill(argv, attributes)).collect::<Result<Vec<_>>>();
        let confidence = Confidence::new(remedy.confidence.get() * diagnosis.confidence.get());
        Ok(Action {
            id: remedy.id.clone(),
            title: fill_text(&remedy.title, attributes)?,
            target: culprit.summary.clone(),
            argv: fill(&remedy.argv, attributes)?,
            shell: None,
            rationale: remedy.rationale.clone(),
            cites: hypothesis(diagnosis).into_iter().collect(),
            confidence,
            preconditions: checks(&remedy.preconditions, attributes)?,
            idempotent: remedy.idempotent,
            timeout_s: remedy.timeout_s,
            on_failure: remedy.on_failure,
            reversibility: remedy.reversibility,
            backup: commands(&remedy.backup)?,
            rollback: commands(&remedy.rollback)?,
            verify: checks(&remedy.verify, attributes)?,
            depends_on: Vec::new(),
            downtime: remedy.downtime.clone(),
        })
    };
    build().map_err(|e| format!("Can {} be dealt with by hand? {e}.", culprit.summary))
}

fn hypothesis(diagnosis: &Diagnosis) -> Option<Id<Hypothesis>> {
    diagnosis.hypotheses.iter().find(|(_, h)| h.verdict == diagnosis.verdict).map(|(id, _)| id)
}

/// Checks with their values; one for each process where a check is about one process and there are several.
fn checks(templates: &[CheckTemplate], attributes: &BTreeMap<String, String>) -> Result<Vec<Check>> {
    let mut out = Vec::new();
    for template in templates {
        let of_process = template.argv.iter().any(|w| placeholders(w).contains(&"pid"));
        let pids = attributes.get("pids").filter(|_| of_process);
        match pids {
            None => out.push(check(template, attributes)?),
            Some(pids) => {
                for pid in pids.split(',') {
                    let mut one = attributes.clone();
                    one.insert("pid".into(), pid.to_owned());
                    out.push(check(template, &one)?);
                }
            }
        }
    }
    Ok(out)
}

fn check(template: &CheckTemplate, attributes: &BTreeMap<String, String>) -> Result<Check> {
    let text = |text: &str| fill_text(text, attributes);
    let expect = match template {
        CheckTemplate { prints: Some(all), .. } => Expect::Prints(text(all)?),
        CheckTemplate { has: Some(line), .. } => Expect::Has(text(line)?),
        CheckTemplate { lacks: Some(line), .. } => Expect::Lacks(text(line)?),
        CheckTemplate { fails: true, .. } => Expect::Failure,
        _ => Expect::Success,
    };
    Ok(Check {
        title: fill_text(&template.title, attributes)?,
        argv: fill(&template.argv, attributes)?,
        expect,
        within_s: template.within_s,
    })
}
