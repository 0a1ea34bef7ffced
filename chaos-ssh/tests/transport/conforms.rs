//! The Behavior of a transport, against real servers.

use std::sync::Arc;

use chaos_core::{
    conformance,
    error::ErrorKind,
    model::{Ask, Command, End},
    transport::Transport,
};
use chaos_ssh::route::Route;

use crate::support::{Server, User, ask, connect, request, runs, says, sh, wait_for};

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

/// Another server's ideas of sessions, process groups and signals.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_works_with_dropbear() {
    let Some(user) = User::new("/bin/sh") else { return };
    let Some(server) = Server::dropbear(&user) else { return };
    let ssh = connect(Route { hops: vec![user.hop(&server)] }).await.unwrap_or_else(|e| panic!("{e}"));
    let output = ask(&ssh, sh("echo out; echo err >&2; exit 7")).await;
    assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
    assert!(matches!(output.end, End::Exited(7)), "{:?}", output.end);
    let output = ask(&ssh, sh("kill -9 $$")).await;
    assert!(matches!(output.end, End::Signalled(9)), "{:?}", output.end);
    let mut command = Command::new(["cat"]);
    command.stdin = "line\n".repeat(50_000);
    assert_eq!(ask(&ssh, Ask::Run(command.clone())).await.stdout, command.stdin.into_bytes());
    let unknown = ssh.open(&request(Ask::run(["no-such-program"]))).await.unwrap_err();
    assert_eq!(unknown.kind(), ErrorKind::NotFound, "{unknown}");
    // Longer than the longest command that dropbear takes.
    let long = "x".repeat(20_000);
    assert_eq!(says(&ssh, &format!("printf {long} | wc -c")).await, "20000");

    let mut reply = ssh.open(&request(sh("sleep 300 & trap '' TERM; echo $! $$; sleep 300"))).await.unwrap();
    let line = reply.next().await.unwrap().bytes;
    let pids: Vec<u32> = String::from_utf8(line).unwrap().split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    assert!(pids.iter().all(|pid| runs(*pid)));
    reply.stop();
    assert!(matches!(reply.output(100).await.end, End::Stopped));
    wait_for("the group ends", || !pids.iter().any(|pid| runs(*pid)));
    conformance::endpoint::a_get_returns_the_body(Arc::new(ssh)).await;
}

/// What a busy server refuses names the setting to change.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_single_session_is_told_what_to_change() {
    let Some(server) = Server::openssh("MaxSessions 1") else { return };
    let ssh = server.connect().await;
    let e = ssh.open(&request(Ask::run(["true"]))).await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Denied);
    assert!(e.to_string().contains("MaxSessions"), "{e}");
}
