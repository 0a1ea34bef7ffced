//! What everything rests on: charts, findings, the log lines they cite, and what the target answered.

use std::{collections::BTreeSet, time::Duration};

use super::{
    doc::Doc,
    escape,
    story::{Story, score},
    words,
};
use crate::model::{Answer, Basis, Body, Citation, Entity, Finding, Id, LogLine, Logs, Signal};

const TABLE_ROWS: usize = 60;
const EXCERPT_LINES: usize = 8;
const EXCERPT_WIDTH: usize = 240;
const ANSWERS: usize = 12;
const ANSWER_LINES: usize = 15;
/// What began together more likely by chance than this is not worth a word.
const LIKELY: f64 = 0.25;
const MOST_TOGETHER: usize = 3;

pub(super) fn write(doc: &mut Doc, story: &Story<'_>) {
    doc.heading(2, "Evidence");
    doc.para(&super::summary::looked_at(story));
    charts(doc, story);
    findings(doc, story);
    answers(doc, story);
}

fn charts(doc: &mut Doc, story: &Story<'_>) {
    if story.charts.is_empty() {
        return;
    }
    doc.heading(3, "Charts");
    for chart in &story.charts {
        doc.heading(4, &format!("Chart: {}", chart.title));
        let links: Vec<String> = chart.findings.iter().map(|id| story.finding_link(*id)).collect();
        doc.para(&format!("![{}](artifacts/{})", chart.title, chart.file()));
        doc.para(&format!("Shows {}.", words::list(&links)));
    }
}

fn findings(doc: &mut Doc, story: &Story<'_>) {
    doc.heading(3, "Findings");
    if story.incident.findings.is_empty() {
        doc.para(if story.is_complete() { "Nothing abnormal was found." } else { "None by the time the run ended." });
        return;
    }
    let mut ranked: Vec<_> = story.incident.findings.iter().collect();
    ranked.sort_by(|(a, f), (b, g)| score(g).total_cmp(&score(f)).then(a.cmp(b)));
    let rows: Vec<[String; 5]> = ranked
        .iter()
        .take(TABLE_ROWS)
        .map(|(id, f)| {
            [
                story.finding_link(*id),
                escape::short(&f.summary, 200),
                format!("{:.2}", score(f)),
                f.onset.map_or("not known".into(), |t| t.time_of_day()),
                cited(story, f),
            ]
        })
        .collect();
    doc.table(["Finding", "What", "Score", "Onset", "Evidence"], &rows);
    if ranked.len() > TABLE_ROWS {
        doc.para(&format!("{} more are in `incident.json`.", ranked.len() - TABLE_ROWS));
    }
    for (id, f) in story.incident.findings.iter().filter(|(id, _)| story.detailed.contains(&id.index())) {
        detail(doc, story, id, f);
    }
}

/// What a healthy host's report says of findings: they were seen, and are part of its usual life.
pub(super) fn minor(doc: &mut Doc, story: &Story<'_>) {
    doc.heading(2, "What stood out all the same");
    let items = story.incident.findings.iter().take(12).map(|(id, f)| {
        format!("{} {} (score {:.2})", words::finding_name(id), escape::short(&f.summary, 200), score(f))
    });
    doc.list(&items.collect::<Vec<_>>());
    doc.para("None of it is taken to be a fault.");
}

/// The cited sources, shortly: `E3` for a metric, `E7 lines 3 to 9` for a log.
fn cited(story: &Story<'_>, f: &Finding) -> String {
    let mut out: Vec<String> = f
        .cites
        .iter()
        .take(4)
        .map(|c| {
            let source = story.observation().and_then(|o| o.evidence.get(c.evidence)).map_or("", |e| e.source.as_str());
            format!("{} {}", words::evidence_name(c.evidence), escape::code(&escape::cut(source, 50)))
        })
        .collect();
    out.extend(f.answers.iter().take(4).map(|id| story.answer_link(*id)));
    out.dedup();
    if f.cites.len() > 4 {
        out.push(format!("{} more", f.cites.len() - 4));
    }
    out.join(", ")
}

fn detail(doc: &mut Doc, story: &Story<'_>, id: Id<Finding>, f: &Finding) {
    doc.heading(4, &words::finding_name(id));
    doc.para(&format!("**{}**", escape::short(&f.summary, 240)));
    let mut said: Vec<String> = vec![format!("About {}", about(&f.entity))];
    match &f.signal {
        Signal::Metric { name, attributes, change, .. } => {
            let values = story.measured(f).map_or(String::new(), |m| format!(", {m}"));
            let attributes: Vec<String> = attributes.iter().map(|(k, v)| format!("{k}={v}")).collect();
            let of = if attributes.is_empty() {
                String::new()
            } else {
                format!(" ({})", escape::code(&escape::cut(&attributes.join(", "), 120)))
            };
            said.push(format!(
                "{}{of} {}{}",
                escape::code(&escape::cut(name, 100)),
                words::change(*change),
                escape::short(&values, 80)
            ));
        }
        Signal::Log { change, count, level, .. } => {
            let level = level.map_or(String::new(), |l| format!(", level {}", l.as_str()));
            said.push(format!(
                "{} ({}){level}",
                words::count(usize::try_from(*count).unwrap_or(usize::MAX), "record"),
                words::log_change(*change)
            ));
        }
        Signal::Other { name } => said.push(format!("signal {}", escape::code(&escape::cut(name, 100)))),
    }
    said.push(format!("score {:.2}", score(f)));
    said.extend(f.onset.map(|t| format!("onset {}", words::moment(t))));
    if !f.agent.as_str().is_empty() {
        said.push(format!("found by {}", escape::short(f.agent.as_str(), 60)));
    }
    doc.para(&format!("{}.", said.join("; ")));
    let with = began_with(story, id);
    if !with.is_empty() {
        doc.para(&format!("Began {}.", words::list(&with)));
    }
    let charts: Vec<String> =
        story.charts_of.get(&id.index()).into_iter().flatten().map(|c| story.charts[*c].link()).collect();
    if !charts.is_empty() {
        doc.para(&format!("Chart: {}.", words::list(&charts)));
    }
    for cite in f.cites.iter().take(4) {
        cite_block(doc, story, cite);
    }
}

/// Metrics that changed when a log finding began, where that is not likely by chance.
fn began_with(story: &Story<'_>, id: Id<Finding>) -> Vec<String> {
    let pairs = story.together.iter().filter(|p| p.log == id && p.by_chance < LIKELY);
    let mut told: Vec<(String, Vec<String>)> = Vec::new();
    for pair in pairs.take(MOST_TOGETHER) {
        let span = words::duration(Duration::from_millis(pair.lag_ms.unsigned_abs()));
        let how = match pair.first() {
            None => "together with".to_owned(),
            Some(first) if first == pair.metric => format!("{span} after"),
            Some(_) => format!("{span} before"),
        };
        let link = story.finding_link(pair.metric);
        match told.last_mut().filter(|(last, _)| *last == how) {
            Some((_, links)) => links.push(link),
            None => told.push((how, vec![link])),
        }
    }
    told.into_iter().map(|(how, links)| format!("{how} {}", words::list(&links))).collect()
}

fn about(e: &Entity) -> String {
    let name = words::entity(e);
    if name == "the host" { name } else { escape::code(&escape::cut(&name, 120)) }
}

fn cite_block(doc: &mut Doc, story: &Story<'_>, cite: &Citation) {
    let Some(e) = story.observation().and_then(|o| o.evidence.get(cite.evidence)) else { return };
    let name = words::evidence_name(cite.evidence);
    let source = escape::code(&escape::cut(&e.source, 80));
    let (first, last) = (u64::from(cite.rows.start) + 1, cite.rows.end);
    match &e.body {
        Body::Metric(s) => {
            let what = escape::code(&escape::cut(&words::labelled(&s.name, &s.attributes), 100));
            doc.para(&format!("{name}: {what} from {source}, samples {first} to {last}."));
        }
        Body::Logs(logs) => {
            doc.para(&format!("{name}: {source}, kept lines {first} to {last}:"));
            doc.block(&escape::fence("text", &excerpt(logs, cite)));
        }
    }
}

/// The cited lines; of many the first and the last.
fn excerpt(logs: &Logs, cite: &Citation) -> String {
    let rows = cite.rows.start as usize..(cite.rows.end as usize).min(logs.lines.len());
    let lines = logs.lines.get(rows).unwrap_or(&[]);
    let mut out: Vec<String> = Vec::new();
    if lines.len() <= EXCERPT_LINES {
        out.extend(lines.iter().map(log_line));
    } else {
        let (head, tail) = (EXCERPT_LINES - 3, 2);
        out.extend(lines[..head].iter().map(log_line));
        out.push(format!("… {} more lines …", lines.len() - head - tail));
        out.extend(lines[lines.len() - tail..].iter().map(log_line));
    }
    out.join("\n")
}

fn log_line(line: &LogLine) -> String {
    let who = match (line.unit.as_deref().unwrap_or(""), line.pid) {
        ("", None) => String::new(),
        ("", Some(pid)) => format!("[{pid}] "),
        (unit, None) => format!("{unit}: "),
        (unit, Some(pid)) => format!("{unit}[{pid}]: "),
    };
    let level = line.level.map_or(String::new(), |l| format!("{} ", l.as_str()));
    let mut text = line.text.lines();
    let mut shown = escape::cut(text.next().unwrap_or(""), EXCERPT_WIDTH);
    for more in text.by_ref().take(3) {
        shown += &format!("\n    {}", escape::cut(more, EXCERPT_WIDTH));
    }
    let rest = text.count();
    if rest > 0 {
        shown += &format!("\n    … {rest} more lines of this record …");
    }
    format!("{} {level}{who}{shown}", line.at.time_of_day())
}

/// What the target answered: everything that is linked to, then others up to a limit.
fn answers(doc: &mut Doc, story: &Story<'_>) {
    let all = &story.incident.answers;
    if all.is_empty() {
        return;
    }
    let mut shown: BTreeSet<Id<Answer>> = linked(story);
    for (id, _) in all.iter() {
        if shown.len() < ANSWERS {
            shown.insert(id);
        }
    }
    doc.heading(3, "What the target answered");
    for id in shown {
        let Some(a) = all.get(id) else { continue };
        doc.heading(4, &words::answer_name(id));
        doc.para(&format!(
            "{} asked {} at {}: {}.",
            if a.agent.as_str().is_empty() { "Somebody".into() } else { escape::short(a.agent.as_str(), 60) },
            escape::code(&escape::cut(&a.ask.to_string(), 160)),
            a.at.time_of_day(),
            escape::text(&words::ended(&a.end))
        ));
        let both = [shorten(&a.stdout), shorten(&a.stderr)];
        let both: Vec<String> = both.into_iter().filter(|t| !t.is_empty()).collect();
        if !both.is_empty() {
            doc.block(&escape::fence("text", &both.join("\n")));
        }
    }
    if all.len() > ANSWERS {
        doc.para(&format!("All {} are in `incident.json`.", words::count(all.len(), "answer")));
    }
}

/// The answers to which some section links.
fn linked(story: &Story<'_>) -> BTreeSet<Id<Answer>> {
    let hypotheses = story.diagnosis().into_iter().flat_map(|d| d.hypotheses.iter().map(|(_, h)| h.basis.as_slice()));
    let culprit = story.diagnosis().and_then(|d| d.culprit.as_ref()).map(|c| c.basis.as_slice());
    let cited = hypotheses.chain(culprit).flatten().filter_map(|b| match b {
        Basis::Answer(id) => Some(*id),
        Basis::Finding(_) => None,
    });
    let risk = story.plan().and_then(|p| story.risk_of(p));
    let tried = risk.into_iter().flat_map(|r| &r.actions).flat_map(|a| &a.simulated).map(|s| s.answer);
    let asked = story.incident.findings.iter().flat_map(|(_, f)| f.answers.iter().take(4).copied());
    cited
        .chain(tried)
        .chain(asked)
        .chain(super::lessons::limits_not_set(story).into_iter().map(|(id, ..)| id))
        .collect()
}

fn shorten(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let mut out: Vec<String> = lines.iter().take(ANSWER_LINES).map(|l| escape::cut(l, EXCERPT_WIDTH)).collect();
    if lines.len() > ANSWER_LINES {
        out.push(format!("… {} more lines …", lines.len() - ANSWER_LINES));
    }
    out.join("\n")
}
