//! At a certified authorization server (`tests/idp`) whose device grant is switched off: somebody else's reading of RFC 6749, 7636,
//! 8707 and 9207.

use mcp_authd_client::status::{Health, Revocation, SignInEnd};
use mcp_authd_client::{Need, Reason, SignIn, Token};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::person::in_browser;
use mcp_authd_tests::plain_http::fetch_with_token;
use mcp_authd_tests::programs::{a_token, program, prompt, token, tool, url, watched};
use mcp_authd_tests::real_idp::RealIdp;
use mcp_authd_tests::skip::skipped;
use serde_json::json;
use url::Url;

use super::{listens_only_at, port_of, refused, stops_listening, work};
use crate::real_server::{account, count_reaches, health};

async fn server_or_skip(story: &str, settings: &[&str]) -> Option<RealIdp> {
    let without_device = match settings.iter().position(|setting| *setting == "--disable") {
        Some(_) => Vec::new(),
        None => vec!["--disable", "device"],
    };
    let started = RealIdp::start_with(&[&without_device[..], settings].concat()).await;
    started.map_err(|reason| skipped(story, &reason)).ok()
}

async fn daemon_with(account: Account) -> Daemon {
    Daemon::start(Config::new().account(account)).await
}

fn named(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

/// A program asks, and the person approves as alice: the prompt and the token.
async fn log_in(daemon: &Daemon, idp: &RealIdp) -> (SignIn, Token) {
    let shown = prompt(program(daemon).token(work()).await.unwrap());
    let back = idp.approve_in_browser(&url(&shown), "alice").await.unwrap();
    // RFC 9207: it names itself.
    assert_eq!(named(&back, "iss").as_deref(), Some(idp.issuer()));
    assert_eq!(in_browser::follow(&back).await.unwrap().status(), 200);
    let token = watched(&mut program(daemon).watch(work()), a_token).await;
    (shown, token)
}

/// The whole life of a login: in, refreshed, out.
async fn a_login_serves_is_refreshed_and_revoked(idp: &RealIdp, account: Account) {
    // given a program that has asked, and a person who answered in a browser
    let daemon = daemon_with(account).await;
    let (shown, first) = log_in(&daemon, idp).await;
    let served = fetch_with_token(idp.resource(), first.expose()).await.unwrap();
    assert_eq!((served.status, served.member("sub")), (200, "alice".to_owned()), "{}", served.text());
    assert_eq!(health(&tool(&daemon)).await, Health::Good);
    stops_listening(&daemon, port_of(&shown)).await;

    // when the token is rejected, one refresh brings another
    let second = token(program(&daemon).report_rejected(&first).await.unwrap());
    assert_ne!(first.sha256(), second.sha256());
    assert_eq!(fetch_with_token(idp.resource(), second.expose()).await.unwrap().status, 200);

    // and a logout ends it there
    assert_eq!(tool(&daemon).sign_out(None).await.unwrap().revocation, Revocation::Sent);
    count_reaches(idp, "/endpoints/revocation/outcomes/ok", 1).await;
    assert_eq!(fetch_with_token(idp.resource(), second.expose()).await.unwrap().status, 401);
    assert_eq!(idp.count("/token/authorization_code/ok").await.unwrap(), 1);
    assert_eq!(idp.count("/token/refresh_token/ok").await.unwrap(), 1);
    assert_eq!(idp.count("/code_reuses_detected").await.unwrap(), 0);
    assert_eq!(idp.count("/refresh_reuses_detected").await.unwrap(), 0);
    assert_eq!(idp.count("/device_codes_issued").await.unwrap(), 0);
}

#[tokio::test]
async fn a_login_in_a_browser_at_a_certified_server_serves_is_refreshed_and_revoked() {
    let Some(idp) = server_or_skip("a login in a browser at a certified server", &[]).await else { return };
    a_login_serves_is_refreshed_and_revoked(&idp, account("work", &idp).scopes(["openid", "profile"])).await;
}

#[tokio::test]
async fn an_issuer_with_a_path_is_logged_in_to_in_a_browser() {
    let settings = ["--issuer-path", "/tenant1"];
    let Some(idp) = server_or_skip("a certified server with a path in its issuer", &settings).await else { return };
    assert!(idp.issuer().ends_with("/tenant1"));
    a_login_serves_is_refreshed_and_revoked(&idp, account("work", &idp).scopes(["openid"])).await;
}

#[tokio::test]
async fn a_server_with_openid_metadata_alone_or_oauth_metadata_alone_is_logged_in_to_in_a_browser() {
    for off in ["device,oauth-metadata", "device,oidc-metadata,par,introspection,dcr"] {
        let Some(idp) = server_or_skip("a certified server with one metadata document", &["--disable", off]).await else {
            return;
        };
        a_login_serves_is_refreshed_and_revoked(&idp, account("work", &idp).scopes(["openid"])).await;
    }
}

#[tokio::test]
async fn a_client_that_nobody_configured_is_registered_once_and_logged_in_in_a_browser() {
    let Some(idp) = server_or_skip("a registration at a certified server", &[]).await else { return };
    a_login_serves_is_refreshed_and_revoked(&idp, account("work", &idp).without_client().scopes(["openid"])).await;
    assert_eq!(idp.count("/clients_registered").await.unwrap(), 1);
}

#[tokio::test]
async fn a_resource_is_named_at_the_authorization_the_exchange_and_the_refresh() {
    let Some(idp) = server_or_skip("a resource indicator in a browser at a certified server", &[]).await else { return };

    // given an account for one of the server's resources (RFC 8707)
    let daemon = daemon_with(account("work", &idp).scopes(["mcp:read"]).resource(idp.resource())).await;
    let (shown, first) = log_in(&daemon, &idp).await;
    assert_eq!(named(&url(&shown), "resource").as_deref(), Some(idp.resource()));

    // then the token is a JWT for it, before and after a refresh, and the other resource refuses both
    let second = token(program(&daemon).report_rejected(&first).await.unwrap());
    for token in [first, second] {
        let served = fetch_with_token(idp.resource(), token.expose()).await.unwrap();
        assert_eq!((served.status, served.member("format")), (200, "jwt".to_owned()), "{}", served.text());
        assert_eq!((served.member("aud"), served.member("scope")), (idp.resource().to_owned(), "mcp:read".to_owned()));
        assert_eq!(fetch_with_token(idp.mcp(), token.expose()).await.unwrap().status, 401);
        assert_eq!(token.resource(), Some(idp.resource()));
    }
    let log = idp.log().await.unwrap();
    let named_at = |endpoint: &str| {
        let lines = log["log"].as_array().unwrap().iter().filter(|line| line["endpoint"] == endpoint);
        lines.map(|line| line["resource"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(named_at("token"), [idp.resource(), idp.resource()]);
}

#[tokio::test]
async fn a_resource_that_the_server_does_not_know_ends_the_login_with_its_word() {
    let Some(idp) = server_or_skip("an unknown resource in a browser at a certified server", &[]).await else { return };
    let daemon = daemon_with(account("work", &idp).scopes(["mcp:read"]).resource("https://mcp.elsewhere.invalid/")).await;
    let shown = prompt(program(&daemon).token(work()).await.unwrap());
    let back = idp.approve_in_browser(&url(&shown), "alice").await.unwrap();
    assert_eq!(in_browser::follow(&back).await.unwrap().status(), 200);
    let over = refused(&daemon, SignInEnd::Failed).await;
    assert!(over.reason == Reason::Configuration && over.message.contains("invalid_target"), "{over:?}");
    stops_listening(&daemon, port_of(&shown)).await;
}

#[tokio::test]
async fn who_denies_at_a_certified_server_ends_the_login() {
    let Some(idp) = server_or_skip("a denial in a browser at a certified server", &[]).await else { return };
    let daemon = daemon_with(account("work", &idp).scopes(["openid"])).await;
    let shown = prompt(program(&daemon).token(work()).await.unwrap());
    let back = idp.deny_in_browser(&url(&shown)).await.unwrap();
    assert_eq!(named(&back, "error").as_deref(), Some("access_denied"));
    assert_eq!(in_browser::follow(&back).await.unwrap().status(), 200);
    assert_eq!(refused(&daemon, SignInEnd::Denied).await.reason, Reason::Denied);
    assert_eq!(idp.count("/endpoints/token/total").await.unwrap(), 0);
    stops_listening(&daemon, port_of(&shown)).await;
}

#[tokio::test]
async fn p20_an_answer_of_a_certified_server_without_its_name_or_with_another_ends_the_login() {
    let Some(idp) = server_or_skip("a changed iss of a certified server", &[]).await else { return };
    for iss in [None, Some("https://evil.example"), Some(&*format!("{}/", idp.issuer()))] {
        let daemon = daemon_with(account("work", &idp).scopes(["openid"])).await;
        let shown = prompt(program(&daemon).token(work()).await.unwrap());
        let mut back = idp.approve_in_browser(&url(&shown), "alice").await.unwrap();
        let pairs: Vec<(String, String)> = back.query_pairs().into_owned().filter(|(name, _)| name != "iss").collect();
        back.query_pairs_mut().clear().extend_pairs(pairs).extend_pairs(iss.map(|iss| ("iss", iss)));
        in_browser::follow(&back).await.unwrap();
        let over = refused(&daemon, SignInEnd::Failed).await;
        assert!(over.message.contains("RFC 9207"), "{over:?}");
        stops_listening(&daemon, port_of(&shown)).await;
    }
    assert_eq!(idp.count("/endpoints/token/total").await.unwrap(), 0);
}

#[tokio::test]
async fn d35_a_certified_server_whose_answer_is_lost_sees_the_code_once() {
    let Some(idp) = server_or_skip("a lost exchange at a certified server", &[]).await else { return };
    let daemon = daemon_with(account("work", &idp).scopes(["openid"])).await;
    let lost = json!({ "endpoint": "token", "grant_type": "authorization_code", "mode": "drop-after-commit" });
    idp.fault(&lost).await.unwrap();
    let shown = prompt(program(&daemon).token(work()).await.unwrap());
    let back = idp.approve_in_browser(&url(&shown), "alice").await.unwrap();
    in_browser::follow(&back).await.unwrap();
    stops_listening(&daemon, port_of(&shown)).await;

    // A program may begin the next login, which works.
    let (_, token) = log_in(&daemon, &idp).await;
    assert_eq!(fetch_with_token(idp.resource(), token.expose()).await.unwrap().status, 200);
    assert_eq!(idp.count("/endpoints/token/total").await.unwrap(), 2);
    assert_eq!(idp.count("/code_reuses_detected").await.unwrap(), 0);
}

#[tokio::test]
async fn a_daemon_that_was_killed_is_answered_by_the_browser_that_waits_at_a_certified_server() {
    let Some(idp) = server_or_skip("a kill while a browser waits at a certified server", &[]).await else { return };
    let mut daemon = daemon_with(account("work", &idp).scopes(["openid"])).await;
    let shown = prompt(program(&daemon).token(Need::account("work")).await.unwrap());
    let back = idp.approve_in_browser(&url(&shown), "alice").await.unwrap();
    daemon.kill();
    daemon.start_again().await;
    listens_only_at(&daemon, port_of(&shown)).await;
    assert_eq!(in_browser::follow(&back).await.unwrap().status(), 200);
    let token = watched(&mut program(&daemon).watch(work()), a_token).await;
    assert_eq!(fetch_with_token(idp.resource(), token.expose()).await.unwrap().status, 200);
}
