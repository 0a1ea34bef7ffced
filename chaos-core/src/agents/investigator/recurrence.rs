//! What earlier incidents of the target teach: confirmed outcomes move the priors, and the same cause is pointed out.
//! Only what a person confirmed counts, and nothing that was injected: what was merely named would confirm itself.

use std::collections::BTreeMap;

use crate::{
    catalogue::Catalogue,
    model::{Past, Recurrence, Verdict},
};

/// Earlier incidents that are pointed out.
const MOST: usize = 10;

/// Confirmed outcomes of the target's earlier incidents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outcomes {
    /// False alarms.
    pub(super) healthy: u32,
    /// The named cause was wrong, and the true one is none of the catalogue's.
    pub(super) unknown: u32,
    /// By position in [`Catalogue::faults`].
    pub(super) faults: Vec<u32>,
}

impl Outcomes {
    pub(super) fn of(history: &[Past], catalogue: &Catalogue) -> Self {
        let faults = catalogue.faults();
        let mut outcomes = Self { faults: vec![0; faults.len()], ..Self::default() };
        for verdict in counted(history) {
            match verdict {
                Verdict::Healthy => outcomes.healthy += 1,
                Verdict::Unknown => outcomes.unknown += 1,
                Verdict::Fault(id) => match faults.iter().position(|f| f.id == *id) {
                    Some(i) => outcomes.faults[i] += 1,
                    None => outcomes.unknown += 1,
                },
            }
        }
        outcomes
    }
}

fn counted(history: &[Past]) -> impl Iterator<Item = &Verdict> {
    history.iter().filter(|p| !p.injected).filter_map(|p| p.confirmed.as_ref())
}

/// What is said of the earlier incidents beside a verdict; `None` where there was none.
pub(super) fn recurrence(history: &[Past], named: &Verdict, prior: Option<(f64, f64)>) -> Option<Recurrence> {
    let own: Vec<&Past> = history.iter().filter(|p| !p.injected).collect();
    if own.is_empty() {
        return None;
    }
    let mut confirmed = BTreeMap::new();
    for verdict in counted(history) {
        *confirmed.entry(verdict.id().to_owned()).or_insert(0) += 1;
    }
    let is_same = |p: &&&Past| matches!(named, Verdict::Fault(_)) && p.known() == named;
    let same = own.iter().rev().filter(is_same).take(MOST).map(|p| (*p).clone()).collect();
    let incidents = u32::try_from(own.len()).unwrap_or(u32::MAX);
    Some(Recurrence { incidents, prior: prior.filter(|_| !confirmed.is_empty()), confirmed, same })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Confidence, FaultId, IncidentId, Timestamp};

    fn past(n: u32, named: &str, confirmed: Option<&str>, injected: bool) -> Past {
        let verdict = |id: &str| match id {
            "healthy" => Verdict::Healthy,
            "unknown" => Verdict::Unknown,
            fault => Verdict::Fault(FaultId(fault.into())),
        };
        Past {
            id: IncidentId::parse(&format!("inc-20260101-{n:03}")).unwrap(),
            began: Timestamp(i64::from(n)),
            verdict: verdict(named),
            confidence: Confidence::new(0.9),
            culprit: None,
            injected,
            confirmed: confirmed.map(verdict),
        }
    }

    #[test]
    fn only_what_a_person_confirmed_and_nobody_injected_counts() {
        let catalogue = Catalogue::default();
        let history = [
            past(1, "disk_space", None, false),
            past(2, "disk_space", Some("disk_space"), false),
            past(3, "disk_space", Some("disk_space"), true),
            past(4, "disk_space", Some("healthy"), false),
            past(5, "cpu_saturation", Some("disk_space"), false),
            past(6, "cpu_saturation", Some("of_another_catalogue"), false),
        ];
        let outcomes = Outcomes::of(&history, &catalogue);
        let at = catalogue.faults().iter().position(|f| f.id.0 == "disk_space").unwrap();
        assert_eq!((outcomes.healthy, outcomes.unknown, outcomes.faults[at]), (1, 1, 2));
        assert_eq!(outcomes.faults.iter().sum::<u32>(), 2);

        let named = Verdict::Fault(FaultId("disk_space".into()));
        let told = recurrence(&history, &named, Some((0.1, 0.2))).unwrap();
        assert_eq!((told.incidents, told.counted()), (5, 4));
        let same: Vec<&str> = told.same.iter().map(|p| p.id.as_str()).collect();
        // Confirmed to be it, or named and not contradicted; the latest first.
        assert_eq!(same, ["inc-20260101-005", "inc-20260101-002", "inc-20260101-001"]);
        assert_eq!(recurrence(&history[2..3], &named, None), None);
    }
}
