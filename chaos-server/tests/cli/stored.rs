//! Incidents that are over: listed, shown, explained, verified, confirmed, and told to a reader that goes away.

use std::{fs, io::Read};

use serde_json::Value;

use crate::Place;

#[test]
fn incidents_are_listed_shown_and_reported() {
    let place = Place::new();
    let ran = place.run(&["list"]);
    assert!(ran.code == 0 && ran.out.is_empty() && !place.path("incidents").exists(), "{ran:?}");
    let id = place.recorded();
    assert!(place.run(&["list"]).out.contains(&id));
    let list: Value = serde_json::from_str(&place.run(&["list", "--json"]).out).unwrap();
    assert_eq!((&list[0]["id"], &list[0]["status"]), (&Value::from(id.as_str()), &Value::from("completed")));
    let shown = place.run(&["show"]);
    for said in [id.as_str(), "completed", "Findings", "No space left on device", "report.md", "recording/run.json"] {
        assert!(shown.out.contains(said), "{said}: {shown:?}");
    }
    let shown: Value = serde_json::from_str(&place.run(&["show", &id, "--json"]).out).unwrap();
    for key in ["status", "began", "ended", "cause", "culprit", "findings", "files"] {
        assert!(shown.get(key).is_some(), "{key}");
    }
    let report = fs::read_to_string(place.path(&format!("incidents/{id}/report.md"))).unwrap();
    assert_eq!(place.run(&["report", &id]).out, report);
    assert!(place.run(&["report", "--path"]).out.trim().ends_with("report.md"));
    let html = place.run(&["report", "--format", "html"]);
    assert!(fs::read_to_string(html.out.trim()).unwrap().contains("<h1"), "{html:?}");
    let pdf = place.run(&["report", "--format", "pdf"]);
    assert!(!cfg!(feature = "pdf") || fs::read(pdf.out.trim()).unwrap().starts_with(b"%PDF-"), "{pdf:?}");
    let told = place.run(&["explain"]);
    for said in
        [id.as_str(), "What was abnormal", "before anything was looked at", "What settled it", "What else it could be"]
    {
        assert!(told.out.contains(said), "{said}: {told:?}");
    }
    let told: Value = serde_json::from_str(&place.run(&["explain", &id, "--json"]).out).unwrap();
    let settled = usize::try_from(told["settled_by_step"].as_u64().unwrap()).unwrap();
    assert!(told["steps"].as_array().unwrap().len() > settled, "{told:#}");
    for command in ["show", "explain", "report", "stop"] {
        let ran = place.run(&[command, "inc-20200101-001"]);
        assert!(ran.code == 4 && ran.err.contains("inc-20200101-001"), "{ran:?}");
    }
    let ran = place.run(&["stop", &id]);
    assert!(ran.code == 5 && ran.err.contains("not running"), "{ran:?}");
}

#[test]
fn what_is_changed_afterwards_is_found() {
    let place = Place::new();
    let id = place.recorded();
    let ran = place.run(&["verify"]);
    assert!(ran.code == 0 && ran.out.contains("follow from each other"), "{ran:?}");
    let audit: Value = serde_json::from_str(&place.run(&["verify", &id, "--json"]).out).unwrap();
    assert!(audit["events"].as_u64() > Some(10) && audit["files"].as_u64() > Some(6), "{audit:#}");
    // What is said later is no change of what was told.
    assert_eq!(place.run(&["confirm", &id, "--right"]).code, 0);
    assert_eq!(place.run(&["verify", &id]).code, 0);
    // A replay's outputs are as good, without the recording.
    assert_eq!(place.run(&["replay", &id, "--out", "again"]).code, 0);
    let ran = place.run(&["verify", &id, "--incidents", "again"]);
    assert!(ran.code == 0 && ran.out.contains("answers.jsonl is not here"), "{ran:?}");

    let trace = place.path(&format!("incidents/{id}/trace.json"));
    let whole = fs::read_to_string(&trace).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let without_one = [&lines[..5], &lines[6..]].concat().join("\n") + "\n";
    let without_end = lines[..lines.len() - 2].join("\n").trim_end_matches(',').to_owned() + "\n]\n";
    for (name, text, code, said) in [
        ("trace.json", whole.replacen("LogAgent", "BogAgent", 1), 9, "does not follow"),
        ("trace.json", without_one, 9, "does not follow"),
        ("trace.json", without_end, 0, "does not come to the run's end"),
        ("trace.json", "[]".to_owned(), 2, "trace.json"),
        ("report.md", "All was well.\n".to_owned(), 9, "report.md was changed"),
        ("recording/answers.jsonl", String::new(), 9, "answers.jsonl was changed"),
    ] {
        let path = place.path(&format!("incidents/{id}/{name}"));
        let before = fs::read(&path).unwrap();
        fs::write(&path, text).unwrap();
        let ran = place.run(&["verify", &id]);
        assert!(ran.code == code && format!("{}{}", ran.out, ran.err).contains(said), "{name} {said}: {ran:?}");
        fs::write(&path, before).unwrap();
    }
    fs::remove_file(place.path(&format!("incidents/{id}/fix.sh"))).unwrap();
    let ran = place.run(&["verify", &id]);
    assert!(ran.code == 9 && ran.out.contains("fix.sh is gone"), "{ran:?}");
}

#[test]
fn what_people_find_out_teaches_the_next_incident_of_the_target_and_replay_knows_what_was_known() {
    let place = Place::new();
    let first = place.recorded();
    let named: Value = serde_json::from_str(&place.run(&["explain", "--json"]).out).unwrap();
    assert_eq!((&named["verdict"], &named["history"]), (&Value::from("disk_space"), &Value::Null), "{named:#}");
    let ran = place.run(&["confirm", &first, "--cause", "disk_space", "--by", "ann", "--note", "the app's\u{1b} log"]);
    assert!(ran.code == 0 && ran.out.contains("confirmed: disk_space, says ann"), "{ran:?}");
    assert!(!ran.out.contains('\u{1b}'), "{ran:?}");
    assert!(place.run(&["list"]).out.contains("was: disk_space"));
    assert!(place.run(&["show"]).out.contains("says ann"));

    // The next one on the same target knows, and says what it made of it.
    let second = place.recorded();
    let told: Value = serde_json::from_str(&place.run(&["explain", &second, "--json"]).out).unwrap();
    let history = &told["history"];
    assert_eq!((&history["incidents"], &history["confirmed"]["disk_space"]), (&1.into(), &1.into()), "{told:#}");
    assert_eq!(history["same"][0]["id"], first.as_str());
    assert!(history["prior"][1].as_f64() > history["prior"][0].as_f64(), "{history:#}");
    assert!(told["confidence"].as_f64() > named["confidence"].as_f64(), "{told:#} {named:#}");
    assert!(told["steps"][0]["note"].as_str().unwrap().contains("disk_space 1"), "{:#}", told["steps"][0]);
    let report = place.run(&["report", &second]).out;
    assert!(report.contains("### Seen before") && report.contains(&format!("../{first}/report.md")), "{report}");

    // What is said later changes neither what was told nor its replay.
    assert_eq!(place.run(&["confirm", &first, "--wrong"]).code, 0);
    let ran = place.run(&["replay", &second, "--out", "again"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let replayed = fs::read_to_string(place.path(&format!("again/{second}/report.md"))).unwrap();
    assert_eq!(replayed, report);
    assert_eq!(place.run(&["confirm", &first, "--undo"]).code, 0);
    assert!(!place.run(&["list"]).out.contains("was: "));

    for (args, code, said) in [
        (&["confirm", &first, "--undo"][..], 4, "nothing was confirmed"),
        (&["confirm", &first, "--cause", "disk_spade"], 2, "disk_space"),
        (&["confirm", &first, "--cause", "healthy", "--wrong"], 2, "cannot be used with"),
        (&["confirm", &first], 2, "--cause"),
        (&["confirm", "inc-20200101-001", "--right"], 4, "inc-20200101-001"),
    ] {
        let ran = place.run(args);
        assert!(ran.code == code && ran.err.contains(said), "{args:?} {ran:?}");
    }
    // What can't be understood is left out, and stops nothing.
    fs::write(place.path(&format!("incidents/{first}/confirmed.json")), "{").unwrap();
    let third = place.recorded();
    assert_eq!(place.run(&["explain", &third]).code, 0);
    let ran = place.run(&["show", &first]);
    assert!(ran.code == 6 && ran.err.contains("confirmed.json"), "{ran:?}");
}

#[test]
fn a_directory_that_can_not_be_written_is_told_at_once() {
    let place = Place::new();
    let ran = place.run(&["run", "--offline", "in", "--incidents", "in/app.log/incidents"]);
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.err.starts_with("error: ") && ran.err.contains("in/app.log/incidents"), "{ran:?}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let place = Place::new();
    let id = place.recorded();
    for args in [&["report", &id][..], &["list"], &["run", "--offline", "in", "--json"]] {
        let mut child = place.command(args).spawn().unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{args:?} {said}");
        assert_eq!(said, "", "{args:?}");
    }
}
