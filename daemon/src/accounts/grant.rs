//! What an account holds: the grant with its tokens, and the records that outlive the process.

use std::time::Duration;

use mcp_authd_oauth::secret::{AccessToken, RefreshToken};
use mcp_authd_oauth::sign_in::PendingSignIn;
use mcp_authd_oauth::terms::{Scopes, Subject};
use mcp_authd_oauth::time::{Instant, WallTime};
use mcp_authd_oauth::token::{Binding, IssuedToken, Life, TokenType};

/// One authorization of one subject by one server (RFC 6749, 1.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The access token, where a usable one has come.
    pub access: Option<HeldToken>,
    /// How it is renewed, or why it cannot be.
    pub renewal: Renewal,
    /// Whether refreshes bring a new refresh token (D56).
    pub rotation: Rotation,
    /// The granted scopes.
    pub scopes: Scopes,
    /// The subject, where it is known.
    pub subject: Option<Subject>,
    /// Where it comes from.
    pub binding: Binding,
    /// When the login was.
    pub granted_at: WallTime,
    /// When it was last refreshed, if ever.
    pub refreshed_at: Option<WallTime>,
}

/// How a grant is renewed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// With this refresh token.
    With(RefreshToken),
    /// Not at all: the access token serves to its end.
    Not(NotRenewable),
}

/// Why a grant cannot be renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotRenewable {
    /// The server issued no refresh token.
    NotIssued,
    /// The server declared the refresh token dead (D45).
    Dead,
    /// Nobody knows whether the refresh token was spent, and the one replay is used up (D56).
    InDoubt,
}

/// An access token that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldToken {
    /// The token.
    pub access_token: AccessToken,
    /// When the request for it was sent, on the clock that counts sleep.
    pub requested: Instant,
    /// The same by the calendar, for the record.
    pub requested_wall: WallTime,
    /// How long it lives from then.
    pub life: Life,
}

/// What a refresh does to the refresh token (D56).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// Never refreshed yet.
    Unknown,
    /// A refresh has brought a new one: the old one must never be shown again.
    Rotates,
    /// Refreshes have brought none, or the same: it may be shown again.
    Keeps,
}

/// A request that may have spent the refresh token stands behind this record (I8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// The first try.
    First,
    /// The one permitted replay (D56).
    Replay,
}

/// The grant as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantRecord {
    /// Rises with each login, logout and security-relevant change (I3).
    pub generation: u64,
    /// The revision when it was saved (DESIGN, section 4: it rises for ever).
    pub revision: u64,
    /// The grant.
    pub grant: Grant,
    /// Whether a refresh may have been sent.
    pub intent: Option<Intent>,
    /// Until when the server is left alone, where it asked for that (D48).
    pub rest: Option<KeptRest>,
    /// When a caller last asked, for D53.
    pub used_at: Option<WallTime>,
    /// When this record was written: a wall clock outside [saved at, expiry] means stale (DESIGN, section 3).
    pub saved_at: WallTime,
}

/// A refresh that the server did not grant, and when the next one may be sent: no start of a daemon shortens that (D48).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptRest {
    /// No refresh before, by the calendar.
    pub until: WallTime,
    /// What kind of answer it was.
    pub cause: RestCause,
    /// In words, for the person.
    pub why: String,
    /// Failures in a row, for the back-off.
    pub failures: u32,
}

/// What kind of answer has made a refresh wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestCause {
    /// "Later", or none that can be read (D48).
    Answered,
    /// The server refuses the request as it is configured (D47).
    Configuration,
}

/// What is kept of logins. A logout does not erase it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignInRecord {
    /// The login that waits, if any.
    pub pending: Option<PendingRecord>,
    /// The starts of logins that nobody answered, newest last, at most a day old (P18).
    pub unanswered_starts: Vec<WallTime>,
    /// How the last login ended, and when.
    pub last_end: Option<(SignInEnd, WallTime)>,
    /// The generation, so that it never falls after a logout.
    pub generation: u64,
    /// The revision, so that it never falls after a logout.
    pub revision: u64,
    /// What ended the grants before this record, where nobody has logged in since: none of a lower generation comes back (I3).
    pub ended: Option<Ended>,
    /// The union of scopes that the server or the person refused, if any.
    pub refused_scopes: Option<Scopes>,
}

/// What ended a grant, other than the authorization server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The person logged out: only the person begins the next login.
    ByPerson,
    /// The configuration changed to another server, client or resource: the next login is like the first.
    ByConfiguration,
}

/// A login that waits, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingRecord {
    /// Names the login on the wire.
    pub id: u64,
    /// Enough to go on after a restart.
    pub login: PendingSignIn,
    /// Why.
    pub purpose: Purpose,
    /// Who asked: the program's own words, or empty where the person did.
    pub asked_by: String,
    /// Another subject may take the account over (P19).
    pub replace: bool,
}

/// Why a person is asked to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// There has never been a grant.
    First,
    /// The grant has ended.
    Again,
    /// The present token goes on serving; a program needs more scopes.
    MoreAccess,
}

/// How a login ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInEnd {
    /// Well.
    Granted,
    /// The person refused at the server.
    Denied,
    /// The person ended it with `authctl login --cancel`.
    Cancelled,
    /// Nobody answered.
    Expired,
    /// The server failed it.
    Failed,
    /// It returned another subject (D23).
    OtherSubject,
    /// It named no subject, and the account knows its own: it may be anybody's (P19).
    NoSubject,
}

impl Grant {
    /// The refresh token, if there is one to spend.
    #[must_use]
    pub fn refresh_token(&self) -> Option<&RefreshToken> {
        match &self.renewal {
            Renewal::With(token) => Some(token),
            Renewal::Not(_) => None,
        }
    }
}

impl From<IssuedToken> for HeldToken {
    fn from(token: IssuedToken) -> Self {
        if token.token_type == TokenType::Unnamed {
            tracing::warn!("the token answer names no token_type; taken for Bearer");
        }
        Self {
            access_token: token.access_token,
            requested: token.requested_at.instant,
            requested_wall: token.requested_at.wall,
            life: token.life,
        }
    }
}

impl HeldToken {
    /// When it ends. `None`: unknown.
    #[must_use]
    pub fn expires(&self) -> Option<Instant> {
        match self.life {
            Life::Known(life) => Some(self.requested + life),
            Life::Unknown => None,
        }
    }

    /// How long it still lives. `None`: unknown.
    #[must_use]
    pub fn remaining(&self, at: Instant) -> Option<Duration> {
        self.expires().map(|end| end.since(at))
    }

    /// Whether it may still be served.
    #[must_use]
    pub fn is_alive(&self, at: Instant) -> bool {
        self.expires().is_none_or(|end| at < end)
    }
}
