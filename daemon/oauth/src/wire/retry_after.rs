//! `Retry-After`: seconds or a date (RFC 9110, 10.2.3; D48).
//!
//! Must never: let a server silence the daemon for longer than an hour.

use std::time::{Duration, SystemTime};

use super::members::number;
use crate::http::HttpAnswer;
use crate::time::{Now, WallTime};

/// A longer wish is not granted (D48).
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// The server's wish, if it has a sensible one. Negative numbers and dates in the past are none.
pub(crate) fn read(answer: &HttpAnswer, now: Now) -> Option<Duration> {
    let text = answer.retry_after.as_deref()?.trim();
    if let Some(seconds) = number(text) {
        return wish(seconds);
    }
    let date = httpdate::parse_http_date(text).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let at = WallTime::from_millis(u64::try_from(date.as_millis()).ok()?);
    (at > now.wall).then(|| at.since(now.wall).min(LONGEST))
}

fn wish(seconds: f64) -> Option<Duration> {
    match seconds {
        negative if negative < 0.0 => None,
        long if long >= LONGEST.as_secs_f64() => Some(LONGEST),
        some => Duration::try_from_secs_f64(some).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Instant;
    use crate::wire::tests::answer;
    use proptest::prelude::*;

    /// 2015-10-21T07:28:00Z.
    const NOW: Now = Now { instant: Instant::from_millis(5), wall: WallTime::from_millis(1_445_412_480_000) };

    fn of(text: &str) -> Option<Duration> {
        let mut answer = answer(503, "");
        answer.retry_after = Some(text.to_owned());
        read(&answer, NOW)
    }

    #[test]
    fn d48_seconds_and_dates_are_understood_and_capped_at_an_hour() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (text, wanted) in [
            ("120", seconds(120)),
            (" 0 ", seconds(0)),
            ("-5", None),
            ("7200", seconds(3600)),
            ("99999999999999999999999", seconds(3600)),
            ("soon", None),
            ("", None),
            ("nan", None),
            ("Wed, 21 Oct 2015 07:30:00 GMT", seconds(120)),
            ("Wed, 21 Oct 2015 07:20:00 GMT", None),
            ("Wed, 21 Oct 2099 07:30:00 GMT", seconds(3600)),
        ] {
            assert_eq!(of(text), wanted, "{text}");
        }
        assert_eq!(read(&answer(503, ""), NOW), None);
    }

    proptest! {
        #[test]
        fn no_header_panics_or_silences_for_longer_than_an_hour(text in any::<String>()) {
            prop_assert!(of(&text).is_none_or(|wish| wish <= LONGEST));
        }
    }
}
