//! `authctl login` and `authctl status --watch` on a real terminal, and in a pipe: nothing scrolls, nothing stays behind.

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

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use daemon::{Daemon, account, granted, waiting, waiting_with};
use mcp_authd_proto::v1;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use terminal::{COLUMNS, ROWS, Screen, Terminal};

fn authctl(daemon: &Daemon, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_authctl"));
    command.args(arguments).env_clear().env("MCP_AUTHD_SOCKET", daemon.socket());
    command.env("TERM", "xterm-256color").env("LANG", "C.UTF-8");
    command
}

fn time_left(screen: &Screen) -> Option<String> {
    screen.lines().iter().find_map(|line| line.strip_prefix("  time left ").map(ToOwned::to_owned))
}

/// A login that shows the time left.
fn login(daemon: &Daemon, arguments: &[&str]) -> Terminal {
    daemon.publish(waiting());
    let mut terminal = Terminal::start(authctl(daemon, &[&["login", "github", "--no-browser"], arguments].concat()));
    terminal.until(|screen| time_left(screen).is_some());
    terminal
}

#[test]
fn the_time_left_runs_in_its_place_also_in_the_last_row() {
    let daemon = Daemon::start();
    // With its picture the prompt fills the screen: a line break too many would scroll.
    let mut terminal = login(&daemon, &[]);
    let (place, scrolled) = (terminal.screen.row("  time left ").unwrap(), terminal.screen.scrolled);
    let above = terminal.screen.lines()[..place].to_vec();
    assert_eq!(place, ROWS - 1);
    let mut seen = BTreeSet::from([time_left(&terminal.screen).unwrap()]);
    while seen.len() < 3 {
        terminal.until(|screen| time_left(screen).is_some_and(|left| !seen.contains(&left)));
        seen.insert(time_left(&terminal.screen).unwrap());
        assert_eq!((terminal.screen.row("  time left "), terminal.screen.scrolled), (Some(place), scrolled));
        assert_eq!(terminal.screen.lines()[..place], above);
    }
    terminal.signal(Signal::SIGINT);
    assert_eq!(terminal.end().0, Some(130));
}

#[test]
fn ctrl_c_leaves_a_clean_line_and_the_login() {
    let daemon = Daemon::start();
    let terminal = login(&daemon, &["--no-qr"]);
    let place = terminal.screen.row("  time left ").unwrap();
    let above = terminal.screen.lines()[..place].to_vec();
    terminal.signal(Signal::SIGINT);
    let (code, screen) = terminal.end();
    assert_eq!((code, screen.scrolled), (Some(130), 0));
    assert_eq!(screen.lines()[..place], above);
    assert_eq!(screen.lines()[place], "authctl: stopped waiting; the login to github still waits for you");
    assert!(screen.cursor.1 == 0 && screen.cursor_is_shown && screen.wraps, "{}", screen.text());
    assert_eq!(daemon.cancelled(), 0);
}

#[test]
fn the_result_takes_the_place_of_the_time_left() {
    let daemon = Daemon::start();
    let terminal = login(&daemon, &["--no-qr"]);
    let place = terminal.screen.row("  time left ").unwrap();
    daemon.publish(granted());
    let (code, screen) = terminal.end();
    assert_eq!((code, screen.row("github is logged in."), screen.lines().len()), (Some(0), Some(place), place + 1));
}

#[test]
fn a_prompt_that_takes_the_place_of_another_is_shown_anew() {
    let daemon = Daemon::start();
    let mut terminal = login(&daemon, &["--no-qr"]);
    daemon.publish(waiting_with("8", "WXYZ-9876"));
    terminal.until(|screen| screen.text().contains("code      WXYZ-9876") && time_left(screen).is_some());
    assert!(terminal.screen.text().contains("The code before this one no longer counts."), "{}", terminal.screen.text());
    terminal.signal(Signal::SIGINT);
    assert_eq!(terminal.end().0, Some(130));
}

#[test]
fn a_daemon_that_restarts_is_waited_for_in_the_same_line() {
    let mut daemon = Daemon::start();
    let mut terminal = login(&daemon, &[]);
    let place = terminal.screen.row("  time left ").unwrap();
    daemon.leave();
    terminal.until(|screen| screen.row("mcp-authd is away; waiting ...") == Some(place));
    daemon.come_back();
    terminal.until(|screen| screen.row("  time left ") == Some(place));
    daemon.publish(granted());
    assert_eq!(terminal.end().0, Some(0));
}

#[test]
fn a_terminal_has_a_picture_where_it_can_and_never_without_the_words() {
    let daemon = Daemon::start();
    let has_picture = |screen: &Screen| screen.text().contains('\u{2588}');
    let shown = |option: &str, variable: (&str, &str)| {
        daemon.publish(waiting());
        let mut command = authctl(&daemon, &["login", "github", "--no-browser"]);
        command.args(Some(option).filter(|option| !option.is_empty())).env(variable.0, variable.1);
        let mut terminal = Terminal::start(command);
        terminal.until(|screen| screen.text().contains("Ctrl-C"));
        terminal.signal(Signal::SIGINT);
        let screen = terminal.end().1;
        let text = screen.text();
        for word in ["https://github.com/login/device", "host      github.com", "code      ABCD-1234"] {
            assert!(text.contains(word), "{text}");
        }
        assert!(!text.contains("user_code="), "the address with the code inside is for the picture only (D20)");
        screen
    };
    assert!(has_picture(&shown("", ("LANG", "C.UTF-8"))));
    assert!(!has_picture(&shown("--no-qr", ("LANG", "C.UTF-8"))));
    assert!(!has_picture(&shown("", ("LANG", "C"))));
    let plain = shown("", ("NO_COLOR", "1"));
    assert!(!has_picture(&plain) && !plain.coloured);
    // A dumb terminal gets what a pipe gets: no sequence at all.
    let dumb = shown("", ("TERM", "dumb"));
    assert!(!has_picture(&dumb) && !dumb.coloured && dumb.text().contains("time left 14 min"), "{}", dumb.text());
}

#[test]
fn a_window_that_becomes_small_leaves_the_live_line_in_one_row() {
    let daemon = Daemon::start();
    let mut terminal = login(&daemon, &["--no-qr"]);
    let place = terminal.screen.row("  time left ").unwrap();
    terminal.resize(30, ROWS);
    let before = time_left(&terminal.screen).unwrap();
    terminal.until(|screen| time_left(screen).is_some_and(|left| left != before));
    assert_eq!((terminal.screen.row("  time left "), terminal.screen.scrolled), (Some(place), 0));
    terminal.signal(Signal::SIGINT);
    assert_eq!(terminal.end().0, Some(130));
}

/// A status that is watched, with its first frame.
fn watched(daemon: &Daemon) -> Terminal {
    let mut terminal = Terminal::start(authctl(daemon, &["status", "--watch"]));
    terminal.until(|screen| screen.is_alternate() && screen.text().contains("Ctrl-C ends the watching"));
    terminal
}

fn assert_as_before(screen: &Screen) {
    assert!(!screen.is_alternate() && screen.cursor_is_shown && screen.wraps, "{}", screen.text());
    assert_eq!((screen.lines()[0].as_str(), screen.scrolled), ("before", 0));
}

#[test]
fn a_watched_status_follows_each_change_and_gives_the_screen_back() {
    let daemon = Daemon::start();
    for end in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        daemon.publish(granted());
        let mut terminal = watched(&daemon);
        assert!(terminal.screen.text().contains("health    good"), "{}", terminal.screen.text());
        assert!(!terminal.screen.cursor_is_shown);
        for (health, word) in [(v1::Health::LoginRequired, "LOGIN NEEDED"), (v1::Health::Degraded, "DEGRADED")] {
            daemon.publish(account(health));
            terminal.until(|screen| screen.text().contains(word));
            assert_eq!(terminal.screen.text().matches("health ").count(), 1, "nothing of the frame before is left");
        }
        terminal.signal(end);
        let (code, screen) = terminal.end();
        assert_eq!(code, Some(0), "{end}");
        assert_as_before(&screen);
        assert_eq!(screen.text(), "before", "nothing stays behind");
    }
}

#[test]
fn a_watched_status_is_drawn_again_without_a_change() {
    let daemon = Daemon::start();
    let mut terminal = watched(&daemon);
    // More than the first frame and the one for the subscription's first state.
    terminal.until(|screen| screen.updates >= 4);
    terminal.signal(Signal::SIGINT);
    assert_eq!(terminal.end().0, Some(0));
}

#[test]
fn a_daemon_that_goes_is_waited_for_on_the_watched_screen() {
    let mut daemon = Daemon::start();
    let mut terminal = watched(&daemon);
    daemon.leave();
    terminal.until(|screen| screen.text().contains("is not running") && screen.text().contains("Waiting for it to come back."));
    daemon.come_back();
    terminal.until(|screen| screen.text().contains("health    good"));
    terminal.signal(Signal::SIGINT);
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0));
    assert_as_before(&screen);
}

#[test]
fn an_error_is_told_on_the_persons_own_screen() {
    let daemon = Daemon::start();
    let terminal = watched(&daemon);
    daemon.refuse_status();
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(1));
    assert_as_before(&screen);
    assert!(screen.lines()[1].starts_with("authctl: mcp-authd refuses this caller: not you"), "{}", screen.text());
}

#[test]
fn ctrl_z_gives_the_screen_back_and_the_watching_goes_on_afterwards() {
    let daemon = Daemon::start();
    let mut terminal = watched(&daemon);
    terminal.signal(Signal::SIGTSTP);
    terminal.until(|screen| !screen.is_alternate());
    assert_as_before(&terminal.screen);
    terminal.wake_until(|screen| screen.is_alternate() && screen.text().contains("health    good"));
    terminal.signal(Signal::SIGINT);
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0));
    assert_as_before(&screen);
}

#[test]
fn a_window_of_another_size_is_filled_anew() {
    let daemon = Daemon::start();
    let mut terminal = watched(&daemon);
    terminal.resize(40, 6);
    terminal.until(|screen| screen.lines().len() <= 6 && screen.text().contains("github") && !screen.text().contains("health "));
    terminal.resize(COLUMNS, ROWS);
    terminal.until(|screen| screen.text().contains("health    good"));
    assert_eq!(terminal.screen.scrolled, 0);
    terminal.signal(Signal::SIGINT);
    assert_eq!(terminal.end().0, Some(0));
}

/// A status that is watched in a pipe.
struct Piped {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Piped {
    fn start(daemon: &Daemon, arguments: &[&str]) -> Self {
        let mut command = authctl(daemon, arguments);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("another line").unwrap()
    }

    /// Ends it by Ctrl-C; what else it wrote.
    fn end(mut self) -> (Option<i32>, Vec<String>) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
        let rest = self.lines.map(Result::unwrap).collect();
        (self.child.wait().unwrap().code(), rest)
    }
}

#[test]
fn a_pipe_gets_one_line_of_json_for_each_change_and_none_for_time_that_runs() {
    let mut daemon = Daemon::start();
    daemon.publish(waiting());
    let mut piped = Piped::start(&daemon, &["status", "--watch", "--json"]);
    assert!(piped.line().contains("\"health\":\"signing_in\""));
    daemon.publish(granted());
    assert!(piped.line().contains("\"health\":\"good\""), "the next line is the next change");
    daemon.leave();
    assert!(piped.line().contains("\"running\":false"));
    daemon.come_back();
    assert!(piped.line().contains("\"running\":true"));
    assert_eq!(piped.end(), (Some(0), vec![]));
}

#[test]
fn a_pipe_gets_a_fresh_block_for_each_change_and_no_control_character() {
    let daemon = Daemon::start();
    let mut piped = Piped::start(&daemon, &["status", "--watch"]);
    let mut told = Vec::new();
    let mut block = |piped: &mut Piped, word: &str| {
        while !told.last().is_some_and(|line: &String| line.contains(word)) {
            told.push(piped.line());
        }
        told.push("|".to_owned());
    };
    block(&mut piped, "health    good");
    daemon.publish(account(v1::Health::LoginRequired));
    block(&mut piped, "LOGIN NEEDED");
    let (code, rest) = piped.end();
    assert_eq!(code, Some(0));
    let told = told.into_iter().chain(rest).collect::<Vec<_>>();
    assert!(told.iter().all(|line| !line.contains(char::is_control)), "{told:?}");
    assert_eq!(told.iter().filter(|line| line.starts_with("mcp-authd 0.1.0 is running")).count(), 2, "{told:?}");
}

#[test]
fn watching_ends_when_nobody_reads_any_more() {
    let daemon = Daemon::start();
    let mut piped = Piped::start(&daemon, &["status", "--watch", "--json"]);
    piped.line();
    drop(piped.lines);
    daemon.publish(account(v1::Health::Degraded));
    assert_eq!(piped.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_login_in_a_pipe_is_the_prompt_once_and_the_result() {
    let daemon = Daemon::start();
    daemon.publish(waiting());
    let mut piped = Piped::start(&daemon, &["login", "github", "--no-browser"]);
    let mut told = vec![piped.line()];
    while !told.last().unwrap().contains("only the waiting") {
        told.push(piped.line());
    }
    daemon.publish(granted());
    told.extend(piped.lines.map(Result::unwrap));
    assert_eq!(piped.child.wait().unwrap().code(), Some(0));
    insta::assert_snapshot!(told.join("\n"));
}
