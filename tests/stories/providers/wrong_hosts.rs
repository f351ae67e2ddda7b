//! A server whose metadata names hosts that nobody can reach, whose errors stand in `error` under any status, and whose refresh token is none.

use mcp_authd_client::Answer;
use mcp_authd_client::status::{Revocation, SignInEnd};
use mcp_authd_tests::persona::{Door, WrongHosts};
use mcp_authd_tests::programs::program;
use mcp_authd_tests::server::{At, Misbehaviour};

use super::{DEVICE_CODE, Stage, assert_life_of, described, is_renewable};

async fn at(more: &str) -> Stage {
    let table = format!("issuer = 'ORIGIN'\nerrors = {{ none = 'ok' }}\n{more}");
    described(WrongHosts, &table, "client_id = 'me'").await
}

fn rewritten() -> String {
    format!("rewrite_hosts = {{ '{}' = 'HOST' }}", WrongHosts::INNER_HOST)
}

#[tokio::test]
async fn wrong_hosts_are_mended_and_an_error_counts_by_its_word() {
    let stage = at(&rewritten()).await;
    stage.provider.behind().script(At::Poll, Misbehaviour::SlowDown);
    let (_, status) = stage.logs_in().await;
    assert_life_of(&status, 3600);
    assert!(!is_renewable(&status), "an empty refresh token is none: {status:?}");
    let polls = stage.asked_for(DEVICE_CODE);
    assert_eq!((polls[0].status, polls[1].status), (401, 200), "slow_down came as 401: {polls:?}");

    // what is rejected leads to a login, and nothing is refreshed with
    let token = stage.token().await;
    let answer = program(&stage.daemon).report_rejected(&token).await.unwrap();
    assert!(matches!(answer, Answer::ShowSignIn(_)), "{answer:?}");
    assert_eq!(stage.asked_for("refresh_token"), []);
    assert_eq!((stage.signs_out().await, stage.provider.refused()), (Revocation::Sent, vec![]));
    assert!(stage.provider.heard_at(Door::Revocation).iter().all(|line| line.value("token_type_hint") == "access_token"));
}

#[tokio::test]
async fn pending_and_no_are_understood_under_status_200() {
    let stage = at(&rewritten()).await;
    stage.provider.behind().script(At::Poll, Misbehaviour::Error("authorization_pending"));
    stage.is_denied().await;
    assert_eq!(stage.asked_for(DEVICE_CODE).iter().map(|poll| poll.status).collect::<Vec<_>>(), [200, 200]);
}

#[tokio::test]
async fn without_the_rewrite_nothing_at_the_right_host_is_guessed() {
    let stage = at("").await;
    let status = mcp_authd_tests::programs::tool(&stage.daemon).start_sign_in(super::start()).await.unwrap();
    assert_eq!(status.sign_in, None, "{status:?}");
    assert_eq!(status.last_sign_in_end, Some(SignInEnd::Failed));
    assert_eq!(stage.provider.heard_at(Door::DeviceAuthorization), []);
}
