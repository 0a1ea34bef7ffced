//! A target that no longer answers: what is left of an incident when its host dies or is cut off in the middle of it.
//! Nothing else may be abnormal by then, and nobody would call it healthy.

use crate::{
    error::ErrorKind,
    model::{Body, Citation, Finding, Gap, Observation, Signal},
};

/// The finding's name, for the catalogue.
pub(super) const UNREACHABLE: &str = "target.unreachable";
const SCORE: f64 = 0.9;

/// A sample comes each second; how long before the end the last one came, in milliseconds, where the connection broke and
/// could not be made anew; and where nothing but the silence tells, which a busy host keeps for a while too.
const BROKEN: i64 = 3000;
const SILENT: i64 = 8000;

/// The finding that the target went away and was not seen again, by what followed it without a pause.
pub(super) fn find(seen: &Observation) -> Option<Finding> {
    seen.evidence.iter().find_map(|(id, evidence)| {
        let Body::Metric(series) = &evidence.body else { return None };
        let late = |gap: &Gap| match gap.why.kind() {
            ErrorKind::Unreachable => Some(BROKEN),
            ErrorKind::Deadline => Some(SILENT),
            _ => None,
        };
        let (gap, late) = evidence.gaps.iter().rev().find_map(|gap| Some((gap, late(gap)?)))?;
        let rows = u32::try_from(series.at.len()).ok().filter(|rows| *rows > 0)?;
        // An endpoint that is down is no host that is.
        let is_followed = !evidence.source.starts_with("http");
        let last = seen.series().filter(|(of, _)| seen.evidence.get(*of).is_some_and(|e| e.source == evidence.source));
        let last = last.filter_map(|(_, series)| series.at.last()).max()?;
        if !is_followed || seen.observed.end.0.saturating_sub(*last) < late {
            return None;
        }
        let summary = format!("the target has not answered since {}: {}", gap.span.start.time_of_day(), gap.why);
        let signal = Signal::Other { name: UNREACHABLE.into() };
        let finding = Finding::new(signal, summary, [Citation { evidence: id, rows: rows - 1..rows }]);
        Some(Finding { score: SCORE, onset: Some(gap.span.start), ..finding })
    })
}
