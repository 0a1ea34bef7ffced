//! Runs the real scripts that change the host beyond processes and files: in network and mount namespaces of a test's
//! own, and against a PostgreSQL server of its own.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, but not in what they share")]

mod place;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use place::{Namespaces, Place, kill, shell, skip};

const NET: &[&str] = &["-n"];
const MOUNTS: &[&str] = &["-m"];

/// Interfaces `v0` and `v1`, up and joined to each other.
fn network() -> Option<(Namespaces, Place)> {
    let namespaces =
        Namespaces::new(NET, "ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up")?;
    let mut place = Place::new("net_latency");
    place.within = namespaces.within(NET);
    Some((namespaces, place))
}

fn lacks_netem() -> bool {
    let (has, why) = shell("unshare -n tc qdisc add dev lo root netem delay 1ms");
    if !has {
        // Not everybody's kernel has the module, CI's included; the test machine's has.
        eprintln!("skipped: this kernel has no netem (`cargo xtask e2e` delays packets on the VM): {why}");
    }
    !has
}

#[test]
fn a_qdisc_of_somebody_elses_is_never_touched() {
    let Some((net, place)) = network() else { return };
    for theirs in ["handle 7: pfifo limit 5", "pfifo limit 5", "handle ca05: pfifo limit 5"] {
        net.shell(NET, &format!("tc qdisc replace dev v0 root {theirs}"));
        let before = net.shell(NET, "tc qdisc show");
        assert!(before.contains("limit 5p"), "{before}");
        let said = place.expect(1, &["start", "v0", "50"]);
        assert!(said.contains("somebody's own (pfifo"), "{said}");
        place.assert_idle();
        place.expect(0, &["stop"]);
        assert_eq!(net.shell(NET, "tc qdisc show"), before);
        net.shell(NET, "tc qdisc del dev v0 root");
    }
}

#[test]
fn an_interface_that_does_not_fit_is_refused() {
    let Some((net, place)) = network() else { return };
    net.shell(NET, "ip link set v1 down; ip link set lo up");
    let cases: &[(i32, &[&str], &str)] = &[
        (1, &["start"], "no default route"),
        (1, &["start", "nope0"], "no such interface"),
        (1, &["start", "v1"], "is down"),
        (2, &["start", "v0", "0"], "raise one"),
        (2, &["start", "--iface=-x"], "iface"),
        (2, &["start", "--iface=$(id)"], "iface"),
        (2, &["start", "--iface=../lo"], "iface"),
        (2, &["start", "v0", "50", "101"], "loss_pct"),
        (2, &["start", "v0", "-5"], "delay_ms"),
        (2, &["start", "v0", "1.5"], "delay_ms"),
    ];
    for (code, args, named) in cases {
        let said = place.expect(*code, args);
        assert!(said.contains(named) && said.lines().count() == 1, "{args:?}: {said}");
        place.assert_idle();
    }
    net.shell(NET, "ip route add default dev lo");
    assert!(place.expect(1, &["start"]).contains("loopback"));
    assert!(place.expect(0, &["state", "gone0"]).contains("qdisc dev gone0 absent"));
    assert!(place.expect(0, &["state"]).contains("qdisc dev lo noqueue 0: root"));
}

#[test]
fn a_kernel_without_netem_is_told() {
    let Some((net, place)) = network() else { return };
    if shell("unshare -n tc qdisc add dev lo root netem delay 1ms").0 {
        return eprintln!("this kernel has netem; the other tests show that it works");
    }
    let before = net.shell(NET, "tc qdisc show");
    for args in [&["start", "v0", "50"][..], &["start", "v0", "50", "--dry-run"]] {
        let said = place.expect(4, args);
        assert!(said.contains("sch_netem") && said.contains("Specified qdisc kind is unknown"), "{said}");
        place.assert_idle();
    }
    assert_eq!(net.shell(NET, "tc qdisc show"), before);
}

#[test]
fn packets_are_delayed_until_stop() {
    if lacks_netem() {
        return;
    }
    let Some((net, place)) = network() else { return };
    let (qdiscs, state) = (net.shell(NET, "tc qdisc show"), place.expect(0, &["state", "v0"]));
    place.start(&["v0", "50", "10"]);
    assert!(net.shell(NET, "tc qdisc show dev v0").starts_with("qdisc netem ca05: root"));
    assert!(place.status().contains("\"changes\":[\"netem on v0\"]"));
    assert_ne!(place.expect(0, &["state", "v0"]), state);
    place.expect(3, &["start", "v1"]);
    kill("KILL", &place.recorded("leader").to_string());
    assert_eq!(place.state(), "leftover");
    fs::remove_file(place.pid_file()).unwrap();
    place.expect(0, &["stop"]);
    place.assert_idle();
    assert_eq!((net.shell(NET, "tc qdisc show"), place.expect(0, &["state", "v0"])), (qdiscs, state));

    place.start(&["v0", "0", "100", "--max-runtime=3", "--duration=3"]);
    kill("KILL", &place.recorded("leader").to_string());
    place.await_state("idle", 8);
    place.start(&["v0", "50"]);
    net.shell(NET, "ip link del v0");
    place.expect(0, &["stop"]);
    place.assert_idle();
}

/// An init script that runs `sleep`, in an `/etc/init.d` of the test's own and without a systemd to be seen.
fn service() -> Option<(Namespaces, Place)> {
    let mut place = Place::new("service_kill");
    let scripts = place.dir.join("init.d");
    fs::create_dir(&scripts).unwrap();
    fs::create_dir(place.dir.join("run")).unwrap();
    let script = "#!/bin/sh\npid=$(cat /run/honest.pid 2>/dev/null)\ncase $1 in\n\
         start) [ ! -e /run/honest.broken ] || exit 1; setsid sleep 120 </dev/null >/dev/null 2>&1 & echo $! >/run/honest.pid ;;\n\
         stop) kill $pid; rm -f /run/honest.pid ;;\n\
         status) [ -n \"$pid\" ] && kill -0 $pid 2>/dev/null ;;\nesac\n";
    for name in ["honest", "ssh"] {
        fs::write(scripts.join(name), script).unwrap();
        fs::set_permissions(scripts.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let set_up = format!(
        "mount --bind {} /etc/init.d; mount --bind {} /run; /etc/init.d/honest start",
        scripts.display(),
        place.dir.join("run").display()
    );
    if !shell("command -v service").0 {
        skip("service is not installed");
        return None;
    }
    let namespaces = Namespaces::new(MOUNTS, &set_up)?;
    place.within = namespaces.within(MOUNTS);
    Some((namespaces, place))
}

fn end_service(namespaces: &Namespaces) {
    namespaces.shell(MOUNTS, "rm -f /run/honest.broken; service honest stop");
}

#[test]
fn a_service_is_down_until_stop() {
    let Some((namespaces, place)) = service() else { return };
    for mode in ["stop", "kill"] {
        let before = place.expect(0, &["state", "honest"]);
        assert_eq!(before, "processes none\nservice honest running\n");
        place.start(&["honest", mode]);
        assert!(place.status().contains("\"changes\":[\"honest does not run\"]"), "{}", place.status());
        assert!(place.expect(0, &["state", "honest"]).contains("service honest stopped"));
        place.expect(3, &["start", "honest"]);
        place.expect(0, &["stop"]);
        place.assert_idle();
        assert_eq!(place.expect(0, &["state", "honest"]), before);
    }
    // Neither the one who began it nor the PID file is there, and the watchdog still knows the service.
    place.start(&["honest", "--max-runtime=4", "--duration=4"]);
    kill("KILL", &place.recorded("leader").to_string());
    fs::remove_file(place.pid_file()).unwrap();
    assert_eq!(place.state(), "leftover");
    fs::remove_dir_all(place.dir.join("state/chaos-service_kill.armed")).unwrap();
    sleep(Duration::from_secs(6));
    assert!(place.expect(0, &["state", "honest"]).contains("service honest running"));
    end_service(&namespaces);
}

#[test]
fn a_service_that_does_not_come_back_is_said() {
    let Some((namespaces, place)) = service() else { return };
    place.start(&["honest"]);
    namespaces.shell(MOUNTS, "touch /run/honest.broken");
    let said = place.expect(1, &["stop"]);
    assert!(said.contains("still there: honest does not run"), "{said}");
    assert_eq!(place.state(), "leftover");
    assert!(place.status().contains("\"armed_by\":\"watchdog\""));
    namespaces.shell(MOUNTS, "rm /run/honest.broken");
    place.expect(0, &["stop"]);
    place.assert_idle();
    end_service(&namespaces);
}

#[test]
fn what_the_host_depends_on_is_refused() {
    let Some((namespaces, place)) = service() else { return };
    let cases: &[(i32, &[&str], &str)] = &[
        (1, &["start", "ssh"], "may be lost"),
        (1, &["start", "sshd.service"], "may be lost"),
        (1, &["start", "dbus"], "may be lost"),
        (1, &["start", "systemd-networkd"], "may be lost"),
        (1, &["start", "NetworkManager.service"], "may be lost"),
        (1, &["start", "user@1000"], "may be lost"),
        (1, &["start", "nosuch"], "/etc/init.d"),
        (2, &["start"], "service_name"),
        (2, &["start", "multi-user.target"], "no service"),
        (2, &["start", "ssh.socket"], "no service"),
        (2, &["start", "../honest"], "service_name"),
        (2, &["start", "a b"], "service_name"),
        (2, &["start", "--service-name=--now"], "service_name"),
        (2, &["start", "honest", "freeze"], "mode"),
        (2, &["state"], "service_name"),
    ];
    for (code, args, named) in cases {
        let said = place.expect(*code, args);
        assert!(said.contains(named) && said.lines().count() == 1, "{args:?}: {said}");
        place.assert_idle();
    }
    end_service(&namespaces);
    assert!(place.expect(1, &["start", "honest"]).contains("does not run"));
}

/// A PostgreSQL server with 12 connections, 3 of them for superusers, on a socket of its own.
struct Server {
    dir: PathBuf,
    bin: PathBuf,
}

impl Server {
    fn start(dir: &Path) -> Option<Self> {
        let (_, found) = shell("ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1");
        let bin = PathBuf::from(found.trim());
        if !bin.join("initdb").exists() || !bin.join("psql").exists() {
            skip("PostgreSQL's server and client are not installed");
            return None;
        }
        let server = Self { dir: dir.join("postgres"), bin };
        fs::create_dir(&server.dir).unwrap();
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
        let d = server.dir.display();
        let line = format!(
            "initdb -A trust -U postgres -D {d}/db && printf 'local all keyed scram-sha-256\\nlocal all all trust\\n' >{d}/db/pg_hba.conf && \
             pg_ctl -D {d}/db -w -o '-k {d} -c listen_addresses= -c max_connections=12 -c superuser_reserved_connections=3' -l {d}/log start"
        );
        shell(&format!("[ $(id -u) != 0 ] || chown postgres {d}"));
        let (started, said) = server.as_owner(&line);
        assert!(started, "{said}");
        server.query("postgres", "create role app login").unwrap();
        server.query("postgres", &format!("create role keyed login password '{SECRET}'")).unwrap();
        Some(server)
    }

    /// The server refuses to run as root.
    fn as_owner(&self, line: &str) -> (bool, String) {
        let line = format!("cd / && PATH={}:$PATH && {line}", self.bin.display()).replace('\'', "'\\''");
        let become_owner = "setpriv --reuid postgres --regid postgres --init-groups";
        shell(&format!("if [ $(id -u) = 0 ]; then {become_owner} sh -c '{line}'; else sh -c '{line}'; fi >/dev/null"))
    }

    fn query(&self, user: &str, query: &str) -> Result<String, String> {
        let (psql, socket) = (self.bin.join("psql"), self.dir.display());
        let line = format!("{} -XAtqw -h {socket} -U {user} -d postgres -c \"{query}\"", psql.display());
        let (served, said) = shell(&line);
        if served { Ok(said.trim().to_owned()) } else { Err(said) }
    }

    fn conn_string(&self, user: &str) -> String {
        format!("host={} user={user} dbname=postgres", self.dir.display())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.as_owner(&format!("pg_ctl -D {}/db -m immediate stop", self.dir.display()));
    }
}

const SECRET: &str = "s3/cr@t p%w";

#[test]
fn an_application_is_refused_while_connections_are_held() {
    let place = Place::new("db_conn_exhaust");
    let Some(server) = Server::start(&place.dir) else { return };
    let text = server.conn_string("postgres");
    let before = place.expect(0, &["state", &text]);
    assert_eq!(before, "clients 0\nconnects yes\nprocesses none\n");
    place.start(&[&text]);
    for user in ["app", "postgres"] {
        assert!(server.query(user, "select 1").unwrap_err().contains("too many clients already"));
    }
    assert_eq!(place.expect(0, &["state", &text]), "clients 12\nconnects no\nprocesses some\n");
    let first = place.pids();
    place.expect(3, &["start", &text]);
    assert_eq!(place.pids(), first);
    place.expect(0, &["stop"]);
    place.assert_idle();
    assert_eq!(place.expect(0, &["state", &text]), before);
    server.query("app", "select 1").unwrap();

    // An ordinary user can't have those that are kept for superusers, and needs no more.
    place.start(&[&server.conn_string("app")]);
    assert!(server.query("app", "select 1").is_err());
    let held = "select usename, application_name, state, count(*) from pg_stat_activity where usename = 'app' group by 1, 2, 3";
    assert_eq!(server.query("postgres", held).unwrap(), "app|psql|idle|9");
    // Without the one who began them, no client stays.
    kill("KILL", &place.recorded("leader").to_string());
    place.await_state("armed", 5);
    server.query("app", "select 1").unwrap();
    place.expect(0, &["stop"]);
    place.assert_idle();
}

#[test]
fn a_connection_that_gets_free_is_taken() {
    let place = Place::new("db_conn_exhaust");
    let Some(server) = Server::start(&place.dir) else { return };
    let sleeper = std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| server.query("app", "select pg_sleep(4)"));
        sleep(Duration::from_secs(1));
        place.start(&[&server.conn_string("postgres")]);
        assert!(place.expect(0, &["state", &server.conn_string("postgres")]).starts_with("clients 11"));
        sleeper.join().unwrap()
    });
    sleeper.unwrap();
    sleep(Duration::from_secs(6));
    assert!(place.expect(0, &["state", &server.conn_string("postgres")]).starts_with("clients 12"));
    assert!(server.query("app", "select 1").is_err());
    place.expect(0, &["stop"]);
    place.start(&[&server.conn_string("postgres"), "3", "--duration=3"]);
    assert_eq!(
        server.query("app", "select count(*) from pg_stat_activity where application_name = 'psql'").unwrap(),
        "4"
    );
    place.await_state("armed", 6);
    place.expect(0, &["stop"]);
    place.assert_idle();
}

/// Runs it with a line on its standard input, and gives what it said.
fn with_input(place: &Place, args: &[&str], line: &str) -> (Option<i32>, String) {
    let mut child =
        place.command().args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{line}").unwrap();
    let output = child.wait_with_output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), said)
}

#[test]
fn a_password_is_nowhere_to_be_seen() {
    let place = Place::new("db_conn_exhaust");
    let Some(server) = Server::start(&place.dir) else { return };
    let socket = server.dir.display().to_string();
    let keywords = format!("host={socket} user=keyed dbname=postgres password='{SECRET}'");
    let encoded = SECRET.replace('%', "%25").replace('/', "%2f").replace('@', "%40").replace(' ', "%20");
    let uri = format!("postgresql://keyed:{encoded}@/postgres?host={socket}");
    let in_query = format!("postgresql:///postgres?user=keyed&password={encoded}&host={socket}");
    for text in [&keywords, &uri, &in_query] {
        let (code, said) = with_input(&place, &["start", "--conn-string", "-", "--clients", "2"], text);
        assert_eq!(code, Some(0), "{said}");
        let mut seen = said + &place.status() + &place.expect(0, &["status"]);
        for pid in place.pids().into_iter().chain([place.recorded("watchdog")]) {
            seen += &String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default());
        }
        let watchdog = fs::read(format!("/proc/{}/environ", place.recorded("watchdog"))).unwrap();
        seen += &String::from_utf8_lossy(&watchdog);
        seen += &shell(&format!("cat {}/state/chaos-* {0}/state/*/keep", place.dir.display())).1;
        assert!(!seen.contains("s3/cr") && !seen.contains("s3%2f"), "{seen}");
        assert!(seen.contains("user=keyed") || seen.contains("keyed@"), "{seen}");
        let (code, said) = with_input(&place, &["state", "--conn-string=-"], text);
        assert_eq!((code, said.as_str()), (Some(0), "clients 2\nconnects yes\nprocesses some\n"));
        place.expect(0, &["stop"]);
        // As an argument it is in the process table already.
        let said = place.expect(2, &["start", text]);
        assert!(said.contains("holds a password") && !said.contains("s3"), "{said}");
    }
    let output = place.command().args(["start", "--clients=1"]).env("CHAOS_CONN_STRING", &keywords).output().unwrap();
    assert!(output.status.success());
    place.expect(0, &["stop"]);
    let (code, said) = with_input(&place, &["start", "--conn-string=-"], &uri.replace("s3", "wrong"));
    assert!(code == Some(1) && said.contains("authentication failed") && !said.contains("wrong"), "{said}");
    for text in [
        "mysql://h/d",
        "postgresql://u:a@b@h/",
        "postgresql://u:a/b@h/",
        "postgresql://u:%0@h/",
        "user='x",
        "passwords",
        "sslpassword=x",
    ] {
        let (code, said) = with_input(&place, &["start", "--conn-string=-"], text);
        assert!(code == Some(2) && said.contains("conn_string") && said.lines().count() == 1, "{text}: {said}");
    }
    place.assert_idle();
}

#[test]
fn an_sqlite_database_is_locked() {
    let place = Place::new("db_conn_exhaust");
    if !shell("python3 -c 'import sqlite3'").0 {
        return skip("python3 with sqlite3 is missing");
    }
    let file = place.dir.join("a b%.db");
    let write = |what: &str| {
        let line = format!(
            "python3 -c 'import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=0.2).executescript(\"{what}\")' '{}'",
            file.display()
        );
        shell(&line)
    };
    assert!(write("create table t (a)").0);
    let text = format!("sqlite://{}", file.display());
    let before = place.expect(0, &["state", &text]);
    assert_eq!(before, "clients 0\nconnects yes\nprocesses none\n");
    place.start(&[&text]);
    let (written, said) = write("insert into t values (1)");
    assert!(!written && said.contains("database is locked"), "{said}");
    assert_eq!(place.expect(0, &["state", &text]), "clients 1\nconnects no\nprocesses some\n");
    kill("KILL", &place.recorded("leader").to_string());
    place.await_state("armed", 5);
    assert!(write("insert into t values (1)").0);
    place.expect(0, &["stop"]);
    place.assert_idle();
    assert_eq!(place.expect(0, &["state", &text]), before);
    place.expect(1, &["start", "sqlite:///nowhere/x.db"]);
    assert!(place.expect(1, &["start", "sqlite:///etc/passwd"]).contains("not a database"));
}

#[test]
fn a_client_that_speaks_slowly_is_understood() {
    let mut place = Place::new("db_conn_exhaust");
    if !shell("python3 -c 'import sqlite3'").0 {
        return skip("python3 with sqlite3 is missing");
    }
    let (file, bin) = (place.dir.join("x.db"), place.dir.join("bin"));
    assert!(
        shell(&format!(
            "python3 -c 'import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute(\"create table t (a)\")' {}",
            file.display()
        ))
        .0
    );
    let path = std::env::var("PATH").unwrap();
    // The client that holds is one that is cut off in the middle of a word, longer than the script waits at a time.
    let slow = format!(
        "#!/bin/sh\nfor last; do :; done\n[ \"$last\" = hold ] || {{ PATH='{path}'; exec python3 \"$@\"; }}\n\
         printf connec; sleep 0.5; echo ted; exec cat\n"
    );
    fs::create_dir(&bin).unwrap();
    fs::write(bin.join("python3"), slow).unwrap();
    fs::set_permissions(bin.join("python3"), fs::Permissions::from_mode(0o755)).unwrap();
    place.within = vec!["env".into(), format!("PATH={}:{path}", bin.display())];
    let text = format!("sqlite://{}", file.display());
    place.start(&[&text]);
    place.expect(0, &["stop"]);
    place.assert_idle();
}

#[test]
fn a_full_disk_does_not_get_in_the_way() {
    let mut place = Place::new("cpu_spike");
    let state = place.dir.join("state").display().to_string();
    let set_up = format!("mount -t tmpfs -o size=400k,mode=700 none {state}");
    let Some(namespaces) = Namespaces::new(MOUNTS, &set_up) else { return };
    place.within = namespaces.within(MOUNTS);
    let fill = || {
        namespaces.shell(MOUNTS, &format!("cat /dev/zero >{state}/filler; echo x >>{state}/chaos-cpu_spike.log"));
        let free = namespaces.shell(MOUNTS, &format!("df --output=avail {state} | tail -n 1"));
        assert_eq!(free.trim(), "0");
    };
    place.start(&["30", "1"]);
    fill();
    assert_eq!(place.state(), "running");
    place.expect(0, &["stop"]);
    assert_eq!(place.state(), "idle");
    // What can't be recorded is not begun.
    fill();
    place.expect(1, &["start", "30", "1"]);
    assert_eq!(place.state(), "idle");

    namespaces.shell(MOUNTS, &format!("rm {state}/filler"));
    place.start(&["--duration=4", "--load=1", "--max-runtime=4"]);
    fill();
    let pids = place.pids();
    kill("STOP", &format!("-{}", pids[0]));
    place.await_state("idle", 15);
}
