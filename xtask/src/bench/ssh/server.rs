//! The server of a comparison: OpenSSH's sshd on loopback with keys and a configuration of its own, in which one cipher
//! and one key exchange are left to choose from. It ends when it is dropped; the clients end their own sessions.

use std::{
    fs,
    io::Read,
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// One key exchange under both of its names: paramiko knows the older.
pub(super) const KEX: &str = "curve25519-sha256,curve25519-sha256@libssh.org";
/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) struct Server {
    pub port: u16,
    pub user: String,
    /// What it says that it is.
    pub version: String,
    dir: PathBuf,
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

impl Server {
    pub(super) fn start(cipher: &str) -> Result<Self, String> {
        let sshd =
            ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd"].into_iter().find(|p| Path::new(p).is_file());
        let sshd = sshd.ok_or("there is no sshd: install openssh-server")?;
        let user = said(Command::new("id").arg("-un"))?;
        if user == "root" {
            // Where a Debian server confines its unprivileged half; a service manager makes it otherwise.
            fs::create_dir_all("/run/sshd").map_err(|e| format!("/run/sshd: {e}"))?;
        }
        let short = cipher.split('@').next().unwrap_or(cipher);
        let dir = std::env::temp_dir().join(format!("chaos-bench-{}-{short}", std::process::id()));
        fs::DirBuilder::new().mode(0o700).create(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        let started = Self::start_in(&dir, sshd, user, cipher);
        if started.is_err() {
            let _ = fs::remove_dir_all(&dir);
        }
        started
    }

    fn start_in(dir: &Path, sshd: &str, user: String, cipher: &str) -> Result<Self, String> {
        let file = |name: &str| dir.join(name);
        for name in ["host", "key"] {
            let mut keygen = Command::new("ssh-keygen");
            said(keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f"]).arg(file(name)))?;
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| e.to_string())?;
        let port = listener.local_addr().map_err(|e| e.to_string())?.port();
        drop(listener);
        let path = dir.display();
        // The start-up files of whoever measures would be measured too: the home is an empty one. No limit is met: up
        // to a thousand connections are open, and on a busy machine a login may take its time.
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {path}/host\nPidFile none\nUsePAM no\nUseDNS no\n\
             AuthorizedKeysFile {path}/key.pub\nStrictModes no\nPermitRootLogin yes\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nKexAlgorithms {KEX}\nCiphers {cipher}\nCompression no\n\
             MaxStartups 2000\nMaxSessions 1000\nLoginGraceTime 0\nSetEnv HOME={path}/home\nLogLevel ERROR\n"
        );
        let write = |name: &str, text: String| fs::write(file(name), text).map_err(|e| format!("{name}: {e}"));
        let public = fs::read_to_string(file("host.pub")).map_err(|e| e.to_string())?;
        write("config", config)?;
        write("known_hosts", format!("[127.0.0.1]:{port} {public}"))?;
        fs::create_dir(file("home")).map_err(|e| e.to_string())?;
        let mut command = Command::new(sshd);
        command.arg("-D").arg("-f").arg(file("config")).arg("-E").arg(file("log")).stdin(Stdio::null());
        let child = command.spawn().map_err(|e| format!("{sshd}: {e}"))?;
        let mut server = Self { port, user, version: String::new(), dir: dir.to_owned(), child };
        server.version = server.banner()?;
        Ok(server)
    }

    /// The first line that it sends, once it does.
    fn banner(&self) -> Result<String, String> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) {
                let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
                let mut bytes = [0; 255];
                let read = stream.read(&mut bytes).unwrap_or(0);
                let text = String::from_utf8_lossy(&bytes[..read]);
                if let Some(version) = text.trim().strip_prefix("SSH-2.0-") {
                    return Ok(version.to_owned());
                }
            }
            sleep(Duration::from_millis(50));
        }
        let log = fs::read_to_string(self.file("log")).unwrap_or_default();
        Err(format!("sshd does not answer; its log:\n{log}"))
    }

    /// A file of it: `key` lets in, `known_hosts` knows it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }
}

/// What a command prints that must succeed.
pub(super) fn said(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("{command:?}: {e}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    // ssh -V prints its version there.
    let out = if output.stdout.is_empty() { output.stderr } else { output.stdout };
    Ok(String::from_utf8_lossy(&out).trim().to_owned())
}
