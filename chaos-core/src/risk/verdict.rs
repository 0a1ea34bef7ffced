//! What was found about a command or a script, and how findings add up. Nothing is judged here.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{RiskCategory, RiskLevel, RiskVerdict, RuleHit};

/// What can't be resolved and is told; beyond that it is only counted.
const TOLD: usize = 20;

/// What a command risks.
#[derive(Debug, Clone, PartialEq)]
pub struct StaticRisk {
    /// How bad; `None` means that it only reads.
    pub level: RiskLevel,
    /// Whether it may run.
    pub verdict: RiskVerdict,
    /// What could be hit.
    pub categories: BTreeSet<RiskCategory>,
    /// Ids of the rules that fired and ask for approval, with the words and the reason.
    pub rules: BTreeMap<String, (Vec<String>, String)>,
    /// The same of rules that say what is harmless.
    pub harmless: BTreeMap<String, (Vec<String>, String)>,
    /// What could not be resolved.
    pub unresolved: Vec<String>,
}

impl StaticRisk {
    /// Nothing that risks anything.
    pub(super) fn none() -> Self {
        Self {
            level: RiskLevel::None,
            verdict: RiskVerdict::Safe,
            categories: BTreeSet::new(),
            rules: BTreeMap::new(),
            harmless: BTreeMap::new(),
            unresolved: Vec::new(),
        }
    }

    pub(super) fn raise(&mut self, level: RiskLevel, verdict: RiskVerdict) {
        self.level = self.level.max(level);
        self.verdict = self.verdict.max(verdict);
    }

    /// Notes what could not be resolved, which is never safe.
    pub(super) fn unresolved(&mut self, what: impl Into<String>) {
        self.raise(RiskLevel::Medium, RiskVerdict::NeedsApproval);
        let what = what.into();
        if self.unresolved.len() < TOLD && !self.unresolved.contains(&what) {
            self.unresolved.push(what);
        }
    }

    /// Notes a rule that fired; its first hit is the one that is told.
    pub(super) fn hit(&mut self, rule: &Finding<'_>, words: Vec<String>) {
        self.raise(rule.level, rule.verdict);
        self.categories.extend(rule.categories.iter().copied());
        let told = if rule.verdict > RiskVerdict::Safe { &mut self.rules } else { &mut self.harmless };
        told.entry(rule.id.to_owned()).or_insert_with(|| (words, rule.why.to_owned()));
    }

    /// What is told: what asks for approval, or, where nothing does, why it is harmless.
    fn told(&self) -> &BTreeMap<String, (Vec<String>, String)> {
        if self.verdict > RiskVerdict::Safe { &self.rules } else { &self.harmless }
    }

    /// The rules that fired, for a model.
    #[must_use]
    pub fn hits(&self) -> Vec<RuleHit> {
        let hit = |(rule, (words, why)): (&String, &(Vec<String>, String))| RuleHit {
            rule: rule.clone(),
            words: words.clone(),
            why: why.clone(),
        };
        self.told().iter().map(hit).collect()
    }

    /// Why it has its verdict, a line each: what fired with the words that triggered it, then what is not known.
    #[must_use]
    pub fn reasons(&self) -> Vec<String> {
        let fired = self.told().values().map(|(words, why)| format!("{}: {why}", words.join(" ")));
        fired.chain(self.unresolved.iter().cloned()).collect()
    }

    /// Adds what was found elsewhere.
    pub(super) fn absorb(&mut self, other: Self) {
        self.raise(other.level, other.verdict);
        self.categories.extend(other.categories);
        for (id, hit) in other.rules {
            self.rules.entry(id).or_insert(hit);
        }
        for (id, hit) in other.harmless {
            self.harmless.entry(id).or_insert(hit);
        }
        for what in other.unresolved {
            self.unresolved(what);
        }
    }

    /// Says why ordinary work is not taken for ordinary on another machine.
    pub(super) fn hosts(&mut self, name: &str) {
        if self.verdict == RiskVerdict::NeedsApproval && self.rules.is_empty() && self.unresolved.is_empty() {
            self.unresolved(format!("by `{name}` it changes another machine"));
        }
    }

    /// The same as a step on a target that others depend on: whatever changes anything there needs approval.
    pub(super) fn on_a_target(mut self) -> Self {
        if self.level > RiskLevel::None {
            self.raise(self.level, RiskVerdict::NeedsApproval);
        }
        self
    }
}

/// What a rule says when it fires.
#[derive(Debug, Clone, Copy)]
pub(super) struct Finding<'a> {
    pub(super) id: &'a str,
    pub(super) level: RiskLevel,
    pub(super) verdict: RiskVerdict,
    pub(super) categories: &'a [RiskCategory],
    pub(super) why: &'a str,
}

/// Findings about how commands are put together, which no rule over one command can say.
pub(super) mod found {
    use super::Finding;
    use crate::model::{
        RiskCategory::{DataLoss, Downtime, Irreversible, Network, Privilege},
        RiskLevel::{self, High, Medium},
        RiskVerdict::{self, Dangerous, NeedsApproval},
    };

    pub(in crate::risk) const DOWNLOAD: Finding<'static> = Finding {
        id: "runs-a-download",
        level: High,
        verdict: Dangerous,
        categories: &[Privilege, Network],
        why: "it runs whatever another machine sends at that moment",
    };
    pub(in crate::risk) const HELP: Finding<'static> = Finding {
        id: "asks-for-help",
        level: RiskLevel::None,
        verdict: RiskVerdict::Safe,
        categories: &[],
        why: "it only prints how the program is used, or its version",
    };
    pub(in crate::risk) const ONLY_COMPUTES: Finding<'static> = Finding {
        id: "only-computes",
        level: RiskLevel::None,
        verdict: RiskVerdict::Safe,
        categories: &[],
        why: "it uses nothing but what computes and prints",
    };
    pub(in crate::risk) const FORK_BOMB: Finding<'static> = Finding {
        id: "fork-bomb",
        level: High,
        verdict: Dangerous,
        categories: &[Downtime],
        why: "it starts itself more than once without end, until the host can start nothing else",
    };
    pub(in crate::risk) const HIDDEN: Finding<'static> = Finding {
        id: "decodes-and-runs",
        level: Medium,
        verdict: NeedsApproval,
        categories: &[],
        why: "it runs what it decodes, and hides from a reader what that is",
    };
    pub(in crate::risk) const ON_ALL_FOUND: Finding<'static> = Finding {
        id: "acts-on-all-found",
        level: Medium,
        verdict: NeedsApproval,
        categories: &[DataLoss, Irreversible],
        why: "it acts on everything that is found then, and that was not listed",
    };
}
