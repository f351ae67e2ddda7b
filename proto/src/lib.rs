//! The wire between mcp-authd and its guests: the package `authd.v1`, over gRPC on a Unix socket.
//!
//! The code under `generated/` is committed, so that a build needs no protoc; a test makes it anew from `authd/v1/*.proto` with
//! protox and compares. To make it anew for good: `MCP_AUTHD_REGENERATE=1 cargo test -p mcp-authd-proto`.

pub mod shell;

/// The messages and services of `authd.v1`.
#[allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated code")]
pub mod v1 {
    include!("generated/authd.v1.rs");
}

/// The encoded descriptors of `authd.v1`, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/authd.v1.bin");

impl std::fmt::Debug for v1::AccessToken {
    /// Everything but the token itself.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessToken")
            .field("access_token", &"..")
            .field("token_type", &self.token_type)
            .field("expires_in", &self.expires_in)
            .field("scopes", &self.scopes)
            .field("resource", &self.resource)
            .finish()
    }
}

impl std::fmt::Debug for v1::SetClientSecretRequest {
    /// Everything but the secret itself.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SetClientSecretRequest").field("account", &self.account).field("client_secret", &"..").finish()
    }
}

impl std::fmt::Debug for v1::CompleteSignInRequest {
    /// Nothing of it: a code stands in it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompleteSignInRequest").field("redirect", &"..").finish()
    }
}
