//! The authorization server goes wrong, and many programs want tokens of it (B17-B21, B28-B31).
//!
//! | file | what goes wrong |
//! |---|---|
//! | `dead` | nothing listens there, or it answers 503 for a long time (B17) |
//! | `hanging` | it takes a refresh and does not answer; who waited goes away (B18) |
//! | `later` | it says when to come again: in seconds, at a date, in ten years, yesterday (B19) |
//! | `flapping` | half of its answers are 5xx (B20) |
//! | `lying` | web pages, garbage, bombs, answers that drip (B21) |
//! | `herds` | a thousand callers at once: on an ended token, on a good one, on a server that fails (B28-B30) |
//! | `logouts` | the person logs out while a refresh is out (B31) |
//!
//! Each account has a server of its own, so that what one is told never depends on another.

mod dead;
mod flapping;
mod hanging;
mod herds;
mod later;
mod logouts;
mod lying;

use std::time::{Duration, Instant};

use mcp_authd_client::{Answer, Client, Need, Reason, Refusal, Request, SignInMode, Token};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{account_is, logged_in, program, token, token_ended, tool};
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use tokio::task::JoinSet;

use crate::latencies::Latencies;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
/// The frames of a thousand connections would make a log of gigabytes.
const CALM_LOG: &str = "info,mcp_authd=debug";

/// So many servers with short-lived tokens, and one account at each.
fn servers(number: usize) -> (Vec<AuthorizationServer>, Config) {
    let settings = Settings { access_token_life: SECOND, ..Settings::default() };
    let servers: Vec<_> = (0..number).map(|_| AuthorizationServer::start(settings.clone())).collect();
    let config = servers.iter().enumerate().fold(Config::new(), |config, (number, server)| {
        config.account(Account::at(&name(number), server.issuer()).scopes(["mcp:read"]))
    });
    (servers, config)
}

/// The account at the server of this number.
fn name(number: usize) -> String {
    format!("work-{number}")
}

/// Logs in, and waits until the token has ended, its successor too: the daemon has just renewed it ahead of time, and does not do so
/// again for ten seconds. The server has done one refresh then.
async fn logged_in_with_an_ended_token(daemon: &Daemon, server: &AuthorizationServer, account: &str) {
    server.change(|settings| settings.access_token_life = SECOND);
    logged_in(daemon, account).await;
    account_is(&tool(daemon), account, |status| status.grant.as_ref().is_some_and(|grant| grant.refreshed_at.is_some())).await;
    token_ended(daemon, account).await;
    assert_eq!(server.counts().refreshes_ok(), 1);
}

/// Asks for what there is: never begins a login.
fn look(account: &str) -> Request {
    Request::new(Need::account(account)).sign_in(SignInMode::Never)
}

/// The refusal of a server that is out of order for a while: what every caller is told who cannot have a token, and nothing else.
fn put_off(answer: Answer) -> Refusal {
    match answer {
        Answer::TryLater(refusal) => {
            assert!(refusal.reason == Reason::Unavailable && refusal.retry_after.is_some(), "{refusal:?}");
            refusal
        }
        other => panic!("`unavailable` was to come, and not {other:?}"),
    }
}

/// A program that does as it is told: asks, waits, asks again.
async fn token_in_the_end(program: &Client, account: &str) -> Token {
    loop {
        match program.token(look(account)).await.expect("every call is answered") {
            later @ Answer::TryLater(_) => {
                let wait = put_off(later).retry_after.expect("it was looked at");
                // law: sleep: it is what the refusal tells the program to do
                tokio::time::sleep(wait).await;
            }
            other => return token(other),
        }
    }
}

/// So many programs, connected.
async fn connected(programs: usize, daemon: &Daemon) -> Vec<Client> {
    let programs: Vec<Client> = (0..programs).map(|_| program(daemon)).collect();
    for program in &programs {
        program.accounts().await.expect("the daemon lists its accounts");
    }
    programs
}

/// Each program makes so many calls, all at the same time.
async fn herd(programs: &[Client], calls_each: usize, request: &Request) -> (Vec<Answer>, Latencies) {
    let mut calls = JoinSet::new();
    for program in programs {
        for _ in 0..calls_each {
            let (program, request) = (program.clone(), request.clone());
            calls.spawn(async move {
                let asked = Instant::now();
                let answer = program.token(request).await.expect("every call is answered");
                (answer, asked.elapsed())
            });
        }
    }
    let (answers, latencies): (Vec<_>, Vec<_>) = calls.join_all().await.into_iter().unzip();
    (answers, Latencies::of(latencies))
}
