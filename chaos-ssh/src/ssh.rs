//! The [`Transport`]: a connection that is made anew when it broke, and what is asked over it.

use std::{
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use chaos_core::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
    model::{Ask, Command, TargetInfo},
    transport::{Capabilities, Reply, Request, Transport},
};
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    connection::Connection,
    exec::{self, Job, NotStarted},
    forward,
    hops::{Accepted, login_name},
    put,
    route::Route,
    secrets::Secrets,
};

/// How long a lost connection is tried anew before a question fails.
const RECONNECT: Duration = Duration::from_secs(60);
/// The first pause between tries; each next one is twice as long.
const PAUSE: Duration = Duration::from_millis(500);

/// A target over SSH.
///
/// One connection carries everything. When it breaks, what runs ends as `Unreachable` and keeps what came before; the
/// next question makes a new one. What may have run is never run again.
///
/// More commands at once than the server allows sessions (`MaxSessions`) wait for their turn, first come, first served,
/// for as long as they may take, at least 30 s; beyond it is `Busy`. A command's own time begins when it starts.
///
/// A reader may fall behind by its `max_bytes` and some 2 MiB; one that falls further behind gets `OutputLimit`, as
/// russh has no way to hold back a single channel.
///
/// Should this process be killed, or the connection be lost, the target itself ends the commands that are still
/// running, unless they have made themselves a session of their own (setsid). It is told of each by a message of its
/// own, right after the start: a command whose message was still on its way is not ended.
pub struct Ssh {
    route: Route,
    secrets: Secrets,
    clock: Arc<dyn Clock>,
    connection: tokio::sync::Mutex<Arc<Connection>>,
    accepted: Arc<Accepted>,
    capabilities: Mutex<Capabilities>,
}

impl fmt::Debug for Ssh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ssh").field("target", &self.target().name).finish_non_exhaustive()
    }
}

impl Ssh {
    /// Connects to the target through all hops of `route`, checks each host's key, logs in, and finds out what the
    /// target can do; output is stamped by `clock`.
    ///
    /// # Errors
    /// Each with the host and what to do about it: `Unreachable` when a host does not answer or the connection breaks;
    /// `Denied` when a host's key is not to be trusted, the login is refused (with all that was tried), or the account
    /// has no shell; `Unsupported` when no SSH server answers or it has no safe algorithm; `InvalidInput` when the
    /// route is empty; what [`KnownHosts`](crate::known_hosts::KnownHosts) says when a file can't be read.
    pub async fn connect(route: Route, secrets: Secrets, clock: Arc<dyn Clock>) -> Result<Self> {
        let accepted = Arc::<Accepted>::default();
        let connection = Connection::open(&route, &secrets, &accepted).await?;
        let capabilities = Mutex::new(can(&connection));
        let connection = tokio::sync::Mutex::new(Arc::new(connection));
        Ok(Self { route, secrets, clock, connection, accepted, capabilities })
    }

    /// Writes `bytes` into the file `path` of the target with the permissions `mode`, whole or not at all: a reader
    /// sees what was there before or all that is there now.
    ///
    /// # Errors
    /// `NotFound` when the directory does not exist, `Denied` when the user may not write there, `Storage` when the
    /// disk is full or fails, `Unreachable` when the connection breaks.
    pub async fn put(&self, path: &str, bytes: &[u8], mode: u32) -> Result<()> {
        let connection = self.connection(Instant::now() + RECONNECT).await?;
        put::put(&connection, path, bytes, mode, &self.clock).await.map_err(|e| e.with("path", path.escape_debug()))
    }

    /// The connection; a new one when it broke. Only before anything was sent.
    async fn connection(&self, until: Instant) -> Result<Arc<Connection>> {
        let mut why = Error::new(ErrorKind::Unreachable, "the connection broke, and another question is restoring it");
        let made = timeout_at(until, async {
            let mut current = self.connection.lock().await;
            if !current.is_closed() {
                return Ok(current.clone());
            }
            why = current.lost();
            let mut pause = PAUSE;
            loop {
                // Boxed, as every question would have room for a login otherwise.
                match Box::pin(Connection::open(&self.route, &self.secrets, &self.accepted)).await {
                    Ok(new) => {
                        *self.capabilities.lock().expect("no panic while held") = can(&new);
                        *current = Arc::new(new);
                        return Ok(current.clone());
                    }
                    Err(e) if e.is_retryable() => why = e,
                    Err(e) => return Err(e),
                }
                sleep(pause).await;
                pause *= 2;
            }
        });
        match made.await {
            Ok(made) => made,
            Err(_) => Err(why),
        }
    }

    async fn run(&self, command: &Command, request: &Request) -> Result<Reply> {
        let until = Instant::now() + request.within.min(RECONNECT);
        loop {
            let connection = self.connection(until).await?;
            let job = Job::new(&connection, command, command.stdin.clone().into_bytes())?;
            match exec::run(connection.clone(), job, request, self.clock.clone()).await {
                Ok(reply) => return Ok(reply),
                Err(NotStarted::Unsent(e)) if e.kind() == ErrorKind::Unreachable && connection.is_closed() => {
                    if Instant::now() >= until {
                        return Err(e);
                    }
                }
                Err(NotStarted::Unsent(e) | NotStarted::Sent(e)) => return Err(e),
            }
        }
    }
}

fn can(connection: &Connection) -> Capabilities {
    Capabilities::new(true, true, connection.facts().elevate)
}

#[async_trait]
impl Transport for Ssh {
    fn capabilities(&self) -> Capabilities {
        *self.capabilities.lock().expect("no panic while held")
    }

    fn target(&self) -> TargetInfo {
        let name = self
            .route
            .hops
            .last()
            .map_or_else(String::new, |hop| if hop.name.is_empty() { login_name(hop) } else { hop.name.clone() });
        TargetInfo { name, kind: "ssh".into() }
    }

    async fn open(&self, request: &Request) -> Result<Reply> {
        match &request.ask {
            Ask::Run(command) => self.run(command, request).await,
            Ask::HttpGet { port, path } => {
                let until = Instant::now() + request.within.min(RECONNECT);
                forward::get(self.connection(until).await?, *port, path, request, &self.clock)
            }
            _ => Err(Error::new(ErrorKind::Unsupported, "this can't be asked over SSH").with("ask", &request.ask)),
        }
    }
}
