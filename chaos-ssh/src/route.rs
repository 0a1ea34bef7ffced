//! From a [`Destination`] to the hosts that are logged in to on the way, each with everything that decides how.
//! The configuration is read by `ssh -G` where that is installed, else by a parser of our own that refuses what it
//! does not know.

use std::{path::PathBuf, time::Duration};

use chaos_core::error::Result;

use crate::destination::Destination;

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

impl Route {
    /// Works out the way to `destination` by the user's and the machine's configuration.
    ///
    /// # Errors
    /// `InvalidInput` when the configuration can't be understood or asks for what we don't do (`ProxyCommand`),
    /// with file, line and the remedy.
    pub async fn find(destination: &Destination) -> Result<Self> {
        todo!()
    }
}
