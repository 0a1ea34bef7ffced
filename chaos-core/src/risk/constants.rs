//! What is known of variables while a script is walked in its order, and the marks for what is not known.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use brush_parser::ast::FunctionBody;

/// Stands in a word for text that is not known; it may be nothing at all, and anything.
pub(super) const UNKNOWN: char = '\u{F8F0}';
/// Stands for one word that is not known and not empty, and that is no path and no option: a number, a name, a date.
pub(super) const SOME: char = '\u{F8F1}';
/// As [`UNKNOWN`], sent by another machine.
pub(super) const SENT: char = '\u{F8F2}';

/// Whether a word is not wholly known.
pub(super) fn is_vague(word: &str) -> bool {
    word.contains([UNKNOWN, SENT])
}

/// A word without what is not known, as it would be were that empty.
pub(super) fn known(word: &str) -> String {
    word.replace([UNKNOWN, SENT], "")
}

/// A word as a person reads it.
pub(super) fn shown(word: &str) -> String {
    word.replace([UNKNOWN, SENT, SOME], "…")
}

/// A text from outside, without the marks.
pub(super) fn unmarked(text: &str) -> String {
    text.replace([UNKNOWN, SENT, SOME], "\u{FFFD}")
}

/// Variables, positional parameters and functions at one point of a script.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    variables: BTreeMap<String, Vec<String>>,
    pub(super) positional: Option<Vec<String>>,
    pub(super) functions: BTreeMap<String, Arc<FunctionBody>>,
    /// The working directory, empty where the script began.
    pub(super) at: String,
}

impl Scope {
    /// The words of a variable: one, or those of an array. What nobody has set may be anything.
    pub(super) fn get(&self, name: &str) -> Vec<String> {
        if let Some(words) = self.variables.get(name) {
            return words.clone();
        }
        let one = match name {
            "HOME" => "~".into(),
            "TMPDIR" | "TMP" | "TEMP" => "/tmp".into(),
            "PWD" | "OLDPWD" => ".".into(),
            "IFS" => " ".into(),
            "USER" | "LOGNAME" | "UID" | "EUID" | "PPID" | "RANDOM" | "SECONDS" | "LINENO" | "HOSTNAME"
            | "HOSTTYPE" | "MACHTYPE" | "OSTYPE" | "SHLVL" | "BASHPID" | "EPOCHSECONDS" | "EPOCHREALTIME"
            | "COLUMNS" | "LINES" => SOME.to_string(),
            _ => UNKNOWN.to_string(),
        };
        vec![one]
    }

    /// What `cd` does.
    pub(super) fn enter(&mut self, to: &str) {
        self.at = match to {
            "-" => UNKNOWN.to_string(),
            _ if to.starts_with(['/', '~']) || is_vague(to) || self.at.is_empty() => to.to_owned(),
            _ => format!("{}/{to}", self.at),
        };
    }

    /// Whether the script itself has set it.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    pub(super) fn set(&mut self, name: &str, words: Vec<String>) {
        self.variables.insert(name.to_owned(), words);
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.set(name, vec![UNKNOWN.to_string()]);
    }

    pub(super) fn forget_all(&mut self) {
        let names: Vec<String> = self.variables.keys().cloned().collect();
        names.iter().for_each(|name| self.forget(name));
        self.positional = None;
    }

    /// Goes on where several ways meet: what differs between them is not known.
    pub(super) fn meet(&mut self, other: Self) {
        let names: BTreeSet<&String> = self.variables.keys().chain(other.variables.keys()).collect();
        let differ: Vec<String> =
            names.into_iter().filter(|n| self.variables.get(*n) != other.variables.get(*n)).cloned().collect();
        differ.iter().for_each(|name| self.forget(name));
        if self.positional != other.positional {
            self.positional = None;
        }
        if self.at != other.at {
            self.at = UNKNOWN.to_string();
        }
        self.functions.extend(other.functions);
    }

    /// Whether the same is known of all variables.
    pub(super) fn knows_as(&self, other: &Self) -> bool {
        self.variables == other.variables && self.at == other.at && self.positional == other.positional
    }
}
