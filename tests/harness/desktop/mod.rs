//! A desktop: a notification service and a portal that opens pages, as the specifications have them, on a bus of the story's own.
//!
//! Must never: show or open anything, or stand on the tester's own bus.

mod bus;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;
use zbus::fdo;
use zbus::{Connection, ObjectPath, OwnedObjectPath, OwnedVariant};

pub use bus::PrivateBus;

const NOTIFICATIONS: &str = "org.freedesktop.Notifications";
const NOTIFICATIONS_PATH: &str = "/org/freedesktop/Notifications";
const PORTAL: &str = "org.freedesktop.portal.Desktop";
const PORTAL_PATH: &str = "/org/freedesktop/portal/desktop";
/// Far longer than anything here takes.
const WATCHDOG: Duration = Duration::from_secs(100);

/// How a service behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As it should.
    Serves,
    /// It answers each call with an error.
    Refuses,
    /// It answers no call.
    Hangs,
    /// It is not there.
    Absent,
}

/// A desktop that is to be.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The notification service.
    pub notifications: Manner,
    /// What it says that it can.
    pub capabilities: Vec<&'static str>,
    /// The portal.
    pub portal: Manner,
}

impl Default for Settings {
    fn default() -> Self {
        Self { notifications: Manner::Serves, capabilities: vec!["actions", "body", "body-markup"], portal: Manner::Serves }
    }
}

/// A call of `Notify`.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Who asks, by the name that the bus gave.
    pub from: String,
    /// What was answered: the one that it replaces, as the specification has it, or a new one.
    pub id: u32,
    /// 0: none.
    pub replaces: u32,
    /// The name of the application.
    pub application: String,
    /// The line.
    pub summary: String,
    /// What stands below.
    pub body: String,
    /// Keys and labels.
    pub actions: Vec<String>,
    /// `urgency`.
    pub urgency: Option<u8>,
    /// `resident`.
    pub resident: Option<bool>,
    /// In milliseconds.
    pub expires: i32,
}

/// What a desktop was asked so far.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// What it was to show.
    pub notices: Vec<Notice>,
    /// What it was to take away.
    pub closed: Vec<u32>,
    /// What it was to open: each address.
    pub opened: Vec<String>,
    /// With which `activation_token` each, where there was one.
    pub activated: Vec<Option<String>>,
    /// Every call, also those that are not answered.
    pub calls: usize,
}

type Book = watch::Sender<Asked>;

/// A desktop. It goes when it is dropped.
#[derive(Debug)]
pub struct Desktop {
    connection: Connection,
    book: Book,
}

impl Desktop {
    /// A desktop on a bus.
    ///
    /// # Panics
    /// If the bus does not take it.
    pub async fn on(address: &str, settings: Settings) -> Self {
        let book = Book::new(Asked::default());
        let mut building = zbus::connection::Builder::address(address);
        if settings.notifications != Manner::Absent {
            let capabilities = settings.capabilities.iter().map(|name| (*name).to_owned()).collect();
            let service =
                Notifications { book: book.clone(), manner: settings.notifications, capabilities, last: Arc::default() };
            building = building.name(NOTIFICATIONS).serve_at(NOTIFICATIONS_PATH, service);
        }
        if settings.portal != Manner::Absent {
            building = building.name(PORTAL).serve_at(PORTAL_PATH, Portal { book: book.clone(), manner: settings.portal });
        }
        Self { connection: building.build().await.expect("a bus takes services"), book }
    }

    /// The session ends, and the bus is still there.
    ///
    /// # Panics
    /// If the bus has gone.
    pub async fn ends(self) {
        self.connection.close().await.expect("a connection can be closed");
    }

    /// What it was asked so far.
    #[must_use]
    pub fn asked(&self) -> Asked {
        self.book.borrow().clone()
    }

    /// Waits until it was asked for something.
    ///
    /// # Panics
    /// If it never is.
    pub async fn wait_for(&self, so: impl Fn(&Asked) -> bool) -> Asked {
        let mut asked = self.book.subscribe();
        let waiting = tokio::time::timeout(WATCHDOG, asked.wait_for(|asked| so(asked))).await;
        let Ok(now) = waiting.map(|now| now.expect("the desktop holds its book").clone()) else {
            panic!("this was never asked of the desktop; what was: {:?}", self.asked());
        };
        now
    }

    /// The person presses a button.
    ///
    /// # Panics
    /// If the bus has gone.
    pub async fn press(&self, id: u32, key: &str) {
        self.tell("ActionInvoked", &(id, key)).await;
    }

    /// What the page of a button that is pressed next may come to the front with.
    ///
    /// # Panics
    /// If the bus has gone.
    pub async fn lets_activate(&self, id: u32, token: &str) {
        self.tell("ActivationToken", &(id, token)).await;
    }

    /// The notification is gone: dismissed by the person (2), or closed by a button as many desktops do (3).
    ///
    /// # Panics
    /// If the bus has gone.
    pub async fn gone(&self, id: u32, why: u32) {
        self.tell("NotificationClosed", &(id, why)).await;
    }

    /// A program that is no notification service says to somebody that a button was pressed.
    ///
    /// # Panics
    /// If the bus does not take it.
    pub async fn stranger_presses(address: &str, (to, id): (&str, u32)) {
        let stranger = zbus::connection::Builder::address(address).build().await.expect("a bus takes strangers");
        let told = stranger.emit_signal(Some(to), NOTIFICATIONS_PATH, NOTIFICATIONS, "ActionInvoked", &(id, "open")).await;
        told.expect("the bus takes signals");
        // Whatever was sent before was passed on before this is answered.
        let asked = stranger.call_method(Some("org.freedesktop.DBus"), "/", Some("org.freedesktop.DBus"), "GetId", &()).await;
        asked.expect("the bus answers");
    }

    async fn tell(&self, signal: &str, body: &(impl serde::Serialize + zbus::DynamicType)) {
        let told = self.connection.emit_signal(None::<&str>, NOTIFICATIONS_PATH, NOTIFICATIONS, signal, body).await;
        told.expect("the bus takes signals");
    }
}

async fn behave(book: &Book, manner: Manner) -> fdo::Result<()> {
    book.send_modify(|asked| asked.calls += 1);
    match manner {
        Manner::Serves => Ok(()),
        Manner::Refuses | Manner::Absent => Err(fdo::Error::AccessDenied("not for you: SNTL-REFUSED".to_owned())),
        Manner::Hangs => std::future::pending().await,
    }
}

struct Notifications {
    book: Book,
    manner: Manner,
    capabilities: Vec<String>,
    last: Arc<Mutex<u32>>,
}

impl Notifications {
    fn next(&self) -> u32 {
        let mut last = self.last.lock().expect("nobody panics with it");
        *last += 1;
        *last
    }
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Notifications {
    async fn get_capabilities(&self) -> fdo::Result<Vec<String>> {
        behave(&self.book, self.manner).await?;
        Ok(self.capabilities.clone())
    }

    #[expect(clippy::too_many_arguments, reason = "so the specification has it")]
    async fn notify(
        &self,
        application: String,
        replaces: u32,
        _icon: String,
        summary: String,
        body: String,
        actions: Vec<String>,
        hints: HashMap<String, OwnedVariant>,
        expires: i32,
        #[zbus(header)] header: zbus::message::Header<'_>,
    ) -> fdo::Result<u32> {
        behave(&self.book, self.manner).await?;
        let id = if replaces == 0 { self.next() } else { replaces };
        let from = header.sender().map(ToString::to_string).unwrap_or_default();
        let urgency = hints.get("urgency").and_then(|value| u8::try_from(value.clone()).ok());
        let resident = hints.get("resident").and_then(|value| bool::try_from(value.clone()).ok());
        let notice = Notice { from, id, replaces, application, summary, body, actions, urgency, resident, expires };
        self.book.send_modify(|asked| asked.notices.push(notice));
        Ok(id)
    }

    async fn close_notification(&self, id: u32) -> fdo::Result<()> {
        behave(&self.book, self.manner).await?;
        self.book.send_modify(|asked| asked.closed.push(id));
        Ok(())
    }
}

struct Portal {
    book: Book,
    manner: Manner,
}

#[zbus::interface(name = "org.freedesktop.portal.OpenURI")]
impl Portal {
    #[zbus(name = "OpenURI")]
    async fn open(&self, _window: String, uri: String, options: HashMap<String, OwnedVariant>) -> fdo::Result<OwnedObjectPath> {
        behave(&self.book, self.manner).await?;
        let token = options.get("activation_token").and_then(|value| String::try_from(value.clone()).ok());
        self.book.send_modify(|asked| {
            asked.opened.push(uri);
            asked.activated.push(token);
        });
        let request = ObjectPath::try_from("/org/freedesktop/portal/desktop/request/1_1/t");
        request.map(Into::into).map_err(|error| fdo::Error::Failed(error.to_string()))
    }
}
