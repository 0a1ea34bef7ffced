//! The one table of routes: path, who may, how long it may take, and its description. The router and the OpenAPI
//! document are both made of it, so neither can have a route that the other does not.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};
use chaos_core::error::ErrorKind;

use super::{Server, access, api, assets, openapi, problem::Problem};
use crate::config::Role;

/// How long a request may take, and one that waits for a revert.
const SHORT: Duration = Duration::from_secs(30);
const LONG: Duration = Duration::from_secs(300);

/// A route.
pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    /// `None`: everybody.
    pub(super) role: Option<Role>,
    within: Duration,
    handler: MethodRouter<Arc<Server>>,
    pub(super) about: &'static str,
    /// Name, JSON Schema, what it is.
    pub(super) query: &'static [(&'static str, &'static str, &'static str)],
    /// The schema of the body.
    pub(super) body: Option<&'static str>,
    pub(super) status: u16,
    /// Content type and schema of the answer.
    pub(super) answers: &'static [(&'static str, &'static str)],
}

impl Route {
    fn new(method: &'static str, path: &'static str, handler: MethodRouter<Arc<Server>>, about: &'static str) -> Self {
        let role = Some(if method == "get" { Role::Read } else { Role::Run });
        Self { method, path, role, within: SHORT, handler, about, query: &[], body: None, status: 200, answers: &[] }
    }

    fn json(mut self, schema: &'static [(&'static str, &'static str)]) -> Self {
        self.answers = schema;
        self
    }

    fn query(mut self, query: &'static [(&'static str, &'static str, &'static str)]) -> Self {
        self.query = query;
        self
    }

    fn takes(mut self, schema: &'static str) -> Self {
        self.body = Some(schema);
        self
    }

    fn open(mut self) -> Self {
        self.role = None;
        self
    }
}

const JSON: &str = "application/json";
/// Shapes of what stands in a path or a query.
pub(super) const ID: &str = r##"{"$ref":"#/components/schemas/Id"}"##;
pub(super) const TEXT: &str = r#"{"type":"string"}"#;
const SEQ: &str = r#"{"type":"integer","minimum":-9223372036854775808,"maximum":9223372036854775807}"#;
const STATUSES: &str = r#"{"type":"string","pattern":"^(queued|running|completed|failed|stopped|interrupted|applying)(,(queued|running|completed|failed|stopped|interrupted|applying))*$"}"#;

macro_rules! json {
    ($schema:literal) => {
        &[(JSON, $schema)]
    };
}

/// All routes but the dashboard's files.
pub(super) fn table() -> Vec<Route> {
    vec![
        Route {
            status: 202,
            ..Route::new("post", "/start_incident", post(api::start::start), "Starts an incident")
                .takes("StartRequest")
                .json(json!("Started"))
        },
        Route::new("get", "/status/{id}", get(api::status::status), "Phase, agents and trace of an incident")
            .query(&[("after", SEQ, "only events with a greater seq")])
            .json(json!("IncidentStatus")),
        Route::new("get", "/report/{id}", get(api::report::report), "The post-mortem")
            .query(&[
                ("format", r#"{"type":"string","enum":["md","html","pdf","json"]}"#, "the form"),
                ("download", r#"{"type":"integer","enum":[0,1]}"#, "1: as an attachment"),
            ])
            .json(&[(JSON, "Report"), ("text/markdown", "Text"), ("text/html", "Text"), ("application/pdf", "Text")]),
        Route::new("get", "/incidents", get(api::list::list), "Lists and filters incidents, newest first")
            .query(&[
                ("status", STATUSES, "one status, or several with commas"),
                ("target", TEXT, "the target's name"),
                ("fault", TEXT, "the diagnosis' id"),
                ("q", TEXT, "text in id, target or cause"),
                ("limit", r#"{"type":"integer","minimum":1,"maximum":500}"#, "how many"),
                ("before", ID, "older ones than this only"),
            ])
            .json(json!("IncidentList")),
        Route::new(
            "get",
            "/incidents/{id}",
            get(api::detail::detail),
            "Cause, findings, plans and files of an incident",
        )
        .json(json!("IncidentDetail")),
        Route::new("get", "/incidents/{id}/events", get(api::events::events), "Events: JSON, or a live stream")
            .query(&[
                ("after", SEQ, "only events with a greater seq"),
                ("wait", r#"{"type":"integer","minimum":0,"maximum":25}"#, "seconds to wait for something new"),
            ])
            .json(&[(JSON, "Events"), ("text/event-stream", "Text")]),
        Route::new(
            "get",
            "/incidents/{id}/artifacts",
            get(api::files::list),
            "Names, sizes and types of an incident's files",
        )
        .json(json!("FileList")),
        Route::new("get", "/incidents/{id}/artifacts/{*name}", get(api::files::file), "One file")
            .query(&[("tail", r#"{"type":"integer","minimum":1,"maximum":10000}"#, "the last lines of a text")])
            .json(&[
                (JSON, "Any"),
                ("text/markdown", "Text"),
                ("text/plain", "Text"),
                ("text/html", "Text"),
                ("image/svg+xml", "Text"),
                ("image/png", "Text"),
                ("application/pdf", "Text"),
                ("application/octet-stream", "Text"),
            ]),
        Route {
            status: 202,
            ..Route::new("post", "/incidents/{id}/stop", post(api::control::stop), "Ends an incident")
                .json(json!("Doing"))
        },
        Route {
            within: LONG,
            ..Route::new(
                "post",
                "/incidents/{id}/reset",
                post(api::control::reset),
                "Ends every fault on an incident's target",
            )
            .json(json!("Reset"))
        },
        Route {
            role: Some(Role::Approve),
            ..Route::new("post", "/incidents/{id}/approve", post(api::fix::approve), "Approves one plan by its hash")
                .takes("ApproveRequest")
                .json(json!("Approval"))
        },
        Route {
            role: Some(Role::Approve),
            status: 202,
            ..Route::new("post", "/incidents/{id}/apply", post(api::fix::apply), "Applies the approved plan")
                .takes("ApplyRequest")
                .json(json!("Doing"))
        },
        Route::new("get", "/scenarios", get(api::world::scenarios), "Faults that can be injected")
            .json(json!("ScenarioList")),
        Route::new("get", "/targets", get(api::world::targets), "Machines that can be looked at")
            .json(json!("TargetList")),
        Route::new("get", "/plugins", get(api::world::plugins), "Detectors and fixers of third parties")
            .json(json!("PluginList")),
        Route::new("get", "/me", get(api::world::me), "Who the caller is, and what this server allows")
            .open()
            .json(json!("Me")),
        Route::new("get", "/healthz", get(api::world::health), "Whether it is alive").open().json(json!("Health")),
        Route::new("get", "/readyz", get(api::world::ready), "Whether it takes incidents").open().json(json!("Health")),
        Route::new("get", "/metrics", get(api::world::metrics), "Numbers of the server itself, as Prometheus text")
            .json(&[("text/plain", "Text")]),
        Route::new("post", "/webhooks/alertmanager", post(api::alerts::alertmanager), "Starts incidents from alerts")
            .takes("AlertmanagerMessage")
            .json(json!("AlertsTaken")),
        Route::new("get", "/openapi.json", get(openapi::document), "This description").open().json(json!("Object")),
        Route::new("get", "/docs", get(openapi::page), "This description, for people")
            .open()
            .json(&[("text/html", "Text")]),
    ]
}

/// The router of all routes and of the dashboard.
pub(super) fn router(server: &Arc<Server>) -> Router<Arc<Server>> {
    let mut router = Router::new();
    for route in table() {
        let Route { path, role, within, mut handler, .. } = route;
        handler = handler.layer(middleware::from_fn_with_state(within, in_time));
        if let Some(role) = role {
            handler = handler.layer(middleware::from_fn_with_state((server.clone(), role), access::require));
        }
        router = router.route(path, handler);
    }
    router
        .route("/", get(assets::index))
        .route("/favicon.ico", get(assets::favicon))
        .route("/assets/{*path}", get(assets::asset))
        .fallback(nothing)
        .method_not_allowed_fallback(wrong_method)
}

async fn nothing() -> Problem {
    Problem::not_found("there is nothing here; GET /docs lists what there is")
}

async fn wrong_method() -> Problem {
    Problem::http(StatusCode::METHOD_NOT_ALLOWED, "invalid_input", "this is there for another method; see GET /docs")
}

async fn in_time(State(within): State<Duration>, request: Request, next: Next) -> Response {
    match tokio::time::timeout(within, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            Problem::new(ErrorKind::Deadline, format!("it took longer than {} s", within.as_secs())).into_response()
        }
    }
}
