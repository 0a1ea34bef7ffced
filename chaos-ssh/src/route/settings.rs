//! What the keywords of a configuration mean to us, and the [`Hop`] that follows. Both readers fill this, keyword by
//! keyword in the order they find them: the first value of a keyword wins, and files with keys add up.

use std::{path::PathBuf, time::Duration};

use chaos_core::error::{Error, ErrorKind, Result};

use super::{
    Hop, KeyAgent, NewHosts,
    local::Local,
    tokens::{Tokens, tilde},
};
use crate::destination::Destination;

/// How long a connection and a login may take where nothing is configured; `ssh` would wait for the system's limit,
/// minutes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// The keys that are tried where none is configured. OpenSSH before 10 also looks for two kinds that nobody has.
const IDENTITY_FILES: [&str; 5] =
    ["~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ecdsa_sk", "~/.ssh/id_ed25519", "~/.ssh/id_ed25519_sk"];

/// What a configuration says of one host. A reader sets `host_name` and expands it, `user_known_hosts` and
/// `identity_agent` before it hands this over, as `ssh -G` does; the other paths are as they were written.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) host_name: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) user: Option<String>,
    pub(super) host_key_alias: Option<String>,
    pub(super) user_known_hosts: Option<Vec<String>>,
    pub(super) identity_agent: Option<String>,
    identity_files: Vec<String>,
    certificate_files: Vec<String>,
    identities_only: Option<bool>,
    global_known_hosts: Option<Vec<String>>,
    revoked_host_keys: Option<String>,
    new_hosts: Option<NewHosts>,
    hash_known_hosts: Option<bool>,
    public_keys: Option<bool>,
    passwords: Option<bool>,
    preferred: Option<String>,
    batch: Option<bool>,
    connect_timeout: Option<Duration>,
    alive_interval: Option<Duration>,
    alive_count_max: Option<u32>,
    known_hosts_command: Option<()>,
    proxy: Option<Proxy>,
}

/// How the host is reached. `ProxyJump` and `ProxyCommand` are one choice, and the first of either wins, save that
/// `ProxyJump none` leaves a later `ProxyCommand` its say.
#[derive(Debug)]
enum Proxy {
    NoJump,
    Direct,
    Jump(String),
}

impl Settings {
    /// What is known before any file is read.
    pub(super) fn given(user: Option<String>, port: Option<u16>, jump: Option<String>, keys: bool) -> Self {
        let mut given = Self { user, port, ..Self::default() };
        if let Some(jump) = jump {
            given.jump_over(&jump);
        }
        if keys {
            given.identity_files.push("none".to_owned());
        }
        given
    }

    /// Takes a line that applies to the host; `keyword` is in lower case. `false`: it is not one of ours. The error is
    /// a fragment that says what is wrong with the line and how to mend it.
    pub(super) fn take(&mut self, keyword: &str, words: &[String]) -> Result<bool, String> {
        match keyword {
            "hostname" => first(&mut self.host_name, one(words)?.to_owned()),
            "port" => first(&mut self.port, port(one(words)?)?),
            "user" => first(&mut self.user, one(words)?.to_owned()),
            "hostkeyalias" => first(&mut self.host_key_alias, one(words)?.to_ascii_lowercase()),
            "userknownhostsfile" => first(&mut self.user_known_hosts, files(words)?),
            "globalknownhostsfile" => first(&mut self.global_known_hosts, files(words)?),
            "revokedhostkeys" => first(&mut self.revoked_host_keys, one(words)?.to_owned()),
            "identityfile" => self.identity_files.push(one(words)?.to_owned()),
            "certificatefile" => self.certificate_files.push(one(words)?.to_owned()),
            "identitiesonly" => first(&mut self.identities_only, flag(one(words)?)?),
            "identityagent" => first(&mut self.identity_agent, one(words)?.to_owned()),
            "stricthostkeychecking" => first(&mut self.new_hosts, new_hosts(one(words)?)?),
            "hashknownhosts" => first(&mut self.hash_known_hosts, flag(one(words)?)?),
            "pubkeyauthentication" => first(&mut self.public_keys, public_keys(one(words)?)?),
            "passwordauthentication" => first(&mut self.passwords, flag(one(words)?)?),
            "preferredauthentications" => first(&mut self.preferred, one(words)?.to_owned()),
            "batchmode" => first(&mut self.batch, flag(one(words)?)?),
            "connecttimeout" => first(&mut self.connect_timeout, time(one(words)?)?),
            "serveraliveinterval" => first(&mut self.alive_interval, time(one(words)?)?),
            "serveralivecountmax" => first(&mut self.alive_count_max, count(one(words)?)?),
            "proxyjump" => self.jump_over(one(words)?),
            "proxycommand" => self.proxy_command(&words.join(" "))?,
            "knownhostscommand" => self.known_hosts_command(&words.join(" "))?,
            "bindaddress" | "bindinterface" => return Err(no_binding()),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn jump_over(&mut self, hosts: &str) {
        let proxy = if is_none(hosts) { Proxy::NoJump } else { Proxy::Jump(hosts.to_owned()) };
        first(&mut self.proxy, proxy);
    }

    fn proxy_command(&mut self, command: &str) -> Result<(), String> {
        if matches!(self.proxy, Some(Proxy::Direct | Proxy::Jump(_))) {
            return Ok(());
        }
        if !is_none(command) {
            return Err("ProxyCommand is not supported, as it runs a command on this machine: \
                        use `ProxyJump` for this host, or `ProxyCommand none`"
                .to_owned());
        }
        self.proxy = Some(Proxy::Direct);
        Ok(())
    }

    fn known_hosts_command(&mut self, command: &str) -> Result<(), String> {
        if self.known_hosts_command.is_none() && !is_none(command) {
            return Err(
                "KnownHostsCommand is not supported, as it runs a command on this machine: put the host's key \
                        into a known_hosts file and set `KnownHostsCommand none` for this host"
                    .to_owned(),
            );
        }
        first(&mut self.known_hosts_command, ());
        Ok(())
    }

    /// The jump hosts, as they were written.
    pub(super) fn jump(&self) -> Option<&str> {
        match &self.proxy {
            Some(Proxy::Jump(hosts)) => Some(hosts),
            _ => None,
        }
    }

    /// The hop that these settings make of `destination`.
    ///
    /// # Errors
    /// `InvalidInput` when a host or a path can't be told.
    pub(super) fn hop(&self, destination: &Destination, local: &Local) -> Result<Hop> {
        let host = self.host_name.as_ref().unwrap_or(&destination.host).clone();
        if host.is_empty() || host.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(Error::new(ErrorKind::InvalidInput, "the configured HostName has a blank, or is empty")
                .with("host", destination));
        }
        let user = self.user.clone().unwrap_or_else(|| local.user.clone());
        let port = self.port.unwrap_or(22);
        let tokens = Tokens {
            local,
            typed: &destination.host,
            host: &host,
            key_name: self.host_key_alias.as_deref().unwrap_or(&host),
            port,
            user: &user,
        };
        let say = |keyword: &'static str| {
            move |what: String| {
                Error::new(ErrorKind::InvalidInput, format!("cannot use {keyword}: {what}")).with("host", destination)
            }
        };
        let paths = |keyword, files: &[String]| {
            let mut paths: Vec<PathBuf> = Vec::new();
            for file in files.iter().filter(|file| !is_none(file)) {
                let path = tokens.path(file).map_err(say(keyword))?;
                if !paths.contains(&path) {
                    paths.push(path);
                }
            }
            Ok::<_, Error>(paths)
        };
        let public_keys = self.public_keys.unwrap_or(true) && self.prefers("publickey");
        Ok(Hop {
            name: destination.to_string(),
            host_key_alias: self.host_key_alias.clone(),
            user_known_hosts: self.user_known_hosts(local).map_err(say("UserKnownHostsFile"))?,
            global_known_hosts: self.global_known_hosts(local).map_err(say("GlobalKnownHostsFile"))?,
            revoked_host_keys: paths("RevokedHostKeys", self.revoked_host_keys.as_slice())?,
            new_hosts: self.new_hosts.unwrap_or_default(),
            hash_known_hosts: self.hash_known_hosts.unwrap_or(false),
            pinned: Vec::new(),
            identity_files: if public_keys { paths("IdentityFile", &self.identity_files())? } else { Vec::new() },
            certificate_files: if public_keys {
                paths("CertificateFile", &self.certificate_files)?
            } else {
                Vec::new()
            },
            identities_only: !public_keys || self.identities_only.unwrap_or(false),
            agent: if public_keys { self.agent() } else { KeyAgent::None },
            password: self.passwords.unwrap_or(true) && !self.batch.unwrap_or(false) && self.prefers("password"),
            connect_timeout: self.connect_timeout.filter(|t| !t.is_zero()).unwrap_or(CONNECT_TIMEOUT),
            alive_interval: self.alive_interval.unwrap_or_default(),
            alive_count_max: self.alive_count_max.unwrap_or(3) as usize,
            host,
            port,
            user,
        })
    }

    fn prefers(&self, method: &str) -> bool {
        self.preferred.as_ref().is_none_or(|list| list.split(',').any(|one| one == method))
    }

    fn identity_files(&self) -> Vec<String> {
        if self.identity_files.is_empty() {
            return IDENTITY_FILES.map(str::to_owned).to_vec();
        }
        self.identity_files.clone()
    }

    /// Expanded by the reader, where configured.
    fn user_known_hosts(&self, local: &Local) -> Result<Vec<PathBuf>, String> {
        match &self.user_known_hosts {
            Some(files) => Ok(but_none(files).map(PathBuf::from).collect()),
            None => {
                ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"].iter().map(|f| tilde(f, local).map(Into::into)).collect()
            }
        }
    }

    /// Only `~` is expanded in these.
    fn global_known_hosts(&self, local: &Local) -> Result<Vec<PathBuf>, String> {
        match &self.global_known_hosts {
            Some(files) => but_none(files).map(|file| tilde(file, local).map(PathBuf::from)).collect(),
            None => Ok(["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"].map(PathBuf::from).to_vec()),
        }
    }

    /// `none`, a socket, `SSH_AUTH_SOCK` (the variable, as when nothing is configured), or `$NAME` (another variable).
    fn agent(&self) -> KeyAgent {
        let socket = match self.identity_agent.as_deref() {
            None | Some("SSH_AUTH_SOCK") => std::env::var_os("SSH_AUTH_SOCK"),
            Some(none) if is_none(none) => None,
            Some(text) => text.strip_prefix('$').map_or_else(|| Some(text.into()), std::env::var_os),
        };
        socket.filter(|path| !path.is_empty()).map_or(KeyAgent::None, |path| KeyAgent::Socket(path.into()))
    }
}

fn first<T>(slot: &mut Option<T>, value: T) {
    slot.get_or_insert(value);
}

fn is_none(text: &str) -> bool {
    text.eq_ignore_ascii_case("none")
}

fn but_none(files: &[String]) -> impl Iterator<Item = &String> {
    files.iter().filter(|file| !is_none(file))
}

fn one(words: &[String]) -> Result<&str, String> {
    match words {
        [word] if !word.is_empty() => Ok(word),
        [] | [_] => Err("a value is missing".to_owned()),
        _ => Err("more than one value: put quotes around one with blanks".to_owned()),
    }
}

fn files(words: &[String]) -> Result<Vec<String>, String> {
    if words.is_empty() || words.iter().any(String::is_empty) {
        return Err("a file's name is missing".to_owned());
    }
    if words.len() > 1 && words.iter().any(|word| is_none(word)) {
        return Err("`none` must stand alone".to_owned());
    }
    Ok(words.to_vec())
}

fn flag(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" => Ok(true),
        "no" | "false" => Ok(false),
        _ => Err("neither yes nor no".to_owned()),
    }
}

fn public_keys(text: &str) -> Result<bool, String> {
    // How the use of a key is bound to the host is for the library to negotiate.
    flag(text).or_else(|_| match text.to_ascii_lowercase().as_str() {
        "unbound" | "host-bound" => Ok(true),
        _ => Err("not one of yes, no, unbound, host-bound".to_owned()),
    })
}

/// Whatever is configured, keys are verified: `no` takes a new host's key, never another one for a known host.
fn new_hosts(text: &str) -> Result<NewHosts, String> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "true" | "ask" => Ok(NewHosts::Refuse),
        "accept-new" | "no" | "false" | "off" => Ok(NewHosts::Accept),
        _ => Err("not one of yes, ask, accept-new, no, off".to_owned()),
    }
}

fn port(text: &str) -> Result<u16, String> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|&port| digits && port != 0).ok_or_else(|| "not a port from 1 to 65535".to_owned())
}

fn count(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "not a number from 0".to_owned())
}

/// sshd_config(5), "TIME FORMATS": `90`, `1h30m`; `none` is zero.
fn time(text: &str) -> Result<Duration, String> {
    if text == "none" {
        return Ok(Duration::ZERO);
    }
    let wrong = || "not a time such as 90, 90s or 1h30m".to_owned();
    let (mut seconds, mut number) = (0_u32, None::<u32>);
    for c in text.chars() {
        if let Some(digit) = c.to_digit(10) {
            let bigger = number.unwrap_or(0).checked_mul(10).and_then(|n| n.checked_add(digit));
            number = Some(bigger.ok_or_else(wrong)?);
            continue;
        }
        let unit: u32 = match c.to_ascii_lowercase() {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return Err(wrong()),
        };
        let part = number.take().and_then(|n| n.checked_mul(unit)).ok_or_else(wrong)?;
        seconds = seconds.checked_add(part).ok_or_else(wrong)?;
    }
    if let Some(rest) = number {
        seconds = seconds.checked_add(rest).ok_or_else(wrong)?;
    } else if seconds == 0 && !text.ends_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(wrong());
    }
    Ok(Duration::from_secs(seconds.into()))
}

fn no_binding() -> String {
    "BindAddress and BindInterface are not supported: leave the choice of the way out to the routing table".to_owned()
}
