//! A login, in whichever way the configuration and the server leave: by device code, or in a browser with a code and PKCE.
//!
//! Must never: go another way than the one whose prompt was handed out, or trade in a code of a response that was not judged.

use mcp_authd_oauth::device::{DeviceFlow, DeviceRequest};
use mcp_authd_oauth::sign_in::{PendingDevice, PendingSignIn, SignInFailure};
use mcp_authd_oauth::terms::Scopes;
use mcp_authd_oauth::token::Granted;
use tokio::sync::oneshot;

use super::Wire;
use super::authentication::{self, HasSecret, judged_sign_in};
use super::drive::{Transport, drive};
use super::servers::DeviceServer;
use crate::config::AccountConfig;

impl<T: Transport> Wire<T> {
    /// A new login.
    pub(super) async fn sign_in(
        &self,
        account: &AccountConfig,
        scopes: Scopes,
        prompt: oneshot::Sender<PendingSignIn>,
    ) -> Result<Granted, SignInFailure> {
        let client = authentication::of(account, &*self.vault).await.map_err(SignInFailure::NotAuthenticated)?;
        let has_secret = HasSecret::from(&client);
        let server = self.servers.device_server(account, &self.transport, &self.clock).await?;
        let DeviceServer { device_authorization_endpoint, binding, loopback } = server;
        let flow = DeviceFlow::new(DeviceRequest {
            device_authorization_endpoint,
            binding,
            scopes,
            audience: account.audience.clone(),
            extra_parameters: account.extra_parameters.clone(),
            loopback,
            client,
        });
        let mut prompt = Some(prompt);
        let ended = drive(flow, &self.transport, &self.clock, |pending| {
            if let Some(prompt) = prompt.take() {
                // Nobody waits for it any more: the login goes on all the same (D22).
                let _ = prompt.send(PendingSignIn::Device(pending));
            }
        })
        .await;
        if ended.is_err() {
            // Where endpoints have moved, the next login shall find them.
            self.servers.forget(account);
        }
        ended.map_err(|failure| judged_sign_in(failure, account, has_secret))
    }

    /// One from before a restart.
    pub(super) async fn resume_sign_in(&self, account: &AccountConfig, pending: PendingSignIn) -> Result<Granted, SignInFailure> {
        match pending {
            PendingSignIn::Device(pending) => self.resume_polling(account, pending).await,
            PendingSignIn::Code(_) => Err(SignInFailure::AnswerLost),
        }
    }

    async fn resume_polling(&self, account: &AccountConfig, pending: PendingDevice) -> Result<Granted, SignInFailure> {
        let client = authentication::of(account, &*self.vault).await.map_err(SignInFailure::NotAuthenticated)?;
        let has_secret = HasSecret::from(&client);
        let ended = drive(DeviceFlow::resume(pending, client), &self.transport, &self.clock, drop).await;
        ended.map_err(|failure| judged_sign_in(failure, account, has_secret))
    }
}
