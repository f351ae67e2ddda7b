//! Nothing listens at the server, or it says 503 for a long time (B17).
//!
//! The hour of the requirement passes in the pure machine, whose clock is moved: `refreshing::
//! a_busy_server_keeps_the_grant_and_no_call_shortens_its_back_off` asks it every second of an hour and counts its requests.

use std::time::{Duration, Instant};

use mcp_authd_client::Answer;
use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::programs::{program, token};
use mcp_authd_tests::server::{At, AuthorizationServer, Misbehaviour, RequestRecord};

use super::{CALM_LOG, HOUR, SECOND, logged_in_with_an_ended_token, look, name, put_off, servers, token_in_the_end};
use crate::effort::{figures, is_whole, rounds};
use crate::latencies::Latencies;

/// The refreshes that a server has seen, the oldest first.
pub(super) fn refreshes(server: &AuthorizationServer) -> Vec<RequestRecord> {
    server.log().into_iter().filter(|record| record.grant_type.as_deref() == Some("refresh_token")).collect()
}

#[tokio::test]
async fn b17_a_server_that_refuses_connections_costs_nothing_and_is_found_again() {
    let (servers, config) = servers(2);
    let [asked, idle] = &servers[..] else { panic!("two were started") };
    let daemon = Daemon::start(config.environment("MCP_AUTHD_LOG", CALM_LOG)).await;
    let outages = if is_whole() { [1, 3, 10, 70].as_slice() } else { &[1, 2] };
    let (found, found_idle) = tokio::join!(found_by_those_who_ask(&daemon, asked, outages), found_by_time(&daemon, idle));
    for server in [asked, idle] {
        server.counts().assert_no_race_was_lost();
        assert_eq!(server.counts().device_authorizations, 1, "nobody had to log in");
    }
    figures(
        "b17",
        format!(
            "{} outages, 0 requests lost; found again by who asks after {found}; by time after {found_idle:.1?}",
            outages.len()
        ),
    );
}

/// How long it took from the end of each outage to the token.
async fn found_by_those_who_ask(daemon: &Daemon, server: &AuthorizationServer, outages: &[u64]) -> Latencies {
    let (program, account) = (program(daemon), name(0));
    logged_in_with_an_ended_token(daemon, server, &account).await;
    let mut found = Vec::new();
    for (outage, seconds) in outages.iter().enumerate() {
        // given a token in hand; when nothing listens any more, it serves to its end
        server.change(|settings| settings.access_token_life = 2 * SECOND);
        serves_to_its_end(&program, server, &account).await;

        // then who asks is told when to come again, which is soon
        let over = Instant::now() + Duration::from_secs(*seconds);
        while Instant::now() < over {
            let wait = put_off(program.token(look(&account)).await.unwrap()).retry_after.unwrap();
            assert!(wait <= SECOND, "{wait:?}");
            // law: sleep: it is what the refusal tells the program to do
            tokio::time::sleep(wait).await;
        }
        let before = server.counts().refreshes;
        server.come_back().await;
        let back = Instant::now();
        token_in_the_end(&program, &account).await;
        found.push(back.elapsed());
        assert_eq!(server.counts().refreshes, before + 1, "outage {outage}");
    }
    let found = Latencies::of(found);
    found.watch(SECOND);
    found
}

/// The server goes down while a token is held: whoever asks gets it until it ends, and not a moment longer.
async fn serves_to_its_end(program: &mcp_authd_client::Client, server: &AuthorizationServer, account: &str) {
    let mut served = 0;
    let held = token_in_the_end(program, account).await;
    server.go_down().await;
    // The daemon told what was left at some moment between these two.
    let before = Instant::now();
    let left = token(program.token(look(account)).await.unwrap()).remaining().unwrap();
    let latest = Instant::now() + left;
    loop {
        let asked = Instant::now();
        match program.token(look(account)).await.unwrap() {
            Answer::UseToken(token) => {
                assert!(asked <= latest && token.sha256() == held.sha256(), "a token that has ended is served");
                served += 1;
            }
            refused => {
                put_off(refused);
                // What is left is told in whole milliseconds.
                assert!(Instant::now() + Duration::from_millis(5) >= before + left, "not served to its end");
                assert!(served > 0);
                return;
            }
        }
        // law: sleep: the token's life has to pass; a program asks now and then
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How long after the end of an outage the daemon has a token again that nobody asks for.
async fn found_by_time(daemon: &Daemon, server: &AuthorizationServer) -> Duration {
    logged_in_with_an_ended_token(daemon, server, &name(1)).await;
    server.go_down().await;
    put_off(program(daemon).token(look(&name(1))).await.unwrap());
    if is_whole() {
        // law: sleep: an outage so long that the back-off has grown to its most
        tokio::time::sleep(Duration::from_secs(65)).await;
    }
    server.change(|settings| settings.access_token_life = HOUR);
    server.come_back().await;
    let back = Instant::now();
    server.wait_for(|counts| counts.refreshes_ok() == 2).await;
    back.elapsed()
}

#[tokio::test]
async fn b17_a_server_that_answers_503_is_asked_no_more_than_its_back_off_allows_whoever_asks() {
    // given
    let (servers, config) = servers(1);
    let (server, account) = (&servers[0], name(0));
    let daemon = Daemon::start(config.environment("MCP_AUTHD_LOG", CALM_LOG)).await;
    logged_in_with_an_ended_token(&daemon, server, &account).await;
    server.always(At::Refresh, Misbehaviour::status(503));

    // when programs ask all the time
    let (over, mut calls) = (Instant::now() + Duration::from_secs(rounds(300, 4) as u64), 0);
    let programs = [program(&daemon), program(&daemon)];
    while Instant::now() < over {
        for program in &programs {
            put_off(program.token(look(&account)).await.unwrap());
            calls += 1;
        }
        // law: sleep: so that this is a program that asks far too often, and not a flood
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    // then each request kept its distance (D48: 1 s·2ⁿ ± 20 %), and nobody had to log in
    let sent = refreshes(server).split_off(1);
    assert_keeps_its_distance(&sent);
    assert!(sent.len() > 1, "nothing was tried");
    server.behave();
    assert_eq!(server.counts().device_authorizations, 1);
    server.counts().assert_no_race_was_lost();
    figures("b17", format!("503 for {} s, {calls} calls: {} requests", rounds(300, 4), sent.len()));
}

/// Between an answer and the next request lies the wait of that failure, less its jitter and what a timer may be early.
pub(super) fn assert_keeps_its_distance(sent: &[RequestRecord]) {
    for (failures, pair) in sent.windows(2).enumerate() {
        let distance = pair[1].arrived.saturating_sub(pair[0].decided.expect("it was answered"));
        let wait = SECOND * (1 << failures.min(9)).min(300);
        assert!(distance + Duration::from_millis(5) >= wait * 8 / 10, "request {}: {distance:?} of {wait:?}", failures + 1);
    }
}
