//! What a person does by hand at a login: bring the answer of a browser on another machine, and forget a client that we registered.
//!
//! Must never: judge an answer that was brought (the login does that), or log a word of it.

use mcp_authd_oauth::authorization_code::response::AuthorizationResponse;
use mcp_authd_oauth::secret::SecretText;
use mcp_authd_oauth::terms::Issuer;

use super::Wire;
use crate::accounts::paste::NotCompleted;
use crate::accounts::{AccountName, SaveError};

impl<T> Wire<T> {
    /// Hands a pasted address, or its query, to the login that waits for it.
    pub(super) fn complete_sign_in(&self, pasted: &SecretText) -> Result<AccountName, NotCompleted> {
        let response = AuthorizationResponse::parse_redirect(pasted.expose()).map_err(NotCompleted::PasteAnother)?;
        // Every login says whose it is.
        let account = self.callbacks.bring(&response)?.ok_or(NotCompleted::BeginAnother)?;
        tracing::info!(%account, "the answer of a login was brought by hand");
        Ok(account)
    }

    /// Forgets the client of an issuer, and what bounds the next registration there.
    pub(super) async fn forget_client(&self, issuer: &Issuer) -> Result<(), SaveError> {
        // Whoever has read it just now must not write it again afterwards.
        let _turn = self.clients.turn(issuer).await;
        self.vault.forget_registration(issuer).await?;
        self.clients.forget(issuer);
        tracing::info!(%issuer, "a registered client was forgotten on the person's word");
        Ok(())
    }
}
