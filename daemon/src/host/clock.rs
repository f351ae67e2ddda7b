//! The only reader of clocks (I10). Token life counts while the machine sleeps: CLOCK_BOOTTIME on Linux, CLOCK_MONOTONIC on
//! macOS, where it counts sleep; std's and tokio's `Instant` do not.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mcp_authd_oauth::time::{Instant, Now, WallTime};
use nix::time::{ClockId, clock_gettime};

/// Nobody sleeps longer without looking at the clock: a timer of the runtime stands still while the machine sleeps (I10).
pub const LONGEST_NAP: Duration = Duration::from_secs(30);

/// How long it is until the next full `period` of the clock that counts sleep. Those who look every now and then, however many, look at
/// these moments, together: the machine wakes once for all of them.
#[must_use]
pub fn until_beat(now: Instant, period: Duration) -> Duration {
    let period = i64::try_from(period.as_millis()).unwrap_or(i64::MAX).max(1);
    let passed = now.as_millis().rem_euclid(period);
    Duration::from_millis(u64::try_from(period - passed).unwrap_or(1))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
const COUNTS_SLEEP: ClockId = ClockId::CLOCK_BOOTTIME;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const COUNTS_SLEEP: ClockId = ClockId::CLOCK_MONOTONIC;

/// A reader of both clocks; a handle, cheap to clone.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Now + Send + Sync>);

impl Clock {
    /// The machine's clocks.
    #[must_use]
    pub fn system() -> Self {
        Self(Arc::new(|| Now {
            instant: Instant::from_millis(i64::try_from(read(COUNTS_SLEEP)).unwrap_or(i64::MAX)),
            wall: WallTime::from_millis(read(ClockId::CLOCK_REALTIME)),
        }))
    }

    /// A clock that a test moves by its own means.
    #[must_use]
    pub fn from_fn(read: impl Fn() -> Now + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// One reading of both.
    #[must_use]
    pub fn now(&self) -> Now {
        (self.0)()
    }

    /// Ends at `at` or soon after, also where the machine slept in between.
    pub async fn sleep_until(&self, at: Instant) {
        loop {
            let now = self.now().instant;
            let left = at.since(now);
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(until_beat(now, LONGEST_NAP))).await;
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({:?})", self.now())
    }
}

// `allow`, not `expect`: the list of what is disallowed counts only where .ci/check says so.
#[allow(clippy::disallowed_methods, reason = "the one reader of clocks (I10)")]
fn read(clock: ClockId) -> u64 {
    let Ok(time) = clock_gettime(clock) else { return 0 };
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    let millis = u64::try_from(time.tv_nsec()).unwrap_or(0) / 1_000_000;
    seconds.saturating_mul(1_000).saturating_add(millis)
}

/// A clock that follows tokio's paused time, for tests.
#[cfg(test)]
pub(crate) fn follows_tokio() -> Clock {
    let start = tokio::time::Instant::now();
    let base = Now { instant: Instant::from_millis(1_000_000), wall: WallTime::from_millis(1_790_000_000_000) };
    Clock::from_fn(move || {
        let passed = start.elapsed();
        Now { instant: base.instant + passed, wall: base.wall + passed }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_reads_both_clocks() {
        let first = Clock::system().now();
        let second = Clock::system().now();
        assert!(second.instant >= first.instant);
        assert!(first.wall > WallTime::from_millis(1_700_000_000_000));
    }

    #[test]
    fn beats_are_the_same_for_all_and_never_further_away_than_their_period() {
        let seconds = Duration::from_secs;
        for (millis, left) in [
            (0, seconds(30)),
            (1, Duration::from_millis(29_999)),
            (29_999, Duration::from_millis(1)),
            (-1, Duration::from_millis(1)),
        ] {
            assert_eq!(until_beat(Instant::from_millis(millis), seconds(30)), left, "{millis}");
        }
        let whenever = (0..100_000).step_by(77).map(Instant::from_millis);
        assert!(whenever.clone().all(|now| (now + until_beat(now, seconds(10))).as_millis() % 10_000 == 0));
        assert!(whenever.map(|now| until_beat(now, seconds(10))).all(|left| !left.is_zero() && left <= seconds(10)));
        assert_eq!(until_beat(Instant::from_millis(5), Duration::ZERO), Duration::from_millis(1), "a loop without rest");
    }

    #[tokio::test(start_paused = true)]
    async fn a_sleeper_looks_at_the_clock_every_thirty_seconds() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let looks = Arc::new(AtomicUsize::new(0));
        let inner = follows_tokio();
        let counted = {
            let looks = looks.clone();
            Clock::from_fn(move || {
                looks.fetch_add(1, Ordering::Relaxed);
                inner.now()
            })
        };
        let at = counted.now().instant + Duration::from_secs(301);
        counted.sleep_until(at).await;
        assert!(looks.load(Ordering::Relaxed) >= 11, "{looks:?}");
        assert!(counted.now().instant >= at);
    }
}
