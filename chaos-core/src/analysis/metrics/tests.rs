//! Simulated series: what must be found, what must not, and what must not break.

use std::ops::Range;

use proptest::prelude::*;

use super::*;

const SPLIT: i64 = 20_000;

fn series(name: &str, unit: &str, values: impl IntoIterator<Item = f64>) -> Series {
    let values: Vec<f64> = values.into_iter().collect();
    let at = (0..values.len() as i64).map(|i| i * 1000).collect();
    Series { name: name.into(), unit: unit.into(), at, values, ..Series::default() }
}

fn run(series: &Series) -> Vec<Anomaly> {
    let end = series.at.iter().copied().max().unwrap_or(0) + 1000;
    detect(series, Some(&(Timestamp(0)..Timestamp(SPLIT))), &(Timestamp(SPLIT)..Timestamp(end.max(SPLIT))))
}

fn alone(series: &Series) -> Vec<Anomaly> {
    let end = series.at.iter().copied().max().unwrap_or(0) + 1000;
    detect(series, None, &(Timestamp(0)..Timestamp(end)))
}

fn changes(found: &[Anomaly]) -> Vec<Change> {
    found.iter().map(|a| a.change).collect()
}

/// Uniform in 0..1 from a linear congruential generator (Knuth's MMIX).
fn noise(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[test]
fn a_busy_cpu_is_a_new_level_and_saturated() {
    let mut r = noise(1);
    let found =
        run(&series("system.cpu.utilization", "1", (0..50).map(|i| if i < 24 { 0.04 } else { 0.95 } + 0.03 * r())));
    assert_eq!(changes(&found), [Change::LevelUp, Change::Saturated]);
    assert_eq!(found[0].onset, Some(Timestamp(24_000)));
    assert_eq!(found[0].rows, 24..50);
    assert!(found.iter().all(|a| a.score > 0.6), "{found:?}");
}

/// As a slow host is asked about its file systems: three times before, and twice since.
#[test]
fn two_samples_tell_what_is_far_beyond_the_usual_and_nothing_less() {
    let told = |last: [(i64, f64); 2]| {
        let before = [(0, 0.003), (7000, 0.003), (14_000, 0.004)];
        let (at, values) = before.into_iter().chain(last).unzip();
        let name = "system.filesystem.utilization".into();
        run(&Series { name, unit: "1".into(), at, values, ..Series::default() })
    };
    let found = told([(21_000, 0.36), (28_000, 0.79)]);
    assert_eq!(changes(&found), [Change::LevelUp]);
    assert_eq!((found[0].onset, found[0].rows.clone()), (Some(Timestamp(21_000)), 3..5));
    assert!(found[0].score > 0.5 && found[0].before.is_some());
    for less in [
        [(21_000, 0.05), (28_000, 0.79)],
        [(21_000, 0.36), (28_000, 0.1)],
        [(21_000, 0.36), (28_000, 0.003)],
        [(21_000, 0.36), (22_000, 0.79)],
    ] {
        assert_eq!(told(less), [], "{less:?}");
    }
}

#[test]
fn growing_memory_is_a_trend_with_a_time_to_exhaustion() {
    let mut r = noise(2);
    let values = (0..50).map(|i| 0.3 + f64::from((i - 22).max(0)) * 0.01 + 0.004 * r());
    let found = run(&series("system.memory.utilization", "1", values));
    assert_eq!(changes(&found), [Change::TrendUp]);
    assert!((found[0].slope.unwrap() - 0.01).abs() < 0.001);
    let left = found[0].exhausted_after.unwrap().as_secs_f64();
    assert!((38.0..48.0).contains(&left), "{left}");
    assert!(found[0].score > 0.5);
}

/// Round trips are averages that the kernel keeps: after a jump they come closer to it with each packet.
#[test]
fn an_average_that_settles_after_a_jump_is_a_new_level() {
    let before = [0.0005, 0.0008, 0.0006, 0.0006, 0.0011, 0.0009];
    let mut rtt =
        series("system.network.tcp.rtt", "s", before.into_iter().chain([0.095, 0.148, 0.174, 0.187, 0.197, 0.2]));
    rtt.at = (0..12).map(|i| i * 4000).collect();
    let found = run(&rtt);
    assert_eq!(changes(&found), [Change::LevelUp]);
    assert!(found[0].score > 0.6 && found[0].onset == Some(Timestamp(24_000)), "{found:?}");
}

/// As it was on a slow host, where what comes with each fifth sample comes every eight seconds.
#[test]
fn two_samples_apart_that_say_the_same_tell_what_is_usual() {
    let seen = |before: [f64; 2], apart: i64| {
        let after = [0.0, 0.57, 0.88, 0.79, 0.91, 0.88];
        let mut all = series("app.queue.utilization", "1", before.into_iter().chain(after));
        all.at = vec![SPLIT - 4000 - apart, SPLIT - 4000];
        all.at.extend((0..6).map(|i| SPLIT + 3000 + i * 7500));
        run(&all)
    };
    let found = seen([0.0, 0.0], 8500);
    assert_eq!(changes(&found), [Change::LevelUp]);
    assert_eq!((found[0].before, found[0].onset), (Some(0.0), Some(Timestamp(SPLIT + 10_500))));
    assert!(found[0].score > 0.6, "{found:?}");
    assert_eq!(seen([0.0, 0.1], 8500), []);
    assert_eq!(seen([0.0, 0.0], 1000), []);
}

#[test]
fn without_a_baseline_what_is_never_usual_is_told_by_its_level() {
    let held_back = series("systemd.service.cpu.throttled", "1", [0.86, 0.9, 0.88, 0.87, 0.91, 0.9]);
    let found = alone(&held_back);
    assert_eq!(changes(&found), [Change::LevelUp]);
    assert_eq!((found[0].before, found[0].onset, found[0].rows.clone()), (None, None, 0..6));
    assert!(found[0].score > 0.7, "{found:?}");
    let little = alone(&series("systemd.service.cpu.throttled", "1", [0.1, 0.2, 0.1, 0.2, 0.1]));
    assert!(little.iter().all(|a| a.score < 0.5), "{little:?}");
    assert_eq!(alone(&series("system.cpu.utilization", "1", [0.8, 0.82, 0.81, 0.8, 0.82])), [], "it may be as ever");
    let (few, observed) = (series("systemd.service.cpu.throttled", "1", [0.9, 0.9]), Timestamp(0)..Timestamp(9000));
    assert!(!is_seen(&few, &observed) && alone(&few).is_empty() && is_seen(&held_back, &observed));
    // Of a slow source two that are apart are enough, where both say so.
    for (values, is_found) in [([0.9, 0.9], true), ([0.9, 0.0], false), ([0.0, 0.9], false)] {
        let mut slow = series("systemd.service.cpu.throttled", "1", values);
        slow.at = vec![1000, 7000];
        assert!(is_seen(&slow, &observed));
        assert_eq!(detect(&slow, None, &observed).len(), usize::from(is_found), "{values:?}");
    }
    let before = (0..20).map(|i| 0.86 + 0.01 * f64::from(i % 3));
    assert_eq!(run(&series("systemd.service.cpu.throttled", "1", before.cycle().take(60))), [], "it was so before");
}

/// Whatever can't be told gives no anomaly, whichever way the values go.
#[test]
fn a_change_can_be_told_from_samples_enough() {
    let (baseline, observed) = (Timestamp(0)..Timestamp(SPLIT), Timestamp(SPLIT)..Timestamp(3 * SPLIT));
    let told = |before: &[(i64, f64)], after: usize| {
        let mut all = series("app.errors", "1", []);
        all.at = before.iter().map(|(at, _)| *at).chain((0..after as i64).map(|i| SPLIT + i * 3000)).collect();
        all.values = before.iter().map(|(_, v)| *v).chain(vec![0.9; after]).collect();
        let told = can_tell(&all, Some(&baseline), &observed);
        assert!(told || detect(&all, Some(&baseline), &observed).is_empty(), "{all:?}");
        told
    };
    assert!(told(&[(0, 0.1), (1000, 0.3), (2000, 0.2)], 3));
    assert!(told(&[(0, 0.1), (5000, 0.1)], 3));
    assert!(told(&[], 10));
    assert!(!told(&[(0, 0.1), (5000, 0.1)], 2));
    assert!(!told(&[(0, 0.1), (5000, 0.2)], 5));
    assert!(!told(&[], 9));
}

#[test]
fn a_full_disk_is_saturated_whatever_it_was_before() {
    let full = series("system.filesystem.utilization", "1", vec![0.96; 50]);
    assert_eq!(changes(&run(&full)), [Change::Saturated]);
    assert_eq!(changes(&alone(&full)), [Change::Saturated]);
}

/// As a host that is slow is asked about its file systems within half a minute.
#[test]
fn three_samples_tell_what_runs_out_within_minutes_and_nothing_less() {
    let told = |name: &str, values: [f64; 3]| {
        let (at, values) = [0, 9500, 19_000].into_iter().zip(values).unzip();
        alone(&Series { name: name.into(), unit: "1".into(), at, values, ..Series::default() })
    };
    let inodes = "system.filesystem.inodes.utilization";
    let found = told(inodes, [0.494, 0.576, 0.71]);
    assert_eq!(changes(&found), [Change::TrendUp]);
    assert!(found[0].score > 0.6 && found[0].exhausted_after.is_some_and(|left| left.as_secs() < 60), "{found:?}");
    // Not by as much as is notable, not in order, not upwards; and no limit that it comes nearer to.
    for less in [[0.5, 0.51, 0.52], [0.5, 0.7, 0.6], [0.7, 0.6, 0.5]] {
        assert_eq!(told(inodes, less), [], "{less:?}");
    }
    assert_eq!(told("system.linux.pressure", [0.0, 0.05, 0.1]), []);
}

#[test]
fn six_samples_are_enough_for_a_disk_that_fills() {
    let mut disk =
        series("system.filesystem.utilization", "1", [0.2, 0.2, 0.2, 0.2, 0.21, 0.24, 0.27, 0.3, 0.33, 0.36]);
    disk.at = (0..10).map(|i| i * 5000).collect();
    let found = run(&disk);
    assert_eq!(changes(&found), [Change::TrendUp]);
    assert!(found[0].score > 0.5);
}

#[test]
fn without_a_baseline_the_series_own_split_is_found() {
    let mut r = noise(3);
    let found = alone(&series("queue", "{message}", (0..50).map(|i| if i < 30 { 10.0 } else { 90.0 } + r())));
    assert_eq!(changes(&found), [Change::LevelUp]);
    assert_eq!(found[0].onset, Some(Timestamp(30_000)));
}

#[test]
fn a_shift_within_the_noise_is_seen_in_many_samples() {
    let mut r = noise(4);
    let values = (0..50).map(|i| 100.0 + 40.0 * (r() + r() - 1.0) + if i < 20 { 0.0 } else { 160.0 });
    assert_eq!(changes(&run(&series("latency", "ms", values))), [Change::LevelUp]);
}

#[test]
fn a_kill_for_lack_of_memory_is_found_with_its_first() {
    let found = run(&series("system.memory.oom_kills", "{kill}/s", (0..50).map(|i| f64::from(u8::from(i == 33)))));
    assert_eq!(changes(&found), [Change::Spike]);
    assert!(found[0].score > 0.8);
}

#[test]
fn silence_is_missing() {
    let quiet = series("queue", "1", (0..50).map(|i| if i < 30 { 0.5 } else { f64::NAN }));
    assert_eq!(changes(&run(&quiet)), [Change::Missing]);
}

#[test]
fn bursts_of_two_seconds_are_nothing() {
    let values = (0..50).map(|i| if i == 30 || i == 31 { 1.0 } else { 0.05 });
    assert_eq!(run(&series("system.cpu.utilization", "1", values)), []);
}

#[test]
fn healthy_noise_gives_nothing() {
    let mut false_alarms = Vec::new();
    for seed in 0..200 {
        let mut r = noise(seed + 10);
        let mut gauss = || (0..12).map(|_| r()).sum::<f64>() - 6.0;
        let white: Vec<f64> = (0..50).map(|_| 0.2 + 0.04 * gauss()).collect();
        let mut last = 0.0;
        let red: Vec<f64> = (0..50)
            .map(|_| {
                last = 0.7 * last + 0.03 * gauss();
                0.3 + last
            })
            .collect();
        let heavy: Vec<f64> = (0..50).map(|_| 0.05 * gauss().abs().exp()).collect();
        let counts: Vec<f64> = (0..50).map(|_| (5.0 + 2.0 * gauss()).round().max(0.0)).collect();
        let sine: Vec<f64> = (0..50).map(|i| 0.4 + 0.1 * (f64::from(i) / 2.0).sin() + 0.01 * gauss()).collect();
        let shapes = [
            ("system.cpu.utilization", "1", white.clone()),
            ("system.cpu.utilization", "1", red),
            ("system.network.io", "By/s", heavy.iter().map(|v| v * 1e6).collect()),
            ("requests", "{request}/s", counts),
            ("system.memory.utilization", "1", sine),
            ("latency", "ms", white.iter().map(|v| v * 1000.0).collect()),
        ];
        for (name, unit, values) in shapes {
            let one = series(name, unit, values);
            false_alarms.extend(run(&one).into_iter().chain(alone(&one)).map(|a| (seed, name, a)));
        }
    }
    let bad: Vec<_> = false_alarms.iter().filter(|(.., a)| a.score >= 0.5).collect();
    println!("{} of 2400 give anything, {} a person would be told of", false_alarms.len(), bad.len());
    assert!(bad.is_empty(), "{bad:?}");
    assert!(false_alarms.len() <= 12, "{false_alarms:#?}");
}

#[test]
fn ten_minutes_and_weeks_are_judged_as_well() {
    let mut r = noise(7);
    let minutes = (0..600).map(|i| if (400..470).contains(&i) { 0.9 } else { 0.1 } + 0.05 * r());
    let found = alone(&series("system.cpu.utilization", "1", minutes));
    assert_eq!(changes(&found), [Change::LevelUp, Change::Saturated]);
    assert_eq!(found[0].onset, Some(Timestamp(400_000)));
    let mut day = |i: u32| 100.0 + 50.0 * (f64::from(i) / 288.0 * std::f64::consts::TAU).sin() + 10.0 * r();
    let mut weeks = series("requests", "{request}/s", (0..6048).map(&mut day));
    weeks.at = (0..6048).map(|i| i * 300_000).collect();
    assert_eq!(alone(&weeks), []);
    weeks.values[5000..5060].fill(900.0);
    assert_eq!(changes(&alone(&weeks)), [Change::LevelUp]);
}

#[test]
fn constants_single_samples_and_nothing_give_nothing() {
    for values in [vec![], vec![1.0], vec![0.5; 50], vec![1e18; 50], vec![f64::NAN; 50], vec![f64::INFINITY; 50]] {
        let one = series("queue", "1", values);
        assert_eq!(alone(&one), [], "{one:?}");
    }
    let big = series("bytes", "By", (0..50).map(|i| 1e18 + f64::from(i % 3)));
    assert_eq!(run(&big), []);
}

#[test]
fn order_and_duplicates_of_timestamps_do_not_matter() {
    let plain = series("system.cpu.utilization", "1", (0..50).map(|i| if i < 24 { 0.04 } else { 0.95 }));
    let mut mixed = plain.clone();
    mixed.at.reverse();
    mixed.values.reverse();
    mixed.at.push(30_000);
    mixed.values.push(0.95);
    let facts = |s: &Series| run(s).into_iter().map(|a| (a.change, a.onset, a.after)).collect::<Vec<_>>();
    assert_eq!(facts(&plain), facts(&mixed));
}

#[test]
fn eight_workers_are_one_group() {
    let worker = |pid: u32| {
        let mut one = series("process.cpu.utilization", "1", vec![f64::from(pid) / 100.0; 5]);
        for (k, v) in
            [("process.pid", pid.to_string()), ("process.command", "w".into()), ("process.group_id", "9".into())]
        {
            one.attributes.insert(k.into(), v);
        }
        one
    };
    let all: Vec<Series> = [12, 10, 11].map(worker).to_vec();
    let groups = process::process_groups(&all.iter().collect::<Vec<_>>());
    assert_eq!(groups.len(), 1);
    assert!((groups[0].sum.values[0] - 0.33).abs() < 1e-9);
    assert_eq!(groups[0].entity.attributes["pids"], "10,11,12");
    assert_eq!((groups[0].entity.attributes["pid"].as_str(), &groups[0].members[..]), ("12", &[0, 2, 1][..]));
}

#[test]
fn prometheus_text_with_escapes_types_and_odd_numbers_is_read() {
    let text = "# HELP x y\n# TYPE hits counter\nhits{path=\"a\\\"b\\\\c\\n\",} 7 1700000000000\n\
        # TYPE lat histogram\nlat_bucket{le=\"+Inf\"} 3\nlat_sum 1.5\nlat_count 3\n\
        temp NaN\nup +Inf # {a=\"b\"} 1\n1bad 2\nno{a=\"b 3\nfree_bytes 12\n";
    let all = prometheus::parse(text);
    let names: Vec<_> = all.iter().map(|s| (s.name.as_str(), s.counter)).collect();
    assert_eq!(
        names,
        [("hits", true), ("lat_sum", true), ("lat_count", true), ("temp", false), ("up", false), ("free_bytes", false)]
    );
    assert_eq!(all[0].attributes["path"], "a\"b\\c\n");
    assert_eq!(all[0].at, Some(Timestamp(1_700_000_000_000)));
    assert_eq!(all[5].unit, "By");
}

#[test]
fn a_counter_that_restarts_is_a_missing_sample() {
    let mut scrapes = prometheus::Scrapes::new();
    for (i, n) in [5, 15, 3, 13].into_iter().enumerate() {
        scrapes.push(Timestamp(i as i64 * 5000), prometheus::parse(&format!("a_total {n}\n")));
    }
    let all = scrapes.finish();
    assert_eq!((all[0].values[0], all[0].values[2]), (2.0, 2.0));
    assert!(all[0].values[1].is_nan());
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), 0.0..1.0, Just(1e18), Just(f64::NAN), Just(f64::MAX), Just(0.0)]
}

proptest! {
    #[test]
    fn any_series_gives_sound_anomalies(
        samples in prop::collection::vec((prop_oneof![any::<i64>(), 0i64..60_000], value()), 0..80),
        from in any::<i64>(), unit in prop_oneof![Just("1"), Just("By"), Just("")],
    ) {
        let (at, values): (Vec<_>, Vec<_>) = samples.into_iter().unzip();
        let one = Series { name: "system.memory.utilization".into(), unit: unit.into(), at, values, ..Series::default() };
        let spans: [Range<Timestamp>; 3] =
            [Timestamp(0)..Timestamp(SPLIT), Timestamp(SPLIT)..Timestamp(60_000), Timestamp(from)..Timestamp(i64::MAX)];
        for (baseline, observed) in [(Some(&spans[0]), &spans[1]), (None, &spans[2]), (Some(&spans[2]), &spans[0])] {
            for a in detect(&one, baseline, observed) {
                prop_assert!(a.rows.start < a.rows.end && a.rows.end as usize <= one.values.len());
                prop_assert!((0.0..=1.0).contains(&a.score) && a.after.is_finite(), "{:?}", a);
            }
        }
    }

    #[test]
    fn any_text_is_read_as_prometheus(text in "\\PC{0,80}|([a-z]+(\\{[a-z=\",\\\\]*\\})? [0-9.eNainf+-]+\n){0,5}") {
        let _ = prometheus::parse(&text);
    }
}
