//! The transport over SSH against real servers: OpenSSH's and dropbear, on loopback.

#![allow(clippy::unwrap_used)]

mod conforms;
mod logins;
mod shells;
mod support;
