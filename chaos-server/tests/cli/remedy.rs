//! A plan that is approved and applied, as a user meets it: only what was allowed, only what was approved, only once.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use chaos_core::model::{Action, Check, Expect, FixPlan, Incident, OnFailure, RiskAssessment, RiskVerdict};
use serde_json::Value;

use crate::{Place, Ran};

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

/// An incident with a plan for this machine: to make a file, and to take it away again where that must be undone.
struct Planned {
    place: Place,
    id: &'static str,
    dir: PathBuf,
    made: PathBuf,
    hash: String,
}

impl Planned {
    /// With the plan's verdict, and commands that must succeed before and after the file is made.
    fn new(verdict: RiskVerdict, before: &str, after: &str) -> Self {
        let (place, id) = (Place::new(), "inc-20261124-004");
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/incidents/disk_fill");
        fs::create_dir_all(place.path("incidents")).unwrap();
        let (dir, made) = (place.path(&format!("incidents/{id}")), place.path("made"));
        assert!(Command::new("cp").arg("-r").arg(&example).arg(&dir).status().unwrap().success());
        let mut incident: Incident = serde_json::from_slice(&fs::read(dir.join("incident.json")).unwrap()).unwrap();
        let words = |line: &str| -> Vec<String> { line.split(' ').map(str::to_owned).collect() };
        let check =
            |line: &str| Check { title: "it holds".into(), argv: words(line), expect: Expect::Success, within_s: 0 };
        let action = Action {
            argv: words(&format!("touch {}", made.display())),
            shell: None,
            preconditions: vec![check(before)],
            backup: Vec::new(),
            on_failure: OnFailure::Rollback,
            rollback: vec![words(&format!("rm -f -- {}", made.display()))],
            verify: vec![check(after)],
            depends_on: Vec::new(),
            ..incident.plans[0].actions[0].clone()
        };
        let plan = FixPlan { actions: vec![action], ..FixPlan::default() }.sealed();
        let hash = plan.plan_sha256.clone();
        let risk = RiskAssessment { plan_sha256: hash.clone(), verdict, ..incident.risks[0].clone() };
        incident.options.observe_s = 2;
        (incident.plans, incident.risks) = (vec![plan], vec![risk]);
        fs::write(dir.join("incident.json"), serde_json::to_vec(&incident).unwrap()).unwrap();
        Self { place, id, dir, made, hash }
    }

    fn approve(&self, more: &[&str]) -> Ran {
        let args = ["approve", self.id, "--plan", &self.hash[..10], "--by", "ann", "--reason", "seen", "--allow-apply"];
        self.place.run(&[&args, more].concat())
    }

    fn apply(&self, more: &[&str]) -> Ran {
        self.place.run(&[&["apply", self.id, "--target", "local", "--allow-apply"], more].concat())
    }

    fn applied(&self) -> Value {
        self.place.json(&format!("incidents/{}/applied.json", self.id))
    }
}

#[test]
fn what_does_not_hold_afterwards_is_undone_and_what_does_not_hold_before_stops_it() {
    let planned = Planned::new(RiskVerdict::NeedsApproval, "true", "false");
    assert_eq!(planned.approve(&[]).code, 0);
    let ran = planned.apply(&[]);
    assert!(ran.code == 10 && !planned.made.exists(), "{ran:?}");
    let applied = planned.applied();
    assert_eq!(applied["ending"], "rolled_back", "{applied:#}");
    let done: Vec<(&str, bool)> = applied["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| (s["kind"].as_str().unwrap(), s["passed"] == true))
        .collect();
    assert!(done.contains(&("action", true)) && done.contains(&("rollback", true)), "{applied:#}");

    let planned = Planned::new(RiskVerdict::NeedsApproval, "false", "true");
    assert_eq!(planned.approve(&[]).code, 0);
    let ran = planned.apply(&[]);
    assert!(ran.code == 10 && !planned.made.exists(), "{ran:?}");
    assert_eq!(planned.applied()["ending"], "nothing_done", "{:#}", planned.applied());
}

#[test]
fn what_is_dangerous_is_agreed_to_twice_and_an_approval_runs_out() {
    let planned = Planned::new(RiskVerdict::Dangerous, "true", "true");
    let ran = planned.approve(&[]);
    assert!(ran.code == 2 && ran.err.contains("--dangerous"), "{ran:?}");
    assert_eq!(planned.approve(&["--dangerous"]).code, 0);
    let ran = planned.apply(&[]);
    assert!(ran.code == 2 && ran.err.contains("--dangerous") && !planned.made.exists(), "{ran:?}");
    let ran = planned.apply(&["--dangerous"]);
    assert!(matches!(ran.code, 0 | 10) && planned.made.exists(), "{ran:?}");

    let planned = Planned::new(RiskVerdict::NeedsApproval, "true", "true");
    assert_eq!(planned.approve(&["--expires", "1s"]).code, 0);
    thread::sleep(Duration::from_millis(1200));
    let ran = planned.apply(&[]);
    assert!(ran.code == 2 && ran.err.contains("has run out") && !planned.made.exists(), "{ran:?}");
}

#[test]
fn an_approved_plan_is_applied_once_and_told() {
    let planned = Planned::new(RiskVerdict::NeedsApproval, "true", "true");
    let Planned { place, id, dir, made, .. } = &planned;
    let whole = fs::read(dir.join("incident.json")).unwrap();

    // A plan that is edited after the approval is another plan.
    let ran = planned.approve(&[]);
    assert!(ran.code == 0 && ran.out.contains("approved by ann") && ran.out.contains("touch "), "{ran:?}");
    let edited = String::from_utf8(whole.clone()).unwrap().replace("\"touch\"", "\"mkdir\"");
    fs::write(dir.join("incident.json"), edited).unwrap();
    let ran = planned.apply(&[]);
    assert!(ran.code == 2 && ran.err.contains("changed after it was made") && !made.exists(), "{ran:?}");
    fs::write(dir.join("incident.json"), &whole).unwrap();

    let ran = planned.apply(&[]);
    assert!(matches!(ran.code, 0 | 10) && made.exists(), "{ran:?}");
    let applied = place.json(&format!("incidents/{id}/applied.json"));
    assert!(matches!(applied["ending"].as_str(), Some("resolved" | "not_resolved")), "{applied:#}");
    assert_eq!((&applied["steps"][1]["kind"], &applied["steps"][1]["passed"]), (&"action".into(), &true.into()));
    assert_eq!(applied["approval"]["approver"], "ann");
    let account = fs::read_to_string(dir.join("applied.md")).unwrap();
    assert!(account.contains("touch") && account.contains("ann"), "{account}");
    let trace = place.json(&format!("incidents/{id}/trace.json"));
    let phases: Vec<&str> = trace.as_array().unwrap().iter().map(|e| e["phase"].as_str().unwrap()).collect();
    assert!(phases.ends_with(&["done", "apply", "apply", "apply", "apply", "apply", "apply"]), "{phases:?}");

    // The report tells it too, and that it does is no tampering.
    let report = fs::read_to_string(dir.join("report.md")).unwrap();
    assert!(report.contains("## What was done") && report.contains("Since this was written a plan was applied"));
    let audit = place.run(&["verify", id]);
    assert!(audit.out.contains("incident.json") && !audit.out.contains("report.md"), "{audit:?}");

    // An approval is good once, and so is a plan.
    fs::remove_file(made).unwrap();
    let ran = planned.apply(&[]);
    assert!(ran.code == 4 && ran.err.contains("nobody has approved") && !made.exists(), "{ran:?}");
    assert_eq!(planned.approve(&[]).code, 0);
    let ran = planned.apply(&[]);
    assert!(ran.code == 5 && ran.err.contains("applied already") && !made.exists(), "{ran:?}");
    // One that was killed midway is told, and not gone over.
    fs::remove_file(dir.join("applied.json")).unwrap();
    fs::rename(dir.join("approval.json"), dir.join(".approval.taken")).unwrap();
    let ran = planned.apply(&[]);
    assert!(ran.code == 5 && ran.err.contains("cut off") && !made.exists(), "{ran:?}");
    let held = fs::File::open(dir.join(".approval.taken")).unwrap();
    held.lock().unwrap();
    let ran = planned.apply(&[]);
    assert!(ran.code == 5 && ran.err.contains("somebody else is applying"), "{ran:?}");
    drop(held);
    fs::rename(dir.join(".approval.taken"), dir.join("approval.json")).unwrap();
    // On another machine it is not applied at all.
    let ran = place.run(&["apply", id, "--target", "nobody@127.0.0.1:1", "--allow-apply"]);
    assert!(ran.code != 0 && !made.exists(), "{ran:?}");
}
