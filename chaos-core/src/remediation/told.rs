//! `applied.md`: what was done, and what became of it, for a person.

use std::fmt::Write;

use crate::{
    agents::escape_text,
    chart::human,
    model::{Applied, Compared, Ending, IncidentId, StepKind},
};

/// The account of a plan that was applied, as Markdown.
#[must_use]
pub fn applied_md(id: &IncidentId, applied: &Applied) -> String {
    format!("# {id}: {}\n\n{}", applied.ending.as_str(), account(applied, "##"))
}

/// The report of an incident with what was done about it: a line below its title, and the account as its last section.
#[must_use]
pub fn report_with(report: &str, applied: &Applied) -> String {
    let (title, rest) = report.split_once('\n').unwrap_or((report, ""));
    let ending = applied.ending.as_str();
    format!(
        "{title}\n\n**Since this was written a plan was applied: {ending}.** See [What was done](#what-was-done).\n{rest}\n## What was done\n\n\
         **{}**: {}",
        ending[..1].to_uppercase() + &ending[1..],
        account(applied, "###")
    )
}

/// What was done, below headings of this depth and deeper.
fn account(applied: &Applied, heading: &str) -> String {
    let a = &applied.approval;
    let mut out = String::new();
    let _ = writeln!(out, "{}.\n", escape_text(&applied.why));
    let _ = writeln!(out, "| | |\n|---|---|");
    let until = a.expires_at;
    for (what, value) in [
        ("Plan", format!("`{}`", a.plan_sha256)),
        ("Approved", format!("by {}, {}, until {until}", escape_text(&a.approver), a.at)),
        ("Reason", escape_text(&a.reason)),
        ("Applied", format!("{} to {}", applied.began, applied.ended)),
        (
            "In force",
            if applied.in_force.is_empty() { "nothing".into() } else { escape_text(&applied.in_force.join(", ")) },
        ),
    ] {
        let _ = writeln!(out, "| {what} | {value} |");
    }
    if !applied.by_hand.is_empty() {
        let _ = writeln!(out, "\n{heading} To do by hand\n");
        for line in &applied.by_hand {
            let _ = writeln!(out, "- {}", escape_text(line));
        }
    }
    if !applied.compared.is_empty() {
        let _ =
            writeln!(out, "\n{heading} Before and after\n\n| What | Usually | Then | Now | |\n|---|---|---|---|---|");
        applied.compared.iter().for_each(|c| out.push_str(&row(c)));
    } else if matches!(applied.ending, Ending::Resolved | Ending::NotResolved) {
        let _ = writeln!(
            out,
            "\nNothing of what was abnormal can be measured again: the checks of the plan are all there is."
        );
    }
    let _ = writeln!(out, "\n{heading} Every command\n\n| At | Of | Command | Ended | |\n|---|---|---|---|---|");
    for step in &applied.steps {
        let kind = match step.kind {
            StepKind::Precondition => "must hold before",
            StepKind::Backup => "saves",
            StepKind::Action => "**does**",
            StepKind::Verify => "must hold after",
            StepKind::Rollback => "**undoes**",
        };
        let argv: Vec<String> = step.argv.iter().map(|w| crate::agents::shell_quote(w)).collect();
        let _ = writeln!(
            out,
            "| {} | {}: {kind} | {} | {} | {} |",
            step.at.time_of_day(),
            escape_text(&step.action),
            escape_text(&argv.join(" ")),
            escape_text(&step.ended),
            if step.passed { "✓" } else { "✗" },
        );
    }
    out
}

fn row(c: &Compared) -> String {
    let shown = |v: f64| if c.unit == "/min" { format!("{v:.1} a minute") } else { human(v, &c.unit) };
    format!(
        "| {} | {} | {} | {} | {} |\n",
        escape_text(&c.what),
        c.usual.map_or("not known".to_owned(), shown),
        shown(c.then),
        c.now.map_or("gone".to_owned(), shown),
        match (c.back, c.demand) {
            (true, _) => "✓ as usual",
            (false, true) => "so much is asked",
            (false, false) => "✗",
        },
    )
}
