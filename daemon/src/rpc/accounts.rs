//! Accounts by command: added, taken out, and the file read again. What the person is told of it; the roster does it.
//!
//! Must never: change a file or an account by itself.

use mcp_authd_proto::v1;
use tonic::Status as Refused;

use super::admin::{AdminFace, revocation, settled};
use super::probe::ByUrl;
use super::{convert, words};
use crate::accounts::AccountName;
use crate::accounts::description::Kind;
use crate::accounts::handle::AccountHandle;
use crate::accounts::roster::{NotEdited, NotReloaded, Reloaded, Unable};
use crate::accounts::status::{Health, Status};
use crate::config::AccountDraft;

impl AdminFace {
    pub(super) async fn add(&self, request: v1::AddAccountRequest) -> Result<v1::AddAccountResponse, Refused> {
        use v1::add_account_response::Outcome;
        let (draft, found) = match self.by_url(draft(request.account.unwrap_or_default()), request.url).await {
            ByUrl::Draft(draft, found) => (*draft, found),
            ByUrl::Present(name) => {
                let outcome = Outcome::Present(self.status_of(&self.account(name)?));
                return Ok(v1::AddAccountResponse { outcome: Some(outcome), found: None });
            }
            ByUrl::Hopeless(why, found) => {
                return Ok(v1::AddAccountResponse { outcome: Some(Outcome::NotWritten(why)), found });
            }
        };
        let outcome = match self.0.roster.add(draft).await {
            // Its record is being read: a moment later it is known whether somebody has to log in.
            Ok(added) => {
                settled(added.account.status(), |status| status.health != Health::Loading).await;
                let status = self.status_of(&added.account);
                if added.is_new { Outcome::Added(status) } else { Outcome::Present(status) }
            }
            Err(NotEdited::File(why)) => Outcome::NotWritten(convert::not_edited(&why)),
            Err(NotEdited::Unable(why)) => return Err(unable(why)),
        };
        Ok(v1::AddAccountResponse { outcome: Some(outcome), found })
    }

    pub(super) async fn remove(&self, name: &str) -> Result<v1::RemoveAccountResponse, Refused> {
        use v1::remove_account_response::Outcome;
        let name = AccountName::parse(name).map_err(|why| Refused::invalid_argument(format!("account: {why}")))?;
        let outcome = match self.0.roster.remove(name.clone()).await {
            Ok(removed) => {
                let (erased, revocation) = match &removed.served {
                    Some((account, before)) => self.farewell(account, before).await,
                    None => (true, v1::Revocation::Nothing),
                };
                Outcome::Removed(v1::SignOutResponse { account: name.to_string(), erased, revocation: revocation.into() })
            }
            Err(NotEdited::File(why)) => Outcome::NotWritten(convert::not_edited(&why)),
            Err(NotEdited::Unable(why)) => return Err(unable(why)),
        };
        Ok(v1::RemoveAccountResponse { outcome: Some(outcome) })
    }

    /// Whether its records are gone, and what becomes of its tokens at the server.
    async fn farewell(&self, account: &AccountHandle, before: &Status) -> (bool, v1::Revocation) {
        if let Kind::TokenFile(_) = account.description().kind {
            // The file is somebody else's, and there is nothing else.
            return (true, v1::Revocation::Nothing);
        }
        let is_over = |status: &Status| matches!(status.health, Health::Removed | Health::Removing(Some(_)));
        let after = settled(account.status(), is_over).await;
        (after.health == Health::Removed, revocation(before, self.0.clock.now()))
    }

    pub(super) async fn read_again(&self) -> Result<v1::ReloadResponse, Refused> {
        use v1::reload_response::Outcome;
        let outcome = match self.0.roster.reload().await {
            Ok(done) => Outcome::Reloaded(reloaded(&done)),
            Err(NotReloaded::Broken(errors)) => Outcome::Refused(convert::broken(&errors)),
            Err(why @ NotReloaded::Missing { .. }) => Outcome::Refused(words::missing(&why)),
            Err(NotReloaded::Unable(why)) => return Err(unable(why)),
        };
        Ok(v1::ReloadResponse { outcome: Some(outcome) })
    }
}

fn unable(why: Unable) -> Refused {
    Refused::unavailable(why.to_string())
}

fn draft(account: v1::AccountDescription) -> AccountDraft {
    AccountDraft {
        name: account.name,
        issuer: account.issuer,
        device_authorization_endpoint: account.device_authorization_endpoint,
        token_endpoint: account.token_endpoint,
        revocation_endpoint: account.revocation_endpoint,
        client_id: account.client_id,
        scopes: account.scopes,
        resource: account.resource,
        audience: account.audience,
        extra_parameters: account.extra_parameters.into_iter().collect(),
        token_endpoint_auth_method: account.token_endpoint_auth_method,
        client_secret_file: account.client_secret_file,
        token_file: account.token_file,
        provider: account.provider,
        provider_parameters: account.provider_parameters.into_iter().collect(),
        flow: account.flow,
        client_id_metadata_document: account.client_id_metadata_document,
    }
}

fn reloaded(done: &Reloaded) -> v1::Reloaded {
    let words = |names: &[AccountName]| names.iter().map(ToString::to_string).collect();
    v1::Reloaded {
        added: words(&done.added),
        removed: words(&done.removed),
        changed: words(&done.changed),
        signed_out: words(&done.signed_out),
        unchanged: words(&done.unchanged),
        network_changed: done.network_changed,
    }
}
