//! `serve`: answers over HTTP until it is asked to end.

use std::path::PathBuf;

use chaos_core::error::{Error, ErrorKind};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;

use crate::{
    cli::ServeArgs,
    config::Config,
    exit::{Exit, Failure},
    output,
    server::{self, Server, Settings},
    signals::Signals,
};

/// Files that may be open at once, where the system allows it: all connections, and what runs and waits, with room to spare.
const FILES: u64 = 1 << 16;

pub(super) async fn serve(args: ServeArgs, config: Config, root: PathBuf) -> Result<Exit, Failure> {
    let settings = Settings::new(config, root, args.listen)?;
    let (address, tls) = (settings.listen(), settings.tls.is_some());
    allow_files();
    let mut signals =
        Signals::catch().map_err(|e| Error::new(ErrorKind::Internal, "cannot listen for signals").because(e))?;
    let listener = TcpListener::bind(address).await.map_err(|e| {
        let kind = if e.kind() == std::io::ErrorKind::AddrInUse { ErrorKind::Conflict } else { ErrorKind::Denied };
        Error::new(kind, "cannot listen there").with("address", address).because(e)
    })?;
    let address = listener.local_addr().unwrap_or(address);
    let server = Server::open(settings).await.map_err(|e| Failure::storage(&e))?;
    server::listen::ready(address, tls, args.json)?;
    let asked = async move {
        signals.next().await;
        output::note("ending: what runs is stopped and reverted; a second signal ends at once");
        tokio::spawn(async move {
            let again = signals.next().await;
            output::note("leaving at once: faults revert by themselves, and the next start looks after them");
            std::process::exit(again.exit() as i32)
        });
    };
    if server::listen(server, listener, asked).await? {
        return Ok(Exit::Ok);
    }
    output::note(
        "not every incident had ended in time; faults revert by themselves, and the next start looks after them",
    );
    Ok(Exit::NotReverted)
}

/// Many systems allow a process 1,024 open files until it asks for more.
fn allow_files() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(FILES, |most| most.min(FILES));
    if current.is_some_and(|now| now < wanted) {
        // Refused, it is as it was: connections beyond it wait, and incidents are refused with the reason.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
    }
}
