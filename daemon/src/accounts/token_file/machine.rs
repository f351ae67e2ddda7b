//! The account as a pure machine: what the file held when it was last read, who waits, and when it is read again.
//!
//! Must never: read a clock or a file (I6), or show a token.

use std::sync::Arc;
use std::time::Duration;

use mcp_authd_oauth::secret::AccessToken;
use mcp_authd_oauth::terms::Scopes;
use mcp_authd_oauth::time::{Instant, Now};

use super::TokenFileRefusal;
use crate::accounts::TokenFileConfig;
use crate::accounts::machine::WaiterId;
use crate::accounts::need::{Answer, AnswerState, Need, Refusal, ServedToken, SignInMode};
use crate::accounts::status::{Health, Status, Trouble};
use crate::host::private_file::Unusable;

/// A caller is answered from memory while the last look is younger.
const FRESH: Duration = Duration::from_secs(1);
/// How often the file is looked at while somebody watches, and
pub(super) const LOOK_WATCHED: Duration = Duration::from_secs(10);
/// how often where it could not be used: whoever writes it may be half way.
const LOOK_TROUBLED: Duration = Duration::from_secs(1);

/// What happened.
#[derive(Debug)]
pub(super) enum Happening {
    /// A caller wants the token.
    Wanted(WaiterId, Need),
    /// A caller went away.
    Gone(WaiterId),
    /// The answer to [`Effect::Read`].
    Read(Result<AccessToken, Unusable>),
    /// Somebody says that the file may have changed.
    LookAgain,
    /// The account is gone from the configuration.
    Removed,
    /// Perhaps something is due.
    TimePassed,
}

/// What is to be done, in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Each caller is answered once.
    Answer(WaiterId, Answer),
    /// Show the status.
    Publish(Status),
    /// Read the file. No second one before the answer.
    Read,
    /// The account is gone: the keeper ends.
    End,
}

/// When it happened, and whether anybody watches then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Now,
    pub(super) watched: Watched,
}

/// Whether anybody wants to hear of a change at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watched {
    Yes,
    No,
}

/// The account.
#[derive(Debug)]
pub(super) struct FileAccount {
    config: Arc<TokenFileConfig>,
    content: Content,
    reads: Reads,
    waiters: Vec<Waiter>,
    revision: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Content {
    /// Nobody has looked yet.
    Unread,
    Token(AccessToken),
    Unusable(Unusable),
    /// The account is gone.
    Removed,
}

/// The reads of the file, numbered from 1.
#[derive(Debug, Clone, Copy)]
struct Reads {
    begun: u64,
    ended: u64,
    /// When the last one began.
    last: Instant,
}

/// A caller that waits for a read (I4).
#[derive(Debug)]
struct Waiter {
    id: WaiterId,
    need: Need,
    /// The first read that will do.
    read: u64,
    /// The token that it reports has been looked at once more.
    has_looked_again: bool,
}

impl FileAccount {
    /// An account that nobody has read yet: it is read at once.
    pub(super) fn new(config: Arc<TokenFileConfig>, revision: u64, now: Now) -> (Self, Vec<Effect>) {
        let reads = Reads { begun: 1, ended: 0, last: now.instant };
        // The revision rises over restarts, too (DESIGN, section 4).
        let revision = now.wall.as_millis().max(revision);
        (Self { config, content: Content::Unread, reads, waiters: Vec::new(), revision }, vec![Effect::Read])
    }

    /// Takes what happened, and says what is to be done.
    pub(super) fn handle(mut self, happening: Happening, moment: Moment) -> (Self, Vec<Effect>) {
        let now = moment.now.instant;
        let mut effects = Vec::new();
        match happening {
            Happening::Wanted(id, need) => {
                let is_fresh = now.since(self.reads.last) < FRESH;
                let read = if is_fresh { self.reads.begun } else { self.reads.begun + 1 };
                self.waiters.push(Waiter { id, need, read, has_looked_again: false });
            }
            Happening::Gone(id) => self.waiters.retain(|waiter| waiter.id != id),
            Happening::Read(content) => {
                self.reads.ended = self.reads.begun;
                self.now_holds(content.map_or_else(Content::Unusable, Content::Token), &mut effects);
            }
            Happening::LookAgain => self.read(now, &mut effects),
            Happening::Removed => self.now_holds(Content::Removed, &mut effects),
            Happening::TimePassed => {}
        }
        let mut waiters = std::mem::take(&mut self.waiters);
        waiters.retain_mut(|waiter| self.look_after(waiter, now, &mut effects).is_none());
        self.waiters = waiters;
        if self.look_due(moment).is_some_and(|at| at <= now) {
            self.read(now, &mut effects);
        }
        if self.content == Content::Removed {
            effects.push(Effect::End);
        }
        (self, effects)
    }

    /// When [`Happening::TimePassed`] is wanted next. `None`: never.
    pub(super) fn next_deadline(&self, moment: Moment) -> Option<Instant> {
        self.waiters.iter().map(|waiter| waiter.need.deadline).chain(self.look_due(moment)).min()
    }

    /// What is published.
    pub(super) fn status(&self) -> Status {
        let health = match &self.content {
            Content::Unread => Health::Loading,
            Content::Token(_) => Health::Good,
            Content::Unusable(why) => Health::Degraded(Trouble::TokenFile(why.clone())),
            Content::Removed => Health::Removed,
        };
        Status { revision: self.revision, health, grant: None, sign_in: None, last_end: None }
    }

    fn now_holds(&mut self, content: Content, effects: &mut Vec<Effect>) {
        if self.content == content || self.content == Content::Removed {
            return;
        }
        match &content {
            Content::Token(token) => {
                tracing::info!(account = %self.config.name, "a token was read from its file");
                tracing::debug!(account = %self.config.name, token = ?token.sha256(), "which one it is");
            }
            // The condition of the account tells it.
            Content::Unusable(_) | Content::Unread | Content::Removed => {}
        }
        self.content = content;
        self.revision += 1;
        effects.push(Effect::Publish(self.status()));
    }

    fn read(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if self.reads.ended == self.reads.begun && self.content != Content::Removed {
            self.reads.begun += 1;
            self.reads.last = now;
            effects.push(Effect::Read);
        }
    }

    /// When the file is looked at for those who watch.
    fn look_due(&self, moment: Moment) -> Option<Instant> {
        let is_idle = self.reads.ended == self.reads.begun && self.content != Content::Removed;
        let every = if matches!(self.content, Content::Token(_)) { LOOK_WATCHED } else { LOOK_TROUBLED };
        (is_idle && moment.watched == Watched::Yes).then(|| self.reads.last + every)
    }

    /// Answers a caller, or begins the read that it needs. `Some`: it has been answered.
    fn look_after(&mut self, waiter: &mut Waiter, now: Instant, effects: &mut Vec<Effect>) -> Option<()> {
        let mut state = self.without_reading(&waiter.need);
        if state.is_none() && self.reads.ended >= waiter.read {
            if self.is_rejected(&waiter.need) && !waiter.has_looked_again {
                // The file may hold a new one since: a read that begins now will tell.
                waiter.has_looked_again = true;
                waiter.read = self.reads.begun + 1;
            } else {
                state = Some(self.answer(&waiter.need));
            }
        }
        if state.is_none() && self.reads.begun < waiter.read {
            self.read(now, effects);
        }
        if state.is_none() && waiter.need.deadline <= now {
            let why = format!("\"{}\" is still being read", self.config.token_file.display());
            state = Some(AnswerState::Refusal(Refusal::Unavailable { retry_after: Some(FRESH), why }));
        }
        effects.push(Effect::Answer(waiter.id, Answer { revision: self.revision, state: state? }));
        Some(())
    }

    /// What no read changes.
    fn without_reading(&self, need: &Need) -> Option<AnswerState> {
        let refusal = match need.sign_in {
            _ if self.content == Content::Removed => Refusal::NoSuchAccount,
            SignInMode::Person(_) => refusal(TokenFileRefusal::KeptElsewhere(self.config.token_file.clone())),
            SignInMode::Never | SignInMode::StartAndReturn | SignInMode::StartAndWait => return None,
        };
        Some(AnswerState::Refusal(refusal))
    }

    fn answer(&self, need: &Need) -> AnswerState {
        let scopes = &self.config.scopes;
        let why = match &self.content {
            Content::Unusable(why) => TokenFileRefusal::Unusable(why.clone()),
            _ if !scopes.is_empty() && !scopes.cover(&need.scopes) => {
                let missing = need.scopes.iter().filter(|wanted| !scopes.iter().any(|known| known == *wanted));
                TokenFileRefusal::NotCovered(Scopes::from_words(missing))
            }
            Content::Token(_) if self.is_rejected(need) => TokenFileRefusal::Rejected(self.config.token_file.clone()),
            Content::Token(token) => {
                return AnswerState::Token(ServedToken {
                    access_token: token.clone(),
                    expires: None,
                    scopes: scopes.clone(),
                    resource: self.config.resource.clone(),
                });
            }
            Content::Unread | Content::Removed => return AnswerState::Refusal(Refusal::NoSuchAccount),
        };
        AnswerState::Refusal(refusal(why))
    }

    fn is_rejected(&self, need: &Need) -> bool {
        matches!(&self.content, Content::Token(token) if need.rejected == Some(token.sha256()))
    }
}

fn refusal(why: TokenFileRefusal) -> Refusal {
    Refusal::TokenFile(why)
}
