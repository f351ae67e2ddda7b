//! The task behind one open port: accepts, reads, answers, and closes the port when no login needs it any more (D29, D30).
//!
//! Must never: let one connection hold up another, outlive the logins by more than a second, or log what a request holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{AbortHandle, AbortRegistration, Abortable, BoxFuture};
use futures_util::stream::{FuturesUnordered, StreamExt};
use mcp_authd_oauth::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use super::page::Page;
use super::request::Head;
use super::sockets::Sockets;
use super::{House, Port};
use crate::host::clock::Clock;

/// How long a port stays open after the last login has ended, for a browser that asks twice. At most a second (D29).
pub(super) const LINGER: Duration = Duration::from_millis(750);
/// How long one connection may take, all in all (D30).
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How many connections stand at once (D30).
pub(super) const PLACES: usize = 16;
/// What a client may still send after its answer before it is cut off, in reads of a kilobyte.
const LEFTOVERS: usize = 64;

/// How long a connection keeps its place although others want it: ample for a browser, which has said all it has to say.
pub(super) const GRACE: Duration = Duration::from_millis(500);

/// Serves until no login is left or the daemon stops.
pub(super) async fn serve(house: Arc<House>, port: Arc<Port>, mut sockets: Sockets) {
    let (mut connections, mut places) = (Connections::new(), Places::default());
    // Accepted, and without a place yet.
    let mut next: Option<TcpStream> = None;
    let mut leaving = port.left_alone(&house.clock).boxed();
    loop {
        tokio::select! {
            biased;
            () = house.tasks.stopping() => break house.close(&port, (connections, sockets)),
            Some(ended) = connections.next() => places.leave(ended),
            () = &mut leaving => {
                let everything = (connections, sockets);
                match house.close_unless_needed(&port, everything) {
                    None => break,
                    Some(needed) => (connections, sockets) = needed,
                }
                leaving = port.left_alone(&house.clock).boxed();
            }
            (number, given) = places.take(&house.clock), if next.is_some() => {
                if let Some(stream) = next.take() {
                    connections.push(attended(stream, (house.clock.clone(), port.clone()), given).map(move |()| number).boxed());
                }
            }
            stream = sockets.accept(), if next.is_none() => next = Some(stream),
        }
    }
    tracing::debug!(port = %port.number, "the callback listener is closed");
}

/// Those that stand; each ends with its number.
pub(super) type Connections = FuturesUnordered<BoxFuture<'static, u64>>;

/// Who has a place, by age.
#[derive(Default)]
struct Places {
    taken: BTreeMap<u64, (Instant, AbortHandle)>,
    next: u64,
}

impl Places {
    /// The next free place. Where there is none, the oldest connection gives up its own as soon as it has had it for long enough:
    /// it is the likeliest to be idle, and whoever keeps places taken keeps no browser out. May be dropped and called again.
    async fn take(&mut self, clock: &Clock) -> (u64, AbortRegistration) {
        if self.taken.len() >= PLACES
            && let Some((since, _)) = self.taken.first_key_value().map(|(_, taken)| taken)
        {
            clock.sleep_until(*since + GRACE).await;
            if let Some((_, (_, oldest))) = self.taken.pop_first() {
                tracing::debug!("too many connections at the callback listener: the oldest is closed");
                oldest.abort();
            }
        }
        let number = self.next;
        self.next += 1;
        let (abort, given) = AbortHandle::new_pair();
        self.taken.insert(number, (clock.now().instant, abort));
        (number, given)
    }

    fn leave(&mut self, number: u64) {
        self.taken.remove(&number);
    }
}

/// One connection, as long as it may take.
async fn attended(stream: TcpStream, (clock, port): (Clock, Arc<Port>), given: AbortRegistration) {
    let until = clock.now().instant + PATIENCE;
    tokio::select! {
        _ = Abortable::new(attend(stream, &port), given) => {}
        () = clock.sleep_until(until) => {}
    }
}

/// One request, one answer.
///
/// Whoever closes a connection first keeps its port taken for a minute (TIME_WAIT), and the next login could not open it. So the
/// client closes, as `Connection: close` tells it to; one that does not is reset when its time is over, which leaves nothing
/// behind. The reset is set from the beginning: it counts also where the daemon is killed.
async fn attend(mut stream: TcpStream, port: &Port) {
    let _ = stream.set_zero_linger();
    let mut chunk = Zeroizing::new([0; 1024]);
    let Some(page) = read(&mut stream, chunk.as_mut_slice(), port).await else { return };
    if stream.write_all(&page.response()).await.is_err() {
        return;
    }
    for _ in 0..LEFTOVERS {
        if !matches!(stream.read(chunk.as_mut_slice()).await, Ok(1..)) {
            return;
        }
    }
}

/// `None`: the client has left.
async fn read(stream: &mut TcpStream, chunk: &mut [u8], port: &Port) -> Option<Page> {
    let mut head = Head::new();
    loop {
        let length = stream.read(chunk).await.ok().filter(|length| *length > 0)?;
        match head.push(chunk.get(..length)?) {
            None => {}
            Some(Ok(request)) => {
                let page = port.logins().answer(&request);
                tracing::debug!(status = page.status(), "a request to the callback listener was answered");
                return Some(page);
            }
            Some(Err(why)) => {
                tracing::debug!(%why, "a request to the callback listener was refused");
                return Some(Page::from(why));
            }
        }
    }
}
