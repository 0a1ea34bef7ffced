//! `GET` from the target's loopback, which is this machine's.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener},
    sync::{Arc, LazyLock},
};

use super::commands::{assert_exited, assert_same, open, request, whole};
use crate::{
    error::{ErrorKind, Result},
    model::{Ask, End},
    transport::{Output, Transport},
};

/// A port on which nothing listens: `tcpmux` has been out of use for decades.
const CLOSED: u16 = 1;

/// One server for the whole process, so that a recording of the suite can be asked again: it answers `/metrics` with
/// [`body`], anything else with 404.
static PORT: LazyLock<u16> = LazyLock::new(|| {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
                head.push(byte[0]);
            }
            let (status, body) = if head.starts_with(b"GET /metrics ") {
                ("200 OK", body())
            } else {
                ("404 Not Found", b"gone\n".to_vec())
            };
            // A client that went away is its own business.
            let _ = stream.write_all(format!("HTTP/1.0 {status}\r\nX-Header: 1\r\n\r\n").as_bytes());
            let _ = stream.write_all(&body);
        }
    });
    port
});

/// Some hundred kilobytes with blank lines, as a head has at its end.
fn body() -> Vec<u8> {
    "metric{a=\"b\"} 1\r\n\r\n# not a head\n".repeat(10_000).into_bytes()
}

async fn get(transport: &dyn Transport, port: u16, path: &str) -> Result<Output> {
    let request = request("get", Ask::HttpGet { port, path: path.into() });
    match transport.open(&request).await {
        Ok(reply) => Ok(whole(reply).await),
        Err(e) => Err(e),
    }
}

/// A 200 ends as exit code 0, and its body is the output.
///
/// # Panics
/// When it does not, or the body is changed.
pub async fn a_get_returns_the_body(transport: Arc<dyn Transport>) {
    let ask = Ask::HttpGet { port: *PORT, path: "/metrics".into() };
    let output = whole(open(&*transport, &request("get", ask)).await).await;
    assert_exited(&output, 0);
    assert_same("the body", &output.stdout, &body());
}

/// Any other status is the exit code.
///
/// # Panics
/// When it is not.
pub async fn another_status_is_the_exit_code(transport: Arc<dyn Transport>) {
    let output = get(&*transport, *PORT, "/nothing").await.expect("an answer");
    assert_exited(&output, 404);
}

/// A closed port is an error of kind `Unreachable`, at once or as the stream's end.
///
/// # Panics
/// When it is anything else.
pub async fn a_port_that_nobody_listens_on_is_unreachable(transport: Arc<dyn Transport>) {
    let why = match get(&*transport, CLOSED, "/").await {
        Err(e) => e,
        Ok(Output { end: End::Failed(e), .. }) => e,
        Ok(output) => panic!("it ended as {:?}", output.end),
    };
    assert_eq!(why.kind(), ErrorKind::Unreachable, "{why}");
}
