//! The moment of looking, and other moments in words beside it: how long ago, and when by the clock on the person's wall.
//!
//! Must never: read a clock, or leave out of a wall time which day it is on, where that is another one than today.

use std::time::{Duration, SystemTime};

use chrono::{DateTime, FixedOffset, Local, Offset as _, TimeZone as _};

use super::words;

/// A moment that is shown as the present one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Present {
    /// When.
    pub(crate) now: SystemTime,
    zone: Zone,
}

/// By which zone the clock on the wall goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Zone {
    /// By this machine's (`TZ`, else /etc/localtime; UTC where neither says one).
    Local,
    /// By one that a test chooses: seconds east of Greenwich.
    #[cfg(test)]
    East(i32),
}

impl Present {
    /// With the clock on the wall of this machine.
    pub(crate) fn here(now: SystemTime) -> Self {
        Self { now, zone: Zone::Local }
    }

    /// With a clock on a wall that is so many seconds east of Greenwich.
    #[cfg(test)]
    pub(crate) fn east(now: SystemTime, seconds: i32) -> Self {
        Self { now, zone: Zone::East(seconds) }
    }

    /// "3 min ago". `None`: the moment is not known.
    pub(crate) fn ago(self, moment: Option<SystemTime>) -> Option<String> {
        // A moment that is told as later was told by another reading of the clock.
        let past = self.now.duration_since(moment?).unwrap_or_default();
        Some(if past < Duration::from_secs(1) { "just now".to_owned() } else { format!("{} ago", words(past)) })
    }

    /// How long it is since then, without "ago". `None`: it is not known.
    pub(crate) fn since(self, moment: Option<SystemTime>) -> Option<String> {
        self.now.duration_since(moment?).ok().map(words)
    }

    /// By the clock on the wall: "17:20" today, "Sun 17:20" within six days, "2026-11-30 17:20" else.
    pub(crate) fn wall(self, moment: SystemTime) -> Option<String> {
        let (moment, now) = (self.local(moment)?, self.local(self.now)?);
        let days = moment.date_naive().signed_duration_since(now.date_naive()).num_days();
        let form = match days {
            0 => "%H:%M",
            -6..=6 => "%a %H:%M",
            _ => "%Y-%m-%d %H:%M",
        };
        Some(moment.format(form).to_string())
    }

    /// The same with its zone, "17:20 +01:00": once on a screen says it for all.
    pub(crate) fn wall_and_zone(self, moment: SystemTime) -> Option<String> {
        let zone = self.local(moment)?.offset().fix();
        let zone = if zone.local_minus_utc() == 0 { "UTC".to_owned() } else { zone.to_string() };
        Some(format!("{} {zone}", self.wall(moment)?))
    }

    /// `None`: beyond what calendars reach.
    fn local(self, moment: SystemTime) -> Option<DateTime<FixedOffset>> {
        let seconds = moment.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
        let seconds = i64::try_from(seconds).ok()?;
        match self.zone {
            Zone::Local => Local.timestamp_opt(seconds, 0).single().map(|moment| moment.fixed_offset()),
            #[cfg(test)]
            Zone::East(east) => FixedOffset::east_opt(east)?.timestamp_opt(seconds, 0).single(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Friday, 2027-01-15, 08:00 UTC.
    const NOW: u64 = 1_800_000_000;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn a_wall_time_names_its_day_where_it_is_not_today() {
        let wall = |east, seconds| Present::east(at(NOW), east).wall(at(seconds)).unwrap();
        assert_eq!(wall(0, NOW + 3600), "09:00");
        assert_eq!(wall(0, NOW - 3600), "07:00");
        assert_eq!(wall(0, NOW + 16 * 3600), "Sat 00:00");
        assert_eq!(wall(0, NOW + 6 * 86_400), "Thu 08:00");
        assert_eq!(wall(0, NOW + 7 * 86_400), "2027-01-22 08:00");
        assert_eq!(wall(0, NOW - 7 * 86_400), "2027-01-08 08:00");
        // The day is the one of the wall, not the one of Greenwich.
        assert_eq!(wall(9 * 3600, NOW + 8 * 3600), "Sat 01:00");
        assert_eq!(wall(-9 * 3600, NOW), "23:00");
        assert_eq!(wall(20_700, NOW), "13:45");
    }

    #[test]
    fn the_zone_is_told_and_what_no_calendar_reaches_is_not() {
        let told = |east, moment| Present::east(at(NOW), east).wall_and_zone(moment);
        assert_eq!(told(0, at(NOW)).unwrap(), "08:00 UTC");
        assert_eq!(told(3600, at(NOW)).unwrap(), "09:00 +01:00");
        assert_eq!(told(-12_600, at(NOW)).unwrap(), "04:30 -03:30");
        assert_eq!(told(0, at(u64::MAX / 4)), None);
        assert_eq!(told(0, SystemTime::UNIX_EPOCH - Duration::from_secs(1)), None);
    }

    #[test]
    fn the_machine_s_own_zone_is_one() {
        let told = Present::here(at(NOW)).wall_and_zone(at(NOW)).unwrap();
        let zone = told.split_once(' ').unwrap().1;
        assert!(zone == "UTC" || zone.starts_with(['+', '-']), "{told}");
    }

    #[test]
    fn what_was_just_now_is_said_so_also_where_two_clocks_differ() {
        let ago = |moment| Present::east(at(NOW), 0).ago(Some(moment)).unwrap();
        assert_eq!(ago(at(NOW - 180)), "3 min ago");
        assert_eq!(ago(at(NOW)), "just now");
        assert_eq!(ago(at(NOW + 2)), "just now");
        assert_eq!(Present::east(at(NOW), 0).ago(None), None);
    }
}
