//! Rehearsals of scripts as a user meets them, on this machine. Those of plans are in `scenarios.rs`.

use std::{fs, io::Write, process::Stdio};

use serde_json::Value;

use crate::{Place, Ran, contents, skipped};

/// Why nothing can be rehearsed on this machine, if it can't.
fn unable(place: &Place) -> Option<String> {
    fs::write(place.path("nothing.sh"), "true\n").unwrap();
    let said: Value = serde_json::from_str(&place.run(&["rehearse", "nothing.sh", "--json"]).out).unwrap();
    said["unable"].as_str().map(str::to_owned)
}

fn says(ran: &Ran, all: &[&str]) {
    for said in all {
        assert!(ran.out.contains(said), "{said}: {ran:?}");
    }
}

#[test]
fn a_script_is_told_by_what_it_would_do_and_does_nothing() {
    let place = Place::new();
    if let Some(why) = unable(&place) {
        return skipped(&why);
    }
    fs::write(place.path("kept.txt"), "one\ntwo\n").unwrap();
    fs::write(place.path("gone.txt"), "gone").unwrap();
    let here = place.path("").display().to_string();
    let script = "cd \"$1\" || exit\nsed -i s/two/zwei/ kept.txt\nrm gone.txt\necho new >made.txt\nchmod 640 nothing.sh\n\
                  systemctl restart web.service\nkill -TERM 1\necho all done\n";
    fs::write(place.path("fix.sh"), script.replace("\"$1\"", &format!("'{here}'"))).unwrap();
    let before = contents(&place.path(""));
    let ran = place.run(&["rehearse", "fix.sh"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let at = |name: &str| place.path(name).canonicalize().unwrap_or(place.path(name)).display().to_string();
    says(
        &ran,
        &[
            "fix.sh ended: exit code 0.",
            "| all done",
            &format!("It deletes {} (regular file, 4 bytes)", at("gone.txt")),
            &format!("It adds {}", at("made.txt")),
            &format!("It changes {}", at("kept.txt")),
            "-two",
            "+zwei",
            &format!("It changes mode or owner of {}", at("nothing.sh")),
            "It would run systemctl restart web.service",
            "It would run kill -TERM 1",
            "no network",
            "Nothing was changed on the target.",
        ],
    );
    assert!(contents(&place.path("")) == before, "and it was not done");

    let ran = place.run(&["rehearse", "fix.sh", "--json"]);
    let said: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &said["steps"][0]["passed"]), (0, &true.into()), "{said:#}");
    let kinds: Vec<&str> = said["changes"].as_array().unwrap().iter().map(|c| c["kind"].as_str().unwrap()).collect();
    for kind in ["deleted", "added", "modified", "metadata"] {
        assert!(kinds.contains(&kind), "{kind}: {said:#}");
    }
    assert_eq!(said["would_run"][0], serde_json::json!(["systemctl", "restart", "web.service"]), "{said:#}");
}

#[test]
fn scripts_share_one_sandbox_and_one_that_fails_is_told_by_the_exit_code() {
    let place = Place::new();
    if let Some(why) = unable(&place) {
        return skipped(&why);
    }
    let made = place.path("made").display().to_string();
    fs::write(place.path("first.sh"), format!("echo 1 >'{made}'\n")).unwrap();
    fs::write(place.path("second.sh"), format!("cat '{made}' && echo seen\nexit 3\n")).unwrap();
    let ran = place.run(&["rehearse", "first.sh", "second.sh"]);
    assert_eq!(ran.code, 10, "{ran:?}");
    says(&ran, &["first.sh ended: exit code 0.", "second.sh ended: exit code 3.", "| seen"]);
    assert!(!place.path("made").exists());

    fs::write(place.path("slow.sh"), "sleep 15\n").unwrap();
    let ran = place.run(&["rehearse", "slow.sh", "--timeout", "1"]);
    assert_eq!(ran.code, 10, "{ran:?}");
    says(&ran, &["slow.sh ended: it took too long."]);

    // From standard input, and what a command prints can't steer the terminal.
    let mut child = place.command(&["rehearse", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"printf 'a\\033[2Jb\\n'\n").unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    says(&ran, &["- ended: exit code 0.", "It changes no file."]);
    assert!(!ran.out.contains('\u{1b}'), "{ran:?}");
}

#[test]
fn what_can_not_be_rehearsed_is_said() {
    let place = Place::new();
    fs::write(place.path("not-text.sh"), [0xff, 0xfe]).unwrap();
    fs::write(place.path("long.sh"), ": x\n".repeat(20_000)).unwrap();
    fs::write(place.path("ok.sh"), "true\n").unwrap();
    for (args, code, said) in [
        (&["rehearse", "nowhere.sh"][..], 4, "nowhere.sh"),
        (&["rehearse", "not-text.sh"], 2, "not text"),
        (&["rehearse", "ok.sh", "--timeout", "60"], 2, "1..=20"),
        (&["rehearse"], 2, "FILE"),
        (&["rehearse", "ok.sh", "--target", "nobody@127.0.0.1:1"], 3, "127.0.0.1"),
    ] {
        let ran = place.run(args);
        assert!(ran.code == code && ran.err.contains(said) && ran.out.is_empty(), "{args:?} {ran:?}");
    }
    let ran = place.run(&["rehearse", "long.sh"]);
    assert!(ran.code == 3 && ran.out.contains("Not rehearsed") && ran.out.contains("bytes long"), "{ran:?}");
}
