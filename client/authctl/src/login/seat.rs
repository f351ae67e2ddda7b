//! Where the person sits, for a login whose answer comes to a port of this machine: what to do where the browser is on another one.
//!
//! Must never: name a port that does not stand in the address which the person opens.

use mcp_authd_client::shell::word;
use mcp_authd_client::{How, SignIn};
use url::{Host, Url};

use crate::browser;
use crate::screen::Page;

/// Where the person sits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seat {
    /// At this machine, as far as anybody can tell.
    Here,
    /// At another one, over SSH.
    OverSsh,
}

impl Seat {
    pub(super) fn of_environment() -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        if set("SSH_CONNECTION") || set("SSH_TTY") { Self::OverSsh } else { Self::Here }
    }
}

/// What to do where the browser is on another machine; nothing for a login that any device can answer.
pub(super) fn elsewhere(sign_in: &SignIn, page: Page) -> String {
    let How::Browser { authorization_uri } = &sign_in.how else { return String::new() };
    let by_hand = page.whole("", &format!("authctl login {} --paste", word(&sign_in.account)), None);
    let Some(port) = callback_port(authorization_uri) else {
        let told = "The answer comes to this very machine. Is your browser on another one? Then take the answer by hand:";
        return page.paragraph(told) + &by_hand;
    };
    let told = format!(
        "The answer comes to port {port} of this very machine. Is your browser on another one? Then take the answer by hand, or lead that port here before you open the address:"
    );
    page.paragraph(&told) + &by_hand + &page.whole("", &format!("ssh -L {port}:127.0.0.1:{port} THIS-MACHINE"), None)
}

/// The port of the redirect URI (RFC 6749, 3.1.2) in the address that is opened, where it leads to loopback.
fn callback_port(authorization_uri: &str) -> Option<u16> {
    let address = browser::web_address(authorization_uri)?;
    let redirect = address.query_pairs().find(|(name, _)| name == "redirect_uri").map(|(_, value)| value.into_owned())?;
    let redirect = Url::parse(&redirect).ok()?;
    let is_here = match redirect.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    redirect.port().filter(|_| is_here)
}

#[cfg(test)]
mod tests {
    use super::super::prompt::tests::sign_in;
    use super::*;
    use crate::screen::Paint;

    const PAGE: Page = Page { width: 80, paint: Paint::Plain };

    fn in_browser(redirect: &str) -> SignIn {
        let authorization_uri = format!("https://as.example/authorize?client_id=a&redirect_uri={redirect}&state=x");
        SignIn { how: How::Browser { authorization_uri }, ..sign_in("github") }
    }

    #[test]
    fn a_browser_on_another_machine_is_led_here_or_answered_by_hand() {
        let known = elsewhere(&in_browser("http%3A%2F%2F127.0.0.1%3A43215%2Fcallback"), PAGE);
        let unknown = elsewhere(&in_browser("https%3A%2F%2Fevil.example%3A22%2F"), PAGE);
        insta::assert_snapshot!(format!("{known}\n{unknown}"));
    }

    #[test]
    fn a_login_by_a_code_can_be_answered_on_any_device() {
        assert_eq!(elsewhere(&sign_in("github"), PAGE), "");
    }

    #[test]
    fn only_a_port_of_this_machine_is_named() {
        for (redirect, port) in [
            ("http%3A%2F%2F127.0.0.1%3A43215%2Fcallback", Some(43215)),
            ("http%3A%2F%2F%5B%3A%3A1%5D%3A8765%2F", Some(8765)),
            ("http%3A%2F%2Flocalhost%3A1%2F", Some(1)),
            ("http%3A%2F%2F127.0.0.1%2Fcallback", None),
            ("http%3A%2F%2F192.0.2.1%3A99%2F", None),
            ("http%3A%2F%2Flocalhost.evil.example%3A99%2F", None),
            ("", None),
            ("rubbish", None),
        ] {
            assert_eq!(callback_port(&format!("https://as.example/a?redirect_uri={redirect}")), port, "{redirect}");
        }
        assert_eq!(callback_port("javascript:x"), None);
    }
}
