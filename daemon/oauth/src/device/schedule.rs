//! When to poll (RFC 8628, 3.5; D11-D15).
//!
//! Must never: let the interval shrink, or put a poll after the code's end.

use std::time::Duration;

use crate::flow::{Deadline, WaitReason};
use crate::sign_in::PendingDevice;
use crate::time::Instant;

/// What `slow_down` adds, for good (RFC 8628, 3.5).
const SLOW_DOWN: Duration = Duration::from_secs(5);
/// A failing server is left alone for at most so long, or for its interval where that is longer (D14).
const LONGEST_BACK_OFF: Duration = Duration::from_secs(60);
/// How long before the code's end a last poll comes (D11).
const JUST_BEFORE: Duration = Duration::from_secs(1);
/// No doubling beyond this: it is past the longest back-off by far.
const MOST_DOUBLINGS: u32 = 16;

/// A login that is being polled for.
#[derive(Debug)]
pub(super) struct Polling {
    pub(super) pending: PendingDevice,
    /// Failures in a row (D14).
    failures: u32,
    code: Code,
}

/// What is known about the device code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    /// The last answer said that it waits.
    Waits,
    /// An answer was lost since: it may have been the one with the tokens.
    MayBeUsed,
}

/// Why a poll has not ended the login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setback {
    /// `authorization_pending`.
    Pending,
    /// `slow_down`, with the interval that came along (GitHub).
    SlowDown(Option<Duration>),
    /// Nothing was sent, or a complete answer says that it may pass.
    Failed,
    /// The poll was written, and no whole readable answer came.
    AnswerLost,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// A poll, then.
    Poll(Deadline),
    /// No poll fits in before the code ends.
    Never,
}

impl Polling {
    pub(super) fn new(pending: PendingDevice) -> Self {
        Self { pending, failures: 0, code: Code::Waits }
    }

    /// Whether a lost answer may have held the tokens.
    pub(super) fn may_be_used(&self) -> bool {
        self.code == Code::MayBeUsed
    }

    /// Takes in how a poll ended.
    pub(super) fn note(&mut self, setback: Setback) {
        match setback {
            Setback::Pending => {
                self.failures = 0;
                self.code = Code::Waits;
            }
            Setback::SlowDown(wanted) => {
                // D13: cumulative, and the larger of both. The sum cannot overflow: an interval is at most a year.
                let grown = self.pending.interval.saturating_add(SLOW_DOWN);
                self.pending.interval = wanted.map_or(grown, |wanted| wanted.max(grown));
                self.failures = 0;
            }
            Setback::Failed => self.failures = self.failures.saturating_add(1),
            Setback::AnswerLost => {
                self.failures = self.failures.saturating_add(1);
                self.code = Code::MayBeUsed;
            }
        }
    }

    /// The first poll, counted from the end of the answer that brought the code. Where the interval is longer than the code lives,
    /// there is one poll just before its end (D11): the only one that does not keep the interval.
    pub(super) fn first(&self, from: Instant) -> Next {
        let next = self.next(from, None);
        if next != Next::Never || from >= self.pending.expires {
            return next;
        }
        Next::Poll(Deadline { at: self.last_moment(from), why: WaitReason::PollInterval })
    }

    /// The next poll, counted from the end of the last answer (D12), not before the server's wish is kept.
    pub(super) fn next(&self, from: Instant, wish: Option<Duration>) -> Next {
        let wish = wish.unwrap_or_default();
        let last = self.last_moment(from);
        let wanted = from + self.with_margin().max(self.back_off()).max(wish);
        let why = if self.failures > 0 { WaitReason::BackOff } else { WaitReason::PollInterval };
        if wanted <= last {
            return Next::Poll(Deadline { at: wanted, why });
        }
        // Near the end the margin and the back-off, which are ours, give way. The interval and the wish are the server's.
        let at_least = from + self.pending.interval.max(wish);
        if at_least <= last { Next::Poll(Deadline { at: last, why }) } else { Next::Never }
    }

    /// D11: clocks of virtual machines run fast, by up to a fifth.
    fn with_margin(&self) -> Duration {
        self.pending.interval.saturating_add(self.pending.interval / 5)
    }

    /// D14: the interval, doubled at each failure in a row.
    fn back_off(&self) -> Duration {
        let interval = self.pending.interval;
        let doubled = interval.saturating_mul(1 << self.failures.min(MOST_DOUBLINGS));
        doubled.min(interval.max(LONGEST_BACK_OFF))
    }

    /// The last moment at which a poll may reach the server before the code ends.
    fn last_moment(&self, from: Instant) -> Instant {
        let left = self.pending.expires.since(from);
        self.pending.expires - JUST_BEFORE.min(left / 2)
    }
}
