//! Whether what was issued belongs to an account as it is configured, and as which client it goes back if not (P14).
//!
//! Must never: take a binding for the account's own because its name is.

use mcp_authd_oauth::token::Binding;

use super::AccountConfig;
use crate::config::{ClientConfig, ServerConfig};

/// Whether what is bound so was issued by the server, to the client and for the resource that the account names now.
pub(super) fn belongs(binding: &Binding, config: &AccountConfig) -> bool {
    is_same_client(binding, config) && binding.resource == config.resource
}

/// Whether the account is still the client that this was issued to, at the same server: then it shows what it is configured to
/// show.
#[must_use]
pub fn is_same_client(binding: &Binding, config: &AccountConfig) -> bool {
    let same_server = match &config.server {
        ServerConfig::Issuer(issuer) => binding.issuer.as_ref() == Some(issuer),
        ServerConfig::Endpoints { token_endpoint, .. } | ServerConfig::Profile { token_endpoint, .. } => {
            binding.issuer.is_none() && binding.token_endpoint == *token_endpoint
        }
    };
    // Where none is configured, the client was found at this issuer, and every account there uses the same.
    same_server && config.client.pre_registered().is_none_or(|client_id| binding.client_id == *client_id)
}

/// The account as it was when this was issued, as far as the binding tells: enough to give tokens back as the same client. How
/// that client authenticated is not known any more; its own secret is found by what stands here, and no other one is shown.
pub(super) fn as_issued(binding: &Binding, config: &AccountConfig) -> AccountConfig {
    let server = match &binding.issuer {
        Some(issuer) => ServerConfig::Issuer(issuer.clone()),
        // Nobody logs in there any more.
        None => ServerConfig::Profile {
            token_endpoint: binding.token_endpoint.clone(),
            revocation_endpoint: binding.revocation_endpoint.clone(),
        },
    };
    AccountConfig {
        server,
        client: ClientConfig::PreRegistered(binding.client_id.clone()),
        resource: binding.resource.clone(),
        token_endpoint_auth_method: None,
        client_secret_file: None,
        ..config.clone()
    }
}
