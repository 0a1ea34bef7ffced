//! The dashboard's files, which are part of the binary. They hold no data: everybody may have them.

use std::{io::Write as _, sync::OnceLock};

use axum::{
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use chaos_core::audit::sha256_hex;
use flate2::{Compression, write::GzEncoder};

use super::problem::Problem;

/// Name and content.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/dashboard.rs"));
/// Packed, and the content's hash; worked out when they are first asked for.
static PREPARED: OnceLock<Vec<(Vec<u8>, String)>> = OnceLock::new();

fn prepared() -> &'static [(Vec<u8>, String)] {
    PREPARED.get_or_init(|| {
        let pack = |bytes: &[u8]| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            let packed = encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap_or_default();
            (packed, format!("\"{}\"", &sha256_hex(bytes)[..32]))
        };
        FILES.iter().map(|(_, bytes)| pack(bytes)).collect()
    })
}

pub(super) async fn index(headers: HeaderMap) -> Response {
    serve("index.html", &headers)
}

pub(super) async fn favicon(headers: HeaderMap) -> Response {
    match ["favicon.ico", "favicon.svg"].into_iter().find(|name| FILES.iter().any(|(n, _)| n == name)) {
        Some(name) => serve(name, &headers),
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

pub(super) async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    serve(&format!("assets/{path}"), &headers)
}

fn serve(name: &str, headers: &HeaderMap) -> Response {
    let Some(at) = FILES.iter().position(|(n, _)| *n == name) else {
        return Problem::not_found("the dashboard has no such file").into_response();
    };
    let (packed, tag) = &prepared()[at];
    let text = |name| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let known = text("if-none-match").split(',').any(|t| t.trim() == tag);
    let takes_gzip = text("accept-encoding").contains("gzip") && packed.len() < FILES[at].1.len();
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else if takes_gzip {
        packed.as_slice().into_response()
    } else {
        FILES[at].1.into_response()
    };
    let out = response.headers_mut();
    out.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
    out.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    out.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(tag) {
        out.insert(header::ETAG, tag);
    }
    if takes_gzip && !known {
        out.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "ico" => "image/x-icon",
        "png" => "image/png",
        "woff2" => "font/woff2",
        "json" | "webmanifest" => "application/json",
        _ => "application/octet-stream",
    }
}
