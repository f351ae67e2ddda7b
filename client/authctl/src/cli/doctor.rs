//! What a person may type where something is wrong: `authctl doctor`.
//!
//! Must never: let an exit code stand for something else than the others' helps say.

use clap::Args;

const HELP: &str = "\
It looks at the folders and sockets, the lock of the records, the daemon, its
service, key, clock and limits, config.toml, each account and its server. It
starts no daemon and changes nothing. Each finding comes with the command that mends it.

Exit codes: 0 nothing is wrong, 6 no daemon answers (so that it could not be
asked about the rest), 5 the store's key is not open, 1 something else is wrong,
3 nothing but that a person has to log in, 4 nothing but that an account is
degraded or a server cannot be used. The first of these that holds counts.
2 is wrong usage.

With --json, one object on standard output:
  verdict: well, worth_knowing, wrong
  findings [{check, about, level: well, worth_knowing, wrong, message, fix}]
  check: sockets, folders, lock, daemon, start, service, config, key, clock,
    limits, account, server
  about is the path, the account or the server, where it is about one. The fix
  is a command to type. What is not known is null.";

/// `authctl doctor`
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Print one JSON object, for a program
    #[arg(long)]
    pub(crate) json: bool,
    /// Ask no server
    #[arg(long)]
    pub(crate) offline: bool,
}

/// What its help ends in.
pub(super) fn help() -> &'static str {
    HELP
}
