//! Polls that go wrong: a login lives as long as its code, the server's pace is kept, final answers end it with a sentence each
//! (D11-D18).

use std::time::Duration;

use mcp_authd_client::status::{Health, SignInEnd};
use mcp_authd_client::{Need, Reason, Request, SignInMode};
use mcp_authd_tests::server::{At, Commit, Misbehaviour, Settings};

use super::{Case, Stage, play};
use crate::logged_in::{look, prompt, refused, used, user_code};

fn case<T>(name: &'static str, about: T) -> Case<T> {
    Case { name, settings: Settings::default(), about }
}

/// The first poll comes late enough for all to be waiting, on a slow machine too.
fn unhurried<T>(name: &'static str, about: T) -> Case<T> {
    Case { name, settings: Settings { interval: Duration::from_secs(3), ..Settings::default() }, about }
}

fn status(code: u16, retry_after: Option<&str>, body: &str) -> Misbehaviour {
    Misbehaviour::Status { code, retry_after: retry_after.map(str::to_owned), body: body.to_owned() }
}

fn waiting(account: &str) -> Request {
    Request::new(Need::account(account)).sign_in(SignInMode::StartAndWait)
}

/// Begins a login; the code to approve.
async fn begin(stage: &Stage) -> String {
    user_code(&prompt(stage.program.token(Need::account(stage.name)).await.unwrap()))
}

/// The times between polls, from the end of an answer to the next request (D12).
fn gaps(stage: &Stage) -> Vec<Duration> {
    let polls = stage.received(At::Poll);
    polls.windows(2).map(|pair| pair[1].arrived.saturating_sub(pair[0].decided.unwrap_or(pair[0].arrived))).collect()
}

#[tokio::test]
async fn a_poll_that_fails_for_now_does_not_end_the_login() {
    const PAGE: &str = "<!doctype html><title>Bad gateway</title>";
    let (one, three) = (Duration::from_secs(1), Duration::from_secs(3));
    let cases = vec![
        case("status-500", (Misbehaviour::status(500), one)),
        case("status-503-and-3-seconds", (status(503, Some("3"), "{}"), three)),
        case("status-429-and-3-seconds", (status(429, Some("3"), r#"{"error":"temporarily_unavailable"}"#), three)),
        case("status-408", (status(408, None, ""), one)),
        case("web-page-with-200", (Misbehaviour::Html, one)),
        case("web-page-with-502", (status(502, None, PAGE), one)),
        case("garbage", (Misbehaviour::Garbage, one)),
        case("truncated", (Misbehaviour::Truncate, one)),
        case("dropped", (Misbehaviour::Drop(Commit::Before), one)),
        case("bomb", (Misbehaviour::Bomb(4 << 20), one)),
        case("pending-with-200", (Misbehaviour::ErrorWith200("authorization_pending"), one)),
        case("pending-with-403", (status(403, None, r#"{"error":"authorization_pending"}"#), one)),
        case("pending-with-428", (status(428, None, r#"{"error":"authorization_pending"}"#), one)),
    ];
    play(cases, async |stage: Stage, (fault, pause): (Misbehaviour, Duration)| {
        // given a login whose first poll goes wrong
        let Stage { program, server, name, .. } = &stage;
        server.script(At::Poll, fault);
        let code = begin(&stage).await;
        server.wait_for(|counts| counts.poll_outcomes.values().sum::<u64>() == 1).await;

        // then everybody still sees the same prompt, and the person's approval is found by a later poll
        assert_eq!(user_code(&prompt(look(program, name).await)), code);
        server.approve(&code).unwrap();
        used(program.token(waiting(name)).await.unwrap());
        let counts = server.counts();
        assert_eq!((counts.device_authorizations, counts.grants_started, counts.polls), (1, 1, 2));
        assert!(gaps(&stage).iter().all(|gap| *gap >= pause), "{:?}", gaps(&stage));
        assert_eq!((counts.early_polls, stage.account().await.health), (0, Health::Good));
    })
    .await;
}

#[tokio::test]
async fn slow_down_makes_the_interval_longer_for_good() {
    let cases =
        vec![case("with-400", Misbehaviour::SlowDown), case("with-200-as-github", Misbehaviour::ErrorWith200("slow_down"))];
    play(cases, async |stage: Stage, fault| {
        // given a server that lets us poll every second, and says slow_down once
        let Stage { program, server, name, .. } = &stage;
        server.script(At::Poll, fault);
        let code = begin(&stage).await;

        // when it is polled twice more
        server.wait_for(|counts| counts.polls_ended("authorization_pending") == 1).await;
        server.approve(&code).unwrap();
        used(program.token(waiting(name)).await.unwrap());

        // then both pauses are of six seconds at least
        let gaps = gaps(&stage);
        assert_eq!((gaps.len(), server.counts().early_polls), (2, 0));
        assert!(gaps.iter().all(|gap| *gap >= Duration::from_secs(6)), "{gaps:?}");
    })
    .await;
}

#[tokio::test]
async fn a_login_outlives_a_server_that_goes_away_and_comes_back() {
    play(vec![case("away", ())], async |stage: Stage, ()| {
        // given a login that waits, and a server that goes away
        let Stage { program, server, name, .. } = &stage;
        let code = begin(&stage).await;
        server.wait_for(|counts| counts.polls == 1).await;
        server.go_down().await;
        // law: sleep: polls that find nobody leave no trace at the server; the next one is due after 1.2 s
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(user_code(&prompt(look(program, name).await)), code);

        // when it is back and the person approves
        server.come_back().await;
        server.approve(&code).unwrap();

        // then the same login ends well
        used(program.token(waiting(name)).await.unwrap());
        assert_eq!((server.counts().device_authorizations, server.counts().grants_started), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_poll_that_hangs_holds_up_nobody_and_the_login_goes_on() {
    play(vec![case("hangs", ())], async |stage: Stage, ()| {
        let Stage { program, server, name, .. } = &stage;
        server.script(At::Poll, Misbehaviour::Hang);
        let code = begin(&stage).await;
        server.wait_for(|counts| counts.held == 1).await;
        assert_eq!(user_code(&prompt(look(program, name).await)), code);
        server.release();
        server.approve(&code).unwrap();
        used(program.token(waiting(name)).await.unwrap());
        assert_eq!(server.counts().max_concurrent_token_requests, 1, "one poller, one poll at a time (D21)");
    })
    .await;
}

#[tokio::test]
async fn a_final_answer_ends_the_login_and_says_so_to_everybody_who_waited() {
    let cases = vec![
        unhurried("access-denied", (Misbehaviour::Error("access_denied"), Reason::Denied, SignInEnd::Denied)),
        unhurried("access-denied-with-200", (Misbehaviour::ErrorWith200("access_denied"), Reason::Denied, SignInEnd::Denied)),
        unhurried("authorization-declined", (Misbehaviour::Error("authorization_declined"), Reason::Denied, SignInEnd::Denied)),
        unhurried("expired-token", (Misbehaviour::Error("expired_token"), Reason::LoginRequired, SignInEnd::Expired)),
        unhurried(
            "bad-verification-code",
            (Misbehaviour::Error("bad_verification_code"), Reason::Configuration, SignInEnd::Failed),
        ),
        unhurried("invalid-grant", (Misbehaviour::Error("invalid_grant"), Reason::Configuration, SignInEnd::Failed)),
        unhurried("invalid-client", (Misbehaviour::Error("invalid_client"), Reason::Configuration, SignInEnd::Failed)),
        unhurried("unknown-error", (Misbehaviour::Error("mercury_retrograde"), Reason::Configuration, SignInEnd::Failed)),
        unhurried("neither-token-nor-error", (status(200, None, "{}"), Reason::Configuration, SignInEnd::Failed)),
        unhurried(
            "redirect",
            (Misbehaviour::Redirect("http://127.0.0.1:1/".to_owned()), Reason::Configuration, SignInEnd::Failed),
        ),
        unhurried(
            "an-error-that-echoes",
            (Misbehaviour::EchoSecrets { status: 400, error: "invalid_request" }, Reason::Configuration, SignInEnd::Failed),
        ),
    ];
    play(cases, async |stage: Stage, (fault, reason, end)| {
        let Stage { program, server, name, .. } = &stage;
        server.script(At::Poll, fault);
        begin(&stage).await;

        // when two programs wait for the login, and it ends
        let (one, other) = tokio::join!(program.token(waiting(name)), program.token(waiting(name)));

        // then both are told why, polling has ended, and nothing is held
        assert_eq!(refused(one.unwrap()).reason, reason);
        assert_eq!(refused(other.unwrap()).reason, reason);
        let account = stage.account().await;
        assert_eq!((account.last_sign_in_end, account.sign_in, account.grant), (Some(end), None, None));
        assert!(account.next_step.is_some(), "a person reads what to do");
        assert_eq!((server.counts().polls, server.counts().device_authorizations), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_login_that_the_person_denies_is_not_begun_again_by_programs() {
    play(vec![case("denied", ())], async |stage: Stage, ()| {
        let Stage { program, server, name, .. } = &stage;
        let code = begin(&stage).await;
        server.deny(&code).unwrap();
        assert_eq!(refused(program.token(waiting(name)).await.unwrap()).reason, Reason::Denied);
        for _ in 0..3 {
            let refusal = refused(program.token(Need::account(*name)).await.unwrap());
            assert_eq!(refusal.reason, Reason::Denied);
            assert!(refusal.next_step.contains(&format!("authctl login {name}")), "{refusal:?}");
        }
        assert_eq!(server.counts().device_authorizations, 1);
    })
    .await;
}

#[tokio::test]
async fn a_code_that_nobody_answers_ends_in_its_time_and_is_not_polled_after() {
    let settings = Settings { device_code_life: Duration::from_secs(3), ..Settings::default() };
    play(vec![Case { name: "expired", settings, about: () }], async |stage: Stage, ()| {
        let Stage { program, name, .. } = &stage;
        begin(&stage).await;
        let refusal = refused(program.token(waiting(name)).await.unwrap());
        assert_eq!(refusal.reason, Reason::LoginRequired);
        assert_eq!(stage.account().await.last_sign_in_end, Some(SignInEnd::Expired));
        let last = stage.received(At::Poll).last().unwrap().arrived;
        let asked = stage.received(At::DeviceAuthorization)[0].arrived;
        assert!(last - asked < Duration::from_secs(3), "polled after the code's end");

        // and a program may begin another
        prompt(program.token(Need::account(*name)).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn an_interval_longer_than_the_code_lives_means_one_poll_just_before_its_end() {
    let settings =
        Settings { device_code_life: Duration::from_secs(4), interval: Duration::from_secs(100), ..Settings::default() };
    play(vec![Case { name: "long-interval", settings, about: () }], async |stage: Stage, ()| {
        let Stage { program, server, name, .. } = &stage;
        let code = begin(&stage).await;
        server.approve(&code).unwrap();
        used(program.token(waiting(name)).await.unwrap());
        assert_eq!(server.counts().polls, 1);
    })
    .await;
}

#[tokio::test]
async fn a_success_answer_that_is_lost_ends_the_login_with_a_sentence_and_the_next_one_is_free_to_begin() {
    play(vec![unhurried("lost", ())], async |stage: Stage, ()| {
        // given a login that is approved, whose tokens get lost on the way
        let Stage { program, server, name, .. } = &stage;
        let code = begin(&stage).await;
        server.approve(&code).unwrap();
        server.script(At::Poll, Misbehaviour::Drop(Commit::After));

        // then it is polled on; the code is used up, and the login ends
        let refusal = refused(program.token(waiting(name)).await.unwrap());
        assert_eq!(refusal.reason, Reason::LoginRequired);
        assert_eq!((server.counts().polls, server.counts().polls_ended("invalid_grant")), (2, 1));
        assert_eq!(stage.account().await.last_sign_in_end, Some(SignInEnd::Failed));
        prompt(program.token(Need::account(*name)).await.unwrap());
    })
    .await;
}
