//! The HTTP server: as a router, through a socket, and as the built binary that is killed and started again.

#![allow(clippy::unwrap_used, reason = "a test ends where what it needs is not there")]

mod access;
mod api;
mod crash;
mod hostile;
mod many;
mod news;
mod rig;
mod schema;
mod slow;
mod socket;
