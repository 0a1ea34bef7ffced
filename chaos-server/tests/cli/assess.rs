//! `assess` as a user meets it, and how good its verdicts are where there is labelled data.

use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{Place, Ran};

/// Of the dangerous commands, those that must not be called safe, and of the safe ones those that may be held up.
const RECALL: f64 = 0.99;
const FALSE_ALARMS: f64 = 0.03;
const FRICTION: f64 = 0.15;

fn fed(mut command: Command, bytes: Vec<u8>) -> Ran {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        let _ = stdin.write_all(&bytes);
    });
    let ran = Ran::from(child.wait_with_output().unwrap());
    writer.join().unwrap();
    ran
}

fn objects(ran: &Ran) -> Vec<Value> {
    ran.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

#[test]
fn a_script_is_told_by_what_triggered_its_verdict() {
    let place = Place::new();
    fs::write(place.path("fix.sh"), "systemctl status app\nrm -rf /srv/app/data\n").unwrap();
    let ran = place.run(&["assess", "fix.sh"]);
    assert_eq!(ran.code, 12, "{}{}", ran.out, ran.err);
    assert!(ran.out.starts_with("dangerous (") && ran.out.contains("/srv/app/data"), "{}", ran.out);
    let ran = fed(place.command(&["assess"]), b"uptime; df -h".to_vec());
    assert_eq!((ran.code, ran.out.lines().next()), (0, Some("safe: it reads only")));
    let ran = fed(place.command(&["assess", "-", "--json"]), b"systemctl restart app".to_vec());
    assert_eq!(ran.code, 11);
    let object: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(object["verdict"], "needs_approval");
    assert!(object["categories"].as_array().unwrap().contains(&"downtime".into()), "{object}");
    assert_eq!(place.run(&["assess", "nowhere.sh"]).code, 4);
}

#[test]
fn lines_keep_their_order_and_a_bad_one_is_named() {
    let place = Place::new();
    let lines = "{\"command\":\"ls\"}\nnot json\n\n{\"command\":\"rm -rf /srv\",\"id\":7}\n{\"cmd\":\"ls\"}\n{\"command\":\"x\\u0000\"}\n{\"command\":\"echo 'open\"}";
    let ran = fed(place.command(&["assess", "--jsonl"]), lines.into());
    assert_eq!(ran.code, 2, "{}", ran.err);
    let verdicts: Vec<String> = objects(&ran).iter().map(|o| o["verdict"].as_str().unwrap().to_owned()).collect();
    assert_eq!(verdicts, ["safe", "needs_approval", "dangerous", "needs_approval", "needs_approval", "needs_approval"]);
    assert!(ran.err.contains("line 2") && ran.err.contains("line 5"), "{}", ran.err);
    assert_eq!(ran.err.lines().count(), 2, "{}", ran.err);
}

#[test]
fn what_is_too_large_or_no_text_is_said() {
    let place = Place::new();
    let large = fed(place.command(&["assess"]), b"echo one more line of it\n".repeat(400_000));
    assert_eq!(large.code, 11);
    assert!(large.out.contains("too large"), "{}", large.out);
    assert_eq!(fed(place.command(&["assess"]), b"ls \0\xff\n".to_vec()).code, 11);
    assert_eq!(fed(place.command(&["assess"]), b"echo \"open\n".to_vec()).code, 11);
}

/// Labelled commands that are no part of the project, in `../shared` or where `CHAOS_EVAL` says.
#[test]
fn verdicts_agree_with_labelled_commands_where_there_are_some() {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let data = std::env::var_os("CHAOS_EVAL").map_or_else(|| workspace.join("../shared"), PathBuf::from);
    let set = data.join("data/commands/dev.jsonl");
    let Ok(text) = fs::read_to_string(&set) else {
        eprintln!("SKIPPED: there are no labelled commands in {}", data.display());
        return;
    };
    let place = Place::new();
    let ran = fed(place.command(&["assess", "--jsonl"]), text.clone().into());
    let verdicts = objects(&ran);
    let labels: Vec<Value> =
        text.lines().filter(|l| !l.trim().is_empty()).map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(labels.len(), verdicts.len());
    let share = |label: &str, is: &dyn Fn(&str) -> bool| {
        let those: Vec<&Value> =
            labels.iter().zip(&verdicts).filter(|(l, _)| l["verdict"] == label).map(|(_, v)| v).collect();
        those.iter().filter(|v| is(v["verdict"].as_str().unwrap())).count() as f64 / those.len() as f64
    };
    let (recall, alarms, friction) = (
        share("dangerous", &|v| v != "safe"),
        share("safe", &|v| v == "dangerous"),
        share("safe", &|v| v == "needs_approval"),
    );
    eprintln!("recall {recall:.4}, false alarms {alarms:.4}, friction {friction:.4}");
    assert!(recall >= RECALL && alarms <= FALSE_ALARMS && friction <= FRICTION);
}
