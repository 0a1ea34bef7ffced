//! Runs the table: `ssh` with `accept-new`, `ssh` with strict checking, and ours, on copies of the same files.

use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, ToSocketAddrs as _},
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
    time::Instant,
};

use chaos_ssh::{
    known_hosts::{KnownHosts, Verdict},
    route::Hop,
};

use crate::{
    case::{Case, Revoked},
    cases,
    rig::{Rig, hop, rig, run, ssh},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Trusted,
    /// Trusted from now on; with strict checking it would be refused.
    New,
    Changed,
    Revoked,
    /// Not trusted, for another reason.
    Refused,
    /// Taken as new although `ssh` warns that it is revoked.
    NewThoughRevoked,
}

/// Each how-manieth case is also run with strict checking.
const STRICTLY: usize = 7;

/// What `ssh` did with `accept-new`, by what it said.
fn outcome(said: &str) -> Outcome {
    let reached = said.contains("Permission denied (");
    let revoked = said.contains("REVOKED HOST KEY DETECTED") || said.contains("revoked by file");
    match (reached, said.contains("Permanently added")) {
        (true, true) if revoked => Outcome::NewThoughRevoked,
        (true, true) => Outcome::New,
        (true, false) => Outcome::Trusted,
        (false, _) if revoked => Outcome::Revoked,
        (false, _) if said.contains("REMOTE HOST IDENTIFICATION HAS CHANGED") => Outcome::Changed,
        (false, _) => {
            assert!(
                said.contains("Host key verification failed") || said.contains("evoked"),
                "neither verified nor refused: {said}"
            );
            Outcome::Refused
        }
    }
}

/// The files of one run, in a directory of their own.
struct Files {
    user: Vec<PathBuf>,
    global: Vec<PathBuf>,
    revoked: Option<PathBuf>,
}

fn lay_out(case: &Case, dir: &Path) -> Files {
    fs::create_dir(dir).unwrap();
    let put = |name: String, text: &Option<Vec<u8>>| {
        let path = dir.join(name);
        if let Some(text) = text {
            fs::write(&path, text).unwrap();
        }
        path
    };
    let user: Vec<_> = case.user.iter().enumerate().map(|(n, text)| put(format!("user{n}"), text)).collect();
    let global = case.global.iter().enumerate().map(|(n, text)| put(format!("global{n}"), text)).collect();
    if case.is_dir {
        fs::remove_file(&user[0]).unwrap();
        fs::create_dir(&user[0]).unwrap();
    }
    let revoked = case.revoked.as_ref().map(|revoked| {
        let path = dir.join("revoked");
        match revoked {
            Revoked::Missing => {}
            Revoked::List(text) => fs::write(&path, text).unwrap(),
            Revoked::Krl(text, authority) => {
                let spec = dir.join("spec");
                fs::write(&spec, text).unwrap();
                let mut args = vec!["-q".to_owned(), "-k".to_owned(), "-f".to_owned(), path.display().to_string()];
                if let Some(authority) = authority {
                    args.extend(["-s".to_owned(), authority.display().to_string()]);
                }
                args.push(spec.display().to_string());
                run("ssh-keygen", &args.iter().map(String::as_str).collect::<Vec<_>>());
            }
        }
        path
    });
    Files { user, global, revoked }
}

fn list(paths: &[PathBuf]) -> String {
    let all: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(" ") }
}

/// What `ssh` says when it is called like this.
fn ssh_says(rig: &Rig, case: &Case, files: &Files, checking: &str) -> String {
    let mut options = vec![
        format!("UserKnownHostsFile={}", list(&files.user)),
        format!("GlobalKnownHostsFile={}", list(&files.global)),
        format!("StrictHostKeyChecking={checking}"),
        format!("HostKeyAlgorithms={}", case.algorithm),
    ];
    options.extend(files.revoked.as_ref().map(|path| format!("RevokedHostKeys={}", path.display())));
    options.extend(case.alias.map(|alias| format!("HostKeyAlias={alias}")));
    options.extend(case.host_name.map(|name| format!("HostName={name}")));
    let mut args: Vec<String> = options.into_iter().flat_map(|option| ["-o".to_owned(), option]).collect();
    args.extend(["-p".to_owned(), case.port(rig).to_string(), case.host.to_owned(), "true".to_owned()]);
    ssh(&args)
}

fn hop_of(rig: &Rig, case: &Case, files: Files) -> Hop {
    let mut hop = hop(case.target(), case.port(rig), files.user, files.global);
    hop.host_key_alias = case.alias.map(str::to_owned);
    hop.revoked_host_keys = files.revoked.into_iter().collect();
    hop
}

pub(crate) fn address(case: &Case, rig: &Rig) -> SocketAddr {
    // Where a name has several addresses the server listens on all of them.
    (case.target(), case.port(rig)).to_socket_addrs().unwrap().next().unwrap()
}

/// Ours, and the file that it left behind.
fn ours(rig: &Rig, case: &Case, files: Files) -> (Outcome, Verdict) {
    let key = rig.shown(address(case, rig), case.algorithm).expect("the server has a key of this kind");
    let Ok(known) = KnownHosts::read(&hop_of(rig, case, files)) else {
        return (Outcome::Refused, Verdict::Unusable { why: "unreadable" });
    };
    let verdict = known.judge(&key);
    let outcome = match &verdict {
        Verdict::Trusted => Outcome::Trusted,
        Verdict::New if known.add(&key).is_ok() => Outcome::New,
        Verdict::Changed { .. } => Outcome::Changed,
        Verdict::Revoked { .. } => Outcome::Revoked,
        _ => Outcome::Refused,
    };
    (outcome, verdict)
}

/// Runs one case; what is wrong, or how it came out. `strictly`: also with strict checking.
fn check(rig: &Rig, case: &Case, dir: &Path, strictly: bool) -> Result<Outcome, String> {
    let theirs_files = lay_out(case, &dir.join("theirs"));
    let said = ssh_says(rig, case, &theirs_files, "accept-new");
    let theirs = outcome(&said);
    let ours_files = lay_out(case, &dir.join("ours"));
    let first = ours_files.user.first().cloned();
    let (ours, verdict) = ours(rig, case, ours_files);
    let fail =
        |why: &str| Err(format!("{}\n  {why}: ssh {theirs:?}, ours {ours:?} ({verdict:?})\n  {said}", case.name));
    if case.stricter {
        let stricter = ours != theirs && matches!(ours, Outcome::Revoked | Outcome::Refused);
        return if stricter { Ok(ours) } else { fail("expected to be stricter than ssh") };
    }
    if theirs != ours {
        return fail("differs");
    }
    // `ssh` says in which line the other key stands; so do we.
    if let Verdict::Changed { file, line } = &verdict {
        let name = file.file_name().unwrap().to_str().unwrap();
        if !said.contains(&format!("/{name}:{line}\n")) && !said.contains(&format!("/{name}:{line}\r\n")) {
            return fail("another line");
        }
    }
    if strictly {
        let said = ssh_says(rig, case, &lay_out(case, &dir.join("strict")), "yes");
        let expected = match ours {
            Outcome::New => said.contains("host key is known for"),
            Outcome::Refused => !said.contains("Permission denied ("),
            _ => outcome(&said) == ours,
        };
        if !expected {
            return Err(format!("{}: ours {ours:?}, ssh with strict checking: {said}", case.name));
        }
    }
    if theirs == Outcome::New
        && let Some(first) = first
    {
        let theirs_text = fs::read(&theirs_files.user[0]).unwrap();
        let ours_text = fs::read(&first).unwrap();
        let before = case.user[0].clone().unwrap_or_default();
        let unfinished = before.last().is_some_and(|b| *b != b'\n');
        // `ssh` writes behind a last line that has no end; we end it first.
        let expected = if unfinished {
            [&theirs_text[..before.len()], b"\n", &theirs_text[before.len()..]].concat()
        } else {
            theirs_text
        };
        if ours_text != expected {
            return fail("wrote something else");
        }
    }
    Ok(ours)
}

#[test]
fn our_verdict_is_that_of_ssh() {
    let Some(rig) = rig() else { return };
    let started = Instant::now();
    let all = cases::all(rig);
    let dir = tempfile::tempdir().unwrap();
    let todo = Mutex::new(all.iter().enumerate());
    let done = Mutex::new(BTreeMap::<Outcome, usize>::new());
    let wrong = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let Some((n, case)) = todo.lock().unwrap().next() else { return };
                    let own = dir.path().join(n.to_string());
                    fs::create_dir(&own).unwrap();
                    match check(rig, &case.filled(rig), &own, n % STRICTLY == 0) {
                        Ok(outcome) => *done.lock().unwrap().entry(outcome).or_default() += 1,
                        Err(why) => wrong.lock().unwrap().push(why),
                    }
                }
            });
        }
    });
    let (done, wrong) = (done.into_inner().unwrap(), wrong.into_inner().unwrap());
    eprintln!("{} cases in {:.1} s: {done:?}", all.len(), started.elapsed().as_secs_f64());
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), all.len(), wrong.join("\n"));
    for outcome in [Outcome::Trusted, Outcome::New, Outcome::Changed, Outcome::Revoked, Outcome::Refused] {
        assert!(done.get(&outcome).is_some_and(|n| *n >= 5), "too few cases are {outcome:?}");
    }
}
