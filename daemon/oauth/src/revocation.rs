//! Giving tokens back (RFC 7009): the refresh token first, then the access token (D63).
//!
//! Must never: keep anybody from forgetting the tokens here. Its end is told, and changes nothing.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crate::client_authentication::{ClientAuthentication, Post};
use crate::endpoint::Endpoint;
use crate::flow::{Flow, Input, Step};
use crate::http::{HttpAnswer, HttpRequest, NothingSent, Patience, Undelivered};
use crate::misbehaved::ServerMisbehaved;
use crate::profile::{AnswerShape, Profile};
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
    profile: Arc<Profile>,
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
        Self { client, binding, profile: Arc::default(), state: State::New { refresh_token, access_token } }
    }

    /// The same, as this provider wants it.
    #[must_use]
    pub fn by(self, profile: Arc<Profile>) -> Self {
        Self { profile, ..self }
    }
}

impl Flow for RevocationFlow {
    type Prompt = Infallible;
    type Output = RevocationReport;

    fn handle(self, input: Input, now: Now) -> Step<Self> {
        let Self { client, binding, profile, state } = self;
        let Some(endpoint) = binding.revocation_endpoint.clone() else { return Step::Done(without_endpoint(&state)) };
        let asker = Asker { client, binding, profile, endpoint };
        match state {
            State::New { refresh_token: Some(token), access_token } => {
                let (request, secrets) = asker.request(token.expose(), "refresh_token");
                Step::Send(request, asker.in_state(State::RefreshTokenSent { secrets, access_token }))
            }
            State::New { refresh_token: None, access_token } => asker.go_on((Revocation::NotHeld, Sent::default()), access_token),
            State::RefreshTokenSent { secrets, access_token } => {
                let ended = revocation(input, &secrets, now, asker.answers());
                asker.go_on((ended, secrets), access_token)
            }
            State::AccessTokenSent { secrets, refresh_token } => {
                let access_token = revocation(input, &secrets, now, asker.answers());
                Step::Done(RevocationReport { refresh_token, access_token })
            }
        }
    }
}

/// In whose name, and where, is asked.
struct Asker {
    client: ClientAuthentication,
    binding: Binding,
    profile: Arc<Profile>,
    endpoint: Endpoint,
}

impl Asker {
    fn in_state(self, state: State) -> RevocationFlow {
        RevocationFlow { client: self.client, binding: self.binding, profile: self.profile, state }
    }

    fn answers(&self) -> &AnswerShape {
        &self.profile.revocation.answer
    }

    /// However the refresh token fared, the access token is tried too. A server may echo in its second answer what was in the
    /// first request (P10).
    fn go_on(self, (refresh_token, before): (Revocation, Sent), access_token: Option<AccessToken>) -> Step<RevocationFlow> {
        let Some(token) = access_token else {
            return Step::Done(RevocationReport { refresh_token, access_token: Revocation::NotHeld });
        };
        let (request, secrets) = self.request(token.expose(), "access_token");
        Step::Send(request, self.in_state(State::AccessTokenSent { secrets: secrets.and(before), refresh_token }))
    }

    /// RFC 7009, 2.1.
    fn request(&self, token: &str, hint: &str) -> (HttpRequest, Sent) {
        let post = Post {
            endpoint: &self.endpoint,
            client_id: &self.binding.client_id,
            parameters: vec![("token", token), ("token_type_hint", hint)],
            patience: Patience::Endpoint,
        };
        (post.shaped_by(&self.profile.revocation.request, &self.client), self.client.sent(&self.binding.client_id, Some(token)))
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

fn revocation(input: Input, secrets: &Sent, now: Now, answers: &AnswerShape) -> Revocation {
    let answer = match input {
        Input::Answered(Ok(answer)) => answer,
        Input::Answered(Err(Undelivered::NothingSent(why))) => return Revocation::Failed(RevocationFailure::Unreachable(why)),
        Input::Answered(Err(Undelivered::AnswerLost(_))) | Input::Begin | Input::Resumed => {
            return Revocation::Failed(RevocationFailure::AnswerLost);
        }
    };
    let status = answer.status;
    Revocation::Failed(match revocation_answer::read(&answer, answers) {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use crate::endpoint::Loopback;
    use crate::http::{AnswerLost, Method};
    use crate::terms::ClientId;
    use crate::time::{Instant, WallTime};
    use crate::wire::tests::answer;

    const NOW: Now = Now { instant: Instant::from_millis(0), wall: WallTime::from_millis(0) };

    #[derive(Clone, Copy)]
    enum Offered {
        Yes,
        No,
    }

    fn flow(tokens: (Option<&str>, Option<&str>), offered: Offered) -> RevocationFlow {
        let endpoint = |path: &str| Endpoint::parse(&format!("https://as.example/{path}"), Loopback::Refused).unwrap();
        RevocationFlow::new(RevocationRequest {
            refresh_token: tokens.0.map(RefreshToken::new),
            access_token: tokens.1.map(AccessToken::new),
            binding: Binding {
                issuer: None,
                token_endpoint: endpoint("token"),
                revocation_endpoint: matches!(offered, Offered::Yes).then(|| endpoint("revoke")),
                client_id: ClientId::new("me"),
                resource: None,
            },
            client: ClientAuthentication::Public,
        })
    }

    /// Runs to the end; tells the bodies that were sent.
    fn run(flow: RevocationFlow, answers: Vec<Result<HttpAnswer, Undelivered>>) -> (Vec<String>, RevocationReport) {
        let mut sent = Vec::new();
        let mut answers = answers.into_iter();
        let mut step = flow.handle(Input::Begin, NOW);
        loop {
            assert!(!format!("{step:?}").contains("SNTL"), "{step:?}");
            step = match step {
                Step::Send(request, flow) => {
                    assert_eq!(request.endpoint.as_str(), "https://as.example/revoke");
                    let Method::PostForm(body) = request.method else { panic!("not a POST") };
                    sent.push(body.expose().to_owned());
                    flow.handle(Input::Answered(answers.next().unwrap()), NOW)
                }
                Step::Done(report) => return (sent, report),
                other => panic!("{other:?}"),
            };
        }
    }

    const BOTH: (Option<&str>, Option<&str>) = (Some("SNTL_RT"), Some("SNTL_AT"));

    #[test]
    fn d63_the_refresh_token_goes_first_and_then_the_access_token() {
        let (sent, report) = run(flow(BOTH, Offered::Yes), vec![Ok(answer(200, "")), Ok(answer(200, "{}"))]);
        assert_eq!(
            sent,
            [
                "token=SNTL_RT&token_type_hint=refresh_token&client_id=me",
                "token=SNTL_AT&token_type_hint=access_token&client_id=me",
            ]
        );
        assert_eq!(report, RevocationReport { refresh_token: Revocation::Revoked, access_token: Revocation::Revoked });
    }

    #[test]
    fn d63_a_failure_is_told_and_does_not_keep_the_other_token() {
        let cannot = || Err(Undelivered::NothingSent(NothingSent::NotConnected));
        let (sent, report) = run(flow(BOTH, Offered::Yes), vec![cannot(), Ok(answer(200, ""))]);
        assert_eq!(sent.len(), 2);
        assert_eq!(report.refresh_token, Revocation::Failed(RevocationFailure::Unreachable(NothingSent::NotConnected)));
        assert_eq!(report.access_token, Revocation::Revoked);
    }

    #[test]
    fn d63_without_an_endpoint_nothing_is_sent() {
        let (sent, report) = run(flow((Some("SNTL_RT"), None), Offered::No), Vec::new());
        assert!(sent.is_empty());
        assert_eq!(report, RevocationReport { refresh_token: Revocation::NoEndpoint, access_token: Revocation::NotHeld });
    }

    #[test]
    fn what_is_not_held_is_not_sent() {
        let (sent, report) =
            run(flow((None, Some("SNTL_AT")), Offered::Yes), vec![Ok(answer(400, r#"{"error":"unsupported_token_type"}"#))]);
        assert_eq!(sent.len(), 1);
        assert_eq!(report, RevocationReport { refresh_token: Revocation::NotHeld, access_token: Revocation::NotSupported });
        assert!(run(flow((None, None), Offered::Yes), Vec::new()).0.is_empty());
    }

    #[test]
    fn every_answer_tells_what_became_of_the_token() {
        let lost = Err(Undelivered::AnswerLost(AnswerLost::ConnectionEnded));
        let page = RevocationFailure::Misbehaved(ServerMisbehaved::WebPage);
        for (result, wanted) in [
            (lost, RevocationFailure::AnswerLost),
            (Ok(answer(503, "")), RevocationFailure::Later { retry_after: None, status: 503 }),
            (
                Ok(answer(400, r#"{"error":"temporarily_unavailable"}"#)),
                RevocationFailure::Later { retry_after: None, status: 400 },
            ),
            (Ok(answer(307, "")), RevocationFailure::Misbehaved(ServerMisbehaved::Redirected { status: 307 })),
            (Ok(answer(404, "<html>")), RevocationFailure::Misbehaved(ServerMisbehaved::NoErrorCode { status: 404 })),
            (Ok(answer(200, "<html>")), page),
        ] {
            let (_, report) = run(flow((Some("SNTL_RT"), None), Offered::Yes), vec![result]);
            assert_eq!(report.refresh_token, Revocation::Failed(wanted));
        }
    }

    #[test]
    fn d61_a_refusal_does_not_echo_the_token() {
        let body = r#"{"error":"invalid_request","error_description":"no such token: SNTL_RT"}"#;
        let (_, report) = run(flow((Some("SNTL_RT"), None), Offered::Yes), vec![Ok(answer(200, body))]);
        let Revocation::Failed(RevocationFailure::Refused(error)) = report.refresh_token else { panic!("not refused") };
        assert_eq!((error.error.as_str(), error.description), ("invalid_request", None));
    }

    #[test]
    fn d61_the_second_refusal_does_not_echo_the_token_of_the_first() {
        for first in [answer(200, ""), answer(503, ""), answer(400, r#"{"error":"invalid_request"}"#)] {
            let body = r#"{"error":"invalid_request","error_description":"after SNTL_RT_first"}"#;
            let both = (Some("SNTL_RT_first"), Some("SNTL_AT"));
            let (_, report) = run(flow(both, Offered::Yes), vec![Ok(first), Ok(answer(400, body))]);
            let Revocation::Failed(RevocationFailure::Refused(error)) = report.access_token else { panic!("not refused") };
            assert_eq!((error.error.as_str(), error.description), ("invalid_request", None));
        }
    }
}
