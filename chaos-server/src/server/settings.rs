//! What the server goes by: the configuration, read, checked once, and with its secrets taken from where they are.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use chaos_core::error::{Error, ErrorKind, Result};
use chaos_plugins::Plugins;

use super::access::Tokens;
use crate::{
    commands::{plugins, target::in_home},
    config::{Adhoc, Config, TargetEntry},
};

/// Where it listens unless it is told.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8087);
/// Most incidents at once, whatever the configuration says.
const MOST_RUNNING: usize = 1000;
const MOST_QUEUED: usize = 10_000;

/// The server's settings.
#[derive(Debug)]
pub struct Settings {
    pub(crate) config: Config,
    pub(crate) incidents: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) tokens: Tokens,
    pub(crate) hosts: BTreeSet<String>,
    pub(crate) grace: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) adhoc: Option<AdhocRules>,
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
    pub(crate) plugins: Plugins,
}

/// Where machines may be that a request names itself.
#[derive(Debug)]
pub(crate) struct AdhocRules {
    pub(crate) key_dirs: Vec<PathBuf>,
    networks: Vec<(IpAddr, u8)>,
    pub(crate) allow_chaos: bool,
    pub(crate) accept_new_host_keys: bool,
}

impl Settings {
    /// Reads a configuration as `chaos-handler.toml` has it; incidents go to `incidents`.
    ///
    /// # Errors
    /// `InvalidInput`, with what to mend.
    pub fn parse(text: &str, incidents: impl Into<PathBuf>) -> Result<Self> {
        let config = Config::parse(text).map_err(|(line, why)| wrong(format!("line {line}: {why}")))?;
        Self::new(config, incidents.into(), None)
    }

    pub(crate) fn new(config: Config, incidents: PathBuf, listen: Option<SocketAddr>) -> Result<Self> {
        let server = &config.server;
        let listen = listen.or(server.listen).unwrap_or(LISTEN);
        let tokens = Tokens::read(&server.tokens)?;
        if tokens.is_empty() && !listen.ip().is_loopback() {
            return Err(wrong(format!(
                "{listen} can be reached from elsewhere: name who may, with [[server.tokens]], or listen on 127.0.0.1"
            )));
        }
        for (what, value, most) in
            [("max_running", server.max_running, MOST_RUNNING), ("max_queued", server.max_queued + 1, MOST_QUEUED + 1)]
        {
            if !(1..=most).contains(&value) {
                return Err(wrong(format!("server.{what} is too small or above {most}")));
            }
        }
        let tls = match (&server.tls_cert, &server.tls_key) {
            (Some(cert), Some(key)) => Some((in_home(cert), in_home(key))),
            (None, None) => None,
            _ => return Err(wrong("server.tls_cert and server.tls_key belong together")),
        };
        for (name, entry) in &config.targets {
            check_target(name, entry)?;
        }
        for alert in &config.alerts {
            if !config.targets.contains_key(&alert.target) {
                return Err(wrong(format!("an alert is mapped to the target {:?}, which is not there", alert.target)));
            }
            if alert.labels.is_empty() {
                return Err(wrong(format!(
                    "an alert's mapping to {:?} has no labels: every alert would be of it",
                    alert.target
                )));
            }
        }
        let adhoc = server.adhoc.as_ref().map(AdhocRules::read).transpose()?;
        let hosts = server.hosts.iter().map(|h| h.to_ascii_lowercase()).collect();
        let grace = Duration::from_secs(u64::from(server.grace.0));
        let write_timeout = Duration::from_secs(u64::from(server.write_timeout.0));
        if write_timeout.is_zero() {
            return Err(wrong("server.write_timeout must be at least 1 s"));
        }
        let plugins = plugins::configured(&config)?;
        Ok(Self { incidents, listen, tokens, hosts, grace, write_timeout, adhoc, tls, plugins, config })
    }

    /// Where it listens.
    #[must_use]
    pub fn listen(&self) -> SocketAddr {
        self.listen
    }
}

fn wrong(why: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidInput, why)
}

fn check_target(name: &str, entry: &TargetEntry) -> Result<()> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(plain) {
        return Err(wrong(format!("a target's name is up to 64 letters, digits, -, _ and .: {name:?} is not")));
    }
    let given = [entry.address.is_some(), entry.replay.is_some(), !entry.files.is_empty()];
    if given.iter().filter(|g| **g).count() != 1 {
        return Err(wrong(format!("targets.{name} wants one of address, replay and files")));
    }
    if entry.address.is_none() && entry.allow_chaos {
        return Err(wrong(format!("targets.{name}: no fault can be injected into files (allow_chaos)")));
    }
    Ok(())
}

impl AdhocRules {
    fn read(adhoc: &Adhoc) -> Result<Self> {
        let dir = |path: &PathBuf| {
            in_home(path).canonicalize().map_err(|e| wrong(format!("server.adhoc.key_dirs, {}: {e}", path.display())))
        };
        Ok(Self {
            key_dirs: adhoc.key_dirs.iter().map(dir).collect::<Result<_>>()?,
            networks: adhoc.networks.iter().map(|text| network(text)).collect::<Result<_>>()?,
            allow_chaos: adhoc.allow_chaos,
            accept_new_host_keys: adhoc.accept_new_host_keys,
        })
    }

    /// Whether machines at this address may be looked at.
    pub(crate) fn covers(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|(base, bits)| match (base, address) {
            (IpAddr::V4(base), IpAddr::V4(a)) => {
                same_bits(u128::from(base.to_bits()) << 96, u128::from(a.to_bits()) << 96, *bits)
            }
            (IpAddr::V6(base), IpAddr::V6(a)) => same_bits(base.to_bits(), a.to_bits(), *bits),
            _ => false,
        })
    }

    /// The key file that a request names, where it lies in one of the directories. Whether there is another file
    /// elsewhere is not told.
    pub(crate) fn key(&self, path: &Path) -> Option<PathBuf> {
        let real = path.is_absolute().then(|| path.canonicalize().ok()).flatten()?;
        (self.key_dirs.iter().any(|dir| real.starts_with(dir)) && real.is_file()).then_some(real)
    }
}

fn same_bits(a: u128, b: u128, bits: u8) -> bool {
    bits == 0 || (a ^ b) >> (128 - u32::from(bits)) == 0
}

fn network(text: &str) -> Result<(IpAddr, u8)> {
    let bad = || wrong(format!("server.adhoc.networks: {text:?} is no network such as 203.0.113.0/24"));
    let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
    let address: IpAddr = address.parse().map_err(|_| bad())?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.map_or(Ok(most), str::parse::<u8>).map_err(|_| bad())?;
    if bits > most { Err(bad()) } else { Ok((address, bits)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_others_reach_wants_tokens() {
        let why = Settings::parse("[server]\nlisten = '0.0.0.0:8087'\n", "x").unwrap_err().to_string();
        assert!(why.contains("[[server.tokens]]"), "{why}");
        assert!(Settings::parse("[server]\nlisten = '[::1]:8087'\n", "x").is_ok());
    }

    #[test]
    fn what_cannot_be_is_said() {
        for (text, why) in [
            ("[targets.a]\n", "wants one of"),
            ("[targets.a]\naddress = 'x'\nreplay = 'y'\n", "wants one of"),
            ("[targets.a]\nreplay = 'y'\nallow_chaos = true\n", "no fault"),
            ("[targets.'a/b']\naddress = 'x'\n", "name is"),
            ("[[alerts]]\ntarget = 'a'\nlabels = { x = 'y' }\n", "not there"),
            ("[server]\nmax_running = 0\n", "max_running"),
            ("[server]\nwrite_timeout = 0\n", "write_timeout"),
            ("[server]\ntls_cert = 'x'\n", "belong together"),
            ("[server.adhoc]\nkey_dirs = []\nnetworks = ['10.0.0.0/33']\n", "no network"),
            ("[[server.tokens]]\nname = 'a'\nrole = 'root'\n", "unknown variant"),
        ] {
            let said = Settings::parse(text, "x").unwrap_err().to_string();
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    #[test]
    fn networks_cover_their_own() {
        let rules = AdhocRules {
            key_dirs: vec![],
            networks: vec![
                network("10.1.0.0/16").unwrap(),
                network("fd00::/8").unwrap(),
                network("127.0.0.1").unwrap(),
            ],
            allow_chaos: false,
            accept_new_host_keys: false,
        };
        for (address, covered) in [
            ("10.1.2.3", true),
            ("10.2.0.1", false),
            ("::ffff:10.1.2.3", true),
            ("fd12::1", true),
            ("fe80::1", false),
            ("127.0.0.1", true),
            ("127.0.0.2", false),
        ] {
            assert_eq!(rules.covers(address.parse().unwrap()), covered, "{address}");
        }
        assert!(network("0.0.0.0/0").is_ok_and(|(_, bits)| bits == 0));
    }
}
