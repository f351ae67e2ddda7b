//! A redirect URI on this machine, in its parts: how a login wants to be answered (RFC 8252, 7.3).
//!
//! Must never: name another machine.

use std::fmt;
use std::num::NonZeroU16;

/// How the answer of one login comes back. `Redirect::default()` is right wherever the server takes any port of 127.0.0.1.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Redirect {
    /// The port.
    pub port: PortWanted,
    /// The host.
    pub host: RedirectHost,
    /// The path.
    pub path: RedirectPath,
}

/// Which port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PortWanted {
    /// Any: one that is open already, else a free one.
    #[default]
    Free,
    /// This one; any where it is taken: the server has taken it down, and most take any port all the same (RFC 8252, 7.3).
    Rather(NonZeroU16),
    /// This one or none (D32): the server knows no other, or it stands in an authorization URL that a browser has open.
    Fixed(NonZeroU16),
}

/// The host of the redirect URI. The listener is bound to the same addresses whichever is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RedirectHost {
    /// `127.0.0.1`.
    #[default]
    Ipv4,
    /// `[::1]`.
    Ipv6,
    /// `localhost`, for servers that know no other (RFC 8252, 8.3: not recommended).
    Localhost,
}

impl RedirectHost {
    /// Every host of a redirect URI.
    pub const ALL: [Self; 3] = [Self::Ipv4, Self::Ipv6, Self::Localhost];

    /// As it stands in a URL and in `Host`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "127.0.0.1",
            Self::Ipv6 => "[::1]",
            Self::Localhost => "localhost",
        }
    }
}

impl fmt::Display for RedirectHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The path of the redirect URI, byte for byte; `/callback` where nobody says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectPath(String);

/// Why a text is no path of a redirect URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the path of a redirect URI is empty, or begins with \"/\" and holds letters, digits and -._~%!$&'()*+,;=:@/ only, at most 256 (RFC 3986, 3.3)"
)]
pub struct NotARedirectPath;

/// Why a text is no redirect URI of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a redirect URI is http:// with 127.0.0.1, [::1] or localhost, a port and a path, such as http://127.0.0.1:8765/callback (RFC 8252, 7.3)"
)]
pub struct NotARedirect;

impl RedirectPath {
    /// Takes a path over. Empty is one: `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// Where it is none, or holds a query or fragment.
    pub fn parse(text: &str) -> Result<Self, NotARedirectPath> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@/".contains(&byte);
        let is_path = text.is_empty() || text.starts_with('/');
        if is_path && text.len() <= 256 && text.bytes().all(fits) { Ok(Self(text.to_owned())) } else { Err(NotARedirectPath) }
    }

    /// As it stands in the redirect URI.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As it stands in a request (RFC 9112, 3.2.1: never empty there).
    pub(super) fn requested(&self) -> &str {
        if self.0.is_empty() { "/" } else { &self.0 }
    }
}

impl Default for RedirectPath {
    fn default() -> Self {
        Self("/callback".to_owned())
    }
}

impl Redirect {
    /// Reads a redirect URI in full: its port is then the only one.
    ///
    /// # Errors
    /// Where it is no URI of ours.
    pub fn parse(uri: &str) -> Result<Self, NotARedirect> {
        let rest = uri.strip_prefix("http://").ok_or(NotARedirect)?;
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let (host, port) = authority.rsplit_once(':').ok_or(NotARedirect)?;
        let host = RedirectHost::ALL.into_iter().find(|known| known.as_str() == host).ok_or(NotARedirect)?;
        let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| is_number).ok_or(NotARedirect)?;
        let path = RedirectPath::parse(path).map_err(|NotARedirectPath| NotARedirect)?;
        Ok(Self { port: PortWanted::Fixed(port), host, path })
    }

    /// The whole URI at `port`.
    pub(super) fn uri(&self, port: NonZeroU16) -> String {
        format!("http://{}:{port}{}", self.host, self.path.as_str())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_uri_is_what_its_parts_say() {
        let port = NonZeroU16::new(8080).unwrap();
        let uri = |host, path| Redirect { host, path: RedirectPath::parse(path).unwrap(), ..Redirect::default() }.uri(port);
        assert_eq!(Redirect::default().uri(port), "http://127.0.0.1:8080/callback");
        assert_eq!(uri(RedirectHost::Ipv6, "/"), "http://[::1]:8080/");
        assert_eq!(uri(RedirectHost::Localhost, ""), "http://localhost:8080");
    }

    #[test]
    fn a_uri_is_read_back_to_its_parts_and_no_other_is_taken() {
        for host in RedirectHost::ALL {
            for path in ["", "/", "/callback", "/a:b"] {
                let port = NonZeroU16::new(8080).unwrap();
                let redirect = Redirect { port: PortWanted::Fixed(port), host, path: RedirectPath::parse(path).unwrap() };
                assert_eq!(Redirect::parse(&redirect.uri(port)), Ok(redirect));
            }
        }
        for bad in [
            "",
            "https://127.0.0.1:8080/",
            "http://127.0.0.1/callback",
            "http://127.0.0.1:0/",
            "http://127.0.0.1:+80/",
            "http://127.0.0.1:65536/",
            "http://127.0.0.2:8080/",
            "http://u@127.0.0.1:8080/",
            "http://[::1:8080/",
            "http://evil.example:8080/callback",
            "http://127.0.0.1:8080/a?b",
        ] {
            assert_eq!(Redirect::parse(bad), Err(NotARedirect), "{bad}");
        }
    }

    #[test]
    fn a_path_holds_no_query_no_fragment_and_nothing_that_a_request_line_cannot_hold() {
        for good in ["", "/", "/callback", "/oauth/callback/", "/a%20b", "/~x;v=1"] {
            assert_eq!(RedirectPath::parse(good).unwrap().as_str(), good);
        }
        for bad in ["callback", "/a?b", "/a#b", "/a b", "/\u{e9}", "/a\r\nHost: x", "/\"", "//".repeat(129).as_str()] {
            assert_eq!(RedirectPath::parse(bad), Err(NotARedirectPath), "{bad:?}");
        }
    }
}
