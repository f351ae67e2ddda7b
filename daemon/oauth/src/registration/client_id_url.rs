//! A client identifier that is a URL (OAuth Client ID Metadata Document draft, section 3): the server fetches the client's metadata there.
//!
//! Must never: fetch it. The document is the person's; only its URL is told.

use std::fmt;

use crate::endpoint::{Endpoint, InvalidEndpoint, Loopback};
use crate::terms::ClientId;

/// The URL of a client's metadata document, byte for byte: it is the `client_id`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ClientIdUrl(String);

/// Why a URL cannot be a client identifier. The sentence goes on behind the URL's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAClientIdUrl {
    /// Not https, user information, a fragment, strange characters, this machine.
    #[error(transparent)]
    NotFit(InvalidEndpoint),
    /// Nothing behind the host: the document must have a path of its own.
    #[error("must have a path, as in https://example.com/client.json")]
    NoPath,
    /// `.` or `..` as a part of the path.
    #[error("must not have \".\" or \"..\" as a part of its path")]
    DotSegment,
    /// A query. The draft says SHOULD NOT; as an identifier the URL is shown and logged, and a query is not.
    #[error("must not hold a query")]
    Query,
}

impl ClientIdUrl {
    /// Checks a URL. Nobody but the server reads the document: a URL on this machine would lead to the server itself.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NotAClientIdUrl> {
        let endpoint = Endpoint::parse(text, Loopback::Refused).map_err(NotAClientIdUrl::NotFit)?;
        let authority_and_path = endpoint.as_str().split_once("://").map(|(_, rest)| rest).unwrap_or_default();
        if authority_and_path.contains('?') {
            return Err(NotAClientIdUrl::Query);
        }
        match authority_and_path.split_once('/') {
            None | Some((_, "")) => Err(NotAClientIdUrl::NoPath),
            Some((_, path)) if path.split('/').any(is_dots) => Err(NotAClientIdUrl::DotSegment),
            Some(_) => Ok(Self(text.to_owned())),
        }
    }

    /// The URL, byte for byte.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As it is sent.
    #[must_use]
    pub fn client_id(&self) -> ClientId {
        ClientId::new(self.as_str())
    }
}

/// Also as a URL parser reads it, where a dot is written as %2e.
fn is_dots(segment: &str) -> bool {
    let plain = segment.replace("%2e", ".").replace("%2E", ".");
    plain == "." || plain == ".."
}

impl fmt::Display for ClientIdUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ClientIdUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientIdUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_client_id_url_is_https_with_a_path_and_nothing_else() {
        for good in ["https://example.com/client.json", "https://Example.com:8443/a/b/", "https://example.com/..a/.b"] {
            let url = ClientIdUrl::parse(good).unwrap();
            assert_eq!((url.as_str(), url.client_id().as_str()), (good, good));
        }
        for (bad, why) in [
            ("http://example.com/client.json", NotAClientIdUrl::NotFit(InvalidEndpoint::NotHttps)),
            ("http://127.0.0.1/client.json", NotAClientIdUrl::NotFit(InvalidEndpoint::UnexpectedLoopback)),
            ("https://u:p@example.com/client.json", NotAClientIdUrl::NotFit(InvalidEndpoint::UserInfo)),
            ("https://example.com/client.json#x", NotAClientIdUrl::NotFit(InvalidEndpoint::Fragment)),
            ("https://example.com/client .json", NotAClientIdUrl::NotFit(InvalidEndpoint::BadCharacters)),
            ("client", NotAClientIdUrl::NotFit(InvalidEndpoint::NotAUrl)),
            ("https://example.com", NotAClientIdUrl::NoPath),
            ("https://example.com/", NotAClientIdUrl::NoPath),
            ("https://example.com?a/b", NotAClientIdUrl::Query),
            ("https://example.com/client.json?v=1", NotAClientIdUrl::Query),
            ("https://example.com/a/../client.json", NotAClientIdUrl::DotSegment),
            ("https://example.com/./client.json", NotAClientIdUrl::DotSegment),
            ("https://example.com/a/..", NotAClientIdUrl::DotSegment),
            ("https://example.com/a/.%2E/client.json", NotAClientIdUrl::DotSegment),
        ] {
            assert_eq!(ClientIdUrl::parse(bad), Err(why), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_is_accepted_is_read_by_a_url_parser_as_it_is_written(text in "https://[a-z]{1,6}(/[a-z.%2eE]{0,6}){0,4}") {
            if ClientIdUrl::parse(&text).is_ok() {
                let read = url::Url::parse(&text).unwrap().to_string();
                prop_assert_eq!(read, text);
            }
        }
    }
}
