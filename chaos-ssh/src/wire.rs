//! The TCP stream under a connection, as SSH wants it.
//!
//! It acknowledges its first bytes at once. Until a session's first command, OpenSSH's server sends by Nagle's
//! algorithm (RFC 896): it holds back the answer to what was asked until its last message was acknowledged, and a kernel
//! delays that by 40 ms where it has nothing to send itself. Each connection would wait for that.
//!
//! It reads ahead: the library reads each packet by two system calls or more. Who waits for the next byte holds no
//! memory for it, as most of many connections do.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// More than key exchange, login and the first command take together; later it would only cost system calls.
const FIRST: usize = 16 << 10;
/// What is read ahead at a time, and what while much comes.
const LITTLE: usize = 4 << 10;
const MUCH: usize = 128 << 10;

#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    /// How much came, up to [`FIRST`].
    came: usize,
    /// What was read and not yet asked for is `ahead[at..end]`.
    ahead: Vec<u8>,
    at: usize,
    end: usize,
    /// How much is read next.
    size: usize,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, came: 0, ahead: Vec::new(), at: 0, end: 0, size: LITTLE }
    }

    /// Reads ahead; nothing at the end.
    fn fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ahead.len() != self.size {
            self.ahead = vec![0; self.size];
        }
        let mut into = ReadBuf::new(&mut self.ahead);
        let polled = Pin::new(&mut self.stream).poll_read(cx, &mut into);
        (self.at, self.end) = (0, into.filled().len());
        if self.came < FIRST {
            self.came += self.end;
            // The kernel forgets it as soon as it likes (tcp(7)); without it everything still works.
            #[cfg(target_os = "linux")]
            let _ = self.stream.set_quickack(true);
        }
        if polled.is_pending() {
            if self.size == LITTLE {
                self.ahead = Vec::new();
            }
        } else if self.end == self.size {
            self.size = MUCH;
        } else if self.end <= LITTLE {
            self.size = LITTLE;
        }
        polled
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.at == this.end {
            ready!(this.fill(cx))?;
        }
        let until = this.end.min(this.at + into.remaining());
        into.put_slice(&this.ahead[this.at..until]);
        this.at = until;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    async fn pair() -> (Wire, TcpStream) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Wire::new(near), listener.accept().await.unwrap().0)
    }

    #[tokio::test]
    async fn everything_comes_in_order_however_it_is_cut() {
        let (mut wire, mut far) = pair().await;
        let all: Vec<u8> = (0..3_000_000_u32).map(|n| (n / 7 % 251) as u8).collect();
        let sent = all.clone();
        let sending = tokio::spawn(async move {
            for (n, part) in sent.chunks(70_001).enumerate() {
                let (small, rest) = part.split_at(n % 9);
                far.write_all(small).await.unwrap();
                far.write_all(rest).await.unwrap();
            }
        });
        let mut got = Vec::new();
        for size in [1, 4, 35_000, 3, 200_000].into_iter().cycle() {
            let mut part = vec![0; size];
            let n = wire.read(&mut part).await.unwrap();
            if n == 0 {
                break;
            }
            got.extend_from_slice(&part[..n]);
        }
        assert!(got == all, "{} of {} bytes", got.len(), all.len());
        assert_eq!(wire.read(&mut [0; 9]).await.unwrap(), 0, "the end stays the end");
        sending.await.unwrap();
    }

    #[tokio::test]
    async fn who_waits_holds_no_memory() {
        let (mut wire, mut far) = pair().await;
        let much = vec![7; 1 << 20];
        let sending = tokio::spawn(async move {
            far.write_all(&much).await.unwrap();
            far
        });
        wire.read_exact(&mut vec![0; 1 << 20]).await.unwrap();
        let mut far = sending.await.unwrap();
        far.write_all(b"!").await.unwrap();
        wire.read_exact(&mut [0; 1]).await.unwrap();
        let nothing = tokio::time::timeout(Duration::from_millis(50), wire.read(&mut [0; 1])).await;
        assert!(nothing.is_err() && wire.ahead.capacity() == 0, "{}", wire.ahead.capacity());
    }
}
