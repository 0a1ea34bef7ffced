//! What an incident is about, from what a request says: a target of the configuration, or a machine that the request
//! describes, within the configured bounds. Here a name becomes a transport.

use std::{net::IpAddr, path::PathBuf, sync::Arc};

use chaos_core::{
    clock::Clock,
    error::{Error, ErrorKind},
    model::TargetInfo,
    transport::Transport,
    transports::{Files, Local},
};
use chaos_ssh::{
    destination::Destination,
    route::{ConfigFile, NewHosts, Options},
};
use serde::{Deserialize, Serialize};

use crate::{
    cli,
    commands::target,
    config::TargetEntry,
    exit::Failure,
    server::{problem::Problem, settings::Settings},
};

/// A machine as a request describes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TargetVm {
    pub(crate) host: String,
    #[serde(default = "ssh_port")]
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) key_path: PathBuf,
    /// The fingerprint that its host key must have.
    #[serde(default)]
    pub(crate) host_key: Option<String>,
}

const fn ssh_port() -> u16 {
    22
}

/// Which machine or files, and how they are reached.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// As the API shows it.
    pub(crate) info: TargetInfo,
    /// The same for two names of one machine.
    pub(crate) key: String,
    pub(crate) allow_chaos: bool,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    Local,
    Ssh(Box<(Destination, Options)>),
    Files(Vec<PathBuf>),
    Replay(PathBuf),
}

/// What kind of target an entry of the configuration is.
pub(crate) fn kind(entry: &TargetEntry) -> &'static str {
    match (entry.address.as_deref(), &entry.replay) {
        (Some("local"), _) => "local",
        (Some(_), _) => "ssh",
        (None, Some(_)) => "replay",
        (None, None) => "files",
    }
}

impl Subject {
    /// A target of the configuration.
    ///
    /// # Errors
    /// `NotFound`, or what is wrong with its address.
    pub(crate) fn named(settings: &Settings, name: &str) -> Result<Self, Problem> {
        let unknown = || Problem::not_found(format!("there is no target {name:?}; GET /targets lists them"));
        let entry = settings.config.targets.get(name).ok_or_else(unknown)?;
        let place = match (entry.address.as_deref(), &entry.replay) {
            (Some("local"), _) => Place::Local,
            (Some(address), _) => {
                let args = cli::Target {
                    identity: entry.identity.clone(),
                    host_keys: entry.host_keys.clone(),
                    ..cli::Target::default()
                };
                Place::Ssh(Box::new((address.parse()?, target::options(&args, &settings.config))))
            }
            (None, Some(dir)) => Place::Replay(dir.clone()),
            (None, None) => Place::Files(entry.files.clone()),
        };
        let key = match &place {
            Place::Local => "local".to_owned(),
            Place::Ssh(ssh) => format!("ssh {}", without_user(&ssh.0)),
            Place::Files(_) | Place::Replay(_) => format!("files {name}"),
        };
        let info = TargetInfo { name: name.to_owned(), kind: kind(entry).to_owned() };
        Ok(Self { info, key, allow_chaos: entry.allow_chaos, place })
    }

    /// A machine that a request describes.
    ///
    /// # Errors
    /// `Refused` unless the configuration covers it.
    pub(crate) async fn described(settings: &Settings, vm: &TargetVm) -> Result<Self, Problem> {
        let refused = |why: &str| Problem::new(ErrorKind::Refused, why);
        let Some(rules) = &settings.adhoc else {
            return Err(refused(
                "only targets of the configuration are looked at here (server.adhoc is not set); GET /targets lists them",
            ));
        };
        let user_is_plain = !vm.user.is_empty()
            && vm.user.len() <= 64
            && !vm.user.starts_with('-')
            && vm.user.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
        if !user_is_plain || vm.port == 0 {
            return Err(Problem::invalid("target_vm wants a plain user name, and a port from 1 on"));
        }
        let address = resolve(&vm.host, vm.port).await.filter(|ip| rules.covers(*ip));
        let address = address.ok_or_else(|| refused("target_vm.host is in none of the networks of server.adhoc"))?;
        let key = rules.key(&vm.key_path);
        let key = key.ok_or_else(|| refused("target_vm.key_path is no file in the directories of server.adhoc"))?;
        let destination = Destination { user: Some(vm.user.clone()), host: address.to_string(), port: Some(vm.port) };
        let options = Options {
            config: ConfigFile::None,
            identity_files: vec![key],
            pinned: vm.host_key.iter().cloned().collect(),
            new_hosts: rules.accept_new_host_keys.then_some(NewHosts::Accept),
            ..Options::default()
        };
        Ok(Self {
            info: TargetInfo { name: destination.to_string(), kind: "ssh".into() },
            key: format!("ssh {}", without_user(&destination)),
            allow_chaos: rules.allow_chaos,
            place: Place::Ssh(Box::new((destination, options))),
        })
    }

    /// The recorded incident, where it is one.
    pub(crate) fn recording(&self) -> Option<&PathBuf> {
        match &self.place {
            Place::Replay(dir) => Some(dir),
            _ => None,
        }
    }

    /// Whether there is a machine behind it.
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.place, Place::Local | Place::Ssh(_))
    }

    /// Reaches it.
    ///
    /// # Errors
    /// Why it can't be reached.
    pub(crate) async fn open(&self, clock: Arc<dyn Clock>) -> Result<Arc<dyn Transport>, Failure> {
        match &self.place {
            Place::Local => Ok(Arc::new(Local::new(clock))),
            Place::Ssh(ssh) => target::connect(&ssh.0, &ssh.1, target::secrets(false), clock).await,
            Place::Files(paths) => {
                let paths = paths.clone();
                let opened = tokio::task::spawn_blocking(move || Files::open(&paths, clock)).await;
                let lost = |e| Error::new(ErrorKind::Internal, "the thread that read the files was lost").because(e);
                Ok(Arc::new(opened.map_err(lost)??))
            }
            Place::Replay(_) => {
                Err(Error::new(ErrorKind::Unsupported, "there is no machine behind a recording").into())
            }
        }
    }
}

fn without_user(destination: &Destination) -> String {
    Destination { user: None, port: Some(destination.port.unwrap_or(22)), host: destination.host.clone() }.to_string()
}

/// The address that is looked at from then on: a name may mean another one a moment later.
async fn resolve(host: &str, port: u16) -> Option<IpAddr> {
    if host.is_empty() || host.len() > 253 {
        return None;
    }
    if let Ok(ip) = host.trim_start_matches('[').trim_end_matches(']').parse() {
        return Some(ip);
    }
    tokio::net::lookup_host((host, port)).await.ok()?.next().map(|a| a.ip())
}
