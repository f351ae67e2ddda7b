//! Far more connections than there are places (B22).

use std::path::PathBuf;
use std::time::{Duration, Instant};

use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::programs::logged_in;
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use mcp_authd_tests::skip::{Skip, skipped};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::task::JoinSet;

use super::load::{SETTLED, WORK, asked, configured, newcomer, under_load};
use super::peer::{OPENING, Peer};
use crate::effort::{figures, rounds};
use crate::vitals::resident;

/// Ten times the figure: a resident memory that is bounded by the places, and not by who comes.
const BOUNDED: u64 = 128 << 20;
/// So many come at the same time.
const AT_ONCE: usize = 100;

/// What became of a crowd.
struct Crowd {
    /// Those that found a place.
    taken: Vec<Peer>,
    /// How long the others waited for their end, sorted.
    closed: Vec<Duration>,
}

async fn comes(socket: PathBuf) -> Result<Peer, Duration> {
    let mut peer = Peer::connected(&socket).await.expect("the socket is there");
    let began = Instant::now();
    // One that is closed at once may be so before it has said a word.
    let _closed_already = peer.say(OPENING).await;
    let heard = tokio::time::timeout(SETTLED, peer.hears()).await.expect("nobody is left to wait");
    if heard.is_empty() { Err(began.elapsed()) } else { Ok(peer) }
}

async fn all_come(many: usize, daemon: &Daemon) -> Crowd {
    let mut crowd = Crowd { taken: Vec::new(), closed: Vec::new() };
    for _ in 0..many / AT_ONCE {
        let mut some = JoinSet::new();
        for _ in 0..AT_ONCE {
            some.spawn(comes(daemon.tokens_socket()));
        }
        for came in some.join_all().await {
            match came {
                Ok(peer) => crowd.taken.push(peer),
                Err(after) => crowd.closed.push(after),
            }
        }
    }
    crowd.closed.sort_unstable();
    crowd
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b22_a_crowd_beyond_the_places_is_closed_and_those_inside_go_on() {
    // given a daemon, the whole campaign with all its places, the short one with few
    let many = rounds(10_000, 1_000);
    let needed = u64::try_from(many).expect("it fits") + 500;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit can be asked for");
    if soft < needed && setrlimit(Resource::RLIMIT_NOFILE, needed, hard).is_err() {
        let reason = format!("{needed} descriptors are needed, and {hard} may be had: raise the limit with ulimit -Hn");
        return skipped("b22", &Skip(reason));
    }
    let server = AuthorizationServer::start(Settings::default());
    let mut daemon = Daemon::prepare(configured(&server));
    let limit = format!("--nofile={}", rounds(20_000, 1_024));
    daemon.launch_under(&["prlimit", &limit, "--"]);
    daemon.serves().await;
    logged_in(&daemon, WORK).await;
    let before = resident(daemon.pid());

    // when
    let (crowd, load) = under_load(&daemon, all_come(many, &daemon)).await;

    // then
    let full = resident(daemon.pid());
    let (taken, closed) = (crowd.taken.len(), crowd.closed.len());
    assert!(closed > 0 && taken + closed == many, "{taken} taken, {closed} closed");
    assert!(full < BOUNDED, "{full} bytes resident");
    let slowest = *crowd.closed.last().expect("some were closed");
    drop(crowd);
    let began = Instant::now();
    asked(&newcomer(&daemon).await).await;
    let again = began.elapsed();
    // law: sleep: memory goes back a while after the last one has left
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let after = resident(daemon.pid());
    let mebibytes = |bytes: u64| bytes >> 20;
    figures(
        "b22",
        format!(
            "{many} connections: {taken} taken, {closed} closed, after {slowest:.1?} at most; {} calls of those inside p50 {:.1?}, \
             p99 {:.1?}; resident {} MiB before, {} full, {} after; a new program served {again:.1?} after the release",
            load.count(),
            load.percentile(50),
            load.percentile(99),
            mebibytes(before),
            mebibytes(full),
            mebibytes(after),
        ),
    );
}
