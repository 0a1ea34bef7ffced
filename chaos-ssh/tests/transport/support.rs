//! Real servers on loopback, each with its own keys and configuration in a directory of its own, and each ended with
//! everything that runs under it when it is dropped. What can't run here is said, and fails where `CI` is set.

use std::{
    fs,
    io::Read,
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use chaos_core::{
    clock::SystemClock,
    error::Result,
    model::{AgentName, Ask},
    transport::{Output, Request, Transport},
};
use chaos_ssh::{
    Ssh,
    route::{Hop, KeyAgent, NewHosts, Route},
    secrets::Secrets,
};
use tempfile::TempDir;

/// What anything may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Says why a test does not run.
pub(crate) fn skip(why: &str) {
    eprintln!("skipped: {why}");
    assert!(std::env::var_os("CI").is_none(), "nothing is skipped in CI: {why}");
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The path of a program, or why the test can't run.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = dirs.map(|dir: PathBuf| dir.join(name)).find(|path| path.is_file());
    if found.is_none() {
        skip(&format!("there is no {name}"));
    }
    found
}

/// The user who runs the tests.
pub(crate) static USER: LazyLock<String> = LazyLock::new(|| text(Command::new("id").arg("-un")));

/// Runs a command that must succeed, and gives what it prints.
pub(crate) fn text(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A directory whose keys everybody may look up, as servers do so as the user who logs in.
pub(crate) fn directory() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

/// Makes a key pair; `args` as ssh-keygen takes them.
pub(crate) fn keygen(path: &Path, args: &[&str]) {
    let has_phrase = args.contains(&"-N");
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-C", "test", "-f"]).arg(path).args(args);
    if !has_phrase {
        command.args(["-N", ""]);
    }
    text(&mut command);
}

/// `SHA256:…` of a public key's file.
pub(crate) fn fingerprint(public: &Path) -> String {
    let line = text(Command::new("ssh-keygen").arg("-lf").arg(public));
    line.split(' ').nth(1).unwrap().to_owned()
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// Waits until something holds.
pub(crate) fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether a process runs; a zombie does not.
pub(crate) fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// The processes that `pid` started, and those that they started.
fn descendants(pid: u32) -> Vec<u32> {
    let mut all = vec![pid];
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            Some((pid, stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?))
        })
        .collect();
    let mut at = 0;
    while at < all.len() {
        let parent = all[at];
        all.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
        at += 1;
    }
    all.split_off(1)
}

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

/// A server that runs until it is dropped.
pub(crate) struct Server {
    pub dir: TempDir,
    pub port: u16,
    /// Of the host key.
    pub fingerprint: String,
    command: Vec<String>,
    child: Option<Child>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("--- log of the server on port {}\n{}", self.port, self.log());
        }
    }
}

impl Server {
    /// OpenSSH's server, which lets the current user in by [`Server::key`]; `config` is put before the defaults.
    pub(crate) fn openssh(config: &str) -> Option<Self> {
        Self::openssh_with(config, true, &[])
    }

    /// The same, started by another program, whose arguments the server's command is put behind.
    #[allow(dead_code, reason = "for the tests of the binary, which include this file")]
    pub(crate) fn openssh_in(wrapper: &[&str]) -> Option<Self> {
        Self::openssh_with("", true, wrapper)
    }

    fn openssh_with(config: &str, own_home: bool, wrapper: &[&str]) -> Option<Self> {
        let sshd = program("sshd")?;
        let dir = directory();
        let at = |name: &str| dir.path().join(name);
        keygen(&at("host"), &["-t", "ed25519"]);
        keygen(&at("key"), &["-t", "ed25519"]);
        fs::copy(at("key.pub"), at("authorized_keys")).unwrap();
        if is_root() {
            // Where a Debian server confines its unprivileged half; a service manager makes it otherwise.
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let port = free_port();
        let path = dir.path().display();
        fs::create_dir(at("home")).unwrap();
        // The start-up files of whoever runs the tests are nobody's business.
        let home = if own_home { format!("SetEnv HOME={path}/home") } else { String::new() };
        // Twice is an error, unlike everything else.
        let sftp = if config.contains("Subsystem sftp") { "" } else { "Subsystem sftp internal-sftp" };
        let whole = format!(
            "{config}\nListenAddress 127.0.0.1:{port}\nHostKey {path}/host\nPidFile none\nUsePAM no\n\
             AuthorizedKeysFile {path}/authorized_keys\nStrictModes no\nPermitRootLogin yes\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\n{sftp}\n{home}\n\
             LogLevel VERBOSE\n"
        );
        fs::write(at("config"), whole).unwrap();
        let fingerprint = fingerprint(&at("host.pub"));
        let command = ["-D", "-f", &format!("{path}/config"), "-E", &format!("{path}/log")].map(str::to_owned);
        let wrapper: Vec<String> = wrapper.iter().map(|word| (*word).to_owned()).collect();
        let command = [wrapper, vec![sshd.display().to_string()], command.to_vec()].concat();
        Some(Self { dir, port, fingerprint, command, child: None }.started())
    }

    /// dropbear, which lets the current user in by [`Server::key`] where that user's home can be lent; `None`, and said,
    /// where it can't.
    pub(crate) fn dropbear(user: &User) -> Option<Self> {
        let dropbear = program("dropbear")?;
        program("dropbearkey")?;
        let dir = directory();
        let at = |name: &str| dir.path().join(name);
        text(Command::new("dropbearkey").args(["-t", "ed25519", "-f"]).arg(at("host")));
        let public = text(Command::new("dropbearkey").arg("-y").arg("-f").arg(at("host")));
        let public = public.lines().find(|line| line.starts_with("ssh-")).unwrap();
        fs::write(at("host.pub"), public).unwrap();
        fs::copy(&user.key, at("key")).unwrap();
        let port = free_port();
        let fingerprint = fingerprint(&at("host.pub"));
        let host = at("host").display().to_string();
        let place = format!("127.0.0.1:{port}");
        let command = [&dropbear.display().to_string(), "-F", "-E", "-r", &host, "-p", &place].map(str::to_owned);
        Some(Self { dir, port, fingerprint, command: command.to_vec(), child: None }.started())
    }

    fn started(mut self) -> Self {
        self.start();
        self
    }

    /// Starts it, again if it was stopped.
    pub(crate) fn start(&mut self) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.dir.path().join("log")).unwrap();
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().unwrap());
        let port = self.port;
        wait_for("the server answers", || {
            let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
            stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            let mut id = [0; 4];
            stream.read_exact(&mut id).is_ok() && &id == b"SSH-"
        });
    }

    /// Ends the server and everything that runs under it.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let below = descendants(child.id());
            let _ = child.kill();
            let _ = child.wait();
            below.into_iter().for_each(kill);
        }
    }

    /// What runs under it.
    #[allow(dead_code, reason = "for the tests of the binary, which include this file")]
    pub(crate) fn running(&self) -> Vec<u32> {
        descendants(self.child.as_ref().unwrap().id())
    }

    /// Ends the connections that are open, and nothing that runs on them.
    pub(crate) fn cut_connections(&self) {
        let listener = self.child.as_ref().unwrap().id();
        let is_server = |pid: &u32| {
            fs::read_to_string(format!("/proc/{pid}/comm"))
                .is_ok_and(|comm| comm.starts_with("sshd") || comm.starts_with("dropbear"))
        };
        descendants(listener).into_iter().filter(is_server).for_each(kill);
    }

    /// Stops everything of the server where it is, as if its host were gone; `false` lets it go on.
    pub(crate) fn freeze(&self, frozen: bool) {
        let listener = self.child.as_ref().unwrap().id();
        let signal = if frozen { rustix::process::Signal::STOP } else { rustix::process::Signal::CONT };
        for pid in [vec![listener], descendants(listener)].concat() {
            let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// A private key that is let in.
    pub(crate) fn key(&self) -> PathBuf {
        self.dir.path().join("key")
    }

    /// The way to this server, by its key and a pinned host key.
    pub(crate) fn hop(&self) -> Hop {
        hop(self.port, &self.fingerprint, &self.key())
    }

    pub(crate) fn route(&self) -> Route {
        Route { hops: vec![self.hop()] }
    }

    pub(crate) async fn connect(&self) -> Ssh {
        connect(self.route()).await.unwrap_or_else(|e| panic!("{e}"))
    }
}

/// A hop on loopback.
pub(crate) fn hop(port: u16, fingerprint: &str, key: &Path) -> Hop {
    Hop {
        name: format!("{}@127.0.0.1:{port}", *USER),
        host: "127.0.0.1".into(),
        port,
        user: USER.clone(),
        host_key_alias: None,
        user_known_hosts: Vec::new(),
        global_known_hosts: Vec::new(),
        revoked_host_keys: Vec::new(),
        new_hosts: NewHosts::Refuse,
        hash_known_hosts: false,
        pinned: vec![fingerprint.to_owned()],
        identity_files: vec![key.to_owned()],
        certificate_files: Vec::new(),
        identities_only: false,
        agent: KeyAgent::None,
        password: false,
        connect_timeout: Duration::from_secs(20),
        alive_interval: Duration::ZERO,
        alive_count_max: 0,
    }
}

pub(crate) async fn connect(route: Route) -> Result<Ssh> {
    connect_with(route, Secrets::none()).await
}

pub(crate) async fn connect_with(route: Route, secrets: Secrets) -> Result<Ssh> {
    Ssh::connect(route, secrets, Arc::new(SystemClock::default())).await
}

pub(crate) fn request(ask: Ask) -> Request {
    Request { agent: AgentName::new("test"), ask, within: PATIENCE * 2, max_bytes: 1 << 20 }
}

pub(crate) fn sh(script: &str) -> Ask {
    Ask::run(["sh", "-c", script])
}

/// Asks and reads to the end.
pub(crate) async fn ask(ssh: &Ssh, ask: Ask) -> Output {
    let reply = ssh.open(&request(ask)).await.unwrap_or_else(|e| panic!("{e}"));
    tokio::time::timeout(PATIENCE, reply.output(1 << 30)).await.expect("the stream ends")
}

/// What a script prints, which must succeed.
pub(crate) async fn says(ssh: &Ssh, script: &str) -> String {
    ask(ssh, sh(script)).await.text().unwrap_or_else(|e| panic!("{script}: {e}")).trim().to_owned()
}

/// A system user of its own, for one test, until it is dropped.
pub(crate) struct User {
    pub name: String,
    /// Lets it in.
    pub key: PathBuf,
    dir: TempDir,
}

impl User {
    /// Its password is `chaos-PASSWORD 1`, and it may log in by [`User::key`]. `None`, and said, without root.
    pub(crate) fn new(shell: &str) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        if !is_root() {
            skip("a user can only be made by root");
            return None;
        }
        for needed in ["useradd", "userdel", "chpasswd"] {
            program(needed)?;
        }
        let name = format!("chaos{}x{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let dir = directory();
        let home = dir.path().join("home");
        let key = dir.path().join("key");
        keygen(&key, &["-t", "ed25519"]);
        // Two at once would find the files locked.
        let _one = USERS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        text(Command::new("useradd").args(["-K", "MAIL_DIR=/dev/null", "-M", "-s", shell, "-d"]).arg(&home).arg(&name));
        let user = Self { name, key, dir };
        fs::create_dir_all(home.join(".ssh")).unwrap();
        fs::copy(user.dir.path().join("key.pub"), home.join(".ssh/authorized_keys")).unwrap();
        user.own();
        let line = format!("{}:{}\n", user.name, Self::PASSWORD);
        text(Command::new("sh").args(["-c", "printf %s \"$1\" | chpasswd -c SHA256", "sh", &line]));
        Some(user)
    }

    pub(crate) const PASSWORD: &str = "chaos-PASSWORD 1";

    pub(crate) fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// Writes a file of its home.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.home().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self.own();
    }

    fn own(&self) {
        text(Command::new("chown").arg("-R").arg(format!("{}:", self.name)).arg(self.home()));
    }

    /// The way to `server` as this user, by its key.
    pub(crate) fn hop(&self, server: &Server) -> Hop {
        Hop { user: self.name.clone(), identity_files: vec![self.key.clone()], ..server.hop() }
    }
}

static USERS: std::sync::Mutex<()> = std::sync::Mutex::new(());

impl Drop for User {
    fn drop(&mut self) {
        let _one = USERS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Forced: a session of its may be just ending.
        let _ = Command::new("userdel").args(["-f", &self.name]).output();
    }
}

/// An OpenSSH server for a [`User`], with its own `authorized_keys`.
pub(crate) fn server_for_users(config: &str) -> Option<Server> {
    Server::openssh_with(&format!("{config}\nAuthorizedKeysFile .ssh/authorized_keys"), false, &[])
}
