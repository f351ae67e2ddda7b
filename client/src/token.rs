//! Asking for a token, and what comes back: answers named after what the caller does next.
//!
//! Must never: hand out a token of another account or resource than the one asked for, or show a token or a code in `Debug`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mcp_authd_proto::v1;
use mcp_authd_proto::v1::tokens_client::TokensClient;
use sha2::{Digest, Sha256};
use tonic::transport::Channel;
use zeroize::Zeroizing;

use crate::call::{self, GRACE, SILENCE_LIMIT};
use crate::clock::{Clock, Moment};
use crate::connect::{Line, Sockets, Which};
use crate::convert;
use crate::error::{CallError, ConnectError};
use crate::need::{Need, Request};
use crate::start::Patience;
use crate::static_token::StaticToken;
use crate::watch::Watch;

/// How often a call is made whose connection ends before its answer, and the pauses between: from the first, doubled up to the last.
///
/// A daemon that leaves says so to each call for as long as it finishes what is in flight, and where a service manager holds its
/// socket, whoever connects meanwhile waits for the next one: no connection is ever refused that would pace the tries. (Measured: one
/// restart takes two of them.)
const TRIES: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LAST_PAUSE: Duration = Duration::from_millis(500);

/// A program's side of `tokens.sock`. Cheap to clone; all clones share one connection, made at the first call and made again after
/// the daemon has restarted.
#[derive(Debug, Clone)]
pub struct Client {
    source: Source,
    clock: Clock,
}

/// Where tokens come from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// The daemon.
    Daemon(Arc<Line>),
    /// The environment. There is no daemon then.
    Static(Arc<StaticToken>),
}

impl Client {
    /// What the environment names: a [static token](StaticToken), or else a daemon. Nothing is connected yet.
    ///
    /// # Errors
    /// [`ConnectError::NoPlace`] where no place for the socket is known; [`ConnectError::StaticToken`] where the environment means a
    /// static token that cannot be one.
    pub fn find() -> Result<Self, ConnectError> {
        match StaticToken::find()? {
            Some(token) => Ok(Self::of_static_token(token)),
            None => Ok(Self::new(&Sockets::find()?)),
        }
    }

    /// A client of the daemon at these sockets, whatever the environment says. Nothing is connected yet.
    #[must_use]
    pub fn new(sockets: &Sockets) -> Self {
        Self::of_line(Line::new(sockets, Which::Tokens))
    }

    /// A client without a daemon: every need is answered with this token.
    #[must_use]
    pub fn of_static_token(token: StaticToken) -> Self {
        Self { source: Source::Static(Arc::new(token)), clock: Clock::Kernel }
    }

    /// The same with another time limit for connecting (default: 2 s).
    #[must_use]
    pub fn with_connect_limit(self, limit: Duration) -> Self {
        self.with_line(|line| line.with_connect_limit(limit))
    }

    /// The static token that this client answers with. `None`: it asks a daemon.
    #[must_use]
    pub fn static_token(&self) -> Option<&StaticToken> {
        match &self.source {
            Source::Static(token) => Some(token),
            Source::Daemon(_) => None,
        }
    }

    /// The same, starting no daemon where none runs: a call then says that there is none.
    #[must_use]
    pub fn never_starting(self) -> Self {
        self.with_line(Line::never_starting)
    }

    #[cfg(test)]
    pub(crate) fn with_owner(self, owner: u32) -> Self {
        self.with_line(|line| line.with_owner(owner))
    }

    fn of_line(line: Line) -> Self {
        Self { source: Source::Daemon(Arc::new(line)), clock: Clock::Kernel }
    }

    fn with_line(self, change: impl Fn(&Line) -> Line) -> Self {
        match &self.source {
            Source::Daemon(line) => Self { source: Source::Daemon(Arc::new(change(line))), ..self },
            Source::Static(_) => self,
        }
    }

    #[cfg(test)]
    pub(crate) fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// Asks for a token. The call ends 5 s after the wait that the daemon was granted (B36); starting a daemon may take 15 s more.
    ///
    /// # Errors
    /// A [`CallError`] where there is no answer; that there is no token is an [`Answer`].
    pub async fn token(&self, request: impl Into<Request>) -> Result<Answer, CallError> {
        let request = request.into();
        match &self.source {
            Source::Daemon(line) => self.ask(line, &request, Vec::new()).await,
            Source::Static(token) => Ok(token.answer(&request, &self.clock)?),
        }
    }

    /// Says that a resource server has rejected this token (RFC 6750, 3.1: `invalid_token`), and asks for a better one. Only the
    /// token's SHA-256 travels.
    ///
    /// # Errors
    /// A [`CallError`] where there is no answer.
    pub async fn report_rejected(&self, token: &Token) -> Result<Answer, CallError> {
        match &self.source {
            Source::Daemon(line) => self.ask(line, &token.0.request, token.sha256().to_vec()).await,
            Source::Static(now) => Ok(now.better_than(token, &self.clock)?),
        }
    }

    /// Subscribes once and keeps the present answer in this process. Never begins a login. A [static token](StaticToken) is read where
    /// it stands at each [`Watch::token`].
    ///
    /// To be called inside a tokio runtime.
    #[must_use]
    pub fn watch(&self, need: Need) -> Watch {
        Watch::begin(self, need)
    }

    /// The accounts that the socket shows.
    ///
    /// # Errors
    /// A [`CallError`] where there is no answer.
    pub async fn accounts(&self) -> Result<Vec<Account>, CallError> {
        let Source::Daemon(line) = &self.source else { return Ok(vec![StaticToken::account()]) };
        let listed = line.call(SILENCE_LIMIT, Patience::Caller, || async {
            call::message("ListAccounts", stub(line).list_accounts(v1::ListAccountsRequest {}).await)
        });
        Ok(listed.await?.accounts.into_iter().map(convert::account).collect())
    }

    async fn ask(&self, line: &Line, request: &Request, rejected_sha256: Vec<u8>) -> Result<Answer, CallError> {
        let wire = convert::get_token_request(request, rejected_sha256);
        let limit = request.wait().saturating_add(GRACE);
        let state = line.call(limit, Patience::Caller, || async {
            let mut pause = FIRST_PAUSE;
            for _ in 1..TRIES {
                let outcome = call::message("GetToken", stub(line).get_token(wire.clone()).await);
                // Else the daemon restarted under the call. To ask again spends nothing: it has one refresh in flight (I1).
                if !matches!(outcome, Err(CallError::Interrupted)) {
                    return outcome;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LAST_PAUSE);
            }
            call::message("GetToken", stub(line).get_token(wire.clone()).await)
        });
        convert::answer(state.await?, request, &self.clock)
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }
}

pub(crate) fn stub(line: &Line) -> TokensClient<Channel> {
    TokensClient::new(line.channel())
}

/// The present state for a need, named after what the caller does next.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Send it, to the resource server and nowhere else.
    UseToken(Token),
    /// Show it to the person, then ask again, or watch.
    ShowSignIn(SignIn),
    /// Wait (`retry_after`, where known), then ask again: nobody has to do anything.
    TryLater(Refusal),
    /// Stop asking: a person has to do `next_step` first.
    GiveUp(Refusal),
}

/// An access token (RFC 6749, 1.4). Cheap to clone; wiped when the last clone is dropped.
#[derive(Clone)]
pub struct Token(pub(crate) Arc<TokenParts>);

/// A token and what is known about it.
pub(crate) struct TokenParts {
    pub(crate) secret: Secret,
    pub(crate) account: String,
    pub(crate) revision: u64,
    pub(crate) resource: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) ends: Option<Moment>,
    pub(crate) request: Request,
    pub(crate) clock: Clock,
}

impl Token {
    /// The token itself, for the resource server and nobody else.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.secret.expose()
    }

    /// The value of an `Authorization` header (RFC 6750, 2.1).
    #[must_use]
    pub fn authorization_header(&self) -> Secret {
        Secret::new(format!("Bearer {}", self.expose()))
    }

    /// The account that it belongs to.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.0.account
    }

    /// The state of the account that it came with. Rises for ever.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.0.revision
    }

    /// The resource (RFC 8707) that it was asked for, if one was named.
    #[must_use]
    pub fn resource(&self) -> Option<&str> {
        self.0.resource.as_deref()
    }

    /// What was granted (RFC 6749, 5.1).
    #[must_use]
    pub fn scopes(&self) -> &[String] {
        &self.0.scopes
    }

    /// How long it still lives, on a clock that counts the machine's sleep. `None`: unknown.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.0.ends.map(|ends| ends.since(self.0.clock.now()))
    }

    /// SHA-256 of the token: names it without telling it.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.expose().as_bytes()).into()
    }

    /// Whether it lives. Reads the clock at most once.
    pub(crate) fn lives(&self, clock: &Clock) -> bool {
        self.0.ends.is_none_or(|ends| clock.now() < ends)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("account", &self.0.account)
            .field("resource", &self.0.resource)
            .field("scopes", &self.0.scopes)
            .finish_non_exhaustive()
    }
}

/// A text that holds a token, or a client's secret on its way in: wiped when dropped, redacted in `Debug`, the only way out is
/// [`Secret::expose`].
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text over. Other copies of it are the caller's to wipe.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(Zeroizing::new(secret))
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A login that waits for a person. Whoever asks while it waits sees the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// The account.
    pub account: String,
    /// Names the login.
    pub id: String,
    /// Why.
    pub purpose: Purpose,
    /// What the person does.
    pub how: How,
    /// How long the person still has, from the moment of the answer.
    pub expires_in: Option<Duration>,
    /// One paragraph for the person. It holds the code: show it, never log it.
    pub message: String,
    /// The program that began it; `None` where the person did.
    pub asked_by: Option<String>,
}

/// Why a person is asked to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// The account has never been logged in.
    First,
    /// The grant has ended.
    Again,
    /// The present token goes on serving; a program needs more scopes.
    MoreAccess,
    /// A reason that a newer daemon knows.
    Other,
}

/// What the person does to log in.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum How {
    /// Opens the page and types the code (RFC 8628, 3.3).
    Device {
        /// The code. Shown, never logged (D20).
        user_code: String,
        /// The page.
        verification_uri: String,
        /// The page with the code inside: for a QR code or a browser; show the plain page and the code beside it (D20).
        verification_uri_complete: Option<String>,
    },
    /// Opens the page (RFC 6749, 4.1).
    Browser {
        /// The page.
        authorization_uri: String,
    },
}

impl fmt::Debug for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device { verification_uri, .. } => {
                f.debug_struct("Device").field("verification_uri", verification_uri).finish_non_exhaustive()
            }
            // Its query holds the state (RFC 6749, 10.12).
            Self::Browser { .. } => f.debug_struct("Browser").finish_non_exhaustive(),
        }
    }
}

/// Why there is no token, in words for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The account, where one was found.
    pub account: Option<String>,
    /// The reason.
    pub reason: Reason,
    /// One sentence for a person.
    pub message: String,
    /// What to type next.
    pub next_step: String,
    /// Asking earlier does not help. `None`: unknown.
    pub retry_after: Option<Duration>,
}

/// Why there is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// A person has to log in, and this call may not begin it.
    LoginRequired,
    /// The person refused.
    Denied,
    /// Too many logins were begun and not answered.
    TooManyPrompts,
    /// The authorization server cannot be reached, or is slow or overloaded.
    Unavailable,
    /// The daemon cannot save.
    NotSaved,
    /// The token does not cover the scopes.
    InsufficientScope,
    /// A fresh token was rejected.
    TokenRejected,
    /// The login returned another subject than the account holds.
    AccountMismatch,
    /// The authorization server refuses the request as it is configured.
    Configuration,
    /// The store's key is not open yet.
    Locked,
    /// There is no such account.
    NoSuchAccount,
    /// The person logged out.
    SignedOut,
    /// Several accounts match the need.
    Ambiguous,
    /// This socket may not do that.
    NotAllowed,
    /// A reason that a newer daemon knows.
    Other,
}

/// An account that the socket shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// The authorization server's issuer identifier (RFC 8414), or its token endpoint where there is none.
    pub issuer: String,
    /// Its protected resources (RFC 8707).
    pub resources: Vec<String>,
    /// Its scopes, as configured.
    pub scopes: Vec<String>,
}
