//! Endpoints of the target's loopback, read through the connection: no port needs to be open to the network.

use std::sync::Arc;

use chaos_core::{
    clock::Clock,
    error::Result,
    transport::{Reply, Request},
    transports::http,
};

use crate::connection::Connection;

/// Answers `GET http://127.0.0.1:port/path` as seen from the target.
///
/// # Errors
/// As [`http::get`].
pub(crate) fn get(
    connection: Arc<Connection>,
    port: u16,
    path: &str,
    request: &Request,
    clock: &Arc<dyn Clock>,
) -> Result<Reply> {
    let connect = async move { Ok(connection.forward(port).await?.into_stream()) };
    http::get(connect, port, path, request, clock)
}
