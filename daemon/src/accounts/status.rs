//! An account as it looks from outside: what the keeper publishes, without any secret.

use mcp_authd_oauth::client_authentication::NotAuthenticated;
use mcp_authd_oauth::sign_in::NotBegun;
use mcp_authd_oauth::terms::{Scopes, Subject};
use mcp_authd_oauth::time::{Instant, WallTime};

use super::grant::SignInEnd;
use super::need::{LoginReason, SignInPrompt};
use crate::host::private_file::Unusable;

/// What is published after each change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Rises for ever.
    pub revision: u64,
    /// How it is.
    pub health: Health,
    /// The grant, if one is held.
    pub grant: Option<GrantStatus>,
    /// The login that waits, if any.
    pub sign_in: Option<SignInPrompt>,
    /// How the last login ended.
    pub last_end: Option<SignInEnd>,
}

impl Status {
    /// Whether nothing that anybody could see has changed.
    #[must_use]
    pub fn is_same_but_for_revision(&self, other: &Self) -> bool {
        self.health == other.health
            && self.grant == other.grant
            && self.sign_in == other.sign_in
            && self.last_end == other.last_end
    }
}

/// How an account is, from best to worst.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Serves, and goes on by itself.
    Good,
    /// The record is being read.
    Loading,
    /// Serves or tries again by itself, but something is wrong.
    Degraded(Trouble),
    /// A person has to log in.
    LoginRequired(LoginReason),
    /// The person has just logged out, and the record is being erased.
    SigningOut,
    /// The person logged out.
    SignedOut,
    /// The store's key is not open.
    Locked,
    /// The store was sealed with another key.
    WrongKey,
    /// The account is gone from the configuration, and its records are being erased; why the store refuses, where it does.
    Removing(Option<String>),
    /// The account is gone, and so are its records.
    Removed,
}

/// What is wrong while the daemon goes on by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The store refuses to save; the reason in words.
    NotSaved(String),
    /// The record of a logout could not be erased yet; never served (I2).
    NotErased(String),
    /// The records cannot be read; the reason in words.
    NotRead(String),
    /// The server cannot be reached; the reason in words.
    Unreachable(String),
    /// The server says "later".
    Later(String),
    /// The server refuses the request as it is configured (D47), in its words.
    Configuration(String),
    /// No login can begin, as in [`Refusal::NoWayToSignIn`](super::need::Refusal::NoWayToSignIn).
    NoWayToSignIn(NotBegun),
    /// The client cannot say who it is, or is not believed (RFC 6749, 2.3).
    NotAuthenticated(NotAuthenticated),
    /// The file of the token cannot be used.
    TokenFile(Unusable),
    /// The answer to a refresh was lost; the one replay comes later (D56).
    ReplayLater,
    /// The token serves to its end and cannot be renewed any more.
    Ending(LoginReason),
}

/// A grant without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantStatus {
    /// As granted.
    pub scopes: Scopes,
    /// When the access token ends. `None`: unknown, or there is none.
    pub expires: Option<Instant>,
    /// When the login was.
    pub granted_at: WallTime,
    /// When it was last refreshed.
    pub refreshed_at: Option<WallTime>,
    /// Whether the daemon can renew it without a person.
    pub renewable: bool,
    /// Whether the server takes tokens back (RFC 7009).
    pub revocable: bool,
    /// A refresh is in flight.
    pub refreshing: bool,
    /// Whose it is, where known.
    pub subject: Option<Subject>,
}
