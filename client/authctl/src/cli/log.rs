//! What a person may type to read what has happened: `authctl log`.

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

const HELP: &str = "\
The daemon keeps the last of it in memory, since it has started: at most 500
entries of what has happened, and at most 500 of tokens that were given; of
those that are told first, half are of each kind where there are so many. What
it said before stands in the journal of the service; or, without the tokens, in
the log of a daemon that a program or launchd has started. Times of day are in
UTC.

A program that is given the same token again on the same connection is told of
once more, with how often, when the token changes or the connection ends.

With --json, one object per line on standard output:
  {number, at, level: info, warning, error, unknown,
   kind: event, audit, unknown, account, message, fields {name: text}, missed}
The fields of an audit line, each where it is known: uid, pid, process_start
(milliseconds since 1970), program, asked_as, scopes, resource, expires_in
(seconds), how, again. A token is never among them.
Moments are seconds since 1970. What is not known is null. missed: how many were
lost just before this one, as they came faster than they were read.

With --follow a daemon that goes is waited for; Ctrl-C ends it, with exit
code 0.

Exit codes: 0 done, 1 failed, 2 wrong usage, 6 mcp-authd is not running.";

/// `authctl log`
#[derive(Debug, Clone, Args)]
pub(crate) struct Log {
    /// Only what has to do with this account
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) account: Option<String>,
    /// Stay, and tell what comes until Ctrl-C
    #[arg(long)]
    pub(crate) follow: bool,
    /// How many of the latest are told first
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    pub(crate) last: u32,
    /// Print one JSON object per line, for a program
    #[arg(long)]
    pub(crate) json: bool,
}

/// What its help ends in.
pub(super) fn help() -> &'static str {
    HELP
}
