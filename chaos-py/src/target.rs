//! From what Python calls a target to a transport.

use std::{path::PathBuf, sync::Arc};

use chaos_core::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
    transport::Transport,
    transports::{Files, Local},
};
use chaos_ssh::{
    Ssh,
    destination::Destination,
    route::{ConfigFile, NewHosts, Options, Route},
    secrets::{Question, Secret, Secrets},
};
use pyo3::prelude::*;

use crate::transport::PyTransport;

/// A target, described and not reached yet.
#[derive(Clone)]
enum Described {
    Local,
    Files(Vec<PathBuf>),
    Ssh(Box<Remote>),
    Replay(PathBuf),
    Python(Arc<PyTransport>),
}

#[derive(Clone)]
struct Remote {
    destination: String,
    options: Options,
    password: Option<Secret>,
    passphrase: Option<Secret>,
}

/// A target, described and not reached yet.
#[pyclass(frozen, module = "chaos_handler._native")]
pub(crate) struct Target(Described);

#[pymethods]
impl Target {
    /// This machine.
    #[staticmethod]
    fn local() -> Self {
        Self(Described::Local)
    }

    /// Log and metric files, or directories of them.
    #[staticmethod]
    fn files(paths: Vec<PathBuf>) -> Self {
        Self(Described::Files(paths))
    }

    /// A recorded incident, by its directory.
    #[staticmethod]
    fn replay(incident: PathBuf) -> Self {
        Self(Described::Replay(incident))
    }

    /// A host over SSH, as `ssh` would reach it.
    #[staticmethod]
    #[pyo3(signature = (destination, config, identity, host_keys, accept_new_host_key, known_hosts, password, passphrase))]
    #[allow(clippy::too_many_arguments)] // one caller, in the package, by name
    fn ssh(
        destination: String,
        config: Option<PathBuf>,
        identity: Option<PathBuf>,
        host_keys: Vec<String>,
        accept_new_host_key: bool,
        known_hosts: Vec<PathBuf>,
        password: Option<String>,
        passphrase: Option<String>,
    ) -> Self {
        let secret = |text: Option<String>| text.map(Secret::new);
        let options = Options {
            config: config.map_or(ConfigFile::Default, ConfigFile::Only),
            identity_files: identity.into_iter().collect(),
            pinned: host_keys,
            new_hosts: accept_new_host_key.then_some(NewHosts::Accept),
            user_known_hosts: known_hosts,
            ..Options::default()
        };
        let remote = Remote { destination, options, password: secret(password), passphrase: secret(passphrase) };
        Self(Described::Ssh(Box::new(remote)))
    }

    /// What a Python object reaches; `run` is called with a request.
    #[staticmethod]
    fn python(name: String, kind: String, live: bool, elevate: bool, run: Py<PyAny>) -> Self {
        Self(Described::Python(Arc::new(PyTransport { name, kind, live, elevate, run })))
    }
}

impl Target {
    /// The recorded incident's directory, if it is one.
    pub(crate) fn recorded(&self) -> Option<&PathBuf> {
        match &self.0 {
            Described::Replay(incident) => Some(incident),
            _ => None,
        }
    }

    /// How to reach it, without holding on to the Python object.
    pub(crate) fn opener(&self) -> Opener {
        Opener(self.0.clone())
    }
}

/// Reaches a target.
pub(crate) struct Opener(Described);

impl Opener {
    /// # Errors
    /// Why it can't be reached; `InvalidInput` for a recorded incident, which is nothing to reach.
    pub(crate) async fn open(self, clock: Arc<dyn Clock>) -> Result<Arc<dyn Transport>> {
        Ok(match self.0 {
            Described::Local => Arc::new(Local::new(clock)),
            Described::Files(paths) => Arc::new(Files::open(&paths, clock)?),
            Described::Ssh(remote) => Arc::new(remote.connect(clock).await?),
            Described::Python(transport) => transport.for_run(clock),
            Described::Replay(_) => {
                return Err(Error::new(ErrorKind::InvalidInput, "a recorded incident can only be replayed"));
            }
        })
    }
}

impl Remote {
    async fn connect(self, clock: Arc<dyn Clock>) -> Result<Ssh> {
        let destination: Destination = self.destination.parse()?;
        let route = Route::find_with(&destination, &self.options).await?;
        let passphrase = self.passphrase;
        let asked = move |question: &Question| match question {
            Question::Passphrase { .. } => passphrase.clone(),
            _ => None,
        };
        Ssh::connect(route, Secrets::new(self.password, Some(Arc::new(asked))), clock).await
    }
}
