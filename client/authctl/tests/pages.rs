//! The built `authctl`, each of its screens: in a pipe, on a terminal of 80 columns, with and without colours.
//!
//! A new screen is a row of [`SCREENS`].

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

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use daemon::{Daemon, account, granted, waiting};
use mcp_authd_proto::v1;
use serde_json::Value;
use terminal::{Screen, Terminal};

/// What is typed, and whether it asks a daemon that is there.
const SCREENS: [(&[&str], There); 31] = [
    (&["status"], There::Yes),
    (&["status"], There::No),
    (&["doctor", "--offline"], There::Yes),
    (&["doctor", "--offline"], There::No),
    (&["daemon", "status"], There::Yes),
    (&["daemon", "status"], There::No),
    (&["daemon", "start"], There::Yes),
    (&["daemon", "start"], There::No),
    (&["daemon", "stop"], There::No),
    (&["log"], There::Yes),
    (&["log"], There::No),
    // No manager can be asked here. What it says is shown in `src/service`, and by the stories under a real one.
    (&["service", "install", "--dry-run"], There::No),
    (&["service", "uninstall", "--dry-run"], There::No),
    (&["service", "status"], There::Yes),
    (&["service", "logs"], There::No),
    (&["account", "list"], There::Yes),
    (&["account", "show"], There::Yes),
    (&["account", "show", "nobody"], There::Yes),
    (&["account", "add", "https://mcp.example/"], There::No),
    (&["client", "list"], There::Yes),
    (&["provider", "list"], There::Yes),
    (&["provider", "show", "entra"], There::Yes),
    (&["token", "nobody"], There::Yes),
    (&["token", "--min-validity", "a length of time that is none"], There::Yes),
    (&["login"], There::No),
    (&["reload"], There::Yes),
    (&["--help"], There::No),
    (&["status", "--help"], There::No),
    (&["service", "--help"], There::No),
    (&["service", "logs", "--help"], There::No),
    (&["log", "--help"], There::No),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum There {
    Yes,
    No,
}

/// What the environment says of colours. `None`: a variable is not set.
const SURROUNDINGS: [(Option<&str>, Option<&str>); 4] =
    [(None, None), (Some("dumb"), None), (Some("xterm-256color"), Some("1")), (Some("xterm-256color"), None)];

fn authctl(socket: &Path, arguments: &[&str], (term, no_color): (Option<&str>, Option<&str>)) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_authctl"));
    command.args(arguments).env_clear().env("MCP_AUTHD_SOCKET", socket).env("LANG", "C.UTF-8").env("TZ", "UTC");
    // Else the tester's own is looked at.
    command.env("HOME", socket.with_file_name(""));
    command.envs(term.map(|term| ("TERM", term))).envs(no_color.map(|set| ("NO_COLOR", set)));
    command
}

/// The socket of a daemon with an account of which much is known, or of none.
fn socket(there: There, daemon: &Daemon) -> std::path::PathBuf {
    let nowhere = || daemon.socket().with_file_name("nowhere").join("tokens.sock");
    if there == There::Yes { daemon.socket() } else { nowhere() }
}

fn timestamp(moment: SystemTime) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp::from(moment))
}

/// A grant that lives for two hours, two of three scopes of it, used by an editor.
fn well_known() -> v1::AccountStatus {
    let (now, two_hours) = (SystemTime::now(), Duration::from_secs(7_230));
    let grant = v1::GrantStatus {
        scopes: vec!["repo".into(), "read:org".into()],
        expires_at: timestamp(now + two_hours),
        expires_in: Some(two_hours.try_into().unwrap()),
        obtained_at: timestamp(now - Duration::from_secs(90_030)),
        refreshed_at: timestamp(now - Duration::from_secs(3_630)),
        renewable: true,
        subject: "octocat".into(),
        ..v1::GrantStatus::default()
    };
    v1::AccountStatus {
        issuer: "https://github.com".into(),
        resources: vec!["https://api.githubcopilot.com/mcp/".into()],
        scopes: vec!["repo".into(), "gist".into(), "read:org".into()],
        grant: Some(grant),
        last_use: Some(v1::LastUse { at: timestamp(now - Duration::from_secs(630)), program: "editor".into(), pid: 4242 }),
        ..account(v1::Health::Good)
    }
}

/// A daemon that has much to tell.
fn eventful() -> Daemon {
    let daemon = Daemon::start();
    daemon.publish(well_known());
    let field = |name: &str, value: &str| v1::LogField { name: name.into(), value: value.into() };
    daemon.say(v1::LogEntry {
        number: 1,
        at: timestamp(SystemTime::now()),
        level: v1::LogLevel::Warning.into(),
        kind: v1::LogKind::Event.into(),
        account: "github".into(),
        message: "a refresh has failed; the token that is held serves as long as it lives".into(),
        fields: vec![field("why", "the server does not answer"), field("issuer", "https://github.com"), field("in", "30s")],
        ..v1::LogEntry::default()
    });
    daemon
}

/// The lines that are wider than a screen.
fn wide(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.chars().count() > 80).collect()
}

/// A command is to be copied whole, however wide it is.
fn is_command(line: &str) -> bool {
    line.trim_start().trim_start_matches("next ").trim_start().starts_with("authctl ")
}

#[test]
fn in_a_pipe_every_screen_is_plain_text_of_80_columns() {
    let daemon = eventful();
    for (arguments, there) in SCREENS {
        let mut told = Vec::new();
        for surroundings in SURROUNDINGS {
            let output = authctl(&socket(there, &daemon), arguments, surroundings).stdin(Stdio::null()).output().unwrap();
            let out = String::from_utf8(output.stdout).unwrap();
            let err = String::from_utf8(output.stderr).unwrap();
            for text in [&out, &err] {
                assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{arguments:?}: {text:?}");
                assert!(text.is_empty() || text.ends_with('\n'), "{arguments:?}: {text:?}");
            }
            // A failure is one line there, for scripts.
            assert!(wide(&out).into_iter().all(is_command), "{arguments:?}: {:?}", wide(&out));
            assert!(!(out.is_empty() && err.is_empty()), "{arguments:?} says nothing");
            told.push((output.status.code(), out.lines().count(), err));
        }
        assert!(told.windows(2).all(|two| two[0] == two[1]), "what TERM says is of no matter in a pipe: {told:?}");
    }
}

fn shown(command: Command) -> (Option<i32>, Screen) {
    Terminal::start(command).end()
}

#[test]
fn on_a_terminal_of_80_columns_no_line_of_any_screen_wraps_but_for_commands() {
    let daemon = eventful();
    for (arguments, there) in SCREENS {
        let piped = authctl(&socket(there, &daemon), arguments, (None, None)).stdin(Stdio::null()).output().unwrap();
        let commands = wide(&String::from_utf8(piped.stdout).unwrap()).len();
        for surroundings in SURROUNDINGS {
            let (_, screen) = shown(authctl(&socket(there, &daemon), arguments, surroundings));
            assert_eq!(screen.wrapped, commands, "{arguments:?}:\n{}", screen.text());
            let may_be_coloured = surroundings == (Some("xterm-256color"), None) || surroundings == (None, None);
            assert!(may_be_coloured || !screen.coloured, "{arguments:?} {surroundings:?}:\n{}", screen.text());
        }
    }
}

#[test]
fn colours_are_there_where_they_are_wanted_and_nothing_is_said_by_them_alone() {
    let daemon = Daemon::start();
    daemon.publish(well_known());
    for arguments in [&["status"][..], &["doctor", "--offline"], &["account", "show"]] {
        let on = |surroundings| shown(authctl(&daemon.socket(), arguments, surroundings)).1;
        let (coloured, plain) = (on((Some("xterm-256color"), None)), on((Some("xterm-256color"), Some("1"))));
        assert!(coloured.coloured && !plain.coloured, "{arguments:?}");
        assert_eq!(coloured.text().len(), plain.text().len(), "{}\n{}", coloured.text(), plain.text());
    }
}

#[test]
fn status_answers_who_what_until_when_and_by_whom_in_one_screen_of_24_rows() {
    let daemon = Daemon::start();
    daemon.publish(well_known());
    let (code, screen) = shown(authctl(&daemon.socket(), &["status"], (Some("xterm-256color"), None)));
    let text = screen.text();
    assert_eq!((code, screen.scrolled), (Some(0), 0), "{text}");
    assert_eq!(screen.lines()[1], "1 account: good", "after the line that stood there before");
    for line in [
        "  started   2023-11-14 22:13 UTC\n",
        "tokens.sock, as MCP_AUTHD_SOCKET says\n",
        "  resource  https://api.githubcopilot.com/mcp/\n",
        "  user      octocat\n",
        "  scopes    repo read:org\n",
        "  missing   gist (asked for, not granted)\n",
        "  token     valid for 2 h (until ",
        "  renewed   by itself, last 1 h ago\n",
        "  used      10 min ago by editor (pid 4242)",
    ] {
        assert!(text.contains(line), "{line:?}:\n{text}");
    }
    // By the clock on another wall.
    let mut elsewhere = authctl(&daemon.socket(), &["status"], (None, None));
    let elsewhere = elsewhere.env("TZ", "<+0530>-5:30").stdin(Stdio::null()).output().unwrap().stdout;
    let elsewhere = String::from_utf8(elsewhere).unwrap();
    assert!(elsewhere.contains("  started   2023-11-15 03:43 +05:30\n"), "{elsewhere}");
}

#[test]
fn a_failure_on_a_terminal_breaks_between_words_and_leaves_its_command_whole() {
    let daemon = Daemon::start();
    let none = socket(There::No, &daemon);
    let (code, screen) = shown(authctl(&none, &["status"], (Some("xterm-256color"), None)));
    let lines = screen.lines();
    assert_eq!(code, Some(6));
    assert!(lines[1].starts_with("authctl: mcp-authd is not running "), "{}", screen.text());
    assert_eq!(lines.last().map(String::as_str), Some("  authctl daemon run"), "{}", screen.text());
}

#[test]
fn the_schema_is_printed_without_a_daemon_and_every_form_of_the_json_has_its_keys() {
    let daemon = Daemon::start();
    let run = |there, arguments: &[&str], static_token: Option<&str>| {
        let mut command = authctl(&socket(there, &daemon), arguments, (None, None));
        let output = command.envs(static_token.map(|token| ("MCP_AUTHD_STATIC_TOKEN", token))).output().unwrap();
        (output.status.code(), serde_json::from_slice::<Value>(&output.stdout).unwrap())
    };
    let (code, schema) = run(There::No, &["status", "--schema"], None);
    assert_eq!(code, Some(0));
    let keys = |object: &Value| object.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let json = &["status", "--json"];
    for (account, code, verdict) in [
        (well_known(), 0, "good"),
        (waiting(), 3, "login_required"),
        (account(v1::Health::Degraded), 4, "degraded"),
        (account(v1::Health::Locked), 5, "locked"),
    ] {
        daemon.publish(account);
        let (ended, object) = run(There::Yes, json, None);
        assert_eq!((ended, &object["verdict"], &object["running"]), (Some(code), &verdict.into(), &true.into()), "{object}");
        assert_eq!(keys(&object), keys(&schema["properties"]));
        assert_eq!(keys(&object["accounts"][0]), keys(&schema["properties"]["accounts"]["items"]["properties"]));
        assert!(object["socket"]["path"].as_str().unwrap().ends_with("/admin.sock"), "{object}");
        assert_eq!(object["socket"]["named"], true);
    }
    for (ran, code, verdict) in [(run(There::No, json, None), 6, "not_running"), (run(There::No, json, Some("tok-1")), 0, "good")]
    {
        assert_eq!((ran.0, &ran.1["verdict"], &ran.1["running"]), (Some(code), &verdict.into(), &false.into()));
        assert_eq!(keys(&ran.1), keys(&schema["properties"]));
    }
}

#[test]
fn a_line_of_the_watched_json_has_the_keys_of_the_schema_and_the_watching_ends_well() {
    use std::io::BufRead as _;
    let daemon = Daemon::start();
    daemon.publish(granted());
    let mut command = authctl(&daemon.socket(), &["status", "--watch", "--json"], (None, None));
    let mut watching = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufReader::new(watching.stdout.take().unwrap()).lines();
    daemon.publish(account(v1::Health::Locked));
    let object = loop {
        let object: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        if object["verdict"] == "locked" {
            break object;
        }
    };
    assert_eq!((&object["schema"], object.as_object().unwrap().len()), (&1.into(), 15));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(watching.id() as i32), nix::sys::signal::Signal::SIGINT).unwrap();
    assert_eq!(watching.wait().unwrap().code(), Some(0), "however the accounts are: the person has ended it");
    assert!(UNIX_EPOCH + Duration::from_secs(object["started_at"].as_u64().unwrap()) < SystemTime::now());
}
