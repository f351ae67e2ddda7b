//! Giving tokens back (RFC 7009): the refresh token first, then the access token (D63).
//!
//! Must never: keep anybody from forgetting the tokens here. Its end is told, and changes nothing.

use std::convert::Infallible;
use std::time::Duration;

use crate::client_authentication::{ClientAuthentication, Post};
use crate::endpoint::Endpoint;
use crate::flow::{Flow, Input, Step};
use crate::http::{HttpAnswer, HttpRequest, NothingSent, Patience, Undelivered};
use crate::misbehaved::ServerMisbehaved;
use crate::secret::{AccessToken, RefreshToken};
use crate::time::Now;
use crate::token::{Binding, ErrorAnswer};
use crate::wire::error_answer::Sent;
use crate::wire::revocation_answer::{self, RevocationAnswer};
use crate::wire::{NoErrorCode, retry_after};

/// What is given back, and where.
#[derive(Debug, Clone)]
pub struct RevocationRequest {
    /// First.
    pub refresh_token: Option<RefreshToken>,
    /// Then.
    pub access_token: Option<AccessToken>,
    /// Where they came from (P14).
    pub binding: Binding,
    /// How the client says who it is.
    pub client: ClientAuthentication,
}

/// What became of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationReport {
    /// The refresh token.
    pub refresh_token: Revocation,
    /// The access token.
    pub access_token: Revocation,
}

/// What became of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revocation {
    /// There was none.
    NotHeld,
    /// The server offers no revocation: the token lives to its end.
    NoEndpoint,
    /// It is gone.
    Revoked,
    /// The server does not revoke tokens of this type (RFC 7009, 2.2.1). For an access token that is in order.
    NotSupported,
    /// It may live on.
    Failed(RevocationFailure),
}

/// Why a token may live on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RevocationFailure {
    /// Nothing reached the server.
    #[error("the authorization server could not be reached: {0}")]
    Unreachable(NothingSent),
    /// The request was sent, and its answer was lost.
    #[error("the answer to the revocation was lost")]
    AnswerLost,
    /// The server says "later".
    #[error("the authorization server says \"later\" (status {status})")]
    Later {
        /// The server's wish, at most one hour.
        retry_after: Option<Duration>,
        /// The status.
        status: u16,
    },
    /// The server refused.
    #[error("the authorization server refused the revocation: {}", .0.error)]
    Refused(ErrorAnswer),
    /// The server broke a rule.
    #[error(transparent)]
    Misbehaved(ServerMisbehaved),
}

/// The revocation of what a grant holds.
#[derive(Debug)]
pub struct RevocationFlow {
    client: ClientAuthentication,
    binding: Binding,
    state: State,
}

#[derive(Debug)]
enum State {
    New { refresh_token: Option<RefreshToken>, access_token: Option<AccessToken> },
    RefreshTokenSent { secrets: Sent, access_token: Option<AccessToken> },
    AccessTokenSent { secrets: Sent, refresh_token: Revocation },
}

impl RevocationFlow {
    /// A revocation of one or both tokens.
    #[must_use]
    pub fn new(request: RevocationRequest) -> Self {
        let RevocationRequest { refresh_token, access_token, binding, client } = request;
        Self { client, binding, state: State::New { refresh_token, access_token } }
    }
}

impl Flow for RevocationFlow {
    type Prompt = Infallible;
    type Output = RevocationReport;

    fn handle(self, input: Input, now: Now) -> Step<Self> {
        let Self { client, binding, state } = self;
        let Some(endpoint) = binding.revocation_endpoint.clone() else { return Step::Done(without_endpoint(&state)) };
        let asker = Asker { client, binding, endpoint };
        match state {
            State::New { refresh_token: Some(token), access_token } => {
                let (request, secrets) = asker.request(token.expose(), "refresh_token");
                Step::Send(request, asker.in_state(State::RefreshTokenSent { secrets, access_token }))
            }
            State::New { refresh_token: None, access_token } => asker.go_on(Revocation::NotHeld, access_token),
            State::RefreshTokenSent { secrets, access_token } => asker.go_on(revocation(input, &secrets, now), access_token),
            State::AccessTokenSent { secrets, refresh_token } => {
                Step::Done(RevocationReport { refresh_token, access_token: revocation(input, &secrets, now) })
            }
        }
    }
}

/// In whose name, and where, is asked.
struct Asker {
    client: ClientAuthentication,
    binding: Binding,
    endpoint: Endpoint,
}

impl Asker {
    fn in_state(self, state: State) -> RevocationFlow {
        RevocationFlow { client: self.client, binding: self.binding, state }
    }

    /// However the refresh token fared, the access token is tried too.
    fn go_on(self, refresh_token: Revocation, access_token: Option<AccessToken>) -> Step<RevocationFlow> {
        let Some(token) = access_token else {
            return Step::Done(RevocationReport { refresh_token, access_token: Revocation::NotHeld });
        };
        let (request, secrets) = self.request(token.expose(), "access_token");
        Step::Send(request, self.in_state(State::AccessTokenSent { secrets, refresh_token }))
    }

    /// RFC 7009, 2.1.
    fn request(&self, token: &str, hint: &str) -> (HttpRequest, Sent) {
        let post = Post {
            endpoint: &self.endpoint,
            client_id: &self.binding.client_id,
            parameters: vec![("token", token), ("token_type_hint", hint)],
            patience: Patience::Endpoint,
        };
        (post.signed_by(&self.client), self.client.sent(&self.binding.client_id, Some(token)))
    }
}

fn without_endpoint(state: &State) -> RevocationReport {
    let held = |is_held: bool| if is_held { Revocation::NoEndpoint } else { Revocation::NotHeld };
    match state {
        State::New { refresh_token, access_token } => {
            RevocationReport { refresh_token: held(refresh_token.is_some()), access_token: held(access_token.is_some()) }
        }
        // Nothing is ever sent without an endpoint.
        State::RefreshTokenSent { .. } | State::AccessTokenSent { .. } => {
            RevocationReport { refresh_token: Revocation::NoEndpoint, access_token: Revocation::NoEndpoint }
        }
    }
}

fn revocation(input: Input, secrets: &Sent, now: Now) -> Revocation {
    let answer = match input {
        Input::Answered(Ok(answer)) => answer,
        Input::Answered(Err(Undelivered::NothingSent(why))) => return Revocation::Failed(RevocationFailure::Unreachable(why)),
        Input::Answered(Err(Undelivered::AnswerLost(_))) | Input::Begin | Input::Resumed => {
            return Revocation::Failed(RevocationFailure::AnswerLost);
        }
    };
    let status = answer.status;
    Revocation::Failed(match revocation_answer::read(&answer) {
        RevocationAnswer::Revoked => return Revocation::Revoked,
        RevocationAnswer::Error(error) if error.code() == "unsupported_token_type" => return Revocation::NotSupported,
        RevocationAnswer::Error(error) if error.may_pass() => later(&answer, now),
        RevocationAnswer::Error(error) => RevocationFailure::Refused(error.shown(status, secrets)),
        RevocationAnswer::WebPage => RevocationFailure::Misbehaved(ServerMisbehaved::WebPage),
        RevocationAnswer::NoErrorCode(NoErrorCode::Redirect) => {
            RevocationFailure::Misbehaved(ServerMisbehaved::Redirected { status })
        }
        RevocationAnswer::NoErrorCode(NoErrorCode::Later) => later(&answer, now),
        RevocationAnswer::NoErrorCode(NoErrorCode::Object | NoErrorCode::Page) => {
            RevocationFailure::Misbehaved(ServerMisbehaved::NoErrorCode { status })
        }
    })
}

fn later(answer: &HttpAnswer, now: Now) -> RevocationFailure {
    RevocationFailure::Later { retry_after: retry_after::read(answer, now), status: answer.status }
}
