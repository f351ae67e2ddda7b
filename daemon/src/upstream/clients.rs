//! Which client a login uses: the configured one, our metadata document, or one that we register (RFC 7591), and what follows when
//! its server does not know it any more (D46, D57-D60).
//!
//! Must never: use a client at another issuer than its own (P14), or ask a server for a second one within the hour (D59).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mcp_authd_oauth::client_authentication::{ClientAuthentication, NotAuthenticated};
use mcp_authd_oauth::profile;
use mcp_authd_oauth::registration::{
    AfterInvalidClient, AskForClient, Attempts, CallbackPort, Candidates, ClientChoice, ClientIdUrl, GrantNeeded, GrantsWanted,
    NextLogin, RedirectUri, RegisteredClient, Registration, RegistrationError, RegistrationFlow, RegistrationRequest, Unusable,
    UsedClient, WhyRegister, after_invalid_client,
};
use mcp_authd_oauth::sign_in::{NextStep, NotBegun, SignInFailure};
use mcp_authd_oauth::terms::{ClientId, Issuer};
use mcp_authd_oauth::time::Instant;
use mcp_authd_oauth::token::{ErrorAnswer, RefreshOutcome};
use mcp_authd_oauth::way::Way;
use tokio::sync::OwnedMutexGuard;

use super::Wire;
use super::authentication::{self, blames_the_client};
use super::callback::is_lasting;
use super::drive::{Transport, drive};
use super::servers::Server;
use crate::config::{AccountConfig, ClientConfig, ServerConfig};
use crate::host::entropy;

/// What is remembered of registrations, and whose turn it is: one at a time for each issuer.
#[derive(Debug, Default)]
pub(super) struct Clients {
    attempts: Mutex<Attempts>,
    /// Whose turn it is to register; held over the network.
    pub(super) turns: Turns,
    /// Whose turn it is to change what is kept; held over the disk only, so that no refresh waits for a registration.
    changes: Turns,
}

/// One turn at a time for each issuer.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<Issuer, Arc<tokio::sync::Mutex<()>>>>);

impl Turns {
    pub(super) async fn take(&self, issuer: &Issuer) -> OwnedMutexGuard<()> {
        let turn = lock(&self.0).entry(issuer.clone()).or_default().clone();
        turn.lock_owned().await
    }
}

/// The client of a login.
#[derive(Debug)]
pub(super) struct Used {
    pub(super) client_id: ClientId,
    pub(super) authentication: ClientAuthentication,
    /// Where its codes are to come, where its provider does not say.
    pub(super) port: CallbackPort,
    /// Whose it is.
    whose: Whose,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Configured,
    Document,
    /// We registered it.
    Ours,
}

/// Whether the login is the one that follows an `invalid_client`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    First,
    Anew,
}

impl Clients {
    /// Before when nobody asks that issuer for a registration again (D59).
    pub(super) fn not_before(&self, issuer: &Issuer) -> Option<Instant> {
        lock(&self.attempts).not_before(issuer)
    }

    /// Before when some issuer is not asked for a registration again (D59): the next daemon would not know of attempts that failed.
    pub(super) fn leaves_alone_until(&self) -> Option<Instant> {
        lock(&self.attempts).latest()
    }

    /// Until they are dropped nobody else registers a client there, or changes what is kept of one.
    pub(super) async fn turn(&self, issuer: &Issuer) -> (OwnedMutexGuard<()>, OwnedMutexGuard<()>) {
        (self.turns.take(issuer).await, self.changes.take(issuer).await)
    }

    /// The person's own word counts more than the hour (D59).
    pub(super) fn forget(&self, issuer: &Issuer) {
        lock(&self.attempts).forget(issuer);
    }
}

impl<T: Transport> Wire<T> {
    /// The client for a login that takes this way. Registers one where none serves.
    pub(super) async fn client_for(&self, account: &AccountConfig, server: &Server, way: &Way) -> Result<Used, SignInFailure> {
        let (document, issuer) = match (&account.client, &server.issuer) {
            (ClientConfig::PreRegistered(client_id), _) => return self.configured_client(client_id, account).await,
            (ClientConfig::Found { document }, Some(issuer)) => (document.as_ref(), issuer),
            // The configuration lets no such account through.
            (ClientConfig::Found { .. }, None) => return Err(SignInFailure::NotAuthenticated(NotAuthenticated::NoSecret)),
        };
        let _turn = self.clients.turns.take(issuer).await;
        let redirect = redirect_uri(account);
        let grant = match way {
            Way::DeviceGrant { .. } => GrantNeeded::Device,
            Way::Code { .. } => GrantNeeded::Code(&redirect),
        };
        let chosen = match self.choice(issuer, document, (server, grant)).await? {
            ClientChoice::Register { endpoint, why } => {
                tracing::info!(%issuer, %why, "a client is registered at the authorization server");
                let request = RegistrationRequest {
                    issuer: issuer.clone(),
                    registration_endpoint: endpoint,
                    grants: grants(server, self.redirect_uris(account).await),
                    auth_methods_supported: server.registrar.auth_methods.clone(),
                    scopes: account.scopes.clone(),
                };
                self.register(request).await?;
                self.choice(issuer, document, (server, grant)).await?
            }
            chosen => chosen,
        };
        let used = used(chosen, issuer, way)?;
        match used.whose {
            Whose::Ours => {
                Ok(Used { port: self.kept(issuer).await?.map(|kept| kept.callback_port()).unwrap_or_default(), ..used })
            }
            Whose::Configured | Whose::Document => Ok(used),
        }
    }

    /// Where codes may come, the most exact one first: many servers compare the whole text, port and all, against RFC 8252, 7.3.
    /// Every client that we register has the same port, as long as it can be had: so one listener does for all.
    async fn redirect_uris(&self, account: &AccountConfig) -> Vec<RedirectUri> {
        let wanted = redirect_uri(account);
        if wanted.port().is_some() {
            return vec![wanted];
        }
        let known = self.vault.registrations().await.unwrap_or_default();
        let known = known.iter().find_map(|kept| match kept.callback_port() {
            CallbackPort::Rather(port) | CallbackPort::Only(port) => Some(port).filter(|port| is_lasting(*port)),
            CallbackPort::Any => None,
        });
        let mut randomness = [0; 32];
        // Without a port nobody can be answered, which the login itself says.
        let drawn = entropy::fill(&mut randomness).ok().and_then(|()| self.callbacks.lasting_port(&randomness));
        let port = known.or(drawn);
        let exact = port.map(|port| wanted.with_port(port.get()));
        exact.into_iter().chain([wanted, RedirectUri::ipv6()]).collect()
    }

    /// The configured client, without whose secret nothing is to be asked of its server.
    pub(super) async fn configured_client(&self, client_id: &ClientId, account: &AccountConfig) -> Result<Used, SignInFailure> {
        let authentication =
            authentication::of(client_id, account, &*self.vault).await.map_err(SignInFailure::NotAuthenticated)?;
        Ok(Used { client_id: client_id.clone(), authentication, port: CallbackPort::Any, whose: Whose::Configured })
    }

    async fn choice(
        &self,
        issuer: &Issuer,
        document: Option<&ClientIdUrl>,
        (server, grant): (&Server, GrantNeeded<'_>),
    ) -> Result<ClientChoice, SignInFailure> {
        let kept = self.kept(issuer).await?;
        let candidates = self.candidates(issuer, (document, kept.as_ref()), server);
        Ok(ClientChoice::of(&candidates, grant, self.clock.now()))
    }

    fn candidates<'a>(
        &self,
        issuer: &'a Issuer,
        (document, kept): (Option<&'a ClientIdUrl>, Option<&'a Registration>),
        server: &'a Server,
    ) -> Candidates<'a> {
        Candidates {
            issuer,
            pre_registered: None,
            document,
            documents: server.registrar.documents,
            kept,
            registration_endpoint: server.registrar.endpoint.as_ref(),
            not_before: self.clients.not_before(issuer),
        }
    }

    async fn kept(&self, issuer: &Issuer) -> Result<Option<Registration>, SignInFailure> {
        let unreadable = |why: crate::accounts::LoadError| NotAuthenticated::Unreadable(why.to_string());
        self.vault.registration(issuer).await.map_err(unreadable).map_err(SignInFailure::NotAuthenticated)
    }

    /// Registers, and keeps what came of it before anything else is done with it.
    async fn register(&self, request: RegistrationRequest) -> Result<(), SignInFailure> {
        let issuer = request.issuer.clone();
        // Whoever cancels the login leaves a client behind that may have been registered: as if the answer had been lost (D59).
        lock(&self.clients.attempts).note(&issuer, &Err(RegistrationError::AnswerLost), self.clock.now());
        let ended = drive(RegistrationFlow::new(request), &self.transport, &self.clock, |never| match never {}).await;
        lock(&self.clients.attempts).note(&issuer, &ended, self.clock.now());
        let registered = ended.map_err(not_registered)?;
        let _change = self.clients.changes.take(&issuer).await;
        let registration = registered.replacing(self.kept(&issuer).await?);
        self.vault.save_registration(registration).await.map_err(|why| {
            tracing::error!(%issuer, %why, "a registration could not be saved");
            let why = format!("the client that was registered could not be saved: {why}");
            SignInFailure::NotBegun(NotBegun { why, next_step: NextStep::ForgetClient(issuer) })
        })
    }

    /// A login's client was refused as such (`invalid_client`). `Ok`: another login may begin at once, with a new client.
    pub(super) async fn client_refused(
        &self,
        used: &Used,
        (account, server): (&AccountConfig, &Server),
        (error, round): (ErrorAnswer, Round),
    ) -> Result<(), SignInFailure> {
        let (ClientConfig::Found { document }, Some(issuer)) = (&account.client, &server.issuer) else {
            return Err(SignInFailure::Refused(error));
        };
        let _turn = self.clients.turn(issuer).await;
        let kept = self.kept(issuer).await?;
        let candidates = self.candidates(issuer, (document.as_ref(), kept.as_ref()), server);
        let which = match (used.whose, round) {
            (Whose::Configured, _) => UsedClient::PreRegistered,
            (Whose::Document, _) => UsedClient::MetadataDocument,
            (Whose::Ours, Round::First) => UsedClient::Registered(&used.client_id),
            (Whose::Ours, Round::Anew) => UsedClient::RegisteredAnew(&used.client_id),
        };
        let AfterInvalidClient { keep, login } = after_invalid_client(which, &candidates, self.clock.now());
        self.keep(keep, issuer).await;
        match login {
            NextLogin::Begin => Ok(()),
            NextLogin::Wait { left } => Err(SignInFailure::Unavailable { retry_after: Some(left) }),
            NextLogin::AskForClient(ask) => Err(SignInFailure::NotBegun(ask.into())),
        }
    }

    /// A refresh in whose answer the server does not know the client that we registered: the grant is over, as no other client may
    /// spend its refresh token, and the next login has a new client (D46). `Err`: it is nothing of the kind.
    pub(super) async fn without_our_client(
        &self,
        outcome: RefreshOutcome,
        client_id: &ClientId,
        account: &AccountConfig,
    ) -> Result<RefreshOutcome, RefreshOutcome> {
        let (RefreshOutcome::Configuration(error), ServerConfig::Issuer(issuer)) = (&outcome, &account.server) else {
            return Err(outcome);
        };
        let is_document = match &account.client {
            ClientConfig::PreRegistered(_) => return Err(outcome),
            ClientConfig::Found { document } => document.as_ref().is_some_and(|url| url.client_id() == *client_id),
        };
        if is_document || !blames_the_client(error) {
            return Err(outcome);
        }
        let error = error.clone();
        if self.given_up(client_id, issuer).await { Ok(RefreshOutcome::DeadGrant(error)) } else { Err(outcome) }
    }

    /// The same where a login that was begun before a restart ends so.
    pub(super) async fn resumed_without_our_client(
        &self,
        failure: SignInFailure,
        client_id: &ClientId,
        account: &AccountConfig,
    ) -> SignInFailure {
        match (&failure, &account.client, &account.server) {
            (SignInFailure::Refused(error), ClientConfig::Found { .. }, ServerConfig::Issuer(issuer))
                if blames_the_client(error) && self.given_up(client_id, issuer).await =>
            {
                not_known_any_more(error)
            }
            _ => failure,
        }
    }

    /// Gives a client up that its server does not know any more, where we registered it: any other may come back to the
    /// configuration.
    async fn given_up(&self, client_id: &ClientId, issuer: &Issuer) -> bool {
        let _change = self.clients.changes.take(issuer).await;
        let Some(kept) = self.kept(issuer).await.ok().flatten().filter(|kept| kept.client(client_id).is_some()) else {
            return false;
        };
        self.keep(kept.without(client_id, self.clock.now().wall), issuer).await;
        tracing::warn!(%issuer, "the authorization server does not know our client any more");
        true
    }

    async fn keep(&self, registration: Option<Registration>, issuer: &Issuer) {
        if let Some(registration) = registration
            && let Err(why) = self.vault.save_registration(registration).await
        {
            tracing::warn!(%issuer, %why, "what became of a registration could not be saved");
        }
    }
}

impl Used {
    fn ours(client: &RegisteredClient) -> Result<Self, SignInFailure> {
        let authentication = client.authentication().map_err(SignInFailure::NotAuthenticated)?;
        Ok(Self { client_id: client.client_id.clone(), authentication, port: CallbackPort::Any, whose: Whose::Ours })
    }
}

fn used(choice: ClientChoice, issuer: &Issuer, way: &Way) -> Result<Used, SignInFailure> {
    let needs_device = matches!(way, Way::DeviceGrant { .. });
    let public =
        |client_id, whose| Used { client_id, authentication: ClientAuthentication::Public, port: CallbackPort::Any, whose };
    match choice {
        ClientChoice::PreRegistered(client_id) => Ok(public(client_id, Whose::Configured)),
        ClientChoice::MetadataDocument(client_id) => Ok(public(client_id, Whose::Document)),
        ClientChoice::Registered(client) => Used::ours(&client),
        // A browser may do: the caller knows.
        ClientChoice::Wait { why: WhyRegister::Renewal(Unusable::LacksGrant), .. }
        | ClientChoice::Register { why: WhyRegister::Renewal(Unusable::LacksGrant), .. }
            if needs_device =>
        {
            Err(SignInFailure::NoDeviceGrant)
        }
        ClientChoice::Wait { left, why } => {
            tracing::warn!(%issuer, %why, wait = left.as_secs(), "no client is registered now: one was asked for within the hour");
            Err(SignInFailure::Unavailable { retry_after: Some(left) })
        }
        // The server granted less than was asked for, or its answer did not come.
        ClientChoice::Register { why, .. } => {
            Err(by_hand(format!("{why}, and the authorization server registers none that can")))
        }
        ClientChoice::AskForClient(ask) => Err(SignInFailure::NotBegun(ask.into())),
    }
}

/// For a login whose prompt was handed out already: the person begins the next one.
pub(super) fn not_known_any_more(error: &ErrorAnswer) -> SignInFailure {
    SignInFailure::NotBegun(NotBegun {
        why: format!(
            "the authorization server does not know the client any more that mcp-authd had registered ({})",
            error.error
        ),
        next_step: NextStep::LogIn,
    })
}

fn not_registered(why: RegistrationError) -> SignInFailure {
    match why {
        RegistrationError::Unreachable(why) => SignInFailure::Unreachable(why),
        RegistrationError::Later { retry_after, .. } => SignInFailure::Unavailable { retry_after },
        why => by_hand(why.to_string()),
    }
}

/// No client can be had without a person.
fn by_hand(why: String) -> SignInFailure {
    SignInFailure::NotBegun(NotBegun { why, next_step: AskForClient::next_step() })
}

/// Both ways where the server has both: so that no other registration is needed when the other one is taken.
fn grants(server: &Server, redirects: Vec<RedirectUri>) -> GrantsWanted {
    match (&server.way, &server.otherwise) {
        (Way::DeviceGrant { .. }, None) => GrantsWanted::Device,
        (Way::DeviceGrant { .. }, Some(_)) => GrantsWanted::DeviceAndCode(redirects),
        (Way::Code { .. }, _) => GrantsWanted::Code(redirects),
    }
}

/// Where codes are to come: any port, but where the provider wants one.
fn redirect_uri(account: &AccountConfig) -> RedirectUri {
    match &account.profile.redirect {
        profile::Redirect::AnyPort => RedirectUri::ipv4(),
        profile::Redirect::Exact(uri) => uri.clone(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
