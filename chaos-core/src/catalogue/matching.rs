//! Which findings show a symptom, and whether a symptom could have been seen at all.

use super::{
    NOTABLE,
    entry::{MetricMatch, Symptom},
};
use crate::{
    analysis::metrics::{can_tell, has_limit, is_at_rest, is_redundant, is_seen},
    model::{Change, Finding, LogChange, Observation, Series, Signal},
};

/// A log symptom this rare on a host where nothing would cause it counts however quietly it is said: what a line
/// means is known then, and its level and number say little.
const TELLING: f64 = 0.005;
/// From this score on.
const QUIET: f64 = 0.2;

/// Whether this finding shows this symptom. Findings below [`NOTABLE`] show nothing, except what is [`TELLING`].
pub(crate) fn shows(symptom: &Symptom, finding: &Finding) -> bool {
    let telling = symptom.log.as_ref().is_some_and(|l| l.quiet || symptom.background.get() <= TELLING);
    let least = if telling { QUIET } else { NOTABLE };
    if finding.score.is_nan() || finding.score < least || symptom.entity.is_some_and(|k| k != finding.entity.kind) {
        return false;
    }
    match &finding.signal {
        Signal::Metric { name, attributes, change, after, .. } => symptom.metric.as_ref().is_some_and(|m| {
            is_like(&m.name, name)
                && m.change.contains(change)
                && permits(m, |key| attributes.get(key).map_or("", String::as_str))
                && m.after_min.is_none_or(|min| *after >= min)
                && m.after_below.is_none_or(|max| *after < max)
        }),
        Signal::Log { template, example, level, change, count, .. } => symptom.log.as_ref().is_some_and(|l| {
            let is_meant = match l.change.as_slice() {
                [] => *change != LogChange::Silence,
                meant => meant.contains(change),
            };
            let severe = match (l.level_min, level) {
                (Some(min), Some(level)) => *level >= min,
                _ => true,
            };
            is_meant
                && severe
                && *count >= l.count_min
                && (l.pattern.regex().is_match(template) || l.pattern.regex().is_match(example))
        }),
        Signal::Other { name } => symptom.other.as_ref() == Some(name),
    }
}

/// Whether the evidence would show this symptom if it were there. What could not be seen is not absent.
pub(crate) fn is_observable(symptom: &Symptom, seen: &Observation) -> bool {
    if let Some(m) = &symptom.metric {
        // Without a baseline a change that came before us is no change: only limits, trends and what is
        // never usual can be told. A slow host may give too few samples.
        let told = |series: &Series| {
            (seen.baseline.is_some() && can_tell(series, seen.baseline.as_ref(), &seen.observed))
                || m.change.iter().all(|c| matches!(c, Change::TrendUp | Change::TrendDown))
                || (m.change.contains(&Change::Saturated) && has_limit(series))
                || (m.change.contains(&Change::LevelUp) && is_at_rest(series) && is_seen(series, &seen.observed))
        };
        // Detectors pass over a series that only repeats another one.
        return seen.series().any(|(_, s)| {
            is_like(&m.name, &s.name) && permits(m, |key| s.attribute(key)) && !is_redundant(s) && told(s)
        });
    }
    symptom.log.is_some() && seen.logs().next().is_some()
}

fn permits<'a>(m: &MetricMatch, attribute: impl Fn(&str) -> &'a str) -> bool {
    m.attributes.iter().all(|(key, allowed)| {
        let value = attribute(key);
        allowed.iter().any(|a| a == value)
    })
}

/// Whether `name` is `pattern`, in which `*` stands for any text.
fn is_like(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name) in
            [("a.b", "a.b"), ("*lat*", "http.latency.p95"), ("a*", "a"), ("*c", "abc"), ("a*b*c", "axbyc")]
        {
            assert!(is_like(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("a.b", "a.bc"), ("a.b", "xa.b"), ("*lat*", "http"), ("a*c", "ab"), ("ab*ba", "aba")] {
            assert!(!is_like(pattern, name), "{pattern} {name}");
        }
    }
}
