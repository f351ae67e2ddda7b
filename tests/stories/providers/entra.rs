//! Microsoft Entra ID: a tenant, a message for the person, AADSTS errors, no `resource`, no revocation.

use mcp_authd_client::How;
use mcp_authd_client::status::Revocation;
use mcp_authd_tests::persona::{Door, Entra};

use super::{Stage, assert_life_of, is_renewable, scopes, stage};

async fn at(lines: &str) -> Stage {
    let tenant = Entra::TENANT;
    stage("entra", Entra, &format!("provider_parameters = {{ host = 'HOST', tenant = '{tenant}' }}\n{lines}")).await
}

const API: &str = "scopes = ['api://work/read', 'offline_access', 'openid']\nresource = 'https://mcp.example/'";

#[tokio::test]
async fn entra_by_device_code_for_a_resource_that_it_is_not_told() {
    let stage = at(API).await;
    let lived = stage.a_whole_life().await;
    let How::Device { verification_uri_complete, .. } = &lived.prompt.how else { panic!("{:?}", lived.prompt) };
    assert_eq!(verification_uri_complete, &None);
    assert!(lived.prompt.message.contains("To sign in, open the page"), "{:?}", lived.prompt);
    assert_life_of(&lived.first, 3599);
    // What was for the server alone is not granted in words, and it renews all the same.
    assert_eq!((scopes(&lived.first), is_renewable(&lived.first)), (vec!["api://work/read", "openid"], true));
    assert_eq!(lived.first.resources, ["https://mcp.example/"], "kept, and never sent");
    assert_eq!(lived.revocation, Revocation::NoEndpoint);
    let refreshes = stage.asked_for("refresh_token");
    assert!(refreshes.iter().all(|line| line.names() == ["client_id", "grant_type", "refresh_token"]), "{refreshes:?}");
    let began = &stage.provider.heard_at(Door::DeviceAuthorization)[0];
    assert_eq!((began.names(), began.value("scope")), (vec!["client_id", "scope"], "api://work/read offline_access openid"));
}

#[tokio::test]
async fn entra_asks_for_offline_access_where_an_account_names_no_scopes_and_renews() {
    let stage = at("").await;
    let (_, status) = stage.logs_in().await;
    assert!(is_renewable(&status), "{status:?}");
    let refreshed = stage.refreshes(&stage.token().await).await;
    assert!(stage.serves(&refreshed).await);
    assert_eq!(stage.provider.refused(), []);
}

#[tokio::test]
async fn entra_in_a_browser() {
    let stage = at(&format!("flow = 'code'\n{API}")).await;
    let lived = stage.a_whole_life().await;
    assert!(matches!(lived.prompt.how, How::Browser { .. }));
    assert_eq!(lived.revocation, Revocation::NoEndpoint);
}

#[tokio::test]
async fn a_program_that_needs_offline_access_begins_no_second_login() {
    // Entra never names that scope among those that it has granted.
    use mcp_authd_client::{Answer, Need, Request, SignInMode};
    let stage = at(API).await;
    stage.logs_in().await;
    let need = Need::account("work").scopes(["api://work/read"]);
    let request = Request::new(need).sign_in(SignInMode::StartAndWait);
    let answer = mcp_authd_tests::programs::program(&stage.daemon).token(request).await.unwrap();
    assert!(matches!(answer, Answer::UseToken(_)), "{answer:?}");
}

#[tokio::test]
async fn authorization_declined_is_a_no() {
    at("").await.is_denied().await;
}
