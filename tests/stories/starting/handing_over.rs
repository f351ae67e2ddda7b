//! One daemon takes over from another: `mcp-authd --take-over`, as service managers start it.

use std::fs::File;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use mcp_authd_client::{Answer, Need, Request};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{a_token, logged_in, program, token, token_ended, tool, until, watched};
use mcp_authd_tests::server::{At, AuthorizationServer, Commit, Misbehaviour, Settings};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::task::JoinSet;

use super::{Program, can_run, logged_in_by, machine, without_an_owner};

const CALLERS: u32 = 10;
/// Longer than any daemon may take to leave.
const WATCHDOG: Duration = Duration::from_secs(120);

/// Its log goes where the daemon's does: a pipe that nobody reads would hold it up.
fn taker(daemon: &Daemon) -> Child {
    let log = File::options().create(true).append(true).open(daemon.dirs().root().join("daemon.log")).unwrap();
    let mut command = daemon.program("mcp-authd");
    command.arg("--take-over").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true).spawn().unwrap()
}

async fn serves(daemon: &Daemon, pid: u32) {
    let looking = async {
        loop {
            match tool(daemon).status().await {
                Ok(status) if status.pid == i64::from(pid) => return,
                // law: sleep: it binds when the other has left, and a path cannot be waited for
                _ => tokio::time::sleep(Duration::from_millis(2)).await,
            }
        }
    };
    let served = tokio::time::timeout(WATCHDOG, looking).await;
    assert!(served.is_ok(), "the one that takes over never serves: {}", daemon.logs());
}

async fn asked_to_leave(mut child: Child) {
    kill(Pid::from_raw(child.id().unwrap().try_into().unwrap()), Signal::SIGTERM).unwrap();
    assert!(child.wait().await.unwrap().success());
}

#[tokio::test]
async fn a_hand_over_during_a_held_refresh_fails_no_call_and_makes_no_second_refresh() {
    // given a refresh that is held at the server, and programs that wait for it on standing connections
    let server = AuthorizationServer::start(Settings { access_token_life: Duration::from_secs(1), ..Settings::default() });
    let config = Config::new().account(Account::at("work", server.issuer()).scopes(["mcp:read"]));
    let mut daemon = Daemon::start(config.environment("MCP_AUTHD_LOG", "debug")).await;
    logged_in(&daemon, "work").await;
    server.change(|settings| settings.access_token_life = Duration::from_secs(3600));
    token_ended(&daemon, "work").await;
    server.script(At::Refresh, Misbehaviour::Hold(Commit::After));
    let (is_over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (client, is_over, answered) = (program(&daemon), is_over.clone(), answered.clone());
        callers.spawn(async move {
            // One call after the other, until the hand-over is over: whatever happens meanwhile, each has its token.
            while !is_over.load(Ordering::SeqCst) {
                let request = Request::new(Need::account("work")).max_wait(Duration::from_secs(20));
                match client.token(request).await {
                    Ok(Answer::UseToken(_)) => answered.fetch_add(1, Ordering::SeqCst),
                    other => panic!("a call was lost: {other:?}"),
                };
            }
        });
    }
    let mut watch = program(&daemon).watch(Need::account("work"));
    server.wait_for(|counts| counts.held == 1).await;

    // when another takes over, and the answer comes while the first one leaves
    let taker = taker(&daemon);
    until("the first one leaves", || daemon.logs().contains("leaving")).await;
    assert_eq!(server.counts().refreshes, 1);
    server.release();
    assert!(daemon.exited().await.success());
    serves(&daemon, taker.id().unwrap()).await;

    // then every call has its token, before and after, of one refresh
    let before = answered.load(Ordering::SeqCst);
    until("the calls go on", || answered.load(Ordering::SeqCst) >= before + CALLERS * 2).await;
    is_over.store(true, Ordering::SeqCst);
    while let Some(caller) = callers.join_next().await {
        caller.unwrap();
    }
    let held = watched(&mut watch, a_token).await;
    assert_eq!(held.sha256(), token(program(&daemon).token(Need::account("work")).await.unwrap()).sha256());
    let counts = server.counts();
    assert_eq!((counts.refreshes, counts.refreshes_ok(), counts.device_authorizations), (1, 1, 1));
    assert_eq!(counts.max_concurrent_refreshes_of_one_grant, 1);
    counts.assert_no_race_was_lost();
    asked_to_leave(taker).await;
    assert!(daemon.logs().contains("asked the mcp-authd that owns the store to leave"));
}

#[tokio::test]
async fn programs_that_start_daemons_themselves_lose_no_call_to_one_hand_over_after_another() {
    if !can_run("programs that start daemons themselves lose no call") {
        return;
    }
    // given programs that ask one call after the other, and would start a daemon wherever they find none
    let server = AuthorizationServer::start(Settings::default());
    let machine = machine(&server);
    let token = logged_in_by(&mut Program::starts(&machine), &server).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for _ in 0..4 {
        let (mut program, is_over, token) = (Program::starts(&machine), is_over.clone(), token.clone());
        callers.spawn(async move {
            let mut calls = 0_u32;
            while !is_over.load(Ordering::SeqCst) {
                assert_eq!(program.does("look").await, token);
                calls += 1;
            }
            calls
        });
    }

    // when one daemon after the other takes over, then each serves in the end, and no call is lost
    let mut takers = Vec::new();
    for _ in 0..5 {
        let taker = taker(&machine);
        serves(&machine, taker.id().unwrap()).await;
        takers.push(taker);
    }
    is_over.store(true, Ordering::SeqCst);
    while let Some(calls) = callers.join_next().await {
        assert!(calls.unwrap() > 0);
    }
    asked_to_leave(takers.pop().unwrap()).await;
    for mut replaced in takers {
        assert!(replaced.wait().await.unwrap().success());
    }
    assert_eq!((server.counts().device_authorizations, server.counts().refreshes), (1, 0));
}

#[tokio::test]
async fn a_daemon_that_is_started_without_the_flag_takes_nothing_over() {
    let server = AuthorizationServer::start(Settings::default());
    let daemon = Daemon::start(Config::new().account(Account::at("work", server.issuer()))).await;
    let other = daemon.program("mcp-authd").stdin(Stdio::null()).output().await.unwrap();
    let last = String::from_utf8(other.stderr).unwrap().lines().last().unwrap_or_default().to_owned();
    assert_eq!(other.status.code(), Some(75));
    assert!(
        last.contains(&format!("(pid {}) already serves this user, at {}", daemon.pid(), daemon.tokens_socket().display())),
        "{last}"
    );
    assert_eq!(tool(&daemon).status().await.unwrap().pid, i64::from(daemon.pid()));
}

#[tokio::test]
async fn one_that_waits_for_its_turn_can_be_asked_to_leave_itself() {
    // given an owner that cannot leave: its refresh is held
    let server = AuthorizationServer::start(Settings { access_token_life: Duration::from_secs(1), ..Settings::default() });
    let mut daemon = Daemon::start(Config::new().account(Account::at("work", server.issuer()).scopes(["mcp:read"]))).await;
    logged_in(&daemon, "work").await;
    token_ended(&daemon, "work").await;
    server.script(At::Refresh, Misbehaviour::Hold(Commit::After));
    let client = program(&daemon);
    let asking = tokio::spawn(async move { client.token(Need::account("work")).await });
    server.wait_for(|counts| counts.held == 1).await;
    let taker = taker(&daemon);
    until("the first one leaves", || daemon.logs().contains("leaving")).await;

    // when the one that waits is asked to leave, then it leaves at once, and the owner's refresh goes its way
    asked_to_leave(taker).await;
    assert_eq!(server.counts().held, 1);
    server.release();
    assert!(daemon.exited().await.success());
    without_an_owner(&daemon).await;
    asking.abort();
    assert_eq!(server.counts().refreshes_ok(), 1);
}

#[tokio::test]
async fn a_broken_configuration_costs_the_daemon_that_serves_nothing() {
    let server = AuthorizationServer::start(Settings::default());
    let daemon = Daemon::start(Config::new().account(Account::at("work", server.issuer()))).await;
    daemon.write_config(&Config::new().text("[accounts.work]\nisuer = 7"));
    let other = daemon.program("mcp-authd").arg("--take-over").stdin(Stdio::null()).output().await.unwrap();
    assert_eq!(other.status.code(), Some(78), "{}", String::from_utf8_lossy(&other.stderr));
    assert_eq!(tool(&daemon).status().await.unwrap().pid, i64::from(daemon.pid()));
}
