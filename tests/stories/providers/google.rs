//! Google: `verification_url`, a secret in the body at every request of a token, 428 and 403, a refresh token that stays the same.

use mcp_authd_client::How;
use mcp_authd_client::status::{Revocation, SignInEnd};
use mcp_authd_tests::persona::{Door, Google};
use mcp_authd_tests::programs::{prompted, tool};
use mcp_authd_tests::server::{At, Misbehaviour};

use super::{DEVICE_CODE, Stage, assert_life_of, is_renewable, stage, subject};
use crate::written::Written;

async fn at(lines: &str) -> (Stage, Written) {
    let secret = Written::holding(Google::CLIENT_SECRET);
    let lines = format!("client_secret_file = '{}'\n{lines}", secret.path().display());
    (stage("google", Google::default(), &lines).await, secret)
}

#[tokio::test]
async fn google_by_device_code_with_its_secret() {
    let (stage, _secret) = at("scopes = ['openid', 'email']").await;
    // given a first poll that is told to slow down, with the status that Google has for it
    stage.provider.behind().script(At::Poll, Misbehaviour::SlowDown);
    let lived = stage.a_whole_life().await;
    let How::Device { verification_uri, .. } = &lived.prompt.how else { panic!("{:?}", lived.prompt) };
    assert_eq!(verification_uri, &format!("{}/device", stage.provider.origin()));
    assert_life_of(&lived.first, 3599);
    assert_eq!((subject(&lived.first), is_renewable(&lived.first)), (Some("alice"), true));
    assert_eq!(lived.revocation, Revocation::Sent);
    let polls = stage.asked_for(DEVICE_CODE);
    assert_eq!([polls[0].status, polls[1].status, polls[2].status], [403, 428, 200], "{polls:?}");
    let sent = stage.provider.heard_at(Door::Token);
    assert!(sent.iter().all(|line| line.names().contains(&"client_secret")), "{sent:?}");
}

#[tokio::test]
async fn google_in_a_browser_is_asked_for_a_refresh_token() {
    let (stage, _secret) = at("flow = 'code'\nscopes = ['openid']").await;
    let lived = stage.a_whole_life().await;
    assert!(matches!(lived.prompt.how, How::Browser { .. }) && is_renewable(&lived.first), "{:?}", lived.first);
    let begun = &stage.provider.heard_at(Door::Authorization)[0];
    assert_eq!((begun.value("access_type"), begun.value("prompt")), ("offline", "consent"));
    assert_eq!(subject(&lived.first), Some("alice"));
}

#[tokio::test]
async fn google_waits_with_428_and_a_no_is_a_403() {
    let (stage, _secret) = at("scopes = ['openid']").await;
    let _prompt = prompted(&stage.daemon, "work").await;
    stage.provider.behind().wait_for(|counts| counts.polls_ended("authorization_pending") == 1).await;
    tool(&stage.daemon).cancel_sign_in(Some("work".to_owned())).await.unwrap();
    assert_eq!(stage.asked_for(DEVICE_CODE)[0].status, 428);
    stage.is_denied().await;
    assert_eq!(stage.asked_for(DEVICE_CODE).last().map(|poll| poll.status), Some(403));
}

#[tokio::test]
async fn one_scope_that_google_does_not_take_fails_the_login_in_a_sentence() {
    let (stage, _secret) = at("scopes = ['openid', 'https://mail.google.com/']").await;
    let status = tool(&stage.daemon).start_sign_in(super::start()).await.unwrap();
    let status = if status.last_sign_in_end.is_some() {
        status
    } else {
        stage.account_is(|status| status.last_sign_in_end.is_some()).await
    };
    assert_eq!((status.last_sign_in_end, status.sign_in), (Some(SignInEnd::Failed), None));
    assert!(status.message.as_ref().is_some_and(|message| message.contains("invalid_scope")), "{:?}", status.message);
}

#[tokio::test]
async fn without_its_secret_google_is_not_asked_at_all() {
    let stage = stage("google", Google::default(), "scopes = ['openid']").await;
    let status = tool(&stage.daemon).start_sign_in(super::start()).await.unwrap();
    assert_eq!(status.sign_in, None);
    let told = [status.message, status.next_step].into_iter().flatten().collect::<Vec<_>>().join(" ");
    assert!(told.contains("authctl account set-secret work"), "{told}");
    assert_eq!(stage.provider.heard_at(Door::DeviceAuthorization), []);
}
