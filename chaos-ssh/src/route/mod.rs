//! From a [`Destination`] to the hosts that are logged in to on the way, each with everything that decides how.
//! The configuration is read by `ssh -G` where that is installed, else by a parser of our own that refuses what it
//! does not know.
//!
//! Owns who reads the configuration and how jump hosts follow from it; connects to nothing and knows no SSH library.
//!
//! - `ask_ssh`, `config`: the two readers; both give `settings`.
//! - `settings`: what the keywords mean, and the [`Hop`] that follows from them.
//! - `tokens`, `local`: `~`, `%h`, `${NAME}`, and the facts of this machine they stand for.

mod ask_ssh;
mod config;
mod local;
mod settings;
mod tokens;

use std::{collections::VecDeque, path::PathBuf, sync::Arc, time::Duration};

use chaos_core::error::{Error, ErrorKind, Result};

use self::{ask_ssh::Ssh, local::Local, settings::Settings};
use crate::destination::Destination;

/// How many hosts a route may have, the target among them.
const MAX_HOPS: usize = 8;
/// How long reading the configuration may take: `ssh -G` runs `Match exec` and, when asked to, the resolver.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// What to do with a host whose key is in no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NewHosts {
    /// Refuse it. OpenSSH's `StrictHostKeyChecking yes`, and `ask` where nobody can be asked.
    #[default]
    Refuse,
    /// Note its key in the first of the user's files, and trust it from then on; a changed key is still refused.
    /// OpenSSH's `accept-new`.
    Accept,
}

/// Where keys may be kept in memory by somebody else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyAgent {
    /// No agent is asked.
    None,
    /// The agent at this socket; from `SSH_AUTH_SOCK` or `IdentityAgent`.
    Socket(PathBuf),
}

/// One host to log in to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// As it was typed; for messages.
    pub name: String,
    /// What is connected to: a name that is looked up, or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The login name.
    pub user: String,
    /// Under which name its key is looked up, in place of host and port.
    pub host_key_alias: Option<String>,
    /// The user's `known_hosts` files; new keys go into the first.
    pub user_known_hosts: Vec<PathBuf>,
    /// The machine's `known_hosts` files.
    pub global_known_hosts: Vec<PathBuf>,
    /// Files with revoked keys that are refused whatever `known_hosts` says (`RevokedHostKeys`).
    pub revoked_host_keys: Vec<PathBuf>,
    /// What to do with a host whose key is in none of them.
    pub new_hosts: NewHosts,
    /// Whether new entries have their names hashed (`HashKnownHosts`).
    pub hash_known_hosts: bool,
    /// `SHA256:…`: when there are some, the host's key must be one of them, and no file is asked.
    pub pinned: Vec<String>,
    /// Private keys to try, in this order; those that do not exist are passed over.
    pub identity_files: Vec<PathBuf>,
    /// User certificates to try with these keys, beside `KEY-cert.pub`.
    pub certificate_files: Vec<PathBuf>,
    /// Whether only `identity_files` are tried, also of those that an agent holds.
    pub identities_only: bool,
    /// The agent to ask.
    pub agent: KeyAgent,
    /// Whether a password may be used when no key was accepted.
    pub password: bool,
    /// How long to wait for the connection and the login.
    pub connect_timeout: Duration,
    /// After how much silence to ask whether the host is still there; zero: never.
    pub alive_interval: Duration,
    /// After how many unanswered questions the connection is given up.
    pub alive_count_max: usize,
}

/// The hops to a target; the last is the target itself, those before it are jump hosts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// At least one.
    pub hops: Vec<Hop>,
}

/// Which configuration is read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ConfigFile {
    /// The user's `~/.ssh/config`, then `/etc/ssh/ssh_config`; either may be missing.
    #[default]
    Default,
    /// This file alone, as with `ssh -F`; it must be there.
    Only(PathBuf),
    /// None: OpenSSH's defaults, as with `ssh -F none`.
    None,
}

/// Who reads the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Reader {
    /// The `ssh` in `PATH` if it is OpenSSH's, else our own parser.
    #[default]
    Auto,
    /// This OpenSSH client.
    Ssh(PathBuf),
    /// Our own parser.
    Own,
}

/// What a caller says beside the destination. It goes before the configuration and, as with options of `ssh`, concerns
/// the target alone: what jump hosts need stands in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Which configuration is read.
    pub config: ConfigFile,
    /// Who reads it.
    pub reader: Reader,
    /// What `~` is, in place of the user's home by the user database. As `ssh` can't be told of another home, our own
    /// parser reads then.
    pub home: Option<PathBuf>,
    /// How long reading may take, all hops together.
    pub time_limit: Duration,
    /// Private keys to try before the configured ones; each must be readable. When there are some, no other keys of an
    /// agent are tried (`IdentitiesOnly`), so that the named ones are not lost among "too many failures".
    pub identity_files: Vec<PathBuf>,
    /// The target's key must be one of these `SHA256:…`.
    pub pinned: Vec<String>,
    /// What to do with a new target.
    pub new_hosts: Option<NewHosts>,
    /// In place of the user's `known_hosts` files, unless empty.
    pub user_known_hosts: Vec<PathBuf>,
    /// Jump hosts in place of the configured ones, as in `ssh -J`: `a,user@b:22`, or `none`.
    pub jump: Option<String>,
    /// In place of `ConnectTimeout`.
    pub connect_timeout: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            config: ConfigFile::default(),
            reader: Reader::default(),
            home: None,
            time_limit: TIME_LIMIT,
            identity_files: Vec::new(),
            pinned: Vec::new(),
            new_hosts: None,
            user_known_hosts: Vec::new(),
            jump: None,
            connect_timeout: None,
        }
    }
}

/// One question to the configuration: what holds for this host, when these jump hosts are given.
#[derive(Debug, Clone)]
struct Question {
    destination: Destination,
    /// As after `ssh -J`; `None` leaves it to the configuration.
    jump: Option<String>,
    /// Whether keys are given beside the configuration, in which case there are no default ones.
    keys_given: bool,
}

impl Route {
    /// Works out the way to `destination` by the user's and the machine's configuration.
    ///
    /// # Errors
    /// As [`find_with`](Self::find_with).
    pub async fn find(destination: &Destination) -> Result<Self> {
        Self::find_with(destination, &Options::default()).await
    }

    /// Works out the way to `destination` by the configuration and `options`.
    ///
    /// # Errors
    /// - `InvalidInput` when the configuration can't be understood or asks for what we don't do (`ProxyCommand`), with
    ///   file, line and the remedy; when jump hosts go in circles; when an option is malformed.
    /// - `NotFound`, `Denied`, `Storage` when a named file can't be read.
    /// - `Deadline` when reading took longer than `options.time_limit`.
    pub async fn find_with(destination: &Destination, options: &Options) -> Result<Self> {
        check(options)?;
        let walk = async {
            let asked = Asked::new(options).await?;
            walk(&asked, destination, options).await
        };
        tokio::time::timeout(options.time_limit, walk).await.unwrap_or_else(|_| {
            Err(Error::new(
                ErrorKind::Deadline,
                "reading the ssh configuration took too long: a command of `Match exec` or a name that is \
                 canonicalized may hang; try `ssh -G HOST`",
            )
            .with("host", &destination.host)
            .with("limit", format!("{:?}", options.time_limit)))
        })
    }
}

/// Follows the jump hosts from the target backwards, as `ssh` does when it starts a `ssh -W` for each: the last of the
/// list is asked for with the rest of the list as its own jump hosts, and only the first follows its configuration.
async fn walk(asked: &Asked, destination: &Destination, options: &Options) -> Result<Route> {
    let mut question = Question {
        destination: destination.clone(),
        jump: options.jump.clone(),
        keys_given: !options.identity_files.is_empty(),
    };
    let mut hops: VecDeque<Hop> = VecDeque::new();
    loop {
        let settings = asked.settings(&question).await?;
        let jump = settings.jump().map(str::to_owned);
        let mut hop = settings.hop(&question.destination, &asked.local)?;
        if hops.is_empty() {
            apply(options, &mut hop);
        }
        if hops.iter().any(|h| (&h.host, h.port, &h.user) == (&hop.host, hop.port, &hop.user)) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "the jump hosts go in circles: give the one that comes back `ProxyJump none`",
            )
            .with("host", &hop.name)
            .with("target", destination));
        }
        hops.push_front(hop);
        let Some(jump) = jump else { return Ok(Route { hops: hops.into() }) };
        if hops.len() == MAX_HOPS {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!("more than {MAX_HOPS} hosts on the way: look whether ProxyJump goes in circles"),
            )
            .with("target", destination));
        }
        question = next(&jump, &question.destination)?;
    }
}

/// The last host of `jump`, which is the way to `to`, with the rest as its own jump hosts.
fn next(jump: &str, to: &Destination) -> Result<Question> {
    let (rest, last) = jump.rsplit_once(',').map_or((None, jump), |(rest, last)| (Some(rest.to_owned()), last));
    let destination = last.parse().map_err(|cause| {
        Error::new(ErrorKind::InvalidInput, "a jump host (ProxyJump) is not [USER@]HOST[:PORT]")
            .with("on the way to", to)
            .because(cause)
    })?;
    Ok(Question { destination, jump: rest, keys_given: false })
}

/// What the caller said goes before the target's configuration.
fn apply(options: &Options, hop: &mut Hop) {
    if !options.identity_files.is_empty() {
        let configured = std::mem::take(&mut hop.identity_files);
        hop.identity_files.clone_from(&options.identity_files);
        hop.identity_files.extend(configured.into_iter().filter(|file| !options.identity_files.contains(file)));
        hop.identities_only = true;
    }
    hop.pinned.clone_from(&options.pinned);
    hop.new_hosts = options.new_hosts.unwrap_or(hop.new_hosts);
    hop.connect_timeout = options.connect_timeout.unwrap_or(hop.connect_timeout);
    if !options.user_known_hosts.is_empty() {
        hop.user_known_hosts.clone_from(&options.user_known_hosts);
    }
}

/// What can be told of the options before anything is read.
fn check(options: &Options) -> Result<()> {
    for file in &options.identity_files {
        std::fs::File::open(file).map_err(|e| Error::storage("read the private key", file, e))?;
    }
    for pin in &options.pinned {
        let hash = pin.strip_prefix("SHA256:").unwrap_or_default();
        let base64 = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
        if hash.len() != 43 || !hash.bytes().all(base64) {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "a pinned host key is not SHA256: and 43 characters, as `ssh-keygen -lf KEY.pub` prints it",
            )
            .with("pinned", pin));
        }
    }
    Ok(())
}

/// The reader that was chosen.
#[derive(Debug)]
struct Asked {
    local: Arc<Local>,
    config: ConfigFile,
    /// `None`: our own parser.
    ssh: Option<Ssh>,
}

impl Asked {
    async fn new(options: &Options) -> Result<Self> {
        let ssh = match &options.reader {
            _ if options.home.is_some() => None,
            Reader::Own => None,
            Reader::Auto => Ssh::in_path().await?,
            Reader::Ssh(program) => Some(Ssh::at(program).await?),
        };
        let local = Arc::new(Local::find(options.home.clone())?);
        if ssh.is_some() && options.config == ConfigFile::Default {
            config::check_readable(&local)?;
        }
        Ok(Self { local, config: options.config.clone(), ssh })
    }

    async fn settings(&self, question: &Question) -> Result<Settings> {
        if let Some(ssh) = &self.ssh {
            return ssh.settings(question, &self.config).await;
        }
        let (question, config, local) = (question.clone(), self.config.clone(), Arc::clone(&self.local));
        tokio::task::spawn_blocking(move || config::read(&question, &config, &local)).await.map_err(|e| {
            Error::new(ErrorKind::Internal, "reading the ssh configuration ended unexpectedly").because(e)
        })?
    }
}
