//! Killed, stopped in the middle of a refresh, restarted again and again: nobody who asks notices.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use mcp_authd_client::{Answer, Client};
use mcp_authd_tests::programs::until;
use mcp_authd_tests::server::{At, AuthorizationServer, Commit, Misbehaviour, Settings};
use mcp_authd_tests::service::inside;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::task::JoinSet;

use super::{installed, lasting, logged_in, look, service_is, short_lived, token, token_ended};

const RESTARTS: u32 = 50;
const PROGRAMS: usize = 5;
/// A hundred calls a second.
const EACH: Duration = Duration::from_millis(10);
/// How many calls are answered between two restarts at least: so the one meets the other however slow the machine is.
const BETWEEN: u32 = 10;

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

/// What programs ask for all the time.
struct Load {
    is_over: Arc<AtomicBool>,
    answered: Arc<AtomicU32>,
    begun: Instant,
    calls: tokio::task::JoinHandle<JoinSet<()>>,
}

impl Load {
    /// A call each ten milliseconds, whether those before it have been answered or not: who is busy owes the calls, and makes them up.
    fn of(programs: Vec<Arc<Client>>, expected: [u8; 32]) -> Self {
        let (is_over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let calls = tokio::spawn({
            let (is_over, answered) = (is_over.clone(), answered.clone());
            async move {
                let (mut calls, mut times) = (JoinSet::new(), tokio::time::interval(EACH));
                for program in programs.iter().cycle() {
                    times.tick().await;
                    if is_over.load(Ordering::SeqCst) {
                        break;
                    }
                    let (program, answered) = (program.clone(), answered.clone());
                    calls.spawn(async move {
                        match program.token(look()).await {
                            Ok(Answer::UseToken(token)) if token.sha256() == expected => answered.fetch_add(1, Ordering::SeqCst),
                            other => panic!("a call failed: {other:?}"),
                        };
                    });
                }
                calls
            }
        });
        Self { is_over, answered, begun: Instant::now(), calls }
    }

    fn answered(&self) -> u32 {
        self.answered.load(Ordering::SeqCst)
    }

    /// How many calls there were, in which time: each of them was answered.
    async fn end(self) -> (u32, Duration) {
        self.is_over.store(true, Ordering::SeqCst);
        let (mut calls, took) = (self.calls.await.unwrap(), self.begun.elapsed());
        let mut ended = 0;
        while let Some(call) = calls.join_next().await {
            call.unwrap();
            ended += 1;
        }
        (ended, took)
    }
}

// Asking the manager holds a thread; the callers go on meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "the story tells its figures")]
async fn restarts_under_calls_fail_none_of_them() {
    let Some(machine) = inside("restarts::restarts_under_calls_fail_none_of_them") else { return };
    let server = AuthorizationServer::start(Settings::default());
    installed(&machine, &server);
    machine.listen();
    logged_in(&machine).await;
    let expected = token(&machine).await.sha256();
    let programs = std::iter::repeat_with(|| Arc::new(machine.program_with_library())).take(PROGRAMS).collect();
    let load = Load::of(programs, expected);
    for restart in 0..RESTARTS {
        let (before, due) = (machine.main_pid(), load.answered() + BETWEEN);
        until("calls are answered between two restarts", || load.answered() >= due).await;
        if restart % 5 == 4 {
            kill(Pid::from_raw(before), Signal::SIGKILL).unwrap();
        } else {
            tokio::task::block_in_place(|| machine.systemctl(&["restart", "mcp-authd.service"]));
        }
        until("another one serves", || machine.main_pid() != before && machine.property("ActiveState") == "active").await;
    }
    let (calls, took) = load.end().await;
    let rate = f64::from(calls) / took.as_secs_f64();
    println!("FIGURES: {RESTARTS} restarts, one in five a kill, under {calls} calls, {rate:.0} a second: 0 failed");
    assert!(calls >= RESTARTS * BETWEEN);
    assert_eq!((server.counts().device_authorizations, server.counts().refreshes), (1, 0));
}
