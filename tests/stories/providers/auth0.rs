//! Auth0: an audience in the place of a resource, 403 and 429, a rotation with a leeway.

use mcp_authd_client::How;
use mcp_authd_client::status::Revocation;
use mcp_authd_tests::persona::{Auth0, Door};
use mcp_authd_tests::programs::program;
use mcp_authd_tests::server::{At, Commit, Misbehaviour};

use super::{DEVICE_CODE, Stage, is_renewable, stage, subject};

async fn at(lines: &str) -> Stage {
    let account = "provider_parameters = { host = 'HOST' }\nresource = 'https://mcp.example/'\n";
    stage("auth0", Auth0, &format!("{account}audience = '{}'\n{lines}", Auth0::AUDIENCE)).await
}

#[tokio::test]
async fn auth0_by_device_code_for_an_audience() {
    let stage = at("").await;
    let lived = stage.a_whole_life().await;
    assert!(is_renewable(&lived.first), "offline_access is asked for: {:?}", lived.first);
    assert_eq!((subject(&lived.first), lived.revocation), (Some("alice"), Revocation::Sent));
    let began = &stage.provider.heard_at(Door::DeviceAuthorization)[0];
    assert_eq!(began.names(), ["audience", "client_id", "scope"]);
    assert_eq!((began.value("audience"), began.value("scope")), (Auth0::AUDIENCE, "offline_access openid"));
    assert_eq!(stage.asked_for("refresh_token").iter().map(|line| line.status).collect::<Vec<_>>(), [200, 403]);
}

#[tokio::test]
async fn auth0_in_a_browser() {
    let stage = at("flow = 'code'").await;
    let lived = stage.a_whole_life().await;
    assert!(matches!(lived.prompt.how, How::Browser { .. }));
    let begun = &stage.provider.heard_at(Door::Authorization)[0];
    assert_eq!((begun.value("audience"), begun.value("resource")), (Auth0::AUDIENCE, ""));
}

#[tokio::test]
async fn a_429_slows_a_login_down_and_a_403_is_a_no() {
    let stage = at("").await;
    stage.provider.behind().script(At::Poll, Misbehaviour::SlowDown);
    stage.is_denied().await;
    let polls = stage.asked_for(DEVICE_CODE);
    assert_eq!(polls.iter().map(|poll| poll.status).collect::<Vec<_>>(), [429, 403], "{polls:?}");
}

#[tokio::test]
async fn a_refresh_whose_answer_was_lost_is_sent_again_at_once_within_the_leeway() {
    let stage = at("").await;
    stage.logs_in().await;
    let token = stage.token().await;
    stage.provider.behind().script(At::Refresh, Misbehaviour::Drop(Commit::After));
    let answer = program(&stage.daemon).report_rejected(&token).await.unwrap();
    assert!(stage.serves(&crate::logged_in::used(answer)).await);
    let counts = stage.provider.behind().counts();
    assert_eq!((counts.refreshes, counts.grace_replays, counts.families_revoked), (2, 1, 0));
}
