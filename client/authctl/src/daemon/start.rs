//! `authctl daemon start`: lifts the stop mark, starts the daemon as programs do, and waits until it serves.
//!
//! Must never: start it where a rule forbids it.

use std::path::Path;

use mcp_authd_client::start::StopMark;
use mcp_authd_client::status::DaemonStatus;
use mcp_authd_client::{AdminClient, CallError, ConnectError, Sockets};

use crate::exit::{Exit, Failure};
use crate::screen::{self, Page};
use crate::service::{self, Managed};

/// `authctl daemon start`. One that runs is started already.
pub(super) async fn run() -> Result<Exit, Failure> {
    let sockets = Sockets::find()?;
    if !sockets.are_named() {
        StopMark::find().and_then(|mark| mark.lift())?;
        service::listen().await?;
    }
    // Behind the sockets of a service manager it is started by the first call.
    let managed = if sockets.are_named() { Managed::No } else { Managed::look().await };
    let running = AdminClient::new(&sockets).never_starting();
    let (client, status, how) = match running.status().await {
        Ok(status) => (running, status, if managed.waits() { "is running" } else { "is running already" }),
        // Where a service manager took the connection and its service failed, the second call says why.
        Err(CallError::Connect(ConnectError::NoDaemon { .. }) | CallError::Interrupted | CallError::Silent { .. }) => {
            let client = AdminClient::new(&sockets);
            let status = client.status().await?;
            (client, status, "is running")
        }
        Err(error) => return Err(error.into()),
    };
    screen::print(&told(&status, how, &programs_socket(&client, &sockets)))?;
    Ok(Exit::Done)
}

/// The socket for programs, beside the one that has answered.
fn programs_socket(client: &AdminClient, sockets: &Sockets) -> String {
    let folder = client.socket().and_then(Path::parent);
    let tokens = sockets.tokens().into_iter().find(|tokens| tokens.parent() == folder);
    tokens.map(|tokens| tokens.display().to_string()).unwrap_or_default()
}

/// The line of the socket is never broken: it is for copying.
fn told(status: &DaemonStatus, how: &str, socket: &str) -> String {
    let page = Page::of_stdout();
    let first = page.paragraph(&format!("mcp-authd {} {how} (pid {}).", status.version, status.pid));
    first + &page.whole("programs", socket, None)
}
