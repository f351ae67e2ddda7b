//! `authctl log` as a program of its own: in a pipe, for a program, over a daemon that goes and comes back, and where none runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod daemon;

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio};

use daemon::Daemon;
use mcp_authd_proto::v1;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn authctl(daemon: &Daemon, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_authctl"));
    command.arg("log").args(arguments).env_clear().env("MCP_AUTHD_SOCKET", daemon.socket()).stdin(Stdio::null());
    command
}

fn run(daemon: &Daemon, arguments: &[&str]) -> Output {
    authctl(daemon, arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn entry(number: u64, message: &str) -> v1::LogEntry {
    v1::LogEntry {
        number,
        at: Some(prost_types::Timestamp { seconds: 1_790_000_000, nanos: 0 }),
        level: v1::LogLevel::Info.into(),
        kind: v1::LogKind::Event.into(),
        account: "github".into(),
        message: message.into(),
        ..v1::LogEntry::default()
    }
}

/// One that follows, in a pipe.
struct Follower {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    complaints: Lines<BufReader<ChildStderr>>,
}

impl Follower {
    fn start(daemon: &Daemon, arguments: &[&str]) -> Self {
        let mut command = authctl(daemon, &[&["--follow"], arguments].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let complaints = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, lines, complaints }
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("another line").unwrap()
    }

    fn complaint(&mut self) -> String {
        self.complaints.next().expect("another complaint").unwrap()
    }
}

#[test]
fn what_was_said_is_told_and_cannot_steer_a_terminal() {
    let daemon = Daemon::start();
    let none = run(&daemon, &["github"]);
    assert_eq!(
        (text(&none.stdout).as_str(), none.status.code()),
        ("Nothing has happened to github since mcp-authd has started.\n", Some(0))
    );
    daemon.say(entry(1, "a \u{1b}[2Jlogin\u{202e} has ended well"));
    let told = run(&daemon, &[]);
    assert_eq!(text(&told.stdout), "2026-09-21 (UTC)\n14:13:20 github  a login has ended well\n");
    let as_json = run(&daemon, &["--json"]);
    let line = text(&as_json.stdout);
    assert!(line.contains("\"message\":\"a \\u001b[2Jlogin\\u202e has ended well\"") && line.lines().count() == 1, "{line}");
}

#[test]
fn following_goes_on_over_a_restart_tells_nothing_twice_and_ends_by_the_person() {
    let mut daemon = Daemon::start();
    daemon.say(entry(1, "one"));
    let mut follower = Follower::start(&daemon, &["--json"]);
    assert!(follower.line().contains("\"one\""));
    daemon.say(entry(2, "two"));
    assert!(follower.line().contains("\"two\""));
    daemon.leave();
    assert_eq!(follower.complaint(), "authctl: mcp-authd has gone; waiting for it to come back");
    // Said before it is reached again: it comes all the same, and what was told does not.
    daemon.say(entry(7, "seven"));
    daemon.come_back();
    assert_eq!(follower.complaint(), "authctl: mcp-authd is back");
    assert!(follower.line().contains("\"seven\""));
    kill(Pid::from_raw(follower.child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    assert_eq!(follower.lines.next().map(Result::unwrap), None);
    assert_eq!(follower.complaints.next().map(Result::unwrap), None);
    assert_eq!(follower.child.wait().unwrap().code(), Some(0));
}

#[test]
fn following_ends_when_nobody_reads_any_more() {
    let daemon = Daemon::start();
    daemon.say(entry(1, "one"));
    let mut follower = Follower::start(&daemon, &[]);
    follower.line();
    drop(follower.lines);
    daemon.say(entry(2, "two"));
    assert_eq!(follower.child.wait().unwrap().code(), Some(0));
}

#[test]
fn where_none_runs_none_is_started_and_the_next_step_is_told() {
    let mut daemon = Daemon::start();
    daemon.leave();
    for arguments in [&[][..], &["--follow"]] {
        let told = run(&daemon, arguments);
        let complaint = text(&told.stderr);
        assert_eq!((text(&told.stdout).as_str(), told.status.code()), ("", Some(6)));
        assert!(
            complaint.starts_with("authctl: mcp-authd is not running") && complaint.contains("\nnext: authctl "),
            "{complaint}"
        );
    }
}
