//! Nothing is guessed: what a server has not named is never asked for, however usual its place is.

use std::collections::BTreeSet;

use mcp_authd_client::{Need, Request, SignInMode};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{logged_in, program};
use mcp_authd_tests::server::{AuthorizationServer, Settings, Spoilt};

use super::{CLIENT, added};
use crate::authctl::authctl;
use crate::logged_in::used;

/// Where a server may say what it is (RFC 9728, 3.1; RFC 8414, 3.1; OpenID Connect Discovery 1.0, section 4): to ask there is no
/// guess.
fn is_well_known(path: &str) -> bool {
    path.contains("/.well-known/")
}

/// A whole life: a login, a token that the resource refuses, the refresh that follows, and a logout.
async fn life_of(name: &str, daemon: &Daemon, server: &AuthorizationServer) {
    logged_in(daemon, name).await;
    let program = program(daemon);
    let request = Request::new(Need::account(name)).sign_in(SignInMode::Never);
    let token = used(program.token(request).await.unwrap());
    used(program.report_rejected(&token).await.unwrap());
    assert_eq!(server.counts().refreshes, 1);
    assert_eq!(authctl(daemon, &["logout", name]).await.code, Some(0));
}

/// The paths that were asked for and that nobody has named; the person's own browser does not count.
fn unnamed(server: &AuthorizationServer, named: &[&str]) -> BTreeSet<String> {
    let ours =
        server.log().into_iter().filter(|request| request.user_agent.as_deref().is_some_and(|by| by.starts_with("mcp-authd")));
    let paths: BTreeSet<String> = ours.map(|request| request.path).collect();
    assert!(paths.contains("/token"), "{paths:?}");
    paths.into_iter().filter(|path| !is_well_known(path) && !named.contains(&path.as_str())).collect()
}

#[tokio::test]
async fn an_endpoint_that_was_neither_discovered_nor_configured_is_never_called() {
    // given a server with endpoints at all the usual places, of which its metadata names two
    let hidden = vec![Spoilt::Without("revocation_endpoint")];
    let server = AuthorizationServer::start(Settings { metadata_answers: hidden, ..Settings::default() });
    let daemon = Daemon::start(Config::new()).await;
    let answer = added(&daemon, &server.resource(), &["--client-id", CLIENT]).await;
    life_of(answer["account"]["name"].as_str().unwrap(), &daemon, &server).await;
    let resource = server.resource();
    let resource = resource.strip_prefix(server.issuer()).unwrap();
    assert_eq!(unnamed(&server, &["/device_authorization", "/token", resource]), BTreeSet::new());

    // and one whose endpoints a person has written down: then not even its metadata
    let server = AuthorizationServer::start(Settings::default());
    let [device, token] = ["device_authorization", "token"].map(|end| format!("{}/{end}", server.issuer()));
    let daemon = Daemon::start(Config::new().account(Account::at_endpoints("work", &device, &token))).await;
    life_of("work", &daemon, &server).await;
    let asked: BTreeSet<String> = server.log().into_iter().map(|request| request.path).collect();
    assert!(!asked.iter().any(|path| is_well_known(path)), "{asked:?}");
    assert_eq!(unnamed(&server, &["/device_authorization", "/token"]), BTreeSet::new());
}
