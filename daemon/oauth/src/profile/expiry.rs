//! How long access tokens live (D38).
//!
//! Must never: call a life known that nobody told.

use std::time::Duration;

/// How long access tokens live.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expiry {
    /// Who tells.
    pub source: ExpirySource,
    /// What counts where the source does not tell.
    pub fallback: Option<Duration>,
    /// How much earlier they end than they say.
    pub skew: Duration,
}

/// Who tells how long an access token lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExpirySource {
    /// The member `expires_in` (RFC 6749, 5.1); where there is none, the token's own `exp` (RFC 7519, 4.1.4).
    #[default]
    ExpiresIn,
    /// The token's own `exp` alone (RFC 7519, 4.1.4), whatever the answer says.
    Jwt,
    /// Always so long.
    Fixed(Duration),
}
