//! A server that shows its errors to the person alone: nothing comes back to the callback, and the login ends by time, with a hint.

use mcp_authd_client::How;
use mcp_authd_client::status::{Health, SignInEnd};
use mcp_authd_tests::daemon::{Config, Daemon};
use mcp_authd_tests::moved_clocks::Clocks;
use mcp_authd_tests::person::in_browser;
use mcp_authd_tests::persona::{Door, NeverBack, Provider};
use mcp_authd_tests::programs::{prompted, url};
use mcp_authd_tests::skip::skipped;

use super::Stage;

#[tokio::test]
async fn a_login_whose_error_never_comes_back_ends_by_time_with_a_hint() {
    // given such a server, described by its endpoints alone, and a daemon whose clocks can be moved
    let mut clocks = match Clocks::make() {
        Ok(clocks) => clocks,
        Err(skip) => return skipped("a login whose error never comes back", &skip),
    };
    let provider = Provider::start(NeverBack);
    let text = format!(
        "[accounts.work]\nprovider = 'odd'\nclient_id = 'me'\n[providers.odd]\nbase = '{}'\nauthorization_endpoint = '/authorize'\n\
         token_endpoint = '/token'\npkce = 'assumed'\n",
        provider.origin()
    );
    let daemon = Daemon::start(clocks.over(Config::new().text(&text))).await;
    let stage = Stage { provider, daemon };
    let shown = prompted(&stage.daemon, "work").await;
    assert!(matches!(shown.how, How::Browser { .. }), "{shown:?}");

    // when the person approves, the page is the server's own, and nobody is sent back
    let seen = in_browser::approve(&url(&shown)).await;
    assert!(seen.is_err(), "{seen:?}");
    let waits = stage.account_is(|status| status.sign_in.is_some()).await;
    assert_eq!((waits.health, waits.last_sign_in_end), (Health::SigningIn, None));

    // then ten minutes later the login is over, and the person reads where the error stood
    clocks.pass(601);
    let over = stage.account_is(|status| status.sign_in.is_none()).await;
    assert_eq!((over.health, over.last_sign_in_end), (Health::LoginRequired, Some(SignInEnd::Expired)));
    let message = over.message.unwrap_or_default();
    assert!(message.contains("The browser brought no answer") && message.contains("if its page showed an error"), "{message}");
    assert!(over.next_step.as_ref().is_some_and(|next| next.contains("authctl login work --paste")), "{:?}", over.next_step);
    assert_eq!(stage.provider.heard_at(Door::Token), []);
}
