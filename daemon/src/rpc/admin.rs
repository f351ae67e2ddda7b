//! What the person's tool asks on `admin.sock`.

use std::time::Duration;

use mcp_authd_oauth::time::Now;
use mcp_authd_proto::v1;
use mcp_authd_proto::v1::admin_server::Admin;
use tokio::sync::watch::Receiver;
use tonic::{Request, Response, Status as Refused};
use zeroize::Zeroizing;

use super::need::{self, Asked};
use super::watch_accounts::{self, Watched};
use super::{Face, StartedBy, client_secret, clients, convert, examine, paste, providers, watch_log, words};
use crate::accounts::KeyState;
use crate::accounts::handle::AccountHandle;
use crate::accounts::need::{AnswerState, PersonWants, SignInMode};
use crate::accounts::status::{Health, Status, Trouble};

/// How long the keeper may take to do what the person asked before the answer tells what stands then.
const PATIENCE: Duration = Duration::from_secs(5);

/// The service for the person.
pub(super) struct AdminFace(pub(super) Face);

#[tonic::async_trait]
impl Admin for AdminFace {
    async fn start_sign_in(&self, request: Request<v1::StartSignInRequest>) -> Result<Response<v1::AccountStatus>, Refused> {
        let request = request.into_inner();
        let account = self.account_with_login(request.account)?;
        let wants = match (request.replace, request.again) {
            (true, _) => PersonWants::Replace,
            (false, true) => PersonWants::Again,
            (false, false) => PersonWants::ToBeSignedIn,
        };
        let asked = Asked::check(None, None)?;
        let need = asked.need(SignInMode::Person(wants), need::max_wait(request.max_wait)?, self.0.clock.now());
        let answer = account.token(need).await.map_err(|gone| Refused::unavailable(gone.to_string()))?;
        let mut wire = self.status_of(&account);
        if let AnswerState::Refusal(refusal) = &answer.state {
            let refusal = words::refusal(refusal, account.name().as_str());
            (wire.message, wire.next_step) = (refusal.message, refusal.next_step);
        }
        Ok(Response::new(wire))
    }

    async fn cancel_sign_in(&self, request: Request<v1::CancelSignInRequest>) -> Result<Response<v1::AccountStatus>, Refused> {
        let account = self.account_with_login(request.into_inner().account)?;
        account.cancel_sign_in();
        settled(account.status(), |status| status.sign_in.is_none()).await;
        Ok(Response::new(self.status_of(&account)))
    }

    async fn sign_out(&self, request: Request<v1::SignOutRequest>) -> Result<Response<v1::SignOutResponse>, Refused> {
        let account = self.account_with_login(request.into_inner().account)?;
        let before = account.status().borrow().clone();
        account.sign_out();
        let is_over = |health: &Health| matches!(health, Health::SignedOut | Health::Degraded(Trouble::NotErased(_)));
        let after = settled(account.status(), |status| status.revision > before.revision && is_over(&status.health)).await;
        Ok(Response::new(v1::SignOutResponse {
            account: account.name().to_string(),
            erased: after.health == Health::SignedOut,
            revocation: revocation(&before, self.0.clock.now()).into(),
        }))
    }

    async fn complete_sign_in(
        &self,
        request: Request<v1::CompleteSignInRequest>,
    ) -> Result<Response<v1::CompleteSignInResponse>, Refused> {
        Ok(Response::new(paste::complete(&self.0, request.into_inner())))
    }

    type WatchAccountsStream = watch_accounts::AccountStream;

    async fn watch_accounts(
        &self,
        request: Request<v1::WatchAccountsRequest>,
    ) -> Result<Response<Self::WatchAccountsStream>, Refused> {
        let name = request.into_inner().account;
        let watched = if name.is_empty() { Watched::All } else { Watched::Named(self.account(name)?.name().clone()) };
        Ok(Response::new(watch_accounts::accounts(self.0.clone(), watched)))
    }

    async fn status(&self, request: Request<v1::StatusRequest>) -> Result<Response<v1::StatusResponse>, Refused> {
        let facts = &self.0.facts;
        let key_state = match *facts.key.borrow() {
            KeyState::Loading => v1::KeyState::Loading,
            KeyState::Open => v1::KeyState::Open,
            KeyState::Locked => v1::KeyState::Locked,
            KeyState::Wrong => v1::KeyState::Wrong,
        };
        let started_by = match facts.started_by {
            StartedBy::Person => v1::StartedBy::Person,
            StartedBy::Program => v1::StartedBy::Program,
            StartedBy::Manager => v1::StartedBy::Manager,
        };
        Ok(Response::new(v1::StatusResponse {
            started_by: started_by.into(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id().into(),
            started_at: Some(convert::timestamp(facts.started_at)),
            key_source: facts.key_source.clone(),
            key_state: key_state.into(),
            accounts: self.0.registry.present().iter().map(|account| self.status_of(account)).collect(),
            config_path: facts.config_path.display().to_string(),
            examination: if request.into_inner().examine { Some(examine::examination(&self.0).await?) } else { None },
        }))
    }

    async fn add_account(&self, request: Request<v1::AddAccountRequest>) -> Result<Response<v1::AddAccountResponse>, Refused> {
        Ok(Response::new(self.add(request.into_inner()).await?))
    }

    async fn probe(&self, request: Request<v1::ProbeRequest>) -> Result<Response<v1::ProbeResponse>, Refused> {
        Ok(Response::new(self.probe_url(request.into_inner()).await))
    }

    async fn remove_account(
        &self,
        request: Request<v1::RemoveAccountRequest>,
    ) -> Result<Response<v1::RemoveAccountResponse>, Refused> {
        Ok(Response::new(self.remove(&request.into_inner().account).await?))
    }

    async fn set_client_secret(
        &self,
        request: Request<v1::SetClientSecretRequest>,
    ) -> Result<Response<v1::SetClientSecretResponse>, Refused> {
        let v1::SetClientSecretRequest { account, client_secret } = request.into_inner();
        Ok(Response::new(client_secret::set(&self.0, self.account(account)?, Zeroizing::new(client_secret)).await?))
    }

    async fn list_clients(&self, _: Request<v1::ListClientsRequest>) -> Result<Response<v1::ListClientsResponse>, Refused> {
        Ok(Response::new(clients::list(&self.0).await?))
    }

    async fn forget_client(
        &self,
        request: Request<v1::ForgetClientRequest>,
    ) -> Result<Response<v1::ForgetClientResponse>, Refused> {
        Ok(Response::new(clients::forget(&self.0, &request.into_inner().issuer).await?))
    }

    async fn list_profiles(&self, _: Request<v1::ListProfilesRequest>) -> Result<Response<v1::ListProfilesResponse>, Refused> {
        Ok(Response::new(providers::list(&self.0).await))
    }

    async fn reload(&self, _: Request<v1::ReloadRequest>) -> Result<Response<v1::ReloadResponse>, Refused> {
        Ok(Response::new(self.read_again().await?))
    }

    type WatchLogStream = watch_log::LogStream;

    async fn watch_log(&self, request: Request<v1::WatchLogRequest>) -> Result<Response<Self::WatchLogStream>, Refused> {
        Ok(Response::new(watch_log::log(self.0.clone(), request.into_inner())))
    }

    async fn stop(&self, _: Request<v1::StopRequest>) -> Result<Response<v1::StopResponse>, Refused> {
        tracing::info!("asked to stop on the admin socket");
        self.0.stop.cancel();
        Ok(Response::new(v1::StopResponse {}))
    }
}

impl AdminFace {
    pub(super) fn account(&self, name: String) -> Result<AccountHandle, Refused> {
        let target = need::target(name)?;
        let asked = Asked { target, ..Asked::check(None, None)? };
        self.0.find(&asked).map_err(|refusal| Refused::not_found(format!("{} Next: {}", refusal.message, refusal.next_step)))
    }

    pub(super) fn status_of(&self, account: &AccountHandle) -> v1::AccountStatus {
        convert::account_status(&account.status().borrow(), account, self.0.clock.now())
    }
}

/// What a logout from this status does at the server.
pub(super) fn revocation(before: &Status, now: Now) -> v1::Revocation {
    match &before.grant {
        Some(grant) if !grant.renewable && grant.expires.is_some_and(|end| end <= now.instant) => v1::Revocation::Nothing,
        Some(grant) if grant.revocable => v1::Revocation::Sent,
        Some(_) => v1::Revocation::NoEndpoint,
        None => match &before.health {
            // What nobody could read yet may have been a grant: it is erased, and lives on at the server.
            Health::Loading | Health::Locked | Health::WrongKey | Health::Degraded(Trouble::NotRead(_)) => {
                v1::Revocation::Unspecified
            }
            Health::Good
            | Health::Degraded(_)
            | Health::LoginRequired(_)
            | Health::SigningOut
            | Health::SignedOut
            | Health::Removing(_)
            | Health::Removed => v1::Revocation::Nothing,
        },
    }
}

/// The status once it is as wanted, or as it stands when patience ends.
pub(super) async fn settled(mut status: Receiver<Status>, is_wanted: impl Fn(&Status) -> bool) -> Status {
    let _ = tokio::time::timeout(PATIENCE, status.wait_for(|status| is_wanted(status))).await;
    status.borrow().clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::need::LoginReason;
    use crate::accounts::status::GrantStatus;
    use mcp_authd_oauth::terms::Scopes;
    use mcp_authd_oauth::time::{Instant, WallTime};

    const NOW: Now = Now { instant: Instant::from_millis(1_000_000), wall: WallTime::from_millis(1_790_000_000_000) };

    fn status(health: Health, grant: Option<GrantStatus>) -> Status {
        Status { revision: 1, health, grant, sign_in: None, last_end: None }
    }

    fn grant(renewable: bool, revocable: bool, left: Duration) -> Option<GrantStatus> {
        Some(GrantStatus {
            scopes: Scopes::default(),
            expires: Some(NOW.instant + left),
            granted_at: NOW.wall,
            refreshed_at: None,
            renewable,
            revocable,
            refreshing: false,
            subject: None,
        })
    }

    #[test]
    fn a_logout_says_what_became_of_the_tokens_at_the_server() {
        let hour = Duration::from_secs(3600);
        let dead = Health::LoginRequired(LoginReason::Dead);
        for (before, told) in [
            (status(Health::Good, grant(true, true, hour)), v1::Revocation::Sent),
            (status(Health::Good, grant(true, true, Duration::ZERO)), v1::Revocation::Sent),
            (status(Health::Good, grant(true, false, hour)), v1::Revocation::NoEndpoint),
            (status(dead.clone(), grant(false, true, Duration::ZERO)), v1::Revocation::Nothing),
            (status(dead, grant(false, false, Duration::ZERO)), v1::Revocation::Nothing),
            (status(Health::SignedOut, None), v1::Revocation::Nothing),
            (status(Health::Locked, None), v1::Revocation::Unspecified),
            (status(Health::Degraded(Trouble::NotRead("no permission".to_owned())), None), v1::Revocation::Unspecified),
        ] {
            assert_eq!(revocation(&before, NOW), told, "{before:?}");
        }
    }
}
