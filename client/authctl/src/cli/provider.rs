//! What a person may type about authorization servers: `authctl provider ..`.
//!
//! Must never: take a secret as an argument (P11).

mod check;

use clap::Subcommand;

pub(crate) use check::Check;

/// The commands about authorization servers.
#[derive(Debug, Subcommand)]
pub(crate) enum ProviderCommand {
    /// Find out what stands behind a URL, and how a login there would go
    #[command(after_help = check::help())]
    Check(Check),
}
