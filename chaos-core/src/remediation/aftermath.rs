//! Whether what was abnormal still is: the same metrics and log records, looked at again after a plan was applied.

use crate::{
    catalogue::NOTABLE,
    model::{Basis, Body, Change, Compared, Finding, Id, Incident, LogPattern, Observation, Series, Signal, Timestamp},
};

/// How much of the way back to its usual value a metric has to have come, and how much rarer a record to have become.
const BACK: f64 = 0.6;
const RARER: f64 = 0.2;
/// What is compared at most, strongest first.
const MOST: usize = 12;

/// Metrics of how much is asked.
const DEMAND: [&str; 6] = [
    "process.open_file_descriptor.count",
    "system.network.connection.count",
    "system.network.io",
    "system.network.packets",
    "system.process.count",
    "system.process.created",
];

/// Metrics of what stays where it has come to until somebody takes it away.
const STOCKS: [&str; 2] = ["system.filesystem.utilization", "system.filesystem.inodes.utilization"];
/// Below this such a share is no trouble by itself.
const ROOM: f64 = 0.85;

/// What is still abnormal. What tells how much is asked counts only where nothing else can be compared.
pub fn still_odd(compared: &[Compared]) -> impl Iterator<Item = &Compared> {
    let only_demand = compared.iter().all(|c| c.demand);
    compared.iter().filter(move |c| !c.back && (only_demand || !c.demand))
}

/// Compares what `incident` found with what was seen later, from `since` on. What can't be seen any more is left out,
/// unless that is what is good: a process that is gone, records that stopped.
#[must_use]
pub fn compare(incident: &Incident, later: &Observation, since: Timestamp) -> Vec<Compared> {
    let mut findings: Vec<(Id<Finding>, &Finding)> =
        incident.findings.iter().filter(|(_, f)| f.score >= NOTABLE).collect();
    findings.sort_by(|(_, a), (_, b)| b.score.total_cmp(&a.score));
    let mut compared: Vec<Compared> = Vec::new();
    for (id, finding) in findings {
        if let Some(one) = one(incident, (id, finding), later, since)
            && !compared.iter().any(|known| known.what == one.what)
        {
            compared.push(one);
        }
        if compared.len() == MOST {
            break;
        }
    }
    compared
}

/// Whether what was named as the cause rests on this finding.
fn is_of_the_cause(incident: &Incident, id: Id<Finding>) -> bool {
    let Some(diagnosis) = &incident.diagnosis else { return false };
    let named = diagnosis.hypotheses.iter().filter(|(_, h)| h.verdict == diagnosis.verdict);
    named.flat_map(|(_, h)| &h.basis).any(|b| matches!(b, Basis::Finding(of) if *of == id))
}

fn one(
    incident: &Incident,
    (id, finding): (Id<Finding>, &Finding),
    later: &Observation,
    since: Timestamp,
) -> Option<Compared> {
    match &finding.signal {
        Signal::Metric { name, change, before, after, .. } => {
            let cited = finding.cites.iter().find_map(|c| {
                match &incident.observation.as_ref()?.evidence.get(c.evidence)?.body {
                    Body::Metric(series) => Some(series),
                    Body::Logs(_) => None,
                }
            })?;
            let is_process = name.starts_with("process.");
            let same =
                later.series().map(|(_, s)| s).find(|s| s.name == cited.name && s.attributes == cited.attributes);
            let now = same.and_then(|s| latest(s, since));
            // Of what is there only while it is abnormal, such as a busy process, nothing is left.
            if now.is_none() && !is_process {
                return None;
            }
            let mut back = now.is_none_or(|now| is_back(*change, *before, *after, now));
            // What grew and does not any more is over, though what it grew to may stay: a disk is not emptied by that.
            let has_room = *change == Change::LevelUp
                && STOCKS.contains(&name.as_str())
                && now.is_some_and(|now| now < ROOM)
                && !is_of_the_cause(incident, id);
            if has_room || matches!(change, Change::TrendUp | Change::TrendDown) {
                let window = incident.observation.as_ref()?.observed.start;
                back |= same.is_some_and(|same| has_stopped(pace(cited, window), pace(same, since)));
            }
            let what = without_value(&finding.summary);
            let demand = DEMAND.contains(&name.as_str());
            Some(Compared { what, usual: *before, then: *after, now, unit: cited.unit.clone(), back, demand })
        }
        Signal::Log { template, count, .. } => {
            let seen = incident.observation.as_ref()?;
            let minutes = |from: Timestamp, to: Timestamp| (to.since(from).as_secs_f64() / 60.0).max(0.1);
            let then = *count as f64 / minutes(seen.observed.start, seen.observed.end);
            let same = later.logs().flat_map(|(.., logs)| logs.patterns.iter()).find(|p| p.template == *template);
            let minutes = minutes(since, later.observed.end);
            let now = same.map_or(0, |p| since_then(p, later, since)) as f64 / minutes;
            let what = finding.summary.clone();
            Some(Compared {
                what,
                usual: None,
                then,
                now: Some(now),
                unit: "/min".into(),
                back: now <= RARER * then,
                demand: false,
            })
        }
        Signal::Other { .. } => None,
    }
}

/// Records of a pattern from `since` on.
fn since_then(pattern: &LogPattern, later: &Observation, since: Timestamp) -> u64 {
    if pattern.last < since {
        return 0;
    }
    if pattern.first >= since {
        return pattern.count;
    }
    let kept = later.logs().find(|(.., logs)| logs.patterns.iter().any(|p| p.id == pattern.id));
    let lines = kept.map(|(.., logs)| &logs.lines);
    let is_later = |row: &&u32| lines.and_then(|l| l.get(**row as usize)).is_some_and(|l| l.at >= since);
    pattern.rows.iter().filter(is_later).count() as u64
}

/// The usual value of the second half of what was seen since.
fn latest(series: &Series, since: Timestamp) -> Option<f64> {
    let values: Vec<f64> = series.samples().filter(|(at, _)| *at >= since).map(|(_, v)| v).collect();
    let mut half = values[values.len() / 2..].to_vec();
    half.sort_by(f64::total_cmp);
    half.get(half.len() / 2).copied()
}

/// How fast it moves from a time on, in its unit a second: between the usual values of the two halves.
fn pace(series: &Series, since: Timestamp) -> Option<f64> {
    let samples: Vec<(Timestamp, f64)> = series.samples().filter(|(at, _)| *at >= since).collect();
    if samples.len() < 4 {
        return None;
    }
    let (first, second) = samples.split_at(samples.len() / 2);
    let middle = |half: &[(Timestamp, f64)]| {
        let mut values: Vec<f64> = half.iter().map(|(_, v)| *v).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let seconds = second[0].0.since(first[0].0).as_secs_f64();
    (seconds > 0.0).then(|| (middle(second) - middle(first)) / seconds)
}

/// Whether it no longer moves, or moves back.
fn has_stopped(then: Option<f64>, now: Option<f64>) -> bool {
    matches!((then, now), (Some(then), Some(now)) if then != 0.0 && now / then < RARER)
}

fn is_back(change: Change, before: Option<f64>, after: f64, now: f64) -> bool {
    match before {
        Some(before) => {
            (now - after).abs() >= BACK * (before - after).abs() && (now - before).abs() <= (after - before).abs()
        }
        // How it usually is was not known: it has at least to have left its limit.
        None if change == Change::LevelDown || change == Change::Missing => now > after,
        None => now < BACK * after || now <= 0.85 && after > 0.95,
    }
}

/// What a finding is about, without its value of then: it stands in a column of its own.
fn without_value(summary: &str) -> String {
    let what = summary.split(['(', ',']).next().unwrap_or_default();
    let what = what.split(" since ").next().unwrap_or_default().trim();
    let mut words: Vec<&str> = what.split(' ').collect();
    let is_number = |w: Option<&&str>| {
        w.is_some_and(|w| w.trim_start_matches(['-', '+']).starts_with(|c: char| c.is_ascii_digit()))
    };
    if is_number(words.last()) && words.len() > 1 {
        words.pop();
    } else if words.len() > 2 && is_number(words.get(words.len() - 2)) {
        words.truncate(words.len() - 2);
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        Citation, Confidence, Diagnosis, Evidence, Facts, Hypothesis, IncidentId, RunOptions, Status, TargetInfo,
        Verdict,
    };

    #[test]
    fn a_metric_is_back_when_it_has_come_most_of_its_way() {
        for (before, after, now, back) in [
            (Some(0.1), 1.0, 0.12, true),
            (Some(0.1), 1.0, 0.7, false),
            (Some(0.1), 1.0, 1.0, false),
            (Some(100.0), 5.0, 97.0, true),
            (Some(100.0), 5.0, 300.0, false),
            (None, 1.0, 0.99, false),
            (None, 1.0, 0.2, true),
        ] {
            assert_eq!(is_back(Change::LevelUp, before, after, now), back, "{before:?} {after} {now}");
        }
        assert!(is_back(Change::LevelDown, None, 0.0, 1.0));
    }

    #[test]
    fn what_grew_is_over_when_it_no_longer_does() {
        let series = |slope: f64| Series {
            name: "system.filesystem.utilization".into(),
            unit: "1".into(),
            attributes: Default::default(),
            at: (0..10).map(|n| n * 1000).collect(),
            values: (0..10).map(|n| 0.3 + slope * f64::from(n)).collect(),
        };
        let of = |slope| pace(&series(slope), Timestamp(0));
        assert!((of(0.01).unwrap() - 0.01).abs() < 1e-9);
        assert!(has_stopped(of(0.01), of(0.0)) && has_stopped(of(0.01), of(-0.01)) && has_stopped(of(0.01), of(0.001)));
        assert!(!has_stopped(of(0.01), of(0.01)) && !has_stopped(of(0.01), of(0.005)));
        // What can't be told is not over.
        assert!(!has_stopped(None, of(0.0)) && !has_stopped(of(0.01), pace(&series(0.0), Timestamp(8000))));
    }

    /// What is seen of a file system's share in use, a sample a second.
    fn seen(values: impl Fn(u32) -> f64) -> Observation {
        let series = Series {
            name: "system.filesystem.utilization".into(),
            unit: "1".into(),
            at: (0..20).map(|n| n * 1000).collect(),
            values: (0..20).map(|n| values(u32::try_from(n).unwrap())).collect(),
            ..Series::default()
        };
        let evidence = Evidence { source: "/proc".into(), body: Body::Metric(series), gaps: Vec::new() };
        Observation {
            facts: Facts::default(),
            baseline: None,
            observed: Timestamp(0)..Timestamp(20_000),
            evidence: [evidence].into_iter().collect(),
        }
    }

    /// An incident in which a file system filled a little, with this basis of what was named as the cause.
    fn filled(basis: Vec<Basis>) -> Incident {
        let observation = seen(|n| f64::from(n) * 0.03);
        let cites = Citation { evidence: observation.evidence.iter().next().unwrap().0, rows: 0..1 };
        let signal = Signal::Metric {
            name: "system.filesystem.utilization".into(),
            attributes: Default::default(),
            change: Change::LevelUp,
            before: Some(0.0),
            after: 0.6,
        };
        let finding = Finding { score: 0.9, ..Finding::new(signal, "/srv 60 %", [cites]) };
        let (verdict, posterior) = (Verdict::Unknown, Confidence::new(0.9));
        let title = String::from("x");
        let hypothesis =
            Hypothesis { verdict: verdict.clone(), title: title.clone(), posterior, basis, against: Vec::new() };
        Incident {
            schema_version: 1,
            id: IncidentId::parse("inc-20261124-001").unwrap(),
            status: Status::Completed,
            reason: None,
            target: TargetInfo::default(),
            options: RunOptions::default(),
            span: Timestamp(0)..Timestamp(20_000),
            observation: Some(observation),
            findings: [finding].into_iter().collect(),
            answers: Default::default(),
            diagnosis: Some(Diagnosis {
                hypotheses: [hypothesis].into_iter().collect(),
                ..Diagnosis::new(verdict, title, posterior)
            }),
            plans: Vec::new(),
            risks: Vec::new(),
            injection: None,
            errors: Vec::new(),
        }
    }

    #[test]
    fn what_was_written_to_a_disk_may_stay_where_that_is_not_the_trouble() {
        let back = |incident: &Incident, later: &Observation| compare(incident, later, Timestamp(0))[0].back;
        let beside = filled(Vec::new());
        assert!(back(&beside, &seen(|_| 0.6)));
        assert!(!back(&beside, &seen(|n| 0.2 + f64::from(n) * 0.03)), "it goes on");
        assert!(!back(&beside, &seen(|_| 0.9)), "there is next to no room");
        let id = beside.findings.iter().next().unwrap().0;
        assert!(!back(&filled(vec![Basis::Finding(id)]), &seen(|_| 0.6)), "it is what is wrong");
    }

    #[test]
    fn a_value_of_then_is_no_part_of_what_is_compared() {
        for (summary, what) in [
            ("CPU busy 100 % (usually 19 %)", "CPU busy"),
            ("TCP retransmits 23/s", "TCP retransmits"),
            ("nginx.service does not run any more since 12:09:20", "nginx.service does not run any more"),
            ("filesystem /srv/data 1 full 98 %, was 3 %", "filesystem /srv/data 1 full"),
            ("CPU of stress-ng-cpu", "CPU of stress-ng-cpu"),
        ] {
            assert_eq!(without_value(summary), what);
        }
    }
}
