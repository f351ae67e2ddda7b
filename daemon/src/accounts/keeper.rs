//! The task that owns one account: it feeds the machine and does what the machine wants done (I1, I7).
//!
//! Callers hold an [`AccountHandle`]. A caller's future holds no request: whoever goes away ends only its own waiting.

mod errands;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot, watch};

use super::description::Description;
use super::machine::{Account, Effect, Event, Policy, ReplayTime, WaiterId};
use super::need::{Answer, Need};
use super::status::Status;
use super::{AccountConfig, AccountName, KeyState, Upstream, Vault};
use crate::host::clock::{Clock, LONGEST_NAP};
use crate::host::tasks::Tasks;
use errands::Errands;

/// How many callers may stand in the mailbox of one account before the next one waits outside.
const MAILBOX: usize = 1024;

/// What every keeper needs of the house.
#[derive(Clone)]
pub struct House {
    /// The authorization servers.
    pub upstream: Arc<dyn Upstream>,
    /// The records.
    pub vault: Arc<dyn Vault>,
    /// Time.
    pub clock: Clock,
    /// Where tasks are born.
    pub tasks: Tasks,
}

/// One account, as callers hold it; cheap to clone.
#[derive(Debug, Clone)]
pub struct AccountHandle {
    description: Arc<Description>,
    mail: mpsc::Sender<Mail>,
    events: mpsc::UnboundedSender<Event>,
    status: watch::Receiver<Status>,
    settled: watch::Receiver<bool>,
    names: Arc<AtomicU64>,
}

/// The keeper has ended: the daemon is leaving.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the daemon is about to end")]
pub struct KeeperGone;

#[derive(Debug)]
struct Mail {
    id: WaiterId,
    need: Need,
    reply: oneshot::Sender<Answer>,
}

impl AccountHandle {
    /// Begins the keeper of an account. `seed` feeds the machine's jitter.
    #[must_use]
    pub fn begin(house: &House, config: Arc<AccountConfig>, seed: u64) -> Self {
        let (mail, letters) = mpsc::channel(MAILBOX);
        let (events, news) = mpsc::unbounded_channel();
        let now = house.clock.now();
        let (account, effects) = Account::new(policy(&config), seed, now);
        let (publish, status) = watch::channel(account.status(now));
        let (settle, settled) = watch::channel(false);
        let description = Arc::new(Description::from(&*config));
        let errands = Errands::begin(house, config, events.clone());
        let keeper = Keeper {
            callers: BTreeMap::new(),
            letters,
            news,
            key: house.vault.key_state(),
            publish,
            settle,
            errands,
            clock: house.clock.clone(),
            has_ticked: false,
        };
        let tasks = house.tasks.clone();
        house.tasks.work("keeper", async move {
            tokio::select! {
                () = tasks.stopping() => {}
                () = keeper.run(account, effects) => {}
            }
        });
        Self { description, mail, events, status, settled, names: Arc::new(AtomicU64::new(0)) }
    }

    /// What the account is.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &AccountName {
        &self.description.name
    }

    /// The present state for a need. Dropping the future ends only this caller's waiting (D22).
    ///
    /// # Errors
    /// Where the daemon is about to end.
    pub async fn token(&self, need: Need) -> Result<Answer, KeeperGone> {
        let id = WaiterId(self.names.fetch_add(1, Ordering::Relaxed));
        let (reply, answer) = oneshot::channel();
        self.mail.send(Mail { id, need, reply }).await.map_err(|_| KeeperGone)?;
        let mut presence = Presence { id, events: &self.events, answered: false };
        let answer = answer.await.map_err(|_| KeeperGone);
        presence.answered = true;
        answer
    }

    /// The status, and each change of it, coalesced.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// The person ends the waiting login.
    pub fn cancel_sign_in(&self) {
        self.tell(Event::SignInCancelled);
    }

    /// The person logs out. The status tells when the record is gone.
    pub fn sign_out(&self) {
        self.tell(Event::SignOut);
    }

    /// The configuration was read again, and nothing that matters for security changed.
    pub fn reloaded(&self) {
        self.tell(Event::Reloaded);
    }

    /// Begins nothing any more, and ends when nothing is in flight that a leaving daemon should wait for (B6).
    pub async fn leave(&self) {
        self.tell(Event::Leaving);
        let mut settled = self.settled.clone();
        let _ = settled.wait_for(|settled| *settled).await;
    }

    fn tell(&self, event: Event) {
        // A keeper that has ended needs no telling.
        let _ = self.events.send(event);
    }
}

/// Tells the keeper when a caller's future is dropped.
struct Presence<'a> {
    id: WaiterId,
    events: &'a mpsc::UnboundedSender<Event>,
    answered: bool,
}

impl Drop for Presence<'_> {
    fn drop(&mut self) {
        if !self.answered {
            let _ = self.events.send(Event::CallerGone(self.id));
        }
    }
}

struct Keeper {
    callers: BTreeMap<WaiterId, oneshot::Sender<Answer>>,
    letters: mpsc::Receiver<Mail>,
    news: mpsc::UnboundedReceiver<Event>,
    key: watch::Receiver<KeyState>,
    publish: watch::Sender<Status>,
    settle: watch::Sender<bool>,
    errands: Errands,
    clock: Clock,
    /// What is due by time has just been looked at.
    has_ticked: bool,
}

impl Keeper {
    async fn run(mut self, mut account: Account, effects: Vec<Effect>) {
        self.perform(effects);
        let mut seen = self.clock.now().instant;
        let mut leaving = false;
        loop {
            let event = self.next(&account).await;
            let now = self.clock.now();
            leaving |= matches!(event, Event::Leaving);
            if let Event::CallerGone(id) = &event {
                self.callers.remove(id);
            }
            // A timer of the runtime stands still while the machine sleeps: a long gap is a resume (I10).
            let slept = now.instant.since(seen) > LONGEST_NAP * 2;
            seen = now.instant;
            for event in slept.then_some(Event::Resumed).into_iter().chain([event]) {
                let (next, effects) = account.handle(event, now);
                account = next;
                self.perform(effects);
            }
            if leaving {
                self.settle.send_replace(account.is_settled());
            }
        }
    }

    async fn next(&mut self, account: &Account) -> Event {
        let now = self.clock.now();
        let left = account.next_deadline(now).map_or(LONGEST_NAP, |at| at.since(now.instant).min(LONGEST_NAP));
        // Under a stream of calls the timer below begins anew with each and never ends: what is due goes first, once.
        if left.is_zero() && !std::mem::replace(&mut self.has_ticked, true) {
            return Event::Tick;
        }
        self.has_ticked = false;
        tokio::select! {
            biased;
            Some(event) = self.news.recv() => event,
            Ok(()) = self.key.changed() => Event::KeyChanged(*self.key.borrow_and_update()),
            Some(mail) = self.letters.recv() => {
                // It has gone while its letter lay in the mailbox, and that news came before the letter.
                if mail.reply.is_closed() {
                    return Event::CallerGone(mail.id);
                }
                self.callers.insert(mail.id, mail.reply);
                Event::TokenWanted(mail.id, mail.need)
            }
            () = tokio::time::sleep(left) => Event::Tick,
        }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Answer(id, answer) => {
                    if let Some(caller) = self.callers.remove(&id) {
                        // A caller that has just gone needs no answer.
                        let _ = caller.send(answer);
                    }
                }
                Effect::Publish(status) => drop(self.publish.send_replace(status)),
                other => self.errands.run(other),
            }
        }
    }
}

fn policy(config: &AccountConfig) -> Policy {
    Policy { scopes: config.scopes.clone(), replay: ReplayTime::AtOnce, refresh_ends_access_tokens: false }
}
