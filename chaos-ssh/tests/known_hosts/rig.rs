//! A real `sshd` for every connection, the real `ssh` to compare with, and keys and certificates from `ssh-keygen`.
//! Each server is a listener of ours that hands a connection to `sshd -i`, so nothing outlives the test.

use std::{
    borrow::Cow,
    collections::HashMap,
    fs,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex, OnceLock},
    thread,
    time::Duration,
};

use chaos_ssh::route::{Hop, KeyAgent, NewHosts};
use russh::{
    client,
    keys::{Algorithm, PublicKey, PublicKeyOrCertificate},
};
use tempfile::TempDir;

/// The servers: which keys each has, and to which of them a certificate.
pub(crate) const SERVERS: [(&str, &[&str], &[&str]); 14] = [
    ("plain", ALL, &[]),
    ("valid", ALL, &["ed"]),
    ("expired", ALL, &["ed"]),
    ("early", ALL, &["ed"]),
    ("elsewhere", ALL, &["ed"]),
    ("user", ALL, &["ed"]),
    ("critical", ALL, &["ed"]),
    ("anyone", ALL, &["ed"]),
    ("sha1", ALL, &["ed"]),
    ("rsaca", ALL, &["ed"]),
    ("mixed", ALL, &["rsa", "ec"]),
    ("rsaonly", &["rsa"], &[]),
    ("few", &["ec", "rsa"], &[]),
    ("fewsigned", &["ec", "rsa"], &["rsa"]),
];
const ALL: &[&str] = &["ed", "ec", "rsa"];

/// An address whose port 22 we can have, where we may.
const ON_PORT_22: Ipv4Addr = Ipv4Addr::new(127, 66, 0, 22);

/// A key that a server shows, if it has one of that kind.
type Shown = Option<Arc<PublicKeyOrCertificate>>;

pub(crate) struct Rig {
    pub(crate) dir: TempDir,
    ports: HashMap<&'static str, u16>,
    /// `ssh-ed25519 AAAA…` by name (with a tab within it under `tab:NAME`): the server's `ed`, `ec`, `rsa`; strangers' `oed`, `oec`, `orsa`, `o384`; authorities'
    /// `ca`, `oca`, `carsa`; and certificates, `valid-cert` and so on.
    pub(crate) keys: HashMap<String, String>,
    pub(crate) has_ipv6: bool,
    pub(crate) has_port_22: bool,
    /// What was shown already, by address and algorithm.
    shown: Mutex<HashMap<(SocketAddr, String), Shown>>,
}

/// The rig, once for all tests; `None` where a tool is missing.
pub(crate) fn rig() -> Option<&'static Rig> {
    static RIG: OnceLock<Option<Rig>> = OnceLock::new();
    RIG.get_or_init(|| {
        let missing: Vec<_> = ["/usr/sbin/sshd", "/usr/bin/ssh", "/usr/bin/ssh-keygen"]
            .into_iter()
            .filter(|tool| !Path::new(tool).exists())
            .collect();
        if missing.is_empty() {
            return Some(Rig::build());
        }
        assert!(std::env::var_os("CI").is_none(), "these tests need {missing:?}");
        eprintln!("skipped: there is no {missing:?} here");
        None
    })
    .as_ref()
}

pub(crate) fn run(program: &str, args: &[&str]) -> String {
    let out = Command::new(program).args(args).stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert!(out.status.success(), "{program} {args:?}: {text}");
    String::from_utf8(out.stdout).unwrap()
}

impl Rig {
    fn build() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        for (name, kind) in [
            ("ed", "ed25519"),
            ("ec", "ecdsa"),
            ("rsa", "rsa"),
            ("oed", "ed25519"),
            ("oec", "ecdsa"),
            ("orsa", "rsa"),
            ("o384", "ecdsa"),
            ("ca", "ed25519"),
            ("oca", "ed25519"),
            ("carsa", "rsa"),
        ] {
            let bits: &[&str] = match (name, kind) {
                ("o384", _) => &["-b", "384"],
                (_, "rsa") => &["-b", "2048"],
                _ => &[],
            };
            run("ssh-keygen", &[&["-q", "-t", kind, "-N", "", "-C", "", "-f", &path(name)], bits].concat());
        }
        let sign = |server: &str, kind: &str, authority: &str, args: &[&str]| {
            let copy = path(&format!("{server}-{kind}.pub"));
            fs::copy(path(&format!("{kind}.pub")), &copy).unwrap();
            let authority = path(authority);
            let all = [&["-q", "-s", &authority, "-I", server, "-z", "77"], args, &[&copy]].concat();
            run("ssh-keygen", &all);
        };
        let here = "127.0.0.1,localhost,::1,box.example,127.66.0.22";
        sign("valid", "ed", "ca", &["-h", "-n", here, "-V", "-1d:+1d"]);
        sign("expired", "ed", "ca", &["-h", "-n", here, "-V", "-2d:-1d"]);
        sign("early", "ed", "ca", &["-h", "-n", here, "-V", "+1d:+2d"]);
        sign("elsewhere", "ed", "ca", &["-h", "-n", "elsewhere.example,127.0.0.*,*", "-V", "-1d:+1d"]);
        sign("user", "ed", "ca", &["-n", here, "-V", "-1d:+1d"]);
        sign("critical", "ed", "ca", &["-h", "-n", here, "-O", "critical:what@example.org=x", "-V", "-1d:+1d"]);
        sign("anyone", "ed", "ca", &["-h", "-V", "always:forever"]);
        sign("sha1", "ed", "carsa", &["-h", "-n", here, "-t", "ssh-rsa"]);
        sign("rsaca", "ed", "carsa", &["-h", "-n", here, "-t", "rsa-sha2-256"]);
        sign("mixed", "rsa", "ca", &["-h", "-n", here]);
        sign("mixed", "ec", "ca", &["-h", "-n", here]);
        sign("fewsigned", "rsa", "ca", &["-h", "-n", here]);
        let mut keys = HashMap::new();
        for file in fs::read_dir(dir.path()).unwrap() {
            let file = file.unwrap().path();
            if file.extension().is_some_and(|e| e == "pub") {
                let text = fs::read_to_string(&file).unwrap();
                let key = text.split(' ').take(2).collect::<Vec<_>>().join(" ");
                let name = file.file_stem().unwrap().to_str().unwrap();
                keys.insert(format!("tab:{name}"), key.trim().replace(' ', "\t"));
                keys.insert(name.to_owned(), key.trim().to_owned());
            }
        }
        if rustix::process::geteuid().is_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let mut has_ipv6 = true;
        let mut has_port_22 = false;
        let mut ports = HashMap::new();
        for (server, own, certificates) in SERVERS {
            let mut config =
                "UsePAM no\nStrictModes no\nPidFile none\nLogLevel QUIET\nLoginGraceTime 30\nAuthorizedKeysFile none\n"
                    .to_owned();
            for key in own {
                config += &format!("HostKey {}\n", path(key));
            }
            for kind in certificates {
                config += &format!("HostCertificate {}\n", path(&format!("{server}-{kind}-cert.pub")));
            }
            let config_path = path(&format!("{server}.conf"));
            fs::write(&config_path, config).unwrap();
            let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = v4.local_addr().unwrap().port();
            serve(v4, config_path.clone());
            match TcpListener::bind((Ipv6Addr::LOCALHOST, port)) {
                Ok(v6) => serve(v6, config_path.clone()),
                Err(_) => has_ipv6 = false,
            }
            if server == "valid"
                && let Ok(privileged) = TcpListener::bind((ON_PORT_22, 22))
            {
                has_port_22 = true;
                serve(privileged, config_path);
            }
            ports.insert(server, port);
        }
        Self { dir, ports, keys, has_ipv6, has_port_22, shown: Mutex::default() }
    }

    pub(crate) fn port(&self, server: &str) -> u16 {
        self.ports[server]
    }

    /// The key that the server at `addr` shows when it is asked for `algorithm`; `None` when it has none.
    pub(crate) fn shown(&self, addr: SocketAddr, algorithm: &str) -> Shown {
        let (plain, certificate) = match algorithm.strip_suffix("-cert-v01@openssh.com") {
            Some(plain) => (plain, true),
            None => (algorithm, false),
        };
        let mut cache = self.shown.lock().unwrap();
        cache
            .entry((addr, algorithm.to_owned()))
            .or_insert_with(|| {
                let algorithm = plain.parse::<Algorithm>().unwrap();
                let (keys, certificates) =
                    if certificate { (vec![], vec![algorithm]) } else { (vec![algorithm], vec![]) };
                negotiate(addr, keys, certificates).map(Arc::new)
            })
            .clone()
    }
}

/// Hands every connection to an `sshd` of its own.
fn serve(listener: TcpListener, config: String) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { continue };
            let input = OwnedFd::from(stream.try_clone().unwrap());
            let child = Command::new("/usr/sbin/sshd")
                .args(["-i", "-f", &config])
                .stdin(Stdio::from(input))
                .stdout(Stdio::from(OwnedFd::from(stream)))
                .stderr(Stdio::null())
                .spawn();
            let mut child = child.unwrap();
            thread::spawn(move || child.wait());
        }
    });
}

impl Rig {
    /// One of the keys, as a server would show it.
    pub(crate) fn key(&self, name: &str) -> PublicKeyOrCertificate {
        PublicKey::from_openssh(&self.keys[name]).unwrap().into()
    }
}

/// The key that `addr` shows a client of russh's which asks for these.
pub(crate) fn negotiate(
    addr: SocketAddr,
    keys: Vec<Algorithm>,
    certificates: Vec<Algorithm>,
) -> Option<PublicKeyOrCertificate> {
    struct Catch(Arc<Mutex<Option<PublicKeyOrCertificate>>>);
    impl client::Handler for Catch {
        type Error = russh::Error;
        async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
            *self.0.lock().unwrap() = Some(copy(key));
            Ok(false)
        }
    }
    let caught = Arc::new(Mutex::new(None));
    let preferred = russh::Preferred {
        key: Cow::Owned(keys),
        host_key_certificates: Cow::Owned(certificates),
        kex: Cow::Borrowed(&[russh::kex::CURVE25519]),
        ..russh::Preferred::DEFAULT
    };
    let config = client::Config { preferred, ..client::Config::default() };
    let handler = Catch(Arc::clone(&caught));
    let connected = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        tokio::time::timeout(Duration::from_secs(20), client::connect(Arc::new(config), addr, handler)).await
    });
    assert!(connected.is_ok_and(|connected| connected.is_err()), "no key is accepted");
    caught.lock().unwrap().take()
}

fn copy(key: &PublicKeyOrCertificate) -> PublicKeyOrCertificate {
    match key {
        PublicKeyOrCertificate::PublicKey { key, hash_alg } => {
            PublicKeyOrCertificate::PublicKey { key: key.clone(), hash_alg: *hash_alg }
        }
        PublicKeyOrCertificate::Certificate(certificate) => PublicKeyOrCertificate::Certificate(certificate.clone()),
    }
}

/// What `ssh` said on its standard error.
pub(crate) fn ssh(args: &[String]) -> String {
    let out = Command::new("timeout")
        .args(["30", "ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "PreferredAuthentications=none"])
        .args(["-o", "UpdateHostKeys=no", "-o", "IdentityFile=none", "-o", "ConnectTimeout=20"])
        // The default key exchange is several times slower, and of no matter here.
        .args(["-o", "KexAlgorithms=curve25519-sha256"])
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8_lossy(&out.stderr).into_owned()
}

/// A hop with these files and nothing else that matters.
pub(crate) fn hop(host: &str, port: u16, user: Vec<PathBuf>, global: Vec<PathBuf>) -> Hop {
    Hop {
        name: host.to_owned(),
        host: host.to_owned(),
        port,
        user: "root".to_owned(),
        host_key_alias: None,
        user_known_hosts: user,
        global_known_hosts: global,
        revoked_host_keys: Vec::new(),
        new_hosts: NewHosts::Refuse,
        hash_known_hosts: false,
        pinned: Vec::new(),
        identity_files: Vec::new(),
        certificate_files: Vec::new(),
        identities_only: true,
        agent: KeyAgent::None,
        password: false,
        connect_timeout: Duration::from_secs(20),
        alive_interval: Duration::ZERO,
        alive_count_max: 0,
    }
}
