//! What `add` leaves behind: beside other writers, on a full disk, and as `ssh-keygen` and `ssh` read it.

use std::{
    env, fs,
    io::Write as _,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::{Command, Stdio},
};

use chaos_core::error::ErrorKind;
use chaos_ssh::{
    known_hosts::{KnownHosts, Verdict},
    route::Hop,
};
use russh::keys::PublicKey;

use crate::rig::{hop, rig, run, ssh};

fn named(alias: &str, file: &Path) -> Hop {
    let mut hop = hop("127.0.0.1", 22, vec![file.to_owned()], vec![]);
    hop.host_key_alias = Some(alias.to_owned());
    hop
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_hashed_entry_is_found_by_ssh_and_by_ssh_keygen() {
    let Some(rig) = rig() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("new/known");
    let port = rig.port("plain");
    for (key, algorithm) in [("ed", "ssh-ed25519"), ("ec", "ecdsa-sha2-nistp256"), ("rsa", "rsa-sha2-512")] {
        let _ = fs::remove_file(&file);
        let mut hop = hop("127.0.0.1", port, vec![file.clone()], vec![]);
        hop.hash_known_hosts = true;
        let known = KnownHosts::read(&hop).unwrap();
        assert_eq!(known.judge(&rig.key(key)), Verdict::New);
        known.add(&rig.key(key)).unwrap();
        assert_eq!((mode(file.parent().unwrap()), mode(&file)), (0o700, 0o600));
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("|1|") && !text.contains("127.0.0.1"), "{text}");
        let name = file.to_str().unwrap();
        let found = run("ssh-keygen", &["-F", &format!("[127.0.0.1]:{port}"), "-f", name]);
        assert!(found.contains(rig.keys[key].split(' ').nth(1).unwrap()), "{found}");
        let said = ssh(&[
            format!("-oUserKnownHostsFile={name}"),
            "-oGlobalKnownHostsFile=none".to_owned(),
            "-oStrictHostKeyChecking=yes".to_owned(),
            format!("-oHostKeyAlgorithms={algorithm}"),
            format!("-p{port}"),
            "127.0.0.1".to_owned(),
            "true".to_owned(),
        ]);
        assert!(said.contains("Permission denied ("), "{said}");
        assert_eq!(KnownHosts::read(&hop).unwrap().judge(&rig.key(key)), Verdict::Trusted);
    }
}

#[test]
fn other_lines_stay_as_they_are() {
    let Some(rig) = rig() else { return };
    let dir = tempfile::tempdir().unwrap();
    let real = dir.path().join("real");
    let file = dir.path().join("known");
    symlink(&real, &file).unwrap();
    let key = &rig.keys["ed"];
    for (before, between) in [("", ""), ("# one\n", ""), ("x \u{e9}\t \r\n\n", ""), ("# no end", "\n")] {
        fs::write(&real, before).unwrap();
        let hop = named("box", &file);
        KnownHosts::read(&hop).unwrap().add(&rig.key("ed")).unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), format!("{before}{between}box {key}\n"));
        // Once more adds nothing, and another key is refused.
        KnownHosts::read(&hop).unwrap().add(&rig.key("ed")).unwrap();
        let error = KnownHosts::read(&hop).unwrap().add(&rig.key("oed")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        assert_eq!(fs::read_to_string(&real).unwrap(), format!("{before}{between}box {key}\n"));
    }
    assert!(file.is_symlink());
}

#[test]
fn where_nothing_can_be_noted_it_says_so() {
    let Some(rig) = rig() else { return };
    let dir = tempfile::tempdir().unwrap();
    let key = rig.key("ed");
    let refusal = |hop: &Hop| KnownHosts::read(hop).unwrap().add(&key).unwrap_err();
    let none = hop("127.0.0.1", 22, vec![], vec![]);
    assert_eq!(refusal(&none).kind(), ErrorKind::InvalidInput);
    let deep = dir.path().join("a/b/known");
    assert_eq!(refusal(&named("box", &deep)).kind(), ErrorKind::NotFound);
    let file = dir.path().join("known");
    for host in ["a*", "a?", "a b", "@a", "#a", "|1|a", "!a", "a,b", "a\nb", "a[b", ""] {
        assert_eq!(refusal(&hop(host, 22, vec![file.clone()], vec![])).kind(), ErrorKind::Refused, "{host:?}");
    }
    assert!(!file.exists());
    // What is there and can't be read is never an empty file.
    assert_eq!(KnownHosts::read(&named("box", dir.path())).unwrap_err().kind(), ErrorKind::Storage);
    fs::write(&file, "").unwrap();
    assert_eq!(KnownHosts::read(&named("box", &file.join("known"))).unwrap_err().kind(), ErrorKind::Storage);
    if !rustix::process::geteuid().is_root() {
        fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
        assert_eq!(KnownHosts::read(&named("box", &file)).unwrap_err().kind(), ErrorKind::Denied);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(refusal(&named("box", &file)).kind(), ErrorKind::Denied);
    }
    KnownHosts::read(&named("box", Path::new("/dev/null"))).unwrap().add(&key).unwrap();
}

/// What `add` does in a process of its own: `CHILD` holds the file, the key and the names.
#[test]
fn child() {
    let Ok(task) = env::var("CHAOS_SSH_CHILD") else { return };
    let mut words = task.split('\n');
    let file = words.next().unwrap().to_owned();
    let key = PublicKey::from_openssh(words.next().unwrap()).unwrap().into();
    let mut out = std::io::stdout();
    for name in words {
        match KnownHosts::read(&named(name, Path::new(&file))).and_then(|known| known.add(&key)) {
            Ok(()) => writeln!(out, "noted {name}").unwrap(),
            Err(e) => writeln!(out, "failed {name} {:?} {e}", e.kind()).unwrap(),
        }
    }
}

/// A process that notes `names`; `before` are words that stand before its command.
fn note(before: &[&str], file: &Path, key: &str, names: &[String]) -> Command {
    let this = env::current_exe().unwrap();
    let mut words = before.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    words.extend([this.to_str().unwrap().to_owned(), "add::child".to_owned()]);
    words.extend(["--exact".to_owned(), "--nocapture".to_owned()]);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env("CHAOS_SSH_CHILD", format!("{}\n{key}\n{}", file.display(), names.join("\n")));
    command
}

#[test]
fn processes_that_note_at_once_lose_nothing() {
    let Some(rig) = rig() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("known");
    fs::write(&file, "# no end").unwrap();
    let names = |of: &str| (0..25).map(|n| format!("{of}{n}")).collect::<Vec<_>>();
    let children: Vec<_> = ["a", "b", "c", "d", "e", "f"]
        .map(|of| note(&[], &file, &rig.keys["ed"], &names(of)).spawn().unwrap())
        .into_iter()
        .collect();
    // Somebody who knows nothing of the lock, as `ssh`.
    for n in 0..25 {
        let mut other = fs::OpenOptions::new().append(true).open(&file).unwrap();
        other.write_all(format!("\nother{n} {}\n", rig.keys["ec"]).as_bytes()).unwrap();
    }
    for child in children {
        let out = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&out.stdout);
        assert_eq!(said.lines().filter(|line| line.starts_with("noted ")).count(), 25, "{said}");
    }
    let text = fs::read_to_string(&file).unwrap();
    let mut lines: Vec<_> = text.lines().skip(1).filter(|line| !line.is_empty()).collect();
    assert_eq!(text.lines().next(), Some("# no end"));
    assert_eq!(lines.len(), 6 * 25 + 25);
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), 6 * 25 + 25);
    assert!(lines.iter().all(|line| line.ends_with(&rig.keys["ed"]) || line.ends_with(&rig.keys["ec"])), "{text}");
}

#[test]
fn of_two_keys_that_are_met_at_once_one_is_noted() {
    let Some(rig) = rig() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("known");
    let names: Vec<_> = (0..30).map(|n| format!("box{n}")).collect();
    let children: Vec<_> =
        ["ed", "oed", "ed", "oed"].map(|key| note(&[], &file, &rig.keys[key], &names).spawn().unwrap()).into();
    for child in children {
        assert!(child.wait_with_output().unwrap().status.success());
    }
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().count(), names.len(), "{text}");
}

#[test]
fn on_a_full_or_read_only_disk_the_file_stays_as_it_was() {
    let Some(rig) = rig() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (at, seed) = (dir.path().join("disk"), dir.path().join("seed"));
    fs::create_dir(&at).unwrap();
    // One page is all that there is; a line needs more than what is left of it, and some of it would fit.
    fs::write(&seed, format!("#{}\n", "x".repeat(4096 - 32))).unwrap();
    let file = at.join("known");
    let script = "mount -t tmpfs -o size=4096 none \"$1\" && cp \"$2\" \"$1/known\" && $3 && shift 3 && \"$@\"; \
                  echo; cmp \"$SEED\" \"$DISK/known\" && echo unchanged";
    let apart = if rustix::process::geteuid().is_root() { "-m" } else { "-mr" };
    for (then, kind) in [("true", "Storage"), ("mount -o remount,ro ", "Denied")] {
        let then = if then == "true" { then.to_owned() } else { format!("{then}{}", at.display()) };
        let before = ["unshare", apart, "sh", "-c", script, "sh", at.to_str().unwrap(), seed.to_str().unwrap(), &then];
        let mut command = note(&before, &file, &rig.keys["ed"], &["box".to_owned()]);
        let out = command.env("SEED", &seed).env("DISK", &at).output().unwrap();
        let (said, complained) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        if !said.contains("running 1 test") {
            assert!(env::var_os("CI").is_none(), "a file system can't be mounted: {complained}");
            eprintln!("skipped: a file system can't be mounted: {complained}");
            return;
        }
        assert!(said.contains(&format!("failed box {kind}")), "{said}{complained}");
        assert!(said.contains("unchanged"), "{said}{complained}");
    }
}
