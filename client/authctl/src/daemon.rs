//! `authctl daemon`: ruling the daemon itself.
//!
//! Must never: signal a process; the daemon ends itself when it is asked over its socket.

mod run;
mod start;
mod status;
mod stop;

use mcp_authd_client::start::NotStarted;

use crate::cli::DaemonCommand;
use crate::exit::{Exit, Failure};

/// `authctl daemon ..`.
pub(crate) async fn rule(command: DaemonCommand) -> Result<Exit, Failure> {
    match command {
        DaemonCommand::Start => start::run().await,
        DaemonCommand::Stop => stop::run().await,
        DaemonCommand::Status(options) => status::run(options).await,
        DaemonCommand::Run(options) => run::run(&options),
    }
}

/// The message ends in what to type.
fn failed(exit: Exit, why: &NotStarted) -> Failure {
    Failure { exit, message: why.to_string(), next_step: None }
}
