//! What anybody may know about an account: what it is, not how it is.

use std::path::PathBuf;

use mcp_authd_oauth::profile::DiscoveryMode;
use mcp_authd_oauth::terms::{Issuer, Resource, Scopes};

use super::{AccountConfig, AccountName, TokenFileConfig};
use crate::config::ServerConfig;

/// What anybody may know about an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Its name.
    pub name: AccountName,
    /// What it is as such.
    pub kind: Kind,
    /// As configured.
    pub scopes: Scopes,
    /// The resource indicator (RFC 8707), byte for byte.
    pub resource: Option<Resource>,
}

/// Where the account's tokens come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// From an authorization server.
    Login {
        /// The issuer, or the token endpoint where there is none.
        server: String,
        /// The issuer, where the server is known by one and by its metadata (RFC 8414).
        issuer: Option<Issuer>,
        /// The client (RFC 6749, 2.2).
        client_id: String,
    },
    /// From a file that somebody else keeps.
    TokenFile(PathBuf),
}

impl From<&AccountConfig> for Description {
    fn from(config: &AccountConfig) -> Self {
        Self {
            name: config.name.clone(),
            kind: Kind::Login {
                server: config.server_name().to_owned(),
                issuer: match (&config.server, config.profile.discovery) {
                    (ServerConfig::Issuer(issuer), DiscoveryMode::Metadata) => Some(issuer.clone()),
                    // Its metadata is not what counts: some providers' names another issuer.
                    (ServerConfig::Issuer(_), DiscoveryMode::None) => None,
                    (ServerConfig::Endpoints { .. } | ServerConfig::Profile { .. }, _) => None,
                },
                client_id: config.client.shown().to_owned(),
            },
            scopes: config.scopes.clone(),
            resource: config.resource.clone(),
        }
    }
}

impl From<&TokenFileConfig> for Description {
    fn from(config: &TokenFileConfig) -> Self {
        Self {
            name: config.name.clone(),
            kind: Kind::TokenFile(config.token_file.clone()),
            scopes: config.scopes.clone(),
            resource: config.resource.clone(),
        }
    }
}

impl Kind {
    /// The server, empty where there is none.
    #[must_use]
    pub fn server(&self) -> &str {
        match self {
            Self::Login { server, .. } => server,
            Self::TokenFile(_) => "",
        }
    }

    /// The issuer of its server. `None`: it is known otherwise.
    #[must_use]
    pub fn issuer(&self) -> Option<&Issuer> {
        match self {
            Self::Login { issuer, .. } => issuer.as_ref(),
            Self::TokenFile(_) => None,
        }
    }

    /// The client, empty where there is none.
    #[must_use]
    pub fn client_id(&self) -> &str {
        match self {
            Self::Login { client_id, .. } => client_id,
            Self::TokenFile(_) => "",
        }
    }

    /// The file, empty where there is none.
    #[must_use]
    pub fn token_file(&self) -> String {
        match self {
            Self::Login { .. } => String::new(),
            Self::TokenFile(path) => path.display().to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::config::Config;

    #[test]
    fn an_issuer_whose_metadata_does_not_count_is_not_told_as_one_to_be_asked() {
        let issuer = |toml: &str| {
            let config = Config::parse(toml, "c.toml".as_ref()).unwrap();
            Description::from(config.accounts.values().next().unwrap().as_ref()).kind.issuer().cloned()
        };
        let entra =
            "[accounts.a]\nprovider = \"entra\"\nprovider_parameters = { tenant = \"contoso.example\" }\nclient_id = \"c\"\n";
        assert_eq!(issuer(entra), None);
        let by_metadata = "[accounts.a]\nissuer = \"https://as.example\"\nclient_id = \"c\"\n";
        assert_eq!(issuer(by_metadata), Some(Issuer::new("https://as.example")));
    }
}
