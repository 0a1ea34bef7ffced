//! Who may do what: tokens and roles, the `Host` header, other origins, and the headers that every answer has.

use std::{env, fmt, fs, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use chaos_core::{
    audit::sha256_hex,
    error::{Error, ErrorKind, Result},
};
use subtle::ConstantTimeEq as _;

use super::{Server, problem::Problem};
use crate::config::{Role, TokenEntry};

/// Shortest token, in characters.
const SHORTEST: usize = 16;
/// The name of a caller where no tokens are asked for.
const ANYBODY: &str = "local";
/// What a browser may do with the dashboard: nothing from elsewhere, nothing inline.
const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; \
                   font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
                   frame-ancestors 'none'";

/// The callers that are known. Only hashes are held.
#[derive(Default)]
pub(crate) struct Tokens(Vec<Caller>);

#[derive(Clone)]
struct Caller {
    sha256: String,
    who: Who,
}

/// A caller that was recognised.
#[derive(Debug, Clone)]
pub(super) struct Who {
    pub(super) name: String,
    pub(super) role: Role,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|c| &c.who)).finish()
    }
}

impl Tokens {
    pub(crate) fn read(entries: &[TokenEntry]) -> Result<Self> {
        let mut all: Vec<Caller> = Vec::new();
        for entry in entries {
            let sha256 = hash_of(entry)
                .map_err(|why| Error::new(ErrorKind::InvalidInput, format!("the token {:?}: {why}", entry.name)))?;
            let name = entry.name.trim();
            if name.is_empty() || name.chars().count() > 100 || all.iter().any(|c| c.who.name == name) {
                let message = format!("a token's name is empty, too long or there twice: {:?}", entry.name);
                return Err(Error::new(ErrorKind::InvalidInput, message));
            }
            all.push(Caller { sha256, who: Who { name: name.to_owned(), role: entry.role } });
        }
        Ok(Self(all))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The caller with this token. Each is compared, in a time that does not depend on where they differ.
    fn find(&self, token: &str) -> Option<&Who> {
        let given = sha256_hex(token.as_bytes());
        let mut found = None;
        for caller in &self.0 {
            if bool::from(caller.sha256.as_bytes().ct_eq(given.as_bytes())) {
                found = Some(&caller.who);
            }
        }
        found
    }
}

fn hash_of(entry: &TokenEntry) -> Result<String, String> {
    let token = match (&entry.env, &entry.file, &entry.sha256) {
        (Some(name), None, None) => env::var(name).map_err(|_| format!("{name} is not set"))?,
        (None, Some(file), None) => fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?,
        (None, None, Some(hash)) => {
            let hash = hash.to_ascii_lowercase();
            let is_hash = hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
            return if is_hash { Ok(hash) } else { Err("sha256 wants 64 hexadecimal digits".into()) };
        }
        _ => return Err("give one of env, file and sha256".into()),
    };
    let token = token.trim();
    if token.len() < SHORTEST || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(format!("it must have at least {SHORTEST} visible ASCII characters"));
    }
    Ok(sha256_hex(token.as_bytes()))
}

/// The caller of a request, where one is recognised.
pub(super) fn caller(server: &Server, headers: &HeaderMap) -> Option<Who> {
    if server.settings.tokens.is_empty() {
        return Some(Who { name: ANYBODY.into(), role: Role::Approve });
    }
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())?;
    server.settings.tokens.find(token).cloned()
}

/// Lets a request pass whose caller may do as much as `role`, and says who it is.
pub(super) async fn require(
    State((server, role)): State<(Arc<Server>, Role)>,
    mut request: Request,
    next: Next,
) -> Response {
    match caller(&server, request.headers()) {
        None => Problem::unauthenticated().into_response(),
        Some(who) if who.role < role => {
            let detail = format!("this needs the role {}, and {} has {}", word(role), who.name, word(who.role));
            Problem::forbidden(detail).into_response()
        }
        Some(who) => {
            request.extensions_mut().insert(who);
            next.run(request).await
        }
    }
}

pub(super) fn word(role: Role) -> &'static str {
    match role {
        Role::Read => "read",
        Role::Run => "run",
        Role::Approve => "approve",
    }
}

/// Refuses requests by a name that is not ours, and changes from pages of others; then gives the answer its headers.
pub(super) async fn guard(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response {
    let _counted = server.numbers.request();
    let refused = foreign_host(&server, &request).or_else(|| foreign_origin(&request));
    let mut response = match refused {
        Some(detail) => Problem::forbidden(detail).into_response(),
        None => next.run(request).await,
    };
    server.numbers.response(response.status());
    let headers = response.headers_mut();
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(CSP));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

fn host(request: &Request) -> Option<&str> {
    let named = request.headers().get(header::HOST).and_then(|h| h.to_str().ok());
    named.or_else(|| request.uri().authority().map(|a| a.as_str()))
}

/// A page of somebody else can make its own name mean this machine (DNS rebinding); the name still gives it away.
fn foreign_host(server: &Server, request: &Request) -> Option<String> {
    let hosts = &server.settings.hosts;
    if hosts.is_empty() && !server.settings.listen.ip().is_loopback() {
        return None;
    }
    let named = host(request).map(|h| without_port(h).to_ascii_lowercase());
    let ours = named.as_deref().is_some_and(|h| {
        let address = h.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
        h == "localhost" || address.is_ok_and(|ip| ip.is_loopback()) || hosts.contains(h)
    });
    let said = "this server is called by another name; where that is right, add it to server.hosts";
    (!ours).then(|| said.to_owned())
}

fn without_port(host: &str) -> &str {
    match host.rfind(':') {
        Some(at) if host[at + 1..].bytes().all(|b| b.is_ascii_digit()) && !host[..at].ends_with(':') => &host[..at],
        _ => host,
    }
}

fn foreign_origin(request: &Request) -> Option<String> {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return None;
    }
    let text = |name: &str| request.headers().get(name).map(|v| v.to_str().unwrap_or("?"));
    let site = text("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none");
    let origin = text("origin").is_some_and(|origin| {
        let place = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        place.is_none() || place.map(str::to_ascii_lowercase) != host(request).map(str::to_ascii_lowercase)
    });
    (site || origin).then(|| "a page of another origin may not change anything here".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_no_part_of_a_name() {
        for (host, name) in
            [("localhost:80", "localhost"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("a.b", "a.b"), ("a:", "a")]
        {
            assert_eq!(without_port(host), name);
        }
    }

    #[test]
    fn tokens_are_long_and_have_one_source() {
        let entry = |env: Option<&str>, sha256: Option<&str>| TokenEntry {
            name: "ops".into(),
            role: Role::Run,
            env: env.map(str::to_owned),
            file: None,
            sha256: sha256.map(str::to_owned),
        };
        let hash = sha256_hex(b"0123456789abcdef");
        let tokens = Tokens::read(&[entry(None, Some(&hash))]).unwrap();
        assert!(tokens.find("0123456789abcdef").is_some_and(|who| who.role == Role::Run));
        assert!(tokens.find("0123456789abcdeF").is_none() && tokens.find("").is_none());
        assert!(!format!("{tokens:?}").contains(&hash));
        for bad in [entry(None, None), entry(None, Some("ab")), entry(Some("CHAOS_HANDLER_NOT_SET"), None)] {
            assert!(Tokens::read(&[bad]).is_err());
        }
        assert!(Tokens::read(&[entry(None, Some(&hash)), entry(None, Some(&hash))]).is_err());
    }
}
