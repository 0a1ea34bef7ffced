//! Whether a host's key is trusted, by files of known hosts and over the whole way of a login; the files' own rules are
//! compared with `ssh` in `tests/known_hosts`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use chaos_core::error::{Error, ErrorKind};
use chaos_ssh::route::{Hop, NewHosts, Route};

use crate::support::{Server, connect, keygen, says, text};

/// A server, and the way to it by a file of known hosts.
struct Place {
    server: Server,
    known: PathBuf,
}

impl Place {
    fn new(config: &str) -> Option<Self> {
        let server = Server::openssh(config)?;
        let known = server.dir.path().join("known_hosts");
        Some(Self { server, known })
    }

    fn hop(&self) -> Hop {
        Hop { pinned: Vec::new(), user_known_hosts: vec![self.known.clone()], ..self.server.hop() }
    }

    fn accepting(&self) -> Hop {
        Hop { new_hosts: NewHosts::Accept, ..self.hop() }
    }

    /// A line of the file, with the server's name in it.
    fn line(&self, marker: &str, public: &Path) -> String {
        let key = fs::read_to_string(public).unwrap();
        let key: Vec<&str> = key.split(' ').take(2).collect();
        format!("{marker}[127.0.0.1]:{} {}\n", self.server.port, key.join(" ").trim())
    }

    fn host_key(&self) -> PathBuf {
        self.server.dir.path().join("host.pub")
    }

    /// A new key pair beside the server's; gives its public half.
    fn other_key(&self, name: &str, kind: &str) -> PathBuf {
        keygen(&self.server.dir.path().join(name), &["-t", kind]);
        self.server.dir.path().join(format!("{name}.pub"))
    }

    /// Whether `ssh` itself trusts the host by our file.
    fn ssh_trusts(&self) -> bool {
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"])
            .arg("-o")
            .arg(format!("UserKnownHostsFile={}", self.known.display()))
            .args(["-o", "GlobalKnownHostsFile=none", "-o", "IdentitiesOnly=yes", "-i"])
            .arg(self.server.key())
            .args(["-p", &self.server.port.to_string(), "127.0.0.1", "true"]);
        ssh.output().unwrap().status.success()
    }
}

async fn logs_in(hop: Hop) {
    let ssh = connect(Route { hops: vec![hop] }).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(says(&ssh, "echo in").await, "in");
}

async fn denied(hop: Hop, part: &str) -> Error {
    let e = connect(Route { hops: vec![hop] }).await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Denied, "{e}");
    assert!(e.to_string().contains(part), "no {part:?} in: {e}");
    e
}

/// The command between backquotes in what an error says.
fn advised(e: &Error) -> String {
    e.to_string().split('`').nth(1).unwrap_or_else(|| panic!("no advice in: {e}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_host_is_refused_and_what_is_advised_mends_it() {
    let Some(place) = Place::new("") else { return };
    let e = denied(place.hop(), "nothing is known of this host's key").await;
    assert!(e.to_string().contains(&place.server.fingerprint), "{e}");
    assert!(!place.known.exists(), "nothing is noted by itself");
    text(Command::new("sh").args(["-c", &format!("{} 2>/dev/null", advised(&e))]));
    logs_in(place.hop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_key_is_refused_with_its_place_and_what_is_advised_mends_it() {
    let Some(place) = Place::new("") else { return };
    let other = place.other_key("other", "ed25519");
    fs::write(&place.known, format!("# a comment\n{}", place.line("", &other))).unwrap();
    let at = format!("{}:2 ", place.known.display());
    denied(place.accepting(), &at).await;
    let e = denied(place.hop(), "the host's key has changed").await;
    text(Command::new("sh").args(["-c", &advised(&e)]));
    denied(place.hop(), "nothing is known of this host's key").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_is_refused_under_every_policy() {
    let Some(place) = Place::new("") else { return };
    let host = place.host_key();
    fs::write(&place.known, place.line("", &host) + &place.line("@revoked ", &host)).unwrap();
    denied(place.hop(), "revoked").await;
    denied(place.accepting(), "revoked").await;
    fs::write(&place.known, place.line("", &host)).unwrap();
    logs_in(place.hop()).await;
    // A list of its own, as RevokedHostKeys names it; one that can't be read trusts nobody.
    let revoked = Hop { revoked_host_keys: vec![host], ..place.hop() };
    denied(revoked, "revoked").await;
    let absent = Hop { revoked_host_keys: vec![place.server.dir.path().join("absent")], ..place.hop() };
    assert_eq!(connect(Route { hops: vec![absent] }).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_host_is_noted_once_where_that_is_allowed_as_ssh_reads_it() {
    for hash in [false, true] {
        let Some(place) = Place::new("") else { return };
        let hop = Hop { hash_known_hosts: hash, ..place.accepting() };
        logs_in(hop.clone()).await;
        let noted = fs::read_to_string(&place.known).unwrap();
        assert_eq!((noted.lines().count(), noted.starts_with("|1|")), (1, hash), "{noted}");
        logs_in(hop).await;
        assert_eq!(fs::read_to_string(&place.known).unwrap(), noted);
        logs_in(place.hop()).await;
        assert!(place.ssh_trusts());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_host_that_cannot_be_noted_is_not_trusted() {
    let Some(place) = Place::new("") else { return };
    let hop = |known: &str| Hop { user_known_hosts: vec![known.into()], ..place.accepting() };
    let e = connect(Route { hops: vec![hop("/proc/nowhere/known_hosts")] }).await.unwrap_err();
    assert!(e.to_string().contains("/proc/nowhere"), "{e}");
}

/// A host with several keys shows the one that is known.
#[tokio::test(flavor = "multi_thread")]
async fn the_key_that_is_known_is_asked_for() {
    for kind in ["ecdsa", "rsa", "ed25519"] {
        let dir = crate::support::directory();
        let key = dir.path().join("second");
        keygen(&key, &["-t", kind]);
        let Some(place) = Place::new(&format!("HostKey {}", key.display())) else { return };
        fs::write(&place.known, place.line("", &key.with_extension("pub"))).unwrap();
        logs_in(place.hop()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_certificate_holds_while_it_is_valid_and_for_its_host() {
    for (options, fault) in [
        (&["-n", "127.0.0.1"][..], None),
        (&["-n", "other.example"], Some("the certificate is for other hosts")),
        (&["-n", "127.0.0.1", "-V", "20200101:20200102"], Some("the certificate has expired")),
        (&["-n", "127.0.0.1", "-V", "20980101:20990102"], Some("the certificate is not valid yet")),
    ] {
        let dir = crate::support::directory();
        let at = |name: &str| dir.path().join(name);
        keygen(&at("ca"), &["-t", "ed25519"]);
        keygen(&at("id"), &["-t", "ecdsa"]);
        text(
            Command::new("ssh-keygen")
                .args(["-q", "-h", "-I", "test", "-s"])
                .arg(at("ca"))
                .args(options)
                .arg(at("id.pub")),
        );
        let config = format!("HostKey {}\nHostCertificate {}", at("id").display(), at("id-cert.pub").display());
        let Some(place) = Place::new(&config) else { return };
        fs::write(&place.known, place.line("@cert-authority ", &at("ca.pub"))).unwrap();
        assert_eq!(place.ssh_trusts(), fault.is_none(), "{options:?}");
        match fault {
            None => logs_in(place.hop()).await,
            Some(fault) => drop(denied(place.hop(), fault).await),
        }
    }
}

/// Keys are exchanged anew in the middle of a connection, many times.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_survives_new_keys() {
    let Some(place) = Place::new("RekeyLimit 1M") else { return };
    fs::write(&place.known, place.line("", &place.host_key())).unwrap();
    let ssh = connect(Route { hops: vec![place.hop()] }).await.unwrap_or_else(|e| panic!("{e}"));
    let script = "head -c 20000000 /dev/zero | tr '\\0' x; echo; echo done";
    let (one, two) = tokio::join!(
        crate::support::ask(&ssh, crate::support::sh(script)),
        crate::support::ask(&ssh, crate::support::sh("sleep 0.2; echo beside"))
    );
    assert_eq!(one.stdout.len(), 20_000_006, "{:?}", one.end);
    assert_eq!(two.text().unwrap().trim(), "beside");
    assert_eq!(says(&ssh, "echo after").await, "after");
}
