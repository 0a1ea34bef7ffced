//! From a script's text to its syntax tree, with limits on what is looked at. It must not know what commands do.

use brush_parser::{Parser, ParserOptions, ast::Program};

/// Bytes of a script that are analysed.
pub const MOST_BYTES: usize = 1 << 20;
/// Open parentheses that may stand within each other: the parser's time doubles with each that is never closed.
const MOST_PARENTHESES: usize = 14;
/// Blocks that may stand within each other: the parser's stack grows with each.
const MOST_BLOCKS: usize = 500;
/// Stack of the thread that parses and walks. It is only reserved.
pub(super) const STACK: usize = 64 << 20;

/// Reads a script.
///
/// # Errors
/// Why it can't be read, for a person.
pub(super) fn parse(text: &str) -> Result<Program, String> {
    if text.len() > MOST_BYTES {
        return Err(format!("the script is too large: only up to {MOST_BYTES} bytes are analysed"));
    }
    if text.contains('\0') {
        return Err("there is a NUL in it, and shells do not agree on what that means".into());
    }
    if depth(text, |c| i32::from(c == '(') - i32::from(c == ')')) > MOST_PARENTHESES {
        return Err("its parentheses are nested too deep to be analysed".into());
    }
    if blocks(text) > MOST_BLOCKS {
        return Err("its blocks are nested too deep to be analysed".into());
    }
    let parsed = Parser::new(text.as_bytes(), &ParserOptions::default()).parse_program();
    parsed.map_err(|e| format!("it is no script that can be read: {}", first_line(&e.to_string())))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().chars().take(160).collect()
}

/// The most that is open at once, whatever stood before; quotes are not looked at, so this is an upper bound.
fn depth(text: &str, step: impl Fn(char) -> i32) -> usize {
    let (mut open, mut most) = (0i64, 0i64);
    for c in text.chars() {
        open = (open + i64::from(step(c))).max(0);
        most = most.max(open);
    }
    usize::try_from(most).unwrap_or(usize::MAX)
}

fn blocks(text: &str) -> usize {
    let (mut open, mut most) = (0usize, 0usize);
    for word in text.split(|c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|' | '(' | ')')) {
        match word {
            "{" | "if" | "while" | "until" | "for" | "case" | "select" | "!" | "function" => open += 1,
            "}" | "fi" | "done" | "esac" => open = open.saturating_sub(1),
            w if w.ends_with('{') => open += 1,
            _ => {}
        }
        most = most.max(open);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_read_is_said() {
        for (text, says) in [
            ("x".repeat(MOST_BYTES + 1), "only up to"),
            ("ls \0 /".into(), "NUL"),
            ("(".repeat(100), "parentheses"),
            ("{ ".repeat(100_000), "blocks"),
            ("if true; then ".repeat(10_000), "blocks"),
            ("echo 'never closed".into(), "no script"),
        ] {
            let why = parse(&text).err().unwrap_or_default();
            assert!(why.contains(says), "{why}");
        }
    }

    #[test]
    fn prose_in_a_here_document_is_not_taken_for_depth() {
        let text = format!("cat <<'E'\n{}E\n", "look for it (in case it is there), if you like\n".repeat(100));
        assert!(parse(&text).is_ok());
    }
}
