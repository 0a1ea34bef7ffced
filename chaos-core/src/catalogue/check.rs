//! Whether catalogue files make sense together; every mistake is told with file and line. Runs when they are read.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    entry::{CheckTemplate, Fault, File, Pattern, Probe, Remedy, Symptom},
    invalid, line_at, placeholder, reading,
};
use crate::{
    error::Result,
    model::{Answer, Ask, End, EntityKind, Timestamp},
};

/// A file's name, its text, and what it says.
pub(super) type Named<'a> = (&'a str, &'a str, File);

/// One file under check, to tell where a mistake is.
struct At<'a> {
    file: &'a str,
    text: &'a str,
}

impl At<'_> {
    /// Fails with the line on which `id` is introduced.
    fn no(&self, id: &str, why: &str) -> Result<()> {
        let quoted = [format!("\"{id}\""), format!("'{id}'")];
        let at = quoted.iter().filter_map(|q| self.text.find(q.as_str())).min();
        Err(invalid(self.file, at.map_or(1, |at| line_at(self.text, at)), &format!("{id}: {why}")))
    }
}

/// Checks the files from the one with number `from` on; those before were checked by a test.
pub(super) fn all(files: &[Named<'_>], from: usize) -> Result<()> {
    let mut symptoms = BTreeSet::new();
    let mut faults = BTreeSet::from(["healthy", "unknown"]);
    for (n, (file, text, parsed)) in files.iter().enumerate() {
        let at = At { file, text };
        for s in &parsed.symptoms {
            if !symptoms.insert(s.id.as_str()) {
                at.no(&s.id, "there is already a symptom of this id")?;
            }
            if n >= from {
                symptom(&at, s)?;
            }
        }
        if let Some(f) = &parsed.fault
            && !faults.insert(f.id.0.as_str())
        {
            at.no(&f.id.0, "there is already a fault of this id")?;
        }
    }
    for (file, text, parsed) in &files[from..] {
        if let Some(f) = &parsed.fault {
            fault(&At { file, text }, f, &symptoms, &faults)?;
        }
    }
    no_circle(files)
}

/// No fault may follow from itself, by however many steps.
fn no_circle(files: &[Named<'_>]) -> Result<()> {
    let follows: BTreeMap<&str, Vec<&str>> = files
        .iter()
        .filter_map(|(_, _, parsed)| parsed.fault.as_ref())
        .map(|f| (f.id.0.as_str(), f.explains.iter().map(|e| e.fault.0.as_str()).collect()))
        .collect();
    let mut done = BTreeSet::new();
    for (file, text, parsed) in files {
        let Some(f) = &parsed.fault else { continue };
        if let Some(circle) = circle(f.id.0.as_str(), &follows, &mut Vec::new(), &mut done) {
            At { file, text }.no(circle[1], &format!("it explains itself: {}", circle.join(" -> ")))?;
        }
    }
    Ok(())
}

fn circle<'a>(
    id: &'a str,
    follows: &BTreeMap<&str, Vec<&'a str>>,
    way: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
) -> Option<Vec<&'a str>> {
    if let Some(start) = way.iter().position(|w| *w == id) {
        return Some(way[start..].iter().copied().chain([id]).collect());
    }
    if !done.insert(id) {
        return None;
    }
    way.push(id);
    let found = follows.get(id).into_iter().flatten().find_map(|next| circle(next, follows, way, done));
    way.pop();
    found
}

fn pattern(at: &At<'_>, id: &str, pattern: &Pattern) -> Result<()> {
    match pattern.mistake() {
        Some(why) => at.no(id, &format!("not a regular expression: {why}")),
        None => Ok(()),
    }
}

fn symptom(at: &At<'_>, s: &Symptom) -> Result<()> {
    let given = [s.metric.is_some(), s.log.is_some(), s.other.is_some()];
    if given.iter().filter(|g| **g).count() != 1 {
        return at.no(&s.id, "give exactly one of metric, log and other");
    }
    if let Some(m) = &s.metric
        && m.change.is_empty()
    {
        return at.no(&s.id, "give at least one change");
    }
    if let Some(l) = &s.log {
        pattern(at, &s.id, &l.pattern)?;
        if l.matches.is_empty() || l.not_match.is_empty() {
            return at.no(&s.id, "give at least one text in match and one in not_match");
        }
        if let Some(text) = l.matches.iter().find(|t| !l.pattern.regex().is_match(t)) {
            return at.no(&s.id, &format!("the pattern does not match its own example {text:?}"));
        }
        if let Some(text) = l.not_match.iter().find(|t| l.pattern.regex().is_match(t)) {
            return at.no(&s.id, &format!("the pattern matches its own counter-example {text:?}"));
        }
    }
    Ok(())
}

/// What a finding's entity of this kind can fill in.
fn of_entity(kind: EntityKind) -> &'static [&'static str] {
    match kind {
        EntityKind::Process => &["pid", "pids", "command"],
        EntityKind::Unit => &["unit"],
        EntityKind::Filesystem => &["mountpoint"],
        EntityKind::Device => &["device"],
        EntityKind::Interface => &["interface"],
        EntityKind::Port => &["port"],
        EntityKind::File | EntityKind::Directory | EntityKind::Log => &["path"],
        EntityKind::Host => &[],
    }
}

fn fault<'f>(at: &At<'_>, f: &'f Fault, symptoms: &BTreeSet<&str>, faults: &BTreeSet<&str>) -> Result<()> {
    let culprit = f.culprit.iter().flat_map(|c| c.symptoms.iter());
    for id in f.symptoms.iter().map(|s| &s.id).chain(culprit) {
        if !symptoms.contains(id.as_str()) {
            at.no(id, "no symptom has this id")?;
        }
    }
    let mut listed = BTreeSet::new();
    if let Some(twice) = f.symptoms.iter().find(|s| !listed.insert(s.id.as_str())) {
        at.no(&twice.id, "this fault has the symptom twice")?;
    }
    if let Some(p) = f.culprit.iter().find_map(|c| c.pattern.as_ref()) {
        pattern(at, &f.id.0, p)?;
    }
    if let Some(e) = f.explains.iter().find(|e| !faults.contains(e.fault.0.as_str())) {
        at.no(&e.fault.0, "no fault has this id")?;
    }
    let mut sources: BTreeSet<&'f str> = BTreeSet::new();
    if let Some(c) = &f.culprit {
        sources.extend(of_entity(c.kind).iter().copied());
        sources.extend(c.pattern.iter().flat_map(Pattern::captures));
        sources.insert(&c.writer);
    }
    for p in &f.probes {
        for p_or_names in [p.reading.as_ref().and_then(|r| r.pattern.as_ref()), p.names.as_ref().map(|n| &n.pattern)] {
            p_or_names.map_or(Ok(()), |found| pattern(at, &p.id, found))?;
        }
    }
    for names in f.probes.iter().filter_map(|p| p.names.as_ref()) {
        sources.extend(names.pattern.captures());
        for name in names.kind.map_or(&[][..], of_entity) {
            sources.insert(name);
        }
        if names.kind == Some(EntityKind::File) {
            sources.insert("files");
        }
    }
    let mut ids = BTreeSet::new();
    for p in &f.probes {
        if !ids.insert(p.id.as_str()) {
            at.no(&p.id, "there is already a probe of this id")?;
        }
        probe(at, p, &sources)?;
    }
    for r in &f.remedies {
        remedy(at, r, &sources)?;
        for next in &r.then {
            // One that comes after has none after it, so that no plan goes in a circle.
            if !f.remedies.iter().any(|n| n.id == *next && n.id != r.id && n.then.is_empty()) {
                at.no(&r.id, &format!("then {next:?}: no other remedy of this fault that ends there has this id"))?;
            }
        }
        if r.only_after && !f.remedies.iter().any(|first| first.then.contains(&r.id)) {
            at.no(&r.id, "only_after, and it comes after none")?;
        }
    }
    Ok(())
}

fn known(at: &At<'_>, id: &str, words: &[String], sources: &BTreeSet<&str>) -> Result<()> {
    for name in words.iter().flat_map(|w| placeholder::placeholders(w)) {
        if !placeholder::is_known(name) {
            at.no(id, &format!("there is no placeholder {{{name}}}"))?;
        }
        if !sources.contains(name) {
            at.no(id, &format!("nothing in this fault names what {{{name}}} stands for"))?;
        }
    }
    Ok(())
}

fn read_only(at: &At<'_>, id: &str, argv: &[String]) -> Result<()> {
    let filled = placeholder::fill(argv, &placeholder::sample());
    match filled.and_then(|argv| super::allow_list().check(&Ask::run(argv))) {
        Ok(()) => Ok(()),
        Err(e) => at.no(id, &e.to_string()),
    }
}

fn probe(at: &At<'_>, p: &Probe, sources: &BTreeSet<&str>) -> Result<()> {
    known(at, &p.id, &p.argv, sources)?;
    if let Some(name) = p.unless.iter().chain(p.only.keys()).find(|name| !sources.contains(name.as_str())) {
        at.no(&p.id, &format!("only or unless {name:?}: nothing in this fault names it"))?;
    }
    read_only(at, &p.id, &p.argv)?;
    if !(p.cost_s > 0.0 && p.cost_s <= 10.0) {
        at.no(&p.id, "cost_s is more than 0 and at most 10")?;
    }
    if !(p.within_s >= p.cost_s && p.within_s <= 60.0) {
        at.no(&p.id, "within_s is at least cost_s and at most 60")?;
    }
    match (&p.reading, &p.names) {
        (None, None) => at.no(&p.id, "give a reading, or names, or both")?,
        (Some(r), _) if r.pattern.is_some() == r.exit.is_some() => {
            at.no(&p.id, "a reading has either a pattern or an exit code")?;
        }
        (Some(r), _) if r.p <= r.background => {
            at.no(&p.id, "p is not above background, so what it finds would speak against the fault")?;
        }
        (Some(r), _) if r.value_min.is_some() && !r.pattern.iter().flat_map(|p| p.captures()).any(|c| c == "value") => {
            at.no(&p.id, "value_min needs a capture named value")?;
        }
        _ => {}
    }
    if p.examples.is_empty() {
        at.no(&p.id, "give at least one example of an answer")?;
    }
    for (n, example) in p.examples.iter().enumerate() {
        let answer = Answer {
            agent: crate::model::AgentName::default(),
            ask: Ask::run(p.argv.clone()),
            at: Timestamp::default(),
            end: End::Exited(example.exit),
            stdout: example.stdout.clone(),
            stderr: example.stderr.clone(),
        };
        let n = n + 1;
        let present = p.reading.as_ref().map(|r| reading::is_present(r, &answer));
        if present != example.present {
            at.no(&p.id, &format!("example {n}: want present = {:?}, it reads {present:?}", example.present))?;
        }
        let named: BTreeMap<String, String> =
            p.names.as_ref().and_then(|n| reading::named(n, &answer)).map(|n| n.attributes).unwrap_or_default();
        for (key, want) in &example.names {
            if named.get(key) != Some(want) {
                at.no(&p.id, &format!("example {n}: want {key} = {want:?}, it reads {:?}", named.get(key)))?;
            }
        }
    }
    Ok(())
}

fn remedy(at: &At<'_>, r: &Remedy, sources: &BTreeSet<&str>) -> Result<()> {
    let commands = std::iter::once(&r.argv).chain(&r.backup).chain(&r.rollback);
    for argv in commands {
        if argv.is_empty() {
            at.no(&r.id, "a command has at least a program")?;
        }
        known(at, &r.id, argv, sources)?;
    }
    known(at, &r.id, std::slice::from_ref(&r.title), sources)?;
    if r.verify.is_empty() {
        at.no(&r.id, "say how to verify that it helped")?;
    }
    for check in r.preconditions.iter().chain(&r.verify) {
        let CheckTemplate { title, argv, prints, has, lacks, fails, .. } = check;
        if usize::from(prints.is_some())
            + usize::from(has.is_some())
            + usize::from(lacks.is_some())
            + usize::from(*fails)
            > 1
        {
            at.no(&r.id, &format!("{title}: at most one of prints, has, lacks and fails"))?;
        }
        known(at, &r.id, argv, sources)?;
        for text in [Some(title), prints.as_ref(), has.as_ref(), lacks.as_ref()].into_iter().flatten() {
            known(at, &r.id, std::slice::from_ref(text), sources)?;
        }
        read_only(at, &r.id, argv)?;
    }
    Ok(())
}
