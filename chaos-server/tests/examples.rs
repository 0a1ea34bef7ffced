//! The recorded incidents in `examples/incidents/`: today's code makes of each recording exactly what is committed
//! there, and says what its name says. After a change of what is written: `cargo xtask examples`.

#![allow(clippy::unwrap_used, reason = "a test ends where what it needs is not there")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What each recorded incident is about.
const INCIDENTS: [(&str, &str); 7] = [
    ("cpu_spike", "cpu_saturation"),
    ("memory_leak", "memory_leak"),
    ("disk_fill", "disk_space"),
    ("net_latency", "network_latency"),
    ("service_kill", "service_down"),
    ("db_conn_exhaust", "db_connections_exhausted"),
    ("healthy", "healthy"),
];

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("examples/incidents")
}

/// All files below a directory, but for the recording and the label.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for prefix in ["", "artifacts/"] {
        for entry in fs::read_dir(root.join(prefix)).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_file() && !path.ends_with("label.toml") {
                found.insert(format!("{prefix}{}", path.file_name().unwrap().display()), fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn replay(incident: &Path) -> BTreeMap<String, Vec<u8>> {
    let out = tempfile::tempdir().unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_chaos-handler"))
        .args(["replay".as_ref(), incident.as_os_str(), "--out".as_ref(), out.path().as_os_str()])
        .current_dir(out.path())
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let made = fs::read_dir(out.path()).unwrap().next().unwrap().unwrap();
    files(&made.path())
}

#[test]
fn recorded_incidents_replay_to_the_committed_bytes() {
    for (name, _) in INCIDENTS {
        let committed = files(&examples().join(name));
        let (first, second) = (replay(&examples().join(name)), replay(&examples().join(name)));
        assert_eq!(first.keys().collect::<Vec<_>>(), committed.keys().collect::<Vec<_>>(), "{name}");
        for (file, bytes) in &committed {
            assert!(first[file] == second[file], "{name}/{file} differs between two replays");
            assert!(first[file] == *bytes, "{name}/{file} is not what the code makes today: cargo xtask examples");
        }
    }
}

#[test]
fn recorded_incidents_are_diagnosed_right() {
    for (name, fault) in INCIDENTS {
        let incident = fs::read(examples().join(name).join("incident.json")).unwrap();
        let incident: serde_json::Value = serde_json::from_slice(&incident).unwrap();
        let diagnosis = &incident["diagnosis"];
        let said = diagnosis["fault"].as_str().or(diagnosis["verdict"].as_str()).unwrap();
        assert_eq!(said, fault, "{name}");
        if fault != "healthy" {
            assert_eq!(incident["injection"]["recovery"]["state"], "proven", "{name}");
            assert!(!diagnosis["culprit"].is_null(), "{name}");
        }
    }
}

fn eval(args: &[&str], dirs: &[&Path]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_chaos-handler")).arg("eval").args(args).args(dirs).output().unwrap()
}

#[test]
fn diagnoses_are_held_against_labels() {
    let ran = eval(&["--json"], &[&examples()]);
    assert!(ran.status.success(), "{ran:?}");
    let all: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(all["incidents"].as_array().unwrap().len(), INCIDENTS.len());
    for (what, n, of) in
        [("detected", 6, 6), ("top_1", 6, 6), ("top_3", 6, 6), ("culprit", 6, 6), ("false_alarms", 0, 1)]
    {
        assert_eq!(all[what], serde_json::json!({ "n": n, "of": of }), "{what}");
    }
    assert_eq!(all["misleading"], serde_json::json!({ "n": 0, "of": 7 }));

    // A label that says otherwise is believed, and the diagnosis is wrong then.
    let other = tempfile::tempdir().unwrap();
    let incident = examples().join("net_latency");
    assert!(Command::new("cp").arg("-r").arg(incident.join(".")).arg(other.path()).status().unwrap().success());
    let label = other.path().join("label.toml");
    fs::write(&label, "fault = \"disk_space\"\n[culprit]\nkind = \"interface\"\n").unwrap();
    let ran = eval(&["--json"], &[other.path()]);
    let one: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
    for what in ["top_1", "culprit"] {
        assert_eq!(one[what], serde_json::json!({ "n": 0, "of": 1 }), "{what}");
    }
    assert_eq!(one["misleading"], serde_json::json!({ "n": 1, "of": 1 }));
    let shown = String::from_utf8(eval(&[], &[other.path()]).stdout).unwrap();
    assert!(shown.contains("! ") && shown.contains("wrong cause at 80 % or more        100.0 %  (1 of 1)"), "{shown}");

    for (text, says) in [
        ("fault = \"Disk Space\"", "is no fault's id"),
        ("fault = 1", "invalid type"),
        ("fault = \"healthy\"\nalso = [\"disk_space\"]", "what is healthy has no other fault"),
        ("cause = \"disk_space\"", "unknown field"),
    ] {
        fs::write(&label, text).unwrap();
        let ran = eval(&[], &[other.path()]);
        let err = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(!ran.status.success() && err.contains(says) && err.contains("label.toml"), "{text}: {err}");
    }
    fs::remove_file(&label).unwrap();
    let ran = eval(&[], &[other.path()]);
    assert!(String::from_utf8_lossy(&ran.stderr).contains("no incident with a label.toml"), "{ran:?}");
}

#[test]
fn the_mock_files_tell_of_a_full_disk() {
    let root = examples().parent().unwrap().to_owned();
    let out = tempfile::tempdir().unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_chaos-handler"))
        .args(["run", "--offline", "examples/mock_logs", "examples/mock_metrics", "--incidents"])
        .arg(out.path())
        .current_dir(root.parent().unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("A file system fills up"), "{said}");
}
