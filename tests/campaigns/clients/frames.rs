//! Calls as a real client writes them, frame by frame, and then changed: the two doors bear any bytes (P26).
//!
//! `secrets::asked` changes what stands in the messages; here it is what carries them: HTTP/2, header compression, gRPC's own lengths.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mcp_authd_client::{AdminClient, Client};
use mcp_authd_proto::v1;
use mcp_authd_proto::v1::admin_client::AdminClient as Admin;
use mcp_authd_proto::v1::tokens_client::TokensClient;
use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::programs::{program, tool};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tonic::transport::{Channel, Endpoint};

use super::load::{WORK, asked, descriptors_are, serving};
use super::peer::{
    CONTINUATION, DATA, END_HEADERS, HEADERS, OPENING, PING, PRIORITY, Peer, RST_STREAM, SETTINGS, WINDOW_UPDATE, call_of, field,
    frame,
};
use crate::effort::{figures, rounds};
use crate::parsers::Mutator;
use crate::random::{self, Random};
use crate::vitals::{Vitals, are_hidden, resident};

/// So many come at the same time, each as a connection of its own.
const AT_ONCE: usize = 32;
/// After so many the neighbours ask.
const BETWEEN: usize = 400;
/// Ten times as long as a peer may stay that does not come to the point.
const WATCHDOG: Duration = Duration::from_secs(100);
/// Ten times what a daemon holds: its memory is bounded by what is open, and not by what was said.
const BOUNDED: u64 = 128 << 20;
/// A connection is quiet so long before its peer says no more: else few calls would be answered.
const A_MOMENT: Duration = Duration::from_millis(5);
const PREFACE: usize = 24;
const GOAWAY: u8 = 0x7;
const PADDED: u8 = 0x8;
const END_STREAM: u8 = 0x1;

/// A frame whose head says what it likes.
#[derive(Debug, Clone)]
struct Frame {
    length: usize,
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Frame {
    fn of(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Self {
        Self { length: payload.len(), kind, flags, stream, payload: payload.to_vec() }
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(&u32::try_from(self.length & 0xff_ffff).expect("24 bits").to_be_bytes()[1..]);
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
    }
}

/// What a client said after its preface, frame by frame.
fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let [a, b, c, kind, flags, s, t, u, v, rest @ ..] = bytes {
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        let Some((payload, rest)) = rest.split_at_checked(length) else { break };
        frames.push(Frame::of(*kind, *flags, u32::from_be_bytes([*s, *t, *u, *v]), payload));
        bytes = rest;
    }
    frames
}

/// A channel that keeps what is written to it.
async fn overheard(socket: PathBuf) -> (Channel, Arc<Mutex<Vec<u8>>>) {
    let said = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&said);
    let connector = tower::service_fn(move |_| {
        let (socket, keep) = (socket.clone(), Arc::clone(&keep));
        async move {
            let (ours, theirs) = UnixStream::pair()?;
            let (mut hears, mut answers) = theirs.into_split();
            let (mut came, mut goes) = UnixStream::connect(socket).await?.into_split();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = hears.read(&mut buffer).await {
                    keep.lock().unwrap().extend(&buffer[..length]);
                    let _gone = goes.write_all(&buffer[..length]).await;
                }
            });
            tokio::spawn(async move { tokio::io::copy(&mut came, &mut answers).await });
            std::io::Result::Ok(hyper_util::rt::TokioIo::new(ours))
        }
    });
    let channel = Endpoint::from_static("http://mcp-authd.invalid").connect_with_connector(connector).await;
    (channel.expect("the socket is there"), said)
}

fn need() -> v1::Need {
    v1::Need { target: Some(v1::need::Target::Account(WORK.to_owned())), ..v1::Need::default() }
}

/// What a program says that lists, asks and watches. Nothing here begins a login or changes anything.
async fn program_said(daemon: &Daemon) -> Vec<Frame> {
    let (channel, said) = overheard(daemon.tokens_socket()).await;
    let mut tokens = TokensClient::new(channel);
    tokens.list_accounts(v1::ListAccountsRequest::default()).await.expect("it lists");
    let never = v1::SignInMode::Never.into();
    let request = v1::GetTokenRequest { need: Some(need()), sign_in: never, ..v1::GetTokenRequest::default() };
    tokens.get_token(request).await.expect("it answers");
    let mut watch = tokens.watch_token(need()).await.expect("it can be watched").into_inner();
    watch.message().await.expect("the state that stands");
    drop((watch, tokens));
    let said = said.lock().unwrap().clone();
    frames(&said[PREFACE..])
}

/// What the person's tool says that looks.
async fn tool_said(daemon: &Daemon) -> Vec<Frame> {
    let (channel, said) = overheard(daemon.admin_socket()).await;
    let mut admin = Admin::new(channel);
    admin.status(v1::StatusRequest::default()).await.expect("it answers");
    let mut watch = admin.watch_accounts(v1::WatchAccountsRequest::default()).await.expect("it can be watched").into_inner();
    watch.message().await.expect("the state that stands");
    drop((watch, admin));
    let said = said.lock().unwrap().clone();
    frames(&said[PREFACE..])
}

/// A call in every unusual shape that is allowed: padded, in pieces, with priorities, trailers, windows, resets and a farewell.
fn by_hand() -> Vec<Frame> {
    let call = call_of("/authd.v1.Tokens/ListAccounts");
    let (first, rest) = call.split_at(7);
    let padded = [&[3], call.as_slice(), &[0; 3]].concat();
    let trailers = field("x-last", "word");
    vec![
        Frame::of(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0, 0, 5, 0, 0, 0x80, 0]),
        Frame::of(SETTINGS, 1, 0, &[]),
        Frame::of(HEADERS, 0, 1, first),
        Frame::of(CONTINUATION, END_HEADERS, 1, rest),
        Frame::of(DATA, PADDED | END_STREAM, 1, &[2, 0, 0, 0, 0, 0, 0, 0]),
        Frame::of(PRIORITY, 0, 3, &[0, 0, 0, 1, 7]),
        Frame::of(HEADERS, END_HEADERS | PADDED, 3, &padded),
        Frame::of(DATA, 0, 3, &[0, 0, 0, 0, 0]),
        Frame::of(HEADERS, END_HEADERS | END_STREAM, 3, &trailers),
        Frame::of(HEADERS, END_HEADERS, 5, &call),
        Frame::of(WINDOW_UPDATE, 0, 5, &[0, 0, 1, 0]),
        Frame::of(WINDOW_UPDATE, 0, 0, &[0, 1, 0, 0]),
        Frame::of(RST_STREAM, 0, 5, &[0, 0, 0, 8]),
        Frame::of(PING, 0, 0, &[7; 8]),
        Frame::of(GOAWAY, 0, 0, &[0; 8]),
    ]
}

/// Streams of frames, and what is done to them.
struct Changes {
    seeds: Vec<Vec<Frame>>,
    bytes: Mutator,
}

impl Changes {
    fn of(seeds: Vec<Vec<Frame>>) -> Self {
        let bytes =
            Mutator::new(seeds.iter().map(|seed| written(seed)).collect(), &["PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "grpc", "te"]);
        Self { seeds, bytes }
    }

    /// One input: mostly whole frames that say wrong things, now and then bytes that are no frames.
    fn next(&self, random: &mut Random) -> Vec<u8> {
        if random.below(8) == 0 {
            return self.bytes.next(random);
        }
        let mut stream = random.one_of(&self.seeds).clone();
        for _ in 0..=random.below(3) {
            self.change(&mut stream, random);
        }
        written(&stream)
    }

    fn change(&self, stream: &mut Vec<Frame>, random: &mut Random) {
        if stream.is_empty() {
            stream.push(any_frame(random));
        }
        let at = random.below(stream.len());
        match random.below(13) {
            0 => stream[at].flags ^= 1 << random.below(8),
            1 => stream[at].kind = u8::try_from(random.below(12)).expect("a small number"),
            2 => stream[at].stream = *random.one_of(&[0, 1, 2, 3, 5, 7, 99, 0x7fff_ffff, 0x8000_0001, u32::MAX]),
            3 => {
                let length = stream[at].payload.len();
                stream[at].length = *random.one_of(&[0, 1, length + 1, length.saturating_sub(1), 16_384, 16_385, 0xff_ffff]);
            }
            4 => drop(stream.remove(at)),
            5 => {
                let again = stream[at].clone();
                (0..=random.below(20)).for_each(|_| stream.insert(at, again.clone()));
            }
            6 => {
                let other = random.below(stream.len());
                stream.swap(at, other);
            }
            7 => stream.insert(at, any_frame(random)),
            8 => {
                let from = random.one_of(&self.seeds);
                stream.insert(at, random.one_of(from).clone());
            }
            9 => {
                // Its header block comes in two.
                let cut = random.below(stream[at].payload.len());
                let rest = stream[at].payload.split_off(cut);
                stream[at].length = cut;
                stream[at].flags &= !END_HEADERS;
                let number = stream[at].stream;
                stream.insert(at + 1, Frame::of(CONTINUATION, END_HEADERS, number, &rest));
            }
            10 => {
                // The padding is longer than what is padded (RFC 9113, 6.1).
                stream[at].flags |= PADDED;
                let padding = u8::try_from(random.below(256)).expect("a byte");
                stream[at].payload.insert(0, padding);
                stream[at].length += 1;
            }
            11 if stream[at].kind == DATA => {
                // gRPC's own head lies: whether it is compressed, and how long it is.
                let lie: [u8; 5] =
                    *random.one_of(&[[0, 0xff, 0xff, 0xff, 0xff], [1, 0, 0, 0, 0], [2, 0, 0, 0, 1], [0, 0, 2, 0, 0]]);
                let rest = stream[at].payload.get(5..).unwrap_or_default().to_vec();
                stream[at] = Frame::of(DATA, stream[at].flags, stream[at].stream, &[&lie[..], &rest].concat());
            }
            _ => {
                self.bytes.change(&mut stream[at].payload, random);
                stream[at].length = stream[at].payload.len();
            }
        }
    }
}

/// A frame that may stand anywhere, and hardly belongs there.
fn any_frame(random: &mut Random) -> Frame {
    let number = random.number().to_be_bytes();
    let stream = *random.one_of(&[0, 1, 3, 5, 7]);
    match random.below(9) {
        0 => Frame::of(SETTINGS, 0, 0, &[0, number[0] % 10, number[1], number[2], number[3], number[4]]),
        1 => Frame::of(SETTINGS, number[0] & 1, stream, &number[..random.below(8)]),
        2 => Frame::of(PING, number[0] & 1, stream, &number[..random.below(9)]),
        3 => Frame::of(GOAWAY, 0, stream, &number),
        4 => Frame::of(RST_STREAM, 0, stream, &number[..4]),
        5 => Frame::of(WINDOW_UPDATE, 0, stream, random.one_of::<[u8; 4]>(&[[0; 4], [0x7f, 0xff, 0xff, 0xff], [0, 0, 0, 1]])),
        6 => Frame::of(PRIORITY, 0, stream, &[&stream.to_be_bytes()[..], &[number[0]]].concat()),
        7 => Frame::of(0x5, END_HEADERS, stream, &[&[0, 0, 0, 2], call_of("/pushed").as_slice()].concat()),
        _ => Frame::of(number[0], number[1], stream, &number),
    }
}

fn written(frames: &[Frame]) -> Vec<u8> {
    let mut bytes = OPENING[..PREFACE].to_vec();
    frames.iter().for_each(|frame| frame.write(&mut bytes));
    bytes
}

/// Says it in two pieces, waits a moment after each for what it brings, and says no more; what came until the daemon closed.
async fn said(socket: PathBuf, (first, rest): (Vec<u8>, Vec<u8>)) -> Vec<u8> {
    let mut peer = Peer::connected(&socket).await.expect("there is a place");
    let said = async {
        let _closed_already = peer.say(&first).await;
        let mut heard = tokio::time::timeout(A_MOMENT, peer.hears()).await.unwrap_or_default();
        heard.extend(peer.says_all(&rest, A_MOMENT).await);
        heard
    };
    tokio::time::timeout(WATCHDOG, said).await.expect("the connection is closed")
}

/// Says what a real client said, and waits for an answer to a call.
async fn is_understood(socket: &Path, seed: &[Frame]) {
    let mut peer = Peer::connected(socket).await.expect("there is a place");
    peer.say(&written(seed)).await.expect("the daemon listens");
    let mut heard = Vec::new();
    while !is_answered(&heard) {
        let came = tokio::time::timeout(WATCHDOG, peer.hears()).await.expect("it is answered");
        assert!(!came.is_empty(), "closed, and no call was answered: {:?}", frames(&heard));
        heard.extend(came);
    }
}

/// Everything that a door is told, and the neighbours that ask all the while.
struct Doors<'a> {
    daemon: &'a Daemon,
    program: Client,
    tool: AdminClient,
    most_resident: u64,
    /// Streams of frames in which at least one call was answered.
    answered: usize,
}

impl Doors<'_> {
    async fn are_told(&mut self, socket: &Path, changes: &Changes, random: &mut Random) {
        let mut peers = JoinSet::<Vec<u8>>::new();
        for _ in 0..BETWEEN {
            if peers.len() == AT_ONCE {
                let heard = peers.join_next().await.expect("there are some");
                self.answered += usize::from(is_answered(&heard.expect("it is said")));
            }
            let mut first = changes.next(random);
            let rest = first.split_off(random.below(first.len() + 1));
            peers.spawn(said(socket.to_owned(), (first, rest)));
        }
        self.answered += peers.join_all().await.iter().filter(|heard| is_answered(heard)).count();
        self.most_resident = self.most_resident.max(resident(self.daemon.pid()));
        asked(&self.program).await;
        self.tool.status().await.expect("the person's tool is served");
        asked(&program(self.daemon)).await;
    }
}

fn is_answered(heard: &[u8]) -> bool {
    assert!(!heard.windows(7).any(|word| word == b"SNTL_RT"), "a refresh token came out");
    frames(heard).iter().any(|frame| frame.kind == HEADERS)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p26_frames_that_nobody_sane_would_write_end_their_own_connection_and_nothing_else() {
    // given what real clients say at the two doors, each of which the daemon takes as it is
    let (server, daemon) = serving().await;
    if are_hidden("p26: frames", daemon.pid()) {
        return;
    }
    let at_tokens = Changes::of(vec![program_said(&daemon).await, by_hand()]);
    let at_admin = Changes::of(vec![tool_said(&daemon).await, by_hand()]);
    for (socket, changes) in [(daemon.tokens_socket(), &at_tokens), (daemon.admin_socket(), &at_admin)] {
        for seed in &changes.seeds {
            is_understood(&socket, seed).await;
        }
    }

    // when they come changed, many at once
    let mut random = Random::of(random::seed_of_inputs("p26 frames"));
    let (program, tool) = (program(&daemon), tool(&daemon));
    asked(&program).await;
    let (before, began) = (Vitals::of(daemon.pid()), Instant::now());
    let mut doors = Doors { daemon: &daemon, program, tool, most_resident: before.resident, answered: 0 };
    let inputs = rounds(200_000, 4_000);
    for _ in 0..inputs / BETWEEN / 2 {
        doors.are_told(&daemon.tokens_socket(), &at_tokens, &mut random).await;
        doors.are_told(&daemon.admin_socket(), &at_admin, &mut random).await;
    }
    let took = began.elapsed();

    // then the daemon lives, has served its neighbours, and holds nothing of them
    let (most, answered) = (doors.most_resident, doors.answered);
    assert!(most < BOUNDED, "{most} bytes resident");
    assert!(0 < answered && answered < inputs, "{answered} of {inputs} were answered: nothing was changed, or nothing was left");
    drop(doors);
    descriptors_are(&daemon, before.descriptors).await;
    // law: sleep: memory goes back a while after the last one has left
    tokio::time::sleep(Duration::from_millis(2500)).await;
    let after = Vitals::of(daemon.pid());
    assert!(!daemon.logs().contains("panicked"), "{}", daemon.logs());
    assert_eq!(server.counts().revocations, 0, "nobody was logged out");
    figures(
        "p26",
        format!(
            "{inputs} streams of frames in {took:.0?}, each closed, {answered} with a call that was answered, 0 panics; resident {} KiB before, {} at most, {} after; \
             descriptors {} -> {}, threads {} -> {}",
            before.resident >> 10,
            most >> 10,
            after.resident >> 10,
            before.descriptors,
            after.descriptors,
            before.threads,
            after.threads
        ),
    );
}

#[test]
fn the_same_beginning_makes_the_same_frames() {
    let changes = Changes::of(vec![by_hand()]);
    let made = |seed| {
        let mut random = Random::of(seed);
        (0..200).map(|_| changes.next(&mut random)).collect::<Vec<_>>()
    };
    assert_eq!(made(7), made(7));
    assert_eq!(frames(&written(&by_hand())[PREFACE..]).len(), by_hand().len(), "what is written is read");
    assert_eq!(written(&by_hand()[13..14])[PREFACE..], frame(PING, 0, 0, &[7; 8]));
}
