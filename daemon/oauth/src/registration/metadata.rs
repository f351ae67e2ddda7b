//! What is asked for: the metadata of our client (RFC 7591, section 2; D57).
//!
//! Must never: tell the machine or its user (D65), or name a redirect that leads off this machine.

use serde::Serialize;

use super::grant_type::GrantType;
use super::redirect_uri::RedirectUri;
use crate::endpoint::Endpoint;
use crate::secret::SecretText;
use crate::terms::{Issuer, Scopes, TokenEndpointAuthMethod};

/// The name that a person reads at the server, and the `software_id`: the same wherever it runs.
const NAME: &str = "mcp-authd";

/// A registration that is wanted.
#[derive(Debug, Clone)]
pub struct RegistrationRequest {
    /// Whose client it will be.
    pub issuer: Issuer,
    /// Where it is asked for (RFC 7591, section 3).
    pub registration_endpoint: Endpoint,
    /// What the client is to be able to do.
    pub grants: GrantsWanted,
    /// `token_endpoint_auth_methods_supported` (RFC 8414, section 2) as the server lists them. Empty: it lists none.
    pub auth_methods_supported: Vec<String>,
    /// What the client will ask for. Empty: no `scope` is sent.
    pub scopes: Scopes,
}

/// The grants to register for; `refresh_token` is always among them. The device grant only where the server has an endpoint for it.
///
/// Redirect URIs: [`RedirectUri::ipv4`] and [`RedirectUri::ipv6`], or one with its port where the server is strict (D57).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantsWanted {
    /// The device authorization grant.
    Device,
    /// The code grant, with these redirect URIs.
    Code(Vec<RedirectUri>),
    /// Both.
    DeviceAndCode(Vec<RedirectUri>),
}

/// One request's body, before it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) auth_method: TokenEndpointAuthMethod,
    pub(super) grants: Vec<GrantType>,
    pub(super) redirect_uris: Vec<RedirectUri>,
    scope: String,
    software: Software,
}

/// Whether the program is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Software {
    Named,
    Unnamed,
}

/// What a server may dislike about a request, by the code of its refusal (RFC 7591, 3.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disliked {
    /// `invalid_redirect_uri`.
    RedirectUris,
    /// `invalid_client_metadata`.
    Metadata,
}

#[derive(Serialize)]
struct Written<'a> {
    client_name: &'a str,
    application_type: &'a str,
    token_endpoint_auth_method: &'a str,
    grant_types: Vec<&'a str>,
    /// Also where it is empty: left out, it would mean `code`.
    response_types: &'a [&'a str],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    redirect_uris: Vec<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    software_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    software_version: Option<&'a str>,
}

impl Asked {
    /// All that is wanted.
    pub(super) fn for_all(request: &RegistrationRequest) -> Self {
        let (first, redirect_uris): (&[GrantType], _) = match &request.grants {
            GrantsWanted::Device => (&[GrantType::DeviceCode], Vec::new()),
            GrantsWanted::Code(uris) => (&[GrantType::AuthorizationCode], uris.clone()),
            GrantsWanted::DeviceAndCode(uris) => (&[GrantType::AuthorizationCode, GrantType::DeviceCode], uris.clone()),
        };
        Self {
            auth_method: method(&request.auth_methods_supported),
            grants: first.iter().copied().chain([GrantType::RefreshToken]).collect(),
            redirect_uris,
            scope: request.scopes.to_parameter(),
            software: Software::Named,
        }
    }

    /// The same without what a strict server may dislike. Some know no device grant here though they offer it, others no IPv6,
    /// no open port beside another one, no `software_id`, or not these scopes. The scopes go before the grant: a server that lists
    /// only its own refuses those of its resources, and the login asks for them all the same.
    pub(super) fn without(mut self, disliked: Disliked) -> Self {
        self.redirect_uris.truncate(1);
        if disliked == Disliked::Metadata {
            self.software = Software::Unnamed;
            if !std::mem::take(&mut self.scope).is_empty() {
                return self;
            }
            if self.grants.contains(&GrantType::AuthorizationCode) {
                self.grants.retain(|grant| *grant != GrantType::DeviceCode);
            }
        }
        self
    }

    /// The body. `None`: it cannot be written, which no text of ours makes happen.
    pub(super) fn to_json(&self) -> Option<SecretText> {
        let (software_id, software_version) = match self.software {
            Software::Named => (Some(NAME), Some(env!("CARGO_PKG_VERSION"))),
            Software::Unnamed => (None, None),
        };
        let has_code = self.grants.contains(&GrantType::AuthorizationCode);
        let written = Written {
            client_name: NAME,
            application_type: "native",
            token_endpoint_auth_method: self.auth_method.as_str(),
            grant_types: self.grants.iter().map(|grant| grant.as_str()).collect(),
            response_types: if has_code { &["code"] } else { &[] },
            redirect_uris: self.redirect_uris.iter().map(RedirectUri::as_str).collect(),
            scope: &self.scope,
            software_id,
            software_version,
        };
        serde_json::to_string(&written).ok().map(SecretText::new)
    }
}

/// D57: a public client where the server takes one. Where it lists only what we cannot do, its answer decides.
fn method(supported: &[String]) -> TokenEndpointAuthMethod {
    let listed = |method: &TokenEndpointAuthMethod| supported.iter().any(|word| word == method.as_str());
    TokenEndpointAuthMethod::ALL.into_iter().find(listed).unwrap_or(TokenEndpointAuthMethod::None)
}
