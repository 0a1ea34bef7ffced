//! The joint view of processes: what workers of one group and command use together, so that eight at 12 % are one
//! culprit and not eight bystanders.

use std::collections::BTreeMap;

use crate::model::{Entity, EntityKind, Series};

/// One metric summed over the processes of one group with one command.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessGroup {
    /// Kind `Process`, named by the command; attributes `pid` (the largest user), `pids` (ascending, apart by commas),
    /// `ppid`, `pgid`, `start_ticks` (those of `pid`), `count`.
    pub entity: Entity,
    /// The sum over all times of any process; a process that is not there counts as zero.
    pub sum: Series,
    /// Positions of the members in the argument, the largest user first.
    pub members: Vec<usize>,
}

/// Sums `process.cpu.utilization` and `process.memory.usage` by group and command; other series are left out. In order
/// of name, command and group.
#[must_use]
pub fn process_groups(series: &[&Series]) -> Vec<ProcessGroup> {
    let mut groups: BTreeMap<(&str, &str, &str), Vec<usize>> = BTreeMap::new();
    let mut times: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for (i, s) in series.iter().enumerate() {
        if matches!(s.name.as_str(), "process.cpu.utilization" | "process.memory.usage") {
            let key = (s.name.as_str(), s.attribute("process.command"), s.attribute("process.group_id"));
            groups.entry(key).or_default().push(i);
            times.entry(&s.name).or_default().extend(&s.at);
        }
    }
    for at in times.values_mut() {
        at.sort_unstable();
        at.dedup();
    }
    groups
        .into_iter()
        .map(|((name, _, _), mut members)| {
            let weight = |i: &usize| series[*i].samples().map(|(_, v)| v).sum::<f64>();
            members.sort_by(|a, b| weight(b).total_cmp(&weight(a)).then(a.cmp(b)));
            let at = times.get(name).map_or(&[][..], Vec::as_slice);
            ProcessGroup { entity: entity(series, &members), sum: sum(series, &members, at), members }
        })
        .collect()
}

fn sum(series: &[&Series], members: &[usize], at: &[i64]) -> Series {
    let mut values = vec![0.0; at.len()];
    for member in members {
        for (time, value) in series[*member].samples() {
            if let Ok(row) = at.binary_search(&time.0) {
                values[row] += value;
            }
        }
    }
    let first = series[members[0]];
    let mut attributes = first.attributes.clone();
    attributes.insert("count".to_owned(), members.len().to_string());
    Series { name: first.name.clone(), unit: first.unit.clone(), attributes, at: at.to_vec(), values }
}

fn entity(series: &[&Series], members: &[usize]) -> Entity {
    let first = series[members[0]];
    let mut pids: Vec<u64> = members.iter().filter_map(|m| series[*m].attribute("process.pid").parse().ok()).collect();
    pids.sort_unstable();
    pids.dedup();
    let pids: Vec<String> = pids.iter().map(u64::to_string).collect();
    Entity::new(EntityKind::Process, first.attribute("process.command"))
        .with("pid", first.attribute("process.pid"))
        .with("pids", pids.join(","))
        .with("ppid", first.attribute("process.parent_pid"))
        .with("pgid", first.attribute("process.group_id"))
        .with("start_ticks", first.attribute("process.start_ticks"))
        .with("count", pids.len().to_string())
}
