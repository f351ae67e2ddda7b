//! Which responses count: RFC 9207's table, the state, the time, and the errors of RFC 6749.

use proptest::prelude::*;
use proptest::sample::select;

use super::super::judge::{JudgedCode, NoCode, judge};
use super::super::response::AuthorizationResponse;
use super::*;
use crate::misbehaved::ServerMisbehaved;
use crate::secret::AuthorizationCode;
use crate::sign_in::SignInFailure;
use crate::wire::form;

const ISSUER: &str = "https://as.example";

/// The response with these parameters and the login's own state.
fn response(parameters: &[(&str, &str)]) -> AuthorizationResponse {
    let pending = pending();
    let parameters: Vec<_> = parameters.iter().copied().chain([("state", pending.state.expose())]).collect();
    AuthorizationResponse::parse(form::encode(&parameters).expose()).unwrap()
}

fn judged(parameters: &[(&str, &str)]) -> Result<JudgedCode, NoCode> {
    judge(&pending(), response(parameters), at(1))
}

fn over(ended: Result<JudgedCode, NoCode>) -> SignInFailure {
    match ended {
        Err(NoCode::Over(why)) => why,
        other => panic!("not over: {other:?}"),
    }
}

fn a_code(text: &str) -> JudgedCode {
    JudgedCode(AuthorizationCode::new(text))
}

fn with(issuer: Option<&str>, iss_parameter: IssParameter) -> PendingCode {
    let mut pending = PendingCode { iss_parameter, ..pending() };
    pending.binding.issuer = issuer.map(Issuer::new);
    pending
}

#[test]
fn d27_the_table_of_rfc_9207() {
    use IssParameter::{NotPromised, Promised};
    let other = "https://evil.example";
    let mismatch = || Some(ServerMisbehaved::ResponseIssuer { found: "\"https://evil.example\"".to_owned() });
    let table = [
        (Some(ISSUER), Promised, Some(ISSUER), None),
        (Some(ISSUER), Promised, Some(other), mismatch()),
        (Some(ISSUER), Promised, None, Some(ServerMisbehaved::NoResponseIssuer)),
        (Some(ISSUER), NotPromised, Some(ISSUER), None),
        (Some(ISSUER), NotPromised, Some(other), mismatch()),
        (Some(ISSUER), NotPromised, None, None),
        // Endpoints only: there is nothing to compare with.
        (None, NotPromised, Some(other), None),
        (None, NotPromised, None, None),
        (None, Promised, None, Some(ServerMisbehaved::NoResponseIssuer)),
    ];
    for (issuer, promised, iss, wanted) in table {
        let pending = with(issuer, promised);
        for (outcome, good) in
            [(("code", "c"), Ok(a_code("c"))), (("error", "access_denied"), Err(NoCode::Over(SignInFailure::Denied)))]
        {
            let parameters: Vec<_> = [outcome].into_iter().chain(iss.map(|iss| ("iss", iss))).collect();
            let wanted = wanted.clone().map_or(good, |why| Err(NoCode::Over(SignInFailure::Misbehaved(why))));
            assert_eq!(judge(&pending, response(&parameters), at(1)), wanted, "{issuer:?} {promised:?} {parameters:?}");
        }
    }
}

#[test]
fn d27_an_issuer_is_compared_byte_for_byte() {
    for almost in
        ["https://as.example/", "https://AS.example", "https://as.example:443", "HTTPS://as.example", "https://as.exampl%65", ""]
    {
        let why = over(judged(&[("code", "c"), ("iss", almost)]));
        assert!(matches!(why, SignInFailure::Misbehaved(ServerMisbehaved::ResponseIssuer { .. })), "{almost}: {why}");
    }
}

#[test]
fn d27_of_another_server_no_word_is_told() {
    for iss in
        ["SNTL_words", "https://evil.example/?SNTL", "https://evil.example/ SNTL", "https://SNTL@evil.example", "javascript:SNTL"]
    {
        let why = over(judged(&[("error", "SNTL_error"), ("error_description", "SNTL call 0800"), ("iss", iss)]));
        assert!(!format!("{why} {why:?}").contains("SNTL"), "{why:?}");
        assert!(why.to_string().contains("a server without a proper name"), "{why}");
    }
    let mut promised = with(Some(ISSUER), IssParameter::Promised);
    promised.iss_parameter = IssParameter::Promised;
    let ended = judge(&promised, response(&[("error", "SNTL_error"), ("error_description", "SNTL")]), at(1));
    assert!(!format!("{ended:?}").contains("SNTL"));
}

#[test]
fn d26_a_response_of_another_login_leaves_this_one_waiting_whatever_it_says() {
    for query in ["state=x&code=c", "state=x&error=access_denied", "state=x&code=c&iss=https://evil.example"] {
        let response = AuthorizationResponse::parse(query).unwrap();
        for now in [at(1), at(601)] {
            assert_eq!(judge(&pending(), response.clone(), now), Err(NoCode::KeepWaiting), "{query}");
        }
    }
}

#[test]
fn a_response_after_the_end_comes_too_late() {
    let code = || response(&[("code", "c")]);
    assert_eq!(judge(&pending(), code(), at(599)), Ok(a_code("c")));
    assert_eq!(over(judge(&pending(), code(), at(600))), SignInFailure::Expired);
}

#[test]
fn rfc_6749_each_error_ends_the_login_in_its_own_way() {
    assert_eq!(over(judged(&[("error", "access_denied"), ("error_description", "x")])), SignInFailure::Denied);
    for later in ["temporarily_unavailable", "server_error"] {
        assert_eq!(over(judged(&[("error", later)])), SignInFailure::Unavailable { retry_after: None });
    }
    for code in [
        "invalid_request",
        "unauthorized_client",
        "unsupported_response_type",
        "invalid_scope",
        "invalid_target",
        "login_required",
        "x",
    ] {
        let SignInFailure::Refused(error) = over(judged(&[("error", code), ("error_description", "Because.")])) else {
            panic!("{code}")
        };
        assert_eq!((error.error.as_str(), error.description.as_deref(), error.status), (code, Some("Because."), 0));
    }
}

#[test]
fn d61_an_error_is_cut_and_filtered_and_repeats_no_secret_of_the_login() {
    let refused = |code: &str, description: &str| match over(judged(&[("error", code), ("error_description", description)])) {
        SignInFailure::Refused(error) => error,
        other => panic!("{other:?}"),
    };
    let shown = refused(&"a ".repeat(100), "AADSTS9: no.\r\nTrace \u{1b}[31mID\u{202e}");
    assert_eq!((shown.error.len(), shown.description.as_deref()), (64, Some("AADSTS9: no.  Trace ID")));
    let pending = pending();
    for secret in [pending.state.expose(), pending.verifier.expose(), &pending.verifier.challenge()] {
        assert_eq!(refused("invalid_request", &format!("bad {secret}")).description, None);
        assert_eq!(refused(secret, "x").error, "unreadable_error");
    }
}

#[test]
fn no_debug_tells_a_code() {
    assert!(!format!("{:?}", judged(&[("code", "SNTL_CO")])).contains("SNTL"));
}

proptest! {
    #[test]
    fn the_judge_agrees_with_a_table(
        issuer in select(vec![None, Some(ISSUER), Some("https://b.example/x")]),
        iss_parameter in select(vec![IssParameter::Promised, IssParameter::NotPromised]),
        iss in select(vec![None, Some(ISSUER), Some("https://b.example/x"), Some("https://b.example/x/"), Some("")]),
        (is_code, own_state, seconds) in (any::<bool>(), any::<bool>(), select(vec![0, 599, 600, 9_999])),
        error in select(vec!["access_denied", "server_error", "invalid_scope"]),
    ) {
        let mut parameters = vec![if is_code { ("code", "c") } else { ("error", error) }];
        parameters.extend(iss.map(|iss| ("iss", iss)));
        let mut response = response(&parameters);
        if !own_state {
            response.state = crate::secret::State::new("another");
        }
        let found = match judge(&with(issuer, iss_parameter), response, at(seconds)) {
            Ok(code) => { prop_assert_eq!(code, a_code("c")); "code" }
            Err(NoCode::KeepWaiting) => "wait",
            Err(NoCode::Over(SignInFailure::Expired)) => "late",
            Err(NoCode::Over(SignInFailure::Misbehaved(ServerMisbehaved::NoResponseIssuer))) => "absent",
            Err(NoCode::Over(SignInFailure::Misbehaved(ServerMisbehaved::ResponseIssuer { .. }))) => "other",
            Err(NoCode::Over(SignInFailure::Denied)) => "access_denied",
            Err(NoCode::Over(SignInFailure::Unavailable { .. })) => "server_error",
            Err(NoCode::Over(SignInFailure::Refused(_))) => "invalid_scope",
            Err(other) => panic!("{other:?}"),
        };
        let wanted = match (own_state, seconds < 600, issuer, iss) {
            (false, ..) => "wait",
            (_, false, ..) => "late",
            (.., Some(issuer), Some(iss)) if issuer != iss => "other",
            (.., None) if iss_parameter == IssParameter::Promised => "absent",
            _ if is_code => "code",
            _ => error,
        };
        prop_assert_eq!(found, wanted);
    }
}
