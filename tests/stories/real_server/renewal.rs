//! Servers that give no refresh token, or only where `offline_access` was granted: said so, and nothing is tried (MCP, refresh tokens).

use mcp_authd_client::status::GrantStatus;
use mcp_authd_tests::programs::{program, prompt, token};

use super::{ByUrl, IN_BROWSER, PATIENT, is_in_browser, server_or_skip};
use crate::authctl::authctl;
use crate::discovered::{file, words};

async fn grant(by_url: &ByUrl<'_>) -> GrantStatus {
    by_url.is(|status| status.grant.is_some()).await.grant.unwrap()
}

#[tokio::test]
async fn where_no_refresh_token_comes_it_is_said_so_and_the_end_of_the_token_is_one_login() {
    let settings = [IN_BROWSER, &["--refresh-tokens", "never"]].concat();
    let Some(idp) = server_or_skip("a certified server without refresh tokens", &settings).await else { return };
    let by_url = ByUrl::added(&idp).await;
    by_url.works().await;

    // then the person reads it
    assert!(!grant(&by_url).await.renewable);
    let told = authctl(&by_url.daemon, &["status"]).await;
    assert!(words(&told.out).contains("cannot be renewed without you"), "{told:?}");

    // and a program whose token is rejected is shown a login, without a request that could not work
    let rejected = by_url.token().await;
    assert!(is_in_browser(&prompt(program(&by_url.daemon).report_rejected(&rejected).await.unwrap())));
    assert_eq!(idp.count("/endpoints/token/total").await.unwrap(), 1);
    assert_eq!(idp.count("/clients_registered").await.unwrap(), 1);
}

#[tokio::test]
async fn offline_access_is_asked_for_where_the_server_lists_it_and_brings_a_refresh_token() {
    for way in [PATIENT, IN_BROWSER] {
        let settings = [way, &["--refresh-tokens", "offline_access"]].concat();
        let Some(idp) = server_or_skip("a certified server with offline_access", &settings).await else { return };
        let by_url = ByUrl::added(&idp).await;
        assert!(file(&by_url.daemon).contains("\"offline_access\""), "{}", file(&by_url.daemon));
        by_url.works().await;
        assert!(grant(&by_url).await.renewable, "{way:?}");
        let first = by_url.token().await;
        let second = token(program(&by_url.daemon).report_rejected(&first).await.unwrap());
        by_url.opened(&second).await;
    }
}
