//! Sorts masked messages into patterns, in one pass: a fixed-depth tree over token count and first token whose
//! leaves hold templates, as in Drain (He, Zhu, Zheng, Lyu, "Drain: An Online Log Parsing Approach with Fixed
//! Depth Tree", ICWS 2017), with one change: words that carry the meaning of a failure never become a wildcard.

use std::collections::HashMap;

use super::{join::join, mask::WILD, shape::hash, telling::tells};

/// Patterns that are told apart; what comes later and fits none of them goes to one overflow pattern.
pub const MAX_PATTERNS: usize = 5_000;
/// Masked texts whose pattern is remembered.
const MAX_REMEMBERED: usize = 20_000;
/// Patterns that are told apart by their whole text, where that is asked for.
const MAX_EXACT: usize = 3_000;
/// Templates of a leaf that are compared.
const MAX_LEAF: usize = 200;
/// Share of tokens that must be the same.
const SIMILAR: f64 = 0.6;
/// Tokens of a message that are looked at.
const MAX_TOKENS: usize = 80;

/// The tree.
#[derive(Debug)]
pub(super) struct Tree {
    templates: Vec<Vec<Box<str>>>,
    leaves: HashMap<(usize, Box<str>), Vec<u32>>,
    /// The patterns of texts, by their hashes.
    remembered: HashMap<u64, u32>,
    masked: String,
    /// The patterns of whole texts, as long as each is one of its own.
    exactly: HashMap<Box<str>, u32>,
    overflow: Option<u32>,
    /// Every masked text is a pattern of its own, as long as there are not too many: what they have in common is
    /// found at the end.
    exact: bool,
}

impl Default for Tree {
    fn default() -> Self {
        let (templates, leaves, remembered) = (Vec::new(), HashMap::new(), HashMap::new());
        Self {
            templates,
            leaves,
            remembered,
            masked: String::new(),
            exactly: HashMap::new(),
            overflow: None,
            exact: true,
        }
    }
}

impl Tree {
    /// The pattern of a message that is masked in part; `mask` does the rest, where the text was not seen lately.
    /// Indices are given out in order from 0.
    pub(super) fn sort(&mut self, rough: &str, mask: impl FnOnce(&str, &mut String)) -> u32 {
        let hash = hash(rough.as_bytes());
        if let Some(known) = self.remembered.get(&hash) {
            return *known;
        }
        let mut masked = std::mem::take(&mut self.masked);
        masked.clear();
        mask(rough, &mut masked);
        let found = self.place(&masked);
        self.masked = masked;
        if self.remembered.len() >= MAX_REMEMBERED {
            self.remembered.clear();
        }
        self.remembered.insert(hash, found);
        found
    }

    fn place(&mut self, masked: &str) -> u32 {
        let tokens: Vec<&str> = masked.split(' ').take(MAX_TOKENS).collect();
        if !self.exact {
            return self.find(&tokens);
        }
        if let Some(known) = self.exactly.get(masked) {
            return *known;
        }
        if self.templates.len() >= MAX_EXACT {
            self.settle();
            return self.find(&tokens);
        }
        let new = self.insert(key(&tokens), &tokens);
        self.exactly.insert(masked.into(), new);
        new
    }

    /// Whether every masked text is a pattern of its own, still.
    pub(super) fn is_exact(&self) -> bool {
        self.exact
    }

    /// Whether a pattern is the one for all that fits none.
    pub(super) fn is_overflow(&self, pattern: u32) -> bool {
        self.overflow == Some(pattern)
    }

    /// How many patterns there are.
    pub(super) fn len(&self) -> usize {
        self.templates.len()
    }

    /// The pattern's template.
    pub(super) fn template(&self, pattern: u32) -> String {
        self.templates[pattern as usize].join(" ")
    }

    fn find(&mut self, tokens: &[&str]) -> u32 {
        let key = key(tokens);
        let leaf = self.leaves.get(&key).map_or(&[][..], Vec::as_slice);
        let mut best: Option<(f64, u32)> = None;
        for &candidate in leaf {
            if let Some(score) = similarity(&self.templates[candidate as usize], tokens)
                && best.is_none_or(|(s, _)| score > s)
            {
                best = Some((score, candidate));
            }
        }
        if let Some((_, pattern)) = best {
            for (have, token) in self.templates[pattern as usize].iter_mut().zip(tokens) {
                if **have != **token {
                    *have = WILD.into();
                }
            }
            return pattern;
        }
        if self.templates.len() >= MAX_PATTERNS || leaf.len() >= MAX_LEAF {
            return self.overflow();
        }
        self.insert(key, tokens)
    }

    /// Finds what varies in the patterns so far; from here on what is similar to one of them belongs to it.
    fn settle(&mut self) {
        let texts: Vec<String> = (0..self.templates.len() as u32).map(|i| self.template(i)).collect();
        let (roots, joined) = join(&texts);
        self.templates = roots.iter().map(|r| joined[*r as usize].split(' ').map(Into::into).collect()).collect();
        self.leaves.clear();
        self.remembered.clear();
        self.exactly.clear();
        self.exact = false;
        for (index, root) in (0u32..).zip(&roots) {
            if index == *root {
                let tokens: Vec<&str> = self.templates[index as usize].iter().map(|t| &**t).collect();
                let leaf = self.leaves.entry(key(&tokens)).or_default();
                if leaf.len() < MAX_LEAF {
                    leaf.push(index);
                }
            }
        }
    }

    fn insert(&mut self, key: (usize, Box<str>), tokens: &[&str]) -> u32 {
        let new = self.templates.len() as u32;
        self.templates.push(tokens.iter().map(|t| (*t).into()).collect());
        let leaf = self.leaves.entry(key).or_default();
        if leaf.len() < MAX_LEAF {
            leaf.push(new);
        }
        new
    }

    fn overflow(&mut self) -> u32 {
        *self.overflow.get_or_insert_with(|| {
            self.templates.push(vec![WILD.into()]);
            self.templates.len() as u32 - 1
        })
    }
}

/// The leaf of a message.
fn key(tokens: &[&str]) -> (usize, Box<str>) {
    let first = tokens.first().copied().unwrap_or("");
    (tokens.len(), if first.contains(WILD) { WILD.into() } else { first.into() })
}

/// The share of tokens that are the same, or `None` when the two are of different shape. What was masked in both says
/// nothing; what became a wildcard by merging counts against a further merge, so that no template dissolves.
fn similarity(template: &[Box<str>], tokens: &[&str]) -> Option<f64> {
    let (mut same, mut compared, mut words) = (0usize, 0usize, 0usize);
    for (have, token) in template.iter().zip(tokens) {
        if &**have == WILD && *token == WILD {
            continue;
        }
        compared += 1;
        if **have == **token {
            same += 1;
        } else if &**have != WILD && is_plain(have) && is_plain(token) {
            // Few names in a long message may vary; in a short one each word tells.
            words += 1;
            if words > tokens.len() / 5 || tells(have) || tells(token) {
                return None;
            }
        } else if is_status(have) || is_status(token) || (is_plain(token) && tells(token)) {
            return None;
        }
    }
    let score = if compared == 0 { 1.0 } else { same as f64 / compared as f64 };
    (score >= SIMILAR).then_some(score)
}

fn is_plain(token: &str) -> bool {
    token.bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b',' | b'.' | b':' | b';'))
}

/// Masking leaves digits only in the status of an HTTP request.
fn is_status(token: &str) -> bool {
    token.len() == 3 && token.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn as_it_is(text: &str, masked: &mut String) {
        masked.push_str(text);
    }

    fn similar() -> Tree {
        Tree { exact: false, ..Tree::default() }
    }

    fn sorted(messages: &[&str]) -> (Vec<u32>, Tree) {
        let mut tree = similar();
        let ids = messages.iter().map(|m| tree.sort(m, as_it_is)).collect();
        (ids, tree)
    }

    #[test]
    fn a_name_in_a_long_message_varies() {
        let (ids, tree) = sorted(&[
            "Failed password for invalid user admin from <*> port <*> ssh",
            "Failed password for invalid user bob from <*> port <*> ssh",
        ]);
        assert_eq!(ids, [0, 0]);
        assert_eq!(tree.template(0), "Failed password for invalid user <*> from <*> port <*> ssh");
    }

    #[test]
    fn words_that_tell_success_from_failure_are_kept_apart() {
        let (ids, _) = sorted(&[
            "Connection refused",
            "Connection closed",
            "backup of the database on <*> succeeded after <*> and all is well",
            "backup of the database on <*> failed after <*> and all is well",
            "\"<*>\" 200 <*> \"<*>\" \"<*>\"",
            "\"<*>\" 502 <*> \"<*>\" \"<*>\"",
        ]);
        assert_eq!(ids, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn what_varies_is_found_before_there_are_too_many() {
        let mut tree = Tree::default();
        let word = |n: usize| n.to_string().bytes().map(|b| char::from(b - b'0' + b'a')).collect::<String>();
        let sort = |tree: &mut Tree, n: usize| {
            tree.sort(&format!("job {} of {} was done by us", word(n), word(7 * n)), as_it_is)
        };
        let first = sort(&mut tree, 0);
        let last = (1..2 * MAX_EXACT).map(|n| sort(&mut tree, n)).last().unwrap();
        assert!(tree.len() <= MAX_EXACT + 1);
        assert_eq!(
            (tree.template(first), tree.template(last)),
            (tree.template(last), "job <*> of <*> was done by us".into())
        );
    }

    #[test]
    fn the_number_of_patterns_is_bounded() {
        let mut tree = similar();
        let letters = |n: usize| n.to_string().bytes().map(|b| char::from(b - b'0' + b'a')).collect::<String>();
        let last = (0..3 * MAX_PATTERNS).map(|n| tree.sort(&format!("x{} y", letters(n)), as_it_is)).max();
        assert_eq!(last, Some(MAX_PATTERNS as u32));
        assert_eq!(tree.template(MAX_PATTERNS as u32), WILD);
        assert!(tree.remembered.len() <= MAX_REMEMBERED);
    }
}
