//! The search, answer by answer.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::http::AnswerLost;
use crate::time::{Instant, WallTime};
use crate::wire::tests::answer;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

const NOW: Now = Now { instant: Instant::from_millis(0), wall: WallTime::from_millis(0) };
const TYPED: &str = "https://mcp.example/mcp";
const AS: &str = "https://as.example";
const PATH_PLACE: &str = "https://mcp.example/.well-known/oauth-protected-resource/mcp";
const ROOT_PLACE: &str = "https://mcp.example/.well-known/oauth-protected-resource";
const ELSEWHERE: &str = "https://docs.example/prm.json";

type Answered = Result<HttpAnswer, Undelivered>;
type Found = Result<ProtectedResource, ResourceError>;

/// A request as the tests see it.
type Asked = (&'static str, String);

fn run(typed: &str, mut answers: impl FnMut(&Asked) -> Answered) -> (Vec<Asked>, Found) {
    let mut asked = Vec::new();
    let mut step = ResourceDiscovery::new(Resource::new(typed)).handle(Input::Begin, NOW);
    loop {
        step = match step {
            Step::Send(request, flow) => {
                assert!(request.authorization.is_none(), "no secret is sent");
                let kind = match (&request.method, request.patience) {
                    (Method::Get, Patience::Challenge) => "GET",
                    (Method::Probe, Patience::Challenge) => "POST",
                    (Method::Get, Patience::Metadata) => "metadata",
                    other => panic!("{other:?}"),
                };
                let request = (kind, request.endpoint.as_str().to_owned());
                let answered = answers(&request);
                asked.push(request);
                flow.handle(Input::Answered(answered), NOW)
            }
            Step::Done(found) => return (asked, found),
            other => panic!("{other:?}"),
        }
    }
}

/// The same against a list.
fn against(typed: &str, answers: Vec<Answered>) -> (Vec<Asked>, Found) {
    let mut answers = answers.into_iter();
    let ended = run(typed, |asked| answers.next().unwrap_or_else(|| panic!("one request too many: {asked:?}")));
    assert_eq!(answers.count(), 0, "not every answer was asked for");
    ended
}

fn challenged(challenge: &str) -> Answered {
    let mut answer = answer(401, "{}");
    answer.www_authenticate.push(challenge.to_owned());
    Ok(answer)
}

fn status(status: u16) -> Answered {
    Ok(answer(status, "<html>"))
}

fn document(resource: &str) -> Json {
    json!({ "resource": resource, "authorization_servers": [AS], "scopes_supported": ["a", "b"] })
}

fn published(document: &Json) -> Answered {
    Ok(answer(200, document.to_string()))
}

fn lost() -> Answered {
    Err(Undelivered::AnswerLost(AnswerLost::TimeOver(Duration::from_secs(10))))
}

fn offline() -> Answered {
    Err(Undelivered::NothingSent(NothingSent::NotConnected))
}

fn place(url: &str) -> Endpoint {
    Endpoint::parse(url, Loopback::Allowed).unwrap()
}

fn issuers(list: &[&str]) -> Vec<Issuer> {
    list.iter().map(|issuer| Issuer::new(*issuer)).collect()
}

fn unavailable() -> Found {
    Err(ResourceError::Unavailable { retry_after: None })
}

/// Only the document's verdict, where the challenge names no place.
fn of(typed: &str, document: &Json) -> Found {
    against(typed, vec![challenged("Bearer"), published(document)]).1
}

#[test]
fn the_challenge_leads_to_the_document_and_its_scopes_count() {
    let challenge = format!("Bearer resource_metadata=\"{ELSEWHERE}\", scope=\"files:read\"");
    let (asked, found) = against(TYPED, vec![challenged(&challenge), published(&document(TYPED))]);
    assert_eq!(asked, [("GET", TYPED.to_owned()), ("metadata", ELSEWHERE.to_owned())]);
    let expected = ProtectedResource {
        typed: Resource::new(TYPED),
        resource: Resource::new(TYPED),
        authorization_servers: issuers(&[AS]),
        scopes: ScopesToAsk::Challenge(Scopes::parse("files:read")),
        found_at: FoundAt::NamedByChallenge(place(ELSEWHERE)),
        reach: Reach::Public,
        findings: Vec::new(),
    };
    assert_eq!(found, Ok(expected));
}

#[test]
fn without_a_challenge_from_get_it_is_asked_for_by_post() {
    let challenge = "Bearer scope=\"x\"";
    for first in [status(200), status(404), status(405), status(406), status(301), status(503), lost()] {
        let (asked, found) = against(TYPED, vec![first, challenged(challenge), published(&document(TYPED))]);
        assert_eq!(asked.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(), ["GET", "POST", "metadata"]);
        assert_eq!(found.unwrap().scopes, ScopesToAsk::Challenge(Scopes::parse("x")));
    }
    for second in [status(200), status(400), status(404), status(302), status(503), lost(), Ok(answer(401, ""))] {
        let (_, found) = against(TYPED, vec![status(405), second, published(&document(TYPED))]);
        assert_eq!(found.unwrap().scopes, ScopesToAsk::Supported(Scopes::parse("a b")));
    }
}

#[test]
fn scopes_are_those_of_the_challenge_else_all_that_are_supported_else_none() {
    let without = json!({ "resource": TYPED, "authorization_servers": [AS] });
    let empty = json!({ "resource": TYPED, "authorization_servers": [AS], "scopes_supported": [] });
    let theirs = ScopesToAsk::Challenge(Scopes::parse("x"));
    let supported = ScopesToAsk::Supported(Scopes::parse("a b"));
    for (challenge, document, scopes) in [
        ("Bearer scope=\"x\"", &document(TYPED), theirs.clone()),
        ("Bearer scope=\"x\"", &without, theirs),
        ("Bearer", &document(TYPED), supported.clone()),
        ("Bearer scope=\"\"", &document(TYPED), supported),
        ("Bearer", &without, ScopesToAsk::None),
        ("Bearer", &empty, ScopesToAsk::None),
    ] {
        let (_, found) = against(TYPED, vec![challenged(challenge), published(document)]);
        let found = found.unwrap();
        assert_eq!(found.scopes, scopes, "{challenge} {document}");
        assert_eq!(found.findings.contains(&Finding::NoScopes), scopes == ScopesToAsk::None);
    }
}

#[test]
fn the_well_known_places_are_asked_in_order_and_not_here_leads_on() {
    for not_here in [400, 401, 403, 404, 405, 410] {
        let answers = vec![challenged("Bearer"), status(not_here), published(&document(TYPED))];
        let (asked, found) = against(TYPED, answers);
        assert_eq!(asked[1..], [("metadata", PATH_PLACE.to_owned()), ("metadata", ROOT_PLACE.to_owned())]);
        assert_eq!(found.unwrap().found_at, FoundAt::WellKnown(place(ROOT_PLACE)), "{not_here}");
    }
    let (asked, found) = against("https://mcp.example", vec![challenged("Bearer"), published(&document("https://mcp.example"))]);
    assert_eq!((asked.len(), asked[1].1.as_str()), (2, ROOT_PLACE));
    assert!(found.is_ok());
}

#[test]
fn a_place_of_the_challenge_that_holds_nothing_leads_on_and_is_told() {
    let challenge = format!("Bearer resource_metadata=\"{ELSEWHERE}\"");
    let (asked, found) = against(TYPED, vec![challenged(&challenge), status(404), published(&document(TYPED))]);
    assert_eq!(asked[1..], [("metadata", ELSEWHERE.to_owned()), ("metadata", PATH_PLACE.to_owned())]);
    assert_eq!(found.unwrap().findings, [Finding::ChallengeLeadsNowhere]);
    // A well-known place that the challenge names is asked once.
    let challenge = format!("Bearer resource_metadata=\"{ROOT_PLACE}\"");
    let (asked, _) = against(TYPED, vec![challenged(&challenge), status(404), status(404)]);
    assert_eq!(asked[1..], [("metadata", ROOT_PLACE.to_owned()), ("metadata", PATH_PLACE.to_owned())]);
}

#[test]
fn p21_a_challenge_that_leads_to_where_no_request_may_go_is_not_followed() {
    for (url, why) in [
        ("http://mcp.example/prm", InvalidEndpoint::NotHttps),
        ("https://169.254.169.254/prm", InvalidEndpoint::UnexpectedPrivate),
        ("https://[::ffff:10.0.0.1]/prm", InvalidEndpoint::UnexpectedPrivate),
        ("https://127.0.0.1/prm", InvalidEndpoint::UnexpectedLoopback),
        ("http://localhost:9/prm", InvalidEndpoint::UnexpectedLoopback),
        ("https://u:p@mcp.example/prm", InvalidEndpoint::UserInfo),
        ("file:///etc/passwd", InvalidEndpoint::NotHttps),
        ("javascript:alert(1)", InvalidEndpoint::NotHttps),
        ("/prm", InvalidEndpoint::NotAUrl),
    ] {
        let challenge = format!("Bearer resource_metadata=\"{url}\", scope=\"x\"");
        let (asked, found) = against(TYPED, vec![challenged(&challenge), published(&document(TYPED))]);
        assert_eq!(asked[1].1, PATH_PLACE, "{url}");
        let found = found.unwrap();
        assert_eq!(found.findings, [Finding::Broken(ServerMisbehaved::ChallengeUrl(why))], "{url}");
        assert_eq!(found.scopes, ScopesToAsk::Challenge(Scopes::parse("x")));
    }
    // Where the person's own URL is there, a challenge may lead there.
    let typed = "https://10.0.0.9/mcp";
    let challenge = "Bearer resource_metadata=\"https://10.0.0.1/prm\"";
    let (asked, found) = against(typed, vec![challenged(challenge), published(&document(typed))]);
    assert_eq!((asked[1].1.as_str(), found.is_ok()), ("https://10.0.0.1/prm", true));
}

#[test]
fn later_is_later_at_every_place() {
    let challenge = format!("Bearer resource_metadata=\"{ELSEWHERE}\"");
    for at in 0..3 {
        for status_code in [408, 425, 429, 500, 502, 503, 504, 100, 700] {
            let answers = [challenged(&challenge)].into_iter().chain((0..at).map(|_| status(404))).chain([status(status_code)]);
            assert_eq!(against(TYPED, answers.collect()).1, unavailable(), "{status_code} at {at}");
        }
        for page in ["<!doctype html><p>app", "{\"resource\":\"https://mcp.ex", "", "null", "[1]", "\u{1}\u{2}"] {
            let answers = [challenged(&challenge)].into_iter().chain((0..at).map(|_| status(404)));
            let answers = answers.chain([Ok(answer(200, page))]);
            assert_eq!(against(TYPED, answers.collect()).1, unavailable(), "{page} at {at}");
        }
        for (ended, why) in [(lost(), unavailable()), (offline(), Err(ResourceError::Unreachable(NothingSent::NotConnected)))] {
            let answers = [challenged(&challenge)].into_iter().chain((0..at).map(|_| status(404))).chain([ended]);
            assert_eq!(against(TYPED, answers.collect()).1, why, "{at}");
        }
        let answers = [challenged(&challenge)].into_iter().chain((0..at).map(|_| status(404))).chain([status(307)]);
        let redirected = ServerMisbehaved::Redirected { status: 307 };
        assert_eq!(against(TYPED, answers.collect()).1, Err(ResourceError::Misbehaved(redirected)));
    }
    let mut busy = answer(503, "");
    busy.retry_after = Some("30".to_owned());
    let wished = Err(ResourceError::Unavailable { retry_after: Some(Duration::from_secs(30)) });
    assert_eq!(against(TYPED, vec![challenged("Bearer"), Ok(busy)]).1, wished);
    let unreachable = Err(ResourceError::Unreachable(NothingSent::NotConnected));
    assert_eq!(against(TYPED, vec![offline()]).1, unreachable);
    assert_eq!(against(TYPED, vec![status(405), offline()]).1, unreachable);
}

#[test]
fn a_server_from_before_rfc_9728_is_its_own_authorization_server() {
    let answers = vec![challenged("Bearer scope=\"x\""), status(404), status(404)];
    let found = against(TYPED, answers).1.unwrap();
    assert_eq!(found.resource.as_str(), TYPED);
    assert_eq!(found.authorization_servers, issuers(&["https://mcp.example", "https://mcp.example/"]));
    assert_eq!(found.scopes, ScopesToAsk::Challenge(Scopes::parse("x")));
    assert_eq!((found.found_at, found.findings), (FoundAt::Nowhere, vec![Finding::NoResourceMetadata]));
    let open = against(TYPED, vec![status(200), status(200), status(404), status(404)]).1.unwrap();
    assert_eq!(open.findings, [Finding::NoChallenge, Finding::NoResourceMetadata, Finding::NoScopes]);
}

#[test]
fn a_resource_that_was_not_heard_is_not_taken_for_one_from_before() {
    for silence in [status(503), status(429), lost()] {
        assert_eq!(against(TYPED, vec![status(405), silence, status(404), status(404)]).1, unavailable());
    }
    // What it publishes counts all the same.
    assert!(against(TYPED, vec![lost(), lost(), published(&document(TYPED))]).1.is_ok());
}

#[test]
fn p14_a_document_about_another_resource_ends_the_search() {
    for other in ["https://evil.example/mcp", "https://mcp.example/other", "https://mcp.example:444/mcp", "mcp"] {
        let refused = ServerMisbehaved::ResourceMismatch { found: other.to_owned() };
        assert_eq!(of(TYPED, &document(other)), Err(ResourceError::Misbehaved(refused)), "{other}");
    }
    for none in [json!(null), json!(7), json!([TYPED]), json!("")] {
        let document = json!({ "resource": none, "authorization_servers": [AS] });
        assert_eq!(of(TYPED, &document), Err(ResourceError::Misbehaved(ServerMisbehaved::ResourceMember("resource"))));
    }
    let twice = format!("{{\"resource\":\"{TYPED}\",\"resource\":\"{TYPED}\"}}");
    let ended = against(TYPED, vec![challenged("Bearer"), Ok(answer(200, twice))]).1;
    assert_eq!(ended, Err(ResourceError::Misbehaved(ServerMisbehaved::DuplicateMember)));
}

#[test]
fn d36_the_published_resource_is_kept_byte_for_byte() {
    for wider in ["https://mcp.example", "https://mcp.example/", "https://MCP.example:443/mcp"] {
        let found = of(TYPED, &document(wider)).unwrap();
        assert_eq!((found.typed.as_str(), found.resource.as_str()), (TYPED, wider));
        assert_eq!(found.findings, [Finding::ResourceIsWider { published: wider.to_owned() }]);
    }
}

#[test]
fn several_authorization_servers_are_kept_in_order_and_bad_ones_left_out() {
    let with = |list: Json| of(TYPED, &json!({ "resource": TYPED, "authorization_servers": list, "scopes_supported": ["a"] }));
    let found =
        with(json!(["https://b.example/", AS, "https://127.0.0.1", "https://b.example/", 7, "https://c.example/t"])).unwrap();
    assert_eq!(found.authorization_servers, issuers(&["https://b.example/", AS, "https://c.example/t"]));
    let why = ServerMisbehaved::AuthorizationServer(InvalidEndpoint::UnexpectedLoopback);
    assert_eq!(found.findings, [Finding::Broken(why)]);
    for (bad, why) in [
        ("http://as.example", ServerMisbehaved::AuthorizationServer(InvalidEndpoint::NotHttps)),
        ("https://10.0.0.1", ServerMisbehaved::AuthorizationServer(InvalidEndpoint::UnexpectedPrivate)),
        ("https://as.example#x", ServerMisbehaved::AuthorizationServer(InvalidEndpoint::Fragment)),
        ("https:///as.example", ServerMisbehaved::AuthorizationServer(InvalidEndpoint::NotAUrl)),
        ("https://as.example?x", ServerMisbehaved::AuthorizationServerWithQuery),
        ("javascript:alert(1)", ServerMisbehaved::AuthorizationServer(InvalidEndpoint::NotHttps)),
    ] {
        assert_eq!(with(json!([bad])), Err(ResourceError::Misbehaved(why)), "{bad}");
    }
    assert_eq!(with(json!({})), Err(ResourceError::Misbehaved(ServerMisbehaved::ResourceMember("authorization_servers"))));
    for none in [json!(null), json!([])] {
        let found = with(none).unwrap();
        assert_eq!(found.authorization_servers, issuers(&["https://mcp.example", "https://mcp.example/"]));
        assert_eq!(found.findings, [Finding::NoAuthorizationServers]);
    }
    let many: Vec<String> = (0..100).map(|n| format!("https://as{n}.example")).collect();
    assert_eq!(with(json!(many)).unwrap().authorization_servers.len(), 16);
}

#[test]
fn a_url_that_cannot_be_a_resource_is_refused_before_anything_is_sent() {
    for bad in
        ["http://mcp.example/mcp", "mcp.example", "https://mcp.example/#x", "https://u@mcp.example", "file:///etc/passwd", ""]
    {
        let (asked, found) = against(bad, Vec::new());
        assert!(asked.is_empty() && matches!(found, Err(ResourceError::BadUrl(_))), "{bad}: {found:?}");
    }
}

fn any_answer() -> impl Strategy<Value = Answered> {
    let url = prop_oneof![
        Just(ELSEWHERE.to_owned()),
        Just(PATH_PLACE.to_owned()),
        Just("http://127.0.0.1/x".to_owned()),
        Just("https://10.1.1.1/x".to_owned()),
        "[ -!#-~]{0,20}",
    ];
    let body = prop_oneof![
        Just(document(TYPED).to_string()),
        Just(document("https://mcp.example").to_string()),
        Just(document("https://evil.example").to_string()),
        "[ -~]{0,40}",
    ];
    let status_code = prop_oneof![Just(200_u16), Just(401), Just(404), Just(302), Just(503), any::<u16>()];
    prop_oneof![
        6 => (status_code, body, proptest::option::of(url)).prop_map(|(status, body, url)| {
            let mut answer = answer(status, body);
            answer.www_authenticate.extend(url.map(|url| format!("Bearer resource_metadata=\"{url}\"")));
            Ok(answer)
        }),
        1 => Just(lost()),
        1 => Just(offline()),
    ]
}

proptest! {
    #[test]
    fn six_requests_are_the_most_and_none_goes_where_nobody_sent_it(
        typed in prop_oneof![Just(TYPED), Just("https://mcp.example"), Just("https://mcp.example/mcp/?x=1")],
        answers in proptest::collection::vec(any_answer(), 6),
    ) {
        let named: Vec<String> = answers
            .iter()
            .flatten()
            .filter(|answer| answer.status == 401)
            .filter_map(|answer| challenge::bearer(&answer.www_authenticate)?.resource_metadata)
            .collect();
        let mut left = answers.into_iter();
        let (asked, found) = run(typed, |_| left.next().unwrap_or_else(|| panic!("a seventh request")));
        for (_, url) in &asked {
            let endpoint = place(url);
            prop_assert_eq!(endpoint.reach(), Reach::Public);
            prop_assert!(endpoint.origin() == "https://mcp.example" || named.contains(url), "{}", url);
        }
        prop_assert!(asked.iter().filter(|(_, url)| !url.starts_with("https://mcp.example")).count() <= 1);
        if let Ok(found) = found {
            prop_assert!(found.resource.as_str().starts_with("https://mcp.example"));
            prop_assert!(!found.authorization_servers.is_empty());
        }
    }
}

#[test]
fn p21_where_the_resource_answers_from_is_how_near_what_it_names_may_be() {
    for peer in [Reach::Public, Reach::Private, Reach::ThisMachine] {
        let mut bounds = Vec::new();
        let mut answers = vec![challenged("Bearer"), published(&document(TYPED))].into_iter();
        let mut step = ResourceDiscovery::new(Resource::new(TYPED)).handle(Input::Begin, NOW);
        let found = loop {
            step = match step {
                Step::Send(request, flow) => {
                    bounds.push(request.endpoint.nearest());
                    let answered = answers.next().unwrap().map(|answer| HttpAnswer { peer, ..answer });
                    flow.handle(Input::Answered(answered), NOW)
                }
                Step::Done(found) => break found.unwrap(),
                other => panic!("{other:?}"),
            }
        };
        // the person's own URL may lead anywhere; then nobody leads it nearer between two requests
        assert_eq!((bounds, found.reach), (vec![Reach::ThisMachine, peer], peer));
    }
}

#[test]
fn p21_a_resource_far_away_names_no_private_server_and_one_that_answers_from_there_does() {
    let document = json!({ "resource": TYPED, "authorization_servers": ["https://10.0.0.1"] });
    let from = |peer| {
        let mut answers = vec![challenged("Bearer"), published(&document)].into_iter();
        run(TYPED, |_| answers.next().unwrap().map(|answer| HttpAnswer { peer, ..answer })).1
    };
    let why = ServerMisbehaved::AuthorizationServer(InvalidEndpoint::UnexpectedPrivate);
    assert_eq!(from(Reach::Public), Err(ResourceError::Misbehaved(why)));
    assert_eq!(from(Reach::Private).unwrap().authorization_servers, issuers(&["https://10.0.0.1"]));
}
