//! Which of a host's keys is negotiated: by `ssh` on its own, and by russh with what we ask for.

use std::{fs, path::Path, sync::Mutex, thread};

use chaos_ssh::known_hosts::{KnownHosts, Verdict};
use russh::keys::HashAlg;

use crate::{
    case::Case,
    rig::{Rig, hop, negotiate, rig, ssh},
    table::address,
};

const LINES: [&str; 4] = ["{h} {ed}\n", "{h} {ec}\n", "{h} {rsa}\n", "@cert-authority * {ca}\n"];

fn texts() -> Vec<String> {
    let mut all: Vec<String> = (0..1_usize << LINES.len())
        .map(|set| LINES.iter().enumerate().filter(|(n, _)| set >> n & 1 == 1).map(|(_, line)| *line).collect())
        .collect();
    for text in [
        // Not under the port's own name: `ssh` does not look there for an order.
        "127.0.0.1 {rsa}\n",
        "127.0.0.1 {rsa}\n{h} {ec}\n",
        // A key of that kind, but another: asked for all the same.
        "{h} {orsa}\n",
        "{h} {oed}\n{h} {rsa}\n",
        // Revoked keys don't count, and hide a second one of their kind.
        "@revoked {h} {ed}\n{h} {ed}\n{h} {ec}\n",
        "@revoked {h} {rsa}\n{h} {rsa}\n{h} {orsa}\n",
        "@revoked {h} {orsa}\n{h} {rsa}\n",
        "@cert-authority x {ca}\n{h} {rsa}\n",
        "@cert-authority {h} {oca}\n{h} {rsa}\n",
        "@revoked {h} {ca}\n{h} {rsa}\n",
        "{h} {valid-ed-cert}\n{h} {rsa}\n",
        "{h} {valid-ed-cert}\n",
        "{h},x {rsa}\n",
        "*,!{h} {rsa}\n",
        "{hash:h} {rsa}\n",
        "{h} ssh-rsa !!\n",
        "{h} {o384}\n",
        "{h} {o384}\n{h} {rsa}\n",
    ] {
        all.push(text.to_owned());
    }
    all
}

/// Fingerprint, and whether it came in a certificate.
type Shown = (String, bool);

fn by_ssh(rig: &Rig, case: &Case, file: &Path) -> (Shown, String) {
    let args = [
        "-v".to_owned(),
        format!("-oUserKnownHostsFile={}", file.display()),
        "-oGlobalKnownHostsFile=none".to_owned(),
        "-oStrictHostKeyChecking=yes".to_owned(),
        format!("-p{}", case.port(rig)),
        case.host.to_owned(),
        "true".to_owned(),
    ];
    let said = ssh(&args);
    let line = said
        .lines()
        .find_map(|line| {
            line.strip_prefix("debug1: Server host key: ")
                .map(|rest| (rest, false))
                .or_else(|| line.strip_prefix("debug1: Server host certificate: ").map(|rest| (rest, true)))
        })
        .unwrap_or_else(|| panic!("{said}"));
    let fingerprint = line.0.split([' ', ',']).nth(1).unwrap().to_owned();
    ((fingerprint, line.1), said)
}

/// What is wrong with one, or whether the same key was negotiated.
fn check(rig: &Rig, case: &Case, file: &Path) -> Result<bool, String> {
    fs::write(file, case.user[0].as_ref().unwrap()).unwrap();
    let (theirs, said) = by_ssh(rig, case, file);
    let known = KnownHosts::read(&hop(case.host, case.port(rig), vec![file.to_owned()], vec![])).unwrap();
    let (keys, certificates) = known.algorithms();
    let key = negotiate(address(case, rig), keys, certificates).expect("a key was shown");
    let ours = (key.public_key().fingerprint(HashAlg::Sha256).to_string(), key.certificate().is_some());
    if ours == theirs {
        return Ok(true);
    }
    // Where only a kind is known that the host has not, `ssh` would take certificates of other kinds before other
    // plain keys, which russh can't be told to do. Whatever is shown then is another key than the known one.
    let refused = matches!(known.judge(&key), Verdict::Changed { .. });
    if refused && said.contains("IDENTIFICATION HAS CHANGED") {
        return Ok(false);
    }
    Err(format!("{}: ssh got {theirs:?}, we {ours:?}", case.name))
}

#[test]
fn the_same_key_is_negotiated_as_by_ssh() {
    let Some(rig) = rig() else { return };
    let dir = tempfile::tempdir().unwrap();
    let mut cases = Vec::new();
    for server in ["plain", "valid", "mixed", "rsaonly", "few", "fewsigned"] {
        for text in texts() {
            cases.push(Case::new(format!("{server}: {text:?}")).server(server).user(text));
        }
    }
    let todo = Mutex::new(cases.iter().enumerate());
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some((n, case)) = todo.lock().unwrap().next() else { return };
                    let result = check(rig, &case.filled(rig), &dir.path().join(n.to_string()));
                    results.lock().unwrap().push(result);
                }
            });
        }
    });
    let results = results.into_inner().unwrap();
    let wrong: Vec<_> = results.iter().filter_map(|r| r.as_ref().err()).cloned().collect();
    let same = results.iter().filter(|r| **r == Ok(true)).count();
    eprintln!("{} cases, the same key in {same}", results.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), results.len(), wrong.join("\n"));
    assert!(same * 10 >= results.len() * 9, "the same key in only {same} of {}", results.len());
}
