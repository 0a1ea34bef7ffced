//! What to do about it: the recommended fix, what could go wrong with it, and the way back.

use super::{
    doc::Doc,
    escape,
    story::{Outcome, Story},
    summary, words,
};
use crate::model::{
    Action, ActionRisk, Check, Expect, FileChangeKind, FixPlan, OnFailure, Rehearsed, Reversibility, RiskAssessment,
};

pub(super) fn write(doc: &mut Doc, story: &Story<'_>) {
    let Some(plan) = story.plan() else {
        doc.heading(2, "Recommended fix");
        doc.para("No fix was proposed.");
        return;
    };
    fix(doc, story, plan);
    if !plan.actions.is_empty() {
        risk(doc, story, plan);
        rollback(doc, plan);
    }
}

fn fix(doc: &mut Doc, story: &Story<'_>, plan: &FixPlan) {
    doc.heading(2, "Recommended fix");
    let none = plan.actions.is_empty();
    doc.para(&words::sentence(&escape::short(&plan.summary, 400)));
    if none {
        doc.para("No action is proposed. Nothing was executed on the target.");
    } else {
        doc.para(&format!(
            "**Nothing has been executed on the target.** An approval is bound to exactly this plan, sha256 {}. The same \
             steps are in `fix.sh` and `fix_suggestion.json`.",
            escape::code(&escape::cut(&plan.plan_sha256, 64))
        ));
    }
    for (i, action) in plan.actions.iter().enumerate() {
        step(doc, story, i + 1, action);
    }
    let others: Vec<String> =
        plan.alternatives.iter().take(6).map(|a| words::sentence(&escape::short(a, 300))).collect();
    let plans = story.incident.plans.iter().skip(1).take(4).map(|p| {
        let risk = story.risk_of(p).map_or("risk not assessed", |r| summary::level(r.level));
        format!("Another plan: {} (risk: {risk})", escape::short(p.summary.trim_end_matches('.'), 240))
    });
    let others: Vec<String> = others.into_iter().chain(plans).collect();
    if !others.is_empty() {
        doc.heading(3, "Alternatives");
        doc.list(&others);
    }
    let next: Vec<String> =
        plan.next_questions.iter().take(8).map(|q| words::sentence(&escape::short(q, 300))).collect();
    if !next.is_empty() {
        doc.heading(3, "What to look at next");
        doc.list(&next);
    }
}

fn step(doc: &mut Doc, story: &Story<'_>, number: usize, a: &Action) {
    doc.heading(3, &format!("Step {number}: {}", escape::short(&a.title, 120)));
    doc.block(&escape::fence("sh", &command(a)));
    let cites: Vec<String> = a.cites.iter().map(|id| why(story, *id)).collect();
    let rests = if cites.is_empty() { String::new() } else { format!(" Rests on {}.", words::list(&cites)) };
    doc.para(&format!("{}{rests}", words::sentence(&escape::short(&a.rationale, 400))));
    let mut items = vec![
        format!("Acts on {}", escape::code(&escape::cut(&a.target, 120))),
        format!("Downtime: {}", escape::short(if a.downtime.is_empty() { "not stated" } else { &a.downtime }, 200)),
        format!(
            "Can be undone: {}. Running it twice {}. If it fails, {}; it counts as failed after {} s",
            undo(a.reversibility),
            if a.idempotent { "does the same as once" } else { "is not the same as once" },
            on_failure(a.on_failure),
            a.timeout_s
        ),
        format!("Confidence that it helps: {}", a.confidence),
    ];
    if !a.depends_on.is_empty() {
        let on: Vec<String> = a.depends_on.iter().map(|d| escape::code(&escape::cut(d, 60))).collect();
        items.push(format!("Only after {}", words::list(&on)));
    }
    items.extend(a.preconditions.iter().map(|c| check("Before", c)));
    items.extend(a.verify.iter().map(|c| check("Verify", c)));
    doc.list(&items);
}

fn command(a: &Action) -> String {
    match &a.shell {
        Some(shell) if a.argv.is_empty() => shell.clone(),
        _ => escape::shell_line(&a.argv),
    }
}

fn why(story: &Story<'_>, id: crate::model::Id<crate::model::Hypothesis>) -> String {
    let name = words::hypothesis_name(id);
    let h = story.diagnosis().and_then(|d| d.hypotheses.get(id));
    let title = h.map_or("not recorded".to_owned(), |h| escape::short(h.title.trim_end_matches('.'), 100));
    format!("{name} ([{title}](#root-cause))")
}

fn check(when: &str, c: &Check) -> String {
    let expect = match &c.expect {
        Expect::Success => "succeeds".to_owned(),
        Expect::Failure => "fails".to_owned(),
        Expect::Prints(text) => format!("prints {}", escape::code(&escape::cut(text, 80))),
        Expect::Has(line) => format!("prints a line {}", escape::code(&escape::cut(line, 80))),
        Expect::Lacks(line) => format!("prints no line {}", escape::code(&escape::cut(line, 80))),
    };
    let within = if c.within_s > 0 { format!(" within {} s", c.within_s) } else { String::new() };
    let command = escape::code(&escape::cut(&escape::shell_line(&c.argv), 240));
    format!("{when}: {}: {command} {expect}{within}", escape::short(c.title.trim_end_matches('.'), 160))
}

fn undo(r: Reversibility) -> &'static str {
    match r {
        Reversibility::Full => "fully",
        Reversibility::Partial => "in part",
        Reversibility::None => "**no**",
    }
}

fn on_failure(f: OnFailure) -> &'static str {
    match f {
        OnFailure::Abort => "the plan stops",
        OnFailure::Continue => "the plan goes on",
        OnFailure::Rollback => "the plan is rolled back",
    }
}

fn risk(doc: &mut Doc, story: &Story<'_>, plan: &FixPlan) {
    doc.heading(2, "Risk");
    let Some(r) = story.risk_of(plan) else {
        doc.para("**Not assessed.** No assessment of exactly this plan is there; treat it as dangerous.");
        return;
    };
    let hit: Vec<String> = r.categories.iter().map(|c| summary::category(*c).to_owned()).collect();
    let hit = if hit.is_empty() { "nothing".to_owned() } else { words::list(&hit) };
    doc.para(&format!(
        "**{}**: {}. Could hit: {hit}. Judged by the commands themselves, not by what the plan says of them.",
        words::capital(summary::level(r.level)),
        summary::verdict(r.verdict)
    ));
    let rows: Vec<[String; 4]> = r.actions.iter().map(risk_row).collect();
    doc.table(["Step", "Risk", "Rules that fired", "Not resolved"], &rows);
    let cut: u32 = r.actions.iter().filter_map(|a| a.connections).fold(0, u32::saturating_add);
    if r.actions.iter().any(|a| a.connections.is_some()) {
        doc.para(&format!("Open connections that it cuts, counted while it was assessed: {cut}."));
    }
    rehearsal(doc, story, r);
    if !r.blast_radius.is_empty() {
        doc.para("Blast radius:");
        doc.list(&r.blast_radius.iter().take(12).map(|b| words::sentence(&escape::short(b, 240))).collect::<Vec<_>>());
    }
}

fn risk_row(a: &ActionRisk) -> [String; 4] {
    let rules = a.rules.iter().take(6).map(|r| {
        let words: Vec<String> = r.words.iter().take(4).map(|w| escape::code(&escape::cut(w, 60))).collect();
        let at = if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) };
        format!("{}{at}: {}", escape::code(&escape::cut(&r.rule, 60)), escape::short(&r.why, 160))
    });
    let rules = rules.collect::<Vec<_>>().join("; ");
    let unresolved = a.unresolved.iter().take(4).map(|u| escape::short(u, 160)).collect::<Vec<_>>().join("; ");
    [
        escape::code(&escape::cut(&a.action, 60)),
        format!("{}, {}", summary::level(a.level), summary::verdict(a.verdict)),
        if rules.is_empty() { "none".into() } else { rules },
        if unresolved.is_empty() { "nothing".into() } else { unresolved },
    ]
}

fn rehearsal(doc: &mut Doc, story: &Story<'_>, r: &RiskAssessment) {
    let mut items: Vec<String> = Vec::new();
    for a in &r.actions {
        for s in a.simulated.iter().take(6) {
            let command = escape::code(&escape::cut(&escape::shell_line(&s.argv), 160));
            let said = if s.passed { "passed" } else { "**did not pass**" };
            let answer = story.answer_link(s.answer);
            items.push(format!("Dry run {command}: {said}: {} ({answer})", escape::short(&s.shows, 200)));
        }
        items.extend(a.not_simulated.iter().take(6).map(|n| format!("No dry run: {}", escape::short(n, 240))));
    }
    if items.is_empty() {
        items.push("There was no dry run.".to_owned());
    }
    doc.list(&items);
    if let Some(rehearsed) = &r.rehearsed {
        sandboxed(doc, rehearsed);
    }
}

/// What the plan did in a sandbox on the target.
fn sandboxed(doc: &mut Doc, r: &Rehearsed) {
    if let Some(why) = &r.unable {
        doc.para(&format!("**Not rehearsed** in a sandbox: {}.", escape::short(why.trim_end_matches('.'), 300)));
        return;
    }
    let failed = r.steps.iter().filter(|s| !s.passed).count();
    doc.para(&match failed {
        0 => "**Rehearsed** in a sandbox on the target; every command succeeded there, and nothing was changed:"
            .to_owned(),
        n => format!("**Rehearsed** in a sandbox on the target; {n} of {} commands failed there:", r.steps.len()),
    });
    let mut items: Vec<String> = Vec::new();
    for s in r.steps.iter().filter(|s| !s.passed).take(6) {
        let said = s.output.lines().next().map(|l| format!(": {}", escape::short(l, 160))).unwrap_or_default();
        let command = escape::code(&escape::cut(&escape::shell_line(&s.argv), 160));
        items.push(format!("{command}: {}{said}", escape::short(&s.ended, 60)));
    }
    items.extend(r.changes.iter().take(20).map(|c| {
        let kind = match c.kind {
            FileChangeKind::Deleted => "deletes",
            FileChangeKind::Modified => "changes",
            FileChangeKind::Added => "adds",
            FileChangeKind::Metadata => "changes mode or owner of",
        };
        format!("It {kind} {} ({})", escape::code(&escape::cut(&c.path, 160)), escape::short(&c.detail, 120))
    }));
    let more = r.changes.len().saturating_sub(20) as u64 + r.changes_beyond;
    if more > 0 {
        items.push(format!("and changes {more} more files"));
    }
    if r.changes.is_empty() {
        items.push("It changes no file".to_owned());
    }
    items.extend(
        r.would_run
            .iter()
            .take(12)
            .map(|argv| format!("It would run {}", escape::code(&escape::cut(&escape::shell_line(argv), 160)))),
    );
    items.extend(r.limits.iter().take(8).map(|l| format!("Limit: {}", escape::short(l, 300))));
    doc.list(&items);
    for c in r.changes.iter().filter(|c| c.diff.is_some()).take(5) {
        doc.para(&format!("Change of {}:", escape::code(&escape::cut(&c.path, 160))));
        doc.block(&escape::fence("diff", c.diff.as_deref().unwrap_or_default()));
    }
}

fn rollback(doc: &mut Doc, plan: &FixPlan) {
    doc.heading(2, "Rollback plan");
    let mut said = false;
    for (i, a) in plan.actions.iter().enumerate().rev() {
        let commands = |all: &[Vec<String>]| all.iter().map(|c| escape::shell_line(c)).collect::<Vec<_>>().join("\n");
        if !a.backup.is_empty() {
            doc.para(&format!("Before step {}, save what it changes:", i + 1));
            doc.block(&escape::fence("sh", &commands(&a.backup)));
        }
        if !a.rollback.is_empty() {
            doc.para(&format!("Undo step {}:", i + 1));
            doc.block(&escape::fence("sh", &commands(&a.rollback)));
        } else if a.reversibility != Reversibility::Full {
            doc.para(&format!(
                "Step {} cannot be undone by a command; approve it only when that is acceptable.",
                i + 1
            ));
        } else {
            continue;
        }
        said = true;
    }
    if !said {
        doc.para("No step leaves anything behind that would have to be undone.");
    }
}

/// The fix in one line, as raw text; `None` where there is none to name.
pub(super) fn in_one_line(story: &Story<'_>) -> Option<String> {
    let plan = story.plan().filter(|_| story.outcome != Outcome::Healthy)?;
    match plan.actions.as_slice() {
        [] => plan.next_questions.first().map(|q| format!("none proposed; next: {q}")),
        [one] => Some(format!("{}: {}", plan.summary.trim_end_matches('.'), command(one))),
        all => Some(format!("{} ({} steps)", plan.summary.trim_end_matches('.'), all.len())),
    }
}
