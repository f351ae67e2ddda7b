//! The two servers: their services, health, reflection and limits (B24, B25, B26).

use std::io;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use mcp_authd_proto::FILE_DESCRIPTOR_SET;
use mcp_authd_proto::v1::admin_server::AdminServer;
use mcp_authd_proto::v1::tokens_server::TokensServer;
use tonic::transport::Server;

use super::Face;
use super::admin::AdminFace;
use super::guarded::Guarded;
use super::tokens::TokensFace;
use crate::host::sockets::Connection;

/// The largest message, both ways (DESIGN, section 7).
const LARGEST_MESSAGE: usize = 128 * 1024;
/// tonic leaves it unlimited.
const MOST_STREAMS: u32 = 256;
const LARGEST_HEADERS: u32 = 16 * 1024;
/// A peer that has stopped reading and answering is let go.
const KEEP_ALIVE: Duration = Duration::from_secs(60);

/// A face cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The descriptors that are compiled in do not decode: a bug.
    #[error("the compiled descriptors of authd.v1 cannot be read")]
    Descriptors,
    /// The server ended with an error.
    #[error("the server on a socket ended: {0}")]
    Ended(#[from] tonic::transport::Error),
}

/// Serves programs until the daemon leaves.
///
/// # Errors
/// Where the server ends otherwise.
pub async fn serve_tokens(
    face: Face,
    connections: impl Stream<Item = io::Result<Connection>> + Send + 'static,
) -> Result<(), ServeError> {
    let tasks = face.tasks.clone();
    let connections = guarded(&face, connections);
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<TokensServer<TokensFace>>().await;
    let service =
        TokensServer::new(TokensFace(face)).max_decoding_message_size(LARGEST_MESSAGE).max_encoding_message_size(LARGEST_MESSAGE);
    let router = server().add_service(health_service).add_service(reflection()?).add_service(service);
    Ok(router.serve_with_incoming_shutdown(connections, async move { tasks.stopping().await }).await?)
}

/// Serves the person until the daemon leaves.
///
/// # Errors
/// Where the server ends otherwise.
pub async fn serve_admin(
    face: Face,
    connections: impl Stream<Item = io::Result<Connection>> + Send + 'static,
) -> Result<(), ServeError> {
    let tasks = face.tasks.clone();
    let connections = guarded(&face, connections);
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<AdminServer<AdminFace>>().await;
    let service =
        AdminServer::new(AdminFace(face)).max_decoding_message_size(LARGEST_MESSAGE).max_encoding_message_size(LARGEST_MESSAGE);
    let router = server().add_service(health_service).add_service(reflection()?).add_service(service);
    Ok(router.serve_with_incoming_shutdown(connections, async move { tasks.stopping().await }).await?)
}

fn guarded(
    face: &Face,
    connections: impl Stream<Item = io::Result<Connection>> + Send + 'static,
) -> impl Stream<Item = io::Result<Guarded<Connection>>> + Send + 'static {
    let (clock, tasks) = (face.clock.clone(), face.tasks.clone());
    connections.map(move |connection| connection.map(|connection| Guarded::new(connection, &clock, &tasks)))
}

fn server() -> Server {
    Server::builder()
        .max_concurrent_streams(MOST_STREAMS)
        .http2_max_header_list_size(LARGEST_HEADERS)
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE / 3))
}

fn reflection()
-> Result<tonic_reflection::server::v1::ServerReflectionServer<impl tonic_reflection::server::v1::ServerReflection>, ServeError> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|_| ServeError::Descriptors)
}
