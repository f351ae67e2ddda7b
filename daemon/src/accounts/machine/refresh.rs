//! The refresh: prepared by a durable intent (I8), sent once (I1), settled by its outcome (D43-D56).

use std::time::Duration;

use mcp_authd_oauth::secret::RefreshToken;
use mcp_authd_oauth::time::Instant;
use mcp_authd_oauth::token::{Binding, RefreshOutcome, TokenSuccess};

use super::credential::{Credential, Failures, Rest, Resting, Save, Spending, Stage, Then, Unsaved};
use super::effect::{Effect, RefreshId, ReplayTime, SAVE_AGAIN, SaveId};
use super::more_access::scopes_of_refresh;
use super::resting::Beside;
use super::schedule::{CONFIGURATION_REST, UNKNOWN_REST, back_off_answered, back_off_nothing_sent, not_authenticated_rest};
use super::{Account, Fate, Work};
use crate::accounts::grant::{Grant, HeldToken, Intent, NotRenewable, Renewal, Rotation};
use crate::accounts::{RefreshRequest, RevokeRequest, SaveError};

impl Account {
    /// Prepares a refresh where one may be prepared: its intent is saved first (I8). Returns whether one is under way now.
    pub(super) fn prepare_refresh(&mut self, work: &mut Work) -> bool {
        if self.leaving {
            return matches!(self.credential, Credential::Spending(_));
        }
        let (attempt, failures) = match &self.credential {
            Credential::Held(grant) if grant.refresh_token().is_some() => (Intent::First, Failures::default()),
            Credential::Resting(rest) if rest.grant.refresh_token().is_some() => {
                let attempt = if matches!(rest.why, Rest::ReplayLater(_)) { Intent::Replay } else { Intent::First };
                (attempt, rest.failures)
            }
            Credential::Spending(_) => return true,
            Credential::None(_) | Credential::Held(_) | Credential::Resting(_) | Credential::Unsaved(_) => return false,
        };
        if let Some(grant) = self.take_grant() {
            let save = self.save_grant(&grant, Some(attempt), work);
            self.credential = Credential::Spending(Spending { grant, stage: Stage::Saving(save), attempt, failures });
        }
        true
    }

    /// A save has ended. Results of saves that nobody waits for any more change nothing (I3).
    pub(super) fn grant_saved(&mut self, save: SaveId, result: Result<(), SaveError>, work: &mut Work) {
        self.save_trouble = result.as_ref().err().map(ToString::to_string);
        self.save_again = match (&result, &self.credential) {
            (Err(_), Credential::Held(_) | Credential::Resting(_)) if self.last_save == Some(save) => {
                Some(work.now.instant + SAVE_AGAIN)
            }
            _ => None,
        };
        self.last_save = self.last_save.filter(|last| *last != save);
        match (std::mem::replace(&mut self.credential, Credential::LOADING), result) {
            (Credential::Spending(spending), result) if spending.stage == Stage::Saving(save) => {
                self.intent_saved(spending, result, work);
            }
            (Credential::Unsaved(unsaved), result) if unsaved.save.is(save) => {
                self.older_grants_are_gone(&result, work);
                self.unsaved_saved(unsaved, result, work);
            }
            (other, _) => self.credential = other,
        }
    }

    fn intent_saved(&mut self, spending: Spending, result: Result<(), SaveError>, work: &mut Work) {
        let Spending { grant, attempt, failures, .. } = spending;
        let now = work.now.instant;
        match result {
            // Nothing begins any more: the intent is taken back, so that the next start owes no replay.
            Ok(()) if self.leaving && attempt == Intent::First => {
                self.save_grant(&grant, None, work);
                self.credential = Credential::Held(grant);
            }
            Ok(()) if self.leaving => {
                self.save_grant(&grant, Some(Intent::First), work);
                self.rest(grant, now, Rest::ReplayLater("the daemon is about to end".to_owned()), Rested { failures, now });
            }
            Ok(()) => {
                let Some(refresh_token) = grant.refresh_token().cloned() else {
                    self.credential = Credential::Held(grant);
                    return;
                };
                let id = RefreshId(self.name());
                self.refreshing = Some(id);
                let request = RefreshRequest { refresh_token, binding: grant.binding.clone() };
                work.then(Effect::BeginRefresh(id, self.policy.config.clone(), Box::new(request)));
                self.credential = Credential::Spending(Spending { grant, stage: Stage::Sent, attempt, failures });
            }
            // B7: what cannot be saved is not spent.
            Err(error) => {
                let why = if attempt == Intent::Replay {
                    Rest::ReplayLater(error.to_string())
                } else {
                    Rest::IntentNotSaved(error.to_string())
                };
                self.rest(grant, now + SAVE_AGAIN, why, Rested { failures, now });
            }
        }
    }

    fn unsaved_saved(&mut self, unsaved: Unsaved, result: Result<(), SaveError>, work: &mut Work) {
        let Unsaved { grant, save, then } = unsaved;
        let now = work.now.instant;
        // A daemon about to leave saves once more, and does not wait for the disk.
        let wait = if self.leaving && matches!(save, Save::First { .. }) { Duration::ZERO } else { SAVE_AGAIN };
        self.credential = match (result, then) {
            (Ok(()), Then::Held) => Credential::Held(grant),
            (Ok(()), Then::Resting { until, why, failures }) => {
                Credential::Resting(Resting { grant, until, since: now, why, failures })
            }
            (Err(error), then) => {
                let save = Save::Again { at: now + wait, why: error.to_string() };
                Credential::Unsaved(Unsaved { grant, save, then })
            }
        };
    }

    /// Tries a refused save again, on a new file (B8).
    pub(super) fn retry_unsaved(&mut self, work: &mut Work) {
        let due = work.now.instant;
        let Credential::Unsaved(unsaved) = &self.credential else { return };
        let Save::Again { at, why } = &unsaved.save else { return };
        if *at <= due {
            let (why, grant, beside) = (why.clone(), unsaved.grant.clone(), unsaved.then.beside(work.now));
            let save = self.save_grant(&grant, beside, work);
            if let Credential::Unsaved(unsaved) = &mut self.credential {
                unsaved.save = Save::Retrying(save, why);
            }
        }
    }

    /// A refresh has ended. One that was overtaken changes nothing; after a logout its tokens are given back (D55).
    pub(super) fn refresh_settled(&mut self, id: RefreshId, outcome: RefreshOutcome, work: &mut Work) {
        if self.refreshing == Some(id) {
            self.refreshing = None;
        }
        if let Some(position) = self.overtaken.iter().position(|overtaken| overtaken.id == id) {
            let overtaken = self.overtaken.swap_remove(position);
            if let (Fate::Revoked, RefreshOutcome::Success(success)) = (overtaken.fate, outcome) {
                self.give_back(brought(success, overtaken.binding), work);
            }
            return;
        }
        match std::mem::replace(&mut self.credential, Credential::LOADING) {
            Credential::Spending(spending) if spending.stage == Stage::Sent => {
                tracing::info!(
                    account = %self.policy.config.name,
                    outcome = outcome_name(&outcome),
                    attempt = match spending.attempt {
                        Intent::First => "first",
                        Intent::Replay => "replay",
                    },
                    "a refresh has ended"
                );
                self.settle(spending, outcome, work);
            }
            other => self.credential = other,
        }
    }

    fn settle(&mut self, spending: Spending, outcome: RefreshOutcome, work: &mut Work) {
        let now = work.now.instant;
        self.refreshed_at = Some(now);
        let failures = Failures { count: spending.failures.count + 1, unknown_since: None };
        match outcome {
            RefreshOutcome::Success(success) => self.refreshed(spending, success, work),
            RefreshOutcome::DeadGrant(_) => self.end_renewal(spending.grant, NotRenewable::Dead, work),
            RefreshOutcome::Configuration(error) => {
                let why = Rest::Configuration(in_words(&error));
                self.stays(spending, (now + CONFIGURATION_REST, why, failures), work);
            }
            RefreshOutcome::NotAuthenticated(why) => {
                let until = now + not_authenticated_rest(&why, spending.failures.count);
                self.stays(spending, (until, Rest::NotAuthenticated(why), failures), work);
            }
            RefreshOutcome::UnknownError(error) => {
                let since = spending.failures.unknown_since.unwrap_or(now);
                if now.since(since) >= UNKNOWN_REST {
                    self.end_renewal(spending.grant, NotRenewable::Dead, work);
                } else {
                    let failures = Failures { unknown_since: Some(since), ..failures };
                    self.stays(spending, (now + UNKNOWN_REST, Rest::Answered(in_words(&error)), failures), work);
                }
            }
            RefreshOutcome::Later { retry_after, status } => {
                let until = now + back_off_answered(spending.failures.count, retry_after, &mut self.luck);
                let why = Rest::Answered(format!("the authorization server answers with status {status}"));
                self.stays(spending, (until, why, failures), work);
            }
            RefreshOutcome::NothingSent(why) => {
                let until = now + back_off_nothing_sent(spending.failures.count);
                self.stays(spending, (until, Rest::NothingSent(why.to_string()), failures), work);
            }
            RefreshOutcome::OutcomeUnknown(why) => self.outcome_unknown(spending, &why.to_string(), work),
        }
    }

    /// Nothing was spent by this attempt: the grant is kept as it is. A replay that was not taken is owed still (D56).
    fn stays(&mut self, spending: Spending, (until, why, failures): (Instant, Rest, Failures), work: &mut Work) {
        let (intent, why) = match spending.attempt {
            Intent::First => (None, why),
            Intent::Replay => (Some(Intent::First), Rest::ReplayLater(why.words())),
        };
        let rest = why.kept(until, failures, work.now);
        self.save_grant(&spending.grant, Beside { intent, rest }, work);
        self.rest(spending.grant, until, why, Rested { failures, now: work.now.instant });
    }

    fn refreshed(&mut self, spending: Spending, success: TokenSuccess, work: &mut Work) {
        let now = work.now;
        let rotated = success.refresh_token.as_ref().is_some_and(|new| Some(new) != spending.grant.refresh_token());
        let Spending { mut grant, failures, .. } = spending;
        let before = grant.access.clone().filter(|_| !self.policy.refresh_ends_access_tokens);
        grant.rotation = match (grant.rotation, rotated) {
            (_, true) | (Rotation::Rotates, false) => Rotation::Rotates,
            // An answer that holds no usable token proves nothing about the refresh token.
            (known, false) if success.token.is_err() => known,
            (Rotation::Unknown | Rotation::Keeps, false) => Rotation::Keeps,
        };
        if let Some(new) = success.refresh_token {
            grant.renewal = Renewal::With(new);
        }
        let then = match success.token {
            Ok(token) => {
                if let Some(scopes) = &token.scopes {
                    grant.scopes = scopes_of_refresh(scopes, &grant.scopes);
                }
                if grant.subject.is_none() {
                    grant.subject.clone_from(&token.subject);
                }
                grant.refreshed_at = Some(now.wall);
                grant.access = Some(HeldToken::from(token));
                Then::Held
            }
            // D44: the old credential stays; a rotated refresh token counts before everything else (D43).
            Err(misbehaved) => {
                if self.policy.refresh_ends_access_tokens && rotated {
                    grant.access = None;
                }
                Then::Resting {
                    until: now.instant + back_off_answered(failures.count, None, &mut self.luck),
                    why: Rest::Answered(misbehaved.to_string()),
                    failures: Failures { count: failures.count + 1, unknown_since: None },
                }
            }
        };
        let save = self.save_grant(&grant, then.beside(now), work);
        self.credential = Credential::Unsaved(Unsaved { grant, save: Save::First { save, before }, then });
    }

    /// The grant cannot be renewed any more: its access token serves to its end (D45, D56).
    fn end_renewal(&mut self, mut grant: Grant, why: NotRenewable, work: &mut Work) {
        tracing::warn!(account = %self.policy.config.name, ?why, "the grant cannot be renewed any more");
        let refresh_token = grant.refresh_token().map(RefreshToken::sha256);
        tracing::debug!(account = %self.policy.config.name, ?refresh_token, "which grant it was");
        grant.renewal = Renewal::Not(why);
        self.save_grant(&grant, None, work);
        self.credential = Credential::Held(grant);
    }

    /// Nobody knows whether the refresh token was spent (D56).
    pub(super) fn outcome_unknown(&mut self, spending: Spending, why: &str, work: &mut Work) {
        let now = work.now.instant;
        let failures = Failures { count: spending.failures.count + 1, unknown_since: None };
        if spending.grant.rotation == Rotation::Keeps {
            let until = now + back_off_answered(spending.failures.count, None, &mut self.luck);
            let spending = Spending { attempt: Intent::First, ..spending };
            self.stays(spending, (until, Rest::Answered(why.to_owned()), failures), work);
            return;
        }
        if spending.attempt == Intent::Replay {
            self.end_renewal(spending.grant, NotRenewable::InDoubt, work);
            return;
        }
        let later = match self.policy.replay {
            ReplayTime::AtOnce => None,
            ReplayTime::After(wait) => Some(now + wait),
            ReplayTime::AtTokenEnd => spending.grant.access.as_ref().and_then(HeldToken::expires).filter(|end| *end > now),
        };
        self.rest(spending.grant, later.unwrap_or(now), Rest::ReplayLater(why.to_owned()), Rested { failures, now });
        if later.is_none() {
            self.prepare_refresh(work);
        }
    }

    fn rest(&mut self, grant: Grant, until: Instant, why: Rest, rested: Rested) {
        let Rested { failures, now } = rested;
        self.credential = Credential::Resting(Resting { grant, until, since: now, why, failures });
    }

    /// A login or a logout came first: what the refresh in flight brings is not the account's any more (I3).
    pub(super) fn overtake_refresh(&mut self, fate: Fate) {
        if let (Credential::Spending(Spending { stage: Stage::Sent, grant, .. }), Some(id)) = (&self.credential, self.refreshing)
        {
            self.overtaken.push(super::Overtaken { id, fate, binding: grant.binding.clone() });
        }
    }
}

#[derive(Clone, Copy)]
struct Rested {
    failures: Failures,
    now: Instant,
}

impl Save {
    fn is(&self, id: SaveId) -> bool {
        match self {
            Self::First { save, .. } | Self::Retrying(save, _) => *save == id,
            Self::Again { .. } => false,
        }
    }
}

impl Rest {
    pub(crate) fn words(&self) -> String {
        match self {
            Self::NothingSent(why)
            | Self::IntentNotSaved(why)
            | Self::Answered(why)
            | Self::Configuration(why)
            | Self::ReplayLater(why) => why.clone(),
            Self::NotAuthenticated(why) => why.to_string(),
        }
    }
}

fn in_words(error: &mcp_authd_oauth::token::ErrorAnswer) -> String {
    match &error.description {
        Some(description) => format!("{} ({description})", error.error),
        None => error.error.clone(),
    }
}

/// What a refresh has brought, to be given back.
fn brought(success: TokenSuccess, binding: Binding) -> RevokeRequest {
    let access_token = success.token.ok().map(|token| token.access_token);
    RevokeRequest { refresh_token: success.refresh_token, access_token, binding }
}

fn outcome_name(outcome: &RefreshOutcome) -> &'static str {
    match outcome {
        RefreshOutcome::Success(success) if success.token.is_err() => "success without a usable token",
        RefreshOutcome::Success(_) => "success",
        RefreshOutcome::DeadGrant(_) => "dead grant",
        RefreshOutcome::Configuration(_) => "configuration",
        RefreshOutcome::NotAuthenticated(_) => "not authenticated",
        RefreshOutcome::UnknownError(_) => "unknown error",
        RefreshOutcome::Later { .. } => "later",
        RefreshOutcome::NothingSent(_) => "nothing sent",
        RefreshOutcome::OutcomeUnknown(_) => "outcome unknown",
    }
}
