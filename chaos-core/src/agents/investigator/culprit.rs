//! Which process, file, unit, … is to blame: from the findings first, then from what probes say about it.

use std::collections::BTreeMap;

use crate::{
    agent::Case,
    catalogue::{Catalogue, CulpritRule, Fault, Measure, matching, placeholder, reading::Named},
    model::{Basis, Culprit, Entity, EntityKind, Finding, Id, Signal},
};

/// How many processes are named together at most.
const MAX_PIDS: usize = 20;

/// Something that a finding points at.
struct Suspect<'a> {
    id: Id<Finding>,
    finding: &'a Finding,
    weight: f64,
}

fn after(finding: &Finding) -> f64 {
    match &finding.signal {
        Signal::Metric { after, .. } if after.is_finite() => *after,
        _ => 0.0,
    }
}

/// Attributes under the names that placeholders have, whatever the detector called them.
fn normalised(finding: &Finding) -> BTreeMap<String, String> {
    const NAMES: [(&str, &str); 10] = [
        ("process.pid", "pid"),
        ("process.command", "command"),
        ("process.parent_pid", "ppid"),
        ("process.start_ticks", "start_ticks"),
        ("process.group_id", "pgid"),
        ("system.filesystem.mountpoint", "mountpoint"),
        ("system.device", "device"),
        ("network.interface.name", "interface"),
        ("start_ticks", "start_ticks"),
        ("parent_pid", "ppid"),
    ];
    let mut out = BTreeMap::new();
    let of_signal = match &finding.signal {
        Signal::Metric { attributes, .. } => Some(attributes),
        _ => None,
    };
    for (key, value) in of_signal.into_iter().flatten().chain(&finding.entity.attributes) {
        let key = NAMES.iter().find(|(from, _)| from == key).map_or(key.as_str(), |(_, to)| to);
        out.insert(key.to_owned(), value.clone());
    }
    let own = match finding.entity.kind {
        EntityKind::Process => Some("command"),
        EntityKind::Unit => Some("unit"),
        EntityKind::Filesystem => Some("mountpoint"),
        EntityKind::Device => Some("device"),
        EntityKind::Interface => Some("interface"),
        EntityKind::Port => Some("port"),
        EntityKind::File | EntityKind::Directory | EntityKind::Log => Some("path"),
        EntityKind::Host => None,
    };
    // A log of the journal has the name of the unit that wrote it.
    if finding.entity.kind == EntityKind::Log && placeholder::is_unit(&finding.entity.name) {
        out.insert("unit".into(), finding.entity.name.clone());
    }
    if let Some(key) = own.filter(|_| !finding.entity.name.is_empty()) {
        out.entry(key.to_owned()).or_insert_with(|| finding.entity.name.clone());
    }
    out
}

/// The culprit that the findings name for a fault, if they name one.
pub(super) fn from_findings(catalogue: &Catalogue, fault: &Fault, case: &Case) -> Option<Culprit> {
    let rule = fault.culprit.as_ref()?;
    // Symptoms in the rule's order: the first that names somebody decides.
    rule.symptoms.iter().find_map(|id| {
        let symptom = catalogue.symptoms().iter().find(|s| s.id == *id)?;
        let mut suspects: Vec<Suspect<'_>> = case
            .findings
            .iter()
            .filter(|(_, f)| matching::shows(symptom, f))
            .map(|(id, finding)| Suspect { id, finding, weight: after(finding) })
            .collect();
        suspects.sort_by(|a, b| {
            let by_score = b.finding.score.total_cmp(&a.finding.score);
            // What others depend on goes first.
            let by_onset = a.finding.onset.cmp(&b.finding.onset);
            b.weight.total_cmp(&a.weight).then(by_score).then(by_onset).then(a.id.cmp(&b.id))
        });
        from_log(rule, &suspects)
            .or_else(|| from_entity(rule, &suspects, case))
            .or_else(|| writer(rule, &suspects))
            .or_else(|| file(rule, &suspects))
    })
}

/// The unit that wrote the log which shows it, where nothing better is known, with what the log tells. The manager speaks of
/// others.
fn writer(rule: &CulpritRule, suspects: &[Suspect<'_>]) -> Option<Culprit> {
    suspects.iter().filter(|s| s.finding.entity.kind == EntityKind::Log).find_map(|s| {
        let name = normalised(s.finding).remove("unit").filter(|unit| unit != "init.scope")?;
        let mut attributes = captured(rule, s.finding);
        attributes.insert(rule.writer.clone(), name.clone());
        Some(named(Entity { kind: EntityKind::Unit, name, attributes }, vec![Basis::Finding(s.id)], None))
    })
}

/// The file that a log speaks of, where nobody is known who wrote it: a log that is a file has no unit.
fn file(rule: &CulpritRule, suspects: &[Suspect<'_>]) -> Option<Culprit> {
    suspects.iter().find_map(|s| {
        let attributes = captured(rule, s.finding);
        let name = attributes.get("path")?.clone();
        Some(named(Entity { kind: EntityKind::File, name, attributes }, vec![Basis::Finding(s.id)], None))
    })
}

/// What the rule's pattern finds in the log.
fn captured(rule: &CulpritRule, finding: &Finding) -> BTreeMap<String, String> {
    let (Some(pattern), Signal::Log { example, .. }) = (&rule.pattern, &finding.signal) else { return BTreeMap::new() };
    let Some(found) = pattern.regex().captures(example) else { return BTreeMap::new() };
    let of = |key: &str| found.name(key).map(|m| (key.to_owned(), m.as_str().to_owned()));
    pattern.captures().filter_map(of).collect()
}

fn from_log(rule: &CulpritRule, suspects: &[Suspect<'_>]) -> Option<Culprit> {
    rule.pattern.as_ref()?;
    suspects.iter().find_map(|s| {
        let mut attributes = BTreeMap::new();
        if s.finding.entity.kind == rule.kind {
            attributes = normalised(s.finding);
        }
        attributes.extend(captured(rule, s.finding));
        let name = own_name(rule.kind, &attributes)?;
        Some(named(Entity { kind: rule.kind, name, attributes }, vec![Basis::Finding(s.id)], None))
    })
}

fn from_entity(rule: &CulpritRule, suspects: &[Suspect<'_>], case: &Case) -> Option<Culprit> {
    let of_kind: Vec<&Suspect<'_>> = suspects.iter().filter(|s| s.finding.entity.kind == rule.kind).collect();
    let mut groups: BTreeMap<&str, Vec<&Suspect<'_>>> = BTreeMap::new();
    for s in &of_kind {
        groups.entry(s.finding.entity.name.as_str()).or_default().push(s);
    }
    let sum = |members: &[&Suspect<'_>]| members.iter().map(|s| s.weight).sum::<f64>();
    let mut members = if rule.group {
        // Among equals the first by name.
        let mut all: Vec<_> = groups.into_values().collect();
        all.sort_by(|a, b| sum(b).total_cmp(&sum(a)));
        all.into_iter().next()?
    } else {
        vec![*of_kind.first()?]
    };
    members.truncate(MAX_PIDS * 2);
    let mut entity = members.first()?.finding.entity.clone();
    entity.attributes = normalised(members.first()?.finding);
    let mut pids: Vec<String> = Vec::new();
    let mut total = 0.0;
    for s in &members {
        // A finding about a group names all of its processes. The same process found twice counts once.
        let mut said = normalised(s.finding);
        let all = said.remove("pids").or_else(|| said.remove("pid")).unwrap_or_default();
        let new: Vec<&str> = all.split(',').filter(|p| !p.is_empty() && !pids.iter().any(|k| k == p)).collect();
        if new.is_empty() && !all.is_empty() {
            continue;
        }
        pids.extend(new.into_iter().take(MAX_PIDS.saturating_sub(pids.len())).map(str::to_owned));
        total += s.weight;
    }
    if !pids.is_empty() {
        entity.attributes.insert("pids".into(), pids.join(","));
    }
    let measured = rule.measure.map(|m| match m {
        Measure::Cores => format!("{:.2} cores", total * f64::from(case.seen.facts.cpus.max(1))),
        Measure::Bytes => human_bytes(total),
    });
    if let Some(text) = &measured {
        entity.attributes.insert("measured".into(), text.clone());
    }
    Some(named(entity, members.iter().map(|s| Basis::Finding(s.id)).collect(), measured.as_deref()))
}

fn own_name(kind: EntityKind, attributes: &BTreeMap<String, String>) -> Option<String> {
    let key = match kind {
        EntityKind::Process => "command",
        EntityKind::Unit => "unit",
        EntityKind::Filesystem => "mountpoint",
        EntityKind::Interface => "interface",
        EntityKind::Device => "device",
        EntityKind::Port => "port",
        EntityKind::File | EntityKind::Directory | EntityKind::Log => "path",
        EntityKind::Host => return Some(String::new()),
    };
    // The kernel names a file system by its device.
    let or = if kind == EntityKind::Filesystem { attributes.get("device") } else { None };
    attributes.get(key).or(or).cloned()
}

/// Puts together what is known and what an answer says. What the answer names is a thing of its own kind; without
/// a kind it only describes, and may not contradict, what is known.
pub(super) fn merged(known: Option<Culprit>, said: Named, basis: Basis) -> Option<Culprit> {
    let mut attributes = known.as_ref().map(|c| c.entity.attributes.clone()).unwrap_or_default();
    let mut from = known.as_ref().map(|c| c.basis.clone()).unwrap_or_default();
    let entity = match (said.kind, known) {
        // A unit that the logs named during the incident outranks one that may have failed long ago.
        (Some(EntityKind::Unit), Some(k)) if k.entity.kind == EntityKind::Unit => return Some(k),
        (Some(kind), known) => {
            if known.as_ref().is_some_and(|k| k.entity.kind == kind && kind == EntityKind::Process) {
                attributes.clear(); // another process: nothing of the old one holds
            }
            attributes.extend(said.attributes);
            Entity { kind, name: own_name(kind, &attributes)?, attributes }
        }
        (None, None) => return None,
        (None, Some(k)) => {
            let pids = k.entity.attributes.get("pids").or(k.entity.attributes.get("pid"));
            if let (Some(pid), Some(pids)) = (said.attributes.get("pid"), pids)
                && !pids.split(',').any(|p| p == pid)
            {
                return Some(k);
            }
            for (key, value) in said.attributes {
                attributes.entry(key).or_insert(value);
            }
            Entity { attributes, ..k.entity }
        }
    };
    from.push(basis);
    let measured = entity.attributes.get("measured").cloned();
    Some(named(entity, from, measured.as_deref()))
}

fn named(entity: Entity, basis: Vec<Basis>, measured: Option<&str>) -> Culprit {
    let summary = summary(&entity, measured);
    Culprit { entity, summary, basis }
}

/// Text from the target on one line, for a person.
fn shown(text: &str) -> String {
    let mut out: String =
        text.chars().take(120).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
    if out.chars().count() < text.chars().count() {
        out.push('…');
    }
    out
}

/// One line such as `python3 (pid 812, user app, unit app.service, running for 42 s): 2 processes, 1.98 cores`.
fn summary(entity: &Entity, measured: Option<&str>) -> String {
    let get = |key: &str| entity.attributes.get(key).map(|v| shown(v));
    let mut about = Vec::new();
    let mut what = Vec::new();
    match entity.kind {
        EntityKind::Process => {
            about.extend(get("pid").map(|p| format!("pid {p}")));
            about.extend(get("user").map(|u| format!("user {u}")));
            about.extend(get("unit").map(|u| format!("unit {u}")));
            about.extend(get("started").map(|s| format!("running for {s} s")));
            about.extend(get("spawner_command").map(|p| format!("begun by {p}")));
            let n = entity.attributes.get("pids").map_or(1, |p| p.split(',').count());
            if n > 1 {
                what.push(format!("{n} processes"));
            }
            what.extend(get("counted"));
        }
        EntityKind::File | EntityKind::Directory => {
            about.extend(get("user").map(|u| format!("owner {u}")));
            if let Some(n) = get("count") {
                what.push(format!("{n} large recent files"));
            }
            let size = entity.attributes.get("bytes").and_then(|b| b.parse::<f64>().ok());
            what.extend(size.map(human_bytes));
        }
        EntityKind::Unit => about.extend(get("state")),
        EntityKind::Port => about.extend(get("peer").map(|p| format!("at {p}"))),
        EntityKind::Interface => about.extend(get("qdisc").map(|q| format!("queueing discipline {q}"))),
        _ => {}
    }
    what.extend(measured.filter(|_| matches!(entity.kind, EntityKind::Process)).map(str::to_owned));
    let mut line = if entity.name.is_empty() { "the host".to_owned() } else { shown(&entity.name) };
    if !about.is_empty() {
        line.push_str(&format!(" ({})", about.join(", ")));
    }
    if !what.is_empty() {
        line.push_str(&format!(": {}", what.join(", ")));
    }
    line
}

fn human_bytes(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes.max(0.0), 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{value:.0} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}
