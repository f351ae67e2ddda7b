//! A daemon that a program has started, and whose program is replaced: nobody restarts it but the person, or its own end (B32).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mcp_authd_tests::daemon::{Account, Config, Daemon, programs};
use mcp_authd_tests::programs::{account_is, approve, code, prompted, tool, until};
use mcp_authd_tests::replaced::Replaced;
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::task::JoinSet;

use super::{Program, authctl, can_run, logged_in_by, machine_with, pid};

const UPGRADES: u32 = 5;
const WATCHDOG: Duration = Duration::from_secs(60);

/// A machine whose daemon stands in a folder of its own.
fn machine(server: &AuthorizationServer) -> (Daemon, Replaced, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let program = Replaced::of(&programs().join("mcp-authd"), folder.path());
    let account = |name| Account::at(name, server.issuer()).scopes(["mcp:read"]);
    let config = Config::new().account(account("work")).account(account("new"));
    (machine_with(config.environment("MCP_AUTHD_BIN", program.path())), program, folder)
}

fn starts(machine: &Daemon, daemon: &Replaced) -> Program {
    Program::that_starts(daemon.path(), machine.any_program(std::env::current_exe().unwrap()))
}

async fn another_serves(machine: &Daemon, old: i32) {
    let looking = async {
        while tool(machine).status().await.map_or(true, |status| status.pid == i64::from(old)) {
            // law: sleep: it binds when the other has left, and a path cannot be waited for
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(WATCHDOG, looking).await.is_ok(), "no other one serves: {}", machine.logs());
}

#[tokio::test]
async fn b32_a_stop_and_a_start_by_hand_bring_the_new_program_and_whatever_went_on_goes_on() {
    if !can_run("a stop and a start by hand bring the new program") {
        return;
    }
    // given a login that is kept, one that waits, and a program that has been replaced meanwhile
    let server = AuthorizationServer::start(Settings::default());
    let (machine, mut daemon, _folder) = machine(&server);
    let mut program = starts(&machine, &daemon);
    let token = logged_in_by(&mut program, &server).await;
    let waiting = prompted(&machine, "new").await;
    let old = pid(&machine).await;
    daemon.upgrade();
    // Nothing happens by itself: the old one goes on serving.
    assert_eq!(program.does("look").await, token);
    assert!(pid(&machine).await == old && daemon.old_one_runs());

    // when the person stops it, no program starts another; and at the person's word the new one serves
    assert_eq!(authctl(&machine, &["daemon", "stop"]).await.code, Some(0));
    assert!(program.does("look").await.contains("it was stopped by hand") && !daemon.old_one_runs());
    assert_eq!(authctl(&machine, &["daemon", "start"]).await.code, Some(0));

    // then the token is the same, and so is the code, which still leads to a grant
    assert!(daemon.new_one_runs() && !daemon.old_one_runs() && pid(&machine).await != old);
    assert_eq!(program.does("look").await, token);
    assert_eq!(code(&prompted(&machine, "new").await), code(&waiting));
    approve(&waiting).await;
    account_is(&tool(&machine), "new", |status| status.grant.is_some()).await;
    assert_eq!((server.counts().device_authorizations, server.counts().refreshes), (2, 0));
}

#[tokio::test]
async fn b32_a_daemon_that_is_asked_to_leave_is_followed_by_the_new_program_and_no_call_is_lost() {
    if !can_run("a daemon that is asked to leave is followed by the new program") {
        return;
    }
    // given programs that ask one call after the other, and start a daemon wherever they find none
    let server = AuthorizationServer::start(Settings::default());
    let (machine, mut daemon, _folder) = machine(&server);
    let token = logged_in_by(&mut starts(&machine, &daemon), &server).await;
    let is_over = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for _ in 0..4 {
        let (mut program, is_over, token) = (starts(&machine, &daemon), is_over.clone(), token.clone());
        callers.spawn(async move {
            let mut calls = 0_u32;
            while !is_over.load(Ordering::SeqCst) {
                assert_eq!(program.does("look").await, token, "after {calls} calls");
                calls += 1;
            }
            calls
        });
    }

    // when its program is replaced and it is asked to leave, again and again, then the next call finds the new one
    for _ in 0..UPGRADES {
        let old = pid(&machine).await;
        daemon.upgrade();
        kill(Pid::from_raw(old), Signal::SIGTERM).unwrap();
        until("the new one runs alone", || daemon.new_one_runs() && !daemon.old_one_runs()).await;
        another_serves(&machine, old).await;
    }
    is_over.store(true, Ordering::SeqCst);
    while let Some(calls) = callers.join_next().await {
        assert!(calls.unwrap() > 0);
    }
    assert_eq!((server.counts().device_authorizations, server.counts().refreshes), (1, 0));
}
