//! `authctl login --paste`, `authctl client` and `authctl provider` at a small daemon of their own.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests"
)]

mod daemon;
mod terminal;

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use daemon::{Daemon, account, waiting, waiting_for_a_browser};
use mcp_authd_proto::v1;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use terminal::Terminal;

/// Far longer than anything here takes: a tool that waits for a login which nobody ends is ended, and told by its exit code.
const WATCHDOG: Duration = Duration::from_secs(30);

fn authctl(daemon: &Daemon, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_authctl"));
    command.args(arguments).env_clear().env("MCP_AUTHD_SOCKET", daemon.socket()).env("TERM", "xterm-256color");
    command
}

/// Ends with a pipe on standard input that holds this text.
fn piped(daemon: &Daemon, arguments: &[&str], text: &str) -> (Option<i32>, String, String) {
    let mut command = authctl(daemon, arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let (over, waits) = channel::<()>();
    let pid = Pid::from_raw(child.id() as i32);
    let watchdog = std::thread::spawn(move || {
        if waits.recv_timeout(WATCHDOG) == Err(RecvTimeoutError::Timeout) {
            kill(pid, Signal::SIGKILL).ok();
        }
    });
    let ended = child.wait_with_output().unwrap();
    drop(over);
    watchdog.join().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (ended.status.code(), text(ended.stdout), text(ended.stderr))
}

const GOOD: &str = "http://127.0.0.1:43215/callback?code=good&state=s1";

#[test]
fn an_address_from_a_pipe_logs_in() {
    let daemon = Daemon::start();
    daemon.publish(waiting_for_a_browser());
    let (code, shown, complaint) = piped(&daemon, &["login", "github", "--paste"], &format!("\n  {GOOD} \r\n"));
    assert_eq!((code, complaint.as_str()), (Some(0), ""), "{shown}");
    assert!(shown.contains("copy the whole address") && shown.ends_with("github is logged in.\n"), "{shown}");
    assert!(!shown.contains("code=good") && !shown.contains('\u{1b}'), "{shown}");
    assert_eq!(daemon.pasted(), [GOOD]);
}

#[test]
fn what_a_pipe_gives_wrongly_is_refused_without_being_told_and_the_login_waits_on() {
    let daemon = Daemon::start();
    for (text, code, told) in [
        ("https://example.com/SNTL\n", 1, "paste it again"),
        ("http://127.0.0.1:1/?code=other&state=SNTL\n", 1, "the login to github waits on"),
        ("", 2, "authctl login github --paste"),
        ("\n\n", 2, "authctl login github --paste"),
        ("SNTL\u{0}\n", 1, "paste it again"),
    ] {
        daemon.publish(waiting_for_a_browser());
        let (ended, shown, complaint) = piped(&daemon, &["login", "github", "--paste"], text);
        assert_eq!(ended, Some(code), "{text:?}: {complaint}");
        assert!(complaint.contains(told) && !complaint.contains("SNTL") && !shown.contains("SNTL"), "{shown}{complaint}");
    }
    let long = format!("{GOOD}{}\n", "x".repeat(17_000));
    assert_eq!(piped(&daemon, &["login", "github", "--paste"], &long).0, Some(1));
    assert_eq!(daemon.pasted().len(), 3, "an address that is too long goes nowhere");
    assert_eq!(daemon.cancelled(), 0);
}

#[test]
fn a_program_may_try_again_and_is_told_so_in_json() {
    let daemon = Daemon::start();
    daemon.publish(waiting_for_a_browser());
    let (code, shown, _) = piped(&daemon, &["login", "github", "--paste", "--json"], &format!("rubbish\n{GOOD}\n"));
    let events: Vec<&str> = shown.lines().filter_map(|line| line.split("\"event\":\"").nth(1)?.split('"').next()).collect();
    // The grant may be seen before the answer that it was taken.
    assert!(events == ["sign_in", "not_taken", "taken", "settled"] || events == ["sign_in", "not_taken", "settled"], "{shown}");
    assert_eq!(code, Some(0));
}

#[test]
fn a_person_pastes_at_a_terminal_and_may_try_again() {
    let daemon = Daemon::start();
    daemon.publish(waiting_for_a_browser());
    let mut terminal = Terminal::start(authctl(&daemon, &["login", "github", "--paste"]));
    terminal.until(|screen| screen.lines().iter().any(|line| line.starts_with("  address")));
    terminal.type_in("rubbish\n");
    terminal.until(|screen| screen.lines().iter().any(|line| line.contains("holds no `state`")));
    terminal.type_in(&format!("{GOOD}\n"));
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{}", screen.text());
    assert!(screen.lines().iter().any(|line| line == "github is logged in."), "{}", screen.text());
    assert_eq!(daemon.pasted(), ["rubbish", GOOD]);
}

#[test]
fn a_login_that_ends_otherwise_while_a_person_is_asked_leaves_the_question_behind() {
    let daemon = Daemon::start();
    daemon.publish(waiting_for_a_browser());
    let mut terminal = Terminal::start(authctl(&daemon, &["login", "github", "--paste"]));
    terminal.until(|screen| screen.lines().iter().any(|line| line.starts_with("  address")));
    daemon.publish(daemon::granted());
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0));
    assert!(screen.lines().iter().any(|line| line == "github is logged in."), "{}", screen.text());
}

#[test]
fn ctrl_c_at_the_question_ends_only_the_waiting() {
    let daemon = Daemon::start();
    daemon.publish(waiting_for_a_browser());
    let mut terminal = Terminal::start(authctl(&daemon, &["login", "github", "--paste"]));
    terminal.until(|screen| screen.lines().iter().any(|line| line.starts_with("  address")));
    terminal.signal(Signal::SIGINT);
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(130));
    assert!(screen.text().contains("still waits for you"), "{}", screen.text());
    assert_eq!(daemon.cancelled(), 0);
}

#[test]
fn a_login_by_a_code_takes_nothing_by_hand_and_waits_as_ever() {
    let daemon = Daemon::start();
    daemon.publish(waiting());
    let mut child = authctl(&daemon, &["login", "github", "--paste"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{GOOD}").unwrap();
    let mut seen = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut shown = String::new();
    while !shown.contains("nothing to paste") {
        assert_ne!(std::io::BufRead::read_line(&mut seen, &mut shown).unwrap(), 0, "{shown}");
    }
    daemon.publish(daemon::granted());
    assert!(child.wait().unwrap().success());
    assert_eq!(daemon.pasted(), Vec::<String>::new());
}

#[test]
fn over_ssh_a_login_in_a_browser_names_the_port_to_lead_here_and_the_way_by_hand() {
    let daemon = Daemon::start();
    for (variables, arguments) in
        [(&[("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22")][..], &["login"][..]), (&[], &["login", "--no-browser"])]
    {
        daemon.publish(waiting_for_a_browser());
        let mut command = authctl(&daemon, arguments);
        command.envs(variables.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut seen = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut shown = String::new();
        while !shown.contains("THIS-MACHINE") {
            assert_ne!(std::io::BufRead::read_line(&mut seen, &mut shown).unwrap(), 0, "{shown}");
        }
        assert!(shown.replace('\n', " ").contains("on this machine"), "{shown}");
        assert!(shown.contains("            authctl login github --paste\n"), "{shown}");
        assert!(shown.ends_with("            ssh -L 43215:127.0.0.1:43215 THIS-MACHINE\n"), "{shown}");
        daemon.publish(daemon::granted());
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn a_browser_that_brought_nothing_is_told_with_what_to_try() {
    let daemon = Daemon::start();
    daemon.publish(waiting_for_a_browser());
    let mut child = authctl(&daemon, &["login", "--no-browser"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut seen = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut shown = String::new();
    while !shown.contains("THIS-MACHINE") {
        assert_ne!(std::io::BufRead::read_line(&mut seen, &mut shown).unwrap(), 0, "{shown}");
    }
    let expired = v1::SignInEnd::Expired.into();
    let over = v1::AccountStatus {
        last_sign_in_end: expired,
        issuer: "https://github.com".into(),
        ..account(v1::Health::LoginRequired)
    };
    daemon.publish(over);
    let ended = child.wait_with_output().unwrap();
    let complaint = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(7));
    assert!(complaint.contains("if the page showed an error"), "{complaint}");
    assert!(
        complaint.contains("next: authctl login github --paste")
            && complaint.contains("authctl provider check https://github.com"),
        "{complaint}"
    );
}

#[test]
fn clients_are_listed_and_forgotten_and_one_that_is_not_there_is_a_failure() {
    let daemon = Daemon::start();
    let (code, shown, _) = piped(&daemon, &["client", "list"], "");
    assert_eq!(code, Some(0));
    assert!(shown.starts_with("https://as.example\n  client    s6BhdRkqt3\n  standing  good\n"), "{shown}");
    let (code, shown, _) = piped(&daemon, &["client", "forget", "https://as.example"], "");
    assert_eq!(code, Some(0));
    assert!(shown.contains("is forgotten"), "{shown}");
    let (code, shown, complaint) = piped(&daemon, &["client", "forget", "https://as.example/"], "");
    assert_eq!((code, shown.as_str()), (Some(1), ""));
    assert!(complaint.contains("next: authctl client list"), "{complaint}");
    let (code, shown, _) = piped(&daemon, &["client", "forget", "https://as.example/", "--json"], "");
    assert_eq!(
        (code, shown.as_str()),
        (Some(1), "{\"issuer\":\"https://as.example/\",\"outcome\":\"not_there\",\"renewed_no_more\":[]}\n")
    );
    assert_eq!(daemon.forgotten(), ["https://as.example", "https://as.example/", "https://as.example/"]);
}

#[test]
fn providers_are_listed_and_shown() {
    let daemon = Daemon::start();
    let (code, shown, _) = piped(&daemon, &["provider", "list"], "");
    assert_eq!(code, Some(0));
    assert!(shown.contains("entra           client_id, tenant           code, browser where offered\n"), "{shown}");
    let (code, shown, _) = piped(&daemon, &["provider", "show", "entra"], "");
    assert_eq!(code, Some(0));
    assert!(shown.contains("manners of its own") && shown.ends_with("  [providers.entra]\n"), "{shown}");
    let (code, _, complaint) = piped(&daemon, &["provider", "show", "nobody"], "");
    assert_eq!(code, Some(1));
    assert!(complaint.contains("next: authctl provider list"), "{complaint}");
}
