//! The joint view: which metrics changed together, of what, and in which order. Data for a report or a screen; it
//! decides nothing.

use std::time::Duration;

use serde::Serialize;

use crate::{
    analysis::metrics::{Onset, interval, together},
    model::{Body, Change, Entity, Finding, Observation, Signal, Timestamp},
};

/// Metrics that changed together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JointChange {
    /// When the first of them began to change.
    pub from: Timestamp,
    /// Two at least, in order of time.
    pub members: Vec<JointMember>,
}

/// One of the metrics that changed together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JointMember {
    /// Index into the findings that were given.
    pub finding: usize,
    /// What it is about: a process, a device, an interface, a filesystem, a unit, or the host.
    pub entity: Entity,
    /// Name of the metric.
    pub metric: String,
    /// In what way it changed.
    pub change: Change,
    /// Milliseconds after the first.
    pub lag_ms: u64,
    /// Whether that is more than a sampling interval, so that the order is known.
    pub ordered: bool,
}

/// Groups the findings about metrics by when they began. Each metric is in a group once; a trend that went on from the
/// beginning of the window has no onset that is known.
#[must_use]
pub fn changed_together(seen: &Observation, findings: &[Finding]) -> Vec<JointChange> {
    let onsets: Vec<Onset> = findings.iter().enumerate().filter_map(|(i, f)| onset(seen, findings, i, f)).collect();
    let joint = |group: crate::analysis::metrics::Together| JointChange {
        from: group.from,
        members: group.members.iter().filter_map(|m| member(findings, m.subject, m.lag_ms, m.ordered)).collect(),
    };
    together(&onsets).into_iter().map(joint).collect()
}

fn member(findings: &[Finding], finding: usize, lag_ms: u64, ordered: bool) -> Option<JointMember> {
    let of = findings.get(finding)?;
    let Signal::Metric { name, change, .. } = &of.signal else { return None };
    Some(JointMember { finding, entity: of.entity.clone(), metric: name.clone(), change: *change, lag_ms, ordered })
}

fn onset(seen: &Observation, findings: &[Finding], index: usize, finding: &Finding) -> Option<Onset> {
    let Signal::Metric { name, attributes, change, .. } = &finding.signal else { return None };
    let at = finding.onset?;
    let cited = finding.cites.first().and_then(|c| seen.evidence.get(c.evidence))?;
    let Body::Metric(series) = &cited.body else { return None };
    let interval = interval(series);
    let from_the_start = at.since(seen.observed.start) <= interval.max(Duration::from_secs(1));
    if from_the_start && matches!(change, Change::TrendUp | Change::TrendDown) {
        return None;
    }
    // The same metric at its limit and at a new level is one.
    let same = |f: &Finding| match &f.signal {
        Signal::Metric { name: n, attributes: a, .. } => n == name && a == attributes,
        _ => false,
    };
    let same = |f: &Finding| f.onset.is_some() && f.entity == finding.entity && same(f);
    let subject = findings.iter().position(same).unwrap_or(index);
    Some(Onset { subject, at, interval })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Citation, EntityKind, Evidence, Facts, Series};

    fn seen(names: &[&str]) -> Observation {
        let series = |name: &&str| Series {
            name: (*name).to_owned(),
            at: (0..60).map(|i| i * 1000).collect(),
            values: vec![0.0; 60],
            ..Series::default()
        };
        let evidence = |s| Evidence { source: "/proc".into(), body: Body::Metric(s), gaps: Vec::new() };
        Observation {
            facts: Facts::default(),
            baseline: Some(Timestamp(0)..Timestamp(20_000)),
            observed: Timestamp(20_000)..Timestamp(60_000),
            evidence: names.iter().map(|n| evidence(series(n))).collect(),
        }
    }

    fn finding(seen: &Observation, row: usize, change: Change, onset: i64) -> Finding {
        let (id, series) = seen.series().nth(row).unwrap();
        let signal = Signal::Metric {
            name: series.name.clone(),
            attributes: series.attributes.clone(),
            change,
            before: Some(0.0),
            after: 1.0,
        };
        let entity = Entity::new(EntityKind::Device, format!("dev{row}"));
        let finding = Finding::new(signal, String::new(), [Citation { evidence: id, rows: 0..1 }]);
        Finding { entity, onset: Some(Timestamp(onset)), ..finding }
    }

    #[test]
    fn findings_that_begin_together_are_in_order_with_their_entities() {
        let seen = seen(&["disk", "latency", "load", "memory"]);
        let findings = [
            finding(&seen, 1, Change::LevelUp, 42_000),
            finding(&seen, 0, Change::Saturated, 31_000),
            finding(&seen, 0, Change::LevelUp, 30_000),
            // It has gone on since before the window.
            finding(&seen, 3, Change::TrendUp, 20_000),
        ];
        let groups = changed_together(&seen, &findings);
        assert_eq!((groups.len(), groups[0].from), (1, Timestamp(30_000)));
        let shown: Vec<_> = groups[0].members.iter().map(|m| (&*m.metric, &*m.entity.name, m.lag_ms)).collect();
        assert_eq!(shown, [("disk", "dev0", 0), ("latency", "dev1", 12_000)]);
        assert!(groups[0].members[1].ordered);
    }

    #[test]
    fn one_finding_or_none_is_no_group() {
        let seen = seen(&["disk"]);
        assert_eq!(changed_together(&seen, &[]), []);
        assert_eq!(changed_together(&seen, &[finding(&seen, 0, Change::LevelUp, 30_000)]), []);
    }
}
