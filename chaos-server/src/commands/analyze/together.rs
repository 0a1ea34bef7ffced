//! Which series of a file changed together, and in which order: for a person one line each, for programs all.

use chaos_core::{
    analysis::metrics::{Onset, Together, interval, together},
    chart::visible,
    model::{Change, Series, Timestamp},
};
use serde::Serialize;

use super::metrics::{lasting, words};

/// Groups, and series of each, that a person is shown.
const MOST: usize = 6;
const MOST_MEMBERS: usize = 6;

/// A change of one series, and when it began.
pub(super) struct Begun<'a> {
    pub(super) name: String,
    pub(super) series: &'a Series,
    pub(super) change: Change,
    pub(super) at: Timestamp,
}

/// Series that changed together.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Joint {
    /// When the first began.
    from: Timestamp,
    members: Vec<Member>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Member {
    series: String,
    change: Change,
    /// After the first.
    lag_s: f64,
    /// Whether that is more than a sampling interval.
    ordered: bool,
}

/// Groups the changes. Several of one series count as its first; a change from the first sample on has no onset.
pub(super) fn joint(all: &[Begun<'_>]) -> Vec<Joint> {
    let onset = |b: &Begun<'_>| {
        let subject = all.iter().position(|a| std::ptr::eq(a.series, b.series))?;
        let (first, interval) = (Timestamp(*b.series.at.iter().min()?), interval(b.series));
        (b.at.since(first) > interval).then_some(Onset { subject, at: b.at, interval })
    };
    let onsets: Vec<Onset> = all.iter().filter_map(onset).collect();
    let of = |group: Together| {
        let member = |m: &chaos_core::analysis::metrics::Follower| {
            let at = Timestamp(group.from.0.saturating_add_unsigned(m.lag_ms));
            let begun = all.iter().find(|b| std::ptr::eq(b.series, all[m.subject].series) && b.at == at);
            let begun = begun.unwrap_or(&all[m.subject]);
            let lag_s = m.lag_ms as f64 / 1000.0;
            Member { series: begun.name.clone(), change: begun.change, lag_s, ordered: m.ordered }
        };
        Joint { from: group.from, members: group.members.iter().map(member).collect() }
    };
    together(&onsets).into_iter().map(of).collect()
}

/// A line a group: `changed together at …: a (higher), b (growing) 12 s later`, all counted from the first.
pub(super) fn shown(groups: &[Joint]) -> String {
    let mut text: String = groups.iter().take(MOST).map(line).collect();
    if groups.len() > MOST {
        text.push_str(&format!("… and {} more that changed together: --json has all\n", groups.len() - MOST));
    }
    text
}

fn line(group: &Joint) -> String {
    let mut text = format!("changed together at {}: ", group.from);
    for (i, m) in group.members.iter().take(MOST_MEMBERS).enumerate() {
        let after = std::time::Duration::from_secs_f64(m.lag_s);
        match (i, m.ordered) {
            (0, _) => {}
            _ => text.push_str(", "),
        }
        text.push_str(&format!("{} ({})", visible(&m.series), words(m.change)));
        match (i, m.ordered) {
            (0, _) => {}
            (_, false) => text.push_str(" at once"),
            (_, true) => text.push_str(&format!(" {} later", lasting(after))),
        }
    }
    if group.members.len() > MOST_MEMBERS {
        text.push_str(&format!(", and {} more", group.members.len() - MOST_MEMBERS));
    }
    text + "\n"
}
