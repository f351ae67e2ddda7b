//! What a person may type about accounts: `authctl account ..` and `authctl reload`.
//!
//! Must never: take a secret as an argument (P11); `set-secret` reads it from standard input.

use std::path::{Path, PathBuf};

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgGroup, Args, Subcommand};

use crate::exit;

const ADD_USAGE: &str = "\
authctl account add [NAME] URL [--client-id ID] [OPTIONS]
       authctl account add [NAME] --resource URL [--client-id ID] [OPTIONS]
       authctl account add [NAME] --issuer URL [--client-id ID] [OPTIONS]
       authctl account add [NAME] --provider NAME [--client-id ID] [OPTIONS]
       authctl account add [NAME] --device-authorization-endpoint URL \\
                --token-endpoint URL --client-id ID [OPTIONS]
       authctl account add [NAME] --token-file PATH [OPTIONS]";

const ADD_HELP: &str = "\
Examples:
  authctl account add https://mcp.example.com/mcp
  authctl account add work --issuer https://auth.example.com --client-id abc \\
    --scope openid --scope offline_access
  authctl account add azure --provider entra --client-id abc \\
    --provider-parameter tenant=contoso.example
  authctl account add old --client-id abc \\
    --device-authorization-endpoint https://auth.example.com/device \\
    --token-endpoint https://auth.example.com/token
  authctl account add ci --token-file /run/secrets/ci-token

With a URL the daemon finds out the resource, its authorization server, and the
scopes by itself (RFC 9728, RFC 8414), and --issuer chooses one of several
servers. What you say yourself stands: a --resource is sent as it is written.
To see what it finds, and write nothing: authctl provider check URL

Without --client-id the daemon registers a client of its own (RFC 7591), where
the server lets it.

The daemon writes it into config.toml and serves it at once; whatever else is in
the file stays as it is. Doing it again changes nothing. Where the file cannot
be written, the text to paste is printed on standard output, alone.

With --json, one object on standard output:
  {\"outcome\":\"added\" or \"present\", \"account\" (as in status --json),
   \"config_path\", \"next_step\", \"found\" (as in provider check --json; null
   where nothing had to be found out)}
  {\"outcome\":\"not_written\", \"message\", \"next_step\", \"text\", \"config_path\",
   \"problems\" [{line, message}]}";

const LIST_HELP: &str = "\
With --json, one object on standard output: {\"accounts\" (as in status --json)}.";

const SHOW_HELP: &str = "\
With --json, one object on standard output: an account as in status --json.";

const REMOVE_HELP: &str = "\
Examples:
  authctl account remove work
  authctl account remove work --yes    (does not ask; for a pipe or a script)

With --json, one object on standard output:
  {\"outcome\":\"removed\", \"account\", \"erased\", \"revocation\": nothing, no_endpoint,
   sent, unknown}
  {\"outcome\":\"not_written\", ...}               (as for account add)";

const SET_SECRET_HELP: &str = "\
Examples:
  authctl account set-secret work                    (asks, and shows nothing)
  pass show work-client | authctl account set-secret work
  authctl account set-secret work --forget

The secret is read from standard input, one line of at most 4096 bytes; never
from an argument or the environment, which others can read. The daemon keeps it
encrypted, and sends it to the token endpoint of that account's server only.";

const RELOAD_HELP: &str = "\
The daemon reads config.toml again, as it does on SIGHUP. What does not hold
changes nothing: every mistake is told with its line.

With --json, one object on standard output:
  {\"outcome\":\"reloaded\", \"added\", \"removed\", \"changed\", \"signed_out\",
   \"unchanged\", \"network_changed\", \"config_path\"}
  {\"outcome\":\"not_written\", ...}               (as for account add)";

/// The commands about accounts.
#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Write an account into config.toml, and serve it at once
    #[command(after_help = format!("{ADD_HELP}\n\n{}", exit::HELP))]
    Add(Box<Add>),
    /// List the accounts, one a line
    #[command(after_help = format!("{LIST_HELP}\n\n{}", exit::HELP))]
    List(List),
    /// Show everything that is known about one account
    #[command(after_help = format!("{SHOW_HELP}\n\n{}", exit::HELP))]
    Show(Show),
    /// Take an account out of config.toml, forget its login, and revoke it
    #[command(after_help = format!("{REMOVE_HELP}\n\n{}", exit::HELP))]
    Remove(Remove),
    /// Give the daemon the secret of an account's client, on standard input
    #[command(after_help = format!("{SET_SECRET_HELP}\n\n{}", exit::HELP))]
    SetSecret(SetSecret),
}

/// `authctl account add`
#[derive(Debug, Default, Args)]
#[command(override_usage = ADD_USAGE, group(ArgGroup::new("where from").args(["issuer", "device_authorization_endpoint", "token_file"])))]
pub(crate) struct Add {
    /// What to call it. Left out: made from the host of the resource or issuer
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) name: Option<String>,
    /// The MCP server or another resource, by nothing but its URL
    #[arg(conflicts_with_all = ["device_authorization_endpoint", "token_file"], value_parser = NonEmptyStringValueParser::new())]
    pub(crate) url: Option<String>,
    /// The authorization server, where it publishes its metadata (RFC 8414)
    #[arg(long, value_name = "URL", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) issuer: Option<String>,
    /// In the place of the issuer, for a server without metadata (RFC 8628)
    #[arg(long, value_name = "URL", requires = "token_endpoint", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) device_authorization_endpoint: Option<String>,
    /// Beside the device authorization endpoint
    #[arg(long, value_name = "URL", requires = "device_authorization_endpoint", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) token_endpoint: Option<String>,
    /// Beside them, where there is one (RFC 7009)
    #[arg(long, value_name = "URL", requires = "device_authorization_endpoint", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) revocation_endpoint: Option<String>,
    /// A server that mcp-authd knows how to talk to: authctl provider list
    #[arg(long, value_name = "NAME", conflicts_with = "token_file", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) provider: Option<String>,
    /// What the provider asks each account for; may be repeated
    #[arg(long = "provider-parameter", value_name = "KEY=VALUE", requires = "provider", value_parser = parameter)]
    pub(crate) provider_parameters: Vec<(String, String)>,
    /// In the place of a login: a file that holds an access token
    #[arg(long, value_name = "PATH", value_parser = absolute)]
    pub(crate) token_file: Option<String>,
    /// The client, as the server knows it
    #[arg(long, value_name = "ID", conflicts_with = "token_file", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) client_id: Option<String>,
    /// In the place of a client ID: the URL of a metadata document, where the server takes one
    #[arg(long, value_name = "URL", conflicts_with_all = ["client_id", "token_file"], value_parser = NonEmptyStringValueParser::new())]
    pub(crate) client_id_metadata_document: Option<String>,
    /// How a login goes: device (a code), code (a browser). Left out: the server decides
    #[arg(long, value_name = "FLOW", conflicts_with = "token_file", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) flow: Option<String>,
    /// What a login asks for; may be repeated
    #[arg(long = "scope", value_name = "SCOPE", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) scopes: Vec<String>,
    /// The protected resource (RFC 8707), sent byte for byte
    #[arg(long, value_name = "URI", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) resource: Option<String>,
    /// For servers that want an audience in the place of the resource
    #[arg(long, value_name = "AUDIENCE", conflicts_with = "token_file", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) audience: Option<String>,
    /// A further parameter of the login's first request; may be repeated
    #[arg(long = "parameter", value_name = "KEY=VALUE", conflicts_with = "token_file", value_parser = parameter)]
    pub(crate) parameters: Vec<(String, String)>,
    /// How the client proves who it is: none, client_secret_basic, client_secret_post
    #[arg(long, value_name = "METHOD", conflicts_with = "token_file", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) token_endpoint_auth_method: Option<String>,
    /// A file with the client's secret; the daemon reads it. Else: account set-secret
    #[arg(long, value_name = "PATH", conflicts_with = "token_file", value_parser = absolute)]
    pub(crate) client_secret_file: Option<String>,
    /// Print one JSON object, for a program
    #[arg(long)]
    pub(crate) json: bool,
}

/// `authctl account list`
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Print one JSON object, for a program
    #[arg(long)]
    pub(crate) json: bool,
}

/// `authctl account show`
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The account. May be left out where there is only one
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) name: Option<String>,
    /// Print one JSON object, for a program
    #[arg(long)]
    pub(crate) json: bool,
}

/// `authctl account remove`
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// The account
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) name: String,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print one JSON object, for a program; wants --yes
    #[arg(long, requires = "yes")]
    pub(crate) json: bool,
}

/// `authctl account set-secret`
#[derive(Debug, Args)]
pub(crate) struct SetSecret {
    /// The account. May be left out where there is only one
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) name: Option<String>,
    /// Forget the secret that is kept
    #[arg(long)]
    pub(crate) forget: bool,
}

/// `authctl reload`
#[derive(Debug, Args)]
#[command(after_help = format!("{RELOAD_HELP}\n\n{}", exit::HELP))]
pub(crate) struct Reload {
    /// Print one JSON object, for a program
    #[arg(long)]
    pub(crate) json: bool,
}

/// The daemon does not stand where the person stands, so it is told the whole path.
fn absolute(path: &str) -> Result<String, String> {
    if path == "~" || path.starts_with("~/") {
        let rest = path.trim_start_matches('~');
        return Err(format!("the shell has not replaced the '~' here; write \"$HOME{rest}\""));
    }
    let whole: PathBuf = std::path::absolute(Path::new(path)).map_err(|why| format!("{why}; write the path in full"))?;
    whole.into_os_string().into_string().map_err(|_| "the path is not UTF-8; move the file to one that is".to_owned())
}

fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it like KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn add(arguments: &[&str]) -> Result<Add, clap::Error> {
        let all = ["authctl", "account", "add"].iter().chain(arguments);
        Cli::try_parse_from(all).map(|cli| match cli.command {
            Command::Account { command: AccountCommand::Add(add) } => *add,
            other => panic!("{other:?}"),
        })
    }

    const ISSUER: [&str; 4] = ["--issuer", "https://as.example", "--client-id", "abc"];

    #[test]
    fn an_account_has_one_place_where_its_tokens_come_from() {
        assert!(add(&ISSUER).is_ok());
        assert!(add(&["--token-file", "/t"]).is_ok());
        assert!(add(&["--provider", "entra", "--provider-parameter", "tenant=x", "--flow", "code"]).is_ok());
        let endpoints = ["--device-authorization-endpoint", "https://as.example/d", "--client-id", "abc"];
        assert!(add(&[&endpoints[..], &["--token-endpoint", "https://as.example/t"]].concat()).is_ok());

        for wrong in [
            &endpoints[..],
            &["--token-endpoint", "https://as.example/t", "--client-id", "abc"],
            &["--token-file", "/t", "--client-id", "abc"],
            &["--token-file", "/t", "--client-secret-file", "/s"],
            &[&ISSUER[..], &["--token-file", "/t"]].concat(),
            &[&ISSUER[..], &["--revocation-endpoint", "https://as.example/r"]].concat(),
            &[&ISSUER[..], &["--resource", ""]].concat(),
            &["work", "https://mcp.example/mcp", "--token-file", "/t"],
            &["--provider", "entra", "--token-file", "/t"],
            &[&ISSUER[..], &["--provider-parameter", "tenant=x"]].concat(),
            &[&ISSUER[..], &["--client-id-metadata-document", "https://me.example/c.json"]].concat(),
        ] {
            assert!(add(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_relative_path_is_made_whole_and_a_tilde_is_told() {
        let here = std::env::current_dir().unwrap();
        let add_file = |path| add(&["--token-file", path]);
        assert_eq!(add_file("a/token").unwrap().token_file.unwrap(), here.join("a/token").to_str().unwrap());
        assert_eq!(add_file("/a/token").unwrap().token_file.as_deref(), Some("/a/token"));
        assert!(add_file("~/token").unwrap_err().to_string().contains("write \"$HOME/token\""));
        assert!(add_file("").is_err());
    }

    #[test]
    fn a_parameter_is_split_at_its_first_equals_sign() {
        let with = |text| add(&[&ISSUER[..], &["--parameter", text]].concat()).map(|add| add.parameters);
        assert_eq!(with("a=b=c").unwrap(), [("a".to_owned(), "b=c".to_owned())]);
        assert_eq!(with("a=").unwrap(), [("a".to_owned(), String::new())]);
        assert!(with("=b").unwrap_err().to_string().contains("KEY=VALUE"));
        assert!(with("ab").is_err());
    }

    #[test]
    fn no_argument_takes_a_secret() {
        for arguments in [&["set-secret", "work", "hunter2"][..], &["set-secret", "work", "--secret", "hunter2"]] {
            assert!(Cli::try_parse_from(["authctl", "account"].iter().chain(arguments)).is_err(), "{arguments:?}");
        }
    }
}
