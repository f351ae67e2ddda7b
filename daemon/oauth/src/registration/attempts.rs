//! When a server may be asked for a registration again: at most one in an hour for an issuer (D59).
//!
//! Must never: let a calendar that jumped back silence a server for longer than an hour.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::RegistrationError;
use super::kept::Registration;
use crate::terms::Issuer;
use crate::time::{Instant, Now, WallTime};

/// D59.
pub(super) const HOUR: Duration = Duration::from_secs(60 * 60);
/// After an answer that says "later".
pub(super) const SHORTEST: Duration = Duration::from_secs(60);

/// Until when each issuer is left alone. It is as old as the process; what a restart forgets of it is the failed attempts, as the
/// kept registration tells when it was made.
#[derive(Debug, Default)]
pub struct Attempts(BTreeMap<Issuer, Instant>);

impl Attempts {
    /// How an attempt ended.
    pub fn note(&mut self, issuer: &Issuer, ended: &Result<Registration, RegistrationError>, now: Now) {
        // Whoever names issuers by the thousand fills no memory: what is over is not kept.
        self.0.retain(|_, until| *until > now.instant);
        let pause = ended.as_ref().err().map_or(HOUR, RegistrationError::pause);
        self.0.insert(issuer.clone(), now.instant + pause);
    }

    /// Until when this issuer is left alone: what [`super::Candidates`] takes.
    #[must_use]
    pub fn not_before(&self, issuer: &Issuer) -> Option<Instant> {
        self.0.get(issuer).copied()
    }

    /// Until when any issuer is left alone.
    #[must_use]
    pub fn latest(&self) -> Option<Instant> {
        self.0.values().max().copied()
    }

    /// The person's own word counts more: `authctl client forget`.
    pub fn forget(&mut self, issuer: &Issuer) {
        self.0.remove(issuer);
    }
}

/// How long it is until a registration may be tried. `None`: now.
pub(super) fn wait(kept: Option<&Registration>, not_before: Option<Instant>, now: Now) -> Option<Duration> {
    let by_record = kept.map(|kept| left_of_hour(kept.registered_at, now.wall)).unwrap_or_default();
    let by_attempt = not_before.map(|until| until.since(now.instant)).unwrap_or_default();
    Some(by_record.max(by_attempt)).filter(|wait| !wait.is_zero())
}

/// A time that lies ahead by more than an hour was written under a calendar that has jumped: it says nothing.
fn left_of_hour(at: WallTime, now: WallTime) -> Duration {
    if at > now {
        return if at.since(now) <= HOUR { HOUR } else { Duration::ZERO };
    }
    HOUR.saturating_sub(now.since(at))
}
