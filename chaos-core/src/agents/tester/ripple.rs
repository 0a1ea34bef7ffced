//! What a command would reach on the target beyond what it names: who is connected to what it ends, what it holds open,
//! whether it carries our own connection. All of it from what the host says, read-only.

use std::collections::{BTreeMap, BTreeSet};

use super::dry_run::{Findings, TOLD, ask, line, look, strings};
use crate::{
    host::ReadOnlyHost,
    model::{Ask, Command},
};

/// Processes and sockets that are read at most.
const MOST: usize = 40_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pid: u32,
    parent: u32,
    unit: String,
    command: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Socket {
    listens: bool,
    here: (String, u16),
    peer: (String, u16),
    pids: Vec<u32>,
}

/// What runs and talks on the target, asked once for a plan.
#[derive(Debug, Clone, Default)]
pub(super) struct Ground {
    processes: BTreeMap<u32, Process>,
    sockets: Vec<Socket>,
    /// The processes that our own question came through, from it upwards.
    ours: Vec<u32>,
    /// What could not be asked.
    pub(super) unseen: Vec<String>,
}

impl Ground {
    /// Asks the target; what it does not tell is said in `unseen`.
    pub(super) async fn of(host: &ReadOnlyHost) -> Self {
        let mut ground = Self::default();
        let processes = ["ps", "-ww", "-eo", "pid=,ppid=,unit=,comm="];
        match look(host, Ask::run(processes)).await {
            Ok(text) => {
                ground.processes = text.lines().take(MOST).filter_map(process).map(|p| (p.pid, p)).collect();
                ground.ours = ground.session();
            }
            Err(why) => ground.unseen.push(format!("which processes belong together is not known: {why}")),
        }
        let sockets = Ask::Run(Command { elevate: host.capabilities().elevate, ..Command::new(["ss", "-Htanp"]) });
        match look(host, sockets).await {
            Ok(text) => ground.sockets = text.lines().take(MOST).filter_map(socket).collect(),
            Err(why) => ground.unseen.push(format!("who is connected is not known: {why}")),
        }
        ground
    }

    /// From the `ps` that answered up to the first process. Of several, the youngest is ours.
    fn session(&self) -> Vec<u32> {
        let Some(ps) = self.processes.values().filter(|p| p.command == "ps").map(|p| p.pid).max() else {
            return Vec::new();
        };
        let mut chain = Vec::new();
        let mut at = ps;
        while at > 1 && !chain.contains(&at) {
            chain.push(at);
            let Some(p) = self.processes.get(&at) else { break };
            at = p.parent;
        }
        chain
    }

    fn of_unit(&self, unit: &str) -> BTreeSet<u32> {
        let full = full_name(unit);
        self.processes.values().filter(|p| p.unit == full).map(|p| p.pid).collect()
    }

    fn name(&self, pid: u32) -> String {
        match self.processes.get(&pid) {
            Some(p) if p.unit.ends_with(".service") => format!("{} ({}, pid {pid})", line(&p.command), line(&p.unit)),
            Some(p) => format!("{} (pid {pid})", line(&p.command)),
            None => format!("pid {pid}"),
        }
    }

    /// Where we are connected: the addresses of the sockets that our own way in holds.
    fn our_ends(&self) -> Vec<&Socket> {
        let held = |s: &&Socket| !s.listens && s.pids.iter().any(|p| self.ours.contains(p));
        self.sockets.iter().filter(held).collect()
    }

    /// These processes end: what they serve, who is connected, and whether we are.
    fn end(&self, found: &mut Findings, pids: &BTreeSet<u32>) {
        if pids.is_empty() {
            return;
        }
        let of = |s: &&Socket| s.pids.iter().any(|p| pids.contains(p));
        let ports: BTreeSet<u16> = self.sockets.iter().filter(|s| s.listens).filter(of).map(|s| s.here.1).collect();
        // What was not accepted yet is nobody's, and cut all the same.
        let waits = |s: &&Socket| s.pids.is_empty() && ports.contains(&s.here.1);
        let open: Vec<&Socket> = self.sockets.iter().filter(|s| !s.listens).filter(|s| of(s) || waits(s)).collect();
        if !self.sockets.is_empty() {
            found.connections = Some(found.connections.unwrap_or(0) + open.len() as u32);
        }
        for port in ports.iter().take(TOLD) {
            let clients: Vec<&&Socket> = open.iter().filter(|s| s.here.1 == *port).collect();
            let peers: BTreeSet<&str> = clients.iter().map(|s| s.peer.0.as_str()).collect();
            let who = peers.iter().take(3).copied().collect::<Vec<_>>().join(", ");
            found.touches.push(match clients.len() {
                0 => format!("nothing answers on port {port} meanwhile"),
                n => {
                    format!("nothing answers on port {port} meanwhile; open connections that are cut: {n} (from {who})")
                }
            });
        }
        self.local_clients(found, pids, &ports);
        if let Some(pid) = self.ours.iter().find(|p| pids.contains(p)) {
            found.ours = true;
            found.touches.push(format!("our own connection goes through {}", self.name(*pid)));
        }
    }

    /// Processes of this host that hold a connection to a port that closes: they depend on it, whatever the units say.
    fn local_clients(&self, found: &mut Findings, pids: &BTreeSet<u32>, ports: &BTreeSet<u16>) {
        let here: BTreeSet<&str> = self.sockets.iter().map(|s| s.here.0.as_str()).collect();
        let client = |s: &&Socket| !s.listens && ports.contains(&s.peer.1) && here.contains(s.peer.0.as_str());
        let clients: BTreeSet<(u32, u16)> = self
            .sockets
            .iter()
            .filter(client)
            .flat_map(|s| s.pids.iter().map(|p| (*p, s.peer.1)))
            .filter(|(p, _)| !pids.contains(p))
            .collect();
        for (pid, port) in clients.iter().take(TOLD) {
            found.touches.push(format!("{} is connected to port {port}", self.name(*pid)));
        }
    }

    /// A port is no longer reached from outside.
    fn close(&self, found: &mut Findings, port: u16) {
        let listeners: BTreeSet<u32> = self
            .sockets
            .iter()
            .filter(|s| s.listens && s.here.1 == port)
            .flat_map(|s| s.pids.iter().copied())
            .collect();
        for pid in listeners.iter().take(TOLD) {
            found.touches.push(format!("port {port} is served by {}", self.name(*pid)));
        }
        let open = self.sockets.iter().filter(|s| !s.listens && s.here.1 == port).count();
        if !self.sockets.is_empty() {
            found.connections = Some(found.connections.unwrap_or(0) + open as u32);
        }
        if self.our_ends().iter().any(|s| s.here.1 == port) {
            found.ours = true;
            found.touches.push(format!("our own connection comes in by port {port}"));
        }
    }
}

fn full_name(unit: &str) -> String {
    let kinds = [".service", ".socket", ".scope", ".slice", ".mount", ".timer", ".target", ".path", ".swap"];
    if kinds.iter().any(|k| unit.ends_with(k)) { unit.to_owned() } else { format!("{unit}.service") }
}

/// A line of `ps -eo pid=,ppid=,unit=,comm=`.
fn process(text: &str) -> Option<Process> {
    let mut words = text.split_whitespace();
    let (pid, parent) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let unit = words.next()?.to_owned();
    Some(Process { pid, parent, unit, command: words.collect::<Vec<_>>().join(" ") })
}

/// A line of `ss -Htanp`: state, two queues, two addresses, and who has it.
fn socket(text: &str) -> Option<Socket> {
    let mut words = text.split_whitespace();
    let state = words.next()?;
    let (here, peer) = (address(words.nth(2)?)?, address(words.next()?)?);
    let listens = state == "LISTEN";
    if !(listens || state == "ESTAB") {
        return None;
    }
    let pids = text.split("pid=").skip(1).filter_map(|rest| rest.split([',', ')']).next()?.parse().ok()).collect();
    Some(Socket { listens, here, peer, pids })
}

fn address(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let host = host.split('%').next()?.trim_start_matches("::ffff:");
    Some((host.to_owned(), if port == "*" { 0 } else { port.parse().ok()? }))
}

/// What the words of one command reach. `ground` is asked for when it is needed first.
pub(super) async fn of(found: &mut Findings, host: &ReadOnlyHost, ground: &mut Option<Ground>, words: &[&str]) {
    let plain = |rest: &[&str]| -> Vec<String> {
        rest.iter().filter(|w| !w.starts_with('-')).map(|w| (*w).to_owned()).collect()
    };
    match words {
        ["kill", rest @ ..] if ends_or_stops(rest) => {
            let pids = plain(rest).iter().filter_map(|p| p.parse().ok()).collect();
            the(host, ground, found).await.end(found, &pids);
        }
        ["systemctl", rest @ ..] => {
            let words = plain(rest);
            let Some((verb, units)) = words.split_first() else { return };
            if matches!(verb.as_str(), "stop" | "restart" | "try-restart") || verb == "kill" && ends_or_stops(rest) {
                let ground = the(host, ground, found).await;
                for unit in units {
                    let pids = ground.of_unit(unit);
                    ground.end(found, &pids);
                }
            }
        }
        ["iptables" | "ip6tables" | "nft", rest @ ..]
            if rest.iter().any(|w| matches!(*w, "DROP" | "REJECT" | "drop" | "reject")) =>
        {
            let removes = rest.iter().any(|w| matches!(*w, "-D" | "--delete" | "delete"));
            let port = rest
                .iter()
                .position(|w| matches!(*w, "--dport" | "dport"))
                .and_then(|at| rest.get(at + 1)?.parse().ok());
            match port {
                Some(_) if removes => {}
                Some(port) => the(host, ground, found).await.close(found, port),
                None => {}
            }
        }
        ["ip", "link", "set", rest @ ..] if rest.contains(&"down") => {
            let named = rest.iter().find(|w| !matches!(**w, "dev" | "down"));
            if let Some(interface) = named {
                let ground = the(host, ground, found).await.clone();
                interface_down(found, host, &ground, interface).await;
            }
        }
        ["umount", rest @ ..] => mounts(found, host, &plain(rest), true).await,
        ["mount", rest @ ..] if rest.iter().any(|w| w.split(',').any(|o| o == "remount")) => {
            let mounts_on = plain(rest).into_iter().filter(|w| w.starts_with('/')).collect::<Vec<_>>();
            mounts(found, host, &mounts_on, rest.iter().any(|w| w.split(',').any(|o| o == "ro"))).await;
        }
        ["rm" | "unlink" | "truncate", rest @ ..] => {
            for path in plain(rest).iter().filter(|p| p.starts_with('/')).take(4) {
                holders(found, host, path, false).await;
            }
        }
        ["apt-get" | "apt", rest @ ..] => {
            let words = plain(rest);
            if let Some((verb, names)) = words.split_first()
                && matches!(verb.as_str(), "remove" | "purge" | "autoremove" | "install")
            {
                packages(found, host, if verb == "purge" { "remove" } else { verb }, names).await;
            }
        }
        ["dpkg", "-r" | "-P" | "--remove" | "--purge", names @ ..] => {
            packages(found, host, "remove", &plain(names)).await;
        }
        _ => {}
    }
}

async fn the<'a>(host: &ReadOnlyHost, ground: &'a mut Option<Ground>, found: &mut Findings) -> &'a Ground {
    if ground.is_none() {
        let asked = Ground::of(host).await;
        found.not_simulated.extend(asked.unseen.iter().cloned());
        *ground = Some(asked);
    }
    ground.get_or_insert_default()
}

/// Whether a signal is one that a process does not go on working after. Without one it is TERM.
fn ends_or_stops(words: &[&str]) -> bool {
    const HARMLESS: [&str; 8] = ["0", "CONT", "18", "CHLD", "17", "WINCH", "URG", "28"];
    let named = words.iter().find_map(|w| {
        let w = w.strip_prefix("--signal=").or_else(|| w.strip_prefix('-'))?;
        Some(w.trim_start_matches("SIG"))
    });
    named.is_none_or(|signal| !HARMLESS.contains(&signal))
}

async fn interface_down(found: &mut Findings, host: &ReadOnlyHost, ground: &Ground, interface: &str) {
    let argv = strings(&["ip", "-o", "addr", "show", "dev", interface], &[]);
    let answer =
        ask(found, host, argv, |a| (a.end.is_success(), format!("{} addresses", a.stdout.lines().count()))).await;
    let Some(answer) = answer else { return };
    let has = answer.stdout.lines().filter_map(|l| {
        let mut words = l.split_whitespace().skip_while(|w| *w != "inet" && *w != "inet6");
        words.next()?;
        Some(words.next()?.split('/').next()?.to_owned())
    });
    let has: BTreeSet<String> = has.collect();
    let over = ground.sockets.iter().filter(|s| !s.listens && has.contains(&s.here.0)).count();
    if !ground.sockets.is_empty() {
        found.connections = Some(found.connections.unwrap_or(0) + over as u32);
    }
    found.touches.push(format!("all traffic over {}; open connections by it: {over}", line(interface)));
    if ground.our_ends().iter().any(|s| has.contains(&s.here.0)) {
        found.ours = true;
        found.touches.push(format!("our own connection comes in over {}", line(interface)));
    }
}

/// What has files below a path open, or works there.
async fn holders(found: &mut Findings, host: &ReadOnlyHost, path: &str, below: bool) {
    let literal: String =
        path.chars().flat_map(|c| if "*?[]\\".contains(c) { vec!['\\', c] } else { vec![c] }).collect();
    let is = ["(", "-path", "/proc/[0-9]*/fd/*", "-o", "-path", "/proc/[0-9]*/cwd", ")"];
    let mut argv = strings(&["find", "/proc", "-mindepth", "2", "-maxdepth", "3"], &strings(&is, &[]));
    // A file that was removed while it was open ends in " (deleted)".
    let under = format!("{literal}/*");
    argv.extend(strings(&["(", "-lname", &literal], &[]));
    if below {
        argv.extend(strings(&["-o", "-lname", &under], &[]));
    }
    argv.extend(strings(&[")", "-printf", "%P %l\\n"], &[]));
    let question = Ask::Run(Command { elevate: host.capabilities().elevate, ..Command::new(argv) });
    match look(host, question).await {
        // Processes that ended meanwhile make `find` fail; what it printed counts all the same.
        Ok(text) => {
            let pids: BTreeSet<u32> = text.lines().filter_map(|l| l.split('/').next()?.parse().ok()).collect();
            if !pids.is_empty() {
                let some: Vec<String> = pids.iter().take(TOLD).map(u32::to_string).collect();
                found.touches.push(format!(
                    "{} is held open by {} processes: pid {}",
                    line(path),
                    pids.len(),
                    some.join(", ")
                ));
            }
        }
        Err(why) => found.not_simulated.push(format!("who has {} open is not known: {why}", line(path))),
    }
}

async fn mounts(found: &mut Findings, host: &ReadOnlyHost, points: &[String], matters: bool) {
    for point in points.iter().filter(|p| p.starts_with('/')).take(4) {
        let argv = strings(&["findmnt", "-rn", "-R", "-o", "TARGET,FSTYPE,OPTIONS", point], &[]);
        let answer = ask(found, host, argv, |a| {
            (a.end.is_success(), line(a.stdout.lines().next().unwrap_or("nothing is mounted there")))
        })
        .await;
        if !matters {
            continue;
        }
        for nested in answer.iter().flat_map(|a| a.stdout.lines().skip(1)).take(TOLD) {
            found.touches.push(format!("mounted below it: {}", line(nested.split(' ').next().unwrap_or_default())));
        }
        holders(found, host, point, true).await;
    }
}

/// What else goes or comes with packages, as apt's own simulation says.
async fn packages(found: &mut Findings, host: &ReadOnlyHost, verb: &str, names: &[String]) {
    let argv = strings(&["apt-get", "-s", verb], names);
    let answer = ask(found, host, argv, |a| {
        let steps = a.stdout.lines().filter(|l| ["Inst ", "Remv ", "Purg "].iter().any(|s| l.starts_with(s))).count();
        (a.end.is_success(), format!("{steps} packages are installed, upgraded or removed"))
    })
    .await;
    let Some(answer) = answer else { return };
    let gone = answer.stdout.lines().filter_map(|l| l.strip_prefix("Remv ")?.split(' ').next());
    let gone: Vec<&str> = gone.filter(|p| !names.iter().any(|n| n == p)).collect();
    found.ripples |= !gone.is_empty();
    found.touches.extend(gone.iter().take(TOLD).map(|p| format!("package {} is removed with it", line(p))));
}

#[cfg(test)]
mod tests {
    use super::{super::super::fixture, *};

    const PS: &str = "    1     0 init.scope systemd\n  300     1 ssh.service sshd\n  700   300 session-3.scope sshd\n\
        701 700 session-3.scope ps\n  812     1 inventory.service python3\n  813   812 inventory.service python3\n\
        900     1 storefront.service python3\n";
    const SS: &str = "LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:((\"sshd\",pid=300,fd=3))\n\
        LISTEN 0 5 127.0.0.1:8081 0.0.0.0:* users:((\"python3\",pid=812,fd=3),(\"python3\",pid=813,fd=3))\n\
        ESTAB 0 0 127.0.0.1:8081 127.0.0.1:41000 users:((\"python3\",pid=812,fd=4))\n\
        ESTAB 0 0 127.0.0.1:41000 127.0.0.1:8081 users:((\"python3\",pid=900,fd=4))\n\
        ESTAB 0 0 [::ffff:10.0.0.5]:22 [::ffff:10.0.0.9]:50000 users:((\"sshd\",pid=700,fd=4),(\"sshd\",pid=300,fd=4))\n\
        ESTAB 12 0 127.0.0.1:8081 10.0.0.7:41002\n\
        TIME-WAIT 0 0 127.0.0.1:8081 127.0.0.1:40000\n";

    async fn reached(words: &str, more: &[(&str, &str, i32)]) -> Findings {
        let mut answers = vec![("ps -ww -eo", PS, 0), ("ss -Htanp", SS, 0)];
        answers.extend_from_slice(more);
        let mut found = Findings::default();
        let words: Vec<&str> = words.split(' ').collect();
        of(&mut found, &fixture::host(&answers), &mut None, &words).await;
        found
    }

    fn told(found: &Findings, text: &str) -> bool {
        found.touches.iter().any(|t| t.contains(text))
    }

    #[tokio::test]
    async fn a_unit_that_stops_cuts_its_clients() {
        let found = reached("systemctl restart inventory", &[]).await;
        assert_eq!(found.connections, Some(2));
        assert!(told(&found, "open connections that are cut: 2 (from 10.0.0.7, 127.0.0.1)"), "{found:?}");
        assert!(told(&found, "python3 (storefront.service, pid 900) is connected to port 8081"), "{found:?}");
        assert!(!found.ours);
    }

    #[tokio::test]
    async fn our_own_way_in_is_recognized() {
        for words in [
            "kill 700",
            "kill -KILL 300",
            "systemctl stop ssh",
            "systemctl kill --signal=SIGTERM ssh.service",
            "iptables -A INPUT -p tcp --dport 22 -j DROP",
            "systemctl stop session-3.scope",
        ] {
            assert!(reached(words, &[]).await.ours, "{words}");
        }
        for words in [
            "kill 812",
            "kill -CONT 700",
            "systemctl start ssh",
            "systemctl kill --signal=SIGCONT ssh",
            "iptables -D INPUT -p tcp --dport 22 -j DROP",
            "iptables -A INPUT -p tcp --dport 80 -j DROP",
        ] {
            assert!(!reached(words, &[]).await.ours, "{words}");
        }
        let address = "2: eth0    inet 10.0.0.5/24 brd 10.0.0.255 scope global eth0\n";
        let found = reached("ip link set eth0 down", &[("ip -o addr show dev eth0", address, 0)]).await;
        assert!(found.ours && found.connections == Some(1), "{found:?}");
    }

    #[tokio::test]
    async fn what_holds_a_mount_or_a_file_is_told() {
        let mounted = "/srv/data ext4 rw\n/srv/data/in tmpfs rw\n";
        let held = "812/fd/3 /srv/data/x (deleted)\n900/cwd /srv/data\n";
        let found = reached("umount /srv/data", &[("findmnt", mounted, 0), ("find /proc", held, 0)]).await;
        assert!(
            told(&found, "mounted below it: /srv/data/in") && told(&found, "by 2 processes: pid 812, 900"),
            "{found:?}"
        );
        let found = reached("rm -- /srv/data/x", &[("find /proc", held, 0)]).await;
        assert!(told(&found, "held open"), "{found:?}");
    }

    #[tokio::test]
    async fn packages_that_go_with_one_are_told() {
        let said = "Remv shop-api [2.1]\nRemv libjson [1.0]\n";
        let found = reached("apt-get remove libjson", &[("apt-get -s remove libjson", said, 0)]).await;
        assert!(told(&found, "package shop-api is removed with it") && found.ripples, "{found:?}");
    }

    #[tokio::test]
    async fn what_the_host_does_not_tell_is_said() {
        let mut found = Findings::default();
        of(&mut found, &fixture::host(&[]), &mut None, &["kill", "5"]).await;
        assert_eq!(found.not_simulated.len(), 2, "{found:?}");
        assert_eq!(found.connections, None);
    }
}
