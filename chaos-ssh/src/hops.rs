//! From one host to the next: the TCP connection or the jump through the host before, the key exchange, and whether
//! the host's key is to be trusted. Says each failure so that a person knows what to do. Logging in is
//! [`login`](crate::login)'s.

use std::{
    borrow::Cow,
    collections::HashMap,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use chaos_core::error::{Error, ErrorKind, Result};
use russh::{
    Channel, ChannelId, ChannelOpenFailure, Preferred, cipher,
    client::{self, ChannelOpenHandle as Opening, DisconnectReason, Handle, Msg, Session},
    keys::{Algorithm, HashAlg, PublicKeyOrCertificate},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    task::spawn_blocking,
    time::timeout,
};

use crate::{
    control::Pulse,
    known_hosts::{KnownHosts, Verdict},
    login,
    route::{Hop, NewHosts, Route},
    secrets::Secrets,
    wire::Wire,
};

/// An interval of zero in the configuration is ssh's own default; a host that is gone should be noticed here.
const ALIVE_INTERVAL: Duration = Duration::from_secs(15);
const ALIVE_COUNT: usize = 3;
/// For the connection and each step of the login, where the configuration does not say.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// How many messages may wait for a channel before the whole connection waits. On a jump host, a channel carries the
/// next connection, and neither may wait for the other.
const CHANNEL_BUFFER: usize = 256;
const JUMP_BUFFER: usize = 1 << 14;
/// How much of a server's banner is kept for messages.
const BANNER: usize = 2 << 10;

/// Fastest first, as measured; all of them are good.
const CIPHERS: &[cipher::Name] = &[
    cipher::AES_256_GCM,
    cipher::AES_128_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// A logged-in hop.
pub(crate) struct Link {
    pub handle: Handle<Watch>,
    pub lost: Arc<Lost>,
}

/// What is told about a connection that broke.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    why: Mutex<Option<String>>,
    banner: Mutex<String>,
}

impl Lost {
    /// Why the connection ended, as far as is known; safe to show.
    pub(crate) fn why(&self) -> Option<String> {
        self.why.lock().expect("no panic while held").clone()
    }

    /// What the server had to say before the login; safe to show.
    pub(crate) fn banner(&self) -> Option<String> {
        let banner = self.banner.lock().expect("no panic while held");
        Some(printable(banner.trim(), 300)).filter(|text| !text.is_empty())
    }

    fn set(&self, why: String) {
        self.why.lock().expect("no panic while held").get_or_insert(why);
    }
}

/// Keys that were accepted without being in a file, by hop: they may not change while this process runs.
#[derive(Debug, Default)]
pub(crate) struct Accepted(tokio::sync::Mutex<HashMap<usize, String>>);

/// Connects and logs in, hop by hop; the last link is the target's.
///
/// # Errors
/// See [`crate::Ssh::connect`].
pub(crate) async fn connect(route: &Route, secrets: &Secrets, accepted: &Arc<Accepted>) -> Result<Vec<Link>> {
    let mut links: Vec<Link> = Vec::new();
    for (index, hop) in route.hops.iter().enumerate() {
        let is_target = index + 1 == route.hops.len();
        let next = reach(hop, index, is_target, links.last(), accepted).await;
        let mut link = next.map_err(|e| on_the_way(e, hop, is_target))?;
        login::login(&mut link, hop, is_target, secrets).await.map_err(|e| on_the_way(e, hop, is_target))?;
        links.push(link);
    }
    if links.is_empty() {
        return Err(Error::new(ErrorKind::InvalidInput, "a route has at least one hop"));
    }
    Ok(links)
}

/// `user@host:port`, with the brackets that an IPv6 address needs.
pub(crate) fn login_name(hop: &Hop) -> String {
    let host = if hop.host.contains(':') { format!("[{}]", hop.host) } else { hop.host.clone() };
    format!("{}@{host}:{}", hop.user, hop.port)
}

/// How long one step with `hop` may take.
pub(crate) fn patience(hop: &Hop) -> Duration {
    if hop.connect_timeout.is_zero() { CONNECT_TIMEOUT } else { hop.connect_timeout }
}

/// What a host sent, safe to show.
pub(crate) fn printable(text: &str, longest: usize) -> String {
    text.chars().take(longest).collect::<String>().escape_debug().to_string()
}

fn on_the_way(e: Error, hop: &Hop, is_target: bool) -> Error {
    e.with(if is_target { "host" } else { "jump host" }, login_name(hop))
}

async fn reach(
    hop: &Hop,
    index: usize,
    is_target: bool,
    before: Option<&Link>,
    accepted: &Arc<Accepted>,
) -> Result<Link> {
    let limit = patience(hop);
    let known = if hop.pinned.is_empty() { Some(Arc::new(known_hosts(hop).await?)) } else { None };
    let config = Arc::new(config(hop, is_target, known.as_deref()));
    let lost = Arc::new(Lost::default());
    let watch = Watch { hop: Box::new(hop.clone()), index, known, accepted: accepted.clone(), lost: lost.clone() };
    let exchanged = match before {
        None => {
            let stream = timeout(limit, dial(hop)).await.map_err(|_| too_slow("connect", limit))??;
            exchange(config, Wire::new(stream), watch, limit).await
        }
        Some(before) => {
            let jump = before.handle.channel_open_direct_tcpip(hop.host.clone(), u32::from(hop.port), "127.0.0.1", 0);
            let channel = timeout(limit, jump).await.map_err(|_| too_slow("connect through the jump host", limit))?;
            let channel = channel.map_err(|e| cannot_jump(e, &before.lost))?;
            exchange(config, channel.into_stream(), watch, limit).await
        }
    };
    Ok(Link { handle: exchanged?, lost })
}

async fn known_hosts(hop: &Hop) -> Result<KnownHosts> {
    let hop = hop.clone();
    blocking(move || KnownHosts::read(&hop)).await
}

/// Runs what waits for files off the reactor.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    spawn_blocking(work).await.map_err(|e| Error::new(ErrorKind::Internal, "a task panicked").because(e))?
}

async fn dial(hop: &Hop) -> Result<TcpStream> {
    let unreachable = |message: String| Error::new(ErrorKind::Unreachable, message);
    let addresses: Vec<_> = lookup_host((hop.host.as_str(), hop.port))
        .await
        .map_err(|e| unreachable("cannot look up the host's name".into()).because(e))?
        .collect();
    let mut failed = unreachable("the host's name has no address".into());
    // Each address gets its share of the time, so that one that is filtered does not use up the others'.
    let share = patience(hop) / u32::try_from(addresses.len().max(1)).unwrap_or(1);
    for address in addresses {
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Small questions and answers should not wait for each other; without it everything still works.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(e)) if e.kind() == io::ErrorKind::ConnectionRefused => {
                failed =
                    unreachable(format!("connection refused: nothing listens on {address}, or a firewall says no"))
                        .because(e);
            }
            Ok(Err(e)) => failed = unreachable(format!("cannot connect to {address}")).because(e),
            Err(_) => failed = too_slow("connect", share).with("address", address),
        }
    }
    Err(failed)
}

fn too_slow(what: &str, limit: Duration) -> Error {
    let message = format!(
        "could not {what} within {} s: no answer; the host may be down, or a firewall drops what is sent to it",
        limit.as_secs_f32()
    );
    Error::new(ErrorKind::Unreachable, message)
}

fn cannot_jump(e: russh::Error, lost: &Lost) -> Error {
    match e {
        russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited) => Error::new(
            ErrorKind::Denied,
            "the jump host does not allow forwarding (AllowTcpForwarding, PermitOpen in its sshd_config)",
        ),
        russh::Error::ChannelOpenFailure(_) => {
            Error::new(ErrorKind::Unreachable, "the jump host cannot connect to it").because(e)
        }
        e => Error::new(ErrorKind::Unreachable, broken("the connection to the jump host broke", lost)).because(e),
    }
}

/// `what`, and why, where that is known.
pub(crate) fn broken(what: &str, lost: &Lost) -> String {
    lost.why().map_or_else(|| what.to_owned(), |why| format!("{what}: {why}"))
}

async fn exchange<S>(config: Arc<client::Config>, stream: S, watch: Watch, limit: Duration) -> Result<Handle<Watch>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match timeout(limit, client::connect_stream(config, stream, watch)).await {
        Ok(Ok(handle)) => Ok(handle),
        Ok(Err(Broken::Ours(e))) => Err(e),
        Ok(Err(Broken::Russh(e))) => Err(no_exchange(e)),
        Err(_) => Err(Error::new(
            ErrorKind::Unreachable,
            format!(
                "the port is open, and no SSH server answered within {} s; the host may be overloaded, or the port is \
                 another service's",
                limit.as_secs_f32()
            ),
        )),
    }
}

fn no_exchange(e: russh::Error) -> Error {
    let closed = "the server closed the connection before the login; it may have too many open already (MaxStartups), \
                  or block this address";
    match e {
        russh::Error::Version => Error::new(ErrorKind::Unsupported, "what answers on this port is no SSH server"),
        russh::Error::NoCommonAlgo { kind, ours, theirs } => {
            let theirs = printable(&theirs.join(","), 300);
            let message = format!("no {kind:?} algorithm in common; the server may be too old to be safe");
            Error::new(ErrorKind::Unsupported, message).with("theirs", theirs).with("ours", ours.join(","))
        }
        russh::Error::Disconnect | russh::Error::HUP => Error::new(ErrorKind::Unreachable, closed),
        russh::Error::IO(cause) => Error::new(ErrorKind::Unreachable, closed).because(cause),
        russh::Error::WrongServerSig | russh::Error::Signature(_) => {
            Error::new(ErrorKind::Denied, "the server could not prove that it holds its host key").because(e)
        }
        e => Error::new(ErrorKind::Unsupported, "what the server sends is not SSH as we know it").because(e),
    }
}

fn alive(hop: &Hop) -> (Duration, usize) {
    (
        if hop.alive_interval.is_zero() { ALIVE_INTERVAL } else { hop.alive_interval },
        if hop.alive_count_max == 0 { ALIVE_COUNT } else { hop.alive_count_max },
    )
}

/// How the target notices that we are gone: a little later than we would notice the same of it.
pub(crate) fn pulse(hop: &Hop) -> Pulse {
    let (every, count) = alive(hop);
    let times = u32::try_from(count).unwrap_or(u32::MAX).saturating_add(2);
    Pulse { every, silence: every.saturating_mul(times).max(Duration::from_secs(5)) }
}

fn config(hop: &Hop, is_target: bool, known: Option<&KnownHosts>) -> client::Config {
    let mut preferred = Preferred { cipher: Cow::Borrowed(CIPHERS), ..Preferred::DEFAULT };
    // ssh-rsa with SHA-1 is no proof any more.
    let safe: Vec<_> = preferred.key.iter().filter(|a| **a != Algorithm::Rsa { hash: None }).cloned().collect();
    preferred.key = Cow::Owned(safe);
    if let Some(known) = known {
        let (keys, certificates) = known.algorithms();
        if !keys.is_empty() {
            preferred.key = Cow::Owned(keys);
        }
        preferred.host_key_certificates = Cow::Owned(certificates);
    }
    let (interval, count) = alive(hop);
    let silent = interval.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX).saturating_add(1));
    client::Config {
        preferred,
        keepalive_interval: Some(interval),
        keepalive_max: count,
        // Keepalives are not counted while a write waits for a host that is gone. Longer than a person needs to
        // type a passphrase during the login.
        inactivity_timeout: Some(silent.saturating_add(Duration::from_secs(5)).max(Duration::from_secs(125))),
        channel_buffer_size: if is_target { CHANNEL_BUFFER } else { JUMP_BUFFER },
        nodelay: true,
        ..client::Config::default()
    }
}

/// What can go wrong in the connection's own task.
#[derive(Debug)]
pub(crate) enum Broken {
    Ours(Error),
    Russh(russh::Error),
}

impl From<russh::Error> for Broken {
    fn from(e: russh::Error) -> Self {
        Self::Russh(e)
    }
}

/// Judges the host's key, and notes why a connection ends.
pub(crate) struct Watch {
    /// Boxed, as the library holds this several times over.
    hop: Box<Hop>,
    index: usize,
    known: Option<Arc<KnownHosts>>,
    accepted: Arc<Accepted>,
    lost: Arc<Lost>,
}

impl client::Handler for Watch {
    type Error = Broken;

    async fn auth_banner(&mut self, banner: &str, _: &mut Session) -> Result<(), Broken> {
        let mut kept = self.lost.banner.lock().expect("no panic while held");
        let room = BANNER.saturating_sub(kept.len());
        kept.extend(banner.chars().take(room));
        Ok(())
    }

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Broken> {
        self.judge(key).await.map(|()| true).map_err(Broken::Ours)
    }

    // A server may ask to open channels to us. We have asked for none, and the library would accept them: a handle
    // that is dropped says no.

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        _: Opening,
        _: &mut Session,
    ) -> Result<(), Broken> {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: Opening,
        _: &mut Session,
    ) -> Result<(), Broken> {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: Opening,
        _: &mut Session,
    ) -> Result<(), Broken> {
        Ok(())
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: Opening,
        _: &mut Session,
    ) -> Result<(), Broken> {
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: Opening,
        _: &mut Session,
    ) -> Result<(), Broken> {
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: Channel<Msg>,
        _: Opening,
        _: &mut Session,
    ) -> Result<(), Broken> {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: Opening,
        _: &mut Session,
    ) -> Result<(), Broken> {
        Ok(())
    }

    async fn should_accept_unknown_server_channel(&mut self, _: ChannelId, _: &str) -> bool {
        false
    }

    async fn disconnected(&mut self, reason: DisconnectReason<Broken>) -> Result<(), Broken> {
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                self.lost.set(format!("the server said: {}", printable(&info.message, 200)));
                Ok(())
            }
            DisconnectReason::Error(e) => {
                match &e {
                    Broken::Ours(e) => self.lost.set(e.to_string()),
                    Broken::Russh(russh::Error::KeepaliveTimeout | russh::Error::InactivityTimeout) => {
                        self.lost.set("the host has not answered for too long".into());
                    }
                    Broken::Russh(russh::Error::Disconnect | russh::Error::HUP) => {
                        self.lost.set("the server closed it".into());
                    }
                    Broken::Russh(e) => self.lost.set(e.to_string()),
                }
                Err(e)
            }
        }
    }
}

impl Watch {
    async fn judge(&self, key: &PublicKeyOrCertificate) -> Result<()> {
        let public = key.public_key();
        let print = public.fingerprint(HashAlg::Sha256).to_string();
        let denied = |message: String| {
            let shown = format!("{} {print}", public.algorithm());
            let e = Error::new(ErrorKind::Denied, message).with("its key", shown);
            match self.known.as_ref().and_then(|known| known.certificate_fault(key)) {
                Some(why) => e.with("its certificate", why),
                None => e,
            }
        };
        let Some(known) = &self.known else {
            // Trailing `=` is not part of the usual form, and ssh-keygen has never printed it.
            let same = self.hop.pinned.iter().any(|pin| pin.trim().trim_end_matches('=') == print);
            return if same {
                Ok(())
            } else {
                Err(denied(
                    "the host's key is none of those that were pinned (a host has several: pin the one that it shows)"
                        .into(),
                )
                .with("pinned", self.hop.pinned.join(" ")))
            };
        };
        let place = place(&self.hop);
        match known.judge(key) {
            Verdict::Trusted => Ok(()),
            Verdict::New if self.hop.new_hosts == NewHosts::Accept => {
                let mut accepted = self.accepted.0.lock().await;
                match accepted.get(&self.index) {
                    Some(before) if *before != print => {
                        return Err(
                            denied("the host's key has changed since it was accepted".into()).with("before", before)
                        );
                    }
                    Some(_) => return Ok(()),
                    None => {}
                }
                let (known, key) = (known.clone(), copy(key));
                blocking(move || known.add(&key)).await?;
                accepted.insert(self.index, print);
                Ok(())
            }
            Verdict::New => Err(denied(format!(
                "nothing is known of this host's key: compare its fingerprint with the host's (ssh-keygen -lf \
                 /etc/ssh/ssh_host_…_key.pub there), then note it by `ssh-keyscan {} >> {}`, or accept new hosts \
                 (StrictHostKeyChecking accept-new)",
                if self.hop.port == 22 {
                    self.hop.host.clone()
                } else {
                    format!("-p {} {}", self.hop.port, self.hop.host)
                },
                self.hop.user_known_hosts.first().map_or("~/.ssh/known_hosts".into(), |f| f.display().to_string()),
            ))),
            Verdict::Changed { file, line } => Err(denied(format!(
                "the host's key has changed, and somebody may be in between: {}:{line} knows another one. If the host \
                 was set up anew, forget the old key by `ssh-keygen -R '{place}' -f {}`",
                file.display(),
                file.display()
            ))),
            Verdict::Revoked { file, line } => {
                let at = line.map_or(String::new(), |line| format!(":{line}"));
                Err(denied(format!("the host's key is revoked by {}{at}: it must not be trusted", file.display())))
            }
            Verdict::Unusable { why } => Err(denied(format!("the host's key can't be used: {why}"))),
        }
    }
}

/// What the library has no way to clone.
fn copy(key: &PublicKeyOrCertificate) -> PublicKeyOrCertificate {
    match key {
        PublicKeyOrCertificate::PublicKey { key, hash_alg } => {
            PublicKeyOrCertificate::PublicKey { key: key.clone(), hash_alg: *hash_alg }
        }
        PublicKeyOrCertificate::Certificate(certificate) => certificate.clone().into(),
    }
}

/// Under which name `known_hosts` has a hop.
fn place(hop: &Hop) -> String {
    match &hop.host_key_alias {
        Some(alias) => alias.clone(),
        None if hop.port == 22 => hop.host.clone(),
        None => format!("[{}]:{}", hop.host, hop.port),
    }
}
