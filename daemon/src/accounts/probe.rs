//! What is found out about a URL that a person typed: the resource, its authorization servers, and how a login there would go.
//!
//! Must never: hold a secret, save anything, or change an account; a probe needs none.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mcp_authd_oauth::discovery::{DiscoveryError, ServerMetadata};
use mcp_authd_oauth::endpoint::InvalidEndpoint;
use mcp_authd_oauth::finding::Finding;
use mcp_authd_oauth::misbehaved::ServerMisbehaved;
use mcp_authd_oauth::protected_resource::{ProtectedResource, ResourceError};
use mcp_authd_oauth::registration::{AskForClient, ClientChoice, ClientIdUrl, WhyRegister};
use mcp_authd_oauth::terms::{ClientId, Issuer, Scopes};
use mcp_authd_oauth::way::{Choice, FlowWish, NoWay};

use super::{AccountConfig, LoadError};
use crate::config::ServerConfig;

/// What a person wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The URL of a protected resource, or an issuer.
    pub url: String,
    /// One of the authorization servers that the resource names. `None`: the first that can be used.
    pub issuer: Option<Issuer>,
    /// The client that an account would have.
    pub client_id: Option<ClientId>,
    /// The document that would stand in for one (Client ID Metadata Document).
    pub document: Option<ClientIdUrl>,
    /// The way that its logins would have to take.
    pub flow: Option<FlowWish>,
}

/// The accounts of the configuration: what they say about their own servers counts in a probe, too.
#[derive(Debug, Clone, Default)]
pub struct KnownAccounts(Vec<Arc<AccountConfig>>);

impl KnownAccounts {
    /// These.
    pub fn of(accounts: impl IntoIterator<Item = Arc<AccountConfig>>) -> Self {
        Self(accounts.into_iter().collect())
    }

    /// An account whose word counts for this URL at this issuer: one that is for that very resource, else any there. Where they do not
    /// say the same, none.
    #[must_use]
    pub fn at(&self, issuer: &Issuer, url: &str) -> Option<&AccountConfig> {
        let is_there = |account: &&Arc<AccountConfig>| account.server == ServerConfig::Issuer(issuer.clone());
        let is_for_it =
            |account: &&Arc<AccountConfig>| account.resource.as_ref().is_some_and(|resource| resource.as_str() == url);
        let there = || self.0.iter().filter(is_there);
        let first = there().find(is_for_it).or_else(|| there().next())?;
        let says_the_same = |other: &Arc<AccountConfig>| other.flow == first.flow && other.profile == first.profile;
        let agreed = there().filter(|account| is_for_it(account) == is_for_it(&first)).all(says_the_same);
        agreed.then_some(first)
    }
}

/// What stands behind a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// As it was typed.
    pub url: String,
    /// `None`: the URL is that of an authorization server.
    pub resource: Option<ProtectedResource>,
    /// The authorization servers that were looked at in vain, in order.
    pub passed_over: Vec<PassedOver>,
    /// The one that a login would go to. `None`: none can be used.
    pub server: Option<ProbedServer>,
}

/// An authorization server that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// Which.
    pub issuer: Issuer,
    /// Why not.
    pub why: DiscoveryError,
}

/// An authorization server that says enough about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbedServer {
    /// What it says (RFC 8414).
    pub metadata: ServerMetadata,
    /// How a login would go, or why it could not.
    pub choice: Result<Choice, NoWay>,
    /// Which client it would use. `None`: there is no way to log in.
    pub client: Option<ProbedClient>,
    /// What it would ask for. Empty: no `scope` is sent.
    pub scopes: Scopes,
    /// What is worth telling about it.
    pub findings: Vec<Finding>,
}

/// The client of a login that has not begun: nothing is registered for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbedClient {
    /// The one that the person gave.
    Configured(ClientId),
    /// The URL of our metadata document.
    MetadataDocument(ClientId),
    /// The one that is kept.
    Registered(ClientId),
    /// One would be registered.
    ToBeRegistered(WhyRegister),
    /// The same, but not at once.
    Later {
        /// How long, at most an hour.
        left: Duration,
        /// Why it would be registered.
        why: WhyRegister,
    },
    /// A person must give one.
    Missing(AskForClient),
    /// What is kept cannot be read.
    Unread(LoadError),
}

/// Why nothing is known of a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotProbed {
    /// Another URL must be typed.
    #[error("the URL {0}")]
    AnotherUrl(InvalidEndpoint),
    /// Another authorization server must be chosen.
    #[error("the resource does not name the authorization server {chosen}, only: {}", .named.iter().map(Issuer::as_str).collect::<Vec<_>>().join(", "))]
    AnotherIssuer {
        /// The one that was chosen.
        chosen: Issuer,
        /// Those that there are.
        named: Vec<Issuer>,
    },
    /// The same again, later.
    #[error("{0}")]
    Later(NotNow),
    /// The server's operator must mend it.
    #[error("{0}")]
    Operator(ServerMisbehaved),
}

/// Who did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// The resource.
    #[error(transparent)]
    Resource(ResourceError),
    /// An authorization server.
    #[error("{why} ({issuer})")]
    Server {
        /// Which.
        issuer: Issuer,
        /// How.
        why: DiscoveryError,
    },
    /// They took too long together.
    #[error("the servers did not answer within {} s", .0.as_secs())]
    TimeOver(Duration),
}

impl Probed {
    /// Whether a person could log in, as far as it can be known before.
    #[must_use]
    pub fn login_is_possible(&self) -> bool {
        self.server.as_ref().is_some_and(|server| match &server.client {
            Some(ProbedClient::Missing(_)) | None => false,
            Some(_) => server.choice.is_ok(),
        })
    }
}

impl ProbedClient {
    /// Its name, where it has one already.
    #[must_use]
    pub fn client_id(&self) -> Option<&ClientId> {
        match self {
            Self::Configured(client_id) | Self::MetadataDocument(client_id) | Self::Registered(client_id) => Some(client_id),
            Self::ToBeRegistered(_) | Self::Later { .. } | Self::Missing(_) | Self::Unread(_) => None,
        }
    }
}

impl From<ClientChoice> for ProbedClient {
    fn from(choice: ClientChoice) -> Self {
        match choice {
            ClientChoice::PreRegistered(client_id) => Self::Configured(client_id),
            ClientChoice::MetadataDocument(client_id) => Self::MetadataDocument(client_id),
            ClientChoice::Registered(client) => Self::Registered(client.client_id),
            ClientChoice::Register { why, .. } => Self::ToBeRegistered(why),
            ClientChoice::Wait { left, why } => Self::Later { left, why },
            ClientChoice::AskForClient(ask) => Self::Missing(ask),
        }
    }
}

/// For people, as a sentence without its end.
impl fmt::Display for ProbedClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configured(_) => f.write_str("the one that you gave"),
            Self::MetadataDocument(_) => f.write_str("the URL of its metadata document, which the server fetches"),
            Self::Registered(_) => f.write_str("the one that mcp-authd has registered there before"),
            Self::ToBeRegistered(why) => write!(f, "mcp-authd registers itself at the first login: {why}"),
            Self::Later { left, why } => write!(f, "mcp-authd registers itself, but not before {} s: {why}", left.as_secs()),
            Self::Missing(ask) => f.write_str(&missing(ask)),
            Self::Unread(why) => write!(f, "it is not known whether one is registered there: {why}"),
        }
    }
}

/// Why a person is asked, without what that person does next: that depends on what was typed.
fn missing(ask: &AskForClient) -> String {
    format!("the server {}", ask.why)
}

impl From<ResourceError> for NotProbed {
    fn from(error: ResourceError) -> Self {
        match error {
            ResourceError::BadUrl(why) => Self::AnotherUrl(why),
            ResourceError::Misbehaved(why) => Self::Operator(why),
            later @ (ResourceError::Unreachable(_) | ResourceError::Unavailable { .. }) => Self::Later(NotNow::Resource(later)),
        }
    }
}

impl NotNow {
    /// The server's wish, at most one hour.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Resource(ResourceError::Unavailable { retry_after })
            | Self::Server { why: DiscoveryError::Unavailable { retry_after }, .. } => *retry_after,
            _ => None,
        }
    }
}
