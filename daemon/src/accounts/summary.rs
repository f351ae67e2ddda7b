//! All accounts in one line, as a service manager shows it: how many there are, how they are, and whether a login waits.
//!
//! Must never: name an account, a server or a person: the line stands where any user of the machine may read it.

use std::fmt;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::watch::Receiver;

use super::registry::{Changes, Registry};
use super::status::{Health, Status};

/// How many accounts there are, by how they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    accounts: usize,
    well: usize,
    in_trouble: usize,
    need_a_login: usize,
    locked: usize,
    logins: usize,
}

/// Tells when the summary may have changed.
#[derive(Debug)]
pub struct Watch {
    registry: Registry,
    changes: Changes,
    statuses: Vec<Receiver<Status>>,
}

impl Watch {
    /// Of every account that there is, and of each that comes.
    #[must_use]
    pub fn new(registry: Registry) -> Self {
        Self { changes: registry.changes(), registry, statuses: Vec::new() }
    }

    /// As it is now.
    pub fn look(&mut self) -> Summary {
        self.changes.look();
        self.statuses = self.registry.present().iter().map(|account| account.status()).collect();
        let mut summary = Summary::default();
        for status in &mut self.statuses {
            summary.add(&status.borrow_and_update());
        }
        summary
    }

    /// Ends when an account has changed since the last look. May be dropped and called again without losing any.
    pub async fn changed(&mut self) {
        let mut statuses: FuturesUnordered<_> = self.statuses.iter_mut().map(changed).collect();
        tokio::select! {
            () = self.changes.changed() => {}
            Some(()) = statuses.next() => {}
        }
    }
}

/// One whose keeper has ended changes no more; the registry tells that it is gone.
pub(super) async fn changed(status: &mut Receiver<Status>) {
    if status.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl Summary {
    fn add(&mut self, status: &Status) {
        match status.health {
            Health::Removing(_) | Health::Removed => return,
            Health::Good => self.well += 1,
            Health::Loading | Health::SigningOut => {}
            Health::Degraded(_) => self.in_trouble += 1,
            Health::LoginRequired(_) | Health::SignedOut => self.need_a_login += 1,
            Health::Locked | Health::WrongKey => self.locked += 1,
        }
        self.accounts += 1;
        self.logins += usize::from(status.sign_in.is_some());
    }
}

/// For people: "3 accounts: 1 well, 2 need a login; 1 login waits. Look with: authctl status".
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.well, "well", "well"),
            (self.in_trouble, "in trouble", "in trouble"),
            (self.need_a_login, "needs a login", "need a login"),
            (self.locked, "locked", "locked"),
        ];
        let parts: Vec<_> = parts.into_iter().filter(|(number, ..)| *number > 0).map(counted).collect();
        write!(f, "{}", counted_with((self.accounts, "account", "accounts")))?;
        if !parts.is_empty() {
            write!(f, ": {}", parts.join(", "))?;
        }
        if self.logins > 0 {
            write!(f, "; {}", counted((self.logins, "login waits for a person", "logins wait for a person")))?;
        }
        if self.accounts > self.well { f.write_str(". Look with: authctl status") } else { Ok(()) }
    }
}

fn counted((number, one, many): (usize, &str, &str)) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn counted_with((number, one, many): (usize, &str, &str)) -> String {
    if number == 0 { format!("no {many}") } else { counted((number, one, many)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::need::LoginReason;

    fn of(all: impl IntoIterator<Item = Health>) -> Summary {
        let mut summary = Summary::default();
        for health in all {
            summary.add(&Status { revision: 1, health, grant: None, sign_in: None, last_end: None });
        }
        summary
    }

    #[test]
    fn the_line_counts_what_a_person_may_have_to_mend() {
        assert_eq!(of([]).to_string(), "no accounts");
        assert_eq!(of([Health::Good]).to_string(), "1 account: 1 well");
        assert_eq!(of([Health::Loading, Health::Removed]).to_string(), "1 account. Look with: authctl status");
        let mut summary = of([Health::Good, Health::LoginRequired(LoginReason::Never), Health::SignedOut, Health::Locked]);
        summary.logins = 1;
        let line = "4 accounts: 1 well, 2 need a login, 1 locked; 1 login waits for a person. Look with: authctl status";
        assert_eq!(summary.to_string(), line);
    }
}
