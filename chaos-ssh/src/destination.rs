//! What a person types as a target: `user@host:port`, `ssh://user@host:port`, or a Host of `~/.ssh/config`.
//!
//! What was typed is never repeated in an error: people put passwords there.

use std::{fmt, net::Ipv6Addr, str::FromStr};

use chaos_core::error::{Error, ErrorKind, Result};

/// What no host's name holds and a shell may run when a configuration puts the name into a command; OpenSSH refuses
/// these too.
const NOT_IN_HOSTS: &str = "'`\"$\\,;&<>|(){}[]/@";
/// The same for login names, where `\` (Windows domains), `@` and `$` do occur.
const NOT_IN_USERS: &str = "'`\";&<>|(){}:";

/// A target as it was typed; what is missing comes from the configuration.
///
/// Its text is `[user@]host[:port]`, and reading that text gives an equal value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Destination {
    /// The login name.
    pub user: Option<String>,
    /// A name, an address, or a Host of the configuration; an IPv6 address without its brackets.
    pub host: String,
    /// The port.
    pub port: Option<u16>,
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.port {
            Some(port) if self.host.contains(':') => write!(f, "[{}]:{port}", self.host),
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

impl FromStr for Destination {
    type Err = Error;

    /// Reads `[user@]host[:port]`, where an IPv6 address with a port is in brackets, and `ssh://[user@]host[:port][/]`,
    /// where the user may be percent-encoded.
    ///
    /// # Errors
    /// `InvalidInput`: see what each says. None of them repeats what was typed.
    fn from_str(text: &str) -> Result<Self> {
        if let Some((scheme, rest)) = text.split_once("://") {
            if !scheme.eq_ignore_ascii_case("ssh") {
                return Err(wrong("the target's scheme is not ssh: write ssh://USER@HOST:PORT or USER@HOST:PORT"));
            }
            return read_uri(rest);
        }
        let (user, place) = split_user(text);
        let user = user.map(str::to_owned).map(check_user).transpose()?;
        let (host, port) = split_port(place)?;
        Ok(Self { user, host: check_host(host)?, port })
    }
}

fn wrong(message: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, message)
}

/// At the last `@`: a login name may hold one, a host may not.
fn split_user(text: &str) -> (Option<&str>, &str) {
    text.rsplit_once('@').map_or((None, text), |(user, place)| (Some(user), place))
}

fn read_uri(rest: &str) -> Result<Destination> {
    let (user, place) = split_user(rest);
    let place = place.strip_suffix('/').unwrap_or(place);
    if place.contains(['/', '?', '#']) || user.is_some_and(|user| user.contains(['/', '?', '#'])) {
        return Err(wrong("an ssh:// target names a host only: leave out everything after HOST:PORT"));
    }
    if user.is_some_and(|user| user.contains(':')) {
        return Err(password());
    }
    let user = user.map(percent_decode).transpose()?.map(check_user).transpose()?;
    let (host, port) = split_port(place)?;
    Ok(Destination { user, host: check_host(host)?, port })
}

fn password() -> Error {
    wrong(
        "a password does not belong into the target, where process lists and logs show it: \
         leave it out and use a key or an agent",
    )
}

fn percent_decode(text: &str) -> Result<String> {
    let broken = || wrong("the target's login name has a % that no two hexadecimal digits follow: write it as %25");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16)).ok_or_else(broken);
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).map_err(|_| broken())?);
    }
    String::from_utf8(bytes).map_err(|_| wrong("the target's login name is not UTF-8"))
}

/// `host`, `host:port`, `[address]`, `[address]:port`, or an IPv6 address, which has no port then.
fn split_port(place: &str) -> Result<(&str, Option<u16>)> {
    if let Some(bracketed) = place.strip_prefix('[') {
        let (host, rest) =
            bracketed.split_once(']').ok_or_else(|| wrong("the target has a [ without ]: write [ADDRESS]:PORT"))?;
        if !is_ipv6(host) {
            return Err(wrong("only an IPv6 address goes between the target's [ and ]"));
        }
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host, Some(read_port(port)?))),
            None if rest.is_empty() => Ok((host, None)),
            None => Err(wrong("only :PORT may follow the target's ]")),
        };
    }
    if is_ipv6(place) {
        return Ok((place, None));
    }
    match place.split_once(':') {
        Some((host, port)) => Ok((host, Some(read_port(port)?))),
        None => Ok((place, None)),
    }
}

/// With or without a zone (`fe80::1%eth0`).
fn is_ipv6(text: &str) -> bool {
    let (address, zone) = text.split_once('%').map_or((text, None), |(address, zone)| (address, Some(zone)));
    zone != Some("") && address.parse::<Ipv6Addr>().is_ok()
}

fn read_port(text: &str) -> Result<u16> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err(wrong(
            "the target's port is not a number from 1 to 65535; an IPv6 address with a port is [ADDRESS]:PORT",
        )),
    }
}

/// Control characters, blanks, and what turns text around or can't be seen.
fn is_unprintable(c: char) -> bool {
    c.is_control() || c.is_whitespace() || !(c.is_ascii() || c.is_alphanumeric())
}

/// `host`, if it can be one. What begins with `-` would be taken for an option by `ssh`.
pub(crate) fn check_host(host: &str) -> Result<String> {
    if host.is_empty() {
        return Err(wrong("the target names no host: write HOST, USER@HOST or USER@HOST:PORT"));
    }
    if host.starts_with('-') {
        return Err(wrong("the target's host begins with -, which ssh would take for an option"));
    }
    if host.chars().any(|c| is_unprintable(c) || NOT_IN_HOSTS.contains(c)) {
        return Err(wrong("the target's host has a blank or a character that no host's name has"));
    }
    Ok(host.to_owned())
}

/// `user`, if it can be one.
pub(crate) fn check_user(user: String) -> Result<String> {
    if user.is_empty() {
        return Err(wrong("the target's login name is empty: leave out the @ to use the configured one"));
    }
    if user.contains(':') {
        return Err(password());
    }
    if user.starts_with('-') {
        return Err(wrong("the target's login name begins with -, which ssh would take for an option"));
    }
    if user.ends_with('\\') || user.chars().any(|c| is_unprintable(c) || NOT_IN_USERS.contains(c)) {
        return Err(wrong("the target's login name has a blank or a character that no login name has"));
    }
    Ok(user)
}
