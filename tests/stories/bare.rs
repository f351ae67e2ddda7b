//! A bare channel to a socket: it says what the client library never would, or not yet.

use std::path::PathBuf;

use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint};

pub(crate) async fn channel(socket: PathBuf) -> Channel {
    let connector = tower::service_fn(move |_| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(hyper_util::rt::TokioIo::new) }
    });
    Endpoint::from_static("http://mcp-authd.invalid").connect_with_connector(connector).await.unwrap()
}
