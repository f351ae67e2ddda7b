//! A daemon that serves, and what its programs see while something goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mcp_authd_client::{Client, Need, Request, SignInMode};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{logged_in, program, token, until};
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use tokio::task::JoinSet;

use crate::latencies::Latencies;
use crate::vitals::{Vitals, busy};

/// Programs that ask all the while.
const PROGRAMS: usize = 8;
/// Each of them so often.
const PAUSE: Duration = Duration::from_millis(10);

/// The account of [`serving`] and [`configured`].
pub(super) const WORK: &str = "work";

/// Its HTTP/2 frames are not logged: a flood would make a log of gigabytes.
pub(super) fn configured(server: &AuthorizationServer) -> Config {
    let account = Account::at(WORK, server.issuer()).scopes(["mcp:read"]);
    Config::new().account(account).environment("MCP_AUTHD_LOG", "info,mcp_authd=debug")
}

/// A daemon that is logged in to [`WORK`].
pub(super) async fn serving() -> (AuthorizationServer, Daemon) {
    let server = AuthorizationServer::start(Settings::default());
    let daemon = Daemon::start(configured(&server)).await;
    logged_in(&daemon, WORK).await;
    (server, daemon)
}

/// What a program asks that wants a token and no login.
pub(super) fn request() -> Request {
    Request::new(Need::account(WORK)).sign_in(SignInMode::Never)
}

/// One call that must bring a token, and how long it took.
pub(super) async fn asked(client: &Client) -> Duration {
    let began = Instant::now();
    drop(token(client.token(request()).await.expect("every program is served")));
    began.elapsed()
}

/// Some programs, connected before it begins, ask every now and then while something goes on. Each call brings a token.
pub(super) async fn under_load<T>(daemon: &Daemon, meanwhile: impl Future<Output = T>) -> (T, Latencies) {
    let is_over = Arc::new(AtomicBool::new(false));
    let mut programs = JoinSet::new();
    for _ in 0..PROGRAMS {
        let (client, is_over) = (program(daemon), is_over.clone());
        asked(&client).await;
        programs.spawn(async move {
            let mut took = Vec::new();
            while !is_over.load(Ordering::Relaxed) || took.is_empty() {
                took.push(asked(&client).await);
                // law: sleep: a program that asks every now and then
                tokio::time::sleep(PAUSE).await;
            }
            took
        });
    }
    let happened = meanwhile.await;
    is_over.store(true, Ordering::Relaxed);
    (happened, Latencies::of(programs.join_all().await.concat()))
}

/// How busy a daemon is while nobody asks for anything, as a share of one processor.
pub(super) async fn busy_share(daemon: &Daemon, period: Duration) -> f64 {
    let (before, began) = (busy(daemon.pid()), Instant::now());
    // law: sleep: what is counted is time that a daemon spends on nothing
    tokio::time::sleep(period).await;
    let spent = busy(daemon.pid()) - before;
    spent.as_secs_f64() / began.elapsed().as_secs_f64()
}

/// How long what was closed may take to be seen closed, ten times over.
pub(super) const SETTLED: Duration = Duration::from_secs(10);

/// Waits until the daemon holds no more descriptors than so many.
pub(super) async fn descriptors_are(daemon: &Daemon, at_most: usize) {
    let pid = daemon.pid();
    until("what peers held is given back", || Vitals::of(pid).descriptors <= at_most).await;
}

/// A program that comes while the daemon still clears away those that have left.
pub(super) async fn newcomer(daemon: &Daemon) -> Client {
    loop {
        let newcomer = program(daemon);
        if newcomer.accounts().await.is_ok() {
            return newcomer;
        }
    }
}
