//! A daemon that is stopped and says nothing, with a full backlog (B36).

use std::io;
use std::time::{Duration, Instant};

use mcp_authd_client::{CallError, Client, ConnectError};
use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::programs::{program, tool};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::net::UnixStream;
use tokio::task::JoinSet;

use super::load::{asked, newcomer, request, serving};
use crate::effort::{figures, rounds};

/// What a call gets beyond the wait that it asks for.
const GRACE: Duration = Duration::from_secs(5);
/// How long any other call may last.
const SILENCE: Duration = Duration::from_secs(10);
/// Ten times the longest of them.
const WATCHDOG: Duration = Duration::from_secs(100);

/// Goes on when this is dropped.
struct Stopped(Pid);

impl Stopped {
    fn now(daemon: &Daemon) -> Self {
        let pid = Pid::from_raw(i32::try_from(daemon.pid()).expect("a process id fits"));
        kill(pid, Signal::SIGSTOP).expect("the daemon runs");
        Self(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _gone_already = kill(self.0, Signal::SIGCONT);
    }
}

/// Connections that nobody takes, as many as the kernel lets wait.
async fn backlog(daemon: &Daemon) -> Vec<UnixStream> {
    let mut waiting = Vec::new();
    for socket in [daemon.tokens_socket(), daemon.admin_socket()] {
        loop {
            match UnixStream::connect(&socket).await {
                Ok(stream) => waiting.push(stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("the backlog is not full, and there is no connection: {error}"),
            }
        }
    }
    waiting
}

/// No requirement names a figure; on a machine with work of its own a call ends within milliseconds of its deadline.
const LATE: Duration = Duration::from_secs(5);
/// A clock may be read a little before it strikes.
const EARLY: Duration = Duration::from_millis(5);

/// A call that the daemon does not answer: how much later than its time it ended. It does not give up before that, and, where there is
/// no connection to be had, not before the time of a connection.
async fn unanswered<T>(limit: Duration, call: impl Future<Output = Result<T, CallError>>) -> Duration {
    let began = Instant::now();
    let least = match tokio::time::timeout(WATCHDOG, call).await.expect("every call ends by its own deadline") {
        Err(CallError::Silent { .. }) => limit,
        Err(CallError::Connect(ConnectError::TimedOut { after, .. })) => after,
        Err(error) => panic!("it was to be silence, and not {error}"),
        Ok(_) => panic!("a stopped daemon has answered"),
    };
    let ended = began.elapsed();
    assert!(ended + EARLY >= least, "given up after {ended:?} of {least:?}");
    ended.saturating_sub(limit)
}

/// Every kind of call, all at once. The latest end, measured from each one's deadline.
async fn all_unanswered(daemon: &Daemon, held: &Client) -> (usize, Duration) {
    let mut calls = JoinSet::new();
    for client in [held.clone(), program(daemon)] {
        for wait in [0, 1, 3] {
            let (client, wait) = (client.clone(), Duration::from_secs(wait));
            calls.spawn(async move { unanswered(wait + GRACE, client.token(request().max_wait(wait))).await });
        }
        calls.spawn(async move { unanswered(SILENCE, client.accounts()).await });
    }
    let tool = tool(daemon);
    calls.spawn(async move { unanswered(SILENCE, tool.status()).await });
    let ended = calls.join_all().await;
    let latest = ended.iter().max().copied().unwrap_or_default();
    assert!(latest < LATE, "a call ended {latest:?} after its deadline");
    (ended.len(), latest)
}

/// The person's tool, while the daemon still clears away those that have left.
async fn until_served(daemon: &Daemon) {
    while tool(daemon).status().await.is_err() {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b36_calls_to_a_stopped_daemon_end_by_their_deadlines() {
    // given
    let (server, daemon) = serving().await;
    let (rounds, mut calls, mut latest, mut waited, mut again) = (rounds(10, 1), 0, Duration::ZERO, 0, Duration::ZERO);
    let held = program(&daemon);
    asked(&held).await;
    for _ in 0..rounds {
        // when
        let stopped = Stopped::now(&daemon);
        let backlog = backlog(&daemon).await;
        waited = waited.max(backlog.len());

        // then
        let (some, late) = all_unanswered(&daemon, &held).await;
        (calls, latest) = (calls + some, latest.max(late));

        // and the daemon goes on where it was
        drop(stopped);
        let began = Instant::now();
        asked(&held).await;
        again = again.max(began.elapsed());
        drop(backlog);
        asked(&newcomer(&daemon).await).await;
        until_served(&daemon).await;
    }
    assert_eq!(server.counts().device_authorizations, 1);
    figures(
        "b36",
        format!(
            "{calls} calls to a stopped daemon with {waited} connections in its backlog: each ended, {latest:.1?} after its deadline \
             at most; served again after {again:.1?}"
        ),
    );
}
