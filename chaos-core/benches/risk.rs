//! What judging a fix costs: a script of 100 lines, and each of its lines by itself: `cargo bench --bench risk`.

#![allow(clippy::print_stdout)] // that is what it is for

use std::{hint::black_box, time::Instant};

use chaos_core::risk::RiskRules;

const ROUNDS: usize = 200;
/// Lines as a fix has them; the script repeats them.
const LINES: [&str; 10] = [
    "set -euo pipefail",
    "LOG=/var/log/app/current.log",
    "if ! systemctl is-active --quiet nginx.service; then echo \"nginx is down: $(date +%T)\" >&2; fi",
    "cp -a /etc/nginx/nginx.conf \"/etc/nginx/nginx.conf.$(date +%s).bak\"",
    "sed -i 's/^worker_connections .*/worker_connections 4096;/' /etc/nginx/nginx.conf",
    "for unit in nginx.service app.service; do systemctl reload \"$unit\" || systemctl restart \"$unit\"; done",
    "journalctl -u app.service -n 50 --no-pager | grep -c 'out of memory' || true",
    "find /var/log/app -name '*.gz' -mtime +14 -print | head -n 20",
    "sudo -n truncate --size=0 -- \"$LOG\"",
    "kill -TERM \"$(cat /run/app.pid)\"",
];

fn main() {
    // `cargo test --benches` runs this too.
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    let started = Instant::now();
    let rules = RiskRules::builtin();
    let read = started.elapsed().as_secs_f64() * 1e3;
    let script = LINES.join("\n").repeat(10).replace("pid)\"set", "pid)\"\nset");
    let mut took: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let started = Instant::now();
            black_box(rules.script(black_box(&script)));
            started.elapsed().as_secs_f64() * 1e3
        })
        .collect();
    took.sort_by(f64::total_cmp);
    println!(
        "chaos-core: rules read in {read:.1} ms; a script of {} lines judged in {:.2} ms (median of {ROUNDS}; 95 % in {:.2} ms)",
        script.lines().count(),
        took[ROUNDS / 2],
        took[ROUNDS * 95 / 100]
    );
    let started = Instant::now();
    for line in LINES.iter().cycle().take(1_000) {
        black_box(rules.script(line));
    }
    println!("one command: {:.3} ms on average", started.elapsed().as_secs_f64());
}
