//! Sends a message to an address that may be a secret: it is in no error, no event and no `Debug`.

use std::{
    fmt,
    str::FromStr,
    thread,
    time::{Duration, Instant},
};

use chaos_core::error::{Error, ErrorKind, Result};
use serde_json::Value;
use ureq::http::Uri;

/// How long one try may take.
const TRY: Duration = Duration::from_secs(10);
/// Longest pause between two tries.
const PAUSE: Duration = Duration::from_secs(20);

/// How hard it is tried when the other side is not there or fails.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) retries: u32,
    pub(crate) all: Duration,
}

impl Patience {
    /// For one who waits: less than the pipeline waits for a notifier.
    pub(crate) const SHORT: Self = Self { retries: 2, all: Duration::from_secs(14) };
    /// For nobody who waits.
    pub(crate) const LONG: Self = Self { retries: 10, all: Duration::from_secs(180) };
}

/// An address.
#[derive(Clone)]
pub(crate) struct Webhook {
    uri: Uri,
    loopback: bool,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl FromStr for Webhook {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANT: &str = "a webhook is an https:// address, or http:// on this machine itself";
        let uri: Uri = text.trim().parse().map_err(|_| WANT)?;
        let loopback = uri.host().is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"));
        match uri.scheme_str() {
            Some("https") if uri.host().is_some_and(|h| !h.is_empty()) => Ok(Self { uri, loopback }),
            Some("http") if loopback => Ok(Self { uri, loopback }),
            _ => Err(WANT),
        }
    }
}

/// What became of one try.
enum Tried {
    Done,
    /// Worth another try.
    Again(Error),
    Failed(Error),
}

impl Webhook {
    /// Sends it. `twice` says whether the other side takes a message that it knows already for the same one.
    ///
    /// # Errors
    /// Why it was not taken, without the address.
    pub(super) fn send(&self, body: &Value, twice: bool, patience: Patience) -> Result<()> {
        let until = Instant::now() + patience.all;
        let text = body.to_string();
        let mut again = 0;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.post(&text, twice, TRY.min(left)) {
                Tried::Done => return Ok(()),
                Tried::Again(_) if again < patience.retries && left > Duration::from_secs(2) => {
                    again += 1;
                    thread::sleep((Duration::from_millis(500) * again * again).min(PAUSE));
                }
                Tried::Again(e) | Tried::Failed(e) => return Err(e),
            }
        }
    }

    fn post(&self, body: &str, twice: bool, within: Duration) -> Tried {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(within))
            .http_status_as_error(false)
            // The address is not for others: no redirects, and no proxy on the way to this machine itself.
            .max_redirects(0)
            .max_redirects_will_error(false);
        let config = if self.loopback { config.proxy(None) } else { config };
        let sent =
            config.build().new_agent().post(&self.uri).header("content-type", "application/json").send(body.as_bytes());
        let failed = |what: String| Error::new(ErrorKind::Unreachable, what);
        match sent {
            Ok(reply) if reply.status().is_success() => Tried::Done,
            Ok(reply) if reply.status().is_server_error() || reply.status().as_u16() == 429 => {
                Tried::Again(failed(format!("the webhook failed with HTTP {}", reply.status().as_u16())))
            }
            Ok(reply) => Tried::Failed(failed(format!("the webhook says HTTP {}", reply.status().as_u16()))),
            // Sent twice is worse than late: the other side may have taken what it did not answer to.
            Err(ureq::Error::Timeout(_)) if !twice => {
                Tried::Failed(failed("the webhook did not answer in time".into()))
            }
            Err(e) => Tried::Again(failed(reason(&e))),
        }
    }
}

/// ureq's own texts may hold the address.
fn reason(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "the webhook did not answer in time".into(),
        ureq::Error::HostNotFound => "the webhook's host name has no address".into(),
        ureq::Error::ConnectionFailed => "the webhook's host can't be connected to".into(),
        ureq::Error::Io(e) => format!("the webhook's host can't be reached: {}", e.kind()),
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => "the webhook's host has no certificate that we trust".into(),
        _ => "the webhook can't be called".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_this_machine_are_taken() {
        for good in ["https://hooks.slack.com/services/T0/B0/x", "http://127.0.0.1:9/x", "http://[::1]:9/x"] {
            assert!(good.parse::<Webhook>().is_ok(), "{good}");
        }
        for bad in
            ["", "hooks.slack.com", "http://hooks.slack.com/x", "http://127.0.0.1@example.com/x", "ftp://localhost/"]
        {
            assert!(bad.parse::<Webhook>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_address_is_not_in_debug() {
        let webhook: Webhook = "https://hooks.slack.com/services/T0/B0/secret".parse().unwrap();
        assert_eq!(format!("{webhook:?}"), "[redacted]");
    }
}
