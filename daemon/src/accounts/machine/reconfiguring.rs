//! What a change of the configuration means: the login goes on, or belongs to what the account was before, or the account is gone.
//!
//! A logout by the person says "leave me alone": programs begin no login after it. A configuration that names another server says
//! the opposite, "log in there": so a program's call may begin that login, as it may for an account that is new, and the person
//! is asked once by whoever needs it. Three things keep that honest. The bounds on prompts count on over the change (P18), so that
//! nobody is asked more often by it. A denial and scopes that were refused were words to the server of then, and are forgotten.
//! And a logout outlives the change: it was the person's word about the account, and the file may have been written by a tool.
//!
//! Must never: serve or spend what was issued elsewhere (P14), or let an erasure that failed bring it back (I3).

use mcp_authd_oauth::terms::Scopes;
use mcp_authd_oauth::time::Instant;

use super::credential::{Absent, Credential, Erasure, Rest};
use super::effect::Policy;
use super::sign_in::{History, Kept, Pause, SignIn};
use super::{Account, Fate, Work};
use crate::accounts::belonging::belongs;
use crate::accounts::grant::Ended;
use crate::accounts::need::LoginReason;

/// What was before so many changes is forgotten: a request takes minutes, a person does not change more often than that.
const MOST_FORMER: usize = 4;

impl Account {
    /// What rests because of the configuration is tried again, also where that is as it was: it may have been mended at the server.
    pub(super) fn reloaded(&mut self, now: Instant) {
        if let Credential::Resting(rest) = &mut self.credential
            && matches!(rest.why, Rest::Configuration(_) | Rest::NotAuthenticated(_))
        {
            rest.until = now;
        }
        if let SignIn::Idle(pause) = &mut self.sign_in {
            *pause = Pause::Over;
        }
    }

    /// The login goes on.
    pub(super) fn changed(&mut self, policy: Policy, work: &mut Work) {
        let bindings = self.credential.grant().map(|grant| &grant.binding);
        let mut bindings = bindings.into_iter().chain(self.sign_in.pending().map(|pending| pending.login.binding()));
        let is_gone = matches!(self.credential, Credential::None(Absent::Removed(_)));
        // Whoever sent this knows the file; what is held is known here.
        if is_gone || !bindings.all(|binding| belongs(binding, &policy.config)) {
            self.moved(policy, work);
            return;
        }
        self.take_policy(policy);
        self.reloaded(work.now.instant);
    }

    /// What is held belongs to what the account was before; or it was taken out, and stands there again.
    pub(super) fn moved(&mut self, policy: Policy, work: &mut Work) {
        self.take_policy(policy);
        if self.is_unread() {
            // What it was is known when the records are read: all of it is older than this. Until then nothing is served, and a
            // store that is locked is not written to.
            self.generation = self.generation.max(work.now.wall.as_millis()) + 1;
            return;
        }
        self.end_by_configuration(work);
    }

    pub(super) fn end_by_configuration(&mut self, work: &mut Work) {
        self.forget(Fate::Revoked, work);
        self.start_over(work);
        let reason = match &self.credential {
            // There is nothing to be erased.
            Credential::None(Absent::Never | Absent::Damaged) => None,
            // It is over already, by the person.
            Credential::None(Absent::SignedOut(_)) => None,
            Credential::None(Absent::Reconfigured { reason, .. }) => Some(*reason),
            Credential::None(Absent::Removed(_)) => Some(LoginReason::Never),
            _ => Some(LoginReason::Reconfigured),
        };
        if reason.is_some() {
            self.history.ended = Some(Ended::ByConfiguration);
        }
        self.save_sign_in(work);
        if let Some(reason) = reason {
            let erasure = self.erase(work);
            self.credential = Credential::None(Absent::Reconfigured { erasure, reason });
        }
    }

    /// The login that waits ends, and so does what was said to the server of then. The bounds on prompts count on (P18).
    pub(super) fn start_over(&mut self, work: &mut Work) {
        self.give_up_sign_in(work);
        self.sign_in = SignIn::Idle(Pause::Over);
        self.start_failures = 0;
        self.forced_at = None;
        self.history.last_end = None;
        self.history.refused = Scopes::default();
    }

    /// Both records are erased, the one that keeps the grant dead after the grant: an account that gets this name later begins
    /// anew, also where a kill came in between.
    pub(super) fn removed(&mut self, work: &mut Work) {
        if matches!(self.credential, Credential::None(Absent::Removed(_))) {
            return;
        }
        self.forget(Fate::Revoked, work);
        self.start_over(work);
        self.history = History { ended: Some(Ended::ByConfiguration), ..History::default() };
        self.save_sign_in(work);
        self.sign_in_record = Kept::Saved;
        let erasure = self.erase(work);
        self.credential = Credential::None(Absent::Removed(erasure));
    }

    /// Whether the account is gone and nothing of it is under way: what a refresh or an exchange still brings has to be given back
    /// (D55).
    pub(super) fn is_gone(&self) -> bool {
        self.credential == Credential::None(Absent::Removed(Erasure::Done))
            && self.overtaken.is_empty()
            && self.given_up.is_empty()
    }

    fn take_policy(&mut self, policy: Policy) {
        if self.policy == policy {
            return;
        }
        let before = std::mem::replace(&mut self.policy, policy);
        self.former.push(before.config);
        let most = self.former.len().saturating_sub(MOST_FORMER);
        self.former.drain(..most);
        // What the account is has changed, and that is part of what is shown.
        self.published = None;
    }
}
