//! What is asked of whom, and what each answer comes to.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::endpoint::Loopback;
use crate::misbehaved::ServerMisbehaved;
use crate::secret::{AccessToken, ClientSecret, RefreshToken};
use crate::terms::{ClientId, Issuer};
use crate::time::{Instant, WallTime};
use crate::token::{Binding, Life, TokenSuccess, TokenType};
use crate::wire::tests::answer;

const NOW: Now = Now { instant: Instant::from_millis(7_000), wall: WallTime::from_millis(1_000_000_000) };
const ANNA: &str = r#"{"sub":"anna","active":true}"#;
/// One whose payload names a subject.
const JWT: &str = "e30.eyJzdWIiOiJhbm5hIn0.c2ln";

fn endpoint(path: &str) -> Endpoint {
    Endpoint::parse(&format!("https://as.example{path}"), Loopback::Refused).unwrap()
}

fn both() -> IdentityEndpoints {
    IdentityEndpoints { userinfo: Some(endpoint("/userinfo")), introspection: Some(endpoint("/introspect")) }
}

fn confidential() -> ClientAuthentication {
    ClientAuthentication::ClientSecretPost(ClientSecret::new("SNTL_CS_0123456789"))
}

/// A login that asked for this and was granted that.
fn granted(requested: &str, scopes: Option<&str>) -> Granted {
    let token = IssuedToken {
        access_token: AccessToken::new("SNTL_AT_0123456789"),
        token_type: TokenType::Bearer,
        requested_at: NOW,
        life: Life::Unknown,
        scopes: scopes.map(Scopes::parse),
        subject: None,
    };
    Granted {
        success: TokenSuccess { refresh_token: Some(RefreshToken::new("SNTL_RT_0123456789")), token: Ok(token) },
        binding: Binding {
            issuer: Some(Issuer::new("https://as.example")),
            token_endpoint: endpoint("/token"),
            revocation_endpoint: None,
            client_id: ClientId::new("me"),
            resource: None,
        },
        requested_scopes: Scopes::parse(requested),
    }
}

fn delivered(status: u16, body: &str) -> Input {
    Input::Answered(Ok(answer(status, body)))
}

/// The paths that were asked when the answers are these, and the end.
fn run(flow: IdentityFlow, answers: Vec<Input>) -> (Vec<String>, Result<String, NoIdentity>) {
    let mut asked = Vec::new();
    let mut answers = answers.into_iter();
    let mut step = flow.handle(Input::Begin, NOW);
    loop {
        match step {
            Step::Send(request, flow) => {
                asked.push(request.endpoint.as_str().replace("https://as.example", ""));
                assert_eq!(request.patience, Patience::Endpoint);
                step = flow.handle(answers.next().unwrap(), NOW);
            }
            Step::Done(told) => return (asked, told.map(|subject| subject.to_string())),
            Step::WaitUntil(..) | Step::AskUser(..) => panic!("nothing is waited for"),
        }
    }
}

fn asked_of_both(answers: Vec<Input>) -> (Vec<String>, Result<String, NoIdentity>) {
    run(IdentityFlow::new(granted("openid read", None), both(), confidential()), answers)
}

#[test]
fn the_userinfo_endpoint_is_asked_with_the_token_in_the_header_and_nothing_else() {
    let flow = IdentityFlow::new(granted("openid", None), both(), confidential());
    let Step::Send(request, flow) = flow.handle(Input::Begin, NOW) else { panic!("nothing is sent") };
    assert_eq!(request.endpoint, endpoint("/userinfo"));
    assert!(matches!(request.method, Method::Get));
    assert_eq!(request.authorization.as_ref().unwrap().expose(), "Bearer SNTL_AT_0123456789");
    assert!(!format!("{request:?} {flow:?}").contains("SNTL"));
    assert!(matches!(flow.handle(delivered(200, ANNA), NOW), Step::Done(Ok(subject)) if subject.as_str() == "anna"));
}

#[test]
fn introspection_is_asked_as_the_client_in_the_way_of_the_client() {
    let body = |client: &ClientAuthentication| {
        let flow = IdentityFlow::new(granted("read", None), both(), client.clone());
        let Step::Send(request, _) = flow.handle(Input::Begin, NOW) else { panic!("nothing is sent") };
        assert_eq!(request.endpoint, endpoint("/introspect"));
        let Method::PostForm(body) = request.method else { panic!("no form") };
        (body.expose().to_owned(), request.authorization.map(|header| header.expose().to_owned()))
    };
    let question = "token=SNTL_AT_0123456789&token_type_hint=access_token";
    let in_body = format!("{question}&client_id=me&client_secret=SNTL_CS_0123456789");
    assert_eq!(body(&confidential()), (in_body, None));
    let basic = format!("Basic {}", STANDARD.encode("me:SNTL_CS_0123456789"));
    let in_header = ClientAuthentication::ClientSecretBasic(ClientSecret::new("SNTL_CS_0123456789"));
    assert_eq!(body(&in_header), (question.to_owned(), Some(basic)));
}

#[test]
fn who_would_only_be_refused_does_not_ask() {
    let public = || ClientAuthentication::Public;
    let only_userinfo = IdentityEndpoints { introspection: None, ..both() };
    let only_introspection = IdentityEndpoints { userinfo: None, ..both() };
    for (granted, endpoints, client) in [
        // The token is not for the userinfo endpoint: not asked for, or not granted.
        (granted("read", None), both(), public()),
        (granted("openid", Some("read")), both(), public()),
        (granted("read", None), only_userinfo.clone(), confidential()),
        (granted("openid.", None), only_userinfo.clone(), confidential()),
        (granted("openid", None), only_introspection.clone(), public()),
        (granted("openid", None), IdentityEndpoints::default(), confidential()),
    ] {
        assert_eq!(run(IdentityFlow::new(granted, endpoints, client), vec![]), (vec![], Err(NoIdentity::NotOffered)));
    }
    let (asked, told) =
        run(IdentityFlow::new(granted("read", Some("read,openid")), only_userinfo, public()), vec![delivered(200, ANNA)]);
    assert_eq!((asked, told.as_deref()), (vec!["/userinfo".to_owned()], Ok("anna")), "what was granted counts");
    let flow = IdentityFlow::new(granted("openid", None), only_introspection, confidential());
    assert_eq!(run(flow, vec![delivered(200, ANNA)]), (vec!["/introspect".to_owned()], Ok("anna".to_owned())));
}

#[test]
fn without_a_usable_token_nobody_is_asked() {
    let mut spoilt = granted("openid", None);
    spoilt.success.token = Err(ServerMisbehaved::NoToken);
    assert_eq!(run(IdentityFlow::new(spoilt, both(), confidential()), vec![]), (vec![], Err(NoIdentity::NoToken)));
}

#[test]
fn whether_a_question_is_worth_its_way_is_known_without_the_endpoints() {
    assert!(may_be_asked(&granted("openid", None), &ClientAuthentication::Public));
    assert!(may_be_asked(&granted("read", None), &confidential()));
    assert!(!may_be_asked(&granted("read", None), &ClientAuthentication::Public));
    assert!(!may_be_asked(&granted("openid", Some("read")), &ClientAuthentication::Public));
}

#[test]
fn introspection_stands_in_where_userinfo_never_answers_and_not_where_it_may_tomorrow() {
    let both = ["/userinfo", "/introspect"].map(str::to_owned).to_vec();
    for lasting in [(400, ANNA), (401, ""), (403, "<html>"), (404, ""), (200, JWT), (200, "{}"), (200, r#"{"sub":7}"#)] {
        let (asked, told) = asked_of_both(vec![delivered(lasting.0, lasting.1), delivered(200, ANNA)]);
        assert_eq!((asked, told.as_deref()), (both.clone(), Ok("anna")), "{lasting:?}");
    }
    for (passing, why) in [
        (delivered(429, ""), NoIdentity::Refused { status: 429 }),
        (delivered(503, ANNA), NoIdentity::Refused { status: 503 }),
        (delivered(302, ""), NoIdentity::Refused { status: 302 }),
        (delivered(200, "<html>"), NoIdentity::NotAnObject),
        (delivered(200, r#"{"sub":"an"#), NoIdentity::NotAnObject),
        (
            Input::Answered(Err(Undelivered::NothingSent(NothingSent::NotConnected))),
            NoIdentity::NothingSent(NothingSent::NotConnected),
        ),
        (Input::Answered(Err(Undelivered::AnswerLost(AnswerLost::TooLarge(9)))), NoIdentity::AnswerLost(AnswerLost::TooLarge(9))),
        (Input::Resumed, NoIdentity::AnswerLost(AnswerLost::Interrupted)),
    ] {
        assert_eq!(asked_of_both(vec![passing]), (vec!["/userinfo".to_owned()], Err(why)), "{why}");
    }
}

#[test]
fn each_endpoint_is_asked_at_most_once() {
    let both = ["/userinfo", "/introspect"].map(str::to_owned).to_vec();
    let (asked, told) = asked_of_both(vec![delivered(403, ""), delivered(401, "")]);
    assert_eq!((asked, told), (both.clone(), Err(NoIdentity::Refused { status: 401 })));
    let inactive = asked_of_both(vec![delivered(403, ""), delivered(200, r#"{"active":false}"#)]);
    assert_eq!(inactive, (both, Err(NoIdentity::Inactive)));
}

#[test]
fn p10_no_subject_repeats_a_secret() {
    for secret in ["SNTL_AT_0123456789", "x SNTL_RT_0123456789", "SNTL_CS_0123456789", "_CS_01234567"] {
        let told = asked_of_both(vec![delivered(200, &json!({ "sub": secret }).to_string())]).1;
        assert_eq!(told, Err(NoIdentity::RepeatsASecret), "{secret}");
    }
    assert_eq!(asked_of_both(vec![delivered(200, r#"{"sub":"SNTL_AT"}"#)]).1.as_deref(), Ok("SNTL_AT"));
}

proptest! {
    #[test]
    fn no_answers_send_a_third_request(answers in prop::collection::vec((100_u16..600, "\\PC{0,40}"), 2)) {
        let (asked, told) = asked_of_both(answers.iter().map(|(status, body)| delivered(*status, body)).collect());
        prop_assert!(asked.len() <= 2);
        prop_assert!(told.is_err());
    }
}
