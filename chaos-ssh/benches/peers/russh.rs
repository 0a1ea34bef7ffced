//! The SSH library alone, as a floor: one exec request on one channel, nothing around it. It asks the library's own
//! reader of `known_hosts`, minds no start-up noise, and leaves what it started to itself; measured: see `protocol`.

#![allow(clippy::print_stdout, missing_docs, reason = "a measurement is printed")]

mod protocol;

use std::{borrow::Cow, sync::Arc};

use protocol::{COMMAND, Done, Peer, Server};
use russh::{
    ChannelMsg, SshId,
    client::{self, Handle},
    keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate, check_known_hosts_path, load_secret_key},
};

struct Russh;

struct Known(Server);

impl client::Handler for Known {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let Server { port, known_hosts, .. } = &self.0;
        Ok(check_known_hosts_path("127.0.0.1", *port, &key.public_key(), known_hosts)?)
    }
}

impl Peer for Russh {
    type Connection = Handle<Known>;

    fn version() -> String {
        match client::Config::default().client_id {
            SshId::Standard(id) | SshId::Raw(id) => id.trim_start_matches("SSH-2.0-russh_").to_owned(),
        }
    }

    async fn connect(server: &Server) -> Done<Self::Connection> {
        let config = client::Config { nodelay: true, ..client::Config::default() };
        let mut handle = client::connect(Arc::new(config), ("127.0.0.1", server.port), Known(server.clone())).await?;
        let key = PrivateKeyWithHashAlg::new(Arc::new(load_secret_key(&server.key, None)?), None);
        let login = handle.authenticate_publickey(server.user.clone(), key).await?;
        if login.success() { Ok(handle) } else { Err("the login was refused".into()) }
    }

    async fn run(handle: &Self::Connection) -> Done<()> {
        count(handle, COMMAND.into()).await.map(drop)
    }

    async fn count(handle: &Self::Connection, command: String) -> Done<u64> {
        count(handle, command.into()).await
    }
}

async fn count(handle: &Handle<Known>, command: Cow<'static, str>) -> Done<u64> {
    let mut channel = handle.channel_open_session().await?;
    channel.exec(true, command.into_owned()).await?;
    let (mut bytes, mut status) = (0, None);
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => bytes += data.len() as u64,
            ChannelMsg::ExitStatus { exit_status } => status = Some(exit_status),
            _ => {}
        }
    }
    if status == Some(0) { Ok(bytes) } else { Err(format!("it ended so: {status:?}").into()) }
}

fn main() -> Done<()> {
    protocol::main::<Russh>()
}
