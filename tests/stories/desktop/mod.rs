//! Logins that are noticed: what the desktop is told of them, and what it costs where there is none that listens.

mod adversity;
mod once;

use mcp_authd_client::{Need, Request, SignIn};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::desktop::{Asked, Desktop, Notice, PrivateBus, Settings as Manners};
use mcp_authd_tests::programs::{Crowd, a_token, approve, code, program, prompt, url, watched};
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use mcp_authd_tests::skip::{Skip, skipped};

/// A bus, where this machine can have one.
fn bus(story: &str) -> Option<PrivateBus> {
    there(story, PrivateBus::start())
}

fn there(story: &str, bus: Result<PrivateBus, Skip>) -> Option<PrivateBus> {
    bus.map_err(|reason| skipped(story, &reason)).ok()
}

fn config_at(server: &AuthorizationServer, address: &str) -> Config {
    let account = |name| Account::at(name, server.issuer()).scopes(["mcp:read"]);
    let config = Config::new().account(account("work")).account(account("other"));
    config.environment("DBUS_SESSION_BUS_ADDRESS", address)
}

/// A program asks, and is answered with a login.
async fn asks(daemon: &Daemon, account: &str) -> SignIn {
    prompt(program(daemon).token(Request::new(named(account))).await.unwrap())
}

fn named(account: &str) -> Need {
    Need::account(account).client_name("editor")
}

/// The notices of an account, the first ones of their logins.
fn first_of<'a>(asked: &'a Asked, account: &str) -> Vec<&'a Notice> {
    let summary = format!("Log in to \"{account}\"");
    asked.notices.iter().filter(|notice| notice.summary == summary && notice.replaces == 0).collect()
}

/// Another account's login is told: whatever was to be told before it, was.
async fn told_of_other(desktop: &Desktop, daemon: &Daemon) {
    asks(daemon, "other").await;
    desktop.wait_for(|asked| !first_of(asked, "other").is_empty()).await;
}

#[tokio::test]
async fn a_login_that_eight_programs_ask_for_is_told_once_opened_by_its_button_and_taken_away_at_its_end() {
    // given a desktop
    let Some(bus) = bus("a login is told, opened and taken away") else { return };
    let desktop = Desktop::on(&bus.address(), Manners::default()).await;
    let server = AuthorizationServer::start(Settings::default());
    let daemon = Daemon::start(config_at(&server, &bus.address())).await;

    // when 8 programs ask at once
    let crowd = Crowd::of(8, &daemon);
    let answers = crowd.ask(2, named("work")).await;
    let shown = prompt(answers.into_iter().next().unwrap());

    // then the person is told whose login, where, with which code, and who asked
    let asked = desktop.wait_for(|asked| !asked.notices.is_empty()).await;
    let notice = asked.notices[0].clone();
    let page = format!("{}/device", server.issuer());
    assert_eq!((notice.application.as_str(), notice.summary.as_str(), notice.replaces), ("mcp-authd", "Log in to \"work\"", 0));
    assert_eq!((notice.urgency, notice.resident), (Some(1), Some(true)));
    assert_eq!(notice.actions, ["default", "Open the page", "open", "Open the page"]);
    assert_eq!(
        notice.body,
        format!(
            "The program \"editor\" asks for it.\nCode: {}\nPage: {page}\nIt waits for 10 minutes. If you do not expect it, do not \
             answer it; this ends it: authctl login work --cancel",
            code(&shown)
        )
    );
    assert!((590_000..=600_000).contains(&notice.expires), "it stays as long as the login: {}", notice.expires);
    assert_eq!(asked.opened, [""; 0], "nothing opens by itself");

    // when the person presses the button, and the desktop closes the notice with that
    desktop.press(notice.id, "open").await;
    desktop.gone(notice.id, 3).await;

    // then the page is opened, without the code in its address; and the code is shown again, as it has to be typed there
    let asked = desktop.wait_for(|asked| asked.notices.len() == 2).await;
    assert_eq!(asked.opened, [page]);
    let again = asked.notices[1].clone();
    assert_eq!((again.replaces, again.id, &again.body), (notice.id, notice.id, &notice.body));

    // when the person answers, then all are served, and the notice goes; nothing more was told
    let mut watches = crowd.watch(&named("work"));
    approve(&shown).await;
    for watch in &mut watches {
        watched(watch, a_token).await;
    }
    let asked = desktop.wait_for(|asked| !asked.closed.is_empty()).await;
    assert_eq!(asked.closed, [again.id]);
    told_of_other(&desktop, &daemon).await;
    assert_eq!(first_of(&desktop.asked(), "work").len(), 1);
}

#[tokio::test]
async fn a_login_in_a_browser_is_opened_at_its_own_address_which_is_shown_to_nobody() {
    let Some(bus) = bus("a login in a browser is opened") else { return };
    let desktop = Desktop::on(&bus.address(), Manners::default()).await;
    let server = AuthorizationServer::start(Settings::in_browser());
    let daemon = Daemon::start(config_at(&server, &bus.address())).await;

    let shown = asks(&daemon, "work").await;
    let asked = desktop.wait_for(|asked| !asked.notices.is_empty()).await;
    let notice = &asked.notices[0];
    let address = url(&shown);
    assert!(notice.body.contains(&format!("\nPage: {}\n", address.origin().ascii_serialization())), "{}", notice.body);
    assert!(!notice.body.contains("state"), "whoever has the address can answer the login");

    // a click on the notice itself counts as the button
    desktop.press(notice.id, "default").await;
    let asked = desktop.wait_for(|asked| !asked.opened.is_empty()).await;
    assert_eq!(asked.opened, [address.as_str()]);
    approve(&shown).await;
    let asked = desktop.wait_for(|asked| !asked.closed.is_empty()).await;
    assert_eq!((asked.closed, asked.notices.len()), (vec![1], 1));
}

#[tokio::test]
async fn where_the_person_wants_it_the_page_is_opened_without_being_asked_for_once() {
    let Some(bus) = bus("a page is opened by itself") else { return };
    let desktop = Desktop::on(&bus.address(), Manners::default()).await;
    let server = AuthorizationServer::start(Settings::default());
    let config = config_at(&server, &bus.address()).text("[desktop]\nopen_browser = true");
    let mut daemon = Daemon::start(config).await;

    let shown = asks(&daemon, "work").await;
    let page = format!("{}/device", server.issuer());
    let asked = desktop.wait_for(|asked| !asked.notices.is_empty()).await;
    assert_eq!(asked.opened, std::slice::from_ref(&page), "before the notice, which stands beside it with the code");
    assert!(asked.notices[0].body.contains(code(&shown)));

    // other programs open nothing more; nor does another life of the daemon, which shows the code again
    asks(&daemon, "work").await;
    daemon.restart().await;
    assert_eq!(code(&asks(&daemon, "work").await), code(&shown));
    desktop.wait_for(|asked| first_of(asked, "work").len() == 2).await;
    told_of_other(&desktop, &daemon).await;
    let asked = desktop.asked();
    let told = first_of(&asked, "work").len();
    assert_eq!((asked.opened, told), (vec![page.clone(), page], 2), "the second page is the other's");
}

#[tokio::test]
async fn a_desktop_without_buttons_and_markup_is_told_in_plain_words() {
    let Some(bus) = bus("a desktop without buttons is told") else { return };
    let desktop = Desktop::on(&bus.address(), Manners { capabilities: vec!["body"], ..Manners::default() }).await;
    let server = AuthorizationServer::start(Settings::default());
    let daemon = Daemon::start(config_at(&server, &bus.address())).await;
    let shown = prompt(program(&daemon).token(Request::new(Need::account("work").client_name("<b>a & b</b>"))).await.unwrap());
    let asked = desktop.wait_for(|asked| !asked.notices.is_empty()).await;
    assert_eq!(asked.notices[0].actions, [""; 0]);
    assert!(asked.notices[0].body.starts_with("The program \"<b>a & b</b>\" asks for it.\n"), "{:?}", asked.notices[0]);
    assert!(asked.notices[0].body.contains(code(&shown)));
}

#[tokio::test]
async fn a_program_s_name_is_no_markup() {
    let Some(bus) = bus("a program's name is no markup") else { return };
    let desktop = Desktop::on(&bus.address(), Manners::default()).await;
    let server = AuthorizationServer::start(Settings::default());
    let daemon = Daemon::start(config_at(&server, &bus.address())).await;
    let need = Need::account("work").client_name("<a href=\"https://evil.example\">");
    program(&daemon).token(Request::new(need)).await.unwrap();
    let asked = desktop.wait_for(|asked| !asked.notices.is_empty()).await;
    let first = asked.notices[0].body.lines().next().unwrap();
    assert_eq!(first, "The program \"&lt;a href='https://evil.example'&gt;\" asks for it.");
}
