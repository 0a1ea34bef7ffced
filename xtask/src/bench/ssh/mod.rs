//! Our SSH transport beside OpenSSH's client, asyncssh, paramiko and the library that it is built on, against one
//! server that is the same for all: what is measured, and the table.

mod openssh;
mod peers;
mod server;

use std::time::Instant;

use self::{
    peers::{Measure, Peer, Seen},
    server::{KEX, Server},
};
use super::machine;
use crate::run::Done;

/// The one that all peers know.
const GCM: &str = "aes256-gcm@openssh.com";
/// OpenSSH's first choice.
const CHACHA: &str = "chacha20-poly1305@openssh.com";
/// Everything is measured so often, each peer in turn, so that a busy moment does not meet one alone.
const ROUNDS: usize = 3;
const OUTPUT: usize = 500_000_000;
/// Of a process or a thread a connection, a thousand would measure this machine.
const NOT_BY_THOUSANDS: &[&str] = &["ssh", "paramiko"];
const WITHOUT_CHACHA: &[&str] = &["paramiko"];

const NOTES: &str = "\
Each number is the median of all samples; behind it, in how many times our time or memory it is.
- All clients: an ed25519 key, the host key from known_hosts, TCP on 127.0.0.1, one server process with
  `MaxStartups 2000`, `MaxSessions 1000`, `LoginGraceTime 0` and an empty home. The command is `/bin/true`.
- russh alone is the floor: the library that ours is built on, by `channel_open_session`, `exec` and reading to the
  end, without what we put around it: the shell on the target that ends what runs there when we are gone, start-up
  noise, the check for the program, output limits, OpenSSH's rules for host keys.
- connect: from TCP to the exit code of the command; ssh is a process each time. Ours starts the shell first, so it runs
  two commands for their one; it has the first bytes acknowledged at once, for which the server lets others wait 40 ms.
- exec, stdout: on an open connection, for ssh by ControlMaster and a process each. ssh writes to /dev/null, the others
  count bytes.
- connections: at most 50 logins at a time; all are open until the last has run its command. Memory is the peak of the
  client's resident set (VmHWM), for ssh the sum over its processes, in brackets with what they share counted once.
";

pub(super) fn all() -> Done {
    let peers = peers::ready()?;
    let (gcm, chacha) = (Server::start(GCM)?, Server::start(CHACHA)?);
    println!("{}", machine());
    let shell = std::env::var("SHELL").unwrap_or_default();
    println!("server: {}, {KEX}, {GCM} where no other cipher is named, login shell {shell}", gcm.version);
    for peer in &peers {
        println!("{}: {}", peer.name, peer.version);
    }
    println!("\n{NOTES}");
    let mut head = vec![String::new()];
    head.extend(peers.iter().map(|peer| peer.name.to_owned()));
    print_row(&head);
    let rows: [(&str, &Server, Measure, &[&str]); 6] = [
        ("connect, login, command", &gcm, Measure::Connect(10), &[]),
        ("exec", &gcm, Measure::Exec(100), &[]),
        ("500 MB stdout", &gcm, Measure::Stdout(OUTPUT), &[]),
        ("the same, chacha20", &chacha, Measure::Stdout(OUTPUT), WITHOUT_CHACHA),
        ("100 connections", &gcm, Measure::Many(100), &[]),
        ("1,000 connections", &gcm, Measure::Many(1000), NOT_BY_THOUSANDS),
    ];
    for (name, server, measure, without) in rows {
        row(name, &peers, server, measure, without)?;
    }
    Ok(())
}

/// Measures all peers and prints what was seen.
fn row(name: &str, peers: &[Peer], server: &Server, measure: Measure, without: &[&str]) -> Done {
    let started = Instant::now();
    let mut all: Vec<Option<Seen>> = vec![None; peers.len()];
    for _ in 0..ROUNDS {
        for (seen, peer) in all.iter_mut().zip(peers) {
            if without.contains(&peer.name) {
                continue;
            }
            let new = peer.measure(server, measure)?;
            let seen = seen.get_or_insert_with(Seen::default);
            seen.ms.extend(new.ms);
            seen.peak = seen.peak.max(new.peak);
            seen.shared_once = seen.shared_once.max(new.shared_once);
        }
    }
    eprintln!("xtask: {name}: {ROUNDS} rounds in {:.0} s", started.elapsed().as_secs_f64());
    let times: Vec<_> = all.iter().map(|seen| seen.as_ref().map(|seen| median(&seen.ms))).collect();
    let shown: Vec<_> = times.iter().map(|ms| ms.map_or(String::new(), |ms| time(measure, ms))).collect();
    print_row(&cells(name, &times, &shown));
    if matches!(measure, Measure::Many(_)) {
        let peaks: Vec<_> = all.iter().map(|seen| seen.as_ref().map(|seen| seen.peak as f64)).collect();
        let shown: Vec<_> = all.iter().map(|seen| seen.as_ref().map_or(String::new(), memory)).collect();
        print_row(&cells("  peak memory", &peaks, &shown));
    }
    Ok(())
}

fn time(measure: Measure, ms: f64) -> String {
    match measure {
        Measure::Connect(_) | Measure::Exec(_) => format!("{ms:.2} ms"),
        Measure::Stdout(bytes) => format!("{:.0} MB/s", bytes as f64 / ms / 1e3),
        Measure::Many(_) => format!("{:.2} s", ms / 1e3),
    }
}

fn memory(seen: &Seen) -> String {
    let once = seen.shared_once.map_or(String::new(), |kb| format!(" [{:.0}]", kb as f64 * 1.024 / 1e3));
    format!("{:.1} MB{once}", seen.peak as f64 * 1.024 / 1e3)
}

/// A row of numbers; behind each, in how many times the first it is.
fn cells(name: &str, numbers: &[Option<f64>], shown: &[String]) -> Vec<String> {
    let ours = numbers.first().copied().flatten().unwrap_or(f64::NAN);
    let cell = |(number, shown): (&Option<f64>, &String)| match number {
        Some(number) => format!("{shown} ({:.2}×)", number / ours),
        None => "not measured".into(),
    };
    let numbers = numbers.iter().zip(shown).map(cell);
    [name.to_owned()].into_iter().chain(numbers).collect()
}

fn print_row(cells: &[String]) {
    let mut line = format!("{:<24}", cells[0]);
    for cell in &cells[1..] {
        line.push_str(&format!(" | {cell:<22}"));
    }
    println!("{}", line.trim_end());
}

fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
