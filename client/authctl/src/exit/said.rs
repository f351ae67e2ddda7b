//! Every sentence about the daemon that a person can meet when a command fails, as a terminal of 80 columns shows it: those of the
//! client library. Those of the tool itself stand beside each room: rooms.rs.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use mcp_authd_client::start::{Confinement, Manager, NotStarted, Service};
use mcp_authd_client::{CallError, ConnectError, StaticTokenError, WatchError};

use super::Failure;
use super::rooms::page;

fn socket() -> PathBuf {
    "/run/user/1000/mcp-authd/admin.sock".into()
}

fn program() -> PathBuf {
    "/usr/bin/mcp-authd".into()
}

fn not_started() -> Vec<NotStarted> {
    let service = Service { manager: Manager::Systemd, name: "mcp-authd.service".into(), file: "/u".into() };
    vec![
        NotStarted::SocketNamed,
        NotStarted::Forbidden,
        NotStarted::UnknownWish("perhaps".into()),
        NotStarted::StoppedByHand { mark: "/home/ada/.local/state/mcp-authd/stopped".into() },
        NotStarted::Confined(Confinement::File("/run/.containerenv".into())),
        NotStarted::NoHome,
        NotStarted::StateFolder {
            folder: "/home/ada/.local/state/mcp-authd".into(),
            why: "Permission denied (os error 13)".into(),
        },
        NotStarted::NoProgram,
        NotStarted::BadProgram("bin/mcp-authd".into()),
        NotStarted::NotRun { program: program(), why: "Permission denied (os error 13)".into() },
        NotStarted::ManagerFailed { service, said: "Unit mcp-authd.service is masked.".into() },
        NotStarted::Ended { program: program(), end: "exit code 1".into(), said: None },
        NotStarted::ServesElsewhere { pid: 4242, socket: "/tmp/other/tokens.sock".into() },
        NotStarted::TooSlow { after: Duration::from_secs(30) },
        NotStarted::NoThread("Resource temporarily unavailable (os error 11)".into()),
    ]
}

fn static_token() -> Vec<StaticTokenError> {
    let path = || PathBuf::from("/run/secrets/token");
    vec![
        StaticTokenError::Both,
        StaticTokenError::NoTokenInVariable,
        StaticTokenError::NoTokenInFile { path: path() },
        StaticTokenError::NotAFile { path: path() },
        StaticTokenError::TooLarge { path: path() },
        StaticTokenError::Unreadable { path: path(), why: "Permission denied (os error 13)".into() },
    ]
}

/// Without those that only pass another one on.
fn connect() -> Vec<ConnectError> {
    vec![
        ConnectError::NoDaemon { path: socket() },
        ConnectError::NotStarted { path: socket(), why: Box::new(NotStarted::NoProgram) },
        ConnectError::WrongOwner { path: socket(), uid: 0, own: 1000 },
        ConnectError::NotAllowed { path: socket() },
        ConnectError::TimedOut { path: socket(), after: Duration::from_secs(5) },
        ConnectError::PathTooLong {
            path: "/run/user/1000/a-folder/with-a-name/of-no-use/mcp-authd/admin.sock".into(),
            limit: 107,
        },
        ConnectError::NoPlace,
        ConnectError::Broken { path: socket(), why: "Too many open files (os error 24)".into() },
    ]
}

fn call() -> Vec<CallError> {
    vec![
        CallError::Silent { after: Duration::from_secs(10) },
        CallError::Interrupted,
        CallError::DaemonTooOld { method: "Probe" },
        CallError::NotAllowed { message: "This socket may not do that.".into() },
        CallError::Refused { message: "No account matches. Next: see the accounts with: authctl status".into() },
        CallError::WrongAnswer { why: "it names no account".into() },
        CallError::Broken { message: "A task has ended.".into() },
    ]
}

fn every_failure() -> Vec<Failure> {
    let absent = |why| ConnectError::NotStarted { path: socket(), why: Box::new(why) };
    let mut all: Vec<Failure> = connect().into_iter().map(Failure::from).collect();
    all.extend(not_started().into_iter().map(absent).map(Failure::from));
    all.extend(static_token().into_iter().map(Failure::from));
    all.extend(call().into_iter().map(Failure::from));
    all.extend([WatchError::NotYet, WatchError::Ended].map(Failure::from));
    all.push(Failure::from(io::Error::from_raw_os_error(28)));
    all
}

#[test]
fn every_sentence_is_as_committed_and_fits_a_terminal_of_80_columns() {
    insta::assert_snapshot!(page(&every_failure()));
}

#[test]
fn in_a_pipe_a_sentence_is_one_line_and_says_the_same() {
    for failure in every_failure() {
        let (piped, shown) = (failure.to_text(None), failure.to_text(Some(80)));
        let words = |text: &str| text.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&piped), words(&shown));
        assert_eq!(piped.lines().count(), 1 + usize::from(failure.next_step.is_some()), "{piped}");
        assert!(piped.ends_with('\n') && shown.ends_with('\n'));
    }
}

/// The enums may grow without this crate: then their sentences are to be read here too.
#[test]
fn no_sentence_of_the_library_is_left_out() {
    let sentences = |source: &str| {
        let (code, _) = source.split_once("mod tests").unwrap_or((source, ""));
        code.matches("#[error(").count() - code.matches("#[error(transparent)]").count()
    };
    let error = sentences(include_str!("../../../src/error.rs"));
    // Two of a watch.
    assert_eq!(error, connect().len() + call().len() + 2);
    assert_eq!(sentences(include_str!("../../../src/start/refusal.rs")), not_started().len());
    assert_eq!(sentences(include_str!("../../../src/static_token.rs")), static_token().len());
}
