//! A provider as data: how it differs from the RFCs. [`Profile::default`] is the RFCs as they are.
//!
//! Whoever speaks to a server asks its profile, and no code asks for a provider by its name. Must never: name an endpoint that
//! nobody configured, hold a secret, or be read from anywhere: it comes in as a value.

mod answer;
mod errors;
mod expiry;
mod request;
mod server;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

pub use answer::AnswerShape;
pub use errors::ErrorWords;
pub(crate) use errors::PollStatus;
pub use expiry::{Expiry, ExpirySource};
pub use request::{BodyKind, RequestShape, SentAs};
pub use server::{DiscoveryMode, HostRewrite, ProviderEndpoints, rewritten};

use crate::registration::RedirectUri;
use crate::terms::{Resource, Scopes, TokenEndpointAuthMethod};
use crate::token::Binding;
use crate::wire::token_answer::Understood;

/// How a provider differs from the RFCs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Profile {
    /// What it is called; empty for the RFCs as they are.
    pub name: String,
    /// Where its endpoints come from.
    pub discovery: DiscoveryMode,
    /// The endpoints that it names itself. They go before those of its metadata.
    pub endpoints: ProviderEndpoints,
    /// Hosts that its metadata names wrongly. Nothing else is rewritten.
    pub host_rewrites: Vec<HostRewrite>,
    /// What a client has to be.
    pub client: ClientNeed,
    /// How a client that has a secret shows it, where its account does not say (RFC 6749, 2.3.1). It makes no client need one.
    pub token_endpoint_auth_method: Option<TokenEndpointAuthMethod>,
    /// Whether it knows the device authorization grant (RFC 8628).
    pub device_grant: DeviceGrant,
    /// Whether it does PKCE without saying so (RFC 7636; D24).
    pub pkce: Pkce,
    /// Which redirect URI it takes (RFC 8252, 7.3).
    pub redirect: Redirect,
    /// Whether it takes the `resource` parameter (RFC 8707).
    pub resource: ResourceMode,
    /// What is asked for where an account names no scopes.
    pub scopes: Scopes,
    /// Further parameters of the authorization request (RFC 6749, 4.1.1).
    pub authorization_parameters: BTreeMap<String, String>,
    /// The device authorization request (RFC 8628, 3.1).
    pub device_authorization: Exchange,
    /// The device access token request (RFC 8628, 3.4).
    pub poll: Exchange,
    /// The access token request with a code (RFC 6749, 4.1.3).
    pub token_request: Exchange,
    /// The refresh (RFC 6749, section 6).
    pub refresh: Exchange,
    /// Whether the refresh tells the redirect URI of the login.
    pub refresh_redirect: RefreshRedirect,
    /// The revocation (RFC 7009).
    pub revocation: Exchange,
    /// Its own words and statuses for what the RFCs have words for.
    pub errors: ErrorWords,
    /// How long its access tokens live.
    pub expiry: Expiry,
    /// What a refresh does to the access tokens that were issued before.
    pub refresh_ends: RefreshEnds,
    /// When a refresh whose answer was lost is sent once more (D56).
    pub replay: ReplayTime,
}

/// One request and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exchange {
    /// How it is asked.
    pub request: RequestShape,
    /// How the answer is read.
    pub answer: AnswerShape,
}

/// What a client has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClientNeed {
    /// A `client_id`, with or without a secret (RFC 6749, 2.1).
    #[default]
    Any,
    /// A `client_id` with a secret.
    Secret,
    /// The provider knows no clients: no `client_id` is configured, and none is sent.
    None,
}

/// Whether a provider knows the device authorization grant (RFC 8628).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceGrant {
    /// Where there is an endpoint for it.
    #[default]
    Allowed,
    /// It is not tried, whatever the metadata says.
    Unavailable,
}

/// Whether a provider does PKCE (RFC 7636; D24).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pkce {
    /// Where its metadata says so.
    #[default]
    AsAdvertised,
    /// Also where its metadata does not say so. S256 is sent all the same.
    Assumed,
}

/// Which redirect URI a provider takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Redirect {
    /// Loopback with any port (RFC 8252, 7.3).
    #[default]
    AnyPort,
    /// This one, byte for byte, with its port.
    Exact(RedirectUri),
}

/// Whether a provider takes the `resource` parameter (RFC 8707).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResourceMode {
    /// It is sent byte for byte, wherever the account has one (D36).
    #[default]
    AsPublished,
    /// It is kept, to tell what a token is for, and never sent.
    Omit,
}

/// Whether a refresh tells the redirect URI of the login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RefreshRedirect {
    /// RFC 6749, section 6.
    #[default]
    NotSent,
    /// Where the profile names an exact one ([`Redirect::Exact`]).
    Sent,
}

/// What a refresh does to the access tokens that were issued before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RefreshEnds {
    /// They live to their end.
    #[default]
    RefreshTokenOnly,
    /// They die with it: whoever asks meanwhile waits.
    AccessTokensToo,
}

/// When a refresh whose answer was lost is sent once more (D56). Never twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReplayTime {
    /// At once: right for servers that take the last refresh token for some seconds more.
    #[default]
    AtOnce,
    /// When the present access token ends: right where a replay costs the grant, and with it a token that serves still.
    AtTokenEnd,
    /// So long after the loss.
    After(Duration),
}

impl Profile {
    /// The resource that is sent for a grant of this binding, if any (D36).
    #[must_use]
    pub fn sent_resource<'a>(&self, binding: &'a Binding) -> Option<&'a Resource> {
        match self.resource {
            ResourceMode::AsPublished => binding.resource.as_ref(),
            ResourceMode::Omit => None,
        }
    }

    /// How the answer of one of its exchanges with the token endpoint is to be understood.
    pub(crate) fn understood<'a>(&'a self, exchange: &'a Exchange) -> Understood<'a> {
        Understood { shape: &exchange.answer, expiry: &self.expiry }
    }

    /// The `redirect_uri` of a refresh, if one is sent.
    #[must_use]
    pub fn refresh_redirect_uri(&self) -> Option<&str> {
        match (self.refresh_redirect, &self.redirect) {
            (RefreshRedirect::Sent, Redirect::Exact(uri)) => Some(uri.as_str()),
            _ => None,
        }
    }
}
