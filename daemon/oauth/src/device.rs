//! The device authorization grant (RFC 8628): one request for a code, the person is asked, then polls until the login ends.
//!
//! Must never: poll faster than the server allows (D11-D13), end a login for a failure that may pass (D14), or decide by a status
//! what the `error` member decides (D17).

mod schedule;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::client_authentication::{ClientAuthentication, Post};
use crate::endpoint::{Endpoint, Loopback};
use crate::extra_parameters;
use crate::flow::{Deadline, Flow, Input, Step, WaitReason};
use crate::http::{AnswerLost, HttpAnswer, Patience, Undelivered};
use crate::misbehaved::ServerMisbehaved;
use crate::profile::{DeviceGrant, PollStatus, Profile};
use crate::sign_in::{PendingDevice, SignInFailure};
use crate::terms::{Audience, Scopes};
use crate::time::{Instant, Now};
use crate::token::{Binding, ErrorAnswer, Granted, TokenSuccess};
use crate::wire::device_answer::{self, DeviceAnswer, DeviceAuthorization};
use crate::wire::error_answer::{RawError, Sent};
use crate::wire::token_answer::{self, TokenAnswer};
use crate::wire::{NoErrorCode, repeated, retry_after};
use schedule::{Next, Polling, Setback};

/// RFC 8628, 3.4.
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// What a login begins with (RFC 8628, 3.1).
#[derive(Debug, Clone)]
pub struct DeviceRequest {
    /// Where the code is asked for.
    pub device_authorization_endpoint: Endpoint,
    /// Where the tokens will come from; the `client_id` and the `resource` (RFC 8707, section 2) are in it.
    pub binding: Binding,
    /// What is asked for. Empty: no `scope` is sent.
    pub scopes: Scopes,
    /// The `audience` parameter (Auth0), byte for byte.
    pub audience: Option<Audience>,
    /// Further parameters of the request for the code. They cannot replace one of the protocol.
    pub extra_parameters: BTreeMap<String, String>,
    /// Whether the person may be sent to a page on this machine (D19).
    pub loopback: Loopback,
    /// How the client says who it is.
    pub client: ClientAuthentication,
}

/// A login by device code.
///
/// The prompt of [`Step::AskUser`] is also the record that [`DeviceFlow::resume`] takes after a restart.
#[derive(Debug)]
pub struct DeviceFlow {
    client: Client,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing has been sent.
    New(Box<DeviceRequest>),
    /// The code was asked for at this time.
    Asking { request: Box<DeviceRequest>, asked: Now },
    /// The person is being told; the first wait counts from when the answer came.
    Telling { polling: Polling, answered: Instant },
    /// A login from before a restart.
    Restored(Polling),
    /// The next poll comes then, not before.
    Waiting { polling: Polling, poll: Deadline },
    /// A poll is out.
    Polled(Poll),
    /// No poll fits in before the code ends.
    Ending { expires: Instant },
}

/// A poll that is out.
#[derive(Debug)]
struct Poll {
    polling: Polling,
    sent: Now,
    turn: Turn,
}

/// Whether another poll may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// As long as the code lives.
    Usual,
    /// The machine slept past the code's end: this is the one poll that D15 leaves.
    Last,
}

/// What a poll comes to.
enum Verdict {
    Granted(TokenSuccess),
    Failed(SignInFailure),
    GoOn(Setback),
}

impl DeviceFlow {
    /// A new login.
    #[must_use]
    pub fn new(request: DeviceRequest) -> Self {
        Self { client: Client::new(request.client.clone()), state: State::New(Box::new(request)) }
    }

    /// Goes on with a login from before a restart. Its person has been told; it waits for one interval, and polls.
    #[must_use]
    pub fn resume(pending: PendingDevice, client: ClientAuthentication) -> Self {
        Self { client: Client::new(client), state: State::Restored(Polling::new(pending)) }
    }

    /// The same, as this provider wants it.
    #[must_use]
    pub fn by(self, profile: Arc<Profile>) -> Self {
        Self { client: Client { profile, ..self.client }, ..self }
    }
}

impl Flow for DeviceFlow {
    type Prompt = PendingDevice;
    type Output = Result<Granted, SignInFailure>;

    fn handle(self, input: Input, now: Now) -> Step<Self> {
        let Self { client, state } = self;
        match (state, input) {
            (State::New(_), _) if client.profile.device_grant == DeviceGrant::Unavailable => failed(SignInFailure::NoDeviceGrant),
            (State::New(request), _) => client.ask(request, now),
            (State::Asking { request, asked }, Input::Answered(Ok(answer))) => client.asked(*request, asked, &answer, now),
            (State::Asking { .. }, Input::Answered(Err(Undelivered::NothingSent(why)))) => {
                failed(SignInFailure::Unreachable(why))
            }
            (State::Asking { .. }, _) => failed(SignInFailure::Unavailable { retry_after: None }),
            (State::Telling { polling, answered }, _) => {
                let next = polling.first(answered);
                client.wait(polling, next)
            }
            (State::Restored(polling), _) => {
                let next = polling.first(now.instant);
                client.wait(polling, next)
            }
            (State::Waiting { polling, poll }, _) if now.instant < poll.at => client.wait(polling, Next::Poll(poll)),
            (State::Waiting { polling, .. }, _) => client.poll(polling, now),
            (State::Polled(poll), Input::Answered(result)) => client.polled(poll, &result, now),
            // Nobody knows what became of the poll.
            (State::Polled(poll), _) => client.polled(poll, &Err(Undelivered::AnswerLost(AnswerLost::Interrupted)), now),
            (State::Ending { expires }, _) if now.instant < expires => client.end(expires),
            (State::Ending { .. }, _) => failed(SignInFailure::Expired),
        }
    }
}

/// In whose name the flow asks, and how this provider wants to be asked.
#[derive(Debug)]
struct Client {
    authentication: ClientAuthentication,
    profile: Arc<Profile>,
}

impl Client {
    fn new(authentication: ClientAuthentication) -> Self {
        Self { authentication, profile: Arc::default() }
    }

    fn in_state(self, state: State) -> DeviceFlow {
        DeviceFlow { client: self, state }
    }

    /// RFC 8628, 3.1.
    fn ask(self, request: Box<DeviceRequest>, now: Now) -> Step<DeviceFlow> {
        let scope = request.scopes.to_parameter();
        let mut parameters: Vec<(&str, &str)> = Vec::new();
        if !scope.is_empty() {
            parameters.push(("scope", &scope));
        }
        if let Some(resource) = self.profile.sent_resource(&request.binding) {
            parameters.push(("resource", resource.as_str()));
        }
        if let Some(audience) = &request.audience {
            parameters.push(("audience", audience.as_str()));
        }
        extra_parameters::append(&mut parameters, &request.extra_parameters);
        let post = Post {
            endpoint: &request.device_authorization_endpoint,
            client_id: &request.binding.client_id,
            parameters,
            patience: Patience::Endpoint,
        };
        let sent = post.shaped_by(&self.profile.device_authorization.request, &self.authentication);
        Step::Send(sent, self.in_state(State::Asking { request, asked: now }))
    }

    /// RFC 8628, 3.2.
    fn asked(self, request: DeviceRequest, asked: Now, answer: &HttpAnswer, now: Now) -> Step<DeviceFlow> {
        let wish = retry_after::read(answer, now);
        let shape = &self.profile.device_authorization.answer;
        let read = device_answer::read_shaped(answer, request.loopback, shape);
        let DeviceAuthorization { device_code, prompt, life, interval } = match read {
            DeviceAnswer::Authorization(authorization) => authorization,
            DeviceAnswer::Error(error) => {
                let sent = self.authentication.sent(&request.binding.client_id, None);
                return failed(not_authorized(&error, &error.shown(answer.status, &sent), wish));
            }
            DeviceAnswer::NoErrorCode(what) => return failed(no_error_code(what, answer.status, wish)),
            DeviceAnswer::Misbehaved(ServerMisbehaved::WebPage) => {
                return failed(SignInFailure::Unavailable { retry_after: wish });
            }
            DeviceAnswer::Misbehaved(why) => return failed(SignInFailure::Misbehaved(why)),
        };
        let pending = PendingDevice {
            device_code,
            prompt,
            expires: asked.instant + life,
            expires_wall: asked.wall + life,
            interval,
            binding: request.binding,
            requested_scopes: request.scopes,
        };
        let state = State::Telling { polling: Polling::new(pending.clone()), answered: now.instant };
        Step::AskUser(pending, self.in_state(state))
    }

    fn wait(self, polling: Polling, next: Next) -> Step<DeviceFlow> {
        match next {
            Next::Poll(poll) => Step::WaitUntil(poll, self.in_state(State::Waiting { polling, poll })),
            Next::Never => self.end(polling.pending.expires),
        }
    }

    fn end(self, expires: Instant) -> Step<DeviceFlow> {
        let deadline = Deadline { at: expires, why: WaitReason::PollInterval };
        Step::WaitUntil(deadline, self.in_state(State::Ending { expires }))
    }

    /// RFC 8628, 3.4.
    fn poll(self, polling: Polling, now: Now) -> Step<DeviceFlow> {
        let pending = &polling.pending;
        let turn = if now.instant >= pending.expires { Turn::Last } else { Turn::Usual };
        let mut parameters = vec![("grant_type", GRANT_TYPE), ("device_code", pending.device_code.expose())];
        if let Some(resource) = self.profile.sent_resource(&pending.binding) {
            parameters.push(("resource", resource.as_str()));
        }
        let request = Post {
            endpoint: &pending.binding.token_endpoint,
            client_id: &pending.binding.client_id,
            parameters,
            patience: Patience::Endpoint,
        }
        .shaped_by(&self.profile.poll.request, &self.authentication);
        Step::Send(request, self.in_state(State::Polled(Poll { polling, sent: now, turn })))
    }

    /// RFC 8628, 3.5.
    fn polled(self, poll: Poll, result: &Result<HttpAnswer, Undelivered>, now: Now) -> Step<DeviceFlow> {
        let (verdict, wish) = match result {
            Ok(answer) => (self.verdict(&poll, answer), retry_after::read(answer, now)),
            Err(Undelivered::NothingSent(_)) => (Verdict::GoOn(Setback::Failed), None),
            Err(Undelivered::AnswerLost(_)) => (Verdict::GoOn(Setback::AnswerLost), None),
        };
        let Poll { mut polling, turn, .. } = poll;
        match verdict {
            Verdict::Granted(success) => {
                let PendingDevice { binding, requested_scopes, .. } = polling.pending;
                Step::Done(Ok(Granted { success, binding, requested_scopes }))
            }
            Verdict::Failed(why) => failed(why),
            Verdict::GoOn(_) if turn == Turn::Last => failed(SignInFailure::Expired),
            Verdict::GoOn(setback) => {
                polling.note(setback);
                let next = polling.next(now.instant, wish);
                self.wait(polling, next)
            }
        }
    }

    fn verdict(&self, poll: &Poll, answer: &HttpAnswer) -> Verdict {
        let status = answer.status;
        let by = self.profile.understood(&self.profile.poll);
        match token_answer::read_by(answer, &poll.polling.pending.binding, poll.sent, by) {
            TokenAnswer::Success(TokenSuccess { refresh_token: None, token: Err(why) }) => {
                self.by_status(status).unwrap_or(Verdict::Failed(SignInFailure::Misbehaved(why)))
            }
            // Bad perhaps, but with a refresh token: the account saves that before it complains (D43).
            TokenAnswer::Success(success) => Verdict::Granted(repeated::left_out(success, &self.sent(&poll.polling.pending))),
            TokenAnswer::Error(error, interval) => match self.profile.errors.at_poll(error.code()) {
                "authorization_pending" => Verdict::GoOn(Setback::Pending),
                "slow_down" => Verdict::GoOn(Setback::SlowDown(interval)),
                code => self.refused(poll, (code, &error), status),
            },
            // A success that nobody can read may have used the code up.
            TokenAnswer::UnreadableSuccess(_) => self.by_status(status).unwrap_or(Verdict::GoOn(Setback::AnswerLost)),
            TokenAnswer::NoErrorCode(NoErrorCode::Redirect) => {
                Verdict::Failed(SignInFailure::Misbehaved(ServerMisbehaved::Redirected { status }))
            }
            TokenAnswer::NoErrorCode(what) => self.by_status(status).unwrap_or(match what {
                NoErrorCode::Object | NoErrorCode::Redirect => {
                    Verdict::Failed(SignInFailure::Misbehaved(ServerMisbehaved::NoErrorCode { status }))
                }
                NoErrorCode::Later if status == 429 => Verdict::GoOn(Setback::SlowDown(None)),
                NoErrorCode::Later | NoErrorCode::Page => Verdict::GoOn(Setback::Failed),
            }),
        }
    }

    /// What the status alone says, where the provider says something by it.
    fn by_status(&self, status: u16) -> Option<Verdict> {
        let says = self.profile.errors.poll_status(status)?;
        Some(Verdict::GoOn(match says {
            PollStatus::Pending => Setback::Pending,
            PollStatus::SlowDown => Setback::SlowDown(None),
        }))
    }

    /// What a poll tells the server.
    fn sent(&self, pending: &PendingDevice) -> Sent {
        self.authentication.sent(&pending.binding.client_id, Some(pending.device_code.expose()))
    }

    /// D16.
    fn refused(&self, poll: &Poll, (code, error): (&str, &RawError), status: u16) -> Verdict {
        let pending = &poll.polling.pending;
        let may_be_used = poll.polling.may_be_used();
        let sent = self.sent(pending);
        Verdict::Failed(match code {
            "access_denied" | "authorization_declined" => SignInFailure::Denied,
            // After a lost answer a dead code is most likely a used one.
            "invalid_grant" | "bad_verification_code" | "incorrect_device_code" if may_be_used => SignInFailure::AnswerLost,
            "expired_token" | "token_expired" if may_be_used && poll.turn == Turn::Usual => SignInFailure::AnswerLost,
            "expired_token" | "token_expired" => SignInFailure::Expired,
            _ if error.may_pass() => return Verdict::GoOn(Setback::Failed),
            _ => match self.by_status(status).filter(|_| !error.is_refusal()) {
                Some(verdict) => return verdict,
                None if error.may_pass_under(status) => return Verdict::GoOn(Setback::Failed),
                // RFC 8628, 3.5: at any other code polling ends.
                None => SignInFailure::Refused(error.shown(status, &sent)),
            },
        })
    }
}

fn not_authorized(error: &RawError, shown: &ErrorAnswer, wish: Option<Duration>) -> SignInFailure {
    if error.may_pass_under(shown.status) {
        return SignInFailure::Unavailable { retry_after: wish };
    }
    SignInFailure::Refused(shown.clone())
}

fn no_error_code(what: NoErrorCode, status: u16, wish: Option<Duration>) -> SignInFailure {
    match what {
        NoErrorCode::Redirect => SignInFailure::Misbehaved(ServerMisbehaved::Redirected { status }),
        // Whoever says it, and in whatever form: there is no such endpoint.
        NoErrorCode::Object | NoErrorCode::Page if matches!(status, 404 | 405) => SignInFailure::NoDeviceGrant,
        NoErrorCode::Object => SignInFailure::Misbehaved(ServerMisbehaved::NoErrorCode { status }),
        NoErrorCode::Later | NoErrorCode::Page => SignInFailure::Unavailable { retry_after: wish },
    }
}

fn failed(why: SignInFailure) -> Step<DeviceFlow> {
    Step::Done(Err(why))
}
