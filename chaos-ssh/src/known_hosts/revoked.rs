//! Files of revoked keys (`RevokedHostKeys`): a plain list, or a key revocation list as `ssh-keygen -k` makes it
//! (OpenSSH's PROTOCOL.krl). What can't be read whole is an error: nothing that somebody revoked may be passed over.

use std::path::{Path, PathBuf};

use chaos_core::error::{Error, ErrorKind, Result};
use sha1::Digest as _;

use super::{
    Shown, files,
    key::{Key, Listed, Reader},
    line,
};

const MAGIC: &[u8] = b"SSHKRL\n\0";

/// One file of revoked keys.
#[derive(Debug)]
pub(super) struct RevokedKeys {
    pub(super) path: PathBuf,
    revoked: Revoked,
}

/// What a file revokes.
#[derive(Debug, Default)]
struct Revoked {
    /// Keys, with their line in a plain list.
    keys: Vec<(Key, Option<usize>)>,
    sha1: Vec<Vec<u8>>,
    sha256: Vec<Vec<u8>>,
    certificates: Vec<Certificates>,
}

/// What a file revokes of one authority's certificates.
#[derive(Debug)]
struct Certificates {
    /// `None`: of every authority's.
    authority: Option<Key>,
    /// Ranges of serial numbers, both ends included.
    serials: Vec<(u64, u64)>,
    /// A bit for each serial number from the given one on; the last byte holds the lowest.
    bitmaps: Vec<(u64, Vec<u8>)>,
    key_ids: Vec<Vec<u8>>,
}

impl RevokedKeys {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let data = files::contents(path)?.ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "the file of revoked keys does not exist; create it or change RevokedHostKeys",
            )
            .with("path", path.display())
        })?;
        let revoked = if data.starts_with(MAGIC) {
            binary(&data).map_err(|why| unreadable(path, why))?
        } else {
            plain(&data).map_err(|line| unreadable(path, "this line is not a public key").with("line", line))?
        };
        Ok(Self { path: path.to_owned(), revoked })
    }

    /// Whether it revokes what a host showed, and in which line.
    pub(super) fn revokes(&self, shown: &Shown) -> Option<Option<usize>> {
        if let Some(line) = self.revoked.key(&shown.key) {
            return Some(line);
        }
        let certificate = shown.certificate.as_ref()?;
        if let Some(line) = self.revoked.key(&certificate.authority) {
            return Some(line);
        }
        let authority = &certificate.authority;
        let matches = |of: &&Certificates| of.authority.as_ref().is_none_or(|listed| listed == authority);
        self.revoked
            .certificates
            .iter()
            .filter(matches)
            .any(|of| of.revoke(certificate.serial, certificate.key_id.as_bytes()))
            .then_some(None)
    }
}

impl Revoked {
    fn key(&self, key: &Key) -> Option<Option<usize>> {
        if let Some((_, line)) = self.keys.iter().find(|(listed, _)| listed == key) {
            return Some(*line);
        }
        let blob = key.to_blob();
        let hashed = (!self.sha1.is_empty() && self.sha1.contains(&sha1::Sha1::digest(&blob).to_vec()))
            || (!self.sha256.is_empty() && self.sha256.contains(&sha2::Sha256::digest(&blob).to_vec()));
        hashed.then_some(None)
    }
}

impl Certificates {
    fn revoke(&self, serial: u64, key_id: &[u8]) -> bool {
        if self.key_ids.iter().any(|id| id == key_id) {
            return true;
        }
        // 0 is the serial number of certificates that were given none.
        serial != 0
            && (self.serials.iter().any(|(low, high)| (*low..=*high).contains(&serial))
                || self.bitmaps.iter().any(|(from, bits)| serial.checked_sub(*from).is_some_and(|n| is_set(bits, n))))
    }
}

fn is_set(bits: &[u8], nth: u64) -> bool {
    let byte = usize::try_from(nth / 8).ok().and_then(|n| bits.len().checked_sub(n + 1)).and_then(|n| bits.get(n));
    byte.is_some_and(|byte| byte >> (nth % 8) & 1 == 1)
}

fn unreadable(path: &Path, why: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, format!("cannot tell which keys are revoked: {why}"))
        .with("path", path.display())
}

/// A key a line; fails with the number of a line that is neither a key nor a comment.
fn plain(data: &[u8]) -> Result<Revoked, usize> {
    let mut revoked = Revoked::default();
    for (n, line) in data.split(|b| *b == b'\n').enumerate() {
        let text = line::trim(line::before_nul(line));
        if text.is_empty() || text.starts_with(b"#") {
            continue;
        }
        let listed = Listed::read(text).ok_or(n + 1)?;
        revoked.keys.push((listed.key, Some(n + 1)));
    }
    Ok(revoked)
}

const DAMAGED: &str = "the key revocation list is damaged";

fn binary(data: &[u8]) -> Result<Revoked, &'static str> {
    let mut reader = Reader(&data[MAGIC.len()..]);
    if reader.u32() != Some(1) {
        return Err("the key revocation list has a format that is not supported");
    }
    // Its version, date and flags, then a reserved field and a comment.
    reader.take(24).and_then(|_| reader.string()).and_then(|_| reader.string()).ok_or(DAMAGED)?;
    let mut revoked = Revoked::default();
    while let Some(section) = reader.u8() {
        let body = reader.string().ok_or(DAMAGED)?;
        match section {
            1 => revoked.certificates.push(certificates(body)?),
            2 => {
                for blob in strings(body, None)? {
                    // A key that we can't read is one that we would refuse to trust as well.
                    revoked.keys.extend(Key::from_blob(&blob).map(|key| (key, None)));
                }
            }
            3 => revoked.sha1.extend(strings(body, Some(20))?),
            4 => return Err("the key revocation list is signed, which is not supported; make it without a signature"),
            5 => revoked.sha256.extend(strings(body, Some(32))?),
            _ => return Err("the key revocation list has a section that is not supported"),
        }
    }
    Ok(revoked)
}

/// Strings until the end, each of `len` bytes if that is given.
fn strings(body: &[u8], len: Option<usize>) -> Result<Vec<Vec<u8>>, &'static str> {
    let mut reader = Reader(body);
    let mut all = Vec::new();
    while !reader.0.is_empty() {
        let one = reader.string().filter(|s| len.is_none_or(|len| s.len() == len)).ok_or(DAMAGED)?;
        all.push(one.to_vec());
    }
    Ok(all)
}

fn certificates(body: &[u8]) -> Result<Certificates, &'static str> {
    let mut reader = Reader(body);
    let authority = match reader.string().ok_or(DAMAGED)? {
        b"" => None,
        blob => Some(Key::from_blob(blob).ok_or(DAMAGED)?),
    };
    reader.string().ok_or(DAMAGED)?;
    let mut of = Certificates { authority, serials: Vec::new(), bitmaps: Vec::new(), key_ids: Vec::new() };
    while let Some(section) = reader.u8() {
        let mut body = Reader(reader.string().ok_or(DAMAGED)?);
        match section {
            0x20 => {
                while !body.0.is_empty() {
                    let serial = body.u64().ok_or(DAMAGED)?;
                    of.serials.push((serial, serial));
                }
            }
            0x21 => of.serials.push((body.u64().ok_or(DAMAGED)?, body.u64().ok_or(DAMAGED)?)),
            0x22 => of.bitmaps.push((body.u64().ok_or(DAMAGED)?, body.number().ok_or(DAMAGED)?)),
            0x23 => of.key_ids = [std::mem::take(&mut of.key_ids), strings(body.0, None)?].concat(),
            _ => return Err("the key revocation list has a section on certificates that is not supported"),
        }
        if section != 0x23 && !body.0.is_empty() {
            return Err(DAMAGED);
        }
    }
    Ok(of)
}
