//! `authctl` with a static token: what it prints, and that it asks no daemon although one listens.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::io::ErrorKind;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

const VARIABLE: &str = "MCP_AUTHD_STATIC_TOKEN";
const FILE: &str = "MCP_AUTHD_STATIC_TOKEN_FILE";

/// A machine with sockets that nobody may connect to.
struct Machine {
    directory: tempfile::TempDir,
    listeners: Vec<UnixListener>,
}

impl Machine {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listen = |name| UnixListener::bind(directory.path().join(name)).unwrap();
        let listeners = vec![listen("tokens.sock"), listen("admin.sock")];
        Self { directory, listeners }
    }

    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_authctl"));
        command.args(arguments).env_clear().env("MCP_AUTHD_SOCKET", self.directory.path().join("tokens.sock"));
        let output = command.envs(variables.iter().copied()).stdin(Stdio::null()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        for listener in &self.listeners {
            listener.set_nonblocking(true).unwrap();
            assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "{arguments:?} has connected");
        }
        (output.status.code(), text(output.stdout), text(output.stderr))
    }
}

#[test]
fn the_token_is_printed_by_the_same_rules_and_no_daemon_is_asked() {
    let machine = Machine::new();
    for arguments in [
        vec!["token"],
        vec!["token", "github"],
        vec!["token", "--resource", "https://mcp.example/"],
        vec!["token", "github", "--scope", "repo", "--min-validity", "5m", "--wait"],
    ] {
        let told = machine.run(&arguments, &[(VARIABLE, "SNTL-1")]);
        assert_eq!(told, (Some(0), "SNTL-1\n".to_owned(), String::new()), "{arguments:?}");
    }
    let (code, shown, _) = machine.run(&["token", "github", "--json"], &[(VARIABLE, "SNTL-1")]);
    assert_eq!(code, Some(0));
    assert!(shown.contains("\"access_token\":\"SNTL-1\"") && shown.contains("\"expires_in\":null"), "{shown}");
    assert!(shown.contains("\"account\":\"github\""), "{shown}");
}

#[test]
fn a_terminal_gets_a_static_token_only_by_force() {
    let machine = Machine::new();
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_authctl"));
    command.arg("token").env_clear().env(VARIABLE, "SNTL-1").stdout(terminal.slave);
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    drop(machine);
}

#[test]
fn a_file_is_read_anew_and_its_trouble_names_it() {
    let machine = Machine::new();
    let path = machine.directory.path().join("token");
    let variables = [(FILE, path.to_str().unwrap())];
    for token in ["SNTL-1", "SNTL-2"] {
        std::fs::write(&path, format!("{token}\n")).unwrap();
        assert_eq!(machine.run(&["token"], &variables).1, format!("{token}\n"));
    }
    std::fs::write(&path, "SNTL 3").unwrap();
    for arguments in [&["token"][..], &["status"]] {
        let (code, shown, complaint) = machine.run(arguments, &variables);
        assert_eq!((code, shown.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(complaint.contains(path.to_str().unwrap()) && !complaint.contains("SNTL"), "{complaint}");
        assert!(complaint.contains(&format!("unset {FILE}")), "{complaint}");
    }
}

#[test]
fn both_variables_are_an_error_of_every_command_and_empty_ones_count_as_unset() {
    let machine = Machine::new();
    for arguments in [&["token"][..], &["status"], &["status", "--watch"], &["login"], &["logout"]] {
        let (code, shown, complaint) = machine.run(arguments, &[(VARIABLE, "SNTL-1"), (FILE, "/x")]);
        assert_eq!((code, shown.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(complaint.contains(VARIABLE) && complaint.contains(FILE) && !complaint.contains("SNTL"), "{complaint}");
    }
    let told = machine.run(&["token"], &[(VARIABLE, "SNTL-1"), (FILE, "")]);
    assert_eq!(told.1, "SNTL-1\n");
}

#[test]
fn status_shows_where_it_comes_from_and_login_refuses() {
    let machine = Machine::new();
    for arguments in [&["status"][..], &["status", "--watch"]] {
        let (code, shown, _) = machine.run(arguments, &[(VARIABLE, "SNTL-1")]);
        assert_eq!(code, Some(0));
        assert!(
            shown.starts_with("A static token is in use, from MCP_AUTHD_STATIC_TOKEN;") && !shown.contains("SNTL"),
            "{shown}"
        );
    }
    let (code, shown, _) = machine.run(&["status", "--json"], &[(FILE, "/nonexistent/token")]);
    assert_eq!(code, Some(1));
    assert!(shown.contains("\"static_token\":{\"path\":\"/nonexistent/token\""), "{shown}");
    for command in ["login", "logout"] {
        let (code, shown, complaint) = machine.run(&[command, "github"], &[(VARIABLE, "SNTL-1")]);
        assert_eq!((code, shown.as_str()), (Some(2), ""));
        assert!(complaint.contains("next: unset MCP_AUTHD_STATIC_TOKEN") && !complaint.contains("SNTL"), "{complaint}");
    }
}
