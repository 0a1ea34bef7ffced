//! Numbers of the server itself, as Prometheus text.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use axum::http::StatusCode;
use chaos_core::model::Status;

use super::Server;

const ENDED: [Status; 4] = [Status::Completed, Status::Failed, Status::Stopped, Status::Interrupted];

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    in_flight: AtomicU64,
    /// Responses by the first digit of their status.
    responses: [AtomicU64; 6],
    ended: [AtomicU64; 4],
    streams: AtomicU64,
}

impl Numbers {
    /// Counts a request until what is given back is dropped: answered, or given up by its client.
    pub(super) fn request(&self) -> Counted<'_> {
        Counted::new(&self.in_flight)
    }

    /// Event streams that were opened, less those that were closed.
    pub(super) fn opened(&self, streams: i64) {
        self.streams.fetch_add(streams.cast_unsigned(), Relaxed);
    }

    pub(super) fn response(&self, status: StatusCode) {
        if let Some(n) = self.responses.get(usize::from(status.as_u16() / 100)) {
            n.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn ended(&self, status: Status) {
        if let Some(at) = ENDED.iter().position(|s| *s == status) {
            self.ended[at].fetch_add(1, Relaxed);
        }
    }
}

/// One that is there.
pub(super) struct Counted<'a>(&'a AtomicU64);

impl<'a> Counted<'a> {
    fn new(gauge: &'a AtomicU64) -> Self {
        gauge.fetch_add(1, Relaxed);
        Self(gauge)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// The text of `GET /metrics`.
pub(super) fn text(server: &Server) -> String {
    let numbers = &server.numbers;
    let (running, queued) = server.runs.counts();
    let mut text = String::new();
    let mut family = |name: &str, kind: &str, help: &str, samples: &[(String, u64)]| {
        let _ = writeln!(text, "# HELP chaos_handler_{name} {help}\n# TYPE chaos_handler_{name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(text, "chaos_handler_{name}{labels} {value}");
        }
    };
    let one = |value: u64| [(String::new(), value)];
    family("incidents_running", "gauge", "Incidents that run now.", &one(running as u64));
    family("incidents_queued", "gauge", "Incidents that wait for their turn.", &one(queued as u64));
    let ended: Vec<_> = ENDED
        .iter()
        .zip(&numbers.ended)
        .map(|(status, n)| (format!("{{status=\"{}\"}}", status.as_str()), n.load(Relaxed)))
        .collect();
    family("incidents_ended_total", "counter", "Incidents that this process ran to their end.", &ended);
    let responses: Vec<_> =
        (1..6).map(|digit| (format!("{{class=\"{digit}xx\"}}"), numbers.responses[digit].load(Relaxed))).collect();
    family("http_responses_total", "counter", "Answers, by class of status.", &responses);
    family("http_in_flight", "gauge", "Requests that are not answered yet.", &one(numbers.in_flight.load(Relaxed)));
    family("event_streams", "gauge", "Open event streams.", &one(numbers.streams.load(Relaxed)));
    if let Some(bytes) = resident() {
        family("resident_memory_bytes", "gauge", "Memory of the process.", &one(bytes));
    }
    text
}

fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()? * 1024)
}
