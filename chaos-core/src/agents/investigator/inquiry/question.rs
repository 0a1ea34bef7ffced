//! What is worth asking the target: what tells most for its cost, who exactly it is, and what was changed before.

use std::{collections::BTreeMap, time::Duration};

use super::{
    super::{
        belief::{Belief, Likelihood, State},
        changes,
    },
    Inquiry,
    answer::GONE,
};
use crate::{
    catalogue::{CHANGES, Probe, Reading, placeholder},
    error::ErrorKind,
    model::{Ask, Command, EventType},
};

/// Sure enough to stop asking what it is.
const SURE: f64 = 0.95;
/// A probe is worth asking from this expected gain on, in bits, and in bits for each second that it costs.
const MIN_GAIN: f64 = 0.01;
const MIN_GAIN_PER_S: f64 = 0.02;
/// A fault less likely than this is not asked about; nor one less likely than the other that nothing rare speaks for.
const MIN_PRESENCE: f64 = 0.01;
const MIN_PRESENCE_TOLD: f64 = 0.001;
/// Beside a finding of this score nobody is sure that nothing is wrong without having asked.
const STRONG: f64 = 0.8;
const MAX_PROBES: usize = 12;
const MAX_COST_S: f64 = 60.0;
/// Probes that only name the culprit, once the fault is clear.
const MAX_NAMING: usize = 4;
/// How long the question for what was changed may take.
const CHANGES_WITHIN: Duration = Duration::from_secs(20);

/// Faults that read the same from an answer, and how each does.
pub(super) type Bearing<'a> = Vec<(usize, &'a Reading)>;

/// P(present | fault), for faults that read the same from an answer.
pub(super) fn p_of(bearing: &[(usize, &Reading)], fault: usize) -> Option<f64> {
    bearing.iter().find(|(i, _)| *i == fault).map(|(_, r)| r.p.get())
}

/// P(present | none of these faults): each entry's own may count in the others.
pub(super) fn background_of(bearing: &[(usize, &Reading)]) -> f64 {
    bearing.iter().map(|(_, r)| r.background.get()).fold(1.0, f64::min)
}

impl<'a> Inquiry<'a> {
    fn may_ask(&mut self) -> bool {
        if !self.case.seen.facts.live {
            if self.odd().next().is_some() {
                self.limit("the target is not live, so nothing could be asked".into());
            }
            return false;
        }
        self.unanswered < GONE && self.asked.len() < MAX_PROBES && self.cost_s < MAX_COST_S
    }

    /// Asks the probe with the highest expected gain for its cost, and again, until sure or nothing is worth it.
    pub(in crate::agents::investigator) async fn ask_what_tells_most(&mut self) {
        if self.odd().next().is_none() && !self.is_doubtful() {
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

    /// Whether nobody would say without having asked that nothing is wrong: for what was seen, or because nobody knows
    /// what is usual and we were called in the middle of it.
    fn is_doubtful(&self) -> bool {
        let seen = &self.case.seen;
        self.told.contains(&true)
            || (seen.facts.live && seen.baseline.is_none())
            || self.odd().any(|(_, f)| f.score >= STRONG)
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
    pub(super) fn bearing(&self, argv: &[String], reading: &Reading) -> Bearing<'a> {
        let mut found = Vec::new();
        for (i, fault) in self.faults().iter().enumerate() {
            let mut of_fault = fault.probes.iter().filter_map(|p| Some((p, p.reading.as_ref()?)));
            let same =
                of_fault.find(|(p, r)| r.looks_for_the_same(reading) && self.argv(i, p).as_deref() == Some(argv));
            found.extend(same.map(|(_, r)| (i, r)));
        }
        found
    }

    /// The question as it is asked now; `None` where it can't be, is not meant, or asks for what is known.
    pub(super) fn argv(&self, fault: usize, probe: &Probe) -> Option<Vec<String>> {
        let none = BTreeMap::new();
        let attributes = self.culprits[fault].as_ref().map_or(&none, |c| &c.entity.attributes);
        let is_meant = probe.only.iter().all(|(key, value)| attributes.get(key) == Some(value));
        if !is_meant || probe.unless.iter().any(|known| attributes.contains_key(known)) {
            return None;
        }
        placeholder::fill(&probe.argv, attributes).ok()
    }

    /// Once the fault is clear: asks who exactly it is, so that a remedy can be precise.
    pub(in crate::agents::investigator) async fn name_the_culprit(&mut self) {
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
    pub(in crate::agents::investigator) async fn ask_what_changed(&mut self) {
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
