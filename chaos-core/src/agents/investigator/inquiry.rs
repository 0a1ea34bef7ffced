//! One investigation: findings first, then probes while they are worth their cost, then the conclusion.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    belief::{
        Belief, Likelihood, STRAY_FAULT, STRAY_HEALTHY, STRAY_UNKNOWN, State, UNKNOWN_EXPLAINS, UNKNOWN_SHOWS,
        UNKNOWN_UNSEEN,
    },
    culprit,
};
use crate::{
    agent::{AgentContext, Case},
    catalogue::{Catalogue, Fault, NOTABLE, Probe, Reading, Symptom, matching, placeholder, reading},
    error::{Error, ErrorKind},
    model::{
        Ask, Basis, Command, Confidence, Culprit, Diagnosis, EventType, Finding, Hypothesis, Id, InvestigationStep,
        Signal, Verdict,
    },
};

/// Sure enough to stop asking what it is.
const SURE: f64 = 0.95;
/// A probe is worth asking from this expected gain on, in bits, and in bits for each second that it costs.
const MIN_GAIN: f64 = 0.01;
const MIN_GAIN_PER_S: f64 = 0.02;
/// A fault less likely than this is not asked about.
const MIN_PRESENCE: f64 = 0.01;
/// A second fault at least this likely is mentioned.
const ALSO: f64 = 0.3;
const MAX_PROBES: usize = 12;
const MAX_COST_S: f64 = 60.0;
/// Probes that only name the culprit, once the fault is clear.
const MAX_NAMING: usize = 3;
/// Questions in a row without an answer after which the target counts as gone; one that can't be reached does at once.
const GONE: u32 = 2;
/// Abnormalities without a symptom that are counted; beyond, they say nothing new.
const MAX_STRAYS: usize = 3;

/// A symptom that was seen, or could have been.
struct Seen<'a> {
    symptom: &'a Symptom,
    by: Vec<Id<Finding>>,
    score: f64,
}

pub(super) struct Inquiry<'a> {
    catalogue: &'a Catalogue,
    case: &'a Case,
    cx: &'a AgentContext,
    belief: Belief,
    seen: Vec<Seen<'a>>,
    strays: Vec<Id<Finding>>,
    culprits: Vec<Option<Culprit>>,
    answers: Vec<Vec<Basis>>,
    against: Vec<Vec<String>>,
    asked: BTreeSet<Vec<String>>,
    done: BTreeSet<(usize, usize)>,
    cost_s: f64,
    steps: Vec<InvestigationStep>,
    limits: Vec<String>,
    /// How many questions in a row the target left unanswered; each further one would only wait.
    unanswered: u32,
}

impl<'a> Inquiry<'a> {
    pub(super) fn new(catalogue: &'a Catalogue, case: &'a Case, cx: &'a AgentContext) -> Self {
        let faults = catalogue.faults();
        let mut inquiry = Self {
            catalogue,
            case,
            cx,
            belief: Belief::new(catalogue),
            seen: Vec::new(),
            strays: Vec::new(),
            culprits: faults.iter().map(|f| culprit::from_findings(catalogue, f, case)).collect(),
            answers: vec![Vec::new(); faults.len()],
            against: vec![Vec::new(); faults.len()],
            asked: BTreeSet::new(),
            done: BTreeSet::new(),
            cost_s: 0.0,
            steps: Vec::new(),
            limits: Vec::new(),
            unanswered: 0,
        };
        inquiry.step("prior", "before anything was looked at");
        inquiry
    }

    fn faults(&self) -> &'a [Fault] {
        self.catalogue.faults()
    }

    fn notable(&self) -> impl Iterator<Item = (Id<Finding>, &'a Finding)> {
        self.case.findings.iter().filter(|(_, f)| f.score >= NOTABLE)
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
        for n in 0..self.seen.len() {
            let Seen { symptom, ref by, score } = self.seen[n];
            let present = !by.is_empty();
            let faults = self.faults();
            let expected = |i: usize| faults[i].symptoms.iter().find(|s| s.id == symptom.id).map(|s| s.p.get());
            let background = symptom.background.get();
            let unknown = if present { UNKNOWN_EXPLAINS } else { UNKNOWN_SHOWS }.max(background);
            self.belief.update(&Likelihood { fault: &expected, background, unknown }, present);
            for i in 0..faults.len() {
                match expected(i) {
                    Some(p) if present => self.belief.strengthen(i, (p / background).ln() * score),
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
        self.step("absent", &format!("{absent} symptoms that would have been seen are absent"));
    }

    fn match_symptoms(&mut self) {
        let mut explained = BTreeSet::new();
        let mut unseen = 0;
        for symptom in self.catalogue.symptoms() {
            let shown: Vec<_> = self.notable().filter(|(_, f)| matching::shows(symptom, f)).collect();
            if shown.is_empty() && !matching::is_observable(symptom, &self.case.seen) {
                unseen += 1;
                continue;
            }
            let score = shown.iter().map(|(_, f)| f.score).fold(0.0, f64::max).min(1.0);
            let by: Vec<_> = shown.into_iter().map(|(id, _)| id).collect();
            explained.extend(by.iter().copied());
            self.seen.push(Seen { symptom, by, score });
        }
        self.strays = self.notable().map(|(id, _)| id).filter(|id| !explained.contains(id)).collect();
        if unseen > 0 {
            self.limits.push(format!("{unseen} symptoms could not be observed here and were not counted as absent"));
        }
    }

    /// Abnormalities that no symptom describes speak for unknown trouble; none at all speaks against it.
    fn weigh_strays(&mut self) {
        let mut kinds: BTreeMap<&str, f64> = BTreeMap::new();
        for finding in self.strays.iter().filter_map(|id| self.case.findings.get(*id)) {
            let kind = match &finding.signal {
                Signal::Metric { name, .. } | Signal::Other { name } => name.as_str(),
                Signal::Log { pattern, .. } => pattern.as_str(),
            };
            let score = kinds.entry(kind).or_insert(0.0);
            *score = score.max(finding.score.min(1.0));
        }
        let mut scores: Vec<f64> = kinds.into_values().collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        scores.truncate(MAX_STRAYS);
        let n = i32::try_from(scores.len()).unwrap_or(0);
        let healthy: f64 = scores.iter().map(|s| STRAY_HEALTHY * 10_f64.powf(-2.0 * (s - NOTABLE))).product();
        let nothing = self.notable().next().is_none();
        self.belief.weigh(|state| match state {
            State::Healthy => healthy,
            State::Unknown if nothing => UNKNOWN_UNSEEN,
            State::Unknown => STRAY_UNKNOWN.powi(n),
            State::One(_) | State::Two(..) => STRAY_FAULT.powi(n),
        });
        if n > 0 {
            let count = self.strays.len();
            self.step("strays", &format!("{count} findings are abnormal in a way that no symptom describes"));
        }
    }

    fn may_ask(&mut self) -> bool {
        if !self.case.seen.facts.live {
            if self.notable().next().is_some() {
                self.limit("the target is not live, so nothing could be asked".into());
            }
            return false;
        }
        self.unanswered < GONE && self.done.len() < MAX_PROBES && self.cost_s < MAX_COST_S
    }

    fn limit(&mut self, text: String) {
        if !self.limits.contains(&text) {
            self.limits.push(text);
        }
    }

    /// Asks the probe with the highest expected gain for its cost, and again, until sure or nothing is worth it.
    pub(super) async fn ask_what_tells_most(&mut self) {
        if self.notable().next().is_none() {
            return; // nothing to explain
        }
        while self.may_ask() && !self.is_sure() {
            let Some((fault, probe)) = self.best_probe() else { return };
            self.ask(fault, probe).await;
        }
    }

    fn is_sure(&self) -> bool {
        let (top, share) = self.belief.shares()[0];
        match top {
            State::One(i) => self.belief.presence(i) >= SURE && self.culprits[i].is_some(),
            _ => share >= SURE,
        }
    }

    fn best_probe(&self) -> Option<(usize, usize)> {
        let mut best: Option<(f64, (usize, usize))> = None;
        for (i, fault) in self.faults().iter().enumerate() {
            if self.belief.presence(i) < MIN_PRESENCE {
                continue;
            }
            for (n, probe) in fault.probes.iter().enumerate() {
                let Some(reading) = &probe.reading else { continue };
                let open = !self.done.contains(&(i, n)) && self.cost_s + probe.cost_s <= MAX_COST_S;
                if !open || self.argv(i, probe).is_none_or(|argv| self.asked.contains(&argv)) {
                    continue;
                }
                let gain = self.expected_gain(i, reading);
                let rate = gain / probe.cost_s;
                if gain >= MIN_GAIN && rate >= MIN_GAIN_PER_S && best.is_none_or(|(b, _)| rate > b) {
                    best = Some((rate, (i, n)));
                }
            }
        }
        best.map(|(_, at)| at)
    }

    /// How much an answer would tell, in bits.
    fn expected_gain(&self, fault: usize, reading: &Reading) -> f64 {
        let bears = |i: usize| (i == fault).then(|| reading.p.get());
        let background = reading.background.get();
        self.belief.expected_gain(&Likelihood { fault: &bears, background, unknown: background })
    }

    fn argv(&self, fault: usize, probe: &Probe) -> Option<Vec<String>> {
        let none = BTreeMap::new();
        let attributes = self.culprits[fault].as_ref().map_or(&none, |c| &c.entity.attributes);
        placeholder::fill(&probe.argv, attributes).ok()
    }

    /// Asks one probe and takes the answer into account.
    async fn ask(&mut self, fault: usize, n: usize) {
        let probe = &self.faults()[fault].probes[n];
        self.done.insert((fault, n));
        let Some(argv) = self.argv(fault, probe) else { return };
        self.asked.insert(argv.clone());
        self.cost_s += probe.cost_s;
        let facts = &self.case.seen.facts;
        let elevate = probe.elevate && (facts.root || facts.sudo);
        let ask = Ask::Run(Command { elevate, ..Command::new(argv) });
        let asked = self.case.host.ask(ask.clone(), Duration::from_secs_f64(probe.within_s)).await;
        let (id, mut answer) = match asked {
            Ok(answered) => answered,
            Err(why) => return self.no_answer(probe, &ask, &why),
        };
        let unusable = reading::readable(&answer).err();
        if let Some(why) = &unusable {
            // What it found before its time was up is there; what it did not find may be there too.
            match reading::cut_short(&answer) {
                Some(part) if probe.reading.as_ref().is_none_or(|r| reading::is_present(r, &part)) => answer = part,
                _ => return self.no_answer(probe, &ask, why),
            }
            self.limit(format!("{} `{ask}` did not end ({why}); what it had found by then counts", probe.question));
        }
        self.unanswered = 0;
        let present = probe.reading.as_ref().map(|r| reading::is_present(r, &answer));
        let named = probe.names.as_ref().filter(|_| present != Some(false)).and_then(|n| reading::named(n, &answer));
        if let Some(named) = named.clone() {
            let known = self.culprits[fault].take();
            self.culprits[fault] = culprit::merged(known.clone(), named, Basis::Answer(id)).or(known);
        }
        let says = self.says(fault, probe, present, named.is_some());
        let data = serde_json::json!({ "probe": probe.id, "answer": id, "present": present });
        self.cx.emit_with(EventType::Probe, format!("{} `{ask}`: {says}", probe.question), data);
        if let (Some(reading), Some(present)) = (&probe.reading, present) {
            self.learn(fault, reading, present, Basis::Answer(id));
            self.step(&probe.id, &says);
        }
    }

    fn no_answer(&mut self, probe: &Probe, ask: &Ask, why: &Error) {
        let said = match why.kind() {
            ErrorKind::NotRecorded => "was not recorded".to_owned(),
            _ => format!("got no usable answer: {why}"),
        };
        let text = format!("{} `{ask}` {said}; nothing is concluded from it", probe.question);
        self.cx.emit_with(EventType::Probe, &text, serde_json::json!({ "probe": probe.id, "error": why }));
        self.limit(text);
        self.unanswered += match why.kind() {
            ErrorKind::Unreachable => GONE,
            ErrorKind::Deadline => 1,
            _ => 0,
        };
        if self.unanswered >= GONE {
            self.limit("the target did not answer, so nothing else was asked".into());
        }
    }

    fn says(&self, fault: usize, probe: &Probe, present: Option<bool>, named: bool) -> String {
        let mut parts = Vec::new();
        match (&probe.reading, present) {
            (Some(r), Some(true)) => parts.push(r.sentence.clone()),
            (Some(r), Some(false)) => parts.push(format!("it is not so that {}", r.sentence)),
            _ => {}
        }
        match &self.culprits[fault] {
            Some(c) if named => parts.push(c.summary.clone()),
            _ if probe.reading.is_none() => parts.push("it names nothing".into()),
            _ => {}
        }
        parts.join("; ")
    }

    fn learn(&mut self, fault: usize, reading: &Reading, present: bool, basis: Basis) {
        let bears = |i: usize| (i == fault).then(|| reading.p.get());
        let background = reading.background.get();
        self.belief.update(&Likelihood { fault: &bears, background, unknown: background }, present);
        if present {
            self.belief.strengthen(fault, (reading.p.get() / background).ln());
            self.answers[fault].push(basis);
        } else {
            self.against[fault].push(format!("it is not so that {}", reading.sentence));
        }
    }

    /// Once the fault is clear: asks who exactly it is, so that a remedy can be precise.
    pub(super) async fn name_the_culprit(&mut self) {
        let (State::One(fault), _) = self.belief.shares()[0] else { return };
        let probes = &self.faults()[fault].probes;
        let mut left = MAX_NAMING;
        for (n, probe) in probes.iter().enumerate() {
            if left == 0 || probe.names.is_none() || self.done.contains(&(fault, n)) {
                continue;
            }
            // What needs a name that nothing has given can't be asked.
            if self.argv(fault, probe).is_none() {
                continue;
            }
            if !self.may_ask() {
                return;
            }
            left -= 1;
            self.ask(fault, n).await;
        }
    }

    /// The diagnosis.
    pub(super) fn conclude(mut self) -> Diagnosis {
        let shares = self.belief.shares();
        let (top, share) = shares[0];
        let hypotheses = shares.iter().map(|(state, p)| self.hypothesis(*state, *p)).collect();
        let (mut culprit, mut title) = (None, self.title(top));
        if let State::One(i) = top {
            culprit = self.culprits[i].take();
            self.mention_others(i);
            if culprit.is_none() {
                self.limit("nothing names what exactly is at fault".into());
            }
            if let Some(c) = &culprit {
                title = format!("{title}: {}", c.summary);
            }
        }
        let confidence = Confidence::new(share);
        let diagnosis = Diagnosis {
            verdict: self.verdict(top),
            title: self.title(top),
            confidence,
            culprit,
            hypotheses,
            steps: self.steps,
            limits: self.limits,
        };
        let data = serde_json::json!({
            "verdict": diagnosis.verdict.id(), "confidence": confidence, "culprit": diagnosis.culprit, "limits": diagnosis.limits,
        });
        self.cx.emit_with(EventType::Diagnosis, format!("{title} ({confidence})"), data);
        diagnosis
    }

    fn title(&self, state: State) -> String {
        match state {
            State::Healthy => "Nothing is wrong".into(),
            State::Unknown => "Something is wrong, and what was seen does not tell what".into(),
            State::One(i) | State::Two(i, _) => self.faults()[i].title.clone(),
        }
    }

    fn mention_others(&mut self, top: usize) {
        for (i, fault) in self.faults().iter().enumerate() {
            let presence = self.belief.presence(i);
            if i == top || presence < ALSO {
                continue;
            }
            let how = if self.belief.is_cause(top, i) { "likely there too, as an effect" } else { "likely there too" };
            self.limit(format!("{how}: {} ({}, {})", fault.title, fault.id, Confidence::new(presence)));
        }
    }

    fn hypothesis(&self, state: State, posterior: f64) -> Hypothesis {
        let all = || self.notable().map(|(id, _)| Basis::Finding(id));
        let (basis, against) = match state {
            State::Healthy => (Vec::new(), self.notable().take(6).map(|(_, f)| f.summary.clone()).collect()),
            State::Unknown => (all().collect(), Vec::new()),
            State::One(i) | State::Two(i, _) => {
                let explained =
                    self.seen.iter().filter(|s| self.faults()[i].symptoms.iter().any(|e| e.id == s.symptom.id));
                let ids: BTreeSet<Id<Finding>> = explained.flat_map(|s| s.by.iter().copied()).collect();
                let mut basis: Vec<Basis> = ids.into_iter().map(Basis::Finding).collect();
                basis.extend(&self.answers[i]);
                (basis, self.against[i].iter().take(6).cloned().collect())
            }
        };
        let verdict = self.verdict(state);
        Hypothesis { verdict, title: self.title(state), posterior: Confidence::new(posterior), basis, against }
    }
}
