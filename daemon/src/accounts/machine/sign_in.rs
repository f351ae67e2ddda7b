//! The login of an account, as a state beside the credential: it leaves the credential serving until it settles.
//!
//! Here too: the bounds on prompts (P18), and how a login settles (D23).

use std::time::Duration;

use mcp_authd_oauth::client_authentication::NotAuthenticated;
use mcp_authd_oauth::http::NothingSent;
use mcp_authd_oauth::sign_in::{NotBegun, PendingSignIn, SignInFailure};
use mcp_authd_oauth::terms::Scopes;
use mcp_authd_oauth::time::{Instant, Now, WallTime};
use mcp_authd_oauth::token::Granted;

use super::credential::{Absent, Credential, Failures, Rest, Save, Then, Unsaved};
use super::effect::{Effect, SAVE_AGAIN, SignInId};
use super::more_access::{scopes_of_login, still_refused};
use super::schedule::{back_off_answered, back_off_nothing_sent};
use super::{Account, Work};
use crate::accounts::belonging::belongs;
use crate::accounts::grant::{
    Ended, Grant, HeldToken, NotRenewable, PendingRecord, Purpose, Renewal, Rotation, SignInEnd, SignInRecord,
};
use crate::accounts::need::{Need, PersonWants, Refusal, SignInMode};
use crate::accounts::{RevokeRequest, SaveError, SignInRequest};

/// The login of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SignIn {
    /// None is going on.
    Idle(Pause),
    /// The server is being asked for a prompt.
    Starting(Start),
    /// The prompt has come and is being saved: nobody is shown a code that a kill would make nobody's (D22).
    Prompted(PendingRecord),
    /// A prompt waits for the person.
    Waiting(PendingRecord),
    /// The person's answer has come, and that is being saved: what is killed from here on sends the code to nobody a second time (D35).
    Answered(PendingRecord),
    /// The code is being traded in.
    Exchanging(PendingRecord),
}

/// A login that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) id: SignInId,
    pub(crate) purpose: Purpose,
    pub(crate) scopes: Scopes,
    pub(crate) asked_by: String,
    pub(crate) replace: bool,
    /// As what it stands among the unanswered starts, where a program began it (P18).
    pub(crate) noted: Option<WallTime>,
}

/// Whether the disk holds the sign-in record as it is in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It does, or the first save of the latest change is on its way.
    Saved,
    /// The store has refused; tried again.
    Again { at: Instant, why: String },
    /// The store has refused once, and is asked again.
    Retrying(String),
}

/// Whether a program's call may begin a login now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pause {
    /// Nothing speaks against it but the bounds.
    Over,
    /// The last request failed, and the next waits (D48).
    Until { at: Instant, why: Refusal },
}

/// What is remembered of logins, over logouts and restarts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// Starts by programs that nobody has answered (P18).
    pub(crate) unanswered: Vec<WallTime>,
    pub(crate) last_end: Option<(SignInEnd, WallTime)>,
    /// What ended the grants before, where nobody has logged in since.
    pub(crate) ended: Option<Ended>,
    /// Scopes that the server was asked for and has not granted. What the person denies is told by the last end.
    pub(crate) refused: Scopes,
    /// The last login waited for a browser until its time was over. A hint, and not kept.
    pub(crate) nothing_came_back: bool,
}

impl History {
    /// Whether a program may begin one more: at most 3 in 10 min and 6 in a day unanswered (P18).
    pub(crate) fn may_begin(&self, now: WallTime) -> bool {
        let within = |span: Duration| self.unanswered.iter().filter(|start| now.since(**start) < span).count();
        within(Duration::from_secs(600)) < 3 && within(Duration::from_secs(86_400)) < 6
    }

    fn note_start(&mut self, now: WallTime) {
        self.unanswered.retain(|start| now.since(*start) < Duration::from_secs(86_400));
        self.unanswered.push(now);
    }

    /// After the calendar was set back no start lies ahead: programs would be shut out until then.
    pub(crate) fn forget_the_future(&mut self, now: WallTime) {
        self.unanswered.iter_mut().for_each(|start| *start = (*start).min(now));
    }

    pub(crate) fn end(&self) -> Option<SignInEnd> {
        self.last_end.map(|(end, _)| end)
    }
}

impl Kept {
    pub(crate) fn again_at(&self) -> Option<Instant> {
        match self {
            Self::Again { at, .. } => Some(*at),
            Self::Saved | Self::Retrying(_) => None,
        }
    }

    /// Why the disk does not hold it.
    pub(crate) fn trouble(&self) -> Option<&String> {
        match self {
            Self::Again { why, .. } | Self::Retrying(why) => Some(why),
            Self::Saved => None,
        }
    }
}

impl SignIn {
    pub(crate) fn id(&self) -> Option<SignInId> {
        match self {
            Self::Idle(_) => None,
            Self::Starting(start) => Some(start.id),
            Self::Prompted(pending) | Self::Waiting(pending) | Self::Answered(pending) | Self::Exchanging(pending) => {
                Some(SignInId(pending.id))
            }
        }
    }

    /// The login that has a prompt, shown or not.
    pub(crate) fn pending(&self) -> Option<&PendingRecord> {
        match self {
            Self::Prompted(pending) | Self::Waiting(pending) | Self::Answered(pending) | Self::Exchanging(pending) => {
                Some(pending)
            }
            Self::Idle(_) | Self::Starting(_) => None,
        }
    }

    /// The login that still waits for its answer, and goes on waiting after a restart.
    pub(crate) fn unanswered(&self) -> Option<&PendingRecord> {
        match self {
            Self::Prompted(pending) | Self::Waiting(pending) => Some(pending),
            Self::Idle(_) | Self::Starting(_) | Self::Answered(_) | Self::Exchanging(_) => None,
        }
    }
}

impl Account {
    /// Begins a login. The caller has checked that it may.
    pub(super) fn begin_sign_in(&mut self, start: Start, work: &mut Work) {
        if let Some(at) = start.noted {
            self.history.note_start(at);
        } else {
            self.history.refused = Scopes::default();
        }
        self.tell_login_begun(&start);
        let held = self.credential.grant().map(|grant| grant.binding.clone());
        let request = SignInRequest { scopes: start.scopes.clone(), held };
        work.then(Effect::BeginSignIn(start.id, self.policy.config.clone(), Box::new(request)));
        self.sign_in = SignIn::Starting(start);
    }

    /// The prompt has come.
    pub(super) fn sign_in_prompted(&mut self, id: SignInId, login: PendingSignIn, work: &mut Work) {
        match std::mem::replace(&mut self.sign_in, SignIn::Idle(Pause::Over)) {
            SignIn::Starting(start) if start.id == id => {
                self.sign_in = SignIn::Prompted(PendingRecord {
                    id: id.0,
                    login,
                    purpose: start.purpose,
                    asked_by: start.asked_by,
                    replace: start.replace,
                });
                self.save_sign_in(work);
            }
            other => self.sign_in = other,
        }
    }

    /// The answer has come. It is not used before the store has answered that nobody waits for it any more.
    pub(super) fn sign_in_answered(&mut self, id: SignInId, work: &mut Work) {
        if self.sign_in.id() != Some(id) {
            return;
        }
        match std::mem::replace(&mut self.sign_in, SignIn::Idle(Pause::Over)) {
            SignIn::Prompted(pending) | SignIn::Waiting(pending) => {
                self.sign_in = SignIn::Answered(pending);
                self.save_sign_in(work);
            }
            other => self.sign_in = other,
        }
    }

    /// A login has ended. One that is not the present one gives its tokens back (I3, D55).
    pub(super) fn sign_in_settled(&mut self, id: SignInId, result: Result<Granted, SignInFailure>, work: &mut Work) {
        if self.sign_in.id() != Some(id) {
            self.given_up.retain(|given_up| *given_up != id);
            if let Ok(granted) = result {
                self.give_back(issued(&granted), work);
            }
            return;
        }
        match result {
            Ok(granted) => self.granted(granted, work),
            Err(failure) => self.sign_in_failed(&failure, work),
        }
    }

    fn granted(&mut self, granted: Granted, work: &mut Work) {
        let (purpose, replace, requested) = match &self.sign_in {
            SignIn::Prompted(pending) | SignIn::Waiting(pending) | SignIn::Answered(pending) | SignIn::Exchanging(pending) => {
                (pending.purpose, pending.replace, pending.login.requested_scopes().clone())
            }
            SignIn::Starting(start) => (start.purpose, start.replace, start.scopes.clone()),
            SignIn::Idle(_) => return,
        };
        let stranger = self.stranger(&granted);
        if let (false, Some(end)) = (replace, stranger) {
            self.give_back(issued(&granted), work);
            self.tell_end_of_login(end);
            self.end_sign_in(end, Pause::Over, work);
            return;
        }
        let replaced = stranger.is_some();
        let misbehaved = granted.success.token.as_ref().err().cloned();
        let Some(grant) = grant_of(granted, work.now) else {
            let why = misbehaved.map_or_else(String::new, |misbehaved| misbehaved.to_string());
            self.tell_vain_login(&why);
            self.pause_after_failure(Refusal::Configuration { why }, work);
            return;
        };
        self.history.refused = still_refused(&self.history.refused.union(&requested), &grant.scopes);
        self.history.unanswered.clear();
        // What was logged out, or replaced, must not come back before this grant is on the disk.
        if replaced {
            self.history.ended.get_or_insert(Ended::ByPerson);
        }
        self.overtake_refresh(super::Fate::Dropped);
        self.generation += 1;
        self.tell_login(purpose);
        self.forced_at = None;
        self.refreshed_at = Some(work.now.instant);
        let then = match misbehaved {
            None => Then::Held,
            Some(why) => {
                let until = work.now.instant + back_off_answered(0, None, &mut self.luck);
                Then::Resting {
                    until,
                    why: Rest::Answered(why.to_string()),
                    failures: Failures { count: 1, unknown_since: None },
                }
            }
        };
        let save = self.save_grant(&grant, None, work);
        self.credential = Credential::Unsaved(Unsaved { grant, save: Save::First { save, before: None }, then });
        self.end_sign_in(SignInEnd::Granted, Pause::Over, work);
    }

    /// How a login ends that an account does not take because it knows its subject (P19): another one's, or that of who is unnamed and
    /// may be anybody.
    fn stranger(&self, granted: &Granted) -> Option<SignInEnd> {
        let held = self.credential.grant().and_then(|grant| grant.subject.as_ref())?;
        match granted.success.token.as_ref().ok().and_then(|token| token.subject.as_ref()) {
            Some(new) if new == held => None,
            Some(_) => Some(SignInEnd::OtherSubject),
            None => Some(SignInEnd::NoSubject),
        }
    }

    fn sign_in_failed(&mut self, failure: &SignInFailure, work: &mut Work) {
        self.tell_vain_login(failure);
        let noted = if let SignIn::Starting(start) = &self.sign_in { start.noted } else { None };
        match failure {
            SignInFailure::Denied => {
                self.history.unanswered.clear();
                self.end_sign_in(SignInEnd::Denied, Pause::Over, work);
            }
            SignInFailure::Expired => self.end_sign_in(SignInEnd::Expired, Pause::Over, work),
            SignInFailure::Unreachable(why) => {
                // Nobody was prompted and the server was not asked: this does not count against P18.
                if noted.is_some() {
                    self.history.unanswered.pop();
                }
                self.unreachable(*why, work);
            }
            SignInFailure::Unavailable { retry_after } => {
                let wait = back_off_answered(self.start_failures, *retry_after, &mut self.luck);
                self.pause_until(wait, Refusal::Unavailable { retry_after: None, why: failure.to_string() }, work);
            }
            SignInFailure::NotAuthenticated(why @ NotAuthenticated::Refused { .. }) => {
                self.pause_after_failure(Refusal::NotAuthenticated(why.clone()), work);
            }
            SignInFailure::NotAuthenticated(why) => {
                // Nothing was sent and nobody was prompted, as above.
                if noted.is_some() {
                    self.history.unanswered.pop();
                }
                let wait = back_off_nothing_sent(self.start_failures);
                self.pause_until(wait, Refusal::NotAuthenticated(why.clone()), work);
            }
            // The server knows no such scope, or grants it to nobody here: another request for it would end alike.
            SignInFailure::Refused(error) if error.error == "invalid_scope" && self.wants_more_access() => {
                self.note_refused();
                self.end_sign_in(SignInEnd::Failed, Pause::Over, work);
            }
            SignInFailure::Refused(_) | SignInFailure::Misbehaved(_) | SignInFailure::NoDeviceGrant => {
                self.pause_after_failure(Refusal::Configuration { why: failure.to_string() }, work);
            }
            SignInFailure::NoWay(_) | SignInFailure::NotBegun(_) | SignInFailure::CodeRefused(_) => {
                // Nobody was prompted: the next call shall read why, and not that nobody answers (P18). The pause bounds it.
                if noted.is_some() {
                    self.history.unanswered.pop();
                }
                let why = NotBegun { why: failure.to_string(), next_step: failure.next_step() };
                self.pause_after_failure(Refusal::NoWayToSignIn(why), work);
            }
            SignInFailure::AnswerLost => self.end_sign_in(SignInEnd::Failed, Pause::Over, work),
        }
    }

    fn unreachable(&mut self, why: NothingSent, work: &mut Work) {
        let wait = back_off_nothing_sent(self.start_failures);
        self.pause_until(wait, Refusal::Unavailable { retry_after: None, why: why.to_string() }, work);
    }

    fn pause_after_failure(&mut self, why: Refusal, work: &mut Work) {
        let wait = back_off_answered(5 + self.start_failures, None, &mut self.luck);
        self.pause_until(wait, why, work);
    }

    fn pause_until(&mut self, wait: Duration, why: Refusal, work: &mut Work) {
        self.start_failures += 1;
        let pause = Pause::Until { at: work.now.instant + wait, why };
        self.end_sign_in(SignInEnd::Failed, pause, work);
    }

    /// The login is over; whoever waited for it is answered by what stands now.
    pub(super) fn end_sign_in(&mut self, end: SignInEnd, pause: Pause, work: &mut Work) {
        if pause == Pause::Over {
            self.start_failures = 0;
        }
        let in_browser = self.sign_in.pending().is_some_and(|pending| matches!(pending.login, PendingSignIn::Code(_)));
        self.history.nothing_came_back = in_browser && end == SignInEnd::Expired;
        self.sign_in = SignIn::Idle(pause);
        self.history.last_end = Some((end, work.now.wall));
        self.save_sign_in(work);
    }

    /// Ends the login without a result: by the person, a logout or its time.
    pub(super) fn abort_sign_in(&mut self, end: SignInEnd, work: &mut Work) {
        if self.sign_in.id().is_some() {
            self.give_up_sign_in(work);
            self.tell_end_of_login(end);
            self.end_sign_in(end, Pause::Over, work);
        }
    }

    /// A code that is out may bring tokens that nobody would know of: they are awaited, and given back (D55).
    pub(super) fn give_up_sign_in(&mut self, work: &mut Work) {
        match (&self.sign_in, self.sign_in.id()) {
            (SignIn::Exchanging(_), Some(id)) => self.given_up.push(id),
            (_, Some(id)) => work.then(Effect::AbortSignIn(id)),
            (_, None) => {}
        }
    }

    /// A person who replaces is heard although a login waits already: there is one for all, with the same code.
    pub(super) fn let_replace(&mut self, need: &Need, work: &mut Work) {
        if need.sign_in != SignInMode::Person(PersonWants::Replace) {
            return;
        }
        match &mut self.sign_in {
            SignIn::Starting(start) => start.replace = true,
            SignIn::Prompted(pending) | SignIn::Waiting(pending) | SignIn::Answered(pending) | SignIn::Exchanging(pending)
                if !pending.replace =>
            {
                pending.replace = true;
                self.save_sign_in(work);
            }
            SignIn::Idle(_) | SignIn::Prompted(_) | SignIn::Waiting(_) | SignIn::Answered(_) | SignIn::Exchanging(_) => {}
        }
    }

    /// The sign-in record has been saved, or not: then on a new file, as a grant is (B8).
    pub(super) fn sign_in_saved(&mut self, result: Result<(), SaveError>, work: &mut Work) {
        let now = work.now.instant;
        self.sign_in_record = match result {
            Ok(()) => Kept::Saved,
            // It is about to be erased, and whoever erases goes on trying.
            Err(_) if matches!(self.credential, Credential::None(Absent::Removed(_))) => Kept::Saved,
            Err(error) => Kept::Again { at: now + SAVE_AGAIN, why: error.to_string() },
        };
        self.sign_in_saves = self.sign_in_saves.saturating_sub(1);
        if self.sign_in_saves > 0 {
            return;
        }
        // Refused or not: the store has answered, and the code may be shown, or traded in.
        self.sign_in = match std::mem::replace(&mut self.sign_in, SignIn::Idle(Pause::Over)) {
            SignIn::Prompted(pending) => SignIn::Waiting(pending),
            SignIn::Answered(pending) => {
                work.then(Effect::TradeIn(SignInId(pending.id)));
                SignIn::Exchanging(pending)
            }
            other => other,
        };
    }

    pub(super) fn retry_sign_in_record(&mut self, work: &mut Work) {
        if let Kept::Again { at, why } = &self.sign_in_record
            && *at <= work.now.instant
        {
            self.sign_in_record = Kept::Retrying(why.clone());
            self.save_sign_in(work);
        }
    }

    pub(super) fn save_sign_in(&mut self, work: &mut Work) {
        let pending = self.sign_in.unanswered().cloned();
        self.sign_in_saves += 1;
        work.then(Effect::SaveSignIn(Box::new(SignInRecord {
            pending,
            unanswered_starts: self.history.unanswered.clone(),
            last_end: self.history.last_end,
            generation: self.generation,
            revision: self.revision,
            ended: self.history.ended,
            refused_scopes: Some(self.history.refused.clone()).filter(|refused| !refused.is_empty()),
        })));
    }

    pub(super) fn restore_sign_in(&mut self, record: SignInRecord, work: &mut Work) {
        // Nothing counts before the records are read, but for a change of the configuration.
        let has_moved = self.generation > 0;
        self.generation = self.generation.max(record.generation);
        self.revision = self.revision.max(record.revision + 1);
        self.history = History {
            unanswered: record.unanswered_starts,
            last_end: record.last_end,
            ended: record.ended,
            refused: record.refused_scopes.unwrap_or_default(),
            nothing_came_back: false,
        };
        let belongs = |pending: &PendingRecord| belongs(pending.login.binding(), &self.policy.config);
        if has_moved || !record.pending.as_ref().is_none_or(belongs) {
            tracing::warn!(account = %self.policy.config.name, "what was known of logins was another server's or client's than the configuration names now");
            self.start_over(work);
            self.save_sign_in(work);
            return;
        }
        let Some(pending) = record.pending else { return };
        if pending.login.expires() > work.now.instant {
            self.names = self.names.max(pending.id);
            let (config, login) = (self.policy.config.clone(), Box::new(pending.login.clone()));
            work.then(Effect::ResumeSignIn(SignInId(pending.id), config, login));
            self.sign_in = SignIn::Waiting(pending);
        } else {
            self.tell_end_of_login(SignInEnd::Expired);
            self.end_sign_in(SignInEnd::Expired, Pause::Over, work);
        }
    }
}

/// What a login has brought, to be given back.
fn issued(granted: &Granted) -> RevokeRequest {
    RevokeRequest {
        refresh_token: granted.success.refresh_token.clone(),
        access_token: granted.success.token.as_ref().ok().map(|token| token.access_token.clone()),
        binding: granted.binding.clone(),
    }
}

/// A readable refresh token counts even where the access token does not (D43). `None`: neither came.
fn grant_of(granted: Granted, now: Now) -> Option<Grant> {
    let token = granted.success.token.ok();
    if token.is_none() && granted.success.refresh_token.is_none() {
        return None;
    }
    let told = token.as_ref().and_then(|token| token.scopes.as_ref());
    let scopes = scopes_of_login(told, granted.requested_scopes);
    Some(Grant {
        subject: token.as_ref().and_then(|token| token.subject.clone()),
        access: token.map(HeldToken::from),
        renewal: granted.success.refresh_token.map_or(Renewal::Not(NotRenewable::NotIssued), Renewal::With),
        rotation: Rotation::Unknown,
        scopes,
        binding: granted.binding.trusted(),
        granted_at: now.wall,
        refreshed_at: None,
    })
}
