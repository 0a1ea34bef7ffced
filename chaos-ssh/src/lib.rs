//! A target over SSH, to be trusted as `ssh` is: host keys are always verified, against the same files and by the
//! same rules; one connection carries many commands at once; and what is cancelled really ends on the target.
//!
//! - [`destination`]: what a person types; [`route`]: what `~/.ssh/config` makes of it, hop by hop.
//! - [`known_hosts`]: whether a host's key is to be trusted.
//! - [`secrets`]: passwords and passphrases.
//! - [`Ssh`]: the [`Transport`](chaos_core::transport::Transport).
//!
//! Inside, bottom first: `shell` (quoting, and what stands before a command's output), `slots` (how many sessions a
//! server allows), `keys` and `login` (who we are), `wire` (TCP), `hops` (key exchange, host keys, jump hosts),
//! `control` (the shell on the target that says what it is and ends commands), `connection` (all of these, for one
//! connection), then what runs on it: `exec` (commands), `forward` (endpoints), `put` (files); and `ssh`, which makes a
//! broken connection anew.

mod connection;
mod control;
pub mod destination;
mod exec;
mod forward;
mod hops;
mod keys;
pub mod known_hosts;
mod login;
mod nonce;
mod put;
pub mod route;
pub mod secrets;
mod shell;
mod short_scalar;
mod slots;
mod ssh;
mod wire;

pub use ssh::Ssh;
