//! What a person may type.
//!
//! Must never: take a secret as an argument; everybody on the machine can read those (P11).

pub(crate) mod account;
pub(crate) mod client;
pub(crate) mod doctor;
#[cfg(test)]
mod helps;
pub(crate) mod log;
#[cfg(test)]
mod manual;
pub(crate) mod provider;
pub(crate) mod service;

use std::ffi::OsString;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand};

use crate::exit;
use account::{AccountCommand, Reload};
use client::ClientCommand;
use doctor::Doctor;
use log::Log;
use provider::ProviderCommand;
use service::ServiceCommand;

/// The person's tool for mcp-authd: log in, look, log out, hand a token to a script.
#[derive(Debug, Parser)]
#[command(name = "authctl", version, after_help = exit::HELP, arg_required_else_help = true, term_width = 80)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Log in to an account, once for all programs
    #[command(after_help = LOGIN_HELP)]
    Login(Login),
    /// Forget an account's grant, and revoke it at the server where that is possible
    #[command(after_help = exit::HELP)]
    Logout(Logout),
    /// Print an access token, and nothing else, on standard output
    #[command(after_help = exit::HELP)]
    Token(Token),
    /// Show the daemon and its accounts, what is wrong and the command that mends it
    #[command(after_help = format!("{STATUS_HELP}\n\n{}", exit::HELP))]
    Status(Status),
    /// Say what is wrong, and the command that mends it. Starts nothing
    #[command(after_help = doctor::help())]
    Doctor(Doctor),
    /// Tell what has happened to the accounts, and which program was given which token. Starts nothing
    #[command(after_help = log::help())]
    Log(Log),
    /// Add, look at and remove accounts
    Account {
        /// What to do.
        #[command(subcommand)]
        command: AccountCommand,
    },
    /// Look at and forget the clients that mcp-authd has registered at servers
    Client {
        /// What to do.
        #[command(subcommand)]
        command: ClientCommand,
    },
    /// Look at authorization servers, and at the providers that an account can name
    Provider {
        /// What to do.
        #[command(subcommand)]
        command: ProviderCommand,
    },
    /// Have config.toml read again, after a change by hand
    Reload(Reload),
    /// Have the service manager of this machine start the daemon, or not any more
    Service {
        /// What to do.
        #[command(subcommand)]
        command: ServiceCommand,
    },
    /// Start, stop and look at the daemon itself
    Daemon {
        /// What to do.
        #[command(subcommand)]
        command: DaemonCommand,
    },
}

/// The commands about the daemon itself.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum DaemonCommand {
    /// Start the daemon as programs do, and wait until it serves
    #[command(after_help = exit::HELP)]
    Start,
    /// End the daemon, and its service; what is in flight is finished first. No program starts it again until `authctl daemon start`
    #[command(after_help = exit::HELP)]
    Stop,
    /// Show whether it runs, where, who owns the store, and how it would be started. Starts nothing
    #[command(after_help = format!("{DAEMON_STATUS_HELP}\n\n{}", exit::HELP))]
    Status(DaemonStatus),
    /// Become the daemon, in the foreground
    Run(DaemonRun),
}

/// `authctl daemon status`
#[derive(Debug, Clone, Args)]
pub(crate) struct DaemonStatus {
    /// Print one JSON object, for a program
    #[arg(long)]
    pub(crate) json: bool,
}

/// `authctl daemon run`
#[derive(Debug, Clone, Args)]
pub(crate) struct DaemonRun {
    /// Arguments for mcp-authd, as they are: see mcp-authd --help
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    pub(crate) arguments: Vec<OsString>,
}

const DAEMON_STATUS_HELP: &str = "\
With --json, one object on standard output:
  running, version, pid, started_at, tokens_socket, admin_socket,
  looked_at [the sockets that were tried], state_folder, log,
  owner {pid, socket, runs}, stopped_by_hand, stopped_at,
  start {how: never, manager, program, detail},
  service {listens, runs, failure}
Moments are seconds since 1970. What is not known is null.";

const LOGIN_HELP: &str = "\
With --json, one JSON object per line on standard output:
  {\"event\":\"sign_in\", \"account\", \"id\", \"kind\":\"device\", \"verification_uri\",
   \"verification_uri_complete\", \"user_code\", \"expires_in\", \"asked_by\",
   \"purpose\": first, again, more_access (the present token serves), unknown}
  {\"event\":\"sign_in\", ..., \"kind\":\"browser\", \"authorization_uri\", ...}
  {\"event\":\"already_logged_in\", \"account\"}
  {\"event\":\"taken\", \"account\"}              (for --paste: it is being used)
  {\"event\":\"not_taken\", \"message\", \"next_step\"}    (for --paste: try again)
  {\"event\":\"cancelled\", \"account\"}          (for --cancel)
  {\"event\":\"settled\", \"account\", \"outcome\", \"message\", \"next_step\"}
  outcome: granted, denied, expired, cancelled, failed, other_subject,
    no_subject, unknown
Times are whole seconds. What is not known is null.

With --paste the address that the browser shows at the end is read from
standard input, one line; never from an argument, which others can read.

Exit codes: 0 logged in, 1 failed, 2 wrong usage, 6 no daemon, 7 ended without
a login, 130 the waiting was stopped; the login itself goes on.";

const STATUS_HELP: &str = "\
The exit code tells the worst of the key and the accounts: 5 before 3 before 4,
and 0 where all is good; 6 where no daemon answers. A login that waits, and one
for more access, count as 3.

With --json, one object on standard output:
  schema, running, verdict (good, login_required, degraded, locked, not_running,
  failed), message, authctl_version, version, pid, started_at, started_by
  (person, program, manager, unknown), service {manager (systemd, launchd),
  name, file}, socket {path, named}, key {source, state (open, locked, wrong,
  loading, unknown)}, config_path, static_token {variable, path}, accounts
  [{name, issuer, client_id, token_file, resources, scopes, not_granted,
  revision, health (good, login_required, signing_in, degraded, locked, loading,
  removed, unknown), message, next_step, last_sign_in_end (granted, denied,
  expired, cancelled, failed, other_subject, no_subject, unknown), last_use {at,
  program, pid}, grant {scopes, expires_at, expires_in, obtained_at,
  refreshed_at, renewable, refreshing, subject}, sign_in {id, purpose (first,
  again, more_access, unknown), expires_in, asked_by}}]
Lengths are seconds, moments seconds since 1970. What is not known is null. No
key goes away while schema is 1; keys and words are added. --schema tells each.

With --watch, a screen of its own on a terminal; in a pipe, a fresh block for
each change, or a line with --json. A daemon that goes is waited for. Ctrl-C
ends the watching, with exit code 0.";

/// `authctl login`
#[derive(Debug, Args)]
pub(crate) struct Login {
    /// The account. May be left out where there is only one
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) account: Option<String>,
    /// Open no browser; only show where to go
    #[arg(long)]
    pub(crate) no_browser: bool,
    /// Draw no QR code. None is drawn in a pipe, without colours, or where it has no room
    #[arg(long)]
    pub(crate) no_qr: bool,
    /// Tell what happens as JSON, for a program; opens no browser
    #[arg(long)]
    pub(crate) json: bool,
    /// Take the answer of a browser on another machine by hand: over SSH, in a container or WSL. Opens no browser
    #[arg(long)]
    pub(crate) paste: bool,
    /// End the login that waits. What the account holds is not touched
    #[arg(long, conflicts_with_all = ["again", "replace", "no_browser", "no_qr", "paste"])]
    pub(crate) cancel: bool,
    /// Log in although the account holds a good token
    #[arg(long)]
    pub(crate) again: bool,
    /// Log in again, and let another user come into the account
    #[arg(long)]
    pub(crate) replace: bool,
}

/// `authctl logout`
#[derive(Debug, Args)]
pub(crate) struct Logout {
    /// The account. May be left out where there is only one
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) account: Option<String>,
}

/// `authctl token`
#[derive(Debug, Args)]
pub(crate) struct Token {
    /// The account. May be left out where there is only one
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) account: Option<String>,
    /// The account for this protected resource (RFC 8707), matched byte for byte
    #[arg(long, value_name = "URI", conflicts_with = "account", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) resource: Option<String>,
    /// A scope that the token must cover; may be repeated
    #[arg(long = "scope", value_name = "SCOPE", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) scopes: Vec<String>,
    /// How long the token must still live: 90s, 5m, 1h30m
    #[arg(long, value_name = "TIME", value_parser = length_of_time)]
    pub(crate) min_validity: Option<Duration>,
    /// Begin a login where one is needed, and wait for the token
    #[arg(long)]
    pub(crate) wait: bool,
    /// Print the token although standard output is a terminal
    #[arg(long)]
    pub(crate) force: bool,
    /// Print the token as a JSON object: account, access_token, token_type, expires_in (seconds), scopes, resource
    #[arg(long)]
    pub(crate) json: bool,
}

/// `authctl status`
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Print one JSON object, for a program
    #[arg(long)]
    pub(crate) json: bool,
    /// Stay, and show each change until Ctrl-C
    #[arg(long)]
    pub(crate) watch: bool,
    /// Print the JSON Schema of --json, and ask nobody
    #[arg(long, conflicts_with_all = ["json", "watch"])]
    pub(crate) schema: bool,
}

/// `90s`, `5m`, `1h30m`, `45` (seconds).
fn length_of_time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is no length of time; write it like 90s, 5m or 1h30m");
    let mut seconds: u64 = 0;
    let mut rest = text;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let number: u64 = number.parse().map_err(|_| wrong())?;
        let (unit, tail) = match tail.chars().next() {
            Some('s') => (1, tail.strip_prefix('s')),
            Some('m') => (60, tail.strip_prefix('m')),
            Some('h') => (3600, tail.strip_prefix('h')),
            Some('d') => (86_400, tail.strip_prefix('d')),
            Some(_) => return Err(wrong()),
            None => (1, Some("")),
        };
        seconds = number.checked_mul(unit).and_then(|more| seconds.checked_add(more)).ok_or_else(wrong)?;
        rest = tail.unwrap_or_default();
    }
    Ok(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_commands_are_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_length_of_time_is_read_with_its_units() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("1h30m", 5400), ("45", 45), ("2d", 172_800), ("0", 0)] {
            assert_eq!(length_of_time(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn a_wrong_length_of_time_is_told_with_an_example() {
        for text in ["", "m", "5x", "-5m", "5 m", "1.5h", "99999999999999999999s", "300000000000000000d", "5\u{661}m"] {
            assert!(length_of_time(text).unwrap_err().contains("1h30m"), "{text}");
        }
    }

    #[test]
    fn an_account_and_a_resource_exclude_each_other() {
        assert!(Cli::try_parse_from(["authctl", "token", "github", "--resource", "https://mcp.example/"]).is_err());
        assert!(Cli::try_parse_from(["authctl", "token", "--resource", "https://mcp.example/", "--min-validity", "5m"]).is_ok());
    }

    #[test]
    fn an_empty_or_option_like_account_is_wrong_usage() {
        assert!(Cli::try_parse_from(["authctl", "login", ""]).is_err());
        assert!(Cli::try_parse_from(["authctl", "login", "-rf"]).is_err());
    }
}
