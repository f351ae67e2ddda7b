//! Where a browser brings an authorization code: a page on this machine and nowhere else (RFC 8252, 7.3).
//!
//! Must never: hold a URL that leads off this machine, or be normalised: servers compare it byte by byte.

use std::fmt;

/// A loopback redirect URI (RFC 8252, 7.3), byte for byte: `http`, a loopback host, perhaps a port, a path, and nothing else.
#[derive(Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RedirectUri(String);

/// Why a text is no loopback redirect URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotARedirectUri {
    /// Another scheme, or none.
    #[error("does not begin with http://")]
    NotHttp,
    /// Another host than `127.0.0.1`, `[::1]` and `localhost`.
    #[error("leads off this machine")]
    NotLoopback,
    /// No number from 1 to 65535 behind the colon.
    #[error("has no usable port")]
    BadPort,
    /// A query, a fragment, or characters that no URL holds.
    #[error("holds more than a path")]
    NotOnlyAPath,
}

/// The parts, as they stand in the text.
#[derive(PartialEq, Eq)]
struct Parts<'a> {
    host: &'a str,
    port: Option<u16>,
    path: &'a str,
}

impl RedirectUri {
    /// The path of our own ones.
    pub const PATH: &str = "/callback";

    /// `http://127.0.0.1/callback`: any port (RFC 8252, 7.3).
    #[must_use]
    pub fn ipv4() -> Self {
        Self(format!("http://127.0.0.1{}", Self::PATH))
    }

    /// `http://[::1]/callback`: any port.
    #[must_use]
    pub fn ipv6() -> Self {
        Self(format!("http://[::1]{}", Self::PATH))
    }

    /// The same at this port, for servers that compare the whole text.
    #[must_use]
    pub fn with_port(&self, port: u16) -> Self {
        match self.parts() {
            Some(Parts { host, path, .. }) => Self(format!("http://{host}:{port}{path}")),
            None => self.clone(),
        }
    }

    /// Checks a text.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence that begins with its name.
    pub fn parse(text: &str) -> Result<Self, NotARedirectUri> {
        parts(text).map(|_| Self(text.to_owned()))
    }

    /// The URI, byte for byte.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its port. `None`: any.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.parts().and_then(|parts| parts.port)
    }

    /// Whether a client that registered this one can be answered at that one: the same, or the same but for a port that either of
    /// them leaves open (RFC 8252, 7.3).
    #[must_use]
    pub fn admits(&self, used: &Self) -> bool {
        if self == used {
            return true;
        }
        match (self.parts(), used.parts()) {
            (Some(own), Some(other)) => {
                (own.port.is_none() || other.port.is_none()) && own.host == other.host && own.path == other.path
            }
            _ => false,
        }
    }

    fn parts(&self) -> Option<Parts<'_>> {
        parts(&self.0).ok()
    }
}

fn parts(text: &str) -> Result<Parts<'_>, NotARedirectUri> {
    let rest = text.strip_prefix("http://").ok_or(NotARedirectUri::NotHttp)?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = ["127.0.0.1", "[::1]", "localhost"].into_iter().find(|host| authority.starts_with(host));
    let host = authority.get(..host.ok_or(NotARedirectUri::NotLoopback)?.len()).ok_or(NotARedirectUri::NotLoopback)?;
    let port = match authority.get(host.len()..).unwrap_or_default() {
        "" => None,
        behind => match behind.strip_prefix(':') {
            Some(digits) => Some(port(digits).ok_or(NotARedirectUri::BadPort)?),
            None => return Err(NotARedirectUri::NotLoopback),
        },
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%".contains(&byte);
    if path.bytes().all(is_plain) { Ok(Parts { host, port, path }) } else { Err(NotARedirectUri::NotOnlyAPath) }
}

fn port(digits: &str) -> Option<u16> {
    let only_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    if only_digits { digits.parse().ok().filter(|port| *port != 0) } else { None }
}

impl TryFrom<String> for RedirectUri {
    type Error = NotARedirectUri;
    fn try_from(text: String) -> Result<Self, NotARedirectUri> {
        Self::parse(&text)
    }
}

impl From<RedirectUri> for String {
    fn from(uri: RedirectUri) -> Self {
        uri.0
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedirectUri({self})")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn uri(text: &str) -> RedirectUri {
        RedirectUri::parse(text).unwrap()
    }

    #[test]
    fn a_redirect_leads_to_this_machine_and_nowhere_else() {
        for good in
            ["http://127.0.0.1/callback", "http://[::1]:65535/callback", "http://localhost:1", "http://127.0.0.1:80/a/b%20"]
        {
            assert_eq!(uri(good).as_str(), good);
        }
        for (bad, why) in [
            ("https://127.0.0.1/callback", NotARedirectUri::NotHttp),
            ("HTTP://127.0.0.1/callback", NotARedirectUri::NotHttp),
            ("com.example.app:/callback", NotARedirectUri::NotHttp),
            ("javascript:alert(1)", NotARedirectUri::NotHttp),
            ("", NotARedirectUri::NotHttp),
            ("http://evil.example/callback", NotARedirectUri::NotLoopback),
            ("http://127.0.0.1.evil.example/callback", NotARedirectUri::NotLoopback),
            ("http://localhost.evil.example/", NotARedirectUri::NotLoopback),
            ("http://127.0.0.1@evil.example/", NotARedirectUri::NotLoopback),
            ("http://127.0.0.1\\@evil.example/", NotARedirectUri::NotLoopback),
            ("http://127.0.0.1?@evil.example/", NotARedirectUri::NotLoopback),
            ("http:///127.0.0.1", NotARedirectUri::NotLoopback),
            ("http://127.0.0.1:@evil.example/", NotARedirectUri::BadPort),
            ("http://127.0.0.1:/callback", NotARedirectUri::BadPort),
            ("http://127.0.0.1:0/callback", NotARedirectUri::BadPort),
            ("http://127.0.0.1:+80/callback", NotARedirectUri::BadPort),
            ("http://127.0.0.1:65536/callback", NotARedirectUri::BadPort),
            ("http://127.0.0.1/callback?x=1", NotARedirectUri::NotOnlyAPath),
            ("http://127.0.0.1/callback#x", NotARedirectUri::NotOnlyAPath),
            ("http://127.0.0.1/\u{1b}[31m", NotARedirectUri::NotOnlyAPath),
            ("http://127.0.0.1/a b", NotARedirectUri::NotOnlyAPath),
            ("http://127.0.0.1/a\\b", NotARedirectUri::NotOnlyAPath),
        ] {
            assert_eq!(RedirectUri::parse(bad), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn a_registered_uri_without_a_port_admits_every_port_and_one_with_a_port_its_own_and_whoever_takes_any() {
        let (open, fixed) = (RedirectUri::ipv4(), RedirectUri::ipv4().with_port(7777));
        assert_eq!(fixed.as_str(), "http://127.0.0.1:7777/callback");
        assert!(open.admits(&open) && open.admits(&fixed) && fixed.admits(&fixed));
        assert!(fixed.admits(&open) && !fixed.admits(&open.with_port(7778)));
        for other in
            [RedirectUri::ipv6(), uri("http://localhost/callback"), uri("http://127.0.0.1/"), uri("http://127.0.0.1/callback/")]
        {
            assert!(!open.admits(&other) && !open.admits(&other.with_port(1)), "{other}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_accepted_names_this_machine_for_every_reader(
            text in "(http://)?(127\\.0\\.0\\.1|\\[::1\\]|localhost|[a-z.]{1,8})?[ -~]{0,20}",
        ) {
            if let Ok(uri) = RedirectUri::parse(&text) {
                let read = url::Url::parse(uri.as_str()).unwrap();
                prop_assert!(matches!(read.host_str(), Some("127.0.0.1" | "[::1]" | "localhost")));
                prop_assert!(read.username().is_empty() && read.query().is_none() && read.fragment().is_none());
                prop_assert_eq!(uri.port(), read.port().or(uri.port()));
                prop_assert_eq!(uri.with_port(4711).port(), Some(4711));
            }
        }
    }
}
