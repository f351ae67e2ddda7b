//! The clients that we registered ourselves (RFC 7591), as a person may see them: without any secret.
//!
//! Must never: hold a secret, or forget a client on its own: `upstream` does, which knows what else belongs to it.

use std::sync::Arc;

use mcp_authd_oauth::registration::{Registration, SecretExpires, Standing};
use mcp_authd_oauth::terms::{ClientId, Issuer, TokenEndpointAuthMethod};
use mcp_authd_oauth::time::WallTime;

use super::roster::Roster;
use super::{LoadError, SaveError, Upstream, Vault};

/// The clients that we registered; a handle, cheap to clone.
#[derive(Clone)]
pub struct Clients {
    upstream: Arc<dyn Upstream>,
    vault: Arc<dyn Vault>,
}

/// One of them, without its secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientView {
    /// Whose client it is, byte for byte.
    pub issuer: Issuer,
    /// Its name there.
    pub client_id: ClientId,
    /// How it says who it is (RFC 7591, section 2).
    pub auth_method: TokenEndpointAuthMethod,
    /// When it was registered.
    pub registered_at: WallTime,
    /// When its secret ends. `None`: never, or it has none.
    pub secret_expires_at: Option<WallTime>,
    /// When the server said that it does not know it. `None`: it knows it, as far as we can tell.
    pub refused_at: Option<WallTime>,
    /// What it may use, in registered words.
    pub grant_types: Vec<&'static str>,
    /// Where codes may be sent.
    pub redirect_uris: Vec<String>,
    /// Those before it, which logins still go on with.
    pub former: Vec<ClientId>,
}

/// What became of a client that was to be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgotten {
    /// It is gone.
    Gone,
    /// There was none.
    NotThere,
}

/// Why a client was not forgotten.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotForgotten {
    /// Nobody knows whether there is one.
    #[error(transparent)]
    NotRead(#[from] LoadError),
    /// It is there still.
    #[error(transparent)]
    NotErased(#[from] SaveError),
}

impl Clients {
    /// Each, in the order of their issuers.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn list(&self) -> Result<Vec<ClientView>, LoadError> {
        Ok(self.vault.registrations().await?.into_iter().map(ClientView::from).collect())
    }

    /// Forgets the one at this issuer, with its secrets and those before it. What it was used for goes on as long as the server takes
    /// the name alone; the next login registers another one.
    ///
    /// # Errors
    /// Why it is there still.
    pub async fn forget(&self, issuer: Issuer) -> Result<Forgotten, NotForgotten> {
        let there = self.vault.registration(&issuer).await?;
        // Also where there is none: what failed before is forgotten too, and the next login may try at once.
        self.upstream.forget_client(issuer).await?;
        Ok(if there.is_some() { Forgotten::Gone } else { Forgotten::NotThere })
    }
}

impl Roster {
    /// The clients that we registered.
    #[must_use]
    pub fn clients(&self) -> Clients {
        Clients { upstream: self.upstream().clone(), vault: self.vault().clone() }
    }
}

impl From<Registration> for ClientView {
    fn from(registration: Registration) -> Self {
        let Registration { issuer, client, redirect_uris, grant_types, registered_at, standing, former, .. } = registration;
        Self {
            issuer,
            client_id: client.client_id,
            auth_method: client.auth_method,
            registered_at,
            secret_expires_at: match client.secret_expires {
                SecretExpires::At(at) => Some(at),
                SecretExpires::Never => None,
            },
            refused_at: match standing {
                Standing::Refused(at) => Some(at),
                Standing::Good => None,
            },
            grant_types: grant_types.into_iter().map(|grant| grant.as_str()).collect(),
            redirect_uris: redirect_uris.iter().map(|uri| uri.as_str().to_owned()).collect(),
            former: former.into_iter().map(|client| client.client_id).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use mcp_authd_oauth::registration::{GrantType, RedirectUri, RegisteredClient};
    use mcp_authd_oauth::secret::{ClientSecret, RegistrationAccessToken, SecretText};

    use super::*;
    use crate::accounts::keeper::tests::scene;

    fn at(millis: u64) -> WallTime {
        WallTime::from_millis(1_790_000_000_000 + millis)
    }

    fn registration(issuer: &str) -> Registration {
        let client = |id: &str| RegisteredClient {
            client_id: ClientId::new(id),
            client_secret: Some(ClientSecret::new("SNTL_secret")),
            secret_expires: SecretExpires::At(at(2)),
            auth_method: TokenEndpointAuthMethod::ClientSecretPost,
        };
        Registration {
            issuer: Issuer::new(issuer),
            client: client("abc"),
            redirect_uris: vec![RedirectUri::ipv4()],
            grant_types: GrantType::ALL.into(),
            registration_access_token: Some(RegistrationAccessToken::new("SNTL_access")),
            registration_client_uri: Some(SecretText::new("https://as.example/SNTL_uri")),
            registered_at: at(0),
            standing: Standing::Refused(at(1)),
            former: vec![client("before")],
        }
    }

    #[test]
    fn a_view_holds_all_of_a_registration_but_its_secrets() {
        let view = ClientView::from(registration("https://as.example"));
        assert_eq!((view.issuer.as_str(), view.client_id.as_str()), ("https://as.example", "abc"));
        assert_eq!((view.auth_method, view.registered_at), (TokenEndpointAuthMethod::ClientSecretPost, at(0)));
        assert_eq!((view.secret_expires_at, view.refused_at), (Some(at(2)), Some(at(1))));
        assert_eq!(view.grant_types, ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"]);
        assert_eq!(
            (view.redirect_uris, view.former),
            (vec!["http://127.0.0.1/callback".to_owned()], vec![ClientId::new("before")])
        );
    }

    #[tokio::test(start_paused = true)]
    async fn clients_are_listed_and_one_that_is_not_there_is_told_byte_for_byte() {
        let house = scene(Duration::ZERO).house;
        let clients = Clients { upstream: house.upstream.clone(), vault: house.vault.clone() };
        assert_eq!(clients.list().await, Ok(vec![]));
        house.vault.save_registration(registration("https://as.example")).await.unwrap();
        assert_eq!(clients.list().await, Ok(vec![ClientView::from(registration("https://as.example"))]));
        assert_eq!(clients.forget(Issuer::new("https://as.example/")).await, Ok(Forgotten::NotThere));
        assert_eq!(clients.forget(Issuer::new("https://as.example")).await, Ok(Forgotten::Gone));
    }
}
