//! URLs that requests go to: checked once, kept byte for byte (D3, D4).

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::reach::Reach;

/// A URL that a request may go to: https, or http on loopback where the person's own configuration is on loopback. Equal is what
/// is written the same.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Endpoint {
    url: String,
    nearest: Reach,
}

/// Whether loopback targets (and with them plain http) are in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loopback {
    /// The URL that the person typed is loopback itself (D3).
    Allowed,
    /// It is not.
    Refused,
}

/// Why a URL cannot be an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEndpoint {
    /// Not a URL at all.
    #[error("is not an absolute URL")]
    NotAUrl,
    /// Neither https nor http on loopback (D3).
    #[error("must begin with https:// (http:// only on loopback)")]
    NotHttps,
    /// A loopback target named by a server that is not on loopback itself (D3).
    #[error("names this machine, and the server that names it is elsewhere")]
    UnexpectedLoopback,
    /// An address of a private network, named by a server that is not there (D9).
    #[error("names an address of a private network, and the server that names it is elsewhere")]
    UnexpectedPrivate,
    /// User name or password in the URL (D4).
    #[error("must not hold a user name or a password")]
    UserInfo,
    /// A fragment (D4).
    #[error("must not hold a fragment")]
    Fragment,
    /// Control characters, white space, or other characters that no URL holds (D4).
    #[error("holds characters that no URL may hold")]
    BadCharacters,
}

impl Endpoint {
    /// Checks a URL.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence that begins with its name.
    pub fn parse(text: &str, loopback: Loopback) -> Result<Self, InvalidEndpoint> {
        let endpoint = Self::checked(text)?;
        if loopback == Loopback::Refused && endpoint.is_loopback() {
            return Err(InvalidEndpoint::UnexpectedLoopback);
        }
        Ok(endpoint)
    }

    /// Checks a URL that a server named, where the person named something of this reach (D3, D9).
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence that begins with its name.
    pub fn named(text: &str, by: Reach) -> Result<Self, InvalidEndpoint> {
        let endpoint = Self::checked(text)?;
        match endpoint.reach() {
            near if by.may_name(near) => Ok(endpoint.within(by)),
            Reach::ThisMachine => Err(InvalidEndpoint::UnexpectedLoopback),
            Reach::Private | Reach::Public => Err(InvalidEndpoint::UnexpectedPrivate),
        }
    }

    fn checked(text: &str) -> Result<Self, InvalidEndpoint> {
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || !c.is_ascii() || "\\\"<>^`{|}".contains(c)) {
            return Err(InvalidEndpoint::BadCharacters);
        }
        let url = Url::parse(text).map_err(|_| InvalidEndpoint::NotAUrl)?;
        match url.scheme() {
            "https" => {}
            "http" if Reach::of_url(&url) == Reach::ThisMachine => {}
            _ => return Err(InvalidEndpoint::NotHttps),
        }
        if url.host().is_none() {
            return Err(InvalidEndpoint::NotAUrl);
        }
        if !url.username().is_empty() || url.password().is_some() || text.split(['?', '#']).next().is_some_and(has_userinfo) {
            return Err(InvalidEndpoint::UserInfo);
        }
        if url.fragment().is_some() {
            return Err(InvalidEndpoint::Fragment);
        }
        Ok(Self { url: text.to_owned(), nearest: Reach::ThisMachine })
    }

    /// The same URL, of which a name may lead no nearer than this (P21).
    #[must_use]
    pub fn within(self, nearest: Reach) -> Self {
        Self { nearest: self.nearest.min(nearest), ..self }
    }

    /// The same URL once it has issued a grant. Its name may lead to a private network now, as it does where a company has two faces
    /// (split DNS, a VPN that comes and goes), and to this machine only where it did before.
    #[must_use]
    pub fn trusted(self) -> Self {
        Self { nearest: self.nearest.max(Reach::Private), ..self }
    }

    /// How near its name may lead: for whoever resolves it. What a person wrote may lead anywhere.
    #[must_use]
    pub fn nearest(&self) -> Reach {
        self.nearest
    }

    /// The URL, byte for byte.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// Scheme, host and port: for people and for comparing (D8). Never a query.
    #[must_use]
    pub fn origin(&self) -> String {
        Url::parse(&self.url).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
    }

    /// Whether it names this machine: `localhost`, 127.0.0.0/8, `[::1]`, or an address that ends there.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.reach() == Reach::ThisMachine
    }

    /// Who can reach its host, as far as its text says.
    #[must_use]
    pub fn reach(&self) -> Reach {
        Url::parse(&self.url).map_or(Reach::Public, |url| Reach::of_url(&url))
    }
}

fn has_userinfo(before_query: &str) -> bool {
    before_query.split("//").nth(1).and_then(|rest| rest.split('/').next()).is_some_and(|authority| authority.contains('@'))
}

impl PartialEq for Endpoint {
    fn eq(&self, other: &Self) -> bool {
        self.url == other.url
    }
}

impl Eq for Endpoint {}

impl TryFrom<String> for Endpoint {
    type Error = InvalidEndpoint;
    fn try_from(text: String) -> Result<Self, InvalidEndpoint> {
        Self::checked(&text)
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.url
    }
}

impl fmt::Display for Endpoint {
    /// Without the query (DESIGN, 8.17).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url.split('?').next().unwrap_or_default())
    }
}

impl fmt::Debug for Endpoint {
    /// Without the query (DESIGN, 8.17).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn refused(text: &str) -> InvalidEndpoint {
        Endpoint::parse(text, Loopback::Allowed).unwrap_err()
    }

    #[test]
    fn d3_only_https_is_an_endpoint_and_http_only_on_loopback() {
        for good in ["https://as.example/token", "http://127.0.0.1:8080/token", "http://[::1]/t", "http://localhost/t?x=1"] {
            assert_eq!(Endpoint::parse(good, Loopback::Allowed).unwrap().as_str(), good);
        }
        for bad in
            ["http://as.example/token", "javascript:alert(1)", "file:///etc/passwd", "ftp://as.example", "http://10.0.0.1/t"]
        {
            assert_eq!(refused(bad), InvalidEndpoint::NotHttps, "{bad}");
        }
    }

    #[test]
    fn d3_a_server_elsewhere_cannot_name_this_machine_however_it_spells_it() {
        let spellings = [
            "127.0.0.1",
            "127.9.9.9",
            "localhost",
            "LOCALHOST",
            "localhost.",
            "a.localhost",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "0.0.0.0",
            "[::]",
            "0x7f.1",
            "2130706433",
            "127.1",
        ];
        for host in spellings {
            let verdict = Endpoint::parse(&format!("https://{host}/token"), Loopback::Refused);
            assert_eq!(verdict, Err(InvalidEndpoint::UnexpectedLoopback), "{host}");
        }
    }

    #[test]
    fn d9_only_who_was_named_on_a_private_network_may_name_an_address_there() {
        let private = "https://169.254.169.254/latest";
        assert_eq!(Endpoint::named(private, Reach::Public), Err(InvalidEndpoint::UnexpectedPrivate));
        assert!(Endpoint::named(private, Reach::Private).is_ok());
        assert_eq!(Endpoint::named("https://127.0.0.1/", Reach::Private), Err(InvalidEndpoint::UnexpectedLoopback));
        assert!(Endpoint::named("http://127.0.0.1/", Reach::ThisMachine).is_ok());
        assert_eq!(Endpoint::named("http://10.0.0.1/", Reach::ThisMachine), Err(InvalidEndpoint::NotHttps));
    }

    #[test]
    fn d4_userinfo_fragments_and_strange_characters_are_refused() {
        for bad in ["https://user@as.example/t", "https://u:p@as.example/t", "https://@as.example/t", "https:/u@as.example"] {
            assert_eq!(refused(bad), InvalidEndpoint::UserInfo, "{bad}");
        }
        assert_eq!(refused("https://as.example/t#frag"), InvalidEndpoint::Fragment);
        for bad in [
            "https://as.example/t\n",
            " https://as.example",
            "https://as.example\\@evil",
            "https://\u{202e}as",
            "https://a.b/\u{1b}[31m",
        ] {
            assert_eq!(refused(bad), InvalidEndpoint::BadCharacters, "{bad:?}");
        }
        for bad in ["--flag", "", "/token", "as.example/token", "https://"] {
            assert_eq!(refused(bad), InvalidEndpoint::NotAUrl, "{bad:?}");
        }
    }

    #[test]
    fn an_endpoint_is_kept_byte_for_byte_and_shown_without_its_query() {
        let endpoint = Endpoint::parse("https://AS.example:443/a/../b?key=SNTL", Loopback::Refused).unwrap();
        assert_eq!(endpoint.as_str(), "https://AS.example:443/a/../b?key=SNTL");
        assert_eq!(endpoint.to_string(), "https://AS.example:443/a/../b");
        assert!(!format!("{endpoint:?}").contains("SNTL"));
        assert_eq!(endpoint.origin(), "https://as.example");
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_accepted_is_accepted_again(text in "(https?|ftp)?:?/?/?[ -~]{0,30}") {
            if let Ok(endpoint) = Endpoint::parse(&text, Loopback::Allowed) {
                prop_assert_eq!(endpoint.as_str(), &text);
                prop_assert_eq!(Endpoint::try_from(text).unwrap(), endpoint);
            }
        }
    }
}
