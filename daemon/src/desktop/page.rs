//! The page of a login: what may be opened, and what a person is shown of it (D33).
//!
//! For a login by code it is the page without the code in it (RFC 8628, 3.3): who types a code has read it, and where it comes from
//! (RFC 8628, 5.4; P18). The page with the code in it is for the person who has asked for the login where it is shown (D20).

use std::fmt;

use mcp_authd_oauth::endpoint::{Endpoint, Loopback};
use mcp_authd_oauth::sign_in::Prompt;

/// A longer address is not shown whole: nobody reads it, and nobody types it.
const SHORT: usize = 120;

/// A page that may be opened: https, or http on this machine, without a user name that would dress up the host.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Page {
    uri: String,
    origin: String,
}

impl fmt::Debug for Page {
    /// Without the query (DESIGN, 8.17).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Page({})", self.origin)
    }
}

impl Page {
    /// The page of a login. `None`: its address is none that may be opened.
    pub(super) fn of(prompt: &Prompt) -> Option<Self> {
        match prompt {
            Prompt::Device(device) => Self::at(&device.verification_uri),
            Prompt::Browser(url) => Self::at(url.as_str()),
        }
    }

    fn at(uri: &str) -> Option<Self> {
        let (page, fragment) = uri.split_once('#').unwrap_or((uri, ""));
        let page = Endpoint::parse(page, Loopback::Allowed).ok()?;
        let is_plain = fragment.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\\"<>^`{|}".contains(&byte));
        is_plain.then(|| Self { uri: uri.to_owned(), origin: page.origin() })
    }

    /// All of it: for the portal, never for a log.
    pub(super) fn uri(&self) -> &str {
        &self.uri
    }

    /// All of it where it is short, and its host in any case.
    pub(super) fn shown(&self) -> &str {
        if self.uri.len() <= SHORT { &self.uri } else { &self.origin }
    }

    /// Its host, with scheme and port.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use mcp_authd_oauth::sign_in::{AuthorizationUrl, DevicePrompt};
    use mcp_authd_oauth::terms::UserCode;

    #[test]
    fn d33_nothing_but_a_page_is_opened() {
        for good in ["https://as.example/device", "http://127.0.0.1:9/d?x=1", "https://as.example/#/device", "http://[::1]:1/"] {
            assert_eq!(Page::at(good).unwrap().uri(), good);
        }
        for bad in [
            "http://as.example/device",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "mailto:a@b",
            "-https://as.example",
            "",
            "as.example",
            "https://bank.example@as.example/",
            "https://as.example/\u{202e}",
            "https://as.example/ x",
            "https://as.example/#<b>",
            "https://as.example/#\n",
            "x-scheme-handler:1",
            "HTTPS:as.example\\@evil",
        ] {
            assert_eq!(Page::at(bad), None, "{bad}");
        }
    }

    #[test]
    fn d20_the_page_is_the_one_without_the_code_in_it() {
        let prompt = Prompt::Device(DevicePrompt {
            user_code: UserCode::new("WDJB-MJHT"),
            verification_uri: "https://as.example/device".to_owned(),
            verification_uri_complete: Some("https://as.example/device?user_code=WDJB-MJHT".to_owned()),
            message: None,
        });
        assert_eq!(Page::of(&prompt).unwrap().uri(), "https://as.example/device");
    }

    #[test]
    fn a_long_address_is_shown_by_its_host_and_a_log_sees_no_more() {
        let long = format!("https://AS.example:8443/authorize?state=SNTL-{}", "x".repeat(200));
        let page = Page::of(&Prompt::Browser(AuthorizationUrl::new(long.clone()))).unwrap();
        assert_eq!(
            (page.uri(), page.shown(), page.origin()),
            (long.as_str(), "https://as.example:8443", "https://as.example:8443")
        );
        assert_eq!(format!("{page:?}"), "Page(https://as.example:8443)");
        assert_eq!(Page::at("https://as.example/device").unwrap().shown(), "https://as.example/device");
    }
}
