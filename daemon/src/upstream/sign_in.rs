//! A login, in whichever way the configuration and the server leave: by device code, or in a browser with a code and PKCE.
//!
//! Must never: go another way than the one whose prompt was handed out, or trade in a code of a response that was not judged.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mcp_authd_oauth::authorization_code::exchange::ExchangeFlow;
use mcp_authd_oauth::authorization_code::judge::{NoCode, judge};
use mcp_authd_oauth::authorization_code::pkce::PkceRule;
use mcp_authd_oauth::authorization_code::request::{CodeRequest, begin};
use mcp_authd_oauth::client_authentication::ClientAuthentication;
use mcp_authd_oauth::device::{DeviceFlow, DeviceRequest};
use mcp_authd_oauth::endpoint::Endpoint;
use mcp_authd_oauth::profile::{self, Profile};
use mcp_authd_oauth::registration::CallbackPort;
use mcp_authd_oauth::sign_in::{NextStep, NotBegun, PendingCode, PendingDevice, PendingSignIn, SignInFailure};
use mcp_authd_oauth::terms::{RedirectUri, Scopes};
use mcp_authd_oauth::token::Granted;
use mcp_authd_oauth::way::Way;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::Wire;
use super::authentication::{self, HasSecret, blames_the_client, judged_sign_in};
use super::callback::{Expected, NoListener, NotARedirect, PortWanted, Redirect};
use super::clients::{Round, Used, not_known_any_more};
use super::drive::{Transport, drive};
use super::servers::Server;
use crate::accounts::SignInRequest;
use crate::accounts::gate::Gate;
use crate::config::AccountConfig;
use crate::host::entropy;

/// How long a person has for a login in a browser. The server's own pages have limits of their own, which nobody tells us.
const LONGEST_IN_BROWSER: Duration = Duration::from_secs(600);

/// Where the prompt goes, once, and what its answer has to pass where it may be used once only.
type PromptTo = (oneshot::Sender<PendingSignIn>, Gate);

impl<T: Transport> Wire<T> {
    /// A new login. Where its way turns out to be closed to this client, before anybody was shown a prompt, a browser is next.
    pub(super) async fn sign_in(
        &self,
        account: &AccountConfig,
        SignInRequest { scopes, held }: SignInRequest,
        prompt: PromptTo,
    ) -> Result<Granted, SignInFailure> {
        let mut configured = match account.client.pre_registered() {
            Some(client_id) => Some(self.configured_client(client_id, account).await?),
            None => None,
        };
        let server = self.servers.of(account, &self.transport, &self.clock).await?;
        if let Some(moved) = held.and_then(|held| server.moved(&held, account)) {
            self.servers.forget(account);
            return Err(SignInFailure::NotBegun(moved));
        }
        let (mut way, mut otherwise) = (server.way.clone(), server.otherwise.clone());
        let (mut prompt, mut round) = (Some(prompt), Round::First);
        loop {
            let used = match configured.take() {
                Some(used) => Ok(used),
                None => self.client_for(account, &server, &way).await,
            };
            let ended = match used {
                Ok(used) => {
                    let login = Login { account, scopes: &scopes, server: &server, used: &used };
                    let ended = self.by(way.clone(), login, &mut prompt).await;
                    self.judged(ended, (&used, account, &server), (&mut round, prompt.is_some())).await
                }
                Err(failure) => Turn::ended(Err(failure)),
            };
            let Turn::Ended(ended) = ended else { continue };
            match *ended {
                Err(failure) if prompt.is_some() && is_closed_to_us(&failure) && otherwise.is_some() => {
                    tracing::info!(account = %account.name, %failure, "no device grant for this client; a browser is next");
                    way = otherwise.take().unwrap_or(way);
                }
                ended => {
                    if ended.is_err() {
                        // Where endpoints have moved, the next login shall find them.
                        self.servers.forget(account);
                    }
                    return ended;
                }
            }
        }
    }

    async fn by(&self, way: Way, login: Login<'_>, prompt: &mut Option<PromptTo>) -> Result<Granted, SignInFailure> {
        let granted = match way {
            Way::DeviceGrant { endpoint } => {
                let flow = DeviceFlow::new(login.device_request(endpoint)).by(login.account.profile.clone());
                self.by_device(flow, prompt).await?
            }
            Way::Code { authorization_endpoint, pkce } => self.in_browser((login, authorization_endpoint, pkce), prompt).await?,
        };
        Ok(self.identified(granted, login.account, (&login.server.identity, &login.used.authentication)).await)
    }

    /// What became of a login whose client may have been refused as such (D46).
    async fn judged(
        &self,
        ended: Result<Granted, SignInFailure>,
        (used, account, server): (&Used, &AccountConfig, &Server),
        (round, nobody_was_prompted): (&mut Round, bool),
    ) -> Turn {
        let has_secret = HasSecret::from(&used.authentication);
        let failure = match ended {
            Err(SignInFailure::Refused(error)) if account.client.pre_registered().is_none() && blames_the_client(&error) => {
                match self.client_refused(used, (account, server), (error.clone(), *round)).await {
                    Ok(()) if nobody_was_prompted && *round == Round::First => {
                        *round = Round::Anew;
                        return Turn::Again;
                    }
                    Ok(()) => not_known_any_more(&error),
                    Err(failure) => failure,
                }
            }
            Err(failure) => judged_sign_in(failure, account, has_secret),
            granted => return Turn::ended(granted),
        };
        Turn::ended(Err(failure))
    }

    async fn by_device(&self, flow: DeviceFlow, prompt: &mut Option<PromptTo>) -> Result<Granted, SignInFailure> {
        drive(flow, &self.transport, &self.clock, |pending| {
            if let Some((prompt, _)) = prompt.take() {
                // Nobody waits for it any more: the login goes on all the same (D22).
                let _ = prompt.send(PendingSignIn::Device(pending));
            }
        })
        .await
    }

    async fn in_browser(
        &self,
        (login, authorization_endpoint, pkce): (Login<'_>, Endpoint, PkceRule),
        prompt: &mut Option<PromptTo>,
    ) -> Result<Granted, SignInFailure> {
        let profile = login.account.profile.clone();
        let redirect = redirect(&profile, login.used.port).map_err(no_callback)?;
        let door = self.callbacks.open(redirect).map_err(|why| no_listener(&why))?;
        let door = door.belonging_to(&login.account.name);
        let request = login.code_request(authorization_endpoint, pkce, RedirectUri::new(door.redirect_uri()));
        let mut randomness = Zeroizing::new([0; 64]);
        entropy::fill(&mut *randomness).map_err(no_callback)?;
        let pending = begin(request, *randomness, self.clock.now(), LONGEST_IN_BROWSER)?;
        let expected = door.expect(&pending.state);
        // Each login prompts once.
        let Some((prompt, gate)) = prompt.take() else { return Err(SignInFailure::AnswerLost) };
        // As above (D22).
        let _ = prompt.send(PendingSignIn::Code(pending.clone()));
        self.answered_in_browser((pending, profile), (expected, gate), login.used.authentication.clone()).await
    }

    async fn answered_in_browser(
        &self,
        (pending, profile): (PendingCode, Arc<Profile>),
        (expected, gate): (Expected, Gate),
        client: ClientAuthentication,
    ) -> Result<Granted, SignInFailure> {
        let response = tokio::select! {
            response = expected.response() => response,
            () = self.clock.sleep_until(pending.expires) => return Err(SignInFailure::Expired),
        };
        let code = judge(&pending, response, self.clock.now()).map_err(|why| match why {
            NoCode::Over(failure) => failure,
            // The listener tells logins apart by their state, and this one's has come; it comes once.
            NoCode::KeepWaiting => SignInFailure::AnswerLost,
        })?;
        gate.passed().await;
        drive(ExchangeFlow::new(pending, code, client).by(profile), &self.transport, &self.clock, |never| match never {}).await
    }

    /// One from before a restart.
    pub(super) async fn resume_sign_in(
        &self,
        account: &AccountConfig,
        pending: PendingSignIn,
        gate: Gate,
    ) -> Result<Granted, SignInFailure> {
        let client_id = pending.binding().client_id.clone();
        let client = authentication::of(&client_id, account, &*self.vault).await.map_err(SignInFailure::NotAuthenticated)?;
        let ended = match pending {
            PendingSignIn::Device(pending) => self.resume_polling(pending, client.clone(), account.profile.clone()).await,
            PendingSignIn::Code(pending) => self.resume_in_browser((pending, account), gate, client.clone()).await,
        };
        match ended {
            Ok(granted) => Ok(self.identified_after_restart(granted, account, &client).await),
            Err(failure) => {
                let failure = self.resumed_without_our_client(failure, &client_id, account).await;
                Err(judged_sign_in(failure, account, HasSecret::from(&client)))
            }
        }
    }

    async fn resume_polling(
        &self,
        pending: PendingDevice,
        client: ClientAuthentication,
        profile: Arc<Profile>,
    ) -> Result<Granted, SignInFailure> {
        drive(DeviceFlow::resume(pending, client).by(profile), &self.transport, &self.clock, drop).await
    }

    /// The browser has the old URL open, which names the old port.
    async fn resume_in_browser(
        &self,
        (pending, account): (PendingCode, &AccountConfig),
        gate: Gate,
        client: ClientAuthentication,
    ) -> Result<Granted, SignInFailure> {
        let redirect = Redirect::parse(pending.redirect_uri.as_str()).map_err(no_callback)?;
        let door = self.callbacks.open(redirect).map_err(|why| not_resumed(why, account))?.belonging_to(&account.name);
        let expected = door.expect(&pending.state);
        self.answered_in_browser((pending, account.profile.clone()), (expected, gate), client).await
    }
}

/// How one turn of a login ended.
enum Turn {
    /// Nobody was prompted, and another client may do better.
    Again,
    /// For good.
    Ended(Box<Result<Granted, SignInFailure>>),
}

impl Turn {
    fn ended(how: Result<Granted, SignInFailure>) -> Self {
        Self::Ended(Box::new(how))
    }
}

/// Whether a device grant that the server advertises is not for us: then a browser may be (RFC 6749, 5.2; RFC 8628, 3.2). Asked before
/// there is a code, so that `invalid_grant` can only mean the grant itself: Keycloak's word for a client that may not use it.
fn is_closed_to_us(failure: &SignInFailure) -> bool {
    match failure {
        SignInFailure::NoDeviceGrant => true,
        SignInFailure::Refused(error) => {
            matches!(
                error.error.as_str(),
                "unauthorized_client" | "unsupported_grant_type" | "device_flow_disabled" | "invalid_grant"
            )
        }
        _ => false,
    }
}

/// What a login is made of, whichever way it takes.
#[derive(Clone, Copy)]
struct Login<'a> {
    account: &'a AccountConfig,
    scopes: &'a Scopes,
    server: &'a Server,
    used: &'a Used,
}

impl Login<'_> {
    fn device_request(self, device_authorization_endpoint: Endpoint) -> DeviceRequest {
        DeviceRequest {
            device_authorization_endpoint,
            binding: self.server.binding(self.used.client_id.clone(), self.account),
            scopes: self.scopes.clone(),
            audience: self.account.audience.clone(),
            extra_parameters: self.account.extra_parameters.clone(),
            loopback: self.server.loopback,
            client: self.used.authentication.clone(),
        }
    }

    fn code_request(self, authorization_endpoint: Endpoint, pkce_rule: PkceRule, redirect_uri: RedirectUri) -> CodeRequest {
        let binding = self.server.binding(self.used.client_id.clone(), self.account);
        CodeRequest {
            authorization_endpoint,
            sent_resource: self.account.profile.sent_resource(&binding).cloned(),
            binding,
            redirect_uri,
            scopes: self.scopes.clone(),
            audience: self.account.audience.clone(),
            extra_parameters: parameters(self.account, self.scopes),
            pkce: self.server.pkce,
            pkce_rule,
            iss_parameter: self.server.iss_parameter,
        }
    }
}

/// Where the provider takes answers; where it does not care, where the client has registered to be answered.
fn redirect(profile: &Profile, registered: CallbackPort) -> Result<Redirect, NotARedirect> {
    match &profile.redirect {
        profile::Redirect::AnyPort => {
            let port = match registered {
                CallbackPort::Any => PortWanted::Free,
                CallbackPort::Rather(port) => PortWanted::Rather(port),
                CallbackPort::Only(port) => PortWanted::Fixed(port),
            };
            Ok(Redirect { port, ..Redirect::default() })
        }
        profile::Redirect::Exact(uri) => Redirect::parse(uri.as_str()),
    }
}

/// What the account asks for goes before what its provider asks for. At a server of which nothing is known but its metadata, a
/// browser has to ask for consent where `offline_access` is wanted: else the server may ignore that (OpenID Connect Core, section 11).
fn parameters(account: &AccountConfig, scopes: &Scopes) -> BTreeMap<String, String> {
    let mut parameters = account.profile.authorization_parameters.clone();
    if account.profile.name.is_empty() && scopes.iter().any(|scope| scope == "offline_access") {
        parameters.insert("prompt".to_owned(), "consent".to_owned());
    }
    parameters.extend(account.extra_parameters.clone());
    parameters
}

/// Where any port will do, only the login that waited needs the one that is taken: the next one takes another.
fn not_resumed(why: NoListener, account: &AccountConfig) -> SignInFailure {
    match (why, &account.profile.redirect) {
        (NoListener::PortTaken { port, address }, profile::Redirect::AnyPort) => {
            no_callback(format!("port {port} of {address} is taken by another program, and the login that waited there is over"))
        }
        (why, _) => no_listener(&why),
    }
}

fn no_callback(why: impl std::fmt::Display) -> SignInFailure {
    SignInFailure::NotBegun(NotBegun { why: why.to_string(), next_step: NextStep::LogIn })
}

fn no_listener(why: &NoListener) -> SignInFailure {
    SignInFailure::NotBegun(NotBegun { why: why.to_string(), next_step: NextStep::Words(why.next_step()) })
}
