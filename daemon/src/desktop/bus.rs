//! A connection to the session bus, of which every step has an end (D-Bus specification 0.43, "Authentication Protocol" and
//! "Message Bus Specification").
//!
//! A client of our own and not a library: what is said is six calls and four signals. With the smallest library (zbus 6.2, `comms`
//! alone) the program was 830 KB larger in place of 140, and held a third of a megabyte more while it did nothing.
//!
//! Must never: wait longer than [`PATIENCE`] for anything, take another user's bus for ours, or repeat what an answer says but the
//! name of its error: what it says may hold a code.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use nix::unistd::Uid;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use super::address::Address;
use super::wire::{self, Body, Kind, Message, Service};
use crate::host::peer::Peer;

/// How long a step may take. A service that the bus has to start first needs a moment.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

const BUS: Service<'_> =
    Service { name: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus" };
/// No line of the authentication is longer.
const LONGEST_LINE: usize = 1024;
/// Signals that wait to be heard, at most.
const MOST_SIGNALS: usize = 64;
/// The longest name that a bus gives.
const LONGEST_NAME: usize = 255;

/// Why the desktop is not told, or does not do what it is asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unheard {
    /// The environment names no bus, or none that may be gone to.
    #[error("neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR names a session bus of this machine")]
    Unnamed,
    /// Nobody listens at the address.
    #[error("there is no session bus: {0}")]
    NoBus(io::ErrorKind),
    /// The bus is somebody else's: its socket was left behind, and taken.
    #[error("the session bus belongs to the user {0}")]
    Strange(u32),
    /// No answer.
    #[error("the session bus does not answer within {} s", PATIENCE.as_secs())]
    Silent,
    /// An error is the answer. Its name.
    #[error("the answer is the error {0}")]
    Refused(String),
    /// Who showed it has left the bus, which is still there: the desktop's session has ended, or its service has crashed.
    #[error("what showed it has left the session bus")]
    Gone,
    /// The bus has gone, or says what D-Bus does not.
    #[error("the session bus is broken or has gone")]
    Broken,
}

/// The connection.
#[derive(Debug)]
pub(super) struct Bus {
    stream: UnixStream,
    /// What has come and was not looked at: reading may end anywhere.
    inbox: Vec<u8>,
    signals: VecDeque<Message>,
    serial: u32,
}

impl Bus {
    /// Connects.
    ///
    /// # Errors
    /// Where there is no bus, or none that answers.
    pub(super) async fn connect(address: &Address) -> Result<Self, Unheard> {
        let connected = in_time(async {
            let stream = UnixStream::connect(address.path()).await.map_err(|error| Unheard::NoBus(error.kind()))?;
            let uid = Peer::of(&stream).map_err(|error| Unheard::NoBus(error.kind()))?.uid;
            if uid != Uid::effective().as_raw() {
                return Err(Unheard::Strange(uid));
            }
            let mut bus = Self { stream, inbox: Vec::new(), signals: VecDeque::new(), serial: 0 };
            bus.authenticate().await?;
            Ok(bus)
        });
        let mut bus = connected.await?;
        bus.call(BUS, "Hello", &Body::default()).await?;
        Ok(bus)
    }

    /// As who we are by the kernel's word.
    async fn authenticate(&mut self) -> Result<(), Unheard> {
        let uid: String = Uid::effective().to_string().bytes().map(|digit| format!("{digit:02x}")).collect();
        self.write(format!("\0AUTH EXTERNAL {uid}\r\n").as_bytes()).await?;
        let line = loop {
            if let Some(end) = self.inbox.windows(2).position(|pair| pair == b"\r\n") {
                break self.inbox.drain(..end + 2).collect::<Vec<_>>();
            }
            if self.inbox.len() > LONGEST_LINE {
                return Err(Unheard::Broken);
            }
            self.read().await?;
        };
        if line.starts_with(b"REJECTED") {
            return Err(Unheard::Refused("REJECTED".to_owned()));
        }
        if !line.starts_with(b"OK ") {
            return Err(Unheard::Broken);
        }
        self.write(b"BEGIN\r\n").await
    }

    /// Calls a method, and waits for the answer.
    ///
    /// # Errors
    /// Where none comes in time, or an error does.
    pub(super) async fn call(&mut self, service: Service<'_>, method: &str, body: &Body) -> Result<Message, Unheard> {
        self.serial += 1;
        let serial = self.serial;
        in_time(async {
            self.write(&wire::call(service, method, (serial, body))).await?;
            loop {
                let message = self.message().await?;
                match &message.kind {
                    Kind::Answer(to) if *to == serial => return Ok(message),
                    Kind::Error(to, name) if *to == serial => return Err(Unheard::Refused(shown(name))),
                    Kind::Signal(..) if self.signals.len() < MOST_SIGNALS => self.signals.push_back(message),
                    // A late answer to what was given up.
                    Kind::Answer(_) | Kind::Error(..) | Kind::Signal(..) | Kind::Other => {}
                }
            }
        })
        .await
    }

    /// Wishes for every signal of a service from now on, and to hear when it goes (`NameOwnerChanged`).
    ///
    /// # Errors
    /// Where the bus does not take the wish.
    pub(super) async fn listen(&mut self, Service { name, path, interface }: Service<'_>) -> Result<(), Unheard> {
        let rule = format!("type='signal',sender='{name}',path='{path}',interface='{interface}'");
        self.call(BUS, "AddMatch", &Body::default().string(&rule)).await?;
        let rule = format!("type='signal',sender='{}',member='NameOwnerChanged',arg0='{name}'", BUS.name);
        self.call(BUS, "AddMatch", &Body::default().string(&rule)).await.map(drop)
    }

    /// Whether a signal says that a service is not that of this unique name any more.
    pub(super) fn says_gone(signal: &Message, service: &str, unique: &str) -> bool {
        let is_it =
            matches!(&signal.kind, Kind::Signal(interface, name) if interface == BUS.interface && name == "NameOwnerChanged");
        if signal.sender != BUS.name || !is_it {
            return false;
        }
        let Some(mut body) = signal.body("sss") else { return false };
        (body.string(), body.string()) == (Some(service), Some(unique))
    }

    /// The next signal. It may be dropped and called again without losing any.
    ///
    /// # Errors
    /// Where the bus has gone.
    pub(super) async fn signal(&mut self) -> Result<Message, Unheard> {
        if let Some(signal) = self.signals.pop_front() {
            return Ok(signal);
        }
        loop {
            let message = self.message().await?;
            if matches!(message.kind, Kind::Signal(..)) {
                return Ok(message);
            }
        }
    }

    async fn message(&mut self) -> Result<Message, Unheard> {
        loop {
            if let Some(message) = wire::take(&mut self.inbox).map_err(|_| Unheard::Broken)? {
                return Ok(message);
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Result<(), Unheard> {
        match self.stream.read_buf(&mut self.inbox).await {
            Ok(1..) => Ok(()),
            Ok(0) | Err(_) => Err(Unheard::Broken),
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Unheard> {
        self.stream.write_all(bytes).await.map_err(|_| Unheard::Broken)
    }
}

async fn in_time<T>(step: impl Future<Output = Result<T, Unheard>>) -> Result<T, Unheard> {
    tokio::time::timeout(PATIENCE, step).await.unwrap_or(Err(Unheard::Silent))
}

/// The name of an error, where it is one ("Valid Names"): for the log.
fn shown(name: &str) -> String {
    let is_name = name.len() <= LONGEST_NAME && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._".contains(&byte));
    if is_name { name.to_owned() } else { "of no name".to_owned() }
}
