//! How the server says no: RFC 9457 problems, and the one table from [`ErrorKind`] to HTTP status.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use chaos_core::error::{Error, ErrorKind};
use serde_json::json;

use crate::exit::Failure;

/// Why a request was not answered.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    kind: &'static str,
    detail: String,
    retry_after: Option<u64>,
}

/// The table.
fn status(kind: ErrorKind) -> (StatusCode, &'static str) {
    match kind {
        ErrorKind::InvalidInput => (StatusCode::BAD_REQUEST, "invalid_input"),
        ErrorKind::NotFound => (StatusCode::NOT_FOUND, "not_found"),
        ErrorKind::Conflict => (StatusCode::CONFLICT, "conflict"),
        ErrorKind::Unsupported | ErrorKind::NotRecorded => (StatusCode::UNPROCESSABLE_ENTITY, "unsupported"),
        ErrorKind::Denied => (StatusCode::FORBIDDEN, "denied"),
        ErrorKind::Refused => (StatusCode::FORBIDDEN, "refused"),
        ErrorKind::Unreachable => (StatusCode::BAD_GATEWAY, "unreachable"),
        ErrorKind::Busy => (StatusCode::TOO_MANY_REQUESTS, "busy"),
        ErrorKind::Deadline => (StatusCode::GATEWAY_TIMEOUT, "deadline"),
        ErrorKind::Stopped => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
        ErrorKind::OutputLimit | ErrorKind::CommandFailed => (StatusCode::BAD_GATEWAY, "command_failed"),
        ErrorKind::Storage => (StatusCode::INSUFFICIENT_STORAGE, "storage"),
        // A kind that is newer than this table is a defect until it is in it.
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}

impl Problem {
    pub(super) fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        let (status, kind) = status(kind);
        Self { status, kind, detail: detail.into(), retry_after: None }
    }

    /// A status of HTTP's own.
    pub(super) fn http(status: StatusCode, kind: &'static str, detail: impl Into<String>) -> Self {
        Self { status, kind, detail: detail.into(), retry_after: None }
    }

    pub(super) fn unauthenticated() -> Self {
        let detail = "this needs a token: Authorization: Bearer TOKEN";
        Self::http(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
    }

    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::http(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, detail)
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, detail)
    }

    /// Come back in so many seconds.
    pub(super) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// What is wrong, for a log or another answer.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// Whether the queue is full.
    pub(super) fn is_busy(&self) -> bool {
        self.status == StatusCode::TOO_MANY_REQUESTS
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::new(error.kind(), error.to_string())
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self::new(failure.kind(), failure.message())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": chaos_core::chart::visible(&self.detail),
            "kind": self.kind,
        });
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"chaos-handler\""));
        }
        response
    }
}
