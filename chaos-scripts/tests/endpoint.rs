//! Runs the real metrics endpoint and asks it, politely and not.

#![allow(clippy::unwrap_used, reason = "clippy.toml allows it in tests, but not in what they share")]

mod place;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use place::{Bystander, shell, skip};

/// The endpoint on a port of its own.
fn endpoint() -> Option<(Bystander, u16)> {
    if !shell("python3 -c ''").0 {
        skip("python3 is missing");
        return None;
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/metrics_endpoint.py");
    let server = Bystander::new(Command::new("python3").args(["-I", script, "--port", &port.to_string()]));
    let begin = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(begin.elapsed() < Duration::from_secs(10), "it does not listen");
        sleep(Duration::from_millis(50));
    }
    Some((server, port))
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn ask(port: u16, request: &[u8]) -> String {
    let mut stream = connect(port);
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

#[test]
fn metrics_have_node_exporters_names() {
    let Some((_server, port)) = endpoint() else { return };
    let text = ask(port, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(text.starts_with("HTTP/1.0 200 ") && text.contains("Content-Type: text/plain; version=0.0.4"), "{text}");
    for name in [
        "node_cpu_seconds_total{cpu=\"0\",mode=\"idle\"} ",
        "node_memory_MemAvailable_bytes ",
        "node_memory_MemTotal_bytes ",
        "node_load1 ",
        "# TYPE node_cpu_seconds_total counter",
        "# TYPE node_load1 gauge",
        "node_network_receive_bytes_total{device=\"lo\"} ",
    ] {
        assert!(text.contains(name), "{name} is missing");
    }
    let json = ask(port, b"GET /metrics.json HTTP/1.0\r\n\r\n");
    let (_, body) = json.split_once("\r\n\r\n").unwrap();
    let check = "import json,sys; m = json.load(sys.stdin)['metrics']; \
        assert all(isinstance(x['value'], (int, float)) and isinstance(x['attributes'], dict) for x in m); \
        print({x['name']: x['type'] for x in m}['node_cpu_seconds_total'])";
    let file = std::env::temp_dir().join(format!("chaos-endpoint-{}.json", std::process::id()));
    std::fs::write(&file, body).unwrap();
    let (read, said) = shell(&format!("python3 -c \"{check}\" <{}", file.display()));
    std::fs::remove_file(&file).unwrap();
    assert!(read && said == "counter\n", "{said}");
}

#[test]
fn what_is_no_question_is_refused() {
    let Some((mut server, port)) = endpoint() else { return };
    let long = [b"GET /".as_slice(), &[b'a'; 70_000], b" HTTP/1.0\r\n\r\n"].concat();
    let many = [b"GET /metrics HTTP/1.0\r\n".as_slice(), &b"a: b\r\n".repeat(200), b"\r\n"].concat();
    let cases: [(&[u8], &str); 8] = [
        (b"POST /metrics HTTP/1.0\r\nContent-Length: 9999999\r\n\r\n", " 501 "),
        (b"DELETE /metrics HTTP/1.0\r\n\r\n", " 501 "),
        (b"GET / HTTP/1.0\r\n\r\n", " 404 "),
        (b"GET /../../etc/passwd HTTP/1.0\r\n\r\n", " 404 "),
        (b"GET /metrics HTTP/9.9\r\n\r\n", " 505 "),
        (b"\x16\x03\x01\x02\x00\x01\x00\xff\xfe\r\n\r\n", "400"),
        (&long, " 414 "),
        (&many, " 431 "),
    ];
    for (request, status) in cases {
        let answer = ask(port, request);
        let first = answer.lines().next().unwrap_or_default();
        assert!(answer.is_empty() || first.contains(status) || answer.contains(status.trim()), "{status}: {answer}");
    }
    assert!(ask(port, b"GET /metrics HTTP/1.0\r\n\r\n").contains("node_load1 "));
    assert!(server.lives());
}

#[test]
fn who_is_slow_holds_up_nobody_for_long() {
    let Some((mut server, port)) = endpoint() else { return };
    let mut slow: Vec<TcpStream> = (0..7).map(|_| connect(port)).collect();
    slow[0].write_all(b"GET /me").unwrap();
    sleep(Duration::from_millis(300));
    assert!(ask(port, b"GET /metrics HTTP/1.0\r\n\r\n").contains("node_load1 "));
    // One more than it takes at once is turned away, not kept waiting.
    sleep(Duration::from_millis(300));
    slow.extend((0..4).map(|_| connect(port)));
    sleep(Duration::from_millis(300));
    let begin = Instant::now();
    assert_eq!(ask(port, b"GET /metrics HTTP/1.0\r\n\r\n"), "");
    assert!(begin.elapsed() < Duration::from_secs(2));
    // A byte a second keeps nobody's place.
    let begin = Instant::now();
    while slow[0].write_all(b"x").is_ok() {
        assert!(begin.elapsed() < Duration::from_secs(18), "a slow request is never ended");
        sleep(Duration::from_secs(1));
    }
    assert!(ask(port, b"GET /metrics HTTP/1.0\r\n\r\n").contains("node_load1 "));
    assert!(server.lives());
}
