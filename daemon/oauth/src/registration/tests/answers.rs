//! What a server's answer comes to.

use super::*;
use crate::client_authentication::ClientAuthentication;
use crate::misbehaved::ServerMisbehaved;
use proptest::prelude::*;

#[test]
fn d60_a_whole_answer_is_kept_as_the_server_has_it() {
    let registration = registered(created(&json!({
        "client_secret": "SNTL_CS_1", "client_secret_expires_at": 1_800_003_600, "token_endpoint_auth_method": "client_secret_post",
        "redirect_uris": ["http://127.0.0.1:7777/callback"], "grant_types": ["refresh_token", "authorization_code", "implicit"],
        "registration_access_token": "SNTL_RAT_1", "registration_client_uri": "https://as.example/register/SNTL_1", "scope": "x",
    })))
    .unwrap();
    let expected = Registration {
        issuer: issuer(),
        client: RegisteredClient {
            client_id: ClientId::new("new-client"),
            client_secret: Some(ClientSecret::new("SNTL_CS_1")),
            secret_expires: SecretExpires::At(NOW.wall + HOUR),
            auth_method: TokenEndpointAuthMethod::ClientSecretPost,
        },
        redirect_uris: vec![RedirectUri::ipv4().with_port(7777)],
        grant_types: [GrantType::AuthorizationCode, GrantType::RefreshToken].into(),
        registration_access_token: Some(RegistrationAccessToken::new("SNTL_RAT_1")),
        registration_client_uri: Some(SecretText::new("https://as.example/register/SNTL_1")),
        registered_at: NOW.wall,
        standing: Standing::Good,
        former: Vec::new(),
    };
    assert_eq!(registration, expected);
    assert_eq!(registration.client.authentication(), Ok(ClientAuthentication::ClientSecretPost(ClientSecret::new("SNTL_CS_1"))));
}

#[test]
fn what_the_server_does_not_tell_is_as_it_was_asked_for_and_200_is_as_good_as_201() {
    let bare = answer(200, r#"{"client_id":"c"}"#);
    let registration = registered(bare).unwrap();
    assert_eq!(registration.redirect_uris, loopback());
    assert_eq!(registration.grant_types, GrantType::ALL.into());
    assert_eq!(registration.client.auth_method, TokenEndpointAuthMethod::None);
    assert_eq!(registration.client.authentication(), Ok(ClientAuthentication::Public));
    assert_eq!((registration.registration_access_token, registration.registration_client_uri), (None, None));
}

#[test]
fn d58_the_end_of_a_secret_is_obeyed_and_zero_or_nothing_is_never() {
    let of = |expires: Json| {
        registered(created(&json!({
            "client_secret": "s", "token_endpoint_auth_method": "client_secret_basic", "client_secret_expires_at": expires,
        })))
        .map(|registration| registration.client.secret_expires)
    };
    let soon = SecretExpires::At(NOW.wall + SECOND);
    for (expires, wanted) in [
        (json!(0), SecretExpires::Never),
        (json!("0"), SecretExpires::Never),
        (json!(null), SecretExpires::Never),
        (json!(1e300), SecretExpires::Never),
        (json!(1_800_000_001), soon),
        (json!("1800000001"), soon),
    ] {
        assert_eq!(of(expires.clone()), Ok(wanted), "{expires}");
    }
    let bad = RegistrationError::Misbehaved(ServerMisbehaved::RegistrationMember("client_secret_expires_at"));
    for garbage in [json!(-1), json!("never"), json!([]), json!(true)] {
        assert_eq!(of(garbage.clone()), Err(bad.clone()), "{garbage}");
    }
    for past in [1, 1_799_999_999, 1_800_000_000] {
        assert_eq!(of(json!(past)), Err(RegistrationError::Misbehaved(ServerMisbehaved::ClientSecretExpired)), "{past}");
    }
}

#[test]
fn d59_the_method_that_the_server_registered_is_used_where_it_can_be() {
    use TokenEndpointAuthMethod::{ClientSecretBasic, ClientSecretPost, None as Public};
    let of = |members: Json| {
        registered(created(&members)).map(|registration| (registration.client.auth_method, registration.client.client_secret))
    };
    let secret = || Some(ClientSecret::new("s"));
    assert_eq!(
        of(json!({ "client_secret": "s", "token_endpoint_auth_method": "client_secret_post" })),
        Ok((ClientSecretPost, secret()))
    );
    assert_eq!(of(json!({ "client_secret": "s" })), Ok((ClientSecretBasic, secret())), "the default of RFC 7591, section 2");
    assert_eq!(of(json!({ "client_secret": "", "token_endpoint_auth_method": "none" })), Ok((Public, None)));
    let expired = json!({ "client_secret": "s", "token_endpoint_auth_method": "none", "client_secret_expires_at": 1 });
    assert_eq!(of(expired), Ok((Public, None)), "a secret that is never sent is not kept");
    for (members, member) in [
        (json!({ "token_endpoint_auth_method": "client_secret_basic" }), "client_secret"),
        (json!({ "client_secret": 7 }), "client_secret"),
        (json!({ "client_secret": "a\nb" }), "client_secret"),
        (json!({ "token_endpoint_auth_method": ["none"] }), "token_endpoint_auth_method"),
    ] {
        assert_eq!(of(members), Err(RegistrationError::Misbehaved(ServerMisbehaved::RegistrationMember(member))));
    }
    for word in ["private_key_jwt", "client_secret_jwt", "\u{1b}[31mnone"] {
        let Err(RegistrationError::Changed(ChangedMetadata::AuthMethod { found })) =
            of(json!({ "token_endpoint_auth_method": word }))
        else {
            panic!("{word}")
        };
        assert!(!found.contains('\u{1b}'));
    }
}

#[test]
fn d59_a_redirect_that_leads_off_this_machine_is_refused_whatever_stands_beside_it() {
    for evil in
        ["https://evil.example/cb?code=SNTL", "http://127.0.0.1.evil.example/", "com.evil:/cb", "", "http://127.0.0.1/cb?x"]
    {
        let error = registered(created(&json!({ "redirect_uris": ["http://127.0.0.1/callback", evil] }))).unwrap_err();
        assert!(matches!(error, RegistrationError::Changed(ChangedMetadata::RedirectUri { .. })), "{error:?}");
        assert!(!error.to_string().contains('?'), "{error}");
    }
    for garbage in [json!("http://127.0.0.1/callback"), json!([7]), json!([null]), json!({})] {
        let bad = RegistrationError::Misbehaved(ServerMisbehaved::RegistrationMember("redirect_uris"));
        assert_eq!(registered(created(&json!({ "redirect_uris": garbage }))), Err(bad));
    }
}

#[test]
fn d59_other_loopback_redirects_and_fewer_grants_are_kept_and_told() {
    let registration =
        registered(created(&json!({ "redirect_uris": ["http://localhost:3118/cb"], "grant_types": ["authorization_code"] })))
            .unwrap();
    let theirs = RedirectUri::parse("http://localhost:3118/cb").unwrap();
    assert_eq!(registration.usable_for(GrantNeeded::Code(&theirs), NOW.wall), Ok(()));
    assert_eq!(registration.usable_for(GrantNeeded::Code(&RedirectUri::ipv4()), NOW.wall), Err(Unusable::LacksRedirect));
    assert_eq!(registration.usable_for(GrantNeeded::Device, NOW.wall), Err(Unusable::LacksGrant));
    let none = registered(created(&json!({ "redirect_uris": [], "grant_types": [] }))).unwrap();
    assert_eq!(none.usable_for(GrantNeeded::Code(&RedirectUri::ipv4()), NOW.wall), Err(Unusable::LacksGrant));
}

#[test]
fn an_answer_without_a_usable_client_is_none() {
    let bad = |member| RegistrationError::Misbehaved(ServerMisbehaved::RegistrationMember(member));
    for id in [json!(null), json!(""), json!(7), json!("a\u{7}b"), json!("\u{e9}"), json!("x".repeat(4097))] {
        assert_eq!(registered(created(&json!({ "client_id": id }))), Err(bad("client_id")), "{id}");
    }
    for (body, why) in [
        (r#"{"client_id":"a","client_id":"b"}"#, ServerMisbehaved::DuplicateMember),
        (r#"{"client_id":"a","x":1,"x":1}"#, ServerMisbehaved::DuplicateMember),
        (r#"{"client_id":"a","redirect_uris":["#, ServerMisbehaved::BrokenJson),
        ("<!doctype html>", ServerMisbehaved::WebPage),
        ("", ServerMisbehaved::NotAnObject),
        ("[{\"client_id\":\"a\"}]", ServerMisbehaved::NotAnObject),
        ("client_id=a", ServerMisbehaved::NotAnObject),
        (r#"{"client_id":"a","error":{}}"#, ServerMisbehaved::RegistrationMember("error")),
    ] {
        assert_eq!(registered(answer(201, body)), Err(RegistrationError::Misbehaved(why)), "{body}");
    }
}

#[test]
fn what_no_login_needs_spoils_no_registration() {
    let odd = json!({ "registration_access_token": 7, "registration_client_uri": "javascript:x", "client_id_issued_at": "?" });
    let registration = registered(created(&odd)).unwrap();
    assert_eq!((registration.registration_access_token, registration.registration_client_uri), (None, None));
}

#[test]
fn a_refusal_says_what_the_caller_does_next() {
    let of = |status: u16, body: &str| registered(answer(status, body)).unwrap_err();
    let ask = |status| RegistrationError::AskForClient { status };
    let code = |code: &str| json!({ "error": code }).to_string();
    for body in ["", "<html>", "{}", &code("access_denied"), &code("invalid_token")] {
        for status in [401, 403, 404, 405] {
            assert_eq!(of(status, body), ask(status), "{status} {body}");
        }
    }
    for word in ["invalid_software_statement", "unapproved_software_statement"] {
        assert_eq!(of(400, &code(word)), ask(400));
    }
    assert!(matches!(of(400, &code("something_else")), RegistrationError::Refused(error) if error.error == "something_else"));
    assert!(matches!(of(200, &code("something_else")), RegistrationError::Refused(_)), "D17: the body decides");
    let later = |status| RegistrationError::Later { retry_after: None, status };
    for (status, body) in [(429, ""), (503, "<html>"), (500, "{}"), (400, "<html>"), (408, ""), (400, "{\"error\":\"x")] {
        assert_eq!(of(status, body), later(status), "{status} {body}");
    }
    assert_eq!(of(400, &code("temporarily_unavailable")), later(400));
    assert_eq!(of(502, &code("something_else")), later(502));
    assert_eq!(of(400, "{}"), RegistrationError::Misbehaved(ServerMisbehaved::NoErrorCode { status: 400 }));
    for status in [301, 302, 307, 308] {
        for body in [r#"{"client_id":"a"}"#, &code("invalid_client_metadata"), "<html>"] {
            assert_eq!(of(status, body), RegistrationError::Misbehaved(ServerMisbehaved::Redirected { status }));
        }
    }
}

#[test]
fn d48_d59_the_pause_after_a_failure_is_an_hour_unless_the_server_says_that_it_did_nothing() {
    let pause = |status: u16, wish: Option<&str>| {
        let mut answer = answer(status, "");
        answer.retry_after = wish.map(str::to_owned);
        registered(answer).unwrap_err().pause()
    };
    assert_eq!(pause(429, Some("300")), SECOND * 300);
    assert_eq!(pause(503, Some("1")), SECOND * 60);
    assert_eq!(pause(503, None), SECOND * 60);
    assert_eq!(pause(429, Some("999999")), HOUR);
    for status in [500, 502, 504, 401, 404, 400] {
        assert_eq!(pause(status, Some("1")), HOUR, "{status}");
    }
    assert_eq!(RegistrationError::AnswerLost.pause(), HOUR);
    assert_eq!(RegistrationError::Unreachable(crate::http::NothingSent::TooSlow).pause(), Duration::ZERO);
}

#[test]
fn d61_a_refusal_shows_no_secret_that_stands_beside_it() {
    let body = json!({
        "error": "invalid_software_id", "error_description": "not with SNTL_RAT_12345", "registration_access_token": "SNTL_RAT_12345",
    });
    let RegistrationError::Refused(error) = registered(answer(400, body.to_string())).unwrap_err() else { panic!("not refused") };
    assert_eq!(error.description, None);
}

proptest! {
    #[test]
    fn no_bytes_panic(status in 100_u16..600, bytes in any::<Vec<u8>>()) {
        let _ = run(request(GrantsWanted::Code(vec![RedirectUri::ipv4()])), [Ok(answer(status, bytes))]);
    }

    #[test]
    fn whatever_is_registered_is_of_the_asked_issuer_and_sends_codes_to_this_machine_only(
        uris in proptest::collection::vec("(http://)?(127\\.0\\.0\\.1|\\[::1\\]|localhost|evil\\.example)[/:@a-z0-9]{0,8}", 0..3),
        issuer_claimed in "https://[a-z]{1,5}\\.example",
        method in prop_oneof![Just("none"), Just("client_secret_basic"), Just("private_key_jwt"), Just("")],
    ) {
        let members = json!({
            "redirect_uris": uris, "issuer": issuer_claimed, "token_endpoint_auth_method": method, "client_secret": "s",
        });
        if let Ok(registration) = registered(created(&members)) {
            prop_assert_eq!(registration.issuer.as_str(), ISSUER);
            for uri in &registration.redirect_uris {
                let host = url::Url::parse(uri.as_str()).unwrap().host_str().map(str::to_owned);
                prop_assert!(matches!(host.as_deref(), Some("127.0.0.1" | "[::1]" | "localhost")), "{}", uri);
            }
            prop_assert!(registration.client.authentication().is_ok());
        }
    }
}
