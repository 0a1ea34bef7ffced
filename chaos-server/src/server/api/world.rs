//! What is there beside incidents: scenarios, targets, plugins, the caller, health, numbers.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse as _, Response},
};
use chaos_core::{chart::visible, error::ErrorKind};
use chaos_scripts::{ArgKind, SCENARIOS};
use serde_json::json;

use super::json;
use crate::server::{
    Server, access,
    problem::Problem,
    prometheus,
    runs::{Subject, kind},
};

pub(in crate::server) async fn scenarios() -> Response {
    let all: Vec<_> = SCENARIOS
        .iter()
        .map(|s| {
            let args = s.args.iter().filter(|a| a.name != "duration");
            let args: Vec<_> = args
                .map(|a| {
                    json!({
                        "name": a.name, "wants": a.kind.wanted(), "help": a.help, "default": a.default,
                        "required": a.required, "secret": a.kind == ArgKind::Secret,
                    })
                })
                .collect();
            json!({
                "name": s.name, "summary": s.summary, "causes": s.causes, "needs_root": s.needs_root,
                "max_runtime_s": s.default_max_runtime, "args": args,
            })
        })
        .collect();
    json(&json!({ "scenarios": all }))
}

pub(in crate::server) async fn targets(State(server): State<Arc<Server>>) -> Response {
    let targets = &server.settings.config.targets;
    let all: Vec<_> = targets
        .iter()
        .map(|(name, entry)| {
            let about = entry.address.clone().or_else(|| entry.replay.as_ref().map(|dir| dir.display().to_string()));
            let about = about.unwrap_or_else(|| entry.files.iter().map(|f| f.display().to_string()).collect::<Vec<_>>().join(", "));
            let busy = Subject::named(&server.settings, name).ok().and_then(|s| server.runs.busy_with(&s.key));
            json!({ "name": name, "kind": kind(entry), "about": about, "allow_chaos": entry.allow_chaos, "busy_with": busy })
        })
        .collect();
    json(&json!({ "targets": all }))
}

pub(in crate::server) async fn plugins(State(server): State<Arc<Server>>) -> Response {
    let plugins = &server.settings.plugins;
    let loaded = plugins.loaded.iter().map(|(_, plugin)| {
        let about = plugin.about();
        json!({
            "name": plugin.name(), "version": about.manifest.version, "roles": [about.kind.as_str()],
            "description": about.manifest.description, "sha256": about.sha256, "asks": about.manifest.commands,
            "granted": { "commands": plugin.commands().collect::<Vec<_>>(), "limits": plugin.limits() },
        })
    });
    let refused = plugins.refused.iter().map(|(path, why)| {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        json!({ "file": visible(&file), "why": visible(why.message()) })
    });
    json(&json!({ "plugins": loaded.collect::<Vec<_>>(), "refused": refused.collect::<Vec<_>>() }))
}

pub(in crate::server) async fn me(State(server): State<Arc<Server>>, headers: HeaderMap) -> Response {
    let who = access::caller(&server, &headers);
    json(&json!({
        "name": who.as_ref().map(|w| &w.name),
        "role": who.as_ref().map(|w| w.role),
        "auth_required": !server.settings.tokens.is_empty(),
        "allow_apply": server.settings.config.allow_apply,
        "allow_adhoc": server.settings.adhoc.is_some(),
        "pdf": crate::pdf::AVAILABLE,
        "version": env!("CARGO_PKG_VERSION"),
    }))
}

pub(in crate::server) async fn health() -> Response {
    json(&json!({ "status": "ok" }))
}

pub(in crate::server) async fn ready(State(server): State<Arc<Server>>) -> Result<Response, Problem> {
    if server.closing.is_over() {
        return Err(Problem::new(ErrorKind::Stopped, "the server is going down"));
    }
    if let Err(e) = tempfile::tempfile_in(&server.settings.incidents) {
        let detail = format!("incidents can't be stored: {}", e.kind());
        return Err(Problem::http(axum::http::StatusCode::SERVICE_UNAVAILABLE, "storage", detail));
    }
    Ok(json(&json!({ "status": "ready" })))
}

pub(in crate::server) async fn metrics(State(server): State<Arc<Server>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], prometheus::text(&server)).into_response()
}
