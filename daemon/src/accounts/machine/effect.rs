//! What the machine is told and what it wants done: the whole of its contact with the world (I6).

use std::sync::Arc;
use std::time::Duration;

pub use mcp_authd_oauth::profile::ReplayTime;
use mcp_authd_oauth::sign_in::{PendingSignIn, SignInFailure};
use mcp_authd_oauth::token::{Granted, RefreshOutcome};

use crate::accounts::grant::{GrantRecord, SignInRecord};
use crate::accounts::need::{Answer, Need};
use crate::accounts::status::Status;
use crate::accounts::{AccountConfig, KeyState, LoadError, RefreshRequest, RevokeRequest, SaveError, SignInRequest, Stored};

/// Names a caller that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WaiterId(pub u64);

/// Names a save or an erasure, so that its result finds the state that asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SaveId(pub u64);

/// Names a request that spends the refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RefreshId(pub u64);

/// Names a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SignInId(pub u64);

/// What happened.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "moved one at a time; most are the large ones")]
pub enum Event {
    /// A caller wants a token.
    TokenWanted(WaiterId, Need),
    /// A caller went away; it ends only its own waiting (D22).
    CallerGone(WaiterId),
    /// The records have been read, or not.
    Loaded(Result<Stored, LoadError>),
    /// The key of the store changed its state.
    KeyChanged(KeyState),
    /// The answer to [`Effect::SaveGrant`].
    GrantSaved(SaveId, Result<(), SaveError>),
    /// The answer to [`Effect::SaveSignIn`].
    SignInSaved(Result<(), SaveError>),
    /// The answer to [`Effect::ForgetGrant`].
    GrantForgotten(SaveId, Result<(), SaveError>),
    /// The answer to [`Effect::ForgetSignIn`].
    SignInForgotten(SaveId, Result<(), SaveError>),
    /// The answer to [`Effect::BeginRefresh`].
    RefreshSettled(RefreshId, RefreshOutcome),
    /// The prompt of [`Effect::BeginSignIn`].
    SignInPrompted(SignInId, PendingSignIn),
    /// The person has answered in a browser. Comes where the answer may be used once only.
    SignInAnswered(SignInId),
    /// The end of [`Effect::BeginSignIn`] or [`Effect::ResumeSignIn`].
    SignInSettled(SignInId, Result<Granted, SignInFailure>),
    /// The person ends the waiting login.
    SignInCancelled,
    /// The person logs out.
    SignOut,
    /// The account is gone from the configuration.
    Removed,
    /// The configuration was read again and is as it was: what rests because of it is tried again.
    Reloaded,
    /// The configuration changed in nothing that matters for security.
    Changed(Policy),
    /// The configuration names another server, client or resource than what is held was issued by, to or for.
    Moved(Policy),
    /// The account was taken out and stands there again; the highest revision that was told of the name meanwhile.
    Returned(Policy, u64),
    /// The machine woke from sleep.
    Resumed,
    /// The daemon is about to leave: begin nothing any more.
    Leaving,
    /// A deadline may have passed.
    Tick,
}

/// What is to be done, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Answer a caller. Each is answered once.
    Answer(WaiterId, Answer),
    /// Show the status to whoever watches.
    Publish(Status),
    /// Read the records.
    Load,
    /// Make the grant durable.
    SaveGrant(SaveId, Box<GrantRecord>),
    /// Keep the sign-in record. A failure is only published.
    SaveSignIn(Box<SignInRecord>),
    /// Erase the grant.
    ForgetGrant(SaveId),
    /// Erase the record of logins.
    ForgetSignIn(SaveId),
    /// Spend the refresh token, as this client: its intent is durable (I8).
    BeginRefresh(RefreshId, Arc<AccountConfig>, Box<RefreshRequest>),
    /// Ask for a prompt, and stay until the login ends.
    BeginSignIn(SignInId, Arc<AccountConfig>, Box<SignInRequest>),
    /// Go on with a login from before a restart.
    ResumeSignIn(SignInId, Arc<AccountConfig>, Box<PendingSignIn>),
    /// The store has answered for [`Event::SignInAnswered`]: the answer may be used.
    TradeIn(SignInId),
    /// End it without a result.
    AbortSignIn(SignInId),
    /// Give tokens back (RFC 7009), as the client that they were issued to.
    Revoke(Arc<AccountConfig>, Box<RevokeRequest>),
    /// The account is gone and nothing of it is under way: the keeper ends.
    End,
}

/// What depends on the configuration and the server's profile, and not on the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The account as it is configured. A request keeps the one that it began with.
    pub config: Arc<AccountConfig>,
    /// When the one replay of D56 is sent.
    pub replay: ReplayTime,
    /// Whether a refresh ends the access tokens that were issued before (GitHub Apps, GitLab).
    pub refresh_ends_access_tokens: bool,
}

/// How long the store is left alone after it refused.
pub(crate) const SAVE_AGAIN: Duration = Duration::from_secs(5);
