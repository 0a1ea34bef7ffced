//! Turns data into text that GitHub-flavoured Markdown shows as it is. Whatever a host, a plugin or a user wrote
//! passes through here before it reaches a report, so it can never become markup, a link, HTML or a mention.
//!
//! The report itself has no raw HTML at all, so that it also reads well where HTML is switched off.

use crate::chart::visible;

/// Data as running text. Words that GitHub would turn into links, mentions, emoji or formulas become code.
pub(crate) fn text(data: &str) -> String {
    let mut out = String::with_capacity(data.len() + 8);
    for (i, word) in visible(data).split(' ').filter(|w| !w.is_empty()).enumerate() {
        if i > 0 {
            out.push(' ');
        }
        if is_live(word) {
            let (open, core, close) = trimmed(word);
            out += &format!("{open}{}{close}", code(core));
        } else {
            push_word(&mut out, word, i == 0);
        }
    }
    out
}

/// Data as running text, shortened to about `most` characters.
pub(super) fn short(data: &str, most: usize) -> String {
    text(&cut(data, most))
}

/// Data as inline code. Good in tables too: a `|` stands outside of the code, as an entity.
pub(super) fn code(data: &str) -> String {
    let shown = visible(data);
    let parts: Vec<String> = shown.split('|').map(span).collect();
    if shown.is_empty() { "(empty)".to_owned() } else { parts.join("&#124;") }
}

/// A block of code whose fence is longer than any run of backticks within it.
pub(super) fn fence(language: &str, data: &str) -> String {
    let body: Vec<String> = data.split('\n').map(|l| visible(l.trim_end_matches('\r'))).collect();
    let body = body.join("\n");
    let marks = "`".repeat(longest_run(&body).max(2) + 1);
    format!("{marks}{language}\n{}\n{marks}\n", body.trim_end_matches('\n'))
}

/// The first `most` characters, with `…` where something is missing.
pub(super) fn cut(data: &str, most: usize) -> String {
    match data.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", data[..end].trim_end()),
        None => data.to_owned(),
    }
}

/// Data for Slack's mrkdwn: its three special characters as entities, and what it would format or link as code.
pub(super) fn slack(data: &str) -> String {
    let words = visible(data);
    let words = words.split(' ').filter(|w| !w.is_empty()).map(|word| {
        let plain = word.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let live = is_live(word) || word.contains(['*', '_', '~', '`']) || looks_like_a_domain(word);
        let plain = plain.replace('`', "'");
        let (open, core, close) = trimmed(&plain);
        if live && !core.is_empty() { format!("{open}`{core}`{close}") } else { plain }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// A word without the punctuation of the sentence around it.
fn trimmed(word: &str) -> (&str, &str, &str) {
    let rest = word.trim_start_matches(['(', '"']);
    // A `;` may be the end of an entity, a `)` may belong to a `(` within the word.
    let core = rest.trim_end_matches(|c| ",.\"".contains(c) || c == ')' && !rest.contains('('));
    if core.is_empty() {
        return ("", word, "");
    }
    (&word[..word.len() - rest.len()], core, &rest[core.len()..])
}

fn span(data: &str) -> String {
    if data.is_empty() {
        return String::new();
    }
    let marks = "`".repeat(longest_run(data) + 1);
    // One space at both ends is taken off again by the renderer, unless all is spaces.
    let pad = data.starts_with(['`', ' ']) || data.ends_with(['`', ' ']);
    let pad = if pad && !data.chars().all(|c| c == ' ') || data.contains('`') { " " } else { "" };
    format!("{marks}{pad}{data}{pad}{marks}")
}

fn longest_run(data: &str) -> usize {
    data.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Whether GitHub's renderer would make more of the word than text, whatever is escaped.
fn is_live(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    let follows =
        |mark: char, ok: fn(char) -> bool| word.split(mark).skip(1).any(|rest| rest.chars().next().is_some_and(ok));
    word.contains(['@', '$'])
        || lower.contains("://")
        || lower.contains("www.")
        || lower.contains("gh-")
        || follows('#', |c| c.is_ascii_digit())
        || is_emoji(&lower)
}

/// `:name:`; times of day such as `10:02:11` are none.
fn is_emoji(word: &str) -> bool {
    let parts: Vec<&str> = word.split(':').collect();
    parts.len() > 2
        && parts[1..parts.len() - 1].iter().any(|p| {
            p.chars().any(|c| c.is_ascii_alphabetic() || c == '+' || c == '-' || *p == "100")
                && p.chars().all(|c| c.is_ascii_alphanumeric() || "_+-".contains(c))
        })
}

fn looks_like_a_domain(word: &str) -> bool {
    word.split('.').skip(1).any(|p| p.len() >= 2 && p.chars().take(2).all(|c| c.is_ascii_alphabetic()))
}

fn push_word(out: &mut String, word: &str, first: bool) {
    let mut before = ' ';
    let mut chars = word.chars().peekable();
    let number = first && {
        let rest = word.trim_start_matches(|c: char| c.is_ascii_digit());
        rest.len() < word.len() && (rest == "." || rest == ")")
    };
    let mut ordinal = number;
    while let Some(c) = chars.next() {
        let inside = before.is_alphanumeric() && chars.peek().is_some_and(|n| n.is_alphanumeric());
        match c {
            '|' => out.push_str("&#124;"),
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '~' | '&' | '{' | '}' | '^' => {
                out.push('\\');
                out.push(c);
            }
            '_' if !inside => out.push_str("\\_"),
            '#' | '+' | '-' | '=' if first && before == ' ' => {
                out.push('\\');
                out.push(c);
            }
            '.' | ')' if ordinal => {
                ordinal = false;
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
        before = c;
    }
}

/// A command as a person can paste it into a shell: quoted where it must be, control characters in `$'…'`.
pub(super) fn shell_line(argv: &[String]) -> String {
    argv.iter().map(|w| shell_word(w)).collect::<Vec<_>>().join(" ")
}

fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if visible(word) == word {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let mut out = String::from("$'");
    for c in word.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\'' | '\\' => out.extend(['\\', c]),
            c if c.is_ascii_control() => out += &format!("\\x{:02x}", c as u32),
            c if visible(c.encode_utf8(&mut [0; 4])).len() > c.len_utf8() => out += &format!("\\U{:08x}", c as u32),
            c => out.push(c),
        }
    }
    out + "'"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_readable_and_inert() {
        for (data, want) in [
            ("disk /var is 98 % full", "disk /var is 98 % full"),
            ("nf_conntrack: table full", "nf_conntrack: table full"),
            ("# heading", r"\# heading"),
            ("1. one", r"1\. one"),
            ("- [x](http://evil)", r"\- `[x](http://evil)`"),
            ("a|b `c` <b>", r"a&#124;b \`c\` \<b\>"),
            ("ping @root now", "ping `@root` now"),
            ("fixes #12", "fixes `#12`"),
            ("at 10:02:11 :smile:", "at 10:02:11 `:smile:`"),
            ("red\u{1b}[31m\u{202e}x", r"red\\u\{1b\}\[31m\\u\{202e\}x"),
            ("two\nlines", r"two\\nlines"),
        ] {
            assert_eq!(text(data), want, "{data:?}");
        }
    }

    #[test]
    fn fences_outgrow_what_they_hold() {
        assert_eq!(fence("text", "a\n```\nb"), "````text\na\n```\nb\n````\n");
        assert_eq!(code("a`b"), "`` a`b ``");
        assert_eq!(code("a|b"), "`a`&#124;`b`");
    }

    #[test]
    fn commands_can_be_pasted() {
        let argv = ["kill", "-TERM", "812", "a b", "it's", "x\ny"].map(String::from);
        assert_eq!(shell_line(&argv), r"kill -TERM 812 'a b' 'it'\''s' $'x\ny'");
    }

    #[test]
    fn slack_gets_its_entities_and_no_links() {
        assert_eq!(slack("a < b & <!channel> http://x.io *b*"), "a &lt; b &amp; &lt;!channel&gt; `http://x.io` `*b*`");
    }
}
