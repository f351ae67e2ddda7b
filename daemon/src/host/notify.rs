//! What a service manager is told: ready, how it goes, still alive, leaving (sd_notify(3)).
//!
//! Must never: wait for a manager, fail because of one, or tell it anything but constant words, counts, and why it cannot serve, as the
//! log says it, too.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// A manager that does not read for a while: how often, and how long apart, the word that it waits for is said again.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// How a reason begins; `authctl` and the library know it by this.
const CANNOT_SERVE: &str = "cannot serve: ";
/// What is told of a reason, in bytes: systemd reads 4096 at once.
const LONGEST: usize = 2048;

/// The way to the manager. Without one everything is said to nobody.
#[derive(Debug, Default)]
pub struct Notifier {
    line: Option<Line>,
    watchdog: Option<Duration>,
}

#[derive(Debug)]
struct Line {
    socket: UnixDatagram,
    manager: SocketAddr,
}

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News<'a> {
    /// A call would be answered now; how it goes, in one line.
    Ready(&'a str),
    /// How it goes, in one line.
    Status(&'a str),
    /// The loop that answers calls is alive.
    Alive,
    /// It cannot serve, and ends; why, for whoever looks at the service afterwards.
    Failing(&'a str),
    /// It leaves.
    Stopping(Leaving),
}

/// Why it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// It was asked to, or must.
    Asked,
    /// Nobody is connected, and nothing is left to do.
    Idle,
}

impl Notifier {
    /// The way that the environment names, if any. The daemon starts no program that could see these variables, too.
    #[must_use]
    pub fn of_this_process() -> Self {
        let text = |name| std::env::var(name).ok();
        let watchdog = half_of(text("WATCHDOG_USEC").as_deref(), text("WATCHDOG_PID").as_deref(), std::process::id());
        std::env::var_os("NOTIFY_SOCKET").map_or_else(Self::default, |value| Self::to(&value, watchdog))
    }

    fn to(value: &OsStr, watchdog: Option<Duration>) -> Self {
        match address(value).and_then(Line::to) {
            Ok(line) => Self { line: Some(line), watchdog },
            Err(error) => {
                tracing::warn!(%error, "the service manager cannot be told anything");
                Self::default()
            }
        }
    }

    /// Whether somebody listens.
    #[must_use]
    pub fn is_heard(&self) -> bool {
        self.line.is_some()
    }

    /// How often the manager wants to hear [`News::Alive`], with a margin of one half. `None`: it does not.
    #[must_use]
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Tells it at once, or not at all.
    pub fn tell(&self, news: News<'_>) {
        if let Err(error) = self.say(news) {
            tracing::warn!(%error, "the service manager could not be told");
        }
    }

    /// Tells what the manager waits for: tries again for a few seconds where it does not read.
    pub async fn tell_surely(&self, news: News<'_>) {
        for _ in 0..TRIES {
            match self.say(news) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(PAUSE).await,
                Err(error) => return tracing::warn!(%error, "the service manager could not be told"),
                Ok(()) => return,
            }
        }
        tracing::warn!("the service manager does not read what it is told");
    }

    fn say(&self, news: News<'_>) -> io::Result<()> {
        let Some(Line { socket, manager }) = &self.line else { return Ok(()) };
        socket.send_to_addr(news.words().as_bytes(), manager).map(drop)
    }
}

impl Line {
    fn to(manager: SocketAddr) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, manager })
    }
}

impl News<'_> {
    fn words(self) -> String {
        match self {
            Self::Ready(status) => format!("READY=1\nSTATUS={}", one_line(status)),
            Self::Status(status) => format!("STATUS={}", one_line(status)),
            Self::Failing(why) => format!("STATUS={CANNOT_SERVE}{}", beginning(&one_line(why))),
            Self::Alive => "WATCHDOG=1".to_owned(),
            Self::Stopping(Leaving::Asked) => "STOPPING=1\nSTATUS=leaving".to_owned(),
            Self::Stopping(Leaving::Idle) => {
                "STOPPING=1\nSTATUS=left, as nobody was connected: the next client starts it".to_owned()
            }
        }
    }
}

/// What is longer a manager may not take at all.
fn beginning(text: &str) -> String {
    text.chars().scan(0, |bytes, c| Some(c).filter(|c| (*bytes += c.len_utf8(), *bytes <= LONGEST).1)).collect()
}

/// A line break would begin another assignment.
fn one_line(status: &str) -> String {
    status.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A path, or the name of an abstract socket after `@`.
fn address(value: &OsStr) -> io::Result<SocketAddr> {
    match value.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(value),
        [b'@', name @ ..] if !name.is_empty() => abstract_address(name),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "NOTIFY_SOCKET is neither a path nor an abstract name")),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_address(name: &[u8]) -> io::Result<SocketAddr> {
    #[cfg(target_os = "android")]
    use std::os::android::net::SocketAddrExt;
    #[cfg(target_os = "linux")]
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn abstract_address(_name: &[u8]) -> io::Result<SocketAddr> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "there are no abstract sockets here"))
}

/// sd_watchdog_enabled(3): meant for every process of the service, or for the one that is named.
fn half_of(microseconds: Option<&str>, pid: Option<&str>, own: u32) -> Option<Duration> {
    let is_for_us = pid.is_none_or(|pid| pid.parse() == Ok(own));
    let half = Duration::from_micros(microseconds?.parse().ok()?) / 2;
    Some(half).filter(|half| is_for_us && *half >= Duration::from_millis(1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn heard(manager: &UnixDatagram) -> String {
        let mut words = [0; 512];
        let length = manager.recv(&mut words).unwrap();
        String::from_utf8(words.get(..length).unwrap().to_vec()).unwrap()
    }

    fn tells_in_order(value: &OsStr, manager: &UnixDatagram) {
        let notifier = Notifier::to(value, None);
        notifier.tell(News::Ready("2 accounts"));
        notifier.tell(News::Status("1 account\nMAINPID=1"));
        notifier.tell(News::Alive);
        notifier.tell(News::Stopping(Leaving::Asked));
        notifier.tell(News::Stopping(Leaving::Idle));
        assert_eq!(heard(manager), "READY=1\nSTATUS=2 accounts");
        assert_eq!(heard(manager), "STATUS=1 account MAINPID=1", "a status never says more than a status");
        assert_eq!(heard(manager), "WATCHDOG=1");
        assert_eq!(heard(manager), "STOPPING=1\nSTATUS=leaving");
        assert!(heard(manager).starts_with("STOPPING=1\nSTATUS=left, as nobody was connected"));
    }

    #[test]
    fn a_manager_at_a_path_hears_each_word() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        tells_in_order(path.as_os_str(), &UnixDatagram::bind(&path).unwrap());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_manager_at_an_abstract_name_hears_each_word() {
        let name = format!("mcp-authd-test-{}", std::process::id());
        let manager = UnixDatagram::bind_addr(&abstract_address(name.as_bytes()).unwrap()).unwrap();
        tells_in_order(format!("@{name}").as_ref(), &manager);
    }

    #[test]
    fn a_reason_stays_one_line_and_not_too_long_for_a_manager() {
        assert_eq!(News::Failing("a\nREADY=1").words(), "STATUS=cannot serve: a READY=1");
        let told = News::Failing(&"é".repeat(LONGEST)).words();
        assert!(told.len() <= LONGEST + 21 && told.ends_with('é'), "{}", told.len());
    }

    #[test]
    fn a_manager_that_is_not_there_or_cannot_be_costs_nothing() {
        for value in ["", "@", "relative", "vsock:2:1", "/nowhere/at/all"] {
            Notifier::to(value.as_ref(), None).tell(News::Alive);
        }
        assert!(!Notifier::default().is_heard());
    }

    #[tokio::test(start_paused = true)]
    async fn a_manager_that_reads_late_is_told_all_the_same_and_one_that_never_does_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let notifier = Notifier::to(path.as_os_str(), None);
        while notifier.say(News::Alive).is_ok() {}
        notifier.tell(News::Alive);
        let waits = notifier.tell_surely(News::Ready("late"));
        tokio::pin!(waits);
        assert!(tokio::time::timeout(PAUSE * 3, &mut waits).await.is_err());
        heard(&manager);
        waits.await;
        while heard(&manager) != "READY=1\nSTATUS=late" {}
        while notifier.say(News::Alive).is_ok() {}
        notifier.tell_surely(News::Ready("never")).await;
    }

    #[test]
    fn the_watchdog_is_fed_twice_in_its_time_and_only_by_whom_it_is_meant_for() {
        assert_eq!(half_of(Some("60000000"), Some("7"), 7), Some(Duration::from_secs(30)));
        assert_eq!(half_of(Some("60000000"), None, 7), Some(Duration::from_secs(30)));
        for (microseconds, pid) in
            [(None, Some("7")), (Some("60000000"), Some("8")), (Some("60000000"), Some("")), (Some("x"), None)]
        {
            assert_eq!(half_of(microseconds, pid, 7), None, "{microseconds:?} {pid:?}");
        }
        assert_eq!(half_of(Some("0"), None, 7), None, "no interval at all would be a loop without rest");
    }

    proptest! {
        #[test]
        fn no_value_of_the_variables_is_a_loop_without_rest(microseconds in "\\PC{0,24}|[0-9]{0,20}", pid in proptest::option::of("[0-9]{0,6}")) {
            let half = half_of(Some(&microseconds), pid.as_deref(), 7);
            prop_assert!(half.is_none_or(|half| half >= Duration::from_millis(1)));
            prop_assert!(address(microseconds.as_ref()).is_err() || microseconds.starts_with(['/', '@']));
        }
    }
}
