//! Whether a script of `sed` only edits the text that flows through it: some of its commands write files or run programs.

/// Whether nothing in the script writes a file or runs a program.
pub(super) fn only_edits(script: &str) -> bool {
    let mut rest = script.trim_start();
    while let Some(after) = address(rest) {
        rest = after.trim_start_matches([' ', '\t', '!', '{', '}', ';', '\n']);
        let Some(command) = rest.chars().next() else { return true };
        rest = &rest[command.len_utf8()..];
        match command {
            's' | 'y' => {
                let Some(delimiter) = rest.chars().next() else { return false };
                let Some(flags) = parts(&rest[delimiter.len_utf8()..], delimiter, 2) else { return false };
                let end = flags.find([';', '\n', '}']).unwrap_or(flags.len());
                if !flags[..end].chars().all(|c| c.is_ascii_digit() || "gGpiImM ".contains(c)) {
                    return false;
                }
                rest = &flags[end..];
            }
            'p' | 'P' | 'd' | 'D' | 'q' | 'Q' | '=' | 'n' | 'N' | 'g' | 'G' | 'h' | 'H' | 'x' | 'l' | 'z' => {
                rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
            }
            'a' | 'i' | 'c' | 'b' | 't' | 'T' | ':' | '#' => {
                let end = rest.find('\n').unwrap_or(rest.len());
                rest = &rest[end..];
            }
            _ => return false,
        }
        rest = rest.trim_start_matches([' ', '\t', '}', ';', '\n']);
        if rest.is_empty() {
            return true;
        }
    }
    false
}

/// What comes behind the addresses of a command; `None` where they can't be read.
fn address(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',', '$', '~', '+']);
        rest = match rest.chars().next() {
            Some('/') => parts(&rest[1..], '/', 1)?.trim_start_matches(['I', 'M']),
            Some('\\') => {
                let delimiter = rest[1..].chars().next()?;
                parts(&rest[1 + delimiter.len_utf8()..], delimiter, 1)?
            }
            Some(c) if c.is_ascii_digit() => rest.trim_start_matches(|c: char| c.is_ascii_digit()),
            _ => return Some(rest),
        };
    }
}

/// What comes behind so many parts that end with the delimiter.
fn parts(text: &str, delimiter: char, count: usize) -> Option<&str> {
    let mut left = count;
    let (mut escaped, mut class) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => class = true,
            ']' => class = false,
            c if c == delimiter && !class => {
                left -= 1;
                if left == 0 {
                    return Some(&text[at + c.len_utf8()..]);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_writes_or_runs_is_no_edit() {
        for script in
            ["s/a/b/g", "1,5p", "/x/d", "$d", "s|/etc|/opt|;s/x/y/2p", "/a/,/b/{s/x/y/;p}", "5q", "/x/!d", "y/ab/cd/"]
        {
            assert!(only_edits(script), "{script}");
        }
        for script in
            ["s/a/b/e", "s/a/b/w /etc/passwd", "w /etc/passwd", "1e rm -rf /", "s/a", "r /etc/shadow", "s/a/b/ge"]
        {
            assert!(!only_edits(script), "{script}");
        }
    }
}
