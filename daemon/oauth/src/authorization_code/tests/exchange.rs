//! The trade: one request that reaches its server, and what its answer comes to.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::json;

use super::super::exchange::ExchangeFlow;
use super::super::judge::JudgedCode;
use super::*;
use crate::client_authentication::ClientAuthentication;
use crate::flow::{Flow, Input, Step, WaitReason};
use crate::http::{AnswerLost, HttpAnswer, HttpRequest, Method, NothingSent, Patience, Undelivered};
use crate::misbehaved::ServerMisbehaved;
use crate::secret::{AuthorizationCode, ClientSecret};
use crate::sign_in::SignInFailure;
use crate::token::{Granted, Life};
use crate::wire::tests::answer;

const CODE: &str = "SNTL_CO_012345678";

type Ended = Result<Granted, SignInFailure>;

fn flow(client: ClientAuthentication) -> ExchangeFlow {
    ExchangeFlow::new(pending(), JudgedCode(AuthorizationCode::new(CODE)), client)
}

fn sent(step: Step<ExchangeFlow>) -> (HttpRequest, ExchangeFlow) {
    match step {
        Step::Send(request, flow) => (request, flow),
        other => panic!("not a request: {other:?}"),
    }
}

fn done(step: Step<ExchangeFlow>) -> Ended {
    match step {
        Step::Done(ended) => ended,
        other => panic!("not the end: {other:?}"),
    }
}

/// Sent at second 10, answered at second 12.
fn ended(result: Result<HttpAnswer, Undelivered>) -> Ended {
    let (_, flow) = sent(flow(ClientAuthentication::Public).handle(Input::Begin, at(10)));
    done(flow.handle(Input::Answered(result), at(12)))
}

fn failed(status: u16, body: impl AsRef<[u8]>) -> SignInFailure {
    ended(Ok(answer(status, body))).unwrap_err()
}

fn body_of(request: &HttpRequest) -> String {
    let Method::PostForm(body) = &request.method else { panic!("not a POST") };
    body.expose().to_owned()
}

fn offline() -> Input {
    Input::Answered(Err(Undelivered::NothingSent(NothingSent::NameNotResolved)))
}

#[test]
fn d36_one_patient_request_carries_the_code_its_proof_and_the_resource() {
    let (request, _) = sent(flow(ClientAuthentication::Public).handle(Input::Begin, at(10)));
    assert_eq!((request.endpoint.as_str(), request.patience), ("https://as.example/token", Patience::Spending));
    let verifier = pending().verifier;
    let wanted = format!(
        "grant_type=authorization_code&code={CODE}&redirect_uri=http%3A%2F%2F127.0.0.1%3A49152%2Fcallback&code_verifier={}\
         &resource=https%3A%2F%2FMcp.example%2Fa+b&client_id=me",
        verifier.expose()
    );
    assert_eq!(body_of(&request), wanted);
    let (request, _) = sent(flow(ClientAuthentication::ClientSecretBasic(ClientSecret::new("s"))).handle(Input::Begin, at(10)));
    assert!(request.authorization.is_some() && !body_of(&request).contains("client_id"));
}

#[test]
fn tokens_count_from_when_the_request_was_sent_and_name_their_subject() {
    let claims =
        json!({ "iss": "https://as.example", "aud": "me", "exp": 2_000_000_000, "sub": "ada", "nonce": "none was sent" });
    let id_token = format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let body = json!({ "access_token": "SNTL_AT", "token_type": "Bearer", "expires_in": 60, "refresh_token": "SNTL_RT", "id_token": id_token });
    let Granted { success, binding, requested_scopes } = ended(Ok(answer(200, body.to_string()))).unwrap();
    let token = success.token.unwrap();
    assert_eq!((token.requested_at, token.life), (at(10), Life::Known(Duration::from_secs(60))));
    assert_eq!(token.subject.unwrap().as_str(), "ada");
    assert_eq!(success.refresh_token.unwrap().expose(), "SNTL_RT");
    assert_eq!((binding, requested_scopes), (pending().binding, pending().requested_scopes));
}

#[test]
fn d43_a_bad_success_with_a_refresh_token_is_granted_and_without_one_it_is_a_breach() {
    let granted = ended(Ok(answer(200, r#"{"token_type":"DPoP","access_token":"a","refresh_token":"r"}"#))).unwrap();
    assert_eq!(granted.success.token, Err(ServerMisbehaved::TokenType("DPoP")));
    for (body, why) in [
        (r#"{"token_type":"DPoP","access_token":"a"}"#, ServerMisbehaved::TokenType("DPoP")),
        ("{}", ServerMisbehaved::NoToken),
        ("<html>", ServerMisbehaved::WebPage),
        ("", ServerMisbehaved::NotAnObject),
        (r#"{"access_token":"a"#, ServerMisbehaved::BrokenJson),
    ] {
        assert_eq!(failed(200, body), SignInFailure::Misbehaved(why), "{body}");
    }
}

#[test]
fn an_error_answer_is_a_refusal_in_the_servers_words_whatever_its_status() {
    for status in [200, 400, 401, 500] {
        for code in ["invalid_grant", "invalid_client", "invalid_target", "unauthorized_client"] {
            let body = json!({ "error": code, "error_description": "Code expired." });
            let error = match failed(status, body.to_string()) {
                SignInFailure::Refused(error) if code != "invalid_grant" => error,
                SignInFailure::CodeRefused(error) if code == "invalid_grant" => error,
                other => panic!("{code}: {other:?}"),
            };
            assert_eq!((error.error.as_str(), error.description.as_deref(), error.status), (code, Some("Code expired."), status));
        }
    }
    assert_eq!(failed(403, r#"{"error":"access_denied"}"#), SignInFailure::Denied);
}

#[test]
fn what_may_pass_is_unavailable_and_what_breaks_a_rule_is_a_breach() {
    let later = |retry_after| SignInFailure::Unavailable { retry_after };
    for (status, body) in
        [(503, "<html>"), (429, "{}"), (400, r#"{"error":"server_error"}"#), (502, r#"{"error":"what"}"#), (403, "<p>")]
    {
        assert_eq!(failed(status, body), later(None), "{status} {body}");
    }
    let mut busy = answer(503, "");
    busy.retry_after = Some("7".to_owned());
    assert_eq!(ended(Ok(busy)), Err(later(Some(Duration::from_secs(7)))));
    for (status, body) in [(400, "{}"), (404, "<html>"), (405, "")] {
        assert_eq!(failed(status, body), SignInFailure::Misbehaved(ServerMisbehaved::NoErrorCode { status }), "{status} {body}");
    }
    let redirected = SignInFailure::Misbehaved(ServerMisbehaved::Redirected { status: 307 });
    assert_eq!(failed(307, r#"{"access_token":"a"}"#), redirected);
}

#[test]
fn d35_what_may_have_been_sent_is_never_sent_again() {
    for lost in [
        AnswerLost::ConnectionEnded,
        AnswerLost::TimeOver(Duration::from_secs(300)),
        AnswerLost::TooLarge(9),
        AnswerLost::Interrupted,
    ] {
        assert_eq!(ended(Err(Undelivered::AnswerLost(lost))), Err(SignInFailure::AnswerLost));
    }
    for input in [Input::Begin, Input::Resumed] {
        let (_, flow) = sent(flow(ClientAuthentication::Public).handle(Input::Begin, at(10)));
        assert_eq!(done(flow.handle(input, at(12))), Err(SignInFailure::AnswerLost));
    }
}

#[test]
fn what_was_not_sent_is_tried_again_for_a_minute_with_growing_waits() {
    let (first, mut flow) = sent(flow(ClientAuthentication::Public).handle(Input::Begin, at(0)));
    let mut now = at(0);
    let mut waits = Vec::new();
    loop {
        match flow.handle(offline(), now) {
            Step::WaitUntil(deadline, next) => {
                assert_eq!(deadline.why, WaitReason::BackOff);
                waits.push(deadline.at.since(now.instant).as_secs());
                // Woken too early, it waits on.
                let Step::WaitUntil(same, next) = next.handle(Input::Resumed, now) else { panic!("sent too early") };
                assert_eq!(same, deadline);
                now = at(u64::try_from(deadline.at.as_millis()).unwrap() / 1000);
                let (again, next) = sent(next.handle(Input::Resumed, now));
                assert_eq!((body_of(&again), again.endpoint), (body_of(&first), first.endpoint.clone()));
                flow = next;
            }
            step => {
                assert_eq!(done(step), Err(SignInFailure::Unreachable(NothingSent::NameNotResolved)));
                break;
            }
        }
    }
    assert_eq!(waits, [1, 2, 4, 8, 8, 8, 8, 8, 8]);
}

#[test]
fn after_a_second_attempt_the_life_counts_from_that_one() {
    let (_, flow) = sent(flow(ClientAuthentication::Public).handle(Input::Begin, at(0)));
    let Step::WaitUntil(_, flow) = flow.handle(offline(), at(0)) else { panic!("no wait") };
    let (_, flow) = sent(flow.handle(Input::Resumed, at(5)));
    let granted = done(flow.handle(Input::Answered(Ok(answer(200, r#"{"access_token":"a","expires_in":9}"#))), at(6))).unwrap();
    assert_eq!(granted.success.token.unwrap().requested_at, at(5));
}

#[test]
fn d61_no_end_and_no_debug_repeats_a_secret_that_was_sent() {
    let client = || ClientAuthentication::ClientSecretBasic(ClientSecret::new("SNTL_CS_876543210"));
    let (request, _) = sent(flow(client()).handle(Input::Begin, at(10)));
    let header = request.authorization.unwrap();
    for echo in [CODE, pending().verifier.expose(), "SNTL_CS_876543210", header.expose(), "..012345678.."] {
        let (request, flow) = sent(flow(client()).handle(Input::Begin, at(10)));
        let shown = format!("{request:?} {flow:?}");
        assert!(!shown.contains("SNTL") && !shown.contains(pending().verifier.expose()), "{shown}");
        let body = json!({ "error": "invalid_grant", "error_description": format!("bad {echo}") });
        let Err(SignInFailure::CodeRefused(error)) =
            done(flow.handle(Input::Answered(Ok(answer(400, body.to_string()))), at(12)))
        else {
            panic!("not refused")
        };
        assert_eq!(error.description, None, "{echo}");
    }
}

/// What a request may come to; the flow goes on after none but the first.
fn any_result() -> impl Strategy<Value = Result<HttpAnswer, Undelivered>> {
    prop_oneof![
        3 => Just(Err(Undelivered::NothingSent(NothingSent::NotConnected))),
        1 => Just(Err(Undelivered::AnswerLost(AnswerLost::ConnectionEnded))),
        1 => (any::<u16>(), any::<Vec<u8>>()).prop_map(|(status, body)| Ok(answer(status, body))),
        1 => proptest::sample::select(vec!["invalid_grant", "server_error"]).prop_map(|code| Ok(answer(400, format!("error={code}")))),
    ]
}

proptest! {
    #[test]
    fn d35_whatever_happens_one_request_at_most_reaches_the_server_and_the_trade_ends(
        turns in proptest::collection::vec((any_result(), 0..20_u64, 0..40_u64), 1..20),
    ) {
        let (mut now, mut reached, mut requests) = (0, 0, 1);
        let (_, mut flow) = sent(flow(ClientAuthentication::Public).handle(Input::Begin, at(0)));
        for (result, takes, late) in turns {
            let nothing_sent = matches!(result, Err(Undelivered::NothingSent(_)));
            reached += u32::from(!nothing_sent);
            now += takes;
            match flow.handle(Input::Answered(result), at(now)) {
                Step::WaitUntil(deadline, next) => {
                    prop_assert!(nothing_sent && deadline.at.since(at(0).instant) <= Duration::from_secs(60));
                    now = u64::try_from(deadline.at.as_millis()).unwrap() / 1000 + late;
                    (_, flow) = sent(next.handle(Input::Resumed, at(now)));
                    requests += 1;
                }
                Step::Done(end) => {
                    prop_assert!(!nothing_sent || matches!(end, Err(SignInFailure::Unreachable(_))));
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        prop_assert!(reached <= 1 && requests <= 6);
    }
}
