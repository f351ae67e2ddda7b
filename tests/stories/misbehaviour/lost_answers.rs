//! A refresh whose answer nobody can read: was the refresh token spent? One replay, never a second, never in parallel (D51, D56; B4,
//! B5, B18, B21).

use std::time::Duration;

use mcp_authd_client::status::Health;
use mcp_authd_client::{Answer, Need, Reason, Request, SignInMode};
use mcp_authd_tests::programs::program;
use mcp_authd_tests::server::{At, Commit, Misbehaviour, Rotation, Settings};
use mcp_authd_tests::skip::{Skip, skipped};

use super::{Case, Stage, play};
use crate::logged_in::{ask_until_answered, log_in, logged_in_at, look, outlive, prompt, refused, used};

const GRACE: Rotation = Rotation::Grace(Duration::from_secs(60));
/// More than any honest answer, and more than the daemon takes.
const BOMB: usize = 64 << 20;

fn case<T>(name: &'static str, rotation: Rotation, about: T) -> Case<T> {
    Case { name, settings: Settings { rotation, ..Settings::default() }, about }
}

#[tokio::test]
async fn a_lost_answer_is_recovered_with_exactly_one_replay() {
    // The second half of each case: how many spent tokens the server saw again, inside of its window.
    let cases = vec![
        case("dropped-before-commit-strict", Rotation::Strict, (Misbehaviour::Drop(Commit::Before), 0)),
        case("dropped-before-commit-grace", GRACE, (Misbehaviour::Drop(Commit::Before), 0)),
        case("dropped-after-commit-grace", GRACE, (Misbehaviour::Drop(Commit::After), 1)),
        case("truncated-grace", GRACE, (Misbehaviour::Truncate, 1)),
        case("web-page-with-200", Rotation::Strict, (Misbehaviour::Html, 0)),
        case("garbage-with-200", Rotation::Strict, (Misbehaviour::Garbage, 0)),
        case("bomb", Rotation::Strict, (Misbehaviour::Bomb(BOMB), 0)),
    ];
    play(cases, async |stage: Stage, (fault, replays)| {
        // given a login on a grant that has never been refreshed
        let Stage { program, server, name, .. } = &stage;
        let first = log_in(program, server, name).await;

        // when the answer to its refresh is lost
        server.script(At::Refresh, fault.clone());
        let second = used(program.report_rejected(&first).await.unwrap());

        // then the same call brings the next token, by one replay
        assert_ne!(second.sha256(), first.sha256());
        let counts = server.counts();
        assert_eq!((counts.refreshes, counts.grace_replays, counts.grants_started), (2, replays, 1));
        assert_eq!(stage.account().await.health, Health::Good);

        // and the grant goes on with what the replay brought: nothing older is ever sent again
        server.wait_for(|counts| counts.token_requests_open == 0).await;
        assert_eq!(server.counts().refreshes, 2, "never a second replay");
        server.counts().assert_no_race_was_lost();
    })
    .await;
}

#[tokio::test]
async fn a_bomb_is_cut_off_before_it_costs_memory() {
    // B21: RSS < + 16 MiB. VmHWM is the most that the daemon ever had.
    let (server, daemon, token) = logged_in_at(Settings::default()).await;
    let Some(before) = most_memory(daemon.pid()) else {
        return skipped("a bomb is cut off before it costs memory", &Skip("no /proc/PID/status on this system".to_owned()));
    };
    server.script(At::Refresh, Misbehaviour::Bomb(BOMB));
    used(program(&daemon).report_rejected(&token).await.unwrap());
    let after = most_memory(daemon.pid()).unwrap();
    assert!(after - before < 16 * 1024, "{before} KiB before, {after} KiB after a bomb of {BOMB} bytes");
}

/// In KiB.
fn most_memory(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok())
}

#[tokio::test]
async fn at_a_strict_server_an_answer_lost_after_the_commit_costs_exactly_one_replay_and_then_one_login() {
    let cases = vec![
        case("dropped-after-commit-strict", Rotation::Strict, Misbehaviour::Drop(Commit::After)),
        case("truncated-strict", Rotation::Strict, Misbehaviour::Truncate),
    ];
    play(cases, async |stage: Stage, fault| {
        let Stage { program, server, name, .. } = &stage;
        let token = log_in(program, server, name).await;
        server.script(At::Refresh, fault);

        // when the answer is lost for good
        let refusal = refused(program.report_rejected(&token).await.unwrap());

        // then that account needs a login, after one replay and no other request
        assert_eq!(refusal.reason, Reason::LoginRequired);
        assert!(refusal.next_step.contains(&format!("authctl login {name}")), "{refusal:?}");
        for _ in 0..3 {
            assert_eq!(refused(program.report_rejected(&token).await.unwrap()).reason, Reason::LoginRequired);
        }
        let counts = server.counts();
        assert_eq!((counts.refreshes, counts.refreshes_ended("invalid_grant"), counts.reuses_detected), (2, 1, 1));

        // and programs that may begin a login all see the same one
        let held = used(program.token(Need::account(*name)).await.unwrap());
        for _ in 0..3 {
            prompt(program.report_rejected(&held).await.unwrap());
        }
        let counts = server.counts();
        assert_eq!((counts.refreshes, counts.device_authorizations), (2, 2), "one for the first login, one for this");
    })
    .await;
}

#[tokio::test]
async fn two_lost_answers_in_a_row_leave_the_grant_in_doubt_and_no_third_request_is_sent() {
    let cases = vec![
        case("dropped-twice", GRACE, Misbehaviour::Drop(Commit::Before)),
        case("dropped-after-commit-twice", GRACE, Misbehaviour::Drop(Commit::After)),
        case("web-page-twice", GRACE, Misbehaviour::Html),
        case("garbage-for-ever", Rotation::Strict, Misbehaviour::Garbage),
    ];
    play(cases, async |stage: Stage, fault| {
        let Stage { program, server, name, .. } = &stage;
        let token = log_in(program, server, name).await;
        server.always(At::Refresh, fault);

        let refusal = refused(program.report_rejected(&token).await.unwrap());
        assert_eq!(refusal.reason, Reason::LoginRequired);
        assert!(refusal.message.contains("two refreshes"), "{refusal:?}");
        server.behave();
        for _ in 0..3 {
            assert_eq!(refused(program.report_rejected(&token).await.unwrap()).reason, Reason::LoginRequired);
            // The access token serves to its end.
            assert_eq!(used(look(program, name).await).sha256(), token.sha256());
        }
        assert_eq!(server.counts().refreshes, 2);
        server.counts().assert_no_race_was_lost();
    })
    .await;
}

#[tokio::test]
async fn at_a_server_that_never_rotates_a_lost_answer_is_only_a_delay() {
    let cases = vec![
        case("never-rotates", Rotation::Never, Misbehaviour::Drop(Commit::After)),
        case("omits-the-refresh-token", Rotation::Omit, Misbehaviour::Garbage),
    ];
    play(cases, async |stage: Stage, fault| {
        // given a grant that has been seen to keep its refresh token
        let Stage { program, server, name, .. } = &stage;
        let first = log_in(program, server, name).await;
        server.change(|settings| settings.access_token_life = Duration::from_secs(2));
        let second = used(program.report_rejected(&first).await.unwrap());
        server.change(|settings| settings.access_token_life = Duration::from_secs(3600));

        // when it is over, and answers are lost one after the other
        server.script_times(At::Refresh, 2, &fault);
        outlive(&second).await;
        let refusal = refused(look(program, name).await);

        // then there is nothing to replay, and nobody is asked to log in
        assert_eq!(refusal.reason, Reason::Unavailable);
        let third = used(ask_until_answered(program, name).await);
        assert_ne!(third.sha256(), second.sha256());
        assert_eq!((server.counts().refreshes, server.counts().grants_started), (4, 1));
        server.counts().assert_no_race_was_lost();
    })
    .await;
}

#[tokio::test]
async fn a_server_that_hangs_holds_up_nobody_beyond_his_own_deadline_and_is_asked_once() {
    let cases = vec![case("hangs", Rotation::Strict, ())];
    play(cases, async |stage: Stage, ()| {
        // given a refresh that the server holds for ever
        let Stage { program, server, name, .. } = &stage;
        server.change(|settings| settings.access_token_life = Duration::from_secs(1));
        server.script(At::Refresh, Misbehaviour::Hold(Commit::Before));
        outlive(&log_in(program, server, name).await).await;
        server.change(|settings| settings.access_token_life = Duration::from_secs(3600));

        // when many ask, with deadlines of their own
        let impatient = Request::new(Need::account(*name)).sign_in(SignInMode::Never).max_wait(Duration::from_millis(300));
        for _ in 0..5 {
            let refusal = refused(program.token(impatient.clone()).await.unwrap());
            // then each is answered at his own deadline, and nothing is given up
            assert_eq!(refusal.reason, Reason::Unavailable);
        }
        server.wait_for(|counts| counts.held == 1).await;
        assert_eq!(
            (server.counts().refreshes, server.counts().token_requests_open),
            (1, 1),
            "no caller's deadline aborts it (D51)"
        );
        assert!(stage.account().await.grant.unwrap().refreshing);

        // and the answer, when it comes after all, serves everybody
        server.release();
        server.wait_for(|counts| counts.refreshes_ok() == 1 && counts.token_requests_open == 0).await;
        assert!(matches!(look(program, name).await, Answer::UseToken(_)));
        assert_eq!(server.counts().refreshes, 1);
        server.counts().assert_no_race_was_lost();
    })
    .await;
}
