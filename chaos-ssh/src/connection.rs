//! One connection to a target, logged in through all its hops, and what runs on it: sessions, forwards, and the
//! control shell. Knows nothing of how a broken one is replaced; that is [`Ssh`](crate::Ssh)'s.

use std::{fmt, sync::Arc, time::Duration};

use chaos_core::error::{Error, ErrorKind, Result};
use russh::{Channel, ChannelOpenFailure, client::Msg};
use tokio::time::timeout;

use crate::{
    control::{Control, Facts},
    hops::{self, Accepted, Link, broken, patience},
    route::Route,
    secrets::Secrets,
    slots::{Slot, Slots},
};

/// For the shell's start-up files and `sudo -n true`, on a host that is busy: it is one, when we are asked.
const FIRST_ANSWER: Duration = Duration::from_secs(30);

pub(crate) struct Connection {
    /// In the order of the route; those before the last carry the last.
    links: Vec<Link>,
    slots: Arc<Slots>,
    control: Control,
    facts: Facts,
    /// The control shell's session.
    _slot: Slot,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("facts", &self.facts).finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects, logs in, and asks what the target is.
    ///
    /// # Errors
    /// See [`crate::Ssh::connect`].
    pub(crate) async fn open(route: &Route, secrets: &Secrets, accepted: &Arc<Accepted>) -> Result<Self> {
        let links = hops::connect(route, secrets, accepted).await?;
        let target = route.hops.last().expect("there are links");
        let host = |e: Error| e.with("host", hops::login_name(target));
        let slots = Slots::new();
        let slot = slots.queue().take().await;
        let link = links.last().expect("connect gives at least one");
        let channel = timeout(patience(target), link.handle.channel_open_session())
            .await
            .map_err(|_| host(Error::new(ErrorKind::Unreachable, "the server did not open a session in time")))?;
        let channel = channel.map_err(|e| match e {
            russh::Error::ChannelOpenFailure(_) => host(Error::new(
                ErrorKind::Denied,
                "the server allows no session (MaxSessions 0, or a forward-only account)",
            )),
            e => host(Error::new(ErrorKind::Unreachable, broken("the connection broke", &link.lost)).because(e)),
        })?;
        let limit = FIRST_ANSWER.max(patience(target));
        let (control, facts) = Control::start(channel, &target.user, limit, hops::pulse(target)).await.map_err(host)?;
        Ok(Self { links, slots, control, facts, _slot: slot })
    }

    pub(crate) fn facts(&self) -> Facts {
        self.facts
    }

    pub(crate) fn control(&self) -> &Control {
        &self.control
    }

    /// Whether it is known to be broken.
    pub(crate) fn is_closed(&self) -> bool {
        self.links.iter().any(|link| link.handle.is_closed())
    }

    /// That the connection broke, and why.
    pub(crate) fn lost(&self) -> Error {
        if !self.is_closed() {
            return Error::new(ErrorKind::Unreachable, "the server ended the session without a word");
        }
        // The first hop that broke took the others with it.
        let why = self.links.iter().find_map(|link| link.lost.why());
        let why = why.map_or(String::new(), |why| format!(": {why}"));
        Error::new(ErrorKind::Unreachable, format!("the connection broke{why}"))
    }

    /// A session, once the server allows one more.
    ///
    /// # Errors
    /// `Unreachable` when the connection breaks, `Denied` when the server allows none at all.
    pub(crate) async fn session(&self) -> Result<(Channel<Msg>, Slot)> {
        let mut turn = self.slots.queue();
        let mut alone = 0;
        loop {
            let slot = turn.take().await;
            match self.target().handle.channel_open_session().await {
                Ok(channel) => return Ok((channel, slot)),
                Err(russh::Error::ChannelOpenFailure(why)) if !self.is_closed() => {
                    // Beside the control shell there must be room for one; a session may just be closing.
                    alone = if self.slots.refused(slot) <= 1 { alone + 1 } else { 0 };
                    if alone == 3 {
                        let message = format!(
                            "the server allows no session beside the one that ends commands ({why:?}): set MaxSessions \
                             to 2 or more in its sshd_config"
                        );
                        return Err(Error::new(ErrorKind::Denied, message));
                    }
                }
                Err(_) => return Err(self.lost()),
            }
        }
    }

    /// That no session was free in time.
    pub(crate) fn busy(&self) -> Error {
        if !self.slots.is_full() {
            return Error::new(ErrorKind::Unreachable, "the server did not open a session in time");
        }
        let limit = self.slots.limit().map_or(String::new(), |limit| format!(" ({limit} at once)"));
        let message = format!(
            "all sessions that the server allows{limit} are in use: raise MaxSessions in its sshd_config, or ask less \
             at once"
        );
        Error::new(ErrorKind::Busy, message)
    }

    /// A TCP connection from the target to a port of its own loopback.
    ///
    /// # Errors
    /// `Unreachable` when nobody listens or the connection breaks, `Denied` when the server allows no forwarding.
    pub(crate) async fn forward(&self, port: u16) -> Result<Channel<Msg>> {
        let opened = self.target().handle.channel_open_direct_tcpip("127.0.0.1", u32::from(port), "127.0.0.1", 0).await;
        opened.map_err(|e| match e {
            russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited) => Error::new(
                ErrorKind::Denied,
                "the server allows no forwarding, which reading an endpoint needs (AllowTcpForwarding, PermitOpen in \
                 its sshd_config)",
            ),
            russh::Error::ChannelOpenFailure(_) => {
                Error::new(ErrorKind::Unreachable, "nothing listens on this port of the target").with("port", port)
            }
            _ => self.lost(),
        })
    }

    fn target(&self) -> &Link {
        self.links.last().expect("a connection has at least one link")
    }
}
