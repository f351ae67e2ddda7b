//! A thousand callers at once: on a token that has ended, on one that lives, on a server that fails (B28-B30).

use std::collections::HashSet;
use std::time::Duration;

use mcp_authd_client::Answer;
use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::programs::{logged_in, token};
use mcp_authd_tests::server::{At, Misbehaviour};

use super::dead::{assert_keeps_its_distance, refreshes};
use super::{CALM_LOG, HOUR, connected, herd, logged_in_with_an_ended_token, look, name, put_off, servers, token_in_the_end};
use crate::effort::{figures, rounds};
use crate::latencies::Latencies;

const PROGRAMS: usize = 100;
const CALLS_EACH: usize = 10;
/// What the server takes over a refresh.
const SERVER: Duration = Duration::from_millis(200);

/// All of them were given one token: it.
fn the_one_token(answers: Vec<Answer>) -> [u8; 32] {
    let tokens: HashSet<[u8; 32]> = answers.into_iter().map(|answer| token(answer).sha256()).collect();
    assert_eq!(tokens.len(), 1, "one token for all");
    tokens.into_iter().next().expect("there is one")
}

#[tokio::test]
async fn b28_a_thousand_callers_on_an_ended_token_cause_one_request_and_get_one_token() {
    let rounds = rounds(20, 2);
    let (servers, config) = servers(rounds);
    let daemon = Daemon::start(config.environment("MCP_AUTHD_LOG", CALM_LOG)).await;
    let programs = connected(PROGRAMS, &daemon).await;
    let mut latencies = Latencies::default();
    for (number, server) in servers.iter().enumerate() {
        // given a token that has ended
        logged_in_with_an_ended_token(&daemon, server, &name(number)).await;
        server.change(|settings| settings.access_token_life = HOUR);
        server.script(At::Refresh, Misbehaviour::Delay(SERVER));

        // when a thousand want one
        let (answers, took) = herd(&programs, CALLS_EACH, &look(&name(number))).await;

        // then
        assert_eq!(answers.len(), PROGRAMS * CALLS_EACH);
        the_one_token(answers);
        let counts = server.counts();
        assert_eq!((counts.refreshes, counts.refreshes_ok()), (2, 2), "round {number}: one ahead of time, and one");
        assert_eq!(counts.device_authorizations, 1);
        counts.assert_no_race_was_lost();
        latencies = latencies.and(took.without(SERVER));
    }
    latencies.watch(Duration::from_millis(250));
    figures("b28", format!("{rounds} herds, 1 request each; beyond the server's own {SERVER:?}: {latencies}"));
}

#[tokio::test]
async fn b29_ten_thousand_calls_on_a_living_token_cause_no_request() {
    // given
    let (servers, config) = servers(1);
    let (server, account) = (&servers[0], name(0));
    let daemon = Daemon::start(config.environment("MCP_AUTHD_LOG", "info")).await;
    server.change(|settings| settings.access_token_life = HOUR);
    logged_in(&daemon, &account).await;
    let programs = connected(PROGRAMS, &daemon).await;

    // when each of a hundred programs asks a hundred times, one call after the other
    let (mut latencies, mut tokens) = (Vec::new(), HashSet::new());
    for _ in 0..rounds(2000, 100) {
        let (answers, took) = herd(&programs, 1, &look(&account)).await;
        tokens.insert(the_one_token(answers));
        latencies.push(took);
    }
    let latencies = Latencies::all(latencies);

    // then
    assert_eq!((tokens.len(), server.counts().refreshes, server.counts().device_authorizations), (1, 0, 1));
    latencies.watch(Duration::from_millis(5));
    figures("b29", format!("{PROGRAMS} connections, a call on each at once, 0 requests: {latencies}"));
}

#[tokio::test]
async fn b30_a_thousand_callers_on_a_failing_server_cause_at_most_one_request_in_each_back_off() {
    // given a token that has ended, and a server that fails
    let (servers, config) = servers(1);
    let (server, account) = (&servers[0], name(0));
    let daemon = Daemon::start(config.environment("MCP_AUTHD_LOG", CALM_LOG)).await;
    let programs = connected(PROGRAMS, &daemon).await;
    logged_in_with_an_ended_token(&daemon, server, &account).await;
    server.always(At::Refresh, Misbehaviour::status(503));

    // when a thousand ask at once, do as they are told, and ask again
    let (mut latencies, mut herds, slots) = (Latencies::default(), 0, rounds(8, 3));
    while refreshes(server).len() - 1 < slots {
        let (answers, took) = herd(&programs, CALLS_EACH, &look(&account)).await;
        // then every one of them is told when to come again
        let wait = answers.into_iter().map(|answer| put_off(answer).retry_after.expect("it was looked at")).min();
        latencies = latencies.and(took);
        herds += 1;
        // law: sleep: a part of what the refusal tells them to wait, so that a herd falls into the midst of it, too
        tokio::time::sleep((wait.expect("there are many") / 2).max(Duration::from_millis(20))).await;
    }
    let sent = refreshes(server).split_off(1);
    assert_keeps_its_distance(&sent);

    // and when the server is well, the login of the beginning serves
    server.change(|settings| settings.access_token_life = HOUR);
    server.behave();
    token_in_the_end(&programs[0], &account).await;
    let counts = server.counts();
    assert_eq!((counts.device_authorizations, counts.grants_started), (1, 1), "nobody had to log in");
    counts.assert_no_race_was_lost();
    figures("b30", format!("{herds} herds of {}: {} requests, 0 logins; {latencies}", PROGRAMS * CALLS_EACH, sent.len()));
}
