//! The logins that wait for their person, of all accounts: for whoever tells the person.
//!
//! Must never: watch an account that has no login. The file of a token is looked at more often while somebody watches.

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch::Receiver;

use super::AccountName;
use super::description::Kind;
use super::need::SignInPrompt;
use super::registry::{Changes, Registry};
use super::status::Status;
use super::summary::changed;

/// A login that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Whose.
    pub account: AccountName,
    /// What the person is shown of it.
    pub prompt: SignInPrompt,
}

/// Tells when the logins that wait may have changed.
#[derive(Debug)]
pub struct Logins {
    registry: Registry,
    changes: Changes,
    statuses: Vec<(AccountName, Receiver<Status>)>,
}

impl Logins {
    /// Of every account that there is, and of each that comes.
    #[must_use]
    pub fn new(registry: Registry) -> Self {
        Self { changes: registry.changes(), registry, statuses: Vec::new() }
    }

    /// Each that waits now, by account.
    pub fn look(&mut self) -> Vec<Waiting> {
        self.changes.look();
        let present = self.registry.present().into_iter();
        let with_logins = present.filter(|account| matches!(account.description().kind, Kind::Login { .. }));
        self.statuses = with_logins.map(|account| (account.name().clone(), account.status())).collect();
        let waiting = |(account, status): &mut (AccountName, Receiver<Status>)| {
            let prompt = status.borrow_and_update().sign_in.clone()?;
            Some(Waiting { account: account.clone(), prompt })
        };
        self.statuses.iter_mut().filter_map(waiting).collect()
    }

    /// Ends when an account has changed since the last look. May be dropped and called again without losing any.
    pub async fn changed(&mut self) {
        let mut statuses: FuturesUnordered<_> = self.statuses.iter_mut().map(|(_, status)| changed(status)).collect();
        tokio::select! {
            () = self.changes.changed() => {}
            Some(()) = statuses.next() => {}
        }
    }
}
