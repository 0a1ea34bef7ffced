//! Whether a host's key is trusted: our verdict beside that of the real `ssh`, on the same files and servers.

#![allow(clippy::unwrap_used, reason = "these are tests, also where a helper fails")]

mod add;
mod case;
mod cases;
mod garbage;
mod order;
mod rig;
mod table;
