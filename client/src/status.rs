//! How the daemon and its accounts are: what `admin.sock` shows to the person's tool.
//!
//! Must never: hold a token, a code outside of its [`SignIn`], or a secret.

use std::time::{Duration, SystemTime};

use mcp_authd_proto::v1;

use crate::convert::{duration, filled, sign_in};
use crate::error::CallError;
use crate::token::SignIn;

/// The daemon at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaemonStatus {
    /// Its version.
    pub version: String,
    /// Its process.
    pub pid: i64,
    /// Since when it runs.
    pub started_at: Option<SystemTime>,
    /// When this was told, by this machine's calendar.
    pub told_at: SystemTime,
    /// Where the key of the store comes from, in words.
    pub key_source: String,
    /// Whether the key is open.
    pub key: Key,
    /// The configuration file in use.
    pub config_path: String,
    /// Who has started it.
    pub started_by: StartedBy,
    /// Every account.
    pub accounts: Vec<AccountStatus>,
}

/// Who has started the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartedBy {
    /// A person.
    Person,
    /// A program that needed it.
    Program,
    /// A service manager.
    Manager,
    /// It does not say, or in a way that a newer daemon knows.
    Other,
}

/// Whether the store's key is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Key {
    /// It is.
    Open,
    /// A person has to open it.
    Locked,
    /// It does not open the store.
    Wrong,
    /// It is being fetched.
    Loading,
    /// Something that a newer daemon knows.
    Other,
}

/// One account at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountStatus {
    /// Its name.
    pub name: String,
    /// The authorization server's issuer identifier, or its token endpoint where there is none.
    pub issuer: String,
    /// The client identifier (RFC 6749, 2.2).
    pub client_id: String,
    /// Its protected resources (RFC 8707).
    pub resources: Vec<String>,
    /// Its scopes, as configured.
    pub scopes: Vec<String>,
    /// Rises for ever.
    pub revision: u64,
    /// How it is.
    pub health: Health,
    /// One sentence about what is wrong.
    pub message: Option<String>,
    /// What to type next.
    pub next_step: Option<String>,
    /// The grant that is held.
    pub grant: Option<GrantStatus>,
    /// The login that waits.
    pub sign_in: Option<SignIn>,
    /// How the last login ended, if not well.
    pub last_sign_in_end: Option<SignInEnd>,
    /// The file that a static token is read from.
    pub token_file: Option<String>,
    /// When a program was last given its token. `None`: not since the daemon has started.
    pub last_use: Option<LastUse>,
}

/// The last time that a program was given an account's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastUse {
    /// When.
    pub at: Option<SystemTime>,
    /// The file name of the program, where the kernel told it.
    pub program: Option<String>,
    /// Its process, where it is known.
    pub pid: Option<i64>,
}

/// How an account is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Health {
    /// Serves, and goes on by itself.
    Good,
    /// A person has to log in.
    LoginRequired,
    /// A login waits for the person. With [`Purpose::MoreAccess`](crate::Purpose::MoreAccess) the present token goes on serving.
    SigningIn,
    /// Serves or tries again by itself, but something is wrong.
    Degraded,
    /// The store's key is not open.
    Locked,
    /// The record is being read.
    Loading,
    /// The account is gone from the configuration: the last that is told of it.
    Removed,
    /// Something that a newer daemon knows.
    Other,
}

/// How a login ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignInEnd {
    /// With a grant.
    Granted,
    /// The person refused.
    Denied,
    /// Nobody answered in time.
    Expired,
    /// The person cancelled it.
    Cancelled,
    /// The authorization server failed it.
    Failed,
    /// It returned another subject than the account holds (D23).
    OtherSubject,
    /// It named no subject, and the account knows its own: it may be anybody's.
    NoSubject,
    /// In a way that a newer daemon knows.
    Other,
}

/// A grant without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantStatus {
    /// As granted.
    pub scopes: Vec<String>,
    /// When the access token ends. `None`: unknown.
    pub expires_at: Option<SystemTime>,
    /// How long it still lives. `None`: unknown.
    pub expires_in: Option<Duration>,
    /// When the login was.
    pub obtained_at: Option<SystemTime>,
    /// When it was last refreshed. `None`: never since the login.
    pub refreshed_at: Option<SystemTime>,
    /// Whether the daemon can renew it without a person.
    pub renewable: bool,
    /// Whether a refresh is in flight.
    pub refreshing: bool,
    /// Whose it is, where known.
    pub subject: Option<String>,
}

/// What a logout has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedOut {
    /// The account.
    pub account: String,
    /// Whether the record is erased. If not, the daemon goes on trying, and never serves it.
    pub erased: bool,
    /// What was done upstream.
    pub revocation: Revocation,
}

/// What a logout has done upstream (RFC 7009).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Revocation {
    /// There was nothing to revoke.
    Nothing,
    /// The authorization server has no revocation endpoint.
    NoEndpoint,
    /// It is being sent; its end is in the log.
    Sent,
    /// Something that a newer daemon knows.
    Other,
}

pub(crate) fn daemon(wire: v1::StatusResponse, told_at: SystemTime) -> Result<DaemonStatus, CallError> {
    let key = match wire.key_state() {
        v1::KeyState::Open => Key::Open,
        v1::KeyState::Locked => Key::Locked,
        v1::KeyState::Wrong => Key::Wrong,
        v1::KeyState::Loading => Key::Loading,
        v1::KeyState::Unspecified => Key::Other,
    };
    let started_by = match wire.started_by() {
        v1::StartedBy::Person => StartedBy::Person,
        v1::StartedBy::Program => StartedBy::Program,
        v1::StartedBy::Manager => StartedBy::Manager,
        v1::StartedBy::Unspecified => StartedBy::Other,
    };
    Ok(DaemonStatus {
        told_at,
        started_by,
        version: wire.version,
        pid: wire.pid,
        started_at: wire.started_at.and_then(wall),
        key_source: wire.key_source,
        key,
        config_path: wire.config_path,
        accounts: wire.accounts.into_iter().map(account).collect::<Result<_, _>>()?,
    })
}

pub(crate) fn account(wire: v1::AccountStatus) -> Result<AccountStatus, CallError> {
    let health = match wire.health() {
        v1::Health::Good => Health::Good,
        v1::Health::LoginRequired => Health::LoginRequired,
        v1::Health::SigningIn => Health::SigningIn,
        v1::Health::Degraded => Health::Degraded,
        v1::Health::Locked => Health::Locked,
        v1::Health::Loading => Health::Loading,
        v1::Health::Removed => Health::Removed,
        v1::Health::Unspecified => Health::Other,
    };
    let last_sign_in_end = sign_in_end(&wire);
    Ok(AccountStatus {
        sign_in: wire.sign_in.map(|prompt| sign_in(wire.name.clone(), prompt)).transpose()?,
        name: wire.name,
        issuer: wire.issuer,
        client_id: wire.client_id,
        resources: wire.resources,
        scopes: wire.scopes,
        revision: wire.revision,
        health,
        message: filled(wire.message),
        next_step: filled(wire.next_step),
        grant: wire.grant.map(grant),
        last_sign_in_end,
        token_file: filled(wire.token_file),
        last_use: wire.last_use.map(last_use),
    })
}

fn last_use(wire: v1::LastUse) -> LastUse {
    LastUse { at: wire.at.and_then(wall), program: filled(wire.program), pid: Some(wire.pid).filter(|pid| *pid > 0) }
}

/// Zero is "no such end"; any other number that is not known here comes from a newer daemon.
fn sign_in_end(wire: &v1::AccountStatus) -> Option<SignInEnd> {
    match v1::SignInEnd::try_from(wire.last_sign_in_end) {
        Ok(v1::SignInEnd::Unspecified) => None,
        Ok(v1::SignInEnd::Granted) => Some(SignInEnd::Granted),
        Ok(v1::SignInEnd::Denied) => Some(SignInEnd::Denied),
        Ok(v1::SignInEnd::Expired) => Some(SignInEnd::Expired),
        Ok(v1::SignInEnd::Cancelled) => Some(SignInEnd::Cancelled),
        Ok(v1::SignInEnd::Failed) => Some(SignInEnd::Failed),
        Ok(v1::SignInEnd::OtherSubject) => Some(SignInEnd::OtherSubject),
        Ok(v1::SignInEnd::NoSubject) => Some(SignInEnd::NoSubject),
        Err(_) => Some(SignInEnd::Other),
    }
}

fn grant(wire: v1::GrantStatus) -> GrantStatus {
    GrantStatus {
        scopes: wire.scopes,
        expires_at: wire.expires_at.and_then(wall),
        expires_in: wire.expires_in.map(duration),
        obtained_at: wire.obtained_at.and_then(wall),
        refreshed_at: wire.refreshed_at.and_then(wall),
        renewable: wire.renewable,
        refreshing: wire.refreshing,
        subject: filled(wire.subject),
    }
}

pub(crate) fn signed_out(wire: v1::SignOutResponse) -> SignedOut {
    let revocation = match wire.revocation() {
        v1::Revocation::Nothing => Revocation::Nothing,
        v1::Revocation::NoEndpoint => Revocation::NoEndpoint,
        v1::Revocation::Sent => Revocation::Sent,
        v1::Revocation::Unspecified => Revocation::Other,
    };
    SignedOut { account: wire.account, erased: wire.erased, revocation }
}

pub(crate) fn wall(wire: prost_types::Timestamp) -> Option<SystemTime> {
    SystemTime::try_from(wire).ok()
}
