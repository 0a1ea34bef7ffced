//! What was changed on the target shortly before the trouble began. It weighs nothing in the diagnosis: a change is where
//! a person looks first, not a cause by itself.

use std::collections::BTreeMap;

use crate::model::{Answer, Culprit, Id, RecentChange, Timestamp};

/// Changes that are told.
const MOST: usize = 8;
/// How long before the trouble a change is told, in milliseconds, and how long after: a sample comes each five seconds.
const BEFORE_MS: i64 = 7_200_000;
const AFTER_MS: i64 = 6_000;
/// Longest text of one.
const MAX_TEXT: usize = 200;
const KINDS: [&str; 5] = ["file", "package", "unit", "login", "boot"];

/// The changes in an answer to the question for them, as `seconds kind what` in lines, that came before `onset`. The
/// target's clock is ahead of ours by `ahead_ms`.
pub(super) fn read(
    answer: &Answer,
    id: Id<Answer>,
    onset: Timestamp,
    ahead_ms: i64,
    culprit: Option<&Culprit>,
) -> Vec<RecentChange> {
    let about = culprit.map(words).unwrap_or_default();
    let mut found: Vec<RecentChange> = Vec::new();
    for line in answer.stdout.lines() {
        let mut parts = line.splitn(3, ' ');
        let (Some(at), Some(kind), Some(what)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let Some(at) = at.parse::<i64>().ok().and_then(|s| s.checked_mul(1000)).map(|ms| ms.saturating_sub(ahead_ms))
        else {
            continue;
        };
        let recent = at >= onset.0.saturating_sub(BEFORE_MS) && at <= onset.0.saturating_add(AFTER_MS);
        if !recent || !KINDS.contains(&kind) {
            continue;
        }
        let text: String =
            what.chars().take(MAX_TEXT).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
        let change = RecentChange {
            at: Timestamp::from_millis(at),
            kind: kind.to_owned(),
            about_culprit: about.iter().any(|word| text.contains(word.as_str())),
            what: text,
            basis: id,
        };
        if !found.contains(&change) {
            found.push(change);
        }
    }
    found.sort_by(|a, b| b.about_culprit.cmp(&a.about_culprit).then(b.at.cmp(&a.at)).then_with(|| a.what.cmp(&b.what)));
    found.truncate(MOST);
    found
}

/// By which words a change is told to be about the culprit: its unit without the kind, its paths, its program.
fn words(culprit: &Culprit) -> Vec<String> {
    let attributes: &BTreeMap<String, String> = &culprit.entity.attributes;
    let mut words = Vec::new();
    if let Some((name, _)) = attributes.get("unit").and_then(|u| u.rsplit_once('.')) {
        words.push(name.split('@').next().unwrap_or(name).to_owned());
    }
    words.extend(attributes.get("path").cloned());
    // Interpreters are everybody's program; what they run is named by a path.
    let args = attributes.get("args").map_or("", String::as_str);
    words.extend(args.split_whitespace().filter(|w| w.starts_with('/') && w.len() > 4).map(str::to_owned));
    words.retain(|w| w.len() >= 3);
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AgentName, Ask, End, Entity, EntityKind, Ledger};

    #[test]
    fn what_came_shortly_before_is_told_and_what_is_about_the_culprit_first() {
        let stdout = "1000 file /etc/old.conf\n9000 login alice on pts/0\n9500 file /opt/shop/shop.py\n9990 unit nginx.service started\n\
                      9999 unit shop.service started\n10004 file /etc/cron.d/x\n10090 file /etc/late\nnonsense\n9000 bomb x\n99999999999999999999 file /x\n";
        let answer = Answer {
            agent: AgentName::default(),
            ask: Ask::run(["true"]),
            at: Timestamp::default(),
            end: End::Exited(0),
            stdout: stdout.into(),
            stderr: String::new(),
        };
        let culprit = Culprit {
            entity: Entity::new(EntityKind::Unit, "shop.service").with("unit", "shop.service"),
            summary: String::new(),
            basis: Vec::new(),
        };
        let id = Ledger::default().push(answer.clone());
        let told = |ahead: i64| {
            let found = read(&answer, id, Timestamp::from_millis(10_000_000), ahead, Some(&culprit));
            found.into_iter().map(|c| c.what).collect::<Vec<_>>()
        };
        assert_eq!(
            told(0),
            ["shop.service started", "/opt/shop/shop.py", "/etc/cron.d/x", "nginx.service started", "alice on pts/0",]
        );
        // An hour ahead: what it calls 10 090 was long before.
        assert_eq!(told(3_600_000).len(), 6);
    }
}
