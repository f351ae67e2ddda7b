//! Accounts by command: describe one, take one out, give its client a secret, have the file read again.
//!
//! The daemon is the only program that reads and writes `config.toml`; what stands here goes to it as it was typed.
//!
//! Must never: read or write the configuration, or keep a client's secret longer than its call.

use std::collections::BTreeMap;
use std::time::Duration;

use mcp_authd_proto::v1;
use mcp_authd_proto::v1::add_account_response::Outcome as AddOutcome;
use mcp_authd_proto::v1::reload_response::Outcome as ReloadOutcome;
use mcp_authd_proto::v1::remove_account_response::Outcome as RemoveOutcome;

use super::AdminClient;
use super::probe::{LONGEST_PROBE, Probed, probed};
use crate::call::{self, GRACE, SILENCE_LIMIT};
use crate::convert::filled;
use crate::error::CallError;
use crate::need::LONGEST_WAIT;
use crate::status::{self, AccountStatus, SignedOut};
use crate::token::Secret;

/// The file is written under a lock: others may be before us.
const WRITE_LIMIT: Duration = LONGEST_WAIT.saturating_add(GRACE);

/// An account as a person describes it. What is empty does not stand in the file. The daemon checks it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountDescription {
    /// Its name. Empty: made from the host of the resource or the issuer.
    pub name: String,
    /// The authorization server's issuer identifier (RFC 8414).
    pub issuer: String,
    /// In the place of the issuer, for a server without metadata (RFC 8628, 3.1).
    pub device_authorization_endpoint: String,
    /// Beside it (RFC 6749, 3.2).
    pub token_endpoint: String,
    /// Beside it, where there is one (RFC 7009).
    pub revocation_endpoint: String,
    /// The client identifier (RFC 6749, 2.2).
    pub client_id: String,
    /// What a login asks for.
    pub scopes: Vec<String>,
    /// The protected resource (RFC 8707).
    pub resource: String,
    /// For servers that want it in the place of the resource.
    pub audience: String,
    /// Further parameters of the device authorization request.
    pub extra_parameters: BTreeMap<String, String>,
    /// RFC 7591, section 2: `none`, `client_secret_basic`, `client_secret_post`.
    pub token_endpoint_auth_method: String,
    /// An absolute path. The daemon reads it.
    pub client_secret_file: String,
    /// An absolute path, in the place of all but name, resource and scopes: a file that holds an access token.
    pub token_file: String,
    /// In the place of the issuer and the endpoints: a provider that the daemon knows. Beside them: its manners alone.
    pub provider: String,
    /// What stands for `{NAME}` in the provider's URLs.
    pub provider_parameters: BTreeMap<String, String>,
    /// The way of a login: `device`, `code`. Empty: the device grant where there is one, else a browser.
    pub flow: String,
    /// The URL of a Client ID Metadata Document, in the place of the client identifier.
    pub client_id_metadata_document: String,
}

/// What became of an account that was described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// It stands in the file now, and is served.
    Written(AccountStatus),
    /// It was there before, perhaps under another name: nothing was written.
    Present(AccountStatus),
    /// The file is as it was.
    NotWritten(NotWritten),
}

/// What became of an account that was to be taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removed {
    /// It stands in the file no more, and its grant is forgotten.
    Gone(SignedOut),
    /// The file is as it was, and so is the account.
    NotWritten(NotWritten),
}

/// What became of a file that was to be read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reloading {
    /// It holds, and is served.
    Done(Reloaded),
    /// It does not hold: everything is served as before.
    Refused(NotWritten),
}

/// What a reload changed, by account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// New.
    pub added: Vec<String>,
    /// Gone; their logins are forgotten.
    pub removed: Vec<String>,
    /// They go on with their logins.
    pub changed: Vec<String>,
    /// Their logins belonged to what they were before: they have to be logged in anew.
    pub signed_out: Vec<String>,
    /// As they were.
    pub unchanged: Vec<String>,
    /// Whether the way to the network is another one.
    pub network_changed: bool,
}

/// Why the file is as it was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotWritten {
    /// Why.
    pub message: String,
    /// What to do next.
    pub next_step: Option<String>,
    /// What a person has to paste, or to take out, by hand.
    pub text: Option<String>,
    /// What is wrong in the file as it stands, or with the account as it was described.
    pub problems: Vec<ConfigProblem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigProblem {
    /// From 1. `None`: it concerns the whole.
    pub line: Option<u32>,
    /// One sentence that ends in what to do.
    pub message: String,
}

impl AdminClient {
    /// Has an account written into `config.toml` and served. Doing it again changes nothing.
    ///
    /// # Errors
    /// A [`CallError`] where there is no answer.
    pub async fn add_account(&self, account: AccountDescription) -> Result<Added, CallError> {
        Ok(self.add_account_at(None, account).await?.0)
    }

    /// The same; what the account leaves empty of resource, issuer and scopes is found out behind the URL of a protected resource
    /// first. With what was found, where that was needed.
    ///
    /// # Errors
    /// A [`CallError`] where there is no answer.
    pub async fn add_account_at(
        &self,
        url: Option<String>,
        account: AccountDescription,
    ) -> Result<(Added, Option<Probed>), CallError> {
        let request = v1::AddAccountRequest { account: Some(described(account)), url: url.unwrap_or_default() };
        let limit = WRITE_LIMIT.saturating_add(LONGEST_PROBE);
        let answer = self.call(limit, || async { call::message("AddAccount", self.stub().add_account(request.clone()).await) });
        let v1::AddAccountResponse { outcome, found } = answer.await?;
        let added = match outcome {
            Some(AddOutcome::Added(account)) => Added::Written(status::account(account)?),
            Some(AddOutcome::Present(account)) => Added::Present(status::account(account)?),
            Some(AddOutcome::NotWritten(why)) => Added::NotWritten(not_written(why)),
            None => return Err(unknown_outcome()),
        };
        Ok((added, found.map(probed)))
    }

    /// Has an account taken out of `config.toml`, its grant forgotten, and revoked upstream where that is possible (RFC 7009).
    ///
    /// # Errors
    /// A [`CallError`] where there is no answer.
    pub async fn remove_account(&self, account: String) -> Result<Removed, CallError> {
        let request = v1::RemoveAccountRequest { account };
        let answer = self
            .call(WRITE_LIMIT, || async { call::message("RemoveAccount", self.stub().remove_account(request.clone()).await) });
        match answer.await?.outcome {
            Some(RemoveOutcome::Removed(signed_out)) => Ok(Removed::Gone(status::signed_out(signed_out))),
            Some(RemoveOutcome::NotWritten(why)) => Ok(Removed::NotWritten(not_written(why))),
            None => Err(unknown_outcome()),
        }
    }

    /// Gives the daemon the secret of an account's client (RFC 6749, 2.3.1). `None` as the secret: forget the one that is kept.
    /// `None` as the account: the only one. The account's name.
    ///
    /// # Errors
    /// A [`CallError`] where there is no answer.
    pub async fn set_client_secret(&self, account: Option<String>, secret: Option<Secret>) -> Result<String, CallError> {
        // The call's own copy cannot be wiped: it goes through the buffers of the libraries below.
        let client_secret = secret.as_ref().map(|secret| secret.expose().to_owned()).unwrap_or_default();
        drop(secret);
        let request = v1::SetClientSecretRequest { account: account.unwrap_or_default(), client_secret };
        let answer = self.call(SILENCE_LIMIT, || async {
            call::message("SetClientSecret", self.stub().set_client_secret(request.clone()).await)
        });
        Ok(answer.await?.account)
    }

    /// Has `config.toml` read again, as SIGHUP does.
    ///
    /// # Errors
    /// A [`CallError`] where there is no answer.
    pub async fn reload(&self) -> Result<Reloading, CallError> {
        let answer = self.call(WRITE_LIMIT, || async { call::message("Reload", self.stub().reload(v1::ReloadRequest {}).await) });
        match answer.await?.outcome {
            Some(ReloadOutcome::Reloaded(changes)) => Ok(Reloading::Done(reloaded(changes))),
            Some(ReloadOutcome::Refused(why)) => Ok(Reloading::Refused(not_written(why))),
            None => Err(unknown_outcome()),
        }
    }
}

fn described(account: AccountDescription) -> v1::AccountDescription {
    v1::AccountDescription {
        name: account.name,
        issuer: account.issuer,
        device_authorization_endpoint: account.device_authorization_endpoint,
        token_endpoint: account.token_endpoint,
        revocation_endpoint: account.revocation_endpoint,
        client_id: account.client_id,
        scopes: account.scopes,
        resource: account.resource,
        audience: account.audience,
        extra_parameters: account.extra_parameters,
        token_endpoint_auth_method: account.token_endpoint_auth_method,
        client_secret_file: account.client_secret_file,
        token_file: account.token_file,
        provider: account.provider,
        provider_parameters: account.provider_parameters,
        flow: account.flow,
        client_id_metadata_document: account.client_id_metadata_document,
    }
}

fn not_written(wire: v1::NotWritten) -> NotWritten {
    NotWritten {
        message: wire.message,
        next_step: filled(wire.next_step),
        text: filled(wire.text),
        problems: wire.problems.into_iter().map(problem).collect(),
    }
}

pub(super) fn problem(wire: v1::ConfigProblem) -> ConfigProblem {
    ConfigProblem { line: (wire.line > 0).then_some(wire.line), message: wire.message }
}

fn reloaded(wire: v1::Reloaded) -> Reloaded {
    Reloaded {
        added: wire.added,
        removed: wire.removed,
        changed: wire.changed,
        signed_out: wire.signed_out,
        unchanged: wire.unchanged,
        network_changed: wire.network_changed,
    }
}

pub(super) fn unknown_outcome() -> CallError {
    CallError::WrongAnswer { why: "its outcome is one that this program does not know".into() }
}
