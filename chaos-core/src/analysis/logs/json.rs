//! Records that are JSON objects: journald's export and applications' JSON lines. Fields that are not known are
//! skipped; a record that is cut off keeps the fields before the cut.

use std::{borrow::Cow, fmt};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{
    header::{Frame, Header, level_word, severity},
    stamp,
};
use crate::{
    model::{Level, Timestamp},
    redact::redact,
};

/// Reads an object; `None` when the line is none.
pub(super) fn parse<'a>(line: &'a str, _frame: &Frame) -> Option<Header<'a>> {
    let mut fields = Fields::default();
    let whole = Fields::read(&mut fields, line);
    if fields.journald {
        return Some(fields.journal_record());
    }
    if !whole && fields.message.is_none() {
        return None;
    }
    Some(fields.application_record(line))
}

#[derive(Default)]
struct Fields<'a> {
    journald: bool,
    at: Option<Timestamp>,
    level: Option<Level>,
    unit: Option<Cow<'a, str>>,
    about: Option<Cow<'a, str>>,
    identifier: Option<Cow<'a, str>>,
    pid: Option<u32>,
    kernel: bool,
    message: Option<Cow<'a, str>>,
    error: Option<Cow<'a, str>>,
}

impl<'a> Fields<'a> {
    /// Whether the object is whole.
    fn read(&mut self, line: &'a str) -> bool {
        let mut json = serde_json::Deserializer::from_str(line);
        json.deserialize_map(Object(self)).is_ok()
    }

    fn set(&mut self, key: &str, value: Scalar<'a>) {
        match key {
            "MESSAGE" => {
                self.journald = true;
                self.message = value.text();
            }
            "__REALTIME_TIMESTAMP" => {
                self.journald = true;
                self.at = value.number().and_then(|us| stamp::epoch(us / 1e6));
            }
            "PRIORITY" => self.level = value.number().map(|n| severity(n as i64)),
            "_SYSTEMD_UNIT" => self.unit = value.text(),
            "UNIT" => self.about = value.text(),
            "SYSLOG_IDENTIFIER" => self.identifier = value.text(),
            "_PID" | "SYSLOG_PID" | "pid" => self.pid = self.pid.or(value.number().map(|n| n as u32)),
            "_TRANSPORT" => self.kernel = value.text().as_deref() == Some("kernel"),
            "time" | "ts" | "timestamp" | "@timestamp" | "asctime" | "t" => self.at = self.at.or(value.time()),
            "level" | "severity" | "lvl" | "levelname" | "log.level" => self.level = value.level().or(self.level),
            "msg" | "message" | "log" if self.message.is_none() => self.message = value.text(),
            "error" | "err" | "exception" => self.error = value.text(),
            "logger" | "service" | "component" | "name" | "target" if self.unit.is_none() => self.unit = value.text(),
            _ => {}
        }
    }

    fn journal_record(self) -> Header<'a> {
        // systemd speaks about units from a unit of its own, and a session's unit says less than the program.
        let own = self.unit.filter(|u| u.ends_with(".service") && !u.starts_with("user@"));
        let unit = match self.identifier.as_deref() {
            Some("systemd") => self.about.or(self.identifier),
            _ if self.kernel => Some("kernel".into()),
            _ => own.or(self.identifier),
        };
        let message = self.message.unwrap_or_default();
        Header { at: self.at, level: self.level, unit, pid: self.pid, message, ..Header::default() }
    }

    fn application_record(self, line: &'a str) -> Header<'a> {
        let message = match (self.message, self.error) {
            (Some(message), Some(error)) if !message.contains(&*error) => format!("{message} error={error}").into(),
            (Some(message), _) => message,
            (None, Some(error)) => error,
            (None, None) => line.into(),
        };
        let message = match message {
            Cow::Borrowed(text) => text.trim_end().into(),
            Cow::Owned(text) => text.trim_end().to_owned().into(),
        };
        Header { at: self.at, level: self.level, unit: self.unit, pid: self.pid, message, ..Header::default() }
    }
}

struct Object<'f, 'a>(&'f mut Fields<'a>);

impl<'a> Visitor<'a> for Object<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Scalar::Text(key)) = map.next_key_seed(Seed)? {
            // Rust's `tracing` puts the message and what belongs to it into an object.
            if key == "fields" {
                map.next_value_seed(Inner(self.0))?;
                continue;
            }
            let value = map.next_value_seed(Seed)?;
            self.0.set(&key, value);
        }
        Ok(())
    }
}

/// An object whose fields count as the record's, or anything else, which says nothing.
struct Inner<'f, 'a>(&'f mut Fields<'a>);

impl<'a> DeserializeSeed<'a> for Inner<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, d: D) -> Result<(), D::Error> {
        d.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Inner<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Scalar::Text(key)) = map.next_key_seed(Seed)? {
            let value = map.next_value_seed(Seed)?;
            self.0.set(&key, value);
        }
        Ok(())
    }
}

/// A field's value.
enum Scalar<'a> {
    Text(Cow<'a, str>),
    Number(f64),
    Other,
}

impl<'a> Scalar<'a> {
    fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(n) => Some(n.to_string().into()),
            Self::Other => None,
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Text(text) => text.parse().ok(),
            Self::Number(n) => Some(*n),
            Self::Other => None,
        }
    }

    fn time(&self) -> Option<Timestamp> {
        match self {
            Self::Text(text) => {
                stamp::iso(text.as_bytes()).map(|(t, _)| t).or_else(|| text.parse().ok().and_then(stamp::epoch))
            }
            Self::Number(n) => stamp::epoch(*n),
            Self::Other => None,
        }
    }

    /// By name, or by number as pino and bunyan have it (30 is info, 50 is error), or as syslog has it.
    fn level(&self) -> Option<Level> {
        let number = match self {
            Self::Text(text) => match level_word(text.as_bytes(), true) {
                Some(level) => return Some(level),
                None => text.parse().ok()?,
            },
            Self::Number(n) => *n,
            Self::Other => return None,
        };
        Some(match number as i64 {
            n @ 0..=7 => severity(n),
            8..=19 => Level::Trace,
            20..=29 => Level::Debug,
            30..=39 => Level::Info,
            40..=49 => Level::Warning,
            50..=59 => Level::Error,
            _ => Level::Critical,
        })
    }
}

struct Seed;

impl<'a> DeserializeSeed<'a> for Seed {
    type Value = Scalar<'a>;

    fn deserialize<D: Deserializer<'a>>(self, d: D) -> Result<Scalar<'a>, D::Error> {
        d.deserialize_any(Self)
    }
}

impl<'a> Visitor<'a> for Seed {
    type Value = Scalar<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_borrowed_str<E>(self, v: &'a str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(v.into()))
    }
    fn visit_str<E>(self, v: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(v.to_owned().into()))
    }
    fn visit_u64<E>(self, v: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Number(v as f64))
    }
    fn visit_i64<E>(self, v: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Number(v as f64))
    }
    fn visit_f64<E>(self, v: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Number(v))
    }
    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }
    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Other)
    }

    /// journald writes text that is not UTF-8, or not printable, as an array of bytes, and a field that occurs
    /// several times as an array of its values.
    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut bytes = Vec::new();
        let mut first = None;
        while let Some(value) = seq.next_element_seed(Self)? {
            match value {
                Scalar::Number(n) if (0.0..256.0).contains(&n) => bytes.push(n as u8),
                value if first.is_none() => first = Some(value),
                _ => {}
            }
            if bytes.len() > super::MAX_LINE {
                return Err(A::Error::custom("too long"));
            }
        }
        // What upstream redacts is text; these bytes become text only here.
        Ok(first.unwrap_or_else(|| Scalar::Text(redact(&String::from_utf8_lossy(&bytes)).into_owned().into())))
    }
}
