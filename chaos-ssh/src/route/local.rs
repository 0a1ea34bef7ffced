//! Who and where we are, as far as `ssh` lets a configuration depend on it. Read once a route.

use std::path::PathBuf;

use chaos_core::error::{Error, ErrorKind, Result};
use nix::unistd::{Uid, User};

/// The user who runs this, and the machine it runs on.
#[derive(Debug)]
pub(super) struct Local {
    /// The login name.
    pub(super) user: String,
    /// What `~` is.
    pub(super) home: PathBuf,
    /// The number of the user.
    pub(super) uid: u32,
    /// The machine's name, perhaps with its domain.
    pub(super) machine: String,
}

impl Local {
    /// As `ssh` does, the user database is asked and not the environment, save for a user who is not in it (which
    /// containers have, and where `ssh` gives up).
    pub(super) fn find(home: Option<PathBuf>) -> Result<Self> {
        let uid = Uid::current();
        let entry = User::from_uid(uid).ok().flatten();
        let (user, own_home) = entry.map_or_else(
            || (std::env::var("USER").ok(), std::env::var_os("HOME").map(PathBuf::from)),
            |entry| (Some(entry.name), Some(entry.dir)),
        );
        let (Some(user), Some(home)) = (user, home.or(own_home)) else {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                "this process's user is not in the user database: set HOME and USER",
            )
            .with("uid", uid));
        };
        let machine = nix::unistd::gethostname()
            .map_err(|e| Error::new(ErrorKind::Internal, "cannot read this machine's name").because(e))?;
        Ok(Self { user, home, uid: uid.as_raw(), machine: machine.to_string_lossy().into_owned() })
    }

    /// What `~NAME` is.
    pub(super) fn home_of(name: &str) -> Option<PathBuf> {
        User::from_name(name).ok().flatten().map(|user| user.dir)
    }
}
