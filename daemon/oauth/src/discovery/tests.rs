//! The search, answer by answer.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;
use crate::http::AnswerLost;
use crate::time::{Instant, WallTime};
use crate::wire::tests::answer;
use proptest::prelude::*;

const NOW: Now = Now { instant: Instant::from_millis(0), wall: WallTime::from_millis(0) };
const PLAIN: &str = "https://as.example";

fn document(issuer: &str) -> HttpAnswer {
    answer(200, serde_json::json!({ "issuer": issuer, "token_endpoint": "https://as.example/token" }).to_string())
}

/// Runs a search against answers in their order; tells what was asked.
fn run(issuer: &str, answers: Vec<Result<HttpAnswer, Undelivered>>) -> (Vec<String>, Result<ServerMetadata, DiscoveryError>) {
    let mut asked = Vec::new();
    let mut answers = answers.into_iter();
    let mut step = Discovery::new(Issuer::new(issuer)).handle(Input::Begin, NOW);
    loop {
        step = match step {
            Step::Send(request, flow) => {
                assert!(matches!(request.method, Method::Get) && request.patience == Patience::Metadata);
                asked.push(request.endpoint.as_str().to_owned());
                flow.handle(Input::Answered(answers.next().unwrap()), NOW)
            }
            Step::Done(output) => return (asked, output),
            other => panic!("{other:?}"),
        }
    }
}

fn not_found(times: usize) -> Vec<Result<HttpAnswer, Undelivered>> {
    (0..times).map(|_| Ok(answer(404, "<html>"))).collect()
}

#[test]
fn d2_an_issuer_with_a_path_is_looked_for_in_three_places_in_order() {
    for issuer in ["https://as.example/t/1", "https://as.example/t/1/"] {
        let (asked, output) = run(issuer, not_found(3));
        assert_eq!(
            asked,
            [
                "https://as.example/.well-known/oauth-authorization-server/t/1",
                "https://as.example/.well-known/openid-configuration/t/1",
                "https://as.example/t/1/.well-known/openid-configuration",
            ]
        );
        assert_eq!(output, Err(DiscoveryError::NotFound));
    }
}

#[test]
fn d2_an_issuer_without_a_path_is_looked_for_in_two() {
    for issuer in [PLAIN, "https://as.example/"] {
        let (asked, output) = run(issuer, not_found(2));
        assert_eq!(
            asked,
            ["https://as.example/.well-known/oauth-authorization-server", "https://as.example/.well-known/openid-configuration",]
        );
        assert_eq!(output, Err(DiscoveryError::NotFound));
    }
}

#[test]
fn d2_not_here_leads_on_and_later_does_not() {
    for status in [400, 401, 403, 404, 405, 410] {
        let (asked, output) = run(PLAIN, vec![Ok(answer(status, "")), Ok(document(PLAIN))]);
        assert_eq!((asked.len(), output.is_ok()), (2, true), "{status}");
    }
    for status in [408, 425, 429, 500, 502, 503, 504, 100, 700] {
        let (asked, output) = run(PLAIN, vec![Ok(answer(status, "{}"))]);
        assert_eq!((asked.len(), output), (1, Err(DiscoveryError::Unavailable { retry_after: None })), "{status}");
    }
    let (_, output) = run(PLAIN, vec![Err(Undelivered::NothingSent(NothingSent::TooSlow))]);
    assert_eq!(output, Err(DiscoveryError::Unreachable(NothingSent::TooSlow)));
    let lost = AnswerLost::TimeOver(Duration::from_secs(10));
    let (_, output) = run(PLAIN, vec![Err(Undelivered::AnswerLost(lost))]);
    assert_eq!(output, Err(DiscoveryError::Unavailable { retry_after: None }));
}

#[test]
fn d2_another_server_is_tried_only_where_this_one_will_not_come_back() {
    let misbehaved = DiscoveryError::Misbehaved(ServerMisbehaved::DuplicateMember);
    assert!(DiscoveryError::NotFound.leads_on() && misbehaved.leads_on());
    let later = DiscoveryError::Unavailable { retry_after: None };
    assert!(DiscoveryError::Unreachable(NothingSent::LeadsNearer).leads_on(), "it does not come back");
    assert!(!later.leads_on() && !DiscoveryError::Unreachable(NothingSent::NotConnected).leads_on());
}

#[test]
fn d48_the_servers_wish_for_later_is_told() {
    let mut busy = answer(503, "");
    busy.retry_after = Some("30".to_owned());
    assert_eq!(run(PLAIN, vec![Ok(busy)]).1, Err(DiscoveryError::Unavailable { retry_after: Some(Duration::from_secs(30)) }));
}

#[test]
fn d1_a_document_of_another_issuer_ends_the_search() {
    for found in ["https://as.example/", "https://evil.example"] {
        let (asked, output) = run(PLAIN, vec![Ok(document(found))]);
        assert_eq!(asked.len(), 1);
        assert_eq!(output, Err(DiscoveryError::Misbehaved(ServerMisbehaved::IssuerMismatch { found: found.to_owned() })));
    }
    assert!(run("https://as.example/", vec![Ok(document("https://as.example/"))]).1.is_ok());
}

#[test]
fn d3_loopback_endpoints_count_only_for_a_loopback_issuer() {
    let local = |issuer: &str| {
        let body = serde_json::json!({ "issuer": issuer, "token_endpoint": "http://127.0.0.1:9/token" });
        run(issuer, vec![Ok(answer(200, body.to_string()))]).1
    };
    assert!(local("http://127.0.0.1:9").is_ok());
    assert!(matches!(local(PLAIN), Err(DiscoveryError::Misbehaved(ServerMisbehaved::MetadataEndpoint { .. }))));
}

#[test]
fn d9_endpoints_on_a_private_network_count_only_for_an_issuer_there() {
    let of = |issuer: &str, endpoint: &str| {
        let body = serde_json::json!({ "issuer": issuer, "token_endpoint": endpoint });
        run(issuer, vec![Ok(answer(200, body.to_string()))]).1
    };
    for private in ["https://169.254.169.254/token", "https://10.0.0.1/token", "https://[fd00::1]/token"] {
        let why = InvalidEndpoint::UnexpectedPrivate;
        let refused = ServerMisbehaved::MetadataEndpoint { member: "token_endpoint", why };
        assert_eq!(of(PLAIN, private), Err(DiscoveryError::Misbehaved(refused)), "{private}");
        assert!(of("https://10.0.0.9", private).is_ok() && of("http://127.0.0.1:9", private).is_ok());
    }
    assert!(of("https://10.0.0.9", "https://127.0.0.1/token").is_err());
}

#[test]
fn d5_a_redirect_that_came_through_is_refused() {
    let (_, output) = run(PLAIN, vec![Ok(answer(302, ""))]);
    assert_eq!(output, Err(DiscoveryError::Misbehaved(ServerMisbehaved::Redirected { status: 302 })));
}

#[test]
fn d7_a_web_page_is_temporary_and_json_under_a_wrong_name_is_tolerated() {
    for page in ["<!doctype html><p>log in to the hotel", "{\"issuer\":\"https://as.ex", ""] {
        assert_eq!(run(PLAIN, vec![Ok(answer(200, page))]).1, Err(DiscoveryError::Unavailable { retry_after: None }));
    }
    let mut document = document(PLAIN);
    document.content_type = Some("text/plain".to_owned());
    assert_eq!(run(PLAIN, vec![Ok(document)]).1.unwrap().media_type, MediaType::Other);
}

#[test]
fn an_issuer_that_cannot_be_one_is_refused_before_anything_is_sent() {
    for bad in [
        "http://as.example",
        "as.example",
        "https://as.example/#x",
        "https://u@as.example",
        "https:/as.example",
        "https:///as.example",
    ] {
        let (asked, output) = run(bad, Vec::new());
        assert!(asked.is_empty() && matches!(output, Err(DiscoveryError::BadIssuer(_))), "{bad}: {output:?}");
    }
    assert_eq!(run("https://as.example?x=1", Vec::new()).1, Err(DiscoveryError::IssuerWithQuery));
}

proptest! {
    #[test]
    fn no_issuer_leads_to_another_origin(issuer in "https?://[a-z0-9.:\\[\\]-]{1,20}(/[!-~]{0,10}){0,3}") {
        if let Ok((places, _)) = places(&Issuer::new(&issuer), NamedBy::Person) {
            let origin = Endpoint::parse(&issuer, Loopback::Allowed).unwrap().origin();
            prop_assert!(places.iter().all(|place| place.origin() == origin));
        }
    }
}

/// An answer from so near.
fn from(peer: Reach, answer: HttpAnswer) -> Result<HttpAnswer, Undelivered> {
    Ok(HttpAnswer { peer, ..answer })
}

/// How near the names that a search asks may lead, and what it finds.
fn bounds(mut step: Step<Discovery>, answers: Vec<Result<HttpAnswer, Undelivered>>) -> (Vec<Reach>, Option<ServerMetadata>) {
    let (mut asked, mut answers) = (Vec::new(), answers.into_iter());
    loop {
        step = match step {
            Step::Send(request, flow) => {
                asked.push(request.endpoint.nearest());
                flow.handle(Input::Answered(answers.next().unwrap()), NOW)
            }
            Step::Done(found) => return (asked, found.ok()),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn p21_an_issuer_of_a_person_may_be_anywhere_and_its_endpoints_where_it_answered_from() {
    for peer in [Reach::Public, Reach::Private, Reach::ThisMachine] {
        let step = Discovery::new(Issuer::new(PLAIN)).handle(Input::Begin, NOW);
        let (asked, found) = bounds(step, vec![from(peer, answer(404, "")), from(peer, document(PLAIN))]);
        // and between two requests nobody leads it nearer
        assert_eq!(asked, [Reach::ThisMachine, peer]);
        assert_eq!(found.unwrap().token_endpoint.nearest(), peer);
    }
}

#[test]
fn p21_an_issuer_of_a_resource_is_no_nearer_than_the_resource_nor_are_its_endpoints() {
    let near = Reach::ThisMachine;
    for resource in [Reach::Public, Reach::Private] {
        let step = Discovery::named_by(Issuer::new(PLAIN), resource).handle(Input::Begin, NOW);
        let (asked, found) = bounds(step, vec![from(near, answer(404, "")), from(near, document(PLAIN))]);
        assert_eq!(asked, [resource, resource]);
        assert_eq!(found.unwrap().token_endpoint.nearest(), resource);
    }
    for private in ["https://10.0.0.1", "https://127.0.0.1"] {
        let step = Discovery::named_by(Issuer::new(private), Reach::Public).handle(Input::Begin, NOW);
        assert_eq!(bounds(step, Vec::new()), (Vec::new(), None), "{private} is not asked");
    }
}
