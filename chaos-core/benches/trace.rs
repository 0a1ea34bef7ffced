//! What an append to `trace.json` costs, early and late. Prints medians; asserts nothing about time.

#![allow(clippy::print_stdout, reason = "a measurement is printed")]

use std::time::{Duration, Instant};

use chaos_core::{
    artifact::ArtifactSink,
    model::{AgentName, EventType, Phase, Timestamp, TraceEvent},
    sinks::Dir,
};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let place = tempfile::tempdir().expect("a temporary directory");
    let sink = Dir::open(place.path()).expect("a directory that can be written to");
    let id = sink.create(Timestamp(1_795_000_000_000)).await.expect("room for an incident");
    let mut took: Vec<Duration> = Vec::new();
    for seq in 0..10_050 {
        let event = TraceEvent {
            seq,
            timestamp: Timestamp(1_795_000_000_000),
            phase: Phase::Observe,
            agent: AgentName::new("LogAgent"),
            kind: EventType::Note,
            content: "an event of the usual length, about as long as most of them are".into(),
            data: None,
            previous_sha256: String::new(),
        };
        let started = Instant::now();
        sink.append_event(&id, &event).await.expect("room for an event");
        took.push(started.elapsed());
    }
    let median = |range: std::ops::Range<usize>| {
        let mut some = took[range].to_vec();
        some.sort();
        some[some.len() / 2].as_secs_f64() * 1e6
    };
    let (early, late) = (median(10..60), median(9_990..10_040));
    println!(
        "trace append: median {early:.1} µs around the 10th event, {late:.1} µs around the 10,000th ({:.2}×)",
        late / early
    );
}
