//! The file as a person changes it by hand, and `authctl reload`.

use std::time::Duration;

use mcp_authd_client::Reason;
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::program;
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use serde_json::Value;

use super::assert_done;
use crate::authctl::authctl;
use crate::logged_in::{log_in, look, refused, used};

#[tokio::test]
async fn a_reload_changes_what_was_changed_and_nothing_else() {
    // given three accounts that are logged in
    let server = AuthorizationServer::start(Settings { access_token_life: Duration::from_secs(3600), ..Settings::default() });
    let account = |name: &str| Account::at(name, server.issuer()).scopes(["mcp:read"]).client_id(&format!("client-of-{name}"));
    let config = |accounts: Vec<Account>| accounts.into_iter().fold(Config::new(), Config::account);
    let daemon = Daemon::start(config(vec![account("kept"), account("moved"), account("gone")])).await;
    let program = program(&daemon);
    let kept = log_in(&program, &server, "kept").await;
    for name in ["moved", "gone"] {
        log_in(&program, &server, name).await;
    }

    // when the person takes one out, gives another one a new client, adds one, and has the file read
    let moved = account("moved").client_id("another");
    daemon.write_config(&config(vec![account("kept"), moved, account("new")]));
    let told = authctl(&daemon, &["reload"]).await;
    assert_done(&told, "added new removed gone");
    assert!(told.out.contains("  log in to moved\n") && told.out.contains("  unchanged 1 account\n"), "{told:?}");
    assert!(told.out.ends_with("  next      authctl login moved\n"), "{told:?}");

    // then only what the person has changed is different
    assert_eq!(used(look(&program, "kept").await).expose(), kept.expose());
    assert_eq!(refused(look(&program, "gone").await).reason, Reason::NoSuchAccount);
    assert!(matches!(refused(look(&program, "moved").await).reason, Reason::SignedOut | Reason::LoginRequired));
    log_in(&program, &server, "new").await;
    server.wait_for(|counts| counts.revocations_effective == 2).await;

    // and a second reload finds nothing to do
    let again: Value = serde_json::from_str(&authctl(&daemon, &["reload", "--json"]).await.out).unwrap();
    assert_eq!(again["unchanged"].as_array().unwrap().len(), 3, "{again}");
    server.counts().assert_no_race_was_lost();
}
