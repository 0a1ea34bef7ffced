//! A server that closes sessions before it answers the request to run something, as dropbear 2020.79 to 2024.85 does
//! when a process of another session ends just then (<https://github.com/mkj/dropbear/pull/326>).

use std::{collections::HashMap, process::Stdio, sync::Arc};

use chaos_core::error::ErrorKind;
use chaos_ssh::{Ssh, route::Route};
use russh::{
    Channel, ChannelId,
    keys::{HashAlg, PrivateKey, ssh_key::private::Ed25519Keypair},
    server::{Auth, ChannelOpenHandle, Config, Handle, Handler, Msg, Session, VerifiedPublicKey, run_stream},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    process::{Child, ChildStdin, Command},
};

use crate::support::{connect, directory, hop, keygen, request, says, sh};

struct Server {
    /// How many requests it closes the session on, after each that it answers; the first is answered.
    forgets: usize,
    seen: usize,
    stdin: HashMap<ChannelId, ChildStdin>,
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
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(&mut self, id: ChannelId, text: &[u8], session: &mut Session) -> Result<(), russh::Error> {
        let n = self.seen;
        self.seen += 1;
        if !n.is_multiple_of(self.forgets + 1) {
            return session.close(id);
        }
        session.channel_success(id)?;
        let mut child = Command::new("sh")
            .args(["-c", std::str::from_utf8(text).unwrap()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        self.stdin.extend(child.stdin.take().map(|stdin| (id, stdin)));
        tokio::spawn(answer(child, id, session.handle()));
        Ok(())
    }

    async fn data(&mut self, id: ChannelId, data: &[u8], _: &mut Session) -> Result<(), russh::Error> {
        if let Some(stdin) = self.stdin.get_mut(&id) {
            let _ = stdin.write_all(data).await;
        }
        Ok(())
    }

    async fn channel_eof(&mut self, id: ChannelId, _: &mut Session) -> Result<(), russh::Error> {
        self.stdin.remove(&id);
        Ok(())
    }
}

async fn answer(mut child: Child, id: ChannelId, handle: Handle) {
    let mut stdout = child.stdout.take().unwrap();
    let mut piece = vec![0; 8 << 10];
    while let Ok(n @ 1..) = stdout.read(&mut piece).await {
        let _ = handle.data(id, piece[..n].to_vec()).await;
    }
    let status = child.wait().await.unwrap();
    let _ = handle.exit_status_request(id, status.code().map_or(255, |code| u32::try_from(code).unwrap())).await;
    let _ = handle.close(id).await;
}

/// A connection to one that closes that many sessions after each that it answers.
async fn meet(forgets: usize) -> Ssh {
    let key = PrivateKey::from(Ed25519Keypair::from_seed(&[9; 32]));
    let fingerprint = key.public_key().fingerprint(HashAlg::Sha256).to_string();
    let config = Arc::new(Config { keys: vec![key], ..Config::default() });
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let server = Server { forgets, seen: 0, stdin: HashMap::new() };
        let _ = run_stream(config, stream, server).await.unwrap().await;
    });
    let dir = directory();
    keygen(&dir.path().join("key"), &["-t", "ed25519"]);
    let route = Route { hops: vec![hop(port, &fingerprint, &dir.path().join("key"))] };
    connect(route).await.unwrap_or_else(|e| panic!("{e}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_server_overlooked_is_asked_again_and_runs_once() {
    let ssh = meet(3).await;
    let dir = directory();
    let file = dir.path().join("lines");
    for n in 1..=5 {
        let script = format!("echo {n} >> '{}'; wc -l < '{}'", file.display(), file.display());
        assert_eq!(says(&ssh, &script).await, n.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_overlooks_everything_is_not_asked_for_ever() {
    let ssh = meet(usize::MAX - 1).await;
    let e = chaos_core::transport::Transport::open(&ssh, &request(sh("true"))).await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Unreachable);
    assert!(e.to_string().contains("without a word"), "{e}");
}
