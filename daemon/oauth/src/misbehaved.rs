//! Every way in which a server breaks an RFC, each with its section.
//!
//! Must never: hold a piece of a body that may be a secret. What is carried here is shown and logged.

use crate::authorization_code::pkce::PkceSupport;
use crate::endpoint::InvalidEndpoint;

/// A rule that the server broke.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerMisbehaved {
    /// Neither `access_token` nor `error` (RFC 6749, 5.1; D18, D44).
    #[error("the token answer holds neither a token nor an error (RFC 6749, 5.1)")]
    NoToken,
    /// The access token cannot be put into a header (RFC 6749, A.12; D39).
    #[error("the access token {0} (RFC 6749, A.12)")]
    UnusableAccessToken(UnusableToken),
    /// A token type that is not Bearer (RFC 6749, 7.1; D37).
    #[error("the token's type is {0}, and only Bearer is understood (RFC 6749, 7.1)")]
    TokenType(&'static str),
    /// A member of a success answer has the wrong type or holds what it cannot (RFC 6749, 5.1).
    #[error("the answer's member `{0}` is not what it must be (RFC 6749, 5.1)")]
    BadMember(&'static str),
    /// The same name twice in one object (RFC 8259, 4; D42).
    #[error("the answer names a member twice (RFC 8259, 4)")]
    DuplicateMember,
    /// The JSON of an answer ends early, or is broken in the middle (RFC 8259, 2).
    #[error("the answer's JSON is cut off or broken (RFC 8259, 2)")]
    BrokenJson,
    /// A web page in the place of an answer (RFC 6749, 5.1).
    #[error("the answer is a web page, not JSON (RFC 6749, 5.1)")]
    WebPage,
    /// Neither a JSON object nor a form (RFC 6749, 5.1).
    #[error("the answer is not a JSON object (RFC 6749, 5.1)")]
    NotAnObject,
    /// More than any honest answer holds (D6).
    #[error("the answer is too large (RFC 6749, 5.1)")]
    TooLarge,
    /// A status that refuses, without the `error` that says why (RFC 6749, 5.2).
    #[error("the server refused with status {status} and gave no error code (RFC 6749, 5.2)")]
    NoErrorCode {
        /// The status.
        status: u16,
    },
    /// A redirect where credentials were sent; never followed (RFC 9700, 4.12; D5).
    #[error("the server answered with a redirect (status {status}), which is not followed (RFC 9700, 4.12)")]
    Redirected {
        /// The status.
        status: u16,
    },
    /// A required member of the device authorization answer is missing or unusable (RFC 8628, 3.2).
    #[error("the device authorization answer has no usable `{0}` (RFC 8628, 3.2)")]
    DeviceMember(&'static str),
    /// The page that the person is to open cannot be shown to anyone (RFC 8628, 3.2; D19).
    #[error("the device authorization answer's `verification_uri` {0} (RFC 8628, 3.2)")]
    VerificationUri(InvalidEndpoint),
    /// The server does not say that it takes PKCE with S256 (RFC 9700, 2.1.1; D24).
    #[error(
        "the server {0} PKCE with S256 (RFC 9700, 2.1.1), without which a stolen code is a stolen login; if you know that it does, \
         say so in its configuration: pkce = \"assumed\""
    )]
    NoS256(PkceSupport),
    /// The authorization response comes from another server than the one that was asked (RFC 9207, 2.4; D27).
    #[error("the answer to the login comes from {found}, not from the server that was asked (RFC 9207, 2.4)")]
    ResponseIssuer {
        /// The issuer that it names, where it has the shape of one, fit to be shown.
        found: String,
    },
    /// The server's metadata promises `iss` in every authorization response, and there is none (RFC 9207, 2.4; D27).
    #[error("the answer to the login does not name its server, which the server's metadata promises (RFC 9207, 2.4)")]
    NoResponseIssuer,
    /// The metadata belongs to another issuer (RFC 8414, 3.3; D1).
    #[error("the metadata names the issuer \"{found}\", which is not the configured one (RFC 8414, 3.3)")]
    IssuerMismatch {
        /// What it names, fit to be shown.
        found: String,
    },
    /// A required member of the metadata is missing or has the wrong type (RFC 8414, section 2).
    #[error("the metadata has no usable `{0}` (RFC 8414, section 2)")]
    MetadataMember(&'static str),
    /// A required member of the registration answer is missing or unusable (RFC 7591, 3.2.1).
    #[error("the registration answer has no usable `{0}` (RFC 7591, 3.2.1)")]
    RegistrationMember(&'static str),
    /// A client secret that is over when it is issued (RFC 7591, 3.2.1; D58).
    #[error("the registration answer's client secret had expired when it was issued (RFC 7591, 3.2.1)")]
    ClientSecretExpired,
    /// An endpoint of the metadata cannot be one (RFC 8414, section 2; D3, D4).
    #[error("the metadata's `{member}` {why} (RFC 8414, section 2)")]
    MetadataEndpoint {
        /// Which.
        member: &'static str,
        /// What is wrong with it.
        why: InvalidEndpoint,
    },
    /// The challenge leads to where no request may go (RFC 9728, 5.1; D3, D4, D9).
    #[error("the challenge's `resource_metadata` {0} (RFC 9728, 5.1)")]
    ChallengeUrl(InvalidEndpoint),
    /// A required member of the protected resource metadata is missing or has the wrong type (RFC 9728, section 2).
    #[error("the protected resource metadata has no usable `{0}` (RFC 9728, section 2)")]
    ResourceMember(&'static str),
    /// The metadata is that of another resource: a token for it must not be asked for here (RFC 9728, 3.3; P14).
    #[error("the protected resource metadata names the resource \"{found}\", which this URL does not belong to (RFC 9728, 3.3)")]
    ResourceMismatch {
        /// What it names, fit to be shown.
        found: String,
    },
    /// An authorization server of the protected resource metadata cannot be one (RFC 9728, section 2; D3, D4, D9).
    #[error("an entry of the protected resource metadata's `authorization_servers` {0} (RFC 9728, section 2)")]
    AuthorizationServer(InvalidEndpoint),
    /// An issuer with a query (RFC 8414, section 2).
    #[error("an entry of the protected resource metadata's `authorization_servers` holds a query (RFC 8414, section 2)")]
    AuthorizationServerWithQuery,
}

/// Why an access token cannot be used (D39).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnusableToken {
    /// It is the empty string (D44).
    #[error("is empty")]
    Empty,
    /// It is not a string.
    #[error("is not a string")]
    NotText,
    /// Control characters, or characters outside ASCII: a header could be injected.
    #[error("holds characters that no token may hold")]
    BadCharacters,
    /// More than 64 KiB.
    #[error("is larger than 64 KiB")]
    TooLarge,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn every_broken_rule_is_named_with_its_section() {
        let all = [
            ServerMisbehaved::NoToken,
            ServerMisbehaved::UnusableAccessToken(UnusableToken::Empty),
            ServerMisbehaved::TokenType("DPoP"),
            ServerMisbehaved::BadMember("scope"),
            ServerMisbehaved::DuplicateMember,
            ServerMisbehaved::BrokenJson,
            ServerMisbehaved::WebPage,
            ServerMisbehaved::NotAnObject,
            ServerMisbehaved::TooLarge,
            ServerMisbehaved::NoErrorCode { status: 400 },
            ServerMisbehaved::Redirected { status: 307 },
            ServerMisbehaved::DeviceMember("device_code"),
            ServerMisbehaved::VerificationUri(InvalidEndpoint::NotHttps),
            ServerMisbehaved::NoS256(PkceSupport::Unstated),
            ServerMisbehaved::ResponseIssuer { found: "https://evil.example".to_owned() },
            ServerMisbehaved::NoResponseIssuer,
            ServerMisbehaved::IssuerMismatch { found: "https://evil.example".to_owned() },
            ServerMisbehaved::MetadataMember("token_endpoint"),
            ServerMisbehaved::RegistrationMember("client_id"),
            ServerMisbehaved::ClientSecretExpired,
            ServerMisbehaved::MetadataEndpoint { member: "token_endpoint", why: InvalidEndpoint::NotHttps },
            ServerMisbehaved::ChallengeUrl(InvalidEndpoint::NotHttps),
            ServerMisbehaved::ResourceMember("resource"),
            ServerMisbehaved::ResourceMismatch { found: "https://evil.example".to_owned() },
            ServerMisbehaved::AuthorizationServer(InvalidEndpoint::UnexpectedPrivate),
            ServerMisbehaved::AuthorizationServerWithQuery,
        ];
        for rule in all {
            assert!(rule.to_string().contains("(RFC "), "{rule}");
        }
    }
}
