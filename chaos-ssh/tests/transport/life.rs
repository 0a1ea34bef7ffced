//! What becomes of commands and connections when something ends that should not.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use chaos_core::{
    error::ErrorKind,
    model::{Ask, Command as Asked, End},
    transport::{Reply, Request, Transport},
};
use chaos_ssh::{
    Ssh,
    route::{Hop, Route},
};

use crate::support::{PATIENCE, Server, ask, connect, hop, request, runs, says, sh, wait_for};

/// Tells a child of this test binary where to connect to; unset, the test for children does nothing.
const PLACE: &str = "CHAOS_SSH_PLACE";

/// Prints its own id and that of a child, and follows nothing for ever.
const FOLLOWER: &str = "sleep 600 & echo $! $$; wait";

fn follow() -> Request {
    Request { within: Duration::MAX, ..request(sh(FOLLOWER)) }
}

async fn pids(reply: &mut Reply) -> Vec<u32> {
    let chunk = tokio::time::timeout(PATIENCE, reply.next()).await.unwrap().unwrap();
    let line = String::from_utf8(chunk.bytes).unwrap();
    line.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

fn assert_unreachable(end: &End) {
    assert!(matches!(end, End::Failed(e) if e.kind() == ErrorKind::Unreachable), "{end:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn through_a_jump_host() {
    let (Some(jump), Some(target)) = (Server::openssh(""), Server::openssh("")) else { return };
    let ssh = connect(Route { hops: vec![jump.hop(), target.hop()] }).await.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(says(&ssh, "seq 1 1000000 | wc -l").await, "1000000");
    let output = ask(&ssh, sh("seq 1 1000000")).await;
    assert_eq!(output.stdout.len(), 6_888_896, "{:?}", output.end);
    let mut command = Asked::new(["wc", "-c"]);
    command.stdin = "x".repeat(5_000_000);
    assert_eq!(ask(&ssh, Ask::Run(command)).await.text().unwrap().trim(), "5000000");
    // The far host is told as what it is.
    let nothing = hop(crate::support::free_port(), "SHA256:none", &jump.key());
    let e = connect(Route { hops: vec![jump.hop(), nothing] }).await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Unreachable, "{e}");
    assert!(e.to_string().contains("the jump host cannot connect"), "{e}");
    let wrong = Hop { pinned: vec!["SHA256:other".into()], ..jump.hop() };
    let e = connect(Route { hops: vec![wrong, target.hop()] }).await.unwrap_err();
    assert!(e.to_string().contains("(its key: ssh-ed25519") && e.to_string().contains("jump host: "), "{e}");
}

/// Streams end and keep what came; the next question makes a new connection; followers of the lost one are ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_is_made_anew() {
    let Some(server) = Server::openssh("") else { return };
    let ssh = server.connect().await;
    let mut reply = ssh.open(&follow()).await.unwrap();
    let left = pids(&mut reply).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    server.cut_connections();
    let output = tokio::time::timeout(PATIENCE, reply.output(1 << 20)).await.unwrap();
    assert_unreachable(&output.end);
    assert_eq!(says(&ssh, "echo again").await, "again");
    wait_for("the follower ends", || !left.iter().any(|pid| runs(*pid)));
}

/// A host that is away for a while is waited for; one that stays away is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_away_is_waited_for() {
    let Some(mut server) = Server::openssh("") else { return };
    let ssh = server.connect().await;
    server.stop();
    let short = Request { within: Duration::from_secs(2), ..request(sh("echo in")) };
    let started = Instant::now();
    let e = ssh.open(&short).await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Unreachable, "{e}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    let back = tokio::task::spawn_blocking(move || {
        std::thread::sleep(Duration::from_millis(1500));
        server.start();
        server
    });
    assert_eq!(says(&ssh, "echo back").await, "back");
    drop(back.await.unwrap());
}

/// A host that says nothing any more, as if its cable were cut.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_falls_silent_is_noticed() {
    let Some(server) = Server::openssh("") else { return };
    let hop = Hop { alive_interval: Duration::from_secs(1), alive_count_max: 2, ..server.hop() };
    let ssh = connect(Route { hops: vec![hop] }).await.unwrap_or_else(|e| panic!("{e}"));
    let mut reply = ssh.open(&follow()).await.unwrap();
    let left = pids(&mut reply).await;
    // Time for the one message by which the target watches over it.
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.freeze(true);
    let output = tokio::time::timeout(PATIENCE, reply.output(1 << 20)).await;
    server.freeze(false);
    let output = output.expect("it is noticed");
    assert_unreachable(&output.end);
    assert!(matches!(&output.end, End::Failed(e) if e.to_string().contains("has not answered")), "{:?}", output.end);
    assert_eq!(says(&ssh, "echo again").await, "again");
    wait_for("the follower ends", || !left.iter().any(|pid| runs(*pid)));
}

/// What a command puts into a session of its own stays, as chaos scripts rely on it.
#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_survives_its_command() {
    let Some(server) = Server::openssh("") else { return };
    let ssh = server.connect().await;
    let daemon = "setsid sleep 600 </dev/null >/dev/null 2>&1 & sleep 0.3; echo $!; sleep 600";
    let mut reply = ssh.open(&request(sh(daemon))).await.unwrap();
    let daemon = pids(&mut reply).await[0];
    tokio::time::sleep(Duration::from_millis(1500)).await;
    reply.stop();
    assert!(matches!(reply.output(100).await.end, End::Stopped));
    drop(ssh);
    std::thread::sleep(Duration::from_secs(3));
    assert!(runs(daemon));
    says(&server.connect().await, &format!("kill {daemon}")).await;
}

/// What the test below starts.
#[tokio::test(flavor = "multi_thread")]
async fn as_a_child_it_follows() {
    let Some(place) = std::env::var_os(PLACE) else { return };
    let place = place.into_string().unwrap();
    let (port, rest) = place.split_once(' ').unwrap();
    let (fingerprint, key) = rest.split_once(' ').unwrap();
    let hop = hop(port.parse().unwrap(), fingerprint, key.as_ref());
    let hop = Hop { alive_interval: Duration::from_secs(1), alive_count_max: 3, ..hop };
    let ssh: Ssh = connect(Route { hops: vec![hop] }).await.unwrap();
    let mut followed = ssh.open(&follow()).await.unwrap();
    let mut finite = Asked::new(["sh"]);
    finite.stdin = FOLLOWER.into();
    let finite = Request { within: Duration::from_secs(50), ..request(Ask::Run(finite)) };
    let mut finite = ssh.open(&finite).await.unwrap();
    for reply in [&mut followed, &mut finite] {
        eprintln!("pids {}", pids(reply).await.iter().map(u32::to_string).collect::<Vec<_>>().join(" "));
    }
    while followed.next().await.is_some() {}
}

/// What becomes of a child's commands when `fate` has come over it.
fn check_child(fate: impl Fn(&mut Child)) {
    let Some(server) = Server::openssh("") else { return };
    let place = format!("{} {} {}", server.port, server.fingerprint, server.key().display());
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "life::as_a_child_it_follows", "--nocapture"])
        .env(PLACE, place)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let pids: Vec<u32> = lines
        .filter_map(|line| line.strip_prefix("pids ").map(str::to_owned))
        .take(2)
        .flat_map(|line| line.split(' ').map(|pid| pid.parse().unwrap()).collect::<Vec<u32>>())
        .collect();
    // Longer than the target waits for a word.
    std::thread::sleep(Duration::from_secs(8));
    let all_run = pids.iter().all(|pid| runs(*pid));
    fate(&mut child);
    let ended = std::panic::catch_unwind(|| {
        assert!(pids.len() == 4 && all_run, "{pids:?}");
        wait_for("they end", || !pids.iter().any(|pid| runs(*pid)));
    });
    let _ = child.kill();
    child.wait().unwrap();
    ended.unwrap();
}

/// A killed process takes its commands on the target with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_leaves_nothing_running() {
    check_child(|child| child.kill().unwrap());
}

/// So does one that is gone without anything being closed, as behind a cut cable.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_falls_silent_leaves_nothing_running() {
    check_child(|child| {
        let pid = rustix::process::Pid::from_child(child);
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    });
}
