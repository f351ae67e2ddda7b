//! Who is connected, over all sockets, and the door that is shut while nobody is (DESIGN, section 5: leaving for want of clients).
//!
//! Must never: turn away whom the kernel has let in. Behind a shut door nobody is taken from a socket: whoever comes waits in its queue,
//! for this daemon if it opens again, else for the next one that the manager starts.

use std::sync::Arc;

use tokio::sync::watch;

use super::spot::Spot;
use crate::host::lock::Standing;

/// The company of all sockets; a handle, cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Company(Arc<watch::Sender<Hall>>);

#[derive(Debug, Default, PartialEq, Eq)]
struct Hall {
    guests: usize,
    door: Door,
    manager: Manager,
}

/// Whether the service manager's sockets, where it has handed over any, are still those that programs find.
#[derive(Debug, PartialEq, Eq)]
enum Manager {
    /// Where they stand.
    IsFoundAt(Vec<Spot>),
    /// Whoever connects finds this daemon only: its leaving would leave programs without a socket.
    IsLost,
}

impl Default for Manager {
    fn default() -> Self {
        Self::IsFoundAt(Vec::new())
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Door {
    #[default]
    Open,
    Shut,
}

/// One who is connected, until it is dropped.
#[derive(Debug)]
pub struct Guest(Company);

/// The door is shut. It opens again when this is dropped.
#[derive(Debug)]
#[must_use = "the door opens again when this is dropped"]
pub struct Shut(Company);

impl Company {
    /// How many are connected.
    #[must_use]
    pub fn guests(&self) -> usize {
        self.0.borrow().guests
    }

    /// Ends when nobody is connected.
    pub async fn gone(&self) {
        self.is(|hall| hall.guests == 0).await;
    }

    /// Ends when somebody is.
    pub async fn came(&self) {
        self.is(|hall| hall.guests > 0).await;
    }

    /// Shuts the door, if nobody is connected.
    pub fn shut(&self) -> Option<Shut> {
        let shut = self.0.send_if_modified(|hall| {
            let may = hall.guests == 0 && hall.door == Door::Open;
            if may {
                hall.door = Door::Shut;
            }
            may
        });
        shut.then(|| Shut(self.clone()))
    }

    /// Ends when the door is open.
    pub async fn opened(&self) {
        self.is(|hall| hall.door == Door::Open).await;
    }

    /// Ends when it is shut.
    pub(super) async fn was_shut(&self) {
        self.is(|hall| hall.door == Door::Shut).await;
    }

    /// One more, whatever the door: the daemon runs on one thread, and nothing comes between an accept and this.
    #[must_use]
    pub fn enter(&self) -> Guest {
        self.0.send_modify(|hall| hall.guests += 1);
        Guest(self.clone())
    }

    /// The manager has handed over the socket that stands there.
    pub(super) fn find_manager_at(&self, spot: Spot) {
        self.0.send_modify(|hall| {
            if let Manager::IsFoundAt(spots) = &mut hall.manager {
                spots.push(spot);
            }
        });
    }

    /// A socket of the manager was erased: who connects from now on does not reach the manager.
    pub fn lose_manager(&self) {
        self.0.send_modify(|hall| hall.manager = Manager::IsLost);
    }

    /// Whether that has happened: ever since it was noticed, and by a look at the paths until then.
    #[must_use]
    pub fn has_lost_manager(&self) -> bool {
        match &self.0.borrow().manager {
            Manager::IsFoundAt(spots) => spots.iter().any(|spot| spot.standing() != Standing::Held),
            Manager::IsLost => true,
        }
    }

    async fn is(&self, so: impl FnMut(&Hall) -> bool) {
        // It fails only when the sender is gone, and we hold it.
        let _ = self.0.subscribe().wait_for(so).await;
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.0.send_modify(|hall| hall.guests = hall.guests.saturating_sub(1));
    }
}

impl Drop for Shut {
    fn drop(&mut self) {
        self.0.0.send_modify(|hall| hall.door = Door::Open);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn the_door_is_shut_only_behind_the_last_one_and_opens_again() {
        let company = Company::default();
        let (one, other) = (company.enter(), company.clone().enter());
        assert_eq!(company.guests(), 2);
        drop(one);
        assert!(company.shut().is_none() && company.gone().now_or_never().is_none() && company.came().now_or_never().is_some());
        drop(other);
        assert!(company.gone().now_or_never().is_some() && company.came().now_or_never().is_none());
        let shut = company.shut().unwrap();
        assert!(company.shut().is_none(), "it is shut already");
        assert!(company.was_shut().now_or_never().is_some() && company.opened().now_or_never().is_none());
        drop(shut);
        assert!(company.opened().now_or_never().is_some() && company.was_shut().now_or_never().is_none());
    }

    #[tokio::test]
    async fn who_waits_for_a_change_is_told_of_it() {
        let company = Company::default();
        let (guest, ()) = tokio::join!(async { company.enter() }, company.came());
        let ((), ()) = tokio::join!(company.gone(), async { drop(guest) });
        let shut = company.shut().unwrap();
        let ((), ()) = tokio::join!(company.opened(), async { drop(shut) });
    }
}
