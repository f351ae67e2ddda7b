//! The only reader of a clock among the guests: one that counts the machine's sleep (I10), because a token does not live longer
//! when the lid is closed.
//!
//! Must never: use std's or tokio's `Instant` for the life of a token; they stop while the machine sleeps.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

#[cfg(any(target_os = "linux", target_os = "android"))]
const COUNTS_SLEEP: ClockId = ClockId::CLOCK_BOOTTIME;
/// On macOS CLOCK_MONOTONIC goes on while the machine sleeps.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const COUNTS_SLEEP: ClockId = ClockId::CLOCK_MONOTONIC;

/// Where time comes from.
#[derive(Debug, Clone)]
pub(crate) enum Clock {
    /// The kernel.
    Kernel,
    /// A test's hand; it counts its readings.
    #[cfg(test)]
    Hand(std::sync::Arc<tests::Hand>),
}

/// A moment on the clock that counts sleep: time since the machine started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(Duration);

impl Clock {
    /// Now. A kernel without that clock gives the end of time, where every token has ended.
    pub(crate) fn now(&self) -> Moment {
        match self {
            Self::Kernel => Moment(reading(COUNTS_SLEEP).unwrap_or(Duration::MAX)),
            #[cfg(test)]
            Self::Hand(hand) => Moment(hand.read()),
        }
    }

    /// The wall clock, since 1970.
    pub(crate) fn wall(&self) -> Duration {
        match self {
            Self::Kernel => reading(ClockId::CLOCK_REALTIME).unwrap_or(Duration::MAX),
            #[cfg(test)]
            Self::Hand(hand) => hand.wall(),
        }
    }
}

impl Moment {
    /// Later by so much.
    pub(crate) fn plus(self, life: Duration) -> Self {
        Self(self.0.saturating_add(life))
    }

    /// How long from `earlier` until this; zero where it has passed.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// A length of time that runs out, also while the machine sleeps: how long a person still has for a login.
#[derive(Debug, Clone)]
pub struct Countdown {
    ends: Moment,
    clock: Clock,
}

impl Countdown {
    /// Begins now.
    #[must_use]
    pub fn of(length: Duration) -> Self {
        Self::on(Clock::Kernel, length)
    }

    fn on(clock: Clock, length: Duration) -> Self {
        Self { ends: clock.now().plus(length), clock }
    }

    /// What is left; zero once it has run out.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.ends.since(self.clock.now())
    }
}

fn reading(clock: ClockId) -> Option<Duration> {
    clock_gettime(clock).ok().map(Duration::from)
}

#[cfg(test)]
pub(crate) mod tests {
    //! A clock moved by hand.

    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    /// Milliseconds since the machine started, and how often they were read.
    #[derive(Debug, Default)]
    pub(crate) struct Hand {
        now: AtomicU64,
        readings: AtomicU64,
    }

    impl Hand {
        pub(crate) fn forward(&self, by: Duration) {
            self.now.fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
        }

        pub(crate) fn readings(&self) -> u64 {
            self.readings.load(Ordering::SeqCst)
        }

        pub(super) fn read(&self) -> Duration {
            self.readings.fetch_add(1, Ordering::SeqCst);
            Duration::from_millis(self.now.load(Ordering::SeqCst))
        }

        pub(super) fn wall(&self) -> Duration {
            Duration::from_secs(1_800_000_000) + Duration::from_millis(self.now.load(Ordering::SeqCst))
        }
    }

    #[test]
    fn a_countdown_runs_out_and_stays_so() {
        let hand = std::sync::Arc::new(Hand::default());
        let countdown = super::Countdown::on(super::Clock::Hand(hand.clone()), Duration::from_secs(60));
        hand.forward(Duration::from_secs(59));
        assert_eq!(countdown.left(), Duration::from_secs(1));
        hand.forward(Duration::from_secs(3600));
        assert_eq!(countdown.left(), Duration::ZERO);
    }
}
