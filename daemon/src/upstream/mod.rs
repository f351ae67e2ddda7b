//! The authorization servers over HTTP: one loop drives the flows of `oauth`, one transport carries their requests.
//!
//! Must never: keep or save a grant, decide about an account, or know gRPC. A credential goes back only to where it came from
//! (P14).

mod answer;
mod authentication;
mod by_hand;
pub mod callback;
#[cfg(test)]
mod captured_log;
mod client;
mod clients;
#[cfg(test)]
mod discovery_tests;
pub mod drive;
mod form_body;
mod identity;
mod names;
#[cfg(test)]
mod network_tests;
mod probe;
#[cfg(test)]
mod probe_tests;
#[cfg(test)]
mod scripted;
mod servers;
mod sign_in;
pub mod transport;
#[cfg(test)]
mod transport_tests;
mod undelivered;
#[cfg(test)]
mod upstream_tests;

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use mcp_authd_oauth::client_authentication::ClientAuthentication;
use mcp_authd_oauth::http::AnswerLost;
use mcp_authd_oauth::refresh::RefreshFlow;
use mcp_authd_oauth::revocation::{Revocation, RevocationFlow, RevocationRequest};
use mcp_authd_oauth::secret::SecretText;
use mcp_authd_oauth::sign_in::{PendingSignIn, SignInFailure};
use mcp_authd_oauth::terms::Issuer;
use mcp_authd_oauth::time::Instant;
use mcp_authd_oauth::token::{Binding, ErrorAnswer, Granted, OutcomeUnknown, RefreshOutcome};
use tokio::sync::{oneshot, watch};

use crate::accounts::belonging::is_same_client;
use crate::accounts::gate::Gate;
use crate::accounts::paste::NotCompleted;
use crate::accounts::probe::{KnownAccounts, NotProbed, Probed, Question};
use crate::accounts::{AccountName, RefreshRequest, RevokeRequest, SaveError, SignInRequest, Upstream, Vault};
use crate::config::{AccountConfig, Network};
use crate::host::clock::Clock;
use crate::host::tasks::Tasks;
use authentication::{HasSecret, judged_refresh};
use callback::Callbacks;
use clients::Clients;
use drive::{Transport, drive};
use servers::Servers;
use transport::HttpTransport;

/// The authorization servers, as the accounts see them.
pub struct HttpUpstream<T = HttpTransport> {
    wire: Arc<Wire<T>>,
    tasks: Tasks,
}

/// What every request needs; the futures that are handed out own a share of it.
struct Wire<T> {
    transport: T,
    clock: Clock,
    servers: Servers,
    callbacks: Callbacks,
    clients: Clients,
    /// Where the secrets of clients are kept.
    vault: Arc<dyn Vault>,
}

impl HttpUpstream {
    /// Over the network, as it is configured when a request begins. Nothing is built or opened before the first request.
    #[must_use]
    pub fn new((tasks, clock): (&Tasks, &Clock), network: watch::Receiver<Network>, vault: Arc<dyn Vault>) -> Self {
        Self::over(HttpTransport::new(tasks.clone(), clock.clone(), network), (tasks, clock), vault)
    }
}

impl<T: Transport> HttpUpstream<T> {
    /// Over any transport.
    #[must_use]
    pub fn over(transport: T, (tasks, clock): (&Tasks, &Clock), vault: Arc<dyn Vault>) -> Self {
        let wire = Wire {
            transport,
            clock: clock.clone(),
            servers: Servers::default(),
            callbacks: Callbacks::new(tasks, clock),
            clients: Clients::default(),
            vault,
        };
        Self { wire: Arc::new(wire), tasks: tasks.clone() }
    }
}

impl<T: Transport> Upstream for HttpUpstream<T> {
    fn refresh(&self, account: Arc<AccountConfig>, request: RefreshRequest) -> BoxFuture<'static, RefreshOutcome> {
        if !is_same_client(&request.binding, &account) {
            tracing::warn!(account = %account.name, "a refresh token was not sent: it came from another server or client");
            return ready(RefreshOutcome::Configuration(moved_away(&account))).boxed();
        }
        let (wire, tasks) = (self.wire.clone(), self.tasks.clone());
        async move {
            // I7: whoever waits for this may go away; the request does not notice. Only the end of the daemon ends it.
            let (settled, outcome) = oneshot::channel();
            tasks.errand("refresh", async move {
                let outcome = wire.refresh(&account, request).await;
                tracing::debug!(account = %account.name, outcome = word(&outcome), "a refresh has ended");
                let _ = settled.send(outcome);
            });
            outcome.await.unwrap_or(RefreshOutcome::OutcomeUnknown(OutcomeUnknown::AnswerLost(AnswerLost::Interrupted)))
        }
        .boxed()
    }

    fn sign_in(
        &self,
        account: Arc<AccountConfig>,
        request: SignInRequest,
        prompt: oneshot::Sender<PendingSignIn>,
        gate: Gate,
    ) -> BoxFuture<'static, Result<Granted, SignInFailure>> {
        let wire = self.wire.clone();
        async move { wire.sign_in(&account, request, (prompt, gate)).await }.boxed()
    }

    fn resume_sign_in(
        &self,
        account: Arc<AccountConfig>,
        pending: PendingSignIn,
        gate: Gate,
    ) -> BoxFuture<'static, Result<Granted, SignInFailure>> {
        if !is_same_client(pending.binding(), &account) {
            tracing::warn!(account = %account.name, "a login was not resumed: it was begun with another server or client");
            return ready(Err(SignInFailure::Refused(moved_away(&account)))).boxed();
        }
        let wire = self.wire.clone();
        async move { wire.resume_sign_in(&account, pending, gate).await }.boxed()
    }

    fn complete_sign_in(&self, pasted: SecretText) -> Result<AccountName, NotCompleted> {
        self.wire.complete_sign_in(&pasted)
    }

    fn forget_client(&self, issuer: Issuer) -> BoxFuture<'static, Result<(), SaveError>> {
        let (wire, tasks) = (self.wire.clone(), self.tasks.clone());
        async move {
            let (forgotten, told) = oneshot::channel();
            tasks.errand("forget a client", async move {
                let _ = forgotten.send(wire.forget_client(&issuer).await);
            });
            told.await.unwrap_or_else(|_| Err(SaveError::Io("the daemon is about to end".to_owned())))
        }
        .boxed()
    }

    fn leaves_alone_until(&self) -> Option<Instant> {
        self.wire.clients.leaves_alone_until()
    }

    fn revoke(&self, account: Arc<AccountConfig>, request: RevokeRequest) -> BoxFuture<'static, ()> {
        let wire = self.wire.clone();
        async move { wire.revoke(&account, request).await }.boxed()
    }

    fn probe(&self, question: Question, known: KnownAccounts) -> BoxFuture<'static, Result<Probed, NotProbed>> {
        let wire = self.wire.clone();
        async move { wire.probe(question, known).await }.boxed()
    }
}

impl<T: Transport> Wire<T> {
    /// Straight to the endpoint that issued the token: no discovery stands before a refresh (spec/pains.md 8, 9).
    async fn refresh(&self, account: &AccountConfig, request: RefreshRequest) -> RefreshOutcome {
        let client = match authentication::of(&request.binding.client_id, account, &*self.vault).await {
            Ok(client) => client,
            Err(why) => return RefreshOutcome::NotAuthenticated(why),
        };
        let (has_secret, client_id) = (HasSecret::from(&client), request.binding.client_id.clone());
        let flow = RefreshFlow::new(request.refresh_token, request.binding, client).by(account.profile.clone());
        let outcome = drive(flow, &self.transport, &self.clock, |never| match never {}).await;
        match self.without_our_client(outcome, &client_id, account).await {
            Ok(ended) => ended,
            Err(outcome) => judged_refresh(outcome, account, has_secret),
        }
    }

    async fn revoke(&self, account: &AccountConfig, request: RevokeRequest) {
        let RevokeRequest { refresh_token, access_token, binding } = request;
        let client = self.revoking_client(account, &binding).await;
        let flow = RevocationFlow::new(RevocationRequest { refresh_token, access_token, binding, client });
        let flow = flow.by(account.profile.clone());
        let report = drive(flow, &self.transport, &self.clock, |never| match never {}).await;
        tell(account, "refresh token", &report.refresh_token);
        tell(account, "access token", &report.access_token);
    }
}

impl<T: Transport> Wire<T> {
    /// Who gives tokens back. The secret of another client or server is none of theirs (P14), and where there is none to be had
    /// the server may still take its own tokens from whoever holds them.
    async fn revoking_client(&self, account: &AccountConfig, binding: &Binding) -> ClientAuthentication {
        if !is_same_client(binding, account) {
            return ClientAuthentication::Public;
        }
        authentication::of(&binding.client_id, account, &*self.vault).await.unwrap_or_else(|why| {
            tracing::warn!(account = %account.name, %why, "tokens are given back without the client's secret");
            ClientAuthentication::Public
        })
    }
}

impl<T> std::fmt::Debug for HttpUpstream<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpUpstream").field("servers", &self.wire.servers).finish_non_exhaustive()
    }
}

/// The end of a revocation changes nothing here (D63); the log tells what may live on at the server.
fn tell(account: &AccountConfig, token: &'static str, end: &Revocation) {
    let account = &account.name;
    match end {
        Revocation::NotHeld => {}
        Revocation::Revoked => tracing::info!(%account, token, "the authorization server has revoked the token"),
        Revocation::NoEndpoint => {
            tracing::info!(%account, token, "the authorization server offers no revocation; the token lives to its end")
        }
        Revocation::NotSupported => {
            tracing::info!(%account, token, "the authorization server revokes no token of this type; it lives to its end")
        }
        Revocation::Failed(why) => {
            tracing::warn!(%account, token, %why, "the token could not be revoked; it may live on at the authorization server")
        }
    }
}

fn moved_away(account: &AccountConfig) -> ErrorAnswer {
    ErrorAnswer {
        error: "binding_changed".to_owned(),
        description: Some(format!(
            "the login belongs to another server or client than the configuration names now; log in again: authctl login {}",
            account.name
        )),
        status: 0,
    }
}

fn word(outcome: &RefreshOutcome) -> &'static str {
    match outcome {
        RefreshOutcome::Success(_) => "success",
        RefreshOutcome::DeadGrant(_) => "dead grant",
        RefreshOutcome::Configuration(_) => "configuration",
        RefreshOutcome::NotAuthenticated(_) => "not authenticated",
        RefreshOutcome::UnknownError(_) => "unknown error",
        RefreshOutcome::Later { .. } => "later",
        RefreshOutcome::NothingSent(_) => "nothing sent",
        RefreshOutcome::OutcomeUnknown(_) => "outcome unknown",
    }
}
