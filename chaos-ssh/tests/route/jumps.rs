//! Jump hosts, as `ssh` follows them: each hop is asked for with what is left of the list.

use chaos_core::error::Error;
use chaos_ssh::route::{Options, Reader, Route};

use crate::{Place, ssh};

/// The way to `target`, as `user@host:port` a hop; both readers agree on it.
async fn way(config: &str, target: &str) -> Vec<String> {
    let route = Place::new(&format!("User me\n{config}")).both(target).await;
    route.hops.iter().map(|hop| format!("{}@{}:{}", hop.user, hop.host, hop.port)).collect()
}

#[tokio::test]
async fn several_in_one_list() {
    let config = "Host web\n ProxyJump ann@a:2200,ssh://bob@b:2201,[::1]:2202\n";
    assert_eq!(way(config, "web").await, ["ann@a:2200", "bob@b:2201", "me@::1:2202", "me@web:22"]);
}

#[tokio::test]
async fn each_is_a_host_of_the_configuration() {
    let config = "Host web\n ProxyJump gate\nHost gate\n HostName gate.example.com\n Port 2200\n IdentityFile /gate\n";
    assert_eq!(way(config, "web").await, ["me@gate.example.com:2200", "me@web:22"]);
}

#[tokio::test]
async fn only_the_first_follows_its_own_jump() {
    let config = "Host web\n ProxyJump a,b\nHost a\n ProxyJump x\nHost b\n ProxyJump y\n";
    assert_eq!(way(config, "web").await, ["me@x:22", "me@a:22", "me@b:22", "me@web:22"]);
}

#[tokio::test]
async fn a_chain_through_the_configuration() {
    let config = "Host a\n ProxyJump b\nHost b\n ProxyJump c\nHost c\n ProxyJump none\nHost *\n ProxyJump a\n";
    assert_eq!(way(config, "web").await, ["me@c:22", "me@b:22", "me@a:22", "me@web:22"]);
}

#[tokio::test]
async fn a_command_of_a_host_that_is_jumped_to_does_not_count() {
    let config = "Host b\n ProxyCommand nc %h %p\nHost web\n ProxyJump a,b\n";
    assert_eq!(way(config, "web").await, ["me@a:22", "me@b:22", "me@web:22"]);
}

#[tokio::test]
async fn a_user_or_port_of_the_target_is_not_the_jump_hosts() {
    let config = "Host web\n ProxyJump a\n";
    assert_eq!(way(config, "kim@web:99").await, ["me@a:22", "kim@web:99"]);
}

#[tokio::test]
async fn circles_and_too_many_are_refused() {
    let place = Place::new(
        "Host a\n ProxyJump b\nHost b\n ProxyJump a\nHost self\n ProxyJump self\nHost *.x\n ProxyJump gate.x\n",
    );
    for target in ["a", "self", "web.x"] {
        let own = place.own(target).await.unwrap_err().to_string();
        assert!(own.contains("circles"), "{own}");
        let ssh = place.ssh(target).await.unwrap_err().to_string();
        assert!(ssh.contains("circles") || ssh.contains("jumphost loop"), "{ssh}");
    }
    let long = |n: usize| (0..n).map(|i| format!("h{i}")).collect::<Vec<_>>().join(",");
    let place = Place::new(&format!("Host seven\n ProxyJump {}\nHost eight\n ProxyJump {}\n", long(7), long(8)));
    assert_eq!(place.both("seven").await.hops.len(), 8);
    for refused in [place.own("eight").await, place.ssh("eight").await] {
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("more than 8"), "{error}");
    }
}

#[tokio::test]
async fn a_jump_host_that_is_no_host_is_refused_by_both() {
    for jump in ["-oProxyCommand=touch", "a,-b", "u:secret@a"] {
        let place = Place::new(&format!("ProxyJump {jump}\n"));
        for refused in [place.own("web").await, place.ssh("web").await] {
            let error = refused.unwrap_err().to_string();
            assert!(!error.contains("secret") && error.contains("ump"), "{jump}: {error}");
        }
    }
}

#[tokio::test]
async fn a_caller_may_give_the_jump_hosts() {
    let place = Place::new("Host b\n ProxyJump c\nHost web\n ProxyJump d\nHost cmd\n ProxyCommand nc %h %p\n");
    for reader in [Reader::Own, Reader::Ssh(ssh())] {
        let find = async |target: &str, jump: &str| {
            let options = Options { jump: Some(jump.to_owned()), ..place.options(reader.clone()) };
            let route = Route::find_with(&target.parse().unwrap(), &options).await?;
            Ok::<_, Error>(route.hops.into_iter().map(|hop| format!("{}:{}", hop.host, hop.port)).collect::<Vec<_>>())
        };
        assert_eq!(find("web", "a:3,b").await.unwrap(), ["a:3", "b:22", "web:22"]);
        assert_eq!(find("web", "none").await.unwrap(), ["web:22"]);
        assert_eq!(find("cmd", "a").await.unwrap(), ["a:22", "cmd:22"]);
        let error = find("cmd", "none").await.unwrap_err().to_string();
        assert!(error.contains("use `ProxyJump`"), "{error}");
        assert!(find("web", "-x").await.is_err());
    }
}
