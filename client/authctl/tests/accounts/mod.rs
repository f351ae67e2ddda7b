//! `authctl account ..` and `authctl reload`: what is sent, what is told and where, and that a secret is shown nowhere.

use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};

use mcp_authd_proto::v1;
use mcp_authd_proto::v1::reload_response::Outcome;
use nix::pty::{OpenptyResult, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;

use crate::daemon::{Daemon, account, broken, read_only};
use crate::{authctl, ended, run};

const AT_ISSUER: [&str; 4] = ["--issuer", "https://auth.example.com", "--client-id", "abc"];

fn add(daemon: &Daemon, name: &str, more: &[&str]) -> (Option<i32>, String, String) {
    run(&daemon.socket(), &[&["account", "add", name][..], &AT_ISSUER, more].concat())
}

#[test]
fn an_account_is_sent_as_it_was_typed_with_its_paths_made_whole() {
    let daemon = Daemon::start();
    let more = [
        "--scope=a b",
        "--scope",
        "c",
        "--resource",
        "https://mcp.example",
        "--audience",
        "x",
        "--parameter",
        "k=v=w",
        "--client-secret-file",
        "keys/secret",
        "--token-endpoint-auth-method",
        "client_secret_post",
    ];
    let (code, shown, complaint) = add(&daemon, "work", &more);
    assert_eq!((code, complaint.as_str()), (Some(0), ""));
    assert_eq!(shown, "work is added.\n  config    /etc/authd/config.toml\n  next      authctl login work\n");
    let here = std::env::current_dir().unwrap();
    let expected = v1::AccountDescription {
        name: "work".into(),
        issuer: "https://auth.example.com".into(),
        client_id: "abc".into(),
        scopes: ["a", "b", "c"].map(Into::into).into(),
        resource: "https://mcp.example".into(),
        audience: "x".into(),
        extra_parameters: [("k".into(), "v=w".into())].into(),
        token_endpoint_auth_method: "client_secret_post".into(),
        client_secret_file: here.join("keys/secret").to_str().unwrap().into(),
        ..v1::AccountDescription::default()
    };
    assert_eq!(daemon.described(), [expected]);
}

#[test]
fn what_is_sent_for_endpoints_and_for_a_token_file_is_that_alone() {
    let daemon = Daemon::start();
    let endpoints = [
        "account",
        "add",
        "--device-authorization-endpoint",
        "https://a/d",
        "--token-endpoint",
        "https://a/t",
        "--revocation-endpoint",
        "https://a/r",
        "--client-id",
        "abc",
    ];
    assert_eq!(run(&daemon.socket(), &endpoints).0, Some(0));
    assert_eq!(run(&daemon.socket(), &["account", "add", "ci", "--token-file", "/run/token"]).0, Some(0));
    let [first, second] = daemon.described().try_into().unwrap();
    assert_eq!(
        first,
        v1::AccountDescription {
            device_authorization_endpoint: "https://a/d".into(),
            token_endpoint: "https://a/t".into(),
            revocation_endpoint: "https://a/r".into(),
            client_id: "abc".into(),
            ..v1::AccountDescription::default()
        }
    );
    let ci = v1::AccountDescription { name: "ci".into(), token_file: "/run/token".into(), ..v1::AccountDescription::default() };
    assert_eq!(second, ci);
}

#[test]
fn what_is_sent_for_a_provider_and_for_a_document_is_that_alone() {
    let daemon = Daemon::start();
    let provider = ["--provider", "entra", "--provider-parameter", "tenant=a=b", "--client-id", "abc", "--flow", "code"];
    assert_eq!(run(&daemon.socket(), &[&["account", "add", "azure"][..], &provider].concat()).0, Some(0));
    let document = ["--issuer", "https://a", "--client-id-metadata-document", "https://me.example/c.json"];
    assert_eq!(run(&daemon.socket(), &[&["account", "add"][..], &document].concat()).0, Some(0));
    let [first, second] = daemon.described().try_into().unwrap();
    let azure = v1::AccountDescription {
        name: "azure".into(),
        provider: "entra".into(),
        provider_parameters: [("tenant".into(), "a=b".into())].into(),
        client_id: "abc".into(),
        flow: "code".into(),
        ..v1::AccountDescription::default()
    };
    assert_eq!(first, azure);
    let documented = v1::AccountDescription {
        issuer: "https://a".into(),
        client_id_metadata_document: "https://me.example/c.json".into(),
        ..v1::AccountDescription::default()
    };
    assert_eq!(second, documented);
}

#[test]
fn a_url_is_sent_as_it_was_typed_and_nothing_is_made_of_it() {
    let daemon = Daemon::start();
    let url = "https://MCP.example.com/mcp/?x=1";
    assert_eq!(run(&daemon.socket(), &["account", "add", url, "--issuer", "https://a", "--client-id", "abc"]).0, Some(0));
    assert_eq!(run(&daemon.socket(), &["account", "add", "work", url]).0, Some(0));
    assert_eq!(daemon.urls(), [url, url]);
    let [first, second] = daemon.described().try_into().unwrap();
    let chosen =
        v1::AccountDescription { issuer: "https://a".into(), client_id: "abc".into(), ..v1::AccountDescription::default() };
    assert_eq!(first, chosen);
    assert_eq!(second, v1::AccountDescription { name: "work".into(), ..v1::AccountDescription::default() });
    assert_eq!(run(&daemon.socket(), &["account", "add", "work"]).0, Some(2));
}

#[test]
fn a_check_ends_well_only_where_a_login_is_possible() {
    let daemon = Daemon::start();
    for (url, code) in [("https://good.example", 0), ("https://broken.example", 1)] {
        let (ended, shown, complaint) = run(&daemon.socket(), &["provider", "check", url]);
        assert!(ended == Some(code) && shown.starts_with(url) && complaint.is_empty(), "{shown}{complaint}");
        let (ended, shown, _) = run(&daemon.socket(), &["provider", "check", url, "--json"]);
        assert!(ended == Some(code) && shown.contains("\"outcome\":\"found\""), "{shown}");
    }
    let (code, shown, complaint) = run(&daemon.socket(), &["provider", "check", "https://down.example"]);
    assert!(code == Some(1) && shown.is_empty(), "{shown}");
    assert!(complaint.ends_with("\nnext: authctl provider check https://down.example (when it can be reached)\n"), "{complaint}");
    let (code, shown, _) = run(&daemon.socket(), &["provider", "check", "https://down.example", "--json"]);
    assert!(code == Some(1) && shown.contains("\"outcome\":\"not_found\""), "{shown}");
}

#[test]
fn an_account_that_is_there_already_is_no_failure() {
    let daemon = Daemon::start();
    let (code, shown, complaint) = add(&daemon, "github", &[]);
    assert_eq!((code, complaint.as_str()), (Some(0), ""));
    assert!(shown.starts_with("github is there already"), "{shown}");
    let (code, shown, _) = add(&daemon, "github", &["--json"]);
    assert!(code == Some(0) && shown.contains("\"outcome\":\"present\""), "{shown}");
}

#[test]
fn the_text_to_paste_is_all_that_stands_on_standard_output() {
    let daemon = Daemon::start();
    let (code, shown, complaint) = add(&daemon, "read-only", &[]);
    assert_eq!((code, &shown), (Some(1), &read_only().text));
    assert!(complaint.starts_with("authctl: The file cannot be written"), "{complaint}");
    assert!(complaint.ends_with("\nnext: authctl reload, once it stands there\n"), "{complaint}");

    let (code, shown, _) = run(&daemon.socket(), &["account", "remove", "read-only", "--yes"]);
    assert_eq!((code, shown), (Some(1), read_only().text));

    let (code, shown, complaint) = add(&daemon, "read-only", &["--json"]);
    assert!(code == Some(1) && shown.contains("\"outcome\":\"not_written\"") && complaint.is_empty(), "{shown}{complaint}");
}

#[test]
fn every_mistake_in_the_file_is_told_with_its_line_by_add_and_by_reload() {
    let daemon = Daemon::start();
    daemon.answer_reload(Outcome::Refused(broken()));
    for (code, shown, complaint) in [add(&daemon, "broken", &[]), run(&daemon.socket(), &["reload"])] {
        assert_eq!((code, shown.as_str()), (Some(1), ""));
        assert_eq!(
            complaint,
            "authctl: The file as it stands does not hold.\nin /etc/authd/config.toml:\n\
             \x20 This file may be written by others. Run: chmod go-w x\n  line 2: `isuer` is no key.\nnext: authctl reload\n"
        );
    }
}

#[test]
fn a_reload_tells_what_it_has_changed() {
    let daemon = Daemon::start();
    let changes = v1::Reloaded { added: vec!["files".into()], signed_out: vec!["work".into()], ..v1::Reloaded::default() };
    daemon.answer_reload(Outcome::Reloaded(changes));
    let (code, shown, complaint) = run(&daemon.socket(), &["reload"]);
    assert_eq!((code, complaint.as_str()), (Some(0), ""));
    assert!(shown.contains("  added     files\n") && shown.ends_with("  next      authctl login work\n"), "{shown}");
    let (code, shown, _) = run(&daemon.socket(), &["reload", "--json"]);
    assert!(code == Some(0) && shown.contains("\"signed_out\":[\"work\"]"), "{shown}");
}

#[test]
fn a_daemon_that_is_too_old_is_named_as_that() {
    let daemon = Daemon::start();
    for ((code, _, complaint), method) in
        [(add(&daemon, "too-new", &[]), "AddAccount"), (run(&daemon.socket(), &["reload"]), "Reload")]
    {
        assert_eq!(code, Some(1));
        assert!(complaint.contains("too old for this program") && complaint.contains(method), "{complaint}");
    }
}

#[test]
fn the_accounts_are_listed_and_each_can_be_looked_at() {
    let daemon = Daemon::start();
    daemon.publish(v1::AccountStatus { issuer: "https://github.com".into(), ..account(v1::Health::LoginRequired) });
    let (code, shown, _) = run(&daemon.socket(), &["account", "list"]);
    assert_eq!((code, shown.as_str()), (Some(0), "NAME    HEALTH        SERVER\ngithub  login-needed  https://github.com\n"));
    let (_, listed, _) = run(&daemon.socket(), &["account", "list", "--json"]);
    assert!(listed.starts_with("{\"accounts\":[{") && listed.contains("\"health\":\"login_required\""), "{listed}");
    for name in [&["github"][..], &[]] {
        let (code, shown, _) = run(&daemon.socket(), &[&["account", "show"][..], name].concat());
        assert!(code == Some(0) && shown.ends_with("  next      authctl login github\n"), "{shown}");
    }
    let (code, shown, complaint) = run(&daemon.socket(), &["account", "show", "other"]);
    assert_eq!((code, shown.as_str()), (Some(1), ""));
    assert!(complaint.ends_with("next: authctl account list\n"), "{complaint}");
}

#[test]
fn nothing_is_removed_that_nobody_has_agreed_to() {
    let daemon = Daemon::start();
    let (code, shown, complaint) = run(&daemon.socket(), &["account", "remove", "github"]);
    assert_eq!((code, shown.as_str()), (Some(2), ""));
    assert!(complaint.ends_with("next: authctl account remove github --yes\n"), "{complaint}");

    for (answer, code) in [("n\n", 1), ("\n", 1), ("\u{4}", 1)] {
        let mut asked = Asked::of(&daemon, &["account", "remove", "github"], "Remove github? [y/N] ");
        asked.types(answer);
        assert_eq!(asked.ends(), (Some(code), String::new()), "{answer:?}");
    }
    assert!(daemon.removed().is_empty());

    let mut asked = Asked::of(&daemon, &["account", "remove", "github"], "Remove github? [y/N] ");
    asked.types("y\n");
    let (code, shown) = asked.ends();
    assert!(code == Some(0) && shown.starts_with("github is removed, and nothing of it is kept."), "{shown}");
    assert_eq!(run(&daemon.socket(), &["account", "remove", "other", "--yes"]).0, Some(0));
    assert_eq!(daemon.removed(), ["github", "other"]);
}

#[test]
fn a_record_that_is_not_erased_is_told_by_its_own_code() {
    let daemon = Daemon::start();
    let (code, shown, complaint) = run(&daemon.socket(), &["account", "remove", "full-disk", "--yes"]);
    assert_eq!((code, shown.as_str()), (Some(8), ""));
    assert!(complaint.ends_with("next: authctl status\n"), "{complaint}");
}

// ---- secrets

const SECRET: &str = "correct horse battery";

fn pipe_secret(daemon: &Daemon, secret: &[u8]) -> (Option<i32>, String, String) {
    let mut child = authctl(&daemon.socket(), &["account", "set-secret", "github"]).stdin(Stdio::piped()).spawn().unwrap();
    // It may be refused before all of it is read.
    child.stdin.take().unwrap().write_all(secret).ok();
    ended(child.wait_with_output().unwrap())
}

#[test]
fn a_secret_comes_through_a_pipe_without_its_line_end_and_is_told_to_nobody() {
    let daemon = Daemon::start();
    for line_end in ["", "\n", "\r\n"] {
        let (code, shown, complaint) = pipe_secret(&daemon, format!("{SECRET}{line_end}").as_bytes());
        assert_eq!((code, complaint.as_str()), (Some(0), ""));
        assert_eq!(shown, "The secret of the client of github is kept, encrypted.\n");
    }
    let given = ("github".to_owned(), SECRET.to_owned());
    assert_eq!(daemon.secrets(), [given.clone(), given.clone(), given]);
}

#[test]
fn what_is_no_secret_is_refused_before_the_daemon_sees_it() {
    let daemon = Daemon::start();
    for wrong in [&b""[..], b"\n", b"a\nb\n", &b"x".repeat(4097), &b"x".repeat(1 << 20), b"\xff\xfe"] {
        let (code, shown, complaint) = pipe_secret(&daemon, wrong);
        assert_eq!((code, shown.as_str()), (Some(2), ""));
        assert!(complaint.ends_with("next: authctl account set-secret --help\n") && !complaint.contains("xx"), "{complaint}");
    }
    assert!(daemon.secrets().is_empty());
    assert_eq!(pipe_secret(&daemon, &b"x".repeat(4096)).0, Some(0));
}

#[test]
fn a_secret_can_be_forgotten_and_a_token_file_has_none() {
    let daemon = Daemon::start();
    let (code, shown, _) = run(&daemon.socket(), &["account", "set-secret", "github", "--forget"]);
    assert!(code == Some(0) && shown.starts_with("No secret is kept"), "{shown}");
    assert_eq!(daemon.secrets(), [("github".to_owned(), String::new())]);
    daemon.publish(v1::AccountStatus { token_file: "/run/token".into(), ..account(v1::Health::Good) });
    let (code, _, complaint) = pipe_secret(&daemon, SECRET.as_bytes());
    assert!(code == Some(1) && complaint.contains("reads its token from a file"), "{complaint}");
    assert_eq!(daemon.secrets().len(), 1);
}

#[test]
fn a_secret_that_is_typed_is_not_shown_and_the_echo_comes_back() {
    let daemon = Daemon::start();
    let mut asked = Asked::of(&daemon, &["account", "set-secret", "github"], "  secret    ");
    assert!(!asked.echoes());
    asked.types(&format!("{SECRET}\n"));
    assert!(asked.echoes_after_the_end());
    let (code, shown) = asked.ends();
    assert_eq!((code, shown.as_str()), (Some(0), "The secret of the client of github is kept, encrypted.\n"));
    assert_eq!(daemon.secrets(), [("github".to_owned(), SECRET.to_owned())]);
}

#[test]
fn a_signal_while_a_secret_is_typed_gives_the_echo_back_and_changes_nothing() {
    let daemon = Daemon::start();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let mut asked = Asked::of(&daemon, &["account", "set-secret", "github"], "  secret    ");
        asked.types("correct hor");
        kill(Pid::from_raw(asked.child.id().try_into().unwrap()), signal).unwrap();
        assert!(asked.echoes_after_the_end(), "{signal}");
        assert_eq!(asked.ends(), (Some(130), String::new()), "{signal}");
    }
    assert!(daemon.secrets().is_empty());
}

/// A command with a terminal as its standard input, that has put its question.
struct Asked {
    child: Child,
    terminal: OpenptyResult,
}

impl Asked {
    fn of(daemon: &Daemon, arguments: &[&str], question: &str) -> Self {
        let terminal = openpty(None, None).unwrap();
        let near: OwnedFd = terminal.slave.try_clone().unwrap();
        let mut child = authctl(&daemon.socket(), arguments).stdin(near).spawn().unwrap();
        let (mut heard, mut byte) = (String::new(), [0]);
        while !heard.ends_with(question) {
            let read = std::io::Read::read(child.stderr.as_mut().unwrap(), &mut byte).unwrap();
            assert!(read == 1, "it has ended without its question: {heard}");
            heard.push(char::from(byte[0]));
        }
        Self { child, terminal }
    }

    fn types(&mut self, text: &str) {
        nix::unistd::write(&self.terminal.master, text.as_bytes()).unwrap();
    }

    fn echoes(&self) -> bool {
        tcgetattr(&self.terminal.slave).unwrap().local_flags.contains(LocalFlags::ECHO)
    }

    fn echoes_after_the_end(&mut self) -> bool {
        self.child.wait().unwrap();
        self.echoes()
    }

    fn ends(self) -> (Option<i32>, String) {
        let (code, shown, complaint) = ended(self.child.wait_with_output().unwrap());
        assert!(!complaint.contains("correct") && !shown.contains("correct"), "{shown}{complaint}");
        (code, shown)
    }
}
