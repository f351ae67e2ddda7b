//! More access than is held: when a login for it may begin, what it asks for, and which scopes count (D40).
//!
//! The token that is held goes on serving and is refreshed meanwhile; only a login widens a grant, never a refresh.
//!
//! Must never: ask a person twice for what was refused, or take an answer's word for scopes that nobody asked for.

use mcp_authd_oauth::terms::Scopes;
use mcp_authd_oauth::time::Now;

use super::attend::{Verdict, refuse};
use super::sign_in::SignIn;
use super::{Account, Waiter};
use crate::accounts::grant::{Grant, PendingRecord, Purpose, SignInEnd};
use crate::accounts::need::{LoginReason, Refusal, SignInMode, SignInPrompt};

impl Account {
    /// What a waiter gets whose need the scopes of the grant do not cover.
    pub(super) fn more_access(&self, grant: &Grant, waiter: &Waiter, now: Now) -> Verdict {
        let missing = without(&waiter.need.scopes, &grant.scopes);
        let refused = missing.iter().any(|scope| self.history.refused.iter().any(|refused| refused == scope));
        let may = match &self.sign_in {
            // Whether one may begin now is asked there too: here only what another answer would not help with.
            SignIn::Idle(_) => !refused && !waiter.has_seen_sign_in && self.may_ask_for_more(waiter, now),
            // There is one login for all, and what it does not ask for may be asked for after it; but not what was refused.
            _ => !refused || self.login_asks_for(&missing),
        };
        if may {
            self.sign_in_for(waiter, Purpose::MoreAccess, LoginReason::LastFailed, now)
        } else {
            refuse(Refusal::InsufficientScope { missing })
        }
    }

    /// Whether a program may ask the person for more: not after they have refused or cancelled a login, and within the bounds (P18).
    fn may_ask_for_more(&self, waiter: &Waiter, now: Now) -> bool {
        let ended_badly = match self.history.end() {
            Some(SignInEnd::Denied | SignInEnd::Cancelled | SignInEnd::OtherSubject | SignInEnd::NoSubject) => true,
            Some(SignInEnd::Granted | SignInEnd::Expired | SignInEnd::Failed) | None => false,
        };
        match waiter.need.sign_in {
            SignInMode::Never => false,
            SignInMode::StartAndReturn | SignInMode::StartAndWait => !ended_badly && self.history.may_begin(now.wall),
            SignInMode::Person(_) => true,
        }
    }

    /// What a login asks for: what is configured, what is held, and what is needed.
    pub(super) fn scopes_for(&self, wanted: &Scopes) -> Scopes {
        if self.policy.config.scopes.is_empty() && wanted.is_empty() {
            return Scopes::default();
        }
        self.policy.config.scopes.union(wanted).union(&self.held_scopes())
    }

    /// Whether the login that goes on asks for all of these.
    pub(super) fn login_asks_for(&self, wanted: &Scopes) -> bool {
        self.requested().is_some_and(|requested| requested.cover(wanted))
    }

    /// Whether the login that goes on is for more than is held.
    pub(super) fn wants_more_access(&self) -> bool {
        let purpose = match &self.sign_in {
            SignIn::Idle(_) => return false,
            SignIn::Starting(start) => start.purpose,
            SignIn::Prompted(pending) | SignIn::Waiting(pending) | SignIn::Answered(pending) | SignIn::Exchanging(pending) => {
                pending.purpose
            }
        };
        purpose == Purpose::MoreAccess
    }

    /// What the login that goes on asks for beyond what is held is refused by the server.
    pub(super) fn note_refused(&mut self) {
        let refused = self.requested().map(|requested| still_refused(requested, &self.held_scopes())).unwrap_or_default();
        self.history.refused = self.history.refused.union(&refused);
    }

    /// The prompt that waits, as everybody sees it.
    pub(super) fn prompt(&self) -> Option<SignInPrompt> {
        let (SignIn::Waiting(pending) | SignIn::Answered(pending) | SignIn::Exchanging(pending)) = &self.sign_in else {
            return None;
        };
        Some(SignInPrompt {
            id: pending.id,
            purpose: pending.purpose,
            prompt: pending.login.prompt(),
            expires: pending.login.expires(),
            asked_by: pending.asked_by.clone(),
            more: self.beyond(pending),
        })
    }

    fn beyond(&self, pending: &PendingRecord) -> Scopes {
        match pending.purpose {
            Purpose::MoreAccess => without(pending.login.requested_scopes(), &self.held_scopes()),
            Purpose::First | Purpose::Again => Scopes::default(),
        }
    }

    fn requested(&self) -> Option<&Scopes> {
        match &self.sign_in {
            SignIn::Idle(_) => None,
            SignIn::Starting(start) => Some(&start.scopes),
            SignIn::Prompted(pending) | SignIn::Waiting(pending) | SignIn::Answered(pending) | SignIn::Exchanging(pending) => {
                Some(pending.login.requested_scopes())
            }
        }
    }

    fn held_scopes(&self) -> Scopes {
        self.credential.grant().map(|grant| grant.scopes.clone()).unwrap_or_default()
    }
}

/// What stays refused of `refused`, where these scopes are granted. A grant whose scopes nobody told refuses nothing.
pub(super) fn still_refused(refused: &Scopes, granted: &Scopes) -> Scopes {
    if granted.is_empty() { Scopes::default() } else { without(refused, granted) }
}

/// The scopes of a login's grant: what the answer tells, of what was asked for (D40).
///
/// Where the two have no word in common the server calls its scopes otherwise, and only its own words tell them apart.
pub(super) fn scopes_of_login(told: Option<&Scopes>, requested: Scopes) -> Scopes {
    let Some(told) = told else { return requested };
    if requested.is_empty() {
        return told.clone();
    }
    let counted = common(told, &requested);
    if counted.is_empty() { told.clone() } else { counted }
}

/// The scopes of a grant after a refresh: fewer, where the answer tells so, and never more (RFC 6749, section 6).
pub(super) fn scopes_of_refresh(told: &Scopes, held: &Scopes) -> Scopes {
    if held.is_empty() {
        return told.clone();
    }
    let counted = common(told, held);
    // "None at all" is no answer to a refresh that has brought a token.
    if counted.is_empty() { held.clone() } else { counted }
}

fn common(told: &Scopes, asked: &Scopes) -> Scopes {
    if !asked.cover(told) {
        tracing::warn!(told = %told.to_parameter(), asked = %asked.to_parameter(), "the answer tells of scopes that nobody asked for");
    }
    Scopes::from_words(told.iter().filter(|scope| asked.iter().any(|asked| asked == *scope)))
}

fn without(scopes: &Scopes, held: &Scopes) -> Scopes {
    Scopes::from_words(scopes.iter().filter(|scope| !held.iter().any(|held| held == *scope)))
}
