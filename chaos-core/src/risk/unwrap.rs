//! Programs that run another program which they are given: `sudo`, `env`, `ssh`, `xargs`, `docker exec` and the like.
//! Here the inner command is found; what they are called and what they take is data.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{argv::fits, constants::known};

/// How one of them is called.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wrapper {
    pub(super) names: Vec<String>,
    /// The first operands, in order.
    #[serde(default)]
    verb: Vec<String>,
    /// Options whose value is the next word.
    #[serde(default)]
    takes: BTreeSet<String>,
    /// Options with which it runs nothing.
    #[serde(default)]
    unless: BTreeSet<String>,
    /// Operands between the verb and the inner command.
    #[serde(default)]
    skip: usize,
    /// Whether the inner command begins behind `--`, and only there where there is one.
    #[serde(default)]
    dashes: bool,
    /// Whether `NAME=value` may stand before it.
    #[serde(default)]
    assignments: bool,
    /// What the inner words are.
    #[serde(default)]
    pub(super) inner: Inner,
    /// Whether it runs as somebody else.
    #[serde(default)]
    pub(super) elevates: bool,
    /// Whether it runs on another machine, where nothing is ours.
    #[serde(default)]
    pub(super) elsewhere: bool,
    /// Whether its own arguments are judged too.
    #[serde(default)]
    pub(super) also: bool,
}

/// What the inner words of a wrapper are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Inner {
    /// A command's words.
    #[default]
    Words,
    /// Text for a shell, joined by blanks.
    Script,
    /// A command's words, to which words of standard input are added.
    Added,
}

/// A command taken apart.
pub(super) struct Unwrapped<'w> {
    /// The wrapper's own words.
    pub(super) own: &'w [String],
    /// Assignments for the inner command.
    pub(super) assignments: Vec<&'w String>,
    pub(super) inner: &'w [String],
}

impl Wrapper {
    /// Finds the inner command in the arguments, if there is one.
    pub(super) fn unwrap<'w>(&self, args: &'w [String]) -> Option<Unwrapped<'w>> {
        let mut verbs = self.verb.iter();
        let mut skip = self.skip;
        let mut assignments = Vec::new();
        let (mut at, mut ended) = (0, false);
        while let Some(word) = args.get(at) {
            let plain = known(word);
            if plain == "--" && !ended {
                ended = true;
                if self.dashes && verbs.as_slice().is_empty() {
                    return self.found(args, at, at + 1, assignments);
                }
            } else if plain.len() > 1 && plain.starts_with('-') && !ended {
                if self.unless.contains(&plain) {
                    return None;
                }
                at += usize::from(self.takes_next(&plain));
            } else if self.assignments && is_assignment(&plain) {
                assignments.push(word);
            } else if let Some(verb) = verbs.next() {
                if !verb.split('|').any(|v| fits(v, &plain)) {
                    return None;
                }
            } else if skip > 0 {
                skip -= 1;
            } else if self.dashes && args[at..].iter().any(|w| w == "--") {
                // The command is behind the dashes, whatever operands stand before.
            } else {
                return self.found(args, at, at, assignments);
            }
            at += 1;
        }
        None
    }

    fn found<'w>(
        &self,
        args: &'w [String],
        own: usize,
        inner: usize,
        assignments: Vec<&'w String>,
    ) -> Option<Unwrapped<'w>> {
        let inner = args.get(inner..).filter(|i| !i.is_empty())?;
        Some(Unwrapped { own: &args[..own], assignments, inner })
    }

    fn takes_next(&self, option: &str) -> bool {
        if self.takes.contains(option) {
            return true;
        }
        // The last letter of a group may take a value; an earlier one takes the rest of the group.
        let Some(letters) = option.strip_prefix('-').filter(|l| !l.starts_with('-')) else { return false };
        let taking = letters.char_indices().find(|(_, c)| self.takes.contains(&format!("-{c}")));
        taking.is_some_and(|(at, c)| at + c.len_utf8() == letters.len())
    }
}

/// Whether a word is `NAME=value`.
pub(super) fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    })
}
