//! The one form in which `ssh` writes a name or an address, and looks for it in known_hosts.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A name in lower case, an address in its usual form. An address with a zone stays as it is.
pub(super) fn usual(host: &str) -> String {
    if host.contains('%') {
        return host.to_owned();
    }
    match (host.parse::<Ipv6Addr>(), ipv4(host)) {
        // OpenSSH writes these as they came.
        (Ok(address), _) if address.to_ipv4_mapped().is_some() => host.to_owned(),
        (Ok(address), _) => address.to_string(),
        (_, Some(address)) => address.to_string(),
        _ => host.to_ascii_lowercase(),
    }
}

/// All that inet_aton(3) takes: one to four numbers, decimal, octal (`0…`) or hexadecimal (`0x…`), where the last fills
/// what is left.
fn ipv4(text: &str) -> Option<Ipv4Addr> {
    let numbers = text.split('.').map(number).collect::<Option<Vec<u32>>>()?;
    let (last, bytes) = numbers.split_last()?;
    let free = 32_u32.checked_sub(8 * u32::try_from(bytes.len()).ok()?).filter(|&free| free > 0)?;
    if bytes.iter().any(|&byte| byte > 255) || u64::from(*last) >= 1 << free {
        return None;
    }
    let high = bytes.iter().zip([24, 16, 8]).map(|(byte, shift)| byte << shift).sum::<u32>();
    Some((high | last).into())
}

fn number(text: &str) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    let (digits, radix) = match (lower.strip_prefix("0x"), lower.strip_prefix('0')) {
        (Some(hex), _) => (hex, 16),
        (_, Some(octal)) if !octal.is_empty() => (octal, 8),
        _ => (lower.as_str(), 10),
    };
    digits.bytes().all(|b| b.is_ascii_alphanumeric()).then(|| u32::from_str_radix(digits, radix).ok())?
}
