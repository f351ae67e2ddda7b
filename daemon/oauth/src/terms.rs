//! The words of the RFCs as types: parsed once, valid ever after, kept byte for byte.
//!
//! Must never: hold a secret, or normalise what a server compares byte by byte (`issuer`, `resource`).

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! term {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is, byte for byte.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text, byte for byte.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

macro_rules! plain_debug {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.0).finish()
            }
        }
    )*};
}

term!(
    /// An authorization server's issuer identifier (RFC 8414, section 2). Compared byte by byte.
    Issuer
);
term!(
    /// A client identifier (RFC 6749, 2.2).
    ClientId
);
term!(
    /// A resource indicator (RFC 8707, section 2). Sent byte for byte as published.
    Resource
);
term!(
    /// The `audience` parameter that some servers take in the place of `resource`.
    Audience
);
term!(
    /// The subject that a grant belongs to (OpenID Connect Core, section 2, `sub`).
    Subject
);
term!(
    /// The code that a person types (RFC 8628, 3.2). Never logged (D20).
    UserCode
);
term!(
    /// Where an authorization response comes back to (RFC 6749, 3.1.2). Sent twice, byte for byte.
    RedirectUri
);
plain_debug!(Issuer ClientId Resource Audience Subject RedirectUri);

impl fmt::Debug for UserCode {
    /// Whoever reads a log must not be able to answer a login (D20).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCode(..)")
    }
}

/// How a client authenticates at the token endpoint: `token_endpoint_auth_method` (RFC 7591, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenEndpointAuthMethod {
    /// `none`: a public client.
    None,
    /// `client_secret_basic`: the secret in the `Authorization` header (RFC 6749, 2.3.1).
    ClientSecretBasic,
    /// `client_secret_post`: the secret in the body.
    ClientSecretPost,
}

impl TokenEndpointAuthMethod {
    /// Every method that this crate can do.
    pub const ALL: [Self; 3] = [Self::None, Self::ClientSecretBasic, Self::ClientSecretPost];

    /// The registered word (RFC 7591, section 2).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
        }
    }

    /// The method of a registered word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == word)
    }
}

/// Whether it can be one scope: printable ASCII without space, quote and backslash (RFC 6749, 3.3).
pub(crate) fn is_scope_token(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
}

/// A set of scopes (RFC 6749, 3.3), in a fixed order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scopes(BTreeSet<String>);

impl Scopes {
    /// From the words of a list. Empty words do not count.
    pub fn from_words<I, S>(words: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        Self(words.into_iter().map(Into::into).filter(|word: &String| !word.is_empty()).collect())
    }

    /// From the `scope` member of an answer: separated by spaces, or by commas as GitHub does.
    #[must_use]
    pub fn parse(scope: &str) -> Self {
        Self::from_words(scope.split([' ', ',']))
    }

    /// As the `scope` parameter wants it.
    #[must_use]
    pub fn to_parameter(&self) -> String {
        self.iter().collect::<Vec<_>>().join(" ")
    }

    /// Whether every one of `wanted` is in here.
    #[must_use]
    pub fn cover(&self, wanted: &Self) -> bool {
        wanted.0.is_subset(&self.0)
    }

    /// Both together.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_come_with_spaces_or_with_commas() {
        assert_eq!(Scopes::parse("repo gist"), Scopes::parse("gist,repo"));
        assert_eq!(Scopes::parse("b  a").to_parameter(), "a b");
    }

    #[test]
    fn d20_a_user_code_is_not_in_debug_and_other_terms_are() {
        assert_eq!(format!("{:?}", UserCode::new("WDJB-MJHT")), "UserCode(..)");
        assert_eq!(format!("{:?}", ClientId::new("me")), "ClientId(\"me\")");
    }

    #[test]
    fn a_set_covers_its_parts_and_not_more() {
        let held = Scopes::parse("a b");
        assert!(held.cover(&Scopes::parse("a")));
        assert!(held.cover(&Scopes::default()));
        assert!(!held.cover(&Scopes::parse("a c")));
    }
}
