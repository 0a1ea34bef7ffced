//! A server for a test: its router or a socket, over a directory of its own. Every answer is held against the served
//! OpenAPI document.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
};
use chaos_server::server::{self, Server, Settings};
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    sync::oneshot,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tower::ServiceExt as _;

use crate::schema;

/// Held by a test that puts faults on this machine, or ends them.
pub(crate) static FAULTS: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A recorded incident of the examples.
pub(crate) fn recorded(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/incidents").join(name).canonicalize().unwrap()
}

/// Targets that most tests use: a recording, and this machine.
pub(crate) fn targets() -> String {
    format!(
        "[targets.demo]\nreplay = {:?}\n[targets.calm]\nreplay = {:?}\n[targets.here]\naddress = 'local'\n",
        recorded("cpu_spike"),
        recorded("healthy")
    )
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |v| v.to_str().unwrap())
    }
}

pub(crate) struct Rig {
    pub(crate) dir: Arc<TempDir>,
    pub(crate) server: Arc<Server>,
    router: Router,
    document: Value,
}

impl Rig {
    /// With the usual targets.
    pub(crate) async fn new(config: &str) -> Self {
        let text = if config.contains("[targets") { config.to_owned() } else { format!("{config}\n{}", targets()) };
        Self::over(Arc::new(tempfile::tempdir().unwrap()), &text).await
    }

    /// Over a directory that is there.
    pub(crate) async fn over(dir: Arc<TempDir>, config: &str) -> Self {
        let settings = Settings::parse(config, dir.path().join("incidents")).unwrap();
        let server = Server::open(settings).await.unwrap();
        let router = server::app(server.clone());
        let mut rig = Self { dir, server, router, document: Value::Null };
        let answer =
            rig.raw(Request::get("/openapi.json").header(header::HOST, "localhost").body(Body::empty()).unwrap()).await;
        rig.document = answer.json();
        rig
    }

    pub(crate) fn path(&self, id: &str) -> PathBuf {
        self.dir.path().join("incidents").join(id)
    }

    async fn raw(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, 64 << 20).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Asks, with headers beside the host's.
    pub(crate) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<String>) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request = request.header(header::HOST, "localhost:8087");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self.raw(request.body(body.map_or_else(Body::empty, Body::from)).unwrap()).await;
        schema::check(
            &self.document,
            method,
            path,
            answer.status.as_u16(),
            answer.header("content-type"),
            &answer.body,
        );
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask("POST", path, &[("content-type", "application/json")], Some(body.to_string())).await
    }

    /// Starts an incident that must start.
    pub(crate) async fn start(&self, body: Value) -> String {
        let answer = self.post("/start_incident", body).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        answer.json()["incident_id"].as_str().unwrap().to_owned()
    }

    /// Waits until an incident's status is none of those before its end, and gives it.
    pub(crate) async fn over_by(&self, id: &str, within: Duration) -> Value {
        let until = Instant::now() + within;
        loop {
            let status = self.get(&format!("/status/{id}")).await.json();
            if !["queued", "running", "applying"].contains(&status["status"].as_str().unwrap()) {
                return status;
            }
            assert!(Instant::now() < until, "{id} is not over: {status}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The same server on a socket.
    pub(crate) async fn listen(&self) -> Listening {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (ask, asked) = oneshot::channel();
        let server = self.server.clone();
        let task =
            tokio::spawn(async move { server::listen(server, listener, async { drop(asked.await) }).await.unwrap() });
        Listening { address, ask, task }
    }
}

/// A server on a socket.
pub(crate) struct Listening {
    pub(crate) address: SocketAddr,
    ask: oneshot::Sender<()>,
    task: JoinHandle<bool>,
}

impl Listening {
    /// Asks for the end, and gives whether all had ended, and how long it took.
    pub(crate) async fn end(self) -> (bool, Duration) {
        let since = Instant::now();
        self.ask.send(()).unwrap();
        (self.task.await.unwrap(), since.elapsed())
    }
}
