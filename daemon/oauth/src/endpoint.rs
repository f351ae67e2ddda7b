//! URLs that requests go to: checked once, kept byte for byte (D3, D4).

use std::fmt;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// A URL that a request may go to: https, or http on loopback where the person's own configuration is on loopback.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Endpoint(String);

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

    fn checked(text: &str) -> Result<Self, InvalidEndpoint> {
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || !c.is_ascii() || "\\\"<>^`{|}".contains(c)) {
            return Err(InvalidEndpoint::BadCharacters);
        }
        let url = Url::parse(text).map_err(|_| InvalidEndpoint::NotAUrl)?;
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(&url) => {}
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
        Ok(Self(text.to_owned()))
    }

    /// The URL, byte for byte.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Scheme, host and port: for people and for comparing (D8). Never a query.
    #[must_use]
    pub fn origin(&self) -> String {
        Url::parse(&self.0).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
    }

    /// Whether it names this machine: `localhost`, 127.0.0.0/8 or [::1].
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        Url::parse(&self.0).is_ok_and(|url| is_loopback(&url))
    }
}

fn has_userinfo(before_query: &str) -> bool {
    before_query.split("//").nth(1).and_then(|rest| rest.split('/').next()).is_some_and(|authority| authority.contains('@'))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

impl TryFrom<String> for Endpoint {
    type Error = InvalidEndpoint;
    fn try_from(text: String) -> Result<Self, InvalidEndpoint> {
        Self::checked(&text)
    }
}

impl From<Endpoint> for String {
    fn from(endpoint: Endpoint) -> Self {
        endpoint.0
    }
}

impl fmt::Display for Endpoint {
    /// Without the query (DESIGN, 8.17).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.split('?').next().unwrap_or_default())
    }
}
