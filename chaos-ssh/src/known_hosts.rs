//! Whether a host's key is to be trusted, by `known_hosts` files as OpenSSH reads them (sshd(8), "SSH_KNOWN_HOSTS
//! FILE FORMAT").

use std::path::PathBuf;

use chaos_core::error::Result;
use russh::keys::{Algorithm, PublicKeyOrCertificate};

use crate::route::Hop;

/// What the files say of a host's key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It is the host's key, or signed by an authority that the files name for this host.
    Trusted,
    /// Nothing is known of this host.
    New,
    /// The host is known under another key; where that stands.
    Changed {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The key, or the authority that signed it, is revoked.
    Revoked {
        /// The file.
        file: PathBuf,
        /// The line, from 1; `None` for a file of revoked keys.
        line: Option<usize>,
    },
}

/// What the files say of one host.
#[derive(Debug)]
pub struct KnownHosts {}

impl KnownHosts {
    /// Reads what `hop`'s files say of it. A file that does not exist says nothing.
    ///
    /// # Errors
    /// `Denied`, `Storage` when a file is there and can't be read.
    pub fn read(hop: &Hop) -> Result<Self> {
        todo!()
    }

    /// Which host key algorithms to ask for, most preferred first: those that the files know come first, so that a
    /// host with several keys shows the one we know. The second list holds those to be asked for as certificates.
    #[must_use]
    pub fn algorithms(&self) -> (Vec<Algorithm>, Vec<Algorithm>) {
        todo!()
    }

    /// What the files say of `key`.
    #[must_use]
    pub fn judge(&self, key: &PublicKeyOrCertificate) -> Verdict {
        todo!()
    }

    /// Notes a new host's key in the first of the user's files, whole or not at all.
    ///
    /// # Errors
    /// `Denied`, `Storage` when it can't be written.
    pub fn add(&self, key: &PublicKeyOrCertificate) -> Result<()> {
        todo!()
    }
}
