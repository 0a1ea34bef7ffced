//! What a person types as a target: `user@host:port`, `ssh://user@host:port`, or a Host of `~/.ssh/config`.

use std::{fmt, str::FromStr};

use chaos_core::error::{Error, ErrorKind, Result};

/// A target as it was typed; what is missing comes from the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Destination {
    /// The login name.
    pub user: Option<String>,
    /// A name, an address, or a Host of the configuration; an IPv6 address without its brackets.
    pub host: String,
    /// The port.
    pub port: Option<u16>,
}
