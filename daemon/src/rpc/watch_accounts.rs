//! Accounts as the person sees them: first each as it is, then each change, coalesced; one that comes is shown, and one that goes is
//! told once as removed.
//!
//! The stream for one account stays open when that is removed: an account of this name that is added later is shown again. Must
//! never: go on when the daemon leaves.

use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;

use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::{Stream, stream};
use mcp_authd_proto::v1;
use tokio::sync::watch::Receiver;
use tonic::Status as Refused;

use super::watch::ended_with_the_daemon;
use super::{Face, convert};
use crate::accounts::AccountName;
use crate::accounts::handle::AccountHandle;
use crate::accounts::registry::Changes;
use crate::accounts::status::{Health, Status};

/// A stream of accounts.
pub(super) type AccountStream = Pin<Box<dyn Stream<Item = Result<v1::AccountStatus, Refused>> + Send>>;

/// Which accounts are watched.
#[derive(Debug)]
pub(super) enum Watched {
    All,
    Named(AccountName),
}

/// Every account that is asked for, and each change of it.
pub(super) fn accounts(face: Face, watched: Watched) -> AccountStream {
    let mut watcher = Watcher {
        changes: face.registry.changes(),
        face: face.clone(),
        watched,
        followed: BTreeMap::new(),
        due: VecDeque::new(),
    };
    watcher.look();
    ended_with_the_daemon(face, stream::unfold(watcher, Watcher::next))
}

struct Watcher {
    face: Face,
    changes: Changes,
    watched: Watched,
    followed: BTreeMap<AccountName, Followed>,
    /// Not told yet.
    due: VecDeque<v1::AccountStatus>,
}

struct Followed {
    account: AccountHandle,
    status: Receiver<Status>,
}

impl Watcher {
    async fn next(mut self) -> Option<(Result<v1::AccountStatus, Refused>, Self)> {
        loop {
            if let Some(status) = self.due.pop_front() {
                return Some((Ok(status), self));
            }
            tokio::select! {
                biased;
                () = self.changes.changed() => self.look(),
                name = changed(&mut self.followed) => self.heard_of(&name),
            }
        }
    }

    /// Accounts may have come or gone.
    fn look(&mut self) {
        self.changes.look();
        let mut present: BTreeMap<_, _> =
            self.face.registry.present().into_iter().map(|account| (account.name().clone(), account)).collect();
        if let Watched::Named(name) = &self.watched {
            present.retain(|present, _| present == name);
        }
        let gone: Vec<_> = self.followed.keys().filter(|name| !present.contains_key(*name)).cloned().collect();
        for name in gone {
            if let Some(followed) = self.followed.remove(&name) {
                let status = followed.as_removed();
                self.tell(&followed.account, &status);
            }
        }
        for (name, account) in present {
            if self.followed.get(&name).is_some_and(|followed| followed.account.is(&account)) {
                continue;
            }
            let mut followed = Followed { status: account.status(), account };
            let status = followed.status.borrow_and_update().clone();
            self.tell(&followed.account, &status);
            self.followed.insert(name, followed);
        }
    }

    /// One that is followed has changed.
    fn heard_of(&mut self, name: &AccountName) {
        let Some(followed) = self.followed.get_mut(name) else { return };
        let (account, status) = (followed.account.clone(), followed.status.borrow_and_update().clone());
        // That it is gone is told once, when nobody finds it any more.
        if !matches!(status.health, Health::Removing(_) | Health::Removed) {
            self.tell(&account, &status);
        }
    }

    fn tell(&mut self, account: &AccountHandle, status: &Status) {
        self.due.push_back(convert::account_status(status, account, self.face.clock.now()));
    }
}

impl Followed {
    /// The last that is told of it.
    fn as_removed(&self) -> Status {
        let status = self.status.borrow();
        // The keeper may not have told so yet: then it does as its next word.
        let is_told = matches!(status.health, Health::Removing(_) | Health::Removed);
        let revision = status.revision + u64::from(!is_told);
        Status { revision, health: Health::Removed, grant: None, sign_in: None, last_end: None }
    }
}

/// The next that has changed. Keepers that have ended tell nothing more.
async fn changed(followed: &mut BTreeMap<AccountName, Followed>) -> AccountName {
    let changes = followed.iter_mut().map(|(name, followed)| async {
        if followed.status.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        name.clone()
    });
    let mut changes: FuturesUnordered<_> = changes.collect();
    match changes.next().await {
        Some(name) => name,
        None => std::future::pending().await,
    }
}
