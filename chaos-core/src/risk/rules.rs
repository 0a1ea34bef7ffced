//! Rules in data: reading them, checking them against their own examples, and which of them a command fires.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::{
    argv::{Argv, Grammar, cut, fits},
    constants::{known, shown},
    places::{Place, Places},
    unwrap::Wrapper,
    verdict::Finding,
};
use crate::model::{RiskCategory, RiskLevel, RiskVerdict};

/// One rule. All conditions must hold; a list is satisfied by one of its words unless it says otherwise, and within a
/// word `|` separates alternatives and `*` is any text.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) id: String,
    program: Vec<String>,
    /// The first operands, in order.
    #[serde(default)]
    verb: Vec<String>,
    /// Options, `--option=value`, or operands.
    #[serde(default)]
    any: Vec<String>,
    /// The same, each of them.
    #[serde(default)]
    all: Vec<String>,
    /// The same, and none may be there.
    #[serde(default)]
    none: Vec<String>,
    /// The same, and no option may be there that is not one of these.
    #[serde(default)]
    only: Vec<String>,
    /// Some operand behind the verb leads to one of these.
    #[serde(default)]
    some_in: Vec<Place>,
    /// All of them do, and there is one.
    #[serde(default)]
    all_in: Vec<Place>,
    /// The last of them does.
    #[serde(default)]
    last_in: Vec<Place>,
    /// Some word holds one of these texts.
    #[serde(default)]
    text: Vec<String>,
    /// No word does.
    #[serde(default)]
    no_text: Vec<String>,
    /// How many operands stand behind the verb, at least.
    #[serde(default)]
    least: usize,
    /// At most.
    #[serde(default)]
    most: Option<usize>,
    verdict: RiskVerdict,
    level: Option<RiskLevel>,
    #[serde(default)]
    categories: Vec<RiskCategory>,
    why: String,
    #[serde(rename = "match")]
    pub(super) matches: Vec<String>,
    pub(super) not_match: Vec<String>,
}

/// A file of rules.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub(super) places: Places,
    #[serde(default)]
    pub(super) programs: Vec<Grammar>,
    #[serde(default)]
    pub(super) wrappers: Vec<Wrapper>,
    /// By language, the names that code may use and still only compute and print.
    #[serde(default)]
    pub(super) harmless: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub(super) rules: Vec<Rule>,
}

/// Everything that is known of programs, found by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Book {
    pub(super) file: File,
    grammars: HashMap<String, usize>,
    wrappers: HashMap<String, Vec<usize>>,
    rules: HashMap<String, Vec<usize>>,
    /// Rules of programs whose names have a `*`.
    patterns: Vec<(String, usize)>,
}

impl Book {
    pub(super) fn new(file: File) -> Self {
        let mut book = Self { file, ..Self::default() };
        for (n, grammar) in book.file.programs.iter().enumerate() {
            book.grammars.extend(grammar.names.iter().map(|name| (name.clone(), n)));
        }
        for (n, wrapper) in book.file.wrappers.iter().enumerate() {
            wrapper.names.iter().for_each(|name| book.wrappers.entry(name.clone()).or_default().push(n));
        }
        for (n, rule) in book.file.rules.iter().enumerate() {
            for name in &rule.program {
                if name.contains('*') {
                    book.patterns.push((name.clone(), n));
                } else {
                    book.rules.entry(name.clone()).or_default().push(n);
                }
            }
        }
        book
    }

    /// The name by which the book knows a program: its own, without a version, in small letters.
    pub(super) fn name(&self, name: &str) -> Option<String> {
        let is_known = |n: &str| {
            self.rules.contains_key(n)
                || self.grammars.contains_key(n)
                || self.wrappers.contains_key(n)
                || self.patterns.iter().any(|(p, _)| fits(p, n))
        };
        if is_known(name) {
            return Some(name.to_owned());
        }
        let small = name.to_lowercase();
        let bare = small.strip_suffix(".exe").or_else(|| small.strip_suffix(".cmd")).unwrap_or(&small);
        let unversioned = bare.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | '-'));
        [small.as_str(), bare, unversioned].into_iter().find(|n| !n.is_empty() && is_known(n)).map(str::to_owned)
    }

    pub(super) fn grammar(&self, name: &str) -> Option<&Grammar> {
        self.grammars.get(name).map(|n| &self.file.programs[*n])
    }

    pub(super) fn wrappers(&self, name: &str) -> impl Iterator<Item = &Wrapper> {
        self.wrappers.get(name).into_iter().flatten().map(|n| &self.file.wrappers[*n])
    }

    /// The rules that a command fires, with the words that triggered each.
    pub(super) fn fired(&self, argv: &Argv) -> Vec<(Finding<'_>, Vec<String>)> {
        let any_case = self.grammar(&argv.program).is_some_and(|g| g.any_case);
        let named = self.rules.get(&argv.program).into_iter().flatten().copied();
        let fitting = self.patterns.iter().filter(|(p, _)| fits(p, &argv.program)).map(|(_, n)| *n);
        let fire = |n: usize| {
            let rule = &self.file.rules[n];
            rule.fires(argv, &self.file.places, any_case).map(|words| (rule.finding(), words))
        };
        named.chain(fitting).filter_map(fire).collect()
    }
}

impl Rule {
    fn finding(&self) -> Finding<'_> {
        let level = match self.verdict {
            RiskVerdict::Safe => RiskLevel::None,
            RiskVerdict::NeedsApproval => RiskLevel::Medium,
            RiskVerdict::Dangerous => RiskLevel::High,
        };
        Finding {
            id: &self.id,
            level: self.level.unwrap_or(level),
            verdict: self.verdict,
            categories: &self.categories,
            why: &self.why,
        }
    }

    /// What it lacks to be a rule, if anything.
    pub(super) fn lacks(&self) -> Option<&'static str> {
        if self.program.is_empty() || self.matches.is_empty() || self.not_match.is_empty() {
            return Some("give a program, and examples in match and in not_match");
        }
        None
    }

    fn fires(&self, argv: &Argv, places: &Places, any_case: bool) -> Option<Vec<String>> {
        let strict = self.verdict > RiskVerdict::Safe;
        let look = Look { argv, strict, any_case };
        let mut hit = vec![argv.program.clone()];
        let behind = argv.operands.get(self.verb.len()..)?;
        for (verb, word) in self.verb.iter().zip(&argv.operands) {
            // A rule that says what is harmless needs to know what it speaks of.
            if !look.fits(verb, word) || (!strict && shown(word) != known(word)) {
                return None;
            }
            hit.push(cut(&shown(word)));
        }
        if behind.len() < self.least || self.most.is_some_and(|most| behind.len() > most) {
            return None;
        }
        if !self.any.is_empty() {
            hit.push(self.any.iter().find_map(|w| look.finds(w))?);
        }
        for word in &self.all {
            hit.push(look.finds(word)?);
        }
        let exclusive = !self.none.is_empty() || !self.only.is_empty();
        if !strict && exclusive && argv.hidden {
            return None;
        }
        if self.none.iter().any(|w| Look { strict: !strict, ..look }.finds(w).is_some()) {
            return None;
        }
        let listed = |name: &str| self.only.iter().any(|w| w.split('|').any(|w| fits(w, name)));
        if !self.only.is_empty() && !argv.flags.iter().all(|f| f.group || listed(&f.name)) {
            return None;
        }
        self.leads(behind, &argv.at, places, &mut hit)?;
        if !self.text.is_empty() {
            let found = self.text.iter().find(|t| look.holds(t))?;
            hit.push(found.clone());
        }
        if self.no_text.iter().any(|t| look.holds(t)) {
            return None;
        }
        Some(hit)
    }

    /// Whether the operands lead where they must.
    fn leads(&self, operands: &[String], at: &str, places: &Places, hit: &mut Vec<String>) -> Option<()> {
        let some = |wanted: &[Place], word: &String| places.from(at, word).iter().any(|p| wanted.contains(p));
        if !self.some_in.is_empty() {
            let word = operands.iter().find(|w| some(&self.some_in, w))?;
            hit.push(cut(&shown(word)));
        }
        if !self.last_in.is_empty() {
            let word = operands.last().filter(|w| some(&self.last_in, w))?;
            hit.push(cut(&shown(word)));
        }
        if !self.all_in.is_empty() {
            let all = |w: &String| places.from(at, w).iter().all(|p| self.all_in.contains(p));
            if operands.is_empty() || !operands.iter().all(all) {
                return None;
            }
        }
        Some(())
    }
}

/// How words of a rule are looked for in a command: where that makes it stricter, shortened options count too.
#[derive(Clone, Copy)]
struct Look<'a> {
    argv: &'a Argv,
    strict: bool,
    any_case: bool,
}

impl Look<'_> {
    fn fits(&self, patterns: &str, word: &str) -> bool {
        let word = known(word);
        let word = if self.any_case { word.to_lowercase() } else { word };
        patterns.split('|').any(|p| fits(p, &word))
    }

    /// The word of the command that is one of these.
    fn finds(&self, patterns: &str) -> Option<String> {
        patterns.split('|').find_map(|pattern| {
            if !pattern.starts_with('-') {
                let word = self.argv.operands.iter().find(|o| self.fits(pattern, o))?;
                return Some(cut(&shown(word)));
            }
            let (name, value) = match pattern.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (pattern, None),
            };
            let flag = self.argv.flags.iter().find(|f| {
                self.is_named(&f.name, name)
                    && value.is_none_or(|v| f.value.as_ref().is_some_and(|given| self.fits(v, given)))
            })?;
            Some(match &flag.value {
                Some(value) => cut(&format!("{} {}", flag.name, shown(value))),
                None => flag.name.clone(),
            })
        })
    }

    fn is_named(&self, given: &str, name: &str) -> bool {
        if self.any_case && given.eq_ignore_ascii_case(name) || fits(name, given) {
            return true;
        }
        // getopt takes the beginning of a long option for the whole.
        self.strict && given.len() > 4 && given.starts_with("--") && name.starts_with(given)
    }

    fn holds(&self, text: &str) -> bool {
        let held = |w: &String| if self.any_case { w.to_lowercase().contains(text) } else { w.contains(text) };
        std::iter::once(&self.argv.program).chain(&self.argv.words).any(held)
    }
}
