//! What an account holds, as a state: each variant carries only what is true then.

use std::time::Duration;

use mcp_authd_oauth::client_authentication::NotAuthenticated;
use mcp_authd_oauth::terms::Scopes;
use mcp_authd_oauth::time::Instant;

use super::effect::SaveId;
use crate::accounts::grant::{Grant, HeldToken, Intent};
use crate::accounts::need::LoginReason;

/// The credential of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Credential {
    /// There is no grant.
    None(Absent),
    /// There is one, and nothing is going on.
    Held(Grant),
    /// A refresh is being prepared or is out (I1, I8).
    Spending(Spending),
    /// A refresh did not work, and the next one waits.
    Resting(Resting),
    /// Newer than what the disk holds.
    Unsaved(Unsaved),
}

/// Why there is no grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Absent {
    /// The records are being read.
    Loading,
    /// There has never been one.
    Never,
    /// The person logged out.
    SignedOut(Erasure),
    /// The key of the store is not open.
    Locked,
    /// The records were sealed with another key.
    WrongKey,
    /// The record was damaged and set aside (B10).
    Damaged,
    /// The operating system refused to read; tried again.
    Unreadable { again: Instant, why: String },
    /// The configuration ended it, or the account stands there again after it was taken out. Why a login is wanted now.
    Reconfigured { erasure: Erasure, reason: LoginReason },
    /// The account was taken out of the configuration.
    Removed(Erasure),
}

/// Whether what is never served again is gone from the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Erasure {
    InFlight(SaveId),
    Again { at: Instant, why: String },
    Done,
}

/// A refresh that is being prepared or is out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spending {
    pub(crate) grant: Grant,
    pub(crate) stage: Stage,
    pub(crate) attempt: Intent,
    /// Failures in a row before this try.
    pub(crate) failures: Failures,
}

/// How far a refresh is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Its intent is being made durable (I8).
    Saving(SaveId),
    /// The request may be out.
    Sent,
}

/// A refresh that did not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resting {
    pub(crate) grant: Grant,
    /// No attempt before, but for a call after [`Rest::NothingSent`].
    pub(crate) until: Instant,
    /// When the attempt ended.
    pub(crate) since: Instant,
    pub(crate) why: Rest,
    pub(crate) failures: Failures,
}

/// Why a refresh did not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Nothing reached the server, or nothing was sent because nothing could be saved (B7): a call may try at once, once a second.
    NothingSent(String),
    /// The same, because the store refused the intent (B7).
    IntentNotSaved(String),
    /// The server answered "later" or nonsense (D48): no call shortens the wait.
    Answered(String),
    /// The server refuses the request as it is configured (D47): until a reload or an hour has passed.
    Configuration(String),
    /// The client could not say who it is: where nothing was sent, a call may try at once, once a second.
    NotAuthenticated(NotAuthenticated),
    /// The outcome is unknown, and the one replay waits for its time (D56).
    ReplayLater(String),
}

/// How often something failed in a row, for back-off and for D49.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Failures {
    /// In a row.
    pub(crate) count: u32,
    /// The first of a row of unknown errors (D49).
    pub(crate) unknown_since: Option<Instant>,
}

/// A grant that is newer than what the disk holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unsaved {
    pub(crate) grant: Grant,
    pub(crate) save: Save,
    pub(crate) then: Then,
}

/// Where the save of a new grant is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Save {
    /// Nobody has seen the token yet (I2). The one before it serves while it lives (D50), where a refresh has left it alive.
    First { save: SaveId, before: Option<HeldToken> },
    /// The store has refused once; the token is served, visibly degraded (B8).
    Retrying(SaveId, String),
    /// The next try waits.
    Again { at: Instant, why: String },
}

/// What follows once the grant is saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Then {
    /// It is held.
    Held,
    /// Its access token could not be used: the next refresh waits.
    Resting { until: Instant, why: Rest, failures: Failures },
}

impl Credential {
    /// The grant, if there is one.
    pub(crate) fn grant(&self) -> Option<&Grant> {
        match self {
            Self::None(_) => None,
            Self::Held(grant)
            | Self::Spending(Spending { grant, .. })
            | Self::Resting(Resting { grant, .. })
            | Self::Unsaved(Unsaved { grant, .. }) => Some(grant),
        }
    }

    /// The grant, taken out.
    pub(crate) fn into_grant(self) -> Option<Grant> {
        match self {
            Self::None(_) => None,
            Self::Held(grant)
            | Self::Spending(Spending { grant, .. })
            | Self::Resting(Resting { grant, .. })
            | Self::Unsaved(Unsaved { grant, .. }) => Some(grant),
        }
    }

    /// How far the erasure of an ended grant is.
    pub(crate) fn erasure(&self) -> Option<&Erasure> {
        match self {
            Self::None(Absent::SignedOut(erasure) | Absent::Reconfigured { erasure, .. } | Absent::Removed(erasure)) => {
                Some(erasure)
            }
            _ => None,
        }
    }

    /// The same credential, its erasure as far as this.
    pub(crate) fn with_erasure(mut self, now: Erasure) -> Self {
        if let Self::None(Absent::SignedOut(erasure) | Absent::Reconfigured { erasure, .. } | Absent::Removed(erasure)) =
            &mut self
        {
            *erasure = now;
        }
        self
    }

    /// The grant, where its token may be answered (I2).
    pub(crate) fn answerable(&self) -> Option<&Grant> {
        match self {
            Self::Unsaved(Unsaved { save: Save::First { .. }, .. }) => None,
            other => other.grant(),
        }
    }

    /// The grant with the token that was answered before, while the new one is being saved.
    pub(crate) fn before(&self) -> Option<Grant> {
        match self {
            Self::Unsaved(Unsaved { save: Save::First { before: Some(before), .. }, grant, .. }) => {
                Some(Grant { access: Some(before.clone()), ..grant.clone() })
            }
            _ => None,
        }
    }

    /// Whether the scopes of the grant cover `wanted`. A grant whose scopes nobody told is asked no questions.
    pub(crate) fn covers(grant: &Grant, wanted: &Scopes) -> bool {
        grant.scopes.is_empty() || grant.scopes.cover(wanted)
    }
}

impl Rest {
    /// How soon after the attempt's end a call may try again, if it may shorten the wait at all (D48).
    pub(crate) fn impatience(&self) -> Option<Duration> {
        match self {
            Self::NothingSent(_)
            | Self::IntentNotSaved(_)
            | Self::NotAuthenticated(NotAuthenticated::NoSecret | NotAuthenticated::Unreadable(_)) => {
                Some(Duration::from_secs(1))
            }
            Self::NotAuthenticated(NotAuthenticated::Refused { .. }) => None,
            Self::Answered(_) | Self::Configuration(_) | Self::ReplayLater(_) => None,
        }
    }
}
