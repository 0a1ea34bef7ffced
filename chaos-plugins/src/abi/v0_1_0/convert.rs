//! From the model to version 0.1.0 and back. What comes from a plugin is checked here: whatever passes is a finding or
//! a plan that the pipeline can take like any other agent's, but for citations, which it checks itself.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Range,
};

use chaos_core::{
    agent::Diagnosed,
    error::{Error, ErrorKind, Result},
    model,
    model::{Confidence, FixPlan, Id, Observation, Timestamp},
    readonly::AllowList,
};

use serde::{
    Deserialize as _,
    de::{IntoDeserializer as _, value::U32Deserializer},
};

use super::types as abi;

/// Findings of one call, and actions of one plan.
const MOST_FINDINGS: usize = 500;
const MOST_ACTIONS: usize = 50;
/// Entries of any other list, and bytes of any text, that a plugin gives.
const MOST_ENTRIES: usize = 1000;
const LONGEST: usize = 8 * 1024;

// -- to a plugin

fn window(span: &Range<Timestamp>) -> abi::Window {
    abi::Window { start: span.start.0, end: span.end.0 }
}

macro_rules! same_cases {
    ($to:ident, $from:ident, $model:ident { $($case:ident),* $(,)? } $(else $other:ident)?) => {
        fn $to(value: model::$model) -> abi::$model {
            match value {
                $(model::$model::$case => abi::$model::$case,)*
                // A case that is newer than this version of the contract.
                $(_ => abi::$model::$other,)?
            }
        }
        fn $from(value: abi::$model) -> model::$model {
            match value { $(abi::$model::$case => model::$model::$case,)* }
        }
    };
}

same_cases!(level, model_level, Level { Trace, Debug, Info, Notice, Warning, Error, Critical, Alert, Emergency });
same_cases!(kind, model_kind, EntityKind {
    Host, Process, Unit, Filesystem, Directory, File, Device, Interface, Port, Log
} else Host);
same_cases!(log_change, model_log_change, LogChange {
    New, Burst, Silence, Severe, Repeated, OffBeat, Focused
} else Severe);

mod change {
    pub(super) use super::{abi::MetricChange as Abi, model::Change as Model};
}

macro_rules! changes {
    ($($case:ident),*) => {
        fn metric_change(value: change::Model) -> change::Abi {
            match value { $(change::Model::$case => change::Abi::$case,)* _ => change::Abi::LevelUp }
        }
        fn model_change(value: change::Abi) -> change::Model {
            match value { $(change::Abi::$case => change::Model::$case,)* }
        }
    };
}
changes!(LevelUp, LevelDown, Spike, Dip, TrendUp, TrendDown, Saturated, Missing, VarianceUp, VarianceDown, Flatline);

pub(super) fn observation(seen: &Observation) -> abi::Observation<'_> {
    let facts = &seen.facts;
    abi::Observation {
        facts: abi::Facts {
            live: facts.live,
            hostname: &facts.hostname,
            os: &facts.os,
            kernel: &facts.kernel,
            systemd: facts.systemd,
            root: facts.root,
            cpus: facts.cpus,
            memory_bytes: facts.memory_bytes,
            uptime_s: facts.uptime_s,
            tools: facts.tools.iter().map(String::as_str).collect(),
            limits: facts.limits.iter().map(String::as_str).collect(),
        },
        baseline: seen.baseline.as_ref().map(window),
        observed: window(&seen.observed),
        evidence: seen.evidence.iter().map(|(_, e)| evidence(e)).collect(),
    }
}

fn evidence(e: &model::Evidence) -> abi::Evidence<'_> {
    let body = match &e.body {
        model::Body::Logs(logs) => abi::Body::Logs(log_stream(logs)),
        model::Body::Metric(series) => abi::Body::Metric(abi::MetricSeries {
            name: &series.name,
            unit: &series.unit,
            attributes: series.attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect(),
            at: &series.at,
            values: &series.values,
        }),
        // A kind of evidence that is newer than this version keeps its place, so that positions stay right.
        _ => abi::Body::Logs(abi::LogStream::default()),
    };
    let gaps = e.gaps.iter().map(|g| abi::Gap { span: window(&g.span), why: g.why.to_string() }).collect();
    abi::Evidence { source: &e.source, body, gaps }
}

fn log_stream<'a>(logs: &'a model::Logs) -> abi::LogStream<'a> {
    let lines = &logs.lines;
    let mut texts = String::with_capacity(lines.iter().map(|line| line.text.len() + 1).sum());
    let mut units = Units::default();
    let text_end = |line: &model::LogLine| {
        push(&mut texts, &line.text);
        texts.push('\0');
        position(texts.len() - 1)
    };
    abi::LogStream {
        at: lines.iter().map(|line| line.at.0).collect(),
        levels: lines.iter().map(|line| line.level.map_or(0, |l| level(l) as u8 + 1)).collect(),
        writers: lines.iter().map(|line| line.unit.as_deref().map_or(0, |unit| units.position(unit) + 1)).collect(),
        pids: lines.iter().map(|line| line.pid.unwrap_or(0)).collect(),
        shapes: lines.iter().map(|line| line.pattern).collect(),
        text_ends: lines.iter().map(text_end).collect(),
        texts,
        units: units.names,
        patterns: logs
            .patterns
            .iter()
            .map(|p| abi::LogPattern {
                id: &p.id,
                template: &p.template,
                level: p.level.map(level),
                count: p.count,
                first: p.first.0,
                last: p.last.0,
                histogram: abi::Histogram {
                    start: p.histogram.start.0,
                    width_ms: p.histogram.width_ms,
                    counts: &p.histogram.counts,
                },
                rows: &p.rows,
            })
            .collect(),
        total_events: logs.total_lines,
    }
}

/// A text of several, without what ends one.
fn push(texts: &mut String, text: &str) {
    let mut from = 0;
    for at in memchr::memchr_iter(0, text.as_bytes()) {
        texts.push_str(&text[from..at]);
        texts.push(char::REPLACEMENT_CHARACTER);
        from = at + 1;
    }
    texts.push_str(&text[from..]);
}

/// What wrote the events of a stream, in the order in which each is seen first.
#[derive(Default)]
struct Units<'a> {
    names: Vec<&'a str>,
    places: HashMap<&'a str, u32>,
    last: u32,
}

impl<'a> Units<'a> {
    fn position(&mut self, name: &'a str) -> u32 {
        // Most events are of the one that wrote the event before.
        if self.names.get(self.last as usize) != Some(&name) {
            self.last = *self.places.entry(name).or_insert_with(|| {
                self.names.push(name);
                position(self.names.len() - 1)
            });
        }
        self.last
    }
}

pub(super) fn diagnosed(input: &Diagnosed) -> abi::Diagnosed<'_> {
    let diagnosis = &*input.diagnosis;
    abi::Diagnosed {
        seen: observation(&input.seen),
        findings: input.findings.iter().map(|(_, f)| finding(f)).collect(),
        answers: input.answers.iter().map(|(id, a)| answer(id.index(), a)).collect(),
        diagnosis: abi::Diagnosis {
            verdict: verdict(&diagnosis.verdict),
            title: &diagnosis.title,
            confidence: diagnosis.confidence.get(),
            culprit: diagnosis
                .culprit
                .as_ref()
                .map(|c| abi::Culprit { entity: entity(&c.entity), summary: &c.summary }),
            hypotheses: diagnosis
                .hypotheses
                .iter()
                .map(|(_, h)| abi::Hypothesis {
                    verdict: verdict(&h.verdict),
                    title: &h.title,
                    posterior: h.posterior.get(),
                    basis: h.basis.iter().map(basis).collect(),
                    against: h.against.iter().map(String::as_str).collect(),
                })
                .collect(),
            limits: diagnosis.limits.iter().map(String::as_str).collect(),
        },
    }
}

fn verdict(verdict: &model::Verdict) -> abi::Verdict<'_> {
    match verdict {
        model::Verdict::Healthy => abi::Verdict::Healthy,
        model::Verdict::Unknown => abi::Verdict::Unknown,
        model::Verdict::Fault(id) => abi::Verdict::Fault(&id.0),
    }
}

fn basis(basis: &model::Basis) -> abi::Basis {
    match basis {
        model::Basis::Finding(id) => abi::Basis::Finding(position(id.index())),
        model::Basis::Answer(id) => abi::Basis::Answer(position(id.index())),
    }
}

fn position(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

fn entity(e: &model::Entity) -> abi::Entity {
    let attributes = e.attributes.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
    abi::Entity { kind: kind(e.kind), name: e.name.clone(), attributes }
}

fn finding(f: &model::Finding) -> abi::Finding {
    let signal = match &f.signal {
        model::Signal::Metric { name, attributes, change, before, after } => abi::Signal::Metric(abi::MetricSignal {
            name: name.clone(),
            attributes: attributes.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
            change: metric_change(*change),
            before: *before,
            after: *after,
        }),
        model::Signal::Log { pattern, template, example, level: l, change, count } => {
            abi::Signal::Log(abi::LogSignal {
                pattern: pattern.clone(),
                template: template.clone(),
                example: example.clone(),
                level: l.map(level),
                change: log_change(*change),
                count: *count,
            })
        }
        model::Signal::Other { name } => abi::Signal::Other(name.clone()),
        _ => abi::Signal::Other(String::new()),
    };
    let rows = f.cites.iter().map(|c| {
        let evidence = position(c.evidence.index());
        abi::Citation::Rows(abi::Rows { evidence, start: c.rows.start, end: c.rows.end })
    });
    let answers = f.answers.iter().map(|id| abi::Citation::Answer(position(id.index())));
    abi::Finding {
        signal,
        entity: entity(&f.entity),
        summary: f.summary.clone(),
        score: f.score,
        onset: f.onset.map(|t| t.0),
        cites: rows.chain(answers).collect(),
    }
}

pub(super) fn answer(index: usize, a: &model::Answer) -> abi::Answer {
    abi::Answer {
        id: position(index),
        argv: match &a.ask {
            model::Ask::Run(command) => command.argv.clone(),
            other => vec![other.to_string()],
        },
        ended: match &a.end {
            model::End::Exited(code) => abi::Ending::Exited(*code),
            model::End::Signalled(signal) => abi::Ending::Signalled(*signal),
            model::End::Stopped | model::End::Failed(_) => abi::Ending::Broken,
        },
        stdout: a.stdout.clone(),
        stderr: a.stderr.clone(),
    }
}

// -- from a plugin

/// A position as it came; whoever follows it looks whether it is there.
fn id<T>(index: u32) -> Id<T> {
    let number: U32Deserializer<serde::de::value::Error> = index.into_deserializer();
    Id::deserialize(number).expect("an id is a number")
}

fn rubbish(what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::AgentFailed, format!("the plugin returned {what}"))
}

fn text(what: &str, text: String) -> Result<String> {
    if text.len() > LONGEST { Err(rubbish(format!("a {what} of more than {LONGEST} bytes"))) } else { Ok(text) }
}

fn line(what: &str, value: String) -> Result<String> {
    if value.trim().is_empty() { Err(rubbish(format!("an empty {what}"))) } else { text(what, value) }
}

fn few<T>(what: &str, most: usize, list: Vec<T>) -> Result<Vec<T>> {
    if list.len() > most { Err(rubbish(format!("more than {most} {what}"))) } else { Ok(list) }
}

fn unit(what: &str, value: f64) -> Result<f64> {
    if (0.0..=1.0).contains(&value) { Ok(value) } else { Err(rubbish(format!("a {what} of {value}, want 0 to 1"))) }
}

fn finite(what: &str, value: f64) -> Result<f64> {
    if value.is_finite() { Ok(value) } else { Err(rubbish(format!("a {what} that is no number"))) }
}

/// What a plugin found; `asked` are the answers that it got in this call.
pub(super) fn model_findings(found: Vec<abi::Finding>, asked: &[Id<model::Answer>]) -> Result<Vec<model::Finding>> {
    few("findings", MOST_FINDINGS, found)?.into_iter().map(|f| model_finding(f, asked)).collect()
}

fn model_finding(f: abi::Finding, asked: &[Id<model::Answer>]) -> Result<model::Finding> {
    let mut cites = Vec::new();
    let mut answers = Vec::new();
    for cite in few("citations", MOST_ENTRIES, f.cites)? {
        match cite {
            // Whether it is there is for the pipeline to see, as with any agent.
            abi::Citation::Rows(rows) => {
                cites.push(model::Citation { evidence: id(rows.evidence), rows: rows.start..rows.end });
            }
            abi::Citation::Answer(index) => match asked.iter().find(|id| id.index() == index as usize) {
                Some(id) => answers.push(*id),
                None => {
                    return Err(Error::new(
                        ErrorKind::DanglingCitation,
                        format!("the plugin cites answer {index}, which it did not ask for in this call"),
                    ));
                }
            },
        }
    }
    Ok(model::Finding {
        agent: model::AgentName::default(),
        signal: model_signal(f.signal)?,
        entity: model_entity(f.entity)?,
        summary: line("summary", f.summary)?,
        score: unit("score", f.score)?,
        onset: f.onset.map(Timestamp::from_millis),
        cites,
        answers,
    })
}

fn model_signal(signal: abi::Signal) -> Result<model::Signal> {
    Ok(match signal {
        abi::Signal::Metric(m) => model::Signal::Metric {
            name: line("metric's name", m.name)?,
            attributes: pairs(m.attributes)?,
            change: model_change(m.change),
            before: m.before.map(|v| finite("value before", v)).transpose()?,
            after: finite("value after", m.after)?,
        },
        abi::Signal::Log(l) => model::Signal::Log {
            pattern: line("pattern", l.pattern)?,
            template: text("template", l.template)?,
            example: text("example", l.example)?,
            level: l.level.map(model_level),
            change: model_log_change(l.change),
            count: l.count,
        },
        abi::Signal::Other(name) => {
            let is_dotted = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
            if name.is_empty() || name.len() > 100 || !name.bytes().all(is_dotted) {
                return Err(rubbish("a signal's name that is not 1 to 100 of a-z, 0-9, dot, - and _"));
            }
            model::Signal::Other { name }
        }
    })
}

fn model_entity(e: abi::Entity) -> Result<model::Entity> {
    let attributes = pairs(e.attributes)?;
    Ok(model::Entity { kind: model_kind(e.kind), name: text("entity's name", e.name)?, attributes })
}

fn pairs(list: Vec<(String, String)>) -> Result<std::collections::BTreeMap<String, String>> {
    let list = few("attributes", 64, list)?.into_iter();
    list.map(|(k, v)| Ok((line("attribute's name", k)?, text("attribute", v)?))).collect()
}

/// What a plugin proposes.
pub(super) fn model_plan(plan: abi::Plan) -> Result<FixPlan> {
    let texts = |what: &str, list: Vec<String>| -> Result<Vec<String>> {
        few(what, 50, list)?.into_iter().map(|t| line(what, t)).collect()
    };
    let mut ids = BTreeSet::new();
    let mut actions = Vec::new();
    for action in few("actions", MOST_ACTIONS, plan.actions)? {
        let action = model_action(action)?;
        if let Some(missing) = action.depends_on.iter().find(|id| !ids.contains(*id)) {
            return Err(rubbish(format!("an action that depends on {missing:?}, which is no earlier one")));
        }
        if !ids.insert(action.id.clone()) {
            return Err(rubbish(format!("two actions with the id {:?}", action.id)));
        }
        actions.push(action);
    }
    Ok(FixPlan {
        summary: text("summary", plan.summary)?,
        actions,
        alternatives: texts("alternative", plan.alternatives)?,
        next_questions: texts("question", plan.next_questions)?,
        plan_sha256: String::new(), // the pipeline seals it
    })
}

fn model_action(a: abi::Action) -> Result<model::Action> {
    let is_id = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if a.id.is_empty() || a.id.len() > 60 || !a.id.bytes().all(is_id) {
        return Err(rubbish("an action's id that is not 1 to 60 of a-z, 0-9 and -"));
    }
    if a.cites.is_empty() {
        let why = format!("action {:?} of the plugin cites no hypothesis", a.id);
        return Err(Error::new(ErrorKind::DanglingCitation, why));
    }
    if !(1..=3600).contains(&a.timeout_s) {
        return Err(rubbish(format!("an action's timeout of {} s, want 1 to 3600", a.timeout_s)));
    }
    Ok(model::Action {
        title: line("title", a.title)?,
        target: text("target", a.target)?,
        argv: argv(a.argv)?,
        shell: None,
        rationale: line("rationale", a.rationale)?,
        cites: few("citations", MOST_ENTRIES, a.cites)?.into_iter().map(id).collect(),
        confidence: Confidence::new(unit("confidence", a.confidence)?),
        preconditions: checks(a.preconditions)?,
        idempotent: a.idempotent,
        timeout_s: a.timeout_s,
        on_failure: match a.on_failure {
            abi::OnFailure::Abort => model::OnFailure::Abort,
            abi::OnFailure::Continue => model::OnFailure::Continue,
            abi::OnFailure::Rollback => model::OnFailure::Rollback,
        },
        reversibility: match a.reversibility {
            abi::Reversibility::Full => model::Reversibility::Full,
            abi::Reversibility::Partial => model::Reversibility::Partial,
            abi::Reversibility::None => model::Reversibility::None,
        },
        backup: commands(a.backup)?,
        rollback: commands(a.rollback)?,
        verify: checks(a.verify)?,
        depends_on: few("dependencies", MOST_ACTIONS, a.depends_on)?,
        downtime: text("downtime", a.downtime)?,
        id: a.id,
    })
}

fn argv(argv: Vec<String>) -> Result<Vec<String>> {
    let argv = few("words of a command", MOST_ENTRIES, argv)?;
    let argv: Vec<String> = argv.into_iter().map(|w| text("word", w)).collect::<Result<_>>()?;
    if argv.first().is_none_or(|program| program.is_empty()) || argv.iter().any(|w| w.contains('\0')) {
        return Err(rubbish("a command without a program, or with a NUL"));
    }
    Ok(argv)
}

fn commands(list: Vec<Vec<String>>) -> Result<Vec<Vec<String>>> {
    few("commands", 50, list)?.into_iter().map(argv).collect()
}

fn checks(list: Vec<abi::Check>) -> Result<Vec<model::Check>> {
    let check = |c: abi::Check| {
        let argv = argv(c.argv)?;
        // Checks are run without being judged, before and after what was approved: they must not change anything.
        AllowList::default().check(&model::Ask::run(argv.iter().map(String::as_str)))?;
        Ok(model::Check {
            title: line("check's title", c.title)?,
            argv,
            expect: match c.expect {
                abi::Expect::Success => model::Expect::Success,
                abi::Expect::Failure => model::Expect::Failure,
                abi::Expect::Prints(what) => model::Expect::Prints(text("expectation", what)?),
            },
            within_s: c.within_s.min(3600),
        })
    };
    few("checks", 50, list)?.into_iter().map(check).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_has_its_text_and_its_unit() {
        let event = |unit: Option<&str>, text: &str| model::LogLine {
            at: Timestamp(7),
            level: Some(model::Level::Error),
            unit: unit.map(str::to_owned),
            pid: Some(3),
            text: text.to_owned(),
            pattern: 4,
        };
        let events =
            [(Some("b"), "one\ntwo"), (Some("a"), ""), (None, "\0a\0\0é\0"), (Some("a"), "last"), (Some("b"), "of b")];
        let mut lines = events.map(|(unit, text)| event(unit, text));
        (lines[4].level, lines[4].pid) = (None, None);
        let lines = lines.into();
        let logs = model::Logs { lines, total_lines: 9, ..model::Logs::default() };
        let stream = log_stream(&logs);
        let texts = ["one\ntwo", "", "\u{fffd}a\u{fffd}\u{fffd}é\u{fffd}", "last", "of b"];
        assert_eq!(stream.texts.split_terminator('\0').collect::<Vec<_>>(), texts, "by what ends each");
        let mut start = 0;
        for (end, text) in stream.text_ends.iter().zip(texts) {
            assert_eq!(&stream.texts[start..*end as usize], text, "by its place");
            start = *end as usize + 1;
        }
        assert_eq!(start, stream.texts.len());
        assert_eq!(stream.units, ["b", "a"]);
        assert_eq!(stream.writers, [1, 2, 0, 2, 1]);
        assert_eq!((stream.at, stream.levels), (vec![7; 5], vec![6, 6, 6, 6, 0]));
        assert_eq!((stream.pids, stream.shapes), (vec![3, 3, 3, 3, 0], vec![4; 5]));
    }
}
