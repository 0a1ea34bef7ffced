//! Where an agent is looked for. A process can't change its own environment safely, so that this runs itself again.

use std::{path::PathBuf, process::Command};

use chaos_ssh::route::KeyAgent;

use crate::Place;

const TEST: &str = "agents::the_environment_says_where_the_agent_is";

#[tokio::test]
async fn the_environment_says_where_the_agent_is() {
    if std::env::var_os("AGENTS_AGAIN").is_none() {
        for (socket, other) in [(Some("/s/agent"), Some("/o/agent")), (None, None), (Some(""), Some(""))] {
            let mut again = Command::new(std::env::current_exe().unwrap());
            again.args(["--exact", TEST]).env("AGENTS_AGAIN", "1").env_remove("SSH_AUTH_SOCK").env_remove("OTHER");
            again.envs(socket.map(|value| ("SSH_AUTH_SOCK", value))).envs(other.map(|value| ("OTHER", value)));
            let output = again.output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success() && said.contains("1 passed"), "{said}");
        }
        return;
    }
    let expected = |name: &str| match std::env::var(name) {
        Ok(path) if !path.is_empty() => KeyAgent::Socket(PathBuf::from(path)),
        _ => KeyAgent::None,
    };
    for (config, agent) in [
        ("", expected("SSH_AUTH_SOCK")),
        ("IdentityAgent SSH_AUTH_SOCK\n", expected("SSH_AUTH_SOCK")),
        ("IdentityAgent $OTHER\n", expected("OTHER")),
        ("IdentityAgent none\n", KeyAgent::None),
        ("IdentityAgent /a/%r\nUser bob\n", KeyAgent::Socket("/a/bob".into())),
        ("PubkeyAuthentication no\nIdentityAgent /a\n", KeyAgent::None),
    ] {
        assert_eq!(Place::new(config).both("web").await.hops[0].agent, agent, "{config}");
    }
}
