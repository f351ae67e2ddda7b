//! Every way in which a server breaks an RFC, each with its section.

/// A rule that the server broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerMisbehaved {
    /// Neither `access_token` nor `error` (RFC 6749, 5.1).
    #[error("the token answer holds neither a token nor an error (RFC 6749, 5.1)")]
    NoToken,
}
