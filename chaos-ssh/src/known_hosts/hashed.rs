//! Names that are hashed (`|1|salt|hash`): HMAC-SHA1 of the name under a salt of 20 bytes, so that the file does not
//! tell which hosts are known.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

const SALT_LEN: usize = 20;

/// `name` hashed under `salt`, as it stands in a file.
fn hash(name: &[u8], salt: &[u8; SALT_LEN]) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(salt).expect("HMAC takes a key of any length");
    mac.update(name);
    format!("|1|{}|{}", STANDARD.encode(salt), STANDARD.encode(mac.finalize().into_bytes()))
}

/// `name` under a new salt.
pub(super) fn hash_anew(name: &str) -> String {
    hash(name.as_bytes(), &rand::random())
}

/// Whether `field`, the whole of a line's names, is `name` hashed.
pub(super) fn names(field: &[u8], name: &[u8]) -> bool {
    let Some(rest) = field.strip_prefix(b"|1|") else { return false };
    let salt = rest.split(|b| *b == b'|').next().unwrap_or_default();
    let Ok(salt) = STANDARD.decode(salt) else { return false };
    <[u8; SALT_LEN]>::try_from(salt).is_ok_and(|salt| hash(name, &salt).as_bytes() == field)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_under_its_own_hash_only() {
        let one = hash_anew("db1.example.org");
        assert_ne!(one, hash_anew("db1.example.org"), "the salt is new each time");
        assert!(names(one.as_bytes(), b"db1.example.org"));
        assert!(!names(one.as_bytes(), b"db2.example.org"));
        assert!(!names(&one.as_bytes()[..one.len() - 1], b"db1.example.org"));
        assert!(!names(format!("{one},db1.example.org").as_bytes(), b"db1.example.org"));
    }
}
