//! The task that owns one account: it feeds the machine and does what the machine wants done (I1, I7).
//!
//! It ends when its account is gone, and then one more may begin: never two for one name, as both would write the same records.

mod errands;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use mcp_authd_oauth::profile::RefreshEnds;
use mcp_authd_oauth::time::Now;
use tokio::sync::{oneshot, watch};

use super::client_secret::Client;
use super::description::Description;
use super::handle::{AccountHandle, Described, Order, Reception};
use super::machine::{Account, Beginning, Effect, Event, Policy, WaiterId};
use super::need::Answer;
use super::{AccountConfig, KeyState, Upstream, Vault, condition};
use crate::host::clock::{Clock, LONGEST_NAP, until_beat};
use crate::host::tasks::Tasks;
use errands::Errands;

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

/// Begins the keeper of an account.
#[must_use]
pub fn begin(house: &House, config: Arc<AccountConfig>, beginning: Beginning) -> AccountHandle {
    let now = house.clock.now();
    let described = described(&config, house);
    let (account, effects) = Account::new(policy(config), beginning, now);
    let (handle, reception) = AccountHandle::new(described, account.status(now));
    let errands = Errands::begin(house, handle.name().clone(), reception.tell.clone());
    let keeper = Keeper {
        callers: BTreeMap::new(),
        reception,
        key: house.vault.key_state(),
        errands,
        clock: house.clock.clone(),
        house: house.clone(),
        has_ticked: false,
        condition: condition::Teller::new(handle.name().clone()),
    };
    let tasks = house.tasks.clone();
    house.tasks.work("keeper", async move {
        tokio::select! {
            () = tasks.stopping() => {}
            () = keeper.run(account, effects) => {}
        }
    });
    handle
}

struct Keeper {
    callers: BTreeMap<WaiterId, oneshot::Sender<Answer>>,
    reception: Reception,
    key: watch::Receiver<KeyState>,
    errands: Errands,
    house: House,
    clock: Clock,
    /// What is due by time has just been looked at.
    has_ticked: bool,
    condition: condition::Teller,
}

/// Whether the keeper goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    GoesOn,
    Ends,
}

impl Keeper {
    async fn run(mut self, mut account: Account, effects: Vec<Effect>) {
        self.perform(effects);
        let mut seen = self.clock.now().instant;
        let mut leaving = false;
        loop {
            let (event, done) = self.next(&account).await;
            let now = self.clock.now();
            leaving |= matches!(event, Event::Leaving);
            if let Event::CallerGone(id) = &event {
                self.callers.remove(id);
            }
            if let Event::Changed(policy) | Event::Moved(policy) | Event::Returned(policy, _) = &event {
                self.reception.describe.send_replace(described(&policy.config, &self.house));
            }
            // A timer of the runtime stands still while the machine sleeps: a long gap is a resume (I10).
            let slept = now.instant.since(seen) > LONGEST_NAP * 2;
            seen = now.instant;
            let mut then = Then::GoesOn;
            for event in slept.then_some(Event::Resumed).into_iter().chain([event]) {
                let (next, effects) = account.handle(event, now);
                account = next;
                then = self.perform(effects);
            }
            if let Some(done) = done {
                // Whoever ordered it may have gone.
                let _ = done.send(());
            }
            if then == Then::Ends {
                // Who has an order or a letter on its way is told that nobody keeps this account any more.
                return;
            }
            if leaving {
                self.reception.settle.send_replace(account.is_settled());
            }
        }
    }

    async fn next(&mut self, account: &Account) -> (Event, Option<oneshot::Sender<()>>) {
        let now = self.clock.now();
        let nap = until_beat(now.instant, LONGEST_NAP);
        let left = account.next_deadline(now).map_or(nap, |at| at.since(now.instant).min(nap));
        // Under a stream of calls the timer below begins anew with each and never ends: what is due goes first, once.
        if left.is_zero() && !std::mem::replace(&mut self.has_ticked, true) {
            return (Event::Tick, None);
        }
        self.has_ticked = false;
        let event = tokio::select! {
            biased;
            Some(ordered) = self.reception.orders.recv() => return (obeyed(ordered.order, account, now), Some(ordered.done)),
            Some(event) = self.reception.news.next() => event,
            Ok(()) = self.key.changed() => Event::KeyChanged(*self.key.borrow_and_update()),
            Some(mail) = self.reception.letters.recv() => {
                // It has gone while its letter lay in the mailbox, and that news came before the letter.
                if mail.reply.is_closed() {
                    Event::CallerGone(mail.id)
                } else {
                    self.callers.insert(mail.id, mail.reply);
                    Event::TokenWanted(mail.id, mail.need)
                }
            }
            () = tokio::time::sleep(left) => Event::Tick,
        };
        (event, None)
    }

    fn perform(&mut self, effects: Vec<Effect>) -> Then {
        let mut then = Then::GoesOn;
        for effect in effects {
            match effect {
                Effect::Answer(id, answer) => {
                    if let Some(caller) = self.callers.remove(&id) {
                        // A caller that has just gone needs no answer.
                        let _ = caller.send(answer);
                    }
                }
                Effect::Publish(status) => {
                    self.condition.look(&status.health);
                    self.reception.publish.send_replace(status);
                }
                Effect::End => then = Then::Ends,
                other => self.errands.run(other),
            }
        }
        then
    }
}

fn obeyed(order: Order, account: &Account, now: Now) -> Event {
    match order {
        Order::Tell(asked) => {
            // Whoever asked may have gone.
            let _ = asked.send(account.business(now));
            Event::Tick
        }
        Order::Change(config) => Event::Changed(policy(config)),
        Order::Move(config) => Event::Moved(policy(config)),
        Order::Return(config, revision) => Event::Returned(policy(config), revision),
        Order::Remove => Event::Removed,
    }
}

fn described(config: &Arc<AccountConfig>, house: &House) -> Described {
    let client = Some(Client::new(config.clone(), house.vault.clone()));
    Described { description: Arc::new(Description::from(&**config)), client }
}

fn policy(config: Arc<AccountConfig>) -> Policy {
    let profile = &config.profile;
    let refresh_ends_access_tokens = profile.refresh_ends == RefreshEnds::AccessTokensToo;
    Policy { replay: profile.replay, refresh_ends_access_tokens, config }
}
