//! An account whose issuer and client stand in the configuration: the device grant, the resource, the logout, and kills.

use mcp_authd_client::status::{Health, Revocation};
use mcp_authd_client::{AdminClient, Answer, Client, Need, Request, SignInMode, Token};
use mcp_authd_tests::daemon::{Config, Daemon};
use mcp_authd_tests::plain_http::fetch_with_token;
use mcp_authd_tests::programs::{program, tool};
use mcp_authd_tests::real_idp::RealIdp;
use serde_json::json;

use super::{PATIENT, WATCHDOG, account, count_reaches, health, server_or_skip, user_code};

/// Asks, approves what is shown, and waits for the token.
async fn log_in(program: &Client, need: &Need, idp: &RealIdp) -> Token {
    match program.token(need.clone()).await.unwrap() {
        Answer::ShowSignIn(sign_in) => idp.approve(user_code(&sign_in), "alice").await.unwrap(),
        other => panic!("nobody has logged in yet: {other:?}"),
    };
    let mut watch = program.watch(need.clone());
    let served = async {
        loop {
            if let Ok(Answer::UseToken(token)) = watch.token() {
                return token;
            }
            watch.changed().await.unwrap();
        }
    };
    tokio::time::timeout(WATCHDOG, served).await.expect("an approved login is served")
}

/// Waits until the account is so.
async fn health_becomes(tool: &AdminClient, wanted: Health) {
    let mut changes = tool.watch_accounts(None).await.unwrap();
    let reached = async { while changes.next().await.unwrap().health != wanted {} };
    let waited = tokio::time::timeout(WATCHDOG, reached).await;
    assert!(waited.is_ok(), "the account never became {wanted:?}");
}

#[tokio::test]
async fn a_token_of_a_device_login_at_a_certified_server_opens_its_resource() {
    let Some(idp) = server_or_skip("a device login at a certified server", PATIENT).await else { return };

    // given a program that has shown its code, and a person who approved it
    let daemon = Daemon::start(Config::new().account(account("work", &idp).scopes(["openid", "profile"]))).await;
    let token = log_in(&program(&daemon), &Need::account("work"), &idp).await;

    // when it uses the token
    let served = fetch_with_token(idp.resource(), token.expose()).await.unwrap();

    // then it is served as the person who approved, with what was configured, by one login
    assert_eq!((served.status, served.member("sub")), (200, "alice".to_owned()), "{}", served.text());
    assert_eq!(token.scopes(), ["openid", "profile"]);
    assert_eq!(idp.count("/device_codes_issued").await.unwrap(), 1);
    assert_eq!(health(&tool(&daemon)).await, Health::Good);
}

#[tokio::test]
async fn an_account_for_a_resource_gets_a_token_for_it_and_for_no_other() {
    let Some(idp) = server_or_skip("a resource indicator at a certified server", PATIENT).await else { return };

    // given an account for one of the server's two resources (RFC 8707)
    let here = account("work", &idp).scopes(["mcp:read"]).resource(idp.resource());
    let daemon = Daemon::start(Config::new().account(here)).await;

    // when a program asks for that resource
    let token = log_in(&program(&daemon), &Need::resource(idp.resource()), &idp).await;

    // then the token is a JWT for it, with the scope; the other resource refuses it
    let served = fetch_with_token(idp.resource(), token.expose()).await.unwrap();
    assert_eq!((served.status, served.member("format")), (200, "jwt".to_owned()), "{}", served.text());
    assert_eq!((served.member("aud"), served.member("scope")), (idp.resource().to_owned(), "mcp:read".to_owned()));
    assert_eq!(token.resource(), Some(idp.resource()));
    assert_eq!(fetch_with_token(idp.mcp(), token.expose()).await.unwrap().status, 401);
}

#[tokio::test]
async fn a_refresh_at_a_resource_keeps_the_resource() {
    let Some(idp) = server_or_skip("a refresh with a resource at a certified server", PATIENT).await else { return };

    // given a program with a token for a resource, which the resource has rejected
    let here = account("work", &idp).scopes(["mcp:read"]).resource(idp.resource());
    let daemon = Daemon::start(Config::new().account(here)).await;
    let program = program(&daemon);
    let first = log_in(&program, &Need::resource(idp.resource()), &idp).await;

    // when it reports that
    let Answer::UseToken(second) = program.report_rejected(&first).await.unwrap() else { panic!("a refresh brings a token") };

    // then one refresh has brought another token for the same resource
    assert_ne!(first.sha256(), second.sha256());
    let served = fetch_with_token(idp.resource(), second.expose()).await.unwrap();
    assert_eq!((served.status, served.member("aud")), (200, idp.resource().to_owned()), "{}", served.text());
    assert_eq!(idp.count("/token/refresh_token/ok").await.unwrap(), 1);
}

#[tokio::test]
async fn a_logout_revokes_at_the_server() {
    let Some(idp) = server_or_skip("a logout at a certified server", PATIENT).await else { return };

    // given a token that serves
    let daemon = Daemon::start(Config::new().account(account("work", &idp).scopes(["openid"]))).await;
    let token = log_in(&program(&daemon), &Need::account("work"), &idp).await;
    assert_eq!(fetch_with_token(idp.resource(), token.expose()).await.unwrap().status, 200);

    // when the person logs out
    let signed_out = tool(&daemon).sign_out(None).await.unwrap();

    // then the record is gone, the server has ended the grant, and the token that was handed out with it
    assert!(signed_out.erased);
    assert_eq!(signed_out.revocation, Revocation::Sent);
    count_reaches(&idp, "/endpoints/revocation/outcomes/ok", 1).await;
    assert_eq!(fetch_with_token(idp.resource(), token.expose()).await.unwrap().status, 401);
    let asked = program(&daemon).token(Request::new(Need::account("work")).sign_in(SignInMode::Never)).await.unwrap();
    assert!(matches!(asked, Answer::GiveUp(_)), "{asked:?}");
}

#[tokio::test]
async fn a_daemon_killed_before_the_server_did_its_work_costs_nothing() {
    let Some(idp) = server_or_skip("a kill before the commit at a certified server", PATIENT).await else { return };

    // given a refresh that has arrived at the server, which does nothing yet
    let mut daemon = Daemon::start(Config::new().account(account("work", &idp).scopes(["openid"]))).await;
    let first = log_in(&program(&daemon), &Need::account("work"), &idp).await;
    idp.fault(&json!({ "endpoint": "token", "grant_type": "refresh_token", "mode": "hang" })).await.unwrap();
    let guest = program(&daemon);
    let reported = first.clone();
    let report = tokio::spawn(async move { guest.report_rejected(&reported).await });
    count_reaches(&idp, "/faults_fired/token:hang", 1).await;

    // when the daemon is killed and comes back
    daemon.kill();
    report.abort();
    daemon.start_again().await;
    health_becomes(&tool(&daemon), Health::Good).await;

    // then it has tried once more, the server saw nothing twice, and nobody has to log in
    count_reaches(&idp, "/token/refresh_token/ok", 1).await;
    // The server has done it; who reports the old token waits until the daemon has, too.
    let Answer::UseToken(second) = program(&daemon).report_rejected(&first).await.unwrap() else { panic!("it serves") };
    assert_ne!(first.sha256(), second.sha256());
    assert_eq!(fetch_with_token(idp.resource(), second.expose()).await.unwrap().status, 200);
    assert_eq!(idp.count("/refresh_reuses_detected").await.unwrap(), 0);
    assert_eq!(idp.count("/device_codes_issued").await.unwrap(), 1);
}

#[tokio::test]
async fn a_daemon_killed_after_the_server_did_its_work_costs_one_replay_and_one_login() {
    let Some(idp) = server_or_skip("a kill after the commit at a certified server", PATIENT).await else { return };

    // given a refresh that the server has done, its answer still on the way
    let mut daemon = Daemon::start(Config::new().account(account("work", &idp).scopes(["openid"]))).await;
    let first = log_in(&program(&daemon), &Need::account("work"), &idp).await;
    let slow = json!({ "endpoint": "token", "grant_type": "refresh_token", "mode": "slow", "delay_ms": 60_000 });
    idp.fault(&slow).await.unwrap();
    let guest = program(&daemon);
    let report = tokio::spawn(async move { guest.report_rejected(&first).await });
    count_reaches(&idp, "/token/refresh_token/ok", 1).await;

    // when the daemon is killed and comes back
    daemon.kill();
    report.abort();
    daemon.start_again().await;

    // then it has replayed once, the server has revoked the family for it, and it never tries again
    count_reaches(&idp, "/refresh_reuses_detected", 1).await;
    let again = log_in_again(&program(&daemon), &idp).await;
    assert_eq!(fetch_with_token(idp.resource(), again.expose()).await.unwrap().status, 200);
    assert_eq!(idp.count("/refresh_reuses_detected").await.unwrap(), 1);
    assert_eq!(idp.count("/endpoints/token/outcomes/invalid_grant").await.unwrap(), 1);
    assert_eq!(idp.count("/device_codes_issued").await.unwrap(), 2);
}

/// The server has ended the old token with its family; the daemon learns that from the report.
async fn log_in_again(program: &Client, idp: &RealIdp) -> Token {
    let need = Need::account("work");
    let mut answer = program.token(need.clone()).await.unwrap();
    if let Answer::UseToken(dead) = &answer {
        answer = program.report_rejected(dead).await.unwrap();
    }
    let Answer::ShowSignIn(sign_in) = answer else { panic!("a person has to log in: {answer:?}") };
    idp.approve(user_code(&sign_in), "alice").await.unwrap();
    let mut watch = program.watch(need);
    let served = async {
        loop {
            // A token of the dead family is still the account's until the login has settled.
            match watch.token() {
                Ok(Answer::UseToken(token)) if opens(&token, idp).await => return token,
                _ => watch.changed().await.unwrap(),
            }
        }
    };
    tokio::time::timeout(WATCHDOG, served).await.expect("an approved login is served")
}

async fn opens(token: &Token, idp: &RealIdp) -> bool {
    fetch_with_token(idp.resource(), token.expose()).await.unwrap().status == 200
}
