//! From a word as it is written to the words that a command gets: quotes, braces, tildes, variables, substitutions.
//! The parser's own reader of words is not used: its time doubles with each level of `"$("`, and long numbers end it.

use super::{
    braces::braces,
    constants::{SENT, SOME, UNKNOWN, is_vague},
    quotes::{ansi, closing, closing_backtick, closing_quote},
    walk::Walk,
};

/// Words that braces may multiply to.
const MOST_BRACES: usize = 256;
/// Bytes of a word; a longer one counts as not known.
const LONGEST: usize = 128 << 10;

/// What an expansion gives: its words, and whether quotes keep each whole.
type Fields = Vec<String>;

/// Words in the making.
#[derive(Default)]
struct Making {
    done: Fields,
    word: Option<String>,
}

impl Making {
    fn push(&mut self, text: &str) {
        let word = self.word.get_or_insert_default();
        if word.len() + text.len() > LONGEST {
            *word = UNKNOWN.to_string();
        } else if !(text.starts_with(UNKNOWN) && text.len() == UNKNOWN.len_utf8() && word.ends_with(UNKNOWN)) {
            word.push_str(text);
        }
    }

    fn cut(&mut self) {
        self.done.extend(self.word.take());
    }

    /// Adds what is split where it has white space.
    fn split(&mut self, text: &str) {
        if text.starts_with(char::is_whitespace) {
            self.cut();
        }
        for (n, part) in text.split_whitespace().enumerate() {
            if n > 0 {
                self.cut();
            }
            self.push(part);
        }
        if text.ends_with(char::is_whitespace) {
            self.cut();
        }
    }

    fn add(&mut self, words: &[String], quoted: bool) {
        for (n, word) in words.iter().enumerate() {
            if n > 0 {
                self.cut();
            }
            if quoted { self.push(word) } else { self.split(word) }
        }
    }
}

impl Walk<'_> {
    /// The words that a written word becomes; substitutions within it are walked.
    pub(super) fn expand(&mut self, raw: &str) -> Fields {
        let mut making = Making::default();
        for word in braces(raw, MOST_BRACES) {
            self.unquote(&word, &mut making);
            making.cut();
        }
        making.done
    }

    /// As [`Self::expand`] where nothing is split: the value of an assignment, a redirect's target.
    pub(super) fn expand_whole(&mut self, raw: &str) -> String {
        let mut making = Making::default();
        self.unquote(raw, &mut making);
        making.cut();
        making.done.join(" ")
    }

    /// A here-document's body, in which quotes mean nothing.
    pub(super) fn expand_body(&mut self, raw: &str) -> String {
        let mut making = Making::default();
        making.push("");
        self.within_quotes(raw, &mut making);
        making.cut();
        making.done.join(" ")
    }

    fn unquote(&mut self, raw: &str, out: &mut Making) {
        let mut rest = raw;
        if let Some(after) = rest.strip_prefix('~') {
            let end = after.find('/').unwrap_or(after.len());
            if after[..end].chars().all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c)) {
                out.push("~");
                rest = &after[end..];
            }
        }
        while let Some(c) = rest.chars().next() {
            let after = &rest[c.len_utf8()..];
            rest = match c {
                '\\' => {
                    let next = after.chars().next();
                    if let Some(n) = next.filter(|n| *n != '\n') {
                        out.push(n.encode_utf8(&mut [0; 4]));
                    }
                    &after[next.map_or(0, char::len_utf8)..]
                }
                '\'' => {
                    let end = after.find('\'').unwrap_or(after.len());
                    out.push(&after[..end]);
                    after.get(end + 1..).unwrap_or_default()
                }
                '"' => {
                    let end = closing_quote(after);
                    out.push("");
                    self.within_quotes(&after[..end], out);
                    after.get(end + 1..).unwrap_or_default()
                }
                '$' if after.starts_with('\'') => {
                    let (text, used) = ansi(&after[1..]);
                    out.push(&text);
                    &after[1 + used..]
                }
                '$' if after.starts_with('"') => after,
                '$' | '`' => self.dollar(rest, false, out),
                _ => {
                    out.push(c.encode_utf8(&mut [0; 4]));
                    after
                }
            };
        }
    }

    fn within_quotes(&mut self, text: &str, out: &mut Making) {
        let mut rest = text;
        while let Some(at) = rest.find(['\\', '$', '`']) {
            out.push(&rest[..at]);
            rest = &rest[at..];
            if rest.starts_with('\\') {
                let next = rest[1..].chars().next();
                match next {
                    Some('\n') => {}
                    Some(n) if "$`\"\\".contains(n) => out.push(n.encode_utf8(&mut [0; 4])),
                    Some(n) => {
                        out.push("\\");
                        out.push(n.encode_utf8(&mut [0; 4]));
                    }
                    None => out.push("\\"),
                }
                rest = &rest[1 + next.map_or(0, char::len_utf8)..];
            } else {
                rest = self.dollar(rest, true, out);
            }
        }
        out.push(rest);
    }

    /// One expansion that begins with `$` or a backtick; gives what comes after it.
    fn dollar<'t>(&mut self, text: &'t str, quoted: bool, out: &mut Making) -> &'t str {
        if let Some(body) = text.strip_prefix('`') {
            let end = closing_backtick(body);
            let script = body[..end].replace("\\`", "`").replace("\\\\", "\\").replace("\\$", "$");
            let said = self.substitute(&script);
            out.add(&[said], quoted);
            return body.get(end + 1..).unwrap_or_default();
        }
        let after = &text[1..];
        if after.starts_with("((") {
            let end = closing(after, '(', ')');
            let inner = after.get(2..end.saturating_sub(1)).unwrap_or_default();
            self.substitutions_of(inner);
            out.push(&SOME.to_string());
            return after.get(end + 1..).unwrap_or_default();
        }
        if after.starts_with('(') {
            let end = closing(after, '(', ')');
            let said = self.substitute(after.get(1..end).unwrap_or_default());
            out.add(&[said], quoted);
            return after.get(end + 1..).unwrap_or_default();
        }
        if after.starts_with('{') {
            let end = closing(after, '{', '}');
            let words = self.parameter(after.get(1..end).unwrap_or_default(), quoted);
            out.add(&words, quoted);
            return after.get(end + 1..).unwrap_or_default();
        }
        let name_end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        let end = match after.chars().next() {
            Some(c) if c.is_ascii_digit() || "@*#?-$!".contains(c) => 1,
            Some(c) if c.is_ascii_alphabetic() || c == '_' => name_end,
            _ => {
                out.push("$");
                return after;
            }
        };
        let words = self.value(&after[..end], quoted);
        out.add(&words, quoted);
        &after[end..]
    }

    /// What only counts for what is substituted within it: arithmetic, patterns.
    pub(super) fn substitutions_of(&mut self, text: &str) {
        if text.contains("$(") || text.contains('`') {
            self.within_quotes(text, &mut Making::default());
        }
    }

    /// The words of a variable or a parameter by its name.
    fn value(&mut self, name: &str, quoted: bool) -> Fields {
        match name {
            "@" | "*" => match &self.scope.positional {
                Some(words) if quoted && name == "*" => vec![words.join(" ")],
                Some(words) => words.clone(),
                None => vec![UNKNOWN.to_string()],
            },
            "#" | "?" | "$" | "!" => vec![SOME.to_string()],
            "-" => vec!["hB".into()],
            n if n.bytes().all(|b| b.is_ascii_digit()) => match (&self.scope.positional, n.parse::<usize>()) {
                (Some(words), Ok(at)) if at > 0 => vec![words.get(at - 1).cloned().unwrap_or_default()],
                _ => vec![UNKNOWN.to_string()],
            },
            _ => {
                let words = self.scope.get(name);
                vec![words.first().cloned().unwrap_or_default()]
            }
        }
    }

    /// `${…}`, by what stands between the braces.
    fn parameter(&mut self, inner: &str, quoted: bool) -> Fields {
        if let Some(name) = inner.strip_prefix('!') {
            let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
            let pointed = self.scope.get(&name[..end]);
            return match pointed.first() {
                Some(to) if end == name.len() && !is_vague(to) => self.value(&to.clone(), quoted),
                _ => vec![UNKNOWN.to_string()],
            };
        }
        if inner.len() > 1 && inner.starts_with('#') {
            return vec![SOME.to_string()];
        }
        let end = match inner.chars().next() {
            Some(c) if "@*#?-$!".contains(c) => 1,
            _ => inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len()),
        };
        let (name, operation) = inner.split_at(end);
        if let Some(index) = operation.strip_prefix('[').and_then(|o| o.strip_suffix(']')) {
            let words = self.scope.get(name);
            return match index {
                "@" => words,
                "*" => vec![words.join(" ")],
                n => match n.parse::<usize>() {
                    Ok(at) => vec![words.get(at).cloned().unwrap_or_default()],
                    Err(_) => vec![UNKNOWN.to_string()],
                },
            };
        }
        let value = self.value(name, quoted);
        if operation.is_empty() {
            return value;
        }
        let text = value.join(" ");
        let set = self.scope.is_set(name) && !is_vague(&text);
        let mut chars = operation.chars();
        let first = chars.next();
        let (operator, word) = match (first, chars.next()) {
            (Some(':'), Some(o)) if "-=?+".contains(o) => (o, &operation[2..]),
            (Some(o), _) => (o, &operation[o.len_utf8()..]),
            (None, _) => return value,
        };
        match operator {
            '-' | '=' if set && !text.is_empty() => value,
            '-' | '=' => {
                // It may be what is given here, or what the environment says.
                let given = self.expand_whole(word);
                let words = if is_vague(&text) { format!("{given}{UNKNOWN}") } else { given };
                if operator == '=' {
                    self.scope.set(name, vec![words.clone()]);
                }
                vec![words]
            }
            '?' if text == UNKNOWN.to_string() => vec![SOME.to_string()],
            '?' => value,
            '+' => {
                let given = self.expand_whole(word);
                vec![if set { given } else { format!("{given}{UNKNOWN}") }]
            }
            '^' if set => vec![text.to_uppercase()],
            ',' if set => vec![text.to_lowercase()],
            ':' if set => vec![slice(&text, word).unwrap_or_else(|| UNKNOWN.to_string())],
            '/' if set => vec![replaced(&text, word).unwrap_or_else(|| UNKNOWN.to_string())],
            _ => {
                self.substitutions_of(word);
                vec![if text.contains(SENT) { SENT } else { UNKNOWN }.to_string()]
            }
        }
    }
}

/// `${x:1:2}` of a known text.
fn slice(text: &str, numbers: &str) -> Option<String> {
    let (from, count) = numbers.split_once(':').unwrap_or((numbers, ""));
    let from: usize = from.trim().parse().ok()?;
    let count: usize = if count.is_empty() { usize::MAX } else { count.trim().parse().ok()? };
    Some(text.chars().skip(from).take(count).collect())
}

/// `${x/a/b}` and `${x//a/b}` of a known text, where nothing is a pattern.
fn replaced(text: &str, spec: &str) -> Option<String> {
    let (all, spec) = match spec.strip_prefix('/') {
        Some(rest) => (true, rest),
        None => (false, spec),
    };
    let (from, to) = spec.split_once('/').unwrap_or((spec, ""));
    if from.is_empty() || spec.contains(['*', '?', '[', '$', '`', '\\', '"', '\'']) || from.starts_with(['#', '%']) {
        return None;
    }
    Some(if all { text.replace(from, to) } else { text.replacen(from, to, 1) })
}

#[cfg(test)]
mod tests {
    use super::{super::RiskRules, *};

    fn words(raw: &str) -> Vec<String> {
        let mut walk = Walk::new(RiskRules::builtin());
        walk.scope.set("x", vec!["a b".into()]);
        walk.expand(raw)
    }

    #[test]
    fn words_come_out_as_a_shell_gives_them() {
        for (raw, gives) in [
            ("r''m", vec!["rm"]),
            (r"\rm", vec!["rm"]),
            (r"$'\x72m'", vec!["rm"]),
            (r"$'\162\u006d'", vec!["rm"]),
            ("\"r\"'m'", vec!["rm"]),
            ("$x", vec!["a", "b"]),
            ("\"$x\"", vec!["a b"]),
            ("${x}c", vec!["a", "bc"]),
            ("'$x'", vec!["$x"]),
            ("{a,b}c", vec!["ac", "bc"]),
            ("{1..3}", vec!["1", "2", "3"]),
            ("a{b,{c,d}}", vec!["ab", "ac", "ad"]),
            ("'{a,b}'", vec!["{a,b}"]),
            ("${x:0:1}", vec!["a"]),
            ("${x/a/r}", vec!["r", "b"]),
            ("~/y", vec!["~/y"]),
            ("~root", vec!["~"]),
            ("a${IFS}b", vec!["a", "b"]),
            ("$(echo rm)", vec!["rm"]),
            ("`echo rm`", vec!["rm"]),
            ("\"$(echo \"r m\")\"", vec!["r m"]),
            ("''", vec![""]),
            ("{}", vec!["{}"]),
            ("{a}", vec!["{a}"]),
        ] {
            assert_eq!(words(raw), gives, "{raw}");
        }
        assert!(is_vague(&words("$nobody_set_this")[0]));
        assert!(is_vague(&words("${y:-z}")[0]));
        assert!(!is_vague(&words("/tmp/x-$$")[0]));
    }

    #[test]
    fn much_stays_little() {
        assert_eq!(words("{1..9}{1..9}{1..9}{1..9}"), [UNKNOWN.to_string()]);
        let deep = format!("{}x{}", "\"$(echo ".repeat(12), ")\"".repeat(12));
        assert!(!words(&deep).is_empty());
        assert!(!words("{1..99999999999999999999}").is_empty());
        assert!(!words("${99999999999999999999}").is_empty());
    }
}
