//! Whom a login belongs to, where its answer did not tell (P19, D41): the userinfo endpoint (OpenID Connect Core, 5.3) is asked, else
//! the introspection endpoint (RFC 7662).
//!
//! Must never: fail a login, ask an endpoint twice, or show an answer: all but the subject is dropped unread.

#[cfg(test)]
mod tests;

use std::convert::Infallible;

use crate::client_authentication::{ClientAuthentication, Post};
use crate::endpoint::Endpoint;
use crate::flow::{Flow, Input, Step};
use crate::http::{AnswerLost, HttpAnswer, HttpRequest, Method, NothingSent, Patience, Undelivered};
use crate::profile::RequestShape;
use crate::secret::SecretText;
use crate::terms::{Scopes, Subject};
use crate::time::Now;
use crate::token::{Granted, IssuedToken};
use crate::wire::StatusClass;
use crate::wire::identity_answer::{self, Asked};
use crate::wire::repeated;

/// What a token must be granted for before the userinfo endpoint speaks (OpenID Connect Core, 5.3 and 5.4).
const OPENID: &str = "openid";

/// Where a server tells whom a token belongs to. Both stood in the document that named the token endpoint: the access token goes to
/// nobody else (P14).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdentityEndpoints {
    /// OpenID Connect Core, 5.3.
    pub userinfo: Option<Endpoint>,
    /// RFC 7662, section 2.
    pub introspection: Option<Endpoint>,
}

/// Why nobody knows whom a login belongs to: for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoIdentity {
    /// The login brought no access token that can be used.
    #[error("there is no access token to ask with")]
    NoToken,
    /// No endpoint, or none that would answer this client and this token.
    #[error("the authorization server offers no way to ask")]
    NotOffered,
    /// Nothing reached the server.
    #[error("the authorization server could not be reached: {0}")]
    NothingSent(NothingSent),
    /// No whole answer came.
    #[error("the answer was lost: {0}")]
    AnswerLost(AnswerLost),
    /// Whoever asked did not wait any longer.
    #[error("the authorization server did not answer in time")]
    TooSlow,
    /// A redirect, a refusal, or "later".
    #[error("the authorization server answered with status {status}")]
    Refused {
        /// The status.
        status: u16,
    },
    /// A signed answer (OpenID Connect Core, 5.3.2), which would have to be checked against keys.
    #[error("the answer is a JWT, which is not read here")]
    Signed,
    /// A web page, half an object, a member that came twice.
    #[error("the answer is not a readable JSON object")]
    NotAnObject,
    /// The server does not hold the token for a living one (RFC 7662, 2.2).
    #[error("the authorization server says that the token is not active")]
    Inactive,
    /// It speaks of a token of another issuer or client (RFC 7662, 2.2).
    #[error("the answer is about a token of another issuer or client")]
    NotOurs,
    /// No `sub`, or one that is no text of 1 to 255 printable ASCII characters (OpenID Connect Core, section 2).
    #[error("the answer has no usable `sub`")]
    NoSubject,
    /// The `sub` repeats a secret (P10).
    #[error("the `sub` of the answer repeats a secret")]
    RepeatsASecret,
}

impl NoIdentity {
    /// Whether the other endpoint may be asked in its place. Not where the same question may have an answer tomorrow: two endpoints may
    /// name one person differently (OpenID Connect Core, 8.1), and who somebody is must not depend on the weather.
    fn leads_on(self) -> bool {
        match self {
            Self::Refused { status } => StatusClass::of(status) == StatusClass::Refusal,
            Self::Signed | Self::NoSubject => true,
            _ => false,
        }
    }
}

/// The question whom a login belongs to: at most one request to each endpoint.
#[derive(Debug)]
pub struct IdentityFlow {
    question: Box<Question>,
    state: State,
}

#[derive(Debug)]
struct Question {
    granted: Granted,
    endpoints: IdentityEndpoints,
    client: ClientAuthentication,
}

#[derive(Debug, Clone, Copy)]
enum State {
    New,
    Sent(Asked),
}

impl IdentityFlow {
    /// Whom this login of this client belongs to.
    #[must_use]
    pub fn new(granted: Granted, endpoints: IdentityEndpoints, client: ClientAuthentication) -> Self {
        Self { question: Box::new(Question { granted, endpoints, client }), state: State::New }
    }

    fn introspect(question: Box<Question>, otherwise: NoIdentity) -> Step<Self> {
        match question.introspection() {
            Some(request) => Step::Send(request, Self { question, state: State::Sent(Asked::Introspection) }),
            None => Step::Done(Err(otherwise)),
        }
    }
}

impl Flow for IdentityFlow {
    type Prompt = Infallible;
    type Output = Result<Subject, NoIdentity>;

    fn handle(self, input: Input, _: Now) -> Step<Self> {
        let Self { question, state } = self;
        match state {
            State::New if question.token().is_none() => Step::Done(Err(NoIdentity::NoToken)),
            State::New => match question.userinfo() {
                Some(request) => Step::Send(request, Self { question, state: State::Sent(Asked::Userinfo) }),
                None => Self::introspect(question, NoIdentity::NotOffered),
            },
            State::Sent(asked) => match (asked, question.told(asked, input)) {
                (Asked::Userinfo, Err(why)) if why.leads_on() => Self::introspect(question, why),
                (_, told) => Step::Done(told),
            },
        }
    }
}

/// Whether there is anything to ask with: a scope that lets the userinfo endpoint speak, or a client that introspection listens to.
#[must_use]
pub fn may_be_asked(granted: &Granted, client: &ClientAuthentication) -> bool {
    scopes(granted).iter().any(|scope| scope == OPENID) || *client != ClientAuthentication::Public
}

/// RFC 6749, 5.1: as requested, where the answer named none.
fn scopes(granted: &Granted) -> &Scopes {
    granted.success.token.as_ref().ok().and_then(|token| token.scopes.as_ref()).unwrap_or(&granted.requested_scopes)
}

impl Question {
    fn token(&self) -> Option<&IssuedToken> {
        self.granted.success.token.as_ref().ok()
    }

    /// OpenID Connect Core, 5.3.1; RFC 6750, 2.1.
    fn userinfo(&self) -> Option<HttpRequest> {
        let endpoint = self.endpoints.userinfo.clone()?;
        let token = self.token().filter(|_| scopes(&self.granted).iter().any(|scope| scope == OPENID))?;
        let authorization = Some(SecretText::new(format!("Bearer {}", token.access_token.expose())));
        Some(HttpRequest { endpoint, method: Method::Get, authorization, patience: Patience::Endpoint })
    }

    /// RFC 7662, 2.1. Nearly every server refuses a client that does not authenticate, as it should: such a one does not ask.
    fn introspection(&self) -> Option<HttpRequest> {
        let endpoint = self.endpoints.introspection.as_ref().filter(|_| self.client != ClientAuthentication::Public)?;
        let token = self.token()?.access_token.expose();
        let post = Post {
            endpoint,
            client_id: &self.granted.binding.client_id,
            parameters: vec![("token", token), ("token_type_hint", "access_token")],
            patience: Patience::Endpoint,
        };
        Some(post.shaped_by(&RequestShape::default(), &self.client))
    }

    fn told(&self, asked: Asked, input: Input) -> Result<Subject, NoIdentity> {
        let answer: HttpAnswer = match input {
            Input::Answered(Ok(answer)) => answer,
            Input::Answered(Err(Undelivered::NothingSent(why))) => return Err(NoIdentity::NothingSent(why)),
            Input::Answered(Err(Undelivered::AnswerLost(why))) => return Err(NoIdentity::AnswerLost(why)),
            Input::Begin | Input::Resumed => return Err(NoIdentity::AnswerLost(AnswerLost::Interrupted)),
        };
        let Granted { success, binding, .. } = &self.granted;
        let subject = identity_answer::read(&answer, asked, binding)?;
        if repeated::is_told_by(subject.as_str(), success, &self.client.sent(&binding.client_id, None)) {
            return Err(NoIdentity::RepeatsASecret);
        }
        Ok(subject)
    }
}
