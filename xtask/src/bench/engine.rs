//! The engine: what an analysis, a replay, watching a host and the trace cost.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use super::{machine, status_kb};
use crate::run::{Done, command, root, run};

pub(super) fn all() -> Done {
    run(command("cargo").args(["build", "--release", "--locked", "-p", "chaos-server"]))?;
    let dir = root().join("target/bench");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    println!("{}", machine());
    replay(&dir)?;
    big_log(&dir)?;
    watch(&dir)?;
    for bench in ["trace", "risk"] {
        run(command("cargo").args(["bench", "--locked", "-p", "chaos-core", "--bench", bench]))?;
    }
    Ok(())
}

fn handler(dir: &Path) -> std::process::Command {
    let mut handler = command("target/release/chaos-handler");
    handler.env("CHAOS_HANDLER_INCIDENTS", dir.join("incidents")).stdout(Stdio::null()).stderr(Stdio::null());
    handler
}

fn lines(to: &Path, count: u64) -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(fs::File::create(to)?);
    for n in 0..count {
        let (s, ms) = (n / 17 % 86_400, n % 1000);
        let at = format!("2026-11-24T{:02}:{:02}:{:02}.{ms:03}Z", s / 3600, s / 60 % 60, s % 60);
        match n % 9 {
            0 => writeln!(out, "{at} INFO db: query took {} ms rows={}", n % 97, n % 1013)?,
            1 => writeln!(out, "{at} WARNING cache: miss for key user:{:x}", n.wrapping_mul(2_654_435_761))?,
            2 if n % 5 == 0 => {
                writeln!(out, "{at} ERROR worker[{}]: connection to 10.0.0.{} refused", n % 40, n % 250)?
            }
            _ => writeln!(out, "{at} INFO http: GET /api/v1/items/{} 200 {} us", n % 10_007, n % 9_001)?,
        }
    }
    out.flush()
}

/// 60 series of 600 samples each, one of which goes up at two thirds.
fn series(to: &Path) -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(fs::File::create(to)?);
    writeln!(out, "{{\"schema_version\":1,\"series\":[")?;
    let start = 1_795_000_000_000_u64;
    for n in 0..60 {
        let at: Vec<String> = (0..600_u64).map(|i| (start + i * 1000).to_string()).collect();
        let noise = |i: u64| ((i * 7919 + n * 104_729) % 101) as f64 / 5000.0;
        let level = |i: u64| if n == 0 && i >= 400 { 0.97 } else { 0.2 };
        let values: Vec<String> = (0..600).map(|i| format!("{:.4}", level(i) + noise(i))).collect();
        let comma = if n == 59 { "" } else { "," };
        let name = if n == 0 { "system.cpu.utilization".to_owned() } else { format!("app.queue.utilization.{n}") };
        writeln!(
            out,
            "{{\"name\":\"{name}\",\"unit\":\"1\",\"attributes\":{{}},\"at\":[{}],\"values\":[{}]}}{comma}",
            at.join(","),
            values.join(",")
        )?;
    }
    writeln!(out, "]}}")?;
    out.flush()
}

fn replay(dir: &Path) -> Done {
    let source = dir.join("source");
    let written = fs::create_dir_all(&source)
        .and_then(|()| lines(&source.join("app.log"), 10_000))
        .and_then(|()| series(&source.join("metrics.json")));
    written.map_err(|e| format!("{}: {e}", source.display()))?;
    run(handler(dir).arg("run").arg("--offline").arg(&source))?;
    let incident = newest(&dir.join("incidents"))?;
    let mut times = Vec::new();
    for _ in 0..21 {
        let started = Instant::now();
        let status = handler(dir).arg("replay").arg(&incident).arg("--out").arg(dir.join("replay")).status();
        times.push(started.elapsed());
        if !status.is_ok_and(|s| s.success()) {
            return Err("the replay failed".into());
        }
    }
    times.sort();
    println!(
        "replay, 10,000 log lines + 60 series × 600 samples, whole process: median {:.1} ms (fastest {:.1}, of 21)",
        times[10].as_secs_f64() * 1e3,
        times[0].as_secs_f64() * 1e3
    );
    Ok(())
}

fn newest(incidents: &Path) -> Result<PathBuf, String> {
    let entries = fs::read_dir(incidents).map_err(|e| format!("{}: {e}", incidents.display()))?;
    entries
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.join("recording").is_dir())
        .max()
        .ok_or("no incident was written".into())
}

fn big_log(dir: &Path) -> Done {
    let file = dir.join("big/app.log");
    let written = fs::create_dir_all(dir.join("big")).and_then(|()| lines(&file, 15_400_000));
    written.map_err(|e| format!("{}: {e}", file.display()))?;
    let size = fs::metadata(&file).map_or(0, |m| m.len());
    let started = Instant::now();
    let mut child = handler(dir).arg("run").arg("--offline").arg(&file).spawn().map_err(|e| e.to_string())?;
    let peak = watch_memory(&mut child);
    println!(
        "a log of {:.2} GB: analysed in {:.1} s, peak RSS {} MB",
        size as f64 / 1e9,
        started.elapsed().as_secs_f64(),
        peak / 1000
    );
    let _ = fs::remove_file(file);
    Ok(())
}

/// Until the child ends; gives its peak resident set in kB.
fn watch_memory(child: &mut Child) -> u64 {
    let mut peak = 0;
    while matches!(child.try_wait(), Ok(None)) {
        peak = peak.max(status_kb(child.id(), "VmHWM:"));
        sleep(Duration::from_millis(20));
    }
    peak
}

/// Watches this host for 60 s, and us watching it.
fn watch(dir: &Path) -> Done {
    let mut child = handler(dir)
        .args(["run", "--target", "local", "--baseline", "0", "--observe", "60"])
        .spawn()
        .map_err(|e| e.to_string())?;
    sleep(Duration::from_secs(2));
    let (own, others) = cpu_ticks(child.id());
    sleep(Duration::from_secs(56));
    let (own_after, others_after) = cpu_ticks(child.id());
    let rss = status_kb(child.id(), "VmHWM:");
    let _ = child.wait();
    // USER_HZ is 100 on every Linux that we run on (time(7)).
    let share = |from: u64, to: u64| to.saturating_sub(from) as f64 / 56.0;
    println!(
        "watching this host for 60 s: our process {:.2} % of one core, peak RSS {} MB; the sampler and the other commands on the target {:.2} % of one core",
        share(own, own_after),
        rss / 1000,
        share(others, others_after)
    );
    Ok(())
}

/// CPU time in ticks of `pid` itself, and of all that descends from it.
fn cpu_ticks(pid: u32) -> (u64, u64) {
    let mut parents: BTreeMap<u32, (u32, u64, u64)> = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|n| n.parse::<u32>().ok()) else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let Some((_, rest)) = stat.rsplit_once(") ") else { continue };
        let fields: Vec<u64> = rest.split(' ').map(|f| f.parse().unwrap_or(0)).collect();
        if let [_, ppid, ..] = fields[..]
            && fields.len() > 14
        {
            parents.insert(id, (ppid as u32, fields[11] + fields[12], fields[13] + fields[14]));
        }
    }
    let descends = |mut id: u32| {
        while let Some((parent, ..)) = parents.get(&id) {
            if *parent == pid {
                return true;
            }
            id = *parent;
        }
        false
    };
    let own = parents.get(&pid).map_or(0, |p| p.1);
    let others = parents.iter().filter(|(id, _)| descends(**id)).map(|(_, (_, own, waited))| own + waited).sum();
    (own, others)
}
