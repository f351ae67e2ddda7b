//! GitLab: a page with the code in it, tokens of two hours, a refresh that ends both old tokens, revocation.

use mcp_authd_client::How;
use mcp_authd_client::status::Revocation;
use mcp_authd_tests::persona::{Door, GitLab};

use super::{Stage, assert_life_of, scopes, stage, subject};

async fn at(lines: &str) -> Stage {
    stage("gitlab", GitLab, &format!("provider_parameters = {{ host = 'HOST' }}\n{lines}")).await
}

#[tokio::test]
async fn gitlab_by_device_code() {
    let stage = at("scopes = ['openid', 'api']").await;
    let lived = stage.a_whole_life().await;
    let How::Device { verification_uri_complete, .. } = &lived.prompt.how else { panic!("{:?}", lived.prompt) };
    assert!(verification_uri_complete.as_ref().is_some_and(|page| page.contains("/oauth/device?user_code=")));
    assert_life_of(&lived.first, 7200);
    assert_eq!((scopes(&lived.first), subject(&lived.first)), (vec!["api", "openid"], Some("alice")));
    assert_eq!(lived.revocation, Revocation::Sent);

    // both tokens go back, as the client that they were issued to
    let revoked = stage.provider.heard_at(Door::Revocation);
    let names = ["client_id", "token", "token_type_hint"];
    assert!(!revoked.is_empty() && revoked.iter().all(|line| line.names() == names && line.status == 200), "{revoked:?}");
    let refreshes = stage.asked_for("refresh_token");
    assert!(refreshes.iter().all(|line| line.names() == ["client_id", "grant_type", "refresh_token"]), "{refreshes:?}");
    assert_eq!(refreshes.iter().map(|line| line.status).collect::<Vec<_>>(), [200, 400]);
}

#[tokio::test]
async fn gitlab_in_a_browser() {
    let stage = at("flow = 'code'\nscopes = ['openid', 'api']").await;
    let lived = stage.a_whole_life().await;
    assert!(matches!(lived.prompt.how, How::Browser { .. }));
    assert_eq!((subject(&lived.first), lived.revocation), (Some("alice"), Revocation::Sent));
    assert_eq!(stage.provider.heard_at(Door::DeviceAuthorization), []);
}

#[tokio::test]
async fn gitlabs_old_token_is_not_handed_out_while_a_refresh_that_kills_it_is_under_way() {
    at("").await.hands_out_no_token_that_a_refresh_has_killed().await;
}

#[tokio::test]
async fn gitlab_is_understood_when_the_person_says_no() {
    at("").await.is_denied().await;
}
