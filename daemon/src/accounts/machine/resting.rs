//! What outlives the daemon of a refresh that did not work: until when the server is left alone, and why (D48, B19).
//!
//! A server that has said "later" says it to the next daemon too. Where nothing reached it, the next daemon may try at once.
//!
//! Must never: keep a rest that a call may shorten, or let a calendar that has jumped lengthen one.

use std::time::Duration;

use mcp_authd_oauth::client_authentication::NotAuthenticated;
use mcp_authd_oauth::time::{Instant, Now, WallTime};

use super::credential::{Credential, Failures, Rest, Resting, Then};
use crate::accounts::grant::{Grant, Intent, KeptRest, RestCause};

/// No rest is longer (D47, D48).
const LONGEST: Duration = Duration::from_secs(3600);

/// What the record says beside the grant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Beside {
    pub(super) intent: Option<Intent>,
    pub(super) rest: Option<KeptRest>,
}

impl From<Option<Intent>> for Beside {
    fn from(intent: Option<Intent>) -> Self {
        Self { intent, rest: None }
    }
}

impl Credential {
    /// The grant and what the record must say beside it, where nothing is out.
    pub(super) fn in_peace(&self, now: Now) -> Option<(Grant, Beside)> {
        match self {
            Self::Held(grant) => Some((grant.clone(), Beside::default())),
            Self::Resting(rest) => Some((rest.grant.clone(), rest.beside(now))),
            Self::None(_) | Self::Spending(_) | Self::Unsaved(_) => None,
        }
    }
}

impl Resting {
    /// What the record must say while nothing is out: the replay that is owed (D56), and the rest.
    pub(super) fn beside(&self, now: Now) -> Beside {
        let owed = matches!(self.why, Rest::ReplayLater(_)).then_some(Intent::First);
        Beside { intent: owed, rest: self.why.kept(self.until, self.failures, now) }
    }
}

impl Then {
    /// The same of a grant that is being saved.
    pub(super) fn beside(&self, now: Now) -> Beside {
        match self {
            Self::Held => Beside::default(),
            Self::Resting { until, why, failures } => Beside { intent: None, rest: why.kept(*until, *failures, now) },
        }
    }
}

impl Rest {
    /// As it is kept. `None`: it ends with the daemon.
    pub(super) fn kept(&self, until: Instant, failures: Failures, now: Now) -> Option<KeptRest> {
        let cause = match self {
            Self::NothingSent(_)
            | Self::IntentNotSaved(_)
            | Self::NotAuthenticated(NotAuthenticated::NoSecret | NotAuthenticated::Unreadable(_)) => return None,
            Self::Configuration(_) | Self::NotAuthenticated(NotAuthenticated::Refused { .. }) => RestCause::Configuration,
            Self::Answered(_) | Self::ReplayLater(_) => RestCause::Answered,
        };
        Some(KeptRest { until: now.wall_of(until), cause, why: self.words(), failures: failures.count })
    }
}

impl KeptRest {
    /// The rest of this grant as it goes on. `None`: the calendar tells of no time in which it could.
    pub(super) fn going_on(self, saved_at: WallTime, now: Now) -> Option<GoingOn> {
        let latest = saved_at + LONGEST;
        let until = now.instant_of(self.until.min(latest));
        (saved_at <= now.wall && now.wall <= latest).then_some(GoingOn { rest: self, until, since: now.instant })
    }
}

/// A rest on the clock of this boot.
pub(super) struct GoingOn {
    rest: KeptRest,
    until: Instant,
    since: Instant,
}

impl GoingOn {
    /// Of this grant, which may owe a replay (D56).
    pub(super) fn of(self, grant: Grant, intent: Option<Intent>) -> Resting {
        let Self { rest: KeptRest { cause, why, failures, .. }, until, since } = self;
        let why = match (intent, cause) {
            (Some(_), _) => Rest::ReplayLater(why),
            (None, RestCause::Answered) => Rest::Answered(why),
            (None, RestCause::Configuration) => Rest::Configuration(why),
        };
        Resting { grant, until, since, why, failures: Failures { count: failures, unknown_since: None } }
    }
}
