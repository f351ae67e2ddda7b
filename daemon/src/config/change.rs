//! What a new configuration means for an account that is served already.
//!
//! Must never: take a change for harmless that lets a token reach another server, client or resource than it was issued for (P14).

use mcp_authd_oauth::endpoint::Endpoint;
use mcp_authd_oauth::profile::{DiscoveryMode, HostRewrite, Profile, ResourceMode};
use mcp_authd_oauth::terms::Issuer;

use super::account::{AccountConfig, ServerConfig};

/// What became of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Same,
    /// Its login goes on.
    Mild,
    /// Its login belongs to what it was before: the account is signed out.
    SecurityRelevant,
}

impl AccountConfig {
    /// What it means that this account is described by `newer` now.
    #[must_use]
    pub fn change_to(&self, newer: &Self) -> Change {
        // Taken apart, so that whoever adds a field has to decide about it here.
        let Self {
            name,
            server,
            client,
            resource,
            audience,
            // What a login asks for next time, and how the client shows who it is: no token reaches anybody else by them.
            flow: _,
            token_endpoint_auth_method: _,
            client_secret_file: _,
            scopes: _,
            extra_parameters: _,
            profile: _,
        } = self;
        let same_grant = *name == newer.name
            && server.identity() == newer.server.identity()
            && *client == newer.client
            && *resource == newer.resource
            && *audience == newer.audience
            && self.reach() == newer.reach();
        match (self == newer, same_grant) {
            (true, _) => Change::Same,
            (false, true) => Change::Mild,
            (false, false) => Change::SecurityRelevant,
        }
    }

    fn reach(&self) -> Reach<'_> {
        let Profile { resource, discovery, endpoints, host_rewrites, .. } = &*self.profile;
        let token_endpoint = match self.server {
            ServerConfig::Issuer(_) => Some((*discovery, endpoints.token.as_ref(), host_rewrites.as_slice())),
            ServerConfig::Endpoints { .. } | ServerConfig::Profile { .. } => None,
        };
        Reach { resource: *resource, token_endpoint }
    }
}

/// What else of a profile decides where a token goes, and what it is for.
#[derive(PartialEq, Eq)]
struct Reach<'a> {
    /// Whether the resource is asked for.
    resource: ResourceMode,
    /// Where the token endpoint is found, where the issuer alone does not tell.
    token_endpoint: Option<(DiscoveryMode, Option<&'a Endpoint>, &'a [HostRewrite])>,
}

/// Whom refresh tokens are sent to.
#[derive(PartialEq, Eq)]
pub(super) enum Identity<'a> {
    Issuer(&'a Issuer),
    TokenEndpoint(&'a Endpoint),
}

impl ServerConfig {
    pub(super) fn identity(&self) -> Identity<'_> {
        match self {
            Self::Issuer(issuer) => Identity::Issuer(issuer),
            Self::Endpoints {
                token_endpoint,
                // A login begins or ends there. A refresh token goes to the revocation endpoint only to be ended.
                device_authorization_endpoint: _,
                revocation_endpoint: _,
            }
            | Self::Profile { token_endpoint, revocation_endpoint: _ } => Identity::TokenEndpoint(token_endpoint),
        }
    }
}
