//! Through a socket: streams, clients that are slow or go away, the end, TLS.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    process::Command,
    time::{Instant, sleep, timeout},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};

use crate::rig::{Rig, targets};

const SOON: Duration = Duration::from_secs(60);

async fn stream(address: SocketAddr, id: &str, more: &str) -> BufReader<TcpStream> {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let request =
        format!("GET /incidents/{id}/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{more}\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    BufReader::new(socket)
}

/// The numbers of all events until the end, and what the last one says.
async fn read(mut socket: BufReader<TcpStream>) -> (Vec<u64>, Option<Value>) {
    let (mut seqs, mut ended, mut line) = (Vec::new(), None, String::new());
    let mut kind = String::new();
    while socket.read_line(&mut line).await.is_ok_and(|n| n > 0) {
        let text = line.trim_end();
        if let Some(event) = text.strip_prefix("event: ") {
            kind = event.to_owned();
        } else if let Some(data) = text.strip_prefix("data: ") {
            let data: Value = serde_json::from_str(data).unwrap();
            if kind == "end" {
                ended = Some(data);
                break;
            }
            seqs.push(data["seq"].as_u64().unwrap());
        }
        line.clear();
    }
    (seqs, ended)
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_who_streams_gets_every_event_in_order() {
    let rig = Rig::new("").await;
    let listening = rig.listen().await;
    let id = rig.start(json!({ "target": "here", "options": { "observe": 3 } })).await;
    let mut readers = Vec::new();
    for i in 0..100 {
        if i == 50 {
            sleep(Duration::from_secs(1)).await;
        }
        readers.push(tokio::spawn(read(stream(listening.address, &id, "").await)));
    }
    let status = rig.over_by(&id, SOON).await;
    let all: Vec<u64> = (0..=status["last_seq"].as_u64().unwrap()).collect();
    for reader in readers {
        let (seqs, ended) = timeout(SOON, reader).await.unwrap().unwrap();
        assert_eq!(seqs, all);
        assert_eq!(ended, Some(json!({ "status": "completed" })));
    }
    let (seqs, _) = read(stream(listening.address, &id, "Last-Event-ID: 3\r\n").await).await;
    assert_eq!(seqs, all[4..]);
    listening.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_are_slow_or_go_away_hold_nobody_up() {
    let rig = Rig::new("").await;
    let listening = rig.listen().await;
    let id = rig.start(json!({ "target": "here", "options": { "observe": 600 } })).await;
    let streams = async || {
        let text = rig.get("/metrics").await.text();
        let line = text.lines().find(|l| l.starts_with("chaos_handler_event_streams ")).unwrap().to_owned();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let mut open = Vec::new();
    for _ in 0..20 {
        let mut socket = stream(listening.address, &id, "").await;
        let mut line = String::new();
        socket.read_line(&mut line).await.unwrap();
        assert!(line.starts_with("HTTP/1.1 200"), "{line}");
        open.push(socket);
    }
    assert_eq!(streams().await, 20);
    // These never finish what they say.
    let mut slow = TcpStream::connect(listening.address).await.unwrap();
    slow.write_all(b"GET /me HTTP/1.1\r\nHost: loc").await.unwrap();
    let since = Instant::now();
    let mut body = TcpStream::connect(listening.address).await.unwrap();
    body.write_all(b"POST /start_incident HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{").await.unwrap();
    drop(open);
    rig.post(&format!("/incidents/{id}/stop"), json!(null)).await;
    rig.over_by(&id, SOON).await;
    let until = Instant::now() + SOON;
    while streams().await > 0 {
        assert!(Instant::now() < until, "streams are still open");
        sleep(Duration::from_millis(50)).await;
    }
    let mut rest = Vec::new();
    timeout(Duration::from_secs(20), slow.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert!(since.elapsed() < Duration::from_secs(20), "a client that says nothing whole is cut off");
    let (ended, took) = listening.end().await;
    assert!(ended && took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_does_not_wait_for_streams() {
    let rig = Rig::new("").await;
    let listening = rig.listen().await;
    let id = rig.start(json!({ "target": "here", "options": { "observe": 600 } })).await;
    let mut readers = Vec::new();
    for _ in 0..10 {
        readers.push(tokio::spawn(read(stream(listening.address, &id, "").await)));
    }
    while rig.get(&format!("/status/{id}")).await.json()["phase"] != "observe" {
        sleep(Duration::from_millis(50)).await;
    }
    let (ended, took) = listening.end().await;
    assert!(ended, "what ran has ended");
    assert!(took < Duration::from_secs(25), "{took:?}");
    for reader in readers {
        timeout(Duration::from_secs(5), reader).await.expect("the stream is closed").unwrap();
    }
    assert_eq!(rig.get(&format!("/status/{id}")).await.json()["status"], "stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_certificate_it_speaks_tls() {
    let dir = Arc::new(tempfile::tempdir().unwrap());
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ])
        .args(["-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(dir.path())
        .output()
        .await;
    if !made.is_ok_and(|made| made.status.success()) {
        assert!(std::env::var_os("CI").is_none(), "openssl is needed here");
        eprintln!("skipped: openssl makes no certificate here");
        return;
    }
    let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    let text = format!("[server]\ntls_cert = {cert:?}\ntls_key = {key:?}\n{}", targets());
    let rig = Rig::over(dir, &text).await;
    let listening = rig.listen().await;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&cert).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let socket = TcpStream::connect(listening.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut tls = TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap();
    tls.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut text = String::new();
    let _ = tls.read_to_string(&mut text).await;
    assert!(text.starts_with("HTTP/1.1 200 OK") && text.ends_with("{\"status\":\"ok\"}"), "{text}");
    // Who speaks plainly gets nothing.
    let mut plain = TcpStream::connect(listening.address).await.unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(SOON, plain.read_to_end(&mut answer)).await.unwrap();
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP/1.1 200"));
    listening.end().await;
}
