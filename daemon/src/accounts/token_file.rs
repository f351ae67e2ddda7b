//! An account whose access token stands in a file that somebody else keeps: the task that reads it, behind the usual handle.
//!
//! The file is read again for a caller where the last look is a second old, at once for a report of rejection, and every ten
//! seconds while somebody watches. One read at a time; a disk that hangs keeps nobody beyond the caller's own deadline.
//!
//! Must never: begin a login, write or revoke anything, hand out what does not hold, or keep a token that the file has lost.

mod machine;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mcp_authd_oauth::secret::AccessToken;
use mcp_authd_oauth::terms::Scopes;
use tokio::sync::oneshot;

use super::TokenFileConfig;
use super::condition;
use super::description::Description;
use super::handle::{AccountHandle, Described, Order, Reception};
use super::keeper::House;
use super::machine::{Event, WaiterId};
use super::need::Answer;
use crate::host::clock::{Clock, until_beat};
use crate::host::private_file::{self, Reason, Unusable};
use crate::host::tasks::Tasks;
use machine::{Effect, FileAccount, Happening, LOOK_WATCHED, Moment, Watched};

/// The longest token that is taken: what fits into a header that servers take. Tokens that tell many groups pass 4 KiB.
const LONGEST: usize = 16 * 1024;

/// Why the token of a file will not do, named after what the caller does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenFileRefusal {
    /// The file has to be mended.
    Unusable(Unusable),
    /// A server rejects the token that stands in this file.
    Rejected(PathBuf),
    /// The token is not said to cover these scopes.
    NotCovered(Scopes),
    /// Nobody can log in or out here: somebody else keeps this file.
    KeptElsewhere(PathBuf),
}

/// Begins the keeper of an account whose token stands in a file. `revision` was told of an account of this name before, if any.
#[must_use]
pub fn begin(house: &House, config: &Arc<TokenFileConfig>, revision: u64) -> AccountHandle {
    keep(config, revision, (&house.clock, &house.tasks))
}

fn keep(config: &Arc<TokenFileConfig>, revision: u64, (clock, tasks): (&Clock, &Tasks)) -> AccountHandle {
    let (account, effects) = FileAccount::new(config.clone(), revision, clock.now());
    let described = Described { description: Arc::new(Description::from(&**config)), client: None };
    let (handle, reception) = AccountHandle::new(described, account.status());
    let keeper = Keeper {
        path: config.token_file.clone(),
        callers: BTreeMap::new(),
        reception,
        reading: None,
        clock: clock.clone(),
        tasks: tasks.clone(),
        condition: condition::Teller::new(config.name.clone()),
    };
    let stopping = tasks.clone();
    tasks.work("token file", async move {
        tokio::select! {
            () = stopping.stopping() => {}
            () = keeper.run(account, effects) => {}
        }
    });
    handle
}

struct Keeper {
    path: PathBuf,
    callers: BTreeMap<WaiterId, oneshot::Sender<Answer>>,
    reception: Reception,
    /// The one read that is going on.
    reading: Option<BoxFuture<'static, Result<AccessToken, Unusable>>>,
    clock: Clock,
    tasks: Tasks,
    condition: condition::Teller,
}

impl Keeper {
    async fn run(mut self, mut account: FileAccount, mut effects: Vec<Effect>) {
        while self.perform(effects).is_some() {
            let Some(happening) = self.next(&account).await else { return };
            let moment = self.moment();
            (account, effects) = account.handle(happening, moment);
        }
    }

    /// What happens next. `None`: nobody holds the account any more.
    async fn next(&mut self, account: &FileAccount) -> Option<Happening> {
        let moment = self.moment();
        let due = account.next_deadline(moment);
        let nap = until_beat(moment.now.instant, LOOK_WATCHED);
        let left = due.map_or(nap, |at| at.since(moment.now.instant).min(nap));
        tokio::select! {
            biased;
            Some(ordered) = self.reception.orders.recv() => {
                // Nothing of it can be in the way of what comes after.
                let _ = ordered.done.send(());
                Some(obeyed(&ordered.order))
            }
            Some(event) = self.reception.news.next() => Some(self.heard(&event)),
            Some(read) = ended(&mut self.reading) => {
                self.reading = None;
                Some(Happening::Read(read))
            }
            letter = self.reception.letters.recv() => letter.map(|mail| {
                if mail.reply.is_closed() {
                    return Happening::Gone(mail.id);
                }
                self.callers.insert(mail.id, mail.reply);
                Happening::Wanted(mail.id, mail.need)
            }),
            () = tokio::time::sleep(left) => Some(Happening::TimePassed),
        }
    }

    fn heard(&mut self, event: &Event) -> Happening {
        match event {
            Event::CallerGone(id) => {
                self.callers.remove(id);
                Happening::Gone(*id)
            }
            Event::Reloaded => Happening::LookAgain,
            Event::Leaving => {
                // Nothing is ever in flight that a leaving daemon should wait for.
                self.reception.settle.send_replace(true);
                Happening::TimePassed
            }
            _ => Happening::TimePassed,
        }
    }

    /// `None`: the account is gone, and the keeper ends.
    fn perform(&mut self, effects: Vec<Effect>) -> Option<()> {
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
                Effect::Read => {
                    let (path, tasks) = (self.path.clone(), self.tasks.clone());
                    self.reading = Some(async move { read(&path, &tasks).await }.boxed());
                }
                Effect::End => return None,
            }
        }
        Some(())
    }

    fn moment(&self) -> Moment {
        let watched = if self.reception.is_watched() { Watched::Yes } else { Watched::No };
        Moment { now: self.clock.now(), watched }
    }
}

fn obeyed(order: &Order) -> Happening {
    match order {
        Order::Remove => Happening::Removed,
        // An account with a login is another one: nobody orders it here.
        // And it needs no daemon for itself.
        Order::Change(_) | Order::Move(_) | Order::Return(..) | Order::Tell(_) => Happening::TimePassed,
    }
}

async fn ended(reading: &mut Option<BoxFuture<'static, Result<AccessToken, Unusable>>>) -> Option<Result<AccessToken, Unusable>> {
    match reading {
        Some(reading) => Some(reading.await),
        None => None,
    }
}

async fn read(path: &Path, tasks: &Tasks) -> Result<AccessToken, Unusable> {
    let unusable = |why| Unusable { path: path.to_owned(), why };
    let file = path.to_owned();
    match tasks.blocking("read a token file", move || private_file::read(&file, LONGEST)).await {
        Some(bytes) => std::str::from_utf8(&bytes?)
            .ok()
            .and_then(AccessToken::parse)
            .ok_or_else(|| unusable(Reason::Content("something that is no bearer token (RFC 6750, 2.1)"))),
        None => Err(unusable(Reason::Io("the read itself failed".to_owned()))),
    }
}
