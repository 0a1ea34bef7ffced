use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn mine(text: &str) -> Logs {
    let now = at("2026-11-24T12:00:00Z");
    let mut miner = LogMiner::new(now).live(Duration::from_secs(1800));
    miner.push(now, text.as_bytes());
    miner.finish()
}

fn holds(logs: &Logs) {
    assert!(logs.lines.len() <= 12_000);
    assert!(logs.lines.iter().map(|l| l.text.len()).sum::<usize>() <= 7 << 20);
    assert_eq!(logs.patterns.iter().map(|p| p.count).sum::<u64>(), logs.total_lines);
    for (i, pattern) in logs.patterns.iter().enumerate() {
        assert!(!pattern.rows.is_empty() && pattern.first <= pattern.last);
        assert!(pattern.rows.iter().all(|r| logs.lines[*r as usize].pattern as usize == i));
    }
}

#[test]
fn a_stream_is_counted_by_pattern() {
    let text: String = (0..1000)
        .map(|i| {
            format!(
                "Nov 24 11:{:02}:{:02} h sshd[{i}]: Accepted key for u from 10.0.0.{}\n",
                40 + i / 60,
                i % 60,
                i % 250
            )
        })
        .chain(["Nov 24 11:59:59 h kernel: Out of memory: Killed process 5 (x)\n".into()])
        .collect();
    let logs = mine(&text);
    holds(&logs);
    assert_eq!((logs.patterns.len(), logs.total_lines, logs.total_bytes), (2, 1001, text.len() as u64));
    assert_eq!(logs.patterns[0].template, "Accepted key for u from <*>");
    assert_eq!(logs.patterns[0].count, 1000);
    assert_eq!(logs.patterns[1].id.len(), 12);
    assert_eq!(logs.lines.last().unwrap().at, at("2026-11-24T11:59:59Z"));
}

#[test]
fn stack_traces_are_one_record() {
    let logs = mine(concat!(
        "2026-11-24 11:59:00 ERROR boom\n\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)\nCaused by: x.Y: z\n\tat q\n",
        "2026-11-24 11:59:01 INFO fine\n",
        "2026-11-24 11:59:02 ERROR oh\nTraceback (most recent call last):\n  File \"a\", line 1\n    f()\nValueError: bad 5\n",
        "2026-11-24 11:59:03 INFO fine\n",
    ));
    holds(&logs);
    let texts: Vec<usize> = logs.lines.iter().map(|l| l.text.lines().count()).collect();
    assert_eq!(texts, [5, 1, 5, 1]);
    assert!(logs.patterns.iter().any(|p| p.template.contains("ValueError")));
}

#[test]
fn missing_and_absurd_times_fall_back() {
    let now = at("2026-11-24T12:00:00Z");
    let mut miner = LogMiner::new(now).live(Duration::from_secs(600));
    miner.push(now, b"2026-11-24 11:50:00 one\n2099-01-01 00:00:00 two\n1970-01-01 00:00:00 three\nfour\n");
    miner.push(now + Duration::from_secs(5), b"five\n2026-11-24 01:00:00 six\n");
    let times: Vec<String> = miner.finish().lines.iter().map(|l| l.at.time_of_day()).collect();
    assert_eq!(times, ["11:50:00", "11:50:00", "11:50:00", "11:50:00", "11:50:05", "11:50:05"]);
}

#[test]
fn what_a_live_source_gives_at_once_without_a_time_was_there_before() {
    let now = at("2026-11-24T12:00:00Z");
    let mut miner = LogMiner::new(now).live(Duration::from_secs(600));
    miner.push(now, b"old\n");
    miner.push(now + Duration::from_secs(2), b"new\n");
    let times: Vec<String> = miner.finish().lines.iter().map(|l| l.at.time_of_day()).collect();
    assert_eq!(times, ["11:50:00", "12:00:02"]);
    let mut dead = LogMiner::new(now);
    dead.push(now, b"plain\n");
    assert_eq!(dead.finish().lines[0].at, now);
}

#[test]
fn many_patterns_and_huge_lines_stay_within_bounds() {
    let now = at("2026-11-24T12:00:00Z");
    let mut miner = LogMiner::new(now);
    for n in 0..8000u32 {
        let word: String = n.to_string().bytes().map(|b| char::from(b - b'0' + b'a')).collect();
        let long = "word ".repeat(if n % 3 == 0 { 3000 } else { 3 });
        miner.push(now, format!("w{word} {long} end\n").as_bytes());
    }
    let logs = miner.finish();
    holds(&logs);
    assert_eq!(logs.total_lines, 8000);
    assert!(logs.patterns.len() <= super::super::MAX_PATTERNS + 1);
}

#[test]
fn the_kernels_extra_lines_are_no_records() {
    let now = at("2026-11-24T12:00:00Z");
    let mut miner = LogMiner::new(now).boot(now);
    miner.push(
        now,
        b"6,1,1000,-;usb: new\n SUBSYSTEM=usb\n DEVICE=c1:2\n4,2,2000000,-;Call Trace:\n4,3,2000000,-; f+0x1\n",
    );
    let logs = miner.finish();
    assert_eq!(logs.lines.iter().map(|l| &*l.text).collect::<Vec<_>>(), ["usb: new", "Call Trace:\n f+0x1"]);
    assert_eq!(logs.lines[1].level, Some(Level::Warning));
}

proptest! {
    #[test]
    fn chunking_changes_nothing_and_no_bytes_panic(
        parts in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..20),
            prop::sample::select(vec!["\n", "2026-11-24 11:59:02 ERROR oh\n", "Traceback (most recent call last):\n", "  x\n", "Nov 24 11:00:00 h a[1]: b\n", "{\"MESSAGE\":\"a\"}\n"]).prop_map(|s| s.as_bytes().to_vec()),
        ], 0..30), cut in 0usize..100,
    ) {
        let text = parts.concat();
        let now = at("2026-11-24T12:00:00Z");
        let run = |chunks: &[&[u8]]| {
            let mut miner = LogMiner::new(now);
            for c in chunks { miner.push(now, c); }
            miner.finish()
        };
        let cut = cut.min(text.len());
        let (one, two) = (run(&[&text]), run(&[&text[..cut], &text[cut..]]));
        holds(&one);
        prop_assert_eq!(one.lines, two.lines);
        prop_assert_eq!(one.patterns, two.patterns);
    }
}

#[test]
fn a_sample_of_each_pattern_is_kept_and_fair() {
    let text: String =
        (0..20_000).map(|i| format!("2026-11-24 11:{:02}:{:02} took {i} ms\n", i / 400, i / 7 % 60)).collect();
    let logs = mine(&text);
    holds(&logs);
    let sample = &logs.patterns[0].sample;
    assert_eq!((logs.patterns.len(), sample.len()), (1, 32));
    assert!(sample.iter().all(|r| logs.patterns[0].rows.contains(r)));
    let taken: Vec<u32> =
        sample.iter().map(|r| logs.lines[*r as usize].text[5..].split(' ').next().unwrap().parse().unwrap()).collect();
    // Of 32 records out of 20,000 in order, each half has its share: fewer than six has a chance of 1 in 8,000.
    let early = taken.iter().filter(|n| **n < 10_000).count();
    assert!((6..=26).contains(&early), "{taken:?}");
}

/// Its lines are of one shape, or of what is forgotten in between.
fn levels(text: &str) -> Vec<Option<Level>> {
    let mut miner = LogMiner::new(at("2026-11-24T12:00:00Z"));
    miner.push(at("2026-11-24T12:00:00Z"), text.as_bytes());
    miner.finish().lines.iter().map(|l| l.level).collect()
}

#[test]
fn lines_that_differ_in_a_letter_or_a_status_keep_their_levels() {
    let klog: String =
        "IIIEEFI".chars().map(|l| format!("{l}1124 08:15:30.250000       1 leader.go:12] lost lease 5\n")).collect();
    let (info, error) = (Some(Level::Info), Some(Level::Error));
    assert_eq!(levels(&klog), [info, info, info, error, error, Some(Level::Critical), info]);
    let access: String = [200, 200, 200, 500, 500, 503, 200]
        .iter()
        .map(|s| format!("1.2.3.4 - - [24/Nov/2026:08:15:30 +0000] GET /a HTTP/1.1 {s} 12\n"))
        .collect();
    assert_eq!(levels(&access), [info, info, info, error, error, error, info]);
}

#[test]
fn shapes_that_are_forgotten_are_not_learnt_any_more() {
    let word = |n: usize| format!("{n:05}").bytes().map(|b| char::from(b - b'0' + b'g')).collect::<String>();
    for same in ["hello there you", "a lazy dog", "the quick fox"] {
        let many: String = (0..2999).map(|n| format!("{} {}\n", word(n), word(n * 7 + 3))).collect();
        let logs = mine(&format!("{same}\n{many}zzz yyy\n{same}"));
        assert_eq!(logs.total_lines, 3002 - 1 + 1);
    }
}

#[test]
fn a_time_of_day_counts_for_a_file_and_not_for_a_stream_that_is_followed() {
    let now = at("2026-11-24T16:00:00Z");
    let line = b"18:00:00.000 [main] ERROR a.B - late\n";
    let mut live = LogMiner::new(now).live(Duration::from_secs(600));
    live.push(now + Duration::from_secs(5), line);
    assert_eq!(live.finish().lines[0].at.time_of_day(), "16:00:05");
    let mut file = LogMiner::new(now);
    file.push(now, line);
    assert_eq!(file.finish().lines[0].at.to_string(), "2026-11-23T18:00:00.000Z");
}

#[test]
fn what_fits_no_pattern_is_no_alarm() {
    let word = |n: usize| format!("{n:05}").bytes().map(|b| char::from(b - b'0' + b'g')).collect::<String>();
    let many = (0..3001).map(|n| format!("{0} {0}\n", word(n)));
    let few = (0..200).map(|n| format!("err {}\n", word(n))).chain(["err segfault\n".into()]);
    let more = (200..500).map(|n| format!("err {}\n", word(n)));
    let text: String = many.chain(few).chain(more).collect();
    let mut miner = LogMiner::new(at("2026-11-24T12:00:00Z")).counting();
    miner.push(at("2026-11-24T12:00:00Z"), text.as_bytes());
    let survey = miner.survey();
    let rest = survey.templates.iter().find(|t| t.template == "<*>").unwrap();
    assert!(rest.count > 200 && !rest.alert, "{rest:?}");
}

#[test]
fn a_sample_of_joined_patterns_is_fair() {
    let five = ["ann", "bob", "cid", "dan", "eve"].map(|n| format!("client {n} logged in\n").repeat(40)).concat();
    let word = |n: usize| format!("{n:05}").bytes().map(|b| char::from(b - b'0' + b'g')).collect::<String>();
    let filler: String = (0..600).map(|n| format!("{0} is {1} and {0}\n", word(n), word(7 * n))).collect();
    let text = five + &filler + &"client zed logged in\n".repeat(20_000);
    let logs = mine(&text);
    let joined = logs.patterns.iter().find(|p| p.template == "client <*> logged in").unwrap();
    let zed = joined.sample.iter().filter(|r| logs.lines[**r as usize].text.contains("zed")).count();
    assert_eq!((joined.count, zed + 1 >= joined.sample.len(), zed > 0), (20_200, true, true), "{:?}", joined.sample);
}
