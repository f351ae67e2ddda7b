//! No desktop, one that hangs, one that refuses: nobody who asks for a token notices any of it.

use std::os::unix::net::UnixListener;

use mcp_authd_client::admin::LogQuery;
use mcp_authd_tests::daemon::{Account, Daemon};
use mcp_authd_tests::desktop::{Desktop, Manner, PrivateBus, Settings as Manners};
use mcp_authd_tests::programs::{a_token, approve, program, tool, until, watched};
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use mcp_authd_tests::skip::{Skip, skipped};

use super::{asks, bus, config_at, named, there};

/// What the log says once where there is no bus.
const NOBODY_TELLS: &str = "nobody tells the desktop of logins; authctl status shows those that wait";
const NOT_TOLD: &str = "the desktop is not told of a login; it waits all the same";

/// Every machine has this user.
const NOBODY: u32 = 65_534;

/// What is wrong with a bus or with what is on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    /// The daemon is told so.
    Says,
    /// It never answers: the daemon gives up by itself, and never before five seconds.
    Hangs,
}

/// A program is answered while a desktop that hangs still holds its answers, the log says `why`, the person answers, and the daemon
/// leaves while the desktop hangs again.
async fn callers_are_served(address: &str, (wrong, why): (Wrong, &str)) {
    let server = AuthorizationServer::start(Settings::default());
    let config = config_at(&server, address).text("[desktop]\nopen_browser = true");
    let mut daemon = Daemon::start(config).await;
    let mut watch = program(&daemon).watch(named("work"));
    let shown = asks(&daemon, "work").await;
    assert!(wrong == Wrong::Says || !daemon.logs().contains(why), "the answer has waited for the desktop:\n{}", daemon.logs());
    until(&format!("the log says: {why}"), || daemon.logs().contains(why)).await;
    approve(&shown).await;
    watched(&mut watch, a_token).await;

    // while the next one is being told it leaves
    asks(&daemon, "other").await;
    let left = daemon.stop().await;
    assert!(left.success(), "{left}");
    let given_up = daemon.logs().matches(why).count();
    assert!(wrong == Wrong::Says || given_up == 1, "it has waited for the desktop, and left then:\n{}", daemon.logs());
}

async fn callers_are_served_beside(desktop: Manners, is: (Wrong, &str)) {
    let Some(bus) = bus(&format!("{desktop:?}")) else { return };
    let _desktop = Desktop::on(&bus.address(), desktop).await;
    callers_are_served(&bus.address(), is).await;
}

#[tokio::test]
async fn without_a_bus_callers_are_served_as_before() {
    callers_are_served("unix:path=/nowhere/at/all", (Wrong::Says, "there is no session bus")).await;
}

#[tokio::test]
async fn nothing_is_started_where_a_bus_would_have_to_be() {
    let server = AuthorizationServer::start(Settings::default());
    let daemon = Daemon::start(config_at(&server, "autolaunch:;unixexec:path=/bin/true")).await;
    let mut watch = program(&daemon).watch(named("work"));
    approve(&asks(&daemon, "work").await).await;
    watched(&mut watch, a_token).await;
    until("the log says that nobody tells the desktop", || daemon.logs().contains(NOBODY_TELLS)).await;
    assert!(daemon.logs().contains("neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR names a session bus"));
}

#[tokio::test]
async fn who_reads_the_log_for_want_of_a_notice_finds_why_and_once_only() {
    let server = AuthorizationServer::start(Settings::default());
    let config = config_at(&server, "unix:path=/nowhere/at/all").environment("MCP_AUTHD_LOG", "info,mcp_authd::desktop=debug");
    let daemon = Daemon::start(config).await;
    let said = |sentence| daemon.logs().matches(sentence).count();

    // two logins, and it is said of the first one
    asks(&daemon, "work").await;
    until("the log says that nobody tells the desktop", || said(NOBODY_TELLS) == 1).await;
    asks(&daemon, "other").await;
    until("the second one is not told either", || said("the desktop is not told of a login, again") == 1).await;
    let kept = tool(&daemon).log(LogQuery { last: 100, ..LogQuery::default() }).await.unwrap();
    assert_eq!(kept.iter().filter(|entry| entry.message == NOBODY_TELLS).count(), 1);
}

#[tokio::test]
async fn a_desktop_that_is_lost_once_it_was_told_is_not_one_that_was_not_told() {
    // given no desktop yet
    let Some(bus) = bus("a desktop is lost once it was told") else { return };
    let desktop = Desktop::on(&bus.address(), Manners::default()).await;
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("bus");
    let server = AuthorizationServer::start(Settings::default());
    let config = config_at(&server, &format!("unix:path={}", place.display()));
    let daemon = Daemon::start(config.account(Account::at("third", server.issuer()))).await;
    let said = |sentence| daemon.logs().matches(sentence).count();
    asks(&daemon, "other").await;
    until("the log says that nobody tells the desktop", || said(NOBODY_TELLS) == 1).await;

    // when it comes, is told, and goes
    std::os::unix::fs::symlink(bus.socket(), &place).unwrap();
    let shown = asks(&daemon, "work").await;
    until("the desktop was told", || said("the desktop was told of a login") == 1).await;
    drop((desktop, bus));

    // then the log says so, and the login goes its way
    until("the log says that it is lost", || said("the desktop was told of a login and is lost since") == 1).await;
    assert_eq!(said(NOT_TOLD), 0);
    let mut watch = program(&daemon).watch(named("work"));
    approve(&shown).await;
    watched(&mut watch, a_token).await;

    // and that there is none is news again
    asks(&daemon, "third").await;
    until("the log says that nobody tells the desktop", || said(NOBODY_TELLS) == 2).await;
}

#[tokio::test]
async fn beside_a_bus_that_hangs_callers_are_served_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("bus");
    // The kernel takes connections for it.
    let _never_answers = UnixListener::bind(&socket).unwrap();
    callers_are_served(&format!("unix:path={}", socket.display()), (Wrong::Hangs, "does not answer within 5 s")).await;
}

#[tokio::test]
async fn beside_a_bus_that_is_broken_callers_are_served_as_before() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("bus");
    let listener = UnixListener::bind(&socket).unwrap();
    let answers = std::thread::spawn(move || {
        for connection in listener.incoming() {
            let _has_gone = connection.and_then(|mut connection| std::io::Write::write_all(&mut connection, &[0xff; 4096]));
        }
    });
    callers_are_served(&format!("unix:path={}", socket.display()), (Wrong::Says, "the session bus is broken or has gone")).await;
    drop(answers);
}

#[tokio::test]
async fn beside_a_bus_without_services_callers_are_served_as_before() {
    let none = Manners { notifications: Manner::Absent, portal: Manner::Absent, ..Manners::default() };
    callers_are_served_beside(none, (Wrong::Says, "the answer is the error org.freedesktop.DBus.Error.")).await;
}

#[tokio::test]
async fn beside_services_that_hang_callers_are_served_as_before() {
    let hang = Manners { notifications: Manner::Hangs, portal: Manner::Hangs, ..Manners::default() };
    callers_are_served_beside(hang, (Wrong::Hangs, NOT_TOLD)).await;
}

#[tokio::test]
async fn beside_services_that_refuse_callers_are_served_as_before() {
    let refuse = Manners { notifications: Manner::Refuses, portal: Manner::Refuses, ..Manners::default() };
    callers_are_served_beside(refuse, (Wrong::Says, "the answer is the error org.freedesktop.DBus.Error.AccessDenied")).await;
}

#[tokio::test]
async fn a_notice_is_shown_although_the_portal_hangs() {
    let Some(bus) = bus("a notice is shown although the portal hangs") else { return };
    let desktop = Desktop::on(&bus.address(), Manners { portal: Manner::Hangs, ..Manners::default() }).await;
    let server = AuthorizationServer::start(Settings::default());
    let config = config_at(&server, &bus.address()).text("[desktop]\nopen_browser = true");
    let daemon = Daemon::start(config).await;
    asks(&daemon, "work").await;
    let asked = desktop.wait_for(|asked| !asked.notices.is_empty()).await;
    assert!(asked.opened.is_empty());
}

#[tokio::test]
async fn the_bus_of_another_user_is_told_nothing() {
    const STORY: &str = "the bus of another user is told nothing";
    if !nix::unistd::geteuid().is_root() {
        return skipped(STORY, &Skip("only root can run a bus as another user: run the tests as root".to_owned()));
    }
    let Some(strange) = there(STORY, PrivateBus::start_as(NOBODY)) else { return };
    let desktop = Desktop::on(&strange.address(), Manners::default()).await;
    callers_are_served(&strange.address(), (Wrong::Says, "the session bus belongs to the user 65534")).await;
    assert_eq!(desktop.asked().calls, 0);
}
