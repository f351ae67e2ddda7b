//! RFC 8707 at a server that issues tokens for resources alone: the published name at every request, byte for byte (D36).

use mcp_authd_tests::plain_http::fetch_with_token;
use mcp_authd_tests::programs::{program, token};
use serde_json::json;

use super::{ByUrl, PATIENT, is_in_browser, requests, server_or_skip};

#[tokio::test]
async fn d36_a_strict_server_sees_the_resource_at_authorization_token_and_refresh_in_both_ways() {
    let settings = [PATIENT, &["--require-resource"]].concat();
    let Some(idp) = server_or_skip("a certified server that wants resources", &settings).await else { return };
    for (members, in_browser) in [(json!({}), false), (json!({ "device_authorization_endpoint": null }), true)] {
        for resource in [idp.resource(), idp.origin()] {
            // given a server that knows the resource by this name and by no other
            let prm_at = if resource == idp.origin() { "root" } else { "path" };
            idp.reset().await.unwrap();
            idp.configure(&json!({ "metadata": members, "prm_at": prm_at })).await.unwrap();

            // when a person logs in, and the token is refreshed
            let by_url = ByUrl::added(&idp).await;
            assert_eq!(is_in_browser(&by_url.works().await), in_browser);
            let first = by_url.token().await;
            let second = token(program(&by_url.daemon).report_rejected(&first).await.unwrap());

            // then each token is for it, and the server's other resource takes none where they have two names
            for held in [first, second] {
                let served = by_url.opened(&held).await;
                assert_eq!((served.member("format"), served.member("aud")), ("jwt".to_owned(), resource.to_owned()));
                assert_eq!(held.resource(), Some(resource));
                let other = fetch_with_token(idp.mcp(), held.expose()).await.unwrap().status;
                assert_eq!(other, if prm_at == "path" { 401 } else { 405 });
            }
            let authorizations = requests(&idp, "device_authorization").await;
            let tokens = requests(&idp, "token").await;
            assert_eq!(authorizations.len(), usize::from(!in_browser));
            assert_eq!(tokens.iter().filter(|line| line["grant_type"] == "refresh_token").count(), 1);
            for line in authorizations.iter().chain(&tokens) {
                assert_eq!(line["resource"], resource, "{line}");
            }
        }
    }
}
