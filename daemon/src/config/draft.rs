//! An account as a person describes it, before it is checked: what `authctl account add` says.
//!
//! Must never: hold a secret.

use std::collections::BTreeMap;

/// An account as a person describes it. What is empty does not stand in the file. Each field is a key of `[accounts.NAME]`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountDraft {
    /// The name; empty: made from the host of the resource or the issuer.
    pub name: String,
    /// `issuer`.
    pub issuer: String,
    /// `device_authorization_endpoint`.
    pub device_authorization_endpoint: String,
    /// `token_endpoint`.
    pub token_endpoint: String,
    /// `revocation_endpoint`.
    pub revocation_endpoint: String,
    /// `client_id`.
    pub client_id: String,
    /// `scopes`.
    pub scopes: Vec<String>,
    /// `resource`.
    pub resource: String,
    /// `audience`.
    pub audience: String,
    /// `extra_parameters`.
    pub extra_parameters: BTreeMap<String, String>,
    /// `token_endpoint_auth_method`.
    pub token_endpoint_auth_method: String,
    /// `client_secret_file`.
    pub client_secret_file: String,
    /// `token_file`.
    pub token_file: String,
}
