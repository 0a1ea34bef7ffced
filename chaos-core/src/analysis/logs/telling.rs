//! Words that decide what a message means: two messages that differ in one of them are never one template.

/// What such words begin with.
const STEMS: [&str; 26] = [
    "fail",
    "error",
    "exception",
    "refus",
    "denied",
    "deny",
    "timeout",
    "timed",
    "kill",
    "panic",
    "fatal",
    "abort",
    "crash",
    "lost",
    "reachable",
    "close",
    "reset",
    "accept",
    "success",
    "start",
    "stop",
    "invalid",
    "reject",
    "exceed",
    "open",
    "connect",
];
/// And what they may go on with.
const ENDINGS: [&str; 23] = [
    "", "s", "d", "e", "r", "ed", "es", "er", "al", "or", "ors", "ing", "ion", "ions", "out", "ure", "ures", "ful",
    "ped", "ping", "ked", "fully", "sful",
];
/// Short ones, which stand for themselves only.
const WHOLE: [&str; 5] = ["up", "down", "full", "shutdown", "successfully"];
/// What turns their meaning.
const BEFORE: [&str; 4] = ["un", "dis", "re", "in"];

/// Whether a token, or a part of it where it is a compound (`ConnectionRefused`, `read-error`), is such a word. It has
/// to be a word: names and random letters that have one of them within are none.
pub(super) fn tells(token: &str) -> bool {
    let mut rest = token;
    while let Some(begin) = rest.find(|c: char| c.is_ascii_alphabetic()) {
        let (word, after) = part(&rest[begin..]);
        if is_telling(word) {
            return true;
        }
        rest = after;
    }
    false
}

/// The first part of a compound: capitals, or one and lower case, or lower case.
fn part(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let capitals = bytes.iter().take_while(|b| b.is_ascii_uppercase()).count();
    let lower = bytes[capitals..].iter().take_while(|b| b.is_ascii_lowercase()).count();
    let end = match (capitals, lower) {
        (capitals, 0) => capitals,
        (0 | 1, lower) => capitals + lower,
        // `IOError`: the last capital begins the next.
        (capitals, _) => capitals - 1,
    };
    text.split_at(end)
}

fn is_telling(word: &str) -> bool {
    let mut lower = [0; 24];
    let Some(lower) = lower.get_mut(..word.len()) else { return false };
    lower.copy_from_slice(word.as_bytes());
    lower.make_ascii_lowercase();
    let Ok(lower) = std::str::from_utf8(lower) else { return false };
    // The names of errors and signals are in capitals, with something before: `ECONNREFUSED`, `SIGKILL`.
    let is_name = word.len() > 4 && word.bytes().all(|b| b.is_ascii_uppercase());
    let whole = |text: &str| STEMS.iter().any(|s| text.strip_prefix(s).is_some_and(|end| ENDINGS.contains(&end)));
    WHOLE.contains(&lower)
        || whole(lower)
        || BEFORE.iter().any(|b| lower.strip_prefix(b).is_some_and(whole))
        || (is_name && (1..lower.len().min(8)).any(|at| whole(&lower[at..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_tell_and_what_only_looks_like_them_does_not() {
        for word in [
            "failed",
            "Failure,",
            "errors",
            "refused",
            "REFUSED",
            "ECONNREFUSED",
            "ETIMEDOUT",
            "SIGKILL",
            "ConnectionRefused",
            "IOError:",
            "java.net.ConnectException",
            "read-error",
            "unreachable",
            "disconnected",
            "restarted",
            "stopped",
            "unsuccessful",
            "up.",
            "DOWN",
            "closed",
            "accepted",
        ] {
            assert!(tells(word), "{word}");
        }
        for word in [
            "failagkdcecn",
            "bob",
            "terrors",
            "upper",
            "downtown",
            "fulltime",
            "skill",
            "",
            "é",
            "12",
            "startup9x",
            "<*>",
        ] {
            assert_eq!(tells(word), word == "startup9x" && tells("startup"), "{word}");
        }
    }
}
