//! A logout while a refresh is out: what the refresh brings is given back, and nothing comes back to life.

use mcp_authd_client::{Need, Reason, Request, SignInMode};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{Calls, Crowd, account_is, approve, logged_in, program, prompted, records, refusal, token, tool};
use mcp_authd_tests::server::{At, AuthorizationServer, Commit, Counts, Misbehaviour, Settings};

use super::{End, daemon_at, end_and_start_again, work};

/// One account at a server of its own, logged out again and again while a refresh is out.
struct Leaver {
    name: String,
    server: AuthorizationServer,
    revocations: u64,
}

impl Leaver {
    /// Has a refresh under way whose answer is held.
    async fn begin_refresh(&self, daemon: &Daemon) -> Calls {
        let first = token(program(daemon).token(Need::account(&self.name)).await.unwrap());
        self.server.script(At::Refresh, Misbehaviour::Hold(Commit::After));
        let report = Crowd::of(1, daemon).report(1, &first);
        self.server.wait_for(|counts| counts.held == 1).await;
        report
    }
}

#[tokio::test]
async fn a_logout_during_a_refresh_wins_in_fifty_rounds_and_after_a_restart() {
    const ROUNDS: u64 = 5;
    let mut leavers: Vec<Leaver> = (0..10)
        .map(|number| Leaver {
            name: format!("work-{number}"),
            server: AuthorizationServer::start(Settings::default()),
            revocations: 0,
        })
        .collect();
    let config = leavers.iter().fold(Config::new().environment("MCP_AUTHD_LOG", "debug"), |config, leaver| {
        config.account(Account::at(&leaver.name, leaver.server.issuer()).scopes(["mcp:read"]))
    });
    let mut daemon = Daemon::start(config).await;
    for round in 1..=ROUNDS {
        // given accounts that are logged in, each with a refresh that its server has done and not answered yet
        for leaver in &leavers {
            approve(&prompted(&daemon, &leaver.name).await).await;
        }
        let mut waiting = Vec::new();
        for leaver in &leavers {
            account_is(&tool(&daemon), &leaver.name, |status| status.grant.is_some()).await;
            waiting.push(leaver.begin_refresh(&daemon).await);
            // in every other round the logout's own revocation is lost: then only that of the new tokens ends the family
            if round % 2 == 0 {
                leaver.server.script_times(At::Revocation, 2, &Misbehaviour::Drop(Commit::Before));
            }
        }

        // when they are logged out, and then the answers come
        for leaver in &mut leavers {
            let seen = |counts: &Counts| counts.revocations + counts.misbehaved;
            let before = seen(&leaver.server.counts());
            let done = tool(&daemon).sign_out(Some(leaver.name.clone())).await.unwrap();
            assert!(done.erased, "round {round}");
            leaver.server.wait_for(move |counts| seen(counts) == before + 2).await;
            leaver.server.release();
            leaver.revocations += if round % 2 == 0 { 2 } else { 4 };
        }

        // then who waited is told so, the new tokens are given back, and nothing is served or kept
        for calls in waiting {
            let refused: Vec<_> = calls.answers().await.into_iter().map(refusal).collect();
            assert!(refused.iter().all(|refusal| refusal.reason == Reason::SignedOut), "round {round}: {refused:?}");
        }
        for leaver in &leavers {
            let expected = leaver.revocations;
            leaver.server.wait_for(move |counts| counts.revocations == expected).await;
            assert_eq!(leaver.server.end_grants(), 0, "round {round}: the family is dead");
            let request = Request::new(Need::account(&leaver.name));
            assert_eq!(refusal(program(&daemon).token(request).await.unwrap()).reason, Reason::SignedOut);
        }
        assert!(kept_grants(&daemon).is_empty(), "round {round}: {:?}", kept_grants(&daemon));
    }

    // and after a restart it is all the same
    end_and_start_again(&mut daemon, End::Killed).await;
    end_and_start_again(&mut daemon, End::Stopped).await;
    for leaver in &leavers {
        for mode in [SignInMode::Never, SignInMode::StartAndReturn] {
            let request = Request::new(Need::account(&leaver.name)).sign_in(mode);
            assert_eq!(refusal(program(&daemon).token(request).await.unwrap()).reason, Reason::SignedOut);
        }
        let counts = leaver.server.counts();
        assert_eq!((counts.refreshes, counts.device_authorizations), (ROUNDS, ROUNDS));
        counts.assert_no_race_was_lost();
    }
    assert!(kept_grants(&daemon).is_empty());
}

#[tokio::test]
async fn a_logout_outlives_a_kill_at_that_very_moment() {
    for _ in 0..3 {
        // given
        let server = AuthorizationServer::start(Settings::default());
        let mut daemon = daemon_at(&server).await;
        logged_in(&daemon, "work").await;

        // when
        assert!(tool(&daemon).sign_out(None).await.unwrap().erased);
        end_and_start_again(&mut daemon, End::Killed).await;

        // then no program begins a login
        assert_eq!(refusal(program(&daemon).token(work()).await.unwrap()).reason, Reason::SignedOut);
        assert!(kept_grants(&daemon).is_empty());
        assert_eq!(server.counts().device_authorizations, 1);
    }
}

fn kept_grants(daemon: &Daemon) -> Vec<String> {
    records(daemon).into_iter().filter(|name| name.starts_with("grant-")).collect()
}
