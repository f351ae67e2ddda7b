//! Where browsers bring the answers of logins (RFC 8252, 7.3): one loopback listener for the whole daemon, open only while a login
//! waits, any number of logins told apart by their `state` (D26, D28-D32, P16, P20).
//!
//! Must never: listen at anything but loopback, listen while no login waits, believe a request (a response is judged by the
//! flow that asked for it), echo or log what a request holds, or fall back to a port that the server does not know.

mod logins;
mod page;
mod redirect;
mod request;
mod serve;
mod sockets;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::future::pending;
use std::num::NonZeroU16;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mcp_authd_oauth::authorization_code::response::AuthorizationResponse;
use mcp_authd_oauth::secret::State;
use tokio::sync::{oneshot, watch};

use crate::accounts::AccountName;
use crate::accounts::paste::NotCompleted;
use crate::host::clock::Clock;
use crate::host::tasks::Tasks;
use logins::{Brought, Logins, Ticket};
pub use redirect::{NotARedirect, NotARedirectPath, PortWanted, Redirect, RedirectHost, RedirectPath};
use serve::{Connections, LINGER, serve};
pub use sockets::NoListener;
use sockets::{Listen, Sockets, listen};

/// Where ports to register are drawn from.
const LASTING: Range<u16> = 20_000..32_000;

/// Whether a port may be registered: whatever a server or an older login says, no other one is ours.
#[must_use]
pub fn is_lasting(port: NonZeroU16) -> bool {
    LASTING.contains(&port.get())
}

/// The listener; a handle, cheap to clone. Nothing is open before the first login.
#[derive(Clone)]
pub struct Callbacks(Arc<House>);

struct House {
    tasks: Tasks,
    clock: Clock,
    listen: Listen,
    /// Usually none or one. More only where servers insist on different ports.
    open: Mutex<BTreeMap<NonZeroU16, Arc<Port>>>,
}

/// One open port.
struct Port {
    number: NonZeroU16,
    has_v6: bool,
    logins: Mutex<Logins>,
    /// How many doors lead here. Rises only while [`House::open`] is locked.
    doors: watch::Sender<usize>,
}

impl Callbacks {
    /// Opens nothing.
    #[must_use]
    pub fn new(tasks: &Tasks, clock: &Clock) -> Self {
        Self::over(tasks, clock, listen)
    }

    fn over(tasks: &Tasks, clock: &Clock, listen: Listen) -> Self {
        Self(Arc::new(House { tasks: tasks.clone(), clock: clock.clone(), listen, open: Mutex::default() }))
    }

    /// Opens a door for one login, whose redirect URI is known from then on. All logins that wait share a port where their
    /// servers allow it. Does not block; to be called within the runtime.
    ///
    /// A login that goes on after a restart asks for its old port as a fixed one.
    ///
    /// # Errors
    /// Where the port is taken or cannot be had.
    pub fn open(&self, redirect: Redirect) -> Result<Door, NoListener> {
        let mut open = self.0.lock();
        let port = self.0.port(&mut open, redirect.port)?;
        let door = Door::to(port, redirect);
        drop(open);
        if door.redirect.host == RedirectHost::Ipv6 && !door.port.has_v6 {
            return Err(NoListener::NoIpv6);
        }
        Ok(door)
    }

    /// A port to register: one that is open already, else one that is free now and likely to be free again: below those that
    /// systems hand out to connections. Opens none. Each two bytes are one try.
    #[must_use]
    pub fn lasting_port(&self, randomness: &[u8]) -> Option<NonZeroU16> {
        if let Some(number) = self.0.lock().keys().find(|number| is_lasting(**number)) {
            return Some(*number);
        }
        let drawn = randomness
            .as_chunks()
            .0
            .iter()
            .map(|bytes| LASTING.start + u16::from_le_bytes(*bytes) % (LASTING.end - LASTING.start));
        let is_free = |port: &NonZeroU16| Sockets::bind(PortWanted::Fixed(*port), self.0.listen).is_ok();
        drawn.filter_map(NonZeroU16::new).find(is_free)
    }

    /// Hands an answer that a person has brought to the login that waits for its `state`, once, as if the browser had brought it;
    /// whose login that is, where [`Door::belonging_to`] said so.
    ///
    /// # Errors
    /// Where no login waits for it, or that one has been answered. Whichever waits goes on waiting.
    pub fn bring(&self, response: &AuthorizationResponse) -> Result<Option<AccountName>, NotCompleted> {
        let ports: Vec<_> = self.0.lock().values().cloned().collect();
        // Only one knows it.
        match ports.iter().find_map(|port| port.logins().bring(response)) {
            Some(Brought::Taken(whose)) => Ok(whose),
            Some(Brought::AnsweredBefore) => Err(NotCompleted::LookHowItEnds),
            None => Err(NotCompleted::BeginAnother),
        }
    }
}

impl House {
    fn port(self: &Arc<Self>, open: &mut BTreeMap<NonZeroU16, Arc<Port>>, wanted: PortWanted) -> Result<Arc<Port>, NoListener> {
        let standing = match wanted {
            PortWanted::Fixed(number) | PortWanted::Rather(number) => open.get(&number),
            PortWanted::Free => open.values().next(),
        };
        match (standing, wanted) {
            (Some(port), _) => Ok(port.clone()),
            (None, PortWanted::Rather(number)) => self.start(open, PortWanted::Fixed(number)).or_else(|why| {
                tracing::info!(%why, "a login takes another port than the one that its client was registered with");
                self.port(open, PortWanted::Free)
            }),
            (None, wanted) => self.start(open, wanted),
        }
    }

    fn start(self: &Arc<Self>, open: &mut BTreeMap<NonZeroU16, Arc<Port>>, wanted: PortWanted) -> Result<Arc<Port>, NoListener> {
        let (number, sockets) = Sockets::bind(wanted, self.listen)?;
        let (logins, doors) = (Mutex::new(Logins::at(number)), watch::Sender::new(0));
        let port = Arc::new(Port { number, has_v6: sockets.has_v6(), logins, doors });
        open.insert(number, port.clone());
        tracing::debug!(port = %number, "the callback listener is open");
        self.tasks.work("callback listener", serve(self.clone(), port.clone(), sockets));
        Ok(port)
    }

    /// Closes a port for whoever still waits there too.
    fn close(&self, port: &Port, everything: (Connections, Sockets)) {
        let mut open = self.lock();
        open.remove(&port.number);
        // While nobody can open the port again: the next one to do so finds it free.
        drop(everything);
    }

    /// Closes a port, or gives everything back where a login has come meanwhile.
    fn close_unless_needed(&self, port: &Port, everything: (Connections, Sockets)) -> Option<(Connections, Sockets)> {
        let mut open = self.lock();
        if *port.doors.borrow() > 0 {
            return Some(everything);
        }
        open.remove(&port.number);
        drop(everything);
        None
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NonZeroU16, Arc<Port>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Port {
    fn logins(&self) -> MutexGuard<'_, Logins> {
        self.logins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends when no door has led here for a while.
    async fn left_alone(&self, clock: &Clock) {
        let mut doors = self.doors.subscribe();
        loop {
            if doors.wait_for(|doors| *doors == 0).await.is_err() {
                return;
            }
            tokio::select! {
                () = clock.sleep_until(clock.now().instant + LINGER) => return,
                _ = doors.wait_for(|doors| *doors > 0) => {}
            }
        }
    }
}

/// A port that stays open for one login. When it is dropped, nothing waits there any more.
pub struct Door {
    port: Arc<Port>,
    redirect: Redirect,
    whose: Option<AccountName>,
}

impl Door {
    /// While [`House::open`] is locked.
    fn to(port: Arc<Port>, redirect: Redirect) -> Self {
        port.logins().announce(&redirect);
        port.doors.send_modify(|doors| *doors += 1);
        Self { port, redirect, whose: None }
    }

    /// The port, to be kept with the login so that it survives a restart.
    #[must_use]
    pub fn port(&self) -> NonZeroU16 {
        self.port.number
    }

    /// What to write as `redirect_uri` into the authorization URL and, byte for byte the same, into the token request.
    #[must_use]
    pub fn redirect_uri(&self) -> String {
        self.redirect.uri(self.port.number)
    }

    /// Whose login it is for, for whoever brings its answer by hand.
    #[must_use]
    pub fn belonging_to(mut self, account: &AccountName) -> Self {
        self.whose = Some(account.clone());
        self
    }

    /// From now on the answer with this `state` is taken.
    #[must_use]
    pub fn expect(self, state: &State) -> Expected {
        let (ticket, arrives) = self.port.logins().expect(state, (self.redirect.clone(), self.whose.clone()));
        Expected { arrives, ticket, door: self }
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("redirect_uri", &self.redirect_uri()).finish()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.port.doors.send_modify(|doors| *doors = doors.saturating_sub(1));
    }
}

/// A login that waits. When it is dropped, it waits no more, and its answer comes to nobody.
#[derive(Debug)]
pub struct Expected {
    arrives: oneshot::Receiver<AuthorizationResponse>,
    ticket: Ticket,
    door: Door,
}

impl Expected {
    /// As [`Door::port`].
    #[must_use]
    pub fn port(&self) -> NonZeroU16 {
        self.door.port()
    }

    /// As [`Door::redirect_uri`].
    #[must_use]
    pub fn redirect_uri(&self) -> String {
        self.door.redirect_uri()
    }

    /// The answer, once; not judged yet. Waits for ever: whoever asked knows how long a login may take. The future owns the
    /// expectation: dropping it ends it.
    pub async fn response(mut self) -> AuthorizationResponse {
        match (&mut self.arrives).await {
            Ok(response) => response,
            // The daemon stops, or another login has the same state: no answer will come.
            Err(_) => pending().await,
        }
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.door.port.logins().forget(self.ticket);
    }
}

/// What a request of these bytes is answered where a login waits for `state` at port 8765 and the default path, and what the login
/// gets. No bytes: the request is not complete. For the fuzzer (P26).
#[doc(hidden)]
#[must_use]
pub fn answered(request: &[u8], state: &State) -> (Vec<u8>, Option<AuthorizationResponse>) {
    let mut logins = Logins::at(NonZeroU16::MIN.saturating_add(8764));
    logins.announce(&Redirect::default());
    let (_, mut arrives) = logins.expect(state, (Redirect::default(), None));
    let page = match request::Head::new().push(request) {
        None => return (Vec::new(), None),
        Some(Ok(request)) => logins.answer(&request),
        Some(Err(why)) => page::Page::from(why),
    };
    (page.response(), arrives.try_recv().ok())
}
