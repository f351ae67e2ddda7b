//! `authctl provider check`: what the configuration says about a server counts there as it does in a login.

use mcp_authd_tests::daemon::{Config, Daemon};
use mcp_authd_tests::server::{AuthorizationServer, Offer, Pkce, Settings};
use serde_json::Value;

use crate::authctl::authctl;

/// Whether a login is possible, and which way it takes, for a daemon with these lines of the account.
async fn checked(server: &AuthorizationServer, lines: &str) -> (bool, String, String) {
    let account = format!("[accounts.work]\nissuer = \"{}\"\nclient_id = \"me\"\n{lines}\n", server.issuer());
    let daemon = Daemon::start(Config::new().text(&account)).await;
    let told = authctl(&daemon, &["provider", "check", server.issuer(), "--client-id", "me", "--json"]).await;
    let found: Value = serde_json::from_str(&told.out).unwrap_or_else(|_| panic!("{told:?}"));
    let text = |name: &str| found["server"][name].as_str().unwrap_or_default().to_owned();
    (found["login_possible"] == Value::Bool(true), text("way"), text("why"))
}

#[tokio::test]
async fn pkce_that_a_profile_assumes_makes_a_login_possible_in_a_check_too() {
    let server = AuthorizationServer::start(Settings { pkce: Pkce::Unstated, ..Settings::in_browser() });
    let (possible, _, why) = checked(&server, "").await;
    assert!(!possible && why.contains("does not say that it can do PKCE"), "{why}");
    let (possible, way, _) = checked(&server, "provider = \"manners\"\n[providers.manners]\npkce = \"assumed\"").await;
    assert_eq!((possible, way.as_str()), (true, "code"));
}

#[tokio::test]
async fn the_flow_of_an_account_is_the_way_that_a_check_tells() {
    let server = AuthorizationServer::start(Settings { code_grant: Offer::Yes, ..Settings::default() });
    assert_eq!(checked(&server, "").await.1, "device");
    let (possible, way, why) = checked(&server, "flow = \"code\"").await;
    assert_eq!((possible, way.as_str()), (true, "code"));
    assert!(why.contains("the configuration says flow = \"code\""), "{why}");
}
