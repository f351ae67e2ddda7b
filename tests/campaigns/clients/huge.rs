//! Messages that are larger than any may be (B26).

use mcp_authd_proto::v1;
use mcp_authd_proto::v1::tokens_client::TokensClient;
use mcp_authd_tests::bare::channel;
use mcp_authd_tests::programs::program;
use tonic::Code;

use super::load::{SETTLED, asked, serving};
use super::peer::{DATA, END_HEADERS, HEADERS, Peer, call_of, frame};
use crate::effort::{figures, rounds};
use crate::vitals::resident;

/// The largest message.
const LARGEST: usize = 128 * 1024;
/// What stands around a long name of an account in a GetTokenRequest: two fields, each with its length.
const AROUND: usize = 8;
const MEBIBYTE: u64 = 1 << 20;

/// A request that is so long on the wire.
fn of(bytes: usize) -> v1::GetTokenRequest {
    let target = v1::need::Target::Account("a".repeat(bytes - AROUND));
    let need = v1::Need { target: Some(target), ..v1::Need::default() };
    v1::GetTokenRequest { need: Some(need), ..v1::GetTokenRequest::default() }
}

/// A call that says that 4 GiB follow, and sends a few of them.
async fn says_that_four_gibibytes_follow(socket: &std::path::Path) -> bool {
    let mut peer = Peer::shaken(socket).await.expect("there is a place");
    let mut call = frame(HEADERS, END_HEADERS, 1, &call_of("/authd.v1.Tokens/GetToken"));
    call.extend(frame(DATA, 0, 1, &[0, 0xff, 0xff, 0xff, 0xff]));
    call.extend(frame(DATA, 0, 1, &[b'a'; 16_000]));
    peer.say(&call).await.expect("the daemon listens");
    let mut heard = Vec::new();
    let answered = async {
        loop {
            let came = peer.hears().await;
            if came.is_empty() || ends_stream_1(&heard) {
                return;
            }
            heard.extend(came);
            if ends_stream_1(&heard) {
                return;
            }
        }
    };
    tokio::time::timeout(SETTLED, answered).await.is_ok()
}

/// Whether HEADERS with END_STREAM, or RST_STREAM, of the first stream have come.
fn ends_stream_1(mut heard: &[u8]) -> bool {
    while let [a, b, c, kind, flags, _, _, _, stream, rest @ ..] = heard {
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        if *stream == 1 && (*kind == HEADERS && flags & 1 == 1 || *kind == super::peer::RST_STREAM) {
            return true;
        }
        heard = rest.get(length..).unwrap_or_default();
    }
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b26_a_huge_message_is_refused_before_it_is_held() {
    // given a daemon that has seen the largest message there may be
    let (_server, daemon) = serving().await;
    let mut tokens = TokensClient::new(channel(daemon.tokens_socket()).await);
    let largest = tokens.get_token(of(LARGEST)).await.expect_err("no account has such a name");
    assert_eq!(largest.code(), Code::InvalidArgument, "the largest message is read: {largest}");
    let one_more = tokens.get_token(of(LARGEST + 1)).await.expect_err("it is too large");
    assert_eq!(one_more.code(), Code::OutOfRange, "{one_more}");
    assert!(says_that_four_gibibytes_follow(&daemon.tokens_socket()).await);
    let before = resident(daemon.pid());

    // when
    let rounds = rounds(200, 20);
    for _ in 0..rounds {
        let refused = tokens.get_token(of(LARGEST + 1)).await.expect_err("it is too large");
        assert_eq!(refused.code(), Code::OutOfRange, "{refused}");
        assert!(says_that_four_gibibytes_follow(&daemon.tokens_socket()).await, "it waits for the rest");
    }

    // then
    let more = resident(daemon.pid()).saturating_sub(before);
    assert!(more < MEBIBYTE, "{more} bytes more are resident");
    asked(&program(&daemon)).await;
    figures(
        "b26",
        format!("{rounds} of 128 KiB and 1 byte, {rounds} that announce 4 GiB: all refused; {} KiB more resident", more >> 10),
    );
}
