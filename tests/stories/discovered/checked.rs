//! `authctl provider check`: what a person reads about a good server and about a broken one; and nothing is changed by it.

use mcp_authd_tests::daemon::{Config, Daemon};
use mcp_authd_tests::programs::records;
use mcp_authd_tests::server::{AuthorizationServer, MetadataPlace, Protected, Registration, Settings, Spoilt};
use serde_json::{Value, json};

use super::{CLIENT, file, protected, words};
use crate::authctl::{Told, authctl};

async fn check(daemon: &Daemon, url: &str, more: &[&str]) -> Told {
    authctl(daemon, &[&["provider", "check", url][..], more].concat()).await
}

#[tokio::test]
async fn a_good_server_is_told_with_its_places_its_way_and_the_command_that_comes_next() {
    // given a server that registers clients, and a daemon without accounts
    let settings = Settings { registration: Registration::Open, ..Settings::default() };
    let server = AuthorizationServer::start(settings);
    let daemon = Daemon::start(Config::new()).await;
    let (url, issuer, before) = (server.resource(), server.issuer(), file(&daemon));

    let told = check(&daemon, &url, &[]).await;
    assert!(told.code == Some(0) && told.err.is_empty(), "{told:?}");
    for line in [
        format!("  resource  {url}\n"),
        format!("  metadata  {}/.well-known/oauth-protected-resource/resource\n", url.strip_suffix("/resource").unwrap()),
        format!("  server    {issuer}\n"),
        format!("  device    {issuer}/device_authorization\n"),
        format!("  token     {issuer}/token\n"),
        "  login     by a code on any device (RFC 8628): the server advertises device\n            authorization\n".to_owned(),
        "  client    mcp-authd registers itself at the first login: no client is\n".to_owned(),
        "What is worth knowing:\n".to_owned(),
        format!("  next      authctl account add {url}\n"),
    ] {
        assert!(told.out.contains(&line), "{line:?} is not in {}", told.out);
    }
    assert!(!told.out.contains("What is broken") && words(&told.out).contains("(RFC 9207, section 3)"), "{}", told.out);

    // then nothing was saved, registered or begun
    assert_eq!((file(&daemon), records(&daemon)), (before, vec![]));
    let asked: Vec<String> = server.log().into_iter().map(|request| request.path).collect();
    assert!(asked.iter().all(|path| path == "/resource" || path.starts_with("/.well-known/")), "{asked:?}");
    assert!(server.log().iter().all(|request| request.client_id.is_none() && request.parameters.is_empty()));
}

#[tokio::test]
async fn a_broken_server_is_told_with_its_breaches_and_ends_badly() {
    let server = protected(Protected { metadata: vec![MetadataPlace::Elsewhere], ..Protected::default() });
    server.change(|settings| {
        settings.protected.answers = vec![Spoilt::With("authorization_servers", json!(["file:///etc/passwd", server.issuer()]))];
        settings.metadata_answers = vec![Spoilt::Without("token_endpoint")];
    });
    let daemon = Daemon::start(Config::new()).await;
    let told = check(&daemon, &server.resource(), &[]).await;
    assert!(told.code == Some(1) && told.err.is_empty(), "{told:?}");
    for part in [
        "where the resource's challenge says (RFC 9728, 5.1)",
        "  unusable  http://127.0.0.1",
        "The metadata has no usable `token_endpoint` (RFC 8414, section 2).",
        "What is broken:\n",
        "authorization_servers`",
        "  next      ask the operator",
    ] {
        assert!(told.out.contains(part), "{part:?} is not in {}", told.out);
    }
    let told = check(&daemon, &server.resource(), &["--json"]).await;
    let found: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!((told.code, &found["login_possible"], &found["server"]), (Some(1), &json!(false), &json!(null)));
}

#[tokio::test]
async fn a_client_that_is_given_is_what_is_missing() {
    let server = AuthorizationServer::start(Settings::default());
    let daemon = Daemon::start(Config::new()).await;
    let told = check(&daemon, &server.resource(), &[]).await;
    assert!(told.code == Some(1) && words(&told.out).contains("a login there needs a client_id from you."), "{told:?}");
    let told = check(&daemon, &server.resource(), &["--client-id", CLIENT]).await;
    assert!(told.code == Some(0) && told.out.ends_with(&format!("{} --client-id {CLIENT}\n", server.resource())), "{told:?}");
}

#[tokio::test]
async fn an_issuer_can_be_looked_at_too_also_one_with_a_path() {
    for path in ["", "/tenant1"] {
        let settings = Settings { issuer_path: path.to_owned(), registration: Registration::Open, ..Settings::default() };
        let server = AuthorizationServer::start(settings);
        let daemon = Daemon::start(Config::new()).await;
        let told = check(&daemon, server.issuer(), &[]).await;
        assert!(told.code == Some(0) && told.out.contains(&format!("  server    {}\n", server.issuer())), "{told:?}");
        assert!(words(&told.out).contains("is an authorization server, and") && !told.out.contains("  resource "), "{told:?}");
    }
}
