//! Configurations that nobody wrote: what our reader accepts, `ssh` must read in the same way.

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof};
use proptest::test_runner::{Config, TestRunner};

use crate::Place;

fn host() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["web", "Web", "db", "a.x", "b.x", "real.x", "REAL.X"]).prop_map(str::to_owned)
}

fn user() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["bob", "amy", "root", "Bob"]).prop_map(str::to_owned)
}

fn pattern() -> impl Strategy<Value = String> {
    let plain = prop_oneof![host(), "[abw*?.!x]{1,4}", Just("*".to_owned()), Just("*.x".to_owned()), user()];
    (any::<bool>(), plain).prop_map(|(not, text)| if not { format!("!{text}") } else { text })
}

fn criterion() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec!["host", "originalhost", "user", "!user", "localuser", "HOST", "!host"]);
    let separator = prop::sample::select(vec![" ", "=", " = ", "\t"]);
    (name, separator, prop::collection::vec(pattern(), 1..3)).prop_map(|(n, s, p)| format!("{n}{s}{}", p.join(",")))
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c/%~$hnr\"' \\\\#=]{1,8}", "/[a-c]{1,2}", "~/[a-c]%h%r", user()]
}

/// Absolute: what `ssh -G` prints of relative ones can't be told from names with blanks.
fn known_hosts() -> impl Strategy<Value = String> {
    let file = prop::sample::select(vec!["/a", "~/b", "\"/a b\"", "none", "~/%h-%n", "/c%%", "/'d  e'f", "~root/g"]);
    prop::collection::vec(file, 1..3).prop_map(|files| files.join(" "))
}

fn line() -> impl Strategy<Value = String> {
    let keyword = prop::sample::select(vec![
        "IdentityFile",
        "identityfile",
        "User",
        "HostKeyAlias",
        "CertificateFile",
        "RevokedHostKeys",
        "IdentityAgent",
        "PreferredAuthentications",
        "SendEnv",
    ]);
    let flag = prop::sample::select(vec!["IdentitiesOnly", "HashKnownHosts", "PasswordAuthentication", "BatchMode"]);
    let flag_value = prop::sample::select(vec!["yes", "no", "TRUE", "\"no\"", "maybe"]);
    let separator = prop::sample::select(vec![" ", "=", " = ", "\t", "  ", "=="]);
    prop_oneof![
        2 => prop::collection::vec(pattern(), 1..4).prop_map(|p| format!("Host {}", p.join(" "))),
        2 => prop::collection::vec(criterion(), 1..3).prop_map(|c| format!("Match {}", c.join(" "))),
        1 => Just("Match all".to_owned()),
        2 => (prop::sample::select(vec!["UserKnownHostsFile", "GlobalKnownHostsFile"]), known_hosts())
            .prop_map(|(keyword, files)| format!(" {keyword} {files}")),
        6 => (keyword, separator.clone(), value()).prop_map(|(k, s, v)| format!(" {k}{s}{v}")),
        2 => (flag, separator, flag_value).prop_map(|(k, s, v)| format!(" {k}{s}{v}")),
        1 => "[0-9]{1,5}[smhdw]?".prop_map(|time| format!(" ConnectTimeout {time}")),
        1 => "[1-9][0-9]{0,4}".prop_map(|port| format!(" Port {port}")),
        1 => host().prop_map(|host| format!(" HostName {host}")),
        1 => "[a-c #@:,2]{1,6}".prop_map(|jump| format!(" ProxyJump {jump}")),
    ]
}

#[test]
fn what_our_reader_accepts_ssh_reads_in_the_same_way() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let compared = std::cell::Cell::new(0);
    // A failing case is printed whole; there is no file to keep it in.
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(120);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let strategy = (prop::collection::vec(line(), 1..8), host(), any::<bool>());
    runner
        .run(&strategy, |(lines, host, as_bob)| {
            // On Debian, BatchMode changes the default of this; we leave the default to the transport.
            let place = Place::new(&format!("ServerAliveInterval 5\n{}\n", lines.join("\n")));
            let target = if as_bob { format!("bob@{host}") } else { host };
            let (own, ssh) = runtime.block_on(async { (place.own(&target).await, place.ssh(&target).await) });
            // Ours may refuse more, and passes over mistakes in what does not apply.
            if let (Ok(own), Ok(ssh)) = (own, ssh) {
                proptest::prop_assert_eq!(own, ssh);
                compared.set(compared.get() + 1);
            }
            Ok(())
        })
        .unwrap();
    let compared = compared.get();
    eprintln!("{compared} of {cases} configurations were accepted by both");
    assert!(compared * 5 > cases, "only {compared} of {cases}: most must be configurations that mean something");
}
