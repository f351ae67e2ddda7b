//! Keycloak: a realm, a device grant that is a switch of each client, more scopes than were asked for, which are nobody's (D40).

use mcp_authd_client::How;
use mcp_authd_client::status::Revocation;
use mcp_authd_tests::persona::{DeviceSwitch, Door, Keycloak};
use mcp_authd_tests::programs::{approve, prompted};
use mcp_authd_tests::server::{At, Misbehaviour};

use super::{DEVICE_CODE, Stage, assert_life_of, scopes, stage, subject};

async fn at(device_grant: DeviceSwitch, lines: &str) -> Stage {
    let account = format!("provider_parameters = {{ host = 'HOST', realm = 'work' }}\n{lines}");
    stage("keycloak", Keycloak { device_grant }, &account).await
}

#[tokio::test]
async fn keycloak_by_device_code() {
    let stage = at(DeviceSwitch::On, "scopes = ['openid']").await;
    let lived = stage.a_whole_life().await;
    assert_life_of(&lived.first, 300);
    assert_eq!((scopes(&lived.first), subject(&lived.first)), (vec!["openid"], Some("alice")));
    assert_eq!(lived.revocation, Revocation::Sent);
    assert!(stage.asked_for(DEVICE_CODE).iter().all(|poll| poll.names() == ["client_id", "device_code", "grant_type"]));
}

#[tokio::test]
async fn keycloak_in_a_browser() {
    let stage = at(DeviceSwitch::Off, "flow = 'code'\nscopes = ['openid']").await;
    let lived = stage.a_whole_life().await;
    assert!(matches!(lived.prompt.how, How::Browser { .. }));
    assert_eq!(subject(&lived.first), Some("alice"));
}

#[tokio::test]
async fn where_the_device_grant_is_switched_off_for_the_client_a_browser_is_next() {
    let stage = at(DeviceSwitch::Off, "").await;
    let prompt = prompted(&stage.daemon, "work").await;
    assert!(matches!(prompt.how, How::Browser { .. }), "{prompt:?}");
    approve(&prompt).await;
    stage.account_is(|status| status.grant.is_some()).await;
    let refused: Vec<_> = stage.provider.refused().into_iter().map(|line| line.door).collect();
    assert_eq!(refused, [Door::DeviceAuthorization]);
}

#[tokio::test]
async fn a_code_that_the_server_has_forgotten_ends_the_login() {
    let stage = at(DeviceSwitch::On, "").await;
    stage.provider.behind().script(At::Poll, Misbehaviour::Error("invalid_grant"));
    prompted(&stage.daemon, "work").await;
    let status = stage.account_is(|status| status.last_sign_in_end.is_some() && status.sign_in.is_none()).await;
    assert_eq!(status.last_sign_in_end, Some(mcp_authd_client::status::SignInEnd::Failed));
    assert!(status.message.as_ref().is_some_and(|message| message.contains("invalid_grant")), "{status:?}");
}
