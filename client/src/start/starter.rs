//! Bringing a daemon up for a connection that finds none, one attempt at a time, and waiting until its socket answers.
//!
//! Must never: wait without a limit, or begin an attempt for each of many callers.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::sync::mpsc::UnboundedReceiver;

use super::attempt::{self, News};
use super::owner::Owner;
use super::plan::SocketPlace;
use super::refusal::NotStarted;
use crate::clock::{Clock, Moment};
use crate::connect::Dial;
use crate::error::ConnectError;

/// How long a start may take until the socket answers.
const START_LIMIT: Duration = Duration::from_secs(15);
/// The pauses between two looks at the socket: from the first, doubled up to the last.
const FIRST_LOOK: Duration = Duration::from_millis(1);
const LAST_LOOK: Duration = Duration::from_millis(25);
/// When to try anew after another daemon was there, and does not answer: it may have been about to leave.
const AGAIN: Duration = Duration::from_millis(500);
/// How often a daemon may be found that serves elsewhere before it is believed: its own socket may be about to be bound.
const ELSEWHERE: u32 = 2;
/// What nobody waits for starts a daemon that has failed again after so long.
const REST: Duration = Duration::from_secs(30);

/// Who waits for the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Somebody who has called just now.
    Caller,
    /// A subscription, which tries again for ever.
    Background,
}

/// What starts the daemon for one connection.
#[derive(Debug)]
pub(crate) struct Starter {
    place: SocketPlace,
    failures: AtomicU64,
    turn: Mutex<Option<Failure>>,
}

/// How the last attempt failed.
#[derive(Debug, Clone)]
struct Failure {
    at: Moment,
    error: ConnectError,
}

impl Starter {
    pub(crate) fn new(place: SocketPlace) -> Self {
        Self { place, failures: AtomicU64::new(0), turn: Mutex::new(None) }
    }

    pub(crate) fn place(&self) -> SocketPlace {
        self.place
    }

    /// Brings a daemon up that this reaches.
    pub(crate) async fn start(&self, dial: &Dial, patience: Patience) -> Result<(), ConnectError> {
        let seen = self.failures.load(Ordering::SeqCst);
        let mut last = self.turn.lock().await;
        if let Some(failure) = &*last {
            let is_news = self.failures.load(Ordering::SeqCst) != seen;
            let is_fresh = Clock::Kernel.now().since(failure.at) < REST;
            if is_news || (is_fresh && patience == Patience::Background) {
                return Err(failure.error.clone());
            }
        }
        match self.bring_up(dial).await {
            Ok(()) => {
                *last = None;
                Ok(())
            }
            Err(error) => {
                *last = Some(Failure { at: Clock::Kernel.now(), error: error.clone() });
                self.failures.fetch_add(1, Ordering::SeqCst);
                Err(error)
            }
        }
    }

    async fn bring_up(&self, dial: &Dial) -> Result<(), ConnectError> {
        // Another caller may have had it started while this one waited for its turn.
        let Err(absent) = absent(dial).await? else { return Ok(()) };
        match tokio::time::timeout(START_LIMIT, self.attempts(dial)).await {
            Ok(Ended::Up) => Ok(()),
            Ok(Ended::Broken(error)) => Err(error),
            Ok(Ended::NotStarted(why)) => Err(not_started(absent, why)),
            Err(_) => Err(not_started(absent, NotStarted::TooSlow { after: START_LIMIT })),
        }
    }

    async fn attempts(&self, dial: &Dial) -> Ended {
        let (mut after, mut found_elsewhere) = (Duration::ZERO, 0);
        loop {
            let mut news = match attempt::begin(self.place, after) {
                Ok(news) => Some(news),
                Err(why) => return Ended::NotStarted(why),
            };
            let told = match next(&mut news, dial).await {
                Ok(told) => told,
                Err(ended) => return ended,
            };
            // What has come to nothing here may have come to something in another program.
            match absent(dial).await {
                Ok(Ok(())) => return Ended::Up,
                Ok(Err(_)) => {}
                Err(error) => return Ended::Broken(error),
            }
            match told {
                News::Failed(why) => return Ended::NotStarted(why),
                News::GaveWay(owner) => {
                    if let Some((pid, socket)) = owner.and_then(|owner| elsewhere(owner, dial.paths())) {
                        found_elsewhere += 1;
                        if found_elsewhere == ELSEWHERE {
                            return Ended::NotStarted(NotStarted::ServesElsewhere { pid, socket });
                        }
                    }
                    after = AGAIN;
                }
            }
        }
    }
}

/// Why a daemon that takes connections at its usual place does not answer, where its service manager knows: the manager takes them,
/// and the service fails. Starts nothing.
pub(crate) async fn explained(dial: &Dial) -> Option<ConnectError> {
    let path = dial.paths().first()?.clone();
    attempt::explained(SocketPlace::Usual).await.map(|why| not_started(path, why))
}

/// How bringing it up has ended.
#[derive(Debug)]
enum Ended {
    Up,
    NotStarted(NotStarted),
    Broken(ConnectError),
}

/// Looks at the socket until it answers, or the attempt has news.
async fn next(news: &mut Option<UnboundedReceiver<News>>, dial: &Dial) -> Result<News, Ended> {
    let mut pause = FIRST_LOOK;
    loop {
        tokio::select! {
            biased;
            told = told(news) => match told {
                Some(told) => return Ok(told),
                // The service manager has done its part: only the socket is left to look at.
                None => *news = None,
            },
            () = tokio::time::sleep(pause) => {
                match absent(dial).await {
                    Ok(Ok(())) => return Err(Ended::Up),
                    Ok(Err(_)) => pause = pause.saturating_mul(2).min(LAST_LOOK),
                    Err(error) => return Err(Ended::Broken(error)),
                }
            }
        }
    }
}

async fn told(news: &mut Option<UnboundedReceiver<News>>) -> Option<News> {
    match news {
        Some(news) => news.recv().await,
        None => std::future::pending().await,
    }
}

/// The socket that nothing answers at, or nothing where a daemon answers. Anything else is an error that no start mends.
async fn absent(dial: &Dial) -> Result<Result<(), PathBuf>, ConnectError> {
    match dial.connect().await {
        Ok(_answers) => Ok(Ok(())),
        Err(ConnectError::NoDaemon { path }) => Ok(Err(path)),
        Err(error) => Err(error),
    }
}

fn not_started(path: PathBuf, why: NotStarted) -> ConnectError {
    ConnectError::NotStarted { path, why: Box::new(why) }
}

/// Where the owner serves, if no socket of this connection stands in the same folder.
fn elsewhere(owner: Owner, sockets: &[PathBuf]) -> Option<(i32, PathBuf)> {
    let socket = owner.socket?;
    let is_here = sockets.iter().any(|known| known.parent() == socket.parent());
    (!is_here).then_some((owner.pid, socket))
}
