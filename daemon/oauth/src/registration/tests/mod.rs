//! Registrations against a scripted server and two scripted clocks.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod answers;
mod choices;
mod keeping;
mod no_loop;
mod requests;

use std::time::Duration;

use serde_json::{Value as Json, json};

use super::*;
use crate::endpoint::{Endpoint, Loopback};
use crate::flow::{Flow, Input, Step};
use crate::http::{HttpAnswer, Method, Patience, Undelivered};
use crate::secret::{ClientSecret, RegistrationAccessToken, SecretText};
use crate::terms::{ClientId, Issuer, Scopes, TokenEndpointAuthMethod};
use crate::time::{Instant, Now, WallTime};
use crate::wire::tests::answer;

const ISSUER: &str = "https://as.example";
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const NOW: Now = Now { instant: Instant::from_millis(90_000_000), wall: WallTime::from_millis(1_800_000_000_000) };

fn endpoint() -> Endpoint {
    Endpoint::parse("https://as.example/register", Loopback::Refused).unwrap()
}

fn issuer() -> Issuer {
    Issuer::new(ISSUER)
}

fn later(by: Duration) -> Now {
    Now { instant: NOW.instant + by, wall: NOW.wall + by }
}

fn loopback() -> Vec<RedirectUri> {
    vec![RedirectUri::ipv4(), RedirectUri::ipv6()]
}

fn request(grants: GrantsWanted) -> RegistrationRequest {
    RegistrationRequest {
        issuer: issuer(),
        registration_endpoint: endpoint(),
        grants,
        auth_methods_supported: Vec::new(),
        scopes: Scopes::default(),
    }
}

fn both() -> RegistrationRequest {
    request(GrantsWanted::DeviceAndCode(loopback()))
}

/// A good answer with these members in it, or in the place of others; `null` takes one away.
fn created(members: &Json) -> HttpAnswer {
    let mut body = json!({ "client_id": "new-client", "client_id_issued_at": 1_800_000_000 });
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    answer(201, body.to_string())
}

fn refusal(code: &str) -> HttpAnswer {
    answer(400, json!({ "error": code, "error_description": "not so" }).to_string())
}

/// Runs to the end against these answers; tells what was sent.
fn run(
    request: RegistrationRequest,
    answers: impl IntoIterator<Item = Result<HttpAnswer, Undelivered>>,
) -> (Vec<Json>, Result<Registration, RegistrationError>) {
    let mut answers = answers.into_iter();
    let mut sent = Vec::new();
    let mut step = RegistrationFlow::new(request).handle(Input::Begin, NOW);
    loop {
        assert!(!format!("{step:?}").contains("SNTL"), "{step:?}");
        step = match step {
            Step::Send(request, flow) => {
                assert_eq!(request.endpoint, endpoint());
                assert_eq!((request.patience, request.authorization), (Patience::Endpoint, None));
                let Method::PostJson(body) = request.method else { panic!("not JSON") };
                sent.push(serde_json::from_str(body.expose()).unwrap());
                flow.handle(Input::Answered(answers.next().expect("no further request")), NOW)
            }
            Step::Done(ended) => {
                assert!(answers.next().is_none(), "a request was expected");
                return (sent, ended);
            }
            other => panic!("{other:?}"),
        };
    }
}

fn registered(answer: HttpAnswer) -> Result<Registration, RegistrationError> {
    run(both(), [Ok(answer)]).1
}

/// A kept registration that can do everything.
fn kept(client_id: &str, at: WallTime) -> Registration {
    Registration {
        issuer: issuer(),
        client: RegisteredClient {
            client_id: ClientId::new(client_id),
            client_secret: Some(ClientSecret::new(format!("SNTL_CS_{client_id}"))),
            secret_expires: SecretExpires::Never,
            auth_method: TokenEndpointAuthMethod::ClientSecretBasic,
        },
        redirect_uris: loopback(),
        grant_types: GrantType::ALL.into_iter().collect(),
        registration_access_token: Some(RegistrationAccessToken::new("SNTL_RAT_1")),
        registration_client_uri: Some(SecretText::new("https://as.example/register/SNTL_1")),
        registered_at: at,
        standing: Standing::Good,
        former: Vec::new(),
    }
}
