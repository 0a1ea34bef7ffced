//! Which records ask for a person's attention. Judges a template once by its text, and a record of it by its level; what
//! the whole log is like comes in as [`Ranks`]. Knows no system's own vocabulary: what it goes by is errno's wording
//! (POSIX), the Linux kernel's words for failing hardware, and the forms of dumps.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    mask::WILD,
    severe::{Words, words},
    telling::tells,
};
use crate::model::Level;

/// So many records above `Error`, and so many times those at it, make `Error` a lesser thing in a log.
const ABOVE: u64 = 20;
const OUTNUMBERED: u64 = 2;

/// What a template's text comes to, the least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// It goes with something that is told elsewhere, or is over: a dump's line, an error that was corrected.
    Nothing,
    /// Somebody did not get in.
    Login,
    /// Somebody asked for what does not exist or is not his. The host is well, unless that happens of a sudden.
    Asked,
    /// Nothing is said.
    Plain,
    /// It says that something did not work.
    Complaint,
    /// As [`Words::Trouble`].
    Trouble,
    /// As [`Words::Alarm`].
    Alarm,
}

/// How a log uses its levels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ranks {
    errors: u64,
    above: u64,
}

impl Ranks {
    /// Counts `n` records of a template whose most severe level is `level`.
    pub(super) fn count(&mut self, level: Option<Level>, n: u64) {
        match level {
            Some(Level::Error) => self.errors += n,
            Some(level) if level > Level::Error => self.above += n,
            _ => {}
        }
    }

    /// Whether the writers call most failures worse than errors: then an error alone is what others call a warning.
    fn inflated(self) -> bool {
        self.above >= ABOVE && self.above >= OUTNUMBERED.saturating_mul(self.errors)
    }
}

/// Whether a record asks for attention. `odd`: such records were not there before, or become more frequent.
pub(super) fn asks(weight: Weight, level: Option<Level>, odd: bool, ranks: Ranks) -> bool {
    match (weight, level) {
        (Weight::Nothing, _) => false,
        (Weight::Alarm, _) => true,
        (_, Some(level)) if level < Level::Error => false,
        (Weight::Login, level) => level >= Some(Level::Alert),
        (Weight::Asked, level) => odd || level >= Some(Level::Alert),
        (Weight::Plain, None) => false,
        (Weight::Plain, Some(level)) => level > Level::Error || !ranks.inflated(),
        (Weight::Complaint | Weight::Trouble, _) => true,
    }
}

/// Something did not work. A word that is part of a name, such as a package's, says nothing; an exception's does.
static COMPLAINT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r#"(?i)(?:^|[\s\[("'*:=,;!])(?:errors?|errors?\(s\)|fail(?:s|ed|ing|ures?)?|fault(?:s|y)?|fatal)(?:[\s\])"'*:=,;.!]|$)"#,
        r"|\bcould not\b|\bcan ?not\b|\bunable to\b|\bsevered\b|(?-i:[a-z](?:Exception|Error))\b",
    ))
    .expect("a constant pattern")
});

/// It is over.
static MENDED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b(?:corrected|recovered|repaired)\b|\b(?:attempting|trying) to (?:correct|recover|repair)\b")
        .expect("a constant pattern")
});

static NOT_MENDED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)\b(?:not|never|cannot|\w+n't|must|should|to|un\w+)(?: be| been| yet)* (?:corrected|recovered|repaired)\b",
        r"|\bpanic|\bcrash|exception\b",
    ))
    .expect("a constant pattern")
});

/// A failure that somebody deals with already.
static DEALT_WITH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\bretrying\b|\bwill (?:be )?(?:retry|retried|try again)\b|\bdeferred\b")
        .expect("a constant pattern")
});

/// A count of none, the name of a part that deals with failures, a command that somebody runs.
static NO_COMPLAINT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)\bsucce(?:ss|eded)|\b(?:ignored|ignoring|skipped|skipping)\b",
        r"|\b(?:0|no|without)(?: \w+)? (?:errors?|failures?|faults?)\b|\b(?:errors?|failures?|failed|faults?)\s*[=:]\s*0\b",
        r"|(?:^|\s)\(\S+\) CMD \(|\bCOMMAND=|\berrors?[- ](?:handl\w+|report\w+|log\w*|recovery)\b|\berrors=",
    ))
    .expect("a constant pattern")
});

/// What errno and servers say when the request was wrong.
static ASKED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)no such file or directory|permission denied|access denied|operation not permitted|not a directory",
        r"|is a directory|block device required|exec(?:utable)? format error|file name too long|file (?:does not exist|not found)",
        r"|\bE(?:NOENT|ACCES|PERM|NOTDIR|ISDIR|NOTBLK|NOEXEC|NAMETOOLONG)\b|\bforbidden\b|\bunauthori[sz]ed\b",
        r"|\bsyntax error\b|\bbad request\b|(?:page|command|url) not found",
    ))
    .expect("a constant pattern")
});

static LOGIN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)\bauthenticat\w* (?:failure|failed|error)|couldn't authenticate|\b(?:failed|invalid|bad|wrong|incorrect) password",
        r"|timeout before authentication|\[preauth\]|failed password|failed (?:none|publickey|keyboard\S*) for",
        r"|\b(?:invalid|illegal|unknown) user\b|\buser unknown\b|\blogin (?:failed|failure|incorrect)|\bfailed login",
    ))
    .expect("a constant pattern")
});

/// Where a wrong request is the host's own: it names what belongs to the system, or a service ends of it.
static OWN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r#"(?i)(?:^|[\s"'`(\[=:])/(?:etc|dev|proc|sys|run|boot|s?bin|lib(?:32|64)?|usr/(?:lib|s?bin)|var/(?:lib|run|log|spool|lock))/"#,
        r"|\b(?:failed|unable|could not|cannot|can't)(?: to)? (?:start|bind|listen|initiali[sz]e|mount|fork)\b",
        r"|\bexiting\b|\bgiving up\b|\bshutting down\b|\bcore dump",
    ))
    .expect("a constant pattern")
});

/// Judges a template by `says` (its first record's words), its text, its first record, and that masked.
pub(super) fn weigh(says: Words, template: &str, example: &str, shape: &str) -> Weight {
    if is_dump(template, example) || is_dump(shape, example) {
        return Weight::Nothing;
    }
    if MENDED.is_match(example) && !NOT_MENDED.is_match(example) {
        return Weight::Nothing;
    }
    match says {
        Words::Alarm => return Weight::Alarm,
        _ if LOGIN.is_match(example) => return Weight::Login,
        _ if ASKED.is_match(example) && !OWN.is_match(example) => return Weight::Asked,
        _ if DEALT_WITH.is_match(example) => return Weight::Plain,
        Words::Trouble => return Weight::Trouble,
        Words::Plain => {}
    }
    match COMPLAINT.is_match(template) && !NO_COMPLAINT.is_match(example) {
        true => Weight::Complaint,
        false => Weight::Plain,
    }
}

/// A line of a dump: a name, and after a leader of dots or a colon nothing but a number; or nothing but values with
/// their names.
fn is_dump(template: &str, example: &str) -> bool {
    let is_value = |w: &str| w.trim_matches(['(', ')']) == WILD;
    let is_pair = |w: &str| w.strip_suffix(WILD).is_some_and(|n| n.is_empty() || n.ends_with(['=', ':']));
    let has_number = |w: &str| w.rsplit(['=', ':']).next().is_none_or(|v| v.is_empty() || is_number(v));
    if template.contains(['=', ':']) && template.split(' ').all(is_pair) && example.split_whitespace().all(has_number) {
        return true;
    }
    if let Some((_, values)) = template.rsplit_once("...")
        && values.trim_start_matches('.').split(' ').all(is_value)
    {
        return true;
    }
    let Some(name) = template.strip_suffix(WILD) else { return false };
    name.ends_with("..") || is_label(name.trim_end()) && example.rsplit_once(':').is_some_and(|(_, v)| is_number(v))
}

/// A few words that only name something, and a colon.
fn is_label(name: &str) -> bool {
    name.ends_with(':')
        && name.matches(':').count() == 1
        && name.split(' ').count() <= 5
        && words(name) == Words::Plain
        && !COMPLAINT.is_match(name)
        && !name.split(' ').any(|w| tells(w) || matches!(w, "no" | "not" | "missing"))
}

fn is_number(value: &str) -> bool {
    let value = value.trim();
    value.starts_with(|c: char| c.is_ascii_digit())
        && value.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b'x' | b'X' | b' ' | b',' | b'.'))
}

#[cfg(test)]
#[path = "tests/alert.rs"]
mod tests;
