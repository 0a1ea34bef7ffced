//! One GET over HTTP/1.0 to this machine's loopback, for metrics endpoints. HTTP/1.0 because it has no chunked
//! bodies: the body is what follows the headers, until the connection ends.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
    model::End,
    transport::{Chunk, Reply, Request, Stream},
};

/// Longest head of a response.
const MAX_HEAD: usize = 16 << 10;

pub(super) async fn get(port: u16, path: &str, request: &Request, clock: &Arc<dyn Clock>) -> Result<Reply> {
    if !path.starts_with('/') || path.bytes().any(|b| b <= b' ' || b == 0x7f) {
        return Err(Error::new(ErrorKind::InvalidInput, "a path begins with / and has no blanks")
            .with("path", path.escape_debug()));
    }
    let within = request.within.min(Duration::from_secs(60));
    let (writer, reply) = Reply::pair(request.max_bytes);
    let (clock, limit) = (clock.clone(), request.max_bytes);
    let path = path.to_owned();
    tokio::spawn(async move {
        let fetched = tokio::select! {
            () = writer.stopped() => Err(Error::new(ErrorKind::Stopped, "stopped")),
            fetched = timeout(within, fetch(port, &path, limit)) => fetched.unwrap_or_else(|_| {
                Err(Error::new(ErrorKind::Deadline, "the endpoint took longer than it was given"))
            }),
        };
        let at = clock.now();
        let end = match fetched.map_err(|e| e.with("url", format_args!("http://127.0.0.1:{port}{path}"))) {
            Ok((status, body)) => {
                let pushed = writer.push(Chunk { at, stream: Stream::Stdout, bytes: body });
                match (pushed, status) {
                    (Err(e), _) => End::Failed(e),
                    (Ok(()), 200) => End::Exited(0),
                    (Ok(()), status) => End::Exited(i32::from(status)),
                }
            }
            Err(e) if e.kind() == ErrorKind::Stopped => End::Stopped,
            Err(e) => End::Failed(e),
        };
        writer.finish(end, at);
    });
    Ok(reply)
}

async fn fetch(port: u16, path: &str, limit: usize) -> Result<(u16, Vec<u8>)> {
    let unreachable = |e| Error::new(ErrorKind::Unreachable, "the endpoint does not answer").because(e);
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.map_err(unreachable)?;
    let head = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nAccept: application/json, text/plain\r\n\r\n");
    stream.write_all(head.as_bytes()).await.map_err(unreachable)?;
    let mut response = Vec::new();
    let read = stream.take((MAX_HEAD + limit) as u64 + 1).read_to_end(&mut response).await.map_err(unreachable)?;
    if read > MAX_HEAD + limit {
        return Err(
            Error::new(ErrorKind::OutputLimit, "the response is larger than the limit").with("max_bytes", limit)
        );
    }
    let bad = || Error::new(ErrorKind::CommandFailed, "the endpoint does not speak HTTP");
    let split = memchr::memmem::find(&response, b"\r\n\r\n").filter(|at| *at <= MAX_HEAD).ok_or_else(bad)?;
    let status_line = std::str::from_utf8(&response[..split]).map_err(|_| bad())?.lines().next().unwrap_or("");
    let mut words = status_line.split(' ');
    let status = match (words.next(), words.next().map(str::parse::<u16>)) {
        (Some(version), Some(Ok(status))) if version.starts_with("HTTP/1.") => status,
        _ => return Err(bad()),
    };
    Ok((status, response.split_off(split + 4)))
}
