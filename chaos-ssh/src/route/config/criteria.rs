//! Whether a Match line speaks of a host.

use super::{pattern, words};

/// What criteria are about.
pub(super) struct Facts<'a> {
    /// After `HostName`, as far as it was read.
    pub(super) host: &'a str,
    pub(super) original_host: &'a str,
    pub(super) user: &'a str,
    pub(super) local_user: &'a str,
}

/// Whether all criteria hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Yes,
    No,
    /// It hangs on this criterion, which we can't tell.
    Unknown(String),
}

/// Reads the criteria in `rest` and judges them. As OpenSSH, a criterion that we can't tell is not asked for where
/// another one already says no; except for `final`, which alone makes `ssh` read everything twice.
pub(super) fn judge(rest: &str, facts: &Facts<'_>) -> Result<Verdict, String> {
    let all = words::criteria(rest)?;
    if let [only] = all.as_slice()
        && let Some(negated) = is_all(only)
    {
        return Ok(if negated { Verdict::No } else { Verdict::Yes });
    }
    let (mut holds, mut unknown) = (true, None);
    let mut criteria = all.iter();
    while let Some(word) = criteria.next() {
        let lower = word.to_ascii_lowercase();
        let (negated, name) = lower.strip_prefix('!').map_or((false, lower.as_str()), |name| (true, name));
        if name == "final" {
            return Ok(Verdict::Unknown(word.clone()));
        }
        if name == "canonical" {
            unknown.get_or_insert_with(|| word.clone());
            continue;
        }
        if name == "all" {
            return Err("`all` can't be combined with other criteria of Match".to_owned());
        }
        let value = criteria.next().ok_or_else(|| format!("no value after `Match {name}`"))?;
        let fits = match name {
            "host" => pattern::list(&value.to_ascii_lowercase(), &facts.host.to_ascii_lowercase()),
            "originalhost" => pattern::list(&value.to_ascii_lowercase(), &facts.original_host.to_ascii_lowercase()),
            "user" => pattern::list(value, facts.user),
            "localuser" => pattern::list(value, facts.local_user),
            _ => {
                unknown.get_or_insert_with(|| word.clone());
                continue;
            }
        };
        holds &= fits != negated;
    }
    match (all.is_empty(), holds, unknown) {
        (true, ..) => Err("Match without criteria".to_owned()),
        (_, false, _) => Ok(Verdict::No),
        (_, true, Some(criterion)) => Ok(Verdict::Unknown(criterion)),
        (_, true, None) => Ok(Verdict::Yes),
    }
}

/// Whether this is `all` (`Some(false)`) or `!all` (`Some(true)`).
fn is_all(word: &str) -> Option<bool> {
    let (negated, name) = word.strip_prefix('!').map_or((false, word), |name| (true, name));
    name.eq_ignore_ascii_case("all").then_some(negated)
}
