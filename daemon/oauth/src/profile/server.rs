//! Where a provider's endpoints come from.
//!
//! Must never: touch anything of a URL but its host.

use crate::endpoint::{Endpoint, InvalidEndpoint, Loopback};

/// Where a provider's endpoints come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DiscoveryMode {
    /// From its metadata (RFC 8414), but for those that the profile names.
    #[default]
    Metadata,
    /// From the profile alone: nothing is read.
    None,
}

/// The endpoints that a profile names itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProviderEndpoints {
    /// RFC 6749, 3.1.
    pub authorization: Option<Endpoint>,
    /// RFC 8628, 3.1.
    pub device_authorization: Option<Endpoint>,
    /// RFC 6749, 3.2.
    pub token: Option<Endpoint>,
    /// RFC 7009.
    pub revocation: Option<Endpoint>,
}

/// A host that a provider's metadata names wrongly: `host` or `host:port`, compared without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRewrite {
    /// As the metadata names it.
    pub from: String,
    /// As it is meant.
    pub to: String,
}

/// The endpoint that is meant by one of the metadata. The result is checked like any other (D3, D4).
///
/// # Errors
/// Where the host that is meant makes no endpoint of it.
pub fn rewritten(rewrites: &[HostRewrite], endpoint: &Endpoint, loopback: Loopback) -> Result<Endpoint, InvalidEndpoint> {
    let text = endpoint.as_str();
    let Some((scheme, rest)) = text.split_once("://") else { return Ok(endpoint.clone()) };
    let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    match rewrites.iter().find(|rewrite| rewrite.from.eq_ignore_ascii_case(host)) {
        None => Ok(endpoint.clone()),
        Some(rewrite) => Endpoint::parse(&format!("{scheme}://{}{path}", rewrite.to), loopback),
    }
}
