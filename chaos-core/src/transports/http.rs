//! One GET over HTTP/1.0, for metrics endpoints on a target's loopback. HTTP/1.0 because it has no chunked bodies:
//! the body is what follows the headers, until the connection ends. Knows nothing of how the endpoint is reached:
//! who asks brings the connection.

use std::{future::Future, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
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

/// Answers `GET http://127.0.0.1:port/path`, with the connection that `connect` makes to that port. The status is the
/// stream's exit code, 0 for 200; `connect` runs within the request's own limit, at most a minute.
///
/// # Errors
/// `InvalidInput` when `path` is none. Everything else is the stream's end: the error of `connect`, `Unreachable` when
/// the connection breaks, `Deadline`, `OutputLimit`, `CommandFailed` when no HTTP comes back.
pub fn get<S, C>(connect: C, port: u16, path: &str, request: &Request, clock: &Arc<dyn Clock>) -> Result<Reply>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    C: Future<Output = Result<S>> + Send + 'static,
{
    if !path.starts_with('/') || path.bytes().any(|b| b <= b' ' || b == 0x7f) {
        return Err(Error::new(ErrorKind::InvalidInput, "a path begins with / and has no blanks")
            .with("path", path.escape_debug()));
    }
    let within = request.within.min(Duration::from_secs(60));
    let (writer, reply) = Reply::pair(request.max_bytes);
    let (clock, limit) = (clock.clone(), request.max_bytes);
    let path = path.to_owned();
    tokio::spawn(async move {
        let whole = async { fetch(connect.await?, port, &path, limit).await };
        let fetched = tokio::select! {
            () = writer.stopped() => Err(Error::new(ErrorKind::Stopped, "stopped")),
            fetched = timeout(within, whole) => fetched.unwrap_or_else(|_| {
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

/// That nobody answers, because of `cause`.
pub(super) fn unreachable(cause: std::io::Error) -> Error {
    Error::new(ErrorKind::Unreachable, "the endpoint does not answer").because(cause)
}

async fn fetch<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    port: u16,
    path: &str,
    limit: usize,
) -> Result<(u16, Vec<u8>)> {
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
