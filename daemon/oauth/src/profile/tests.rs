//! Each way in which a provider may differ, from the request's bytes to what its answer comes to.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod answers;

use std::sync::Arc;

use super::*;
use crate::client_authentication::ClientAuthentication;
use crate::device::{DeviceFlow, DeviceRequest};
use crate::endpoint::{Endpoint, InvalidEndpoint, Loopback};
use crate::flow::{Flow, Input, Step};
use crate::http::{HttpAnswer, HttpRequest, Method};
use crate::misbehaved::ServerMisbehaved;
use crate::refresh::{REFUSED_BY_STATUS, RefreshFlow};
use crate::revocation::{Revocation, RevocationFlow, RevocationRequest};
use crate::secret::{AccessToken, ClientSecret, RefreshToken};
use crate::sign_in::SignInFailure;
use crate::terms::ClientId;
use crate::time::{Instant, Now, WallTime};
use crate::token::{Granted, Life, OutcomeUnknown, RefreshOutcome};
use crate::wire::tests::answer;

const NOW: Now = Now { instant: Instant::from_millis(1_000), wall: WallTime::from_millis(1_000_000_000) };

fn endpoint(url: &str) -> Endpoint {
    Endpoint::parse(url, Loopback::Refused).unwrap()
}

fn binding(client_id: &str) -> Binding {
    Binding {
        issuer: None,
        token_endpoint: endpoint("https://as.example/token"),
        revocation_endpoint: Some(endpoint("https://as.example/revoke")),
        client_id: ClientId::new(client_id),
        resource: Some(Resource::new("https://mcp.example/a b")),
    }
}

fn text(method: &Method) -> String {
    match method {
        Method::Get | Method::Probe => "GET".to_owned(),
        Method::PostForm(body) => format!("form {}", body.expose()),
        Method::PostJson(body) => format!("json {}", body.expose()),
        Method::PostEmpty => "empty".to_owned(),
    }
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

fn renamed(names: &[(&str, &str)], left_out: &[&str]) -> BTreeMap<String, SentAs> {
    let names = names.iter().map(|(name, sent)| ((*name).to_owned(), SentAs::Named((*sent).to_owned())));
    names.chain(left_out.iter().map(|name| ((*name).to_owned(), SentAs::Nothing))).collect()
}

fn members(places: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
    places.iter().map(|(name, places)| ((*name).to_owned(), words(places))).collect()
}

fn begin_refresh(profile: &Profile, client_id: &str, client: ClientAuthentication) -> (HttpRequest, RefreshFlow) {
    let flow = RefreshFlow::new(RefreshToken::new("SNTL_RT"), binding(client_id), client).by(Arc::new(profile.clone()));
    match flow.handle(Input::Begin, NOW) {
        Step::Send(request, flow) => (request, flow),
        other => panic!("{other:?}"),
    }
}

fn refreshed(profile: &Profile, status: u16, body: &str) -> RefreshOutcome {
    let (_, flow) = begin_refresh(profile, "me", ClientAuthentication::Public);
    match flow.handle(Input::Answered(Ok(answer(status, body))), NOW) {
        Step::Done(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

/// A login up to its poll: both requests, and the poll's flow.
fn polled(profile: &Profile, client_id: &str, first: HttpAnswer) -> (String, String, DeviceFlow) {
    let request = DeviceRequest {
        device_authorization_endpoint: endpoint("https://as.example/device"),
        binding: binding(client_id),
        scopes: Scopes::parse("read"),
        audience: None,
        extra_parameters: BTreeMap::new(),
        loopback: Loopback::Refused,
        client: ClientAuthentication::Public,
    };
    let flow = DeviceFlow::new(request).by(Arc::new(profile.clone()));
    let Step::Send(asked, flow) = flow.handle(Input::Begin, NOW) else { panic!("nothing is asked") };
    let Step::AskUser(_, flow) = flow.handle(Input::Answered(Ok(first)), NOW) else { panic!("no prompt") };
    let Step::WaitUntil(poll, flow) = flow.handle(Input::Resumed, NOW) else { panic!("no wait") };
    let Step::Send(request, flow) = flow.handle(Input::Resumed, Now { instant: poll.at, ..NOW }) else { panic!("no poll") };
    (text(&asked.method), text(&request.method), flow)
}

fn code() -> HttpAnswer {
    answer(200, r#"{"device_code":"dc","user_code":"UC","verification_uri":"https://as.example/go","expires_in":600}"#)
}

/// What one poll comes to: granted, waits so many seconds more, or why it failed.
fn poll_ends(profile: &Profile, status: u16, body: &str) -> Result<Granted, Result<u64, SignInFailure>> {
    let (_, _, flow) = polled(profile, "me", code());
    let now = Now { instant: NOW.instant + Duration::from_secs(6), ..NOW };
    match flow.handle(Input::Answered(Ok(answer(status, body))), now) {
        Step::Done(Ok(granted)) => Ok(granted),
        Step::Done(Err(failure)) => Err(Err(failure)),
        Step::WaitUntil(deadline, _) => Err(Ok(deadline.at.since(now.instant).as_secs())),
        other => panic!("{other:?}"),
    }
}

const PENDING: Result<u64, SignInFailure> = Ok(6);
const SLOWER: Result<u64, SignInFailure> = Ok(12);

#[test]
fn without_a_profile_everything_is_as_the_rfcs_have_it() {
    let (request, _) = begin_refresh(&Profile::default(), "me", ClientAuthentication::Public);
    assert_eq!(
        text(&request.method),
        "form grant_type=refresh_token&refresh_token=SNTL_RT&resource=https%3A%2F%2Fmcp.example%2Fa+b&client_id=me"
    );
    let (asked, poll, _) = polled(&Profile::default(), "me", code());
    assert_eq!(asked, "form scope=read&resource=https%3A%2F%2Fmcp.example%2Fa+b&client_id=me");
    assert!(poll.starts_with("form grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=dc&"), "{poll}");
}

#[test]
fn a_refresh_may_be_json_with_names_of_its_own_and_no_client() {
    let request = RequestShape {
        body: BodyKind::Json,
        names: renamed(&[("refresh_token", "refreshToken")], &["grant_type"]),
        constants: [("app".to_owned(), "x\"y".to_owned()), ("refreshToken".to_owned(), "never".to_owned())].into(),
    };
    let refresh = Exchange { request, ..Exchange::default() };
    let profile = Profile { refresh, resource: ResourceMode::Omit, ..Profile::default() };
    let (request, _) = begin_refresh(&profile, "", ClientAuthentication::Public);
    assert_eq!(text(&request.method), r#"json {"refreshToken":"SNTL_RT","app":"x\"y"}"#);
    assert!(!format!("{request:?}").contains("SNTL"), "{request:?}");
}

#[test]
fn a_client_secret_goes_the_way_of_the_body() {
    let refresh = Exchange {
        request: RequestShape {
            body: BodyKind::Json,
            names: renamed(&[("client_secret", "secret")], &[]),
            ..RequestShape::default()
        },
        ..Exchange::default()
    };
    let profile = Profile { refresh, resource: ResourceMode::Omit, ..Profile::default() };
    let secret = || ClientSecret::new("SNTL_CS\"");
    let (request, flow) = begin_refresh(&profile, "me", ClientAuthentication::ClientSecretPost(secret()));
    let sent = r#"json {"grant_type":"refresh_token","refresh_token":"SNTL_RT","client_id":"me","secret":"SNTL_CS\""}"#;
    assert_eq!(text(&request.method), sent);
    // D61: as it was sent, a server must not tell it to a log.
    let echo = r#"{"error":"invalid_grant","error_description":"{\"secret\":\"SNTL_CS\\\"\"}"}"#;
    let Step::Done(RefreshOutcome::DeadGrant(error)) = flow.handle(Input::Answered(Ok(answer(400, echo))), NOW) else {
        panic!("alive")
    };
    assert_eq!(error.description, None);
    let (request, _) = begin_refresh(&profile, "me", ClientAuthentication::ClientSecretBasic(secret()));
    assert_eq!(text(&request.method), r#"json {"grant_type":"refresh_token","refresh_token":"SNTL_RT"}"#);
    assert!(request.authorization.is_some());
}

#[test]
fn no_name_is_sent_twice_and_the_protocols_own_value_counts() {
    let shape = RequestShape { names: renamed(&[("client_id", "app"), ("code", "state")], &[]), ..RequestShape::default() };
    let sent = shape.method(&[("app", "extra"), ("state", "extra"), ("a", "1"), ("a", "2"), ("client_id", "me"), ("code", "c")]);
    assert_eq!(text(&sent), "form app=me&state=c&a=1");
}

#[test]
fn a_code_may_be_asked_for_with_no_body_at_all() {
    let empty = Exchange { request: RequestShape { body: BodyKind::Empty, ..RequestShape::default() }, ..Exchange::default() };
    let profile = Profile { device_authorization: empty, ..Profile::default() };
    let (asked, _, _) = polled(&profile, "", code());
    assert_eq!(asked, "empty");
}

#[test]
fn d47_words_and_statuses_of_the_provider_end_a_grant() {
    let errors = ErrorWords {
        dead_grant: words(&["unauthorized_client", "gone"]),
        dead_grant_statuses: vec![401],
        ..ErrorWords::default()
    };
    let strict = Profile { errors, ..Profile::default() };
    let dead = |status, body| match refreshed(&strict, status, body) {
        RefreshOutcome::DeadGrant(error) => Some(error.error),
        _ => None,
    };
    assert_eq!(dead(400, r#"{"error":"gone"}"#).as_deref(), Some("gone"));
    assert_eq!(dead(400, r#"{"error":"unauthorized_client"}"#).as_deref(), Some("unauthorized_client"));
    for body in ["", "{}", r#"{"status":401}"#, "Unauthorized"] {
        assert_eq!(dead(401, body).as_deref(), Some(REFUSED_BY_STATUS), "{body}");
        assert!(matches!(refreshed(&Profile::default(), 401, body), RefreshOutcome::Later { .. }), "{body}");
    }
    assert_eq!(dead(401, r#"{"error":"who_knows"}"#).as_deref(), Some("who_knows"));
    // A page of a hotel, a known word that says otherwise, another status: the grant lives.
    assert_eq!(dead(401, "<html>pay first</html>"), None);
    assert_eq!(dead(401, r#"{"error":"invalid_client"}"#), None);
    assert_eq!(dead(401, r#"{"error":"temporarily_unavailable"}"#), None);
    assert_eq!(dead(403, ""), None);
    let plain = refreshed(&Profile::default(), 400, r#"{"error":"unauthorized_client"}"#);
    assert!(matches!(plain, RefreshOutcome::Configuration(_)));
}

#[test]
fn d17_a_poll_understands_the_words_of_the_provider() {
    let errors = ErrorWords {
        pending: words(&["invalid_grant", "WAITING"]),
        slow_down: words(&["TOO_FAST"]),
        denied: words(&["REJECTED"]),
        expired: words(&["GONE"]),
        ..ErrorWords::default()
    };
    let profile = Profile { errors, ..Profile::default() };
    let of = |code: &str| poll_ends(&profile, 400, &format!(r#"{{"error":"{code}"}}"#)).unwrap_err();
    assert_eq!(of("invalid_grant"), PENDING);
    assert_eq!(of("WAITING"), PENDING);
    assert_eq!(of("TOO_FAST"), SLOWER);
    assert_eq!(of("slow_down"), SLOWER, "the RFC's own word stays");
    assert_eq!(of("REJECTED"), Err(SignInFailure::Denied));
    assert_eq!(of("GONE"), Err(SignInFailure::Expired));
    assert!(matches!(of("OTHER"), Err(SignInFailure::Refused(_))));
}

#[test]
fn a_status_speaks_where_no_word_does_and_never_against_one() {
    let errors = ErrorWords { pending_statuses: vec![202, 404], slow_down_statuses: vec![401, 429], ..ErrorWords::default() };
    let profile = Profile { errors, ..Profile::default() };
    let of = |status, body| poll_ends(&profile, status, body);
    for body in ["", "{}", r#"{"status":"waits"}"#, "not yet"] {
        assert_eq!(of(202, body), Err(PENDING), "{body}");
        assert_eq!(of(404, body), Err(PENDING), "{body}");
        assert_eq!(of(401, body), Err(SLOWER), "{body}");
    }
    assert_eq!(of(401, r#"{"error":"never_heard_of"}"#), Err(SLOWER));
    assert_eq!(of(429, r#"{"error":"never_heard_of"}"#), Err(SLOWER));
    assert_eq!(of(401, r#"{"error":"authorization_pending"}"#), Err(PENDING));
    assert_eq!(of(404, r#"{"error":"access_denied"}"#), Err(Err(SignInFailure::Denied)));
    assert!(matches!(of(404, r#"{"error":"invalid_client"}"#), Err(Err(SignInFailure::Refused(_)))));
    assert!(of(202, r#"{"access_token":"a"}"#).is_ok());
    // D17: slow_down is told by the word under any status, with no profile at all.
    assert_eq!(poll_ends(&Profile::default(), 401, r#"{"error":"slow_down"}"#), Err(SLOWER));
    assert!(matches!(poll_ends(&Profile::default(), 404, "{}"), Err(Err(SignInFailure::Misbehaved(_)))));
}

#[test]
fn a_provider_without_the_device_grant_is_not_asked_for_a_code() {
    let request = DeviceRequest {
        device_authorization_endpoint: endpoint("https://as.example/device"),
        binding: binding("me"),
        scopes: Scopes::default(),
        audience: None,
        extra_parameters: BTreeMap::new(),
        loopback: Loopback::Refused,
        client: ClientAuthentication::Public,
    };
    let profile = Profile { device_grant: DeviceGrant::Unavailable, ..Profile::default() };
    let step = DeviceFlow::new(request).by(Arc::new(profile)).handle(Input::Begin, NOW);
    assert!(matches!(step, Step::Done(Err(SignInFailure::NoDeviceGrant))), "{step:?}");
}

#[test]
fn a_refresh_tells_the_redirect_uri_only_where_there_is_an_exact_one() {
    let sends = |redirect, refresh_redirect| {
        let profile = Profile { redirect, refresh_redirect, resource: ResourceMode::Omit, ..Profile::default() };
        text(&begin_refresh(&profile, "me", ClientAuthentication::Public).0.method)
    };
    let uri = || Redirect::Exact(RedirectUri::parse("http://127.0.0.1:7171/cb").unwrap());
    let with = "form grant_type=refresh_token&refresh_token=SNTL_RT&redirect_uri=http%3A%2F%2F127.0.0.1%3A7171%2Fcb&client_id=me";
    assert_eq!(sends(uri(), RefreshRedirect::Sent), with);
    for (redirect, refresh_redirect) in [(uri(), RefreshRedirect::NotSent), (Redirect::AnyPort, RefreshRedirect::Sent)] {
        assert_eq!(sends(redirect, refresh_redirect), "form grant_type=refresh_token&refresh_token=SNTL_RT&client_id=me");
    }
}

#[test]
fn a_revocation_has_a_shape_too() {
    let exchange = Exchange {
        request: RequestShape {
            body: BodyKind::Json,
            names: renamed(&[], &["token_type_hint", "client_id"]),
            ..RequestShape::default()
        },
        answer: AnswerShape { members: members(&[("error", &["fault.code"])]), no_error: Vec::new() },
    };
    let profile = Profile { revocation: exchange, ..Profile::default() };
    let flow = RevocationFlow::new(RevocationRequest {
        refresh_token: Some(RefreshToken::new("SNTL_RT")),
        access_token: None,
        binding: binding("me"),
        client: ClientAuthentication::Public,
    });
    let Step::Send(request, flow) = flow.by(Arc::new(profile)).handle(Input::Begin, NOW) else { panic!("nothing is sent") };
    assert_eq!(text(&request.method), r#"json {"token":"SNTL_RT"}"#);
    let body = r#"{"fault":{"code":"unsupported_token_type"}}"#;
    let Step::Done(report) = flow.handle(Input::Answered(Ok(answer(200, body))), NOW) else { panic!("not done") };
    assert_eq!(report.refresh_token, Revocation::NotSupported);
}

#[test]
fn only_the_host_of_a_wrong_endpoint_is_changed_and_the_result_is_checked() {
    let rewrites = [
        HostRewrite { from: "internal.example:8443".to_owned(), to: "as.example".to_owned() },
        HostRewrite { from: "wrong.example".to_owned(), to: "localhost".to_owned() },
    ];
    let of = |url: &str| rewritten(&rewrites, &endpoint(url), Loopback::Refused).map(|endpoint| endpoint.as_str().to_owned());
    assert_eq!(
        of("https://INTERNAL.example:8443/a//b?x=internal.example:8443").unwrap(),
        "https://as.example/a//b?x=internal.example:8443"
    );
    for other in ["https://internal.example/a", "https://as.example/internal.example:8443", "https://x.internal.example:8443/a"] {
        assert_eq!(of(other).unwrap(), other);
    }
    assert_eq!(of("https://wrong.example?x"), Err(InvalidEndpoint::UnexpectedLoopback));
}
