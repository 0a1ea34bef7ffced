//! `GET /report/{id}`: the post-mortem, in the form that is asked for. All forms are made from `report.md`.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use chaos_core::{artifact::ArtifactSink as _, error::ErrorKind, model::IncidentId};
use serde::Deserialize;
use serde_json::json;

use super::{existing, json, standing, word};
use crate::{
    html, pdf,
    server::{
        Server,
        input::{Ask, Id},
        past,
        problem::Problem,
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::server) struct Query {
    #[serde(default)]
    format: Format,
    #[serde(default)]
    download: u8,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Md,
    Html,
    Pdf,
    Json,
}

pub(in crate::server) async fn report(
    State(server): State<Arc<Server>>,
    Id(id): Id,
    Ask(query): Ask<Query>,
) -> Result<Response, Problem> {
    existing(&server, &id)?;
    let dir = server.dir.path(&id);
    let missing = || Problem::not_found(format!("the report of {id} is not written yet"));
    let bytes = past::read(&dir.join("report.md")).map_err(|e| match e.kind() {
        ErrorKind::NotFound => missing(),
        _ => e.into(),
    })?;
    let markdown = String::from_utf8_lossy(&bytes).into_owned();
    let names = server.dir.list(&id).await?;
    let charts: Vec<String> =
        names.iter().map(|n| n.as_str()).filter(|n| n.ends_with(".svg")).map(str::to_owned).collect();
    let read_charts =
        || charts.iter().filter_map(|n| Some((n.clone(), past::read(&dir.join(n)).ok()?))).collect::<Vec<_>>();
    if query.download > 1 {
        return Err(Problem::invalid("download is 0 or 1"));
    }
    let download = query.download == 1;
    match query.format {
        Format::Md => Ok(answer(bytes, "text/markdown; charset=utf-8", &id, "md", download)),
        Format::Html => {
            let page = html::page(&markdown, &read_charts(), id.as_str());
            let mut response = answer(page.into_bytes(), "text/html; charset=utf-8", &id, "html", download);
            if let Ok(policy) = HeaderValue::from_str(&html::policy()) {
                response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
            }
            Ok(response)
        }
        Format::Pdf => typeset(&id, markdown, read_charts(), download).await,
        Format::Json => {
            let slack = past::read(&dir.join("slack_summary.txt")).unwrap_or_default();
            let link = |format: &str| format!("/report/{id}?format={format}");
            let status = match server.runs.get(&id) {
                Some(live) => word(live.state().stage),
                None => server.past.head(&server.dir, &id).map_or("running", |h| standing(&server, &id, &h)),
            };
            let fix = names.iter().any(|n| n.as_str() == "fix.sh").then(|| format!("/incidents/{id}/artifacts/fix.sh"));
            Ok(json(&json!({
                "incident_id": id, "status": status, "markdown": markdown,
                "slack_summary": String::from_utf8_lossy(&slack), "charts": charts,
                "links": {
                    "md": link("md"), "html": link("html"), "pdf": pdf::AVAILABLE.then(|| link("pdf")), "fix": fix,
                },
            })))
        }
    }
}

fn answer(bytes: Vec<u8>, kind: &'static str, id: &IncidentId, ending: &str, download: bool) -> Response {
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(super::files::SANDBOX));
    let how = if download { "attachment" } else { "inline" };
    if let Ok(value) = HeaderValue::from_str(&format!("{how}; filename=\"{id}.{ending}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// Typesetting takes a processor for a moment: it runs where it holds up nobody.
async fn typeset(
    id: &IncidentId,
    markdown: String,
    charts: Vec<(String, Vec<u8>)>,
    download: bool,
) -> Result<Response, Problem> {
    let title = id.to_string();
    let made = tokio::task::spawn_blocking(move || pdf::render(&markdown, &charts, &title)).await;
    let bytes = made.map_err(|_| Problem::new(ErrorKind::Internal, "the report could not be typeset"))??;
    Ok(answer(bytes, "application/pdf", id, "pdf", download))
}
