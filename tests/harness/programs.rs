//! Programs that want tokens: the client library on the sockets of a daemon under test.

use mcp_authd_client::{AdminClient, Client, Sockets};

use crate::daemon::Daemon;

/// A program with a connection of its own.
#[must_use]
pub fn program(daemon: &Daemon) -> Client {
    Client::new(&Sockets::at(daemon.tokens_socket()))
}

/// The person's tool.
#[must_use]
pub fn tool(daemon: &Daemon) -> AdminClient {
    AdminClient::new(&Sockets::at(daemon.tokens_socket()))
}
