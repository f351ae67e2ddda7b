//! What a person may type to look at a server before anything is written: `authctl provider check URL`.
//!
//! Must never: take a secret as an argument (P11).

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use crate::exit;

const HELP: &str = "\
Examples:
  authctl provider check https://mcp.example.com/mcp
  authctl provider check https://auth.example.com

The daemon asks the resource for its challenge and its metadata (RFC 9728), and
the authorization server for its own (RFC 8414). No secret is sent, nothing is
saved, and no account is needed. The exit code is 0 where somebody could log in.

With --json, one object on standard output:
  {\"outcome\":\"found\", \"url\", \"login_possible\", \"next_step\",
   \"resource\" {resource, metadata_url, metadata_place: challenge, well_known,
     nowhere; authorization_servers, scopes_from: challenge, metadata, nobody;
     findings},
   \"passed_over\" [{issuer, message}],
   \"server\" {issuer, endpoints {NAME: URL}, scopes, way: device, code; why,
     client: configured, metadata_document, registered, to_be_registered,
     missing; client_id, client_message, findings [{is_breach, message}]}}
  {\"outcome\":\"not_found\", \"message\", \"next_step\"}
What is not known is null.";

/// `authctl provider check`
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The URL of an MCP server or another resource, or of an authorization server
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) url: String,
    /// One of the authorization servers that the resource names. Left out: the first that can be used
    #[arg(long, value_name = "URL", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) issuer: Option<String>,
    /// The client that the account would have, where the server knows one of yours
    #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) client_id: Option<String>,
    /// Print one JSON object, for a program
    #[arg(long)]
    pub(crate) json: bool,
}

/// What its help ends in.
pub(super) fn help() -> String {
    format!("{HELP}\n\n{}", exit::HELP)
}
