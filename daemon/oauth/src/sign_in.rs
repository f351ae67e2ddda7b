//! A login as the rooms above see it: what a person is shown, what is kept while it waits, how it ends.

use std::fmt;
use std::time::Duration;

use crate::authorization_code::judge::IssParameter;
use crate::client_authentication::NotAuthenticated;
use crate::http::NothingSent;
use crate::misbehaved::ServerMisbehaved;
use crate::secret::{CodeVerifier, DeviceCode, State};
use crate::terms::{Issuer, RedirectUri, Scopes, UserCode};
use crate::time::{Instant, WallTime};
use crate::token::{Binding, ErrorAnswer};
use crate::way::NoWay;

/// A login that waits for its person, in whichever way: enough to go on after a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PendingSignIn {
    /// By the device authorization grant (RFC 8628).
    Device(PendingDevice),
    /// By the authorization code grant with PKCE (RFC 6749, 4.1; RFC 7636).
    Code(PendingCode),
}

impl PendingSignIn {
    /// What the person is shown.
    #[must_use]
    pub fn prompt(&self) -> Prompt {
        match self {
            Self::Device(device) => Prompt::Device(device.prompt.clone()),
            Self::Code(code) => Prompt::Browser(code.authorization_url.clone()),
        }
    }

    /// When it ends, on the clock that counts sleep.
    #[must_use]
    pub fn expires(&self) -> Instant {
        match self {
            Self::Device(device) => device.expires,
            Self::Code(code) => code.expires,
        }
    }

    /// The same by the calendar.
    #[must_use]
    pub fn expires_wall(&self) -> WallTime {
        match self {
            Self::Device(device) => device.expires_wall,
            Self::Code(code) => code.expires_wall,
        }
    }

    /// Where the tokens will come from.
    #[must_use]
    pub fn binding(&self) -> &Binding {
        match self {
            Self::Device(device) => &device.binding,
            Self::Code(code) => &code.binding,
        }
    }

    /// What was asked for.
    #[must_use]
    pub fn requested_scopes(&self) -> &Scopes {
        match self {
            Self::Device(device) => &device.requested_scopes,
            Self::Code(code) => &code.requested_scopes,
        }
    }
}

/// What a person is shown of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prompt {
    /// A code and the page to type it at.
    Device(DevicePrompt),
    /// The page to open.
    Browser(AuthorizationUrl),
}

/// A login by device code that waits for its person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingDevice {
    /// What the token endpoint is asked about (RFC 8628, 3.4).
    pub device_code: DeviceCode,
    /// What the person is shown.
    pub prompt: DevicePrompt,
    /// When the code ends, on the clock that counts sleep.
    pub expires: Instant,
    /// The same, for the record.
    pub expires_wall: WallTime,
    /// The polling interval, as it has grown (D13).
    pub interval: Duration,
    /// Where the tokens will come from.
    pub binding: Binding,
    /// What was asked for.
    pub requested_scopes: Scopes,
}

/// A login that waits for its authorization response (RFC 6749, 4.1.2): enough to go on after a restart.
///
/// Its end is [`judge`](crate::authorization_code::judge::judge), then [`ExchangeFlow`].
///
/// [`ExchangeFlow`]: crate::authorization_code::exchange::ExchangeFlow
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingCode {
    /// What the person opens.
    pub authorization_url: AuthorizationUrl,
    /// By what the response is recognised (D26).
    pub state: State,
    /// What proves at the token endpoint that we began the login (RFC 7636, 4.5).
    pub verifier: CodeVerifier,
    /// Where the response comes to. Named again at the token endpoint (RFC 6749, 4.1.3).
    pub redirect_uri: RedirectUri,
    /// When nobody waits for the response any more, on the clock that counts sleep.
    pub expires: Instant,
    /// The same, for the record.
    pub expires_wall: WallTime,
    /// Where the tokens will come from, and whose response is awaited: the issuer is in it.
    pub binding: Binding,
    /// What was asked for.
    pub requested_scopes: Scopes,
    /// Whether the response must name that issuer (RFC 9207).
    pub iss_parameter: IssParameter,
}

/// The URL that a person opens to log in (RFC 6749, 4.1.1). Whoever has it can answer the login.
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct AuthorizationUrl(String);

impl AuthorizationUrl {
    /// Takes the text as it is.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// The whole URL: for the person and the store, never for a log.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AuthorizationUrl {
    /// Without the query (DESIGN, 8.17).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthorizationUrl({})", self.0.split('?').next().unwrap_or_default())
    }
}

/// What a person is shown (RFC 8628, 3.3). Fit for a terminal: no control, bidi or escape characters (D19).
#[derive(Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DevicePrompt {
    /// What to type.
    pub user_code: UserCode,
    /// Where to type it.
    pub verification_uri: String,
    /// The same with the code inside, where the server offers one. Never shown alone (D20).
    pub verification_uri_complete: Option<String>,
    /// The server's own words to the person, if any.
    pub message: Option<String>,
}

impl fmt::Debug for DevicePrompt {
    /// Without the code, which the complete URI and the message may hold too (D20).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let page = self.verification_uri.split(['?', '#']).next().unwrap_or_default();
        f.debug_struct("DevicePrompt").field("verification_uri", &page).finish_non_exhaustive()
    }
}

/// Why no login can begin, and what a person does next. Two things, never one text: the first may hold words of a server, and none of
/// them may come to stand where a person reads what to type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct NotBegun {
    /// Why: a sentence without its end.
    pub why: String,
    /// What next.
    pub next_step: NextStep,
}

/// What a person does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextStep {
    /// Logs in again.
    LogIn,
    /// Mends what stands in the way, has the client of this issuer forgotten, and logs in again.
    ForgetClient(Issuer),
    /// This, in our own words.
    Words(String),
}

/// How a login ended, when it did not end well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignInFailure {
    /// The person refused (D16).
    #[error("the login was refused at the authorization server")]
    Denied,
    /// Nobody answered in time.
    #[error("the login was not answered in time")]
    Expired,
    /// The server does not let this client log in so (RFC 6749, 5.2; RFC 8628, 3.5).
    #[error("the authorization server refused the login request: {}", .0.error)]
    Refused(ErrorAnswer),
    /// The server does not take the code that it has just given (RFC 6749, 5.2: `invalid_grant`): it is over, or was used.
    #[error("the authorization server does not take the code that it gave: {}", .0.error)]
    CodeRefused(ErrorAnswer),
    /// The client cannot say who it is, or is not believed.
    #[error(transparent)]
    NotAuthenticated(NotAuthenticated),
    /// The server broke a rule.
    #[error(transparent)]
    Misbehaved(ServerMisbehaved),
    /// The server could not be reached before there was a prompt, or to trade a code in.
    #[error("the authorization server could not be reached: {0}")]
    Unreachable(NothingSent),
    /// The server said "later", or its answer was lost before there was a prompt.
    #[error("the authorization server did not answer the login request")]
    Unavailable {
        /// The server's wish.
        retry_after: Option<Duration>,
    },
    /// The server takes no request for a device code: none is at its endpoint.
    #[error("the authorization server offers no device authorization")]
    NoDeviceGrant,
    /// Neither way is open.
    #[error(transparent)]
    NoWay(NoWay),
    /// No login can begin: this machine has no port for its answer, or there is no client for it.
    #[error(transparent)]
    NotBegun(NotBegun),
    /// The login may have been answered, and its tokens were lost on the way (D35, D56).
    #[error("the answer to the login was lost")]
    AnswerLost,
}

impl SignInFailure {
    /// What a person does next.
    #[must_use]
    pub fn next_step(&self) -> NextStep {
        match self {
            Self::NoWay(no_way) => no_way.next_step(),
            Self::NotBegun(not_begun) => not_begun.next_step.clone(),
            _ => NextStep::LogIn,
        }
    }
}
