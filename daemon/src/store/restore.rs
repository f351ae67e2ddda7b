//! Times of a record on the clocks of this boot (B12, B14; DESIGN, section 3).
//!
//! A record knows the calendar only. A calendar outside [saved at, expiry] has jumped or is past: then what it dates is over,
//! never "longer than its life". What has no known end is not ended by a calendar.
//!
//! Must never: make anything live longer than its life, or read a clock.

use std::time::Duration;

use mcp_authd_oauth::time::{Instant, Now, WallTime};
use mcp_authd_oauth::token::Life;

/// When a token was asked for, on the clock of this boot.
pub(super) fn token(requested_wall: WallTime, life: Life, saved_at: WallTime, now: Now) -> Instant {
    let Life::Known(life) = life else { return now.instant_of(requested_wall.min(now.wall)) };
    let is_sane = requested_wall <= saved_at && saved_at <= now.wall && now.wall < requested_wall + life;
    if is_sane { now.instant_of(requested_wall) } else { now.instant - life }
}

/// When something ends that, when it was saved, had `left` to go until `expires_wall`.
pub(super) fn deadline(expires_wall: WallTime, left: Duration, saved_at: WallTime, now: Now) -> Instant {
    if now.wall < saved_at {
        return now.instant;
    }
    now.instant + expires_wall.since(now.wall).min(left)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    const HOUR: Duration = Duration::from_secs(3600);
    const NOON: WallTime = WallTime::from_millis(1_790_000_000_000);

    fn at(instant: Duration, wall: WallTime) -> Now {
        Now { instant: Instant::from_millis(0) + instant, wall }
    }

    /// How long a token of one hour still lives.
    fn ends_in(requested: Instant, now: Now) -> Duration {
        (requested + HOUR).since(now.instant)
    }

    #[test]
    fn after_a_restart_a_token_lives_what_is_left() {
        let now = at(HOUR * 50, NOON + HOUR / 2);
        assert_eq!(token(NOON, Life::Known(HOUR), NOON, now), now.instant - HOUR / 2);
    }

    #[test]
    fn after_a_boot_a_token_does_not_live_longer() {
        let now = at(Duration::from_secs(20), NOON + HOUR / 2);
        let requested = token(NOON, Life::Known(HOUR), NOON, now);
        assert_eq!(ends_in(requested, now), HOUR / 2);
        assert!(requested < Instant::from_millis(0), "it was asked for before this boot");
    }

    #[test]
    fn a_calendar_outside_of_saved_and_expiry_means_over() {
        for wall in [NOON - Duration::from_millis(1), NOON - HOUR * 87_600, NOON + HOUR, NOON + HOUR * 87_600] {
            for boot in [Duration::from_millis(1), HOUR * 50] {
                let now = at(boot, wall);
                assert_eq!(ends_in(token(NOON, Life::Known(HOUR), NOON, now), now), Duration::ZERO, "{now:?}");
            }
        }
        let now = at(HOUR, NOON);
        assert_eq!(
            ends_in(token(NOON + HOUR, Life::Known(HOUR), NOON, now), now),
            Duration::ZERO,
            "asked for after it was saved"
        );
    }

    #[test]
    fn a_token_without_a_known_life_is_not_ended_by_the_calendar() {
        let now = at(HOUR, NOON - HOUR * 87_600);
        assert_eq!(token(NOON, Life::Unknown, NOON, now), now.instant);
    }

    #[test]
    fn a_login_ends_when_it_would_have_and_never_later() {
        let saved = NOON;
        let now = at(HOUR, NOON + HOUR / 4);
        assert_eq!(deadline(NOON + HOUR, HOUR, saved, now), now.instant + HOUR * 3 / 4);
        for wall in [NOON - HOUR, NOON + HOUR, NOON + HOUR * 2] {
            let now = at(HOUR, wall);
            assert_eq!(deadline(NOON + HOUR, HOUR, saved, now), now.instant);
        }
        assert_eq!(deadline(NOON + HOUR * 1000, HOUR, saved, now), now.instant + HOUR);
    }

    proptest! {
        #[test]
        fn nothing_ever_lives_longer_than_its_life(
            requested in 0_u64..1 << 42, life in 0_u64..1 << 36, saved in 0_u64..1 << 42, wall in 0_u64..1 << 42, boot in 0_u64..1 << 40,
        ) {
            let now = at(Duration::from_millis(boot), WallTime::from_millis(wall));
            let (requested, life) = (WallTime::from_millis(requested), Duration::from_millis(life));
            let instant = token(requested, Life::Known(life), WallTime::from_millis(saved), now);
            let left = (instant + life).since(now.instant);
            prop_assert!(left <= life);
            prop_assert!(left <= (requested + life).since(now.wall));
            prop_assert!(instant <= now.instant);
        }
    }
}
