//! A refresh that the server takes and does not answer, and a thousand callers who wait for it and go away (B18).

use std::time::{Duration, Instant};

use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::programs::{Crowd, program, token};
use mcp_authd_tests::server::{At, Commit, Misbehaviour};
use tokio::task::JoinSet;

use super::{CALM_LOG, HOUR, SECOND, logged_in_with_an_ended_token, look, name, put_off, servers};
use crate::effort::{figures, rounds};
use crate::latencies::Latencies;
use crate::vitals::{Vitals, are_hidden};

const CONNECTIONS: usize = 200;
const CALLS_EACH: usize = 5;
const MEBIBYTE: u64 = 1 << 20;

#[tokio::test]
async fn b18_a_hanging_server_is_asked_once_and_a_thousand_callers_who_left_cost_nothing() {
    // given a refresh that is out and not answered
    let (servers, config) = servers(1);
    let (server, account) = (&servers[0], name(0));
    let daemon = Daemon::start(config.environment("MCP_AUTHD_LOG", CALM_LOG)).await;
    if are_hidden("b18: a hanging server", daemon.pid()) {
        return;
    }
    logged_in_with_an_ended_token(&daemon, server, &account).await;
    server.change(|settings| settings.access_token_life = HOUR);
    server.script(At::Refresh, Misbehaviour::Hold(Commit::Before));

    // when callers have deadlines of their own, each is answered at it
    let late = callers_with_deadlines(&daemon, &account).await;
    late.watch(Duration::from_millis(100));
    server.wait_for(|counts| counts.held == 1).await;

    // and when a thousand wait and go away, nothing of them is left
    let before = Vitals::of(daemon.pid());
    let (mut back, mut after) = (Vec::new(), before);
    for _ in 0..rounds(10, 1) {
        let crowd = Crowd::of(CONNECTIONS, &daemon);
        let mut calls = crowd.begin(CALLS_EACH, look(&account).max_wait(20 * SECOND));
        calls.taken().await;
        assert_eq!(calls.open(), CONNECTIONS * CALLS_EACH, "they wait");
        // first the calls end, and then the connections
        drop(calls);
        let still_there = crowd.begin(1, look(&account).max_wait(Duration::ZERO));
        still_there.answers().await.into_iter().for_each(|answer| drop(put_off(answer)));
        drop(crowd);
        let gone = Instant::now();
        after = as_before(&daemon, before).await;
        back.push(gone.elapsed());
    }

    // then the one request is still out, and serves everybody when its answer comes after all
    let counts = server.counts();
    assert_eq!((counts.refreshes, counts.held, counts.token_requests_open), (2, 1, 1));
    server.release();
    server.wait_for(|counts| counts.refreshes_ok() == 2 && counts.token_requests_open == 0).await;
    drop(token(program(&daemon).token(look(&account)).await.unwrap()));
    let counts = server.counts();
    assert_eq!((counts.refreshes, counts.device_authorizations), (2, 1));
    counts.assert_no_race_was_lost();
    figures(
        "b18",
        format!(
            "deadlines missed by {late}; {} rounds of {} callers who left; as before after {:.1?} at most: resident {} -> {} KiB, \
             descriptors {} -> {}, threads {} -> {}",
            back.len(),
            CONNECTIONS * CALLS_EACH,
            Latencies::of(back).percentile(100),
            before.resident / 1024,
            after.resident / 1024,
            before.descriptors,
            after.descriptors,
            before.threads,
            after.threads
        ),
    );
}

/// How much later than at its own deadline each caller was answered.
async fn callers_with_deadlines(daemon: &Daemon, account: &str) -> Latencies {
    let mut calls = JoinSet::new();
    for wait in (1..=20).map(|tenths| Duration::from_millis(100 * tenths)) {
        let (program, request) = (program(daemon), look(account).max_wait(wait));
        calls.spawn(async move {
            let asked = Instant::now();
            put_off(program.token(request).await.unwrap());
            let answered = asked.elapsed();
            assert!(answered + Duration::from_millis(5) >= wait, "answered early: {answered:?} of {wait:?}");
            answered.saturating_sub(wait)
        });
    }
    Latencies::of(calls.join_all().await)
}

/// Waits until the daemon holds no more of the machine than before, but for the tolerance of the requirement.
async fn as_before(daemon: &Daemon, before: Vitals) -> Vitals {
    let patience = Instant::now() + Duration::from_secs(100);
    loop {
        let now = Vitals::of(daemon.pid());
        let is_back = now.descriptors <= before.descriptors + 2
            && now.threads <= before.threads + 2
            && now.resident <= before.resident + 4 * MEBIBYTE;
        if is_back {
            return now;
        }
        assert!(Instant::now() < patience, "what callers held is not given back: {before:?} before, {now:?} now");
        // law: sleep: the kernel tells nobody when a process gives something back
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
