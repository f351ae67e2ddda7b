//! The end of a grant by the person: written down first, then erased, given back, and never served again (D55, D63).

use super::credential::{Absent, Credential, Erasure};
use super::effect::{Effect, SAVE_AGAIN, SaveId};
use super::sign_in::SignIn;
use super::{Account, Fate, Work};
use crate::accounts::grant::{Grant, NotRenewable, Renewal, SignInEnd};
use crate::accounts::{RevokeRequest, SaveError};

impl Account {
    /// Written down before it is erased: a kill in between finishes the erasure, and a login that waited is not polled again.
    pub(super) fn sign_out(&mut self, work: &mut Work) {
        if self.credential == Credential::None(Absent::Removed) {
            return;
        }
        self.forget(Fate::Revoked, work);
        self.history.signed_out = true;
        if matches!(self.sign_in, SignIn::Idle(_)) {
            self.save_sign_in(work);
        }
        self.abort_sign_in(SignInEnd::Cancelled, work);
        self.erase(work);
    }

    pub(super) fn removed(&mut self, work: &mut Work) {
        self.forget(Fate::Revoked, work);
        self.history.signed_out = true;
        self.abort_sign_in(SignInEnd::Cancelled, work);
        self.save_sign_in(work);
        let erase = SaveId(self.name());
        work.then(Effect::ForgetGrant(erase));
        self.credential = Credential::None(Absent::Removed);
    }

    pub(super) fn erase(&mut self, work: &mut Work) {
        let erase = SaveId(self.name());
        work.then(Effect::ForgetGrant(erase));
        self.credential = Credential::None(Absent::SignedOut(Erasure::InFlight(erase)));
    }

    pub(super) fn grant_forgotten(&mut self, id: SaveId, result: Result<(), SaveError>, work: &Work) {
        if self.credential == Credential::None(Absent::SignedOut(Erasure::InFlight(id))) {
            let erasure = match result {
                Ok(()) => Erasure::Done,
                Err(error) => Erasure::Again { at: work.now.instant + SAVE_AGAIN, why: error.to_string() },
            };
            self.credential = Credential::None(Absent::SignedOut(erasure));
        }
    }

    /// A grant of the present generation is on the disk: from here on no older one can come back (I3).
    pub(super) fn older_grants_are_gone(&mut self, result: &Result<(), SaveError>, work: &mut Work) {
        if result.is_ok() && self.history.signed_out {
            self.history.signed_out = false;
            self.save_sign_in(work);
        }
    }

    fn forget(&mut self, fate: Fate, work: &mut Work) {
        self.overtake_refresh(fate);
        self.overtaken.iter_mut().for_each(|overtaken| overtaken.fate = fate);
        if self.is_unread() {
            // Nobody knows the generation on the disk: the calendar is above any that was counted up.
            self.generation = self.generation.max(work.now.wall.as_millis());
        }
        self.generation += 1;
        self.save_trouble = None;
        self.save_again = None;
        if let Some(grant) = self.credential.grant() {
            revoke(grant, work);
        }
    }

    fn is_unread(&self) -> bool {
        matches!(
            self.credential,
            Credential::None(Absent::Loading | Absent::Locked | Absent::WrongKey | Absent::Unreadable { .. })
        )
    }
}

pub(super) fn revoke(grant: &Grant, work: &mut Work) {
    let refresh_token = match &grant.renewal {
        Renewal::With(token) => Some(token.clone()),
        Renewal::Not(NotRenewable::NotIssued | NotRenewable::Dead | NotRenewable::InDoubt) => None,
    };
    let access_token =
        grant.access.as_ref().filter(|token| token.is_alive(work.now.instant)).map(|token| token.access_token.clone());
    if refresh_token.is_some() || access_token.is_some() {
        work.then(Effect::Revoke(Box::new(RevokeRequest { refresh_token, access_token, binding: grant.binding.clone() })));
    }
}
