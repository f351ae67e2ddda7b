//! The desktop is told once for each login in the life of a daemon, and of no other than a program's.

use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::desktop::{Desktop, Settings as Manners};
use mcp_authd_tests::programs::{account_is, approve, code, deny, prompted, tool, until};
use mcp_authd_tests::server::{AuthorizationServer, Settings};

use super::{asks, bus, config_at, first_of, told_of_other};

async fn stage(story: &str) -> Option<(super::PrivateBus, Desktop, AuthorizationServer, Daemon)> {
    let bus = bus(story)?;
    let desktop = Desktop::on(&bus.address(), Manners::default()).await;
    let server = AuthorizationServer::start(Settings::default());
    let daemon = Daemon::start(config_at(&server, &bus.address())).await;
    Some((bus, desktop, server, daemon))
}

#[tokio::test]
async fn a_notice_that_the_person_puts_aside_does_not_come_back_and_the_login_waits() {
    let Some((_bus, desktop, _server, daemon)) = stage("a notice that is put aside does not come back").await else { return };
    let shown = asks(&daemon, "work").await;
    let asked = desktop.wait_for(|asked| !asked.notices.is_empty()).await;
    desktop.gone(asked.notices[0].id, 2).await;

    // programs are told the same code, and the person nothing
    assert_eq!(code(&asks(&daemon, "work").await), code(&shown));
    told_of_other(&desktop, &daemon).await;
    assert_eq!(desktop.asked().notices.len(), 2, "the other one's is the second");
}

#[tokio::test]
async fn a_login_that_waits_over_a_restart_has_one_notice_whose_button_works() {
    let Some((_bus, desktop, server, mut daemon)) = stage("a login that waits over a restart").await else { return };
    let shown = asks(&daemon, "work").await;
    let first = desktop.wait_for(|asked| asked.notices.len() == 1).await.notices.remove(0);

    until("the daemon knows that it is shown", || daemon.logs().contains("the desktop was told of a login")).await;

    // who leaves takes it away: nobody hears its button any more
    daemon.stop().await;
    assert_eq!(desktop.wait_for(|asked| !asked.closed.is_empty()).await.closed, [first.id]);

    // the next one shows it anew, and hears the button
    daemon.start_again().await;
    let second = desktop.wait_for(|asked| asked.notices.len() == 2).await.notices.remove(1);
    assert_eq!((second.summary, second.replaces), (first.summary, 0));
    assert!(second.body.contains(code(&shown)), "the same login");
    desktop.press(first.id, "open").await;
    desktop.press(second.id, "open").await;
    let asked = desktop.wait_for(|asked| asked.notices.len() == 3).await;
    assert_eq!(asked.opened, [format!("{}/device", server.issuer())]);

    // and takes it away when the login ends
    approve(&shown).await;
    let asked = desktop.wait_for(|asked| asked.closed.len() == 2).await;
    assert_eq!((asked.closed, asked.notices.len()), (vec![first.id, second.id], 3));
}

#[tokio::test]
async fn a_daemon_that_is_killed_leaves_a_dead_notice_beside_that_of_the_next_one() {
    let Some((_bus, desktop, _server, mut daemon)) = stage("a daemon that is killed leaves a notice").await else { return };
    let shown = asks(&daemon, "work").await;
    desktop.wait_for(|asked| asked.notices.len() == 1).await;
    daemon.kill();
    daemon.start_again().await;
    let asked = desktop.wait_for(|asked| asked.notices.len() == 2).await;
    assert_eq!((asked.notices[0].body.contains(code(&shown)), asked.notices[1].body.contains(code(&shown))), (true, true));
    approve(&shown).await;
    let asked = desktop.wait_for(|asked| !asked.closed.is_empty()).await;
    assert_eq!((asked.closed, asked.opened.len()), (vec![asked.notices[1].id], 0));
}

#[tokio::test]
async fn a_desktop_that_leaves_its_bus_is_told_to_be_lost_and_the_next_one_keeps_what_it_shows() {
    let Some((bus, desktop, _server, daemon)) = stage("a desktop leaves its bus").await else { return };
    asks(&daemon, "work").await;
    until("the desktop was told", || daemon.logs().contains("the desktop was told of a login")).await;

    // the session of the desktop ends, as its bus need not
    desktop.ends().await;
    until("the log says so", || daemon.logs().contains("the desktop was told of a login and is lost since")).await;
    assert!(daemon.logs().contains("what showed it has left the session bus"));

    // the next session's first notice has the same number, and stays when the login ends
    let another = Desktop::on(&bus.address(), Manners::default()).await;
    told_of_other(&another, &daemon).await;
    tool(&daemon).cancel_sign_in(Some("work".to_owned())).await.unwrap();
    tool(&daemon).cancel_sign_in(Some("other".to_owned())).await.unwrap();
    let asked = another.wait_for(|asked| !asked.closed.is_empty()).await;
    assert_eq!((asked.notices.len(), asked.closed), (1, vec![1]), "once, when its own login has ended");
}

#[tokio::test]
async fn the_next_login_of_an_account_is_told_too() {
    let Some((_bus, desktop, _server, daemon)) = stage("the next login is told too").await else { return };
    let first = asks(&daemon, "work").await;
    desktop.wait_for(|asked| asked.notices.len() == 1).await;
    tool(&daemon).cancel_sign_in(Some("work".to_owned())).await.unwrap();
    desktop.wait_for(|asked| asked.closed.len() == 1).await;

    // the person's own is shown where it is begun, and not here
    let own = prompted(&daemon, "work").await;
    assert_ne!(code(&own), code(&first));
    deny(&own).await;
    account_is(&tool(&daemon), "work", |status| status.sign_in.is_none()).await;
    told_of_other(&desktop, &daemon).await;
    assert_eq!(first_of(&desktop.asked(), "work").len(), 1);
}

#[tokio::test]
async fn who_wants_no_notices_has_none_from_the_next_login_on() {
    let Some((bus, desktop, server, daemon)) = stage("who wants no notices has none").await else { return };
    daemon.write_config(&config_at(&server, &bus.address()).text("[desktop]\nnotify = false"));
    tool(&daemon).reload().await.unwrap();
    asks(&daemon, "work").await;
    daemon.write_config(&config_at(&server, &bus.address()));
    tool(&daemon).reload().await.unwrap();
    told_of_other(&desktop, &daemon).await;
    let asked = desktop.asked();
    assert_eq!((asked.notices.len(), first_of(&asked, "work").len()), (1, 0));
}

#[tokio::test]
async fn a_button_that_is_pressed_again_and_again_opens_three_pages() {
    let Some((_bus, desktop, server, daemon)) = stage("a button that is pressed again and again").await else { return };
    asks(&daemon, "work").await;
    let asked = desktop.wait_for(|asked| !asked.notices.is_empty()).await;
    let id = asked.notices[0].id;
    for _ in 0..5 {
        desktop.press(id, "open").await;
    }
    desktop.press(id + 1, "open").await;
    desktop.press(id, "something else").await;
    desktop.wait_for(|asked| asked.notices.len() == 4).await;

    // the next thing that the desktop is asked of this login comes after all of them
    tool(&daemon).cancel_sign_in(Some("work".to_owned())).await.unwrap();
    let asked = desktop.wait_for(|asked| asked.closed.len() == 1).await;
    assert_eq!(asked.opened, vec![format!("{}/device", server.issuer()); 3]);
}

#[tokio::test]
async fn a_page_comes_to_the_front_with_what_the_desktop_gave_for_it_and_for_it_alone() {
    let Some((_bus, desktop, _server, daemon)) = stage("a page comes to the front").await else { return };
    asks(&daemon, "work").await;
    let id = desktop.wait_for(|asked| !asked.notices.is_empty()).await.notices[0].id;
    desktop.lets_activate(id + 1, "another-s").await;
    desktop.press(id, "open").await;
    desktop.lets_activate(id, "SNTL-ACTIVATION").await;
    desktop.press(id, "open").await;
    desktop.press(id, "open").await;
    let asked = desktop.wait_for(|asked| asked.activated.len() == 3).await;
    assert_eq!(asked.activated, [None, Some("SNTL-ACTIVATION".to_owned()), None]);
    assert!(!daemon.logs().contains("SNTL-ACTIVATION"));
}

#[tokio::test]
async fn nobody_but_the_desktop_presses_the_button() {
    let Some((bus, desktop, _server, daemon)) = stage("nobody but the desktop presses the button").await else { return };
    asks(&daemon, "work").await;
    let asked = desktop.wait_for(|asked| !asked.notices.is_empty()).await;
    Desktop::stranger_presses(&bus.address(), (&asked.notices[0].from, asked.notices[0].id)).await;

    // the whole way of another login is longer than that of a signal
    told_of_other(&desktop, &daemon).await;
    tool(&daemon).cancel_sign_in(Some("work".to_owned())).await.unwrap();
    let asked = desktop.wait_for(|asked| asked.closed.len() == 1).await;
    assert_eq!((asked.opened, asked.notices.len()), (vec![], 2));
}
