use proptest::prelude::*;

use super::*;
use crate::analysis::logs::LogMiner;

const LOG: &str = "\
2026-11-24 08:15:30 INFO web: GET /a1 took 5 ms
2026-11-24 08:15:31 INFO web: GET /b27 took 512 ms

2026-11-24 08:15:32 ERROR db: connection 7 to 10.0.0.1 lost
2026-11-24 08:15:33 ERROR db: connection 12345 to 10.20.30.40 lost
2026-11-24 08:15:34 ERROR db: connection 77 to 10.0.0.1 lost
2026-11-24 08:15:35 WARN disk: write /var/x: No space left on device
  an indented line without a time
";

fn glance(text: &[u8]) -> Sight {
    let mut glance = Glance::new(Timestamp::default());
    glance.push(text);
    glance.finish()
}

#[test]
fn a_first_look_tells_levels_times_and_troubles() {
    let sight = glance(LOG.as_bytes());
    assert_eq!((sight.lines, sight.bytes, sight.without_level), (7, LOG.len() as u64, 1));
    assert_eq!(
        sight.levels.into_iter().collect::<Vec<_>>(),
        [(Level::Info, 2), (Level::Warning, 1), (Level::Error, 3)]
    );
    let at = |text: &str| Timestamp::parse(text).unwrap();
    assert_eq!(sight.span, Some(at("2026-11-24T08:15:30Z")..at("2026-11-24T08:15:35Z")));
    let told: Vec<_> = sight.troubles.iter().map(|t| (&*t.template, t.count, t.first_line, t.last_line)).collect();
    assert_eq!(
        told,
        [("db: connection <*> to <*> lost", 3, 4, 6), ("disk: write <*>: No space left on device", 1, 7, 7),]
    );
    assert_eq!(sight.troubles[0].level, Some(Level::Error));
    assert_eq!(&*sight.troubles[0].example, "db: connection 7 to 10.0.0.1 lost");
}

#[test]
fn a_log_without_a_line_shows_nothing() {
    for text in [&b""[..], b"\n\n", b" \t\n", b"\0"] {
        assert_eq!(glance(text), Sight { bytes: text.len() as u64, ..Sight::default() }, "{text:?}");
    }
}

#[test]
fn every_trouble_is_one_template_at_last() {
    let text: String = (0..20_000).map(|i| format!("ERROR x: lost {} of it\n", word(i))).collect();
    let sight = glance(text.as_bytes());
    assert_eq!(sight.troubles.iter().map(|t| t.count).sum::<u64>(), 20_000);
    assert!(sight.troubles.len() <= 3, "{}", sight.troubles.len());
}

fn word(mut n: u32) -> String {
    let mut word = String::from("q");
    for _ in 0..4 {
        word.push(char::from(b'a' + (n % 26) as u8));
        n /= 26;
    }
    word
}

proptest! {
    /// A line is counted by its shape as it would be by itself.
    #[test]
    fn levels_are_those_of_mining(lines in prop::collection::vec((0usize..6, 0u32..100_000, 0u32..99), 0..60)) {
        let mut text = String::new();
        for (kind, a, b) in lines {
            text.push_str(&match kind {
                0 => format!("2026-11-24T08:15:{:02}Z INFO a.b: took {a} ms\n", b % 60),
                1 => format!("1.2.3.{b} - - [24/Nov/2026:08:15:30 +0000] \"GET /{a} HTTP/1.1\" {} {b}\n", [200, 404, 500][a as usize % 3]),
                2 => format!("Nov 24 08:15:{:02} host app[{a}]: error: lost {b}\n", b % 60),
                3 => format!("{{\"level\":\"{}\",\"msg\":\"a {b}\"}}\n", ["info", "error"][a as usize % 2]),
                4 => format!("{}1124 08:15:30.250000 {b:7} a.go:3] x{a}\n", ["I", "E", "W"][a as usize % 3]),
                _ => format!("level=warn msg=\"a {b}\" n={a}\n"),
            });
        }
        let sight = glance(text.as_bytes());
        let mut miner = LogMiner::new(Timestamp::default());
        miner.push(Timestamp::default(), text.as_bytes());
        let logs = miner.finish();
        prop_assert_eq!(sight.lines, logs.total_lines);
        let mut levels: BTreeMap<Level, u64> = BTreeMap::new();
        for level in logs.lines.iter().filter_map(|l| l.level) {
            *levels.entry(level).or_default() += 1;
        }
        prop_assert_eq!(sight.levels, levels);
    }
}
