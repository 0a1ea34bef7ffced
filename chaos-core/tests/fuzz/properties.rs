//! What holds between two runs of the analysis: the unit of a series, the order of what has none, and where the clock
//! began make no difference.

use chaos_core::{
    analysis::{
        logs::{Frame, LogMiner, parse, raw_logs},
        metrics::{
            change_points, detect, has_limit, is_redundant,
            process::process_groups,
            prometheus::{Scrapes, parse as scrape},
            sample_scores,
        },
        proc::ProcSampler,
    },
    model::{Body, Evidence, Facts, LogLine, Logs, Observation, Series, Timestamp},
};
use proptest::prelude::*;

/// A series with a step, a spike and noise; a quarter of a unit is the smallest difference.
fn values() -> impl Strategy<Value = Vec<f64>> {
    let noise = prop::collection::vec(0u8..8, 40..160);
    (noise, 0usize..160, 0u8..100, 0usize..160, 0u8..200).prop_map(|(noise, step, by, spike, height)| {
        let of = |(i, n): (usize, &u8)| {
            let level = if i >= step { f64::from(by) } else { 0.0 };
            let peak = if i == spike { f64::from(height) } else { 0.0 };
            f64::from(*n) / 4.0 + level + peak
        };
        noise.iter().enumerate().map(of).collect()
    })
}

fn series(name: &str, values: Vec<f64>) -> Series {
    let at = (0..values.len() as i64).map(|i| 1_795_521_600_000 + i * 1000).collect();
    Series { name: name.into(), unit: "x".into(), at, values, ..Series::default() }
}

fn known(series: &Series) -> Vec<Option<i64>> {
    series.at.iter().copied().map(Some).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn neither_the_unit_of_samples_nor_the_pace_of_time_is_part_of_their_score(
        values in values(), power in -40i32..40, pace in 1i64..5000,
    ) {
        let one = series("x", values);
        // Powers of two lose no digit.
        let other: Vec<f64> = one.values.iter().map(|v| v * 2f64.powi(power)).collect();
        let later: Vec<_> = one.at.iter().map(|t| Some((t - one.at[0]) / 1000 * pace - 7)).collect();
        prop_assert_eq!(sample_scores(&known(&one), &one.values), sample_scores(&later, &other));
    }

    #[test]
    fn a_missing_sample_has_no_score_and_changes_no_other(values in values(), at in 0usize..160) {
        let one = series("x", values);
        let mut more = one.clone();
        let at = at.min(one.values.len());
        more.at.insert(at, 5);
        more.values.insert(at, f64::NAN);
        let mut scores = sample_scores(&known(&more), &more.values);
        prop_assert_eq!(scores.remove(at), 0.0);
        prop_assert_eq!(scores, sample_scores(&known(&one), &one.values));
        prop_assert_eq!(change_points(&more), change_points(&one));
    }

    #[test]
    fn changes_of_level_scale_and_move_with_the_series(values in values(), power in -40i32..40, shift in -1_000_000i64..1_000_000) {
        let one = series("x", values);
        let mut other = one.clone();
        other.values.iter_mut().for_each(|v| *v *= 2f64.powi(power));
        other.at.iter_mut().for_each(|t| *t += shift);
        let of = |s: &Series, by: f64, shift: i64| -> Vec<_> {
            change_points(s).into_iter().map(|c| (c.at.0 - shift, c.before / by, c.after / by)).collect()
        };
        prop_assert_eq!(of(&one, 1.0, 0), of(&other, 2f64.powi(power), shift));
    }

    #[test]
    fn what_is_abnormal_does_not_depend_on_the_order_of_samples(
        values in values(), turn in 0usize..160, name in prop::sample::select(vec!["system.memory.utilization", "a", "system.memory.oom_kills"]),
    ) {
        let one = series(name, values);
        let mut other = one.clone();
        other.at.rotate_left(turn % one.at.len());
        other.values.rotate_left(turn % one.at.len());
        let half = Timestamp(one.at[one.at.len() / 2]);
        let (baseline, observed) = (Timestamp(one.at[0])..half, half..Timestamp(i64::MAX));
        let found = |s: &Series| -> Vec<_> {
            let all = detect(s, Some(&baseline), &observed);
            all.into_iter().map(|a| (a.change, a.before, a.after, a.onset, a.score, a.slope)).collect()
        };
        prop_assert_eq!(found(&one), found(&other));
        prop_assert_eq!((has_limit(&one), is_redundant(&one)), (has_limit(&other), is_redundant(&other)));
    }

    #[test]
    fn processes_are_grouped_alike_in_any_order(
        all in prop::collection::vec((0u8..3, 0u8..3, prop::collection::vec(0u16..1000, 1..6)), 1..12), turn in 0usize..12,
    ) {
        let of = |(i, (command, group, values)): (usize, &(u8, u8, Vec<u16>))| Series {
            attributes: [("command", command), ("group_id", group), ("pid", &(i as u8))]
                .map(|(k, v)| (format!("process.{k}"), v.to_string())).into(),
            ..series("process.cpu.utilization", values.iter().map(|v| f64::from(*v)).collect())
        };
        let one: Vec<Series> = all.iter().enumerate().map(of).collect();
        let mut other: Vec<&Series> = one.iter().collect();
        other.rotate_left(turn % one.len());
        let sums = |all: &[&Series]| -> Vec<_> {
            process_groups(all).into_iter().map(|g| (g.entity.name, g.sum.at, g.sum.values, g.members.len())).collect()
        };
        let first: Vec<&Series> = one.iter().collect();
        prop_assert_eq!(sums(&first), sums(&other));
        prop_assert_eq!(process_groups(&first).iter().map(|g| g.members.len()).sum::<usize>(), one.len());
    }

    #[test]
    fn a_frame_may_have_its_lines_in_any_order(order in any::<u64>()) {
        let text = include_str!("seeds/frames/kernel_6_1");
        let mixed: String = text.split_inclusive("\nE\n").map(|frame| {
            let mut lines: Vec<&str> = frame.lines().collect();
            let (first, last) = (usize::from(lines[0].starts_with('H')) + 1, lines.len() - 1);
            lines[first..last].sort_by_key(|l| l.bytes().fold(order | 1, |n, b| n.wrapping_mul(31).rotate_left(7) ^ u64::from(b)));
            lines.join("\n") + "\n"
        }).collect();
        let read = |text: &str| {
            let mut sampler = ProcSampler::new();
            sampler.push(Timestamp(1000), text.as_bytes());
            serde_json::to_string(&sampler.finish()).unwrap()
        };
        prop_assert_eq!(read(text), read(&mixed));
    }

    #[test]
    fn scrapes_are_series_in_order_of_name_whatever_the_order_of_lines(
        counts in prop::collection::vec(0u32..1000, 1..40), turn in 0usize..40,
    ) {
        let lines: Vec<String> = counts.iter().enumerate().map(|(i, n)| format!("m{i}_total {n}\n")).collect();
        let of = |lines: &[String]| {
            let mut scrapes = Scrapes::new();
            (0..3).for_each(|i| scrapes.push(Timestamp(i * 5000), scrape(&lines.concat())));
            scrapes.finish()
        };
        let mut turned = lines.clone();
        turned.rotate_left(turn % lines.len());
        prop_assert_eq!(of(&lines), of(&turned));
        prop_assert_eq!(of(&lines).len(), lines.len());
    }

    #[test]
    fn a_header_and_its_message_are_read_the_same_alone_and_in_a_stream(
        message in "[a-zA-Z0-9/._=-][ a-zA-Z0-9/._=-]{0,40}[a-z]", second in 0u8..60,
    ) {
        let line = format!("2026-11-24T10:00:{second:02}Z host-a app[7]: {message}");
        let header = parse(&line, &Frame::default());
        let mut miner = LogMiner::new(Timestamp(1_795_521_600_000));
        miner.push(Timestamp(1_795_521_600_000), line.as_bytes());
        let logs = miner.finish();
        prop_assert_eq!(Some(logs.lines[0].at), header.at);
        prop_assert_eq!(&logs.lines[0].text, &*header.message);
        prop_assert_eq!(logs.lines[0].level, header.level);
    }

    #[test]
    fn raw_logs_are_in_order_of_time_and_within_their_bound(
        times in prop::collection::vec(0i64..50, 0..40), most in 0usize..3000,
    ) {
        let line = |at: &i64| LogLine { at: Timestamp(*at), level: None, unit: None, pid: None, text: format!("t{at}\nx"), pattern: 0 };
        let logs = Logs { lines: times.iter().map(line).collect(), ..Logs::default() };
        let evidence = Evidence { source: "x".into(), body: Body::Logs(logs), gaps: Vec::new() };
        let seen = Observation { facts: Facts::default(), baseline: None, observed: Timestamp(0)..Timestamp(1), evidence: [evidence].into_iter().collect() };
        let text = raw_logs(&seen, most);
        let left: Vec<&str> = text.lines().filter(|l| l.starts_with("1970")).collect();
        prop_assert!(left.is_sorted() && text.len() <= most + 64);
        prop_assert_eq!(text.starts_with('…'), left.len() < times.len());
    }
}
