//! Okta: one of its custom authorization servers.

use mcp_authd_client::How;
use mcp_authd_client::status::Revocation;
use mcp_authd_tests::persona::{Door, Okta};

use super::{Stage, assert_life_of, is_renewable, stage, subject};

async fn at(lines: &str) -> Stage {
    stage("okta", Okta, &format!("provider_parameters = {{ host = 'HOST' }}\n{lines}")).await
}

#[tokio::test]
async fn okta_by_device_code() {
    let stage = at("").await;
    let lived = stage.a_whole_life().await;
    assert_life_of(&lived.first, 3600);
    assert_eq!((subject(&lived.first), is_renewable(&lived.first)), (Some("alice"), true));
    assert_eq!(lived.revocation, Revocation::Sent);
    let began = &stage.provider.heard_at(Door::DeviceAuthorization)[0];
    assert_eq!(began.target, "POST /oauth2/default/v1/device/authorize");
    assert_eq!(began.value("scope"), "offline_access openid");
}

#[tokio::test]
async fn okta_in_a_browser() {
    let stage = at("flow = 'code'").await;
    let lived = stage.a_whole_life().await;
    assert!(matches!(lived.prompt.how, How::Browser { .. }));
    assert_eq!((subject(&lived.first), lived.revocation), (Some("alice"), Revocation::Sent));
}

#[tokio::test]
async fn okta_is_understood_when_the_person_says_no() {
    at("").await.is_denied().await;
}
