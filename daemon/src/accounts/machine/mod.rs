//! The account machine: two small states side by side, behind one `handle(self, event, now)` (DESIGN, section 3).
//!
//! Level-triggered: an event changes the state, and then everybody who waits is looked at again by the state that stands now.
//!
//! Must never: read a clock, do I/O, or hold a lock (I6).

mod attend;
mod credential;
mod effect;
mod more_access;
mod reconfiguring;
mod refresh;
mod resting;
mod schedule;
mod sign_in;
mod sign_out;
mod staying;
mod told;
mod view;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use mcp_authd_oauth::time::{Instant, Now};
use mcp_authd_oauth::token::Binding;

use crate::accounts::belonging::belongs;
use crate::accounts::grant::{Ended, Grant, GrantRecord, Intent, SignInEnd};
use crate::accounts::need::{Answer, AnswerState, LoginReason, Need};
use crate::accounts::status::Status;
use crate::accounts::{AccountConfig, KeyState, LoadError, Stored};
use attend::Verdict;
use credential::{Absent, Credential, Erasure, Failures, Save, Spending, Stage, Unsaved};
use effect::SAVE_AGAIN;
pub use effect::{Effect, Event, Policy, RefreshId, ReplayTime, SaveId, SignInId, WaiterId};
use resting::Beside;
use schedule::{Luck, REFRESH_DISTANCE, RESUME_SPREAD, USED_WITHIN, refresh_ahead_at};
use sign_in::{History, Kept, Pause, SignIn, Start};

/// One account: at most one grant, at most one login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    policy: Policy,
    /// What the account was before, newest last: tokens of then go back as the client of then.
    former: Vec<Arc<AccountConfig>>,
    credential: Credential,
    sign_in: SignIn,
    history: History,
    waiters: Vec<Waiter>,
    /// Rises with each login, logout and security-relevant change (I3).
    generation: u64,
    /// Rises whenever the status changes.
    revision: u64,
    published: Option<Status>,
    /// The last name given to a save, a refresh or a login.
    names: u64,
    luck: Luck,
    /// When a caller last wanted a token (D53).
    used_at: Option<Instant>,
    /// When a refresh or a login last ended.
    refreshed_at: Option<Instant>,
    /// When a report of rejection last forced a refresh (D54).
    forced_at: Option<Instant>,
    /// The refresh that is out, of whatever generation.
    refreshing: Option<RefreshId>,
    /// Refreshes that a login or a logout has overtaken.
    overtaken: Vec<Overtaken>,
    /// Logins that were ended while their code was being traded in: the tokens that they bring go back.
    given_up: Vec<SignInId>,
    /// Login requests that failed in a row.
    start_failures: u32,
    /// No refresh ahead of time before: spread after a resume (D53).
    ahead_not_before: Option<Instant>,
    /// The save of the grant that was asked for last, while the store has not answered for it.
    last_save: Option<SaveId>,
    /// What the store said when it last refused.
    save_trouble: Option<String>,
    /// When a refused save that nobody waits for is tried again.
    save_again: Option<Instant>,
    /// Whether the disk holds the sign-in record as it is here.
    sign_in_record: Kept,
    /// Saves of the record of logins that the store has not answered.
    sign_in_saves: u32,
    leaving: bool,
}

/// What a new account is given from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beginning {
    /// Feeds the jitter.
    pub seed: u64,
    /// What was told of an account of this name before, if anything: the revision rises from here.
    pub revision: u64,
}

/// A caller that waits (I4).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Waiter {
    id: WaiterId,
    need: Need,
    /// It has waited for a login already, and begins no other.
    has_seen_sign_in: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Overtaken {
    id: RefreshId,
    fate: Fate,
    binding: Binding,
}

/// What becomes of the tokens that an overtaken refresh brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// A login came first.
    Dropped,
    /// A logout came first (D55).
    Revoked,
}

/// One step's time and what it wants done.
struct Work {
    now: Now,
    effects: Vec<Effect>,
    answers: Vec<(WaiterId, AnswerState)>,
}

impl Work {
    fn then(&mut self, effect: Effect) {
        self.effects.push(effect);
    }
}

impl Credential {
    const LOADING: Self = Self::None(Absent::Loading);
}

impl Account {
    /// A new account whose records are about to be read.
    #[must_use]
    pub fn new(policy: Policy, beginning: Beginning, now: Now) -> (Self, Vec<Effect>) {
        let account = Self {
            policy,
            former: Vec::new(),
            credential: Credential::LOADING,
            sign_in: SignIn::Idle(Pause::Over),
            history: History::default(),
            waiters: Vec::new(),
            generation: 0,
            // Over restarts too the revision rises: by the calendar, and by what the records say.
            revision: now.wall.as_millis().max(beginning.revision),
            published: None,
            names: now.wall.as_millis(),
            luck: Luck::new(beginning.seed),
            used_at: None,
            refreshed_at: None,
            forced_at: None,
            refreshing: None,
            overtaken: Vec::new(),
            given_up: Vec::new(),
            start_failures: 0,
            ahead_not_before: None,
            last_save: None,
            save_trouble: None,
            save_again: None,
            sign_in_record: Kept::Saved,
            sign_in_saves: 0,
            leaving: false,
        };
        let mut work = Work { now, effects: vec![Effect::Load], answers: Vec::new() };
        account.finish(&mut work)
    }

    /// Takes what happened, and says what is to be done.
    #[must_use]
    pub fn handle(mut self, event: Event, now: Now) -> (Self, Vec<Effect>) {
        let mut work = Work { now, effects: Vec::new(), answers: Vec::new() };
        match event {
            Event::TokenWanted(id, need) => return self.token_wanted(id, need, work),
            Event::CallerGone(id) => {
                // It ends only its own waiting: nobody else is looked at.
                self.waiters.retain(|waiter| waiter.id != id);
                return (self, work.effects);
            }
            Event::Loaded(result) => self.loaded(result, &mut work),
            Event::KeyChanged(state) => self.key_changed(state, &mut work),
            Event::GrantSaved(save, result) => self.grant_saved(save, result, &mut work),
            Event::SignInSaved(result) => self.sign_in_saved(result, &mut work),
            Event::Tick => {}
            Event::GrantForgotten(save, result) => self.grant_forgotten(save, result, &mut work),
            Event::SignInForgotten(save, result) => self.sign_in_forgotten(save, result, &work),
            Event::RefreshSettled(id, outcome) => self.refresh_settled(id, outcome, &mut work),
            Event::SignInPrompted(id, login) => self.sign_in_prompted(id, login, &mut work),
            Event::SignInAnswered(id) => self.sign_in_answered(id, &mut work),
            Event::SignInSettled(id, result) => self.sign_in_settled(id, result, &mut work),
            Event::SignInCancelled => self.abort_sign_in(SignInEnd::Cancelled, &mut work),
            Event::SignOut => self.sign_out(&mut work),
            Event::Removed => self.removed(&mut work),
            Event::Reloaded => self.reloaded(now.instant),
            Event::Changed(policy) => self.changed(policy, &mut work),
            Event::Moved(policy) => self.moved(policy, &mut work),
            Event::Returned(policy, revision) => {
                self.revision = self.revision.max(revision);
                self.moved(policy, &mut work);
            }
            Event::Resumed => {
                self.ahead_not_before = Some(now.instant + RESUME_SPREAD * self.luck.permille() / 1000);
            }
            Event::Leaving => self.begin_leaving(now.instant),
        }
        self.pump(&mut work);
        self.finish(&mut work)
    }

    /// When a [`Event::Tick`] is wanted next. `None`: never.
    #[must_use]
    pub fn next_deadline(&self, now: Now) -> Option<Instant> {
        let waiters = self.waiters.iter().map(|waiter| waiter.need.deadline);
        let erasure = self.credential.erasure().and_then(Erasure::again_at);
        let state = match &self.credential {
            Credential::None(Absent::Unreadable { again, .. }) => Some(*again),
            Credential::Unsaved(Unsaved { save: Save::Again { at, .. }, .. }) => Some(*at),
            Credential::None(_)
            | Credential::Held(_)
            | Credential::Spending(_)
            | Credential::Resting(_)
            | Credential::Unsaved(_) => None,
        };
        let sign_in = self.sign_in.unanswered().map(|pending| pending.login.expires() + SIGN_IN_GRACE);
        let end_of_token =
            self.credential.grant().and_then(|grant| grant.access.as_ref()?.expires()).filter(|end| *end > now.instant);
        let saves = self.save_again.into_iter().chain(self.sign_in_record.again_at());
        waiters.chain(erasure).chain(state).chain(sign_in).chain(end_of_token).chain(self.refresh_ahead()).chain(saves).min()
    }

    /// Whether nothing is in flight that a leaving daemon should wait for (B6).
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let saving =
            matches!(&self.credential, Credential::Unsaved(Unsaved { save: Save::First { .. } | Save::Retrying(..), .. }));
        // A code that is out, or about to be, is used up: after a restart nobody would wait for its tokens.
        let exchanging = matches!(self.sign_in, SignIn::Answered(_) | SignIn::Exchanging(_)) || !self.given_up.is_empty();
        !saving && !exchanging && !matches!(self.credential, Credential::Spending(_)) && self.refreshing.is_none()
    }

    /// What is published.
    #[must_use]
    pub fn status(&self, now: Now) -> Status {
        view::status(self, now)
    }

    fn token_wanted(mut self, id: WaiterId, need: Need, mut work: Work) -> (Self, Vec<Effect>) {
        self.used_at = Some(work.now.instant);
        self.let_replace(&need, &mut work);
        let mut waiter = Waiter { id, need, has_seen_sign_in: false };
        self.look_after(&mut waiter, &mut work).unwrap_or_else(|| self.waiters.push(waiter));
        if work.effects.is_empty() && self.refresh_ahead().is_none_or(|at| at > work.now.instant) {
            // The way of nearly every call: nothing has changed but the time of use.
            return (self.stamped(&mut work), work.effects);
        }
        self.pump(&mut work);
        self.finish(&mut work)
    }

    /// Everything that follows from the state alone.
    fn pump(&mut self, work: &mut Work) {
        self.pass_time(work);
        let mut waiters = std::mem::take(&mut self.waiters);
        waiters.retain_mut(|waiter| self.look_after(waiter, work).is_none());
        self.waiters = waiters;
        if self.refresh_ahead().is_some_and(|at| at <= work.now.instant) {
            self.prepare_refresh(work);
        }
    }

    /// Answers a waiter or begins what it needs. `Some`: it has been answered.
    fn look_after(&mut self, waiter: &mut Waiter, work: &mut Work) -> Option<()> {
        let mut verdict = self.attend(waiter, work.now);
        match verdict {
            Verdict::Refresh { forced } => {
                if forced {
                    self.forced_at = Some(work.now.instant);
                }
                self.prepare_refresh(work);
                verdict = self.attend(waiter, work.now);
            }
            Verdict::SignIn { purpose, scopes } => {
                let (by_program, replace) = waiter.need.sign_in.who();
                let asked_by = waiter.need.asked_by();
                let noted = by_program.then_some(work.now.wall);
                let start = Start { id: SignInId(self.name()), purpose, scopes, asked_by, replace, noted };
                self.begin_sign_in(start, work);
                verdict = self.attend(waiter, work.now);
            }
            Verdict::Answer(_) | Verdict::Wait | Verdict::WaitForSignIn => {}
        }
        let answer = match verdict {
            Verdict::Answer(answer) => answer,
            Verdict::WaitForSignIn => {
                // One that does not ask for what this waiter needs is not its own: after it, it may begin another.
                waiter.has_seen_sign_in |= self.login_asks_for(&waiter.need.scopes);
                return self.answer_if_over(waiter, work);
            }
            Verdict::Wait | Verdict::Refresh { .. } | Verdict::SignIn { .. } => return self.answer_if_over(waiter, work),
        };
        work.answers.push((waiter.id, answer));
        Some(())
    }

    fn answer_if_over(&self, waiter: &Waiter, work: &mut Work) -> Option<()> {
        (waiter.need.deadline <= work.now.instant)
            .then(|| work.answers.push((waiter.id, self.at_deadline(&waiter.need, work.now))))
    }

    fn pass_time(&mut self, work: &mut Work) {
        let now = work.now.instant;
        self.retry_unsaved(work);
        if matches!(&self.credential, Credential::None(Absent::Unreadable { again, .. }) if *again <= now) {
            self.credential = Credential::LOADING;
            work.then(Effect::Load);
        }
        self.erase_again(work);
        if self.save_again.is_some_and(|at| at <= now) {
            self.save_again = None;
            if let Some((grant, beside)) = self.credential.in_peace(work.now) {
                self.save_grant(&grant, beside, work);
            }
        }
        self.retry_sign_in_record(work);
        self.history.forget_the_future(work.now.wall);
        if self.sign_in.unanswered().is_some_and(|pending| pending.login.expires() + SIGN_IN_GRACE <= now) {
            self.abort_sign_in(SignInEnd::Expired, work);
        }
    }

    /// When the token wants to be refreshed ahead of its end, if this account is in use (D53).
    fn refresh_ahead(&self) -> Option<Instant> {
        let (grant, earliest) = match &self.credential {
            Credential::Held(grant) => (grant, None),
            Credential::Resting(rest) => (&rest.grant, Some(rest.until)),
            Credential::None(_) | Credential::Spending(_) | Credential::Unsaved(_) => return None,
        };
        let used = self.used_at?;
        grant.refresh_token()?;
        let due = match (&grant.access, earliest) {
            // Whatever wanted the refresh that did not work: it is owed.
            (_, Some(until)) => until,
            (Some(token), None) => refresh_ahead_at(token, &self.policy)?,
            (None, None) => used,
        };
        let distance = self.refreshed_at.map(|at| at + REFRESH_DISTANCE);
        let at = due.max(distance.unwrap_or(due)).max(self.ahead_not_before.unwrap_or(due));
        (!self.leaving && at.since(used) < USED_WITHIN).then_some(at)
    }

    fn loaded(&mut self, result: Result<Stored, LoadError>, work: &mut Work) {
        let waiting = self.credential == Credential::LOADING;
        match result {
            Ok(stored) if waiting => self.take_up(stored, work),
            // It was ended before the records were read: nothing comes back to life (D55).
            Ok(stored) => {
                if let (Some(record), Some(_)) = (stored.grant, self.credential.erasure()) {
                    self.generation = self.generation.max(record.generation + 1);
                    self.revoke(&record.grant, work);
                }
            }
            Err(_) if !waiting => {}
            Err(LoadError::Locked) => self.credential = Credential::None(Absent::Locked),
            Err(LoadError::WrongKey) => self.credential = Credential::None(Absent::WrongKey),
            Err(LoadError::Io(why)) => {
                self.credential = Credential::None(Absent::Unreadable { again: work.now.instant + SAVE_AGAIN, why });
            }
        }
    }

    fn take_up(&mut self, stored: Stored, work: &mut Work) {
        self.credential = Credential::None(if stored.damaged.is_some() { Absent::Damaged } else { Absent::Never });
        // Above none, but where the configuration changed before anything was read.
        let moved_at = self.generation;
        let mut kept = 0;
        if let Some(record) = stored.sign_in {
            kept = record.generation;
            match record.ended {
                Some(Ended::ByPerson) => self.credential = Credential::None(Absent::SignedOut(Erasure::Done)),
                Some(Ended::ByConfiguration) => {
                    let reason = LoginReason::Reconfigured;
                    self.credential = Credential::None(Absent::Reconfigured { erasure: Erasure::Done, reason });
                }
                None => {}
            }
            self.restore_sign_in(record, work);
        }
        let Some(record) = stored.grant else { return };
        self.revision = self.revision.max(record.revision + 1);
        if self.history.ended.is_some() && record.generation < kept {
            // Its end was kept, its erasure was not: finish it (B31).
            self.revoke(&record.grant, work);
            let erasure = self.erase(work);
            self.credential = std::mem::replace(&mut self.credential, Credential::LOADING).with_erasure(erasure);
            return;
        }
        self.history.ended = None;
        if record.generation < moved_at || !belongs(&record.grant.binding, &self.policy.config) {
            // The configuration was changed while nobody looked: never served, and never spent at the new server (P14).
            tracing::warn!(
                account = %self.policy.config.name,
                "the login was another server's, client's or resource's than the configuration names now; it is ended"
            );
            self.generation = self.generation.max(record.generation);
            self.credential = Credential::Held(record.grant);
            self.end_by_configuration(work);
            return;
        }
        self.generation = self.generation.max(record.generation);
        // A caller may have asked before the record was read.
        self.used_at = self.used_at.max(record.used_at.map(|at| work.now.instant_of(at)));
        let rest = record.rest.and_then(|rest| rest.going_on(record.saved_at, work.now));
        match (record.intent, rest) {
            (intent @ (None | Some(Intent::First)), Some(rest)) => {
                self.credential = Credential::Resting(rest.of(record.grant, intent));
            }
            (None, None) => self.credential = Credential::Held(record.grant),
            (Some(attempt), _) => {
                let spending = Spending { grant: record.grant, stage: Stage::Sent, attempt, failures: Failures::default() };
                self.outcome_unknown(spending, "the daemon ended while a refresh was out", work);
            }
        }
    }

    fn key_changed(&mut self, state: KeyState, work: &mut Work) {
        if let (KeyState::Open, Credential::None(Absent::Locked | Absent::WrongKey)) = (state, &self.credential) {
            self.credential = Credential::LOADING;
            work.then(Effect::Load);
        }
    }

    fn begin_leaving(&mut self, now: Instant) {
        self.leaving = true;
        if let Credential::Unsaved(Unsaved { save: Save::Again { at, .. }, .. }) = &mut self.credential {
            *at = now;
        }
    }

    fn name(&mut self) -> u64 {
        self.names += 1;
        self.names
    }

    fn take_grant(&mut self) -> Option<Grant> {
        std::mem::replace(&mut self.credential, Credential::LOADING).into_grant()
    }

    fn save_grant(&mut self, grant: &Grant, beside: impl Into<Beside>, work: &mut Work) -> SaveId {
        let save = SaveId(self.name());
        let Beside { intent, rest } = beside.into();
        let record = GrantRecord {
            generation: self.generation,
            revision: self.revision,
            grant: grant.clone(),
            intent,
            rest,
            used_at: self.used_at.map(|at| work.now.wall_of(at)),
            saved_at: work.now.wall,
        };
        self.last_save = Some(save);
        work.then(Effect::SaveGrant(save, Box::new(record)));
        save
    }

    /// Publishes what has changed, and stamps the answers with the revision that stands now.
    fn finish(mut self, work: &mut Work) -> (Self, Vec<Effect>) {
        let mut status = view::status(&self, work.now);
        if self.published.as_ref().is_none_or(|published| !published.is_same_but_for_revision(&status)) {
            self.revision += 1;
            status.revision = self.revision;
            self.published = Some(status.clone());
            work.then(Effect::Publish(status));
        }
        let ends = self.is_gone();
        let account = self.stamped(work);
        if ends {
            work.then(Effect::End);
        }
        (account, std::mem::take(&mut work.effects))
    }

    fn stamped(self, work: &mut Work) -> Self {
        let revision = self.revision;
        let answers = work.answers.drain(..).map(|(id, state)| Effect::Answer(id, Answer { revision, state }));
        work.effects.extend(answers);
        self
    }
}

/// A login's own end comes from the flow; this is the net below it.
const SIGN_IN_GRACE: std::time::Duration = std::time::Duration::from_secs(60);
