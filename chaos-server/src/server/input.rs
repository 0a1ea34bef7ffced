//! What is taken from a request: an incident's id, a query, a JSON body; checked, and bounded.

use std::{fmt, marker::PhantomData};

use axum::{
    body::to_bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{StatusCode, header, request::Parts},
};
use chaos_core::model::IncidentId;
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned},
};

use super::problem::Problem;

/// Longest body.
const MAX_BODY: usize = 1 << 20;

/// The `{id}` of the path.
pub(super) struct Id(pub(super) IncidentId);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path: Result<Path<std::collections::HashMap<String, String>>, _> =
            Path::from_request_parts(parts, state).await;
        let Path(path) = path.map_err(|_| Problem::invalid("the path is not UTF-8"))?;
        let text = path.get("id").map_or("", String::as_str);
        Ok(Self(IncidentId::parse(text)?))
    }
}

/// The query, all of its keys known.
pub(super) struct Ask<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Ask<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = Query::try_from_uri(&parts.uri);
        query.map(|Query(query)| Self(query)).map_err(|e| {
            let why = std::error::Error::source(&e).map_or_else(|| e.to_string(), ToString::to_string);
            Problem::invalid(format!("the query can't be understood: {why}"))
        })
    }
}

/// An object of JSON. A struct could be given as an array as well, which no schema of ours says.
#[derive(Default)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);
        impl<'de, T: DeserializeOwned> de::Visitor<'de> for Visitor<T> {
            type Value = T;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, object: A) -> Result<T, A::Error> {
                T::deserialize(de::value::MapAccessDeserializer::new(object))
            }
        }
        deserializer.deserialize_map(Visitor(PhantomData)).map(Self)
    }
}

/// A JSON body.
pub(super) struct Input<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
            let detail = "the body must be application/json, and say so (Content-Type)";
            return Err(Problem::http(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_input", detail));
        }
        let length = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
        let too_long = || {
            Problem::http(
                StatusCode::PAYLOAD_TOO_LARGE,
                "invalid_input",
                format!("the body is longer than {MAX_BODY} bytes"),
            )
        };
        if length.is_some_and(|l| l > MAX_BODY) {
            return Err(too_long());
        }
        let bytes = to_bytes(request.into_body(), MAX_BODY).await.map_err(|e| match e.to_string() {
            text if text.contains("length limit") => too_long(),
            _ => Problem::invalid("the body broke off"),
        })?;
        serde_json::from_slice(&bytes)
            .map(|Object(body)| Self(body))
            .map_err(|e| Problem::invalid(format!("the body can't be understood: {e}")))
    }
}
