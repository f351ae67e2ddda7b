//! `authctl provider`: what authorization servers there are, and what stands behind a URL.
//!
//! Must never: ask a server by itself; the daemon does.

mod check;
pub(crate) mod found;

use crate::cli::provider::ProviderCommand;
use crate::exit::{Exit, Failure};

/// `authctl provider ..`.
pub(crate) async fn run(command: ProviderCommand) -> Result<Exit, Failure> {
    match command {
        ProviderCommand::Check(check) => check::run(check).await,
    }
}
