//! What was affected, and why: impact, root cause, what else was considered, and what could not be seen.

use super::{
    doc::Doc,
    escape,
    story::{Outcome, Story},
    words,
};
use crate::model::{
    Basis, Change, Culprit, Diagnosis, Evidence, Finding, Gap, Hypothesis, Id, LogChange, Past, Signal,
};

/// What is shown of long lists.
const MOST: usize = 8;

pub(super) fn impact(doc: &mut Doc, story: &Story<'_>) {
    doc.heading(2, "Impact");
    let items: Vec<String> = story.key.iter().take(MOST).map(|(id, f)| affected(story, *id, f)).collect();
    if items.is_empty() {
        doc.para("No finding shows an effect on the host.");
    }
    doc.list(&items);
    if story.key.len() > MOST {
        doc.para(&format!("And {} more, see [Findings](#findings).", story.key.len() - MOST));
    }
    if !story.has_service_metrics() {
        doc.para(
            "Not measured: the effect on users. No metric of a service itself (requests, errors, latency) was among \
             the evidence.",
        );
    }
}

impl Story<'_> {
    /// Whether any metric comes from an application rather than from the host.
    pub(super) fn has_service_metrics(&self) -> bool {
        let hosts = |name: &str| name.starts_with("system.") || name.starts_with("process.");
        self.observation().is_some_and(|o| o.series().any(|(_, s)| !hosts(&s.name)))
    }
}

fn affected(story: &Story<'_>, id: Id<Finding>, f: &Finding) -> String {
    let link = story.finding_link(id);
    let trend = matches!(&f.signal, Signal::Metric { change: Change::TrendUp | Change::TrendDown, .. });
    let at = if trend { "from" } else { "at" };
    let since = f.onset.map_or(String::new(), |t| format!(" {at} {}", t.time_of_day()));
    match &f.signal {
        Signal::Metric { name, attributes, change, .. } => {
            let what = escape::short(&words::labelled(name, attributes), 100);
            let verb = words::change(*change);
            let values = story.measured(f).map_or(String::new(), |m| format!(": {m}"));
            format!(
                "**{what}** {verb}{since}{}{}{} ({link})",
                escape::short(&values, 80),
                peak(story, f),
                until(story, *change)
            )
        }
        Signal::Log { template, change, count, .. } => {
            let what = match change {
                LogChange::Silence => "log records that used to come stopped".to_owned(),
                _ => words::count(usize::try_from(*count).unwrap_or(usize::MAX), "log record"),
            };
            format!(
                "**{}** ({}){since}: {} ({link})",
                words::capital(&what),
                words::log_change(*change),
                escape::code(&escape::cut(template, 120))
            )
        }
        Signal::Other { .. } => format!("{}{since} ({link})", escape::short(&f.summary, 200)),
    }
}

/// The extreme of the observed window, where it says more than the typical value.
fn peak(story: &Story<'_>, f: &Finding) -> String {
    let (Signal::Metric { after, change, .. }, Some(series), Some(seen)) =
        (&f.signal, story.series_of(f), story.observation())
    else {
        return String::new();
    };
    let values = series.samples().filter(|(t, _)| seen.observed.contains(t)).map(|(_, v)| v);
    let (word, extreme) = match change {
        Change::LevelUp | Change::TrendUp | Change::Saturated | Change::Spike => {
            ("peak", values.max_by(f64::total_cmp))
        }
        Change::LevelDown | Change::TrendDown | Change::Dip => ("low", values.min_by(f64::total_cmp)),
        Change::Missing | Change::VarianceUp | Change::VarianceDown | Change::Flatline => return String::new(),
    };
    let beyond = |v: f64| (v - after).abs() > after.abs() * 0.01 && (v > *after) == (word == "peak");
    match extreme {
        Some(v) if beyond(v) => format!(", {word} {}", escape::short(&crate::chart::human(v, &series.unit), 40)),
        _ => String::new(),
    }
}

/// Whether the change lasted as long as we looked.
fn until(story: &Story<'_>, change: Change) -> &'static str {
    let lasting = !matches!(change, Change::Spike | Change::Dip);
    if lasting && story.observation().is_some() { ", until the end of the observation" } else { "" }
}

pub(super) fn root_cause(doc: &mut Doc, story: &Story<'_>) {
    doc.heading(2, "Root cause");
    let Some(d) = story.diagnosis() else {
        doc.para("No diagnosis was made.");
        limits(doc, story, &[]);
        return;
    };
    let title = escape::short(&super::summary::headline(story), 160);
    match story.outcome {
        Outcome::Fault => {
            doc.para(&format!("**{title}** ({}), confidence **{}**.", escape::code(d.verdict.id()), d.confidence));
        }
        _ => doc.para(&format!(
            "**Not known.** That something is wrong for a reason that is not among the known faults, or cannot be \
             told from them, has a probability of {}.",
            d.confidence
        )),
    }
    if let Some(c) = &d.culprit {
        culprit(doc, story, c);
    }
    why(doc, story);
    changes(doc, story, d);
    seen_before(doc, d);
    considered(doc, story, d);
    reasoning(doc, d);
    limits(doc, story, &d.limits);
}

fn culprit(doc: &mut Doc, story: &Story<'_>, c: &Culprit) {
    let links = story.basis_links(&c.basis);
    let named_by = if links.is_empty() { String::new() } else { format!(" Named by {}.", words::list(&links)) };
    let name = escape::code(&escape::cut(&words::entity(&c.entity), 160));
    doc.para(&format!("Culprit: {name}. {}{named_by}", words::sentence(&escape::short(&c.summary, 300))));
    let details = c.entity.attributes.iter().map(|(k, v)| [escape::short(k, 60), escape::code(&escape::cut(v, 200))]);
    doc.table(["Culprit's", "Value"], &details.collect::<Vec<_>>());
}

fn why(doc: &mut Doc, story: &Story<'_>) {
    let Some(h) = story.leading().filter(|h| !h.basis.is_empty()) else { return };
    doc.para("What speaks for it:");
    let mut items: Vec<String> = Vec::new();
    for b in &h.basis {
        let item = match b {
            Basis::Finding(id) => {
                let said = story
                    .incident
                    .findings
                    .get(*id)
                    .map_or("not recorded".to_owned(), |f| escape::short(&f.summary, 240));
                format!("{}: {said}", story.finding_link(*id))
            }
            Basis::Answer(id) => {
                let asked = story.answer(*id).map_or("not recorded".to_owned(), |a| {
                    format!(
                        "the answer to {} ({})",
                        escape::code(&escape::cut(&a.ask.to_string(), 120)),
                        escape::text(&words::ended(&a.end))
                    )
                });
                format!("{}: {asked}", story.answer_link(*id))
            }
        };
        if !items.contains(&item) {
            items.push(item);
        }
    }
    doc.list(&items);
}

/// What was changed shortly before the trouble began.
fn changes(doc: &mut Doc, story: &Story<'_>, d: &Diagnosis) {
    if d.changes.is_empty() {
        return;
    }
    doc.heading(3, "What was changed before");
    doc.para("Within two hours before it began. A change is no cause by itself, and it is where to look first.");
    let rows: Vec<[String; 4]> = d
        .changes
        .iter()
        .map(|c| {
            [
                c.at.time_of_day(),
                escape::short(&c.kind, 20),
                escape::code(&escape::cut(&c.what, 160)),
                if c.about_culprit {
                    format!("about the culprit ({})", story.answer_link(c.basis))
                } else {
                    String::new()
                },
            ]
        })
        .collect();
    doc.table(["At", "Kind", "What", ""], &rows);
}

/// What earlier incidents of this target say, and how far they moved the belief.
fn seen_before(doc: &mut Doc, d: &Diagnosis) {
    let Some(h) = d.history.as_ref().filter(|h| !h.same.is_empty() || h.prior.is_some()) else { return };
    doc.heading(3, "Seen before");
    let earlier = words::count(h.incidents as usize, "earlier incident");
    let same = if h.same.is_empty() { "none".to_owned() } else { h.same.len().to_string() };
    doc.para(&format!("{earlier} of this target, {same} with this cause."));
    let row = |p: &Past| {
        let outcome = match &p.confirmed {
            Some(_) => "confirmed".to_owned(),
            None => format!("named ({})", p.confidence),
        };
        let culprit = p.culprit.as_deref().map_or(String::new(), |c| escape::short(c, 120));
        let id = p.id.as_str();
        [format!("[{id}](../{id}/report.md)"), escape::text(&p.began.to_string()), outcome, culprit]
    };
    doc.table(["Incident", "Began", "This cause was", "Culprit then"], &h.same.iter().map(row).collect::<Vec<_>>());
    if let Some((without, with)) = h.prior {
        doc.para(&format!(
            "What people confirmed of them counts ({}): before anything was looked at this made the cause likely to \
             {:.1} %, in place of {:.1} %.",
            escape::text(&h.counts()),
            100.0 * with,
            100.0 * without,
        ));
    }
}

/// The other explanations; those without a chance are only counted.
fn considered(doc: &mut Doc, story: &Story<'_>, d: &Diagnosis) {
    let others: Vec<(Id<Hypothesis>, &Hypothesis)> =
        d.hypotheses.iter().filter(|(_, h)| h.verdict != d.verdict).collect();
    if others.is_empty() {
        return;
    }
    doc.heading(3, "What else was considered");
    let shown = others.iter().filter(|(_, h)| h.posterior.get() >= 0.005).count().clamp(3, MOST).min(others.len());
    let rows: Vec<[String; 4]> = others[..shown]
        .iter()
        .map(|(id, h)| {
            let speaks_for = story.basis_links(&h.basis);
            let against: Vec<String> = h.against.iter().take(4).map(|a| escape::short(a, 200)).collect();
            [
                format!("{} {}", words::hypothesis_name(*id), escape::short(&h.title, 100)),
                probability(h),
                if speaks_for.is_empty() { "nothing found".into() } else { speaks_for.join(", ") },
                if against.is_empty() { "not recorded".into() } else { against.join("; ") },
            ]
        })
        .collect();
    doc.table(["Explanation", "Probability", "For", "Against"], &rows);
    let rest = &others[shown..];
    if let Some((_, most)) = rest.iter().max_by(|(_, a), (_, b)| a.posterior.get().total_cmp(&b.posterior.get())) {
        let below =
            if most.posterior.get() < 0.01 { "less than 1 %".into() } else { format!("at most {}", most.posterior) };
        let (n, each) = (words::count(rest.len(), "other explanation"), if rest.len() > 1 { " each" } else { "" });
        doc.para(&format!("{n} with {below}{each}."));
    }
}

fn probability(h: &Hypothesis) -> String {
    if h.posterior.get() < 0.01 { "< 1 %".to_owned() } else { h.posterior.to_string() }
}

fn reasoning(doc: &mut Doc, d: &Diagnosis) {
    const STEPS: usize = 12;
    if d.steps.is_empty() {
        return;
    }
    doc.heading(3, "How the conclusion was reached");
    let rows: Vec<[String; 3]> = d
        .steps
        .iter()
        .take(STEPS)
        .map(|s| {
            let after = s
                .posterior
                .iter()
                .take(2)
                .map(|(id, p)| format!("{} {}", escape::short(id, 60), crate::model::Confidence::new(*p)));
            [escape::short(&s.what, 80), escape::short(&s.note, 200), after.collect::<Vec<_>>().join(", ")]
        })
        .collect();
    doc.table(["Taken into account", "What it says", "Leading explanations then"], &rows);
    if d.steps.len() > STEPS {
        doc.para(&format!("{} more steps are in `incident.json`.", d.steps.len() - STEPS));
    }
}

/// What could not be seen, asked or done.
pub(super) fn limits(doc: &mut Doc, story: &Story<'_>, said: &[String]) {
    let mut items: Vec<String> = Vec::new();
    let mut add = |item: String| {
        if !items.contains(&item) {
            items.push(item);
        }
    };
    for l in said {
        add(words::sentence(&escape::short(l, 300)));
    }
    if let Some(seen) = story.observation() {
        for l in &seen.facts.limits {
            add(words::sentence(&escape::short(l, 300)));
        }
        if seen.baseline.is_none() {
            add("There was no baseline: nothing is known of how the host usually is.".to_owned());
        }
        for line in gap_lines(seen.evidence.iter()) {
            add(line);
        }
    }
    for e in &story.incident.errors {
        add(format!("Failed on the way: {}", words::sentence(&escape::short(e, 300))));
    }
    if items.is_empty() {
        return;
    }
    doc.heading(3, "What could not be seen");
    let more = items.len().saturating_sub(12);
    items.truncate(12);
    if more > 0 {
        items.push(format!("And {more} more, in `incident.json`."));
    }
    doc.list(&items);
}

/// Gaps of many series with one cause are one line.
fn gap_lines<'a>(evidence: impl Iterator<Item = (Id<Evidence>, &'a Evidence)>) -> Vec<String> {
    let mut groups: Vec<(&Gap, &str, String, usize)> = Vec::new();
    for (_, e) in evidence {
        for gap in &e.gaps {
            let why = gap.why.to_string();
            match groups.iter().position(|(g, s, w, _)| g.span == gap.span && *s == e.source && *w == why) {
                Some(known) => groups[known].3 += 1,
                None if groups.len() < 20 => groups.push((gap, &e.source, why, 1)),
                None => {}
            }
        }
    }
    let line = |(gap, source, why, n): &(&Gap, &str, String, usize)| {
        let many = if *n > 1 { format!(" ({n} series)") } else { String::new() };
        format!(
            "Nothing from {}{many} between {} and {}: {}",
            escape::code(&escape::cut(source, 100)),
            gap.span.start.time_of_day(),
            gap.span.end.time_of_day(),
            words::sentence(&escape::short(why, 200))
        )
    };
    groups.iter().map(line).collect()
}
