//! Asked to leave while a refresh is out, at a server that takes the loss of its answer for theft (B6).

use std::time::{Duration, Instant};

use mcp_authd_client::Need;
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::plain_http;
use mcp_authd_tests::programs::{a_token, logged_in, program, until, watched};
use mcp_authd_tests::server::{At, AuthorizationServer, Commit, Misbehaviour, Rotation, Settings};

use crate::effort::{figures, rounds};

/// So short that there is always a refresh to do.
const LIFE: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn b6_a_daemon_that_is_asked_to_leave_during_a_refresh_loses_none() {
    // given
    let settings = Settings { rotation: Rotation::Strict, access_token_life: LIFE, ..Settings::default() };
    let server = AuthorizationServer::start(settings);
    let account = Account::at("work", server.issuer()).scopes(["mcp:read"]);
    let mut daemon = Daemon::start(Config::new().account(account)).await;
    logged_in(&daemon, "work").await;

    // when it is asked to leave, again and again, before and after the server has done its part
    let rounds = rounds(200, 6);
    let mut gone_after = Vec::with_capacity(rounds);
    for round in 0..rounds {
        let commit = if round % 2 == 0 { Commit::Before } else { Commit::After };
        server.script(At::Refresh, Misbehaviour::Hold(commit));
        let _somebody_wants_it = program(&daemon).watch(Need::account("work"));
        server.wait_for(|counts| counts.held == 1).await;
        daemon.terminate();
        until("the daemon is leaving", || daemon.logs().matches("daemon: leaving").count() == round + 1).await;
        let answered = Instant::now();
        server.release();
        assert!(daemon.exited().await.success());
        gone_after.push(answered.elapsed());
        daemon.start_again().await;
    }

    // then no refresh token was used twice, nobody had to log in again, and the login still serves
    server.change(|settings| settings.access_token_life = LONG);
    let mut watch = program(&daemon).watch(Need::account("work"));
    let serving = async {
        loop {
            let token = watched(&mut watch, a_token).await;
            if plain_http::fetch_with_token(&server.resource(), token.expose()).await.unwrap().status == 200 {
                return;
            }
            watch.changed().await.unwrap();
        }
    };
    tokio::time::timeout(LONG, serving).await.unwrap();
    let counts = server.counts();
    counts.assert_no_race_was_lost();
    assert_eq!((counts.device_authorizations, counts.reuses_detected), (1, 0));
    gone_after.sort_unstable();
    let (median, last) = (gone_after[rounds / 2], gone_after[rounds - 1]);
    figures(
        "b6",
        format!("{rounds} ends during a refresh, 0 lost; gone {median:.1?} after the answer (median), {last:.1?} at most"),
    );
}
