//! What a token endpoint's answer comes to, in words that the account machine acts on.
//!
//! Must never: decide what to do about it. That is the account machine's work.

use std::time::Duration;

pub use crate::binding::Binding;
use crate::client_authentication::NotAuthenticated;
use crate::http::{AnswerLost, NothingSent};
use crate::misbehaved::ServerMisbehaved;
use crate::secret::{AccessToken, RefreshToken};
use crate::terms::{Scopes, Subject};
use crate::time::Now;

/// A checked access token (RFC 6749, 5.1) as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedToken {
    /// The token.
    pub access_token: AccessToken,
    /// Whether the answer named its type.
    pub token_type: TokenType,
    /// When the request for it was sent: its life counts from there.
    pub requested_at: Now,
    /// How long it lives from then.
    pub life: Life,
    /// The granted scopes. `None`: the answer had no `scope`, so they are as requested.
    pub scopes: Option<Scopes>,
    /// The subject, where the answer held an `id_token` for us (D41).
    pub subject: Option<Subject>,
}

/// How a token came to be taken for a bearer token (RFC 6750; D37). Any other type is an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenType {
    /// The answer said so.
    Bearer,
    /// The answer named none, against RFC 6749, 5.1; tolerated, and worth a line in the log.
    Unnamed,
}

/// How long a token lives (D38).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// From `expires_in`, or from the JWT's `exp`. Zero: expired already. At most one year.
    Known(Duration),
    /// The server did not tell: a report of rejection decides.
    Unknown,
}

/// A success answer of a token endpoint (RFC 6749, 5.1). A readable refresh token in it counts before anything else (I9, D43).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSuccess {
    /// The refresh token of the answer, if it holds a readable one.
    pub refresh_token: Option<RefreshToken>,
    /// The access token, or why it cannot be used (D37-D44).
    pub token: Result<IssuedToken, ServerMisbehaved>,
}

/// What a login ended with, when it ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// The tokens.
    pub success: TokenSuccess,
    /// Where they come from.
    pub binding: Binding,
    /// What was asked for: granted too, where the answer has no `scope` (RFC 6749, 5.1).
    pub requested_scopes: Scopes,
}

/// How a refresh ended (RFC 6749, section 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefreshOutcome {
    /// A success answer.
    Success(TokenSuccess),
    /// The refresh token is dead (D45).
    DeadGrant(ErrorAnswer),
    /// The server refuses the request as it is configured (D46, D47).
    Configuration(ErrorAnswer),
    /// The client cannot say who it is, or is not believed: nothing was spent.
    NotAuthenticated(NotAuthenticated),
    /// An error that no RFC knows, with 400 (D49).
    UnknownError(ErrorAnswer),
    /// A complete answer that says "later": 408, 425, 429, 5xx, `temporarily_unavailable`, HTML with an error status (D48).
    Later {
        /// The server's wish, at most one hour (D48).
        retry_after: Option<Duration>,
        /// The status, for the person.
        status: u16,
    },
    /// Nothing reached a verified peer (D48).
    NothingSent(NothingSent),
    /// The request was written, and no whole readable answer came (D56).
    OutcomeUnknown(OutcomeUnknown),
}

/// Why nobody knows whether the refresh token was spent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutcomeUnknown {
    /// No whole answer.
    #[error(transparent)]
    AnswerLost(AnswerLost),
    /// A whole success answer that cannot be read.
    #[error(transparent)]
    Unreadable(ServerMisbehaved),
}

/// An error answer (RFC 6749, 5.2), fit to be shown: cut, and without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorAnswer {
    /// The `error` member, at most 64 characters of printable ASCII.
    pub error: String,
    /// The `error_description`, at most 200 characters, only where it cannot hold a secret that we sent.
    pub description: Option<String>,
    /// The HTTP status.
    pub status: u16,
}
