//! What reads bytes that others wrote, as functions of bytes, so that any fuzzer can run them (P26).
//!
//! Beside "no panic" each holds what its reader promises: what may be shown holds no control character and no secret that was sent.
//!
//! Must never: need anything but the bytes. An answer of HTTP begins with a line `STATUS RETRY-AFTER`; the rest is its body.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use mcp_authd::config::{Config, ConfigErrors};
use mcp_authd::upstream::callback;
use mcp_authd_oauth::challenge;
use mcp_authd_oauth::client_authentication::ClientAuthentication;
use mcp_authd_oauth::device::{DeviceFlow, DeviceRequest};
use mcp_authd_oauth::discovery::Discovery;
use mcp_authd_oauth::endpoint::{Endpoint, Loopback};
use mcp_authd_oauth::flow::{Flow, Input, Step};
use mcp_authd_oauth::http::{Body, HttpAnswer, Method};
use mcp_authd_oauth::identity::{IdentityEndpoints, IdentityFlow};
use mcp_authd_oauth::protected_resource::ResourceDiscovery;
use mcp_authd_oauth::reach::Reach;
use mcp_authd_oauth::refresh::RefreshFlow;
use mcp_authd_oauth::registration::{GrantsWanted, RedirectUri, RegistrationError, RegistrationFlow, RegistrationRequest};
use mcp_authd_oauth::revocation::{RevocationFlow, RevocationRequest};
use mcp_authd_oauth::secret::{AccessToken, ClientSecret, RefreshToken, State};
use mcp_authd_oauth::terms::{ClientId, Issuer, Resource, Scopes};
use mcp_authd_oauth::time::{Instant, Now, WallTime};
use mcp_authd_oauth::token::{Binding, ErrorAnswer, Granted, IssuedToken, Life, RefreshOutcome, TokenSuccess, TokenType};

use super::words::{CHALLENGE, HTTP, JSON, TOML};

/// A target by its name, which is also that of its folder below `tests/fuzz/corpus`.
pub(crate) type Target = fn(&[u8]);

/// The pure ones. The reader of records needs a folder, the sockets a daemon: `records`, and P7.
pub(crate) const PURE: [(&str, Target, &[&str]); 10] = [
    ("token_answer", token_answer, &JSON),
    ("device_answer", device_answer, &JSON),
    ("metadata", metadata, &JSON),
    ("protected_resource", protected_resource, &JSON),
    ("www_authenticate", www_authenticate, &CHALLENGE),
    ("revocation", revocation, &JSON),
    ("registration", registration, &JSON),
    ("identity", identity, &JSON),
    ("config", config, &TOML),
    ("callback_request", callback_request, &HTTP),
];

const STATE: &str = "SNTL_ST_000003_fuzzed";
const CODE: &str = "SNTL_CO_000004_fuzzed";
const REFRESH: &str = "SNTL_RT_000001_fuzzed";
const ACCESS: &str = "SNTL_AT_000002_fuzzed";
const CLIENT: &str = "SNTL_CS_fuzzed";
const NOW: Now = Now { instant: Instant::from_millis(1_000_000), wall: WallTime::from_millis(1_800_000_000_000) };

fn endpoint(text: &str) -> Endpoint {
    Endpoint::parse(text, Loopback::Allowed).expect("it is one")
}

fn binding() -> Binding {
    Binding {
        issuer: Some(Issuer::new("https://as.example")),
        token_endpoint: endpoint("https://as.example/token"),
        revocation_endpoint: Some(endpoint("https://as.example/revoke")),
        client_id: ClientId::new("client"),
        resource: None,
    }
}

fn client() -> ClientAuthentication {
    ClientAuthentication::ClientSecretBasic(ClientSecret::new(CLIENT))
}

fn answer(bytes: &[u8]) -> HttpAnswer {
    let (head, body) = bytes.split_at(bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len()));
    let head = String::from_utf8_lossy(head);
    let (status, rest) = head.split_once(' ').unwrap_or((&head, ""));
    HttpAnswer {
        status: status.parse().unwrap_or(200),
        content_type: rest.split_once('|').map(|(_, content_type)| content_type.to_owned()),
        www_authenticate: Vec::new(),
        peer: Reach::Public,
        retry_after: rest.split('|').next().filter(|text| !text.is_empty()).map(str::to_owned),
        body: Body::new(body.get(1..).unwrap_or_default().to_vec()),
    }
}

/// Sends what a flow wants sent, and hands it this answer.
fn answered<F: Flow>(flow: F, bytes: &[u8]) -> Step<F> {
    match flow.handle(Input::Begin, NOW) {
        Step::Send(_, flow) => flow.handle(Input::Answered(Ok(answer(bytes))), NOW),
        _ => panic!("a flow begins with a request"),
    }
}

/// What a person or a log may be told.
fn may_be_shown(text: &str) {
    assert!(!text.chars().any(char::is_control), "a control character is shown: {text:?}");
}

/// Eight characters of a secret that was sent are a piece of it (P10).
fn tells_nothing_of(secrets: &[&str], text: &str) {
    for secret in secrets {
        let piece = secret.as_bytes().windows(8).find(|piece| text.as_bytes().windows(8).any(|shown| shown == *piece));
        assert!(piece.is_none(), "a piece of a secret is shown: {text:?}");
    }
}

fn error_may_be_shown(error: &ErrorAnswer) {
    may_be_shown(&error.error);
    error.description.iter().for_each(|text| may_be_shown(text));
    assert!(error.error.len() <= 64 && error.description.as_ref().is_none_or(|text| text.chars().count() <= 200));
}

/// The answer to a refresh.
pub(crate) fn token_answer(bytes: &[u8]) {
    let Step::Done(outcome) = answered(RefreshFlow::new(RefreshToken::new(REFRESH), binding(), client()), bytes) else {
        panic!("a refresh ends with its answer");
    };
    tells_nothing_of(&[REFRESH, CLIENT], &format!("{outcome:?}"));
    match &outcome {
        RefreshOutcome::DeadGrant(error) | RefreshOutcome::Configuration(error) | RefreshOutcome::UnknownError(error) => {
            error_may_be_shown(error);
        }
        RefreshOutcome::Success(success) => {
            if let Err(why) = &success.token {
                may_be_shown(&why.to_string());
            }
        }
        RefreshOutcome::Later { retry_after, .. } => {
            assert!(retry_after.is_none_or(|wish| wish <= Duration::from_secs(3600)), "D48: {retry_after:?}");
        }
        RefreshOutcome::OutcomeUnknown(why) => may_be_shown(&why.to_string()),
        RefreshOutcome::NotAuthenticated(_) | RefreshOutcome::NothingSent(_) => {}
    }
}

/// The answer to a request for a code, and the same bytes once more as the answer to a poll.
pub(crate) fn device_answer(bytes: &[u8]) {
    let request = DeviceRequest {
        device_authorization_endpoint: endpoint("https://as.example/device"),
        binding: binding(),
        scopes: Scopes::from_words(["a"]),
        audience: None,
        extra_parameters: BTreeMap::new(),
        loopback: Loopback::Refused,
        client: client(),
    };
    let good =
        b"200 \n{\"device_code\":\"d\",\"user_code\":\"u\",\"verification_uri\":\"https://as.example/d\",\"expires_in\":900}";
    for first in [bytes, good] {
        match answered(DeviceFlow::new(request.clone()), first) {
            Step::AskUser(pending, flow) => {
                let prompt = &pending.prompt;
                let shown = [Some(&prompt.verification_uri), prompt.verification_uri_complete.as_ref(), prompt.message.as_ref()];
                shown.into_iter().flatten().for_each(|text| may_be_shown(text));
                may_be_shown(prompt.user_code.as_str());
                polled(flow, bytes);
            }
            Step::Done(Err(why)) => tells_nothing_of(&[CLIENT], &format!("{why:?}")),
            other => panic!("it has asked the person already: {other:?}"),
        }
    }
}

fn polled(flow: DeviceFlow, bytes: &[u8]) {
    let Step::WaitUntil(first, flow) = flow.handle(Input::Resumed, NOW) else { panic!("the first poll is waited for") };
    let then = Now { instant: first.at, wall: NOW.wall_of(first.at) };
    match flow.handle(Input::Resumed, then) {
        Step::Send(_, flow) => match flow.handle(Input::Answered(Ok(answer(bytes))), then) {
            Step::WaitUntil(next, _) => assert!(next.at > then.instant, "D13: no poll without a wait"),
            Step::Done(ended) => tells_nothing_of(&[CLIENT], &format!("{ended:?}")),
            other => panic!("a poll is followed by a wait or the end: {other:?}"),
        },
        Step::Done(_) | Step::WaitUntil(..) => {}
        other => panic!("a poll is sent: {other:?}"),
    }
}

/// A metadata document, at each place where it is looked for.
pub(crate) fn metadata(bytes: &[u8]) {
    for issuer in ["https://as.example", "https://as.example/tenant", "http://127.0.0.1:1"] {
        let mut step = Discovery::new(Issuer::new(issuer)).handle(Input::Begin, NOW);
        for places in 0.. {
            step = match step {
                Step::Send(_, flow) if places < 3 => flow.handle(Input::Answered(Ok(answer(bytes))), NOW),
                Step::Done(Ok(metadata)) => {
                    assert_eq!(metadata.issuer.as_str(), issuer, "D1");
                    break;
                }
                Step::Done(Err(why)) => {
                    may_be_shown(&why.to_string());
                    break;
                }
                other => panic!("three places at most, one after the other: {other:?}"),
            };
        }
    }
}

/// A document about a protected resource, wherever it is looked for. What stands for its `Content-Type` is the challenge too.
pub(crate) fn protected_resource(bytes: &[u8]) {
    for typed in ["https://mcp.example", "https://mcp.example/mcp?x=1", "http://127.0.0.1:1/mcp"] {
        let own = endpoint(typed);
        let mut step = ResourceDiscovery::new(Resource::new(typed)).handle(Input::Begin, NOW);
        for requests in 0.. {
            step = match step {
                Step::Send(request, flow) if requests < 6 => {
                    assert!(own.reach().may_name(request.endpoint.reach()), "D9: {}", request.endpoint);
                    let mut answer = answer(bytes);
                    answer.www_authenticate.extend(answer.content_type.clone());
                    if matches!(request.method, Method::Probe) {
                        answer.status = 401;
                    }
                    flow.handle(Input::Answered(Ok(answer)), NOW)
                }
                Step::Done(Ok(found)) => {
                    assert_eq!(endpoint(found.resource.as_str()).origin(), own.origin(), "P14");
                    let nearest = found.authorization_servers.iter().map(|issuer| endpoint(issuer.as_str()).reach()).max();
                    assert!(nearest.is_some_and(|nearest| own.reach().may_name(nearest)), "D9: {nearest:?}");
                    found.findings.iter().for_each(|finding| may_be_shown(&finding.to_string()));
                    break;
                }
                Step::Done(Err(why)) => {
                    may_be_shown(&why.to_string());
                    break;
                }
                other => panic!("six requests at most, one after the other: {other:?}"),
            };
        }
    }
}

/// Lines of `WWW-Authenticate`. Nothing is taken from a challenge that is not Bearer's.
pub(crate) fn www_authenticate(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().collect();
    let Some(found) = challenge::bearer(&lines) else { return };
    assert!(text.to_ascii_lowercase().contains("bearer"));
    [&found.error, &found.error_description].into_iter().flatten().for_each(|text| may_be_shown(text));
    if let Some(url) = &found.resource_metadata {
        let _ = endpoint_of_a_server(url);
    }
    let scopes = found.scope.iter().flat_map(Scopes::iter);
    scopes.for_each(|scope| assert!(scope.bytes().all(|byte| byte.is_ascii_graphic()), "RFC 6749, 3.3: {scope:?}"));
}

fn endpoint_of_a_server(url: &str) -> Option<Endpoint> {
    let endpoint = Endpoint::named(url, Reach::Public).ok()?;
    assert_eq!(endpoint.reach(), Reach::Public, "D9");
    Some(endpoint)
}

/// Both answers of a revocation.
pub(crate) fn revocation(bytes: &[u8]) {
    let request = RevocationRequest {
        refresh_token: Some(RefreshToken::new(REFRESH)),
        access_token: Some(AccessToken::new(ACCESS)),
        binding: binding(),
        client: client(),
    };
    let Step::Send(_, flow) = answered(RevocationFlow::new(request), bytes) else { panic!("the access token is tried too") };
    let Step::Done(report) = flow.handle(Input::Answered(Ok(answer(bytes))), NOW) else { panic!("two requests are all") };
    tells_nothing_of(&[REFRESH, CLIENT], &format!("{:?}", report.refresh_token));
    tells_nothing_of(&[ACCESS, CLIENT], &format!("{:?}", report.access_token));
}

/// The answer to a registration, and to the second request where there is one.
pub(crate) fn registration(bytes: &[u8]) {
    let request = RegistrationRequest {
        issuer: Issuer::new("https://as.example"),
        registration_endpoint: endpoint("https://as.example/register"),
        grants: GrantsWanted::DeviceAndCode(vec![RedirectUri::ipv4(), RedirectUri::ipv6()]),
        auth_methods_supported: Vec::new(),
        scopes: Scopes::from_words(["a"]),
    };
    let mut step = answered(RegistrationFlow::new(request), bytes);
    // Each request after the first asks for less: for no scopes, then for no device grant.
    for _ in 0..2 {
        step = match step {
            Step::Send(_, flow) => flow.handle(Input::Answered(Ok(answer(bytes))), NOW),
            ended => ended,
        };
    }
    let Step::Done(ended) = step else { panic!("three requests are all, and nobody is asked: {step:?}") };
    match ended {
        Ok(kept) => {
            assert_eq!(kept.issuer.as_str(), "https://as.example", "P14");
            may_be_shown(kept.client.client_id.as_str());
            assert!(kept.client.authentication().is_ok() && !kept.client.is_expired(NOW.wall), "D58: {kept:?}");
            for uri in &kept.redirect_uris {
                let host = url::Url::parse(uri.as_str()).expect("it is a URL").host_str().map(str::to_owned);
                assert!(matches!(host.as_deref(), Some("127.0.0.1" | "[::1]" | "localhost")), "D59: {uri}");
            }
        }
        Err(why) => {
            may_be_shown(&why.to_string());
            assert!(why.pause() <= Duration::from_secs(3600), "D59: {why:?}");
            if let RegistrationError::Refused(error) = &why {
                error_may_be_shown(error);
            }
        }
    }
}

/// The answer of a userinfo endpoint, and of an introspection endpoint where that is asked too.
pub(crate) fn identity(bytes: &[u8]) {
    let token = IssuedToken {
        access_token: AccessToken::new(ACCESS),
        token_type: TokenType::Bearer,
        requested_at: NOW,
        life: Life::Unknown,
        scopes: None,
        subject: None,
    };
    let granted = Granted {
        success: TokenSuccess { refresh_token: Some(RefreshToken::new(REFRESH)), token: Ok(token) },
        binding: binding(),
        requested_scopes: Scopes::from_words(["openid"]),
    };
    let endpoints = IdentityEndpoints {
        userinfo: Some(endpoint("https://as.example/userinfo")),
        introspection: Some(endpoint("https://as.example/introspect")),
    };
    let ended = match answered(IdentityFlow::new(granted, endpoints, client()), bytes) {
        Step::Send(_, flow) => match flow.handle(Input::Answered(Ok(answer(bytes))), NOW) {
            Step::Done(ended) => ended,
            other => panic!("two requests are all: {other:?}"),
        },
        Step::Done(ended) => ended,
        other => panic!("nobody is asked: {other:?}"),
    };
    match ended {
        Ok(subject) => {
            let text = subject.as_str();
            may_be_shown(text);
            assert!((1..=255).contains(&text.len()) && text.is_ascii(), "{text:?}");
            tells_nothing_of(&[CLIENT], text);
            // A token may be made of its subject: only a whole one is a secret told.
            assert!(!text.contains(ACCESS) && !text.contains(REFRESH), "P10: {text:?}");
        }
        Err(why) => may_be_shown(&why.to_string()),
    }
}

/// The text of `config.toml`.
pub(crate) fn config(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Err(ConfigErrors { errors, .. }) = Config::parse(&text, Path::new("config.toml")) else { return };
    let lines = text.matches('\n').count() + 1;
    assert!(!errors.is_empty(), "refused without a reason");
    for error in &errors {
        assert!(error.line.is_none_or(|line| (1..=lines).contains(&line)), "{error:?}");
        may_be_shown(&error.problem.to_string());
    }
}

/// A request to the callback listener while one login waits.
pub(crate) fn callback_request(bytes: &[u8]) {
    let (response, given) = callback::answered(bytes, &State::new(STATE));
    let response = String::from_utf8(response).expect("a page is text");
    tells_nothing_of(&[STATE, CODE], &response);
    assert!(response.is_empty() || response.starts_with("HTTP/1.1 "), "an answer has a status: {response:?}");
    assert_eq!(given.is_some(), response.starts_with("HTTP/1.1 200 "), "the page says what has happened");
    let Some(given) = given else { return };
    tells_nothing_of(&[STATE, CODE], &format!("{given:?}"));
    assert_eq!(given.state.expose(), STATE, "D26: another login's answer");
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let hosts: Vec<&str> = head.split("\r\n").skip(1).filter_map(|line| line.strip_prefix("host:")).map(str::trim).collect();
    assert!(matches!(hosts[..], ["127.0.0.1:8765" | "[::1]:8765"]), "D30: taken with these hosts: {hosts:?}");
    // Of the bytes: a byte that is no text is three in the text.
    let length = bytes.windows(4).position(|end| end == b"\r\n\r\n").map(|at| at + 4);
    let fits = length.is_some_and(|length| length <= 8 * 1024);
    assert!(bytes.starts_with(b"GET /callback?") && fits, "D30: no such request is an answer");
}
