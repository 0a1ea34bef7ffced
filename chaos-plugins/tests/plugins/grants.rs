//! What is not granted is not there; what was granted is to one content, and to read alone.

use std::collections::BTreeMap;

use chaos_core::error::ErrorKind;
use chaos_plugins::{Grant, Grants, Limits, inspect};

use crate::{
    component::{Cite, Found, Guest, words},
    support::{granting, host, live, of},
};

const RUN: &str = r#"(import "chaos:plugin/probe@0.1.0" "run-readonly-command" (func $run (param i32 i32 i32)))"#;

/// Asks for `argv`, and finds something that cites the answer with this id; traps when it was refused.
fn asking(argv: &[&str], commands: &'static str) -> Guest {
    let mut guest = Guest::finding(&[Found { cites: &[Cite::Answer(0)], ..Found::default() }]);
    let (mut list, mut texts) = (Vec::new(), Vec::new());
    for word in argv {
        list.extend(words(&[700 + texts.len() as u32, word.len() as u32]));
        texts.extend(word.as_bytes());
    }
    guest.data.extend([(512, list), (700, texts)]);
    // The result's first byte is 1 for a refusal.
    let body = format!(
        "(call $run (i32.const 512) (i32.const {}) (i32.const 900)) (if (i32.load8_u (i32.const 900)) (then unreachable)) {}",
        argv.len(),
        guest.body
    );
    Guest { world: "probing-detector-plugin", imports: RUN, commands, body, ..guest }
}

const CERTIFICATE: &[&str] = &["openssl", "x509", "-noout", "-enddate", "-in", "/etc/ssl/shop.crt"];

#[test]
fn without_a_grant_it_is_not_loaded() {
    let component = asking(CERTIFICATE, "\"openssl x509\"").named("asker");
    let error = host().load(&component, &Grants::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("plugins grant") && error.to_string().contains("openssl x509"), "{error}");
}

#[test]
fn a_component_that_changed_has_nothing() {
    let granted = asking(CERTIFICATE, "\"openssl x509\"").named("asker");
    let grants = granting(&granted, Limits::default());
    host().load(&granted, &grants).unwrap();
    // The same name and the same request, one byte of its code apart.
    let swapped = asking(&["openssl", "x509", "-noout", "-subject", "-in", "/etc/ssl/shop.crt"], "\"openssl x509\"");
    let error = host().load(&swapped.named("asker"), &grants).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("changed since it was granted"), "{error}");
}

#[test]
fn a_request_must_be_in_the_manifest_and_in_the_code() {
    let silent = asking(CERTIFICATE, "").named("silent");
    assert!(inspect(&silent).unwrap_err().to_string().contains("names no commands"));
    let boaster = Guest { commands: "\"ls\"", ..Guest::default() }.named("boaster");
    assert!(inspect(&boaster).unwrap_err().to_string().contains("does not import `probe`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_question_is_asked_recorded_and_cited() {
    let component = asking(CERTIFICATE, "\"openssl x509\"").named("asker");
    let plugin = host().load(&component, &granting(&component, Limits::default())).unwrap();
    let ended = live(&of([plugin])).await;
    assert_eq!(ended.errors_of("asker"), [""; 0]);
    let [finding] = ended.findings_of("asker")[..] else { panic!("one finding") };
    let answer = ended.incident.answers.get(finding.answers[0]).unwrap();
    assert_eq!(answer.agent.as_str(), "asker");
    assert!(answer.stdout.starts_with("notAfter="));
    assert!(ended.report.markdown.contains("[A1](#a1)"), "{}", ended.report.markdown);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_granted_or_is_not_read_only_is_refused() {
    for (argv, commands) in [
        // Granted as such, and not read-only: the allow-list says no, for program and for arguments.
        (&["rm", "-rf", "/srv"][..], "\"rm\""),
        (&["sh", "-c", "id"], "\"sh\""),
        (&["openssl", "x509", "-in", "/etc/ssl/a.crt", "-out", "/etc/passwd"], "\"openssl x509\""),
        (&["openssl", "x509", "-noout", "-in", "/root/.ssh/id_rsa"], "\"openssl x509\""),
        (&["find", "/", "-delete"], "\"find\""),
        // Read-only, and not granted.
        (&["cat", "/etc/hostname"], "\"openssl x509\""),
        (&["openssl", "s_client"], "\"openssl x509\""),
    ] {
        let component = asking(argv, commands).named("asker");
        let plugin = host().load(&component, &granting(&component, Limits::default())).unwrap();
        let ended = live(&of([plugin])).await;
        assert!(ended.errors_of("asker")[0].contains("trapped"), "{argv:?}: {:?}", ended.errors_of("asker"));
        assert!(ended.incident.answers.iter().all(|(_, a)| a.agent.as_str() != "asker"), "{argv:?} reached the target");
    }
}

#[test]
fn more_than_was_asked_for_is_not_given() {
    let component = asking(CERTIFICATE, "\"openssl x509\"").named("asker");
    let mut grants = granting(&component, Limits::default());
    grants.all[0].commands = vec!["cat".into()];
    assert_eq!(host().load(&component, &grants).unwrap_err().kind(), ErrorKind::Refused);
    grants.all[0].commands = vec!["openssl x509 -noout".into()];
    host().load(&component, &grants).unwrap();
}

#[test]
fn a_file_of_grants_is_read_as_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/grants.toml");
    assert_eq!(Grants::read(&path).unwrap(), Grants::default());
    let grant = |name: &str, digit: &str, limits| Grant {
        sha256: digit.repeat(64),
        name: name.into(),
        commands: vec!["openssl x509".into()],
        config: BTreeMap::from([("a".into(), "1".into())]),
        limits,
    };
    let mut grants = Grants::default();
    grants.put(grant("x", "a", Some(Limits::default())));
    grants.put(grant("y", "b", None));
    grants.put(grant("x", "c", None));
    grants.write(&path).unwrap();
    let read = Grants::read(&path).unwrap();
    assert_eq!(read, grants);
    assert!(read.of(&"a".repeat(64)).is_none(), "a grant of the same name takes the earlier one's place");
    for bad in ["[[grant]]\nsha256 = 'x'\nname = 'a'", "grants = 1", "[[grant]]\nname = 'a'", "x"] {
        std::fs::write(&path, bad).unwrap();
        let error = Grants::read(&path).unwrap_err();
        assert!(error.to_string().contains("grants.toml"), "{error}");
    }
}
