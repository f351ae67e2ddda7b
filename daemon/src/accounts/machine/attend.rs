//! What a waiter gets from the state that stands now: one pure question, asked again after every change.

use std::time::Duration;

use mcp_authd_oauth::terms::Scopes;
use mcp_authd_oauth::time::{Instant, Now};
use mcp_authd_oauth::token::Life;

use super::credential::{Absent, Credential, Rest, Resting, Save, Unsaved};
use super::schedule::{FORCED_DISTANCE, lives_long_enough};
use super::sign_in::{Pause, SignIn};
use super::{Account, Waiter};
use crate::accounts::grant::{Grant, HeldToken, NotRenewable, Purpose, Renewal, SignInEnd};
use crate::accounts::need::{AnswerState, LoginReason, Need, PersonWants, Refusal, ServedToken, SignInMode};

/// What a waiter gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    Answer(AnswerState),
    /// A request or a save is in flight (I4).
    Wait,
    /// A login is.
    WaitForSignIn,
    /// A refresh must be prepared first.
    Refresh {
        forced: bool,
    },
    /// A login must be begun first, and this waiter may.
    SignIn {
        purpose: Purpose,
        scopes: Scopes,
    },
}

/// A program that tells no name, and whose file cannot be seen from here.
const NAMELESS: &str = "a program without a name";

impl SignInMode {
    /// Whether a program asks, and whether another subject may take the account over.
    pub(super) fn who(self) -> (bool, bool) {
        match self {
            Self::Never | Self::StartAndReturn | Self::StartAndWait => (true, false),
            Self::Person(wants) => (false, wants == PersonWants::Replace),
        }
    }
}

impl Need {
    /// Who begins a login by this call: empty where the person does, and only there.
    pub(super) fn asked_by(&self) -> String {
        match (self.sign_in, self.client_name.as_str()) {
            (SignInMode::Person(_), _) => String::new(),
            (_, "") => NAMELESS.to_owned(),
            (_, name) => name.to_owned(),
        }
    }
}

impl Account {
    pub(super) fn attend(&self, waiter: &Waiter, now: Now) -> Verdict {
        let absent = match &self.credential {
            Credential::None(absent) => absent,
            Credential::Unsaved(Unsaved { save: Save::First { .. }, .. }) => {
                return self.attend_before(&waiter.need, now.instant);
            }
            // The old token may have died at the server by now, and nobody here would know. At a deadline it is better than nothing.
            Credential::Spending(_) if self.policy.refresh_ends_access_tokens && waiter.need.sign_in.who().0 => {
                return Verdict::Wait;
            }
            Credential::Held(grant)
            | Credential::Spending(super::Spending { grant, .. })
            | Credential::Resting(Resting { grant, .. })
            | Credential::Unsaved(Unsaved { grant, .. }) => return self.attend_with(grant, waiter, now),
        };
        match absent {
            Absent::Loading => Verdict::Wait,
            Absent::Locked | Absent::WrongKey => refuse(Refusal::Locked),
            Absent::Removed(_) => refuse(Refusal::NoSuchAccount),
            Absent::Unreadable { again, why } => {
                refuse(Refusal::Unavailable { retry_after: Some(again.since(now.instant)), why: why.clone() })
            }
            Absent::SignedOut(_) => self.signed_out(waiter, now),
            // Unlike a logout this is no wish to be left alone: see `reconfiguring`.
            Absent::Reconfigured { reason, .. } => self.sign_in_for(waiter, reason.purpose(), *reason, now),
            Absent::Never => self.sign_in_for(waiter, Purpose::First, LoginReason::Never, now),
            Absent::Damaged => self.sign_in_for(waiter, Purpose::Again, LoginReason::Damaged, now),
        }
    }

    /// While a new token is being saved the one before it serves, if it will do; else everybody waits.
    fn attend_before(&self, need: &Need, now: Instant) -> Verdict {
        let Some(before) = self.credential.before() else { return Verdict::Wait };
        let will_do = before.access.as_ref().is_some_and(|held| lives_long_enough(held, need.min_validity, now));
        let is_program = !matches!(need.sign_in, SignInMode::Person(_));
        match served(&before, need, now) {
            Some(token) if will_do && is_program => Verdict::Answer(AnswerState::Token(token)),
            _ => Verdict::Wait,
        }
    }

    /// After a logout only the person begins a login; programs see one that waits.
    fn signed_out(&self, waiter: &Waiter, now: Now) -> Verdict {
        let by_program = !matches!(waiter.need.sign_in, SignInMode::Person(_));
        match &self.sign_in {
            SignIn::Idle(_) if by_program => refuse(Refusal::SignedOut),
            _ => self.sign_in_for(waiter, Purpose::Again, LoginReason::Never, now),
        }
    }

    fn attend_with(&self, grant: &Grant, waiter: &Waiter, now: Now) -> Verdict {
        let need = &waiter.need;
        if let SignInMode::Person(wants) = need.sign_in
            && let Some(verdict) = self.person(grant, waiter, wants, now)
        {
            return verdict;
        }
        if let Some(token) = served(grant, need, now.instant) {
            return match &grant.access {
                Some(held) if lives_long_enough(held, need.min_validity, now.instant) => {
                    Verdict::Answer(AnswerState::Token(token))
                }
                _ if self.is_renewable(grant) => self.refresh_for(grant, need, now),
                // Nothing longer-lived is to be had without a person: the living token is better than none.
                _ => Verdict::Answer(AnswerState::Token(token)),
            };
        }
        if !Credential::covers(grant, &need.scopes) {
            return self.more_access(grant, waiter, now);
        }
        if self.is_renewable(grant) {
            return self.refresh_for(grant, need, now);
        }
        let reason = match &grant.renewal {
            Renewal::Not(NotRenewable::Dead) => LoginReason::Dead,
            Renewal::Not(NotRenewable::InDoubt) => LoginReason::InDoubt,
            Renewal::Not(NotRenewable::NotIssued) | Renewal::With(_) => LoginReason::NotRenewable,
        };
        self.sign_in_for(waiter, Purpose::Again, reason, now)
    }

    fn is_renewable(&self, grant: &Grant) -> bool {
        grant.refresh_token().is_some()
    }

    /// What a person gets before everything else. `None`: what a program would get.
    fn person(&self, grant: &Grant, waiter: &Waiter, wants: PersonWants, now: Now) -> Option<Verdict> {
        let good = grant.refresh_token().is_some() || grant.access.as_ref().is_some_and(|token| token.is_alive(now.instant));
        match (&self.sign_in, wants) {
            (SignIn::Idle(_), PersonWants::ToBeSignedIn) if good => None,
            (SignIn::Idle(_), PersonWants::ToBeSignedIn) => {
                Some(self.sign_in_for(waiter, Purpose::Again, LoginReason::NotRenewable, now))
            }
            _ => Some(self.sign_in_for(waiter, Purpose::Again, LoginReason::LastFailed, now)),
        }
    }

    /// What a renewable grant does for a need that its present token does not meet.
    fn refresh_for(&self, grant: &Grant, need: &Need, now: Now) -> Verdict {
        let rejected = is_rejected(grant, need);
        match &self.credential {
            // A leaving daemon waits for the refresh that is out (B6): so do its callers.
            Credential::Spending(_) => Verdict::Wait,
            _ if self.leaving => match served(grant, need, now.instant) {
                Some(token) => Verdict::Answer(AnswerState::Token(token)),
                None => until_the_end(need.sign_in),
            },
            Credential::Held(_) if rejected && self.was_forced(now.instant) => refuse(Refusal::TokenRejected),
            Credential::Held(_) if is_born_dead(grant) && self.was_refreshed(grant, now.instant) => {
                refuse(Refusal::Configuration {
                    why: "the authorization server issues tokens that have already ended".to_owned(),
                })
            }
            Credential::Held(_) => Verdict::Refresh { forced: rejected },
            Credential::Resting(rest) if rest.may_try(now.instant) => Verdict::Refresh { forced: rejected },
            Credential::Resting(rest) => self.living_or(grant, need, now, || rest.refusal(now.instant)),
            Credential::Unsaved(Unsaved { save: Save::Again { at, .. }, .. }) => {
                let retry_after = Some(at.since(now.instant));
                self.living_or(grant, need, now, || Refusal::NotSaved { retry_after })
            }
            Credential::Unsaved(_) | Credential::None(_) => {
                self.living_or(grant, need, now, || Refusal::NotSaved { retry_after: None })
            }
        }
    }

    fn living_or(&self, grant: &Grant, need: &Need, now: Now, otherwise: impl FnOnce() -> Refusal) -> Verdict {
        match served(grant, need, now.instant) {
            Some(token) => Verdict::Answer(AnswerState::Token(token)),
            None => refuse(otherwise()),
        }
    }

    pub(super) fn was_forced(&self, now: Instant) -> bool {
        self.forced_at.is_some_and(|at| now.since(at) < FORCED_DISTANCE)
    }

    pub(super) fn was_refreshed(&self, grant: &Grant, now: Instant) -> bool {
        grant.refreshed_at.is_some() && self.refreshed_at.is_some_and(|at| now.since(at) < FORCED_DISTANCE)
    }

    /// A login that waits, or whether this waiter may begin one (P18).
    pub(super) fn sign_in_for(&self, waiter: &Waiter, purpose: Purpose, reason: LoginReason, now: Now) -> Verdict {
        let mode = waiter.need.sign_in;
        let pause = match &self.sign_in {
            SignIn::Starting(_) | SignIn::Prompted(_) => return Verdict::WaitForSignIn,
            SignIn::Waiting(_) | SignIn::Answered(_) | SignIn::Exchanging(_) if mode == SignInMode::StartAndWait => {
                return Verdict::WaitForSignIn;
            }
            SignIn::Waiting(_) | SignIn::Answered(_) | SignIn::Exchanging(_) => {
                return self.prompt().map_or(Verdict::Wait, |prompt| Verdict::Answer(AnswerState::SignIn(prompt)));
            }
            SignIn::Idle(pause) => pause,
        };
        let paused = match pause {
            Pause::Until { at, why, .. } if *at > now.instant || waiter.has_seen_sign_in => {
                Some(why.clone().after(at.since(now.instant)))
            }
            Pause::Until { .. } | Pause::Over => None,
        };
        if waiter.has_seen_sign_in {
            return refuse(paused.unwrap_or_else(|| self.last_end()));
        }
        let begin = Verdict::SignIn { purpose, scopes: self.scopes_for(&waiter.need.scopes) };
        match mode {
            SignInMode::Never => refuse(Refusal::LoginRequired(reason)),
            _ if self.leaving => until_the_end(mode),
            SignInMode::Person(_) => begin,
            SignInMode::StartAndReturn | SignInMode::StartAndWait => match self.history.end() {
                Some(SignInEnd::Denied | SignInEnd::Cancelled) => refuse(Refusal::Denied),
                Some(SignInEnd::OtherSubject) => refuse(Refusal::AccountMismatch),
                Some(SignInEnd::NoSubject) => refuse(Refusal::SubjectUnknown),
                _ if paused.is_some() => refuse(paused.unwrap_or(Refusal::TooManyPrompts)),
                _ if !self.history.may_begin(now.wall) => refuse(Refusal::TooManyPrompts),
                Some(SignInEnd::Granted | SignInEnd::Expired | SignInEnd::Failed) | None => begin,
            },
        }
    }

    fn last_end(&self) -> Refusal {
        match self.history.end() {
            Some(SignInEnd::Denied | SignInEnd::Cancelled) => Refusal::Denied,
            Some(SignInEnd::OtherSubject) => Refusal::AccountMismatch,
            Some(SignInEnd::NoSubject) => Refusal::SubjectUnknown,
            Some(SignInEnd::Granted | SignInEnd::Expired | SignInEnd::Failed) | None => {
                Refusal::LoginRequired(LoginReason::LastFailed)
            }
        }
    }

    /// What a waiter gets whose time is over.
    pub(super) fn at_deadline(&self, need: &Need, now: Now) -> AnswerState {
        let before = self.credential.before();
        let held = self.credential.answerable().or(before.as_ref());
        if let Some(token) = held.and_then(|grant| served(grant, need, now.instant)) {
            return AnswerState::Token(token);
        }
        if let Some(prompt) = self.prompt() {
            return AnswerState::SignIn(prompt);
        }
        let why = match (&self.credential, &self.sign_in) {
            (Credential::None(Absent::Loading), _) => "the store is still being read",
            (Credential::Unsaved(_), _) => "the new token is still being saved",
            (_, SignIn::Starting(_)) => "the authorization server has not yet answered the login request",
            (_, SignIn::Prompted(_)) => "the login is still being saved",
            _ if self.leaving && self.is_settled() => return AnswerState::Refusal(leaving()),
            _ => "the authorization server has not yet answered the refresh",
        };
        AnswerState::Refusal(Refusal::Unavailable { retry_after: Some(Duration::from_secs(1)), why: why.to_owned() })
    }
}

impl Resting {
    fn may_try(&self, now: Instant) -> bool {
        self.until <= now || self.why.impatience().is_some_and(|after| now.since(self.since) >= after)
    }

    fn refusal(&self, now: Instant) -> Refusal {
        let retry_after = Some(self.until.since(now).min(self.why.impatience().unwrap_or(Duration::MAX)));
        let why = self.why.words();
        match &self.why {
            Rest::NotAuthenticated(why) => Refusal::NotAuthenticated(why.clone()),
            Rest::Configuration(_) => Refusal::Configuration { why },
            Rest::IntentNotSaved(_) => Refusal::NotSaved { retry_after },
            Rest::NothingSent(_) | Rest::Answered(_) | Rest::ReplayLater(_) => Refusal::Unavailable { retry_after, why },
        }
    }
}

impl LoginReason {
    fn purpose(self) -> Purpose {
        if self == Self::Never { Purpose::First } else { Purpose::Again }
    }
}

impl Refusal {
    fn after(self, wait: Duration) -> Self {
        match self {
            Self::Unavailable { why, .. } => Self::Unavailable { retry_after: Some(wait), why },
            other => other,
        }
    }
}

/// The token, where it lives, covers the scopes, and is not the one that the caller reports as rejected.
fn served(grant: &Grant, need: &Need, now: Instant) -> Option<ServedToken> {
    let held = grant.access.as_ref().filter(|held| held.is_alive(now))?;
    (Credential::covers(grant, &need.scopes) && !is_rejected(grant, need)).then(|| ServedToken {
        access_token: held.access_token.clone(),
        expires: held.expires(),
        scopes: grant.scopes.clone(),
        resource: grant.binding.resource.clone(),
    })
}

fn is_rejected(grant: &Grant, need: &Need) -> bool {
    need.rejected.is_some_and(|hash| grant.access.as_ref().is_some_and(|held| held.access_token.sha256() == hash))
}

fn is_born_dead(grant: &Grant) -> bool {
    matches!(&grant.access, Some(HeldToken { life: Life::Known(Duration::ZERO), .. }))
}

/// What a leaving daemon begins no more, the next one does: a program that waits for the end of this one asks again there, and is
/// told of none of it. A person is told.
fn until_the_end(mode: SignInMode) -> Verdict {
    match mode {
        SignInMode::Person(_) => refuse(leaving()),
        SignInMode::Never | SignInMode::StartAndReturn | SignInMode::StartAndWait => Verdict::Wait,
    }
}

fn leaving() -> Refusal {
    Refusal::Unavailable { retry_after: Some(Duration::from_secs(1)), why: "the daemon is about to end".to_owned() }
}

pub(super) fn refuse(refusal: Refusal) -> Verdict {
    Verdict::Answer(AnswerState::Refusal(refusal))
}
