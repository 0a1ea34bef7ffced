//! What a report promises: it reads well (snapshots), says wrong when it was wrong, and nothing that a host wrote
//! ever becomes markup.

mod fixtures;
mod hostile;
mod inert;

use std::path::Path;

use super::{render, terminal_summary};
use crate::model::*;

type Case = (&'static str, fn() -> Incident);

const CASES: [Case; 6] = [
    ("cpu", fixtures::cpu),
    ("memory-wrong", fixtures::memory_wrong),
    ("healthy", fixtures::healthy),
    ("unknown", fixtures::unknown),
    ("stopped", fixtures::stopped),
    ("failed", fixtures::failed),
];

/// Compares with the file of that name; `UPDATE_SNAPSHOTS=1` writes it.
fn snapshot(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots").join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = known.lines().zip(text.lines()).position(|(a, b)| a != b);
    assert!(known == text, "{name} differs from line {differs:?}; look at it, then run with UPDATE_SNAPSHOTS=1");
}

#[test]
fn reports_read_as_their_snapshots() {
    for (name, incident) in CASES {
        let incident = incident();
        let report = render(&incident);
        snapshot(&format!("report-{name}.md"), &report.markdown);
        snapshot(&format!("report-{name}.slack.txt"), &report.slack);
        snapshot(&format!("report-{name}.terminal.txt"), &terminal_summary(&incident));
    }
    snapshot("chart-cpu-utilization.svg", &render(&fixtures::cpu()).charts[0].svg);
}

#[test]
fn the_same_incident_gives_the_same_bytes() {
    let json = |i: &Incident| serde_json::to_string(&render(i)).unwrap();
    assert_eq!(json(&fixtures::cpu()), json(&fixtures::cpu()));
    // Also after a round trip through `incident.json`.
    let text = serde_json::to_string(&fixtures::cpu()).unwrap();
    assert_eq!(json(&fixtures::cpu()), json(&serde_json::from_str(&text).unwrap()));
}

#[test]
fn short_forms_stay_short() {
    for (name, incident) in CASES {
        let incident = incident();
        assert!(render(&incident).slack.lines().count() <= 12, "{name}");
        assert!(terminal_summary(&incident).lines().count() <= 10, "{name}");
    }
}

#[test]
fn a_wrong_diagnosis_and_an_unproven_revert_are_said_plainly() {
    let incident = fixtures::memory_wrong();
    let report = render(&incident);
    for text in [&report.markdown, &report.slack, &terminal_summary(&incident)] {
        assert!(text.to_lowercase().contains("wrong"), "{text}");
        assert!(!text.contains("proven, ") && !text.contains("reverted, proven"), "{text}");
    }
    assert!(report.markdown.contains("which had 35 %"));
}

#[test]
fn a_fault_that_never_started_is_not_scored() {
    let mut incident = fixtures::healthy();
    incident.injection = Some(Injection {
        started: None,
        reverted: None,
        recovery: Recovery::Proven,
        ..fixtures::cpu().injection.unwrap()
    });
    let report = render(&incident).markdown;
    assert!(report.contains("not scored: the fault was never started") && !report.contains("**wrong**"), "{report}");
}

#[test]
fn a_risk_of_another_plan_is_not_taken_for_this_ones() {
    let mut incident = fixtures::cpu();
    incident.risks[0].plan_sha256 = "0".repeat(64);
    assert!(render(&incident).markdown.contains("**Not assessed.**"));
}

#[test]
fn charts_have_safe_unique_names_and_are_all_shown() {
    for incident in [fixtures::cpu(), fixtures::large(), fixtures::memory_wrong()] {
        let report = render(&incident);
        assert!((1..=8).contains(&report.charts.len()));
        let mut names: Vec<&str> = report.charts.iter().map(|c| c.name.as_str()).collect();
        for name in &names {
            crate::artifact::ArtifactName::new(format!("artifacts/{name}")).unwrap();
            assert!(report.markdown.contains(&format!("](artifacts/{name})")), "{name}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), report.charts.len());
    }
}

#[test]
fn a_process_is_drawn_beside_the_whole_host() {
    let report = render(&fixtures::cpu());
    let chart = report.charts.iter().find(|c| c.name == "cpu-utilization.svg").unwrap();
    assert!(chart.svg.contains("whole host") && chart.svg.contains("report-gen [4242]"));
}

#[test]
fn damaged_incidents_never_panic() {
    let mut incident = fixtures::cpu();
    for f in 0..2 {
        let seen = incident.observation.as_mut().unwrap();
        if f == 0 {
            seen.evidence = Ledger::default();
        } else {
            seen.observed = at(i64::MAX)..at(i64::MIN);
            seen.baseline = Some(at(i64::MAX)..at(0));
            incident.span = at(i64::MAX)..at(i64::MIN);
            incident.findings = Ledger::default();
            incident.answers = Ledger::default();
        }
        inert::assert_inert(&render(&incident).markdown);
        assert!(!terminal_summary(&incident).is_empty());
    }
}

fn at(ms: i64) -> Timestamp {
    Timestamp(ms)
}

#[test]
fn a_large_incident_is_told_in_a_report_of_readable_size() {
    let told = render(&fixtures::large()).markdown.len();
    assert!((1_000..200_000).contains(&told), "{told} bytes");
}

/// Writes the reports where a person can look at them: `SHOW_REPORTS=dir`.
#[test]
fn reports_can_be_looked_at() {
    let Some(dir) = std::env::var_os("SHOW_REPORTS") else { return };
    for (name, incident) in CASES {
        let report = render(&incident());
        let dir = Path::new(&dir).join(name);
        std::fs::create_dir_all(dir.join("artifacts")).unwrap();
        std::fs::write(dir.join("report.md"), &report.markdown).unwrap();
        let mut html =
            String::from("<meta charset=utf-8><body style='font:14px sans-serif;max-width:900px;margin:auto'>");
        pulldown_cmark::html::push_html(&mut html, inert::parser(&report.markdown));
        std::fs::write(dir.join("report.html"), html).unwrap();
        for chart in &report.charts {
            std::fs::write(dir.join("artifacts").join(&chart.name), &chart.svg).unwrap();
        }
    }
}
