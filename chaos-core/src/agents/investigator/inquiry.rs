//! One investigation: findings first, then probes while they are worth their cost, then the conclusion.

mod answer;
mod conclude;
mod question;

use std::collections::{BTreeMap, BTreeSet};

use super::{
    belief::{
        ABSENT_COUNTS, Belief, LOG_STRENGTH, Likelihood, PASSES, PASSING, STRAY_FAULT, STRAY_HEALTHY, STRAY_UNKNOWN,
        STRENGTH_HEALTHY, State, UNKNOWN_SHOWS_NOTHING, UNKNOWN_UNSEEN, beside_others, unknown_explains,
    },
    culprit, passing,
    recurrence::{Outcomes, recurrence},
    silence,
};
use crate::{
    agent::{AgentContext, Case},
    catalogue::{Catalogue, Fault, NOTABLE, Symptom, matching},
    model::{Basis, Confidence, Culprit, EventType, Finding, Id, InvestigationStep, RecentChange, Signal, Verdict},
};

/// A symptom is rare from this background on down.
const RARE: f64 = 0.01;
/// Abnormalities without a symptom that are counted; beyond, they say nothing new.
const MAX_STRAYS: usize = 3;

/// A symptom that was seen, or could have been.
struct Seen<'a> {
    symptom: &'a Symptom,
    by: Vec<Id<Finding>>,
    score: f64,
    /// Whether all that shows it was over before we stopped looking.
    over: bool,
}

pub(super) struct Inquiry<'a> {
    catalogue: &'a Catalogue,
    case: &'a Case,
    cx: &'a AgentContext,
    belief: Belief,
    seen: Vec<Seen<'a>>,
    strays: Vec<Id<Finding>>,
    /// Findings that show a symptom.
    telling: BTreeSet<Id<Finding>>,
    /// By fault: whether a rare symptom that it causes was seen.
    told: Vec<bool>,
    culprits: Vec<Option<Culprit>>,
    answers: Vec<Vec<Basis>>,
    against: Vec<Vec<String>>,
    asked: BTreeSet<Vec<String>>,
    done: BTreeSet<(usize, usize)>,
    cost_s: f64,
    steps: Vec<InvestigationStep>,
    /// How likely each explanation was before anything was looked at, by its id.
    priors: BTreeMap<String, f64>,
    changes: Vec<RecentChange>,
    limits: Vec<String>,
    /// How many questions in a row the target left unanswered; each further one would only wait.
    unanswered: u32,
}

/// Whether the host was not watched before, as when somebody is called to it.
fn is_called(case: &Case) -> bool {
    case.seen.facts.live && case.seen.baseline.is_none()
}

impl<'a> Inquiry<'a> {
    pub(super) fn new(catalogue: &'a Catalogue, case: &'a Case, cx: &'a AgentContext) -> Self {
        let faults = catalogue.faults();
        let outcomes = Outcomes::of(&case.history, catalogue);
        let mut inquiry = Self {
            catalogue,
            case,
            cx,
            belief: Belief::new(catalogue, &outcomes, is_called(case)),
            seen: Vec::new(),
            strays: Vec::new(),
            telling: BTreeSet::new(),
            told: vec![false; faults.len()],
            culprits: faults.iter().map(|f| culprit::from_findings(catalogue, f, case)).collect(),
            answers: vec![Vec::new(); faults.len()],
            against: vec![Vec::new(); faults.len()],
            asked: BTreeSet::new(),
            done: BTreeSet::new(),
            cost_s: 0.0,
            steps: Vec::new(),
            priors: BTreeMap::new(),
            changes: Vec::new(),
            limits: Vec::new(),
            unanswered: 0,
        };
        let counted = recurrence(&case.history, &Verdict::Healthy, None).filter(|r| r.counted() > 0);
        let note = match counted {
            Some(r) => format!("before anything was looked at; incidents of this target confirmed as: {}", r.counts()),
            None => "before anything was looked at".to_owned(),
        };
        inquiry.priors = inquiry.prior_by_id();
        inquiry.step("prior", &note);
        inquiry
    }

    fn prior_by_id(&self) -> BTreeMap<String, f64> {
        self.belief.shares().into_iter().map(|(s, p)| (self.verdict(s).id().to_owned(), p)).collect()
    }

    fn faults(&self) -> &'a [Fault] {
        self.catalogue.faults()
    }

    fn notable(&self) -> impl Iterator<Item = (Id<Finding>, &'a Finding)> {
        self.case.findings.iter().filter(|(_, f)| f.score >= NOTABLE)
    }

    /// What asks for an explanation: what is notable, and what shows a symptom although it is said quietly.
    fn odd(&self) -> impl Iterator<Item = (Id<Finding>, &'a Finding)> {
        self.case.findings.iter().filter(|(id, f)| f.score >= NOTABLE || self.telling.contains(id))
    }

    fn verdict(&self, state: State) -> Verdict {
        match state {
            State::Healthy => Verdict::Healthy,
            State::One(i) | State::Two(i, _) => Verdict::Fault(self.faults()[i].id.clone()),
            State::Unknown => Verdict::Unknown,
        }
    }

    /// Writes down the belief after taking something into account, and says so.
    fn step(&mut self, what: &str, note: &str) {
        let posterior: Vec<(String, f64)> = self
            .belief
            .shares()
            .into_iter()
            .take(5)
            .map(|(s, p)| (self.verdict(s).id().to_owned(), (p * 1e4).round() / 1e4))
            .collect();
        let top: Vec<String> =
            posterior.iter().take(3).map(|(id, p)| format!("{id} {}", Confidence::new(*p))).collect();
        let step = InvestigationStep { what: what.to_owned(), note: note.to_owned(), posterior };
        self.cx.emit_with(EventType::Hypothesis, format!("{note}: {}", top.join(", ")), &step);
        self.steps.push(step);
    }

    /// Updates the belief by all that was found, and by what was not although it would have been seen.
    pub(super) fn consider_findings(&mut self) {
        self.match_symptoms();
        let mut absent = 0;
        let could = self.seen.iter().filter(|s| s.by.is_empty()).count().max(1);
        let shows = 1.0 - UNKNOWN_SHOWS_NOTHING.powf(1.0 / could as f64);
        let (shown, seen_part) = (self.shown(), silence::seen_part(self.case));
        for n in 0..self.seen.len() {
            let Seen { symptom, ref by, score, over } = self.seen[n];
            let present = !by.is_empty();
            let faults = self.faults();
            let expected = |i: usize| faults[i].symptoms.iter().find(|s| s.id == symptom.id).map(|s| s.p.get());
            let background = symptom.background.get();
            let unknown = if present { unknown_explains(background) } else { shows.max(background) };
            let steep = if symptom.log.is_some() { LOG_STRENGTH } else { 1.0 };
            let strength = if present { STRENGTH_HEALTHY.powf(2.0 * steep * (score - NOTABLE).max(0.0)) } else { 1.0 };
            let healthy = background * strength;
            let could_show = if symptom.metric.is_some() { seen_part } else { 1.0 };
            // Side effects come together or not at all: that there is none is hardly less likely for each that there might be.
            let beside = if present { beside_others(background) } else { background };
            // What it is said to cause may be listed as less likely than that.
            let fault = |i: usize| {
                let p = expected(i).map(|p| p.max(if p > background { beside } else { p }))?;
                // What is benign makes no grave complaints; how large its work is has symptoms of its own.
                let p = match (present && faults[i].benign, over) {
                    (true, true) => p.max(PASSING),
                    (true, false) if symptom.log.is_some() => p * strength,
                    _ => p,
                };
                let hangs_together = if shown[i] { ABSENT_COUNTS } else { 1.0 };
                Some(if present { p } else { 1.0 - (1.0 - p).powf(hangs_together * could_show) })
            };
            self.belief.update(&Likelihood { fault: &fault, healthy, background: beside, unknown }, present);
            for i in 0..faults.len() {
                match expected(i) {
                    Some(p) if present => {
                        self.belief.strengthen(i, (p / background).ln() * score);
                        self.told[i] |= background <= RARE && p > background;
                    }
                    Some(p) if p >= 0.5 => self.against[i].push(format!("not seen: {}", symptom.sentence)),
                    None if present => self.against[i].push(format!("does not explain that {}", symptom.sentence)),
                    _ => {}
                }
            }
            if present {
                self.step(&symptom.id, &symptom.sentence);
            } else {
                absent += 1;
            }
        }
        self.weigh_strays();
        self.weigh_what_is_over();
        self.step("absent", &format!("{absent} symptoms that would have been seen are absent"));
    }

    /// By fault: whether anything was seen that it shows.
    fn shown(&self) -> Vec<bool> {
        let seen: Vec<&str> = self.seen.iter().filter(|s| !s.by.is_empty()).map(|s| s.symptom.id.as_str()).collect();
        let shows = |f: &Fault| f.symptoms.iter().any(|e| seen.contains(&e.id.as_str()));
        self.faults().iter().map(shows).collect()
    }

    fn match_symptoms(&mut self) {
        let mut explained = BTreeSet::new();
        let mut unseen = 0;
        for symptom in self.catalogue.symptoms() {
            let shown: Vec<_> = self.case.findings.iter().filter(|(_, f)| matching::shows(symptom, f)).collect();
            if shown.is_empty() && !matching::is_observable(symptom, &self.case.seen) {
                unseen += 1;
                continue;
            }
            let score = shown.iter().map(|(_, f)| f.score).fold(0.0, f64::max).min(1.0);
            let over = !shown.is_empty() && shown.iter().all(|(_, f)| passing::is_over(f, self.case));
            let by: Vec<_> = shown.into_iter().map(|(id, _)| id).collect();
            explained.extend(by.iter().copied());
            self.seen.push(Seen { symptom, by, score, over });
        }
        self.strays = self.notable().map(|(id, _)| id).filter(|id| !explained.contains(id)).collect();
        self.telling = explained;
        if unseen > 0 {
            self.limits.push(format!("{unseen} symptoms could not be observed here and were not counted as absent"));
        }
    }

    /// Abnormalities that no symptom describes speak for unknown trouble; none at all speaks against it. What was there
    /// before all that is known of may be as ever.
    fn weigh_strays(&mut self) {
        let (mut kinds, mut count): (BTreeMap<&str, f64>, _) = (BTreeMap::new(), 0);
        let began = |f: &&Finding| self.case.seen.baseline.is_some() || f.onset.is_some() || !self.case.seen.facts.live;
        for finding in self.strays.iter().filter_map(|id| self.case.findings.get(*id)).filter(began) {
            let kind = match &finding.signal {
                Signal::Metric { name, .. } | Signal::Other { name } => name.as_str(),
                Signal::Log { pattern, .. } => pattern.as_str(),
            };
            count += 1;
            let score = kinds.entry(kind).or_insert(0.0);
            *score = score.max(finding.score.min(1.0));
        }
        let mut scores: Vec<f64> = kinds.into_values().collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        scores.truncate(MAX_STRAYS);
        let n = i32::try_from(scores.len()).unwrap_or(0);
        let healthy: f64 = scores.iter().map(|s| STRAY_HEALTHY * 10_f64.powf(-2.0 * (s - NOTABLE))).product();
        let nothing = self.odd().next().is_none();
        self.belief.weigh(|state, is_fine| match state {
            _ if is_fine => healthy,
            State::Unknown if nothing => UNKNOWN_UNSEEN,
            State::Unknown => STRAY_UNKNOWN.powi(n),
            _ => STRAY_FAULT.powi(n),
        });
        if n > 0 {
            self.step("strays", &format!("{count} findings are abnormal in a way that no symptom describes"));
        }
    }

    /// Where all the work that was seen is over again, that it was trouble is less likely.
    fn weigh_what_is_over(&mut self) {
        let is_of_work = |f: &Finding| matches!(&f.signal, Signal::Metric { name, .. } if passing::is_of_work(name));
        let work: Vec<&Finding> = self.notable().map(|(_, f)| f).filter(|f| is_of_work(f)).collect();
        let logs = self.odd().any(|(_, f)| matches!(f.signal, Signal::Log { .. }));
        if logs || work.is_empty() || !work.iter().all(|f| passing::is_over(f, self.case)) {
            return;
        }
        self.belief.weigh(|_, is_fine| if is_fine { 1.0 } else { PASSES });
        self.step("over", "all the work that was seen was over before the end of the observation");
    }

    fn limit(&mut self, text: String) {
        if !self.limits.contains(&text) {
            self.limits.push(text);
        }
    }
}
