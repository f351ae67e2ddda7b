//! How an account's client says who it is: asked anew for every flow, so that a secret that was changed counts at once.
//!
//! Must never: keep a secret, or hand one to a flow that leads to another server than the one it was kept for (P14).

use mcp_authd_oauth::client_authentication::{ClientAuthentication, NotAuthenticated};
use mcp_authd_oauth::profile::ClientNeed;
use mcp_authd_oauth::sign_in::SignInFailure;
use mcp_authd_oauth::terms::{ClientId, TokenEndpointAuthMethod};
use mcp_authd_oauth::token::{ErrorAnswer, RefreshOutcome};

use crate::accounts::Vault;
use crate::config::{AccountConfig, ServerConfig};

/// The client that something was issued to, or is to be issued to: as it is configured, else as we registered it.
pub(super) async fn of(
    client_id: &ClientId,
    account: &AccountConfig,
    vault: &dyn Vault,
) -> Result<ClientAuthentication, NotAuthenticated> {
    let is_configured = account.client.pre_registered() == Some(client_id);
    let configured = if is_configured { configured(account, vault).await? } else { ClientAuthentication::Public };
    // Also after the account was configured anew: what was issued to our own client goes back as that client (P14).
    let may_be_our_own = configured == ClientAuthentication::Public && account.token_endpoint_auth_method.is_none();
    let ServerConfig::Issuer(issuer) = &account.server else { return Ok(configured) };
    if !may_be_our_own {
        return Ok(configured);
    }
    let kept = vault.registration(issuer).await.map_err(|why| NotAuthenticated::Unreadable(why.to_string()))?;
    match kept.as_ref().and_then(|kept| kept.client(client_id)) {
        Some(client) => client.authentication(),
        None => Ok(configured),
    }
}

/// A client that needs no secret asks for none.
async fn configured(account: &AccountConfig, vault: &dyn Vault) -> Result<ClientAuthentication, NotAuthenticated> {
    let method = account.secret_shown_by();
    if method == Some(TokenEndpointAuthMethod::None) || account.profile.client == ClientNeed::None {
        return Ok(ClientAuthentication::Public);
    }
    let secret = vault.client_secret(account).await.map_err(|why| NotAuthenticated::Unreadable(why.to_string()))?;
    match (secret, account.token_endpoint_auth_method) {
        (None, _) if account.profile.client == ClientNeed::Secret => Err(NotAuthenticated::NoSecret),
        // A provider says how a secret is shown, and not that there is one.
        (None, None) => Ok(ClientAuthentication::Public),
        (secret, _) => ClientAuthentication::by(method, secret),
    }
}

/// A refusal of the client as such is told apart where it has shown a secret: then that is what the person mends.
pub(super) fn judged_refresh(outcome: RefreshOutcome, account: &AccountConfig, has_secret: HasSecret) -> RefreshOutcome {
    match outcome {
        RefreshOutcome::Configuration(error) if has_secret == HasSecret::Yes && blames_the_client(&error) => {
            RefreshOutcome::NotAuthenticated(refused(error, account))
        }
        other => other,
    }
}

/// The same for a login.
pub(super) fn judged_sign_in(failure: SignInFailure, account: &AccountConfig, has_secret: HasSecret) -> SignInFailure {
    match failure {
        SignInFailure::Refused(error) if has_secret == HasSecret::Yes && blames_the_client(&error) => {
            SignInFailure::NotAuthenticated(refused(error, account))
        }
        other => other,
    }
}

/// Whether a client shows a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HasSecret {
    Yes,
    No,
}

impl From<&ClientAuthentication> for HasSecret {
    fn from(client: &ClientAuthentication) -> Self {
        match client {
            ClientAuthentication::Public => Self::No,
            ClientAuthentication::ClientSecretBasic(_) | ClientAuthentication::ClientSecretPost(_) => Self::Yes,
        }
    }
}

/// RFC 6749, 5.2; GitHub has a word of its own.
pub(super) fn blames_the_client(error: &ErrorAnswer) -> bool {
    matches!(error.error.as_str(), "invalid_client" | "incorrect_client_credentials")
}

fn refused(error: ErrorAnswer, account: &AccountConfig) -> NotAuthenticated {
    NotAuthenticated::Refused { error, file: account.client_secret_file.as_ref().map(|file| file.display().to_string()) }
}
