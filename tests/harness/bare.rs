//! A bare channel to a socket: it says what the client library never would, or not yet.
//!
//! Must never: know what is said.

use std::path::Path;

use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};

/// A connection of its own.
///
/// # Panics
/// If nobody listens there.
pub async fn channel(socket: impl AsRef<Path>) -> Channel {
    let socket = socket.as_ref().to_owned();
    let connector = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(hyper_util::rt::TokioIo::new) }
    });
    Endpoint::from_static("http://mcp-authd.invalid").connect_with_connector(connector).await.expect("somebody listens")
}
