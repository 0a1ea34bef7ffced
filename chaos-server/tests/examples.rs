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
    let incidents = all["incidents"].as_array().unwrap();
    assert!(incidents.len() > 45, "{}", incidents.len());
    let share = |what: &str| {
        let share = &all[what];
        share["n"].as_f64().unwrap() / share["of"].as_f64().unwrap()
    };
    // No worse than it was when these were recorded; the figures are in README.
    for (what, least) in [("detected", 0.97), ("top_1", 0.92), ("top_3", 0.95), ("culprit", 0.90)] {
        assert!(share(what) >= least, "{what}: {:#}", all[what]);
    }
    assert_eq!(
        (share("false_alarms"), share("misleading")),
        (0.0, 0.0),
        "{:#} {:#}",
        all["false_alarms"],
        all["misleading"]
    );
    for (name, _) in INCIDENTS {
        let this = |i: &&serde_json::Value| {
            i["incident"].as_str().is_some_and(|path| path.ends_with(&format!("incidents/{name}")))
        };
        assert_eq!(incidents.iter().find(this).unwrap()["right"], true, "{name}");
    }

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
    // A recording that is damaged is said, and the others are judged all the same.
    fs::write(&label, "fault = \"network_latency\"\n").unwrap();
    fs::write(other.path().join("recording/answers.jsonl"), "{\n").unwrap();
    let ran = eval(&[], &[other.path()]);
    assert!(
        !ran.status.success() && String::from_utf8_lossy(&ran.stderr).contains("no incident could be judged"),
        "{ran:?}"
    );
    let ran = eval(&["--json"], &[other.path(), &examples().join("cpu_spike")]);
    let one: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
    assert_eq!((&one["top_1"]["of"], one["not_judged"].as_array().unwrap().len()), (&1.into(), 1));

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

// -- blindness

/// Letters, digits, `_`, `-` and `.`: what names are made of.
fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)
}

/// Every name in which something of ours stands is another word, the same everywhere: our scripts, their directory,
/// units, files and processes.
struct Renaming {
    seed: u64,
    names: BTreeMap<String, String>,
}

impl Renaming {
    fn word(&mut self, name: &str) -> String {
        if let Some(word) = self.names.get(name) {
            return word.clone();
        }
        let mut letters = || {
            // Numerical Recipes' constants for a linear congruential generator.
            self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'a' + u8::try_from((self.seed >> 16) % 26).unwrap())
        };
        let word: String = (0..9).map(|_| letters()).collect();
        // What a name ends on says what kind of thing it is, and is not ours.
        let ending = [".sh", ".service", ".timer", ".scope", ".py"].into_iter().find(|end| name.ends_with(end));
        let word = word + ending.unwrap_or("");
        self.names.insert(name.to_owned(), word.clone());
        word
    }

    fn text(&mut self, text: &str) -> String {
        let scripts: Vec<&str> = chaos_scripts::SCENARIOS.iter().map(|s| s.name).collect();
        let ours = |name: &str| name.contains("chaos") || scripts.iter().any(|s| name.contains(s));
        let (mut out, mut rest) = (String::with_capacity(text.len()), text);
        while let Some(start) = rest.bytes().position(is_of_name) {
            out.push_str(&rest[..start]);
            // A letter behind a backslash belongs to an escape of JSON.
            let escaped = usize::from(rest[..start].ends_with('\\') && !rest[..start].ends_with("\\\\"));
            out.push_str(&rest[start..start + escaped]);
            rest = &rest[start + escaped..];
            let end = rest.bytes().position(|b| !is_of_name(b)).unwrap_or(rest.len());
            let name = &rest[..end];
            out.push_str(&if ours(name) { self.word(name) } else { name.to_owned() });
            rest = &rest[end..];
        }
        out + rest
    }
}

/// Scenarios that had begun before anybody looked.
const ALREADY: [&str; 6] = [
    "lab/cpu_spike_already",
    "lab/db_conn_exhaust_already",
    "lab/disk_fill_already",
    "lab/memory_leak_already",
    "lab/net_latency_already",
    "lab/service_kill_already",
];

#[test]
fn other_names_of_our_own_scripts_change_no_diagnosis() {
    let judged = |dir: &Path| -> serde_json::Value {
        let ran = eval(&["--json"], &[dir]);
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:?}"))
    };
    // What nothing of ours stands in is the same however it is called, and is judged elsewhere.
    let copied = tempfile::tempdir().unwrap();
    let copy =
        |from: &Path, to: &Path| assert!(Command::new("cp").arg("-r").args([from, to]).status().unwrap().success());
    let ours: Vec<&str> = INCIDENTS.iter().map(|(name, _)| *name).chain(ALREADY).collect();
    for name in &ours {
        copy(&examples().join(name), copied.path());
    }
    let ours: Vec<&str> = ours.iter().map(|name| name.rsplit('/').next().unwrap()).collect();
    let as_is = judged(copied.path());
    for seed in [1, 20_000] {
        let place = tempfile::tempdir().unwrap();
        copy(&copied.path().join("."), place.path());
        let mut renamings = BTreeMap::new();
        for name in &ours {
            let mut renaming = Renaming { seed, names: BTreeMap::new() };
            let file = place.path().join(name).join("recording/answers.jsonl");
            let text = renaming.text(&fs::read_to_string(&file).unwrap());
            assert!(!text.contains("chaos"), "{name}");
            fs::write(&file, text).unwrap();
            renamings.insert(*name, renaming);
        }
        let renamed = judged(place.path());
        for (before, after) in
            as_is["incidents"].as_array().unwrap().iter().zip(renamed["incidents"].as_array().unwrap())
        {
            let incident = before["incident"].as_str().unwrap();
            assert_eq!((&before["said"], &before["confidence"]), (&after["said"], &after["confidence"]), "{incident}");
            let renaming = renamings.get_mut(incident.rsplit('/').next().unwrap()).unwrap();
            let named = before["named"].as_str().map(|named| renaming.text(named));
            assert_eq!(named.as_deref(), after["named"].as_str(), "{incident}");
        }
        let ours = |(name, renaming): (&&str, &Renaming)| *name == "healthy" || !renaming.names.is_empty();
        assert!(renamings.iter().all(ours), "a recording in which nothing of ours stands proves nothing");
    }
}
