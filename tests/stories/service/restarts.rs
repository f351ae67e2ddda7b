//! Killed, stopped in the middle of a refresh, restarted again and again: nobody who asks notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mcp_authd_client::Answer;
use mcp_authd_tests::programs::until;
use mcp_authd_tests::server::{At, AuthorizationServer, Commit, Misbehaviour, Settings};
use mcp_authd_tests::service::inside;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::task::JoinSet;

use super::{installed, lasting, logged_in, look, service_is, short_lived, token, token_ended};

const RESTARTS: u32 = 50;
/// Together a hundred calls a second.
const CALLERS: u32 = 5;
const EACH: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_killed_daemon_is_started_again_and_the_next_call_succeeds() {
    let Some(machine) = inside("restarts::a_killed_daemon_is_started_again_and_the_next_call_succeeds") else { return };
    let server = AuthorizationServer::start(Settings::default());
    installed(&machine, &server);
    machine.listen();
    logged_in(&machine).await;
    let (first, killed) = (token(&machine).await, machine.main_pid());
    kill(Pid::from_raw(killed), Signal::SIGKILL).unwrap();
    // Nobody asks meanwhile: the manager starts it by itself.
    until("it is started again", || machine.property("ActiveState") == "active" && machine.main_pid() != killed).await;
    assert_eq!(machine.property("NRestarts"), "1");
    assert_eq!(token(&machine).await.sha256(), first.sha256());

    // And with a call that comes right after the kill.
    kill(Pid::from_raw(machine.main_pid()), Signal::SIGKILL).unwrap();
    assert_eq!(token(&machine).await.sha256(), first.sha256());
    assert_eq!((server.counts().device_authorizations, server.counts().refreshes), (1, 0));
}

#[tokio::test]
async fn the_watchdog_is_fed_and_ends_a_daemon_that_answers_nobody() {
    let Some(machine) = inside("restarts::the_watchdog_is_fed_and_ends_a_daemon_that_answers_nobody") else { return };
    let server = AuthorizationServer::start(Settings::default());
    installed(&machine, &server);
    machine.edit("mcp-authd.service", "[Service]\nWatchdogSec=2\n");
    machine.listen();
    logged_in(&machine).await;
    let fed = || machine.property("WatchdogTimestampMonotonic").parse::<u64>().unwrap();
    let (begin, first, stuck) = (fed(), token(&machine).await, machine.main_pid());
    // Longer than it would live unfed.
    until("it is fed", || fed() > begin + 4_000_000).await;
    assert_eq!((machine.main_pid(), machine.property("NRestarts").as_str()), (stuck, "0"));

    kill(Pid::from_raw(stuck), Signal::SIGSTOP).unwrap();
    assert_eq!(token(&machine).await.sha256(), first.sha256());
    assert_ne!(machine.main_pid(), stuck);
    assert_eq!(machine.property("NRestarts"), "1");
}

#[tokio::test]
async fn a_stop_during_a_refresh_waits_for_it_and_saves_it() {
    let Some(machine) = inside("restarts::a_stop_during_a_refresh_waits_for_it_and_saves_it") else { return };
    let server = short_lived();
    installed(&machine, &server);
    machine.listen();
    logged_in(&machine).await;
    token_ended(&machine).await;
    lasting(&server);
    server.script(At::Refresh, Misbehaviour::Hold(Commit::After));
    let client = machine.client();
    let asking = tokio::spawn(async move { client.token(look()).await });
    server.wait_for(|counts| counts.held == 1).await;

    machine.systemctl(&["stop", "--no-block", "mcp-authd.service"]);
    service_is(&machine, "deactivating").await;
    until("it says so", || machine.property("StatusText") == "leaving").await;
    assert_eq!((machine.property("SubState").as_str(), server.counts().held), ("stop-sigterm", 1));
    server.release();
    let answered = mcp_authd_tests::programs::token(asking.await.unwrap().unwrap());
    until("it has left", || machine.log().matches("leaving").count() == 1 && machine.property("SubState") != "stop-sigterm")
        .await;

    // The next one has the token of that refresh, and needs no other.
    assert_eq!(token(&machine).await.sha256(), answered.sha256());
    let counts = server.counts();
    assert_eq!((counts.refreshes, counts.refreshes_ok(), machine.property("Result").as_str()), (1, 1, "success"));
    counts.assert_no_race_was_lost();
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "the story tells its figures")]
async fn restarts_under_calls_fail_none_of_them() {
    let Some(machine) = inside("restarts::restarts_under_calls_fail_none_of_them") else { return };
    let server = AuthorizationServer::start(Settings::default());
    installed(&machine, &server);
    machine.listen();
    logged_in(&machine).await;
    let (expected, is_over) = (token(&machine).await.sha256(), Arc::new(AtomicBool::new(false)));
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (client, is_over) = (machine.program_with_library(), is_over.clone());
        callers.spawn(async move {
            let (mut calls, mut times) = (0_u32, tokio::time::interval(EACH));
            while !is_over.load(Ordering::SeqCst) {
                times.tick().await;
                match client.token(look()).await {
                    Ok(Answer::UseToken(token)) if token.sha256() == expected => calls += 1,
                    other => panic!("call {calls} failed: {other:?}"),
                }
            }
            calls
        });
    }
    let machine = Arc::new(machine);
    for restart in 0..RESTARTS {
        let (ruled, before) = (machine.clone(), machine.main_pid());
        // Callers and the manager go on meanwhile.
        tokio::task::spawn_blocking(move || {
            if restart % 5 == 4 {
                let _gone_already = kill(Pid::from_raw(before), Signal::SIGKILL);
            } else {
                ruled.systemctl(&["restart", "mcp-authd.service"]);
            }
        })
        .await
        .unwrap();
        until("another one serves", || machine.main_pid() != before && machine.property("ActiveState") == "active").await;
    }
    is_over.store(true, Ordering::SeqCst);
    let mut calls = 0;
    while let Some(caller) = callers.join_next().await {
        calls += caller.unwrap();
    }
    println!("FIGURES: {RESTARTS} restarts, one in five a kill, under {calls} calls: 0 failed");
    assert!(calls > RESTARTS);
    assert_eq!((server.counts().device_authorizations, server.counts().refreshes), (1, 0));
}
