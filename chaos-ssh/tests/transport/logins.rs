//! Every way to prove who one is, as `ssh` knows them, and what is told when none is taken.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use chaos_core::error::ErrorKind;
use chaos_ssh::{
    route::{Hop, KeyAgent, Route},
    secrets::{Question, Secret, Secrets},
};

use crate::support::{
    Server, USER, User, connect, connect_with, keygen, program, says, server_for_users, text, wait_for,
};

fn to(hop: Hop) -> Route {
    Route { hops: vec![hop] }
}

fn let_in(server: &Server, public: &Path) {
    fs::copy(public, server.dir.path().join("authorized_keys")).unwrap();
}

/// A new key of the server's directory that is let in, with ssh-keygen's arguments.
fn new_key(server: &Server, args: &[&str]) -> PathBuf {
    let key = server.dir.path().join("id");
    keygen(&key, args);
    let_in(server, &server.dir.path().join("id.pub"));
    key
}

async fn check_key(args: &[&str], secrets: Secrets) {
    let Some(server) = Server::openssh("") else { return };
    let key = new_key(&server, args);
    let hop = Hop { identity_files: vec![key], ..server.hop() };
    let ssh = connect_with(to(hop), secrets).await.unwrap_or_else(|e| panic!("{args:?}: {e}"));
    assert_eq!(says(&ssh, "echo in").await, "in");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_key() {
    for args in [
        &["-t", "ed25519"][..],
        &["-t", "rsa", "-b", "2048"],
        &["-t", "rsa", "-b", "2048", "-m", "PEM"],
        &["-t", "ecdsa", "-b", "256"],
        &["-t", "ecdsa", "-b", "384"],
        &["-t", "ecdsa", "-b", "521"],
    ] {
        check_key(args, Secrets::none()).await;
    }
}

/// A P-256 key whose private scalar starts with a zero byte, which OpenSSH leaves out. ssh-keygen made it; it opens
/// nothing.
const SHORT_SCALAR: &str = "-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAaAAAABNlY2RzYS
1zaGEyLW5pc3RwMjU2AAAACG5pc3RwMjU2AAAAQQS5GsI/N0TTZj7pb4f0u81KI9jC1bIR
JRrn+4YIZGRqEOvmwm9stGu75ruamTN1G7mmEIr1jc5Gsbnez07dLFM5AAAAoO0VP5XtFT
+VAAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBLkawj83RNNmPulv
h/S7zUoj2MLVshElGuf7hghkZGoQ6+bCb2y0a7vmu5qZM3UbuaYQivWNzkaxud7PTt0sUz
kAAAAfYDzDneLB7oJLFes9bpvd2SWqp60JFxuFc+hTgJnLzQAAAAVzaG9ydAECAwQ=
-----END OPENSSH PRIVATE KEY-----
";

#[tokio::test(flavor = "multi_thread")]
async fn a_key_with_a_short_scalar() {
    let Some(server) = Server::openssh("") else { return };
    let key = server.dir.path().join("short");
    fs::write(&key, SHORT_SCALAR).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let run = |args: &[&str]| {
        let done = Command::new("ssh-keygen").args(args).arg("-f").arg(&key).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    };
    let public = server.dir.path().join("short.pub");
    fs::write(&public, run(&["-y"])).unwrap();
    let_in(&server, &public);
    fs::remove_file(&public).unwrap();
    let hop = Hop { identity_files: vec![key.clone()], ..server.hop() };
    assert_eq!(says(&connect(to(hop.clone())).await.unwrap(), "echo in").await, "in");
    run(&["-p", "-N", "correct horse"]);
    let secrets = |passphrase: &str| {
        let secret = Secret::new(passphrase.into());
        Secrets::new(None, Some(Arc::new(move |_| Some(secret.clone()))))
    };
    let ssh = connect_with(to(hop.clone()), secrets("correct horse")).await.unwrap();
    assert_eq!(says(&ssh, "echo in").await, "in");
    let e = connect_with(to(hop), secrets("hunter2")).await.unwrap_err();
    assert!(e.to_string().contains("the passphrase does not open it"), "{e}");
}

/// A person is asked once, although the connection is made again.
#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_key_with_its_passphrase() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let secrets = Secrets::new(
        None,
        Some(Arc::new(move |question| {
            assert!(matches!(question, Question::Passphrase { key } if key.ends_with("id")));
            count.fetch_add(1, Ordering::Relaxed);
            Some(Secret::new("correct horse\n".into()))
        })),
    );
    check_key(&["-t", "ed25519", "-N", "correct horse"], secrets.clone()).await;
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    check_key(&["-t", "rsa", "-b", "2048", "-m", "PEM", "-N", "correct horse"], secrets).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_key_without_its_passphrase_is_told() {
    let Some(server) = Server::openssh("") else { return };
    let key = new_key(&server, &["-t", "ed25519", "-N", "correct horse"]);
    let hop = Hop { identity_files: vec![key], ..server.hop() };
    let e = connect(to(hop.clone())).await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Denied, "{e}");
    assert!(e.to_string().contains("no passphrase was given"), "{e}");
    let wrong = Secrets::new(None, Some(Arc::new(|_| Some(Secret::new("hunter2".into())))));
    let e = connect_with(to(hop), wrong).await.unwrap_err();
    assert!(e.to_string().contains("the passphrase does not open it"), "{e}");
    assert!(!format!("{e:?}").contains("hunter2"));
}

/// Nobody is asked for the passphrase of a key that the server does not want.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_wanted_needs_no_passphrase() {
    let Some(server) = Server::openssh("") else { return };
    let other = server.dir.path().join("other");
    keygen(&other, &["-t", "ed25519", "-N", "correct horse"]);
    let hop = Hop { identity_files: vec![other, server.key()], ..server.hop() };
    let nobody = Secrets::new(None, Some(Arc::new(|question| panic!("asked for {question:?}"))));
    let ssh = connect_with(to(hop), nobody).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(says(&ssh, "echo in").await, "in");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_tried_and_what_was_not_is_told() {
    let Some(server) = Server::openssh("Banner /etc/os-release") else { return };
    let at = |name: &str| server.dir.path().join(name);
    keygen(&at("stranger"), &["-t", "ed25519"]);
    keygen(&at("open"), &["-t", "ed25519"]);
    fs::write(at("garbage"), "this is no key\n").unwrap();
    text(Command::new("chmod").arg("644").arg(at("open")));
    text(Command::new("chmod").arg("600").arg(at("garbage")));
    let files = ["stranger", "open", "garbage", "absent"].map(at).to_vec();
    let e = connect(to(Hop { identity_files: files, ..server.hop() })).await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Denied);
    let said = e.to_string();
    for part in [
        "permission denied for user",
        "publickey",
        "stranger SHA256:",
        "open: others can read it",
        "chmod 600",
        "garbage: this is no private key",
        "PRETTY_NAME",
        &server.port.to_string(),
    ] {
        assert!(said.contains(part), "no {part:?} in: {said}");
    }
    assert!(!said.contains("absent"), "{said}");
    let e = connect(to(Hop { identity_files: vec![], ..server.hop() })).await.unwrap_err();
    assert!(e.to_string().contains("no key and no password"), "{e}");
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_keys_are_told_as_such() {
    let Some(server) = Server::openssh("MaxAuthTries 3") else { return };
    let keys: Vec<PathBuf> = (0..5).map(|n| server.dir.path().join(format!("k{n}"))).collect();
    keys.iter().for_each(|key| keygen(key, &["-t", "ed25519"]));
    let files = [keys, vec![server.key()]].concat();
    let e = connect(to(Hop { identity_files: files, ..server.hop() })).await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Denied, "{e}");
    assert!(e.to_string().contains("IdentitiesOnly yes"), "{e}");
}

struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Agent {
    fn start(dir: &Path) -> Option<Self> {
        let socket = dir.join("agent");
        let mut command = Command::new(program("ssh-agent")?);
        let child =
            command.arg("-D").arg("-a").arg(&socket).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let agent = Self { child, socket };
        wait_for("the agent answers", || agent.socket.exists());
        Some(agent)
    }

    fn add(&self, key: &Path) {
        text(Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", &self.socket));
    }

    fn place(&self) -> KeyAgent {
        KeyAgent::Socket(self.socket.clone())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_keys() {
    let Some(server) = Server::openssh("") else { return };
    let Some(agent) = Agent::start(server.dir.path()) else { return };
    let other = server.dir.path().join("other");
    keygen(&other, &["-t", "ed25519"]);
    agent.add(&other);
    for args in [&["-t", "ed25519"][..], &["-t", "rsa", "-b", "2048"], &["-t", "ecdsa"]] {
        let key = new_key(&server, args);
        agent.add(&key);
        fs::remove_file(&key).unwrap();
        // Only the agent has it; once found by itself, once by its public half, which the configuration names.
        let all = Hop { identity_files: vec![], agent: agent.place(), ..server.hop() };
        let named = Hop { identity_files: vec![key.clone()], identities_only: true, ..all.clone() };
        for hop in [all, named] {
            let ssh = connect(to(hop)).await.unwrap_or_else(|e| panic!("{args:?}: {e}"));
            assert_eq!(says(&ssh, "echo in").await, "in");
        }
        fs::remove_file(server.dir.path().join("id.pub")).unwrap();
    }
    let none = Hop { identity_files: vec![], identities_only: true, agent: agent.place(), ..server.hop() };
    let e = connect(to(none)).await.unwrap_err();
    assert!(e.to_string().contains("IdentitiesOnly"), "{e}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_gone_is_told_and_no_hindrance() {
    let Some(server) = Server::openssh("") else { return };
    let gone = KeyAgent::Socket("/nonexistent/agent".into());
    let hop = Hop { agent: gone, ..server.hop() };
    let ssh = connect(to(hop.clone())).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(says(&ssh, "echo in").await, "in");
    let e = connect(to(Hop { identity_files: vec![], ..hop })).await.unwrap_err();
    assert!(e.to_string().contains("no agent answers"), "{e}");
}

/// Of a server that knows only the authority.
#[tokio::test(flavor = "multi_thread")]
async fn user_certificates() {
    for kind in [&["-t", "ed25519"][..], &["-t", "rsa", "-b", "2048"], &["-t", "ecdsa"]] {
        let dir = crate::support::directory();
        let at = |name: &str| dir.path().join(name);
        keygen(&at("ca"), &["-t", "ed25519"]);
        keygen(&at("id"), kind);
        let Some(server) =
            Server::openssh(&format!("TrustedUserCAKeys {}\nAuthorizedKeysFile none", at("ca.pub").display()))
        else {
            return;
        };
        let hop = Hop { identity_files: vec![at("id")], ..server.hop() };
        assert!(connect(to(hop.clone())).await.is_err(), "the key alone is not enough");
        text(Command::new("ssh-keygen").args(["-q", "-I", "test", "-n", &USER, "-s"]).arg(at("ca")).arg(at("id.pub")));
        let ssh = connect(to(hop.clone())).await.unwrap_or_else(|e| panic!("{kind:?}: {e}"));
        assert_eq!(says(&ssh, "echo in").await, "in");
        // By its own option, with the key held by an agent.
        let Some(agent) = Agent::start(dir.path()) else { return };
        fs::rename(at("id-cert.pub"), at("elsewhere.pub")).unwrap();
        agent.add(&at("id"));
        fs::remove_file(at("id")).unwrap();
        let held =
            Hop { identity_files: vec![], certificate_files: vec![at("elsewhere.pub")], agent: agent.place(), ..hop };
        let ssh = connect(to(held)).await.unwrap_or_else(|e| panic!("{kind:?} in an agent: {e}"));
        assert_eq!(says(&ssh, "echo in").await, "in");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_where_it_is_allowed() {
    let Some(user) = User::new("/bin/sh") else { return };
    let Some(server) = server_for_users("PasswordAuthentication yes") else { return };
    let hop = Hop { identity_files: vec![], password: true, ..user.hop(&server) };
    let with = |text: &str| Secrets::new(Some(Secret::new(text.into())), None);
    let ssh = connect_with(to(hop.clone()), with(User::PASSWORD)).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(says(&ssh, "id -un").await, user.name);
    let e = connect_with(to(hop.clone()), with("hunter2")).await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Denied, "{e}");
    assert!(e.to_string().contains("tried: password"), "{e}");
    assert!(!format!("{e:?}{e}").contains("hunter2"));
    let asked = Secrets::new(
        None,
        Some(Arc::new(|question| {
            assert!(matches!(question, Question::Password { .. }));
            Some(Secret::new(User::PASSWORD.into()))
        })),
    );
    assert!(connect_with(to(hop.clone()), asked).await.is_ok());
    let e = connect_with(to(Hop { password: false, ..hop }), with(User::PASSWORD)).await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Denied, "{e}");
}

/// Some servers ask for the password as the one question of a conversation.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_by_keyboard_interactive() {
    let Some(user) = User::new("/bin/sh") else { return };
    let config = "UsePAM yes\nPasswordAuthentication no\nKbdInteractiveAuthentication yes";
    let Some(server) = server_for_users(config) else { return };
    let hop = Hop { identity_files: vec![], password: true, ..user.hop(&server) };
    let secrets = Secrets::new(Some(Secret::new(User::PASSWORD.into())), None);
    let ssh = connect_with(to(hop), secrets).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(says(&ssh, "id -un").await, user.name);
}

/// A key and a password, one after the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_both() {
    let Some(user) = User::new("/bin/sh") else { return };
    let config = "PasswordAuthentication yes\nAuthenticationMethods publickey,password";
    let Some(server) = server_for_users(config) else { return };
    let hop = Hop { password: true, ..user.hop(&server) };
    let secrets = Secrets::new(Some(Secret::new(User::PASSWORD.into())), None);
    let ssh = connect_with(to(hop.clone()), secrets).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(says(&ssh, "id -un").await, user.name);
    let e = connect(to(hop)).await.unwrap_err();
    assert!(e.to_string().contains("accepted, and the server wants more"), "{e}");
}
