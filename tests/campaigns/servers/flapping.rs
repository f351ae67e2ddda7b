//! Half of the answers are 5xx (B20).

use std::sync::Arc;
use std::time::Instant;

use mcp_authd_client::Answer;
use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::programs::{logged_in, program, token};
use mcp_authd_tests::server::{At, AuthorizationServer, Misbehaviour};
use tokio::task::JoinSet;

use super::{CALM_LOG, SECOND, look, name, put_off, servers};
use crate::effort::{figures, rounds};
use crate::latencies::Latencies;
use crate::random::Random;

const PROGRAMS: usize = 4;

#[tokio::test]
async fn b20_at_servers_that_fail_every_other_time_nobody_is_asked_to_log_in_and_every_caller_is_answered() {
    // given accounts with tokens of one second, and servers that toss a coin over each refresh
    let (servers, config) = servers(rounds(10, 4));
    let daemon = Daemon::start(config.environment("MCP_AUTHD_LOG", CALM_LOG)).await;
    // (the same tosses in each run)
    let (mut coin, tosses) = (Random::of(20), rounds(80, 4));
    for (number, server) in servers.iter().enumerate() {
        logged_in(&daemon, &name(number)).await;
        for _ in 0..tosses {
            server.script(At::Refresh, toss(&mut coin));
        }
    }
    let servers: Vec<_> = servers.into_iter().map(Arc::new).collect();

    // when programs use each of them until the coins are used up
    let mut programs = JoinSet::new();
    for (number, server) in servers.iter().enumerate() {
        for _ in 0..PROGRAMS {
            programs.spawn(uses_tokens(program(&daemon), name(number), Arc::clone(server)));
        }
    }
    // (each call has a deadline of one second; the library waits five more, and then the call fails)
    let answered = programs.join_all().await.into_iter().fold(Latencies::default(), Latencies::and);

    answered.watch(SECOND);

    // then each login of the beginning still serves: every refresh was done once, or once more after a complete refusal
    let (mut failed, mut done) = (0, 0);
    for (number, server) in servers.iter().enumerate() {
        super::token_in_the_end(&program(&daemon), &name(number)).await;
        let counts = server.counts();
        counts.assert_no_race_was_lost();
        assert_eq!((counts.device_authorizations, counts.grants_started), (1, 1));
        assert_eq!(counts.refreshes, counts.misbehaved + counts.refreshes_ok(), "every refresh ended as its coin said");
        (failed, done) = (failed + counts.misbehaved, done + counts.refreshes_ok());
    }
    figures("b20", format!("{failed} of {} refreshes answered 5xx, 0 logins; answered in {answered}", failed + done));
}

/// A program: uses a token to its end, does as it is told where there is none. How long its answers took.
async fn uses_tokens(program: mcp_authd_client::Client, account: String, server: Arc<AuthorizationServer>) -> Latencies {
    let mut answered = Vec::new();
    while server.script_left(At::Refresh) > 0 {
        let (request, asked) = (look(&account).max_wait(SECOND), Instant::now());
        let answer = program.token(request).await.expect("every call is answered");
        answered.push(asked.elapsed());
        let wait = match answer {
            later @ Answer::TryLater(_) => put_off(later).retry_after.expect("it was looked at"),
            other => token(other).remaining().expect("the server says how long a token lives"),
        };
        // law: sleep: what the program waits for is the end of its own token, or what the refusal tells it to wait
        tokio::time::sleep(wait).await;
    }
    Latencies::of(answered)
}

/// Half of the tosses are failures.
fn toss(coin: &mut Random) -> Misbehaviour {
    match coin.below(8) {
        0 => Misbehaviour::status(500),
        1 => Misbehaviour::status(502),
        2 => Misbehaviour::status(503),
        3 => Misbehaviour::status(504),
        _ => Misbehaviour::Behave,
    }
}
