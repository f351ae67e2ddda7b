//! The path of the 401: a rejected token is replaced once for all who report it, and a rejected fresh one begins no loop.

use std::collections::BTreeSet;

use mcp_authd_client::{Answer, Need, Reason, Token};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::plain_http;
use mcp_authd_tests::programs::{Crowd, logged_in, program, refusal, token};
use mcp_authd_tests::server::{At, AuthorizationServer, Commit, Misbehaviour, RefreshTokens, Settings};

fn need() -> Need {
    Need::account("work")
}

async fn logged_in_at(server: &AuthorizationServer) -> Daemon {
    let daemon = Daemon::start(Config::new().account(Account::at("work", server.issuer()).scopes(["mcp:read"]))).await;
    logged_in(&daemon, "work").await;
    daemon
}

fn the_one_token(answers: Vec<Answer>) -> Token {
    let tokens: Vec<Token> = answers.into_iter().map(token).collect();
    assert_eq!(tokens.iter().map(Token::expose).collect::<BTreeSet<_>>().len(), 1, "all get the same token");
    tokens.into_iter().next().unwrap()
}

async fn status_at_the_resource(server: &AuthorizationServer, token: &Token) -> u16 {
    plain_http::fetch_with_token(&server.resource(), token.expose()).await.unwrap().status
}

#[tokio::test]
async fn twenty_reporters_of_one_rejected_token_make_one_refresh() {
    // given
    let server = AuthorizationServer::start(Settings::default());
    let daemon = logged_in_at(&server).await;
    let rejected = token(program(&daemon).token(need()).await.unwrap());
    let crowd = Crowd::of(20, &daemon);

    // when they report it at once, and all of them before the refresh has ended
    server.script(At::Refresh, Misbehaviour::Hold(Commit::Before));
    let mut reports = crowd.report(1, &rejected);
    server.wait_for(|counts| counts.held == 1).await;
    reports.taken().await;
    assert_eq!(reports.open(), 20);
    server.release();
    let new = the_one_token(reports.answers().await);

    // then
    assert_ne!(new.expose(), rejected.expose());
    assert_eq!(status_at_the_resource(&server, &new).await, 200);
    assert_eq!(server.counts().refreshes, 1);

    // and whoever reports the old one later gets the present one without another
    let present = the_one_token(crowd.report(5, &rejected).answers().await);
    assert_eq!(present.expose(), new.expose());
    assert_eq!(server.counts().refreshes, 1);
    server.counts().assert_no_race_was_lost();
}

#[tokio::test]
async fn a_rejected_fresh_token_ends_in_a_refusal_and_in_no_loop() {
    // given a token that a report has just brought
    let server = AuthorizationServer::start(Settings::default());
    let daemon = logged_in_at(&server).await;
    let program = program(&daemon);
    let first = token(program.token(need()).await.unwrap());
    let fresh = token(program.report_rejected(&first).await.unwrap());
    assert_eq!(server.counts().refreshes, 1);

    // when it is rejected as well, by many and again
    let refused = Crowd::of(20, &daemon).report(5, &fresh).answers().await;

    // then each is told so, and what to do
    for refusal in refused.into_iter().map(refusal) {
        assert_eq!(refusal.reason, Reason::TokenRejected);
        assert!(refusal.message.contains("fresh token"), "{}", refusal.message);
        assert!(refusal.next_step.contains("authctl"), "{}", refusal.next_step);
    }
    assert_eq!((server.counts().refreshes, server.counts().device_authorizations), (1, 1));

    // and those whom it serves go on being served
    assert_eq!(token(program.token(need()).await.unwrap()).expose(), fresh.expose());
}

#[tokio::test]
async fn a_program_whose_token_was_revoked_reports_it_once_and_works_again() {
    // given a program at work
    let server = AuthorizationServer::start(Settings::default());
    let daemon = logged_in_at(&server).await;
    let program = program(&daemon);
    let first = token(program.token(need()).await.unwrap());
    assert_eq!(status_at_the_resource(&server, &first).await, 200);

    // when the server revokes its access token
    assert!(server.revoke_access_token(first.expose()));
    assert_eq!(status_at_the_resource(&server, &first).await, 401);

    // then one report makes it work again
    let second = token(program.report_rejected(&first).await.unwrap());
    assert_eq!(status_at_the_resource(&server, &second).await, 200);
    assert_eq!((server.counts().refreshes, server.counts().device_authorizations), (1, 1));
}

#[tokio::test]
async fn a_report_on_a_grant_that_the_server_has_ended_makes_one_refresh_and_one_login() {
    // given a grant that the person has withdrawn at the server
    let server = AuthorizationServer::start(Settings::default());
    let daemon = logged_in_at(&server).await;
    let first = token(program(&daemon).token(need()).await.unwrap());
    assert_eq!(server.end_grants(), 1);
    assert_eq!(status_at_the_resource(&server, &first).await, 401);

    // when twenty report it
    let answers = Crowd::of(20, &daemon).report(1, &first).answers().await;

    // then nobody gets the dead token again, and all are shown one login
    for answer in &answers {
        assert!(matches!(answer, Answer::ShowSignIn(_)), "{answer:?}");
    }
    assert_eq!((server.counts().refreshes, server.counts().device_authorizations), (1, 2));
}

#[tokio::test]
async fn a_rejected_token_without_a_refresh_token_makes_one_login() {
    // given a server that gives no refresh tokens
    let server = AuthorizationServer::start(Settings { refresh_tokens: RefreshTokens::Withheld, ..Settings::default() });
    let daemon = logged_in_at(&server).await;
    let first = token(program(&daemon).token(need()).await.unwrap());
    assert!(server.revoke_access_token(first.expose()));

    // when
    let answers = Crowd::of(20, &daemon).report(1, &first).answers().await;

    // then
    for answer in &answers {
        assert!(matches!(answer, Answer::ShowSignIn(_)), "{answer:?}");
    }
    assert_eq!((server.counts().refreshes, server.counts().device_authorizations), (0, 2));
}
