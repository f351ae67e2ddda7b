//! The secret of an account's client (RFC 6749, 2.3.1): why it cannot be had, and how the person's tool puts one in.
//!
//! A kept secret belongs to a client at a server, not to an account: two accounts with both in common share it.
//!
//! Must never: show a secret, hand one out, or put one where nobody would use it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use mcp_authd_oauth::secret::{ClientSecret, NotAClientSecret};
use mcp_authd_oauth::terms::TokenEndpointAuthMethod;

use super::{AccountConfig, LoadError, SaveError, Vault};
use crate::host::private_file::Unusable;

/// Why the secret of a client cannot be read. That there is none is no error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The file of the configuration.
    #[error(transparent)]
    File(#[from] Unusable),
    /// The one that is kept.
    #[error(transparent)]
    Kept(#[from] LoadError),
}

/// Why no secret was kept or erased: a sentence that ends in what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    /// The account's token stands in a file.
    #[error("its token is read from a file that somebody else keeps, and it has no client; put a new token into \"{0}\"")]
    TokenFile(String),
    /// Another file counts.
    #[error("the secret of its client is read from \"{}\" (client_secret_file); put the new one there", .0.display())]
    SecretFile(PathBuf),
    /// The client is our own.
    #[error(
        "its client is registered by mcp-authd itself, which keeps what belongs to it; to use another one, write its client_id into config.toml first"
    )]
    OwnClient,
    /// Nobody would ask for it.
    #[error("its client needs none (token_endpoint_auth_method = \"none\"); mend that in config.toml first")]
    NotNeeded,
    /// What was given is none.
    #[error("this is no client secret: {0}; give it again")]
    NotASecret(#[from] NotAClientSecret),
    /// The store refused.
    #[error("{0}; mend that and give the secret again")]
    NotSaved(#[from] SaveError),
}

/// The client of one account, as its handle holds it.
#[derive(Clone)]
pub(super) struct Client {
    config: Arc<AccountConfig>,
    vault: Arc<dyn Vault>,
}

impl Client {
    pub(super) fn new(config: Arc<AccountConfig>, vault: Arc<dyn Vault>) -> Self {
        Self { config, vault }
    }

    /// Keeps the secret, or erases the one that is kept where the text is empty.
    pub(super) async fn keep(&self, text: &str) -> Result<(), NotKept> {
        let account = &self.config;
        if text.is_empty() {
            return Ok(self.vault.forget_client_secret(account).await?);
        }
        if account.client.pre_registered().is_none() {
            return Err(NotKept::OwnClient);
        }
        if let Some(file) = &account.client_secret_file {
            return Err(NotKept::SecretFile(file.clone()));
        }
        if account.secret_shown_by() == Some(TokenEndpointAuthMethod::None) {
            return Err(NotKept::NotNeeded);
        }
        Ok(self.vault.save_client_secret(account, ClientSecret::parse(text)?).await?)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("account", &self.config.name).finish_non_exhaustive()
    }
}
