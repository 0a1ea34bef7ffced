//! The detecting half: every series is looked at, processes jointly, and what is abnormal becomes a typed finding with
//! its citations.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{MetricsAgent, away, clock, words};
use crate::{
    agent::{Agent, AgentContext},
    analysis::metrics::{self as analysis, Anomaly, process::process_groups},
    error::Result,
    model::{
        Body, Change, Citation, Entity, EntityKind, EventType, Evidence, Finding, Id, Observation, Series, Signal,
        Timestamp,
    },
};

/// Findings that are given; what is weaker is left out.
const MAX_FINDINGS: usize = 40;
/// What scores less is not worth a reader's time.
const LEAST: f64 = 0.2;
/// What part of all CPUs is a large share for one group of processes, and what a finding about it scores at least.
const LARGE_SHARE: f64 = 0.2;
const LARGE_SHARE_SCORE: f64 = 0.5;
/// For how many samples, over how long, a service must have run, and then not, before that is a finding; and its score.
/// A slow host gives few samples.
const RAN: usize = 2;
const RAN_MS: i64 = 8_000;
const GONE: usize = 2;
const SERVICE_SCORE: f64 = 0.8;
/// How many files a process holds open at least that was not among those with most, and then is.
const MANY_FILES: f64 = 200.0;
/// Clock ticks of a process's start in a second (USER_HZ, the same on every architecture that we sample).
const TICKS_PER_S: f64 = 100.0;
/// Members of a group of processes that are cited, the largest users first.
const MAX_CITED: usize = 8;

#[async_trait]
impl Agent<Observation, Vec<Finding>> for MetricsAgent {
    async fn run(&self, cx: &AgentContext, seen: &Observation) -> Result<Vec<Finding>> {
        let mut findings = of_series(seen);
        findings.extend(of_groups(seen));
        findings.extend(of_states(seen));
        findings.extend(of_holders(seen));
        let busiest = of_busiest(seen, &findings);
        findings.extend(busiest);
        findings.extend(away::find(seen));
        findings.extend(clock::find(seen));
        findings.retain(|f| f.score >= LEAST);
        // Summaries differ wherever names or attributes do, so the order is total.
        findings.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.summary.cmp(&b.summary)));
        findings.truncate(MAX_FINDINGS);
        let series = seen.series().count();
        cx.emit(EventType::Evidence, format!("{series} series examined, {} abnormal signals", findings.len()));
        Ok(findings)
    }
}

/// Whether the joint view stands for this series.
fn is_grouped(series: &Series) -> bool {
    matches!(series.name.as_str(), "process.cpu.utilization" | "process.memory.usage")
}

fn of_series(seen: &Observation) -> Vec<Finding> {
    let ends = source_ends(seen);
    let mut silent = std::collections::BTreeSet::new();
    let mut found = Vec::new();
    for (id, evidence) in seen.evidence.iter() {
        let Body::Metric(series) = &evidence.body else { continue };
        if is_grouped(series) || good_state(series).is_some() || analysis::is_redundant(series) {
            continue;
        }
        let anomalies = analysis::detect(series, seen.baseline.as_ref(), &seen.observed);
        // CPUs at their limit have risen to it: once said is enough. How fast a disk filled is a finding of its own.
        let at_limit =
            series.name == "system.cpu.utilization" && anomalies.iter().any(|a| a.change == Change::Saturated);
        for anomaly in anomalies.into_iter().filter(|a| !at_limit || a.change != Change::LevelUp) {
            if anomaly.change == Change::Missing {
                let process = series.name.starts_with("process.");
                let last = anomaly.onset.map_or(i64::MIN, |t| t.0);
                let alone = ends.get(evidence.source.as_str()).is_some_and(|end| end - last > 10_000);
                // A source that fell silent as a whole is a gap of its own, or one finding.
                let first_of_all = evidence.source.starts_with("http") && silent.insert(evidence.source.as_str());
                if process || !(alone || first_of_all) {
                    continue;
                }
            }
            let cite = Citation { evidence: id, rows: anomaly.rows.clone() };
            found.push(finding(series, entity(series), &anomaly, vec![cite]));
        }
    }
    found
}

/// States that are or are not so, and which is the good one.
const STATES: [(&str, f64); 3] =
    [("systemd.service.running", 1.0), ("systemd.service.frozen", 0.0), ("system.filesystem.read_only", 0.0)];

fn good_state(series: &Series) -> Option<f64> {
    STATES.iter().find(|(name, _)| *name == series.name).map(|(_, good)| *good)
}

/// Until when the host was as usual: a fault can begin between the baseline and the observation.
fn usual_until(seen: &Observation) -> Timestamp {
    seen.baseline.as_ref().map_or(seen.observed.start, |baseline| baseline.end)
}

/// States that were good from the beginning, and then no longer until the end: a service that is gone. One that was
/// restarted is none of them.
fn of_states(seen: &Observation) -> Vec<Finding> {
    let mut found = Vec::new();
    // What began later, such as a job that was started and ended, was not so from the beginning.
    let first = |name: &str| seen.series().filter(|(_, s)| s.name == name).filter_map(|(_, s)| s.at.first()).min();
    for (id, series) in seen.series() {
        let Some(good) = good_state(series) else { continue };
        if series.at.first() != first(&series.name) {
            continue;
        }
        let is_good = |v: &f64| (*v > 0.5) == (good > 0.5);
        let Some(turned) = series.values.iter().position(|v| !is_good(v)) else { continue };
        let (before, after) = series.values.split_at(turned);
        let onset = Timestamp::from_millis(series.at[turned]);
        let ran = before.len().checked_sub(1).map_or(0, |last| series.at[last] - series.at[0]);
        if before.len() < RAN
            || ran < RAN_MS
            || after.len() < GONE
            || after.iter().any(is_good)
            || onset < usual_until(seen)
        {
            continue;
        }
        let anomaly = Anomaly {
            change: if good > 0.5 { Change::LevelDown } else { Change::LevelUp },
            before: Some(good),
            after: 1.0 - good,
            onset: Some(onset),
            rows: turned as u32..series.values.len() as u32,
            score: SERVICE_SCORE,
            slope: None,
            exhausted_after: None,
        };
        let cite = Citation { evidence: id, rows: anomaly.rows.clone() };
        found.push(finding(series, entity(series), &anomaly, vec![cite]));
    }
    found
}

/// Processes that came to be among those with most files open, although they ran before: only those are counted, so
/// that such a one has no usual value.
fn of_holders(seen: &Observation) -> Vec<Finding> {
    let is_count = |s: &Series| s.name == "process.open_file_descriptor.count";
    let booted = seen.series().find(|(_, s)| s.name == "system.boot_time").and_then(|(_, s)| s.values.first().copied());
    let rounds: Vec<i64> = seen.series().filter(|(_, s)| is_count(s)).flat_map(|(_, s)| s.at.iter().copied()).collect();
    let (Some(booted), mut found) = (booted, Vec::new()) else { return Vec::new() };
    for (id, series) in seen.series().filter(|(_, s)| is_count(s)) {
        let (Some(first), Some(last)) = (series.at.first(), series.values.last()) else { continue };
        let Some(before) = rounds.iter().filter(|at| **at < *first).max() else { continue };
        let ticks: Option<f64> = series.attribute("process.start_ticks").parse().ok();
        let ran = ticks.is_some_and(|t| (booted + t / TICKS_PER_S) * 1000.0 < *before as f64);
        if !ran || *last < MANY_FILES || Timestamp::from_millis(*first) < usual_until(seen) {
            continue;
        }
        let anomaly = Anomaly {
            change: Change::LevelUp,
            before: None,
            after: *last,
            onset: Some(Timestamp::from_millis(*first)),
            rows: 0..u32::try_from(series.at.len()).unwrap_or(u32::MAX),
            score: (0.5 + last / 4000.0).min(0.9),
            slope: None,
            exhausted_after: None,
        };
        let cite = Citation { evidence: id, rows: anomaly.rows.clone() };
        found.push(finding(series, entity(series), &anomaly, vec![cite]));
    }
    found
}

/// The last sample of each source in milliseconds since the epoch.
fn source_ends(seen: &Observation) -> BTreeMap<&str, i64> {
    let mut ends = BTreeMap::new();
    for (_, evidence) in seen.evidence.iter() {
        if let Body::Metric(series) = &evidence.body
            && let Some((last, _)) = series.samples().last()
        {
            let end = ends.entry(evidence.source.as_str()).or_insert(last.0);
            *end = last.0.max(*end);
        }
    }
    ends
}

fn of_groups(seen: &Observation) -> Vec<Finding> {
    let (ids, series): (Vec<Id<Evidence>>, Vec<&Series>) = seen.series().filter(|(_, s)| is_grouped(s)).unzip();
    let mut found = Vec::new();
    for group in process_groups(&series) {
        for anomaly in analysis::detect(&group.sum, seen.baseline.as_ref(), &seen.observed) {
            let (Some(from), Some(to)) = (
                group.sum.at.get(anomaly.rows.start as usize),
                group.sum.at.get(anomaly.rows.end.saturating_sub(1) as usize),
            ) else {
                continue;
            };
            let cites: Vec<Citation> = group
                .members
                .iter()
                .filter_map(|m| Some(Citation { evidence: ids[*m], rows: rows_within(series[*m], *from, *to)? }))
                .take(MAX_CITED)
                .collect();
            // A process that ended is no finding: nothing of it is left to cite. One at rest is none either.
            if !cites.is_empty() && !matches!(anomaly.change, Change::Missing | Change::Flatline) {
                let mut finding = finding(&group.sum, group.entity.clone(), &anomaly, cites);
                finding.score = finding.score.max(host_share_score(&group.sum, &anomaly, seen.facts.memory_bytes));
                found.push(finding);
            }
        }
    }
    found
}

/// Growth that is small in bytes is large on a small host: what it takes of the host's memory scores, from a
/// twentieth on.
fn host_share_score(sum: &Series, anomaly: &Anomaly, memory_bytes: u64) -> f64 {
    let share = (anomaly.after - anomaly.before.unwrap_or(0.0)) / memory_bytes as f64;
    if sum.name == "process.memory.usage" && anomaly.change == Change::TrendUp && memory_bytes > 0 && share >= 0.05 {
        0.5 + share.min(0.4)
    } else {
        0.0
    }
}

/// Where the CPUs are at their limit: who takes a large share of them, even if that was so from the beginning. An
/// incident that was there before we came shows no change.
fn of_busiest(seen: &Observation, found: &[Finding]) -> Vec<Finding> {
    let is_limit = |f: &&Finding| match &f.signal {
        Signal::Metric { name, attributes, change: Change::Saturated, .. } => {
            name == "system.cpu.utilization" && attributes.is_empty()
        }
        _ => false,
    };
    if !found.iter().any(|f| is_limit(&f)) {
        return Vec::new();
    }
    let is_cpu = |s: &Series| s.name == "process.cpu.utilization";
    let (ids, series): (Vec<Id<Evidence>>, Vec<&Series>) = seen.series().filter(|(_, s)| is_cpu(s)).unzip();
    let mut busy = Vec::new();
    for group in process_groups(&series) {
        let known = |f: &Finding| f.entity == group.entity && f.score >= LARGE_SHARE_SCORE;
        let samples: Vec<(i64, f64)> =
            group.sum.samples().filter(|(at, _)| seen.observed.contains(at)).map(|(at, v)| (at.0, v)).collect();
        let (Some((from, _)), Some((to, _))) = (samples.first(), samples.last()) else { continue };
        let share = samples.iter().map(|(_, v)| v).sum::<f64>() / samples.len() as f64;
        if share < LARGE_SHARE || found.iter().any(known) {
            continue;
        }
        let cite = |m: &usize| Some(Citation { evidence: ids[*m], rows: rows_within(series[*m], *from, *to)? });
        let cites: Vec<Citation> = group.members.iter().filter_map(cite).take(MAX_CITED).collect();
        let anomaly = Anomaly {
            change: Change::Saturated,
            before: None,
            after: share,
            onset: None,
            rows: 0..0,
            score: (LARGE_SHARE_SCORE + 0.4 * share).min(0.9),
            slope: None,
            exhausted_after: None,
        };
        if !cites.is_empty() {
            busy.push(finding(&group.sum, group.entity.clone(), &anomaly, cites));
        }
    }
    busy
}

/// The rows from one time to another, both included.
fn rows_within(series: &Series, from: i64, to: i64) -> Option<std::ops::Range<u32>> {
    let inside = |at: &i64| (from..=to).contains(at);
    let first = series.at.iter().position(inside)?;
    let last = series.at.iter().rposition(inside)?;
    Some(u32::try_from(first).ok()?..u32::try_from(last).ok()? + 1)
}

fn finding(series: &Series, entity: Entity, anomaly: &Anomaly, cites: Vec<Citation>) -> Finding {
    let signal = Signal::Metric {
        name: series.name.clone(),
        attributes: series.attributes.clone(),
        change: anomaly.change,
        before: anomaly.before,
        after: anomaly.after,
    };
    let summary = words::summary(series, &entity, anomaly);
    Finding { entity, score: anomaly.score, onset: anomaly.onset, ..Finding::new(signal, summary, cites) }
}

/// What the series is about.
fn entity(series: &Series) -> Entity {
    let of = |key: &str| series.attribute(key);
    if series.name.starts_with("system.filesystem.") {
        return Entity::new(EntityKind::Filesystem, of("system.filesystem.mountpoint"))
            .with("device", of("system.device"));
    }
    if series.name.starts_with("process.") && !of("process.pid").is_empty() {
        return Entity::new(EntityKind::Process, of("process.command"))
            .with("pid", of("process.pid"))
            .with("pids", of("process.pid"))
            .with("ppid", of("process.parent_pid"))
            .with("pgid", of("process.group_id"))
            .with("start_ticks", of("process.start_ticks"))
            .with("count", "1");
    }
    if series.name.starts_with("systemd.service.") {
        return Entity::new(EntityKind::Unit, of("systemd.unit.name")).with("unit", of("systemd.unit.name"));
    }
    match (of("system.device"), of("network.interface.name")) {
        ("", "") => Entity::new(EntityKind::Host, ""),
        ("", interface) => Entity::new(EntityKind::Interface, interface),
        (device, _) => Entity::new(EntityKind::Device, device),
    }
}
