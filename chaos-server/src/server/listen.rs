//! The socket: connections with limits and deadlines, TLS where it is configured, and an end that does not wait for ever.

use std::{
    fs::File,
    io::{self, BufReader},
    path::Path,
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body, extract::Request};
use chaos_core::error::{Error, ErrorKind, Result};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use rustix::net::sockopt;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
};

use super::{Server, app};
use crate::output;

/// Most connections at once.
const MOST: usize = 4096;
/// How long a client may take to say what it wants, and to greet.
const HEADERS: Duration = Duration::from_secs(10);
/// Most bytes that the kernel holds for a client that does not take them.
const UNSENT: usize = 256 << 10;
/// How long a socket that takes nothing is waited for when it can't be accepted from.
const PAUSE: Duration = Duration::from_millis(100);
/// How long connections may take to end once nothing runs any more.
const LAST: Duration = Duration::from_secs(2);

/// Serves until `asked` returns, then ends: takes no more, stops what runs, waits for reverts at most as long as the
/// settings say, and for connections a moment. `true` when everything had ended by then.
///
/// # Errors
/// When certificate and key can't be used.
pub async fn listen(server: Arc<Server>, listener: TcpListener, asked: impl Future<Output = ()>) -> Result<bool> {
    let tls = server.settings.tls.as_ref().map(|(cert, key)| acceptor(cert, key)).transpose()?;
    let app = app(server.clone());
    let room = Arc::new(Semaphore::new(MOST));
    let (ending, ended) = watch::channel(false);
    let mut connections = JoinSet::new();
    tokio::pin!(asked);
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            () = &mut asked => break,
            accepted = accept(&listener, &room) => accepted,
        };
        match accepted {
            Ok((stream, permit)) => {
                let (app, tls, ended) = (app.clone(), tls.clone(), ended.clone());
                prepare(&stream, server.settings.write_timeout);
                connections.spawn(async move {
                    let _permit = permit;
                    match tls {
                        None => connection(stream, app, ended).await,
                        Some(tls) => {
                            if let Ok(Ok(stream)) = timeout(HEADERS, tls.accept(stream)).await {
                                connection(stream, app, ended).await;
                            }
                        }
                    }
                });
            }
            // Out of file descriptors, most likely: others will be closed.
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
    drop(listener);
    let all_reverted = timeout(server.settings.grace, server.close()).await.is_ok();
    let _ = ending.send(true);
    let _ = timeout(LAST, async { while connections.join_next().await.is_some() {} }).await;
    connections.shutdown().await;
    Ok(all_reverted)
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = room.clone().acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

/// Sets the socket up. What is held for a client is bounded, and it is the kernel that gives the connection up when the
/// client takes none of it for so long: it alone sees a client that takes a little now and then, and one that takes
/// nothing while there is nothing more to be written, as in a quiet stream of events.
fn prepare(stream: &TcpStream, within: Duration) {
    let _ = stream.set_nodelay(true);
    let _ = sockopt::set_socket_send_buffer_size(stream, UNSENT);
    #[cfg(target_os = "linux")]
    let _ = sockopt::set_tcp_user_timeout(stream, u32::try_from(within.as_millis()).unwrap_or(u32::MAX));
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    app: Router,
    mut ended: watch::Receiver<bool>,
) {
    let service = TowerToHyperService::new(app);
    let service =
        service_fn(move |request: Request<Incoming>| hyper::service::Service::call(&service, request.map(Body::new)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(64 << 10)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = ended.wait_for(|ended| *ended) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

fn acceptor(cert: &Path, key: &Path) -> Result<TlsAcceptor> {
    let wrong = |what: &str, path: &Path, why: String| {
        Error::new(ErrorKind::InvalidInput, format!("{what} can't be used: {why}")).with("path", path.display())
    };
    let open =
        |what: &str, path: &Path| File::open(path).map(BufReader::new).map_err(|e| wrong(what, path, e.to_string()));
    let chain: Vec<_> = CertificateDer::pem_reader_iter(open("the certificate", cert)?)
        .collect::<Result<_, _>>()
        .map_err(|e| wrong("the certificate", cert, e.to_string()))?;
    let private =
        PrivateKeyDer::from_pem_reader(open("the key", key)?).map_err(|e| wrong("the key", key, e.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong("TLS", cert, e.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|e| wrong("the certificate with its key", cert, e.to_string()))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Says where it listens.
pub(crate) fn ready(address: std::net::SocketAddr, tls: bool, as_json: bool) -> Result<(), crate::exit::Failure> {
    let url = format!("{}://{address}", if tls { "https" } else { "http" });
    if as_json {
        return output::print(&format!("{}\n", serde_json::json!({ "listening": url })));
    }
    output::note(&format!("listening on {url}: the dashboard there, the API described at {url}/docs; Ctrl-C ends it"));
    Ok(())
}
