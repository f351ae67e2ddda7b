//! Finding a server's endpoints from its issuer identifier (RFC 8414, section 3; OpenID Connect Discovery 1.0, section 4).
//!
//! Must never: ask another server than the issuer, or take a document that names another issuer (D1).

use std::convert::Infallible;
use std::time::Duration;

use crate::endpoint::{Endpoint, InvalidEndpoint, Loopback};
use crate::flow::{Flow, Input, Step};
use crate::http::{HttpAnswer, HttpRequest, Method, NothingSent, Patience, Undelivered};
use crate::misbehaved::ServerMisbehaved;
use crate::reach::Reach;
use crate::terms::Issuer;
use crate::time::Now;
use crate::wire::StatusClass;
use crate::wire::metadata::{self, MetadataAnswer};
use crate::wire::retry_after;

/// What a server says about itself (RFC 8414, section 2), as far as it is used, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerMetadata {
    /// The issuer: the configured one, byte for byte.
    pub issuer: Issuer,
    /// RFC 6749, 3.2.
    pub token_endpoint: Endpoint,
    /// RFC 6749, 3.1.
    pub authorization_endpoint: Option<Endpoint>,
    /// RFC 8628, section 4.
    pub device_authorization_endpoint: Option<Endpoint>,
    /// RFC 7591, section 3.
    pub registration_endpoint: Option<Endpoint>,
    /// RFC 7009, section 2.
    pub revocation_endpoint: Option<Endpoint>,
    /// RFC 7662, section 2.
    pub introspection_endpoint: Option<Endpoint>,
    /// OpenID Connect Core 1.0, 5.3.
    pub userinfo_endpoint: Option<Endpoint>,
    /// RFC 7517.
    pub jwks_uri: Option<Endpoint>,
    /// How the document was labelled.
    pub media_type: MediaType,
    /// As the server lists them, fit to be shown. Empty where it lists none.
    pub grant_types_supported: Vec<String>,
    /// The same.
    pub response_types_supported: Vec<String>,
    /// The same; each can be sent as it is.
    pub scopes_supported: Vec<String>,
    /// `None`: not said, which by RFC 8414 means no PKCE (RFC 7636; D24).
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// `None`: not said, which by RFC 8414 means `client_secret_basic`.
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Whether every authorization response has an `iss` (RFC 9207, section 3).
    pub authorization_response_iss_parameter_supported: bool,
    /// Whether a `client_id` may be the URL of a document (Client ID Metadata Document, section 5).
    pub client_id_metadata_document_supported: bool,
    /// Endpoints that no login needs, left out because no request may go there.
    pub left_out: Vec<ServerMisbehaved>,
}

/// The `Content-Type` of a metadata document (RFC 8414, 3.2; D7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaType {
    /// JSON, as it must be.
    Json,
    /// Something else, or nothing, over valid JSON; tolerated, and worth a line in the log.
    Other,
}

/// Why there is no metadata.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// The issuer cannot be one: the configuration must be changed.
    #[error("the issuer {0}")]
    BadIssuer(InvalidEndpoint),
    /// The issuer holds a query: the configuration must be changed (RFC 8414, section 2).
    #[error("the issuer must not hold a query (RFC 8414, section 2)")]
    IssuerWithQuery,
    /// No document at any of the well-known places: the endpoints must be configured.
    #[error("the authorization server publishes no metadata; configure its endpoints")]
    NotFound,
    /// The document must not be used.
    #[error(transparent)]
    Misbehaved(ServerMisbehaved),
    /// The server could not be reached: later.
    #[error("the authorization server could not be reached: {0}")]
    Unreachable(NothingSent),
    /// The server says "later", answered with a web page, or its answer was lost.
    #[error("the authorization server did not answer the request for its metadata")]
    Unavailable {
        /// The server's wish, at most one hour.
        retry_after: Option<Duration>,
    },
}

impl DiscoveryError {
    /// Whether another authorization server of the same resource may be tried in its place. Not where it may come back: whoever
    /// goes on then ends at another server than the last time (D2).
    #[must_use]
    pub fn leads_on(&self) -> bool {
        match self {
            Self::BadIssuer(_) | Self::IssuerWithQuery | Self::NotFound | Self::Misbehaved(_) => true,
            Self::Unreachable(_) | Self::Unavailable { .. } => false,
        }
    }
}

/// The search for the metadata of one issuer.
#[derive(Debug)]
pub struct Discovery {
    issuer: Issuer,
    state: State,
}

#[derive(Debug)]
enum State {
    New,
    /// One place was asked; these are left.
    Asked {
        left: std::vec::IntoIter<Endpoint>,
        reach: Reach,
    },
}

impl Discovery {
    /// For an issuer that a person configured, or that was checked where it was found. It says how near its endpoints may be:
    /// only an issuer on a private network or on this machine has endpoints there (D3, D9).
    #[must_use]
    pub fn new(issuer: Issuer) -> Self {
        Self { issuer, state: State::New }
    }

    fn ask_next(self, mut left: std::vec::IntoIter<Endpoint>, reach: Reach) -> Step<Self> {
        let Some(endpoint) = left.next() else { return Step::Done(Err(DiscoveryError::NotFound)) };
        let request = HttpRequest { endpoint, method: Method::Get, authorization: None, patience: Patience::Metadata };
        Step::Send(request, Self { state: State::Asked { left, reach }, ..self })
    }

    fn answered(self, answer: &HttpAnswer, left: std::vec::IntoIter<Endpoint>, reach: Reach, now: Now) -> Step<Self> {
        let unavailable = || DiscoveryError::Unavailable { retry_after: retry_after::read(answer, now) };
        Step::Done(match StatusClass::of(answer.status) {
            // D2: only "not here" leads on. Whoever falls through on "later" may end at another server's document.
            StatusClass::Refusal if (400..500).contains(&answer.status) => return self.ask_next(left, reach),
            StatusClass::Refusal | StatusClass::Later => Err(unavailable()),
            StatusClass::Redirect => Err(DiscoveryError::Misbehaved(ServerMisbehaved::Redirected { status: answer.status })),
            StatusClass::Success => match metadata::read(answer, &self.issuer, reach) {
                MetadataAnswer::Metadata(metadata) => Ok(*metadata),
                MetadataAnswer::Misbehaved(why) => Err(DiscoveryError::Misbehaved(why)),
                MetadataAnswer::NoDocument => Err(unavailable()),
            },
        })
    }
}

impl Flow for Discovery {
    type Prompt = Infallible;
    type Output = Result<ServerMetadata, DiscoveryError>;

    fn handle(self, input: Input, now: Now) -> Step<Self> {
        match (&self.state, input) {
            (State::New, _) => match places(&self.issuer) {
                Ok((places, reach)) => self.ask_next(places.into_iter(), reach),
                Err(why) => Step::Done(Err(why)),
            },
            (State::Asked { left, reach }, Input::Answered(Ok(answer))) => {
                let (left, reach) = (left.clone(), *reach);
                self.answered(&answer, left, reach, now)
            }
            (State::Asked { .. }, Input::Answered(Err(Undelivered::NothingSent(why)))) => {
                Step::Done(Err(DiscoveryError::Unreachable(why)))
            }
            (State::Asked { .. }, _) => Step::Done(Err(DiscoveryError::Unavailable { retry_after: None })),
        }
    }
}

/// Where the document may be, in the order in which it is looked for (D2), and how near its endpoints may be (D3, D9).
fn places(issuer: &Issuer) -> Result<(Vec<Endpoint>, Reach), DiscoveryError> {
    let checked = Endpoint::parse(issuer.as_str(), Loopback::Allowed).map_err(DiscoveryError::BadIssuer)?;
    let reach = checked.reach();
    if issuer.as_str().contains('?') {
        return Err(DiscoveryError::IssuerWithQuery);
    }
    let not_a_url = || DiscoveryError::BadIssuer(InvalidEndpoint::NotAUrl);
    let (scheme, rest) = issuer.as_str().split_once("://").ok_or_else(not_a_url)?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    if authority.is_empty() {
        return Err(not_a_url());
    }
    // RFC 8414, 3.1: a terminating slash goes before the path is put behind the well-known part.
    let path = path.strip_suffix('/').unwrap_or(path);
    let origin = format!("{scheme}://{authority}");
    let texts = if path.is_empty() {
        vec![format!("{origin}/.well-known/oauth-authorization-server"), format!("{origin}/.well-known/openid-configuration")]
    } else {
        vec![
            format!("{origin}/.well-known/oauth-authorization-server/{path}"),
            format!("{origin}/.well-known/openid-configuration/{path}"),
            format!("{origin}/{path}/.well-known/openid-configuration"),
        ]
    };
    let places: Result<_, _> = texts.iter().map(|text| Endpoint::named(text, reach)).collect();
    Ok((places.map_err(DiscoveryError::BadIssuer)?, reach))
}

#[cfg(test)]
mod tests {
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
                [
                    "https://as.example/.well-known/oauth-authorization-server",
                    "https://as.example/.well-known/openid-configuration",
                ]
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
            if let Ok((places, _)) = places(&Issuer::new(&issuer)) {
                let origin = Endpoint::parse(&issuer, Loopback::Allowed).unwrap().origin();
                prop_assert!(places.iter().all(|place| place.origin() == origin));
            }
        }
    }
}
