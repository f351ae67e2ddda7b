//! One refresh for all: exactly one request, whoever goes away, however slow the server is, and no other account is held up by it.

use std::collections::BTreeSet;
use std::time::Duration;

use mcp_authd_client::{Answer, Client, Need, Reason, Request, Token};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::plain_http;
use mcp_authd_tests::programs::{Crowd, a_token, logged_in, program, token, token_ended, watched};
use mcp_authd_tests::server::{At, AuthorizationServer, Commit, Misbehaviour, Settings};

/// How long the first token lives in these stories, where it has to end.
const SHORT: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(3600);

fn server_with_tokens_for(life: Duration) -> AuthorizationServer {
    AuthorizationServer::start(Settings { access_token_life: life, ..Settings::default() })
}

fn account(name: &str, server: &AuthorizationServer) -> Account {
    Account::at(name, server.issuer()).scopes(["mcp:read"])
}

fn need(name: &str) -> Need {
    Need::account(name)
}

/// Logged in, the token has ended, and the next one will live long. For crowds the log is less than at trace.
async fn with_an_ended_token(server: &AuthorizationServer) -> Daemon {
    let config = Config::new().account(account("work", server)).environment("MCP_AUTHD_LOG", "debug");
    let daemon = Daemon::start(config).await;
    logged_in(&daemon, "work").await;
    server.change(|settings| settings.access_token_life = LONG);
    token_ended(&daemon, "work").await;
    daemon
}

fn the_one_token(answers: impl IntoIterator<Item = Answer>) -> Token {
    let tokens: Vec<Token> = answers.into_iter().map(token).collect();
    let different: BTreeSet<&str> = tokens.iter().map(Token::expose).collect();
    assert_eq!(different.len(), 1, "all get the same token");
    tokens.into_iter().next().unwrap()
}

async fn serves_at_the_resource(server: &AuthorizationServer, token: &Token) -> bool {
    plain_http::fetch_with_token(&server.resource(), token.expose()).await.unwrap().status == 200
}

#[tokio::test]
async fn a_thousand_callers_on_an_expired_token_make_one_refresh_request() {
    // given
    let server = server_with_tokens_for(SHORT);
    let daemon = with_an_ended_token(&server).await;
    assert_eq!(server.counts().refreshes, 0);

    // when all ask at once
    let answers = Crowd::of(20, &daemon).ask(50, need("work")).await;

    // then
    assert_eq!(answers.len(), 1000);
    assert!(serves_at_the_resource(&server, &the_one_token(answers)).await);
    let counts = server.counts();
    assert_eq!((counts.refreshes, counts.refreshes_ok(), counts.device_authorizations), (1, 1, 1));
    counts.assert_no_race_was_lost();
}

#[tokio::test]
async fn a_thousand_callers_that_come_during_a_refresh_wait_for_it_and_make_no_other() {
    // given a refresh that is under way
    let server = server_with_tokens_for(SHORT);
    let daemon = with_an_ended_token(&server).await;
    server.script(At::Refresh, Misbehaviour::Hold(Commit::After));
    let crowd = Crowd::of(20, &daemon);

    // when
    let mut calls = crowd.begin(50, Request::new(need("work")).max_wait(Duration::from_secs(20)));
    server.wait_for(|counts| counts.held == 1).await;
    calls.taken().await;
    assert_eq!(calls.open(), 1000);
    server.release();

    // then
    assert!(serves_at_the_resource(&server, &the_one_token(calls.answers().await)).await);
    assert_eq!(server.counts().refreshes, 1);
    server.counts().assert_no_race_was_lost();
}

async fn a_leader_goes_away_in_mid_refresh(commit: Commit) {
    // given a refresh that one caller has begun
    let server = server_with_tokens_for(SHORT);
    let daemon = with_an_ended_token(&server).await;
    server.script(At::Refresh, Misbehaviour::Hold(commit));
    let leader = program(&daemon);
    let same_connection = leader.clone();
    let leading = tokio::spawn(async move { leader.token(need("work")).await });
    server.wait_for(|counts| counts.held == 1).await;

    // when it gives up, another gives up with its whole connection, and followers come
    leading.abort();
    assert!(leading.await.unwrap_err().is_cancelled());
    same_connection.accounts().await.unwrap();
    let short_lived = Crowd::of(1, &daemon);
    let mut gone = short_lived.begin(1, need("work"));
    gone.taken().await;
    drop((gone, short_lived));
    let crowd = Crowd::of(20, &daemon);
    let mut followers = crowd.begin(5, Request::new(need("work")).max_wait(Duration::from_secs(20)));
    followers.taken().await;
    server.release();

    // then the one refresh serves them all
    assert!(serves_at_the_resource(&server, &the_one_token(followers.answers().await)).await);
    let counts = server.counts();
    assert_eq!((counts.refreshes, counts.refreshes_ok()), (1, 1));
    counts.assert_no_race_was_lost();
}

#[tokio::test]
async fn a_leader_that_goes_away_before_the_server_has_refreshed_takes_nothing_along() {
    a_leader_goes_away_in_mid_refresh(Commit::Before).await;
}

#[tokio::test]
async fn a_leader_that_goes_away_after_the_server_has_refreshed_takes_nothing_along() {
    a_leader_goes_away_in_mid_refresh(Commit::After).await;
}

#[tokio::test]
async fn a_token_endpoint_that_takes_forty_seconds_is_asked_once_and_callers_are_answered_at_their_own_time() {
    // given
    let server = server_with_tokens_for(SHORT);
    let daemon = with_an_ended_token(&server).await;
    server.script(At::Refresh, Misbehaviour::Delay(Duration::from_secs(40)));
    let crowd = Crowd::of(20, &daemon);

    // when callers ask that have a second, twice over
    for _ in 0..2 {
        let answers = crowd.ask(5, Request::new(need("work")).max_wait(Duration::from_secs(1))).await;

        // then each is told to try later, while the server has not decided anything
        assert!(server.counts().refresh_outcomes.is_empty(), "they were answered first");
        for answer in answers {
            let Answer::TryLater(refusal) = answer else { panic!("nothing is wrong, it only takes time: {answer:?}") };
            assert_eq!(refusal.reason, Reason::Unavailable);
            assert!(refusal.retry_after.is_some_and(|after| !after.is_zero()), "{refusal:?}");
        }
    }

    // and the token comes all the same, by the one request
    let new = watched(&mut program(&daemon).watch(need("work")), a_token).await;
    assert!(serves_at_the_resource(&server, &new).await);
    assert_eq!(the_one_token(crowd.ask(1, need("work")).await).expose(), new.expose());
    let counts = server.counts();
    assert_eq!((counts.refreshes, counts.refreshes_ok()), (1, 1));
    counts.assert_no_race_was_lost();
}

#[tokio::test]
async fn a_token_endpoint_that_hangs_holds_up_no_other_account() {
    // given an account whose refresh hangs, and three others elsewhere: a living token, an ended one, none
    let (hanging, healthy) = (server_with_tokens_for(SHORT), server_with_tokens_for(SHORT));
    let config = Config::new()
        .account(account("hangs", &hanging))
        .account(account("ended", &healthy))
        .account(account("living", &healthy))
        .account(account("new", &healthy));
    let daemon = Daemon::start(config).await;
    logged_in(&daemon, "hangs").await;
    hanging.always(At::Refresh, Misbehaviour::Hang);
    logged_in(&daemon, "ended").await;
    token_ended(&daemon, "hangs").await;
    token_ended(&daemon, "ended").await;
    healthy.change(|settings| settings.access_token_life = LONG);
    logged_in(&daemon, "living").await;
    let crowd = Crowd::of(10, &daemon);
    let mut stuck = crowd.begin(10, Request::new(need("hangs")).max_wait(Duration::from_secs(20)));
    hanging.wait_for(|counts| counts.held == 1).await;
    stuck.taken().await;

    // when the others are used, on the same connections
    let cached = the_one_token(crowd.ask(10, need("living")).await);
    let refreshed = the_one_token(crowd.ask(10, need("ended")).await);
    let reported = the_one_token(crowd.report(1, &cached).answers().await);
    logged_in(&daemon, "new").await;
    let logged_in_anew = the_one_token(crowd.ask(1, need("new")).await);

    // then they are served from memory, refreshed, and logged in, while the one request hangs that hung before
    for token in [&refreshed, &reported, &logged_in_anew] {
        assert!(serves_at_the_resource(&healthy, token).await);
    }
    assert_ne!(reported.expose(), cached.expose());
    assert_eq!(healthy.counts().refreshes_ok(), 2);
    assert_eq!((hanging.counts().refreshes, hanging.counts().held, stuck.open()), (1, 1, 100));
    healthy.counts().assert_no_race_was_lost();
}

/// Calls twenty times a second until it is told to stop. How many calls were served, or what else came.
async fn calls_all_the_time(program: Client, mut stop: tokio::sync::watch::Receiver<bool>) -> Result<u32, Answer> {
    let mut pace = tokio::time::interval(Duration::from_millis(50));
    let mut served = 0;
    while !*stop.borrow_and_update() {
        match program.token(need("work")).await.unwrap() {
            Answer::UseToken(token) if token.remaining().is_none_or(|left| !left.is_zero()) => served += 1,
            other => return Err(other),
        }
        pace.tick().await;
    }
    Ok(served)
}

#[tokio::test]
async fn a_token_in_use_is_refreshed_before_its_end_and_no_call_fails_meanwhile() {
    // given a program that calls all the time; the margin of 12 s begins about when the distance of 10 s to the login ends
    let server = server_with_tokens_for(Duration::from_secs(12));
    let daemon = Daemon::start(Config::new().account(account("work", &server)).environment("MCP_AUTHD_LOG", "debug")).await;
    logged_in(&daemon, "work").await;
    let first = token(program(&daemon).token(need("work")).await.unwrap());
    server.change(|settings| settings.access_token_life = LONG);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let calling = tokio::spawn(calls_all_the_time(program(&daemon), stopped));

    // when the time comes
    server.script(At::Refresh, Misbehaviour::Hold(Commit::After));
    server.wait_for(|counts| counts.held == 1).await;

    // then the old token lives and is handed out while the refresh is under way, and the new one after it
    let during = token(program(&daemon).token(need("work")).await.unwrap());
    assert_eq!(during.expose(), first.expose());
    assert!(serves_at_the_resource(&server, &during).await);
    server.release();
    let mut watch = program(&daemon).watch(need("work"));
    let new = watched(&mut watch, |answer| a_token(answer).filter(|token| token.expose() != first.expose())).await;
    assert!(serves_at_the_resource(&server, &new).await);
    stop.send_replace(true);
    assert!(calling.await.unwrap().unwrap() > 0);
    assert_eq!(server.counts().refreshes, 1);
    server.counts().assert_no_race_was_lost();
}
