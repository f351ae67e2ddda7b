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
use mcp_authd_oauth::sign_in::{PendingCode, PendingDevice, PendingSignIn, SignInFailure};
use mcp_authd_oauth::terms::{RedirectUri, Scopes};
use mcp_authd_oauth::token::Granted;
use mcp_authd_oauth::way::Way;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::Wire;
use super::authentication::{self, HasSecret, judged_sign_in};
use super::callback::{Expected, NotARedirect, Redirect};
use super::drive::{Transport, drive};
use super::servers::Server;
use crate::config::AccountConfig;
use crate::host::entropy;

/// How long a person has for a login in a browser. The server's own pages have limits of their own, which nobody tells us.
const LONGEST_IN_BROWSER: Duration = Duration::from_secs(600);

/// Where the prompt goes, once.
type PromptTo = oneshot::Sender<PendingSignIn>;

impl<T: Transport> Wire<T> {
    /// A new login.
    pub(super) async fn sign_in(
        &self,
        account: &AccountConfig,
        scopes: Scopes,
        prompt: PromptTo,
    ) -> Result<Granted, SignInFailure> {
        let client = authentication::of(account, &*self.vault).await.map_err(SignInFailure::NotAuthenticated)?;
        let has_secret = HasSecret::from(&client);
        let server = self.servers.of(account, &self.transport, &self.clock).await?;
        let ended = match server.way.clone() {
            Way::DeviceGrant { endpoint } => {
                let flow = DeviceFlow::new(DeviceRequest {
                    device_authorization_endpoint: endpoint,
                    binding: server.binding,
                    scopes,
                    audience: account.audience.clone(),
                    extra_parameters: account.extra_parameters.clone(),
                    loopback: server.loopback,
                    client,
                })
                .by(account.profile.clone());
                self.by_device(flow, prompt).await
            }
            Way::Code { authorization_endpoint, pkce } => {
                let asked = Asked { account, scopes, server, authorization_endpoint, pkce };
                self.in_browser(asked, prompt, client).await
            }
        };
        if ended.is_err() {
            // Where endpoints have moved, the next login shall find them.
            self.servers.forget(account);
        }
        ended.map_err(|failure| judged_sign_in(failure, account, has_secret))
    }

    async fn by_device(&self, flow: DeviceFlow, prompt: PromptTo) -> Result<Granted, SignInFailure> {
        let mut prompt = Some(prompt);
        drive(flow, &self.transport, &self.clock, |pending| {
            if let Some(prompt) = prompt.take() {
                // Nobody waits for it any more: the login goes on all the same (D22).
                let _ = prompt.send(PendingSignIn::Device(pending));
            }
        })
        .await
    }

    async fn in_browser(
        &self,
        asked: Asked<'_>,
        prompt: PromptTo,
        client: ClientAuthentication,
    ) -> Result<Granted, SignInFailure> {
        let door = self.callbacks.open(redirect(&asked.account.profile).map_err(no_callback)?).map_err(no_callback)?;
        let door = door.belonging_to(&asked.account.name);
        let profile = asked.account.profile.clone();
        let request = asked.request(RedirectUri::new(door.redirect_uri()));
        let mut randomness = Zeroizing::new([0; 64]);
        entropy::fill(&mut *randomness).map_err(no_callback)?;
        let pending = begin(request, *randomness, self.clock.now(), LONGEST_IN_BROWSER)?;
        let expected = door.expect(&pending.state);
        // As above (D22).
        let _ = prompt.send(PendingSignIn::Code(pending.clone()));
        self.answered_in_browser((pending, profile), expected, client).await
    }

    async fn answered_in_browser(
        &self,
        (pending, profile): (PendingCode, Arc<Profile>),
        expected: Expected,
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
        drive(ExchangeFlow::new(pending, code, client).by(profile), &self.transport, &self.clock, |never| match never {}).await
    }

    /// One from before a restart.
    pub(super) async fn resume_sign_in(&self, account: &AccountConfig, pending: PendingSignIn) -> Result<Granted, SignInFailure> {
        let client = authentication::of(account, &*self.vault).await.map_err(SignInFailure::NotAuthenticated)?;
        let has_secret = HasSecret::from(&client);
        let ended = match pending {
            PendingSignIn::Device(pending) => self.resume_polling(pending, client, account.profile.clone()).await,
            PendingSignIn::Code(pending) => self.resume_in_browser((pending, account), client).await,
        };
        ended.map_err(|failure| judged_sign_in(failure, account, has_secret))
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
        client: ClientAuthentication,
    ) -> Result<Granted, SignInFailure> {
        let redirect = Redirect::parse(pending.redirect_uri.as_str()).map_err(no_callback)?;
        let door = self.callbacks.open(redirect).map_err(no_callback)?.belonging_to(&account.name);
        let expected = door.expect(&pending.state);
        self.answered_in_browser((pending, account.profile.clone()), expected, client).await
    }
}

/// What is asked of a server in a browser.
struct Asked<'a> {
    account: &'a AccountConfig,
    scopes: Scopes,
    server: Server,
    authorization_endpoint: Endpoint,
    pkce: PkceRule,
}

impl Asked<'_> {
    fn request(self, redirect_uri: RedirectUri) -> CodeRequest {
        let Server { binding, iss_parameter, pkce, .. } = self.server;
        CodeRequest {
            authorization_endpoint: self.authorization_endpoint,
            sent_resource: self.account.profile.sent_resource(&binding).cloned(),
            binding,
            redirect_uri,
            scopes: self.scopes,
            audience: self.account.audience.clone(),
            extra_parameters: parameters(self.account),
            pkce,
            pkce_rule: self.pkce,
            iss_parameter,
        }
    }
}

/// Where the provider takes answers.
fn redirect(profile: &Profile) -> Result<Redirect, NotARedirect> {
    match &profile.redirect {
        profile::Redirect::AnyPort => Ok(Redirect::default()),
        profile::Redirect::Port(port) => Redirect::parse(&format!("http://127.0.0.1:{port}/callback")),
        profile::Redirect::Uri(uri) => Redirect::parse(uri),
    }
}

/// What the account asks for goes before what its provider asks for.
fn parameters(account: &AccountConfig) -> BTreeMap<String, String> {
    let mut parameters = account.profile.authorization_parameters.clone();
    parameters.extend(account.extra_parameters.clone());
    parameters
}

fn no_callback(why: impl std::fmt::Display) -> SignInFailure {
    SignInFailure::NoCallback(why.to_string())
}
