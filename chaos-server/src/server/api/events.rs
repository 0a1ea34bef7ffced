//! `GET /incidents/{id}/events`: what happened since, and what happens. A reader has a place in the trace and takes
//! from there as fast as it can: nothing is kept for it, so a slow one costs no memory and misses nothing.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};
use chaos_core::{
    error::ErrorKind,
    model::{IncidentId, Status},
};
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{APPLYING, existing, raw, standing, status, unknown, word};
use crate::server::{
    Server,
    input::{Ask, Id},
    problem::Problem,
    runs::{Live, Stage},
    told::array,
};

/// How often a comment says that the stream is alive.
const ALIVE: Duration = Duration::from_secs(15);
/// How often the files of an incident that another process runs are looked at.
const LOOKING: Duration = Duration::from_millis(500);
/// Most events of one piece of the stream.
const PIECE: usize = 256;
const MAX_WAIT: u64 = 25;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::server) struct Query {
    after: Option<i64>,
    #[serde(default)]
    wait: u64,
}

pub(in crate::server) async fn events(
    State(server): State<Arc<Server>>,
    Id(id): Id,
    Ask(query): Ask<Query>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    existing(&server, &id)?;
    let text = |name| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let after = text("last-event-id").trim().parse().ok().or(query.after).unwrap_or(status::all());
    let source = Source::of(&server, &id).ok_or_else(|| unknown(&id))?;
    if text("accept").contains("text/event-stream") {
        return Ok(stream(Reader::new(server, source, after)));
    }
    if query.wait > MAX_WAIT {
        return Err(Problem::invalid(format!("wait is at most {MAX_WAIT} seconds")));
    }
    let mut reader = Reader::new(server, source, after);
    let until = Instant::now() + Duration::from_secs(query.wait);
    let mut now = reader.look().await?;
    while now.is_quiet(after) && Instant::now() < until {
        reader.change(until).await;
        now = reader.look().await?;
    }
    let Now { status, phase, last_seq, lines, .. } = now;
    let head = json!({ "incident_id": id, "status": status, "phase": phase, "last_seq": last_seq }).to_string();
    Ok(raw(format!("{},\"events\":{}}}", head.trim_end_matches('}'), array(&lines))))
}

/// Where an incident's events come from.
enum Source {
    Here(Arc<Live>, watch::Receiver<u64>),
    Files(IncidentId),
}

impl Source {
    fn of(server: &Server, id: &IncidentId) -> Option<Self> {
        if let Some(live) = server.runs.get(id) {
            let changes = live.watch();
            return Some(Self::Here(live, changes));
        }
        server.past.head(&server.dir, id).map(|_| Self::Files(id.clone()))
    }
}

/// One who reads.
struct Reader {
    server: Arc<Server>,
    source: Source,
    after: i64,
}

/// What is there now.
struct Now {
    status: &'static str,
    phase: &'static str,
    over: bool,
    last_seq: i64,
    lines: Vec<(u64, Arc<str>)>,
}

impl Now {
    fn is_quiet(&self, after: i64) -> bool {
        !self.over && self.last_seq <= after
    }
}

impl Reader {
    fn new(server: Arc<Server>, source: Source, after: i64) -> Self {
        Self { server, source, after }
    }

    async fn look(&mut self) -> Result<Now, Problem> {
        match &mut self.source {
            Source::Here(live, changes) => {
                changes.borrow_and_update();
                let state = live.state();
                Ok(Now {
                    status: word(state.stage),
                    phase: status::phase(state.stage, &state.told),
                    over: matches!(state.stage, Stage::Over(_)),
                    last_seq: state.told.last_seq(),
                    lines: state.told.after(self.after).to_vec(),
                })
            }
            Source::Files(id) => {
                let (server, id, after) = (self.server.clone(), id.clone(), self.after);
                let read = tokio::task::spawn_blocking(move || {
                    // In this order: what is over by its head has all of its trace.
                    let head = server.past.head(&server.dir, &id)?;
                    let status = standing(&server, &id, &head);
                    let told = server.past.trace(&server.dir, &id);
                    Some(Now {
                        status,
                        phase: told.phase().as_str(),
                        over: head.status != Status::Running && status != APPLYING,
                        last_seq: told.last_seq(),
                        lines: told.after(after).to_vec(),
                    })
                });
                let now = read.await.map_err(|_| Problem::new(ErrorKind::Internal, "a reader was lost"))?;
                now.ok_or_else(|| Problem::not_found("the incident is gone"))
            }
        }
    }

    /// Waits until there may be something new, or `until`; `false` when the server goes down.
    async fn change(&mut self, until: Instant) -> bool {
        let closing = self.server.closing.clone();
        let changed = async {
            match &mut self.source {
                Source::Here(_, changes) => drop(timeout_at(until, changes.changed()).await),
                Source::Files(_) => drop(timeout(LOOKING, sleep(until - Instant::now())).await),
            }
        };
        tokio::select! {
            biased;
            () = changed => true,
            () = closing.wait() => false,
        }
    }
}

/// The stream's own memory.
struct Streaming {
    reader: Reader,
    _counted: OpenStream,
    ended: bool,
}

fn stream(reader: Reader) -> Response {
    let counted = OpenStream::new(reader.server.clone());
    let pieces = stream::unfold(Streaming { reader, _counted: counted, ended: false }, next_piece);
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    (headers, Body::from_stream(pieces)).into_response()
}

async fn next_piece(mut s: Streaming) -> Option<(Result<Bytes, Infallible>, Streaming)> {
    if s.ended {
        return None;
    }
    loop {
        let mut now = s.reader.look().await.ok()?;
        let more = now.lines.len() > PIECE;
        now.lines.truncate(PIECE);
        let mut text = String::new();
        for (seq, line) in &now.lines {
            text.push_str("id: ");
            text.push_str(&seq.to_string());
            text.push_str("\nevent: trace\ndata: ");
            text.push_str(line);
            text.push_str("\n\n");
            s.reader.after = i64::try_from(*seq).unwrap_or(i64::MAX);
        }
        if now.over && !more {
            text.push_str(&format!("event: end\ndata: {{\"status\":\"{}\"}}\n\n", now.status));
            s.ended = true;
        }
        if !text.is_empty() {
            return Some((Ok(text.into()), s));
        }
        let until = Instant::now() + ALIVE;
        loop {
            if !s.reader.change(until).await {
                return None;
            }
            if Instant::now() >= until {
                return Some((Ok(Bytes::from_static(b": alive\n\n")), s));
            }
            if matches!(s.reader.source, Source::Here(..)) {
                break;
            }
            let now = s.reader.look().await.ok()?;
            if !now.is_quiet(s.reader.after) {
                break;
            }
        }
    }
}

/// Counts an open stream for as long as it is held.
struct OpenStream(Arc<Server>);

impl OpenStream {
    fn new(server: Arc<Server>) -> Self {
        server.numbers.opened(1);
        Self(server)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.numbers.opened(-1);
    }
}
