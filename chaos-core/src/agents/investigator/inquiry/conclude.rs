//! What an investigation comes to: the diagnosis, what else was considered, and what may be there besides.

use std::collections::BTreeSet;

use super::{
    super::{
        belief::{Belief, State},
        recurrence::{Outcomes, recurrence},
    },
    Inquiry, is_called,
};
use crate::model::{Basis, Confidence, Diagnosis, EventType, Finding, Hypothesis, Id, Recurrence};

/// A second fault at least this likely is mentioned.
const ALSO: f64 = 0.3;

impl Inquiry<'_> {
    /// The diagnosis.
    pub(in crate::agents::investigator) fn conclude(mut self) -> Diagnosis {
        let shares = self.belief.conclusion();
        let (mut top, mut share) = shares[0];
        // Logs without an error do not say that a host is well.
        let blind = top == State::Healthy && self.case.seen.series().next().is_none();
        if blind {
            top = State::Unknown;
            share = shares.iter().find(|(state, _)| *state == top).map_or(0.0, |(_, p)| *p);
            self.limit("no metric could be read: nothing tells that the host is well".into());
        }
        let is_open = |state: &State| !matches!(state, State::One(i) if self.faults()[*i].benign);
        let hypotheses =
            shares.iter().filter(|(state, _)| is_open(state)).map(|(state, p)| self.hypothesis(*state, *p)).collect();
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
        let plain = if blind {
            "Nothing abnormal was seen, and too little to say that nothing is wrong".into()
        } else {
            self.title(top)
        };
        if blind {
            title.clone_from(&plain);
        }
        let history = self.recurrence(top);
        let diagnosis = Diagnosis {
            verdict: self.verdict(top),
            title: plain,
            confidence,
            culprit,
            hypotheses,
            steps: self.steps,
            history,
            changes: self.changes,
            limits: self.limits,
        };
        let data = serde_json::json!({
            "verdict": diagnosis.verdict.id(), "confidence": confidence, "culprit": diagnosis.culprit, "limits": diagnosis.limits,
        });
        self.cx.emit_with(EventType::Diagnosis, format!("{title} ({confidence})"), data);
        diagnosis
    }

    /// What earlier incidents of the target say of this conclusion.
    fn recurrence(&self, top: State) -> Option<Recurrence> {
        let named = self.verdict(top);
        let without = Belief::new(self.catalogue, &Outcomes::of(&[], self.catalogue), is_called(self.case)).shares();
        let prior = without.into_iter().find(|(s, _)| *s == top).map(|(_, p)| p);
        recurrence(&self.case.history, &named, prior.zip(self.priors.get(named.id()).copied()))
    }

    fn title(&self, state: State) -> String {
        match state {
            State::Healthy => match self.belief.benign() {
                Some(i) => format!("Nothing is wrong: {}", self.faults()[i].title),
                None => "Nothing is wrong".into(),
            },
            State::Unknown => "Something is wrong, and what was seen does not tell what".into(),
            State::One(i) | State::Two(i, _) => self.faults()[i].title.clone(),
        }
    }

    fn mention_others(&mut self, top: usize) {
        let presences = self.belief.presences(&self.belief.probabilities());
        for (i, fault) in self.faults().iter().enumerate() {
            let presence = presences[i];
            if i == top || presence < ALSO || fault.benign {
                continue;
            }
            let how = match (self.belief.is_cause(top, i), self.belief.is_cause(i, top)) {
                (true, _) => "likely there too, as an effect",
                (_, true) => "may be what causes it",
                _ => "likely there too",
            };
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
