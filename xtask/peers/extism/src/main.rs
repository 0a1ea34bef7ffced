//! Measures the detector of the example under Extism: `peer-extism GUEST.wasm`. Prints medians.

#[path = "../../../../chaos-plugins/benches/shared/events.rs"]
mod events;

use std::time::{Duration, Instant};

use extism::{CompiledPlugin, Manifest, Plugin, PluginBuilder, Wasm};
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct Observation {
    evidence: Vec<LogStream>,
}

#[derive(Serialize)]
struct LogStream {
    events: Vec<LogEvent>,
}

#[derive(Serialize)]
struct LogEvent {
    at: i64,
    unit: Option<String>,
    pid: Option<u32>,
    text: String,
}

/// What is looked at of what comes back.
#[derive(Deserialize)]
struct Finding {
    summary: String,
}

/// As many limits as a plugin of ours has by default: memory in pages of 64 KiB, and time.
fn builder(guest: &str) -> PluginBuilder<'static> {
    let module = std::fs::read(guest).expect("the guest is there");
    let manifest = Manifest::new([Wasm::data(module)]).with_memory_max(64 << 4).with_timeout(Duration::from_secs(10));
    PluginBuilder::new(manifest).with_wasi(false)
}

fn observation(count: usize) -> Observation {
    let event =
        |n| LogEvent { at: events::at(n), unit: Some("app.service".into()), pid: Some(7), text: events::text(n) };
    let stream = LogStream { events: (0..count).map(event).collect() };
    Observation { evidence: if count == 0 { vec![] } else { vec![stream] } }
}

fn json(plugin: &mut Plugin, seen: &Observation) -> Vec<Finding> {
    let input = serde_json::to_vec(seen).expect("plain data");
    let output: &[u8] = plugin.call("detect_json", input).expect("the plugin answers");
    serde_json::from_slice(output).expect("findings")
}

fn msgpack(plugin: &mut Plugin, seen: &Observation) -> Vec<Finding> {
    let input = rmp_serde::to_vec_named(seen).expect("plain data");
    let output: &[u8] = plugin.call("detect_msgpack", input).expect("the plugin answers");
    rmp_serde::from_slice(output).expect("findings")
}

fn median(times: usize, mut each: impl FnMut()) -> f64 {
    let mut took: Vec<Duration> = (0..times)
        .map(|_| {
            let started = Instant::now();
            each();
            started.elapsed()
        })
        .collect();
    took.drain(..times / 10);
    took.sort();
    took[took.len() / 2].as_secs_f64() * 1e6
}

fn main() {
    let guest = std::env::args().nth(1).expect("peer-extism GUEST.wasm");
    let compiled = CompiledPlugin::new(builder(&guest)).expect("the guest is compiled");
    let fresh = || Plugin::new_from_compiled(&compiled).expect("an instance");
    let empty = observation(0);
    let mut kept = fresh();
    let anew = median(2000, || assert!(msgpack(&mut fresh(), &empty).is_empty()));
    let again = median(5000, || assert!(msgpack(&mut kept, &empty).is_empty()));
    println!(
        "Extism: an instance and a call with nothing to see: {anew:.1} µs; a call of an instance that is kept: {again:.1} µs"
    );
    let seen = observation(8000);
    let bytes: usize = seen.evidence[0].events.iter().map(|e| e.text.len()).sum();
    let found = msgpack(&mut kept, &seen);
    let with_json = median(60, || drop(json(&mut kept, &seen)));
    let with_msgpack = median(100, || drop(msgpack(&mut kept, &seen)));
    println!(
        "Extism: {:.2} MB in {} log events: {with_msgpack:.0} µs as MessagePack, {with_json:.0} µs as JSON; it finds: {}",
        bytes as f64 / 1e6,
        seen.evidence[0].events.len(),
        found.first().map_or("nothing", |f| &f.summary)
    );
}
