//! Under which names a host is looked up. Knows nothing of files.

use std::net::{IpAddr, Ipv4Addr};

use crate::route::Hop;

const SSH_PORT: u16 = 22;

/// The names of one host.
#[derive(Debug)]
pub(super) struct Names {
    /// The host itself, as a certificate names it: an alias, a name in lower case, or an address in its usual form.
    pub(super) principal: String,
    /// Under which its lines stand: `principal`, or `[host]:port` for a port of its own.
    pub(super) listed: String,
    /// What is asked when nothing is known of `listed`: the host without its port.
    pub(super) bare: Option<String>,
}

impl Names {
    pub(super) fn of(hop: &Hop) -> Self {
        if let Some(alias) = &hop.host_key_alias {
            let alias = alias.to_ascii_lowercase();
            return Self { principal: alias.clone(), listed: alias, bare: None };
        }
        let host = usual(&hop.host);
        // To OpenSSH port 0 is one that was not given.
        if hop.port == SSH_PORT || hop.port == 0 {
            return Self { principal: host.clone(), listed: host, bare: None };
        }
        Self { listed: format!("[{host}]:{}", hop.port), bare: Some(host.clone()), principal: host }
    }
}

/// A name in lower case; an address as the resolver prints it, however it was typed.
fn usual(host: &str) -> String {
    let (address, scope) = match host.split_once('%') {
        Some((address, scope)) => (address, Some(scope)),
        None => (host, None),
    };
    match (address.parse::<IpAddr>().ok().or_else(|| short_ipv4(address).map(IpAddr::V4)), scope) {
        (Some(address), None) => address.to_string(),
        (Some(address), Some(scope)) => format!("{address}%{scope}"),
        (None, _) => host.to_ascii_lowercase(),
    }
}

/// An address in one of the short forms of inet(3): `127.1`, `0x7f000001`, `0177.0.0.1`.
fn short_ipv4(text: &str) -> Option<Ipv4Addr> {
    let parts = text.split('.').map(number).collect::<Option<Vec<_>>>()?;
    let (last, bytes) = parts.split_last()?;
    if bytes.len() > 3 || bytes.iter().any(|b| *b > 255) || u64::from(*last) >= 1 << (8 * (4 - bytes.len())) {
        return None;
    }
    let high = bytes.iter().enumerate().fold(0, |sum, (i, byte)| sum | byte << (24 - 8 * i));
    Some(Ipv4Addr::from(high | last))
}

fn number(text: &str) -> Option<u32> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    if digits.starts_with('+') {
        return None;
    }
    u32::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_looked_up_in_their_usual_form() {
        for (typed, expected) in [
            ("DB1.Example.Org", "db1.example.org"),
            ("0:0:0:0:0:0:0:1", "::1"),
            ("FE80::0001%eth0", "fe80::1%eth0"),
            ("127.1", "127.0.0.1"),
            ("0x7f.1", "127.0.0.1"),
            ("0177.0.0.1", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("1.2.3.4.5", "1.2.3.4.5"),
            ("256.1.1.1", "256.1.1.1"),
            ("4294967296", "4294967296"),
            ("db.", "db."),
            ("", ""),
        ] {
            assert_eq!(usual(typed), expected, "{typed}");
        }
    }
}
