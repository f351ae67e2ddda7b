//! A server that answers a refresh, and answers it wrong: temporary things pass, final things end one account, nothing is retried
//! against a server's wish (D5, D45-D50; B17, B19-B21).

use std::io::Write as _;
use std::time::Duration;

use mcp_authd_client::status::Health;
use mcp_authd_client::{Answer, Reason};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{program, until};
use mcp_authd_tests::server::{At, AuthorizationServer, Misbehaviour, Settings};

use super::{Case, Stage, play};
use crate::logged_in::{insist, log_in, look, refused, used};

const HOUR: Duration = Duration::from_secs(3600);

fn cases<T>(cases: impl IntoIterator<Item = (&'static str, T)>) -> Vec<Case<T>> {
    cases.into_iter().map(|(name, about)| Case { name, settings: Settings::default(), about }).collect()
}

fn status(code: u16, retry_after: Option<&str>, body: &str) -> Misbehaviour {
    Misbehaviour::Status { code, retry_after: retry_after.map(str::to_owned), body: body.to_owned() }
}

/// A complete answer that says "later" in any way, and how long the server wants to be left alone at least.
fn temporary_answers() -> Vec<Case<(Misbehaviour, Duration)>> {
    const PAGE: &str = "<!doctype html><title>Bad gateway</title><h1>502</h1>";
    let (none, three) = (Duration::ZERO, Duration::from_secs(3));
    cases([
        ("status-408", (status(408, None, ""), none)),
        ("status-425", (status(425, None, ""), none)),
        ("status-500", (Misbehaviour::status(500), none)),
        ("status-500-with-an-unknown-error", (status(500, None, r#"{"error":"oops"}"#), none)),
        ("status-503", (Misbehaviour::status(503), none)),
        ("status-503-and-3-seconds", (status(503, Some("3"), "{}"), three)),
        ("status-429-and-3-seconds", (status(429, Some("3"), "{}"), three)),
        ("status-429-and-a-negative-time", (status(429, Some("-30"), "{}"), none)),
        ("status-429-and-a-date-that-is-past", (status(429, Some("Wed, 21 Oct 2015 07:28:00 GMT"), "{}"), none)),
        ("web-page-with-502", (status(502, None, PAGE), none)),
        ("web-page-with-403", (status(403, None, PAGE), none)),
        ("temporarily-unavailable", (Misbehaviour::Error("temporarily_unavailable"), none)),
        ("temporarily-unavailable-with-200", (Misbehaviour::ErrorWith200("temporarily_unavailable"), none)),
    ])
}

#[tokio::test]
async fn a_temporary_answer_keeps_the_account_and_is_tried_again_no_earlier_than_the_server_wishes() {
    play(temporary_answers(), async |stage: Stage, (fault, wish): (Misbehaviour, Duration)| {
        // given a login, and a server that answers the next refresh with "later"
        let Stage { program, server, name, .. } = &stage;
        let token = log_in(program, server, name).await;
        server.script(At::Refresh, fault);

        // when a program reports its token
        let refusal = refused(program.report_rejected(&token).await.unwrap());

        // then it is told to wait, and no call shortens the wait
        assert_eq!(refusal.reason, Reason::Unavailable);
        let told = refusal.retry_after.expect("how long to wait");
        assert!(told + Duration::from_millis(500) >= wish && told <= wish.max(Duration::from_secs(2)), "told to wait {told:?}");
        assert_eq!(refused(program.report_rejected(&token).await.unwrap()).reason, Reason::Unavailable);
        assert_eq!(server.counts().refreshes, 1);

        // and the token is served to everybody who does not complain about it (D50), visibly degraded
        assert_eq!(used(look(program, name).await).sha256(), token.sha256());
        let account = stage.account().await;
        assert!(account.health == Health::Degraded && account.message.is_some() && account.next_step.is_some(), "{account:?}");

        // and it passes by itself
        assert_ne!(used(insist(program, &token).await).sha256(), token.sha256());
        assert_eq!(stage.account().await.health, Health::Good);
        let received = stage.received(At::Refresh);
        assert_eq!((received.len(), server.counts().refreshes_ok(), server.counts().grants_started), (2, 1, 1));
        assert!(received[1].arrived - received[0].arrived >= wish, "{received:#?}");
        server.counts().assert_no_race_was_lost();
    })
    .await;
}

#[tokio::test]
async fn b19_a_wish_of_the_server_outlives_the_daemon() {
    // given a server that says when to come again, and a daemon that dies of it
    let server = AuthorizationServer::start(Settings::default());
    let mut daemon = Daemon::start(Config::new().account(Account::at("work", server.issuer()).scopes(["mcp:read"]))).await;
    let token = log_in(&program(&daemon), &server, "work").await;
    let record = daemon.dirs().state().join("mcp-authd/grant-work.sealed");
    let length = || std::fs::metadata(&record).map_or(0, |metadata| metadata.len());
    let before = length();
    server.script(At::Refresh, status(503, Some("600"), "{}"));
    refused(program(&daemon).report_rejected(&token).await.unwrap());
    // Who asks is told before the disk is: only what stands there outlives a kill, and it is longer by its words.
    until("the wish is kept", || length() > before + 50).await;

    let (kills, calls) = (3, 10);
    for _ in 0..kills {
        // when the next one starts, and everybody asks
        daemon.kill();
        daemon.start_again().await;
        let program = program(&daemon);
        for _ in 0..calls {
            let refusal = refused(program.report_rejected(&token).await.unwrap());
            assert!(refusal.retry_after.is_some_and(|wait| wait > Duration::from_secs(400)), "{refusal:?}");
        }
        assert_eq!(used(look(&program, "work").await).sha256(), token.sha256(), "D50");
    }

    // then the server is not asked before its time, which no start shortens (D48)
    assert_eq!((server.counts().refreshes, server.counts().grants_started), (1, 1));
    let figures = format!("b19: {kills} kills within a wish, {} calls after them, 0 requests", kills * calls);
    let _no_matter = writeln!(std::io::stderr().lock(), "FIGURES {figures}");
}

#[tokio::test]
async fn a_wish_of_ten_years_is_kept_for_an_hour_and_no_call_shortens_it() {
    let ten_years = [
        ("status-429-and-ten-years", status(429, Some("315360000"), "{}")),
        ("status-503-until-2099", status(503, Some("Thu, 31 Dec 2099 23:59:59 GMT"), "{}")),
    ];
    play(cases(ten_years), async |stage: Stage, fault| {
        let Stage { program, server, name, .. } = &stage;
        let token = log_in(program, server, name).await;
        server.script(At::Refresh, fault);

        let told = refused(program.report_rejected(&token).await.unwrap()).retry_after.unwrap();
        assert!(told <= HOUR && told > HOUR - Duration::from_secs(60), "{told:?}");
        for _ in 0..5 {
            assert_eq!(refused(program.report_rejected(&token).await.unwrap()).reason, Reason::Unavailable);
        }
        assert_eq!(used(look(program, name).await).sha256(), token.sha256());
        assert_eq!(server.counts().refreshes, 1);
    })
    .await;
}

#[tokio::test]
async fn a_dead_grant_ends_with_one_request_and_its_living_token_serves_to_its_end() {
    let dead = [
        ("invalid-grant", Misbehaviour::Error("invalid_grant")),
        ("bad-refresh-token-with-200", Misbehaviour::ErrorWith200("bad_refresh_token")),
        ("error-code-without-error", status(400, None, r#"{"error_code":"refresh_token_not_found"}"#)),
        ("invalid-grant-that-echoes", Misbehaviour::EchoSecrets { status: 400, error: "invalid_grant" }),
    ];
    play(cases(dead), async |stage: Stage, fault| {
        let Stage { program, server, name, .. } = &stage;
        let token = log_in(program, server, name).await;
        server.always(At::Refresh, fault);

        // when the refresh token is dead, who needs another token needs a login
        let refusal = refused(insist(program, &token).await);
        assert_eq!(refusal.reason, Reason::LoginRequired);
        assert!(refusal.next_step.contains(&format!("authctl login {name}")), "{refusal:?}");

        // and everybody else is served, and nobody asks the server again (D45)
        for _ in 0..3 {
            assert_eq!(used(look(program, name).await).sha256(), token.sha256());
            assert_eq!(refused(program.report_rejected(&token).await.unwrap()).reason, Reason::LoginRequired);
        }
        assert_eq!(server.counts().refreshes, 1);
        let account = stage.account().await;
        assert_eq!((account.health, account.grant.map(|grant| grant.renewable)), (Health::Degraded, Some(false)));
        assert!(account.next_step.unwrap().contains("authctl login"));

        // and a new login mends it
        server.behave();
        let again = mcp_authd_client::admin::StartSignIn { account: Some((*name).to_owned()), again: true, replace: false };
        stage.tool.start_sign_in(again).await.unwrap();
        server.approve(&server.pending()[0].user_code).unwrap();
        server.wait_for(|counts| counts.grants_started == 2).await;
        server.counts().assert_no_race_was_lost();
    })
    .await;
}

#[tokio::test]
async fn a_refusal_of_the_configuration_is_not_asked_again_and_destroys_nothing() {
    let errors = ["invalid_client", "invalid_scope", "invalid_target", "unauthorized_client", "unsupported_grant_type"];
    play(cases(errors.map(|error| (error, error))), async |stage: Stage, error| {
        let Stage { program, server, name, .. } = &stage;
        let token = log_in(program, server, name).await;
        server.refuse_refreshes_with(error);

        let refusal = refused(program.report_rejected(&token).await.unwrap());
        assert_eq!(refusal.reason, Reason::Configuration);
        assert!(refusal.message.contains(error) && refusal.next_step.contains("config.toml"), "{refusal:?}");
        assert_eq!(refused(program.report_rejected(&token).await.unwrap()).reason, Reason::Configuration);
        assert_eq!(used(look(program, name).await).sha256(), token.sha256());
        assert_eq!(server.counts().refreshes, 1);
        let account = stage.account().await;
        assert_eq!((account.health, account.grant.map(|grant| grant.renewable)), (Health::Degraded, Some(true)));
    })
    .await;
}

#[tokio::test]
async fn an_unknown_error_is_not_taken_at_its_word_at_once() {
    // D49: permanent only when it comes again 30 s later. The second half is told to the pure machine, which has no clock.
    let unknown = [
        ("unknown-error", Misbehaviour::Error("mercury_retrograde")),
        ("unknown-error-that-echoes", Misbehaviour::EchoSecrets { status: 400, error: "mercury_retrograde" }),
    ];
    play(cases(unknown), async |stage: Stage, fault| {
        let Stage { program, server, name, .. } = &stage;
        let token = log_in(program, server, name).await;
        server.script(At::Refresh, fault);

        let refusal = refused(program.report_rejected(&token).await.unwrap());
        assert_eq!(refusal.reason, Reason::Unavailable);
        assert!(refusal.message.contains("mercury_retrograde"), "{refusal:?}");
        assert!(refusal.retry_after.is_some_and(|wait| wait > Duration::from_secs(25)), "{refusal:?}");
        assert_eq!(used(look(program, name).await).sha256(), token.sha256());
        assert!(stage.account().await.grant.unwrap().renewable);
        assert_eq!(server.counts().refreshes, 1);
    })
    .await;
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_the_second_host_receives_nothing() {
    // given a second host that would take everything
    let second = AuthorizationServer::start(Settings::default());
    let stage_one = [("redirect", second.token_endpoint())];
    play(cases(stage_one), async |stage: Stage, elsewhere| {
        let Stage { program, server, name, .. } = &stage;
        let token = log_in(program, server, name).await;
        server.always(At::Refresh, Misbehaviour::Redirect(elsewhere));

        let refusal = refused(program.report_rejected(&token).await.unwrap());
        assert_eq!(refusal.reason, Reason::Configuration);
        assert!(refusal.message.contains("redirect"), "{refusal:?}");
        assert_eq!(used(look(program, name).await).sha256(), token.sha256());
        assert_eq!(server.counts().refreshes, 1);
    })
    .await;
    assert!(second.log().is_empty(), "it was sent something: {:#?}", second.log());
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_tried_again_on_demand_and_spends_nothing() {
    play(cases([("unreachable", ())]), async |stage: Stage, ()| {
        // given a login, and then a server that is gone
        let Stage { program, server, name, .. } = &stage;
        let token = log_in(program, server, name).await;
        server.go_down().await;

        let refusal = refused(program.report_rejected(&token).await.unwrap());
        assert_eq!(refusal.reason, Reason::Unavailable);
        assert!(refusal.message.contains("no connection"), "{refusal:?}");
        // A call may try at once, at most once a second (D48).
        assert!(refusal.retry_after.is_some_and(|wait| wait <= Duration::from_secs(1)), "{refusal:?}");
        assert_eq!(used(look(program, name).await).sha256(), token.sha256());
        assert_eq!(server.counts().refreshes, 0);
        assert_eq!(stage.account().await.health, Health::Degraded);

        // when it is back, the next call that may try finds it
        server.come_back().await;
        assert_ne!(used(insist(program, &token).await).sha256(), token.sha256());
        assert_eq!((server.counts().refreshes, server.counts().refreshes_ok()), (1, 1));
        server.counts().assert_no_race_was_lost();
    })
    .await;
}

#[tokio::test]
async fn with_half_of_its_answers_5xx_nobody_is_asked_to_log_in() {
    // B20
    play(cases([("flapping", ())]), async |stage: Stage, ()| {
        let Stage { program, server, name, .. } = &stage;
        server.change(|settings| settings.access_token_life = Duration::from_secs(1));
        log_in(program, server, name).await;
        for fault in [Misbehaviour::status(500), Misbehaviour::Behave, Misbehaviour::status(503), Misbehaviour::Behave] {
            server.script(At::Refresh, fault);
        }
        while server.script_left(At::Refresh) > 0 {
            match look(program, name).await {
                Answer::UseToken(token) => {
                    // law: sleep: a program uses its token to its end
                    tokio::time::sleep(token.remaining().unwrap()).await;
                }
                Answer::TryLater(refusal) => {
                    assert_eq!(refusal.reason, Reason::Unavailable);
                    // law: sleep: it is what the refusal tells the program to do
                    tokio::time::sleep(refusal.retry_after.unwrap()).await;
                }
                other => panic!("{other:?}"),
            }
        }
        server.wait_for(|counts| counts.refreshes_ok() >= 2).await;
        assert_eq!(server.counts().grants_started, 1);
        server.counts().assert_no_race_was_lost();
    })
    .await;
}
