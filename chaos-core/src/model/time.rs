//! Points in time, at the resolution of the trace contract.

use std::{fmt, ops, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Milliseconds since the Unix epoch, UTC, by the coordinator's clock. In JSON an RFC 3339 text such as
/// `2026-11-24T08:15:30.250Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

// jiff's own range, so that every timestamp has a text.
const MIN: i64 = -377_705_023_201_000;
const MAX: i64 = 253_402_207_200_000;

impl Timestamp {
    /// From milliseconds since the epoch, clamped to the years -9999 to 9999, so that every timestamp has a text.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.clamp(MIN, MAX))
    }

    /// From an RFC 3339 text; `None` when it is not one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>().ok().map(|t| Self(t.as_millisecond()))
    }

    /// The UTC day as `YYYYMMDD`, as incident ids have it.
    #[must_use]
    pub fn day(self) -> String {
        let text = self.to_string();
        text[..text.len().min(10)].replace('-', "")
    }

    /// The UTC time of day as `HH:MM:SS`.
    #[must_use]
    pub fn time_of_day(self) -> String {
        let text = self.to_string();
        text.split_once('T').map_or(String::new(), |(_, t)| t.chars().take(8).collect())
    }

    /// The time from `earlier` to here; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PRINTER: jiff::fmt::temporal::DateTimePrinter =
            jiff::fmt::temporal::DateTimePrinter::new().precision(Some(3));
        let stamp = jiff::Timestamp::from_millisecond(self.0.clamp(MIN, MAX)).expect("clamped to jiff's range");
        f.write_str(&PRINTER.timestamp_to_string(&stamp))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom(format_args!("not an RFC 3339 time: {text:?}")))
    }
}

impl ops::Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, d: Duration) -> Self {
        Self::from_millis(self.0.saturating_add(i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_value_round_trip() {
        let t = Timestamp::parse("2026-11-24T08:15:30.25Z").unwrap();
        assert_eq!(t.to_string(), "2026-11-24T08:15:30.250Z");
        assert_eq!((t.day(), t.time_of_day()), ("20261124".into(), "08:15:30".into()));
        assert_eq!(serde_json::from_str::<Timestamp>(&serde_json::to_string(&t).unwrap()).unwrap(), t);
    }

    #[test]
    fn extremes_have_a_text_and_never_panic() {
        for t in [Timestamp(i64::MIN), Timestamp(i64::MAX), Timestamp(0) + Duration::MAX] {
            assert!(Timestamp::parse(&t.to_string()).is_some(), "{t}");
        }
        assert_eq!(Timestamp(5).since(Timestamp(9)), Duration::ZERO);
    }
}
