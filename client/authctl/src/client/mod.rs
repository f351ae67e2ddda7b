//! `authctl client`: the clients that mcp-authd has registered at authorization servers (RFC 7591), seen and forgotten.
//!
//! Must never: know a secret of one.

mod forget;
mod list;

use crate::cli::client::ClientCommand;
use crate::exit::{Exit, Failure};

/// `authctl client ..`.
pub(crate) async fn run(command: ClientCommand) -> Result<Exit, Failure> {
    match command {
        ClientCommand::List(list) => list::run(list).await,
        ClientCommand::Forget(forget) => forget::run(forget).await,
    }
}
