//! Placeholders in argv templates, and what may stand for them. What fills a placeholder comes from the target
//! and is therefore hostile until proven otherwise: each name has a class of permitted values, checked here and
//! nowhere else, and what does not pass is not put into a command at all.

use std::collections::BTreeMap;

use crate::error::{Error, ErrorKind, Result};

/// How many processes or files one command is given at most.
pub(crate) const MAX_MANY: usize = 50;

/// What a placeholder's value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Pid,
    Pids,
    Path,
    Paths,
    Unit,
    Name,
    Number,
    Comm,
    PacketRule,
}

/// Every placeholder that a template may use.
const CLASSES: &[(&str, Class)] = &[
    ("pid", Class::Pid),
    ("pids", Class::Pids),
    ("spawner", Class::Pid),
    ("path", Class::Path),
    ("files", Class::Paths),
    ("mountpoint", Class::Path),
    ("unit", Class::Unit),
    ("waiting", Class::Unit),
    ("interface", Class::Name),
    ("device", Class::Name),
    ("handle", Class::Name),
    ("family", Class::Name),
    ("table", Class::Name),
    ("chain", Class::Name),
    ("rule", Class::PacketRule),
    ("put_back", Class::PacketRule),
    ("port", Class::Number),
    ("command", Class::Comm),
    ("spawner_command", Class::Comm),
];

fn class(name: &str) -> Option<Class> {
    CLASSES.iter().find(|(n, _)| *n == name).map(|(_, c)| *c)
}

/// Separates the members of an attribute that holds several paths: no plain path holds it.
pub(crate) const SEPARATOR: char = '\n';

/// The placeholders in a word, in order: `{name}` with lower-case letters.
pub(crate) fn placeholders(word: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = word;
    while let Some(start) = rest.find('{') {
        rest = &rest[start + 1..];
        let Some(end) = rest.find('}') else { break };
        let name = &rest[..end];
        if !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
            found.push(name);
            rest = &rest[end + 1..];
        }
    }
    found
}

/// Whether a template may use this name at all.
pub(crate) fn is_known(name: &str) -> bool {
    class(name).is_some()
}

fn bad(name: &str, value: &str, why: &str) -> Error {
    let shown: String = value.chars().take(80).collect();
    Error::new(ErrorKind::Refused, format!("a value from the target can't go into a command: {why}"))
        .with(name, shown.escape_debug())
}

fn is_pid(text: &str) -> bool {
    !text.starts_with('0') && text.parse::<u32>().is_ok_and(|p| p > 1 && text.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether this is an absolute path that says where it leads: no `..`, no control characters.
pub(crate) fn is_plain_path(text: &str) -> bool {
    text.starts_with('/')
        && text.len() <= 4096
        && !text.chars().any(|c| c.is_control() || c == '\u{FFFD}')
        && !text.split('/').any(|part| part == ".." || part == ".")
}

/// Whether this can be the name of a systemd unit.
pub(crate) fn is_unit(text: &str) -> bool {
    const KINDS: [&str; 7] = [".service", ".socket", ".timer", ".scope", ".slice", ".mount", ".target"];
    text.len() <= 255
        && !text.starts_with(['-', '.'])
        && KINDS.iter().any(|k| text.len() > k.len() && text.ends_with(k))
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b":_.@\\-".contains(&b))
}

fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:@-".contains(&b))
}

/// Whether this is a rule of nftables that blocks one port, perhaps with where it is put before it: nft takes a word apart.
fn is_packet_rule(text: &str) -> bool {
    let number = |word: &str| (1..=9).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_digit());
    let words: Vec<&str> = text.split(' ').collect();
    let rule = match words[..] {
        ["add", "rule", family, table, chain, "handle", handle, ref rule @ ..]
            if [family, table, chain].into_iter().all(is_name) && number(handle) =>
        {
            rule
        }
        ["insert", "rule", family, table, chain, ref rule @ ..] if [family, table, chain].into_iter().all(is_name) => {
            rule
        }
        ref rule => rule,
    };
    let ["tcp" | "udp", "dport", port, verdict @ ..] = rule else { return false };
    let verdict = verdict.strip_prefix(["counter"].as_slice()).unwrap_or(verdict);
    number(port) && matches!(verdict, ["drop"] | ["reject"] | ["reject", "with", "tcp", "reset"])
}

/// The value of placeholder `name`, as the words that stand for it.
fn values(name: &str, attributes: &BTreeMap<String, String>) -> Result<Vec<String>> {
    let class = class(name)
        .ok_or_else(|| Error::new(ErrorKind::InvalidInput, "this placeholder does not exist").with("name", name))?;
    let value = attributes
        .get(name)
        // One process is a group of one.
        .or_else(|| if name == "pids" { attributes.get("pid") } else { None })
        .ok_or_else(|| Error::new(ErrorKind::NotFound, "nothing is known to put here").with("placeholder", name))?;
    let one = |ok: bool, why: &str| if ok { Ok(vec![value.clone()]) } else { Err(bad(name, value, why)) };
    let many = |words: Vec<String>, ok: fn(&str) -> bool, why: &str| {
        if words.is_empty() || words.len() > MAX_MANY {
            Err(bad(name, value, "none, or too many"))
        } else if words.iter().all(|w| ok(w)) {
            Ok(words)
        } else {
            Err(bad(name, value, why))
        }
    };
    match class {
        Class::Pid => one(is_pid(value), "not a process id above 1"),
        Class::Pids => {
            many(value.split(',').map(str::to_owned).collect(), is_pid, "not process ids above 1, separated by commas")
        }
        Class::Path => one(is_plain_path(value), "not a plain absolute path"),
        Class::Paths => {
            many(value.split(SEPARATOR).map(str::to_owned).collect(), is_plain_path, "not plain absolute paths")
        }
        Class::Unit => one(is_unit(value), "not a unit's name"),
        Class::Name => one(is_name(value), "not a device's name"),
        Class::Number => one((1..=9).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit()), "no number"),
        Class::PacketRule => one(is_packet_rule(value), "not a rule that blocks a port"),
        Class::Comm => one(
            (1..=64).contains(&value.len()) && !value.chars().any(char::is_control) && value.trim() == value,
            "not a plain command name",
        ),
    }
}

/// Fills in one word. `{pids}` and `{files}` as whole words become several words where `spread`, else one with commas.
fn fill_word(word: &str, attributes: &BTreeMap<String, String>, spread: bool) -> Result<Vec<String>> {
    let names = placeholders(word);
    if let [name] = names[..]
        && word.len() == name.len() + 2
    {
        let found = values(name, attributes)?;
        return Ok(if spread || found.len() == 1 { found } else { vec![found.join(",")] });
    }
    // Left to right and never again over what was filled in: a value that looks like a placeholder stays as it is.
    let mut out = String::new();
    let mut rest = word;
    for name in names {
        let marker = format!("{{{name}}}");
        let at = rest.find(&marker).expect("placeholders() found it here");
        out.push_str(&rest[..at]);
        out.push_str(&values(name, attributes)?.join(","));
        rest = &rest[at + marker.len()..];
    }
    out.push_str(rest);
    Ok(vec![out])
}

/// Fills in an argv template. `ps`, `lsof` and the like take several ids in one word, `kill` and `rm` one each.
///
/// # Errors
/// `NotFound` when nothing is known for a placeholder, `Refused` when what is known may not go into a command.
pub(crate) fn fill(argv: &[String], attributes: &BTreeMap<String, String>) -> Result<Vec<String>> {
    let spread = argv.first().is_some_and(|p| !matches!(p.as_str(), "ps" | "lsof" | "pgrep"));
    let mut out = Vec::with_capacity(argv.len());
    for word in argv {
        out.extend(fill_word(word, attributes, spread)?);
    }
    Ok(out)
}

/// Fills in a text for a person or an expected output.
///
/// # Errors
/// As [`fill`].
pub(crate) fn fill_text(text: &str, attributes: &BTreeMap<String, String>) -> Result<String> {
    Ok(fill_word(text, attributes, false)?.join(","))
}

/// A value of the right form for each placeholder, for checking templates when they are read.
pub(crate) fn sample() -> BTreeMap<String, String> {
    CLASSES
        .iter()
        .map(|(name, class)| {
            let value = match class {
                Class::Pid | Class::Pids | Class::Number => "4242",
                Class::Path | Class::Paths => "/tmp/some file",
                Class::Unit => "some.service",
                Class::Name => "eth0",
                Class::Comm => "some",
                Class::PacketRule => "tcp dport 4242 drop",
            };
            ((*name).to_owned(), value.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn with(name: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(name.to_owned(), value.to_owned())])
    }

    fn argv(words: &[&str]) -> Vec<String> {
        words.iter().map(|w| (*w).to_owned()).collect()
    }

    #[test]
    fn values_fill_words_and_never_become_options_or_commands() {
        let kill = argv(&["kill", "-TERM", "{pids}"]);
        assert_eq!(fill(&kill, &with("pids", "12,13")).unwrap(), argv(&["kill", "-TERM", "12", "13"]));
        assert_eq!(fill(&argv(&["ps", "-p", "{pids}"]), &with("pids", "12,13")).unwrap(), argv(&["ps", "-p", "12,13"]));
        for bad in ["", "0", "1", "-1", "12;rm", "012", "12 13", "-rf", "99999999999", "١٢"] {
            assert!(fill(&kill, &with("pids", bad)).is_err(), "{bad:?}");
        }
        for bad in ["-rf", "a;rm -rf /", "/tmp/../etc/passwd", "/tmp/a\nb", "/tmp/a\0b", "relative", "/tmp/\u{1b}[2J"] {
            assert!(fill(&argv(&["rm", "--", "{path}"]), &with("path", bad)).is_err(), "{bad:?}");
        }
        for bad in ["--now", "a b.service", "x;y.service", "nginx", ".service", "$(id).service"] {
            assert!(fill(&argv(&["systemctl", "stop", "{unit}"]), &with("unit", bad)).is_err(), "{bad:?}");
        }
        let rule = |text: &str| fill(&argv(&["nft", "{put_back}"]), &with("put_back", text));
        for good in [
            "tcp dport 80 counter drop",
            "insert rule inet filter input tcp dport 8070 drop",
            "add rule ip6 a-b c.d handle 12 udp dport 53 counter reject",
            "tcp dport 80 reject with tcp reset",
        ] {
            assert_eq!(rule(good).unwrap(), argv(&["nft", good]));
        }
        for bad in [
            "flush ruleset",
            "tcp dport 80 accept",
            "tcp dport 80 drop; flush ruleset",
            "insert rule inet filter input; tcp dport 80 drop",
            "insert rule inet filter { tcp dport 80 drop",
            "add rule inet filter input handle x tcp dport 80 drop",
            "tcp dport 80  drop",
            "tcp dport 80 drop\nflush ruleset",
            "tcp dport {} drop",
        ] {
            assert!(rule(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_value_that_looks_like_a_placeholder_is_left_alone() {
        let both = BTreeMap::from([
            ("path".to_owned(), "/tmp/{command}".to_owned()),
            ("command".to_owned(), "secret".to_owned()),
        ]);
        assert_eq!(fill_text("{path} of {command}", &both).unwrap(), "/tmp/{command} of secret");
    }

    proptest! {
        #[test]
        fn any_value_yields_one_word_or_none(value in "\\PC*|[\\x00-\\x7f]*", name in prop::sample::select(vec!["pid", "path", "unit", "interface", "port"])) {
            let template = argv(&["program", &format!("{{{name}}}")]);
            if let Ok(words) = fill(&template, &with(name, &value)) {
                prop_assert_eq!(words.len(), 2);
                prop_assert_eq!(&words[1], &value);
                prop_assert!(!value.starts_with('-') && !value.chars().any(char::is_control));
            }
        }
    }
}
