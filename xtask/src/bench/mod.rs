//! The measurements that README quotes. Each prints what it measured; none passes or fails on a time, since the
//! machine may be busy.

mod engine;
mod logs;
mod plugins;
mod python;
mod server;
mod ssh;

use std::fs;

use crate::run::Done;

/// Measures the engine, or what is named.
pub(crate) fn bench(what: &[String]) -> Done {
    match what.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => engine::all(),
        ["dashboard"] => {
            println!("{}", machine());
            crate::dashboard::bench()
        }
        ["logs"] => logs::all(),
        ["python"] => python::all(),
        ["server"] => server::all(),
        ["ssh"] => ssh::all(),
        ["plugins"] => plugins::all(),
        _ => Err(
            "what is measured: `bench` (the engine), `bench dashboard`, `bench logs`, `bench plugins`, `bench python`, \
             `bench server`, `bench ssh`"
                .into(),
        ),
    }
}

/// The processor, and how busy it is.
fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        info.lines().find_map(|l| l.strip_prefix("model name")).map_or("", |l| l.trim_start_matches([' ', '\t', ':']));
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cpus = info.matches("processor\t").count();
    format!("machine: {cpus} × {model}, load {}", load.split(' ').next().unwrap_or(""))
}

/// A line of `/proc/PID/status`, such as `VmHWM:`, the most memory that was ever resident.
fn status_kb(pid: u32, key: &str) -> u64 {
    kb(&format!("/proc/{pid}/status"), key)
}

/// A line `KEY NUMBER kB` of a file; 0 where there is none.
fn kb(path: &str, key: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let value = text.lines().find_map(|l| l.strip_prefix(key)).unwrap_or("0");
    value.trim().trim_end_matches(" kB").trim().parse().unwrap_or(0)
}
