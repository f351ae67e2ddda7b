//! Answers that are none: web pages, garbage, far too many bytes, one byte at a time (B21).

use std::sync::Arc;
use std::time::{Duration, Instant};

use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::programs::{logged_in, program};
use mcp_authd_tests::server::{At, AuthorizationServer, Misbehaviour, RequestRecord, Rotation};
use tokio::task::JoinSet;

use super::dead::refreshes;
use super::{HOUR, SECOND, logged_in_with_an_ended_token, name, servers, token_in_the_end};
use crate::effort::{figures, is_whole, rounds};
use crate::vitals::resident;

const BOMB: usize = 64 << 20;
const MEBIBYTE: u64 = 1 << 20;
/// Stands in bodies that are not to be kept anywhere.
const MARK: &str = "a-word-of-a-body-3f1c";
/// What stands in the bodies of the harness's own lies.
const WORDS: [&str; 4] = [MARK, "Welcome, guest", "oops", "AAAAAAAAAAAAAAAA"];

/// What the server does to a refresh, and how soon it may be asked again at the earliest. `None`: it does its work after all.
fn lies() -> Vec<(&'static str, Misbehaviour, Option<Duration>)> {
    let status = |code, body: String| Misbehaviour::Status { code, retry_after: None, body };
    let page = format!("<!doctype html><title>{MARK}</title>");
    // A complete answer that says "no" for now: the back-off of a first failure, 1 s - 20 % (D48).
    let later = Some(Duration::from_millis(800));
    // Nobody knows whether the refresh token was spent: it is presented once more, at once (D56).
    let replayed = Some(Duration::ZERO);
    vec![
        ("a web page with 502", status(502, page.clone()), later),
        ("a web page with 403", status(403, page.clone()), later),
        ("garbage with 503", status(503, format!("{{\"error\": {MARK}")), later),
        ("a web page with 200", Misbehaviour::Html, replayed),
        ("the same, of ours", status(200, page), replayed),
        ("garbage with 200", Misbehaviour::Garbage, replayed),
        ("a bomb", Misbehaviour::Bomb(BOMB), replayed),
        ("drops", Misbehaviour::Drip { each: Duration::from_millis(3) }, None),
    ]
}

#[tokio::test]
async fn b21_answers_that_are_none_cost_no_login_no_memory_and_leave_no_word_in_the_log() {
    // given a daemon that logs everything
    let lies = lies();
    let (servers, config) = servers(lies.len());
    let daemon = Arc::new(Daemon::start(config).await);
    // (as large as it is with its accounts' first tokens, before any of them is lied to)
    let before = resident_when_logged_in(&daemon, &servers).await;

    // when each server lies in its own way, again and again
    let rounds = rounds(40, 2);
    let mut playing = JoinSet::new();
    for (number, (server, (lie, fault, again))) in servers.into_iter().zip(lies).enumerate() {
        let daemon = Arc::clone(&daemon);
        playing.spawn(async move {
            for _ in 0..rounds {
                lied_to(&daemon, &server, (&name(number), fault.clone())).await;
            }
            let wrong = wrong_with(&refreshes(&server), again, rounds);
            assert_eq!(wrong, None, "{lie}: {:#?}", refreshes(&server));
            server.counts().assert_no_race_was_lost();
            assert_eq!(server.counts().device_authorizations, 1, "{lie}: somebody had to log in");
        });
    }
    playing.join_all().await;

    // then it never held what it was sent, and told nobody
    let most = most_resident(daemon.pid());
    assert!(most < before + 16 * MEBIBYTE, "{} KiB resident before, {} KiB at most", before / 1024, most / 1024);
    let log = daemon.logs();
    for word in WORDS {
        assert!(!log.contains(word), "a body stands in the log: {word:?}");
    }
    figures(
        "b21",
        format!(
            "{rounds} rounds of 8 lies, bombs of {} MiB; resident {} KiB before, {} KiB at most",
            BOMB >> 20,
            before / 1024,
            most / 1024
        ),
    );
}

/// A program uses its tokens to their ends, until the server has lied about the next and there is one all the same.
async fn lied_to(daemon: &Daemon, server: &AuthorizationServer, (account, fault): (&str, Misbehaviour)) {
    let program = program(daemon);
    let done = server.counts().refreshes_ok();
    server.script(At::Refresh, fault);
    while server.script_left(At::Refresh) > 0 || server.counts().refreshes_ok() == done {
        let token = token_in_the_end(&program, account).await;
        // law: sleep: the token's life has to pass
        tokio::time::sleep(token.remaining().unwrap_or_default()).await;
    }
}

/// What the requests tell that should not be: so many lies, after each no more than one request, and no request without need.
fn wrong_with(sent: &[RequestRecord], again: Option<Duration>, lies: usize) -> Option<String> {
    let told = sent.iter().filter(|request| request.outcome != "ok").count();
    if told != again.map_or(0, |_| lies) {
        return Some(format!("{told} lies"));
    }
    sent.windows(2).find_map(|pair| {
        let distance = pair[1].arrived.saturating_sub(pair[0].decided?) + Duration::from_millis(5);
        match pair[0].outcome.as_str() {
            // A token is never renewed before half of its second has passed (D53).
            "ok" if distance < SECOND / 2 => Some(format!("asked again after {distance:?}, with a token in hand")),
            "ok" => None,
            _ if again.is_some_and(|again| distance < again) => Some(format!("asked again after {distance:?}")),
            _ if pair[1].outcome != "ok" => Some("asked a third time".to_owned()),
            _ => None,
        }
    })
}

/// Logs in to all of them at once.
async fn resident_when_logged_in(daemon: &Arc<Daemon>, servers: &[AuthorizationServer]) -> u64 {
    let mut logins = JoinSet::new();
    for number in 0..servers.len() {
        let daemon = Arc::clone(daemon);
        logins.spawn(async move { logged_in(&daemon, &name(number)).await });
    }
    logins.join_all().await;
    resident(daemon.pid())
}

/// `VmHWM`, in bytes.
fn most_resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel tells it");
    1024 * line.trim().trim_end_matches("kB").trim().parse::<u64>().expect("it is a number")
}

#[tokio::test]
async fn b21_an_answer_that_drips_is_awaited_for_five_minutes_and_then_replayed_once() {
    // given a server that forgives a replay, whose next answer drips: in whole for more than ten minutes
    let (servers, config) = servers(1);
    let (server, account) = (&servers[0], name(0));
    let daemon = Daemon::start(config.environment("MCP_AUTHD_LOG", super::CALM_LOG)).await;
    logged_in_with_an_ended_token(&daemon, server, &account).await;
    server.change(|settings| (settings.access_token_life, settings.rotation) = (HOUR, Rotation::Grace(HOUR)));
    let each = if is_whole() { 2 * SECOND } else { Duration::from_millis(10) };
    server.script(At::Refresh, Misbehaviour::Drip { each });

    // when programs ask, each is answered at its own deadline meanwhile
    let begun = Instant::now();
    let program = program(&daemon);
    token_in_the_end(&program, &account).await;
    let took = begun.elapsed();

    // then what came byte by byte in time is taken, and what did not is asked for once more
    let (sent, counts) = (refreshes(server), server.counts());
    assert_eq!((sent.len(), counts.grace_replays), if is_whole() { (3, 1) } else { (2, 0) });
    if let [_, first, replay] = &sent[..] {
        assert!(replay.arrived - first.arrived >= Duration::from_secs(299), "given up early: {sent:?}");
    }
    assert_eq!(counts.device_authorizations, 1);
    counts.assert_no_race_was_lost();
    figures("b21", format!("an answer of a byte each {each:?}: a token after {took:.1?}, {} replays", counts.grace_replays));
}
