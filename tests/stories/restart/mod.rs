//! Stopped, killed, started again: the login stays, the one in progress goes on, and a refresh that was out is neither lost nor doubled.

mod logout;

use std::time::Duration;

use mcp_authd_client::{Answer, Need, Purpose, Reason, Request, SignInMode};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::plain_http;
use mcp_authd_tests::programs::{
    Crowd, a_prompt, a_token, approve, code, logged_in, program, prompt, records, refusal, token, token_ended, until, watched,
};
use mcp_authd_tests::server::{At, AuthorizationServer, Commit, Misbehaviour, Rotation, Settings};

const SHORT: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(3600);
/// Longer than any story.
const GRACE: Rotation = Rotation::Grace(Duration::from_secs(600));

fn work() -> Need {
    Need::account("work")
}

fn never() -> Request {
    Request::new(work()).sign_in(SignInMode::Never)
}

async fn daemon_at(server: &AuthorizationServer) -> Daemon {
    Daemon::start(Config::new().account(Account::at("work", server.issuer()).scopes(["mcp:read"]))).await
}

async fn serves(daemon: &Daemon, server: &AuthorizationServer) -> bool {
    let token = token(program(daemon).token(never()).await.unwrap());
    plain_http::fetch_with_token(&server.resource(), token.expose()).await.unwrap().status == 200
}

/// How a daemon ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Stopped,
    Killed,
}

async fn end_and_start_again(daemon: &mut Daemon, end: End) {
    match end {
        End::Stopped => assert!(daemon.stop().await.success()),
        End::Killed => daemon.kill(),
    }
    daemon.start_again().await;
}

async fn a_token_is_served_again_after(end: End) {
    // given a program that has a token
    let server = AuthorizationServer::start(Settings::default());
    let mut daemon = daemon_at(&server).await;
    logged_in(&daemon, "work").await;
    let (old_program, mut watch) = (program(&daemon), program(&daemon).watch(work()));
    let before = token(old_program.token(work()).await.unwrap());
    watched(&mut watch, a_token).await;
    let asked_before = server.log().len();

    // when
    end_and_start_again(&mut daemon, end).await;

    // then old and new programs, and those that watch, get the same one, and the authorization server hears nothing of it
    for program in [old_program, program(&daemon)] {
        assert_eq!(token(program.token(work()).await.unwrap()).expose(), before.expose());
    }
    assert_eq!(watched(&mut watch, a_token).await.expose(), before.expose());
    assert_eq!(server.log().len(), asked_before);
}

#[tokio::test]
async fn a_stopped_daemon_serves_the_same_token_when_it_is_back() {
    a_token_is_served_again_after(End::Stopped).await;
}

#[tokio::test]
async fn a_killed_daemon_serves_the_same_token_when_it_is_back() {
    a_token_is_served_again_after(End::Killed).await;
}

#[tokio::test]
async fn a_daemon_that_is_asked_to_leave_has_nothing_left_to_wait_for() {
    // given one that has served
    let server = AuthorizationServer::start(Settings::default());
    let mut daemon = daemon_at(&server).await;
    logged_in(&daemon, "work").await;

    // when
    assert!(daemon.stop().await.success());

    // then every task has ended by itself
    assert!(daemon.logs().contains("leaving"));
    assert!(!daemon.logs().contains("tasks were dropped"), "{}", daemon.logs());
}

async fn a_login_goes_on_over(end: End) {
    // given a prompt that a program has shown
    let server = AuthorizationServer::start(Settings::default());
    let mut daemon = daemon_at(&server).await;
    let shown = prompt(program(&daemon).token(work()).await.unwrap());

    // when the daemon ends before the person has answered
    end_and_start_again(&mut daemon, end).await;

    // then everybody is shown the same code, and its approval serves
    assert_eq!(code(&watched(&mut program(&daemon).watch(work()), a_prompt).await), code(&shown));
    let shown_again = prompt(program(&daemon).token(work()).await.unwrap());
    assert_eq!((code(&shown_again), &shown_again.id), (code(&shown), &shown.id));
    approve(&shown).await;
    watched(&mut program(&daemon).watch(work()), a_token).await;
    assert_eq!((server.counts().device_authorizations, server.counts().grants_started), (1, 1));
}

#[tokio::test]
async fn a_login_in_progress_goes_on_with_the_same_code_after_a_stop() {
    a_login_goes_on_over(End::Stopped).await;
}

#[tokio::test]
async fn a_login_in_progress_goes_on_with_the_same_code_after_a_kill() {
    a_login_goes_on_over(End::Killed).await;
}

#[tokio::test]
async fn a_code_that_was_shown_outlives_a_kill_at_that_very_moment() {
    for _ in 0..10 {
        // given
        let server = AuthorizationServer::start(Settings::default());
        let mut daemon = daemon_at(&server).await;

        // when
        let shown = prompt(program(&daemon).token(work()).await.unwrap());
        end_and_start_again(&mut daemon, End::Killed).await;

        // then
        assert_eq!(code(&prompt(program(&daemon).token(work()).await.unwrap())), code(&shown));
    }
}

#[tokio::test]
async fn a_login_that_was_approved_while_no_daemon_ran_is_completed_at_the_next_start() {
    // given
    let server = AuthorizationServer::start(Settings::default());
    let mut daemon = daemon_at(&server).await;
    let shown = prompt(program(&daemon).token(work()).await.unwrap());

    // when
    assert!(daemon.stop().await.success());
    approve(&shown).await;
    daemon.start_again().await;

    // then
    watched(&mut program(&daemon).watch(work()), a_token).await;
    assert_eq!((server.counts().device_authorizations, server.counts().grants_started), (1, 1));
}

async fn a_leaving_daemon_saves_the_refresh_that_is_out(commit: Commit) {
    // given a refresh that is under way, for a server that would punish its loss
    let server = AuthorizationServer::start(Settings { access_token_life: SHORT, ..Settings::default() });
    let mut daemon = daemon_at(&server).await;
    logged_in(&daemon, "work").await;
    server.change(|settings| settings.access_token_life = LONG);
    server.script(At::Refresh, Misbehaviour::Hold(commit));
    token_ended(&daemon, "work").await;
    let waiting = Crowd::of(20, &daemon).begin(1, Request::new(work()).max_wait(Duration::from_secs(20)));
    server.wait_for(|counts| counts.held == 1).await;

    // when the daemon is asked to leave
    daemon.terminate();
    until("the daemon is leaving", || daemon.logs().contains("leaving")).await;
    assert_eq!(waiting.open(), 20);
    server.release();

    // then it answers those who wait, and leaves with the new token saved
    let answered: Vec<_> = waiting.answers().await.into_iter().map(token).collect();
    assert!(daemon.exited().await.success());
    daemon.start_again().await;
    let after = token(program(&daemon).token(work()).await.unwrap());
    assert!(answered.iter().all(|before| before.expose() == after.expose()));

    // and the next refresh works: no spent refresh token was kept
    let next = token(program(&daemon).report_rejected(&after).await.unwrap());
    assert_ne!(next.expose(), after.expose());
    let counts = server.counts();
    assert_eq!((counts.refreshes, counts.refreshes_ok(), counts.device_authorizations), (2, 2, 1));
    counts.assert_no_race_was_lost();
}

#[tokio::test]
async fn a_daemon_that_is_asked_to_leave_waits_for_a_refresh_that_the_server_has_not_done_yet_and_saves_it() {
    a_leaving_daemon_saves_the_refresh_that_is_out(Commit::Before).await;
}

#[tokio::test]
async fn a_daemon_that_is_asked_to_leave_waits_for_a_refresh_that_the_server_has_done_and_saves_it() {
    a_leaving_daemon_saves_the_refresh_that_is_out(Commit::After).await;
}

/// A daemon that died while its refresh was out, and was started again.
async fn killed_in_mid_refresh(server: &AuthorizationServer, at: Commit) -> Daemon {
    let mut daemon = daemon_at(server).await;
    logged_in(&daemon, "work").await;
    server.change(|settings| settings.access_token_life = LONG);
    server.script(At::Refresh, Misbehaviour::KillPeer { pid: daemon.pid(), at });
    token_ended(&daemon, "work").await;
    let crowd = Crowd::of(20, &daemon);
    let _cut_off = crowd.begin(1, work());
    assert!(!daemon.exited().await.success());
    daemon.start_again().await;
    daemon
}

fn server_with(rotation: Rotation) -> AuthorizationServer {
    AuthorizationServer::start(Settings { rotation, access_token_life: SHORT, ..Settings::default() })
}

#[tokio::test]
async fn a_refresh_that_a_kill_cut_off_before_the_server_did_it_is_sent_once_more() {
    for rotation in [Rotation::Strict, GRACE, Rotation::Never, Rotation::Omit] {
        // given
        let server = server_with(rotation);
        let daemon = killed_in_mid_refresh(&server, Commit::Before).await;

        // when many ask
        Crowd::of(20, &daemon).ask(1, work()).await.into_iter().map(token).for_each(drop);

        // then
        assert!(serves(&daemon, &server).await);
        let counts = server.counts();
        assert_eq!((counts.refreshes, counts.refreshes_ok(), counts.device_authorizations), (2, 1, 1), "{rotation:?}");
        assert_eq!(counts.grace_replays, 0);
        counts.assert_no_race_was_lost();
    }
}

#[tokio::test]
async fn a_refresh_that_a_kill_cut_off_after_the_server_did_it_is_replayed_once_within_the_servers_grace() {
    // given
    let server = server_with(GRACE);
    let daemon = killed_in_mid_refresh(&server, Commit::After).await;

    // when many ask
    Crowd::of(20, &daemon).ask(1, work()).await.into_iter().map(token).for_each(drop);

    // then
    assert!(serves(&daemon, &server).await);
    let counts = server.counts();
    assert_eq!((counts.refreshes, counts.grace_replays, counts.device_authorizations), (2, 1, 1));
    counts.assert_no_race_was_lost();
}

#[tokio::test]
async fn a_refresh_that_a_kill_cut_off_at_a_server_without_grace_ends_in_one_replay_and_one_login() {
    // given a server that takes the replay for theft
    let server = server_with(Rotation::Strict);
    let mut daemon = killed_in_mid_refresh(&server, Commit::After).await;

    // when many ask, before and after further ends of the daemon
    let mut refused = Crowd::of(20, &daemon).ask(1, never()).await;
    for end in [End::Killed, End::Stopped] {
        end_and_start_again(&mut daemon, end).await;
        refused.extend(Crowd::of(20, &daemon).ask(1, never()).await);
    }

    // then the person is needed, and nothing was sent after the one replay
    assert!(refused.into_iter().map(refusal).all(|refusal| refusal.reason == Reason::LoginRequired));
    let counts = server.counts();
    assert_eq!((counts.refreshes, counts.reuses_detected, counts.device_authorizations), (2, 1, 1));

    // and one login mends it for all
    let prompts: Vec<_> = Crowd::of(20, &daemon).ask(1, work()).await.into_iter().map(prompt).collect();
    assert!(prompts.iter().all(|prompt| prompt.purpose == Purpose::Again && code(prompt) == code(&prompts[0])));
    approve(&prompts[0]).await;
    watched(&mut program(&daemon).watch(work()), a_token).await;
    let counts = server.counts();
    assert_eq!((counts.refreshes, counts.device_authorizations), (2, 2));
}

#[tokio::test]
async fn a_daemon_that_dies_in_its_replay_too_asks_no_third_time() {
    // given a daemon that dies in its first try and in its replay
    let server = server_with(GRACE);
    let mut daemon = daemon_at(&server).await;
    logged_in(&daemon, "work").await;
    server.script(At::Refresh, Misbehaviour::KillPeer { pid: daemon.pid(), at: Commit::After });
    token_ended(&daemon, "work").await;
    let crowd = Crowd::of(1, &daemon);
    let cut_off = crowd.begin(1, work());
    assert!(!daemon.exited().await.success());
    server.script(At::Refresh, Misbehaviour::Hang);
    daemon.start_again().await;
    server.wait_for(|counts| counts.held == 1).await;
    daemon.kill();
    // and a program that asks no more: it would begin a login
    drop(cut_off);

    // when it is started again
    daemon.start_again().await;

    // then it needs the person
    let refused = Crowd::of(20, &daemon).ask(1, never()).await;
    assert!(refused.into_iter().map(refusal).all(|refusal| refusal.reason == Reason::LoginRequired));
    assert_eq!((server.counts().refreshes, server.counts().device_authorizations), (2, 1));
    assert!(matches!(program(&daemon).token(work()).await.unwrap(), Answer::ShowSignIn(_)));
}

#[tokio::test]
async fn a_daemon_without_a_login_keeps_no_grant() {
    // given
    let server = AuthorizationServer::start(Settings::default());
    let mut daemon = daemon_at(&server).await;

    // when
    end_and_start_again(&mut daemon, End::Killed).await;

    // then
    assert_eq!(refusal(program(&daemon).token(never()).await.unwrap()).reason, Reason::LoginRequired);
    assert!(records(&daemon).is_empty(), "{:?}", records(&daemon));
}
