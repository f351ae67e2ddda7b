//! The daemon ends while a login waits in a browser: the URL that the person has open still works, or a sentence names the port.

use std::net::TcpListener;

use mcp_authd_client::status::{Health, SignInEnd};
use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::person::in_browser;
use mcp_authd_tests::programs::{a_prompt, a_token, account_is, program, prompt, prompted, tool, url, watched};
use mcp_authd_tests::server::{At, Commit, Misbehaviour, Settings};

use super::{daemon_at, listens_only_at, port_of, refused, stops_listening, subject_of, work};

/// How a daemon ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Stopped,
    Killed,
}

async fn ended(daemon: &mut Daemon, end: End) {
    match end {
        End::Stopped => assert!(daemon.stop().await.success()),
        End::Killed => daemon.kill(),
    }
}

async fn the_same_url_works_after(end: End) {
    // given a URL that a person has open
    let (server, mut daemon) = daemon_at(Settings::in_browser()).await;
    let shown = prompt(program(&daemon).token(work()).await.unwrap());
    let back = in_browser::answer("approve", &url(&shown), &[]).await.unwrap();

    // when the daemon ends and comes back before the browser does
    ended(&mut daemon, end).await;
    assert!(in_browser::follow(&back).await.is_err(), "nobody listens meanwhile");
    daemon.start_again().await;

    // then everybody is shown the same URL, and what the browser brings counts
    let again = watched(&mut program(&daemon).watch(work()), a_prompt).await;
    assert_eq!((&again.id, &again.how), (&shown.id, &shown.how));
    listens_only_at(&daemon, port_of(&shown)).await;
    assert_eq!(in_browser::follow(&back).await.unwrap().status(), 200);
    let token = watched(&mut program(&daemon).watch(work()), a_token).await;
    assert_eq!(subject_of(&server, &token).await, "alice");
    assert_eq!((server.counts().authorizations_started, server.counts().exchanges_ended("ok")), (1, 1));
    stops_listening(&daemon, port_of(&shown)).await;
}

#[tokio::test]
async fn a_url_that_waits_in_a_browser_works_after_a_stop() {
    the_same_url_works_after(End::Stopped).await;
}

#[tokio::test]
async fn a_url_that_waits_in_a_browser_works_after_a_kill() {
    the_same_url_works_after(End::Killed).await;
}

#[tokio::test]
async fn d35_a_code_that_a_killed_daemon_had_sent_is_sent_by_nobody_again() {
    // given a server that has taken the code and not yet answered, and a daemon that is killed meanwhile
    let (server, mut daemon) = daemon_at(Settings::in_browser()).await;
    server.script(At::Exchange, Misbehaviour::Hold(Commit::After));
    let shown = prompt(program(&daemon).token(work()).await.unwrap());
    let back = in_browser::answer("approve", &url(&shown), &[]).await.unwrap();
    assert_eq!(in_browser::follow(&back).await.unwrap().status(), 200);
    server.wait_for(|counts| counts.held == 1).await;
    daemon.kill();
    daemon.start_again().await;

    // when the person loads the page once more, then nobody is there who would send the code
    account_is(&tool(&daemon), "work", |status| status.health == Health::LoginRequired && status.sign_in.is_none()).await;
    assert!(in_browser::follow(&back).await.is_err(), "no login waits at the old port");

    // and the next login is a new one, which works
    let next = prompted(&daemon, "work").await;
    assert_ne!(url(&next), url(&shown));
    assert_eq!(in_browser::approve(&url(&next)).await.unwrap().status(), 200);
    let token = watched(&mut program(&daemon).watch(work()), a_token).await;
    assert_eq!(subject_of(&server, &token).await, "alice");
    let counts = server.counts();
    assert_eq!((counts.exchanges, counts.codes_reused, counts.families_revoked), (2, 0, 0));
}

async fn a_taken_port_is_named_and_the_next_login_takes_another_after(end: End) {
    // given a login whose port another program takes while no daemon runs
    let (server, mut daemon) = daemon_at(Settings::in_browser()).await;
    let shown = prompt(program(&daemon).token(work()).await.unwrap());
    let port = port_of(&shown);
    ended(&mut daemon, end).await;
    let squatter = TcpListener::bind(("127.0.0.1", port)).unwrap();

    // when the daemon is back
    daemon.start_again().await;

    // then the login is over, with a sentence that names the port
    let over = refused(&daemon, SignInEnd::Failed).await;
    let said = format!("Port {port} of 127.0.0.1 is taken by another program, and the login that waited there is over.");
    assert_eq!((over.message, over.next_step), (said, "authctl login work".to_owned()));
    let status = account_is(&tool(&daemon), "work", |status| status.sign_in.is_none()).await;
    assert!(status.message.as_ref().is_some_and(|why| why.contains(&port.to_string())), "{status:?}");

    // and the person is asked once more, at another port
    let next = prompted(&daemon, "work").await;
    assert_ne!(port_of(&next), port);
    assert_eq!(in_browser::approve(&url(&next)).await.unwrap().status(), 200);
    let token = watched(&mut program(&daemon).watch(work()), a_token).await;
    assert_eq!(subject_of(&server, &token).await, "alice");
    drop(squatter);
    stops_listening(&daemon, port_of(&next)).await;
}

#[tokio::test]
async fn a_port_that_was_taken_after_a_stop_is_named_and_the_next_login_takes_another() {
    a_taken_port_is_named_and_the_next_login_takes_another_after(End::Stopped).await;
}

#[tokio::test]
async fn a_port_that_was_taken_after_a_kill_is_named_and_the_next_login_takes_another() {
    a_taken_port_is_named_and_the_next_login_takes_another_after(End::Killed).await;
}
