//! What the judged diagnoses say together.

use std::path::Path;

use serde::Serialize;

use super::Label;
use crate::model::{Confidence, Diagnosis, Verdict};

/// From here on a wrong name misleads: somebody would act upon it.
const CONFIDENT: f64 = 0.8;
/// Bounds of the confidences that are looked at together.
const BINS: [f64; 6] = [0.0, 0.5, 0.7, 0.8, 0.9, 1.0];
/// Explanations that a person would look at.
const FIRST: usize = 3;

/// A diagnosis, held against its label.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Judged {
    /// The incident's directory.
    pub incident: String,
    /// What was really wrong.
    pub label: Label,
    /// What the diagnosis says: a fault's id, `healthy` or `unknown`.
    pub said: String,
    /// How sure it is.
    pub confidence: Confidence,
    /// Whether it is right.
    pub right: bool,
    /// Whether what was wrong is among the three most likely explanations.
    pub in_first_three: bool,
    /// Whether the culprit is right; none where the label names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub culprit: Option<bool>,
    /// What it names, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub named: Option<String>,
    /// Questions of the investigator that the target answered.
    pub probes: usize,
    /// Milliseconds that the whole replay took: reading the recording, detecting, diagnosing, planning, reporting.
    pub took_ms: f64,
}

/// How many of how many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Share {
    /// So many.
    pub n: usize,
    /// Of so many.
    pub of: usize,
}

/// Diagnoses of about the same confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    /// Confidences from here.
    pub from: f64,
    /// To here.
    pub to: f64,
    /// Their mean.
    pub confidence: f64,
    /// How many are right.
    pub right: Share,
}

/// All judged diagnoses, and what they say together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evaluation {
    /// Incidents that could not be thought over again, with the reason; they count for nothing.
    pub not_judged: Vec<(String, String)>,
    /// Of those with a fault: how many are not called healthy.
    pub detected: Share,
    /// Of those with a fault: how many are called by its name.
    pub top_1: Share,
    /// Of those with a fault: how many have it among the three most likely explanations.
    pub top_3: Share,
    /// Of those with a culprit in their label: how many name it, along with the right fault.
    pub culprit: Share,
    /// Of those with nothing wrong: how many are not called healthy.
    pub false_alarms: Share,
    /// Of all: how many name a fault that is not there with a confidence of 0.8 or more.
    pub misleading: Share,
    /// Mean of the squared distance between the confidence and whether it is right (Brier 1950); 0 is best.
    pub brier: f64,
    /// Mean of how far the confidence is from the share that is right, over the bins (expected calibration error).
    pub calibration_error: f64,
    /// By confidence, those bins that are not empty.
    pub calibration: Vec<Bin>,
    /// Median of the questions asked.
    pub probes_median: f64,
    /// Median of the milliseconds that a replay took.
    pub took_ms_median: f64,
    /// One by one.
    pub incidents: Vec<Judged>,
}

impl Judged {
    pub(super) fn new(incident: &Path, label: Label, diagnosis: &Diagnosis, probes: usize, took_ms: f64) -> Self {
        let right = label.is_right(&diagnosis.verdict);
        let first = diagnosis.hypotheses.iter().take(FIRST);
        Self {
            incident: incident.display().to_string(),
            said: diagnosis.verdict.id().to_owned(),
            confidence: diagnosis.confidence,
            right,
            in_first_three: first.map(|(_, h)| &h.verdict).any(|v| label.is_right(v)),
            culprit: label.is_culprit(diagnosis.culprit.as_ref()).map(|named| named && right),
            named: diagnosis.culprit.as_ref().map(|c| c.summary.clone()),
            label,
            probes,
            took_ms,
        }
    }

    fn names_a_fault(&self) -> bool {
        self.said != Verdict::Healthy.id() && self.said != Verdict::Unknown.id()
    }
}

impl Share {
    fn of(all: impl Iterator<Item = bool>) -> Self {
        all.fold(Self::default(), |share, is| Self { n: share.n + usize::from(is), of: share.of + 1 })
    }

    /// From 0 to 1; none of nothing.
    #[must_use]
    pub fn value(self) -> Option<f64> {
        (self.of > 0).then(|| self.n as f64 / self.of as f64)
    }
}

impl Evaluation {
    /// What these say together.
    #[must_use]
    pub fn new(incidents: Vec<Judged>) -> Self {
        let with_fault = || incidents.iter().filter(|j| !j.label.is_healthy());
        let is_healthy = |j: &Judged| j.said == Verdict::Healthy.id();
        let calibration = bins(&incidents);
        let all = incidents.len().max(1) as f64;
        let off = |bin: &Bin| bin.right.of as f64 * (bin.confidence - bin.right.value().unwrap_or(0.0)).abs();
        let distance = |j: &Judged| (j.confidence.get() - f64::from(u8::from(j.right))).powi(2);
        Self {
            not_judged: Vec::new(),
            detected: Share::of(with_fault().map(|j| !is_healthy(j))),
            top_1: Share::of(with_fault().map(|j| j.right)),
            top_3: Share::of(with_fault().map(|j| j.in_first_three)),
            culprit: Share::of(incidents.iter().filter_map(|j| j.culprit)),
            false_alarms: Share::of(incidents.iter().filter(|j| j.label.is_healthy()).map(|j| !is_healthy(j))),
            misleading: Share::of(
                incidents.iter().map(|j| j.names_a_fault() && !j.right && j.confidence.get() >= CONFIDENT),
            ),
            brier: incidents.iter().map(distance).sum::<f64>() / all,
            calibration_error: calibration.iter().map(off).sum::<f64>() / all,
            probes_median: median(incidents.iter().map(|j| j.probes as f64)),
            took_ms_median: median(incidents.iter().map(|j| j.took_ms)),
            calibration,
            incidents,
        }
    }
}

fn bins(incidents: &[Judged]) -> Vec<Bin> {
    let mut bins = Vec::new();
    for bounds in BINS.windows(2) {
        let (from, to) = (bounds[0], bounds[1]);
        // The last one has its upper bound too.
        let is_in = |c: f64| c >= from && (c < to || to >= 1.0);
        let within: Vec<&Judged> = incidents.iter().filter(|j| is_in(j.confidence.get())).collect();
        if !within.is_empty() {
            let confidence = within.iter().map(|j| j.confidence.get()).sum::<f64>() / within.len() as f64;
            bins.push(Bin { from, to, confidence, right: Share::of(within.iter().map(|j| j.right)) });
        }
    }
    bins
}

/// 0 of nothing.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        n if n % 2 == 1 => values[middle],
        _ => values[middle - 1].midpoint(values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::label::Named, *};

    fn judged(label: &str, said: &str, confidence: f64, culprit: Option<bool>) -> Judged {
        let label = Label { fault: label.into(), also: Vec::new(), culprit: Named::default() };
        Judged {
            incident: "x".into(),
            said: said.into(),
            confidence: Confidence::new(confidence),
            right: label.fault == said,
            in_first_three: label.fault == said,
            culprit,
            named: None,
            label,
            probes: 2,
            took_ms: 10.0,
        }
    }

    #[test]
    fn shares_count_what_they_are_about() {
        let evaluation = Evaluation::new(vec![
            judged("a", "a", 0.95, Some(true)),
            judged("a", "b", 0.9, Some(false)),
            judged("a", "unknown", 0.85, None),
            judged("a", "healthy", 0.85, None),
            judged("healthy", "healthy", 1.0, None),
            judged("healthy", "b", 0.6, None),
            judged("unknown", "unknown", 0.6, None),
        ]);
        let of = |n, of| Share { n, of };
        assert_eq!(evaluation.detected, of(4, 5));
        assert_eq!((evaluation.top_1, evaluation.top_3), (of(2, 5), of(2, 5)));
        assert_eq!(evaluation.culprit, of(1, 2));
        assert_eq!(evaluation.false_alarms, of(1, 2));
        // Not to know, and to overlook, mislead nobody into acting.
        assert_eq!(evaluation.misleading, of(1, 7));
        let bins: Vec<_> = evaluation.calibration.iter().map(|b| (b.from, b.right)).collect();
        assert_eq!(bins, [(0.5, of(1, 2)), (0.8, of(0, 2)), (0.9, of(2, 3))]);
        let want = (2.0 * 0.1 + 2.0 * 0.85 + 3.0 * (0.95 - 2.0 / 3.0)) / 7.0;
        assert!((evaluation.calibration_error - want).abs() < 1e-9, "{}", evaluation.calibration_error);
    }

    #[test]
    fn of_nothing_nothing_is_said() {
        let evaluation = Evaluation::new(Vec::new());
        assert_eq!((evaluation.top_1.value(), evaluation.brier, evaluation.took_ms_median), (None, 0.0, 0.0));
        assert!(evaluation.calibration.is_empty());
    }
}
