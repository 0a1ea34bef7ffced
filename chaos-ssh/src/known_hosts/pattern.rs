//! Whether a list of patterns (`*.example.org,!db1.example.org`) names a host. Owns ssh_config(5)'s "PATTERNS".

/// The longest single pattern that OpenSSH takes; a longer one voids its list.
const LONGEST: usize = 1022;

/// Whether `list` names `name`, which is in lower case; a negated pattern that matches voids the whole list.
pub(super) fn names(list: &[u8], name: &[u8]) -> bool {
    let mut named = false;
    for part in list.split(|b| *b == b',') {
        let (negated, pattern) = match part {
            [b'!', rest @ ..] => (true, rest),
            whole => (false, whole),
        };
        if pattern.len() > LONGEST {
            return false;
        }
        if glob(&pattern.to_ascii_lowercase(), name) {
            if negated {
                return false;
            }
            named = true;
        }
    }
    named
}

/// `*` stands for any number of bytes, `?` for one. Goes back to the last `*` only, so the time is bounded by the
/// product of both lengths.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(b) if *b == b'?' || *b == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|b| *b == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_what_ssh_config_says() {
        for (list, name, expected) in [
            ("a", "a", true),
            ("A", "a", true),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("?", "", false),
            ("a*b*c", "axxbyybc", true),
            ("a*b*c", "axxbyyb", false),
            ("*?b", "b", false),
            ("**b", "b", true),
            ("a,,b", "b", true),
            ("*,!a", "a", false),
            ("!a,*", "a", false),
            ("!a", "b", false),
            ("!!a,*", "a", true),
            ("*.a,!b*", "c.a", true),
        ] {
            assert_eq!(names(list.as_bytes(), name.as_bytes()), expected, "{list} {name}");
        }
    }

    #[test]
    fn many_stars_take_no_time() {
        let pattern = "*a".repeat(400);
        assert!(!glob(pattern.as_bytes(), "a".repeat(399).as_bytes()));
    }
}
