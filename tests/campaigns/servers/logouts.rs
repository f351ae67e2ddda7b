//! The person logs out while a refresh is out (B31): what it brings is given back, and nothing comes back to life.
//!
//! The pure machine plays the same with every order of its events: `interrupting::
//! a_logout_during_a_refresh_brings_nothing_back_in_a_thousand_rounds`.

use std::sync::Arc;

use mcp_authd_client::{Answer, Need, Reason, Request, SignInMode};
use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::programs::{account_is, logged_in, program, records, refusal, token, tool};
use mcp_authd_tests::server::{At, AuthorizationServer, Commit, Counts, Misbehaviour};
use tokio::task::JoinSet;

use super::{CALM_LOG, HOUR, look, name, servers};
use crate::effort::{figures, rounds};

/// When the logout comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Logout {
    /// The server has not begun, or has done its work, and answers after the logout.
    While(Commit),
    /// The same, and what the logout itself sends to the server is lost: then only the fresh token's own revocation ends the family.
    Unheard(Commit),
    /// The answer is on its way: either may be first.
    AtOnce,
}

const LOGOUTS: [Logout; 5] = [
    Logout::While(Commit::Before),
    Logout::While(Commit::After),
    Logout::Unheard(Commit::Before),
    Logout::Unheard(Commit::After),
    Logout::AtOnce,
];

#[tokio::test]
async fn b31_a_logout_during_a_refresh_lets_nothing_come_back() {
    // given
    let (leavers, rounds) = (rounds(20, 5), rounds(50, 5));
    let (servers, config) = servers(leavers);
    let mut daemon = Arc::new(Daemon::start(config.environment("MCP_AUTHD_LOG", CALM_LOG)).await);

    // when each account is logged out again and again, then (below) nothing of it is left in any round
    let mut playing = JoinSet::new();
    for (number, server) in servers.into_iter().enumerate() {
        let daemon = Arc::clone(&daemon);
        playing.spawn(async move {
            server.change(|settings| settings.access_token_life = HOUR);
            let mut tokens_won = 0;
            for round in 0..rounds {
                let logout = LOGOUTS[(number + round) % LOGOUTS.len()];
                tokens_won += usize::from(logged_out(&daemon, &server, (&name(number), logout)).await);
            }
            (server, tokens_won)
        });
    }
    let (servers, won): (Vec<_>, Vec<_>) = playing.join_all().await.into_iter().unzip();

    // and a daemon that has been killed since then remembers nothing either
    let daemon = Arc::get_mut(&mut daemon).expect("every round is over");
    daemon.kill();
    daemon.start_again().await;
    for (number, server) in servers.iter().enumerate() {
        nothing_is_left(daemon, server, &name(number)).await;
        let counts = server.counts();
        assert_eq!(counts.device_authorizations, rounds as u64, "only the person has begun logins");
        counts.assert_no_race_was_lost();
    }
    figures(
        "b31",
        format!(
            "{} logouts during a refresh, 0 resurrections, every family dead; {} callers had their token just before",
            leavers * rounds,
            won.iter().sum::<usize>()
        ),
    );
}

/// One round. Whether the caller of the refresh was answered with its token, before the logout.
async fn logged_out(daemon: &Daemon, server: &AuthorizationServer, (account, logout): (&str, Logout)) -> bool {
    // given a refresh that is out
    logged_in(daemon, account).await;
    let (Logout::While(commit) | Logout::Unheard(commit)) = logout else { return at_once(daemon, server, account).await };
    let asks = program(daemon);
    let first = token(asks.token(look(account)).await.unwrap());
    server.script(At::Refresh, Misbehaviour::Hold(commit));
    let report = tokio::spawn(async move { asks.report_rejected(&first).await });
    server.wait_for(|counts| counts.held == 1).await;
    let heard = |counts: &Counts| counts.revocations + counts.misbehaved;
    let before = server.counts();

    // when the person logs out, and then the answer comes
    if matches!(logout, Logout::Unheard(_)) {
        server.script_times(At::Revocation, 2, &Misbehaviour::Drop(Commit::Before));
    }
    assert!(tool(daemon).sign_out(Some(account.to_owned())).await.unwrap().erased, "{logout:?}");
    let seen = heard(&before);
    server.wait_for(move |counts| heard(counts) == seen + 2).await;
    server.release();
    // The logout's own two, and the fresh tokens' two; where the family was dead already, the refresh brings none.
    let of_the_fresh = if logout == Logout::While(Commit::Before) { 0 } else { 2 };
    server.wait_for(move |counts| heard(counts) == seen + 2 + of_the_fresh && counts.token_requests_open == 0).await;

    // then who waited is told so
    assert_eq!(refusal(report.await.unwrap().unwrap()).reason, Reason::SignedOut, "{logout:?}");
    nothing_is_left(daemon, server, account).await;
    false
}

/// One round in which the answer and the logout come at once.
async fn at_once(daemon: &Daemon, server: &AuthorizationServer, account: &str) -> bool {
    let asks = program(daemon);
    let first = token(asks.token(look(account)).await.unwrap());
    server.script(At::Refresh, Misbehaviour::Hold(Commit::Before));
    let report = tokio::spawn(async move { asks.report_rejected(&first).await });
    server.wait_for(|counts| counts.held == 1).await;
    let before = server.counts().revocations;
    server.release();
    // The answer has gone out: the daemon reads it, saves it, or has answered its caller.
    server.wait_for(|counts| counts.token_requests_open == 0).await;
    assert!(tool(daemon).sign_out(Some(account.to_owned())).await.unwrap().erased);
    // The logout's own two at least: whichever refresh token they hold, the server ends its whole family.
    server.wait_for(move |counts| counts.revocations >= before + 2).await;
    let won = match report.await.unwrap().unwrap() {
        Answer::UseToken(_) => true,
        refused => {
            assert_eq!(refusal(refused).reason, Reason::SignedOut);
            false
        }
    };
    account_is(&tool(daemon), account, |status| status.grant.is_none()).await;
    nothing_is_left(daemon, server, account).await;
    won
}

/// Not on the disk, not in memory, not at the server.
async fn nothing_is_left(daemon: &Daemon, server: &AuthorizationServer, account: &str) {
    assert_eq!(server.end_grants(), 0, "a family lives on");
    assert!(!records(daemon).contains(&format!("grant-{account}.sealed")), "the grant is still on the disk");
    for mode in [SignInMode::Never, SignInMode::StartAndReturn] {
        let answer = program(daemon).token(Request::new(Need::account(account)).sign_in(mode)).await.unwrap();
        assert_eq!(refusal(answer).reason, Reason::SignedOut);
    }
}
