//! Hosts that are not there, are something else, or mean harm: each is told so that a person knows what to do.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    time::{Duration, Instant},
};

use chaos_core::error::{Error, ErrorKind};
use chaos_ssh::route::{Hop, Route};

use crate::support::{Server, connect, fingerprint, free_port, hop, keygen, says};

/// A server that does `what` with each connection.
fn serve(what: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let what = what.clone();
            std::thread::spawn(move || what(stream));
        }
    });
    port
}

async fn refused(port: u16) -> (Error, Duration) {
    let started = Instant::now();
    let hop = Hop { connect_timeout: Duration::from_secs(2), ..hop(port, "SHA256:none", "/nonexistent".as_ref()) };
    let e = connect(Route { hops: vec![hop] }).await.unwrap_err();
    assert!(e.to_string().contains(&port.to_string()), "{e}");
    (e, started.elapsed())
}

fn check(e: &Error, kind: ErrorKind, part: &str) {
    assert_eq!(e.kind(), kind, "{e}");
    assert!(e.to_string().contains(part), "no {part:?} in: {e}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_on_which_nothing_listens() {
    check(&refused(free_port()).await.0, ErrorKind::Unreachable, "connection refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_does_not_exist() {
    let host = "no-such-host.invalid".to_owned();
    let hop = Hop { host, ..hop(22, "SHA256:none", "/nonexistent".as_ref()) };
    let e = connect(Route { hops: vec![hop] }).await.unwrap_err();
    check(&e, ErrorKind::Unreachable, "cannot look up the host's name");
    check(&e, ErrorKind::Unreachable, "no-such-host.invalid:22");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_never_answers() {
    let port = serve(|mut stream| {
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
    });
    let (e, took) = refused(port).await;
    check(&e, ErrorKind::Unreachable, "no SSH server answered within 2 s");
    assert!(took < Duration::from_secs(15), "{took:?}");
}

/// A listener whose queue is full takes no connection and refuses none, as a firewall that drops does.
#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_filtered() {
    let listener =
        rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::STREAM, None).unwrap();
    rustix::net::bind(&listener, &std::net::SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let listener = TcpListener::from(listener);
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
        queued.push(stream);
        assert!(queued.len() < 100, "the queue has no end");
    }
    let (e, took) = refused(address.port()).await;
    check(&e, ErrorKind::Unreachable, "could not connect within 2 s");
    assert!(took < Duration::from_secs(15), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_ssh_server() {
    let port = serve(|mut stream| {
        let _ = stream.write_all(&b"HTTP/1.1 400 Bad Request\r\n".repeat(2000));
    });
    check(&refused(port).await.0, ErrorKind::Unsupported, "no SSH server");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_banner_without_end() {
    let port = serve(|mut stream| while stream.write_all(&[b'x'; 4096]).is_ok() {});
    check(&refused(port).await.0, ErrorKind::Unsupported, "no SSH server");
    let port = serve(|mut stream| while stream.write_all(b"x\n").is_ok() {});
    check(&refused(port).await.0, ErrorKind::Unsupported, "no SSH server");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_closes_before_or_amid_the_key_exchange() {
    let port = serve(drop);
    check(&refused(port).await.0, ErrorKind::Unreachable, "closed the connection before the login");
    let port = serve(|mut stream| {
        let _ = stream.write_all(b"SSH-2.0-Brief\r\n");
        let _ = stream.read(&mut [0; 64]);
        let _ = stream.shutdown(Shutdown::Both);
    });
    check(&refused(port).await.0, ErrorKind::Unreachable, "closed the connection before the login");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_sends_garbage_for_a_key_exchange() {
    let port = serve(|mut stream| {
        let _ = stream.write_all(b"SSH-2.0-Garbage\r\n");
        let mut byte = 7_u8;
        for _ in 0..100_000 {
            byte = byte.wrapping_mul(31).wrapping_add(17);
            if stream.write_all(&[byte]).is_err() {
                return;
            }
        }
        let _ = stream.read(&mut [0; 64]);
        std::thread::sleep(Duration::from_secs(10));
    });
    let (e, _) = refused(port).await;
    assert!(matches!(e.kind(), ErrorKind::Unsupported | ErrorKind::Unreachable), "{e}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_old_algorithms_only() {
    let Some(server) = Server::openssh("Ciphers 3des-cbc") else { return };
    let e = connect(server.route()).await.unwrap_err();
    check(&e, ErrorKind::Unsupported, "algorithm in common");
    check(&e, ErrorKind::Unsupported, "3des-cbc");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_the_pinned_one() {
    let Some(server) = Server::openssh("") else { return };
    let e = connect(Route { hops: vec![hop(server.port, "SHA256:other", &server.key())] }).await.unwrap_err();
    check(&e, ErrorKind::Denied, "none of those that were pinned");
    check(&e, ErrorKind::Denied, &server.fingerprint);
}

/// The connection is not restored to a host with another key.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_changes_between_connections() {
    let Some(mut server) = Server::openssh("") else { return };
    let ssh = server.connect().await;
    assert_eq!(says(&ssh, "echo in").await, "in");
    server.stop();
    fs::remove_file(server.dir.path().join("host")).unwrap();
    keygen(&server.dir.path().join("host"), &["-t", "ed25519"]);
    server.start();
    assert_ne!(fingerprint(&server.dir.path().join("host.pub")), server.fingerprint);
    use chaos_core::transport::Transport;
    let asked = crate::support::request(crate::support::sh("echo in"));
    let e = ssh.open(&asked).await.unwrap_err();
    check(&e, ErrorKind::Denied, "none of those that were pinned");
}
