//! A service that cannot serve: nobody hangs, everybody is told why, it is not tried again and again, and comes back once it is mended.

use std::fs;
use std::time::{Duration, Instant};

use mcp_authd_tests::programs::until;
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use mcp_authd_tests::service::inside;

use super::{configured, installed, logged_in, look, service_is};

#[tokio::test]
async fn a_broken_configuration_is_told_to_each_who_asks_and_mending_it_is_enough() {
    let story = "broken::a_broken_configuration_is_told_to_each_who_asks_and_mending_it_is_enough";
    let Some(machine) = inside(story) else { return };
    let server = AuthorizationServer::start(Settings::default());
    installed(&machine, &server);
    let config = machine.home().join(".config/mcp-authd/config.toml");
    fs::write(&config, "[accounts.work]\nisuer = \"https://auth.example.com\"\n").unwrap();
    machine.systemctl(&["enable", "--now", "mcp-authd-tokens.socket", "mcp-authd-admin.socket"]);

    // A program, and the person: each is told why, within its time.
    let begin = Instant::now();
    let told = machine.program_with_library().token(look().max_wait(Duration::from_secs(5))).await.unwrap_err().to_string();
    assert!(told.contains("config.toml") && told.contains("isuer"), "{told}");
    let (code, out, err) = machine.authctl(&["status"]).await;
    assert!(code == 6 && err.contains("isuer") && err.contains("mcp-authd.service"), "{out}{err}");
    let (code, out, err) = machine.authctl(&["daemon", "start"]).await;
    assert!(code == 6 && err.contains("isuer"), "{out}{err}");
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());

    // Those who look: it has failed, why, and what to type.
    service_is(&machine, "failed").await;
    let (code, out, err) = machine.authctl(&["doctor"]).await;
    let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(code == 6 && words.contains("mcp-authd.service has failed:") && words.contains("isuer"), "{out}{err}");
    assert!(
        !words.contains("has said nothing") && words.contains("fix authctl service logs -n 20 && authctl daemon start"),
        "{out}"
    );
    let (code, out, err) = machine.authctl(&["service", "status"]).await;
    assert!(code == 4 && out.contains("isuer"), "{out}{err}");
    let (code, out, err) = machine.authctl(&["daemon", "status"]).await;
    assert!(code == 6 && out.contains("it has failed:"), "{out}{err}");

    // Nobody asks any more: it stays as it is.
    let starts = machine.log().matches("cannot serve").count();
    assert!(machine.property("ActiveState") == "failed" && machine.property("NRestarts") == "0" && starts < 30, "{starts}");

    // Mended: the next who asks is answered, without anything else.
    configured(&machine, &server);
    logged_in(&machine).await;
    service_is(&machine, "active").await;
    until("nothing is wrong any more", || machine.property("StatusText") == "1 account: 1 well").await;
    assert_eq!(machine.authctl(&["doctor"]).await.0, 0);
}

#[tokio::test]
async fn a_service_that_is_installed_and_cannot_serve_ends_the_installation_with_its_words() {
    let story = "broken::a_service_that_is_installed_and_cannot_serve_ends_the_installation_with_its_words";
    let Some(machine) = inside(story) else { return };
    configured(&machine, &AuthorizationServer::start(Settings::default()));
    machine.watch_service();
    let config = machine.home().join(".config/mcp-authd/config.toml");
    fs::write(&config, "[accounts.work]\nisuer = \"https://auth.example.com\"\n").unwrap();
    let (code, out, err) = machine.authctl(&["service", "install"]).await;
    assert!(
        code == 6 && out.is_empty() && err.contains("mcp-authd.service does not come up: ") && err.contains("isuer"),
        "{out}{err}"
    );
    assert!(err.ends_with("next: authctl service logs\n"), "{err}");
    // It is installed all the same, and what is wrong with it is the configuration alone.
    let (code, out, err) = machine.authctl(&["service", "status"]).await;
    assert!(code == 4 && out.matches("  wrong ").count() == 1, "{out}{err}");
}
