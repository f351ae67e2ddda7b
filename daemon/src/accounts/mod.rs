//! The accounts: what is held, what is asked, and the one task per account that decides (I1-I4, I6, I7).
//!
//! Must never: know HTTP, gRPC or files; the machine must never read a clock.

pub mod belonging;
pub mod client_secret;
pub mod clients;
mod condition;
pub mod description;
pub mod gate;
pub mod grant;
pub mod handle;
pub mod idle;
pub mod keeper;
pub mod machine;
pub mod need;
mod news;
pub mod paste;
pub mod probe;
pub mod registry;
pub mod roster;
pub mod status;
pub mod summary;
pub mod token_file;
pub mod waiting;

use futures_util::future::BoxFuture;
use std::sync::Arc;
use tokio::sync::oneshot;

use mcp_authd_oauth::registration::Registration;
use mcp_authd_oauth::secret::{AccessToken, ClientSecret, RefreshToken, SecretText};
use mcp_authd_oauth::sign_in::{PendingSignIn, SignInFailure};
use mcp_authd_oauth::terms::{Issuer, Scopes};
use mcp_authd_oauth::time::Instant;
use mcp_authd_oauth::token::{Binding, Granted, RefreshOutcome};

pub use crate::config::{AccountConfig, AccountName, TokenFileConfig};
use client_secret::SecretError;
use gate::Gate;
use grant::{GrantRecord, SignInRecord};
use paste::NotCompleted;
use probe::{KnownAccounts, NotProbed, Probed, Question};

/// The authorization servers, as the accounts need them. `upstream` implements it.
pub trait Upstream: Send + Sync + 'static {
    /// Spends the refresh token once, and tells how that ended. Runs to its end whoever goes away (I7).
    fn refresh(&self, account: Arc<AccountConfig>, request: RefreshRequest) -> BoxFuture<'static, RefreshOutcome>;

    /// Begins a login in the way that the configuration and the server leave, hands the prompt out, and stays until it ends.
    fn sign_in(
        &self,
        account: Arc<AccountConfig>,
        request: SignInRequest,
        prompt: oneshot::Sender<PendingSignIn>,
        gate: Gate,
    ) -> BoxFuture<'static, Result<Granted, SignInFailure>>;

    /// Goes on with a login from before a restart.
    fn resume_sign_in(
        &self,
        account: Arc<AccountConfig>,
        pending: PendingSignIn,
        gate: Gate,
    ) -> BoxFuture<'static, Result<Granted, SignInFailure>>;

    /// Hands what a person has pasted to the login in a browser that waits for it, once, as if the browser had brought it (D26, D28);
    /// whose login that is.
    ///
    /// # Errors
    /// Why no login takes it. Whichever waits goes on waiting.
    fn complete_sign_in(&self, pasted: SecretText) -> Result<AccountName, NotCompleted>;

    /// Forgets the client that we registered at this issuer (RFC 7591), and what bounds the next registration there (D59); `Ok`
    /// where there is none. Runs to its end whoever goes away.
    fn forget_client(&self, issuer: Issuer) -> BoxFuture<'static, Result<(), SaveError>>;

    /// Until when some server is left alone that the next daemon would not leave alone (D59). `None`: there is none.
    fn leaves_alone_until(&self) -> Option<Instant> {
        None
    }

    /// Gives tokens back (RFC 7009): the refresh token first (D63). Its end is logged and changes nothing.
    fn revoke(&self, account: Arc<AccountConfig>, request: RevokeRequest) -> BoxFuture<'static, ()>;

    /// Finds out what stands behind a URL, and how a login there would go by what these accounts say. Needs none, sends no secret, saves nothing, and ends within half a minute.
    fn probe(&self, question: Question, known: KnownAccounts) -> BoxFuture<'static, Result<Probed, NotProbed>>;
}

/// What a login needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInRequest {
    /// What is asked for.
    pub scopes: Scopes,
    /// Where the grant that is held was issued. A server that names another token endpoint by now is not followed before the person
    /// has said so (D8).
    pub held: Option<Binding>,
}

/// What a refresh needs (RFC 6749, section 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshRequest {
    /// What is spent.
    pub refresh_token: RefreshToken,
    /// Where: the endpoint that issued it (P14).
    pub binding: Binding,
}

/// What is given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokeRequest {
    /// First.
    pub refresh_token: Option<RefreshToken>,
    /// Then.
    pub access_token: Option<AccessToken>,
    /// Where.
    pub binding: Binding,
}

/// The records at rest, as the accounts need them. `store` implements it.
///
/// Calls for one account are made one at a time and in order. A save that returns `Ok` is durable (fsync of file and folder).
pub trait Vault: Send + Sync + 'static {
    /// Reads both records of an account.
    fn load(&self, account: &AccountName) -> BoxFuture<'static, Result<Stored, LoadError>>;
    /// Replaces the grant. The old or the new one stands at every moment.
    fn save_grant(&self, account: &AccountName, record: GrantRecord) -> BoxFuture<'static, Result<(), SaveError>>;
    /// Replaces the sign-in record.
    fn save_sign_in(&self, account: &AccountName, record: SignInRecord) -> BoxFuture<'static, Result<(), SaveError>>;
    /// Erases the grant; `Ok` where there is none.
    fn forget_grant(&self, account: &AccountName) -> BoxFuture<'static, Result<(), SaveError>>;
    /// Erases the sign-in record; `Ok` where there is none.
    fn forget_sign_in(&self, account: &AccountName) -> BoxFuture<'static, Result<(), SaveError>>;
    /// Reads the secret of an account's client: from `client_secret_file` where one is configured, else the one that is kept.
    /// `None`: it has none. Only for the server and the client of this account (P14).
    fn client_secret(&self, account: &AccountConfig) -> BoxFuture<'static, Result<Option<ClientSecret>, SecretError>>;
    /// Keeps the secret of an account's client, under its server and its `client_id`: for every account with both.
    fn save_client_secret(&self, account: &AccountConfig, secret: ClientSecret) -> BoxFuture<'static, Result<(), SaveError>>;
    /// Erases the secret that is kept for an account's client; `Ok` where there is none.
    fn forget_client_secret(&self, account: &AccountConfig) -> BoxFuture<'static, Result<(), SaveError>>;
    /// Reads the client that we registered at this issuer (RFC 7591), byte for byte; no other issuer ever gets it (P14, D58).
    fn registration(&self, issuer: &Issuer) -> BoxFuture<'static, Result<Option<Registration>, LoadError>>;
    /// Reads all of them, in the order of their issuers.
    fn registrations(&self) -> BoxFuture<'static, Result<Vec<Registration>, LoadError>>;
    /// Replaces the registration at its issuer. The old or the new one stands at every moment.
    fn save_registration(&self, registration: Registration) -> BoxFuture<'static, Result<(), SaveError>>;
    /// Erases the registration at this issuer; `Ok` where there is none. The server keeps its part.
    fn forget_registration(&self, issuer: &Issuer) -> BoxFuture<'static, Result<(), SaveError>>;
    /// The key's state, and each change of it.
    fn key_state(&self) -> tokio::sync::watch::Receiver<KeyState>;
    /// Who opens the key.
    fn key_opener(&self) -> KeyOpener;
}

/// What the store holds of an account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// The grant, if any.
    pub grant: Option<GrantRecord>,
    /// The sign-in record, if any.
    pub sign_in: Option<SignInRecord>,
    /// The name of a grant record that could not be read and was set aside (B10).
    pub damaged: Option<String>,
}

/// Whether the store can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// The source is being asked.
    Loading,
    /// Open.
    Open,
    /// A person has to open it.
    Locked,
    /// The key is not the one that the records were sealed with.
    Wrong,
}

/// Who opens the key of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOpener {
    /// This machine does, at each start of a daemon.
    Machine,
    /// A person has to, each time.
    Person,
}

/// Why nothing could be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The key is not open.
    #[error("the store's key is locked")]
    Locked,
    /// The records were sealed with another key. Nothing is touched.
    #[error("the store was sealed with another key")]
    WrongKey,
    /// The operating system refused.
    #[error("the store cannot be read: {0}")]
    Io(String),
}

/// Why nothing could be saved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SaveError {
    /// The key is not open.
    #[error("the store's key is locked")]
    Locked,
    /// The operating system refused: path and reason.
    #[error("the store cannot be written: {0}")]
    Io(String),
}
