//! Who is served, and by whom (P1, P2, P16, B15, B16, B11).

mod arguments;
mod owners;
mod strangers;

use std::path::PathBuf;

use mcp_authd_tests::daemon::Daemon;

/// The folder of both sockets.
fn runtime(daemon: &Daemon) -> PathBuf {
    daemon.dirs().runtime().join("mcp-authd")
}
