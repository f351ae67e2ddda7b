//! A resource's URL in, a token out, with nothing else known: by device grant, and by code and PKCE in a browser.

use mcp_authd_client::How;
use mcp_authd_client::status::{Health, Revocation};
use mcp_authd_tests::programs::{program, token, tool};
use mcp_authd_tests::real_idp::RealIdp;
use serde_json::json;

use super::{ByUrl, IN_BROWSER, PATIENT, assert_nothing_was_guessed, count_reaches, health, is_in_browser, server_or_skip};
use crate::discovered;

/// Added, logged in, opened, refreshed, logged out.
async fn a_whole_life<'a>(idp: &'a RealIdp) -> ByUrl<'a> {
    // given a person who adds a resource by its URL: nothing is registered for a look
    let by_url = ByUrl::added(idp).await;
    assert_eq!(by_url.told["found"]["server"]["client"], json!("to_be_registered"), "{}", by_url.told);
    assert!(!discovered::file(&by_url.daemon).contains("client_id"));
    assert_eq!(idp.count("/clients_registered").await.unwrap(), 0);

    // when they log in, one client is registered, and a program that knows the URL has a token that opens the resource
    by_url.logged_in().await;
    let first = by_url.token().await;
    let served = by_url.opened(&first).await;
    let client_id = served.member("client_id");
    assert!(client_id.starts_with("dcr-"), "{client_id}");
    assert_eq!((served.member("aud"), served.member("scope")), (idp.resource().to_owned(), "mcp:read".to_owned()));
    assert_eq!(health(&tool(&by_url.daemon)).await, Health::Good);

    // and a refresh brings another, by the same client
    let second = token(program(&by_url.daemon).report_rejected(&first).await.unwrap());
    assert_ne!(first.sha256(), second.sha256());
    assert_eq!(by_url.opened(&second).await.member("client_id"), client_id);

    // and a logout ends it at the server
    assert_eq!(tool(&by_url.daemon).sign_out(None).await.unwrap().revocation, Revocation::Sent);
    count_reaches(idp, "/endpoints/revocation/outcomes/ok", 1).await;
    for (count, times) in [
        ("/clients_registered", 1),
        ("/token/refresh_token/ok", 1),
        ("/refresh_reuses_detected", 0),
        ("/code_reuses_detected", 0),
        ("/endpoints/userinfo/total", 0),
        // It registers only the scopes that it lists itself, and those of its resources are others.
        ("/endpoints/registration/outcomes/invalid_client_metadata", 1),
        ("/endpoints/registration/total", 2),
    ] {
        assert_eq!(idp.count(count).await.unwrap(), times, "{count}");
    }
    assert_nothing_was_guessed(idp).await;
    by_url
}

#[tokio::test]
async fn a_url_in_and_a_token_out_by_device_grant() {
    let Some(idp) = server_or_skip("a URL and a device login at a certified server", PATIENT).await else { return };
    let by_url = a_whole_life(&idp).await;
    let How::Device { user_code, .. } = by_url.prompted().await.how else { panic!("the device grant is advertised") };
    idp.deny(&user_code).await.unwrap();
    assert_eq!(idp.count("/token/authorization_code/ok").await.unwrap(), 0);
    assert_eq!(idp.count("/clients_registered").await.unwrap(), 1, "the next login has the same client");
}

#[tokio::test]
async fn a_url_in_and_a_token_out_by_code_and_pkce() {
    let Some(idp) = server_or_skip("a URL and a browser login at a certified server", IN_BROWSER).await else { return };
    let by_url = a_whole_life(&idp).await;
    assert!(is_in_browser(&by_url.prompted().await));
    assert_eq!(idp.count("/token/authorization_code/ok").await.unwrap(), 1);
    assert_eq!(idp.count("/device_codes_issued").await.unwrap(), 0);
    assert_eq!(idp.count("/clients_registered").await.unwrap(), 1, "the next login has the same client");
}
