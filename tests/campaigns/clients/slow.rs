//! Peers that do not come to the point (B24).

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::load::{serving, under_load};
use super::peer::{OPENING, PING, Peer, frame};
use crate::effort::{figures, rounds};
use crate::vitals::{Vitals, are_hidden};

/// Ten times as long as a slow peer may stay.
const WATCHDOG: Duration = Duration::from_secs(100);

/// How it is slow.
#[derive(Debug, Clone, Copy)]
enum Slow {
    OnlyConnects,
    HalfAPreface,
    AByteASecond,
    /// After a whole handshake.
    HalfAFrame,
}

const ALL: [Slow; 4] = [Slow::OnlyConnects, Slow::HalfAPreface, Slow::AByteASecond, Slow::HalfAFrame];

/// How long it was borne.
async fn borne(slow: Slow, socket: PathBuf) -> Duration {
    let mut peer = Peer::connected(&socket).await.expect("there is a place");
    let began = Instant::now();
    let borne = async {
        match slow {
            Slow::OnlyConnects => drop(peer.closed().await),
            Slow::HalfAPreface => {
                peer.say(&OPENING[..12]).await.expect("it is not closed at once");
                peer.closed().await;
            }
            Slow::HalfAFrame => {
                peer.say(OPENING).await.expect("it is not closed at once");
                peer.say(&frame(PING, 0, 0, &[0; 8])[..13]).await.expect("it is not closed at once");
                peer.closed().await;
            }
            Slow::AByteASecond => {
                for byte in OPENING.iter().cycle() {
                    let said = peer.say(&[*byte]).await;
                    if said.is_err() || tokio::time::timeout(Duration::from_secs(1), peer.closed()).await.is_ok() {
                        break;
                    }
                }
            }
        }
        began.elapsed()
    };
    tokio::time::timeout(WATCHDOG, borne).await.unwrap_or_else(|_| panic!("it was borne for ever: {slow:?}"))
}

async fn all_borne(peers: usize, socket: &Path) -> Vec<Duration> {
    let mut all = JoinSet::new();
    for (_, slow) in (0..peers).zip(ALL.iter().cycle()) {
        all.spawn(borne(*slow, socket.to_owned()));
    }
    let mut all = all.join_all().await;
    all.sort_unstable();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b24_slow_peers_are_dropped_and_hold_nobody_up() {
    // given
    let (_server, daemon) = serving().await;
    if are_hidden("b24: slow peers", daemon.pid()) {
        return;
    }
    let before = Vitals::of(daemon.pid());

    // when many peers are slow, each in its way, beside programs that ask
    let peers = rounds(500, 60);
    let (borne, load) = under_load(&daemon, all_borne(peers, &daemon.tokens_socket())).await;
    let at_the_other_door = all_borne(ALL.len() * 8, &daemon.admin_socket()).await;

    // then each of them is gone, and nothing is left of them
    let last = borne.iter().chain(&at_the_other_door).max().expect("there were some");
    crate::clients::load::descriptors_are(&daemon, before.descriptors).await;
    figures(
        "b24",
        format!(
            "{peers} slow peers dropped after {:.1?} to {last:.1?}; {} calls beside them p50 {:.1?}, p99 {:.1?}",
            borne[0],
            load.count(),
            load.percentile(50),
            load.percentile(99)
        ),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b24_a_half_open_connection_does_not_hold_a_leaving_daemon() {
    let rounds = rounds(20, 3);
    let (_server, mut daemon) = serving().await;
    let mut gone_after = Duration::ZERO;
    for _ in 0..rounds {
        let mut half_open = Vec::new();
        for socket in [daemon.tokens_socket(), daemon.admin_socket()] {
            for said in [0, 12, OPENING.len() - 1] {
                let mut peer = Peer::connected(&socket).await.expect("there is a place");
                peer.say(&OPENING[..said]).await.expect("it is not closed at once");
                // The daemon's own SETTINGS: it has taken the connection.
                assert!(!peer.hears().await.is_empty());
                half_open.push(peer);
            }
        }
        let asked = Instant::now();
        assert!(daemon.stop().await.success());
        gone_after = gone_after.max(asked.elapsed());
        daemon.start_again().await;
    }
    assert!(!daemon.logs().contains("some tasks were dropped"), "connections were left at the end of its patience");
    figures("b24", format!("{rounds} ends beside 6 half-open connections, gone after {gone_after:.1?} at most"));
}
