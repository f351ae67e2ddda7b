//! Asking a server for a client (RFC 7591, section 3): one request, and at most two more where the server dislikes what was asked for.
//!
//! They are bounded and make no second client: each follows only a refusal, by which nothing was registered (3.2.2), and asks for less
//! (D59). Without them a server that has a device grant, but knows no such `grant_types`, could not be used at all; and one that
//! registers only the scopes that it lists itself, while its resources have others, would lose its device grant for that.
//!
//! Must never: send a fourth request, or repeat one whose answer was lost.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use super::error::{ChangedMetadata, RegistrationError};
use super::grant_type::GrantType;
use super::kept::{RegisteredClient, Registration, SecretExpires, Standing};
use super::metadata::{Asked, Disliked, RegistrationRequest};
use super::redirect_uri::RedirectUri;
use crate::endpoint::Loopback;
use crate::flow::{Flow, Input, Step};
use crate::http::{HttpAnswer, HttpRequest, Method, NothingSent, Patience, Undelivered};
use crate::misbehaved::ServerMisbehaved;
use crate::terms::TokenEndpointAuthMethod;
use crate::time::Now;
use crate::token::ErrorAnswer;
use crate::wire::error_answer::{RawError, Sent};
use crate::wire::registration_answer::{self, ClientInformation, RegistrationAnswer};
use crate::wire::{NoErrorCode, StatusClass, retry_after, shown};

/// The longest piece of a server's words that is shown.
const LONGEST_SHOWN: usize = 200;

/// One registration. Its endpoint must be the issuer's own, from its checked metadata or its configuration.
#[derive(Debug)]
pub struct RegistrationFlow {
    request: RegistrationRequest,
    state: State,
}

#[derive(Debug)]
enum State {
    New,
    /// This was asked for.
    Sent(Asked, Turn),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    First,
    Second,
    Last,
}

impl Turn {
    fn next(self) -> Option<Self> {
        match self {
            Self::First => Some(Self::Second),
            Self::Second => Some(Self::Last),
            Self::Last => None,
        }
    }
}

impl RegistrationFlow {
    /// A registration of this client.
    #[must_use]
    pub fn new(request: RegistrationRequest) -> Self {
        Self { request, state: State::New }
    }

    fn ask(self, asked: Asked, turn: Turn) -> Step<Self> {
        let Some(json) = asked.to_json() else {
            return Step::Done(Err(RegistrationError::Unreachable(NothingSent::NoResources)));
        };
        let request = HttpRequest {
            endpoint: self.request.registration_endpoint.clone(),
            method: Method::PostJson(json),
            authorization: None,
            patience: Patience::Endpoint,
        };
        Step::Send(request, Self { state: State::Sent(asked, turn), ..self })
    }

    fn answered(self, (asked, turn): (Asked, Turn), answer: &HttpAnswer, now: Now) -> Step<Self> {
        let wish = retry_after::read(answer, now);
        let loopback = if self.request.registration_endpoint.is_loopback() { Loopback::Allowed } else { Loopback::Refused };
        let ended = match registration_answer::read(answer, loopback) {
            RegistrationAnswer::Registered(information) => self.registered(&asked, *information, now),
            RegistrationAnswer::Misbehaved(why) => Err(RegistrationError::Misbehaved(why)),
            RegistrationAnswer::NoErrorCode(what) => Err(no_error_code(what, answer.status, wish)),
            RegistrationAnswer::Error(error) => {
                if let Some(less) = disliked(&error).map(|what| asked.clone().without(what)).filter(|less| *less != asked)
                    && let Some(next) = turn.next()
                {
                    return self.ask(less, next);
                }
                Err(refused(&error, answer.status, wish))
            }
        };
        Step::Done(ended)
    }

    /// The server's values count, as far as they are safe (D59).
    fn registered(self, asked: &Asked, told: ClientInformation, now: Now) -> Result<Registration, RegistrationError> {
        let redirect_uris = match &told.redirect_uris {
            None => asked.redirect_uris.clone(),
            Some(uris) => uris.iter().map(|uri| redirect_uri(uri)).collect::<Result<_, _>>()?,
        };
        let grant_types: BTreeSet<_> = match &told.grant_types {
            None => asked.grants.iter().copied().collect(),
            Some(words) => words.iter().filter_map(|word| GrantType::parse(word)).collect(),
        };
        let registration_access_token = told.registration_access_token.clone();
        let registration_client_uri = told.registration_client_uri.clone();
        Ok(Registration {
            issuer: self.request.issuer,
            client: client(asked, told, now)?,
            redirect_uris,
            grant_types,
            registration_access_token,
            registration_client_uri,
            registered_at: now.wall,
            standing: Standing::Good,
            former: Vec::new(),
        })
    }
}

impl Flow for RegistrationFlow {
    type Prompt = Infallible;
    type Output = Result<Registration, RegistrationError>;

    fn handle(self, input: Input, now: Now) -> Step<Self> {
        let Self { request, state } = self;
        match (state, input) {
            (State::New, _) => {
                let asked = Asked::for_all(&request);
                Self { request, state: State::New }.ask(asked, Turn::First)
            }
            (State::Sent(asked, turn), Input::Answered(Ok(answer))) => {
                Self { request, state: State::New }.answered((asked, turn), &answer, now)
            }
            (State::Sent(..), Input::Answered(Err(Undelivered::NothingSent(why)))) => {
                Step::Done(Err(RegistrationError::Unreachable(why)))
            }
            (State::Sent(..), _) => Step::Done(Err(RegistrationError::AnswerLost)),
        }
    }
}

fn client(asked: &Asked, told: ClientInformation, now: Now) -> Result<RegisteredClient, RegistrationError> {
    let ClientInformation { client_id, client_secret, secret_expires_at, auth_method, .. } = told;
    let auth_method = match auth_method.as_deref() {
        Some(word) => TokenEndpointAuthMethod::parse(word)
            .ok_or_else(|| RegistrationError::Changed(ChangedMetadata::AuthMethod { found: shown::fit(word, LONGEST_SHOWN) }))?,
        // RFC 7591, section 2: the default of a client with a secret, where the server told of no other.
        None if client_secret.is_some() && asked.auth_method == TokenEndpointAuthMethod::None => {
            TokenEndpointAuthMethod::ClientSecretBasic
        }
        None => asked.auth_method,
    };
    if auth_method == TokenEndpointAuthMethod::None {
        // What is never sent is not kept.
        return Ok(RegisteredClient { client_id, client_secret: None, secret_expires: SecretExpires::Never, auth_method });
    }
    let misbehaved = |why| Err(RegistrationError::Misbehaved(why));
    if client_secret.is_none() {
        return misbehaved(ServerMisbehaved::RegistrationMember("client_secret"));
    }
    let secret_expires = match secret_expires_at {
        None => SecretExpires::Never,
        Some(at) if at <= now.wall => return misbehaved(ServerMisbehaved::ClientSecretExpired),
        Some(at) => SecretExpires::At(at),
    };
    Ok(RegisteredClient { client_id, client_secret, secret_expires, auth_method })
}

fn redirect_uri(text: &str) -> Result<RedirectUri, RegistrationError> {
    RedirectUri::parse(text).map_err(|_| {
        let found = shown::fit(text.split(['?', '#']).next().unwrap_or_default(), LONGEST_SHOWN);
        RegistrationError::Changed(ChangedMetadata::RedirectUri { found })
    })
}

fn disliked(error: &RawError) -> Option<Disliked> {
    match error.code() {
        "invalid_redirect_uri" => Some(Disliked::RedirectUris),
        "invalid_client_metadata" => Some(Disliked::Metadata),
        _ => None,
    }
}

/// RFC 7591, 3.2.2. No secret was sent.
fn refused(error: &RawError, status: u16, retry_after: Option<Duration>) -> RegistrationError {
    let shown: ErrorAnswer = error.shown(status, &Sent::new(Vec::new()));
    match error.code() {
        "invalid_redirect_uri" | "invalid_client_metadata" => RegistrationError::Refused(shown),
        // We send no statement: the server wants one from whoever it registers.
        "invalid_software_statement" | "unapproved_software_statement" => RegistrationError::AskForClient { status },
        _ if error.may_pass() || StatusClass::of(status) == StatusClass::Later => {
            RegistrationError::Later { retry_after, status }
        }
        _ if registers_nobody(status) => RegistrationError::AskForClient { status },
        _ => RegistrationError::Refused(shown),
    }
}

fn no_error_code(what: NoErrorCode, status: u16, retry_after: Option<Duration>) -> RegistrationError {
    match what {
        NoErrorCode::Redirect => RegistrationError::Misbehaved(ServerMisbehaved::Redirected { status }),
        NoErrorCode::Object | NoErrorCode::Page if registers_nobody(status) => RegistrationError::AskForClient { status },
        NoErrorCode::Object => RegistrationError::Misbehaved(ServerMisbehaved::NoErrorCode { status }),
        NoErrorCode::Later | NoErrorCode::Page => RegistrationError::Later { retry_after, status },
    }
}

/// An initial access token is wanted (RFC 7591, section 3), or there is no such endpoint.
fn registers_nobody(status: u16) -> bool {
    matches!(status, 401 | 403 | 404 | 405)
}
