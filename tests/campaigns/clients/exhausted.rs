//! Descriptors run out (B23).

use std::path::Path;
use std::time::{Duration, Instant};

use mcp_authd_client::{Answer, Need};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{a_token, logged_in, program, tool, until, watched};
use mcp_authd_tests::server::{AuthorizationServer, Settings};

use super::load::{SETTLED, busy_share};
use super::peer::Peer;
use crate::effort::{figures, rounds};
use crate::vitals::{Vitals, are_hidden};

/// So many descriptors, and no more.
const LIMIT: &str = "--nofile=64";
const PEERS: usize = 200;
/// So short that there is always a refresh to do.
const LIFE: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(3600);
const ACCOUNTS: [&str; 4] = ["north", "east", "south", "west"];
/// Far more than the figure, 5 % of a processor, and far less than one that spins.
const CALM: f64 = 0.5;

/// Those of many peers that found a place; the others were closed at once.
async fn taken(socket: &Path) -> Vec<Peer> {
    let mut taken = Vec::new();
    for _ in 0..PEERS {
        let mut peer = Peer::connected(socket).await.expect("the socket is there");
        // One that is closed at once may be so before it has said a word.
        let _closed_already = peer.say(super::peer::OPENING).await;
        // The daemon's own SETTINGS, or the end.
        let heard = tokio::time::timeout(SETTLED, peer.hears()).await;
        if !heard.expect("who finds no place is closed, and is not left to wait").is_empty() {
            taken.push(peer);
        }
    }
    taken
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b23_a_daemon_without_descriptors_neither_spins_nor_loses_a_refresh() {
    // given a daemon that may open few files, and a program that is there already
    let server = AuthorizationServer::start(Settings { access_token_life: LIFE, ..Settings::default() });
    let accounts = ACCOUNTS.map(|name| Account::at(name, server.issuer()).scopes(["mcp:read"]));
    let config = accounts.into_iter().fold(Config::new(), Config::account);
    let mut daemon = Daemon::prepare(config.environment("MCP_AUTHD_LOG", "info,mcp_authd=debug"));
    daemon.launch_under(&["prlimit", LIMIT, "--"]);
    daemon.serves().await;
    if are_hidden("b23: no descriptors", daemon.pid()) {
        return;
    }
    for account in ACCOUNTS {
        logged_in(&daemon, account).await;
    }
    let held = program(&daemon);
    let mut watches = ACCOUNTS.map(|account| held.watch(Need::account(account)));
    for watch in &mut watches {
        watched(watch, a_token).await;
    }

    // when both doors are full, and more come
    let (programs, tools) = (taken(&daemon.tokens_socket()).await, taken(&daemon.admin_socket()).await);
    assert!(programs.len() < PEERS && tools.len() < PEERS, "nothing has run out");
    let share = busy_share(&daemon, Duration::from_secs(2)).await;
    assert!(share < CALM, "it spins: {share:.2}");

    // then every refresh is made and saved
    let rounds = u64::try_from(rounds(100, 8)).expect("few rounds");
    let (before, mut most) = (server.counts().refreshes_ok(), 0);
    while server.counts().refreshes_ok() < before + rounds {
        most = most.max(Vitals::of(daemon.pid()).descriptors);
        for watch in &mut watches {
            let answer = watch.token();
            assert!(!matches!(answer, Ok(Answer::GiveUp(_))), "{answer:?}");
        }
        // law: sleep: the next refresh is due by the clock
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.change(|settings| settings.access_token_life = LONG);
    // Until no refresh is out: what a kill does to one is another campaign.
    for watch in &mut watches {
        watched(watch, |answer| a_token(answer).filter(|token| token.remaining() > Some(LONG / 2))).await;
    }
    let counts = server.counts();
    counts.assert_no_race_was_lost();
    let logs = daemon.logs();
    for complaint in ["not saved", "cannot be saved", "Too many open files", "NoResources", "did not reach"] {
        assert!(!logs.contains(complaint), "{complaint}");
    }

    // and who comes after the flood is served
    drop((programs, tools));
    let began = Instant::now();
    until("a place is free", || daemon_has_room(&daemon, most)).await;
    let status = tool(&daemon).status().await.expect("the person's tool is served");
    let again = began.elapsed();
    assert_eq!(status.accounts.len(), ACCOUNTS.len());

    // and what was saved is there
    let tokens = server.counts().device_authorizations;
    daemon.kill();
    daemon.start_again().await;
    for account in ACCOUNTS {
        watched(&mut program(&daemon).watch(Need::account(account)), a_token).await;
    }
    let counts = server.counts();
    counts.assert_no_race_was_lost();
    assert_eq!((counts.device_authorizations, counts.refreshes), (tokens, counts.refreshes_ok()));
    figures(
        "b23",
        format!(
            "64 descriptors, {most} open at most; {rounds} of {rounds} refreshes made and saved; busy {:.1} % of a processor; \
             served again {again:.1?} after the flood",
            share * 100.0
        ),
    );
}

fn daemon_has_room(daemon: &Daemon, most: usize) -> bool {
    Vitals::of(daemon.pid()).descriptors < most - 1
}
