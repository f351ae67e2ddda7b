//! A server that says when to come again, sensibly and otherwise (B19).

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use mcp_authd_client::Answer;
use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::programs::{program, token};
use mcp_authd_tests::server::{At, AuthorizationServer, Misbehaviour};
use tokio::task::JoinSet;

use super::dead::refreshes;
use super::{CALM_LOG, HOUR, logged_in_with_an_ended_token, look, name, put_off, servers};
use crate::effort::{figures, rounds};

/// What stands in `Retry-After`.
#[derive(Debug, Clone, Copy)]
enum Wish {
    Seconds(Duration),
    Date(Duration),
    TenYears,
    TenYearsByDate,
    Negative,
    Yesterday,
}

const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 86_400);

impl Wish {
    fn header(self, now: SystemTime) -> String {
        match self {
            Self::Seconds(wait) => wait.as_secs().to_string(),
            Self::Date(wait) => httpdate::fmt_http_date(now + wait),
            Self::TenYears => TEN_YEARS.as_secs().to_string(),
            Self::TenYearsByDate => httpdate::fmt_http_date(now + TEN_YEARS),
            Self::Negative => "-30".to_owned(),
            Self::Yesterday => httpdate::fmt_http_date(now - 24 * HOUR),
        }
    }

    /// How long the server is left alone at least, and how long callers are told to wait at most, once it has been told.
    fn window(self, told: SystemTime, now: SystemTime) -> (Duration, Duration) {
        // No wish that counts: the back-off of a first failure, 1 s ± 20 %.
        let (shortest, longest) = (Duration::from_millis(800), Duration::from_millis(1200));
        match self {
            Self::Seconds(wait) => (wait, wait),
            Self::Date(wait) => {
                // A date has no fractions of a second.
                let since = told.duration_since(SystemTime::UNIX_EPOCH).unwrap();
                let until = SystemTime::UNIX_EPOCH + Duration::from_secs(since.as_secs()) + wait;
                (until.duration_since(now).unwrap_or_default(), wait)
            }
            Self::TenYears | Self::TenYearsByDate => (HOUR, HOUR),
            Self::Negative | Self::Yesterday => (shortest, longest),
        }
    }
}

#[tokio::test]
async fn b19_a_server_that_says_when_to_come_again_is_left_alone_so_long_and_for_an_hour_at_most() {
    // given a server for each wish
    let wait = Duration::from_secs(rounds(30, 3) as u64);
    let wishes = [Wish::Seconds(wait), Wish::Date(wait), Wish::TenYears, Wish::TenYearsByDate, Wish::Negative, Wish::Yesterday];
    let (servers, config) = servers(wishes.len());
    let daemon = Arc::new(Daemon::start(config.environment("MCP_AUTHD_LOG", CALM_LOG)).await);
    let mut playing = JoinSet::new();
    for (number, (server, wish)) in servers.into_iter().zip(wishes).enumerate() {
        let daemon = Arc::clone(&daemon);
        playing.spawn(async move { left_alone(&daemon, &server, (name(number), wish, wait)).await });
    }
    let told = playing.join_all().await;
    let calls: usize = told.iter().map(|(_, calls)| calls).sum();
    let told: Vec<String> = told.into_iter().map(|(told, _)| told).collect();
    figures("b19", format!("{calls} calls within the windows, 0 requests; told to wait, and calls: {}", told.join("; ")));
}

/// Plays one wish. What happened, in words, and the calls within its window.
async fn left_alone(
    daemon: &Daemon,
    server: &AuthorizationServer,
    (account, wish, patience): (String, Wish, Duration),
) -> (String, usize) {
    let program = program(daemon);
    logged_in_with_an_ended_token(daemon, server, &account).await;
    server.change(|settings| settings.access_token_life = HOUR);

    // when the server answers so
    let told = SystemTime::now();
    let retry_after = Some(wish.header(told));
    server.script(At::Refresh, Misbehaviour::Status { code: 429, retry_after, body: "{}".to_owned() });
    let wait = put_off(program.token(look(&account)).await.unwrap()).retry_after.unwrap();
    let (at_least, at_most) = wish.window(told, SystemTime::now());
    assert!(wait <= at_most, "{wish:?}: told to wait {wait:?}, more than {at_most:?}");

    // then whoever asks within the window is told how much of it is left, and no request goes out
    let (over, mut calls) = (Instant::now() + patience, 0);
    let mut last = wait;
    let came = loop {
        match program.token(look(&account)).await.unwrap() {
            later @ Answer::TryLater(_) => {
                let left = put_off(later).retry_after.unwrap();
                assert!(left <= last, "{wish:?}: {left:?} after {last:?}");
                last = left;
                calls += 1;
            }
            other => {
                drop(token(other));
                break true;
            }
        }
        if at_least == HOUR && Instant::now() > over {
            break false;
        }
        // law: sleep: so that this is a program that asks far too often, and not a flood
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let sent = refreshes(server).split_off(1);
    assert_eq!((sent.len(), came), if at_least == HOUR { (1, false) } else { (2, true) }, "{wish:?}");
    if let [first, second] = &sent[..] {
        let distance = second.arrived.saturating_sub(first.decided.unwrap());
        assert!(distance + Duration::from_millis(5) >= at_least, "{wish:?}: asked again after {distance:?} of {at_least:?}");
    }
    // An hour less than what has passed, however slow this machine is.
    assert!(at_least < HOUR || wait > HOUR / 2, "{wish:?}: {wait:?}");
    server.counts().assert_no_race_was_lost();
    assert_eq!(server.counts().device_authorizations, 1);
    (format!("{wish:?} {wait:.1?}, {calls}"), calls)
}
