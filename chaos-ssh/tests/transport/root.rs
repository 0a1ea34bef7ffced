//! Commands that need root, for a user who is not.

use std::fs;

use chaos_core::{
    error::ErrorKind,
    model::{Ask, Command, End},
    transport::Transport,
};
use chaos_ssh::{Ssh, route::Route};

use crate::support::{Server, User, ask, connect, program, request, runs, says, server_for_users, wait_for};

/// A rule for sudo until it is dropped.
struct Rule(String);

impl Drop for Rule {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Rule {
    fn new(user: &User, rule: &str) -> Self {
        use std::os::unix::fs::PermissionsExt;
        let path = format!("/etc/sudoers.d/{}", user.name);
        // Under a name that sudo passes over, so that it never sees half a rule.
        let draft = format!("{path}~");
        fs::write(&draft, format!("{} {rule}\n", user.name)).unwrap();
        fs::set_permissions(&draft, fs::Permissions::from_mode(0o440)).unwrap();
        fs::rename(&draft, &path).unwrap();
        Self(path)
    }
}

fn elevated(argv: &[&str]) -> Ask {
    Ask::Run(Command { elevate: true, ..Command::new(argv.iter().copied()) })
}

async fn log_in(rule: Option<&str>) -> Option<(Ssh, User, Server, Option<Rule>)> {
    program("sudo")?;
    let server = server_for_users("")?;
    let user = User::new("/bin/bash")?;
    let rule = rule.map(|rule| Rule::new(&user, rule));
    let ssh = connect(Route { hops: vec![user.hop(&server)] }).await.unwrap_or_else(|e| panic!("{e}"));
    Some((ssh, user, server, rule))
}

#[tokio::test(flavor = "multi_thread")]
async fn sudo_runs_and_ends_commands_as_root() {
    let Some((ssh, _user, _server, _rule)) = log_in(Some("ALL=(ALL) NOPASSWD: ALL")).await else { return };
    assert!(ssh.capabilities().elevate);
    assert_ne!(says(&ssh, "id -u").await, "0");
    assert_eq!(ask(&ssh, elevated(&["id", "-u"])).await.text().unwrap().trim(), "0");
    assert!(matches!(ask(&ssh, elevated(&["sh", "-c", "exit 1"])).await.end, End::Exited(1)));
    assert!(matches!(ask(&ssh, elevated(&["sh", "-c", "kill -9 $$"])).await.end, End::Signalled(9)));
    match ask(&ssh, elevated(&["no-such-program"])).await.end {
        End::Failed(e) => assert_eq!(e.kind(), ErrorKind::NotFound, "{e}"),
        end => panic!("{end:?}"),
    }
    let follower = elevated(&["sh", "-c", "trap '' TERM; sleep 600 & echo $! $$; wait; sleep 600"]);
    let mut reply = ssh.open(&request(follower.clone())).await.unwrap();
    let line = String::from_utf8(reply.next().await.unwrap().bytes).unwrap();
    let mut pids: Vec<u32> = line.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    reply.stop();
    assert!(matches!(reply.output(100).await.end, End::Stopped));
    wait_for("they end", || !pids.iter().any(|pid| runs(*pid)));
    // And with the connection.
    let mut reply = ssh.open(&request(follower)).await.unwrap();
    let line = String::from_utf8(reply.next().await.unwrap().bytes).unwrap();
    pids = line.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert!(pids.iter().all(|pid| runs(*pid)));
    _server.cut_connections();
    wait_for("they end with the connection", || !pids.iter().any(|pid| runs(*pid)));
}

async fn check_denied(rule: Option<&str>) {
    let Some((ssh, _user, _server, _rule)) = log_in(rule).await else { return };
    assert!(!ssh.capabilities().elevate);
    match ask(&ssh, elevated(&["id", "-u"])).await.end {
        End::Failed(e) => {
            assert_eq!(e.kind(), ErrorKind::Denied, "{e}");
            assert!(e.to_string().contains("NOPASSWD"), "{e}");
        }
        end => panic!("{end:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_whom_sudo_does_not_know() {
    check_denied(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_whom_sudo_asks_for_a_password() {
    check_denied(Some("ALL=(ALL) ALL")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_may_run_something_else_only() {
    check_denied(Some("ALL=(ALL) NOPASSWD: /usr/bin/uptime")).await;
}
