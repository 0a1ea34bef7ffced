//! A target over SSH, to be trusted as `ssh` is: host keys are always verified, against the same files and by the
//! same rules; one connection carries many commands at once; and what is cancelled really ends on the target.
//!
//! - [`destination`]: what a person types; [`route`]: what `~/.ssh/config` makes of it, hop by hop.
//! - [`known_hosts`]: whether a host's key is to be trusted.
//! - [`Ssh`]: the [`Transport`](chaos_core::transport::Transport).

pub mod destination;
pub mod known_hosts;
pub mod route;
