//! One account, checked.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use mcp_authd_oauth::endpoint::Endpoint;
use mcp_authd_oauth::profile::Profile;
use mcp_authd_oauth::registration::ClientIdUrl;
use mcp_authd_oauth::terms::{Audience, ClientId, Issuer, Resource, Scopes, TokenEndpointAuthMethod};
use mcp_authd_oauth::way::FlowWish;

/// The name of an account: 1 to 200 of `a-z 0-9 . _ -`, beginning with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName(String);

impl AccountName {
    /// Checks a name.
    ///
    /// # Errors
    /// A sentence that tells what a name may be.
    pub fn parse(name: &str) -> Result<Self, InvalidName> {
        let first_fits = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        let rest_fits = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c));
        if first_fits && rest_fits && name.len() <= 200 { Ok(Self(name.to_owned())) } else { Err(InvalidName) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name that no account can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an account's name is 1 to 200 of a-z, 0-9, '.', '_' and '-', and begins with a letter or a digit")]
pub struct InvalidName;

/// One account, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountConfig {
    /// Its name.
    pub name: AccountName,
    /// The authorization server.
    pub server: ServerConfig,
    /// The client (RFC 6749, 2.2). Its secret, where it has one, never stands here.
    pub client: ClientConfig,
    /// Which way a login takes; `None`: the device grant where there is one, else a browser.
    pub flow: Option<FlowWish>,
    /// How the client authenticates. `None`: where a secret is kept as its provider says, else by `client_secret_basic`; else as a
    /// public client.
    pub token_endpoint_auth_method: Option<TokenEndpointAuthMethod>,
    /// The file that holds the client's secret, on machines that somebody manages. Absolute.
    pub client_secret_file: Option<PathBuf>,
    /// What is asked for at a login. Empty: no `scope` is sent.
    pub scopes: Scopes,
    /// The resource indicator (RFC 8707), byte for byte.
    pub resource: Option<Resource>,
    /// The `audience` parameter (Auth0).
    pub audience: Option<Audience>,
    /// Further parameters of the device authorization request.
    pub extra_parameters: BTreeMap<String, String>,
    /// How the server differs from the RFCs. What it names for an account that names nothing stands above already.
    pub profile: Arc<Profile>,
}

/// Which client an account is (RFC 6749, 2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientConfig {
    /// One that was registered beforehand. Its name is empty where the provider knows no clients.
    PreRegistered(ClientId),
    /// None is configured, and the server is known by its issuer: this document where the server takes one (Client ID Metadata
    /// Document), else a client that we register there ourselves (RFC 7591).
    Found {
        /// `client_id_metadata_document`.
        document: Option<ClientIdUrl>,
    },
}

impl ClientConfig {
    /// The `client_id`, where one is configured.
    #[must_use]
    pub fn pre_registered(&self) -> Option<&ClientId> {
        match self {
            Self::PreRegistered(client_id) => Some(client_id),
            Self::Found { .. } => None,
        }
    }

    /// For a person; empty where it is not configured.
    #[must_use]
    pub fn shown(&self) -> &str {
        self.pre_registered().map_or("", ClientId::as_str)
    }
}

/// How an authorization server is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerConfig {
    /// By its issuer; the endpoints come from its metadata (RFC 8414).
    Issuer(Issuer),
    /// By its endpoints.
    Endpoints {
        /// RFC 8628, 3.1.
        device_authorization_endpoint: Endpoint,
        /// RFC 6749, 3.2.
        token_endpoint: Endpoint,
        /// RFC 7009.
        revocation_endpoint: Option<Endpoint>,
    },
    /// By its profile, which names no issuer: where a login begins stands there, also where an account names it in a browser alone.
    Profile {
        /// RFC 6749, 3.2.
        token_endpoint: Endpoint,
        /// RFC 7009.
        revocation_endpoint: Option<Endpoint>,
    },
}

impl AccountConfig {
    /// How the client shows a secret, where anybody says so.
    #[must_use]
    pub fn secret_shown_by(&self) -> Option<TokenEndpointAuthMethod> {
        self.token_endpoint_auth_method.or(self.profile.token_endpoint_auth_method)
    }

    /// The issuer, or the token endpoint where there is none: for a person.
    #[must_use]
    pub fn server_name(&self) -> &str {
        match &self.server {
            ServerConfig::Issuer(issuer) => issuer.as_str(),
            ServerConfig::Endpoints { token_endpoint, .. } | ServerConfig::Profile { token_endpoint, .. } => {
                token_endpoint.as_str()
            }
        }
    }
}

/// An account without a login: its access token stands in a file that somebody else keeps. Checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFileConfig {
    /// Its name.
    pub name: AccountName,
    /// The file that holds the access token. Absolute.
    pub token_file: PathBuf,
    /// What the token is said to cover; empty: nobody knows, so it is taken to cover everything.
    pub scopes: Scopes,
    /// The resource indicator (RFC 8707) that it is for, byte for byte.
    pub resource: Option<Resource>,
}

/// One account of either kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Account {
    Login(AccountConfig),
    TokenFile(TokenFileConfig),
}

impl Account {
    pub(super) fn name(&self) -> &AccountName {
        match self {
            Self::Login(account) => &account.name,
            Self::TokenFile(account) => &account.name,
        }
    }

    pub(super) fn named(self, name: AccountName) -> Self {
        match self {
            Self::Login(account) => Self::Login(AccountConfig { name, ..account }),
            Self::TokenFile(account) => Self::TokenFile(TokenFileConfig { name, ..account }),
        }
    }

    pub(super) fn resource(&self) -> Option<&Resource> {
        match self {
            Self::Login(account) => account.resource.as_ref(),
            Self::TokenFile(account) => account.resource.as_ref(),
        }
    }
}
