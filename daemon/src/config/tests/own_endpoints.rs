//! An account that names itself where a login in a browser begins.

use mcp_authd_oauth::profile::Pkce;

use super::{Change, ServerConfig, errors, the_account};

const REST: &str = "[accounts.a]\nclient_id = 'c'\ntoken_endpoint = 'https://as.example/t'\n";
const BROWSER: &str = "authorization_endpoint = 'https://as.example/authorize'\n";
const ASSUMED: &str = "pkce = 'assumed'\n";

#[test]
fn an_account_may_begin_in_a_browser_alone_or_beside_a_device_grant() {
    let browser = the_account(&format!("{REST}{BROWSER}{ASSUMED}"));
    let named = browser.profile.endpoints.authorization.as_ref().map(|endpoint| endpoint.as_str().to_owned());
    assert_eq!((named.as_deref(), browser.profile.pkce), (Some("https://as.example/authorize"), Pkce::Assumed));
    assert!(matches!(&browser.server, ServerConfig::Profile { token_endpoint, revocation_endpoint: None }
        if token_endpoint.as_str() == "https://as.example/t"));
    let both = the_account(&format!("{REST}{BROWSER}{ASSUMED}device_authorization_endpoint = 'https://as.example/d'"));
    assert!(matches!(&both.server, ServerConfig::Endpoints { .. }) && both.profile.endpoints.authorization.is_some());
    // Where its tokens go is the same.
    assert_eq!(browser.change_to(&both), Change::Mild);
}

#[test]
fn d24_nobody_but_the_person_can_say_that_such_a_server_does_pkce() {
    let told = "c.toml:4: `authorization_endpoint` needs to know that the server does PKCE with S256, which no metadata says here (RFC 7636, \
                4.2). Where its documentation says so, add: pkce = \"assumed\"";
    for unsaid in ["", "pkce = 'as-advertised'\n"] {
        assert_eq!(errors(&format!("{REST}{BROWSER}{unsaid}")), told);
    }
    assert_eq!(
        errors(&format!("{REST}{BROWSER}pkce = 'plain'")),
        "c.toml:5: `pkce` must be \"as-advertised\" or \"assumed\". Write one of them, or delete the line"
    );
    // The manners of a provider say it too, and an account's own word goes before them.
    let manners = "provider = 'p'\n[providers.p]\npkce = 'assumed'\n";
    assert_eq!(the_account(&format!("{REST}{BROWSER}{manners}")).profile.pkce, Pkce::Assumed);
    assert_eq!(errors(&format!("{REST}{BROWSER}pkce = 'as-advertised'\n{manners}")), told);
}

#[test]
fn the_switch_holds_at_an_issuer_too_and_an_endpoint_does_not_stand_beside_one() {
    let issuer = "[accounts.a]\nissuer = 'https://as.example'\nclient_id = 'c'\n";
    assert_eq!(the_account(&format!("{issuer}{ASSUMED}")).profile.pkce, Pkce::Assumed);
    assert_eq!(the_account(issuer).profile.pkce, Pkce::AsAdvertised);
    let both = errors(&format!("{issuer}{BROWSER}{ASSUMED}"));
    assert!(both.starts_with("c.toml:4: `issuer` and `authorization_endpoint` cannot stand together."), "{both}");
}

#[test]
fn an_endpoint_for_a_browser_needs_a_token_endpoint_and_https() {
    assert_eq!(
        errors(&format!("[accounts.a]\nclient_id = 'c'\n{BROWSER}{ASSUMED}")),
        "c.toml:1: [accounts.a] has no `token_endpoint`. Add: token_endpoint = \"https://...\""
    );
    let plain = errors(&format!("{REST}authorization_endpoint = 'http://as.example/a'\n{ASSUMED}"));
    assert!(plain.starts_with("c.toml:4: `authorization_endpoint` must begin with https://"), "{plain}");
}
