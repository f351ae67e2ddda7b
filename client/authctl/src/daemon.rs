//! `authctl daemon`: ruling the daemon itself.
//!
//! Must never: signal a process; the daemon ends itself when it is asked over its socket.

mod run;
mod start;
mod status;
mod stop;

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

#[cfg(test)]
mod tests {
    use super::{run, stop};
    use crate::exit::rooms;

    #[test]
    fn every_failure_is_as_committed_on_80_columns() {
        insta::assert_snapshot!(rooms::page_of("daemon", [run::tests::failures(), stop::tests::failures()]));
    }
}
