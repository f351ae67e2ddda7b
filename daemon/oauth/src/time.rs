//! The two clocks, as values. Nothing here reads a clock: whoever has one passes a [`Now`] in.
//!
//! [`Instant`] counts while the machine sleeps and restarts at zero on boot (I10: CLOCK_BOOTTIME on Linux, CLOCK_MONOTONIC on
//! macOS). [`WallTime`] is for people and for what must outlive the process; it may jump.

use std::ops::{Add, Sub};
use std::time::Duration;

/// A moment on the clock that counts sleep. Milliseconds since this boot, negative for what was before it: a token that was
/// issued before a reboot must not live longer for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(i64);

impl Instant {
    /// From milliseconds since the clock's zero.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the clock's zero.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// How long after `earlier` this is; zero where it is not after.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add_unsigned(millis(duration)))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub_unsigned(millis(duration)))
    }
}

/// A moment by the calendar. Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct WallTime(u64);

impl WallTime {
    /// From milliseconds since the epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero where it is not after.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for WallTime {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }
}

impl Sub<Duration> for WallTime {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }
}

/// One reading of both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The clock that counts sleep: for every deadline.
    pub instant: Instant,
    /// The calendar: for people and for records.
    pub wall: WallTime,
}

impl Now {
    /// The calendar time of a moment near now.
    #[must_use]
    pub fn wall_of(self, at: Instant) -> WallTime {
        if at >= self.instant { self.wall + at.since(self.instant) } else { self.wall - self.instant.since(at) }
    }

    /// The moment of a calendar time, trusting that the calendar has not jumped in between.
    #[must_use]
    pub fn instant_of(self, at: WallTime) -> Instant {
        if at >= self.wall { self.instant + at.since(self.wall) } else { self.instant - self.wall.since(at) }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_instead_of_wrapping() {
        let zero = Instant::from_millis(0);
        assert_eq!(zero + Duration::MAX, Instant::from_millis(i64::MAX));
        assert_eq!(zero - Duration::MAX, Instant::from_millis(i64::MIN));
        assert_eq!(zero.since(Instant::from_millis(5)), Duration::ZERO);
        assert_eq!(WallTime::from_millis(0) - Duration::MAX, WallTime::from_millis(0));
    }

    #[test]
    fn a_moment_before_the_boot_is_kept_apart_from_the_boot() {
        let now = Now { instant: Instant::from_millis(1_000), wall: WallTime::from_millis(9_000_000) };
        let issued = now.instant_of(WallTime::from_millis(5_400_000));
        assert_eq!(now.instant.since(issued), Duration::from_secs(3600));
    }

    #[test]
    fn the_two_clocks_convert_into_each_other() {
        let now = Now { instant: Instant::from_millis(5_000), wall: WallTime::from_millis(100_000) };
        let later = now.instant + Duration::from_secs(3);
        assert_eq!(now.instant_of(now.wall_of(later)), later);
        assert_eq!(now.wall_of(Instant::from_millis(4_000)), WallTime::from_millis(99_000));
    }
}
