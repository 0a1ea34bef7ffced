//! How a line of ssh_config(5) comes apart: a keyword, blanks or one `=`, and words with quotes.

/// The keyword in lower case, and the rest of the line.
pub(super) fn keyword(line: &str) -> Result<(String, &str), String> {
    let line = line.trim_matches(|c: char| c.is_ascii_whitespace());
    let end = line.find(|c: char| c.is_ascii_whitespace() || c == '=').unwrap_or(line.len());
    let (keyword, rest) = line.split_at(end);
    if keyword.is_empty() || keyword.contains(['"', '\'']) {
        return Err("a line must begin with a keyword, without quotes".to_owned());
    }
    let rest = skip_separator(rest);
    if rest.is_empty() {
        return Err(format!("no value after {keyword}"));
    }
    Ok((keyword.to_ascii_lowercase(), rest))
}

/// Blanks, at most one `=`, and blanks.
fn skip_separator(rest: &str) -> &str {
    let rest = rest.trim_ascii_start();
    rest.strip_prefix('=').map_or(rest, str::trim_ascii_start)
}

/// The words of a value. `'…'` and `"…"` hold blanks; `\` takes its meaning from a quote, a `\` and, outside of quotes, a
/// blank; a word that begins with `#` begins a comment.
pub(super) fn split(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if rest.is_empty() || rest.starts_with('#') {
            return Ok(words);
        }
        let (word, after) = word(rest)?;
        words.push(word);
        rest = after;
    }
}

/// The first word, and what is after it.
fn word(text: &str) -> Result<(String, &str), String> {
    let mut word = String::new();
    let mut quote = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match (c, quote) {
            ('\\', _) => {
                let literal =
                    chars.next_if(|&(_, next)| matches!(next, '\'' | '"' | '\\') || (next == ' ' && quote.is_none()));
                word.push(literal.map_or('\\', |(_, next)| next));
            }
            (' ' | '\t', None) => return Ok((word, &text[at..])),
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            _ => word.push(c),
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed".to_owned());
    }
    Ok((word, ""))
}

/// The criteria of a Match line, where `name value` and `name=value` are the same, and only a whole value may be quoted.
pub(super) fn criteria(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_ascii_start();
    while !rest.is_empty() && !rest.starts_with('#') {
        let (word, after) = if let Some(quoted) = rest.strip_prefix('"') {
            quoted.split_once('"').ok_or_else(|| "a quote is not closed".to_owned())?
        } else {
            let end = rest.find(|c: char| c.is_ascii_whitespace() || c == '=').unwrap_or(rest.len());
            rest.split_at(end)
        };
        if word.is_empty() || word.contains(['"', '\'', '\\']) {
            return Err("a criterion of Match is empty, or has a quote or `\\` within it".to_owned());
        }
        words.push(word.to_owned());
        rest = skip_separator(after);
    }
    Ok(words)
}
