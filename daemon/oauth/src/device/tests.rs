//! The device login against a scripted server and two scripted clocks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod property;

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::http::{HttpRequest, Method, NothingSent};
use crate::secret::ClientSecret;
use crate::terms::{ClientId, Issuer, Resource};
use crate::time::WallTime;
use crate::wire::tests::answer;

const EPOCH: u64 = 1_000_000_000;

fn at(seconds: u64) -> Now {
    millis(i64::try_from(seconds).unwrap() * 1000)
}

fn millis(millis: i64) -> Now {
    Now { instant: Instant::from_millis(millis), wall: WallTime::from_millis(EPOCH + u64::try_from(millis).unwrap()) }
}

fn request() -> DeviceRequest {
    let endpoint = |path: &str| Endpoint::parse(&format!("https://as.example/{path}"), Loopback::Refused).unwrap();
    DeviceRequest {
        device_authorization_endpoint: endpoint("device"),
        binding: Binding {
            issuer: Some(Issuer::new("https://as.example")),
            token_endpoint: endpoint("token"),
            revocation_endpoint: None,
            client_id: ClientId::new("me"),
            resource: None,
        },
        scopes: Scopes::default(),
        audience: None,
        extra_parameters: BTreeMap::new(),
        loopback: Loopback::Refused,
        client: ClientAuthentication::Public,
    }
}

fn authorization(expires_in: u64, interval: u64) -> HttpAnswer {
    let body = json!({
        "device_code": "SNTL_DC_012345678", "user_code": "SNTL-UC", "verification_uri": "https://as.example/device",
        "verification_uri_complete": "https://as.example/device?c=SNTL-UC", "message": "type SNTL-UC", "expires_in": expires_in,
        "interval": interval,
    });
    answer(200, body.to_string())
}

fn body_of(request: &HttpRequest) -> String {
    let Method::PostForm(body) = &request.method else { panic!("not a POST") };
    body.expose().to_owned()
}

fn sent(step: Step<DeviceFlow>) -> (HttpRequest, DeviceFlow) {
    match step {
        Step::Send(request, flow) => (request, flow),
        other => panic!("not a request: {other:?}"),
    }
}

fn told(step: Step<DeviceFlow>) -> (PendingDevice, DeviceFlow) {
    match step {
        Step::AskUser(pending, flow) => (pending, flow),
        other => panic!("not a prompt: {other:?}"),
    }
}

fn waits(step: Step<DeviceFlow>) -> (Instant, WaitReason, DeviceFlow) {
    match step {
        Step::WaitUntil(deadline, flow) => (deadline.at, deadline.why, flow),
        other => panic!("not a wait: {other:?}"),
    }
}

fn done(step: Step<DeviceFlow>) -> Result<Granted, SignInFailure> {
    match step {
        Step::Done(output) => output,
        other => panic!("not the end: {other:?}"),
    }
}

/// The end of the request for a code, at second 0.
fn refused(result: Result<HttpAnswer, Undelivered>) -> SignInFailure {
    let (_, flow) = sent(DeviceFlow::new(request()).handle(Input::Begin, at(0)));
    done(flow.handle(Input::Answered(result), at(0))).unwrap_err()
}

/// A login whose person has been told at second 0: when it polls first.
fn begun(expires_in: u64, interval: u64) -> (Instant, DeviceFlow) {
    let (_, flow) = sent(DeviceFlow::new(request()).handle(Input::Begin, at(0)));
    let (_, flow) = told(flow.handle(Input::Answered(Ok(authorization(expires_in, interval))), at(0)));
    let (first, _, flow) = waits(flow.handle(Input::Resumed, at(0)));
    (first, flow)
}

/// Polls at this moment and answers two seconds later.
fn poll(flow: DeviceFlow, when: Instant, result: Result<HttpAnswer, Undelivered>) -> Step<DeviceFlow> {
    let now = millis(when.as_millis());
    let (_, flow) = sent(flow.handle(Input::Resumed, now));
    flow.handle(Input::Answered(result), millis(when.as_millis() + 2000))
}

/// What the first poll of a usual login comes to.
fn first_poll(result: Result<HttpAnswer, Undelivered>) -> Step<DeviceFlow> {
    let (first, flow) = begun(900, 5);
    poll(flow, first, result)
}

/// How long it waits after this answer, counted from its end at second 8.
fn wait_after(result: Result<HttpAnswer, Undelivered>) -> Duration {
    waits(first_poll(result)).0.since(at(8).instant)
}

fn error(status: u16, code: &str) -> Result<HttpAnswer, Undelivered> {
    Ok(answer(status, format!(r#"{{"error":"{code}"}}"#)))
}

fn lost() -> Result<HttpAnswer, Undelivered> {
    Err(Undelivered::AnswerLost(AnswerLost::ConnectionEnded))
}

fn offline() -> Result<HttpAnswer, Undelivered> {
    Err(Undelivered::NothingSent(NothingSent::NameNotResolved))
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn the_request_carries_what_is_set_byte_for_byte_and_nothing_else() {
    let (plain, _) = sent(DeviceFlow::new(request()).handle(Input::Begin, at(0)));
    assert_eq!(plain.endpoint.as_str(), "https://as.example/device");
    assert_eq!(body_of(&plain), "client_id=me");
    let mut full = request();
    full.scopes = Scopes::parse("b a");
    full.binding.resource = Some(Resource::new("https://Mcp.example/x"));
    full.audience = Some(Audience::new("https://API"));
    let (full, _) = sent(DeviceFlow::new(full).handle(Input::Begin, at(0)));
    assert_eq!(body_of(&full), "scope=a+b&resource=https%3A%2F%2FMcp.example%2Fx&audience=https%3A%2F%2FAPI&client_id=me");
}

#[test]
fn extra_parameters_never_replace_those_of_the_protocol() {
    let mut extra = request();
    extra.audience = Some(Audience::new("api"));
    for name in ["client_id", "client_secret", "scope", "resource", "audience", "grant_type", "device_code", "connection"] {
        extra.extra_parameters.insert(name.to_owned(), "mine".to_owned());
    }
    let (extra, _) = sent(DeviceFlow::new(extra).handle(Input::Begin, at(0)));
    assert_eq!(body_of(&extra), "audience=api&connection=mine&client_id=me");
}

#[test]
fn a_poll_names_the_code_the_resource_and_the_client() {
    let mut asked = request();
    asked.binding.resource = Some(Resource::new("https://mcp.example"));
    asked.client = ClientAuthentication::ClientSecretPost(ClientSecret::new("SNTL_CS"));
    let (_, flow) = sent(DeviceFlow::new(asked).handle(Input::Begin, at(0)));
    let (_, flow) = told(flow.handle(Input::Answered(Ok(authorization(900, 5))), at(0)));
    let (_, _, flow) = waits(flow.handle(Input::Resumed, at(0)));
    let (request, _) = sent(flow.handle(Input::Resumed, at(6)));
    assert_eq!(request.endpoint.as_str(), "https://as.example/token");
    assert_eq!(
        body_of(&request),
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=SNTL_DC_012345678\
         &resource=https%3A%2F%2Fmcp.example&client_id=me&client_secret=SNTL_CS"
    );
}

#[test]
fn a_login_that_ends_well_tells_what_was_asked_for_and_where() {
    let body = r#"{"access_token":"SNTL_AT","refresh_token":"SNTL_RT","token_type":"bearer","expires_in":60}"#;
    let granted = done(first_poll(Ok(answer(200, body)))).unwrap();
    assert_eq!(granted.binding, request().binding);
    assert_eq!(granted.success.token.unwrap().requested_at, at(6), "its life counts from the poll");
}

#[test]
fn d11_the_first_poll_waits_for_the_interval_and_a_fifth_of_it() {
    for (interval, first) in [(5, 6_000), (0, 6_000), (1, 1_200), (60, 72_000)] {
        assert_eq!(begun(900, interval).0, millis(first).instant, "{interval}");
    }
}

#[test]
fn d11_an_interval_longer_than_the_code_lives_leaves_one_poll_just_before_its_end() {
    for (expires_in, interval, first) in [(600, 600, 599_000), (600, 9999, 599_000), (1, 5, 500), (20, 19, 19_000)] {
        let (when, flow) = begun(expires_in, interval);
        assert_eq!(when, millis(first).instant, "{expires_in} {interval}");
        let now = millis(first);
        let (_, flow) = sent(flow.handle(Input::Resumed, now));
        let (end, _, flow) = waits(flow.handle(Input::Answered(error(400, "authorization_pending")), now));
        assert_eq!(end, at(expires_in).instant);
        assert_eq!(done(flow.handle(Input::Resumed, at(expires_in))), Err(SignInFailure::Expired));
    }
}

#[test]
fn d11_a_poll_is_never_early_however_often_it_is_woken() {
    let (first, flow) = begun(900, 5);
    let (again, _, flow) = waits(flow.handle(Input::Resumed, millis(first.as_millis() - 1)));
    assert_eq!(again, first);
    sent(flow.handle(Input::Resumed, millis(first.as_millis())));
}

#[test]
fn d12_pending_waits_from_the_end_of_the_answer() {
    assert_eq!(wait_after(error(400, "authorization_pending")), secs(6));
}

#[test]
fn d13_slow_down_adds_five_seconds_for_good_or_takes_the_larger_interval() {
    assert_eq!(wait_after(error(400, "slow_down")), secs(12));
    let carried = |interval: u64| Ok(answer(200, format!("error=slow_down&interval={interval}")));
    assert_eq!(wait_after(carried(20)), secs(24));
    assert_eq!(wait_after(carried(7)), secs(12), "the larger of both");
    let (when, _, flow) = waits(first_poll(error(429, "slow_down")));
    let (when, _, flow) = waits(poll(flow, when, error(400, "slow_down")));
    let (next, _, _) = waits(poll(flow, when, error(400, "authorization_pending")));
    assert_eq!(next.since(when) - secs(2), secs(18), "cumulative, and pending does not take it back");
}

#[test]
fn d14_failures_double_the_wait_and_an_answer_ends_that() {
    for failure in [offline, lost] {
        let (when, why, flow) = waits(first_poll(failure()));
        assert_eq!((when.since(at(8).instant), why), (secs(10), WaitReason::BackOff));
        let (next, _, flow) = waits(poll(flow, when, failure()));
        assert_eq!(next.since(when) - secs(2), secs(20));
        let (after, why, _) = waits(poll(flow, next, error(400, "authorization_pending")));
        assert_eq!((after.since(next) - secs(2), why), (secs(6), WaitReason::PollInterval));
    }
}

#[test]
fn d14_being_offline_never_ends_a_login_before_its_code_ends() {
    let (mut when, mut flow) = begun(900, 5);
    let mut polls = 0;
    let end = loop {
        (when, flow) = match poll(flow, when, offline()) {
            Step::WaitUntil(deadline, flow) => (deadline.at, flow),
            other => break done(other),
        };
        polls += 1;
        if when >= at(900).instant {
            break done(flow.handle(Input::Resumed, at(900)));
        }
    };
    assert_eq!(end, Err(SignInFailure::Expired));
    assert!(polls > 10, "the back-off is bounded");
}

#[test]
fn d15_after_the_code_has_ended_nothing_is_sent() {
    let (_, flow) = begun(900, 5);
    let (when, _, flow) = waits(poll(flow, at(897).instant, error(400, "authorization_pending")));
    assert_eq!(when, at(900).instant);
    let (_, _, flow) = waits(flow.handle(Input::Resumed, at(899)));
    assert_eq!(done(flow.handle(Input::Resumed, at(900))), Err(SignInFailure::Expired));
}

#[test]
fn d15_after_a_sleep_beyond_the_end_there_is_one_more_poll_and_no_other() {
    for answer in [error(400, "authorization_pending"), error(400, "slow_down"), offline(), error(503, "x")] {
        let (_, flow) = begun(900, 5);
        assert_eq!(done(poll(flow, at(50_000).instant, answer)), Err(SignInFailure::Expired));
    }
    let (_, flow) = begun(900, 5);
    assert!(done(poll(flow, at(50_000).instant, Ok(answer(200, r#"{"access_token":"a"}"#)))).is_ok());
}

#[test]
fn d16_d17_the_error_decides_whatever_the_status() {
    for status in [200, 400, 401, 403, 428, 429, 500, 503] {
        for (code, wanted) in [
            ("access_denied", Some(SignInFailure::Denied)),
            ("authorization_declined", Some(SignInFailure::Denied)),
            ("expired_token", Some(SignInFailure::Expired)),
            ("token_expired", Some(SignInFailure::Expired)),
            ("authorization_pending", None),
            ("slow_down", None),
            ("temporarily_unavailable", None),
        ] {
            match (first_poll(error(status, code)), wanted) {
                (Step::Done(output), Some(failure)) => assert_eq!(output, Err(failure), "{code} {status}"),
                (Step::WaitUntil(..), None) => {}
                (other, _) => panic!("{code} {status}: {other:?}"),
            }
        }
        for code in
            ["bad_verification_code", "incorrect_device_code", "invalid_grant", "invalid_client", "unsupported_grant_type"]
        {
            let Err(SignInFailure::Refused(shown)) = done(first_poll(error(status, code))) else { panic!("{code} {status}") };
            assert_eq!((shown.error.as_str(), shown.status), (code, status));
        }
    }
}

#[test]
fn d16_an_unknown_error_ends_the_login_unless_the_status_says_later() {
    for status in [200, 400, 401, 403, 404] {
        assert!(matches!(done(first_poll(error(status, "odd"))), Err(SignInFailure::Refused(_))), "{status}");
    }
    for status in [408, 425, 429, 500, 502, 503] {
        assert_eq!(wait_after(error(status, "odd")), secs(10), "{status}");
    }
}

#[test]
fn d16_without_an_error_the_status_decides_and_retry_after_is_kept() {
    for (status, body, wait) in
        [(503, "<html>", 10), (500, "", 10), (408, "", 10), (429, "", 12), (404, "<html>", 10), (400, "{\"er", 10)]
    {
        assert_eq!(wait_after(Ok(answer(status, body))), secs(wait), "{status} {body}");
    }
    for (header, wait) in [("120", 120), ("2", 10), ("Mon, 12 Jan 1970 13:47:18 GMT", 30)] {
        let mut busy = answer(503, "");
        busy.retry_after = Some(header.to_owned());
        assert_eq!(wait_after(Ok(busy)), secs(wait), "{header}");
    }
    let refused = |result| done(first_poll(result)).unwrap_err();
    assert_eq!(refused(Ok(answer(400, "{}"))), SignInFailure::Misbehaved(ServerMisbehaved::NoErrorCode { status: 400 }));
    assert_eq!(refused(Ok(answer(307, "{}"))), SignInFailure::Misbehaved(ServerMisbehaved::Redirected { status: 307 }));
}

#[test]
fn d16_a_wish_beyond_the_codes_end_is_kept_too() {
    let mut busy = answer(503, "");
    busy.retry_after = Some("3600".to_owned());
    let (when, _, flow) = waits(first_poll(Ok(busy)));
    assert_eq!(when, at(900).instant);
    assert_eq!(done(flow.handle(Input::Resumed, at(901))), Err(SignInFailure::Expired));
}

#[test]
fn d18_a_success_without_a_token_is_a_broken_rule_unless_it_holds_a_refresh_token() {
    let failure = done(first_poll(Ok(answer(200, "{}")))).unwrap_err();
    assert_eq!(failure, SignInFailure::Misbehaved(ServerMisbehaved::NoToken));
    let granted = done(first_poll(Ok(answer(200, r#"{"refresh_token":"SNTL_RT"}"#)))).unwrap();
    assert_eq!(granted.success.refresh_token.unwrap().expose(), "SNTL_RT");
    assert_eq!(granted.success.token, Err(ServerMisbehaved::NoToken));
}

#[test]
fn d35_a_code_that_is_used_up_after_a_lost_answer_is_a_lost_login() {
    for gone in [lost(), Ok(answer(200, "<html>")), Ok(answer(200, "{\"access_token\":\"a"))] {
        for code in ["invalid_grant", "bad_verification_code", "incorrect_device_code", "expired_token"] {
            let (when, _, flow) = waits(first_poll(gone.clone()));
            assert_eq!(done(poll(flow, when, error(400, code))), Err(SignInFailure::AnswerLost), "{code}");
        }
    }
    let (when, _, flow) = waits(first_poll(lost()));
    let (when, _, flow) = waits(poll(flow, when, error(400, "authorization_pending")));
    let end = done(poll(flow, when, error(400, "invalid_grant")));
    assert!(matches!(end, Err(SignInFailure::Refused(_))), "it was still waiting after the lost answer");
    let (when, _, flow) = waits(first_poll(offline()));
    assert!(matches!(done(poll(flow, when, error(400, "invalid_grant"))), Err(SignInFailure::Refused(_))), "nothing was sent");
}

#[test]
fn a_request_for_a_code_that_fails_says_what_to_do_next() {
    let unavailable = SignInFailure::Unavailable { retry_after: None };
    assert_eq!(refused(offline()), SignInFailure::Unreachable(NothingSent::NameNotResolved));
    for later in [lost(), error(503, "odd"), error(400, "temporarily_unavailable"), error(403, "rate_limit_exceeded")] {
        assert_eq!(refused(later), unavailable);
    }
    for (status, body) in [(500, ""), (429, "{}"), (200, "<html>"), (403, "<html>")] {
        assert_eq!(refused(Ok(answer(status, body))), unavailable, "{status} {body}");
    }
    let mut busy = answer(429, "");
    busy.retry_after = Some("9".to_owned());
    assert_eq!(refused(Ok(busy)), SignInFailure::Unavailable { retry_after: Some(secs(9)) });
    assert!(
        matches!(refused(error(200, "device_flow_disabled")), SignInFailure::Refused(shown) if shown.error == "device_flow_disabled")
    );
    assert_eq!(refused(Ok(answer(404, "Not Found"))), SignInFailure::NoDeviceGrant);
    assert_eq!(refused(Ok(answer(400, "{}"))), SignInFailure::Misbehaved(ServerMisbehaved::NoErrorCode { status: 400 }));
    assert_eq!(refused(Ok(answer(302, ""))), SignInFailure::Misbehaved(ServerMisbehaved::Redirected { status: 302 }));
    assert_eq!(refused(Ok(answer(200, "{}"))), SignInFailure::Misbehaved(ServerMisbehaved::DeviceMember("device_code")));
}

#[test]
fn a_login_goes_on_after_a_restart_with_its_grown_interval() {
    let (_, flow) = sent(DeviceFlow::new(request()).handle(Input::Begin, at(0)));
    let (mut pending, _) = told(flow.handle(Input::Answered(Ok(authorization(900, 5))), at(3)));
    assert_eq!((pending.expires, pending.expires_wall), (at(900).instant, at(900).wall), "counted from the request");
    pending.interval = secs(10);
    let flow = DeviceFlow::resume(pending.clone(), ClientAuthentication::Public);
    let (when, _, flow) = waits(flow.handle(Input::Begin, at(100)));
    assert_eq!(when, at(112).instant);
    sent(flow.handle(Input::Resumed, at(112)));
    let late = DeviceFlow::resume(pending, ClientAuthentication::Public);
    let (when, _, late) = waits(late.handle(Input::Begin, at(2000)));
    assert_eq!(when, at(900).instant);
    assert_eq!(done(late.handle(Input::Resumed, at(2000))), Err(SignInFailure::Expired));
}

#[test]
fn d20_d61_no_step_of_a_login_shows_a_secret() {
    let mut asked = request();
    asked.client = ClientAuthentication::ClientSecretBasic(ClientSecret::new("SNTL_CS_012345678"));
    let shown = |what: &dyn std::fmt::Debug| assert!(!format!("{what:?}").contains("SNTL"), "{what:?}");
    shown(&asked);
    let step = DeviceFlow::new(asked).handle(Input::Begin, at(0));
    shown(&step);
    let input = Input::Answered(Ok(authorization(900, 5)));
    shown(&input);
    let step = sent(step).1.handle(input, at(0));
    shown(&step);
    let step = told(step).1.handle(Input::Resumed, at(0));
    shown(&step);
    let step = waits(step).2.handle(Input::Resumed, at(6));
    shown(&step);
    let body =
        json!({ "error": "invalid_client", "error_description": "no SNTL_CS_012345678 for SNTL_DC_012345678" }).to_string();
    let step = sent(step).1.handle(Input::Answered(Ok(answer(401, body))), at(6));
    shown(&step);
    let Err(SignInFailure::Refused(error)) = done(step) else { panic!("not refused") };
    assert_eq!(error.description, None);
    let body = r#"{"access_token":"SNTL_AT","refresh_token":"SNTL_RT","id_token":"SNTL_ID"}"#;
    shown(&first_poll(Ok(answer(200, body))));
}
