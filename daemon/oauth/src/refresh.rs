//! Spending a refresh token (RFC 6749, section 6): one request, and what its answer comes to.
//!
//! Must never: send twice (I1), or call an outcome known that is not (D56).

use std::convert::Infallible;

use crate::client_authentication::{ClientAuthentication, Post};
use crate::flow::{Flow, Input, Step};
use crate::http::{AnswerLost, HttpAnswer, HttpRequest, Patience, Undelivered};
use crate::secret::RefreshToken;
use crate::time::Now;
use crate::token::{Binding, ErrorAnswer, OutcomeUnknown, RefreshOutcome};
use crate::wire::error_answer::{RawError, Sent};
use crate::wire::token_answer::{self, TokenAnswer};
use crate::wire::{NoErrorCode, StatusClass, retry_after};

/// The `error` that stands in an [`ErrorAnswer`] where the token endpoint answered with a redirect. No server sends it: it is ours.
///
/// A redirect is never followed (D5); it comes as [`RefreshOutcome::Configuration`], because only another endpoint helps.
pub const REDIRECTED: &str = "redirected";

/// One refresh.
#[derive(Debug)]
pub struct RefreshFlow {
    client: ClientAuthentication,
    binding: Binding,
    state: State,
}

#[derive(Debug)]
enum State {
    New(RefreshToken),
    Sent { requested_at: Now, secrets: Sent },
}

impl RefreshFlow {
    /// A refresh of this grant, where it came from (P14).
    #[must_use]
    pub fn new(refresh_token: RefreshToken, binding: Binding, client: ClientAuthentication) -> Self {
        Self { client, binding, state: State::New(refresh_token) }
    }
}

impl Flow for RefreshFlow {
    type Prompt = Infallible;
    type Output = RefreshOutcome;

    fn handle(self, input: Input, now: Now) -> Step<Self> {
        let Self { client, binding, state } = self;
        let (requested_at, secrets) = match state {
            State::New(refresh_token) => {
                let request = request(&refresh_token, &binding, &client);
                let secrets = client.sent(&binding.client_id, Some(refresh_token.expose()));
                return Step::Send(request, Self { client, binding, state: State::Sent { requested_at: now, secrets } });
            }
            State::Sent { requested_at, secrets } => (requested_at, secrets),
        };
        Step::Done(match input {
            Input::Answered(Ok(answer)) => match token_answer::read(&answer, &binding, requested_at) {
                TokenAnswer::Success(success) => RefreshOutcome::Success(success),
                TokenAnswer::Error(error, _) => refused(&error, &secrets, &answer, now),
                TokenAnswer::UnreadableSuccess(why) => RefreshOutcome::OutcomeUnknown(OutcomeUnknown::Unreadable(why)),
                TokenAnswer::NoErrorCode(NoErrorCode::Redirect) => RefreshOutcome::Configuration(redirected(answer.status)),
                TokenAnswer::NoErrorCode(_) => later(&answer, now),
            },
            Input::Answered(Err(Undelivered::NothingSent(why))) => RefreshOutcome::NothingSent(why),
            Input::Answered(Err(Undelivered::AnswerLost(how))) => RefreshOutcome::OutcomeUnknown(OutcomeUnknown::AnswerLost(how)),
            // Sent, and called again without an answer: nobody knows what became of it, and it must not be sent again.
            Input::Begin | Input::Resumed => RefreshOutcome::OutcomeUnknown(OutcomeUnknown::AnswerLost(AnswerLost::Interrupted)),
        })
    }
}

fn request(refresh_token: &RefreshToken, binding: &Binding, client: &ClientAuthentication) -> HttpRequest {
    let mut parameters = vec![("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose())];
    // D36: as at the login, byte for byte. No `scope`: the refresh keeps what was granted (RFC 6749, section 6).
    if let Some(resource) = &binding.resource {
        parameters.push(("resource", resource.as_str()));
    }
    Post { endpoint: &binding.token_endpoint, client_id: &binding.client_id, parameters, patience: Patience::Spending }
        .signed_by(client)
}

/// D45-D49: known codes decide, whatever the status; the status decides about the others.
fn refused(error: &RawError, secrets: &Sent, answer: &HttpAnswer, now: Now) -> RefreshOutcome {
    let shown = || error.shown(answer.status, secrets);
    if error.is_dead_grant() || (error.code() == "unauthorized_client" && error.blames_the_refresh_token()) {
        RefreshOutcome::DeadGrant(shown())
    } else if error.is_configuration() {
        RefreshOutcome::Configuration(shown())
    } else if error.may_pass() || StatusClass::of(answer.status) == StatusClass::Later {
        later(answer, now)
    } else {
        RefreshOutcome::UnknownError(shown())
    }
}

fn later(answer: &HttpAnswer, now: Now) -> RefreshOutcome {
    RefreshOutcome::Later { retry_after: retry_after::read(answer, now), status: answer.status }
}

fn redirected(status: u16) -> ErrorAnswer {
    let description =
        "the token endpoint answered with a redirect, which is never followed; configure the endpoint it has moved to";
    ErrorAnswer { error: REDIRECTED.to_owned(), description: Some(description.to_owned()), status }
}
