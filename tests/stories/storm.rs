//! The long story: 200 refreshes at a certified server with reuse detection, 16 programs at once, and a daemon that is killed among them.
//!
//! Every kill may find one refresh of each account on the way. Such a refresh is replayed once (D56): where the server had done its work,
//! that is a reuse, it revokes the family, and the person logs in again. Nothing else may ever be a reuse.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mcp_authd_client::{Answer, Client, Need};
use mcp_authd_tests::daemon::{Config, Daemon};
use mcp_authd_tests::programs::program;
use mcp_authd_tests::real_idp::RealIdp;
use mcp_authd_tests::skip::skipped;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::real_server::{account, count_reaches, user_code};

const PROGRAMS: usize = 16;
/// Each has a family of its own at the server; all programs use all of them.
const ACCOUNTS: [&str; 4] = ["north", "east", "south", "west"];
const REFRESHES: u64 = 200;
const REFRESHES_OK: &str = "/token/refresh_token/ok";
/// Ten times longer than it takes.
const WATCHDOG: Duration = Duration::from_secs(900);

/// When the daemon is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kill {
    /// Whatever it does just then.
    AtAnyMoment,
    /// The refreshes of so many accounts have arrived, the server has done nothing.
    BeforeTheCommit(u64),
    /// The server has spent the refresh tokens of so many accounts, its answers are on the way.
    AfterTheCommit(u64),
}

/// A kill every 15 refreshes.
const KILLS: [Kill; 12] = [
    Kill::AtAnyMoment,
    Kill::BeforeTheCommit(1),
    Kill::AtAnyMoment,
    Kill::AfterTheCommit(1),
    Kill::AtAnyMoment,
    Kill::BeforeTheCommit(4),
    Kill::AtAnyMoment,
    Kill::AfterTheCommit(4),
    Kill::AtAnyMoment,
    Kill::BeforeTheCommit(2),
    Kill::AfterTheCommit(2),
    Kill::AtAnyMoment,
];
const DISTANCE: u64 = 15;

/// What the programs know together.
#[derive(Debug, Default)]
struct Together {
    over: AtomicBool,
    served: AtomicU64,
}

#[tokio::test]
async fn two_hundred_refreshes_under_sixteen_programs_and_twelve_kills_reuse_nothing_but_what_was_in_flight() {
    let settings = ["--access-token-ttl", "1", "--poll-interval", "1", "--slow-down", "false"];
    let idp = match RealIdp::start_with(&settings).await {
        Ok(idp) => Arc::new(idp),
        Err(reason) => return skipped("200 refreshes at a certified server", &reason),
    };
    let story = tokio::time::timeout(WATCHDOG, weather(idp)).await;
    story.expect("the storm passes");
}

async fn weather(idp: Arc<RealIdp>) {
    // given 16 programs that use the tokens of four accounts, each token to its end
    let accounts =
        ACCOUNTS.into_iter().fold(Config::new(), |config, name| config.account(account(name, &idp).scopes(["openid"])));
    // The HTTP/2 frames of all programs would make a log of many megabytes.
    let mut daemon = Daemon::start(accounts.environment("MCP_AUTHD_LOG", "info,mcp_authd=trace")).await;
    let together = Arc::new(Together::default());
    let (shown, codes) = mpsc::unbounded_channel();
    let mut programs = JoinSet::new();
    for _ in 0..PROGRAMS {
        let client = program(&daemon);
        for account in ACCOUNTS {
            programs.spawn(use_tokens(client.clone(), account, shown.clone(), Arc::clone(&together)));
        }
    }
    drop(shown);
    let person = tokio::spawn(approve_each(codes, Arc::clone(&idp)));

    // when the daemon is killed again and again, and comes back
    for (kill, so_many) in KILLS.into_iter().zip((DISTANCE..).step_by(15)) {
        count_reaches(&idp, REFRESHES_OK, so_many).await;
        moment(kill, &idp).await;
        daemon.kill();
        daemon.start_again().await;
    }
    count_reaches(&idp, REFRESHES_OK, REFRESHES).await;
    together.over.store(true, Ordering::Relaxed);
    while let Some(ended) = programs.join_next().await {
        ended.expect("no program gives up");
    }
    let logins = person.await.expect("every code can be approved");

    // then only what was in flight at a kill was sent twice, and each reuse that the server saw cost one login
    let (refreshes, reuses) = (idp.count(REFRESHES_OK).await.unwrap(), idp.count("/refresh_reuses_detected").await.unwrap());
    let replays = u64::try_from(daemon.logs().matches("attempt=\"replay\"").count()).unwrap();
    let (kills, served) = (KILLS.len(), together.served.load(Ordering::Relaxed));
    let figures = format!(
        "{refreshes} refreshes, {PROGRAMS} programs, {} accounts, {kills} kills, {replays} refreshes in flight at a kill, \
         {reuses} reuses, {logins} logins, {served} tokens served",
        ACCOUNTS.len()
    );
    say(&figures);
    let (before, after) = KILLS.into_iter().fold((0, 0), |(before, after), kill| match kill {
        Kill::AtAnyMoment => (before, after),
        Kill::BeforeTheCommit(so_many) => (before + so_many, after),
        Kill::AfterTheCommit(so_many) => (before, after + so_many),
    });
    assert!(replays >= before + after, "what was in flight on purpose is replayed: {figures}");
    assert!(replays <= (kills * ACCOUNTS.len()) as u64, "at most one for each account at each kill: {figures}");
    assert!(reuses <= replays, "a reuse that was not the one permitted replay: {figures}");
    assert!(reuses >= after, "the server sees what is replayed after its commit: {figures}");
    assert!(logins <= ACCOUNTS.len() as u64 + reuses, "a login that no reuse explains: {figures}");
    assert_eq!(idp.count("/token/refresh_token/invalid_grant").await.unwrap(), reuses, "{figures}");
}

/// A program: asks, uses the token to its end, asks again.
async fn use_tokens(client: Client, account: &'static str, shown: mpsc::UnboundedSender<String>, together: Arc<Together>) {
    while !together.over.load(Ordering::Relaxed) {
        let pause = match client.token(Need::account(account)).await {
            Ok(Answer::UseToken(token)) => {
                together.served.fetch_add(1, Ordering::Relaxed);
                token.remaining().expect("the server says how long a token lives")
            }
            Ok(Answer::ShowSignIn(sign_in)) => {
                shown.send(user_code(&sign_in).to_owned()).expect("the person is there");
                Duration::from_millis(50)
            }
            Ok(Answer::TryLater(_)) | Err(_) => Duration::from_millis(20),
            Ok(Answer::GiveUp(refusal)) => panic!("a program was told to give up: {refusal:?}"),
        };
        // law: sleep: what the program waits for is the end of its own token; or the daemon, which is dead
        tokio::time::sleep(pause).await;
    }
}

/// The person approves each code once. How many there were.
async fn approve_each(mut codes: mpsc::UnboundedReceiver<String>, idp: Arc<RealIdp>) -> u64 {
    let mut approved = HashSet::new();
    while let Some(code) = codes.recv().await {
        if approved.insert(code.clone()) {
            idp.approve(&code, "alice").await.expect("a code that a program shows can be approved");
        }
    }
    approved.len() as u64
}

/// Returns when the moment to kill has come.
async fn moment(kill: Kill, idp: &RealIdp) {
    let refresh = |mode, count| json!({ "endpoint": "token", "grant_type": "refresh_token", "mode": mode, "count": count, "delay_ms": 600_000 });
    match kill {
        Kill::AtAnyMoment => {}
        Kill::BeforeTheCommit(so_many) => {
            let before = idp.count("/faults_fired/token:hang").await.unwrap();
            idp.fault(&refresh("hang", so_many)).await.unwrap();
            count_reaches(idp, "/faults_fired/token:hang", before + so_many).await;
        }
        Kill::AfterTheCommit(so_many) => {
            let before = slow_and_done(idp).await;
            idp.fault(&refresh("slow", so_many)).await.unwrap();
            while slow_and_done(idp).await < before + so_many {
                // law: sleep: the lab answers questions; it has no way to call back
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

/// Refreshes that the server has done, and whose answers it holds back.
async fn slow_and_done(idp: &RealIdp) -> u64 {
    let log = idp.log().await.unwrap();
    let requests = log.get("log").and_then(Value::as_array).expect("the lab keeps a log");
    requests.iter().filter(|request| request["fault"] == "slow" && request["outcome"] == "ok").count() as u64
}

/// Past the runner's capture: the figures are what people want to see.
fn say(figures: &str) {
    use std::io::Write as _;
    let _no_matter = writeln!(std::io::stderr().lock(), "FIGURES: {figures}");
}
