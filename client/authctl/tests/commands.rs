//! The built `authctl` against a small daemon of its own: what it writes, where, and how it ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod accounts;
mod daemon;

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use daemon::{Daemon, account, granted, waiting};
use mcp_authd_proto::v1;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn authctl(socket: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_authctl"));
    command.args(arguments).env_clear().env("MCP_AUTHD_SOCKET", socket);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(socket: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    ended(authctl(socket, arguments).output().unwrap())
}

fn ended(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// Starts it with a standard output that nobody reads.
fn run_into_a_closed_pipe(socket: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let (code, _, complaint) = ended(authctl(socket, arguments).stdout(writer).output().unwrap());
    (code, complaint)
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    line
}

#[test]
fn at_a_named_socket_without_a_daemon_every_command_says_how_to_start_one() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("tokens.sock");
    for arguments in [
        &["login"][..],
        &["logout"],
        &["token"],
        &["daemon", "start"],
        &["account", "add", "--token-file", "x"],
        &["account", "list"],
        &["account", "show"],
        &["account", "remove", "x", "--yes"],
        &["account", "set-secret"],
        &["login", "--paste"],
        &["client", "list"],
        &["client", "forget", "https://as.example"],
        &["provider", "list"],
        &["provider", "show", "entra"],
    ] {
        let (code, shown, complaint) = run(&socket, arguments);
        assert_eq!((code, shown.as_str()), (Some(6), ""), "{arguments:?}");
        assert!(complaint.contains("MCP_AUTHD_SOCKET") && complaint.ends_with("authctl daemon run\n"), "{complaint}");
    }
    for arguments in ["status", "reload"] {
        let (code, shown, complaint) = run(&socket, &[arguments]);
        assert_eq!((code, shown.as_str()), (Some(6), ""), "{arguments}");
        assert!(complaint.contains("as MCP_AUTHD_SOCKET says") && complaint.ends_with("authctl daemon run\n"), "{complaint}");
    }
    let (code, shown, _) = run(&socket, &["daemon", "status"]);
    assert_eq!(code, Some(6));
    assert!(shown.starts_with("mcp-authd is not running\n") && shown.contains("MCP_AUTHD_SOCKET names this socket"), "{shown}");
    let (code, shown, _) = run(&socket, &["status", "--json"]);
    assert_eq!(code, Some(6));
    assert!(shown.contains("\"running\":false"));
}

#[test]
fn stopping_at_a_named_socket_leaves_no_mark_for_the_programs_elsewhere() {
    let directory = tempfile::tempdir().unwrap();
    let (socket, state) = (directory.path().join("tokens.sock"), directory.path().join("state"));
    let stopped = authctl(&socket, &["daemon", "stop"]).env("XDG_STATE_HOME", &state).output().unwrap();
    assert_eq!(ended(stopped), (Some(0), "mcp-authd is not running.\n".to_owned(), String::new()));
    assert!(!state.exists());
}

#[test]
fn status_ends_with_the_code_of_the_worst_account() {
    let daemon = Daemon::start();
    for (health, code) in
        [(v1::Health::Good, 0), (v1::Health::LoginRequired, 3), (v1::Health::Degraded, 4), (v1::Health::Locked, 5)]
    {
        daemon.publish(account(health));
        assert_eq!(run(&daemon.socket(), &["status"]).0, Some(code), "{health:?}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_trouble_for_a_status() {
    let daemon = Daemon::start();
    assert_eq!(run_into_a_closed_pipe(&daemon.socket(), &["status"]), (Some(0), String::new()));
    assert_eq!(run_into_a_closed_pipe(&daemon.socket(), &["--help"]), (Some(0), String::new()));
}

#[test]
fn a_token_is_all_that_stands_on_standard_output() {
    let daemon = Daemon::start();
    let told = run(&daemon.socket(), &["token", "github"]);
    assert_eq!(told, (Some(0), "tok-1\n".to_owned(), String::new()));
}

#[test]
fn a_token_that_nobody_reads_is_a_failure_and_no_panic() {
    let daemon = Daemon::start();
    let (code, complaint) = run_into_a_closed_pipe(&daemon.socket(), &["token", "github"]);
    assert_eq!(code, Some(1));
    assert!(complaint.starts_with("authctl: nobody read the token") && !complaint.contains("tok-1"), "{complaint}");
}

#[test]
fn a_terminal_gets_a_token_only_by_force() {
    let daemon = Daemon::start();
    let on_a_terminal = |arguments: &[&str]| {
        let terminal = nix::pty::openpty(None, None).unwrap();
        let near: OwnedFd = terminal.slave;
        let output = authctl(&daemon.socket(), arguments).stdout(near).output().unwrap();
        let mut shown = [0; 64];
        // The far end reads an error once the last near end is closed and nothing is left.
        let length = std::fs::File::from(terminal.master).read(&mut shown).unwrap_or(0);
        (output.status.code(), String::from_utf8_lossy(&shown[..length]).into_owned())
    };
    assert_eq!(on_a_terminal(&["token", "github"]), (Some(2), String::new()));
    assert_eq!(on_a_terminal(&["token", "github", "--force"]), (Some(0), "tok-1\r\n".to_owned()));
}

#[test]
fn a_refused_token_ends_in_the_next_command() {
    let daemon = Daemon::start();
    let (code, shown, complaint) = run(&daemon.socket(), &["token", "other"]);
    assert_eq!((code, shown.as_str()), (Some(1), ""));
    assert!(complaint.ends_with("next: authctl status\n"), "{complaint}");
}

#[test]
fn a_login_is_shown_and_ends_well_when_the_person_has_approved() {
    let daemon = Daemon::start();
    daemon.publish(waiting());
    let mut child = authctl(&daemon.socket(), &["login", "github", "--json"]).spawn().unwrap();
    assert!(first_line(&mut child).contains("\"user_code\":\"ABCD-1234\""));
    daemon.publish(granted());
    let mut rest = String::new();
    child.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
    assert!(rest.contains("\"outcome\":\"granted\""), "{rest}");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_login_that_ends_otherwise_has_its_own_code() {
    let daemon = Daemon::start();
    daemon.publish(waiting());
    let mut child = authctl(&daemon.socket(), &["login", "github", "--no-browser"]).spawn().unwrap();
    first_line(&mut child);
    daemon.publish(v1::AccountStatus { last_sign_in_end: v1::SignInEnd::Denied.into(), ..account(v1::Health::LoginRequired) });
    let (code, _, complaint) = ended(child.wait_with_output().unwrap());
    assert_eq!(code, Some(7));
    assert!(complaint.ends_with("next: authctl login github\n"), "{complaint}");
}

#[test]
fn ctrl_c_ends_the_waiting_and_not_the_login() {
    let daemon = Daemon::start();
    daemon.publish(waiting());
    let mut child = authctl(&daemon.socket(), &["login", "github", "--no-browser"]).spawn().unwrap();
    first_line(&mut child);
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    let (code, _, complaint) = ended(child.wait_with_output().unwrap());
    assert_eq!(code, Some(130));
    assert!(complaint.contains("still waits for you") && complaint.contains("authctl login github --cancel"), "{complaint}");
    assert_eq!(daemon.cancelled(), 0);
}

#[test]
fn cancelling_is_asked_for_by_name() {
    let daemon = Daemon::start();
    assert_eq!(run(&daemon.socket(), &["login", "github", "--cancel"]).0, Some(0));
    assert_eq!(daemon.cancelled(), 1);
}

#[test]
fn a_logout_that_is_not_erased_does_not_end_well() {
    let daemon = Daemon::start();
    assert_eq!(run(&daemon.socket(), &["logout", "github"]).0, Some(0));
    let (code, shown, complaint) = run(&daemon.socket(), &["logout", "full-disk"]);
    assert_eq!((code, shown.as_str()), (Some(8), ""));
    assert!(complaint.ends_with("next: authctl status\n"), "{complaint}");
}
