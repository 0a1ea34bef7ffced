//! One investigation: findings first, then probes while they are worth their cost, then the conclusion.

mod conclude;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    belief::{
        ABSENT_COUNTS, Belief, LOG_STRENGTH, Likelihood, PASSES, PASSING, STRAY_FAULT, STRAY_HEALTHY, STRAY_UNKNOWN,
        STRENGTH_HEALTHY, State, UNKNOWN_SHOWS_NOTHING, UNKNOWN_UNSEEN, beside_others, unknown_explains,
    },
    changes, culprit, passing,
    recurrence::{Outcomes, recurrence},
};
use crate::{
    agent::{AgentContext, Case},
    catalogue::{CHANGES, Catalogue, Fault, NOTABLE, Probe, Reading, Symptom, matching, placeholder, reading},
    error::{Error, ErrorKind},
    model::{
        Answer, Ask, Basis, Command, Confidence, Culprit, EntityKind, EventType, Finding, Id, InvestigationStep,
        RecentChange, Signal, Verdict,
    },
};

/// Sure enough to stop asking what it is.
const SURE: f64 = 0.95;
/// A probe is worth asking from this expected gain on, in bits, and in bits for each second that it costs.
const MIN_GAIN: f64 = 0.01;
const MIN_GAIN_PER_S: f64 = 0.02;
/// A fault less likely than this is not asked about; nor one less likely than the other that nothing rare speaks for.
const MIN_PRESENCE: f64 = 0.01;
const MIN_PRESENCE_TOLD: f64 = 0.001;
/// A symptom is rare from this background on down.
const RARE: f64 = 0.01;
/// Beside a finding of this score nobody is sure that nothing is wrong without having asked.
const STRONG: f64 = 0.8;
const MAX_PROBES: usize = 12;
const MAX_COST_S: f64 = 60.0;
/// Probes that only name the culprit, once the fault is clear.
const MAX_NAMING: usize = 3;
/// Questions in a row without an answer after which the target counts as gone; one that can't be reached does at once.
const GONE: u32 = 2;
/// How long the question for what was changed may take.
const CHANGES_WITHIN: Duration = Duration::from_secs(20);
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

/// An answer, and whether it came to its end.
struct Heard {
    answer: Answer,
    id: Id<Answer>,
    whole: bool,
}

/// Faults that read the same from an answer, and how each does.
type Bearing<'a> = Vec<(usize, &'a Reading)>;

/// P(present | fault), for faults that read the same from an answer.
fn p_of(bearing: &[(usize, &Reading)], fault: usize) -> Option<f64> {
    bearing.iter().find(|(i, _)| *i == fault).map(|(_, r)| r.p.get())
}

/// P(present | none of these faults): each entry's own may count in the others.
fn background_of(bearing: &[(usize, &Reading)]) -> f64 {
    bearing.iter().map(|(_, r)| r.background.get()).fold(1.0, f64::min)
}

fn not_so(reading: &Reading) -> String {
    format!("it is not so that {}", reading.sentence)
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

impl<'a> Inquiry<'a> {
    pub(super) fn new(catalogue: &'a Catalogue, case: &'a Case, cx: &'a AgentContext) -> Self {
        let faults = catalogue.faults();
        let outcomes = Outcomes::of(&case.history, catalogue);
        let mut inquiry = Self {
            catalogue,
            case,
            cx,
            belief: Belief::new(catalogue, &outcomes),
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
        let shown = self.shown();
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
                Some(if present || !shown[i] { p } else { 1.0 - (1.0 - p).powf(ABSENT_COUNTS) })
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
        let nothing = self.odd().next().is_none();
        self.belief.weigh(|state, is_fine| match state {
            _ if is_fine => healthy,
            State::Unknown if nothing => UNKNOWN_UNSEEN,
            State::Unknown => STRAY_UNKNOWN.powi(n),
            _ => STRAY_FAULT.powi(n),
        });
        if n > 0 {
            let count = self.strays.len();
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

    fn may_ask(&mut self) -> bool {
        if !self.case.seen.facts.live {
            if self.odd().next().is_some() {
                self.limit("the target is not live, so nothing could be asked".into());
            }
            return false;
        }
        self.unanswered < GONE && self.asked.len() < MAX_PROBES && self.cost_s < MAX_COST_S
    }

    fn limit(&mut self, text: String) {
        if !self.limits.contains(&text) {
            self.limits.push(text);
        }
    }

    /// Asks the probe with the highest expected gain for its cost, and again, until sure or nothing is worth it.
    pub(super) async fn ask_what_tells_most(&mut self) {
        if self.odd().next().is_none() {
            return; // nothing to explain
        }
        while self.may_ask() && !self.is_sure() {
            let Some((fault, probe)) = self.best_probe() else { return };
            self.ask(fault, probe).await;
        }
    }

    fn is_sure(&self) -> bool {
        let (top, share) = self.belief.shares()[0];
        share >= SURE
            && match top {
                State::One(i) => self.culprits[i].is_some(),
                State::Healthy => !self.is_doubtful(),
                State::Unknown | State::Two(..) => false,
            }
    }

    /// Whether something was seen beside which nobody says that nothing is wrong without having asked.
    fn is_doubtful(&self) -> bool {
        self.told.contains(&true) || self.odd().any(|(_, f)| f.score >= STRONG)
    }

    fn best_probe(&self) -> Option<(usize, usize)> {
        let probabilities = self.belief.open_minded(self.is_doubtful());
        let presences = self.belief.presences(&probabilities);
        let mut gains: BTreeMap<Vec<String>, f64> = BTreeMap::new();
        let mut best: Option<(f64, (usize, usize))> = None;
        for (i, fault) in self.faults().iter().enumerate() {
            if presences[i] < if self.told[i] { MIN_PRESENCE_TOLD } else { MIN_PRESENCE } {
                continue;
            }
            for (n, probe) in fault.probes.iter().enumerate() {
                let is_done = self.done.contains(&(i, n)) || self.cost_s + probe.cost_s > MAX_COST_S;
                if probe.reading.is_none() || is_done {
                    continue;
                }
                let Some(argv) = self.argv(i, probe).filter(|argv| !self.asked.contains(argv)) else { continue };
                let gain = match gains.get(&argv) {
                    Some(gain) => *gain,
                    None => *gains.entry(argv.clone()).or_insert(self.gain(&probabilities, &argv)),
                };
                let rate = gain / probe.cost_s;
                if gain >= MIN_GAIN && rate >= MIN_GAIN_PER_S && best.is_none_or(|(b, _)| rate > b) {
                    best = Some((rate, (i, n)));
                }
            }
        }
        best.map(|(_, at)| at)
    }

    /// What an answer is expected to tell, in bits: the sum over all that is read from it.
    fn gain(&self, probabilities: &[(State, f64)], argv: &[String]) -> f64 {
        let mut readings: Vec<&Reading> = Vec::new();
        for (i, fault) in self.faults().iter().enumerate() {
            for probe in &fault.probes {
                if let Some(reading) = &probe.reading
                    && !readings.iter().any(|known| known.looks_for_the_same(reading))
                    && self.argv(i, probe).as_deref() == Some(argv)
                {
                    readings.push(reading);
                }
            }
        }
        let of = |reading: &&Reading| {
            let bearing = self.bearing(argv, reading);
            let bears = |fault: usize| p_of(&bearing, fault);
            let background = background_of(&bearing);
            let told = Likelihood { fault: &bears, healthy: background, background, unknown: background };
            Belief::expected_gain(probabilities, &told)
        };
        readings.iter().map(of).sum()
    }

    /// The faults that read the same from the answer to the same question.
    fn bearing(&self, argv: &[String], reading: &Reading) -> Bearing<'a> {
        let mut found = Vec::new();
        for (i, fault) in self.faults().iter().enumerate() {
            let mut of_fault = fault.probes.iter().filter_map(|p| Some((p, p.reading.as_ref()?)));
            let same =
                of_fault.find(|(p, r)| r.looks_for_the_same(reading) && self.argv(i, p).as_deref() == Some(argv));
            found.extend(same.map(|(_, r)| (i, r)));
        }
        found
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
        self.read(&Heard { answer, id, whole: unusable.is_none() }, (fault, n));
    }

    /// Takes an answer into account for whoever asks this question, first for the probe that did.
    fn read(&mut self, heard: &Heard, first: (usize, usize)) {
        let faults = self.faults();
        let Ask::Run(Command { argv, .. }) = &heard.answer.ask else { return };
        let mut readers = vec![first];
        for (i, fault) in faults.iter().enumerate() {
            let same = |n: &usize| (i, *n) != first && self.argv(i, &fault.probes[*n]).as_ref() == Some(argv);
            readers.extend((0..fault.probes.len()).filter(same).map(|n| (i, n)));
        }
        // Who reads what is settled before anything is learnt: what is named changes what can be asked.
        let mut readings: Vec<(&Reading, Bearing<'_>, bool)> = Vec::new();
        for (i, n) in &readers {
            if let Some(reading) = &faults[*i].probes[*n].reading
                && !readings.iter().any(|(known, ..)| known.looks_for_the_same(reading))
            {
                let present = reading::is_present(reading, &self.as_heard(*i, *n, heard));
                readings.push((reading, self.bearing(argv, reading), present));
            }
        }
        for (fault, n) in &readers {
            self.done.insert((*fault, *n));
            let probe = &faults[*fault].probes[*n];
            let answer = self.as_heard(*fault, *n, heard);
            let present = probe.reading.as_ref().map(|r| reading::is_present(r, &answer));
            let names = probe.names.as_ref().filter(|_| present != Some(false));
            let named = names.and_then(|names| reading::named(names, &answer));
            let is_named = named.is_some();
            if let Some(named) = named {
                let known = self.culprits[*fault].take();
                self.culprits[*fault] = culprit::merged(known.clone(), named, Basis::Answer(heard.id)).or(known);
            }
            if (*fault, *n) == first {
                let says = self.says(*fault, probe, present, is_named);
                let data = serde_json::json!({ "probe": probe.id, "answer": heard.id, "present": present });
                self.cx.emit_with(EventType::Probe, format!("{} `{}`: {says}", probe.question, heard.answer.ask), data);
            }
        }
        for (reading, bearing, present) in readings {
            // What an answer that was cut short does not say is not known to be absent.
            if !present && !heard.whole {
                continue;
            }
            self.learn(&bearing, present, Basis::Answer(heard.id));
            let says = if present { reading.sentence.clone() } else { not_so(reading) };
            self.step(&faults[first.0].probes[first.1].id, &says);
        }
    }

    /// The answer as it bears on a fault: where findings name a unit, what it says of others is another matter.
    fn as_heard(&self, fault: usize, n: usize, heard: &Heard) -> Answer {
        let names = self.faults()[fault].probes[n].names.as_ref().filter(|n| n.kind == Some(EntityKind::Unit));
        let known = self.culprits[fault]
            .as_ref()
            .filter(|c| c.entity.kind == EntityKind::Unit && matches!(c.basis.first(), Some(Basis::Finding(_))));
        match (names, known) {
            (Some(names), Some(known)) => reading::about(names, &heard.answer, &known.entity.name),
            _ => heard.answer.clone(),
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
            (Some(r), Some(false)) => parts.push(not_so(r)),
            _ => {}
        }
        match &self.culprits[fault] {
            Some(c) if named => parts.push(c.summary.clone()),
            _ if probe.reading.is_none() => parts.push("it names nothing".into()),
            _ => {}
        }
        parts.join("; ")
    }

    fn learn(&mut self, bearing: &[(usize, &Reading)], present: bool, basis: Basis) {
        let bears = |i: usize| p_of(bearing, i);
        let background = background_of(bearing);
        let said = Likelihood { fault: &bears, healthy: background, background, unknown: background };
        self.belief.update(&said, present);
        for (fault, reading) in bearing {
            if present {
                self.belief.strengthen(*fault, (reading.p.get() / background).ln());
                self.answers[*fault].push(basis);
            } else {
                self.against[*fault].push(not_so(reading));
            }
        }
    }

    /// Once the fault is clear: asks who exactly it is, so that a remedy can be precise.
    pub(super) async fn name_the_culprit(&mut self) {
        let (State::One(fault), _) = self.belief.conclusion()[0] else { return };
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

    /// Where something is wrong: what was changed before it began.
    pub(super) async fn ask_what_changed(&mut self) {
        let (top, _) = self.belief.conclusion()[0];
        if top == State::Healthy || !self.may_ask() {
            return;
        }
        let Some(onset) = self.odd().filter_map(|(_, f)| f.onset).min() else { return };
        let facts = &self.case.seen.facts;
        let elevate = facts.root || facts.sudo;
        let ask = Ask::Run(Command { elevate, ..Command::new(["sh", "-c", CHANGES]) });
        let (id, answer) = match self.case.host.ask(ask, CHANGES_WITHIN).await {
            Ok(answered) => answered,
            Err(why) => {
                let why = match why.kind() {
                    ErrorKind::NotRecorded => "the question for it was not recorded".to_owned(),
                    _ => format!("the question for it got no answer: {why}"),
                };
                return self.limit(format!("What was changed before is not known: {why}"));
            }
        };
        let culprit = match top {
            State::One(fault) => self.culprits[fault].as_ref(),
            _ => None,
        };
        let ahead_ms = (facts.clock_ahead_s * 1e3) as i64;
        self.changes = changes::read(&answer, id, onset, ahead_ms, culprit);
        let says = match self.changes.first() {
            None => "nothing that is looked for".to_owned(),
            Some(first) => format!("{} changes, first of all {} {}", self.changes.len(), first.kind, first.what),
        };
        let data = serde_json::json!({ "answer": id, "changes": self.changes });
        self.cx.emit_with(EventType::Probe, format!("What was changed before? {says}"), data);
    }
}
