//! The end of a grant: written down first, then erased, given back, and never served again (D55, D63). Here by the person.

use std::sync::Arc;

use mcp_authd_oauth::time::Instant;
use mcp_authd_oauth::token::Binding;

use super::credential::{Absent, Credential, Erasure};
use super::effect::{Effect, SAVE_AGAIN, SaveId};
use super::sign_in::SignIn;
use super::{Account, Fate, Work};
use crate::accounts::belonging::{as_issued, is_same_client};
use crate::accounts::grant::{Ended, Grant, NotRenewable, Renewal, SignInEnd};
use crate::accounts::{AccountConfig, RevokeRequest, SaveError};

impl Account {
    /// Written down before it is erased: a kill in between finishes the erasure, and a login that waited is not polled again.
    pub(super) fn sign_out(&mut self, work: &mut Work) {
        if matches!(self.credential, Credential::None(Absent::Removed(_))) {
            return;
        }
        self.forget(Fate::Revoked, work);
        self.history.ended = Some(Ended::ByPerson);
        if matches!(self.sign_in, SignIn::Idle(_)) {
            self.save_sign_in(work);
        }
        self.abort_sign_in(SignInEnd::Cancelled, work);
        let erasure = self.erase(work);
        self.credential = Credential::None(Absent::SignedOut(erasure));
    }

    /// Begins to erase the grant.
    pub(super) fn erase(&mut self, work: &mut Work) -> Erasure {
        let erase = SaveId(self.name());
        work.then(Effect::ForgetGrant(erase));
        Erasure::InFlight(erase)
    }

    /// Tries a refused erasure again.
    pub(super) fn erase_again(&mut self, work: &mut Work) {
        if self.credential.erasure().and_then(Erasure::again_at).is_none_or(|at| at > work.now.instant) {
            return;
        }
        if matches!(self.credential, Credential::None(Absent::Removed(_))) {
            self.save_sign_in(work);
        }
        let erasure = self.erase(work);
        self.erasure_is(erasure);
    }

    pub(super) fn grant_forgotten(&mut self, id: SaveId, result: Result<(), SaveError>, work: &mut Work) {
        if self.credential.erasure() != Some(&Erasure::InFlight(id)) {
            return;
        }
        if result.is_ok() && matches!(self.credential, Credential::None(Absent::Removed(_))) {
            // Only now: until the grant is gone that record is what keeps it dead.
            let erase = SaveId(self.name());
            work.then(Effect::ForgetSignIn(erase));
            self.erasure_is(Erasure::InFlight(erase));
        } else {
            self.erasure_is(Erasure::after(result, work));
        }
    }

    pub(super) fn sign_in_forgotten(&mut self, id: SaveId, result: Result<(), SaveError>, work: &Work) {
        if self.credential.erasure() == Some(&Erasure::InFlight(id)) {
            self.erasure_is(Erasure::after(result, work));
        }
    }

    fn erasure_is(&mut self, erasure: Erasure) {
        self.credential = std::mem::replace(&mut self.credential, Credential::LOADING).with_erasure(erasure);
    }

    /// A grant of the present generation is on the disk: from here on no older one can come back (I3).
    pub(super) fn older_grants_are_gone(&mut self, result: &Result<(), SaveError>, work: &mut Work) {
        if result.is_ok() && self.history.ended.take().is_some() {
            self.save_sign_in(work);
        }
    }

    pub(super) fn forget(&mut self, fate: Fate, work: &mut Work) {
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
            self.revoke(grant, work);
        }
    }

    pub(super) fn is_unread(&self) -> bool {
        matches!(
            self.credential,
            Credential::None(Absent::Loading | Absent::Locked | Absent::WrongKey | Absent::Unreadable { .. })
        )
    }

    /// Gives a grant back that was held.
    pub(super) fn revoke(&self, grant: &Grant, work: &mut Work) {
        let refresh_token = match &grant.renewal {
            Renewal::With(token) => Some(token.clone()),
            Renewal::Not(NotRenewable::NotIssued | NotRenewable::Dead | NotRenewable::InDoubt) => None,
        };
        let access_token =
            grant.access.as_ref().filter(|token| token.is_alive(work.now.instant)).map(|token| token.access_token.clone());
        self.give_back(RevokeRequest { refresh_token, access_token, binding: grant.binding.clone() }, work);
    }

    /// Gives tokens back, where there are any, as the client that they were issued to.
    pub(super) fn give_back(&self, request: RevokeRequest, work: &mut Work) {
        if request.refresh_token.is_some() || request.access_token.is_some() {
            work.then(Effect::Revoke(self.config_of(&request.binding), Box::new(request)));
        }
    }

    /// What the account was when this was issued.
    fn config_of(&self, binding: &Binding) -> Arc<AccountConfig> {
        let present = &self.policy.config;
        let known = || std::iter::once(present).chain(self.former.iter().rev()).filter(|config| is_same_client(binding, config));
        // Whoever names no client may be any: the one that names this client knows its secret.
        let named = known().find(|config| config.client.pre_registered().is_some());
        let known = named.or_else(|| known().next());
        known.map_or_else(|| Arc::new(as_issued(binding, present)), Arc::clone)
    }
}

impl Erasure {
    pub(super) fn again_at(&self) -> Option<Instant> {
        match self {
            Self::Again { at, .. } => Some(*at),
            Self::InFlight(_) | Self::Done => None,
        }
    }

    fn after(result: Result<(), SaveError>, work: &Work) -> Self {
        match result {
            Ok(()) => Self::Done,
            Err(error) => Self::Again { at: work.now.instant + SAVE_AGAIN, why: error.to_string() },
        }
    }
}
