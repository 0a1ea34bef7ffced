//! An incident's files: which there are, and each by its exact name. Names come from one checked list; nothing of a
//! request becomes a path.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use chaos_core::{
    artifact::{ArtifactName, ArtifactSink as _},
    model::IncidentId,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{existing, json};
use crate::server::{
    Server,
    input::{Ask, Id},
    past,
    problem::Problem,
};

/// Most lines of a tail.
const MOST: usize = 10_000;
/// What a browser may do with a file of an incident: show it, and nothing else.
pub(super) const SANDBOX: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

#[derive(Serialize)]
pub(super) struct FileInfo {
    name: String,
    bytes: u64,
    #[serde(rename = "type")]
    kind: &'static str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::server) struct Query {
    tail: Option<usize>,
}

pub(super) fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("json") => "application/json",
        Some("md") => "text/markdown; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("html") => "text/html; charset=utf-8",
        Some("pdf") => "application/pdf",
        Some("png") => "image/png",
        Some("txt" | "sh" | "jsonl") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

pub(super) async fn all(server: &Server, id: &IncidentId) -> Result<Vec<FileInfo>, Problem> {
    let dir = server.dir.path(id);
    let names = server.dir.list(id).await?;
    let info = |name: &ArtifactName| {
        let bytes = std::fs::metadata(dir.join(name.as_str())).ok()?.len();
        Some(FileInfo { name: name.as_str().to_owned(), bytes, kind: media_type(name.as_str()) })
    };
    Ok(names.iter().filter_map(info).collect())
}

pub(in crate::server) async fn list(State(server): State<Arc<Server>>, Id(id): Id) -> Result<Response, Problem> {
    existing(&server, &id)?;
    Ok(json(&json!({ "incident_id": id, "files": all(&server, &id).await? })))
}

pub(in crate::server) async fn file(
    State(server): State<Arc<Server>>,
    Id(id): Id,
    Path((_, name)): Path<(String, String)>,
    Ask(query): Ask<Query>,
) -> Result<Response, Problem> {
    existing(&server, &id)?;
    let missing = || Problem::not_found(format!("{id} has no such file; GET /incidents/{id}/artifacts lists them"));
    let name = ArtifactName::new(name).map_err(|_| missing())?;
    if !server.dir.list(&id).await?.contains(&name) {
        return Err(missing());
    }
    let mut kind = media_type(name.as_str());
    if query.tail.is_some_and(|n| !(1..=MOST).contains(&n)) {
        return Err(Problem::invalid(format!("tail is from 1 to {MOST}")));
    }
    let path = server.dir.path(&id).join(name.as_str());
    let read = tokio::task::spawn_blocking(move || past::read(&path)).await;
    let mut bytes = read.map_err(|_| Problem::new(chaos_core::error::ErrorKind::Internal, "a reader was lost"))??;
    if let Some(lines) = query.tail {
        bytes = tail(bytes, lines);
        // A part of it is nothing but lines.
        kind = media_type("txt");
    }
    Ok(attached(bytes, kind, name.as_str()))
}

/// A file as an answer that no browser takes for a page of ours.
pub(super) fn attached(bytes: Vec<u8>, kind: &'static str, name: &str) -> Response {
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX));
    let inline = kind.starts_with("image/") || kind == "application/json" || kind.starts_with("text/plain");
    let file = name.rsplit('/').next().unwrap_or("file");
    let how = if inline { "inline" } else { "attachment" };
    if let Ok(value) = HeaderValue::from_str(&format!("{how}; filename=\"{file}\"")) {
        headers.insert(HeaderName::from_static("content-disposition"), value);
    }
    response
}

fn tail(bytes: Vec<u8>, lines: usize) -> Vec<u8> {
    let body = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let breaks = body.iter().enumerate().rev().filter(|(_, b)| **b == b'\n');
    match breaks.map(|(at, _)| at).nth(lines - 1) {
        Some(at) => bytes[at + 1..].to_vec(),
        None => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_whole_lines() {
        for (text, lines, want) in
            [("a\nb\nc\n", 2, "b\nc\n"), ("a\nb", 1, "b"), ("a\n", 5, "a\n"), ("", 1, ""), ("\n\n\n", 1, "\n")]
        {
            assert_eq!(tail(text.into(), lines), want.as_bytes(), "{text:?}");
        }
    }
}
