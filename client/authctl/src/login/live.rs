//! The line under a prompt that tells what is waited for, and how long there is still time.
//!
//! Must never: be wider than a small terminal: a line that has wrapped cannot be written anew in its place.

use std::time::Duration;

use mcp_authd_client::Countdown;

/// What is waited for.
#[derive(Debug)]
pub(super) enum Waiting {
    /// The server's answer to the beginning.
    Prompt,
    /// The person, who has so much time; `None` where the server does not say.
    Person(Option<Countdown>),
    /// The server's last word, after the person's.
    Grant,
    /// The daemon, which has gone.
    Daemon,
}

impl Waiting {
    /// The line at this moment.
    pub(super) fn line(&self) -> String {
        match self {
            Self::Prompt => "Asking the server ...".to_owned(),
            Self::Person(None) => "  time left unknown".to_owned(),
            Self::Person(Some(countdown)) => format!("  time left {}", clock_face(countdown.left())),
            Self::Grant => "Fetching the token ...".to_owned(),
            Self::Daemon => "mcp-authd is away; waiting ...".to_owned(),
        }
    }

    /// When the line is another one: at the next full second.
    pub(super) fn next(&self) -> Duration {
        let left = match self {
            Self::Person(Some(countdown)) => countdown.left(),
            _ => Duration::ZERO,
        };
        match Duration::from_nanos(left.subsec_nanos().into()) {
            Duration::ZERO => Duration::from_secs(1),
            // A little more, so that it is surely the next second then.
            rest => rest + Duration::from_millis(5),
        }
    }
}

/// 14:32, or 1:02:03.
fn clock_face(left: Duration) -> String {
    let seconds = left.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_shown_as_on_a_clock() {
        for (seconds, shown) in [(0, "0:00"), (59, "0:59"), (899, "14:59"), (3600, "1:00:00"), (86_399, "23:59:59")] {
            assert_eq!(clock_face(Duration::from_secs(seconds)), shown);
        }
        assert_eq!(Waiting::Person(Some(Countdown::of(Duration::ZERO))).line(), "  time left 0:00");
    }

    #[test]
    fn every_line_is_short_enough_for_a_small_terminal() {
        let longest = Countdown::of(Duration::from_secs(86_400 * 30));
        let lines = [Waiting::Prompt, Waiting::Person(None), Waiting::Person(Some(longest)), Waiting::Grant, Waiting::Daemon];
        let lines: Vec<String> = lines.iter().map(Waiting::line).collect();
        assert!(lines.iter().all(|line| line.len() <= 30), "{lines:?}");
    }

    #[test]
    fn the_line_is_looked_at_again_within_about_a_second() {
        for countdown in [None, Some(Countdown::of(Duration::ZERO)), Some(Countdown::of(Duration::from_millis(1500)))] {
            let next = Waiting::Person(countdown).next();
            assert!(next > Duration::ZERO && next <= Duration::from_millis(1005), "{next:?}");
        }
    }
}
