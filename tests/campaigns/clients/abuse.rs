//! HTTP/2 turned against its server (B25).

use std::time::{Duration, Instant};

use super::load::{asked, busy_share, descriptors_are, serving, under_load};
use super::peer::{
    CONTINUATION, DATA, END_HEADERS, HEADERS, PING, PRIORITY, Peer, RST_STREAM, SETTINGS, WINDOW_UPDATE, call_of, field, frame,
    text,
};
use crate::effort::{figures, is_whole, rounds};
use crate::vitals::{Vitals, are_hidden, resident};
use mcp_authd_tests::programs::program;

/// Frames are sent by so many at once.
const AT_ONCE: usize = 100;
/// After so many of these a flood is given up: it was not ended.
const BURSTS: usize = 10_000;
/// Far more than the figure, 5 % of a processor, and far less than one that spins.
const CALM: f64 = 0.5;

#[derive(Debug, Clone, Copy)]
enum Abuse {
    RapidReset,
    Continuations,
    EmptyContinuations,
    Pings,
    Settings,
    EmptyData,
    Priorities,
    Windows,
    HpackBomb,
    TenThousandStreams,
}

const ALL: [Abuse; 10] = [
    Abuse::RapidReset,
    Abuse::Continuations,
    Abuse::EmptyContinuations,
    Abuse::Pings,
    Abuse::Settings,
    Abuse::EmptyData,
    Abuse::Priorities,
    Abuse::Windows,
    Abuse::HpackBomb,
    Abuse::TenThousandStreams,
];

impl Abuse {
    /// What a burst begins with, where it is the first one.
    fn begins(self) -> Vec<u8> {
        let call = call_of("/authd.v1.Tokens/GetToken");
        match self {
            Self::Continuations | Self::EmptyContinuations => frame(HEADERS, 0, 1, &call),
            Self::EmptyData => frame(HEADERS, END_HEADERS, 1, &call),
            _ => Vec::new(),
        }
    }

    /// The frame with this number.
    fn frame(self, number: usize) -> Vec<u8> {
        let stream = u32::try_from(2 * number + 1).expect("a stream's number fits");
        match self {
            Self::RapidReset => {
                let call = frame(HEADERS, END_HEADERS, stream, &call_of("/authd.v1.Tokens/GetToken"));
                [call, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
            }
            Self::Continuations => frame(CONTINUATION, 0, 1, &field("x", &"y".repeat(1000))),
            Self::EmptyContinuations => frame(CONTINUATION, 0, 1, &[]),
            Self::Pings => frame(PING, 0, 0, &[7; 8]),
            Self::Settings => frame(SETTINGS, 0, 0, &[]),
            Self::EmptyData => frame(DATA, 0, 1, &[]),
            Self::Priorities => frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1]),
            Self::Windows => frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes()),
            Self::HpackBomb => frame(HEADERS, END_HEADERS, stream, &bomb()),
            Self::TenThousandStreams => frame(HEADERS, END_HEADERS, stream, &call_of("/authd.v1.Tokens/GetToken")),
        }
    }

    /// Whether the daemon has closed the connection.
    async fn ended(self, mut peer: Peer) -> bool {
        let began = peer.say(&self.begins()).await;
        began.is_err()
            || peer
                .floods(BURSTS, |burst| (burst * AT_ONCE..(burst + 1) * AT_ONCE).flat_map(|number| self.frame(number)).collect())
                .await
    }
}

/// One large field goes into the table, and then is named thousands of times by a byte each (RFC 7541, 7.3).
fn bomb() -> Vec<u8> {
    let mut block = call_of("/authd.v1.Tokens/GetToken");
    block.push(0x40);
    block.extend(text("x"));
    block.extend(text(&"y".repeat(4000)));
    block.extend([0xbe; 8000]);
    block
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b25_abuse_of_http_2_ends_its_own_connection_and_nothing_else() {
    // given
    let (_server, daemon) = serving().await;
    if are_hidden("b25: abuse of HTTP/2", daemon.pid()) {
        return;
    }
    let rounds = rounds(10, 1);
    let before = Vitals::of(daemon.pid());
    let calm_for = Duration::from_millis(if is_whole() { 2000 } else { 500 });
    for abuse in ALL {
        // when
        let attack = async {
            let began = Instant::now();
            for _ in 0..rounds {
                let peer = Peer::shaken(&daemon.tokens_socket()).await.expect("there is a place");
                assert!(abuse.ended(peer).await, "it was borne for ever: {abuse:?}");
            }
            began.elapsed() / u32::try_from(rounds).expect("few rounds")
        };
        let (ended_after, load) = under_load(&daemon, attack).await;

        // then the daemon is calm, and serves
        descriptors_are(&daemon, before.descriptors).await;
        let share = busy_share(&daemon, calm_for).await;
        assert!(share < CALM, "still busy after {abuse:?}: {share:.2}");
        asked(&program(&daemon)).await;
        let resident = resident(daemon.pid()) >> 20;
        figures(
            "b25",
            format!(
                "{abuse:?}: ended {rounds} of {rounds}, after {ended_after:.1?} each; busy afterwards {:.1} %; {} calls beside it \
                 p99 {:.1?}; resident {resident} MiB",
                share * 100.0,
                load.count(),
                load.percentile(99)
            ),
        );
    }
    assert!(!daemon.logs().contains("panicked"));
}
