//! A plan that is approved and applied, as a user meets it: only what was allowed, only what was approved, only once.

use std::{fs, path::Path, process::Command};

use crate::Place;

#[test]
fn nothing_is_changed_unless_it_is_allowed_approved_and_as_it_was_approved() {
    let place = Place::new();
    let id = place.recorded();
    let plan = place.json(&format!("incidents/{id}/fix_suggestion.json"))["plans"][0]["plan_sha256"].clone();
    let plan = plan.as_str().unwrap().to_owned();
    for (args, code, said) in [
        (&["approve", &id, "--plan", &plan, "--reason", "seen"][..], 2, "allow_apply"),
        (&["apply", &id], 2, "allow_apply"),
        (&["apply", &id, "--allow-apply"], 4, "nobody has approved"),
        (&["approve", &id, "--plan", "0123456789", "--reason", "seen", "--allow-apply"], 4, "no plan of"),
        (&["approve", &id, "--plan", &plan, "--by", "ann", "--reason", " ", "--allow-apply"], 2, "--reason"),
        (
            &["approve", &id, "--plan", &plan, "--by", "ann", "--reason", "x", "--expires", "25h", "--allow-apply"],
            2,
            "at most",
        ),
    ] {
        let ran = place.run(args);
        assert!(ran.code == code && ran.err.contains(said), "{args:?} {ran:?}");
    }
}

#[test]
fn an_approved_plan_is_applied_once_and_told() {
    use chaos_core::model::{Action, FixPlan, Incident, RiskAssessment, RiskVerdict};
    let place = Place::new();
    let id = "inc-20261124-004";
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/incidents/disk_fill");
    fs::create_dir_all(place.path("incidents")).unwrap();
    let dir = place.path(&format!("incidents/{id}"));
    assert!(Command::new("cp").arg("-r").arg(&example).arg(&dir).status().unwrap().success());
    // The same incident with a plan that this machine can take.
    let mut incident: Incident = serde_json::from_slice(&fs::read(dir.join("incident.json")).unwrap()).unwrap();
    let made = place.path("made");
    let words = |line: String| -> Vec<String> { line.split(' ').map(str::to_owned).collect() };
    let action = Action {
        argv: words(format!("touch {}", made.display())),
        shell: None,
        preconditions: Vec::new(),
        backup: Vec::new(),
        rollback: vec![words(format!("rm -f -- {}", made.display()))],
        verify: Vec::new(),
        depends_on: Vec::new(),
        ..incident.plans[0].actions[0].clone()
    };
    let plan = FixPlan { actions: vec![action], ..FixPlan::default() }.sealed();
    let risk = RiskAssessment {
        plan_sha256: plan.plan_sha256.clone(),
        verdict: RiskVerdict::NeedsApproval,
        ..incident.risks[0].clone()
    };
    incident.options.observe_s = 2;
    (incident.plans, incident.risks) = (vec![plan.clone()], vec![risk]);
    let whole = serde_json::to_vec(&incident).unwrap();
    fs::write(dir.join("incident.json"), &whole).unwrap();
    let approve =
        ["approve", id, "--plan", &plan.plan_sha256[..10], "--by", "ann", "--reason", "seen", "--allow-apply"];
    let apply = ["apply", id, "--target", "local", "--allow-apply"];

    // A plan that is edited after the approval is another plan.
    let ran = place.run(&approve);
    assert!(ran.code == 0 && ran.out.contains("approved by ann") && ran.out.contains("touch "), "{ran:?}");
    let edited = String::from_utf8(whole.clone()).unwrap().replace("\"touch\"", "\"mkdir\"");
    fs::write(dir.join("incident.json"), edited).unwrap();
    let ran = place.run(&apply);
    assert!(ran.code == 2 && ran.err.contains("changed after it was made") && !made.exists(), "{ran:?}");
    fs::write(dir.join("incident.json"), &whole).unwrap();

    let ran = place.run(&apply);
    assert!(matches!(ran.code, 0 | 10) && made.exists(), "{ran:?}");
    let applied = place.json(&format!("incidents/{id}/applied.json"));
    assert!(matches!(applied["ending"].as_str(), Some("resolved" | "not_resolved")), "{applied:#}");
    assert_eq!((&applied["steps"][0]["kind"], &applied["steps"][0]["passed"]), (&"action".into(), &true.into()));
    assert_eq!(applied["approval"]["approver"], "ann");
    let account = fs::read_to_string(dir.join("applied.md")).unwrap();
    assert!(account.contains("touch") && account.contains("ann"), "{account}");
    let trace = place.json(&format!("incidents/{id}/trace.json"));
    let phases: Vec<&str> = trace.as_array().unwrap().iter().map(|e| e["phase"].as_str().unwrap()).collect();
    assert!(phases.ends_with(&["done", "apply", "apply", "apply", "apply"]), "{phases:?}");

    // The report tells it too, and that it does is no tampering.
    let report = fs::read_to_string(dir.join("report.md")).unwrap();
    assert!(report.contains("## What was done") && report.contains("Since this was written a plan was applied"));
    let audit = place.run(&["verify", id]);
    assert!(audit.out.contains("incident.json") && !audit.out.contains("report.md"), "{audit:?}");

    // An approval is good once, and so is a plan.
    fs::remove_file(&made).unwrap();
    let ran = place.run(&apply);
    assert!(ran.code == 4 && ran.err.contains("nobody has approved") && !made.exists(), "{ran:?}");
    assert_eq!(place.run(&approve).code, 0);
    let ran = place.run(&apply);
    assert!(ran.code == 5 && ran.err.contains("applied already") && !made.exists(), "{ran:?}");
    // One that was killed midway is told, and not gone over.
    fs::remove_file(dir.join("applied.json")).unwrap();
    fs::rename(dir.join("approval.json"), dir.join(".approval.taken")).unwrap();
    let ran = place.run(&apply);
    assert!(ran.code == 5 && ran.err.contains("cut off") && !made.exists(), "{ran:?}");
    let held = fs::File::open(dir.join(".approval.taken")).unwrap();
    held.lock().unwrap();
    let ran = place.run(&apply);
    assert!(ran.code == 5 && ran.err.contains("somebody else is applying"), "{ran:?}");
    drop(held);
    fs::rename(dir.join(".approval.taken"), dir.join("approval.json")).unwrap();
    // On another machine it is not applied at all.
    let ran = place.run(&["apply", id, "--target", "nobody@127.0.0.1:1", "--allow-apply"]);
    assert!(ran.code != 0 && !made.exists(), "{ran:?}");
}
