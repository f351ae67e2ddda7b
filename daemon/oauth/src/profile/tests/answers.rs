//! What an answer comes to: where its members stand, how long its token lives.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

use super::*;

/// A JWT with this payload (RFC 7519).
fn jwt(payload: &serde_json::Value) -> String {
    format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload.to_string()))
}

fn life(expiry: &Expiry, body: &serde_json::Value) -> Life {
    let profile = Profile { expiry: expiry.clone(), ..Profile::default() };
    let RefreshOutcome::Success(success) = refreshed(&profile, 200, &body.to_string()) else { panic!("no success") };
    success.token.unwrap().life
}

#[test]
fn depth_that_no_place_leads_into_costs_nothing() {
    let deep = format!(
        r#"{{"data":{{"x":{}{}}},"data2":{}1{},"data":{{"rt":"SNTL"}}}}"#,
        "[".repeat(50_000),
        "]".repeat(50_000),
        r#"{"data":"#.repeat(50_000),
        "}".repeat(50_000)
    );
    let RefreshOutcome::Success(success) = refreshed(&nested(), 200, &deep) else { panic!("lost") };
    assert_eq!(success.refresh_token, Some(RefreshToken::new("SNTL")));
}

#[test]
fn answers_are_read_where_their_members_stand() {
    let device = AnswerShape {
        members: members(&[
            ("device_code", &["data.deviceCode"]),
            ("user_code", &["data.codes.user"]),
            ("verification_uri", &["data.link"]),
        ]),
        no_error: Vec::new(),
    };
    let token = AnswerShape {
        members: members(&[
            ("access_token", &["token", "data.accessToken"]),
            ("refresh_token", &["data.refreshToken"]),
            ("expires_in", &["data.ttl"]),
        ]),
        no_error: Vec::new(),
    };
    let profile = Profile {
        device_authorization: Exchange { answer: device, ..Exchange::default() },
        poll: Exchange { answer: token, ..Exchange::default() },
        ..Profile::default()
    };
    let first =
        answer(200, r#"{"data":{"deviceCode":"dc/1","codes":{"user":"UC","x":[{"y":"}"}]},"link":"https://as.example/go"}}"#);
    let (_, poll, flow) = polled(&profile, "me", first);
    assert!(poll.contains("device_code=dc%2F1"), "{poll}");
    let body =
        r#"{"access_token":"never","data":{"accessToken":"SNTL_AT","refreshToken":"SNTL_RT","ttl":60},"refresh_token":"never"}"#;
    let Step::Done(Ok(granted)) = flow.handle(Input::Answered(Ok(answer(200, body))), NOW) else { panic!("not granted") };
    let token = granted.success.token.unwrap();
    assert_eq!(token.access_token, AccessToken::new("SNTL_AT"));
    assert_eq!(granted.success.refresh_token, Some(RefreshToken::new("SNTL_RT")));
    assert_eq!(token.life, Life::Known(Duration::from_secs(60)));
}

fn nested() -> Profile {
    let answer = AnswerShape {
        members: members(&[("access_token", &["data.at"]), ("refresh_token", &["data.rt"]), ("error", &["error", "code"])]),
        no_error: words(&["ok"]),
    };
    Profile { refresh: Exchange { answer, ..Exchange::default() }, ..Profile::default() }
}

#[test]
fn d43_a_refresh_token_within_an_object_is_saved_whatever_is_wrong_around_it() {
    for body in [
        r#"{"data":{"at":"a","rt":"SNTL"},"x":"#,
        r#"{"data":{"rt":"SNTL","at":"#,
        r#"{"data":{"rt":"SNTL","at":"a","at":"b"}}"#,
        r#"{"data":{"at":nul,"rt":"SNTL"}}"#,
        r#"{"data":{"at":{"at":"x"},"rt":"SNTL"}}"#,
    ] {
        let RefreshOutcome::Success(success) = refreshed(&nested(), 200, body) else { panic!("lost: {body}") };
        assert_eq!(success.refresh_token, Some(RefreshToken::new("SNTL")), "{body}");
        assert!(success.token.is_err(), "{body}");
    }
    // Half of it counts for nothing.
    let cut = refreshed(&nested(), 200, r#"{"data":{"at":"a","rt":"SNTL"#);
    assert_eq!(cut, RefreshOutcome::OutcomeUnknown(OutcomeUnknown::Unreadable(ServerMisbehaved::BrokenJson)));
}

#[test]
fn a_member_that_stands_elsewhere_is_not_read_where_the_rfcs_have_it() {
    let body = r#"{"access_token":"never","refresh_token":"never"}"#;
    let RefreshOutcome::Success(success) = refreshed(&nested(), 200, body) else { panic!("no success") };
    assert_eq!((success.refresh_token, success.token), (None, Err(ServerMisbehaved::NoToken)));
}

#[test]
fn a_form_with_names_of_the_provider_is_a_form() {
    let answer = AnswerShape { members: members(&[("access_token", &["at"]), ("refresh_token", &["rt"])]), no_error: Vec::new() };
    let profile = Profile { refresh: Exchange { answer, ..Exchange::default() }, ..Profile::default() };
    let RefreshOutcome::Success(success) = refreshed(&profile, 200, "at=a&rt=SNTL") else { panic!("no form") };
    assert_eq!(success.refresh_token, Some(RefreshToken::new("SNTL")));
    assert!(success.token.is_ok());
    assert!(matches!(refreshed(&Profile::default(), 200, "at=a&rt=SNTL"), RefreshOutcome::OutcomeUnknown(_)));
}

#[test]
fn d42_a_member_that_came_twice_is_noticed_below_too() {
    let RefreshOutcome::Success(success) = refreshed(&nested(), 200, r#"{"data":{"at":"a"},"data":{"at":"b"}}"#) else {
        panic!("no success")
    };
    assert_eq!(success.token, Err(ServerMisbehaved::DuplicateMember));
}

#[test]
fn an_error_may_stand_elsewhere_by_word_or_by_number_and_may_say_that_there_is_none() {
    let of = |body: &str| refreshed(&nested(), 200, body);
    for good in [
        r#"{"data":{"at":"a"}}"#,
        r#"{"code":0,"data":{"at":"a"}}"#,
        r#"{"code":"ok","data":{"at":"a"}}"#,
        r#"{"error":null,"code":"ok","data":{"at":"a"}}"#,
    ] {
        assert!(matches!(of(good), RefreshOutcome::Success(success) if success.token.is_ok()), "{good}");
    }
    assert!(matches!(of(r#"{"code":40101}"#), RefreshOutcome::UnknownError(error) if error.error == "40101"));
    assert!(matches!(of(r#"{"code":"invalid_grant"}"#), RefreshOutcome::DeadGrant(_)));
    assert!(matches!(of(r#"{"error":"invalid_client","code":"ok"}"#), RefreshOutcome::Configuration(_)));
}

#[test]
fn d38_who_tells_how_long_a_token_lives_is_a_matter_of_the_profile() {
    use serde_json::json;
    let seconds = |seconds| Life::Known(Duration::from_secs(seconds));
    let (fixed, fallback) = (Duration::from_secs(900), Some(Duration::from_secs(300)));
    let jwt = |exp: u64| jwt(&json!({ "exp": exp }));
    let by = |source, fallback, skew| Expiry { source, fallback, skew: Duration::from_secs(skew) };
    for (expiry, body, wanted) in [
        (by(ExpirySource::Fixed(fixed), None, 0), json!({ "access_token": jwt(1_000_060), "expires_in": 5 }), seconds(900)),
        (by(ExpirySource::Jwt, None, 0), json!({ "access_token": jwt(1_000_060), "expires_in": 5 }), seconds(60)),
        (by(ExpirySource::Jwt, None, 0), json!({ "access_token": "opaque", "expires_in": 5 }), Life::Unknown),
        (by(ExpirySource::Jwt, fallback, 0), json!({ "access_token": "opaque", "expires_in": 5 }), seconds(300)),
        (by(ExpirySource::ExpiresIn, fallback, 0), json!({ "access_token": "opaque" }), seconds(300)),
        (by(ExpirySource::ExpiresIn, fallback, 0), json!({ "access_token": "opaque", "expires_in": "soon" }), seconds(300)),
        (by(ExpirySource::ExpiresIn, fallback, 0), json!({ "access_token": jwt(1_000_060) }), seconds(60)),
        (by(ExpirySource::ExpiresIn, None, 20), json!({ "access_token": "opaque", "expires_in": 60 }), seconds(40)),
        (by(ExpirySource::ExpiresIn, None, 90), json!({ "access_token": "opaque", "expires_in": 60 }), seconds(0)),
        (by(ExpirySource::ExpiresIn, None, 20), json!({ "access_token": "opaque" }), Life::Unknown),
    ] {
        assert_eq!(life(&expiry, &body), wanted, "{expiry:?} {body}");
    }
}

#[test]
fn d38_a_jwt_that_tells_no_end_is_unknown_and_never_an_error() {
    use serde_json::json;
    let expiry = Expiry { source: ExpirySource::Jwt, ..Expiry::default() };
    let broken = [
        "garbage".to_owned(),
        "a.b".to_owned(),
        "a.!!!.c".to_owned(),
        jwt(&json!({})),
        jwt(&json!({ "exp": "1000060" })),
        jwt(&json!({ "exp": "soon" })),
        jwt(&json!({ "exp": null })),
        jwt(&json!([1])),
    ];
    for token in broken {
        assert_eq!(life(&expiry, &json!({ "access_token": token })), Life::Unknown, "{token}");
    }
}

proptest! {
    #[test]
    fn a_shape_never_panics_and_never_loses_what_stands_where_it_says(
        before in "[a-z]{1,3}",
        value in "[ -~]{1,12}",
        bytes in any::<Vec<u8>>(),
        junk in r#"(null|1|"x"|\[\]|\{\}|\{"a":\[1,"}"\]\}|nul)"#,
    ) {
        prop_assume!(before != "data");
        let body = format!(r#"{{"{before}":{junk},"data":{{"z":{junk},"rt":{}}}}}"#, serde_json::json!(value));
        let RefreshOutcome::Success(success) = refreshed(&nested(), 200, &body) else { panic!("lost: {body}") };
        prop_assert_eq!(success.refresh_token, Some(RefreshToken::new(value)));
        let _ = refreshed(&nested(), 200, &String::from_utf8_lossy(&bytes));
        let _ = refreshed(&nested(), 200, &format!("{{\"data\":{{{}", String::from_utf8_lossy(&bytes)));
    }
}
