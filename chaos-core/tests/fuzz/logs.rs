//! Lines, headers, patterns and surveys.

use std::{collections::BTreeSet, time::Duration};

use chaos_core::{
    analysis::logs::{
        Frame, Glance, LineTag, Lines, LogMiner, MAX_KEPT, MAX_KEPT_BYTES, MAX_LINE, MAX_PATTERNS, Sight, Survey,
        detect, parse, raw_logs,
    },
    model::{Body, Evidence, Facts, Ledger, Logs, Observation, Timestamp},
};

use super::input::Input;

/// Around which year-less times are read.
const NOON: Timestamp = Timestamp(1_795_521_600_000);

fn split(text: &[u8], size: usize) -> Vec<Vec<u8>> {
    let (mut lines, mut all) = (Lines::default(), Vec::new());
    text.chunks(size).for_each(|piece| lines.push(piece, |l| all.push(l.to_vec())));
    lines.finish(|l| all.push(l.to_vec()));
    all
}

/// How many lines a text has.
fn count(text: &[u8]) -> usize {
    text.split_inclusive(|b| *b == b'\n').count()
}

/// Lines are the same wherever chunks are cut, and none is longer than is promised.
pub(super) fn lines(data: &[u8]) {
    let mut input = Input::new(data);
    let size = 1 + input.pick(100);
    let text = match input.flag() {
        false => input.text.to_vec(),
        true => input.text.repeat((3 * MAX_LINE).div_ceil(input.text.len().max(1)) * input.pick(2)),
    };
    let all = split(&text, usize::MAX);
    assert_eq!(all, split(&text, size));
    assert_eq!(all.len(), count(&text));
    for (line, raw) in all.iter().zip(text.split_inclusive(|b| *b == b'\n')) {
        assert!(line.len() <= MAX_LINE + 40 && !line.contains(&b'\n'));
        assert!(raw.len() > MAX_LINE || raw.windows(line.len().max(1)).any(|w| w == line) || line.is_empty());
        // What was text is text when it is cut, too.
        assert!(std::str::from_utf8(line).is_ok() || std::str::from_utf8(raw).is_err());
    }
    let sight = glance(&text, usize::MAX);
    assert_eq!(sight, glance(&text, size));
    let blank = all.iter().filter(|l| l.trim_ascii().is_empty()).count();
    assert_eq!((sight.lines, sight.bytes), ((all.len() - blank) as u64, text.len() as u64));
    assert_eq!(sight.levels.values().sum::<u64>() + sight.without_level, sight.lines);
    assert!(sight.troubles.iter().map(|t| t.count).sum::<u64>() <= sight.lines);
    assert!(sight.troubles.iter().all(|t| t.count > 0 && 0 < t.first_line && t.first_line <= t.last_line));
}

fn glance(text: &[u8], size: usize) -> Sight {
    let mut glance = Glance::new(NOON);
    text.chunks(size).for_each(|piece| glance.push(piece));
    glance.finish()
}

/// A header is read the same each time, and its time has a text.
pub(super) fn headers(data: &[u8]) {
    let mut input = Input::new(data);
    let reference =
        [NOON, Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX), Timestamp(0)][input.pick(4)];
    let boot = input.flag().then_some(reference);
    let frame = Frame { reference, boot };
    for line in split(input.text, usize::MAX) {
        let line = String::from_utf8_lossy(&line);
        let header = parse(&line, &frame);
        assert_eq!(header, parse(&line, &frame));
        if let Some(at) = header.at {
            assert_eq!(Timestamp::parse(&at.to_string()), Some(at), "{line:?}");
        }
    }
}

/// What comes after a part of a stream.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Then {
    BaselineEnds,
    NextFile,
    End,
}

/// What is done with a stream.
struct Plan {
    miner: fn() -> LogMiner,
    /// Where another file begins.
    next: Option<usize>,
    /// Where the baseline ends.
    baseline: Option<usize>,
}

impl Plan {
    fn new(input: &mut Input<'_>, miner: fn() -> LogMiner) -> Self {
        let next = input.flag().then(|| input.place());
        let baseline = input.flag().then(|| input.place());
        Self { miner, next, baseline }
    }

    /// Parts of the text, and what comes after each.
    fn parts<'a>(&self, text: &'a [u8]) -> Vec<(&'a [u8], Then)> {
        let mut cuts = vec![(text.len(), Then::End)];
        cuts.extend(self.next.map(|at| (at, Then::NextFile)));
        cuts.extend(self.baseline.map(|at| (at, Then::BaselineEnds)));
        cuts.sort();
        let mut from = 0;
        cuts.into_iter().map(|(to, then)| (&text[std::mem::replace(&mut from, to)..to], then)).collect()
    }

    /// Pushes all, and gives the tags of what came after the baseline.
    fn run(&self, text: &[u8], size: usize) -> (LogMiner, Vec<LineTag>) {
        let (mut miner, mut tags) = ((self.miner)().tag_lines(), Vec::new());
        for (part, then) in self.parts(text) {
            part.chunks(size).for_each(|piece| miner.push(NOON, piece));
            match then {
                Then::NextFile => miner.next_file(Timestamp(NOON.0 - 1000)),
                Then::BaselineEnds => miner.baseline_ends(),
                Then::End => miner.cut(),
            }
            tags.extend(miner.take_tags());
            if then == Then::BaselineEnds {
                tags.clear();
            }
        }
        (miner, tags)
    }

    /// Lines after the baseline.
    fn lines(&self, text: &[u8]) -> usize {
        let from = self.baseline.unwrap_or(0);
        match self.next.filter(|at| *at > from) {
            Some(at) => count(&text[from..at]) + count(&text[at..]),
            None => count(&text[from..]),
        }
    }
}

/// A stream as the agents read it: counts add up, memory is bounded, rows and citations exist.
pub(super) fn miner(data: &[u8]) {
    let mut input = Input::new(data);
    let size = 1 + input.pick(100);
    let miner: fn() -> LogMiner = match input.pick(4) {
        0 => || LogMiner::new(NOON).live(Duration::from_secs(1800)),
        1 => || LogMiner::new(NOON).live(Duration::MAX).boot(Timestamp(NOON.0 - 60_000)),
        2 => || LogMiner::new(NOON).clock_ahead(i64::MIN),
        _ => || LogMiner::new(NOON).clock_ahead(3_600_000),
    };
    let plan = Plan { baseline: None, ..Plan::new(&mut input, miner) };
    let (whole, tags) = plan.run(input.text, usize::MAX);
    let (pieces, same) = plan.run(input.text, size);
    let logs = whole.finish();
    assert_eq!(serde_json::to_string(&logs).unwrap(), serde_json::to_string(&pieces.finish()).unwrap());
    assert_eq!(tags, same);
    assert_eq!(tags.len(), plan.lines(input.text));
    hold(&logs);
    assert!(logs.total_lines as usize <= tags.len() && logs.total_bytes as usize == input.text.len());
    let observed =
        [Timestamp(NOON.0 - 1000)..Timestamp(NOON.0 + 1000), NOON..NOON, Timestamp(i64::MIN)..Timestamp(i64::MAX)]
            [input.pick(3)]
        .clone();
    let baseline = input.flag().then_some(Timestamp(NOON.0 - 1_000_000)..observed.start);
    let evidence = [Evidence { source: "log".into(), body: Body::Logs(logs.clone()), gaps: Vec::new() }];
    let evidence: Ledger<Evidence> = evidence.into_iter().collect();
    let id = evidence.iter().next().unwrap().0;
    let seen = Observation { facts: Facts::default(), baseline, observed, evidence };
    for finding in detect(&logs, "log", id, seen.baseline.as_ref(), &seen.observed) {
        assert!((0.0..=1.0).contains(&finding.score), "{finding:?}");
        assert!(finding.cites.iter().all(|c| seen.holds(c)), "{finding:?}");
    }
    let shown = raw_logs(&seen, 2000);
    assert!(shown.len() <= 2064 && !shown.contains(|c: char| c.is_control() && c != '\n' && c != '\t'), "{shown:?}");
}

fn hold(logs: &Logs) {
    assert!(logs.lines.len() <= MAX_KEPT && logs.patterns.len() <= MAX_PATTERNS + 1);
    assert!(logs.lines.iter().map(|l| l.text.len()).sum::<usize>() <= MAX_KEPT_BYTES + (1 << 20));
    assert_eq!(logs.patterns.iter().map(|p| p.count).sum::<u64>(), logs.total_lines);
    assert_eq!(logs.patterns.iter().map(|p| &p.id).collect::<BTreeSet<_>>().len(), logs.patterns.len());
    for (i, pattern) in logs.patterns.iter().enumerate() {
        assert!(!pattern.rows.is_empty() && pattern.first <= pattern.last, "{pattern:?}");
        assert!(pattern.rows.iter().all(|r| logs.lines[*r as usize].pattern as usize == i), "{pattern:?}");
        assert!(pattern.histogram.counts.iter().map(|n| u64::from(*n)).sum::<u64>() <= pattern.count, "{pattern:?}");
    }
}

/// A file as a person asks about it: each line has a tag, each tag a template, and counts add up.
pub(super) fn survey(data: &[u8]) {
    let mut input = Input::new(data);
    let size = 1 + input.pick(100);
    let plan = Plan::new(&mut input, || LogMiner::new(NOON).counting());
    let (whole, tags) = plan.run(input.text, usize::MAX);
    let (pieces, same) = plan.run(input.text, size);
    let survey = whole.survey();
    assert_eq!(survey, pieces.survey());
    assert_eq!(tags, same);
    assert_eq!(tags.len(), plan.lines(input.text));
    account(&survey, &tags);
    assert_eq!(survey.bytes as usize, input.text.len() - plan.baseline.unwrap_or(0));
    assert_eq!(survey.baseline_records.is_some(), plan.baseline.is_some());
}

fn account(survey: &Survey, tags: &[LineTag]) {
    assert_eq!(survey.templates.iter().map(|t| t.count).sum::<u64>(), survey.records);
    assert!(survey.templates.len() + survey.gone.len() <= MAX_PATTERNS + 1);
    assert!(survey.templates.is_sorted_by(|a, b| a.count >= b.count));
    let ids: BTreeSet<_> = survey.templates.iter().map(|t| &t.id).chain(survey.gone.iter().map(|g| &g.id)).collect();
    assert_eq!(ids.len(), survey.templates.len() + survey.gone.len());
    for template in &survey.templates {
        let lines = tags.iter().filter(|t| survey.template(**t).is_some_and(|t| t.id == template.id));
        assert!(lines.count() as u64 >= template.count, "{template:?}");
        assert!(template.count > 0 && template.first <= template.last && template.example.len() <= 400, "{template:?}");
        if let Some(histogram) = &template.histogram {
            assert_eq!(histogram.counts.iter().map(|n| u64::from(*n)).sum::<u64>(), template.count, "{template:?}");
        }
        assert_eq!(template.new, survey.baseline_records.is_some() && template.baseline_count == Some(0));
    }
    assert!(survey.gone.iter().all(|g| g.baseline_count > 0));
    for tag in tags {
        assert_eq!(LineTag::from_bytes(tag.to_bytes()), *tag);
        assert!(!survey.is_alert(*tag) || survey.template(*tag).is_some());
    }
}
