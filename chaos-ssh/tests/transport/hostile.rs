//! A server that lets us in and then does what none should: nothing comes of it but one clear error, in time.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use chaos_core::error::{Error, ErrorKind};
use chaos_ssh::route::{Hop, Route};
use russh::{
    Channel, ChannelId,
    keys::{HashAlg, PrivateKey, ssh_key::private::Ed25519Keypair},
    server::{Auth, ChannelOpenHandle, Config, Handle, Handler, Msg, Session, VerifiedPublicKey, run_stream},
};
use tokio::net::TcpListener;

use crate::support::{connect, directory, hop, keygen};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Evil {
    /// Leaves it open whether there will be a session.
    NeverOpens,
    /// Leaves it open whether the command will run.
    NeverRuns,
    /// Prints without end.
    Floods,
    /// Says that the command ended before it began, and goes on talking.
    Contradicts,
    /// Wants channels to us, and through us.
    Intrudes,
}

struct Server {
    evil: Evil,
    /// What it was granted of what it wanted from us.
    granted: Arc<Mutex<Vec<&'static str>>>,
    held: Vec<ChannelOpenHandle>,
}

impl Handler for Server {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, _: &str, _: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        _: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        match self.evil {
            Evil::NeverOpens => self.held.push(reply),
            _ => reply.accept().await,
        }
        Ok(())
    }

    async fn exec_request(&mut self, id: ChannelId, _: &[u8], session: &mut Session) -> Result<(), russh::Error> {
        let handle = session.handle();
        match self.evil {
            Evil::NeverOpens | Evil::NeverRuns => {}
            Evil::Floods => {
                session.channel_success(id)?;
                tokio::spawn(async move { while handle.data(id, vec![b'x'; 32 << 10]).await.is_ok() {} });
            }
            Evil::Contradicts => {
                session.exit_status_request(id, 0)?;
                session.channel_success(id)?;
                session.eof(id)?;
                session.data(id, "shell /bin/sh\nready yes\n")?;
                session.channel_failure(id)?;
                session.exit_status_request(id, 7)?;
                session.close(id)?;
                session.close(id)?;
            }
            Evil::Intrudes => {
                tokio::spawn(intrude(handle, self.granted.clone()));
            }
        }
        Ok(())
    }
}

async fn intrude(handle: Handle, granted: Arc<Mutex<Vec<&'static str>>>) {
    let wanted = [
        ("session", handle.channel_open_session().await.is_ok()),
        ("agent", handle.channel_open_agent().await.is_ok()),
        ("x11", handle.channel_open_x11("127.0.0.1", 6000).await.is_ok()),
        ("direct-tcpip", handle.channel_open_direct_tcpip("127.0.0.1", 22, "127.0.0.1", 1).await.is_ok()),
        ("direct-streamlocal", handle.channel_open_direct_streamlocal("/run/docker.sock").await.is_ok()),
        ("forwarded-tcpip", handle.channel_open_forwarded_tcpip("127.0.0.1", 22, "127.0.0.1", 1).await.is_ok()),
        ("forwarded-streamlocal", handle.channel_open_forwarded_streamlocal("/run/docker.sock").await.is_ok()),
    ];
    let got = wanted.iter().filter(|(_, is_granted)| *is_granted).map(|(name, _)| *name);
    granted.lock().unwrap().extend(got.chain(["asked for all"]));
    let _ = handle.disconnect(russh::Disconnect::ByApplication, String::new(), String::new()).await;
}

/// What comes of a connection to such a server, after how long, and what it was granted.
async fn meet(evil: Evil) -> (Error, Duration, Vec<&'static str>) {
    let key = PrivateKey::from(Ed25519Keypair::from_seed(&[7; 32]));
    let fingerprint = key.public_key().fingerprint(HashAlg::Sha256).to_string();
    let config = Arc::new(Config { keys: vec![key], server_id: id(), ..Config::default() });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let granted = Arc::<Mutex<Vec<&'static str>>>::default();
    let server = Server { evil, granted: granted.clone(), held: Vec::new() };
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        if let Ok(session) = run_stream(config, stream, server).await {
            let _ = session.await;
        }
    });
    let dir = directory();
    keygen(&dir.path().join("key"), &["-t", "ed25519"]);
    let hop = hop(port, &fingerprint, &dir.path().join("key"));
    let hop = Hop { connect_timeout: Duration::from_secs(2), ..hop };
    let started = Instant::now();
    let e = connect(Route { hops: vec![hop] }).await.unwrap_err();
    let granted = granted.lock().unwrap().clone();
    (e, started.elapsed(), granted)
}

fn id() -> russh::SshId {
    russh::SshId::Standard(Cow::Borrowed("SSH-2.0-Evil"))
}

async fn check(evil: Evil, kinds: &[ErrorKind], part: &str) {
    let (e, took, _) = meet(evil).await;
    assert!(kinds.contains(&e.kind()), "{evil:?}: {e}");
    assert!(e.to_string().contains(part), "{evil:?}: no {part:?} in: {e}");
    assert!(took < Duration::from_secs(45), "{evil:?}: {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_opens_no_session() {
    check(Evil::NeverOpens, &[ErrorKind::Unreachable], "did not open a session in time").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_runs_nothing() {
    check(Evil::NeverRuns, &[ErrorKind::Unreachable], "did not answer within").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_prints_without_end() {
    check(Evil::Floods, &[ErrorKind::Unreachable, ErrorKind::Denied], "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_contradicts_itself() {
    check(Evil::Contradicts, &[ErrorKind::Unreachable, ErrorKind::Denied], "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_to_come_to_us_gets_no_channel() {
    let (_, _, granted) = meet(Evil::Intrudes).await;
    assert_eq!(granted, ["asked for all"]);
}
