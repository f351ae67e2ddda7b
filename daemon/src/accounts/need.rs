//! What a caller needs, and what it gets: the words between `rpc` and the accounts.

use std::time::Duration;

use mcp_authd_oauth::client_authentication::NotAuthenticated;
use mcp_authd_oauth::secret::{AccessToken, TokenHash};
use mcp_authd_oauth::sign_in::{NotBegun, Prompt};
use mcp_authd_oauth::terms::{Resource, Scopes};
use mcp_authd_oauth::time::{Instant, WallTime};

use super::grant::Purpose;
use super::token_file::TokenFileRefusal;

/// What a caller needs of an account that is already chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// A question, never an order: does the token cover these?
    pub scopes: Scopes,
    /// How long the token must still live. Capped at half of its life.
    pub min_validity: Duration,
    /// A token that a resource server has rejected.
    pub rejected: Option<TokenHash>,
    /// Whether this call may begin a login.
    pub sign_in: SignInMode,
    /// Who asks, in words for a person; already fit for a terminal.
    pub client_name: String,
    /// When the caller must have an answer.
    pub deadline: Instant,
}

/// Whether a call may begin a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInMode {
    /// No.
    Never,
    /// Yes, and it wants the prompt at once.
    StartAndReturn,
    /// Yes, and it waits for the login's end, up to its deadline.
    StartAndWait,
    /// The person asks: no bound applies, and the prompt is wanted at once.
    Person(PersonWants),
}

/// What a person who types `authctl login` wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PersonWants {
    /// A login where one is needed.
    ToBeSignedIn,
    /// A login in any case, by the same subject (P19).
    Again,
    /// A login in any case; another subject may take the account over.
    Replace,
}

/// What a caller gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Rises for ever.
    pub revision: u64,
    /// The present state for this need.
    pub state: AnswerState,
}

/// The present state for a need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnswerState {
    /// A token that meets the need.
    Token(ServedToken),
    /// A login that waits for the person.
    SignIn(SignInPrompt),
    /// Why there is no token.
    Refusal(Refusal),
}

/// A token as it is handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedToken {
    /// The token.
    pub access_token: AccessToken,
    /// When it ends. `None`: unknown.
    pub expires: Option<Instant>,
    /// What was granted.
    pub scopes: Scopes,
    /// The resource it was asked for.
    pub resource: Option<Resource>,
}

/// A login that waits, as everybody sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInPrompt {
    /// Names the login.
    pub id: u64,
    /// Why.
    pub purpose: Purpose,
    /// What the person is shown.
    pub prompt: Prompt,
    /// When it ends.
    pub expires: Instant,
    /// Who asked; empty where the person did.
    pub asked_by: String,
    /// What it asks for beyond what is held, where its purpose is [`Purpose::MoreAccess`]; else none.
    pub more: Scopes,
}

impl SignInPrompt {
    /// Whether it was begun before this time, and so by a daemon before the one that has begun at it: logins are named by the calendar.
    #[must_use]
    pub fn is_from_before(&self, time: WallTime) -> bool {
        self.id < time.as_millis()
    }
}

/// Why there is no token, named after what the caller does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// A person has to log in, and this call may not begin it. Why: in words.
    LoginRequired(LoginReason),
    /// The person refused.
    Denied,
    /// Too many logins were begun and not answered (P18).
    TooManyPrompts,
    /// The server cannot be reached or is slow.
    Unavailable {
        /// When asking again may help. `None`: unknown.
        retry_after: Option<Duration>,
        /// What is wrong, in words.
        why: String,
    },
    /// The store cannot save (B7).
    NotSaved {
        /// When asking again may help.
        retry_after: Option<Duration>,
    },
    /// The token does not cover these scopes, and no login may begin for them.
    InsufficientScope {
        /// What was missing.
        missing: Scopes,
    },
    /// No login can begin: the server leaves no way, or this machine no port.
    NoWayToSignIn(NotBegun),
    /// A fresh token was rejected (D54).
    TokenRejected,
    /// The login returned another subject (D23).
    AccountMismatch,
    /// The login returned no subject, and the account knows its own (P19).
    SubjectUnknown,
    /// The server refuses the request as it is configured (D47).
    Configuration {
        /// What the server said, fit to be shown.
        why: String,
    },
    /// The client cannot say who it is, or is not believed (RFC 6749, 2.3).
    NotAuthenticated(NotAuthenticated),
    /// The token of a file will not do.
    TokenFile(TokenFileRefusal),
    /// The store's key is not open.
    Locked,
    /// The account is gone.
    NoSuchAccount,
    /// The person logged out.
    SignedOut,
}

/// Why a login is required.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginReason {
    /// There has never been one.
    Never,
    /// The server ended the grant (D45).
    Dead,
    /// Nobody knows whether the refresh token was spent (D56).
    InDoubt,
    /// The record was damaged and set aside (B10).
    Damaged,
    /// The token was rejected or has ended, and the server issued no refresh token.
    NotRenewable,
    /// The last login failed or was not answered, and this call may not begin another.
    LastFailed,
    /// The configuration names another server, client or resource than the login was for.
    Reconfigured,
    /// The last login waited for a browser, and nothing came back from it.
    NothingCameBack,
}
