//! A bare channel to a socket: it says what the client library never would, or not yet.
//!
//! Must never: know what is said.

use std::path::Path;

use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};

const NOWHERE: &str = "http://mcp-authd.invalid";

/// A connection of its own.
///
/// # Panics
/// If nobody listens there.
pub async fn channel(socket: impl AsRef<Path>) -> Channel {
    connected(socket, Endpoint::from_static(NOWHERE)).await
}

/// The same for a slow reader: of a stream only so many bytes are on their way to it before it reads.
///
/// # Panics
/// If nobody listens there.
pub async fn narrow_channel(socket: impl AsRef<Path>, window: u32) -> Channel {
    connected(socket, Endpoint::from_static(NOWHERE).initial_stream_window_size(window)).await
}

async fn connected(socket: impl AsRef<Path>, endpoint: Endpoint) -> Channel {
    let socket = socket.as_ref().to_owned();
    let connector = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(hyper_util::rt::TokioIo::new) }
    });
    endpoint.connect_with_connector(connector).await.expect("somebody listens")
}
