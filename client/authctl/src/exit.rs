//! How authctl ends: its exit codes, and what it says when something failed.
//!
//! Must never: let a failure end without the next thing to type.

use std::io;
use std::process::ExitCode;

use mcp_authd_client::start::NotStarted;
use mcp_authd_client::{CallError, ConnectError, Reason, Sockets, StaticTokenError, WatchError};

use crate::screen::{self, advice};

/// The exit codes, as every `--help` shows them.
pub(crate) const HELP: &str = "\
Exit codes:
    0  done; for status: everything is good
    1  failed
    2  wrong usage
    3  a person has to log in
    4  degraded: it works or tries again by itself, but something is wrong
    5  the store's key is not open
    6  mcp-authd is not running
    7  the login ended without a grant
    8  logged out, but the record is not erased yet
  130  the waiting was stopped by the person";

/// An exit code. The numbers are part of the tool's face: scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done; for status: everything is good.
    Done = 0,
    /// Failed in a way that has no code of its own.
    Failed = 1,
    /// Wrong usage.
    Usage = 2,
    /// A person has to log in.
    LoginRequired = 3,
    /// It works or tries again by itself, but something is wrong.
    Degraded = 4,
    /// The store's key is not open.
    Locked = 5,
    /// There is no daemon.
    NotRunning = 6,
    /// The login ended without a grant.
    NotGranted = 7,
    /// Logged out, but the record is not erased yet.
    NotErased = 8,
    /// The person stopped the waiting (128 + SIGINT).
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// The code for a refusal.
    pub(crate) fn for_reason(reason: Reason) -> Self {
        match reason {
            Reason::LoginRequired
            | Reason::SignedOut
            | Reason::Denied
            | Reason::TooManyPrompts
            | Reason::InsufficientScope
            | Reason::TokenRejected
            | Reason::AccountMismatch => Self::LoginRequired,
            Reason::Unavailable | Reason::NotSaved => Self::Degraded,
            Reason::Locked => Self::Locked,
            _ => Self::Failed,
        }
    }
}

/// A command that did not do what it was asked.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: Exit,
    /// What is wrong, for a person.
    pub(crate) message: String,
    /// What to type next. `None`: the message ends in it.
    pub(crate) next_step: Option<String>,
}

impl Failure {
    /// A failure with its next step.
    #[cfg_attr(test, track_caller)]
    pub(crate) fn new(exit: Exit, message: impl Into<String>, next_step: impl Into<String>) -> Self {
        let failure = Self { exit, message: message.into(), next_step: Some(next_step.into()) };
        // So that the tests know of a sentence that nobody has read.
        #[cfg(test)]
        rooms::made(&failure);
        failure
    }

    /// Says it on standard error.
    pub(crate) fn tell(&self) -> Exit {
        screen::complain(&self.to_text(screen::width_of_stderr()));
        self.exit
    }

    /// For a terminal of this width; else a line for each sentence, so that a script finds it by its words. What to type stays in
    /// one line at any width: it is pasted, and no list of programs knows every command.
    fn to_text(&self, width: Option<usize>) -> String {
        let message = format!("authctl: {}", screen::clean(&self.message));
        let mut text = width.map_or_else(|| format!("{message}\n"), |width| filled(&message, width));
        if let Some(next_step) = &self.next_step {
            text.push_str(&format!("next: {}\n", screen::clean(next_step)));
        }
        text
    }
}

/// What clap says of wrong usage: for a terminal of this width, else as it is.
pub(crate) fn usage(said: &str, width: Option<usize>) -> String {
    let Some(width) = width else { return said.to_owned() };
    let line = |line: &str| if line.chars().count() > width { filled(line, width) } else { format!("{line}\n") };
    said.lines().map(line).collect()
}

/// What goes on under the first line is set in, so that the command at the end is seen.
fn filled(sentence: &str, width: usize) -> String {
    let lines = advice::fill(sentence, width);
    let line = |(index, line): (usize, &String)| if index == 0 { format!("{line}\n") } else { format!("  {line}\n") };
    // Set in by two, a line must not become too wide.
    let lines = if lines.len() > 1 { advice::fill(sentence, width.saturating_sub(2)) } else { lines };
    lines.iter().enumerate().map(line).collect()
}

/// No daemon, and how to have one: where a variable names the socket, `authctl daemon start` starts none.
pub(crate) fn absent(error: &ConnectError, named: Named) -> String {
    match (error, named) {
        (ConnectError::NoDaemon { path }, Named::ByVariable) => format!(
            "mcp-authd is not running (nothing answers at {}, as MCP_AUTHD_SOCKET says); run it there with: authctl daemon run",
            path.display()
        ),
        _ => error.to_string(),
    }
}

/// Who says where the sockets stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Named {
    /// `MCP_AUTHD_SOCKET`.
    ByVariable,
    /// Nobody: they are looked for where they usually are.
    No,
}

impl Named {
    fn here() -> Self {
        if Sockets::find().is_ok_and(|sockets| sockets.are_named()) { Self::ByVariable } else { Self::No }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        if let CallError::Connect(error @ ConnectError::NoDaemon { .. }) = &error {
            return Self { exit: Exit::NotRunning, message: absent(error, Named::here()), next_step: None };
        }
        let exit = match &error {
            CallError::Connect(ConnectError::NotStarted { .. }) => Exit::NotRunning,
            _ => Exit::Failed,
        };
        Self { exit, message: error.to_string(), next_step: None }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        CallError::Connect(error).into()
    }
}

impl From<StaticTokenError> for Failure {
    fn from(error: StaticTokenError) -> Self {
        CallError::from(error).into()
    }
}

impl From<WatchError> for Failure {
    fn from(error: WatchError) -> Self {
        match error {
            WatchError::Lost(lost) => (*lost).clone().into(),
            other => Self { exit: Exit::Failed, message: other.to_string(), next_step: None },
        }
    }
}

impl From<NotStarted> for Failure {
    fn from(why: NotStarted) -> Self {
        Self { exit: Exit::Failed, message: why.to_string(), next_step: None }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(Exit::Failed, format!("the operating system says: {error}"), "authctl status")
    }
}

#[cfg(test)]
pub(crate) mod rooms;
#[cfg(test)]
mod said;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_daemon_has_its_own_code_and_says_how_to_start_it() {
        let failure = Failure::from(ConnectError::NoDaemon { path: "/run/user/1/mcp-authd/admin.sock".into() });
        assert_eq!(failure.exit, Exit::NotRunning);
        assert!(failure.to_text(None).ends_with("start it with: authctl daemon start\n"));
        let absent = |named| absent(&ConnectError::NoDaemon { path: "/x/admin.sock".into() }, named);
        assert!(absent(Named::No).ends_with("start it with: authctl daemon start"));
        assert!(absent(Named::ByVariable).ends_with("MCP_AUTHD_SOCKET says); run it there with: authctl daemon run"));
    }

    #[test]
    fn every_code_stands_in_the_help() {
        let codes = [
            Exit::Done,
            Exit::Failed,
            Exit::Usage,
            Exit::LoginRequired,
            Exit::Degraded,
            Exit::Locked,
            Exit::NotRunning,
            Exit::NotGranted,
            Exit::NotErased,
            Exit::Interrupted,
        ];
        for code in codes {
            assert!(HELP.contains(&format!(" {}  ", code as u8)), "{code:?}");
        }
    }

    #[test]
    fn what_to_type_stays_in_one_line_on_a_narrow_terminal() {
        let folder = format!("/home/{}/.local/state/mcp-authd", "a".repeat(60));
        let steps = [
            format!("rm {folder}/stopped && authctl daemon start"),
            format!("mkdir -p {folder} && echo '[accounts.github]' >> {folder}/config.toml"),
            "a-program-that-nobody-has-named ".repeat(9).trim().to_owned(),
        ];
        for step in steps {
            let failure = Failure::new(Exit::Failed, "it stands in the way, ".repeat(9), step.clone());
            let text = failure.to_text(Some(80));
            assert!(text.ends_with(&format!("\nnext: {step}\n")), "{text}");
            assert!(text.lines().filter(|line| !line.starts_with("next: ")).all(|line| line.chars().count() <= 80), "{text}");
        }
    }

    #[test]
    fn what_a_daemon_says_cannot_steer_the_terminal() {
        let failure = Failure::new(Exit::Failed, "no \u{1b}[2J\u{202e}such", "authctl \u{7}status");
        assert_eq!(failure.to_text(None), "authctl: no such\nnext: authctl status\n");
    }
}
