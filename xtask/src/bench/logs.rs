//! Mining the templates of a log, beside others that do so, on the same file; and the memory that a log takes in which
//! every line has something that never comes again.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use super::{machine, status_kb};
use crate::run::{Done, command, root, run};

const LINES: u64 = 1_000_000;
/// Lines that the slowest peer gets: it would take a minute for all.
const FEWER: u64 = 100_000;
const UNIQUE: u64 = 10_000_000;
/// Pinned, as everything else that is compared.
pub(super) const DRAIN3: &str = "drain3==0.9.11";
const VENV: &str = "target/bench-venv";

pub(super) fn all() -> Done {
    let dir = root().join("target/bench-logs");
    fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    println!("{}", machine());
    let (log, short) = mixed_logs(&dir)?;
    println!("{LINES} lines of ten kinds, with headers; medians of five for ours, one run for each peer:");
    run(command("cargo").args(["bench", "--locked", "-p", "chaos-core", "--bench", "logs", "--"]).arg(&log))?;
    peers(&log, &short)?;
    for file in [&log, &short] {
        let _ = fs::remove_file(file);
    }
    unique(&dir)
}

/// A log of ten kinds of lines, and its first part for who is slow.
pub(super) fn mixed_logs(dir: &Path) -> Result<(PathBuf, PathBuf), String> {
    let (log, short) = (dir.join("mixed.log"), dir.join("short.log"));
    write(&log, LINES, mixed)?;
    write(&short, FEWER, mixed)?;
    Ok((log, short))
}

fn peers(log: &Path, short: &Path) -> Done {
    let target = root().join("target/bench-peers");
    let build =
        ["build", "--release", "--locked", "--quiet", "--manifest-path", "xtask/peers/Cargo.toml", "--target-dir"];
    run(command("cargo").args(build).arg(&target))?;
    let peers = target.join("release/peers");
    let name = peers.to_string_lossy();
    for (peer, version) in [("drain3", "crate drain3 0.3.0"), ("logdrain", "crate logdrain 0.3.2")] {
        measured(version, command(&name).arg(peer).arg(log))?;
    }
    let python = format!("{VENV}/bin/python");
    if !root().join(&python).is_file() {
        run(command("python3").args(["-m", "venv", VENV]))?;
    }
    run(command(&python).args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", DRAIN3]))?;
    measured("Drain3 0.9.11 (Python)", command(&python).arg("xtask/peers/with_drain3.py").arg(short))
}

/// What a peer prints: seconds, lines and templates.
fn measured(name: &str, peer: &mut Command) -> Done {
    let done = peer.stderr(Stdio::inherit()).output().map_err(|e| format!("{name}: {e}"))?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|w| w.parse().ok()).collect();
    match numbers[..] {
        [seconds, lines, templates] => {
            println!("{name}: {:.2} M lines/s, {templates} templates", lines / seconds / 1e6);
            Ok(())
        }
        _ => Err(format!("{name}: {:?} {text}", done.status)),
    }
}

/// Ten million lines of five kinds, each with an id of its own.
fn unique(dir: &Path) -> Done {
    let file = dir.join("unique.log");
    write(&file, UNIQUE, ids)?;
    run(command("cargo").args(["build", "--release", "--locked", "-p", "chaos-server"]))?;
    let started = Instant::now();
    let mut handler = command("target/release/chaos-handler");
    handler.args(["analyze", "logs", "--json"]).arg(&file).stdout(Stdio::piped());
    let mut child = handler.spawn().map_err(|e| format!("chaos-handler: {e}"))?;
    let mut peak = 0;
    while matches!(child.try_wait(), Ok(None)) {
        peak = peak.max(status_kb(child.id(), "VmHWM:"));
        sleep(Duration::from_millis(20));
    }
    let took = started.elapsed().as_secs_f64();
    let said = child.wait_with_output().map_err(|e| format!("chaos-handler: {e}"))?;
    let templates = String::from_utf8_lossy(&said.stdout).matches("\"template\":").count();
    println!(
        "{UNIQUE} lines of five kinds with an id of its own in each: {templates} templates, {took:.1} s, peak RSS {} MB",
        peak / 1000
    );
    let _ = fs::remove_file(file);
    Ok(())
}

fn write(to: &Path, count: u64, line: impl Fn(u64) -> String) -> Done {
    let wrong = |e: std::io::Error| format!("{}: {e}", to.display());
    let mut out = std::io::BufWriter::new(fs::File::create(to).map_err(wrong)?);
    for n in 0..count {
        writeln!(out, "{}", line(n)).map_err(wrong)?;
    }
    out.flush().map_err(wrong)
}

/// SplitMix64: the same in every run.
fn random(n: u64) -> u64 {
    let z = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn word(n: u64) -> String {
    const PARTS: [&str; 16] =
        ["al", "be", "cor", "dan", "el", "fi", "gor", "ha", "in", "jo", "ka", "lem", "mo", "nu", "or", "pa"];
    (0..3).map(|i| PARTS[(n >> (4 * i)) as usize % 16]).collect()
}

fn mixed(n: u64) -> String {
    let (s, ms, r) = (n / 40 % 86_400, n % 1000, random(n));
    let clock = format!("{:02}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
    let (a, b, c) = (r % 256, r >> 8 & 0xff, r >> 16 & 0xffff);
    match n % 20 {
        0..4 => format!(
            "2026-11-24T{clock}.{ms:03}Z INFO [worker-{}] shop.api.OrderService: order {} of user {} took {} ms",
            a % 16,
            r >> 40,
            word(r % 600),
            b
        ),
        4..7 => format!(
            "10.1.{a}.{b} - - [24/Nov/2026:{clock} +0000] \"GET /{}/{} HTTP/1.1\" {} {c} \"-\" \"Mozilla/5.0\"",
            word(r % 90),
            r >> 50,
            [200, 200, 304, 404, 502][a as usize % 5]
        ),
        7..10 => format!(
            "Nov 24 {clock} web{} sshd[{c}]: Failed password for invalid user {} from 10.2.{a}.{b} port {c} ssh2",
            a % 9,
            word(r % 300)
        ),
        10..12 => format!(
            "Nov 24 {clock} web{} kernel: [{}.{:06}] TCP: request_sock_TCP: Possible SYN flooding on port {c}. Sending cookies.",
            a % 9,
            s + 100,
            c
        ),
        12..14 => format!(
            "2026-11-24 {clock}.{ms:03} UTC [{c}] app@shop LOG:  duration: {a}.{b:03} ms  statement: SELECT * FROM orders WHERE id = {}",
            r >> 44
        ),
        14 => format!(
            "2026/11/24 {clock} [error] {c}#{c}: *{} connect() failed (111: Connection refused) while connecting to upstream, client: 10.1.{a}.{b}",
            r >> 48
        ),
        15 => format!(
            "2026-11-24 {clock},{ms:03} - celery.worker - WARNING - task {:08x}-{:04x}-4{:03x}-a{:03x}-{:012x} retried {a} times",
            r >> 32,
            c,
            a,
            b,
            r & 0xffff_ffff_ffff
        ),
        16 => format!(
            "I1124 {clock}.{ms:03}000 {c:7} controller.go:{a}] Successfully synced pod {}-{:x}",
            word(r % 40),
            r >> 36
        ),
        17 => format!(
            "{{\"time\":\"2026-11-24T{clock}.{ms:03}Z\",\"level\":\"info\",\"msg\":\"flushed {c} events in {a} ms\",\"shard\":{b}}}"
        ),
        18 => format!("time=\"2026-11-24T{clock}Z\" level=warning msg=\"cache miss for key {:x}\" shard={a}", r),
        _ => format!(
            "2026-11-24T{clock}.{ms:03}Z web{} systemd[1]: backup-{}.service: Deactivated successfully.",
            a % 9,
            word(r % 30)
        ),
    }
}

fn ids(n: u64) -> String {
    let (r, q) = (random(2 * n), random(2 * n + 1));
    let at = format!("2026-11-24 08:{:02}:{:02}", n / 60 % 60, n % 60);
    let letters: String = format!("{r:012}").bytes().take(12).map(|b| char::from(b'a' + (b - b'0') * 2)).collect();
    match n % 5 {
        0 => format!("{at} INFO session {r:016x}{q:016x} opened for user u{}", q % 1_000_000),
        1 => format!(
            "{at} INFO request {:08x}-{:04x}-4{:03x}-b{:03x}-{:012x} took {} ms",
            r >> 32,
            r & 0xffff,
            q & 0xfff,
            q >> 12 & 0xfff,
            q >> 16,
            n % 977
        ),
        2 => format!("{at} WARN token {letters} expired"),
        3 => format!("{at} INFO cache key {r:010x} evicted from shard {}", n % 64),
        _ => format!("{at} ERROR connection {q:016x} refused by 10.0.{}.{}", n % 256, n % 251),
    }
}
