//! Who may do what, under which name, and from which page.

use chaos_core::audit::sha256_hex;
use serde_json::json;

use crate::rig::{Rig, targets};

const READ: &str = "read-0123456789abcdef";
const RUN: &str = "run-0123456789abcdef";
const APPROVE: &str = "approve-0123456789abcdef";

fn with_tokens(more: &str) -> String {
    let token = |name: &str, token: &str| {
        format!(
            "[[server.tokens]]\nname = 'the {name}er'\nrole = '{name}'\nsha256 = '{}'\n",
            sha256_hex(token.as_bytes())
        )
    };
    format!("{more}\n{}{}{}{}", token("read", READ), token("run", RUN), token("approve", APPROVE), targets())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_wants_its_role_and_no_less() {
    let rig = Rig::new(&with_tokens("allow_apply = true")).await;
    let document = rig.get("/openapi.json").await.json();
    let mut tried = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let (method, path) =
                (method.to_uppercase(), path.replace("{id}", "inc-20260101-001").replace("{name}", "x"));
            let role = operation["x-role"].as_str();
            for (token, level) in [("", 0), ("wrong-0123456789abcdef", 0), (READ, 1), (RUN, 2), (APPROVE, 3)] {
                let bearer = format!("Bearer {token}");
                let headers: &[(&str, &str)] = if token.is_empty() { &[] } else { &[("authorization", &bearer)] };
                let status = rig.ask(&method, &path, headers, None).await.status.as_u16();
                let wanted = role.map_or(0, |r| ["read", "run", "approve"].iter().position(|w| *w == r).unwrap() + 1);
                match (level, wanted) {
                    (_, 0) => assert!(status != 401 && status != 403, "{method} {path}: {status}"),
                    (0, _) => assert_eq!(status, 401, "{method} {path} with {token:?}"),
                    (level, wanted) if level < wanted => assert_eq!(status, 403, "{method} {path} with {token}"),
                    _ => assert!(status != 401 && status != 403, "{method} {path} with {token}: {status}"),
                }
                tried += 1;
            }
        }
    }
    assert!(tried >= 5 * 20, "{tried}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_told_who_it_is_and_approves_under_that_name() {
    let rig = Rig::new(&with_tokens("")).await;
    let me = rig.get("/me").await.json();
    assert_eq!((&me["role"], &me["auth_required"]), (&json!(null), &json!(true)));
    let bearer = format!("bearer {RUN}");
    let me = rig.ask("GET", "/me", &[("authorization", &bearer)], None).await.json();
    assert_eq!((&me["name"], &me["role"]), (&json!("the runer"), &json!("run")));
    for bad in [RUN.to_owned(), format!("Basic {RUN}"), format!("Bearer {RUN} x"), "Bearer ".into()] {
        assert_eq!(rig.ask("GET", "/targets", &[("authorization", &bad)], None).await.status, 401, "{bad}");
    }
    let denied = rig.get("/targets").await;
    assert!(denied.header("www-authenticate").starts_with("Bearer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_names_and_other_pages_are_refused() {
    let rig = Rig::new(&format!("[server]\nhosts = ['Chaos.example.com']\n{}", targets())).await;
    for (host, fits) in [
        ("localhost", true),
        ("127.0.0.1:8087", true),
        ("[::1]:8087", true),
        ("127.9.9.9", true),
        ("chaos.example.com:443", true),
        ("CHAOS.example.com", true),
        ("evil.example.com", false),
        ("localhost.evil.com", false),
        ("127.0.0.1.evil.com", false),
        ("10.0.0.1", false),
        ("", false),
    ] {
        let status = rig.ask("GET", "/incidents", &[("host", host)], None).await.status;
        assert_eq!(status == 200, fits, "{host}: {status}");
    }
    let start = |headers: Vec<(&'static str, &'static str)>| {
        let rig = &rig;
        async move {
            let mut all = vec![("content-type", "application/json")];
            all.extend(headers);
            rig.ask("POST", "/start_incident", &all, Some("{}".into())).await.status.as_u16()
        }
    };
    for (headers, refused) in [
        (vec![], false),
        (vec![("origin", "http://localhost:8087")], false),
        (vec![("origin", "https://localhost:8087"), ("sec-fetch-site", "same-origin")], false),
        (vec![("sec-fetch-site", "none")], false),
        (vec![("origin", "http://localhost:9999")], true),
        (vec![("origin", "http://evil.com")], true),
        (vec![("origin", "null")], true),
        (vec![("sec-fetch-site", "cross-site")], true),
        (vec![("sec-fetch-site", "same-site")], true),
    ] {
        let status = start(headers.clone()).await;
        assert_eq!(status, if refused { 403 } else { 400 }, "{headers:?}");
    }
    let answer = rig.ask("GET", "/incidents", &[("origin", "http://evil.com")], None).await;
    assert!(answer.header("access-control-allow-origin").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_its_headers() {
    let rig = Rig::new(&with_tokens("")).await;
    for path in ["/", "/me", "/nothing", "/incidents", "/docs", "/openapi.json"] {
        let answer = rig.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert!(!answer.header("cache-control").is_empty(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_of_a_request_stay_within_the_configured_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let keys = dir.path().join("keys");
    std::fs::create_dir(&keys).unwrap();
    std::fs::write(keys.join("id"), "not a key").unwrap();
    std::fs::write(dir.path().join("outside"), "secret").unwrap();
    std::os::unix::fs::symlink(dir.path().join("outside"), keys.join("link")).unwrap();
    let text = format!("[server.adhoc]\nkey_dirs = [{keys:?}]\nnetworks = ['127.0.0.0/30']\n{}", targets());
    let rig = Rig::new(&text).await;
    let vm = |host: &str, user: &str, key: &std::path::Path| json!({ "target_vm": { "host": host, "port": 1, "user": user, "key_path": key } });
    let good = keys.join("id");
    for (body, status) in [
        (vm("127.0.0.9", "a", &good), 403),
        (vm("203.0.113.1", "a", &good), 403),
        (vm("127.0.0.1", "-oProxyCommand=x", &good), 400),
        (vm("127.0.0.1", "a b", &good), 400),
        (vm("127.0.0.1", "a", &keys.join("link")), 403),
        (vm("127.0.0.1", "a", &keys.join("../outside")), 403),
        (vm("127.0.0.1", "a", &keys.join("missing")), 403),
        (vm("127.0.0.1", "a", std::path::Path::new("id")), 403),
        (vm("", "a", &good), 403),
    ] {
        let answer = rig.post("/start_incident", body.clone()).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
        assert!(!answer.text().contains("secret"));
    }
    // Within them it is tried, and fails for there is nobody at that port.
    let id = rig.start(vm("127.0.0.1", "a", &good)).await;
    let status = rig.over_by(&id, std::time::Duration::from_secs(60)).await;
    assert_eq!((&status["status"], &status["target"]["name"]), (&json!("failed"), &json!("a@127.0.0.1:1")), "{status}");
}
