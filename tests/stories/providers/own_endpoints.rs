//! A server without metadata and without a device grant, described by the endpoints of the account alone.

use mcp_authd_client::How;
use mcp_authd_client::status::Revocation;
use mcp_authd_tests::daemon::{Config, Daemon};
use mcp_authd_tests::person::in_browser;
use mcp_authd_tests::programs::{a_token, account_is, program, prompted, token, tool, url, watched};
use mcp_authd_tests::server::{AuthorizationServer, Settings};

use super::work;

fn at(server: &AuthorizationServer, more: &str) -> Config {
    Config::new().text(&format!(
        "[accounts.work]\nclient_id = 'me'\nscopes = ['mcp:read']\nauthorization_endpoint = '{}'\ntoken_endpoint = '{}'\n\
         revocation_endpoint = '{}'\n{more}",
        server.authorization_endpoint(),
        server.token_endpoint(),
        server.revocation_endpoint()
    ))
}

#[tokio::test]
async fn an_account_names_where_its_browser_begins_and_no_provider() {
    // given a server that says nothing about itself
    let server = AuthorizationServer::start(Settings { metadata: Vec::new(), ..Settings::in_browser() });
    let daemon = Daemon::start(at(&server, "pkce = 'assumed'")).await;

    // when the person logs in
    let shown = prompted(&daemon, "work").await;
    assert!(matches!(shown.how, How::Browser { .. }), "{shown:?}");
    assert!(url(&shown).as_str().starts_with(&format!("{}?", server.authorization_endpoint())));
    in_browser::approve(&url(&shown)).await.unwrap();
    account_is(&tool(&daemon), "work", |status| status.grant.is_some()).await;

    // then it serves, renews and ends as any other, and nothing was asked that was not named
    let first = watched(&mut program(&daemon).watch(work()), a_token).await;
    let second = token(program(&daemon).report_rejected(&first).await.unwrap());
    assert_ne!(first.expose(), second.expose());
    assert_eq!(tool(&daemon).sign_out(None).await.unwrap().revocation, Revocation::Sent);
    let counts = server.wait_for(|counts| counts.revocations_effective == 1).await;
    assert_eq!((counts.metadata_reads, counts.codes_redeemed, counts.refreshes_ok()), (0, 1, 1));
    counts.assert_no_race_was_lost();
}

#[tokio::test]
async fn d24_without_a_word_about_pkce_the_daemon_does_not_start() {
    let server = AuthorizationServer::start(Settings { metadata: Vec::new(), ..Settings::in_browser() });
    let mut daemon = Daemon::prepare(at(&server, ""));
    daemon.launch();
    assert!(!daemon.exited().await.success());
    assert!(daemon.logs().contains("add: pkce = \"assumed\""), "{}", daemon.logs());
    assert_eq!(server.log(), []);
}
