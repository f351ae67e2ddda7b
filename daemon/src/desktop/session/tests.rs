//! When a login is told and taken away, and what a leaving daemon waits for, on a clock that jumps and a bus that answers what it likes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use mcp_authd_oauth::sign_in::AuthorizationUrl;
use mcp_authd_oauth::terms::Scopes;
use mcp_authd_oauth::time::Instant as Time;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::*;
use crate::accounts::AccountName;
use crate::accounts::grant::Purpose;
use crate::accounts::need::SignInPrompt;
use crate::desktop::wire::{self, Body};

const NEVER: Duration = Duration::from_secs(3600);

/// A bus with a desktop. It tells each call that comes, and answers all but one.
struct Fake {
    folder: tempfile::TempDir,
    calls: mpsc::UnboundedReceiver<&'static str>,
}

impl Fake {
    fn that_never_answers(unanswered: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("bus")).unwrap();
        let (told, calls) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, told.clone(), unanswered));
            }
        });
        Self { folder, calls }
    }

    fn address(&self) -> Address {
        Address::at(&self.folder.path().join("bus"))
    }

    async fn is_asked(&mut self, method: &str) {
        let asked = async { while self.calls.recv().await.unwrap() != method {} };
        tokio::time::timeout(NEVER, asked).await.unwrap();
    }
}

async fn serve(mut stream: UnixStream, told: mpsc::UnboundedSender<&'static str>, unanswered: &str) {
    let mut inbox = Vec::new();
    while !inbox.ends_with(b"\r\n") {
        stream.read_buf(&mut inbox).await.unwrap();
    }
    stream.write_all(b"OK 0123\r\n").await.unwrap();
    inbox.clear();
    while inbox.len() < b"BEGIN\r\n".len() {
        stream.read_buf(&mut inbox).await.unwrap();
    }
    inbox.drain(..b"BEGIN\r\n".len());
    loop {
        let before = inbox.clone();
        if wire::take(&mut inbox).unwrap().is_some() {
            let (method, answer) = method(&before);
            told.send(method).unwrap();
            if method != unanswered {
                let serial = u32::from_le_bytes(before[8..12].try_into().unwrap());
                stream.write_all(&wire::tests::answer(serial, &answer)).await.unwrap();
            }
        } else if stream.read_buf(&mut inbox).await.unwrap_or(0) == 0 {
            return told.send("gone").unwrap_or_default();
        }
    }
}

/// Which call stands first, and its answer.
fn method(bytes: &[u8]) -> (&'static str, Body) {
    let empty = Body::default;
    let calls = [
        ("Hello", empty().string(":1.1")),
        ("AddMatch", empty()),
        ("GetCapabilities", empty().strings(&["actions"])),
        ("Notify", empty().unsigned(1)),
        ("CloseNotification", empty()),
        ("OpenURI", empty().string("/request")),
    ];
    // Who shows it is asked, and not whoever has the name of the service by now.
    let is_its_own = bytes.windows(6).any(|part| part == b"\0:1.2\0");
    let place = |name: &str| bytes.windows(name.len() + 1).position(|part| part == [name.as_bytes(), b"\0"].concat());
    let calls = calls.into_iter().filter(|(name, _)| *name != "CloseNotification" || is_its_own);
    calls.filter(|(name, _)| place(name).is_some()).min_by_key(|(name, _)| place(name)).unwrap()
}

fn session(begun: Begun) -> Session {
    let prompt = SignInPrompt {
        id: 1,
        purpose: Purpose::First,
        prompt: Prompt::Browser(AuthorizationUrl::new("https://as.example/authorize")),
        expires: Time::from_millis(i64::MAX),
        asked_by: "editor".to_owned(),
        more: Scopes::default(),
    };
    Session {
        login: Waiting { account: AccountName::parse("work").unwrap(), prompt },
        wishes: Desktop { notify: true, open_browser: true },
        clock: Clock::system(),
        begun,
        over: CancellationToken::new(),
        absence: Absence::default(),
    }
}

/// How long a daemon waits for its sessions when it leaves.
async fn leaves_after(tasks: &Tasks) -> Duration {
    let begin = Instant::now();
    assert!(tasks.finish(NEVER).await);
    begin.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_leaves_takes_the_notice_away_and_waits_half_a_second_for_that_at_most() {
    for (unanswered, longest) in [("nothing", Duration::ZERO), ("CloseNotification", LEAVING)] {
        let (mut bus, tasks) = (Fake::that_never_answers(unanswered), Tasks::new());
        session(Begun::Here).begin(Some(bus.address()), &tasks);
        bus.is_asked("Notify").await;
        let waited = leaves_after(&tasks).await;
        assert!(waited <= longest + Duration::from_millis(2), "{unanswered}: {waited:?}");
        bus.is_asked("CloseNotification").await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_be_shown_although_nobody_says_so_is_waited_for_as_long() {
    let (mut bus, tasks) = (Fake::that_never_answers("Notify"), Tasks::new());
    session(Begun::Here).begin(Some(bus.address()), &tasks);
    bus.is_asked("Notify").await;
    assert!(leaves_after(&tasks).await <= LEAVING + Duration::from_millis(2));
}

#[tokio::test(start_paused = true)]
async fn a_daemon_that_shows_nothing_yet_leaves_at_once() {
    for unanswered in ["Hello", "OpenURI", "AddMatch", "GetCapabilities"] {
        let (mut bus, tasks) = (Fake::that_never_answers(unanswered), Tasks::new());
        session(Begun::Here).begin(Some(bus.address()), &tasks);
        bus.is_asked(unanswered).await;
        assert_eq!(leaves_after(&tasks).await, Duration::ZERO, "{unanswered}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_of_a_daemon_before_is_told_once_this_one_has_lasted_and_opens_nothing() {
    let (mut bus, tasks, begin) = (Fake::that_never_answers("nothing"), Tasks::new(), Instant::now());
    session(Begun::Before).begin(Some(bus.address()), &tasks);
    assert_eq!(bus.calls.recv().await, Some("Hello"));
    assert!(begin.elapsed() >= SETTLED, "{:?}", begin.elapsed());
    for next in ["AddMatch", "AddMatch", "GetCapabilities", "Notify"] {
        assert_eq!(bus.calls.recv().await, Some(next));
    }
    tasks.finish(NEVER).await;

    // one that ends before adds none
    let (mut bus, tasks) = (Fake::that_never_answers("nothing"), Tasks::new());
    session(Begun::Before).begin(Some(bus.address()), &tasks);
    tokio::time::advance(SETTLED / 2).await;
    assert_eq!(leaves_after(&tasks).await, Duration::ZERO);
    assert!(bus.calls.try_recv().is_err(), "nothing was asked");
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_over_is_not_told_any_more() {
    let (mut bus, tasks) = (Fake::that_never_answers("OpenURI"), Tasks::new());
    let session = session(Begun::Here);
    let over = session.over.clone();
    session.begin(Some(bus.address()), &tasks);
    bus.is_asked("OpenURI").await;
    over.cancel();
    assert_eq!(bus.calls.recv().await, Some("gone"));
}

#[test]
fn that_there_is_no_desktop_is_news_once_and_again_once_there_was_one() {
    let absence = Absence::default();
    assert_eq!([absence.is_news(), absence.clone().is_news()], [true, false]);
    absence.is_over();
    assert!(absence.is_news());
}
