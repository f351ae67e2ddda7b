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
impl AccessToken {
    /// Checks a text that should be a bearer token (RFC 6750, 2.1: `b64token`).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let body = text.trim_end_matches('=');
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
        (!body.is_empty() && body.bytes().all(fits)).then(|| Self::new(text))
    }
}

secret!(
    /// A refresh token (RFC 6749, 1.5).
    RefreshToken
);
secret!(
    /// A device code (RFC 8628, 3.2).
    DeviceCode
);
secret!(
    /// An authorization code (RFC 6749, 4.1.2).
    AuthorizationCode
);
secret!(
    /// A code verifier (RFC 7636, 4.1).
    CodeVerifier
);
secret!(
    /// The `state` of an authorization request (RFC 6749, 4.1.1): whoever knows it can answer a login. Found by its hash.
    State
);
secret!(
    /// A client secret (RFC 6749, 2.3.1).
    ClientSecret
);
impl ClientSecret {
    /// The longest that we keep or send.
    pub const LONGEST: usize = 4096;

    /// Checks a secret (RFC 6749, appendix A.2: VSCHAR). Not empty: that would be none.
    ///
    /// # Errors
    /// What is wrong, without the secret.
    pub fn parse(text: &str) -> Result<Self, NotAClientSecret> {
        if text.is_empty() {
            Err(NotAClientSecret::Empty)
        } else if text.len() > Self::LONGEST {
            Err(NotAClientSecret::TooLong)
        } else if text.ends_with(['\n', '\r']) {
            Err(NotAClientSecret::LineBreak)
        } else if text.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
            Ok(Self::new(text))
        } else {
            Err(NotAClientSecret::Characters)
        }
    }
}

/// Why a text is no client secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAClientSecret {
    /// Nothing is there.
    #[error("it is empty")]
    Empty,
    /// More than [`ClientSecret::LONGEST`].
    #[error("it is longer than {} bytes", ClientSecret::LONGEST)]
    TooLong,
    /// A line break at its end is hardly ever meant.
    #[error("it ends with a line break; leave that out")]
    LineBreak,
    /// RFC 6749, appendix A.2.
    #[error("it holds something else than printable ASCII characters (RFC 6749, appendix A.2)")]
    Characters,
}

secret!(
    /// Reads, changes and deletes a client's registration (RFC 7592, section 3; D60).
    RegistrationAccessToken
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
    fn a_client_secret_is_printable_ascii_and_ends_in_no_line_break() {
        assert_eq!(ClientSecret::parse(" a b~").map(|secret| secret.expose().to_owned()), Ok(" a b~".to_owned()));
        assert!(ClientSecret::parse(&"a".repeat(4096)).is_ok());
        for (text, why) in [
            (String::new(), NotAClientSecret::Empty),
            ("a".repeat(4097), NotAClientSecret::TooLong),
            ("a\n".to_owned(), NotAClientSecret::LineBreak),
            ("a\r\n".to_owned(), NotAClientSecret::LineBreak),
            ("a\tb".to_owned(), NotAClientSecret::Characters),
            ("\u{e9}".to_owned(), NotAClientSecret::Characters),
        ] {
            assert_eq!(ClientSecret::parse(&text), Err(why));
        }
    }

    #[test]
    fn a_bearer_token_is_a_b64token() {
        for token in ["a", "eyJ.e30.-_", "a+/~==", "0"] {
            assert!(AccessToken::parse(token).is_some(), "{token}");
        }
        for text in ["", "=", "a b", "a\n", "a=b", "Bearer a", "\u{e9}", "a\0", "{\"a\":1}"] {
            assert!(AccessToken::parse(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn equal_secrets_are_equal_and_others_are_not() {
        assert_eq!(AccessToken::new("a"), AccessToken::new("a"));
        assert_ne!(AccessToken::new("a"), AccessToken::new("b"));
    }
}
