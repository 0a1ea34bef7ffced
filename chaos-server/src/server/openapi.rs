//! The description of the API: for programs made of the table of routes and `schemas.json`, for people `API.md`.

use std::sync::LazyLock;

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use serde_json::{Map, Value, json};

use super::{
    access,
    routes::{ID, Route, TEXT, table},
};
use crate::html;

/// Shapes of what is sent and answered, by name.
const SCHEMAS: &str = include_str!("schemas.json");
const PAGE: &str = include_str!("../../API.md");

static DOCUMENT: LazyLock<String> = LazyLock::new(|| made().to_string());

pub(super) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT.as_str()).into_response()
}

pub(super) async fn page() -> Response {
    let page = html::page(PAGE, &[], "AI Chaos-Handler: the HTTP API");
    let mut response = ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response();
    if let Ok(policy) = HeaderValue::from_str(&html::policy()) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn made() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in table() {
        let path = route.path.replace("{*", "{");
        paths.entry(path).or_insert_with(|| json!({}))[route.method] = operation(&route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "AI Chaos-Handler",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Answers incidents on Linux hosts: evidence, blind diagnosis, a rehearsed fix, a post-mortem.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": serde_json::from_str::<Value>(SCHEMAS).unwrap_or_default(),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn operation(route: &Route) -> Value {
    let schema = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let in_path = route.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let shape = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let mut parameters: Vec<Value> = in_path
        .map(|name| {
            let is_id = name == "id";
            json!({ "name": name.trim_start_matches('*'), "in": "path", "required": true, "schema": shape(if is_id { ID } else { TEXT }) })
        })
        .collect();
    parameters.extend(route.query.iter().map(
        |(name, kind, about)| json!({ "name": name, "in": "query", "description": about, "schema": shape(kind) }),
    ));
    let content: Map<String, Value> =
        route.answers.iter().map(|(kind, name)| ((*kind).to_owned(), json!({ "schema": schema(name) }))).collect();
    let problem = json!({ "application/problem+json": { "schema": schema("Problem") } });
    let mut operation = json!({
        "summary": route.about,
        "operationId": id(route),
        "parameters": parameters,
        "responses": {
            route.status.to_string(): { "description": "As asked", "content": content },
            "default": { "description": "Why not", "content": problem },
        },
    });
    if let Some(role) = route.role {
        operation["security"] = json!([{ "token": [] }]);
        operation["x-role"] = json!(access::word(role));
    } else {
        operation["security"] = json!([]);
    }
    if let Some(body) = route.body {
        operation["requestBody"] =
            json!({ "required": true, "content": { "application/json": { "schema": schema(body) } } });
    }
    operation
}

/// `post /incidents/{id}/stop` is `post_incidents_id_stop`.
fn id(route: &Route) -> String {
    let words = route.path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|w| !w.is_empty());
    [route.method].into_iter().chain(words).collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_described_for_people_and_every_schema_is_there() {
        let document = made();
        for route in table() {
            let path = route.path.replace("{*", "{");
            assert!(PAGE.contains(&path), "API.md says nothing of {path}");
            for (name, shape, _) in route.query {
                assert!(serde_json::from_str::<Value>(shape).is_ok_and(|s| s.is_object()), "{path} {name}: {shape}");
            }
        }
        let text = document.to_string();
        for part in text.split("\"#/components/schemas/").skip(1) {
            let name = part.split('"').next().unwrap();
            assert!(document["components"]["schemas"][name].is_object(), "no schema {name}");
        }
    }
}
