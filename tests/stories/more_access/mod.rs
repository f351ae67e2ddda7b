//! A program needs more than is granted: the person is asked for it beside a token that goes on serving, and once only.

use mcp_authd_client::admin::StartSignIn;
use mcp_authd_client::status::{AccountStatus, Health};
use mcp_authd_client::{Answer, Client, Need, Purpose, Reason, Request, SignIn, SignInMode, Token};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::plain_http;
use mcp_authd_tests::programs::{
    a_token, account_is, approve, code, deny, logged_in, program, prompt, prompted, refusal, token, tool, watched,
};
use mcp_authd_tests::server::{AuthorizationServer, Settings};

use crate::authctl::authctl;

/// Logged in for "read".
async fn logged_in_to_read(server: &AuthorizationServer) -> Daemon {
    let daemon = Daemon::start(Config::new().account(Account::at("work", server.issuer()).scopes(["read"]))).await;
    logged_in(&daemon, "work").await;
    daemon
}

fn need(scopes: &[&str]) -> Need {
    Need::account("work").scopes(scopes.iter().copied()).client_name("editor")
}

async fn ask(program: &Client, scopes: &[&str]) -> Answer {
    program.token(need(scopes)).await.unwrap()
}

async fn asks_for_more(daemon: &Daemon, scopes: &[&str]) -> SignIn {
    let shown = prompt(ask(&program(daemon), scopes).await);
    assert_eq!(shown.purpose, Purpose::MoreAccess);
    shown
}

/// The login has ended, and what it has brought is saved.
async fn settled(daemon: &Daemon) -> AccountStatus {
    account_is(&tool(daemon), "work", |status| status.sign_in.is_none() && status.grant.is_some()).await
}

async fn assert_insufficient(daemon: &Daemon, scopes: &[&str]) {
    for mode in [SignInMode::StartAndReturn, SignInMode::StartAndWait] {
        let refused = refusal(program(daemon).token(Request::new(need(scopes)).sign_in(mode)).await.unwrap());
        assert_eq!(refused.reason, Reason::InsufficientScope);
        assert!(refused.next_step.contains("authctl login work --again"), "{refused:?}");
    }
}

async fn assert_serves(server: &AuthorizationServer, token: &Token) {
    assert_eq!(plain_http::fetch_with_token(&server.resource(), token.expose()).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_program_that_needs_more_is_shown_a_login_for_the_union_while_the_token_serves_and_is_refreshed() {
    // given a program with a token
    let server = AuthorizationServer::start(Settings::default());
    let daemon = logged_in_to_read(&server).await;
    let reader = program(&daemon);
    let first = token(ask(&reader, &["read"]).await);

    // when another one needs more
    let shown = asks_for_more(&daemon, &["read", "write"]).await;

    // then the person is asked for both, and told what is new
    assert_eq!(server.pending()[0].scopes, ["read", "write"]);
    assert!(shown.message.contains("\"work\" needs more access: scope write;"), "{}", shown.message);
    assert_eq!(shown.asked_by.as_deref(), Some("editor"));

    // and the first is served as before, through a refresh that asks for no scope
    assert_eq!(token(ask(&reader, &["read"]).await).expose(), first.expose());
    let refreshed = token(reader.report_rejected(&first).await.unwrap());
    assert_ne!(refreshed.expose(), first.expose());
    assert_serves(&server, &refreshed).await;
    assert_eq!(server.counts().refreshes_ok(), 1);
    assert_eq!(code(&asks_for_more(&daemon, &["write"]).await), code(&shown), "the login waits all the while");

    // when the person allows it
    let mut watch = program(&daemon).watch(need(&["read", "write"]));
    approve(&shown).await;

    // then one new token serves both, and keeps its scopes when it is refreshed
    let new = watched(&mut watch, a_token).await;
    assert_eq!(new.scopes(), ["read", "write"]);
    assert_eq!(token(ask(&reader, &["read"]).await).expose(), new.expose());
    assert_serves(&server, &new).await;
    let after = token(reader.report_rejected(&new).await.unwrap());
    assert_ne!(after.expose(), new.expose());
    assert_eq!(after.scopes(), ["read", "write"]);
    let counts = server.counts();
    assert_eq!((counts.device_authorizations, counts.grants_started, counts.refreshes_ok()), (2, 2, 2));
    let log = server.log();
    let refreshes: Vec<_> = log.iter().filter(|request| request.grant_type.as_deref() == Some("refresh_token")).collect();
    assert_eq!(refreshes.len(), 2);
    assert!(refreshes.iter().all(|request| request.scope.is_none()), "a refresh never asks for a scope");
    counts.assert_no_race_was_lost();
}

#[tokio::test]
async fn a_denied_login_for_more_is_told_with_the_next_step_and_not_shown_again_until_the_persons_own_login() {
    // given
    let server = AuthorizationServer::start(Settings::default());
    let mut daemon = logged_in_to_read(&server).await;
    let shown = asks_for_more(&daemon, &["write"]).await;

    // when
    deny(&shown).await;
    settled(&daemon).await;

    // then the token serves, and what was denied is not asked for again, after a restart neither
    for _ in 0..2 {
        assert_insufficient(&daemon, &["write"]).await;
        assert_insufficient(&daemon, &["admin"]).await;
        assert_serves(&server, &token(ask(&program(&daemon), &["read"]).await)).await;
        assert!(daemon.restart().await.success());
    }
    assert_eq!(server.counts().device_authorizations, 2);

    // and the person's own login ends that
    let again = StartSignIn { account: Some("work".to_owned()), again: true, replace: false };
    approve(&tool(&daemon).start_sign_in(again).await.unwrap().sign_in.unwrap()).await;
    settled(&daemon).await;
    asks_for_more(&daemon, &["write"]).await;
    assert_eq!(server.counts().device_authorizations, 4);
}

#[tokio::test]
async fn d40_what_the_server_withholds_is_asked_for_once() {
    // given a server that grants "read" whatever is asked for
    let server = AuthorizationServer::start(Settings { granted_scopes: Some(vec!["read".to_owned()]), ..Settings::default() });
    let daemon = logged_in_to_read(&server).await;

    // when two programs ask for more, one after the other, and the person allows it
    for scope in ["write", "admin"] {
        approve(&asks_for_more(&daemon, &[scope]).await).await;
        settled(&daemon).await;
    }

    // then both are told that it is not enough, and nobody is asked again
    for _ in 0..2 {
        assert_insufficient(&daemon, &["write"]).await;
        assert_insufficient(&daemon, &["read", "admin"]).await;
    }
    assert_serves(&server, &token(ask(&program(&daemon), &["read"]).await)).await;
    assert_eq!(server.counts().device_authorizations, 3);
}

#[tokio::test]
async fn a_login_for_more_outlives_the_daemon_as_what_it_was() {
    // given
    let server = AuthorizationServer::start(Settings::default());
    let mut daemon = logged_in_to_read(&server).await;
    let shown = asks_for_more(&daemon, &["write"]).await;

    // when
    assert!(daemon.restart().await.success());

    // then it is the same one, beside a token that serves
    let after = asks_for_more(&daemon, &["write"]).await;
    assert_eq!((code(&after), &after.asked_by), (code(&shown), &shown.asked_by));
    assert!(after.message.contains("needs more access: scope write;"), "{}", after.message);
    assert_serves(&server, &token(ask(&program(&daemon), &["read"]).await)).await;
    approve(&after).await;
    let new = watched(&mut program(&daemon).watch(need(&["read", "write"])), a_token).await;
    assert_eq!(new.scopes(), ["read", "write"]);
    assert_eq!(server.counts().device_authorizations, 2);
}

#[tokio::test]
async fn the_status_tells_an_account_that_needs_more_access_and_the_person_joins_its_login() {
    // given
    let server = AuthorizationServer::start(Settings::default());
    let daemon = logged_in_to_read(&server).await;
    assert_eq!(authctl(&daemon, &["status"]).await.code, Some(0));
    let shown = asks_for_more(&daemon, &["write"]).await;

    // when the person looks
    let told = authctl(&daemon, &["status"]).await;
    let status = account_is(&tool(&daemon), "work", |status| status.sign_in.is_some()).await;

    // then it is a state of its own, with the token, the scopes and the next step
    assert_eq!((status.health, status.grant.is_some()), (Health::SigningIn, true));
    for line in [
        "NEEDS MORE ACCESS",
        "needs more access: scope write; the present token goes on serving",
        "asked by editor",
        "authctl login work",
    ] {
        let words: Vec<&str> = told.out.split_whitespace().collect();
        assert!(words.join(" ").contains(line), "{line}: {told:?}");
    }
    assert!(told.out.contains("token     valid for "), "{told:?}");

    // and `authctl login` joins it
    let joined = prompted(&daemon, "work").await;
    assert_eq!((joined.purpose, code(&joined)), (Purpose::MoreAccess, code(&shown)));
    approve(&joined).await;
    let status = settled(&daemon).await;
    assert_eq!((status.health, status.message), (Health::Good, None));
    assert_eq!(authctl(&daemon, &["status"]).await.code, Some(0));
}
