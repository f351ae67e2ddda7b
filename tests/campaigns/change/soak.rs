//! A long time with short tokens at a server that fails now and then: nothing is lost, nothing grows (B38).
//!
//! `MCP_AUTHD_SOAK_SECONDS` makes the whole form longer or shorter than its 20 minutes: a night is 28800.

use std::sync::Arc;
use std::time::{Duration, Instant};

use mcp_authd_client::{Answer, Client, Need, Request, SignInMode};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::plain_http;
use mcp_authd_tests::programs::{a_token, account_is, approve, program, prompted, tool, watched};
use mcp_authd_tests::server::{At, AuthorizationServer, Commit, Misbehaviour, Rotation, Settings};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::effort::{figures, is_whole, rounds};
use crate::vitals::{Vitals, are_hidden};

/// Longer than any fault holds an answer back.
const WINDOW: Duration = Duration::from_secs(60);
const A_CALL_EACH: Duration = Duration::from_millis(250);
const A_LOOK_EACH: Duration = Duration::from_millis(500);
/// A server that hangs lets go so often: sometimes at once, sometimes late.
const LETS_GO_EACH: Duration = Duration::from_secs(4);
const MIB: f64 = 1024.0 * 1024.0;

/// What may be added between the first and the last quarter of the time.
const MORE_DESCRIPTORS: usize = 16;
/// In whole: ten times the figure of the requirement.
const MIB_AN_HOUR: f64 = 10.0;
/// In short: a slope of seconds is the noise of an allocator. So much is what 50 refreshes may not leave behind, at 80 KiB each.
const MORE_MIB: f64 = 4.0;
/// Threads come and go with the files that are written at the same moment: one for each account at most, and so many others.
const OTHER_THREADS: usize = 4;

#[derive(Debug, Default)]
struct Told {
    tokens: usize,
    later: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b38_a_long_time_with_short_tokens_at_a_failing_server_loses_none_and_nothing_grows() {
    // given accounts that are logged in, each used by a program that calls and by one that watches
    let settings = Settings { rotation: Rotation::Grace(WINDOW), access_token_life: life(), ..Settings::default() };
    let server = Arc::new(AuthorizationServer::start(settings));
    let names: Vec<String> = (0..rounds(50, 10)).map(|number| format!("account-{number}")).collect();
    let account = |name: &String| Account::at(name, server.issuer()).scopes(["mcp:read"]);
    let config = names.iter().map(account).fold(Config::new().environment("MCP_AUTHD_LOG", "info"), Config::account);
    let daemon = Daemon::start(config).await;
    if are_hidden("b38: a long time", daemon.pid()) {
        return;
    }
    for name in &names {
        approve(&prompted(&daemon, name).await).await;
    }
    for name in &names {
        account_is(&tool(&daemon), name, |status| status.grant.is_some() && status.sign_in.is_none()).await;
    }
    let mut watches: Vec<_> = names.iter().map(|name| program(&daemon).watch(Need::account(name))).collect();
    let (over, is_over) = watch::channel(false);
    let mut calls = JoinSet::new();
    for name in &names {
        calls.spawn(calling(program(&daemon), name.clone(), is_over.clone()));
    }
    let faults = tokio::spawn(failing(Arc::clone(&server), is_over));

    // when time passes
    let pid = daemon.pid();
    let lasts = Duration::from_secs(seconds());
    let (begin, mut seen) = (Instant::now(), Vec::new());
    while begin.elapsed() < lasts {
        // law: sleep: time is what the campaign is about
        tokio::time::sleep(A_LOOK_EACH).await;
        seen.push((begin.elapsed(), Vitals::of(pid)));
    }
    over.send_replace(true);
    let mut told = Told::default();
    while let Some(each) = calls.join_next().await {
        let each = each.unwrap();
        told.tokens += each.tokens;
        told.later += each.later;
    }
    let failed = faults.await.unwrap();

    // then each account serves a token that its server takes, nobody had to log in again, and no race was lost
    for (name, watch) in names.iter().zip(&mut watches) {
        loop {
            let held = watched(watch, a_token).await;
            if plain_http::fetch_with_token(&server.resource(), held.expose()).await.unwrap().status == 200 {
                break;
            }
            assert!(held.remaining().is_some_and(|left| left.is_zero()), "{name}: a token was refused that lives");
        }
    }
    let counts = server.counts();
    counts.assert_no_race_was_lost();
    let logins = u64::try_from(names.len()).unwrap();
    assert_eq!((counts.device_authorizations, counts.grants_started, counts.revocations), (logins, logins, 0));
    assert!(counts.refreshes_ok() >= logins, "there was something to lose: {counts:?}");
    assert!(!daemon.logs().contains("panicked"), "{}", daemon.logs());
    assert_eq!(daemon.pid(), pid);

    // and what the daemon holds of the machine has not grown
    let growth = Growth::of(&seen);
    figures(
        "b38",
        format!(
            "{} accounts for {:.0?}: {} refreshes, {failed} of them failed by the server, {} of them served again within its window; \
             {} tokens, {} told to try later, 0 lost, 0 panics; {growth}",
            names.len(),
            begin.elapsed(),
            counts.refreshes,
            counts.grace_replays,
            told.tokens,
            told.later
        ),
    );
    assert!(counts.misbehaved > 0 && counts.misbehaved <= counts.refreshes, "the server has failed now and then: {counts:?}");
    growth.assert_none(names.len());
}

/// Of a token: shorter in the short form, so that each is refreshed there too.
fn life() -> Duration {
    Duration::from_secs(if is_whole() { 10 } else { 4 })
}

fn seconds() -> u64 {
    if !is_whole() {
        return 15;
    }
    std::env::var("MCP_AUTHD_SOAK_SECONDS").map_or(1200, |seconds| seconds.parse().expect("a number of seconds"))
}

/// A program that asks steadily, and never has to log in.
async fn calling(client: Client, name: String, mut over: watch::Receiver<bool>) -> Told {
    let mut told = Told::default();
    let mut pace = tokio::time::interval(A_CALL_EACH);
    loop {
        tokio::select! {
            _ = pace.tick() => {}
            _ = over.wait_for(|over| *over) => return told,
        }
        match client.token(Request::new(Need::account(&name)).sign_in(SignInMode::Never)).await {
            Ok(Answer::UseToken(_)) => told.tokens += 1,
            Ok(Answer::TryLater(_)) => told.later += 1,
            lost => panic!("{name}: {lost:?}"),
        }
    }
}

/// One refresh in a hundred goes wrong, each time in another way; in the short form one in five, that there are any. How many.
async fn failing(server: Arc<AuthorizationServer>, mut over: watch::Receiver<bool>) -> usize {
    let ways = [
        Misbehaviour::Drop(Commit::After),
        Misbehaviour::status(503),
        Misbehaviour::Hang,
        Misbehaviour::Drop(Commit::Before),
        Misbehaviour::status(500),
        Misbehaviour::Truncate,
    ];
    let good = rounds(100, 5) - 1;
    let mut ways = ways.iter().cycle();
    let mut pace = tokio::time::interval(A_CALL_EACH);
    let mut lets_go = tokio::time::interval(LETS_GO_EACH);
    loop {
        tokio::select! {
            _ = pace.tick() => {}
            _ = lets_go.tick() => server.release(),
            _ = over.wait_for(|over| *over) => break,
        }
        while server.script_left(At::Refresh) < good {
            server.script_times(At::Refresh, good, &Misbehaviour::Behave);
            server.script(At::Refresh, ways.next().expect("they go round").clone());
        }
    }
    server.behave();
    server.release();
    usize::try_from(server.counts().misbehaved).expect("it fits")
}

/// The first and the last quarter of the time, and the slope between.
struct Growth {
    first: Quarter,
    last: Quarter,
    mib_an_hour: f64,
}

#[derive(Debug)]
struct Quarter {
    mib: f64,
    least_mib: f64,
    descriptors: usize,
    threads: usize,
}

impl Growth {
    fn of(seen: &[(Duration, Vitals)]) -> Self {
        // The first moments are the start of 50 programs.
        let settled = &seen[seen.len() / 8..];
        let quarter = settled.len() / 4;
        let points: Vec<(f64, f64)> = settled.iter().map(|(at, vitals)| (at.as_secs_f64() / 3600.0, mib(vitals))).collect();
        Self {
            first: Quarter::of(&settled[..quarter]),
            last: Quarter::of(&settled[settled.len() - quarter..]),
            mib_an_hour: slope(&points),
        }
    }

    fn assert_none(&self, accounts: usize) {
        let Self { first, last, mib_an_hour } = self;
        assert!(last.descriptors <= first.descriptors + MORE_DESCRIPTORS, "descriptors: {first:?}, {last:?}");
        assert!(last.threads.max(first.threads) <= accounts + OTHER_THREADS, "threads: {first:?}, {last:?}");
        if is_whole() {
            assert!(*mib_an_hour < MIB_AN_HOUR, "memory: {mib_an_hour:+.2} MiB an hour: {first:?}, {last:?}");
        } else {
            assert!(last.mib <= first.mib + MORE_MIB, "memory: {first:?}, {last:?}");
        }
    }
}

impl std::fmt::Display for Growth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { first, last, mib_an_hour } = self;
        write!(
            f,
            "resident {:.1} MiB in the first quarter (at least {:.1}), {:.1} in the last (at least {:.1}), {mib_an_hour:+.2} MiB an \
             hour; at most {} and {} descriptors, {} and {} threads",
            first.mib,
            first.least_mib,
            last.mib,
            last.least_mib,
            first.descriptors,
            last.descriptors,
            first.threads,
            last.threads
        )
    }
}

impl Quarter {
    fn of(seen: &[(Duration, Vitals)]) -> Self {
        let most = |of: fn(&Vitals) -> usize| seen.iter().map(|(_, vitals)| of(vitals)).max().expect("there were looks");
        let sum: f64 = seen.iter().map(|(_, vitals)| mib(vitals)).sum();
        Self {
            mib: sum / count(seen.len()),
            least_mib: seen.iter().map(|(_, vitals)| mib(vitals)).fold(f64::INFINITY, f64::min),
            descriptors: most(|vitals| vitals.descriptors),
            threads: most(|vitals| vitals.threads),
        }
    }
}

fn mib(vitals: &Vitals) -> f64 {
    f64::from(u32::try_from(vitals.resident / 1024).expect("less than 4 TiB")) * 1024.0 / MIB
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).expect("it fits"))
}

/// By least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let of = count(points.len());
    let (x_sum, y_sum) = points.iter().fold((0.0, 0.0), |(x_sum, y_sum), (x, y)| (x_sum + x, y_sum + y));
    let (x_mean, y_mean) = (x_sum / of, y_sum / of);
    let over: f64 = points.iter().map(|(x, y)| (x - x_mean) * (y - y_mean)).sum();
    let under: f64 = points.iter().map(|(x, _)| (x - x_mean).powi(2)).sum();
    over / under
}

#[test]
fn a_slope_is_what_it_is() {
    assert!((slope(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]) - 2.0).abs() < 1e-9);
    assert!(slope(&[(0.0, 4.0), (1.0, 4.0), (5.0, 4.0)]).abs() < 1e-9);
}
