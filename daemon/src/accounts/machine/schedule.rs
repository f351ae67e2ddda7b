//! When to refresh and how long to wait after a failure, as pure arithmetic.

use std::time::Duration;

use mcp_authd_oauth::client_authentication::NotAuthenticated;
use mcp_authd_oauth::time::Instant;
use mcp_authd_oauth::token::Life;

use super::effect::Policy;
use crate::accounts::grant::HeldToken;

/// A refresh ahead of time happens only for accounts that were used this recently (D53).
pub(crate) const USED_WITHIN: Duration = Duration::from_secs(24 * 3600);
/// A refresh ahead of time keeps this distance from the last refresh (D53).
pub(crate) const REFRESH_DISTANCE: Duration = Duration::from_secs(10);
/// At most one forced refresh in this time (D54).
pub(crate) const FORCED_DISTANCE: Duration = Duration::from_secs(30);
/// After a secret that the server did not take, where it came from a file that somebody else keeps: the next read may find another.
const REFUSED_FILE_REST: Duration = Duration::from_secs(60);
/// After a configuration error (D47).
pub(crate) const CONFIGURATION_REST: Duration = Duration::from_secs(3600);
/// After an unknown error (D49).
pub(crate) const UNKNOWN_REST: Duration = Duration::from_secs(30);
/// A token younger than this satisfies any `min_validity` (DESIGN, section 4).
const YOUNG: Duration = Duration::from_secs(10);
/// Refreshes after a resume are spread over this time (D53).
pub(crate) const RESUME_SPREAD: Duration = Duration::from_secs(10);

/// Jitter without a source of its own: a seed passed in, stepped by splitmix64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Luck(u64);

impl Luck {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number in 0..=1000.
    pub(crate) fn permille(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        u32::try_from((z ^ (z >> 31)) % 1001).unwrap_or(0)
    }
}

/// When a token wants to be refreshed ahead of its end (D53). `None`: never by time.
///
/// The jitter of ±10 % of the margin comes from when the token was asked for, so that the moment is the same whenever it is
/// asked for, over restarts too. It is asked for with every call: a hash of the token would be the dearest step of all.
pub(crate) fn refresh_ahead_at(token: &HeldToken, policy: &Policy) -> Option<Instant> {
    let Life::Known(life) = token.life else { return None };
    if life.is_zero() {
        // Born dead: only a caller is worth another try (D38).
        return None;
    }
    let full = if policy.refresh_ends_access_tokens { Duration::from_secs(60) } else { (life / 5).min(Duration::from_secs(300)) };
    let jitter = u32::try_from(token.requested_wall.as_millis() % 256).unwrap_or(0);
    let margin = (full * 9 / 10 + full * jitter / (5 * 255)).min(life / 2);
    Some(token.requested + (life - margin))
}

/// Whether the token lives long enough for a caller that wants `min_validity` (DESIGN, section 4).
pub(crate) fn lives_long_enough(token: &HeldToken, min_validity: Duration, now: Instant) -> bool {
    if !token.is_alive(now) {
        return false;
    }
    let (Some(remaining), Life::Known(life)) = (token.remaining(now), token.life) else { return true };
    now.since(token.requested) < YOUNG || remaining >= min_validity.min(life / 2)
}

/// After the n-th failure in a row with nothing sent: 1 s·2ⁿ, at most 30 s (D48).
pub(crate) fn back_off_nothing_sent(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.min(5)).min(Duration::from_secs(30))
}

/// After the n-th "later" in a row: 1 s·2ⁿ ± 20 %, at most 5 min; the server's wish counts where it is longer, up to 1 h (D48).
pub(crate) fn back_off_answered(failures: u32, retry_after: Option<Duration>, luck: &mut Luck) -> Duration {
    let base = Duration::from_secs(1 << failures.min(9)).min(Duration::from_secs(300));
    let jittered = base * (800 + luck.permille() * 2 / 5) / 1000;
    jittered.max(retry_after.unwrap_or_default()).min(Duration::from_secs(3600))
}

/// After a client could not authenticate: where nothing was sent, soon; where the server refused, as after any configuration error.
pub(crate) fn not_authenticated_rest(why: &NotAuthenticated, failures: u32) -> Duration {
    match why {
        NotAuthenticated::NoSecret | NotAuthenticated::Unreadable(_) => back_off_nothing_sent(failures),
        NotAuthenticated::Refused { file: Some(_), .. } => REFUSED_FILE_REST,
        NotAuthenticated::Refused { file: None, .. } => CONFIGURATION_REST,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::accounts::machine::fixture::{policy, token};
    use mcp_authd_oauth::time::WallTime;

    #[test]
    fn the_margin_is_a_fifth_of_the_life_and_at_most_five_minutes_with_ten_percent_of_jitter() {
        for (life, margin) in [(100, 20), (3600, 300), (86_400, 300)] {
            for millis in [0, 1, 50, 100, 254, 255] {
                let mut token = token("a", life);
                token.requested_wall = WallTime::from_millis(1_789_999_872_000 + millis);
                let at = refresh_ahead_at(&token, &policy()).unwrap();
                let ahead = token.expires().unwrap().since(at).as_secs_f64();
                assert!((0.89..=1.11).contains(&(ahead / f64::from(margin))), "{life}: {ahead}");
            }
        }
    }

    #[test]
    fn the_margin_never_begins_before_half_of_the_life() {
        let strict = Policy { refresh_ends_access_tokens: true, ..policy() };
        let token = token("a", 50);
        assert_eq!(refresh_ahead_at(&token, &strict), Some(token.requested + Duration::from_secs(25)));
    }

    #[test]
    fn a_wish_for_validity_is_capped_at_half_of_the_life() {
        let token = token("a", 100);
        let at = |seconds| token.requested + Duration::from_secs(seconds);
        assert!(lives_long_enough(&token, Duration::from_secs(1000), at(50)));
        assert!(!lives_long_enough(&token, Duration::from_secs(1000), at(51)));
        assert!(lives_long_enough(&token, Duration::from_secs(10), at(90)));
        assert!(!lives_long_enough(&token, Duration::ZERO, at(100)));
    }

    #[test]
    fn back_off_doubles_up_to_its_limit_and_honours_the_servers_wish() {
        assert_eq!(back_off_nothing_sent(0), Duration::from_secs(1));
        assert_eq!(back_off_nothing_sent(3), Duration::from_secs(8));
        assert_eq!(back_off_nothing_sent(60), Duration::from_secs(30));
        let mut luck = Luck::new(1);
        for failures in 0..40 {
            let wait = back_off_answered(failures, None, &mut luck);
            assert!(wait <= Duration::from_secs(360) && wait >= Duration::from_millis(800), "{wait:?}");
        }
        assert_eq!(back_off_answered(0, Some(Duration::from_secs(99)), &mut luck), Duration::from_secs(99));
        assert_eq!(back_off_answered(0, Some(Duration::from_secs(99_999)), &mut luck), Duration::from_secs(3600));
    }
}
