//! What a Slack-compatible webhook is told, and what becomes of one that fails.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    thread,
};

use serde_json::Value;

use crate::{Place, Ran, contents};

/// A server that answers with these statuses, one a request, and hands back the requests.
fn serve(statuses: &'static [u16]) -> (String, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/T0/B0/secret", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let answer = |status: &u16| {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(n) = line.to_lowercase().strip_prefix("content-length:") {
                    length = n.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
            format!("{head}\n{}", String::from_utf8(body).unwrap())
        };
        statuses.iter().map(answer).collect()
    });
    (address, server)
}

#[test]
fn the_webhook_gets_the_summary_after_a_retry() {
    let place = Place::new();
    let (address, server) = serve(&[503, 200]);
    let output = place.command(&["run", "--offline", "in"]).env("CHAOS_HANDLER_SLACK_WEBHOOK", &address).output();
    let ran = Ran::from(output.unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    let requests = server.join().unwrap();
    let (head, body) = requests[1].split_once("\n\n").map_or((requests[1].as_str(), ""), |parts| parts);
    assert!(head.starts_with("POST /T0/B0/secret") && head.contains("application/json"), "{head}");
    let body: Value = serde_json::from_str(body.trim()).unwrap();
    let id = place.incident_ids().pop().unwrap();
    assert!(body["text"].as_str().unwrap().contains(&id));
}

#[test]
fn a_webhook_that_fails_is_an_event_without_its_address() {
    let place = Place::new();
    let (address, server) = serve(&[404]);
    fs::write(place.path("chaos-handler.toml"), format!("slack_webhook = '{address}'\n")).unwrap();
    let ran = place.run(&["run", "--offline", "in"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    server.join().unwrap();
    let refused = place.run(&["run", "--offline", "in"]);
    assert_eq!(refused.code, 0, "{refused:?}");
    assert!(ran.err.contains("Slack was not told") && ran.err.contains("404"), "{ran:?}");
    assert!(refused.err.contains("Slack was not told"), "{refused:?}");
    for (name, bytes) in contents(&place.path("incidents")) {
        assert!(!String::from_utf8_lossy(&bytes).contains("secret"), "{}", name.display());
    }
    assert!(!ran.err.contains("secret") && !refused.err.contains("secret"));
}
