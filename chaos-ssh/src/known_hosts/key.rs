//! Public keys as OpenSSH compares them: by kind and numbers, not by how they were written down. Owns which keys are
//! well-formed (RFC 4253 §6.6, RFC 5656, RFC 8709, OpenSSH's PROTOCOL.u2f and PROTOCOL.certkeys).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use russh::keys::{Certificate, PublicKey, ssh_key::public::KeyData};

/// RSA moduli outside of this are refused, as OpenSSH refuses them; in bits.
const RSA_BITS: std::ops::RangeInclusive<usize> = 1024..=16384;

/// Above this many certificates within each other a blob is not parsed: the parser recurses.
const MAX_NESTED: usize = 4;

const CERTIFICATE_SUFFIX: &str = "-cert-v01@openssh.com";

/// The kinds of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ed25519,
    P256,
    P384,
    P521,
    Rsa,
    Dsa,
    SkEd25519,
    SkP256,
}

impl Kind {
    /// What a name in a line or a blob stands for, and whether it is a certificate. RSA has several names.
    fn named(name: &[u8]) -> Option<(Self, bool)> {
        let name = std::str::from_utf8(name).ok()?;
        let (base, certificate) = match name.strip_suffix(CERTIFICATE_SUFFIX) {
            Some(base) => (base, true),
            None => (name, false),
        };
        let kind = match base {
            "ssh-ed25519" => Self::Ed25519,
            "ecdsa-sha2-nistp256" => Self::P256,
            "ecdsa-sha2-nistp384" => Self::P384,
            "ecdsa-sha2-nistp521" => Self::P521,
            "ssh-rsa" | "rsa-sha2-256" | "rsa-sha2-512" => Self::Rsa,
            "ssh-dss" => Self::Dsa,
            "sk-ssh-ed25519@openssh.com" if !certificate => Self::SkEd25519,
            "sk-ecdsa-sha2-nistp256@openssh.com" | "webauthn-sk-ecdsa-sha2-nistp256@openssh.com" if !certificate => {
                Self::SkP256
            }
            "sk-ssh-ed25519" if certificate => Self::SkEd25519,
            "sk-ecdsa-sha2-nistp256" if certificate => Self::SkP256,
            _ => return None,
        };
        Some((kind, certificate))
    }
}

/// A plain public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) kind: Kind,
    parts: Vec<Vec<u8>>,
}

/// A key as it stands in a line: plain, or within a certificate (which OpenSSH allows, and never equals a plain key).
#[derive(Debug)]
pub(super) struct Listed {
    pub(super) key: Key,
    pub(super) certificate: bool,
}

impl Key {
    /// Reads a plain key's blob; `None` when it is malformed or of a kind that OpenSSH does not know.
    pub(super) fn from_blob(blob: &[u8]) -> Option<Self> {
        let mut reader = Reader(blob);
        let (kind, false) = Kind::named(reader.string()?)? else { return None };
        let parts = match kind {
            Kind::Ed25519 => vec![reader.exactly(32)?],
            Kind::P256 => vec![reader.point("nistp256", 32)?],
            Kind::P384 => vec![reader.point("nistp384", 48)?],
            Kind::P521 => vec![reader.point("nistp521", 66)?],
            Kind::Rsa => vec![reader.number()?, reader.number()?],
            Kind::Dsa => vec![reader.number()?, reader.number()?, reader.number()?, reader.number()?],
            Kind::SkEd25519 => vec![reader.exactly(32)?, reader.string()?.to_vec()],
            Kind::SkP256 => vec![reader.point("nistp256", 32)?, reader.string()?.to_vec()],
        };
        reader.0.is_empty().then_some(Self { kind, parts })
    }

    /// Whether OpenSSH takes a key of this length.
    pub(super) fn has_good_length(&self) -> bool {
        self.kind != Kind::Rsa || RSA_BITS.contains(&bits(&self.parts[1]))
    }

    /// The blob, in the one form that has no superfluous zeros.
    pub(super) fn to_blob(&self) -> Vec<u8> {
        let (name, curve) = match self.kind {
            Kind::Ed25519 => ("ssh-ed25519", None),
            Kind::P256 => ("ecdsa-sha2-nistp256", Some("nistp256")),
            Kind::P384 => ("ecdsa-sha2-nistp384", Some("nistp384")),
            Kind::P521 => ("ecdsa-sha2-nistp521", Some("nistp521")),
            Kind::Rsa => ("ssh-rsa", None),
            Kind::Dsa => ("ssh-dss", None),
            Kind::SkEd25519 => ("sk-ssh-ed25519@openssh.com", None),
            Kind::SkP256 => ("sk-ecdsa-sha2-nistp256@openssh.com", Some("nistp256")),
        };
        let mut blob = Vec::new();
        let mut put = |field: &[u8]| {
            blob.extend((field.len() as u32).to_be_bytes());
            blob.extend(field);
        };
        put(name.as_bytes());
        if let Some(curve) = curve {
            put(curve.as_bytes());
        }
        for part in &self.parts {
            let is_number = matches!(self.kind, Kind::Rsa | Kind::Dsa);
            if is_number && part.first().is_some_and(|b| b & 0x80 != 0) {
                put(&[&[0], &part[..]].concat());
            } else {
                put(part);
            }
        }
        blob
    }

    /// As it stands in a line: `ssh-ed25519 AAAA…`.
    pub(super) fn to_line(&self) -> String {
        let blob = self.to_blob();
        let name = Reader(&blob).string().unwrap_or_default();
        format!("{} {}", String::from_utf8_lossy(name), STANDARD.encode(&blob))
    }

    /// A key that was shown; `None` when OpenSSH would not take it.
    pub(super) fn of(key: &KeyData) -> Option<Self> {
        Self::from_blob(&PublicKey::new(key.clone(), "").to_bytes().ok()?).filter(Self::has_good_length)
    }
}

impl Listed {
    /// Reads `ssh-ed25519 AAAA… comment`; `None` when it is malformed, or its name is not that of its blob.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let mut words = text.split(|b| *b == b' ' || *b == b'\t').filter(|word| !word.is_empty());
        let (kind, certificate) = Kind::named(words.next()?)?;
        // Base64 may have line ends within it (a CR at the end of a line is one).
        let blob: Vec<u8> = words.next()?.iter().copied().filter(|b| !matches!(b, 0x0a..=0x0d)).collect();
        let blob = STANDARD.decode(blob).ok()?;
        let key = if certificate { signed_key(&blob)? } else { Key::from_blob(&blob)? };
        (key.kind == kind).then_some(Self { key, certificate })
    }
}

/// The key within a certificate that somebody really signed.
fn signed_key(blob: &[u8]) -> Option<Key> {
    let marker = b"-cert-v01@";
    if blob.windows(marker.len()).filter(|w| w == marker).count() > MAX_NESTED {
        return None;
    }
    let certificate = Certificate::from_bytes(blob).ok()?;
    authority(&certificate).ok()?;
    Key::of(certificate.public_key())
}

/// Who signed `certificate`, or why that can't be said.
pub(super) fn authority(certificate: &Certificate) -> Result<Key, &'static str> {
    let key = Key::of(certificate.signature_key()).ok_or("the key that signed it is malformed or not supported")?;
    certificate.verify_signature().map_err(|_| "its signature is wrong")?;
    Ok(key)
}

fn bits(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

/// Reads the fields of SSH's wire format (RFC 4251 §5).
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    pub(super) fn string(&mut self) -> Option<&'a [u8]> {
        let len = self.u32()?;
        self.take(usize::try_from(len).ok()?)
    }

    /// A number that is not negative, without leading zeros, of 16384 bits at most.
    pub(super) fn number(&mut self) -> Option<Vec<u8>> {
        let bytes = self.string()?;
        if bytes.first().is_some_and(|b| b & 0x80 != 0) {
            return None;
        }
        let digits = &bytes[bytes.iter().take_while(|b| **b == 0).count()..];
        (digits.len() <= 2048).then(|| digits.to_vec())
    }

    fn exactly(&mut self, len: usize) -> Option<Vec<u8>> {
        self.string().filter(|s| s.len() == len).map(<[u8]>::to_vec)
    }

    /// An uncompressed point on `curve`, with coordinates of `len` bytes.
    fn point(&mut self, curve: &str, len: usize) -> Option<Vec<u8>> {
        self.string().filter(|name| *name == curve.as_bytes())?;
        self.exactly(1 + 2 * len).filter(|point| point[0] == 4)
    }
}
