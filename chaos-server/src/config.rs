//! Settings from outside the command line: the configuration file, and the types that flags and file share.
//!
//! Precedence is flags, then `CHAOS_HANDLER_*`, then the file, then defaults. clap does the first two.

use std::{
    collections::BTreeMap,
    env, fmt, fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{
    exit::Failure,
    notify::{Key, Webhook},
};

/// The file in the working directory.
const HERE: &str = "chaos-handler.toml";
/// Where secrets are taken from; they are no flags, because everybody on a machine sees the flags of a process.
const WEBHOOK: &str = "CHAOS_HANDLER_SLACK_WEBHOOK";
const PAGERDUTY: &str = "CHAOS_HANDLER_PAGERDUTY_KEY";

/// What the file can say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The directory of incidents.
    pub(crate) incidents: Option<PathBuf>,
    /// Seconds to watch before a fault is injected.
    pub(crate) baseline: Option<Seconds>,
    /// Seconds to watch while something may be wrong.
    pub(crate) observe: Option<Seconds>,
    /// Log files beyond those that are found.
    #[serde(default)]
    pub(crate) log_files: Vec<String>,
    /// A metrics endpoint on the target.
    pub(crate) metrics: Option<Endpoint>,
    /// The machine to look at when none is named.
    pub(crate) target: Option<String>,
    /// How machines are reached.
    #[serde(default)]
    pub(crate) ssh: Ssh,
    /// Whether plans are tried in a sandbox on the target; they are unless this says no.
    pub(crate) rehearse: Option<bool>,
    /// Whether approved plans may be applied to targets.
    #[serde(default)]
    pub(crate) allow_apply: bool,
    /// Plugins of every run: components, or directories of them.
    #[serde(default)]
    pub(crate) plugins: Vec<PathBuf>,
    /// What plugins may do, in place of the user's own file.
    pub(crate) plugin_grants: Option<PathBuf>,
    /// Who is told.
    #[serde(default, deserialize_with = "parsed")]
    pub(crate) slack_webhook: Option<Webhook>,
    /// The routing key of an integration of PagerDuty, and where its events go if not to the usual place.
    pub(crate) pagerduty_key: Option<Key>,
    #[serde(default, deserialize_with = "parsed")]
    pub(crate) pagerduty_url: Option<Webhook>,
    /// How the server answers.
    #[serde(default)]
    pub(crate) server: Server,
    /// The machines that the server looks at, by name.
    #[serde(default)]
    pub(crate) targets: BTreeMap<String, TargetEntry>,
    /// Which target an alert of Alertmanager is about.
    #[serde(default)]
    pub(crate) alerts: Vec<AlertEntry>,
}

/// What the file can say of the server.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) listen: Option<SocketAddr>,
    /// Names by which it may be called beside this machine's own.
    pub(crate) hosts: Vec<String>,
    /// Incidents that run at once, and that wait.
    pub(crate) max_running: usize,
    pub(crate) max_queued: usize,
    /// Whether one target may have several incidents at once.
    pub(crate) several_per_target: bool,
    /// How long running incidents may take to revert when the server is asked to end.
    pub(crate) grace: Seconds,
    /// How long a client may take nothing of what it is sent before its connection is closed.
    pub(crate) write_timeout: Seconds,
    /// Certificate chain and key, as PEM.
    pub(crate) tls_cert: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    /// Who may do what.
    pub(crate) tokens: Vec<TokenEntry>,
    /// Directories on targets from which a request may have log files read.
    pub(crate) log_dirs: Vec<PathBuf>,
    /// Machines that a request names itself; none unless this is there.
    pub(crate) adhoc: Option<Adhoc>,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: None,
            hosts: Vec::new(),
            max_running: 8,
            max_queued: 100,
            several_per_target: false,
            grace: Seconds(30),
            write_timeout: Seconds(30),
            tls_cert: None,
            tls_key: None,
            tokens: Vec::new(),
            log_dirs: vec!["/var/log".into()],
            adhoc: None,
        }
    }
}

/// What a caller may do; each holds the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// See everything.
    Read,
    /// Start and end incidents.
    Run,
    /// Approve and apply plans.
    Approve,
}

/// A caller. The token itself stands in the environment or in a file, or only its hash is known.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenEntry {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) env: Option<String>,
    pub(crate) file: Option<PathBuf>,
    pub(crate) sha256: Option<String>,
}

/// Where a machine that a request names itself may be, and with which keys it is reached.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Adhoc {
    /// Directories of private keys.
    pub(crate) key_dirs: Vec<PathBuf>,
    /// Networks, such as `203.0.113.0/24`.
    pub(crate) networks: Vec<String>,
    /// Whether faults may be injected there, where the machine is marked as fair game.
    #[serde(default)]
    pub(crate) allow_chaos: bool,
    /// Whether the key of a host that is new is noted and trusted.
    #[serde(default)]
    pub(crate) accept_new_host_keys: bool,
}

/// A machine, a recorded incident, or files: exactly one of `address`, `replay` and `files`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TargetEntry {
    /// As for `--target`.
    pub(crate) address: Option<String>,
    /// A recorded incident's directory.
    pub(crate) replay: Option<PathBuf>,
    /// Logs and metrics.
    pub(crate) files: Vec<PathBuf>,
    /// A private key to log in with.
    pub(crate) identity: Option<PathBuf>,
    /// Fingerprints of which the host key must have one.
    pub(crate) host_keys: Vec<String>,
    /// Whether faults may be injected.
    pub(crate) allow_chaos: bool,
}

/// An alert that has all these labels is about this target.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AlertEntry {
    pub(crate) target: String,
    pub(crate) labels: BTreeMap<String, String>,
}

/// What the file can say of SSH.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ssh {
    /// A configuration file in place of the user's and the machine's.
    pub(crate) config: Option<PathBuf>,
    /// A private key to log in with.
    pub(crate) identity: Option<PathBuf>,
    /// Fingerprints of which the target's host key must have one.
    #[serde(default)]
    pub(crate) host_keys: Vec<String>,
    /// Whether the key of a host that is new is noted and trusted.
    #[serde(default)]
    pub(crate) accept_new_host_keys: bool,
}

impl Config {
    /// Reads `file`, or else the one in the working directory, or else the user's own; then the webhook from the
    /// environment.
    ///
    /// # Errors
    /// `Usage` when `file` is missing, or what was found can't be understood.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self, Failure> {
        let mut config = match file {
            Some(file) => Self::read(file)?
                .ok_or_else(|| Failure::usage(format!("the configuration file is missing: {}", file.display())))?,
            None => {
                let home = user_file();
                let found = Self::read(Path::new(HERE))?;
                match (found, home) {
                    (Some(config), _) => config,
                    (None, Some(home)) => Self::read(&home)?.unwrap_or_default(),
                    (None, None) => Self::default(),
                }
            }
        };
        if let Some(text) = env::var_os(WEBHOOK).filter(|t| !t.is_empty()) {
            let webhook = text.to_str().unwrap_or_default().parse();
            config.slack_webhook = Some(webhook.map_err(|e| Failure::usage(format!("{WEBHOOK}: {e}")))?);
        }
        if let Some(text) = env::var_os(PAGERDUTY).filter(|t| !t.is_empty()) {
            let key = text.to_string_lossy().into_owned().try_into();
            config.pagerduty_key = Some(key.map_err(|e| Failure::usage(format!("{PAGERDUTY}: {e}")))?);
        }
        Ok(config)
    }

    fn read(file: &Path) -> Result<Option<Self>, Failure> {
        match fs::read_to_string(file) {
            Ok(text) => Self::parse(&text)
                .map(Some)
                .map_err(|(line, why)| Failure::usage(format!("{}, line {line}: {why}", file.display()))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Failure::usage(format!("cannot read the configuration file {}: {e}", file.display()))),
        }
    }

    /// The line, from 1, comes with the reason.
    pub(crate) fn parse(text: &str) -> Result<Self, (usize, String)> {
        toml::from_str(text).map_err(|e| {
            let before = e.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            // Its message alone: all of it would quote the line, in which there may be a secret.
            (before.matches('\n').count() + 1, e.message().replace('\n', "; "))
        })
    }
}

fn user_file() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let base = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(base.join("chaos-handler/config.toml"))
}

fn parsed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Webhook>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(de::Error::custom)
}

/// A duration in whole seconds: `90`, `90s`, `2m`, `1h`; at most a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seconds(pub(crate) u32);

const DAY: u32 = 24 * 60 * 60;

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (digits, unit) = match text.char_indices().last() {
            Some((at, 's')) => (&text[..at], 1),
            Some((at, 'm')) => (&text[..at], 60),
            Some((at, 'h')) => (&text[..at], 3600),
            _ => (text, 1),
        };
        let number = if digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse::<u32>().ok() } else { None };
        let seconds = number.and_then(|n| n.checked_mul(unit)).filter(|s| *s <= DAY);
        seconds.map(Self).ok_or_else(|| "want a duration such as 90, 90s or 2m, at most 24h".to_owned())
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Seconds;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("seconds, or a duration such as \"90s\" or \"2m\"")
            }
            fn visit_i64<E: de::Error>(self, n: i64) -> Result<Seconds, E> {
                self.visit_str(&n.to_string())
            }
            fn visit_u64<E: de::Error>(self, n: u64) -> Result<Seconds, E> {
                self.visit_str(&n.to_string())
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Seconds, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A metrics endpoint on the target's loopback: `9100`, or `9100/metrics`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint(pub(crate) u16, pub(crate) String);

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (port, path) = text.split_once('/').map_or((text, "metrics"), |(port, path)| (port, path));
        let is_path = path.bytes().all(|b| b.is_ascii_graphic());
        match port.parse::<u16>() {
            Ok(port) if port > 0 && is_path => Ok(Self(port, format!("/{path}"))),
            _ => Err("want a port and a path on the target, such as 9100/metrics".to_owned()),
        }
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_seconds_minutes_or_hours() {
        for (text, seconds) in [("90", 90), ("90s", 90), ("2m", 120), ("1h", 3600), (" 0 ", 0)] {
            assert_eq!(text.parse(), Ok(Seconds(seconds)), "{text}");
        }
        for bad in ["", "s", "-1", "+1", "1.5m", "2d", "25h", "99999999999", "2 m x", "٣"] {
            assert!(bad.parse::<Seconds>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_endpoint_is_a_port_and_a_path() {
        assert_eq!("9100".parse(), Ok(Endpoint(9100, "/metrics".into())));
        assert_eq!("80/a/b".parse(), Ok(Endpoint(80, "/a/b".into())));
        for bad in ["", "0/x", "65536", "x/metrics", "80/a b", "80/a\r\nHost: x"] {
            assert!(bad.parse::<Endpoint>().is_err(), "{bad}");
        }
    }

    #[test]
    fn all_keys_are_understood() {
        let text = "incidents = 'x'\nbaseline = 10\nobserve = '2m'\nlog_files = ['/a']\nmetrics = '9100'\n\
                    slack_webhook = 'https://hooks.slack.com/x'\n";
        let config = Config::parse(text).unwrap();
        assert_eq!((config.baseline, config.observe), (Some(Seconds(10)), Some(Seconds(120))));
        assert!(config.slack_webhook.is_some());
    }

    #[test]
    fn an_error_has_its_line_and_not_the_secret() {
        let (line, why) = Config::parse("observe = 30\nslack_webhook = 'http://example.com/secret'\n").unwrap_err();
        assert_eq!(line, 2);
        assert!(why.contains("https://") && !why.contains("secret"), "{why}");
        let (line, why) = Config::parse("\n\nbase_line = 1\n").unwrap_err();
        assert_eq!(line, 3);
        assert!(why.contains("unknown field `base_line`") && why.contains("baseline"), "{why}");
    }
}
