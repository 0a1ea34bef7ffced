//! Names and places: typed identifiers, the append-only ledger that gives them out, and confidence.

use std::{fmt, marker::PhantomData};

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// The name under which an agent is registered; it stands in every event that the agent causes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AgentName(String);

impl AgentName {
    /// Any text; registration refuses an empty one and duplicates within a role.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// `inc-YYYYMMDD-NNN`: the UTC day on which the incident began and its number on that day.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IncidentId(String);

impl IncidentId {
    /// Checks the form, so that an id is always safe as a file name.
    ///
    /// # Errors
    /// `InvalidInput` when `text` is not `inc-YYYYMMDD-NNN` (three digits or more at the end).
    pub fn parse(text: &str) -> Result<Self> {
        let mut parts = text.split('-');
        let digits = |s: Option<&str>, min: usize, max: usize| {
            s.is_some_and(|s| (min..=max).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit()))
        };
        if parts.next() == Some("inc")
            && digits(parts.next(), 8, 8)
            && digits(parts.next(), 3, 9)
            && parts.next().is_none()
        {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::new(ErrorKind::InvalidInput, "not an incident id, want inc-YYYYMMDD-NNN")
                .with("id", text.escape_debug()))
        }
    }

    /// The id for the `number`th incident of `day` (`YYYYMMDD`).
    pub(crate) fn numbered(day: &str, number: u32) -> Self {
        Self(format!("inc-{day}-{number:03}"))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What sorts ids by age: by day, then by number, which may outgrow its three digits.
    pub(crate) fn age(&self) -> (&str, usize, &str) {
        (&self.0[..12], self.0.len(), &self.0)
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for IncidentId {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl From<IncidentId> for String {
    fn from(id: IncidentId) -> Self {
        id.0
    }
}

/// A fault of the catalogue, such as `disk_space`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FaultId(pub String);

impl fmt::Display for FaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A probability in `0..=1`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Confidence(f64);

impl Confidence {
    /// Clamps into `0..=1`; NaN becomes 0.
    #[must_use]
    pub fn new(p: f64) -> Self {
        Self(if p.is_nan() { 0.0 } else { p.clamp(0.0, 1.0) })
    }

    /// The probability.
    #[must_use]
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Confidence {
    type Error = Error;
    fn try_from(p: f64) -> Result<Self> {
        if (0.0..=1.0).contains(&p) {
            Ok(Self(p))
        } else {
            Err(Error::new(ErrorKind::InvalidInput, "a confidence lies between 0 and 1").with("value", p))
        }
    }
}

impl From<Confidence> for f64 {
    fn from(c: Confidence) -> Self {
        c.0
    }
}

impl fmt::Display for Confidence {
    /// As a whole percentage that never rounds up to certainty: `97 %`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = (self.0 * 100.0).round();
        let shown = if self.0 < 1.0 { percent.min(99.0) } else { percent };
        write!(f, "{shown:.0} %")
    }
}

/// The place of a `T` in its [`Ledger`]. Only a ledger makes one; one read from outside is checked before use.
#[derive(Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Id<T>(u32, #[serde(skip)] PhantomData<fn() -> T>);

impl<T> Id<T> {
    /// The position in the ledger, from 0.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

// Written out, because a derive would ask the same of `T`.
impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<T> Eq for Id<T> {}
impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}
impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// An append-only list that gives out typed ids. It grows only inside this crate, so that nobody downstream can
/// add evidence; anybody can read it, or collect one of their own for a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ledger<T>(Vec<T>);

impl<T> Default for Ledger<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Ledger<T> {
    pub(crate) fn push(&mut self, item: T) -> Id<T> {
        let id = Id(u32::try_from(self.0.len()).expect("fewer than 2^32 entries fit in memory"), PhantomData);
        self.0.push(item);
        id
    }

    /// The entry, or `None` for an id from elsewhere.
    #[must_use]
    pub fn get(&self, id: Id<T>) -> Option<&T> {
        self.0.get(id.index())
    }

    /// All entries with their ids, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (Id<T>, &T)> + ExactSizeIterator {
        self.0.iter().enumerate().map(|(i, item)| (Id(i as u32, PhantomData), item))
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T> FromIterator<T> for Ledger<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn incident_ids_are_checked_before_they_become_paths() {
        for good in ["inc-20251202-001", "inc-20251202-1234"] {
            assert_eq!(IncidentId::parse(good).unwrap().as_str(), good);
        }
        for bad in
            ["", "inc-2025120-001", "inc-20251202-01", "inc-20251202-001/..", "../inc-20251202-001", "inc-20251202-٣٣٣"]
        {
            assert!(IncidentId::parse(bad).is_err(), "{bad:?}");
        }
        assert!(serde_json::from_str::<IncidentId>("\"../../etc\"").is_err());
    }

    #[test]
    fn confidence_never_rounds_up_to_certainty() {
        assert_eq!(Confidence::new(0.999).to_string(), "99 %");
        assert_eq!(Confidence::new(f64::NAN).to_string(), "0 %");
        assert!(serde_json::from_str::<Confidence>("1.5").is_err());
    }
}
