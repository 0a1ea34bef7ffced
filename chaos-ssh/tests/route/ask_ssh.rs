//! What may go wrong with `ssh -G`, and what must not remain of it.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    time::{Duration, Instant},
};

use chaos_core::error::ErrorKind;
use chaos_ssh::route::{Options, Reader, Route};

use crate::{Place, ssh};

/// Whether a process with this argument is alive.
fn runs(argument: &str) -> bool {
    fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        command.split(|&b| b == 0).any(|word| word == argument.as_bytes())
    })
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..100 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{what} did not come about in 5 s");
}

#[tokio::test]
async fn a_configuration_that_hangs_ends_and_leaves_no_process() {
    // A length that is found again in /proc.
    let nap = format!("100.{}1", std::process::id());
    let place = Place::new(&format!("Match exec \"sleep {nap}\"\n Port 1\n"));
    let options = Options { time_limit: Duration::from_secs(2), ..place.options(Reader::Ssh(ssh())) };
    let begin = Instant::now();
    let target = "web".parse().unwrap();
    let find = Route::find_with(&target, &options);
    let (found, ()) = tokio::join!(find, until("the command of the configuration", || runs(&nap)));
    let error = found.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Deadline, "{error}");
    assert!(error.to_string().contains("Match exec"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(10), "{:?}", begin.elapsed());
    until("the end of the command", || !runs(&nap)).await;
}

#[tokio::test]
async fn a_route_that_is_given_up_leaves_no_process() {
    let nap = format!("100.{}2", std::process::id());
    let place = Place::new(&format!("Match exec \"sleep {nap}\"\n Port 1\n"));
    let options = place.options(Reader::Ssh(ssh()));
    let task = tokio::spawn(async move { Route::find_with(&"web".parse().unwrap(), &options).await });
    until("the command of the configuration", || runs(&nap)).await;
    task.abort();
    until("the end of the command", || !runs(&nap)).await;
}

#[tokio::test]
async fn what_a_command_leaves_running_holds_nothing_up() {
    // It keeps ssh's stderr open.
    let nap = format!("20.{}3", std::process::id());
    let place = Place::new(&format!("Match exec \"sleep {nap} & echo $! > {{dir}}/pid\"\n Port 9\n"));
    let begin = Instant::now();
    let route = place.ssh("web").await.unwrap();
    assert_eq!(route.hops[0].port, 9);
    assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
    assert!(runs(&nap), "what the user's configuration starts is the user's");
    let pid = fs::read_to_string(place.path("pid")).unwrap();
    assert!(std::process::Command::new("kill").arg(pid.trim()).status().unwrap().success());
}

#[tokio::test]
async fn what_ssh_refuses_is_said_in_its_own_words() {
    let place = Place::new("Host *\n  Prot 22\n");
    let error = place.ssh("web").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let expected = format!("{}: line 2: Bad configuration option: prot", place.path("config").display());
    assert!(error.to_string().contains(&expected), "{error}");
    // What stands there never reaches a terminal as it is.
    let place = Place::new("User a\u{1b}[31m b\u{7}\n\u{1b}[2JX y\n");
    let error = place.ssh("web").await.unwrap_err().to_string();
    assert!(!error.chars().any(char::is_control), "{error:?}");
}

#[tokio::test]
async fn no_value_gets_into_a_shell() {
    let place = Place::new(
        "Host web\n HostName \"$(touch {dir}/ran)\"\nHost *\n User \"`touch {dir}/ran`\"\n \
         IdentityFile \"/x;touch {dir}/ran\"\n UserKnownHostsFile \"$(touch {dir}/ran)\"\n",
    );
    for (reader, answer) in [("own", place.own("db").await), ("ssh", place.ssh("db").await)] {
        assert_eq!(answer.expect(reader).hops[0].user, format!("`touch {}`", place.path("ran").display()));
    }
    for answer in [place.own("web").await, place.ssh("web").await] {
        assert!(answer.unwrap_err().to_string().contains("blank"));
    }
    assert!(!place.path("ran").exists());
}

#[tokio::test]
async fn another_program_called_ssh_is_not_asked() {
    let place = Place::new("Port 9\n");
    let other = place.path("ssh");
    let dropbear = Path::new("/usr/bin/dbclient");
    if dropbear.exists() {
        symlink(dropbear, &other).unwrap();
    } else {
        fs::write(&other, "#!/bin/sh\necho Dropbear v2022.83 >&2\n").unwrap();
        fs::set_permissions(&other, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let options = place.options(Reader::Ssh(other));
    let error = Route::find_with(&"web".parse().unwrap(), &options).await.unwrap_err();
    assert!(error.to_string().contains("not an OpenSSH client"), "{error}");
    let options = place.options(Reader::Ssh(place.path("none")));
    let error = Route::find_with(&"web".parse().unwrap(), &options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}
