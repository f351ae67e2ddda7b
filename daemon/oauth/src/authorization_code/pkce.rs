//! Proof Key for Code Exchange (RFC 7636), by S256 alone.
//!
//! Must never: know another method. With `plain`, whoever sees the authorization request can redeem the code (D24).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::secret::CodeVerifier;

/// `code_challenge_method` (RFC 7636, 4.3).
pub const METHOD: &str = "S256";

/// What a server says about PKCE: its `code_challenge_methods_supported` (RFC 8414, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PkceSupport {
    /// S256 is on the list.
    S256,
    /// There is a list, and S256 is not on it.
    Otherwise,
    /// There is no list: not in the metadata, or no metadata at all.
    Unstated,
}

impl PkceSupport {
    /// From the list, where there is one. Its words are case-sensitive (RFC 7636, 6.2.1).
    #[must_use]
    pub fn of(methods: Option<&[String]>) -> Self {
        match methods {
            None => Self::Unstated,
            Some(methods) if methods.iter().any(|method| method == METHOD) => Self::S256,
            Some(_) => Self::Otherwise,
        }
    }
}

impl fmt::Display for PkceSupport {
    /// The verb of a sentence about the server.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::S256 => "offers",
            Self::Otherwise => "offers other methods than",
            Self::Unstated => "does not say that it offers",
        })
    }
}

/// Whether a server's word about PKCE is needed (D24). S256 is sent in either case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PkceRule {
    /// A server that does not offer S256 is not used.
    #[default]
    Required,
    /// This one is known to take S256 without saying so.
    Assumed,
}

impl PkceRule {
    pub(super) fn lets(self, support: PkceSupport) -> bool {
        self == Self::Assumed || support == PkceSupport::S256
    }
}

impl CodeVerifier {
    /// 43 characters of 32 random bytes (RFC 7636, 4.1; D25).
    #[must_use]
    pub fn from_randomness(bytes: &[u8; 32]) -> Self {
        Self::new(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The `code_challenge` by S256 (RFC 7636, 4.2).
    #[must_use]
    pub fn challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.sha256().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_vector_of_rfc_7636_appendix_b() {
        let octets = [
            116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37, 77, 105, 214, 191, 240, 91,
            88, 5, 88, 83, 132, 141, 121,
        ];
        let verifier = CodeVerifier::from_randomness(&octets);
        assert_eq!(verifier.expose(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(verifier.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn d24_only_s256_in_its_own_letters_is_support() {
        let of = |methods: &[&str]| PkceSupport::of(Some(&methods.iter().map(|&method| method.to_owned()).collect::<Vec<_>>()));
        assert_eq!(PkceSupport::of(None), PkceSupport::Unstated);
        assert_eq!(of(&["plain", "S256"]), PkceSupport::S256);
        for others in [&["plain"][..], &["s256"], &[], &["S256 "]] {
            assert_eq!(of(others), PkceSupport::Otherwise, "{others:?}");
        }
    }

    proptest! {
        #[test]
        fn d25_a_verifier_is_43_unreserved_characters_and_another_for_other_bytes(one: [u8; 32], other: [u8; 32]) {
            let verifier = CodeVerifier::from_randomness(&one);
            prop_assert_eq!(verifier.expose().len(), 43);
            prop_assert!(verifier.expose().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
            prop_assert_eq!(verifier == CodeVerifier::from_randomness(&other), one == other);
            prop_assert_ne!(verifier.challenge(), verifier.expose());
        }
    }
}
