//! From what a user calls a target to a transport.

use std::{
    env,
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use chaos_core::{chart::visible, clock::Clock, model::TargetInfo, transport::Transport, transports::Local};
use chaos_ssh::{
    Ssh,
    destination::Destination,
    route::{ConfigFile, NewHosts, Options, Route},
    secrets::{Question, Secret, Secrets},
};

use crate::{cli::Target, config::Config, exit::Failure, output};

/// Where secrets are taken from; they are no flags, because everybody on a machine sees the flags of a process.
const PASSWORD: &str = "CHAOS_HANDLER_SSH_PASSWORD";
const PASSPHRASE: &str = "CHAOS_HANDLER_SSH_PASSPHRASE";

/// Opens the target that was named on the command line, or else in the configuration, or else this machine.
///
/// # Errors
/// `Usage` when that can't be a target; or why it can't be reached.
pub(super) async fn open(args: &Target, config: &Config, clock: Arc<dyn Clock>) -> Result<Arc<dyn Transport>, Failure> {
    match args.target.as_deref().or(config.target.as_deref()).unwrap_or("local") {
        "local" => Ok(Arc::new(Local::new(clock))),
        name => {
            let destination: Destination = name.parse()?;
            connect(&destination, &options(args, config), secrets(true), clock).await
        }
    }
}

/// Opens a target over SSH.
///
/// # Errors
/// Why it can't be reached.
pub(crate) async fn connect(
    destination: &Destination,
    options: &Options,
    secrets: Secrets,
    clock: Arc<dyn Clock>,
) -> Result<Arc<dyn Transport>, Failure> {
    let route = Route::find_with(destination, options).await?;
    Ok(Arc::new(Ssh::connect(route, secrets, clock).await?))
}

pub(crate) fn options(args: &Target, config: &Config) -> Options {
    let file = args.ssh_config.as_ref().or(config.ssh.config.as_ref());
    let pinned = if args.host_keys.is_empty() { &config.ssh.host_keys } else { &args.host_keys };
    let accepts_new = args.accept_new_host_key || config.ssh.accept_new_host_keys;
    Options {
        config: file.map_or(ConfigFile::Default, |file| ConfigFile::Only(in_home(file))),
        identity_files: args.identity.iter().chain(&config.ssh.identity).take(1).map(|file| in_home(file)).collect(),
        pinned: pinned.clone(),
        new_hosts: accepts_new.then_some(NewHosts::Accept),
        ..Options::default()
    }
}

/// The shell expands `~` on a command line, but nobody does in a file.
pub(crate) fn in_home(file: &Path) -> PathBuf {
    match (file.strip_prefix("~"), env::var_os("HOME")) {
        (Ok(rest), Some(home)) => Path::new(&home).join(rest),
        _ => file.to_owned(),
    }
}

/// From the environment, else, where somebody may be asked, from the terminal.
pub(crate) fn secrets(may_ask: bool) -> Secrets {
    let given = |name: &str| env::var(name).ok().filter(|text| !text.is_empty()).map(Secret::new);
    let ask = move |question: &Question| {
        let prompt = match question {
            Question::Passphrase { key } => {
                if let Some(passphrase) = given(PASSPHRASE) {
                    return Some(passphrase);
                }
                format!("Passphrase for {}: ", visible(&key.display().to_string()))
            }
            Question::Password { login } => format!("Password for {}: ", visible(login)),
            _ => return None,
        };
        if !may_ask || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        match rpassword::prompt_password(prompt) {
            Ok(text) => Some(Secret::new(text)),
            Err(e) => {
                output::note(&format!("cannot read from the terminal: {e}"));
                None
            }
        }
    };
    Secrets::new(given(PASSWORD), Some(Arc::new(ask)))
}

/// What a person calls the target.
pub(crate) fn described(target: &TargetInfo) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match (target.kind.as_str(), host.trim()) {
        ("local", "") => "this machine".to_owned(),
        ("local", host) => format!("this machine ({})", visible(host)),
        _ => visible(&target.name),
    }
}
