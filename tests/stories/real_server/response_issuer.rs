//! RFC 9207 by its whole table: `iss` advertised or not, there or not, right or wrong (D27, P20).

use mcp_authd_client::Need;
use mcp_authd_client::status::{AccountStatus, SignInEnd};
use mcp_authd_tests::person::in_browser;
use mcp_authd_tests::programs::{a_token, program, url, watched};
use serde_json::json;
use url::Url;

use super::{ByUrl, IN_BROWSER, server_or_skip};

/// Who is named by nobody but an attacker.
const OTHER: &str = "https://evil.example";

/// Sends the browser back and waits for the end of the login.
async fn ended(by_url: &ByUrl<'_>, back: &Url) -> AccountStatus {
    in_browser::follow(back).await.unwrap();
    by_url.is(|status| status.sign_in.is_none()).await
}

#[tokio::test]
async fn p20_an_answer_that_does_not_name_the_server_that_promised_to_or_names_another_is_refused_and_its_code_never_sent() {
    let Some(idp) = server_or_skip("a wrong iss of a certified server", IN_BROWSER).await else { return };
    let by_url = ByUrl::added(&idp).await;
    let almost = format!("{}/", idp.issuer());
    let not_promised = json!({ "authorization_response_iss_parameter_supported": null });
    let denied = json!({ "authorization_response_iss_parameter_supported": false });
    for (metadata, iss) in [
        (json!({}), OTHER),
        (json!({}), &almost),
        (json!({}), "none"),
        (not_promised.clone(), OTHER),
        (not_promised, &almost),
        (denied, OTHER),
    ] {
        idp.configure(&json!({ "metadata": metadata, "response_iss": iss })).await.unwrap();
        let by_url = if metadata == json!({}) { &by_url } else { &ByUrl::added(&idp).await };
        for agreed in [true, false] {
            // given a person who agrees, or does not
            let shown = by_url.prompted().await;
            let back = match agreed {
                true => idp.approve_in_browser(&url(&shown), "alice").await.unwrap(),
                false => idp.deny_in_browser(&url(&shown)).await.unwrap(),
            };
            let named = back.query_pairs().find(|(name, _)| name == "iss").map(|(_, iss)| iss.into_owned());
            assert_eq!(named.as_deref(), Some(iss).filter(|iss| *iss != "none"));

            // then the login is over by the server's breach: nothing that the answer says counts, also no error
            let status = ended(by_url, &back).await;
            let message = status.message.as_deref().unwrap_or_default();
            assert_eq!(status.last_sign_in_end, Some(SignInEnd::Failed), "{iss} {agreed}: {status:?}");
            assert!(message.contains("RFC 9207, 2.4") && !message.contains("access_denied"), "{iss} {agreed}: {message}");
            assert!(status.grant.is_none());
        }
    }
    assert_eq!(idp.count("/endpoints/token/total").await.unwrap(), 0);
}

#[tokio::test]
async fn an_answer_that_names_the_server_which_did_not_promise_to_or_does_not_name_it_is_accepted() {
    let Some(idp) = server_or_skip("an unexpected iss of a certified server", IN_BROWSER).await else { return };
    for promised in [json!(null), json!(false)] {
        for iss in ["own", "none"] {
            let metadata = json!({ "authorization_response_iss_parameter_supported": promised });
            idp.configure(&json!({ "metadata": metadata, "response_iss": iss })).await.unwrap();
            ByUrl::added(&idp).await.works().await;
        }
    }
    assert_eq!(idp.count("/token/authorization_code/ok").await.unwrap(), 4);
}

#[tokio::test]
async fn a_login_after_a_refused_answer_works() {
    let Some(idp) = server_or_skip("a login after a wrong iss of a certified server", IN_BROWSER).await else { return };
    let by_url = ByUrl::added(&idp).await;
    idp.configure(&json!({ "response_iss": OTHER })).await.unwrap();
    let shown = by_url.prompted().await;
    ended(&by_url, &idp.approve_in_browser(&url(&shown), "alice").await.unwrap()).await;
    idp.configure(&json!({ "response_iss": "own" })).await.unwrap();
    by_url.works().await;
    watched(&mut program(&by_url.daemon).watch(Need::resource(idp.resource())), a_token).await;
    assert_eq!(idp.count("/token/authorization_code/ok").await.unwrap(), 1);
    assert_eq!(idp.count("/clients_registered").await.unwrap(), 1);
}
