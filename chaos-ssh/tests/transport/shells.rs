//! Whatever a user's login shell is, and whatever its start-up files print.

use chaos_core::{
    error::ErrorKind,
    model::{Ask, End},
};
use chaos_ssh::{Ssh, route::Route};

use crate::support::{User, ask, connect, program, says, server_for_users, sh};

const ODD: &[&str] = &["", "it's", "a\nb", "$HOME `id` \\ \"q\" ! !! *~", "ö€😀", "-n", "\\n", "#", "%s", "x\n"];

async fn log_in(shell: &str, files: &[(&str, &str)]) -> Option<(Ssh, User, crate::support::Server)> {
    let server = server_for_users("PrintMotd yes")?;
    let user = User::new(shell)?;
    for (name, text) in files {
        user.write(name, text);
    }
    let ssh = connect(Route { hops: vec![user.hop(&server)] }).await.unwrap_or_else(|e| panic!("{shell}: {e}"));
    Some((ssh, user, server))
}

async fn check(ssh: &Ssh, shell: &str) {
    let argv = ["printf", "<%s>"].into_iter().chain(ODD.iter().copied());
    let output = ask(ssh, Ask::run(argv)).await;
    let want: String = ODD.iter().map(|a| format!("<{a}>")).collect();
    assert_eq!(String::from_utf8_lossy(&output.stdout), want, "{shell}");
    assert!(output.stderr.is_empty(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
    let output = ask(ssh, sh("pwd; echo $LC_ALL; echo err >&2; kill -15 $$; sleep 5")).await;
    assert_eq!(String::from_utf8_lossy(&output.stdout), "/\nC.UTF-8\n", "{shell}");
    assert_eq!(output.stderr, b"err\n", "{shell}");
    assert!(matches!(output.end, End::Signalled(15)), "{shell}: {:?}", output.end);
    let mut command = chaos_core::model::Command::new(["cat"]);
    command.stdin = "one\ntwo 'three' \\ four".into();
    assert_eq!(ask(ssh, Ask::Run(command.clone())).await.stdout, command.stdin.as_bytes(), "{shell}");
    assert!(says(ssh, "echo $PATH").await.contains("/usr/sbin"), "{shell}");
    let e = ssh.open_missing().await;
    assert_eq!(e, ErrorKind::NotFound, "{shell}");
}

trait Missing {
    async fn open_missing(&self) -> ErrorKind;
}

impl Missing for Ssh {
    async fn open_missing(&self) -> ErrorKind {
        use chaos_core::transport::Transport;
        self.open(&crate::support::request(Ask::run(["no-such-program"]))).await.unwrap_err().kind()
    }
}

async fn check_shell(name: &str, files: &[(&str, &str)]) {
    let Some(path) = program(name) else { return };
    let Some((ssh, _user, _server)) = log_in(&path.display().to_string(), files).await else { return };
    check(&ssh, name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dash() {
    check_shell("dash", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn zsh_with_noise_and_another_quoting() {
    check_shell("zsh", &[(".zshenv", "echo noise; setopt RC_QUOTES; cd() { echo no cd }\n")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mksh() {
    check_shell("mksh", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fish_with_noise() {
    check_shell("fish", &[(".config/fish/config.fish", "echo noise\necho more >&2\n")]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tcsh_with_noise() {
    check_shell("tcsh", &[(".tcshrc", "echo noise\n")]).await;
}

/// bash reads `.bashrc` for a server's commands too.
#[tokio::test(flavor = "multi_thread")]
async fn bash_with_a_banner_and_noise_on_both_streams() {
    let rc = "echo '*** WELCOME ***'; echo warning >&2; seq 1 20000; printf 'no line end'; alias printf=false\n";
    check_shell("bash", &[(".bashrc", rc)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_a_shell_is_told_with_its_own_words() {
    let Some(nologin) = program("nologin") else { return };
    let Some(server) = server_for_users("") else { return };
    let Some(user) = User::new(&nologin.display().to_string()) else { return };
    let e = connect(Route { hops: vec![user.hop(&server)] }).await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Denied, "{e}");
    assert!(e.to_string().contains("This account is currently not available"), "{e}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_command_is_told() {
    let Some(server) = crate::support::Server::openssh("ForceCommand echo only this") else { return };
    let e = connect(server.route()).await.unwrap_err();
    assert_eq!(e.kind(), ErrorKind::Denied, "{e}");
    assert!(e.to_string().contains("force another command"), "{e}");
    assert!(e.to_string().contains("only this"), "{e}");
}
