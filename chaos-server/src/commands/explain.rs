//! `explain`: the reasoning behind a diagnosis, as a person would tell it.

use std::path::Path;

use chaos_core::{
    chart::visible,
    model::{Confidence, Confirmation, Diagnosis, Incident, InvestigationStep, Recurrence},
};
use serde_json::json;

use super::{
    find,
    incidents::{cut, read},
    mark_interrupted,
};
use crate::{
    exit::{Exit, Failure},
    output,
};

/// Findings and explanations that are told; the report has all.
const MOST: usize = 10;
/// Explanations behind a step.
const BEHIND: usize = 3;

pub(super) async fn explain(root: &Path, id: &str, as_json: bool) -> Result<Exit, Failure> {
    let (dir, id) = find(root, id).await?;
    mark_interrupted(&dir)?;
    let incident = read(&dir, &id)?;
    let Some(diagnosis) = &incident.diagnosis else {
        let why = incident.reason.as_deref().unwrap_or("it ended before there was one");
        return Err(Failure::new(Exit::NotFound, format!("{} has no diagnosis: {why}", incident.id)));
    };
    let confirmed = dir.confirmation(&id).map_err(|e| Failure::storage(&e))?;
    if as_json {
        let settled = settled(diagnosis).map(|(n, _)| n);
        output::print_json(&json!({
            "id": incident.id, "verdict": diagnosis.verdict.id(), "title": diagnosis.title,
            "confidence": diagnosis.confidence, "confirmed": confirmed, "steps": diagnosis.steps, "settled_by_step": settled,
            "changes": diagnosis.changes, "history": diagnosis.history, "limits": diagnosis.limits,
        }))?;
    } else {
        output::print(&told(&incident, diagnosis, confirmed.as_ref()))?;
    }
    Ok(Exit::Ok)
}

fn told(incident: &Incident, d: &Diagnosis, confirmed: Option<&Confirmation>) -> String {
    let mut text = format!("{}: {} ({})\n", incident.id, visible(&d.title), d.confidence);
    text.push_str(&confirmed.map_or(String::new(), |c| super::confirm::told(c, d) + "\n"));
    let mut part = |title: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            text.push_str(&format!("\n{title}\n"));
            lines.iter().for_each(|line| text.push_str(&format!("  {line}\n")));
        }
    };
    let mut findings: Vec<_> = incident.findings.iter().map(|(_, f)| f).collect();
    findings.sort_by(|a, b| b.score.total_cmp(&a.score));
    let abnormal = findings.iter().take(MOST).map(|f| format!("{:.2}  {}", f.score, cut(&f.summary))).collect();
    part("What was abnormal, strongest first", abnormal);
    part("How the belief changed, step by step", d.steps.iter().map(step).collect());
    if let Some((n, times)) = settled(d) {
        let times = if times >= 2.0 { format!(" (it made this {times:.0} times as likely)") } else { String::new() };
        let line = format!("{}{times}", cut(&d.steps[n].note));
        part("What settled it", vec![line]);
    }
    part("Who or what is to blame", d.culprit.iter().map(|c| cut(&c.summary)).collect());
    let change = |c: &chaos_core::model::RecentChange| {
        let about = if c.about_culprit { "  (about what is to blame)" } else { "" };
        format!("{}  {:<8} {}{about}", c.at.time_of_day(), visible(&c.kind), cut(&c.what))
    };
    part("What was changed before", d.changes.iter().map(change).collect());
    part("Seen before on this target", d.history.iter().flat_map(seen_before).collect());
    let others = d.hypotheses.iter().map(|(_, h)| h).filter(|h| h.verdict != d.verdict && h.posterior.get() >= 0.005);
    let other = |h: &chaos_core::model::Hypothesis| {
        let against: Vec<String> = h.against.iter().take(2).map(|a| cut(a)).collect();
        let but = if against.is_empty() { String::new() } else { format!("; but {}", against.join("; ")) };
        format!("{:>6}  {}{but}", h.posterior.to_string(), visible(&h.title))
    };
    part("What else it could be", others.take(MOST).map(other).collect());
    part("What could not be seen or asked", d.limits.iter().map(|l| cut(l)).collect());
    text
}

/// Earlier incidents with the same cause, and how far those that were confirmed moved the belief.
fn seen_before(h: &Recurrence) -> Vec<String> {
    let same = h.same.iter().map(|p| {
        let outcome = if p.confirmed.is_some() { "confirmed" } else { "named" };
        let began = p.began.to_string().replace('T', " ");
        let culprit = p.culprit.as_deref().map_or(String::new(), |c| format!("  {}", cut(c)));
        format!("{}  {}  {outcome}{culprit}", p.id, began.get(..16).unwrap_or(&began))
    });
    let moved = h.prior.map(|(without, with)| {
        let (without, with) = (100.0 * without, 100.0 * with);
        format!(
            "confirmed: {}; so this was {with:.1} % likely from the start, not {without:.1} %",
            visible(&h.counts())
        )
    });
    same.chain(moved).collect()
}

fn step(step: &InvestigationStep) -> String {
    let believed: Vec<String> =
        step.posterior.iter().take(BEHIND).map(|(id, p)| format!("{} {}", visible(id), Confidence::new(*p))).collect();
    format!("{}\n      {}", cut(&step.note), believed.join(", "))
}

/// The step since which nothing else was likelier than the conclusion, and how many times likelier it made it: the
/// ratio of its odds. `None` when it was so from the beginning, or never.
fn settled(d: &Diagnosis) -> Option<(usize, f64)> {
    let is_first = |step: &InvestigationStep| step.posterior.first().is_some_and(|(id, _)| id == d.verdict.id());
    let n = d.steps.iter().rposition(|step| !is_first(step))? + 1;
    let odds = |step: &InvestigationStep| {
        let p = step.posterior.iter().find(|(id, _)| id == d.verdict.id()).map_or(1e-4, |(_, p)| *p);
        let p = p.clamp(1e-4, 1.0 - 1e-4);
        p / (1.0 - p)
    };
    Some((n, odds(d.steps.get(n)?) / odds(&d.steps[n - 1])))
}
