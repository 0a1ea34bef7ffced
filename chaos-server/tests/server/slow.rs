//! Clients that say nothing whole and take nothing, through a socket: they are cut off, and hold up neither others nor
//! the end.

use std::{fs, net::SocketAddr, time::Duration};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    time::{Instant, sleep, timeout},
};

use crate::rig::{Rig, targets};

const SOON: Duration = Duration::from_secs(60);
const PIPELINED: usize = 100;

/// A client with little room for what it does not read.
async fn connect(address: SocketAddr, says: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(1024).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    stream.write_all(says.as_bytes()).await.unwrap();
    stream
}

fn get(path: &str, more: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n")
}

fn events(id: &str) -> String {
    get(&format!("/incidents/{id}/events"), "Accept: text/event-stream\r\n")
}

/// More than the kernel holds for a client.
fn many() -> String {
    get("/openapi.json", "").repeat(PIPELINED)
}

/// How many answers came until the end of the connection.
async fn answers(mut stream: TcpStream) -> usize {
    let mut all = Vec::new();
    let _ = timeout(SOON, stream.read_to_end(&mut all)).await.expect("the connection ends");
    String::from_utf8_lossy(&all).matches("HTTP/1.1 200 OK").count()
}

async fn streams(rig: &Rig) -> u64 {
    let text = rig.get("/metrics").await.text();
    let line = text.lines().find(|l| l.starts_with("chaos_handler_event_streams ")).unwrap().to_owned();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

async fn until_streams(rig: &Rig, wanted: u64) -> Duration {
    let since = Instant::now();
    while streams(rig).await != wanted {
        assert!(since.elapsed() < SOON, "{} streams, not {wanted}", streams(rig).await);
        sleep(Duration::from_millis(50)).await;
    }
    since.elapsed()
}

/// An incident with more events than the kernel holds for a client.
async fn long_incident(rig: &Rig) -> String {
    let id = rig.start(json!({ "target": "demo" })).await;
    rig.over_by(&id, SOON).await;
    let path = rig.path(&id).join("trace.json");
    let text = fs::read_to_string(&path).unwrap();
    let first = text.lines().nth(1).unwrap().trim_end_matches(',').to_owned();
    assert!(first.starts_with("{\"seq\":0,"), "{first}");
    let line = |seq: usize| first.replacen("\"seq\":0,", &format!("\"seq\":{seq},"), 1);
    let lines: Vec<String> = (0..20_000).map(line).collect();
    fs::write(&path, format!("[\n{}\n]\n", lines.join(",\n"))).unwrap();
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_nothing_is_cut_off_and_who_takes_little_is_not() {
    let rig = Rig::new(&format!("[server]\nwrite_timeout = 2\n{}", targets())).await;
    let listening = rig.listen().await;
    let long = long_incident(&rig).await;
    let deaf = connect(listening.address, &many()).await;
    let slow = connect(listening.address, &many()).await;
    let deaf_stream = connect(listening.address, &events(&long)).await;
    until_streams(&rig, 1).await;
    let reading = tokio::spawn(async move {
        let (mut slow, mut all, mut piece) = (slow, Vec::new(), vec![0; 256 << 10]);
        let since = Instant::now();
        while String::from_utf8_lossy(&all).matches("HTTP/1.1 200 OK").count() < PIPELINED {
            let n = slow.read(&mut piece).await.unwrap();
            assert!(n > 0, "cut off after {} bytes", all.len());
            all.extend_from_slice(&piece[..n]);
            // As many pieces as come, in some seconds.
            if since.elapsed() < Duration::from_secs(5) {
                sleep(Duration::from_millis(200)).await;
            }
        }
        since.elapsed()
    });
    let took = until_streams(&rig, 0).await;
    assert!(took < Duration::from_secs(20), "{took:?}");
    drop(deaf_stream);
    assert!(reading.await.unwrap() > Duration::from_secs(4), "it was slow for longer than is waited");
    let got = answers(deaf).await;
    assert!(got < PIPELINED, "all {got} answers were kept for a client that took none");
    listening.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_with_little_to_say_ends_for_one_that_takes_nothing() {
    let rig = Rig::new(&format!("[server]\nwrite_timeout = 2\n{}", targets())).await;
    let listening = rig.listen().await;
    let id = rig.start(json!({ "target": "here", "options": { "observe": 600 } })).await;
    while rig.get(&format!("/status/{id}")).await.json()["phase"] != "observe" {
        sleep(Duration::from_millis(50)).await;
    }
    // What was said until now fits into what the kernel holds for it: nothing waits to be written.
    let deaf = connect(listening.address, &events(&id)).await;
    until_streams(&rig, 1).await;
    let took = until_streams(&rig, 0).await;
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(rig.get(&format!("/status/{id}")).await.json()["status"], "running");
    drop(deaf);
    listening.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_does_not_wait_for_those_who_take_or_say_nothing() {
    let rig = Rig::new("").await;
    let listening = rig.listen().await;
    let long = long_incident(&rig).await;
    let mut open = Vec::new();
    for says in [many(), events(&long), "GET /me HTTP/1.1\r\nHost: loc".into(), String::new()] {
        open.push(connect(listening.address, &says).await);
    }
    until_streams(&rig, 1).await;
    let (ended, took) = listening.end().await;
    assert!(ended && took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_says_a_byte_now_and_then_is_cut_off() {
    let rig = Rig::new("").await;
    let listening = rig.listen().await;
    let mut drip = TcpStream::connect(listening.address).await.unwrap();
    let mut quiet = TcpStream::connect(listening.address).await.unwrap();
    let since = Instant::now();
    let cut_off = async {
        drip.write_all(b"GET /me HTTP/1.1\r\nHost: localhost\r\nX-More: ").await.unwrap();
        while drip.write_all(b"a").await.is_ok() {
            assert!(since.elapsed() < SOON, "it is heard out");
            sleep(Duration::from_millis(200)).await;
        }
    };
    cut_off.await;
    let mut nothing = Vec::new();
    let _ = timeout(SOON, quiet.read_to_end(&mut nothing)).await.expect("who says nothing at all is cut off too");
    assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
    listening.end().await;
}
