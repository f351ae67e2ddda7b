//! What an account needs a daemon for that nobody is connected to: a pure function of the state (DESIGN, section 5).
//!
//! Whatever else there is of it stands in the records, and goes on where it was with the next start.

use mcp_authd_oauth::time::{Instant, Now};

use super::Account;
use super::credential::{Absent, Credential, Erasure, Rest, Resting};
use super::sign_in::{Kept, Pause, SignIn};
use crate::accounts::idle::Business;

impl Account {
    /// What would be lost, missed or done too soon if the daemon left now. `None`: nothing.
    #[must_use]
    pub fn business(&self, now: Now) -> Option<Business> {
        let reasons = [
            (self.credential == Credential::LOADING, Business::Loading),
            (!matches!(self.sign_in, SignIn::Idle(_)), Business::SignIn),
            (self.is_erasing(), Business::NotErased),
            (!self.is_settled() || !self.waiters.is_empty(), Business::InFlight),
            (!self.is_saved(), Business::NotSaved),
            (self.owes_a_refresh(), Business::RefreshOwed),
            (self.leaves_alone(now.instant), Business::LeavesAlone),
        ];
        reasons.into_iter().find_map(|(is_so, business)| is_so.then_some(business))
    }

    fn is_erasing(&self) -> bool {
        let is_gone = matches!(self.credential, Credential::None(Absent::Removed(_)));
        is_gone || self.credential.erasure().is_some_and(|erasure| *erasure != Erasure::Done)
    }

    /// Whether the disk has answered for everything, and holds it.
    fn is_saved(&self) -> bool {
        let grant = self.last_save.is_none() && self.save_again.is_none() && !matches!(self.credential, Credential::Unsaved(_));
        grant && self.sign_in_saves == 0 && self.sign_in_record == Kept::Saved
    }

    fn owes_a_refresh(&self) -> bool {
        // Soon after it the server may take the replay for a theft (D56).
        let replay = matches!(&self.credential, Credential::Resting(Resting { why: Rest::ReplayLater(_), .. }));
        replay || self.refresh_ahead().is_some()
    }

    /// Whether a bound on what is asked of the server still counts, and only here: nothing of it stands in the records.
    fn leaves_alone(&self, now: Instant) -> bool {
        let rests = match &self.credential {
            Credential::Resting(rest) => rest.until > now,
            Credential::None(_) | Credential::Held(_) | Credential::Spending(_) | Credential::Unsaved(_) => false,
        };
        let pauses = matches!(&self.sign_in, SignIn::Idle(Pause::Until { at, .. }) if *at > now);
        let was_refreshed = self.credential.grant().is_some_and(|grant| self.was_refreshed(grant, now));
        rests || pauses || was_refreshed || self.was_forced(now)
    }
}
