//! `authctl daemon`: ruling the daemon itself.
//!
//! Must never: signal a process; the daemon ends itself when it is asked over its socket.

use mcp_authd_client::{AdminClient, CallError, ConnectError};

use crate::exit::{Exit, Failure};
use crate::screen;

/// `authctl daemon stop`. A daemon that is not there is stopped already.
pub(crate) async fn stop() -> Result<Exit, Failure> {
    let told = match AdminClient::find()?.stop().await {
        // It may leave before its answer does.
        Ok(()) | Err(CallError::Interrupted) => "mcp-authd is stopping; what is in flight is finished first.\n",
        Err(CallError::Connect(ConnectError::NoDaemon { .. })) => "mcp-authd is not running.\n",
        Err(error) => return Err(error.into()),
    };
    screen::print(told)?;
    Ok(Exit::Done)
}
