//! Patterns of hosts and users (ssh_config(5), "PATTERNS").

/// Whether `text` is what `pattern` says, where `*` is any text and `?` one character.
///
/// Linear in practice and never worse than the product of both lengths: at most one `*` is ever gone back to.
pub(super) fn one(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&b) if b == b'?' || b == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((after, taken)) = star else { return false };
                star = Some((after, taken + 1));
                p = after + 1;
                t = taken + 1;
            }
        }
    }
    pattern[p..].iter().all(|&b| b == b'*')
}

/// Whether a list with commas has a pattern for `text`, and none with `!` that fits.
pub(super) fn list(patterns: &str, text: &str) -> bool {
    let mut fits = false;
    for pattern in patterns.split(',') {
        match pattern.strip_prefix('!') {
            Some(not) if one(not, text) => return false,
            Some(_) => {}
            None => fits |= one(pattern, text),
        }
    }
    fits
}

/// Whether a Host line speaks of `host`. Upper and lower case differ here, unlike in `Match host`.
pub(super) fn host_line(patterns: &[String], host: &str) -> Result<bool, String> {
    if patterns.iter().any(String::is_empty) {
        return Err("a pattern of Host is empty".to_owned());
    }
    let mut fits = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(not) if one(not, host) => return Ok(false),
            Some(_) => {}
            None => fits |= one(pattern, host),
        }
    }
    Ok(fits)
}
