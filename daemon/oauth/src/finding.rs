//! What was noticed on the way to a login: what a server offers less than others, and what it breaks. For people, as sentences.
//!
//! Must never: decide anything. What forbids a login is an error, not a finding.

use crate::endpoint::InvalidEndpoint;
use crate::misbehaved::ServerMisbehaved;

/// Something worth telling about a resource or an authorization server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// Nothing is published about the resource; its origin stands in as the authorization server (MCP 2025-03-26).
    #[error("the resource publishes no metadata; its own origin is taken for the authorization server (RFC 9728, section 3)")]
    NoResourceMetadata,
    /// The challenge leads to no document.
    #[error(
        "the challenge's `resource_metadata` leads to no document; found at a well-known place or not at all (RFC 9728, 5.1)"
    )]
    ChallengeLeadsNowhere,
    /// The resource did not ask for a token.
    #[error("the resource asked for no token: no challenge came with 401 (RFC 6750, section 3)")]
    NoChallenge,
    /// The published resource is the origin or a parent path of what was typed. It is what is sent.
    #[error("the resource is published as \"{published}\", which is wider than the URL; it is sent as published (RFC 9728, 3.3)")]
    ResourceIsWider {
        /// As published, fit to be shown.
        published: String,
    },
    /// The document names no authorization server.
    #[error(
        "the protected resource metadata names no authorization server; the resource's origin is taken for it (RFC 9728, section 2)"
    )]
    NoAuthorizationServers,
    /// Neither challenge nor metadata says which scopes.
    #[error("nothing says which scopes the resource wants; none is asked for")]
    NoScopes,
    /// `device_authorization_endpoint` is missing.
    #[error("the server offers no device authorization (RFC 8628, section 4)")]
    NoDeviceGrant,
    /// The endpoint is there, and the list of grants excludes it.
    #[error(
        "the server has a device authorization endpoint, and its `grant_types_supported` does not list the grant (RFC 8414, section 2)"
    )]
    DeviceGrantNotListed,
    /// `authorization_endpoint` is missing.
    #[error("the server has no authorization endpoint (RFC 8414, section 2)")]
    NoAuthorizationEndpoint,
    /// `code_challenge_methods_supported` is missing.
    #[error("the server does not say that it can do PKCE (RFC 8414, section 2: `code_challenge_methods_supported`)")]
    NoCodeChallengeMethods,
    /// The list is there, without S256.
    #[error("the server's PKCE does not offer S256 (RFC 7636, 4.2)")]
    NoS256,
    /// Neither dynamic registration nor client metadata documents.
    #[error("the server lets no client register by itself; a client_id from its operator is needed (RFC 7591, section 3)")]
    NoRegistration,
    /// Grants are listed, `refresh_token` is not among them.
    #[error("the server does not list the refresh_token grant; logins may have to be repeated (RFC 6749, section 6)")]
    NoRefreshGrant,
    /// No `iss` is promised.
    #[error("the server does not promise `iss` in its authorization responses (RFC 9207, section 3)")]
    NoIssParameter,
    /// No revocation endpoint.
    #[error("the server has no revocation endpoint; a logout cannot revoke there (RFC 7009, section 2)")]
    NoRevocation,
    /// The metadata is labelled as something else than JSON.
    #[error("the metadata is not labelled as JSON (RFC 8414, 3.2)")]
    NotLabelledAsJson,
    /// A rule was broken in a part that no login needs, or that could be left out.
    #[error(transparent)]
    Broken(ServerMisbehaved),
}

impl Finding {
    /// Whether the server breaks a rule; else it only offers less than it could.
    #[must_use]
    pub fn is_breach(&self) -> bool {
        matches!(self, Self::Broken(_) | Self::ChallengeLeadsNowhere | Self::DeviceGrantNotListed | Self::NotLabelledAsJson)
    }

    /// A challenge that leads to where no request may go.
    pub(crate) fn challenge_url(why: InvalidEndpoint) -> Self {
        Self::Broken(ServerMisbehaved::ChallengeUrl(why))
    }
}
