use super::*;
use crate::{
    analysis::logs::LogMiner,
    model::{Body, Ledger},
};

const T0: i64 = 1_795_508_000_000;

/// Mines `(second, text)` records.
fn mined(records: &[(f64, &str)]) -> Logs {
    let mut sorted = records.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut miner = LogMiner::new(Timestamp(T0));
    for (s, text) in &sorted {
        let at = Timestamp(T0 + (s * 1000.0) as i64);
        miner.push(at, format!("{at} {text}\n").as_bytes());
    }
    miner.finish()
}

/// Mines records; baseline is seconds 0 to 120, observed 120 to 240.
fn found(records: &[(f64, &str)], baseline: bool) -> Vec<Finding> {
    let logs = mined(records);
    let ledger: Ledger<Evidence> =
        [Evidence { source: "app.log".into(), body: Body::Logs(logs), gaps: vec![] }].into_iter().collect();
    let (id, evidence) = ledger.iter().next().unwrap();
    let Body::Logs(logs) = &evidence.body else { unreachable!() };
    let window = |a: i64, b: i64| Timestamp(T0 + a * 1000)..Timestamp(T0 + b * 1000);
    let findings = detect(logs, "app.log", id, baseline.then(|| window(0, 120)).as_ref(), &window(120, 240));
    for f in &findings {
        assert!(
            !f.cites.is_empty()
                && f.cites.iter().all(|c| c.rows.start < c.rows.end && c.rows.end <= evidence.body.rows())
        );
        assert!((0.0..=1.0).contains(&f.score));
    }
    findings
}

fn every(step: f64, from: f64, to: f64, text: &str) -> Vec<(f64, &str)> {
    (0..).map(|i| from + f64::from(i) * step).take_while(|t| *t < to).map(|t| (t, text)).collect()
}

fn change(finding: &Finding) -> LogChange {
    match &finding.signal {
        Signal::Log { change, .. } => *change,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_alarm_that_was_not_there_before_is_severe_from_its_first_record() {
    let mut records = every(1.0, 0.0, 240.0, "INFO served request 5");
    records.push((150.5, "ERROR write failed: No space left on device"));
    let f = found(&records, true);
    assert_eq!((f.len(), change(&f[0])), (1, LogChange::Severe));
    assert!(f[0].score >= 0.8);
    assert_eq!(f[0].onset, Some(Timestamp(T0 + 150_500)));
    assert_eq!(f[0].entity.name, "app.log");
}

#[test]
fn constant_noise_scores_low_however_it_reads() {
    let mut records = every(2.0, 0.0, 240.0, "ERROR Failed password for root from 1.2.3.4 port 5");
    records.extend(every(7.0, 1.0, 240.0, "CRITICAL connect: Connection refused"));
    records.extend(every(9.0, 1.5, 240.0, "EXT4 I/O error, dev sda"));
    for f in found(&records, true) {
        assert!(f.score < 0.3, "{}: {}", f.score, f.summary);
    }
}

#[test]
fn a_burst_a_silence_and_a_new_pattern_are_told_apart() {
    let mut records = every(20.0, 0.0, 120.0, "WARN slow query 5");
    records.extend(every(1.0, 120.0, 240.0, "WARN slow query 5"));
    records.extend(every(2.0, 0.0, 120.0, "INFO heartbeat sent"));
    records.extend(every(5.0, 120.0, 240.0, "INFO switched over to the standby"));
    let f = found(&records, true);
    let of = |text: &str| f.iter().find(|f| f.summary.contains(text)).map(change);
    assert_eq!(of("slow query"), Some(LogChange::Burst));
    assert_eq!(of("heartbeat"), Some(LogChange::Silence));
    assert_eq!(of("standby"), Some(LogChange::New));
}

#[test]
fn without_anything_before_only_what_is_severe_or_repeated_is_said() {
    let mut records = every(1.0, 120.0, 240.0, "INFO served request 5");
    records.push((200.0, "WARN hm"));
    records.push((201.0, "Out of memory: Killed process 7 (x)"));
    let f = found(&records, false);
    assert_eq!(f.iter().map(change).collect::<Vec<_>>(), [LogChange::Severe, LogChange::Repeated]);
    assert!(f[0].score > 0.6 && f[1].score < 0.5);
}

#[test]
fn a_host_that_is_well_gives_nothing_of_note() {
    let kinds = [
        "INFO served request 5",
        "WARN slow answer from 10.0.0.1",
        "ERROR kex: closed by peer",
        "INFO session opened",
        "NOTICE rotated",
        "INFO cron job 3 ran",
        "WARN retrying 2",
    ];
    let mut seed = 7u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 11) as f64 / (1u64 << 53) as f64
    };
    for _ in 0..200 {
        let mut records = Vec::new();
        for kind in kinds {
            let rate = 10f64.powf(next() * 3.0 - 2.0);
            let mut t = 0.0;
            loop {
                t -= (1.0 - next()).ln() / rate;
                if t >= 240.0 || records.len() > 5000 {
                    break;
                }
                // Half of them come in clusters.
                let cluster = if rate < 0.3 && next() < 0.5 { 1 + (next() * 2.0) as u32 } else { 1 };
                records.extend((0..cluster).map(|i| (t + f64::from(i) * 0.01, kind)));
            }
        }
        for f in found(&records, true) {
            // A kind that is so rare that it came by chance only now is new, and can't be told from a fault.
            let by_chance = matches!(&f.signal, Signal::Log { level, .. } if *level >= Some(Level::Error))
                && f.summary.contains("severe,")
                && !f.summary.contains("before");
            assert!(f.score < 0.5 || by_chance, "{}: {}", f.score, f.summary);
        }
    }
}

#[test]
fn what_comes_on_a_beat_is_missed_after_three_of_it() {
    let mut records = every(1.0, 0.0, 240.0, "INFO served request 5");
    records.extend(every(15.0, 0.0, 195.0, "INFO heartbeat sent"));
    assert_eq!(found(&records, true).len(), 1);
    let mut records = every(1.0, 0.0, 240.0, "INFO served request 5");
    records.extend(every(15.0, 0.0, 119.0, "INFO heartbeat sent"));
    let f = found(&records, true);
    assert_eq!((f.len(), change(&f[0])), (1, LogChange::Silence));
    assert!(f[0].score < 0.5);
    assert_eq!(f[0].onset, Some(Timestamp(T0 + 120_000)));
}

#[test]
fn a_beat_that_is_late_or_another_one_is_off_its_beat() {
    let mut records = every(10.0, 0.0, 140.0, "INFO heartbeat sent");
    records.extend(every(10.0, 200.0, 240.0, "INFO heartbeat sent"));
    records.extend(every(8.0, 0.0, 120.0, "INFO lease renewed"));
    records.extend(every(5.0, 120.0, 240.0, "INFO lease renewed"));
    records.extend(every(9.0, 0.0, 240.0, "INFO as ever"));
    let mut f = found(&records, true);
    f.sort_by(|a, b| a.summary.cmp(&b.summary));
    let told: Vec<_> = f.iter().map(|f| (&*f.summary, change(f), f.onset.unwrap().0 - T0)).collect();
    assert_eq!(
        told,
        [
            ("app.log: heartbeat sent (none for 70 s, every 10 s before)", LogChange::OffBeat, 140_000),
            ("app.log: lease renewed (off its beat, every 8.0 s before)", LogChange::OffBeat, 125_000),
        ]
    );
    assert!(f.iter().all(|f| f.score < 0.5));
}

#[test]
fn what_was_as_busy_before_now_and_then_is_no_burst() {
    let rush = |from: f64| every(0.5, from, from + 20.0, "WARN slow query 5");
    let steady = || every(10.0, 0.0, 240.0, "WARN slow query 5");
    let mut usual = [steady(), rush(30.0), rush(150.0), rush(190.0)].concat();
    usual.extend(every(1.0, 0.0, 240.0, "INFO served request 5"));
    assert!(found(&usual, true).iter().all(|f| change(f) != LogChange::Burst));
    let mut new = [steady(), rush(150.0), rush(190.0)].concat();
    new.extend(every(1.0, 0.0, 240.0, "INFO served request 5"));
    assert!(found(&new, true).iter().any(|f| change(f) == LogChange::Burst));
}

#[test]
fn the_least_that_can_come_has_a_defined_result() {
    assert_eq!(found(&[], true).len(), 0);
    assert_eq!(found(&[], false).len(), 0);
    // One record, before or now.
    assert_eq!(found(&[(60.0, "INFO hello")], true).len(), 0);
    let f = found(&[(130.0, "INFO hello")], true);
    assert_eq!(f.iter().map(change).collect::<Vec<_>>(), [LogChange::New]);
    assert_eq!(found(&[(130.0, "INFO hello")], false).len(), 0);
    // Nothing before, although there was a baseline.
    let f = found(&every(10.0, 120.0, 240.0, "INFO heartbeat sent"), true);
    assert_eq!(f.iter().map(change).collect::<Vec<_>>(), [LogChange::New]);
    // All at one time.
    let same: Vec<(f64, &str)> = (0..60).map(|_| (60.0, "INFO tick")).collect();
    assert!(found(&same, true).iter().all(|f| f.score < 0.5));
    let same: Vec<(f64, &str)> = (0..60).map(|_| (130.0, "INFO tick")).collect();
    assert_eq!(found(&same, true).iter().map(change).collect::<Vec<_>>(), [LogChange::New]);
}

/// Nobody says what is usual, and the incident began before we came.
#[test]
fn without_a_baseline_what_began_within_the_log_is_told_from_there_on() {
    let mut records = every(1.0, 0.0, 240.0, "INFO served request 5");
    records.extend(every(1.0, 60.0, 240.0, "ERROR page not rendered: connection refused"));
    let f = found(&records, false);
    assert_eq!(f.iter().map(change).collect::<Vec<_>>(), [LogChange::Severe]);
    assert!(f[0].score >= 0.6 && f[0].onset == Some(Timestamp(T0 + 60_000)), "{f:?}");
    assert!(f[0].summary.ends_with("(severe, 180 times)"), "{}", f[0].summary);
    assert!(found(&records, true).iter().all(|f| f.score < 0.5), "within a baseline it is half of what is usual");
    // What was there from the beginning may be what is wrong, and may be as ever.
    let ever = found(&every(1.0, 0.0, 240.0, "ERROR page not rendered: connection refused"), false);
    assert_eq!(ever.iter().map(change).collect::<Vec<_>>(), [LogChange::Severe]);
    assert!(ever[0].score >= 0.5 && ever[0].score < f[0].score && ever[0].onset.is_none(), "{ever:?}");
    // What was not yet due has not begun; what came only once may have been for the first time.
    records = every(1.0, 0.0, 240.0, "INFO served request 5");
    records.extend(every(40.0, 60.0, 240.0, "INFO stored a snapshot"));
    assert_eq!(found(&records, false).len(), 0);
    records.push((70.0, "INFO app.service: Main process exited, code=dumped"));
    let f = found(&records, false);
    assert_eq!(f.iter().map(change).collect::<Vec<_>>(), [LogChange::Severe]);
    assert_eq!(f[0].onset, Some(Timestamp(T0 + 70_000)));
    // It was over for a minute and more before anybody looked.
    let mut past = every(1.0, 0.0, 240.0, "INFO order stored in 12 ms");
    past.extend(every(1.0, 20.0, 50.0, "FATAL: too many clients already"));
    assert!(found(&past, false).iter().all(|f| f.score < 0.2));
    // It came and went just now: that it went is no news.
    let mut loops = every(1.0, 0.0, 240.0, "INFO order stored in 12 ms");
    loops.extend(every(1.0, 60.0, 68.0, "ERROR app.service: Failed with result 'exit-code'"));
    let f = found(&loops, false);
    assert_eq!(f.iter().map(change).collect::<Vec<_>>(), [LogChange::Severe]);
    assert!(f[0].score >= 0.5 && f[0].onset == Some(Timestamp(T0 + 60_000)), "{f:?}");
    // What was written all the time has ended.
    let mut ends = every(1.0, 0.0, 240.0, "INFO order stored in 12 ms");
    ends.extend(every(1.0, 0.0, 80.0, "INFO GET /stock 200"));
    let f = found(&ends, false);
    assert_eq!(f.iter().map(change).collect::<Vec<_>>(), [LogChange::Silence]);
    assert!(f[0].score >= 0.45 && f[0].onset.is_some_and(|at| (T0 + 78_000..T0 + 82_000).contains(&at.0)), "{f:?}");
    // A file reaches back to what is long over.
    records.retain(|(_, text)| text.contains("served"));
    records.push((-4000.0, "INFO app.service: Main process exited, code=dumped"));
    assert!(found(&records, false).iter().all(|f| f.summary.contains("served")));
}

#[test]
fn a_clock_that_goes_backwards_changes_nothing_but_the_order_of_arrival() {
    let mut logs = mined(&every(10.0, 0.0, 140.0, "INFO heartbeat sent"));
    let judge = |logs: &Logs| {
        let ledger: Ledger<Evidence> =
            [Evidence { source: "a".into(), body: Body::Logs(logs.clone()), gaps: vec![] }].into_iter().collect();
        let (id, _) = ledger.iter().next().unwrap();
        let window = |a: i64, b: i64| Timestamp(T0 + a * 1000)..Timestamp(T0 + b * 1000);
        let f = detect(logs, "a", id, Some(&window(0, 120)), &window(120, 240));
        f.iter().map(|f| (f.summary.clone(), f.score, f.onset)).collect::<Vec<_>>()
    };
    let (first, again) = (judge(&logs), judge(&logs));
    assert_eq!(first, again);
    assert_eq!(first[0].0, "a: heartbeat sent (none for 110 s, every 10 s before)");
    logs.lines.reverse();
    assert_eq!(judge(&logs), first);
}

#[test]
fn a_pattern_that_comes_to_be_about_one_value_is_told() {
    let client = |i: u32| if i >= 240 && !i.is_multiple_of(8) { 7 } else { i * 7919 % 90 };
    let texts: Vec<String> =
        (0..480).map(|i| format!("INFO request {i} of client 10.0.0.{} was served", client(i))).collect();
    let records: Vec<(f64, &str)> = (0u32..).zip(&texts).map(|(i, t)| (f64::from(i) / 2.0, &**t)).collect();
    let f = found(&records, true);
    assert_eq!(f.iter().map(change).collect::<Vec<_>>(), [LogChange::Focused]);
    assert!(f[0].summary.contains("with 10.0.0.7, ") && f[0].score < 0.5, "{}", f[0].summary);
}

#[test]
fn at_most_fifty_findings_the_strongest_first() {
    let texts: Vec<String> = (0..60).map(|n| format!("ERROR odd{}", " on".repeat(n))).collect();
    let records: Vec<(f64, &str)> =
        texts.iter().map(|t| (130.0, &**t)).chain([(131.0, "kernel panic - not syncing")]).collect();
    let f = found(&records, true);
    assert_eq!(f.len(), 50);
    assert!(f[0].summary.contains("panic"));
}
