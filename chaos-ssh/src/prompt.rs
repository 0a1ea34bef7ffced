//! A TCP stream that acknowledges its first bytes at once. Until a session's first command, OpenSSH's server sends by
//! Nagle's algorithm (RFC 896): it holds the answer to what was asked back until its last message was acknowledged, and
//! a kernel delays that by 40 ms where it has nothing to send itself. Each connection would wait for that.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// More than key exchange, login and the first command take together; later it would only cost system calls.
const FIRST: usize = 16 << 10;

#[derive(Debug)]
pub(crate) struct Prompt {
    stream: TcpStream,
    /// How much was read, up to [`FIRST`].
    read: usize,
}

impl Prompt {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, read: 0 }
    }
}

impl AsyncRead for Prompt {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, into);
        if self.read < FIRST {
            self.read += into.filled().len() - before;
            // The kernel forgets it as soon as it likes (tcp(7)); without it everything still works.
            #[cfg(target_os = "linux")]
            let _ = self.stream.set_quickack(true);
        }
        polled
    }
}

impl AsyncWrite for Prompt {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
