//! The Behavior of a transport, against real servers.

use std::{process::Command, sync::Arc};

use chaos_core::{conformance, model::{Ask, End}, transport::Transport};
use chaos_ssh::route::Route;

use crate::support::{PATIENCE, Server, User, ask, connect, program, request, runs, says, sh, text, wait_for};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_conforms_with_a_default_server() {
    let Some(server) = Server::openssh("") else { return };
    let ssh: Arc<dyn Transport> = Arc::new(server.connect().await);
    conformance::transport(|| ssh.clone()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_conforms_with_room_for_many_sessions() {
    let Some(server) = Server::openssh("MaxSessions 200") else { return };
    let ssh: Arc<dyn Transport> = Arc::new(server.connect().await);
    conformance::transport(|| ssh.clone()).await;
}
