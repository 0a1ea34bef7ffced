//! From what a person types to the hops of a route. The reference is the installed `ssh -G`: what our own reader makes
//! of a configuration must be what `ssh` makes of it.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, but not in what they share")]

mod agents;
mod as_ssh;
mod ask_ssh;
mod destination;
mod jumps;
mod options;
mod property;
mod refused;

use std::{
    fs,
    path::{Path, PathBuf},
};

use chaos_core::error::{Error, Result};
use chaos_ssh::route::{ConfigFile, Options, Reader, Route};
use tempfile::TempDir;

/// A directory with configuration files. In their text, `{dir}` is the directory.
struct Place(TempDir);

impl Place {
    fn new(config: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write("config", config);
        place
    }

    fn dir(&self) -> &Path {
        self.0.path()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text.replace("{dir}", self.dir().to_str().unwrap())).unwrap();
    }

    fn options(&self, reader: Reader) -> Options {
        Options { config: ConfigFile::Only(self.path("config")), reader, ..Options::default() }
    }

    async fn own(&self, target: &str) -> Result<Route> {
        Route::find_with(&target.parse().unwrap(), &self.options(Reader::Own)).await
    }

    async fn ssh(&self, target: &str) -> Result<Route> {
        let options = self.options(Reader::Ssh(ssh()));
        Route::find_with(&target.parse().unwrap(), &options).await.map(without_old_keys)
    }

    /// Both readers' route, which must be one.
    async fn both(&self, target: &str) -> Route {
        let config = fs::read_to_string(self.path("config")).unwrap();
        let say = |e: Error| panic!("{target}: {e}\n{config}");
        let (own, ssh) = (self.own(target).await.unwrap_or_else(say), self.ssh(target).await.unwrap_or_else(say));
        assert_eq!(own, ssh, "{target}, left ours, right ssh's, with\n{config}");
        own
    }
}

/// OpenSSH before 10 looks for two kinds of keys that nobody has, and we don't.
fn without_old_keys(mut route: Route) -> Route {
    for hop in &mut route.hops {
        hop.identity_files.retain(|file| !file.ends_with(".ssh/id_xmss") && !file.ends_with(".ssh/id_dsa"));
    }
    route
}

/// The program in `PATH`. `.ci/run` installs it; there is nothing to compare with without it.
fn ssh() -> PathBuf {
    std::env::split_paths(&std::env::var_os("PATH").unwrap())
        .map(|dir| dir.join("ssh"))
        .find(|path| path.exists())
        .expect("install the OpenSSH client: these tests compare with it")
}
