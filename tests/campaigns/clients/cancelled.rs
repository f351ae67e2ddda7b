//! The caller of a login is killed (B27).

use std::time::{Duration, Instant};

use mcp_authd_client::{Need, SignIn};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{a_token, account_is, approve, program, tool, watched};
use mcp_authd_tests::server::{At, AuthorizationServer, Commit, Misbehaviour, Settings};
use tokio::process::Child;

use crate::effort::{figures, rounds};

/// Logins that wait at once.
const BATCH: usize = 10;
/// Several times the interval between two polls.
const SEVERAL_POLLS: Duration = Duration::from_millis(3500);

async fn at(logins: usize) -> (AuthorizationServer, Daemon, Vec<String>) {
    let server = AuthorizationServer::start(Settings::default());
    let names: Vec<String> = (0..logins).map(|number| format!("account{number}")).collect();
    let accounts = names.iter().map(|name| Account::at(name, server.issuer()).scopes(["mcp:read"]));
    let config = accounts.fold(Config::new(), Config::account).environment("MCP_AUTHD_LOG", "info,mcp_authd=debug");
    (server, Daemon::start(config).await, names)
}

/// Programs that each begin a login and wait for its end.
fn callers(daemon: &Daemon, names: &[String]) -> Vec<Child> {
    let caller = |name: &String| {
        let mut command = daemon.program("authctl");
        command.args(["token", name, "--wait"]).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null());
        command.kill_on_drop(true).spawn().expect("authctl can be started")
    };
    names.iter().map(caller).collect()
}

async fn killed(callers: Vec<Child>) {
    for mut caller in callers {
        assert!(caller.try_wait().expect("a child can be asked").is_none(), "it waits");
        caller.kill().await.expect("a child can be killed");
    }
}

async fn shown(daemon: &Daemon, names: &[String]) -> Vec<SignIn> {
    let tool = tool(daemon);
    let mut shown = Vec::new();
    for name in names {
        shown.extend(account_is(&tool, name, |status| status.sign_in.is_some()).await.sign_in);
    }
    shown
}

async fn all_approved(daemon: &Daemon, names: &[String], shown: &[SignIn]) {
    for sign_in in shown {
        approve(sign_in).await;
    }
    let tool = tool(daemon);
    for name in names {
        account_is(&tool, name, |status| status.grant.is_some() && status.sign_in.is_none()).await;
        watched(&mut program(daemon).watch(Need::account(name)), a_token).await;
    }
}

/// Each code was asked for once and paid out once, and nobody asks the server any more.
async fn nobody_polls(server: &AuthorizationServer, logins: usize) {
    let counts = server.counts();
    let logins = u64::try_from(logins).expect("few logins");
    assert_eq!((counts.device_authorizations, counts.grants_started, counts.early_polls), (logins, logins, 0));
    // law: sleep: that nobody asks any more can only be seen by waiting for longer than somebody would
    tokio::time::sleep(SEVERAL_POLLS).await;
    let later = server.counts();
    assert_eq!(later.polls, counts.polls, "a poller is left");
    let as_they_should = ["ok", "authorization_pending"];
    assert!(later.poll_outcomes.keys().all(|outcome| as_they_should.contains(&outcome.as_str())), "{:?}", later.poll_outcomes);
    later.assert_no_race_was_lost();
}

#[tokio::test]
async fn b27_a_login_goes_on_without_its_caller_and_leaves_no_poller() {
    // given
    let logins = rounds(200, 20);
    let (server, daemon, names) = at(logins).await;
    let began = Instant::now();
    for (batch, names) in names.chunks(BATCH).enumerate() {
        // when the callers are killed, before there is a code or while it waits for the person
        let before_the_code = batch % 2 == 0;
        if before_the_code {
            server.script_times(At::DeviceAuthorization, names.len(), &Misbehaviour::Hold(Commit::Before));
        }
        let callers = callers(&daemon, names);
        if before_the_code {
            let all = u64::try_from(names.len()).expect("few names");
            server.wait_for(move |counts| counts.held == all).await;
            killed(callers).await;
            server.release();
            let shown = shown(&daemon, names).await;
            all_approved(&daemon, names, &shown).await;
        } else {
            let shown = shown(&daemon, names).await;
            killed(callers).await;
            all_approved(&daemon, names, &shown).await;
        }
    }

    // then each login went on to its end
    let took = began.elapsed();
    nobody_polls(&server, logins).await;
    figures("b27", format!("{logins} logins whose caller was killed: {logins} done, 0 pollers left; {took:.1?} in all"));
}

#[tokio::test]
async fn b27_a_login_without_its_caller_survives_a_killed_daemon() {
    let logins = rounds(50, 10);
    let (server, mut daemon, names) = at(logins).await;
    for names in names.chunks(BATCH) {
        // given logins whose callers are gone
        let callers = callers(&daemon, names);
        let before = shown(&daemon, names).await;
        killed(callers).await;

        // when
        daemon.kill();
        daemon.start_again().await;

        // then the codes are the same, and are paid out
        let after = shown(&daemon, names).await;
        let codes = |shown: &[SignIn]| shown.iter().map(|sign_in| sign_in.id.clone()).collect::<Vec<_>>();
        assert_eq!(codes(&after).len(), names.len());
        all_approved(&daemon, names, &before).await;
    }
    nobody_polls(&server, logins).await;
    figures("b27", format!("{logins} of {logins} logins survived a killed daemon, 0 begun anew"));
}
