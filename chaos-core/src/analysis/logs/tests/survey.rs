use proptest::prelude::*;

use super::*;
use crate::analysis::logs::LogMiner;

fn now() -> Timestamp {
    Timestamp::parse("2026-11-24T12:00:00Z").unwrap()
}

fn survey(text: &str) -> (Survey, Vec<LineTag>) {
    let mut miner = LogMiner::new(now()).tag_lines();
    miner.push(now(), text.as_bytes());
    miner.cut();
    let tags = miner.take_tags();
    (miner.survey(), tags)
}

fn ids(survey: &Survey, tags: &[LineTag]) -> Vec<Option<String>> {
    tags.iter().map(|t| survey.template(*t).map(|t| t.id.clone())).collect()
}

#[test]
fn every_line_has_the_template_that_it_ends_up_in() {
    let (survey, tags) = survey(concat!(
        "2026-11-24 11:59:00 INFO order of customer alpha was taken after review by the desk\n",
        "\n",
        "2026-11-24 11:59:01 ERROR boom\n\tat a.B.c(B.java:1)\nCaused by: x.Y: z\n",
        "2026-11-24 11:59:02 INFO order of customer beta was taken after review by the desk\n",
        "2026-11-24 11:59:03 INFO order of customer gamma was taken after review by the desk",
    ));
    let ids = ids(&survey, &tags);
    assert_eq!(ids.len(), 7);
    assert_eq!(ids[1], None);
    assert!(ids[0].is_some() && ids[0] == ids[5] && ids[0] == ids[6], "{ids:?}");
    assert!(ids[2] == ids[3] && ids[2] == ids[4] && ids[2] != ids[0], "{ids:?}");
    let alerts: Vec<bool> = tags.iter().map(|t| survey.is_alert(*t)).collect();
    assert_eq!(alerts, [false, false, true, true, true, false, false]);
    assert_eq!(survey.templates[0].count, 3);
    assert_eq!(survey.span.as_ref().unwrap().start, Timestamp::parse("2026-11-24T11:59:00Z").unwrap());
}

#[test]
fn what_is_new_and_what_is_gone_is_told_against_a_baseline() {
    let mut miner = LogMiner::new(now()).tag_lines();
    miner.push(now(), b"served request 1\nserved request 2\nold thing");
    miner.baseline_ends();
    miner.next_file(now());
    miner.push(now(), b"served request 3\nnew thing happened\n");
    miner.cut();
    let tags = miner.take_tags();
    let survey = miner.survey();
    assert_eq!((survey.records, survey.baseline_records, survey.bytes), (2, Some(3), 36));
    let told: Vec<_> = survey.templates.iter().map(|t| (&*t.template, t.count, t.baseline_count, t.new)).collect();
    assert_eq!(told, [("served request <*>", 1, Some(2), false), ("new thing happened", 1, Some(0), true)]);
    assert_eq!(survey.gone.iter().map(|g| &*g.template).collect::<Vec<_>>(), ["old thing"]);
    assert_eq!(ids(&survey, &tags), [Some(survey.templates[0].id.clone()), Some(survey.templates[1].id.clone())]);
}

#[test]
fn a_log_without_times_has_no_span_and_no_trend() {
    let (survey, _) = survey(&"the same\n".repeat(100));
    let t = &survey.templates[0];
    assert_eq!((survey.span.as_ref(), t.first, t.trend, t.count), (None, None, None, 100));
}

#[test]
fn a_trend_is_told_where_chance_does_not_explain_it() {
    let line = |s: u32, what: &str| format!("2026-11-24 11:{:02}:{:02} INFO {what}\n", s / 60, s % 60);
    let text: String = (0..600)
        .map(|s| {
            let more = if s > 300 && s % 3 == 0 || s % 30 == 0 { line(s, "more and more") } else { String::new() };
            let less = if s < 200 { line(s, "less and less") } else { String::new() };
            line(s, "as ever") + &more + &less
        })
        .collect();
    let (survey, _) = survey(&text);
    let trend = |text: &str| survey.templates.iter().find(|t| t.template == text).unwrap().trend;
    assert_eq!(trend("as ever"), Some(Trend::Steady));
    assert_eq!(trend("more and more"), Some(Trend::Rising));
    assert_eq!(trend("less and less"), Some(Trend::Falling));
}

proptest! {
    #[test]
    fn parts_mined_side_by_side_give_the_whole(
        lines in prop::collection::vec((prop::sample::select(vec![
            "INFO user bob came", "INFO user eve came", "ERROR disk sda1 failed", "ERROR disk sdb7 failed", "INFO took 5 ms", "INFO a b c d e f g h",
            "INFO a b x d e f g h", "INFO a b y d e f g h", "INFO a b z d e f g h", "  more of it", "WARN gone",
        ]), 0u32..3600), 0..60),
        parts in prop::collection::vec(0usize..60, 0..4),
    ) {
        let line = |(text, s): &(&str, u32)| format!("2026-11-24 11:{:02}:{:02} {text}\n", s / 60, s % 60);
        let text: Vec<String> = lines.iter().map(line).collect();
        let mine = |lines: &[String]| {
            let mut miner = LogMiner::new(now()).counting();
            miner.push(now(), lines.concat().as_bytes());
            miner
        };
        // A record does not go on over a cut.
        let mut cuts: Vec<usize> = parts.into_iter().map(|p| p.min(text.len())).filter(|p| !text.get(*p).is_some_and(|t| t.contains("  more"))).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let mut merged = mine(&[]);
        for w in cuts.windows(2) {
            merged.merge(mine(&text[w[0]..w[1]]));
        }
        let without_samples = |mut survey: Survey| {
            survey.templates.iter_mut().for_each(|t| t.values.clear());
            survey
        };
        prop_assert_eq!(without_samples(merged.survey()), without_samples(mine(&text).survey()));
    }

    #[test]
    fn any_bytes_give_one_tag_a_line(
        lines in prop::collection::vec(prop::sample::select(vec![
            "", " ", "a b", "\tat x", "Caused by: y", " SUBSYSTEM=pci", "4,1,5,-;x", "\u{0}", "2026-11-24 11:59:00 ERROR x",
            "Traceback (most recent call last):", "\r", "{\"msg\":\"x\"}",
        ]), 0..40),
        at in 0usize..400,
    ) {
        let text = lines.iter().map(|l| format!("{l}\n")).collect::<String>();
        let at = at.min(text.len());
        let at = (0..=at).rev().find(|a| text.is_char_boundary(*a)).unwrap_or(0);
        let mut miner = LogMiner::new(now()).tag_lines();
        miner.push(now(), &text.as_bytes()[..at]);
        let mut tags = miner.take_tags();
        miner.push(now(), &text.as_bytes()[at..]);
        miner.cut();
        tags.extend(miner.take_tags());
        prop_assert_eq!(tags.len(), lines.len());
        let survey = miner.survey();
        prop_assert_eq!(survey.templates.iter().map(|t| t.count).sum::<u64>(), survey.records);
    }
}
