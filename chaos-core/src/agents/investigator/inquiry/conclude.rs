//! What an investigation comes to: the diagnosis, what else was considered, and what may be there besides.

use std::collections::BTreeSet;

use super::{super::belief::State, Inquiry};
use crate::model::{Basis, Confidence, Diagnosis, EventType, Finding, Hypothesis, Id};

/// A second fault at least this likely is mentioned.
const ALSO: f64 = 0.3;

impl Inquiry<'_> {
    /// The diagnosis.
    pub(in crate::agents::investigator) fn conclude(mut self) -> Diagnosis {
        let shares = self.belief.conclusion();
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
            changes: self.changes,
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
        let presences = self.belief.presences(&self.belief.probabilities());
        for (i, fault) in self.faults().iter().enumerate() {
            let presence = presences[i];
            if i == top || presence < ALSO {
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
