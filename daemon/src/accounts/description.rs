//! What anybody may know about an account: what it is, not how it is.

use std::path::PathBuf;

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
        /// The issuer, where the server is known by one (RFC 8414).
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
                issuer: match &config.server {
                    ServerConfig::Issuer(issuer) => Some(issuer.clone()),
                    ServerConfig::Endpoints { .. } | ServerConfig::Profile { .. } => None,
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
