//! The service, with all that its unit forbids it, tells the desktop on its user's own bus.

use std::path::Path;

use mcp_authd_client::Need;
use mcp_authd_tests::desktop::{Desktop, Settings as Manners};
use mcp_authd_tests::programs::{account_is, approve, code, prompt};
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use mcp_authd_tests::service::inside;
use mcp_authd_tests::skip::{Skip, skipped};

use super::installed;

#[tokio::test]
async fn a_login_is_told_on_the_bus_of_the_user_and_its_page_is_opened() {
    const STORY: &str = "desktop::a_login_is_told_on_the_bus_of_the_user_and_its_page_is_opened";
    if !["/usr/lib", "/lib"].iter().any(|lib| Path::new(lib).join("systemd/user/dbus.socket").exists()) {
        let why = "the user manager has no bus here. Install it (Debian: apt-get install dbus-user-session)";
        return skipped(STORY, &Skip(why.to_owned()));
    }
    let Some(machine) = inside(STORY) else { return };
    let server = AuthorizationServer::start(Settings::default());
    let address = std::env::var("DBUS_SESSION_BUS_ADDRESS").expect("a user manager has a bus");
    let desktop = Desktop::on(&address, Manners::default()).await;
    installed(&machine, &server);
    machine.listen();

    let shown = prompt(machine.client().token(Need::account("work").client_name("editor")).await.unwrap());
    let asked = desktop.wait_for(|asked| !asked.notices.is_empty()).await;
    assert!(asked.notices[0].body.contains(code(&shown)));
    desktop.press(asked.notices[0].id, "open").await;
    let asked = desktop.wait_for(|asked| asked.notices.len() == 2).await;
    assert_eq!(asked.opened, [format!("{}/device", server.issuer())]);
    approve(&shown).await;
    account_is(&machine.tool(), "work", |status| status.grant.is_some()).await;
    desktop.wait_for(|asked| !asked.closed.is_empty()).await;
}
