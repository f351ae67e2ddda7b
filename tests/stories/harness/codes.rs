//! The server is right about authorization codes: PKCE, the way back, one use, its issuer; and wrong where its settings say so.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mcp_authd_tests::person::in_browser;
use mcp_authd_tests::plain_http::{Answered, fetch, fetch_with_token, post_form};
use mcp_authd_tests::server::{AuthorizationResponses, AuthorizationServer, IssParameter, IssPromise, Offer, Pkce, Settings};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::Url;

const VERIFIER: &str = "a-verifier-of-forty-three-characters-or-more-0";
const BACK: &str = "http://127.0.0.1:9/callback";
const RESOURCE: &str = "http://127.0.0.1/mcp?a&b";

fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER))
}

/// A right authorization request, with these parameters in the place of its own; empty: left out.
fn request(server: &AuthorizationServer, changed: &[(&str, &str)]) -> Url {
    let challenge = challenge();
    let own = [
        ("response_type", "code"),
        ("client_id", "c"),
        ("redirect_uri", BACK),
        ("state", "a-state-of-this-test"),
        ("scope", "mcp:read"),
        ("resource", RESOURCE),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let of = |(name, value)| (name, changed.iter().find(|(found, _)| *found == name).map_or(value, |(_, changed)| *changed));
    let pairs = own.into_iter().map(of).filter(|(_, value): &(&str, &str)| !value.is_empty());
    Url::parse_with_params(&server.authorization_endpoint(), pairs).unwrap()
}

fn named(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
}

async fn exchange(server: &AuthorizationServer, code: &str, changed: &[(&str, &str)]) -> Answered {
    let own = [
        ("grant_type", "authorization_code"),
        ("client_id", "c"),
        ("code", code),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
        ("resource", RESOURCE),
    ];
    let of = |(name, value)| (name, changed.iter().find(|(found, _)| *found == name).map_or(value, |(_, changed)| *changed));
    let form: Vec<(&str, &str)> = own.into_iter().map(of).filter(|(_, value): &(&str, &str)| !value.is_empty()).collect();
    post_form(&server.token_endpoint(), &form).await.unwrap()
}

async fn code_of(server: &AuthorizationServer) -> String {
    // Another request each time.
    let state = format!("state-number-{}-of-this-test", server.log().len());
    named(&in_browser::answer("approve", &request(server, &[("state", &state)]), &[]).await.unwrap(), "code").unwrap()
}

#[tokio::test]
async fn a_code_goes_back_with_its_state_and_the_issuer_and_is_paid_out_once() {
    let server = AuthorizationServer::start(Settings::in_browser());
    let url = request(&server, &[]);
    let page = fetch(url.as_str()).await.unwrap();
    assert!(page.text().contains("<li>mcp:read</li>") && page.text().contains("http://127.0.0.1/mcp?a&amp;b"), "{}", page.text());
    // A browser holds a form to its targets over redirects too.
    assert!(page.header("content-security-policy").unwrap().contains("form-action 'self' http://127.0.0.1:9;"));

    let back = in_browser::answer("approve", &url, &[("subject", "bob")]).await.unwrap();
    assert!(back.as_str().starts_with("http://127.0.0.1:9/callback?code=SNTL_AC_"), "{back}");
    assert_eq!(named(&back, "state").unwrap(), "a-state-of-this-test");
    assert_eq!(named(&back, "iss").unwrap(), server.issuer());
    let tokens = exchange(&server, &named(&back, "code").unwrap(), &[]).await;
    assert!(tokens.member("refresh_token").starts_with("SNTL_RT_"), "{}", tokens.text());
    assert_eq!(fetch_with_token(&server.resource(), &tokens.member("access_token")).await.unwrap().member("sub"), "bob");
    assert_eq!(fetch(url.as_str()).await.unwrap().status, 409, "it is answered once");

    // A second use ends what the first one brought (RFC 6749, 4.1.2).
    assert_eq!(exchange(&server, &named(&back, "code").unwrap(), &[]).await.member("error"), "invalid_grant");
    assert_eq!(fetch_with_token(&server.resource(), &tokens.member("access_token")).await.unwrap().status, 401);
    let counts = server.counts();
    assert_eq!((counts.authorizations_started, counts.codes_issued, counts.codes_redeemed, counts.codes_reused), (1, 1, 1, 1));
    assert_eq!((counts.exchanges, counts.exchanges_ended("ok"), counts.exchanges_ended("invalid_grant")), (2, 1, 1));
    assert_eq!((counts.polls, counts.families_revoked, counts.secrets_in_urls), (0, 1, 0));
}

#[tokio::test]
async fn a_code_counts_only_with_what_it_was_issued_for_and_in_its_time() {
    let server = AuthorizationServer::start(Settings::in_browser());
    for (changed, error) in [
        (("client_id", "d"), "invalid_grant"),
        (("redirect_uri", "http://127.0.0.1:9/callback/"), "invalid_grant"),
        (("redirect_uri", ""), "invalid_grant"),
        (("code_verifier", "another-verifier-of-forty-three-characters-0000"), "invalid_grant"),
        // S256, and no plain one.
        (("code_verifier", challenge().as_str()), "invalid_grant"),
        (("code_verifier", ""), "invalid_request"),
        (("resource", "http://127.0.0.1/other"), "invalid_target"),
        (("resource", ""), "invalid_target"),
        (("code", "SNTL_AC_000000_00"), "invalid_grant"),
    ] {
        let code = code_of(&server).await;
        assert_eq!(exchange(&server, &code, &[changed]).await.member("error"), error, "{changed:?}");
        // What was refused has not used it up.
        assert_eq!(exchange(&server, &code, &[]).await.status, 200, "{changed:?}");
    }
    let code = code_of(&server).await;
    server.advance(Duration::from_secs(61));
    assert_eq!(exchange(&server, &code, &[]).await.member("error"), "invalid_grant");
}

#[tokio::test]
async fn a_request_without_s256_is_refused_in_the_browser_and_one_with_a_foreign_way_back_goes_nowhere() {
    let server = AuthorizationServer::start(Settings::in_browser());
    for (changed, error) in [
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("response_type", "token"), "unsupported_response_type"),
    ] {
        let sent = fetch(request(&server, &[changed]).as_str()).await.unwrap();
        let back = Url::parse(sent.header("location").unwrap()).unwrap();
        assert_eq!((named(&back, "error").as_deref(), named(&back, "code")), (Some(error), None), "{changed:?}");
        assert_eq!(named(&back, "iss").unwrap(), server.issuer());
    }
    for changed in [("redirect_uri", "http://evil.example/callback"), ("redirect_uri", ""), ("client_id", "")] {
        let page = fetch(request(&server, &[changed]).as_str()).await.unwrap();
        assert_eq!((page.status, page.header("location")), (400, None), "{changed:?}");
    }
    assert_eq!((server.counts().authorizations_started, server.counts().authorizations_refused), (0, 7));
}

#[tokio::test]
async fn what_goes_back_is_as_wrong_as_the_settings_say() {
    let server = AuthorizationServer::start(Settings::in_browser());
    let back = async || {
        in_browser::answer(
            "approve",
            &request(&server, &[("state", &format!("state-number-{}-of-this-test", server.log().len()))]),
            &[],
        )
        .await
    };
    server.change(|settings| settings.iss = IssParameter::Missing);
    assert_eq!(named(&back().await.unwrap(), "iss"), None);
    server.change(|settings| settings.iss = IssParameter::Other("https://evil.example".to_owned()));
    assert_eq!(named(&back().await.unwrap(), "iss").unwrap(), "https://evil.example");
    server.change(|settings| settings.responses = AuthorizationResponses::Error("invalid_scope"));
    let error = back().await.unwrap();
    assert_eq!((named(&error, "error").as_deref(), named(&error, "code")), (Some("invalid_scope"), None));
    server.change(|settings| settings.responses = AuthorizationResponses::CodeAndError);
    let both = back().await.unwrap();
    assert!(named(&both, "error").is_some() && named(&both, "code").is_some());
    server.change(|settings| settings.responses = AuthorizationResponses::None);
    assert!(back().await.unwrap_err().to_string().contains("status 500"));
    server.change(|settings| settings.responses = AuthorizationResponses::OtherState);
    let other = in_browser::answer("approve", &request(&server, &[("state", "abcdefghijklmnopqrst")]), &[]).await.unwrap();
    assert_eq!(named(&other, "state").unwrap(), "tsrqponmlkjihgfedcba");
    let denied = in_browser::answer("deny", &request(&server, &[("state", "another-state-of-this-test")]), &[]).await.unwrap();
    assert_eq!(named(&denied, "error").unwrap(), "access_denied");
}

#[tokio::test]
async fn the_metadata_says_what_the_settings_say_and_what_is_not_offered_is_not_there() {
    let server = AuthorizationServer::start(Settings::default());
    let metadata = async || {
        let origin = server.issuer();
        fetch(&format!("{origin}/.well-known/oauth-authorization-server")).await.unwrap().json()
    };
    let device_only = metadata().await;
    assert_eq!(device_only["authorization_endpoint"], Value::Null);
    assert_eq!(fetch(request(&server, &[]).as_str()).await.unwrap().status, 404);
    assert_eq!(exchange(&server, "SNTL_AC_000000_00", &[]).await.member("error"), "unsupported_grant_type");

    server.change(|settings| (settings.code_grant, settings.device_grant) = (Offer::Yes, Offer::No));
    let code_only = metadata().await;
    assert_eq!(code_only["authorization_endpoint"], json!(server.authorization_endpoint()));
    assert_eq!(code_only["grant_types_supported"], json!(["authorization_code", "refresh_token"]));
    assert_eq!(code_only["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(code_only["authorization_response_iss_parameter_supported"], json!(true));
    assert_eq!(code_only["device_authorization_endpoint"], Value::Null);
    assert_eq!(post_form(&server.device_authorization_endpoint(), &[("client_id", "c")]).await.unwrap().status, 404);

    server.change(|settings| (settings.pkce, settings.iss_promise) = (Pkce::PlainOnly, IssPromise::Withheld));
    let sloppy = metadata().await;
    assert_eq!(sloppy["code_challenge_methods_supported"], json!(["plain"]));
    assert_eq!(sloppy["authorization_response_iss_parameter_supported"], Value::Null);
    server.change(|settings| settings.pkce = Pkce::Unstated);
    assert_eq!(metadata().await["code_challenge_methods_supported"], Value::Null);
}
