//! URLs that lead to no login: nothing is written, and each ends in what to do next.

use mcp_authd_tests::daemon::{Config, Daemon};
use mcp_authd_tests::server::{At, Challenge, Misbehaviour, Protected, Spoilt};
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use serde_json::json;

use super::{CLIENT, add, file, protected, with_metadata, words};

async fn refused(server: &AuthorizationServer, more: &[&str], said: &str, next: &str) {
    let daemon = Daemon::start(Config::new().text("# mine\n")).await;
    let before = file(&daemon);
    let told = add(&daemon, &server.resource(), more).await;
    told.assert_refused(1, next);
    assert!(words(&told.err).contains(said), "{said:?} is not in {told:?}");
    assert_eq!(file(&daemon), before);
    assert_eq!(server.counts().device_authorizations, 0);
}

#[tokio::test]
async fn a_server_that_registers_nobody_wants_a_client_id_and_the_whole_command_is_told() {
    let server = AuthorizationServer::start(Settings::default());
    let next = format!("authctl account add {} --client-id ID", server.resource());
    refused(&server, &[], "registers no clients on its own, and no client_id is configured", &next).await;
}

#[tokio::test]
async fn metadata_of_another_resource_is_never_used() {
    let evil = json!("https://evil.example/mcp");
    let server = protected(Protected { answers: vec![Spoilt::With("resource", evil)], ..Protected::default() });
    refused(&server, &["--client-id", CLIENT], "(RFC 9728, 3.3)", "operator").await;
    assert_eq!(server.log().iter().filter(|request| request.path.contains("authorization-server")).count(), 0);
}

#[tokio::test]
async fn metadata_of_another_issuer_is_never_used() {
    let server = with_metadata(vec![Spoilt::With("issuer", json!("https://evil.example"))]);
    refused(&server, &["--client-id", CLIENT], "(RFC 8414, 3.3)", "operator").await;
}

#[tokio::test]
async fn a_server_that_can_do_neither_way_is_told_as_that() {
    let server = with_metadata(vec![Spoilt::Without("device_authorization_endpoint")]);
    refused(&server, &["--client-id", CLIENT], "the server has no authorization endpoint", "authctl account add --help").await;
}

#[tokio::test]
async fn a_web_page_and_a_server_that_is_down_are_for_later() {
    let server = AuthorizationServer::start(Settings::default());
    let again = format!("authctl account add {} --client-id {CLIENT} (when it can be reached)", server.resource());
    server.always(At::Metadata, Misbehaviour::Html);
    refused(&server, &["--client-id", CLIENT], "did not answer the request for its metadata", &again).await;
    server.go_down().await;
    refused(&server, &["--client-id", CLIENT], "could not be reached", &again).await;
}

#[tokio::test]
async fn a_server_that_is_not_named_by_the_resource_cannot_be_chosen() {
    let server = AuthorizationServer::start(Settings::default());
    let next = format!("--issuer {}", server.issuer());
    let chosen = ["--client-id", CLIENT, "--issuer", "http://127.0.0.1:1"];
    refused(&server, &chosen, "does not name the authorization server http://127.0.0.1:1", &next).await;
}

#[tokio::test]
async fn a_resource_that_says_nothing_and_has_no_server_is_told_so() {
    let settings = Settings {
        metadata: vec![],
        protected: Protected { metadata: vec![], challenge: Challenge::Bare, ..Protected::default() },
        ..Settings::default()
    };
    refused(&AuthorizationServer::start(settings), &["--client-id", CLIENT], "publishes no metadata", "authctl account add")
        .await;
}
