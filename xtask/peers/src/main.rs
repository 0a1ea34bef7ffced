//! Mines the templates of a file with another crate: `peers drain3|logdrain FILE`. Prints seconds, lines and templates.

use std::time::Instant;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, peer, file] = &args[..] else { panic!("peers drain3|logdrain FILE") };
    let started = Instant::now();
    let bytes = std::fs::read(file).expect("the file can be read");
    let text = String::from_utf8_lossy(&bytes);
    let templates = match peer.as_str() {
        "drain3" => with_drain3(&text),
        "logdrain" => with_logdrain(&text),
        _ => panic!("no such peer"),
    };
    println!("{} {} {templates}", started.elapsed().as_secs_f64(), text.lines().count());
}

fn with_drain3(text: &str) -> usize {
    let mut matcher = drain3::Matcher::new(drain3::Config::default());
    let templates: std::collections::HashSet<usize> =
        text.lines().filter_map(|line| Some(matcher.add_log_message(line).ok()?.id())).collect();
    templates.len()
}

fn with_logdrain(text: &str) -> usize {
    let miner = logdrain::Miner::builder().build().expect("the defaults are valid");
    for line in text.lines() {
        miner.add(line);
    }
    miner.clusters().len()
}
