//! Whatever stands in the files: no panic, and no trust in a key that they don't hold.

use std::{fs, path::PathBuf};

use chaos_ssh::known_hosts::{KnownHosts, Verdict};
use proptest::{prelude::*, test_runner::TestRunner};

use crate::{
    case::Case,
    rig::{Rig, hop, rig, run},
};

/// Bytes, and the parts that files are made of; the host's own key is not among them.
fn soup(rig: &Rig) -> impl Strategy<Value = Vec<u8>> + use<> {
    let own = &rig.keys["ed"];
    let cut = |at: usize| own.as_bytes()[..at].to_vec();
    let parts: Vec<Vec<u8>> = [
        "box",
        "*",
        "?",
        "!",
        ",",
        "|1|",
        "|",
        "[box]:22",
        " ",
        "\t",
        "\n",
        "\r\n",
        "\0",
        "#",
        "@revoked ",
        "@cert-authority ",
        "@",
        "ssh-ed25519 ",
        "ssh-rsa ",
        "AAAA",
        "=",
    ]
    .into_iter()
    .map(|part| part.as_bytes().to_vec())
    .chain(["oed", "oec", "orsa", "oca", "valid-ed-cert"].map(|name| rig.keys[name].clone().into_bytes()))
    .chain([cut(20), cut(40), cut(own.len() - 1), cut(own.len() - 5)])
    .collect();
    let part = prop_oneof![
        4 => proptest::sample::select(parts),
        1 => proptest::collection::vec(any::<u8>(), 0..20),
    ];
    proptest::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() })
}

fn alias_hop(user: PathBuf) -> chaos_ssh::route::Hop {
    let mut hop = hop("127.0.0.1", 22, vec![user], vec![]);
    hop.host_key_alias = Some("box".to_owned());
    hop
}

#[test]
fn garbage_never_makes_a_key_trusted() {
    let Some(rig) = rig() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("known");
    let hop = alias_hop(file.clone());
    let key = rig.key("ed");
    runner(2000)
        .run(&soup(rig), |text| {
            fs::write(&file, &text).unwrap();
            let known = KnownHosts::read(&hop).unwrap();
            let _ = known.algorithms();
            prop_assert_ne!(known.judge(&key), Verdict::Trusted);
            Ok(())
        })
        .unwrap();
}

#[test]
fn garbage_around_a_line_takes_nothing_from_it() {
    let Some(rig) = rig() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("known");
    let hop = alias_hop(file.clone());
    let key = rig.key("ed");
    let (trusting, revoking) = (format!("\nbox {}\n", rig.keys["ed"]), format!("\n@revoked * {}\n", rig.keys["ed"]));
    runner(500)
        .run(&(soup(rig), soup(rig)), |(before, behind)| {
            fs::write(&file, [&before, trusting.as_bytes(), &behind].concat()).unwrap();
            prop_assert_eq!(KnownHosts::read(&hop).unwrap().judge(&key), Verdict::Trusted);
            fs::write(&file, [&before, revoking.as_bytes(), &behind, trusting.as_bytes()].concat()).unwrap();
            let verdict = KnownHosts::read(&hop).unwrap().judge(&key);
            let revoked = matches!(verdict, Verdict::Revoked { .. });
            prop_assert!(revoked, "{:?}", verdict);
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_damaged_list_of_revoked_keys_is_an_error_or_still_revokes() {
    let Some(rig) = rig() else { return };
    let dir = tempfile::tempdir().unwrap();
    let known_file = dir.path().join("known");
    fs::write(&known_file, format!("box {}\n", rig.keys["ed"])).unwrap();
    let spec = dir.path().join("spec");
    let list = dir.path().join("list");
    let text = b"{oed}\nsha256: {orsa}\nsha1: {oec}\nserial: 1-100\nid: x\n";
    fs::write(&spec, Case::new("").filled_text(rig, text)).unwrap();
    let (ca, list_name, spec) =
        (rig.dir.path().join("ca.pub").display().to_string(), list.display().to_string(), spec.display().to_string());
    run("ssh-keygen", &["-q", "-k", "-f", &list_name, "-s", &ca, &spec]);
    let whole = fs::read(&list).unwrap();
    let mut hop = alias_hop(known_file);
    hop.revoked_host_keys.push(list.clone());
    let key = rig.key("ed");
    assert_eq!(KnownHosts::read(&hop).unwrap().judge(&key), Verdict::Trusted);
    // Cut anywhere within a section it must not pass for a shorter list.
    let mut whole_when_cut = 0;
    for len in 0..whole.len() {
        fs::write(&list, &whole[..len]).unwrap();
        whole_when_cut += usize::from(KnownHosts::read(&hop).is_ok());
    }
    assert!(whole_when_cut <= 6, "{whole_when_cut} cut lists were taken for whole ones");
    // Changed anywhere it must not panic.
    let changes = proptest::collection::vec((0..whole.len(), any::<u8>()), 1..6);
    runner(1000)
        .run(&changes, |changes| {
            let mut text = whole.clone();
            for (at, byte) in changes {
                text[at] = byte;
            }
            fs::write(&list, &text).unwrap();
            let _ = KnownHosts::read(&hop).map(|known| known.judge(&key));
            Ok(())
        })
        .unwrap();
}
