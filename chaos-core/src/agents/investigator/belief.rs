//! What is believed: a probability for each state the host may be in, updated by Bayes' rule. States are healthy,
//! unknown, each fault alone, and each pair of faults, in which either can cause what is seen (noisy-or). With
//! pairs, two faults at once are neither forced into one name nor into "unknown".

use super::recurrence::Outcomes;
use crate::catalogue::{Catalogue, Fault};

/// Prior weight of a host with nothing wrong, and of trouble that the catalogue does not know.
const PRIOR_HEALTHY: f64 = 0.75;
/// The same where nobody watched the host before: who looks has a reason, and sees less.
const PRIOR_HEALTHY_CALLED: f64 = 0.4;
const PRIOR_UNKNOWN: f64 = 0.04;
/// The same of all faults of the catalogue together.
const PRIOR_FAULTS: f64 = 0.21;
/// What the catalogue says about how often each fault comes weighs as much as this many confirmed incidents.
const CATALOGUE_WEIGHS: f64 = 20.0;
/// How much more often two independent faults come together than by chance: trouble clusters.
const CLUSTER: f64 = 2.0;
/// P(a symptom is present | unknown trouble): unknown trouble can look like anything, so it explains each symptom
/// moderately, and explains none as well as a fault that is known to cause it. What hardly ever comes without its known
/// causes comes with unknown ones not much oftener.
const UNKNOWN_EXPLAINS: f64 = 0.20;
const UNKNOWN_EXPLAINS_TIMES: f64 = 20.0;

/// P(a symptom is present | unknown trouble), from what it is when nothing is wrong.
pub(super) fn unknown_explains(background: f64) -> f64 {
    UNKNOWN_EXPLAINS.min(UNKNOWN_EXPLAINS_TIMES * background).max(background)
}

/// P(none of the symptoms that could be seen is present | unknown trouble), however many symptoms there are.
pub(super) const UNKNOWN_SHOWS_NOTHING: f64 = 0.35;
/// A symptom that is shown by a finding of score 1 in place of 0.5 is this much rarer when nothing is wrong.
pub(super) const STRENGTH_HEALTHY: f64 = 0.15;
/// The strength of a log finding spans less of its scale than that of a metric, so that it counts twice.
pub(super) const LOG_STRENGTH: f64 = 2.0;
/// P(all of it is over before we stop looking | a fault, or unknown trouble).
pub(super) const PASSES: f64 = 0.07;
/// P(a symptom of work | something benign is at work), where the work was over soon, at least.
pub(super) const PASSING: f64 = 0.25;
/// What a fault may show and does not counts, beside something that it does show, as this part of what it would if its
/// symptoms were independent of each other: they hang together, by what runs on the host and which of it is hit.
pub(super) const ABSENT_COUNTS: f64 = 0.5;
/// Trouble has side effects that no entry lists: under a fault that does not cause it, a symptom is this much likelier
/// than when nothing is wrong, up to so much.
const SIDE_EFFECTS: f64 = 5.0;
const SIDE_EFFECTS_MAX: f64 = 0.03;
/// Where not knowing, or nothing being wrong, is likelier than this it counts as this when a question is chosen: what
/// is believed for lack of a better name must not keep us from looking for one.
const ASK_DESPITE: f64 = 0.5;
/// P(nothing at all is abnormal | unknown trouble).
pub(super) const UNKNOWN_UNSEEN: f64 = 0.10;
/// P(an abnormality of score 0.5 that no symptom describes | healthy); ten times less for each half of a point more.
pub(super) const STRAY_HEALTHY: f64 = 0.012;
/// The same for unknown trouble and for a known fault.
pub(super) const STRAY_UNKNOWN: f64 = 0.35;
pub(super) const STRAY_FAULT: f64 = 0.08;

/// More likely than not.
const LIKELY: f64 = 0.5;

/// A state that the host may be in; numbers are positions in [`Catalogue::faults`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Healthy,
    Unknown,
    One(usize),
    /// Two at once; where one causes the other, the cause comes first.
    Two(usize, usize),
}

/// How likely something is in each state.
pub(super) struct Likelihood<'a> {
    /// For a fault; `None` where it does not bear on it.
    pub(super) fault: &'a dyn Fn(usize) -> Option<f64>,
    /// When nothing is wrong.
    pub(super) healthy: f64,
    /// In all other states but unknown.
    pub(super) background: f64,
    /// In state unknown.
    pub(super) unknown: f64,
}

impl Likelihood<'_> {
    pub(super) fn of(&self, state: State) -> f64 {
        match state {
            State::Healthy => self.healthy,
            State::Unknown => self.unknown,
            State::One(a) => (self.fault)(a).unwrap_or(self.background),
            State::Two(a, b) => match ((self.fault)(a), (self.fault)(b)) {
                (None, None) => self.background,
                (Some(p), None) | (None, Some(p)) => p,
                (Some(p), Some(q)) => 1.0 - (1.0 - p) * (1.0 - q),
            },
        }
    }
}

/// P(a symptom is present | a fault that does not cause it), from what it is when nothing is wrong.
pub(super) fn beside_others(background: f64) -> f64 {
    (SIDE_EFFECTS * background).min(SIDE_EFFECTS_MAX.max(background))
}

/// The probabilities, as logarithms without a common constant.
#[derive(Debug, Clone)]
pub(super) struct Belief {
    states: Vec<(State, f64)>,
    /// By fault: the sum of logarithms of likelihood ratios that speak for it; only used to tell which of two is
    /// the stronger.
    strength: Vec<f64>,
    /// By fault: whether nothing is wrong when it is this.
    benign: Vec<bool>,
    causes: Vec<(usize, usize)>,
}

fn effect_of(cause: &Fault, effect: &Fault) -> Option<f64> {
    cause.explains.iter().find(|e| e.fault == effect.id).map(|e| e.p.get())
}

impl Belief {
    /// The priors: the catalogue's, moved by confirmed outcomes as counts added to those of a Dirichlet distribution.
    /// Confirmed faults make each other less likely, and not that nothing is wrong: people confirm what was wrong, and
    /// hardly ever that nothing was.
    /// `called` where the host was not watched before.
    pub(super) fn new(catalogue: &Catalogue, outcomes: &Outcomes, called: bool) -> Self {
        let fine = if called { PRIOR_HEALTHY_CALLED } else { PRIOR_HEALTHY };
        let faults = catalogue.faults();
        // Priors are relative: more entries make trouble neither likelier nor less likely.
        let all: f64 = faults.iter().filter(|f| !f.benign).map(|f| f.prior.get()).sum();
        let benign: Vec<bool> = faults.iter().map(|f| f.benign).collect();
        let count = |n: u32| f64::from(n) / CATALOGUE_WEIGHS;
        let counted: f64 = outcomes.faults.iter().copied().map(count).sum();
        let of = |i: usize, f: &Fault| (f.prior.get() / all + count(outcomes.faults[i])) / (1.0 + counted);
        let prior = |(i, f): (usize, &Fault)| {
            if f.benign { fine * f.prior.get() } else { PRIOR_FAULTS * of(i, f) }
        };
        let priors: Vec<f64> = faults.iter().enumerate().map(prior).collect();
        let explained: f64 = priors.iter().zip(&benign).filter(|(_, benign)| **benign).map(|(p, _)| p).sum();
        let healthy = fine - explained + count(outcomes.healthy);
        let unknown = PRIOR_UNKNOWN + count(outcomes.unknown);
        let mut states = vec![(State::Healthy, healthy.ln()), (State::Unknown, unknown.ln())];
        states.extend(priors.iter().enumerate().map(|(i, prior)| (State::One(i), prior.ln())));
        let mut causes = Vec::new();
        for (a, fa) in faults.iter().enumerate() {
            for (b, fb) in faults.iter().enumerate().skip(a + 1) {
                let (pa, pb) = (priors[a], priors[b]);
                let (state, prior) = match (effect_of(fa, fb), effect_of(fb, fa)) {
                    (Some(p), _) => (State::Two(a, b), pa * p),
                    (None, Some(p)) => (State::Two(b, a), pb * p),
                    (None, None) => (State::Two(a, b), (CLUSTER * pa * pb).min(pa.min(pb))),
                };
                if let State::Two(first, second) = state
                    && effect_of(&faults[first], &faults[second]).is_some()
                {
                    causes.push((first, second));
                }
                states.push((state, prior.ln()));
            }
        }
        Self { states, strength: vec![0.0; faults.len()], benign, causes }
    }

    /// Takes into account that something with these likelihoods is present, or is absent.
    pub(super) fn update(&mut self, likelihood: &Likelihood<'_>, present: bool) {
        for (state, log) in &mut self.states {
            let is_expected = |i: usize| (likelihood.fault)(i).is_some();
            let p = match *state {
                State::One(a) if self.benign[a] && !is_expected(a) => likelihood.healthy,
                State::Two(a, b) if self.benign[a] && self.benign[b] && !is_expected(a) && !is_expected(b) => {
                    likelihood.healthy
                }
                state => likelihood.of(state),
            };
            let p = p.clamp(1e-6, 1.0 - 1e-6);
            *log += if present { p.ln() } else { (1.0 - p).ln() };
        }
    }

    /// Whether nothing is wrong in a state.
    pub(super) fn is_fine(&self, state: State) -> bool {
        match state {
            State::Healthy => true,
            State::Unknown => false,
            State::One(a) => self.benign[a],
            State::Two(a, b) => self.benign[a] && self.benign[b],
        }
    }

    /// What explains that a host on which nothing is wrong is not as it was, where that is likelier than that it is as it
    /// was.
    pub(super) fn benign(&self) -> Option<usize> {
        let fine: Vec<(State, f64)> = self.probabilities().into_iter().filter(|(s, _)| self.is_fine(*s)).collect();
        let total: f64 = fine.iter().map(|(_, p)| p).sum();
        let (top, p) = fine.into_iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
        match top {
            State::One(a) if p > LIKELY * total => Some(a),
            _ => None,
        }
    }

    /// Multiplies the weight of each state, of which is also told whether nothing is wrong in it.
    pub(super) fn weigh(&mut self, weight: impl Fn(State, bool) -> f64) {
        let fine: Vec<bool> = self.states.iter().map(|(state, _)| self.is_fine(*state)).collect();
        for ((state, log), is_fine) in self.states.iter_mut().zip(fine) {
            *log += weight(*state, is_fine).max(1e-9).ln();
        }
    }

    pub(super) fn strengthen(&mut self, fault: usize, by: f64) {
        self.strength[fault] += by.max(0.0);
    }

    /// The probability of each state; they sum to 1.
    pub(super) fn probabilities(&self) -> Vec<(State, f64)> {
        let top = self.states.iter().map(|(_, l)| *l).fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = self.states.iter().map(|(_, l)| (l - top).exp()).sum();
        self.states.iter().map(|(s, l)| (*s, (l - top).exp() / total)).collect()
    }

    /// The probabilities as questions are chosen by: not knowing counts for half at most, and so does nothing being wrong
    /// where that is `doubtful`.
    pub(super) fn open_minded(&self, doubtful: bool) -> Vec<(State, f64)> {
        let mut all = self.probabilities();
        let set_aside = |s: State| s == State::Unknown || doubtful && self.is_fine(s);
        let aside: f64 = all.iter().filter(|(s, _)| set_aside(*s)).map(|(_, p)| p).sum();
        if aside > ASK_DESPITE {
            for (state, p) in &mut all {
                *p *= if set_aside(*state) {
                    ASK_DESPITE / aside
                } else {
                    (1.0 - ASK_DESPITE) / (1.0 - aside).max(1e-12)
                };
            }
        }
        all
    }

    /// How likely each fault is there, alone or with another.
    pub(super) fn presences(&self, probabilities: &[(State, f64)]) -> Vec<f64> {
        let mut presences = vec![0.0; self.strength.len()];
        for (state, p) in probabilities {
            if let State::One(a) | State::Two(a, _) = state {
                presences[*a] += p;
            }
            if let State::Two(_, b) = state {
                presences[*b] += p;
            }
        }
        presences
    }

    /// How much less uncertain, in bits, an answer is expected to leave us: the mutual information of the state and
    /// whether something with these likelihoods is present.
    pub(super) fn expected_gain(probabilities: &[(State, f64)], likelihood: &Likelihood<'_>) -> f64 {
        let mut states = Vec::with_capacity(probabilities.len());
        let mut present = 0.0;
        for (state, p) in probabilities {
            let q = likelihood.of(*state).clamp(1e-6, 1.0 - 1e-6);
            present += p * q;
            states.push((*p, q));
        }
        let term = |q: f64, all: f64| q * (q / all).log2();
        states.iter().map(|(p, q)| p * (term(*q, present) + term(1.0 - q, 1.0 - present))).sum()
    }

    /// How likely each is *the* cause, most likely first: what two faults have together goes to the cause where
    /// one causes the other, else to each by how strongly the evidence speaks for it. Ties go by position.
    pub(super) fn shares(&self) -> Vec<(State, f64)> {
        self.shared_out(None)
    }

    /// The same as what can be said for certain: where several causes may be behind an effect that is likely there and
    /// none of them is more likely than not, it is the effect that is named.
    pub(super) fn conclusion(&self) -> Vec<(State, f64)> {
        let shares = self.shares();
        let (State::One(top), share) = shares[0] else { return shares };
        let presences = self.presences(&self.probabilities());
        let effects = self.causes.iter().filter(|(cause, _)| *cause == top).map(|(_, effect)| *effect);
        match effects.max_by(|a, b| presences[*a].total_cmp(&presences[*b])) {
            Some(effect) if share < LIKELY && presences[effect] >= LIKELY => self.shared_out(Some(effect)),
            _ => shares,
        }
    }

    fn shared_out(&self, effect: Option<usize>) -> Vec<(State, f64)> {
        let mut shares: Vec<(State, f64)> = vec![(State::Healthy, 0.0), (State::Unknown, 0.0)];
        shares.extend((0..self.strength.len()).map(|i| (State::One(i), 0.0)));
        for (state, p) in self.probabilities() {
            match state {
                state if self.is_fine(state) => shares[0].1 += p,
                // What is benign is there besides.
                State::Two(a, b) if self.benign[a] => shares[2 + b].1 += p,
                State::Two(a, b) if self.benign[b] => shares[2 + a].1 += p,
                State::Healthy => {}
                State::Unknown => shares[1].1 += p,
                State::One(a) => shares[2 + a].1 += p,
                State::Two(a, b) => {
                    let to_first = match self.is_cause(a, b) {
                        true if effect == Some(b) => 0.0,
                        true => 1.0,
                        false => self.part(a, b),
                    };
                    shares[2 + a].1 += p * to_first;
                    shares[2 + b].1 += p * (1.0 - to_first);
                }
            }
        }
        shares.sort_by(|a, b| b.1.total_cmp(&a.1));
        shares
    }

    pub(super) fn is_cause(&self, cause: usize, effect: usize) -> bool {
        self.causes.contains(&(cause, effect))
    }

    fn part(&self, a: usize, b: usize) -> f64 {
        let total = self.strength[a] + self.strength[b];
        if total > 0.0 { self.strength[a] / total } else { 0.5 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(belief: &Belief, wanted: State) -> f64 {
        belief.shares().into_iter().find(|(s, _)| *s == wanted).unwrap().1
    }

    #[test]
    fn confirmed_faults_count_against_each_other_and_false_alarms_for_health() {
        let catalogue = Catalogue::default();
        let none = Outcomes { faults: vec![0; catalogue.faults().len()], ..Outcomes::default() };
        let before = Belief::new(&catalogue, &none, false);
        let mut often = none.clone();
        often.faults[3] = 4;
        let after = Belief::new(&catalogue, &often, false);
        let healthy = |b: &Belief| share(b, State::Healthy);
        let (was, is) = (share(&before, State::One(3)), share(&after, State::One(3)));
        assert!(is > 3.0 * was && is < 0.1, "{was} {is}");
        assert!(share(&after, State::One(4)) < share(&before, State::One(4)));
        assert!((healthy(&after) - healthy(&before)).abs() < 0.02, "{} {}", healthy(&before), healthy(&after));
        let alarms = Belief::new(&catalogue, &Outcomes { healthy: 4, ..none.clone() }, false);
        assert!(healthy(&alarms) > healthy(&before));
        let strange = Belief::new(&catalogue, &Outcomes { unknown: 4, ..none }, false);
        assert!(share(&strange, State::Unknown) > share(&before, State::Unknown));
    }
}
