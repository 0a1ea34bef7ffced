//! Whether a host's key is to be trusted, by `known_hosts` files as OpenSSH reads them (sshd(8), "SSH_KNOWN_HOSTS
//! FILE FORMAT"). The `ssh` binary is the reference, also where the manual says nothing; the one difference is that a
//! file which can't be read is an error here, and that a key revoked for a host holds on all of its ports.

mod add;
mod files;
mod hashed;
mod key;
mod line;
mod name;
mod pattern;
mod revoked;

use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use chaos_core::error::{Error, ErrorKind, Result};
use russh::keys::{
    Algorithm, Certificate, EcdsaCurve, HashAlg, PublicKeyOrCertificate, ssh_key::certificate::CertType,
};

use self::{
    add::Notes,
    key::{Key, Kind, Listed},
    line::{Line, Marker},
    name::Names,
    revoked::RevokedKeys,
};
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
        /// The line, from 1; `None` for a key revocation list, which has no lines.
        line: Option<usize>,
    },
    /// OpenSSH would end the connection before it looks into any file: the key is too short, or of a kind that is
    /// not supported, or it comes in a certificate whose signature is wrong.
    Unusable {
        /// What is wrong with it.
        why: &'static str,
    },
}

/// What the files say of one host.
#[derive(Debug)]
pub struct KnownHosts {
    hop: Hop,
    names: Names,
    /// What stands under the host's name and port, or its alias.
    listed: Vec<Entry>,
    /// What stands under its name alone, where the port is not 22.
    bare: Option<Vec<Entry>>,
    revoked: Vec<RevokedKeys>,
}

/// A line that speaks of the host.
#[derive(Debug)]
struct Entry {
    marker: Marker,
    listed: Listed,
    file: PathBuf,
    line: usize,
}

/// What a host showed.
#[derive(Debug)]
struct Shown {
    key: Key,
    certificate: Option<ShownCertificate>,
}

impl Shown {
    /// Reads what a host showed that is to be `principal`, at `now`; fails where OpenSSH would not even look for it.
    fn read(key: &PublicKeyOrCertificate, principal: &str, now: u64) -> Result<Self, &'static str> {
        const BAD_KEY: &str = "the host's key is too short, malformed or of a kind that is not supported";
        match key {
            PublicKeyOrCertificate::PublicKey { key, .. } => {
                Ok(Self { key: Key::of(key.key_data()).ok_or(BAD_KEY)?, certificate: None })
            }
            PublicKeyOrCertificate::Certificate(certificate) => Ok(Self {
                key: Key::of(certificate.public_key()).ok_or(BAD_KEY)?,
                certificate: Some(ShownCertificate {
                    authority: key::authority(certificate)?,
                    serial: certificate.serial(),
                    key_id: certificate.key_id().to_owned(),
                    fault: fault(certificate, principal, now),
                }),
            }),
        }
    }
}

/// What counts of a certificate.
#[derive(Debug)]
struct ShownCertificate {
    authority: Key,
    serial: u64,
    key_id: String,
    /// Why it does not hold for this host at this time.
    fault: Option<&'static str>,
}

/// OpenSSH's order of preference, of what we can verify.
const PREFERRED: [(Kind, Algorithm); 6] = [
    (Kind::Ed25519, Algorithm::Ed25519),
    (Kind::P256, Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 }),
    (Kind::P384, Algorithm::Ecdsa { curve: EcdsaCurve::NistP384 }),
    (Kind::P521, Algorithm::Ecdsa { curve: EcdsaCurve::NistP521 }),
    (Kind::Rsa, Algorithm::Rsa { hash: Some(HashAlg::Sha512) }),
    (Kind::Rsa, Algorithm::Rsa { hash: Some(HashAlg::Sha256) }),
];

impl KnownHosts {
    /// Reads what `hop`'s files say of it. A `known_hosts` file that does not exist says nothing; a file of revoked
    /// keys must exist.
    ///
    /// # Errors
    /// `Denied`, `Storage` when a file is there and can't be read; `NotFound`, `InvalidInput` when it can't be told
    /// which keys are revoked.
    pub fn read(hop: &Hop) -> Result<Self> {
        let names = Names::of(hop);
        let mut listed = Vec::new();
        let mut bare = Vec::new();
        for path in hop.user_known_hosts.iter().chain(&hop.global_known_hosts) {
            let Some(data) = files::contents(path)? else { continue };
            for (n, text) in data.split(|b| *b == b'\n').enumerate() {
                let Some(line) = Line::split(text) else { continue };
                let entry = || {
                    let listed = Listed::read(line.key).filter(|listed| listed.key.has_good_length())?;
                    Some(Entry { marker: line.marker, listed, file: path.clone(), line: n + 1 })
                };
                if line.names(&names.listed) {
                    listed.extend(entry());
                }
                if names.bare.as_ref().is_some_and(|name| line.names(name)) {
                    bare.extend(entry());
                }
            }
        }
        let bare = names.bare.is_some().then_some(bare);
        let revoked = hop.revoked_host_keys.iter().map(|path| RevokedKeys::read(path)).collect::<Result<_>>()?;
        Ok(Self { hop: hop.clone(), names, listed, bare, revoked })
    }

    /// Which host key algorithms to ask for, most preferred first: those that the files know come first, so that a
    /// host with several keys shows the one we know. The second list holds those to be asked for as certificates,
    /// which are to be offered before the first list's.
    ///
    /// OpenSSH offers certificates of unknown kinds as well, behind the plain keys that it knows. Where these can't
    /// be offered in that place they are left out: a host that had nothing else to show would be refused there, too.
    #[must_use]
    pub fn algorithms(&self) -> (Vec<Algorithm>, Vec<Algorithm>) {
        let verbatim = self.knows(Kind::Ed25519);
        let authority = self.listed.iter().any(|e| e.marker == Marker::Authority);
        let all = [true, false].into_iter().flat_map(|certificate| {
            PREFERRED.iter().map(move |(kind, algorithm)| (certificate, *kind, algorithm.clone()))
        });
        let (first, last): (Vec<_>, Vec<_>) =
            all.partition(|(certificate, kind, _)| verbatim || (*certificate && authority) || self.knows(*kind));
        let order = [first, last].concat();
        let certificates = order.iter().take_while(|(certificate, ..)| *certificate);
        let plain = order.iter().filter(|(certificate, ..)| !certificate);
        (plain.map(|(.., a)| a.clone()).collect(), certificates.map(|(.., a)| a.clone()).collect())
    }

    /// Whether the host is listed with a key of this kind. OpenSSH looks at the first only, and not at revoked ones.
    fn knows(&self, kind: Kind) -> bool {
        let mut own = self.listed.iter().filter(|e| e.marker == Marker::None && !e.listed.certificate);
        own.find(|e| e.listed.key.kind == kind).is_some_and(|e| revoking(&self.listed, [&e.listed.key]).is_none())
    }

    /// What the files say of `key`. A certificate that does not hold counts as the plain key within it, as it does
    /// to OpenSSH; [`certificate_fault`](Self::certificate_fault) tells why it does not.
    #[must_use]
    pub fn judge(&self, key: &PublicKeyOrCertificate) -> Verdict {
        let shown = match Shown::read(key, &self.names.principal, now()) {
            Ok(shown) => shown,
            Err(why) => return Verdict::Unusable { why },
        };
        for file in &self.revoked {
            if let Some(line) = file.revokes(&shown) {
                return Verdict::Revoked { file: file.path.clone(), line };
            }
        }
        match &self.bare {
            None => check(&self.listed, &shown, |_| Verdict::New),
            Some(bare) => check(&self.listed, &shown, |shown| match check(bare, shown, |_| Verdict::New) {
                // Another key under the bare name says nothing of this port.
                Verdict::Changed { .. } => Verdict::New,
                verdict => verdict,
            }),
        }
    }

    /// Why a certificate from an authority that the files name does not hold for this host; for a message. `None`
    /// when it holds, and for plain keys and other authorities' certificates.
    #[must_use]
    pub fn certificate_fault(&self, key: &PublicKeyOrCertificate) -> Option<&'static str> {
        let certificate = Shown::read(key, &self.names.principal, now()).ok()?.certificate?;
        let known = |e: &Entry| e.marker == Marker::Authority && e.listed.key == certificate.authority;
        self.listed.iter().chain(self.bare.iter().flatten()).any(known).then_some(certificate.fault).flatten()
    }

    /// Notes a new host's key in the first of the user's files, whole or not at all. Does nothing when another
    /// process has noted it meanwhile. Blocks for some milliseconds; up to five seconds where others write.
    ///
    /// # Errors
    /// `Refused` when the key is not [`Verdict::New`], or the host's name can't stand in such a file; `InvalidInput`
    /// when there is no file to write to; `Denied`, `Storage`, `Busy` when it can't be written.
    pub fn add(&self, key: &PublicKeyOrCertificate) -> Result<()> {
        let Some(path) = self.hop.user_known_hosts.first() else {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "there is no file to note the new host's key in; set UserKnownHostsFile",
            )
            .with("host", &self.names.listed));
        };
        if !self.can_be_noted() {
            return Err(Error::new(ErrorKind::Refused, "a host of this name can't be noted in a file of known hosts")
                .with("host", &self.names.listed));
        }
        let shown =
            Shown::read(key, &self.names.principal, now()).map_err(|why| Error::new(ErrorKind::Refused, why))?;
        let mut notes = Notes::open(path)?;
        // Judged again behind the lock, so that two processes which meet two keys don't trust both.
        match Self::read(&self.hop)?.judge(key) {
            Verdict::Trusted => return Ok(()),
            Verdict::New => {}
            _ => {
                return Err(Error::new(
                    ErrorKind::Refused,
                    "the host is known under another key, or its key is revoked",
                )
                .with("host", &self.names.listed));
            }
        }
        let listed = &self.names.listed;
        let name = if self.hop.hash_known_hosts { hashed::hash_anew(listed) } else { listed.clone() };
        notes.append(&format!("{name} {}\n", shown.key.to_line()))
    }

    /// Whether a line for the host would be read as one for it and nobody else.
    fn can_be_noted(&self) -> bool {
        let listed = &self.names.listed;
        let misread = listed.is_empty()
            || listed.starts_with(['@', '#', '|', '!'])
            || listed.contains(|c: char| c.is_whitespace() || c.is_control() || "*?,".contains(c));
        !misread && !self.hop.host.contains(|c| "@?*#[]|'\"\\".contains(c))
    }
}

/// What `entries` say of what was shown; `unknown` is asked where they don't name the host. A certificate that leads
/// nowhere is dropped, and the plain key looked for.
fn check(entries: &[Entry], shown: &Shown, unknown: impl Fn(&Shown) -> Verdict) -> Verdict {
    if let Some(certificate) = &shown.certificate {
        if let Some(entry) = revoking(entries, [&shown.key, &certificate.authority]) {
            return entry.revoked();
        }
        let named = entries.iter().any(|e| e.marker == Marker::Authority && e.listed.key == certificate.authority);
        let verdict = match (named, certificate.fault) {
            (true, None) => Verdict::Trusted,
            (true, Some(_)) => Verdict::New,
            (false, _) => unknown(shown),
        };
        if verdict != Verdict::New {
            return verdict;
        }
    }
    if let Some(entry) = revoking(entries, [&shown.key]) {
        return entry.revoked();
    }
    let mut own = entries.iter().filter(|e| e.marker == Marker::None);
    if own.clone().any(|e| !e.listed.certificate && e.listed.key == shown.key) {
        return Verdict::Trusted;
    }
    match own.next_back() {
        Some(entry) => Verdict::Changed { file: entry.file.clone(), line: entry.line },
        None => unknown(&Shown { key: shown.key.clone(), certificate: None }),
    }
}

/// The line that revokes one of `keys`.
fn revoking<'a, const N: usize>(entries: &'a [Entry], keys: [&Key; N]) -> Option<&'a Entry> {
    entries.iter().find(|e| e.marker == Marker::Revoked && keys.contains(&&e.listed.key))
}

impl Entry {
    fn revoked(&self) -> Verdict {
        Verdict::Revoked { file: self.file.clone(), line: Some(self.line) }
    }
}

/// Why `certificate` does not hold for `principal` at `now`, in seconds since 1970; its signature is checked apart.
fn fault(certificate: &Certificate, principal: &str, now: u64) -> Option<&'static str> {
    let principals = certificate.valid_principals();
    if certificate.cert_type() != CertType::Host {
        Some("it is a user's certificate, not a host's")
    } else if now < certificate.valid_after() {
        Some("the certificate is not valid yet")
    } else if now >= certificate.valid_before() {
        Some("the certificate has expired")
    } else if !principals.is_empty() && !principals.iter().any(|p| p == principal) {
        Some("the certificate is for other hosts")
    } else if !certificate.critical_options().is_empty() {
        Some("the certificate has critical options that are not supported")
    } else if matches!(certificate.signature().algorithm(), Algorithm::Rsa { hash: None } | Algorithm::Dsa) {
        Some("the certificate is signed with an algorithm that is no longer safe")
    } else {
        None
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host's certificate for `box` and the seconds from 1000 to before 2000, made by `ssh-keygen`.
    const CERTIFICATE: &str = "ssh-ed25519-cert-v01@openssh.com \
        AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIEMLMuKw3aODpFxbBZhyHxt/D78X6rAoXpTF\
        yCabE3SyAAAAIGaKDS1fqkYirfcPtqmVMPf/+HzB49hetHDmz49eQtJmAAAAAAAAAAAAAAACAAAAAmlkAAAABwAA\
        AANib3gAAAAAAAAD6AAAAAAAAAfQAAAAAAAAAAAAAAAAAAAAMwAAAAtzc2gtZWQyNTUxOQAAACCzuhZeNkOuoPXU\
        MNUZ9eZRnZJcKjzisQx6DOqHcvlK8wAAAFMAAAALc3NoLWVkMjU1MTkAAABACxqk5/4CeYSveRnrFL/7iWgYT4k/\
        UeARGQH2hSgogrtib1kRp+eS9N/hPuHsgI317g4ig7VYiJh/NxIL33wZBw==";
    const AUTHORITY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILO6Fl42Q66g9dQw1Rn15lGdklwqPOKxDHoM6ody+Urz";

    #[test]
    fn a_certificate_holds_from_its_first_second_to_before_its_last() {
        let authority = Listed::read(AUTHORITY.as_bytes()).unwrap();
        let line = Entry { marker: Marker::Authority, listed: authority, file: PathBuf::from("known"), line: 1 };
        let certificate = Certificate::from_openssh(CERTIFICATE).unwrap();
        for (name, now, trusted) in [
            ("box", 999, false),
            ("box", 1000, true),
            ("box", 1999, true),
            ("box", 2000, false),
            ("Box", 1000, false),
            ("box2", 1000, false),
        ] {
            let shown = Shown::read(&certificate.clone().into(), name, now).unwrap();
            let verdict = check(std::slice::from_ref(&line), &shown, |_| Verdict::New);
            assert_eq!(verdict == Verdict::Trusted, trusted, "{name} at {now}");
        }
    }

    #[test]
    fn a_certificate_that_was_changed_is_not_looked_at() {
        let mut bytes = Certificate::from_openssh(CERTIFICATE).unwrap().to_bytes().unwrap();
        let at = bytes.windows(3).position(|w| w == b"box").unwrap();
        bytes[at] = b'f';
        let certificate = Certificate::from_bytes(&bytes).unwrap();
        assert_eq!(Shown::read(&certificate.into(), "fox", 1500).unwrap_err(), "its signature is wrong");
    }
}
