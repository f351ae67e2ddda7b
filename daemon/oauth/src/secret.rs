//! Newtypes for secrets: wiped when dropped, redacted in `Debug`, the only way out is `expose()`.
//!
//! Must never: implement `Display`, `Serialize` or `Deref`, or compare in a time that depends on the content.

use std::fmt;

use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

macro_rules! secret {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Zeroize, ZeroizeOnDrop)]
        pub struct $name(String);

        impl $name {
            /// Takes the secret over. The source should not be kept elsewhere.
            pub fn new(secret: impl Into<String>) -> Self {
                Self(secret.into())
            }

            /// The secret itself: for the wire and the store, never for a log.
            #[must_use]
            pub fn expose(&self) -> &str {
                &self.0
            }

            /// SHA-256 of the secret: names it without telling it.
            #[must_use]
            pub fn sha256(&self) -> TokenHash {
                TokenHash(Sha256::digest(self.0.as_bytes()).into())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }

        impl PartialEq for $name {
            /// Compares hashes, so that the time tells nothing about the content.
            fn eq(&self, other: &Self) -> bool {
                self.sha256() == other.sha256()
            }
        }

        impl Eq for $name {}
    };
}

secret!(
    /// An access token (RFC 6749, 1.4).
    AccessToken
);
secret!(
    /// A refresh token (RFC 6749, 1.5).
    RefreshToken
);
secret!(
    /// A device code (RFC 8628, 3.2).
    DeviceCode
);
secret!(
    /// A client secret (RFC 6749, 2.3.1).
    ClientSecret
);
secret!(
    /// A body, header or parameter that may hold any of the others.
    SecretText
);

/// SHA-256 of a secret. Not a secret itself: the secrets here have far more entropy than a guess can cover.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// A hash that came over the wire.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenHash {
    /// Six bytes: enough to tell two tokens apart in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_tells_the_kind_and_nothing_else() {
        let token = RefreshToken::new("SNTL_RT_1");
        assert_eq!(format!("{token:?}"), "RefreshToken(..)");
        assert!(!format!("{:?}", token.sha256()).contains("SNTL"));
    }

    #[test]
    fn equal_secrets_are_equal_and_others_are_not() {
        assert_eq!(AccessToken::new("a"), AccessToken::new("a"));
        assert_ne!(AccessToken::new("a"), AccessToken::new("b"));
    }
}
