//! One P-256 key in 512 has a private scalar of less than 32 bytes as OpenSSH writes it (an mpint without leading
//! zeros: RFC 4251, section 5), and our library's reader wants 32. Such a key is read here.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use russh::keys::{
    PrivateKey,
    ssh_encoding::{Decode, Error},
    ssh_key::{
        self,
        private::{EcdsaKeypair, KeypairData},
        sec1::EncodedPoint,
    },
};
use zeroize::Zeroizing;

const SIZE: usize = 32;

/// The key of an OpenSSH key file's text. None if it is of another kind or its passphrase is another.
pub(crate) fn read(text: &str, passphrase: Option<&str>) -> Option<PrivateKey> {
    let body = text.trim().strip_prefix("-----BEGIN OPENSSH PRIVATE KEY-----")?;
    let body: Zeroizing<String> =
        Zeroizing::new(body.strip_suffix("-----END OPENSSH PRIVATE KEY-----")?.split_whitespace().collect());
    let file = Zeroizing::new(STANDARD.decode(&*body).ok()?);
    let secrets = match passphrase {
        None => secrets(&file).ok()?,
        Some(passphrase) => {
            let key = PrivateKey::from_bytes(&file).ok()?;
            let (secret, iv) = key.kdf().derive_key_and_iv(key.cipher(), passphrase).ok()?;
            let mut secrets = Zeroizing::new(key.key_data().encrypted()?.to_vec());
            key.cipher().decrypt(&secret, &iv, &mut secrets, None).ok()?;
            secrets
        }
    };
    let (pair, comment) = pair(&secrets).ok()??;
    PrivateKey::new(KeypairData::Ecdsa(pair), comment).ok()
}

/// What an unencrypted file holds beside its public key (OpenSSH's PROTOCOL.key).
fn secrets(file: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
    let reader = &mut file.strip_prefix(b"openssh-key-v1\0").ok_or(Error::Length)?;
    for _cipher_and_derivation in 0..3 {
        Vec::<u8>::decode(reader)?;
    }
    if u32::decode(reader)? != 1 {
        return Err(Error::Length);
    }
    Vec::<u8>::decode(reader)?;
    Vec::<u8>::decode(reader).map(Zeroizing::new)
}

fn pair(mut secrets: &[u8]) -> Result<Option<(EcdsaKeypair, String)>, Error> {
    let reader = &mut secrets;
    let checks = [u32::decode(reader)?, u32::decode(reader)?];
    let names = [String::decode(reader)?, String::decode(reader)?];
    if checks[0] != checks[1] || names != ["ecdsa-sha2-nistp256", "nistp256"] {
        return Ok(None);
    }
    let public = Vec::<u8>::decode(reader)?;
    let scalar = Zeroizing::new(Vec::<u8>::decode(reader)?);
    let comment = String::decode(reader)?;
    let Some(zeros) = SIZE.checked_sub(scalar.len()) else { return Ok(None) };
    let Ok(public) = EncodedPoint::from_bytes(&public) else { return Ok(None) };
    let mut padded = Zeroizing::new([0; SIZE]);
    padded[zeros..].copy_from_slice(&scalar);
    Ok(Some((EcdsaKeypair::NistP256 { public, private: (*padded).into() }, comment)))
}

/// Whether the library's reader gave up on a length.
pub(crate) fn may_be_why(e: &russh::keys::Error) -> bool {
    use russh::keys::Error as Keys;
    matches!(e, Keys::SshKey(ssh_key::Error::Encoding(Error::Length)) | Keys::SshEncoding(Error::Length))
}
