//! Real components against a real host: what plugins can do, and what they can't do to us.

#![allow(clippy::unwrap_used, reason = "a test ends where what it needs is not there")]

mod cache;
mod component;
mod grants;
mod guests;
mod hostile;
mod loader;
mod support;
