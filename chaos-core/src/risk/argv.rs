//! From the words of a command to options and operands, by what is known of its program's grammar.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::constants::{SENT, SOME, UNKNOWN, is_vague, known, shown};

/// How a program reads its arguments.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Grammar {
    /// The names that it goes by.
    pub(super) names: Vec<String>,
    /// Options whose value is the next word.
    #[serde(default)]
    pub(super) takes: BTreeSet<String>,
    /// Whether `-delete` is one option, and not six letters.
    #[serde(default)]
    pub(super) single_dash: bool,
    /// Whether capitals make no difference.
    #[serde(default)]
    pub(super) any_case: bool,
    /// Whether what it prints comes from another machine.
    #[serde(default)]
    pub(super) fetches: bool,
    /// What it runs that is in its arguments.
    #[serde(default)]
    pub(super) runs: Option<Runs>,
}

/// How a program gets at code.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Runs {
    pub(super) language: String,
    /// Options whose value is code.
    #[serde(default)]
    pub(super) options: Vec<String>,
    /// Options that make the first operand code.
    #[serde(default)]
    pub(super) flags: Vec<String>,
    /// Whether the first operand is code unless one of `options` is given.
    #[serde(default)]
    pub(super) operand: bool,
    /// Whether all operands together are code.
    #[serde(default)]
    pub(super) operands: bool,
    /// Whether standard input is code where nothing else is.
    #[serde(default)]
    pub(super) stdin: bool,
}

/// An option as it was given.
#[derive(Debug, Clone)]
pub(super) struct Flag {
    pub(super) name: String,
    pub(super) value: Option<String>,
    /// Whether it is a whole group of letters, which are there one by one too.
    pub(super) group: bool,
}

/// A command's words, sorted. They may hold marks for what is not known.
#[derive(Debug, Clone)]
pub(super) struct Argv {
    pub(super) program: String,
    pub(super) flags: Vec<Flag>,
    pub(super) operands: Vec<String>,
    /// All arguments as they stand.
    pub(super) words: Vec<String>,
    /// Where relative paths begin; empty where the script began.
    pub(super) at: String,
    /// Whether an argument that is not known could be an option.
    pub(super) hidden: bool,
}

impl Argv {
    pub(super) fn read(program: &str, words: &[String], grammar: &Grammar) -> Self {
        let mut argv = Self {
            program: program.to_owned(),
            flags: Vec::new(),
            operands: Vec::new(),
            words: words.to_vec(),
            at: String::new(),
            hidden: false,
        };
        let mut rest = words.iter();
        let mut ended = false;
        while let Some(word) = rest.next() {
            let plain = known(word);
            if ended {
                argv.operands.push(word.clone());
            } else if plain == "--" && plain == *word {
                ended = true;
            } else if !plain.starts_with('-') || plain == "-" {
                argv.hidden |= word.starts_with([UNKNOWN, SENT]);
                argv.operands.push(word.clone());
            } else if plain.starts_with("--") || grammar.single_dash {
                let (name, value) = match word.split_once('=') {
                    Some((name, value)) => (known(name), Some(value.to_owned())),
                    None if grammar.takes.contains(&plain) => (plain, rest.next().cloned()),
                    None => (plain, None),
                };
                argv.flags.push(Flag { name, value, group: false });
            } else {
                argv.cluster(word, grammar, &mut rest);
            }
        }
        argv
    }

    /// Letters behind one dash; the first that takes a value takes the rest of the word, or else the next word.
    fn cluster(&mut self, word: &str, grammar: &Grammar, rest: &mut std::slice::Iter<'_, String>) {
        self.hidden |= is_vague(word);
        let letters: Vec<char> = word.chars().skip(1).collect();
        // A number is one option: `kill -9`, `head -20`.
        if letters.iter().all(char::is_ascii_digit) || grammar.takes.contains(word) && letters.len() > 1 {
            let value = grammar.takes.contains(word).then(|| rest.next().cloned()).flatten();
            self.flags.push(Flag { name: word.to_owned(), value, group: false });
            return;
        }
        for (n, letter) in letters.iter().enumerate() {
            if matches!(*letter, UNKNOWN | SENT | SOME) {
                continue;
            }
            let name = format!("-{letter}");
            if grammar.takes.contains(&name) {
                let joined: String = letters[n + 1..].iter().collect();
                let value = if joined.is_empty() { rest.next().cloned() } else { Some(joined) };
                self.flags.push(Flag { name, value, group: false });
                return;
            }
            self.flags.push(Flag { name, value: None, group: false });
        }
        // `-KILL`, `-9`, `-SIGTERM`: a word that some programs read whole.
        if letters.len() > 1 {
            self.flags.push(Flag { name: known(word), value: None, group: true });
        }
    }

    /// Whether one of these options is given.
    pub(super) fn has(&self, names: &[String]) -> bool {
        self.flags.iter().any(|f| names.contains(&f.name))
    }

    /// The command in one line, for a person.
    pub(super) fn line(&self) -> Vec<String> {
        std::iter::once(&self.program).chain(&self.words).map(|w| cut(&shown(w))).collect()
    }
}

/// A word that is told, not too long.
pub(super) fn cut(word: &str) -> String {
    const MOST: usize = 80;
    let line: String = word.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST).collect();
    if word.chars().nth(MOST).is_some() { format!("{line}…") } else { line }
}

/// Whether `text` fits `pattern`, in which `*` is any text.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut rest) = text.strip_prefix(before) else { return false };
    let mut parts: Vec<&str> = after.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str, takes: &[&str], single_dash: bool) -> Argv {
        let grammar =
            Grammar { takes: takes.iter().map(|t| (*t).to_owned()).collect(), single_dash, ..Grammar::default() };
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Argv::read("x", &words, &grammar)
    }

    #[test]
    fn options_and_operands_are_told_apart() {
        let names = |a: &Argv| a.flags.iter().map(|f| f.name.clone()).collect::<Vec<_>>();
        let argv = read("-rf a --force -- -b", &[], false);
        assert!(["-r", "-f", "--force"].iter().all(|n| names(&argv).contains(&(*n).to_owned())));
        assert_eq!(argv.operands, ["a", "-b"]);
        let argv = read("-C dir push --to=x -ofile", &["-C", "-o"], false);
        assert_eq!(argv.operands, ["push"]);
        assert!(argv.flags.iter().any(|f| f.name == "-o" && f.value.as_deref() == Some("file")));
        let argv = read(". -name x -delete", &["-name"], true);
        assert_eq!((argv.operands.len(), names(&argv)), (1, vec!["-name".to_owned(), "-delete".to_owned()]));
    }

    #[test]
    fn a_pattern_fits_a_whole_word() {
        for (pattern, text, is) in [
            ("delete-*", "delete-stack", true),
            ("*", "", true),
            ("*ab*", "xaby", true),
            ("a*b", "a", false),
            ("a*a", "a", false),
            ("of=/dev/*", "of=/dev/sda", true),
        ] {
            assert_eq!(fits(pattern, text), is, "{pattern} {text}");
        }
    }
}
