//! The object and its schema: every key of the one is a key of the other, and the help tells both.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod obeys;

use std::collections::BTreeSet;

use clap::CommandFactory as _;
use mcp_authd_client::status::{AccountStatus, GrantStatus, Health, LastUse, SignInEnd};
use mcp_authd_client::{How, Purpose, SignIn};

use super::*;
use crate::cli::Cli;
use crate::status::sample::{HEALTHS, account as sample, daemon, every_kind, grant, here, last_use, service, sign_in};
use obeys::{keys, listing, obeys};

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

/// An account of which everything is known.
fn full() -> AccountStatus {
    AccountStatus {
        message: Some("So it is.".into()),
        next_step: Some("authctl login x".into()),
        resources: vec!["https://mcp.example/".into()],
        scopes: vec!["gist".into()],
        grant: Some(grant(Some(60))),
        sign_in: Some(sign_in()),
        last_sign_in_end: Some(SignInEnd::Denied),
        last_use: Some(last_use()),
        token_file: Some("/run/secrets/x".into()),
        ..sample("x", Health::SigningIn)
    }
}

/// An account of which as little is known as a daemon may tell.
fn empty() -> AccountStatus {
    let held = GrantStatus {
        expires_at: None,
        expires_in: None,
        obtained_at: None,
        refreshed_at: None,
        renewable: false,
        refreshing: false,
        subject: None,
        scopes: vec![],
    };
    AccountStatus {
        grant: Some(held),
        sign_in: Some(SignIn { expires_in: None, asked_by: None, ..sign_in() }),
        last_use: Some(LastUse { at: None, program: None, pid: None }),
        ..sample("x", Health::Good)
    }
}

/// Every word that stands for something: each at least once.
fn every_word() -> DaemonStatus {
    let ends = [
        SignInEnd::Granted,
        SignInEnd::Denied,
        SignInEnd::Expired,
        SignInEnd::Cancelled,
        SignInEnd::Failed,
        SignInEnd::OtherSubject,
        SignInEnd::NoSubject,
        SignInEnd::Other,
    ];
    let by_end = ends.map(|end| AccountStatus { last_sign_in_end: Some(end), ..sample("x", Health::Good) });
    let by_health = HEALTHS.map(|health| sample("x", health));
    let waiting = |purpose| SignIn { purpose, how: How::Browser { authorization_uri: "https://x/".into() }, ..sign_in() };
    let by_purpose = [Purpose::First, Purpose::Again, Purpose::MoreAccess, Purpose::Other]
        .map(|purpose| AccountStatus { sign_in: Some(waiting(purpose)), ..sample("x", Health::SigningIn) });
    daemon(by_end.into_iter().chain(by_health).chain(by_purpose).collect())
}

/// All the forms that the object has.
fn objects() -> Vec<Value> {
    use mcp_authd_client::start::Manager;
    let socket = Some(Path::new("/run/user/1000/mcp-authd/admin.sock"));
    let managed = |manager| Here {
        service: Installed::Yes(mcp_authd_client::start::Service { manager, ..service() }),
        named_socket: Some("/x/tokens.sock".into()),
        ..here()
    };
    let mut objects = vec![
        running(&daemon(vec![full(), empty()]), &managed(Manager::Systemd), socket),
        running(&every_kind(), &managed(Manager::Launchd), socket),
        running(&daemon(vec![]), &here(), None),
        running(&every_word(), &here(), socket),
        not_running("mcp-authd is not running", &managed(Manager::Systemd)),
        static_token(("MCP_AUTHD_STATIC_TOKEN", None), None),
        static_token(("MCP_AUTHD_STATIC_TOKEN_FILE", Some(Path::new("/run/x"))), Some("It cannot be read".into())),
    ];
    objects.extend(HEALTHS.map(|health| running(&daemon(vec![sample("x", health)]), &here(), socket)));
    for key in [Key::Open, Key::Locked, Key::Wrong, Key::Loading, Key::Other] {
        objects.push(running(&DaemonStatus { key, ..daemon(vec![]) }, &here(), socket));
    }
    for started_by in [StartedBy::Person, StartedBy::Program, StartedBy::Manager, StartedBy::Other] {
        objects.push(running(&DaemonStatus { started_by, started_at: None, ..daemon(vec![]) }, &here(), socket));
    }
    objects
}

#[test]
fn every_object_obeys_the_schema_and_has_no_key_that_it_does_not_tell() {
    for object in objects() {
        obeys(&object, &schema(), "$").unwrap_or_else(|wrong| panic!("{wrong}: {object}"));
    }
}

#[test]
fn every_key_and_every_word_of_the_schema_is_said_by_some_object() {
    let mut said = BTreeSet::new();
    objects().iter().for_each(|object| obeys::said(object, "$", &mut said));
    for (path, words) in keys(&schema(), "$") {
        assert!(said.contains(&path), "no object has {path}");
        for word in words {
            assert!(said.contains(&format!("{path}={word}")), "no object says {path}: {word}");
        }
    }
}

#[test]
fn what_may_be_null_is_null_in_some_object_and_nothing_else_is() {
    let mut said = BTreeSet::new();
    objects().iter().for_each(|object| obeys::said(object, "$", &mut said));
    for path in obeys::nullable(&schema(), "$") {
        assert!(said.contains(&format!("{path}=null")), "{path} is never null");
    }
}

#[test]
fn the_help_lists_the_keys_and_words_of_the_schema_and_nothing_else() {
    let mut command = Cli::command().term_width(80);
    command.build();
    let help = command.find_subcommand_mut("status").unwrap().render_help().to_string();
    let in_one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, rest) = help.split_once("one object on standard output:").unwrap();
    let (told, _) = rest.split_once("Lengths are seconds").unwrap();
    assert_eq!(in_one_line(told), listing(&schema()));
}

#[test]
fn a_key_too_many_or_too_few_breaks_the_schema() {
    let whole = running(&daemon(vec![full()]), &here(), None);
    let broken = |change: &dyn Fn(&mut Value)| {
        let mut object = whole.clone();
        change(&mut object);
        obeys(&object, &schema(), "$").is_err()
    };
    assert!(!broken(&|_| {}));
    assert!(broken(&|object| object["accounts"][0]["grant"]["more"] = 1.into()));
    assert!(broken(&|object| drop(object.as_object_mut().unwrap().remove("pid"))));
    assert!(broken(&|object| object["pid"] = "7".into()));
    assert!(broken(&|object| object["running"] = Value::Null));
    assert!(broken(&|object| object["accounts"][0]["health"] = "splendid".into()));
}

#[test]
fn the_json_of_the_status_is_as_documented() {
    let whole = running(&daemon(vec![full()]), &here(), Some(Path::new("/run/user/1000/mcp-authd/admin.sock")));
    insta::assert_snapshot!(
        [whole, not_running("mcp-authd is not running", &here()), static_token(("MCP_AUTHD_STATIC_TOKEN", None), None)]
            .map(|object| serde_json::to_string_pretty(&object).unwrap())
            .join("\n")
    );
}
