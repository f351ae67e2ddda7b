//! One account as everybody else holds it: a mailbox, a status to watch, and nothing that could be locked for longer
//! than a note takes.
//!
//! Must never: hold a request. A caller that goes away ends only its own waiting (D22).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mcp_authd_oauth::time::WallTime;
use tokio::sync::{mpsc, oneshot, watch};

use super::client_secret::{Client, NotKept};
use super::description::Description;
use super::idle::Business;
use super::machine::{Event, WaiterId};
use super::need::{Answer, Need};
use super::news::{self, News, Teller};
use super::status::Status;
use super::{AccountConfig, AccountName};
use crate::host::peer::Peer;

/// How many callers may stand in the mailbox of one account before the next one waits outside.
const MAILBOX: usize = 1024;

/// One account, as callers hold it; cheap to clone.
#[derive(Debug, Clone)]
pub struct AccountHandle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: AccountName,
    described: watch::Receiver<Described>,
    mail: mpsc::Sender<Mail>,
    events: Teller,
    orders: mpsc::UnboundedSender<Ordered>,
    status: watch::Receiver<Status>,
    settled: watch::Receiver<bool>,
    names: AtomicU64,
    last_use: Mutex<Option<LastUse>>,
}

/// The last time that a program was given the account's token. No change of the status: it is told with one.
#[derive(Debug, Clone)]
pub struct LastUse {
    /// When.
    pub at: WallTime,
    /// To whom.
    pub by: Arc<Peer>,
}

/// What an account is at present.
#[derive(Debug, Clone)]
pub(super) struct Described {
    pub(super) description: Arc<Description>,
    /// `None`: a file holds its token.
    pub(super) client: Option<Client>,
}

/// The other end of a handle, for the task that keeps the account.
pub(super) struct Reception {
    /// Callers.
    pub(super) letters: mpsc::Receiver<Mail>,
    /// What happened; errands tell it too.
    pub(super) news: News,
    /// Where they tell it.
    pub(super) tell: Teller,
    /// What the configuration wants, from the one who reads it.
    pub(super) orders: mpsc::UnboundedReceiver<Ordered>,
    pub(super) describe: watch::Sender<Described>,
    pub(super) publish: watch::Sender<Status>,
    /// Whether nothing is in flight that a leaving daemon should wait for.
    pub(super) settle: watch::Sender<bool>,
}

impl Reception {
    /// Whether anybody watches the status: the handle itself holds one receiver, a watcher one more.
    pub(super) fn is_watched(&self) -> bool {
        self.publish.receiver_count() > 1
    }
}

/// A caller, and what it needs.
#[derive(Debug)]
pub(super) struct Mail {
    pub(super) id: WaiterId,
    pub(super) need: Need,
    pub(super) reply: oneshot::Sender<Answer>,
}

/// What the configuration wants, and whom to tell that it is done.
#[derive(Debug)]
pub(super) struct Ordered {
    pub(super) order: Order,
    pub(super) done: oneshot::Sender<()>,
}

/// What the configuration wants of an account.
#[derive(Debug)]
pub(super) enum Order {
    /// It is described so now, and its login goes on.
    Change(Arc<AccountConfig>),
    /// It is described so now, and its login belongs to what it was before.
    Move(Arc<AccountConfig>),
    /// It was gone, and is there again, described so; the highest revision that was told of its name meanwhile.
    Return(Arc<AccountConfig>, u64),
    /// It is gone.
    Remove,
    /// It tells what it needs a daemon for; whoever keeps nothing to himself tells nothing.
    Tell(oneshot::Sender<Option<Business>>),
}

/// The keeper has ended: the account is gone, or the daemon is leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the daemon is about to end")]
pub struct KeeperGone;

impl AccountHandle {
    /// A handle, and what its keeper holds of it.
    pub(super) fn new(described: Described, status: Status) -> (Self, Reception) {
        let (mail, letters) = mpsc::channel(MAILBOX);
        let (events, news) = news::channel();
        let (ordering, orders) = mpsc::unbounded_channel();
        let name = described.description.name.clone();
        let (describe, described) = watch::channel(described);
        let (publish, status) = watch::channel(status);
        let (settle, settled) = watch::channel(false);
        let tell = events.clone();
        let names = AtomicU64::new(0);
        let last_use = Mutex::new(None);
        let inner = Inner { name, described, mail, events, orders: ordering, status, settled, names, last_use };
        (Self(Arc::new(inner)), Reception { letters, news, tell, orders, describe, publish, settle })
    }

    /// What the account is at present.
    #[must_use]
    pub fn description(&self) -> Arc<Description> {
        self.0.described.borrow().description.clone()
    }

    /// Its name, which never changes.
    #[must_use]
    pub fn name(&self) -> &AccountName {
        &self.0.name
    }

    /// Whether both lead to the same keeper.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The present state for a need. Dropping the future ends only this caller's waiting (D22).
    ///
    /// # Errors
    /// Where the account is gone, or the daemon is about to end.
    pub async fn token(&self, need: Need) -> Result<Answer, KeeperGone> {
        let id = WaiterId(self.0.names.fetch_add(1, Ordering::Relaxed));
        let (reply, answer) = oneshot::channel();
        self.0.mail.send(Mail { id, need, reply }).await.map_err(|_| KeeperGone)?;
        let mut presence = Presence { id, events: &self.0.events, answered: false };
        let answer = answer.await.map_err(|_| KeeperGone);
        presence.answered = true;
        answer
    }

    /// A program is given the token.
    pub fn note_use(&self, by: &Arc<Peer>, at: WallTime) {
        let mut last = self.0.last_use.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *last {
            Some(last) if Arc::ptr_eq(&last.by, by) => last.at = at,
            last => *last = Some(LastUse { at, by: by.clone() }),
        }
    }

    /// When a program was last given the token, since the daemon has started.
    #[must_use]
    pub fn last_use(&self) -> Option<LastUse> {
        self.0.last_use.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The status, and each change of it, coalesced.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.0.status.clone()
    }

    /// The person ends the waiting login.
    pub fn cancel_sign_in(&self) {
        self.tell(Event::SignInCancelled);
    }

    /// The person logs out. The status tells when the record is gone.
    pub fn sign_out(&self) {
        self.tell(Event::SignOut);
    }

    /// Keeps the secret of the account's client, or erases the kept one where the text is empty. Then tell every account of the
    /// same client that it may go on: see [`AccountHandle::reloaded`].
    ///
    /// # Errors
    /// Why it was not kept, with what to do.
    pub async fn keep_client_secret(&self, text: &str) -> Result<(), NotKept> {
        let Described { description, client } = self.0.described.borrow().clone();
        match client {
            Some(client) => client.keep(text).await,
            None => Err(NotKept::TokenFile(description.kind.token_file())),
        }
    }

    /// The configuration, or what belongs to it, was read again: what rests because of it is tried again.
    pub fn reloaded(&self) {
        self.tell(Event::Reloaded);
    }

    /// Begins nothing any more, and ends when nothing is in flight that a leaving daemon should wait for (B6).
    pub async fn leave(&self) {
        self.begin_leaving();
        let mut settled = self.0.settled.clone();
        let _ = settled.wait_for(|settled| *settled).await;
    }

    /// Begins nothing any more.
    pub(super) fn begin_leaving(&self) {
        self.tell(Event::Leaving);
    }

    /// Ends when the account has taken the order: from then on nothing is begun as before.
    pub(super) async fn obey(&self, order: Order) -> Result<(), KeeperGone> {
        let (done, taken) = oneshot::channel();
        self.0.orders.send(Ordered { order, done }).map_err(|_| KeeperGone)?;
        taken.await.map_err(|_| KeeperGone)
    }

    /// What it needs a daemon for, now. `None`: nothing, or its keeper has ended.
    pub(super) async fn business(&self) -> Option<Business> {
        let (tell, told) = oneshot::channel();
        self.obey(Order::Tell(tell)).await.ok()?;
        told.await.ok().flatten()
    }

    /// Whether its keeper has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.0.mail.is_closed()
    }

    fn tell(&self, event: Event) {
        // A keeper that has ended needs no telling.
        self.0.events.tell(event);
    }
}

/// Tells the keeper when a caller's future is dropped.
struct Presence<'a> {
    id: WaiterId,
    events: &'a Teller,
    answered: bool,
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        if !self.answered {
            self.events.tell(Event::CallerGone(self.id));
        }
    }
}
