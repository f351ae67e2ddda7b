//! What a person may type about registered clients: `authctl client ..`.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

use crate::exit;

const LIST_HELP: &str = "\
mcp-authd registers a client of its own at a server that takes such (RFC 7591)
where no client_id is configured: one for each issuer, for all accounts there.
Its secrets are kept encrypted, and shown nowhere.

With --json, one object on standard output:
  {\"clients\" [{issuer, client_id, auth_method, standing: good, refused,
    registered_at, refused_at, secret_expires_at, grant_types, redirect_uris,
    former_client_ids}]}
Moments are seconds since 1970. What is not known is null.";

const FORGET_HELP: &str = "\
Example:
  authctl client forget https://auth.example.com

For a client that the server has deleted, or that is to be registered anew. The
next login at that issuer registers another one. The server keeps its part. A
login that was made with a client that has a secret is renewed no more; it is
told which those are, and they last until their tokens end.

With --json, one object on standard output:
  {\"outcome\":\"forgotten\" or \"not_there\", \"issuer\",
   \"renewed_no_more\" [accounts that have to be logged in to again]}";

/// The commands about registered clients.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Show the clients that mcp-authd has registered at servers
    #[command(after_help = format!("{LIST_HELP}\n\n{}", exit::HELP))]
    List(List),
    /// Forget the client that was registered at an issuer
    #[command(after_help = format!("{FORGET_HELP}\n\n{}", exit::HELP))]
    Forget(Forget),
}

/// `authctl client list`
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Print one JSON object, for a program
    #[arg(long)]
    pub(crate) json: bool,
}

/// `authctl client forget`
#[derive(Debug, Args)]
pub(crate) struct Forget {
    /// The issuer, as `authctl client list` shows it
    #[arg(value_name = "ISSUER", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) issuer: String,
    /// Print one JSON object, for a program
    #[arg(long)]
    pub(crate) json: bool,
}
