//! What all sections need to know about an incident, worked out once: which findings matter, when it began,
//! which plan is recommended, which charts show what.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use super::{
    charts::{self, ChartPlan},
    words,
};
use crate::{
    analysis::together::{Together, together},
    model::{
        Answer, Basis, Body, Citation, Diagnosis, Finding, FixPlan, Hypothesis, Id, Incident, Observation,
        RiskAssessment, Series, Signal, Status, Timestamp, Verdict,
    },
};

/// Findings that get a block of their own; the others stand in the table.
const DETAILED: usize = 24;

/// How the incident ended, for the wording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A fault was named.
    Fault,
    /// Something is wrong, and it is not known what.
    Unknown,
    /// Nothing is wrong.
    Healthy,
    /// There is no diagnosis.
    None,
}

/// An incident with what was worked out about it.
pub(super) struct Story<'a> {
    pub(super) incident: &'a Incident,
    pub(super) outcome: Outcome,
    /// Findings with a block of their own, in the order of the ledger.
    pub(super) detailed: BTreeSet<usize>,
    /// Findings on which the diagnosis rests, most abnormal first; all where it names none or no cause.
    pub(super) key: Vec<(Id<Finding>, &'a Finding)>,
    pub(super) charts: Vec<ChartPlan<'a>>,
    /// Which charts show a finding's series.
    pub(super) charts_of: BTreeMap<usize, Vec<usize>>,
    /// When the key findings began.
    pub(super) onset: Option<Timestamp>,
    /// Log and metric findings that began together, the nearest first.
    pub(super) together: Vec<Together>,
}

impl<'a> Story<'a> {
    pub(super) fn of(incident: &'a Incident) -> Self {
        let outcome = match incident.diagnosis.as_ref().map(|d| &d.verdict) {
            Some(Verdict::Fault(_)) => Outcome::Fault,
            Some(Verdict::Unknown) => Outcome::Unknown,
            Some(Verdict::Healthy) => Outcome::Healthy,
            None => Outcome::None,
        };
        let key = key_findings(incident);
        let mut ranked: Vec<usize> = key.iter().map(|(id, _)| id.index()).collect();
        ranked.extend(by_score(incident).into_iter().map(|(id, _)| id.index()));
        let mut detailed = BTreeSet::new();
        for index in ranked {
            if detailed.len() < DETAILED {
                detailed.insert(index);
            }
        }
        let onset = key.iter().filter_map(|(_, f)| f.onset).min();
        let charts = if outcome == Outcome::Healthy { Vec::new() } else { charts::plan(incident) };
        let mut charts_of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (c, chart) in charts.iter().enumerate() {
            for id in &chart.findings {
                charts_of.entry(id.index()).or_default().push(c);
            }
        }
        let together =
            incident.observation.as_ref().map_or(Vec::new(), |seen| together(&incident.findings, &seen.observed));
        Self { incident, outcome, detailed, key, charts, charts_of, onset, together }
    }

    pub(super) fn diagnosis(&self) -> Option<&'a Diagnosis> {
        self.incident.diagnosis.as_ref()
    }

    /// The hypothesis that became the verdict.
    pub(super) fn leading(&self) -> Option<&'a Hypothesis> {
        let d = self.diagnosis()?;
        d.hypotheses.iter().map(|(_, h)| h).find(|h| h.verdict == d.verdict)
    }

    pub(super) fn observation(&self) -> Option<&'a Observation> {
        self.incident.observation.as_ref()
    }

    /// The recommended plan.
    pub(super) fn plan(&self) -> Option<&'a FixPlan> {
        self.incident.plans.first()
    }

    /// The assessment of exactly this plan.
    pub(super) fn risk_of(&self, plan: &FixPlan) -> Option<&'a RiskAssessment> {
        self.incident.risks.iter().find(|r| r.plan_sha256 == plan.plan_sha256)
    }

    /// The host's name, as raw text.
    pub(super) fn host(&self) -> &'a str {
        let named = self.observation().map(|o| o.facts.hostname.as_str()).filter(|h| !h.is_empty());
        named.unwrap_or(&self.incident.target.name)
    }

    /// From the baseline, or else the observation, to the end of the observation.
    pub(super) fn window(&self) -> Option<Range<Timestamp>> {
        let o = self.observation()?;
        let start = o.baseline.as_ref().map_or(o.observed.start, |b| b.start.min(o.observed.start));
        Some(start..o.observed.end)
    }

    /// When the last thing was known that the diagnosis could rest on.
    pub(super) fn concluded(&self) -> Option<Timestamp> {
        let d = self.diagnosis()?;
        let end = self.observation()?.observed.end;
        let cited = self.cited_answers(d);
        let who: BTreeSet<&str> = cited.iter().filter_map(|id| self.answer(*id)).map(|a| a.agent.as_str()).collect();
        let asked = self.incident.answers.iter().filter(|(_, a)| who.contains(a.agent.as_str()));
        Some(asked.map(|(_, a)| a.at).max().map_or(end, |t| t.max(end)))
    }

    /// Answers that the verdict or its culprit rest on, in order.
    pub(super) fn cited_answers(&self, d: &Diagnosis) -> BTreeSet<Id<Answer>> {
        let basis = self.leading().map_or(&[][..], |h| &h.basis);
        let culprit = d.culprit.as_ref().map_or(&[][..], |c| &c.basis);
        basis
            .iter()
            .chain(culprit)
            .filter_map(|b| match b {
                Basis::Answer(id) => Some(*id),
                Basis::Finding(_) => None,
            })
            .collect()
    }

    pub(super) fn answer(&self, id: Id<Answer>) -> Option<&'a Answer> {
        self.incident.answers.get(id)
    }

    /// `[F3](#f3)`, or `F3` when it has no block.
    pub(super) fn finding_link(&self, id: Id<Finding>) -> String {
        let name = words::finding_name(id);
        if self.detailed.contains(&id.index()) { link(&name) } else { name }
    }

    /// `[A2](#a2)`, or `A2` when there is no such answer.
    pub(super) fn answer_link(&self, id: Id<Answer>) -> String {
        let name = words::answer_name(id);
        if self.answer(id).is_some() { link(&name) } else { name }
    }

    /// Links for all of a basis, without repetition.
    pub(super) fn basis_links(&self, basis: &[Basis]) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        for b in basis {
            let text = match b {
                Basis::Finding(id) => self.finding_link(*id),
                Basis::Answer(id) => self.answer_link(*id),
            };
            if !out.contains(&text) {
                out.push(text);
            }
        }
        out
    }

    /// The series of a citation.
    pub(super) fn series(&self, cite: &Citation) -> Option<&'a Series> {
        match &self.observation()?.evidence.get(cite.evidence)?.body {
            Body::Metric(s) => Some(s),
            Body::Logs(_) => None,
        }
    }

    /// The series that a metric finding is about: the cited one of its name, or the first cited one.
    pub(super) fn series_of(&self, f: &Finding) -> Option<&'a Series> {
        let Signal::Metric { name, attributes, .. } = &f.signal else { return None };
        let cited = || f.cites.iter().filter_map(|c| self.series(c));
        cited()
            .find(|s| s.name == *name && s.attributes == *attributes)
            .or_else(|| cited().find(|s| s.name == *name))
            .or_else(|| cited().next())
    }

    /// What a finding measured, with its unit.
    pub(super) fn measured(&self, f: &Finding) -> Option<String> {
        words::measured(f, self.series_of(f).map_or("", |s| s.unit.as_str()))
    }

    pub(super) fn is_complete(&self) -> bool {
        self.incident.status == Status::Completed
    }
}

/// `[F3](#f3)`.
fn link(name: &str) -> String {
    format!("[{name}](#{})", name.to_lowercase())
}

/// The sum of a finding's claim to attention; NaN counts as none.
pub(super) fn score(f: &Finding) -> f64 {
    if f.score.is_finite() { f.score } else { 0.0 }
}

fn by_score(incident: &Incident) -> Vec<(Id<Finding>, &Finding)> {
    let mut all: Vec<_> = incident.findings.iter().collect();
    all.sort_by(|(a, f), (b, g)| score(g).total_cmp(&score(f)).then(a.cmp(b)));
    all
}

fn key_findings(incident: &Incident) -> Vec<(Id<Finding>, &Finding)> {
    let all = by_score(incident);
    let Some(d) = &incident.diagnosis else { return all };
    // What is not explained is all there is to tell.
    if d.verdict == Verdict::Unknown {
        return all;
    }
    let leading = d.hypotheses.iter().map(|(_, h)| h).find(|h| h.verdict == d.verdict);
    let basis = leading.map_or(&[][..], |h| &h.basis).iter().chain(d.culprit.iter().flat_map(|c| &c.basis));
    let named: BTreeSet<usize> = basis
        .filter_map(|b| match b {
            Basis::Finding(id) => Some(id.index()),
            Basis::Answer(_) => None,
        })
        .collect();
    let key: Vec<_> = all.iter().filter(|(id, _)| named.contains(&id.index())).copied().collect();
    if key.is_empty() { all } else { key }
}
