//! What is sent, and how often.

use super::*;
use crate::http::{AnswerLost, NothingSent};

fn sent(request: RegistrationRequest) -> Json {
    run(request, [Ok(created(&json!({})))]).0.remove(0)
}

#[test]
fn d57_a_native_public_client_asks_for_its_grants_with_open_loopback_redirects() {
    let asked = sent(both());
    let wanted = json!({
        "client_name": "mcp-authd", "application_type": "native", "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
        "response_types": ["code"], "redirect_uris": ["http://127.0.0.1/callback", "http://[::1]/callback"],
        "software_id": "mcp-authd", "software_version": env!("CARGO_PKG_VERSION"),
    });
    // Every member, and no further one: nothing names the machine or its user (D65).
    assert_eq!(asked, wanted);
}

#[test]
fn d57_each_grant_is_asked_for_only_where_it_is_wanted() {
    let code = sent(request(GrantsWanted::Code(vec![RedirectUri::ipv4().with_port(7777)])));
    assert_eq!(code["grant_types"], json!(["authorization_code", "refresh_token"]));
    assert_eq!(code["response_types"], json!(["code"]));
    assert_eq!(code["redirect_uris"], json!(["http://127.0.0.1:7777/callback"]));

    let device = sent(request(GrantsWanted::Device));
    assert_eq!(device["grant_types"], json!(["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"]));
    assert_eq!(device["response_types"], json!([]), "left out it would mean code");
    assert_eq!(device.get("redirect_uris"), None);
}

#[test]
fn a_scope_is_sent_where_one_is_wanted() {
    assert_eq!(sent(both()).get("scope"), None);
    let scoped = RegistrationRequest { scopes: Scopes::parse("write read \"odd"), ..both() };
    assert_eq!(sent(scoped)["scope"], json!("\"odd read write"));
}

#[test]
fn d57_a_public_client_is_the_first_choice_and_a_secret_only_where_the_server_takes_none() {
    for (supported, method) in [
        (vec![], "none"),
        (vec!["client_secret_post", "none"], "none"),
        (vec!["client_secret_post", "client_secret_basic"], "client_secret_basic"),
        (vec!["private_key_jwt", "client_secret_post"], "client_secret_post"),
        (vec!["private_key_jwt", "tls_client_auth"], "none"),
    ] {
        let auth_methods_supported = supported.iter().map(|word| (*word).to_owned()).collect();
        let asked = run(RegistrationRequest { auth_methods_supported, ..both() }, [Ok(refusal("access_denied"))]).0;
        assert_eq!(asked[0]["token_endpoint_auth_method"], json!(method), "{supported:?}");
    }
}

#[test]
fn d59_a_server_that_dislikes_the_metadata_is_asked_for_less_once() {
    let (sent, ended) = run(both(), [Ok(refusal("invalid_client_metadata")), Ok(created(&json!({})))]);
    let least = json!({
        "client_name": "mcp-authd", "application_type": "native", "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
        "redirect_uris": ["http://127.0.0.1/callback"],
    });
    assert_eq!(sent[1..], [least]);
    let registration = ended.unwrap();
    assert_eq!(registration.usable_for(GrantNeeded::Device, NOW.wall), Err(Unusable::LacksGrant));
    assert_eq!(registration.usable_for(GrantNeeded::Code(&RedirectUri::ipv4()), NOW.wall), Ok(()));
}

#[test]
fn d59_a_server_that_dislikes_the_scopes_keeps_its_device_grant_and_one_that_dislikes_that_too_is_asked_a_last_time() {
    let scoped = || RegistrationRequest { scopes: Scopes::parse("read"), ..both() };
    let (sent, ended) = run(scoped(), [Ok(refusal("invalid_client_metadata")), Ok(created(&json!({})))]);
    assert_eq!((sent.len(), sent[1].get("scope"), &sent[1]["grant_types"]), (2, None, &sent[0]["grant_types"]));
    assert_eq!(ended.unwrap().usable_for(GrantNeeded::Device, NOW.wall), Ok(()));

    let refused = || Ok(refusal("invalid_client_metadata"));
    let (sent, ended) = run(scoped(), [refused(), refused(), Ok(created(&json!({})))]);
    assert_eq!((sent.len(), &sent[2]["grant_types"]), (3, &json!(["authorization_code", "refresh_token"])));
    assert!(ended.is_ok());
}

#[test]
fn d59_a_device_client_keeps_its_only_grant_in_the_second_request() {
    let answers = [Ok(refusal("invalid_client_metadata")), Ok(created(&json!({})))];
    let (sent, ended) = run(request(GrantsWanted::Device), answers);
    assert_eq!(sent[1]["grant_types"], sent[0]["grant_types"]);
    assert_eq!(ended.unwrap().usable_for(GrantNeeded::Device, NOW.wall), Ok(()));
}

#[test]
fn d59_a_server_that_dislikes_the_redirects_is_asked_with_one_once() {
    let answers = [Ok(refusal("invalid_redirect_uri")), Ok(created(&json!({})))];
    let (sent, ended) = run(both(), answers);
    assert_eq!(sent[1]["redirect_uris"], json!(["http://127.0.0.1/callback"]));
    assert_eq!(sent[1]["grant_types"], sent[0]["grant_types"]);
    assert!(ended.is_ok());
    // Where there is nothing to leave out, nothing is asked again.
    let (sent, ended) = run(request(GrantsWanted::Code(vec![RedirectUri::ipv4()])), [Ok(refusal("invalid_redirect_uri"))]);
    assert!(matches!((sent.len(), ended), (1, Err(RegistrationError::Refused(_)))));
}

#[test]
fn d59_there_is_no_fourth_request_and_none_that_does_not_ask_for_less() {
    let scoped = RegistrationRequest { scopes: Scopes::parse("read"), ..both() };
    let (metadata, redirect) = ("invalid_client_metadata", "invalid_redirect_uri");
    for (request, refusals) in [
        (both(), vec![metadata, metadata]),
        (both(), vec![metadata, redirect]),
        (both(), vec![redirect, redirect]),
        (both(), vec![redirect, metadata, metadata]),
        (scoped.clone(), vec![metadata, metadata, metadata]),
        (scoped.clone(), vec![redirect, metadata, metadata]),
        (scoped, vec![metadata, redirect]),
    ] {
        let (sent, ended) = run(request, refusals.iter().map(|code| Ok(refusal(code))).collect::<Vec<_>>());
        assert!(
            matches!(&ended, Err(RegistrationError::Refused(error)) if Some(&&*error.error) == refusals.last()),
            "{refusals:?}: {ended:?}"
        );
        assert_eq!(sent.len(), refusals.len(), "{refusals:?}");
        assert!(sent.windows(2).all(|pair| pair[0].to_string().len() > pair[1].to_string().len()), "{sent:#?}");
    }
}

#[test]
fn d59_whatever_else_happens_is_the_end() {
    for (result, wanted) in [
        (Err(Undelivered::NothingSent(NothingSent::NotConnected)), RegistrationError::Unreachable(NothingSent::NotConnected)),
        (Err(Undelivered::AnswerLost(AnswerLost::ConnectionEnded)), RegistrationError::AnswerLost),
        (Err(Undelivered::AnswerLost(AnswerLost::TooLarge(262_144))), RegistrationError::AnswerLost),
        (Ok(answer(503, "")), RegistrationError::Later { retry_after: None, status: 503 }),
    ] {
        assert_eq!(run(both(), [result]), (vec![sent(both())], Err(wanted)));
    }
}
