use super::*;
use crate::model::FileChangeKind;

fn step(words: &[&str]) -> Step {
    Step { action: "a".into(), argv: words.iter().map(|w| (*w).to_owned()).collect(), timeout_s: 5 }
}

fn told(steps: &[Step], printed: &str) -> Rehearsed {
    read(steps, printed.as_bytes(), b"some\nlast words", &End::Exited(0))
}

#[test]
fn what_the_sandbox_prints_is_read() {
    let steps = [step(&["sh", "-c", "x"]), step(&["false"])];
    let printed = "note\t/mnt/nfs (nfs4) is empty in the sandbox\0step\t1\t0\tout\nput\t2\n\0step\t2\tlate\t\0\
                   acts\tsystemctl\trestart\tweb\u{1e}kill\t-9\t7\u{1e}\0limit\tprocesses\0total\t2\t/\0\
                   change\tmodified\t3 to 4 bytes\t/etc/a\tb\nc\0diff\t-x\n+password=hunter2hunter2\n\0\
                   change\tdeleted\tregular file, 9 bytes\t/srv/x\0done\0";
    let out = told(&steps, printed);
    assert_eq!(out.unable, None);
    assert!(out.steps[0].passed && out.steps[0].output == "out\nput\t2", "{out:#?}");
    assert!(!out.steps[1].passed && out.steps[1].ended == "it took too long");
    assert_eq!(out.would_run, [vec!["systemctl", "restart", "web"], vec!["kill", "-9", "7"]]);
    assert_eq!(out.changes[0].path, "/etc/a\tb\nc");
    assert_eq!(out.changes[1].kind, FileChangeKind::Deleted);
    let diff = out.changes[0].diff.as_deref().unwrap();
    assert!(diff.starts_with("-x\n") && !diff.contains("hunter2"), "{diff}");
    assert!(out.limits[0].contains("/mnt/nfs") && out.limits[1].contains("processes"), "{:?}", out.limits);
    assert!(!out.is_success());
}

#[test]
fn what_ends_midway_is_never_a_success() {
    let steps = [step(&["true"])];
    let cut = told(&steps, "step\t1\t0\t\0acts\t\0");
    assert!(cut.unable.as_deref().unwrap().contains("last words"), "{cut:?}");
    assert!(told(&steps, "done\0").unable.is_some());
    assert!(told(&steps, "unable\tno overlay\0done\0").unable.as_deref() == Some("no overlay"));
    assert!(told(&steps, "step\t9\t0\t\0step\tx\0change\t\0\0\0done\0").unable.is_some());
    assert!(told(&steps, "step\t1\t0\t\0acts\t\0done\0").is_success());
}

#[test]
fn what_can_not_be_sent_is_refused() {
    assert!(refuses(&[step(&["echo", "a\0b"])]).unwrap().contains("NUL"));
    assert!(refuses(&[step(&["echo", &"x".repeat(70_000)])]).unwrap().contains("70004 bytes"));
    assert!(refuses(&[step(&["true"])]).is_none());
}
