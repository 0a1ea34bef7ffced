//! Long garbage collections of a JVM, from the lines that `-Xlog:gc` writes:
//! `GC(41) Pause Full (G1 Compaction Pause) 4011M->3987M(4096M) 1834.567ms`.

use chaos_plugin::{Detector, EntityKind, Finding, Observation, Signal, number};

struct JvmGc;

/// Of one garbage collection that stopped the program.
struct Pause {
    is_full: bool,
    ms: f64,
    /// Share of the heap that was still in use afterwards.
    left: Option<f64>,
}

impl Detector for JvmGc {
    fn detect(seen: &Observation) -> Result<Vec<Finding>, String> {
        Ok(found(seen, number("pause_ms", 500.0), number("share", 0.1)))
    }
}

chaos_plugin::detector!(JvmGc);

pub(crate) fn found(seen: &Observation, pause_ms: f64, share: f64) -> Vec<Finding> {
    seen.logs()
        .filter_map(|logs| {
            let mut long: Vec<_> =
                logs.containing("Pause ").filter_map(|event| Some((event, pause(event.text)?))).collect();
            let (first, last) = (long.first()?.0.at, long.last()?.0.at);
            let total: f64 = long.iter().map(|(_, p)| p.ms).sum();
            let spent = if last > first { total / (last - first) as f64 } else { 0.0 };
            let is_busy = spent >= share && long.len() > 1;
            // What cites too much shows nothing: the longest pauses stand for all.
            long.retain(|(_, p)| p.ms >= pause_ms || is_busy);
            long.sort_by(|a, b| b.1.ms.total_cmp(&a.1.ms));
            let (event, longest) = long.first()?;
            let onset = long.iter().map(|(e, _)| e.at).min()?;
            let full = long.iter().filter(|(_, p)| p.is_full).count();
            let which = if is_busy { String::new() } else { format!(" of {pause_ms:.0} ms or longer") };
            let mut summary =
                format!("{} garbage collections{which} ({full} full), up to {:.0} ms", long.len(), longest.ms);
            if spent > 0.0 {
                summary += &format!("; the program stood still {:.0} % of the time", spent.min(1.0) * 100.0);
            }
            if is_busy {
                summary += &format!(" ({:.0} % and more count as a finding)", share * 100.0);
            }
            let is_exhausted = long.iter().any(|(_, p)| p.is_full && p.left.is_some_and(|l| l > 0.9));
            if is_exhausted {
                summary += "; full collections free next to nothing: the heap is too small, or something leaks";
            }
            let signal = if is_exhausted { "jvm.heap.exhausted" } else { "jvm.gc.pause" };
            let score =
                if is_exhausted { 0.95 } else { (longest.ms / (pause_ms * 4.0)).max(spent * 2.0).clamp(0.5, 0.9) };
            let mut finding = Finding::new(Signal::Other(signal.into()), summary).score(score).since(onset);
            finding = match event.unit {
                Some(unit) if unit.ends_with(".service") => finding.about(EntityKind::Unit, unit),
                _ => finding.about(EntityKind::Process, "java"),
            };
            if let Some(pid) = event.pid {
                finding = finding.with("pid", pid.to_string());
            }
            long.truncate(20);
            long.sort_by_key(|(e, _)| e.row);
            Some(long.iter().fold(finding, |f, (e, _)| f.cite(e.source, e.row)))
        })
        .collect()
}

fn pause(text: &str) -> Option<Pause> {
    let (_, rest) = text.split_once("Pause ")?;
    let ms = rest.split_whitespace().rev().find_map(|w| w.strip_suffix("ms"))?.replace(',', ".").parse().ok()?;
    let left = rest.split_whitespace().find_map(|word| {
        let (after, total) = word.split_once("->")?.1.split_once('(')?;
        Some(megabytes(after)? / megabytes(total.trim_end_matches(')'))?)
    });
    Some(Pause { is_full: rest.starts_with("Full"), ms, left })
}

fn megabytes(text: &str) -> Option<f64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let factor = match unit {
        "K" => 1.0 / 1024.0,
        "M" => 1.0,
        "G" => 1024.0,
        _ => return None,
    };
    number.parse::<f64>().ok().map(|n| n * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_read_from_a_line_of_the_log() {
        let p = pause("GC(41) Pause Full (G1 Compaction Pause) 4011M->3987M(4096M) 1834.567ms").unwrap();
        assert!(p.is_full && p.ms == 1834.567 && p.left.unwrap() > 0.97);
        let p =
            pause("[2.3s][info][gc] GC(3) Pause Young (Normal) (G1 Evacuation Pause) 24M->4096K(256M) 3,2ms").unwrap();
        assert!(!p.is_full && p.ms == 3.2 && p.left.unwrap() < 0.02);
        for no in ["GC(4) Concurrent Mark Cycle 12.3ms", "Pause for a moment", "", "Pause Full ms"] {
            assert!(pause(no).is_none(), "{no}");
        }
    }
}
