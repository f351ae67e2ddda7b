//! Trading the code in (RFC 6749, 4.1.3; RFC 7636, 4.5): one request that reaches its server.
//!
//! Must never: send again what may have reached its server (D35).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use super::judge::JudgedCode;
use crate::client_authentication::{ClientAuthentication, Post};
use crate::flow::{Deadline, Flow, Input, Step, WaitReason};
use crate::http::{HttpAnswer, HttpRequest, NothingSent, Patience, Undelivered};
use crate::misbehaved::ServerMisbehaved;
use crate::profile::Profile;
use crate::sign_in::{PendingCode, SignInFailure};
use crate::time::{Instant, Now};
use crate::token::{Granted, TokenSuccess};
use crate::wire::error_answer::{RawError, Sent};
use crate::wire::token_answer::{self, TokenAnswer};
use crate::wire::{NoErrorCode, repeated, retry_after};

/// The first wait after a request that was not sent. Each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// No wait is longer: a machine that wakes up has its name service back at some moment, and codes are short-lived.
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// For so long after the first request another is tried. Codes live for at most ten minutes (RFC 6749, 4.1.2), many for one.
const TRIED_FOR: Duration = Duration::from_secs(60);

/// One code traded in.
///
/// What was not sent is tried again for a minute: it spends nothing, the person has answered already, and a machine that wakes up or
/// changes its network has no name service for some seconds. What was sent, with whatever end, is never sent again.
#[derive(Debug)]
pub struct ExchangeFlow {
    exchange: Box<Exchange>,
    state: State,
}

#[derive(Debug)]
struct Exchange {
    pending: PendingCode,
    code: JudgedCode,
    client: ClientAuthentication,
    profile: Arc<Profile>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Nothing has been tried.
    New,
    /// A request is out.
    Sent(Attempt),
    /// Nothing was sent; the next attempt comes then.
    Waiting(Attempt, Deadline),
}

#[derive(Debug, Clone, Copy)]
struct Attempt {
    /// When the first one began.
    first: Instant,
    /// When this one began.
    this: Now,
    /// How long to wait after it.
    wait: Duration,
}

impl ExchangeFlow {
    /// The end of this login.
    #[must_use]
    pub fn new(pending: PendingCode, code: JudgedCode, client: ClientAuthentication) -> Self {
        Self { exchange: Box::new(Exchange { pending, code, client, profile: Arc::default() }), state: State::New }
    }

    /// The same at a provider that differs from the RFCs.
    #[must_use]
    pub fn by(mut self, profile: Arc<Profile>) -> Self {
        self.exchange.profile = profile;
        self
    }

    fn send(exchange: Box<Exchange>, attempt: Attempt) -> Step<Self> {
        Step::Send(exchange.request(), Self { exchange, state: State::Sent(attempt) })
    }

    fn again(exchange: Box<Exchange>, attempt: Attempt, why: NothingSent, now: Now) -> Step<Self> {
        let at = now.instant + attempt.wait;
        if at > attempt.first + TRIED_FOR {
            return Step::Done(Err(SignInFailure::Unreachable(why)));
        }
        let deadline = Deadline { at, why: WaitReason::BackOff };
        Step::WaitUntil(deadline, Self { exchange, state: State::Waiting(attempt, deadline) })
    }
}

impl Flow for ExchangeFlow {
    type Prompt = Infallible;
    type Output = Result<Granted, SignInFailure>;

    fn handle(self, input: Input, now: Now) -> Step<Self> {
        let Self { exchange, state } = self;
        match (state, input) {
            (State::New, _) => Self::send(exchange, Attempt { first: now.instant, this: now, wait: FIRST_WAIT }),
            (State::Sent(attempt), Input::Answered(Ok(answer))) => Step::Done(exchange.answered(attempt, &answer, now)),
            (State::Sent(attempt), Input::Answered(Err(Undelivered::NothingSent(why)))) => {
                Self::again(exchange, attempt, why, now)
            }
            // Sent, and lost or called again without an answer: nobody knows what became of it.
            (State::Sent(_), _) => Step::Done(Err(SignInFailure::AnswerLost)),
            (State::Waiting(attempt, deadline), _) if now.instant < deadline.at => {
                Step::WaitUntil(deadline, Self { exchange, state: State::Waiting(attempt, deadline) })
            }
            (State::Waiting(Attempt { first, wait, .. }, _), _) => {
                Self::send(exchange, Attempt { first, this: now, wait: wait.saturating_mul(2).min(LONGEST_WAIT) })
            }
        }
    }
}

impl Exchange {
    /// RFC 6749, 4.1.3.
    fn request(&self) -> HttpRequest {
        let Self { pending, code, client, profile } = self;
        let mut parameters = vec![
            ("grant_type", "authorization_code"),
            ("code", code.0.expose()),
            ("redirect_uri", pending.redirect_uri.as_str()),
            ("code_verifier", pending.verifier.expose()),
        ];
        // D36: as in the authorization request.
        if let Some(resource) = profile.sent_resource(&pending.binding) {
            parameters.push(("resource", resource.as_str()));
        }
        Post {
            endpoint: &pending.binding.token_endpoint,
            client_id: &pending.binding.client_id,
            parameters,
            patience: Patience::Spending,
        }
        .shaped_by(&profile.token_request.request, client)
    }

    fn answered(self, attempt: Attempt, answer: &HttpAnswer, now: Now) -> Result<Granted, SignInFailure> {
        let status = answer.status;
        let unavailable = || SignInFailure::Unavailable { retry_after: retry_after::read(answer, now) };
        let by = self.profile.understood(&self.profile.token_request);
        Err(match token_answer::read_by(answer, &self.pending.binding, attempt.this, by) {
            TokenAnswer::Success(TokenSuccess { refresh_token: None, token: Err(why) }) => SignInFailure::Misbehaved(why),
            // Bad perhaps, but with a refresh token: the account saves that before it complains (D43).
            TokenAnswer::Success(success) => {
                let success = repeated::left_out(success, &self.sent());
                let PendingCode { binding, requested_scopes, .. } = self.pending;
                return Ok(Granted { success, binding, requested_scopes });
            }
            TokenAnswer::Error(error, _) if error.may_pass_under(status) => unavailable(),
            TokenAnswer::Error(error, _) => self.refused(&error, status),
            // The answer is whole: asking again would bring no other, and a person has to see why.
            TokenAnswer::UnreadableSuccess(why) => SignInFailure::Misbehaved(why),
            TokenAnswer::NoErrorCode(NoErrorCode::Redirect) => SignInFailure::Misbehaved(ServerMisbehaved::Redirected { status }),
            TokenAnswer::NoErrorCode(NoErrorCode::Object) => SignInFailure::Misbehaved(ServerMisbehaved::NoErrorCode { status }),
            // Whoever says it, and in whatever form: there is no such endpoint.
            TokenAnswer::NoErrorCode(NoErrorCode::Page) if matches!(status, 404 | 405) => {
                SignInFailure::Misbehaved(ServerMisbehaved::NoErrorCode { status })
            }
            TokenAnswer::NoErrorCode(NoErrorCode::Later | NoErrorCode::Page) => unavailable(),
        })
    }

    /// What the request tells the server.
    fn sent(&self) -> Sent {
        let Self { pending, code, client, .. } = self;
        client.sent(&pending.binding.client_id, [code.0.expose(), pending.verifier.expose()])
    }

    /// RFC 6749, 5.2.
    fn refused(&self, error: &RawError, status: u16) -> SignInFailure {
        match error.code() {
            "access_denied" | "authorization_declined" => SignInFailure::Denied,
            _ => {
                let shown = error.shown(status, &self.sent());
                // No configuration mends a code that is over; another login may.
                let is_the_code = error.code() == "invalid_grant";
                if is_the_code { SignInFailure::CodeRefused(shown) } else { SignInFailure::Refused(shown) }
            }
        }
    }
}
