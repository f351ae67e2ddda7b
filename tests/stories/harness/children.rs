//! The harness's child processes: the daemon's life in its hands, and the certified server.
//!
//! Must never: need the daemon. A stand-in takes its place here: this very test program, called again.

use std::fs;
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::plain_http::{fetch, fetch_with_token, post_form};
use mcp_authd_tests::real_idp::RealIdp;
use mcp_authd_tests::server::{At, AuthorizationServer, Commit, Misbehaviour, Settings};
use mcp_authd_tests::skip::skipped;
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

const STAND_IN: &str = "MCP_AUTHD_TESTS_STAND_IN";

/// A configuration whose `mcp-authd` is this test program, running [`the_stand_in_serves_a_socket_until_it_is_told_to_end`].
fn stand_in() -> Config {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("stories/harness/stand-in");
    let this = std::env::current_exe().unwrap();
    Config::new().programs_in(folder).environment("MCP_AUTHD_TESTS_PROGRAM", this).environment(STAND_IN, "serve")
}

/// Passes at once where it is not called as the stand-in.
#[tokio::test]
async fn the_stand_in_serves_a_socket_until_it_is_told_to_end() {
    let Ok(how) = std::env::var(STAND_IN) else { return };
    let mut told = signal(SignalKind::terminate()).unwrap();
    let directory = Path::new(&std::env::var_os("XDG_RUNTIME_DIR").unwrap()).join("mcp-authd");
    fs::create_dir_all(&directory).unwrap();
    let _old = fs::remove_file(directory.join("tokens.sock"));
    if how == "fail" {
        std::process::exit(3);
    }
    let others = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO")).count();
    let config =
        fs::read_to_string(Path::new(&std::env::var_os("XDG_CONFIG_HOME").unwrap()).join("mcp-authd/config.toml")).unwrap();
    println!("stand-in serves, log level {:?}, {others} foreign variables, {config}", std::env::var("MCP_AUTHD_LOG"));
    // Last: whoever waits for the socket may read the log at once.
    let _listener = UnixListener::bind(directory.join("tokens.sock")).unwrap();
    told.recv().await;
}

#[tokio::test]
async fn a_daemon_is_started_stopped_killed_and_started_again_in_the_same_directories() {
    let config = stand_in();
    let mut daemon = Daemon::start(config.account(Account::at("work", "http://127.0.0.1:1").scopes(["mcp:read"]))).await;
    let first = daemon.pid();
    assert!(daemon.logs().contains("log level Ok(\"trace\"), 0 foreign variables"), "{}", daemon.logs());
    assert!(daemon.logs().contains("[accounts.\"work\"]"));
    assert!(daemon.restart().await.success(), "it was asked to end, not forced");
    assert_ne!(daemon.pid(), first);
    daemon.kill();
    daemon.kill();
    daemon.start_again().await;
    assert_eq!(daemon.logs().matches("stand-in serves").count(), 3);
    assert!(daemon.stop().await.success());
}

#[tokio::test]
async fn a_daemon_can_be_killed_by_the_server_at_the_commit() {
    let config = stand_in();
    let mut daemon = Daemon::start(config).await;
    let server = AuthorizationServer::start(Settings::default());
    server.script(At::Resource, Misbehaviour::KillPeer { pid: daemon.pid(), at: Commit::After });
    assert!(fetch(&server.resource()).await.is_err());
    assert_eq!(daemon.exited().await.signal(), Some(9));
    daemon.start_again().await;
}

#[tokio::test]
#[should_panic(expected = "the daemon ended before it served (exit status: 3)")]
async fn a_daemon_that_fails_to_start_ends_the_story_with_its_log() {
    let config = stand_in();
    Daemon::start(config.environment(STAND_IN, "fail")).await;
}

#[tokio::test]
#[should_panic(expected = "run `cargo build --workspace` first")]
async fn a_missing_program_is_told_with_the_command_that_builds_it() {
    let empty = tempfile::tempdir().unwrap();
    Daemon::start(Config::new().programs_in(empty.path())).await;
}

#[tokio::test]
async fn the_certified_server_gives_tokens_that_its_resource_takes() {
    let idp = match RealIdp::start_with(&["--poll-interval", "1"]).await {
        Ok(idp) => idp,
        Err(reason) => return skipped("the certified server gives tokens that its resource takes", &reason),
    };
    let metadata = fetch(&format!("{}/.well-known/oauth-authorization-server", idp.issuer())).await.unwrap();
    let (device, token) = (metadata.member("device_authorization_endpoint"), metadata.member("token_endpoint"));
    let client = ("client_id", "lab-public");
    let prompt = post_form(&device, &[client, ("scope", "basic")]).await.unwrap();
    assert_eq!(idp.pending().await.unwrap()["pending"][0]["user_code"], Value::from(prompt.member("user_code")));
    assert_eq!(idp.approve(&prompt.member("user_code"), "alice").await.unwrap(), "alice");
    assert!(idp.deny(&prompt.member("user_code")).await.is_err(), "it has been answered");
    let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");
    let tokens = post_form(&token, &[client, grant, ("device_code", &prompt.member("device_code"))]).await.unwrap();
    let served = fetch_with_token(idp.resource(), &tokens.member("access_token")).await.unwrap();
    assert_eq!(served.status, 200, "{}", tokens.text());

    idp.fault(&json!({ "endpoint": "token", "mode": "503" })).await.unwrap();
    let (first, refresh_token) = (tokens.member("refresh_token"), ("grant_type", "refresh_token"));
    let form = [client, refresh_token, ("refresh_token", first.as_str())];
    assert_eq!(post_form(&token, &form).await.unwrap().status, 503);
    assert_eq!(post_form(&token, &form).await.unwrap().status, 200);
    assert_eq!(post_form(&token, &form).await.unwrap().member("error"), "invalid_grant");
    assert_eq!(idp.count("/refresh_reuses_detected").await.unwrap(), 1);
    assert_eq!(idp.count("/token/refresh_token/ok").await.unwrap(), 1);

    idp.reset().await.unwrap();
    assert_eq!(idp.count("/refresh_reuses_detected").await.unwrap(), 0);
    assert!(idp.configure(&json!({ "no_such_setting": 1 })).await.is_err());
}
