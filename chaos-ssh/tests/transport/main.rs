//! The transport over SSH against real servers: OpenSSH's and dropbear, on loopback.

#![allow(clippy::unwrap_used)]

mod conforms;
mod files;
mod forgetful;
mod hostile;
mod hosts;
mod life;
mod logins;
mod root;
mod shells;
mod support;
mod trust;
