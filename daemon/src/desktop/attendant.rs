//! The one service of this room: looks which logins wait, and begins a session at the desktop for each that is to be told.
//!
//! Must never: connect by itself, or wait for a session.

use std::collections::BTreeMap;

use mcp_authd_oauth::time::WallTime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::address::Address;
use super::session::{Absence, Begun, Session};
use super::told::{Step, Told};
use crate::accounts::AccountName;
use crate::accounts::roster::Roster;
use crate::accounts::waiting::{Logins, Waiting};
use crate::config::Desktop;
use crate::host::clock::Clock;
use crate::host::tasks::Tasks;

/// What the service holds.
struct Attendant {
    logins: Logins,
    wishes: watch::Receiver<Desktop>,
    clock: Clock,
    tasks: Tasks,
    absence: Absence,
}

/// Tells the desktop of each login that waits, until the daemon leaves. `since`: when this daemon began, as a login of one before it
/// was told then. What is shown when it leaves is taken away, and the next daemon shows it anew.
pub fn attend(roster: &Roster, since: WallTime, (tasks, clock): (&Tasks, &Clock)) -> impl Future<Output = ()> + Send + use<> {
    let (logins, wishes) = (Logins::new(roster.registry()), roster.desktop());
    let attendant = Attendant { logins, wishes, clock: clock.clone(), tasks: tasks.clone(), absence: Absence::default() };
    async move { attendant.attend(Told::since(since), Address::of_this_process().as_ref()).await }
}

impl Attendant {
    async fn attend(mut self, mut told: Told, address: Option<&Address>) {
        let mut sessions: BTreeMap<AccountName, CancellationToken> = BTreeMap::new();
        loop {
            for step in told.look(self.logins.look()) {
                match step {
                    Step::Over(account) => drop(sessions.remove(&account).map(|over| over.cancel())),
                    Step::Tell(login, begun) => {
                        let over = CancellationToken::new();
                        sessions.insert(login.account.clone(), over.clone());
                        self.begin((login, begun), over, address);
                    }
                }
            }
            tokio::select! {
                () = self.tasks.stopping() => return,
                () = self.logins.changed() => {}
            }
        }
    }

    fn begin(&self, (login, begun): (Waiting, Begun), over: CancellationToken, address: Option<&Address>) {
        let wishes = *self.wishes.borrow();
        if wishes.notify || (wishes.open_browser && begun == Begun::Here) {
            let (clock, absence) = (self.clock.clone(), self.absence.clone());
            Session { login, wishes, clock, begun, over, absence }.begin(address.cloned(), &self.tasks);
        }
    }
}
