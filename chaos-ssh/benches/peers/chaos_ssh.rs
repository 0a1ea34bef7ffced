//! This project's transport, measured: see `protocol`.

#![allow(clippy::print_stdout, missing_docs, reason = "a measurement is printed")]

mod protocol;

use std::{sync::Arc, time::Duration};

use chaos_core::{
    clock::SystemClock,
    model::{AgentName, Ask, End},
    transport::{Reply, Request, Transport},
};
use chaos_ssh::{
    Ssh,
    route::{Hop, KeyAgent, NewHosts, Route},
    secrets::Secrets,
};
use protocol::{COMMAND, Done, Peer, Server};

struct Chaos;

impl Peer for Chaos {
    type Connection = Ssh;

    fn version() -> String {
        env!("CARGO_PKG_VERSION").into()
    }

    async fn connect(server: &Server) -> Done<Ssh> {
        let hop = Hop {
            name: String::new(),
            host: "127.0.0.1".into(),
            port: server.port,
            user: server.user.clone(),
            host_key_alias: None,
            user_known_hosts: vec![server.known_hosts.clone()],
            global_known_hosts: Vec::new(),
            revoked_host_keys: Vec::new(),
            new_hosts: NewHosts::Refuse,
            hash_known_hosts: false,
            pinned: Vec::new(),
            identity_files: vec![server.key.clone()],
            certificate_files: Vec::new(),
            identities_only: true,
            agent: KeyAgent::None,
            password: false,
            connect_timeout: Duration::from_secs(60),
            alive_interval: Duration::ZERO,
            alive_count_max: 0,
        };
        Ok(Ssh::connect(Route { hops: vec![hop] }, Secrets::none(), Arc::new(SystemClock::default())).await?)
    }

    async fn run(ssh: &Ssh) -> Done<()> {
        let mut reply = open(ssh, vec![COMMAND.into()]).await?;
        while reply.next().await.is_some() {}
        ended(&reply)
    }

    async fn count(ssh: &Ssh, command: String) -> Done<u64> {
        let mut reply = open(ssh, command.split(' ').map(str::to_owned).collect()).await?;
        let mut bytes = 0;
        while let Some(chunk) = reply.next().await {
            bytes += chunk.bytes.len() as u64;
        }
        ended(&reply)?;
        Ok(bytes)
    }
}

async fn open(ssh: &Ssh, argv: Vec<String>) -> Done<Reply> {
    let request = Request {
        agent: AgentName::new("bench"),
        ask: Ask::run(argv),
        // As all questions but those that follow something, which the target watches over from their start.
        within: Duration::from_secs(60),
        max_bytes: 16 << 20,
    };
    Ok(ssh.open(&request).await?)
}

fn ended(reply: &Reply) -> Done<()> {
    match reply.end() {
        Some((End::Exited(0), _)) => Ok(()),
        end => Err(format!("it ended so: {end:?}").into()),
    }
}

fn main() -> Done<()> {
    protocol::main::<Chaos>()
}
