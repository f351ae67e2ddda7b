//! What has happened, in words: the time of day, the account, a sentence; a line for each date.
//!
//! Must never: leave out a warning's word because it has a colour.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mcp_authd_client::admin::{LogEntry, LogKind, LogLevel};

use crate::screen::{self, Page, Tone, clean, fill};

/// Where what is too long for a line goes on: a little behind where the account stands.
const INDENT: usize = 11;

/// Tells one after the other.
pub(super) struct Teller {
    page: Page,
    /// The date of the last one.
    date: Option<Date>,
}

impl Teller {
    pub(super) fn new(page: Page) -> Self {
        Self { page, date: None }
    }

    /// Its lines; before them that of its date, where it is another one, and how many were lost.
    pub(super) fn tell(&mut self, entry: &LogEntry) -> String {
        let mut text = String::new();
        let (date, time) = entry.at.map_or((None, "--:--:--".to_owned()), |at| {
            let (date, time) = civil(at);
            (Some(date), time)
        });
        if date.is_some() && date != self.date {
            text.extend(date.map(Date::line));
            self.date = date;
        }
        if entry.missed > 0 {
            let lost = format!("{} lost here: they came faster than they were read", entry.missed);
            text.push_str(&self.page.paragraph(&format!("-- {lost} --")));
        }
        let account = clean(entry.account.as_deref().unwrap_or("mcp-authd"));
        // As long as the name and one space more, so that the lines are filled as they will be.
        let place = "x".repeat(account.chars().count() + 1);
        let filled = fill(&format!("{place} {}", sentence(entry)), self.page.width.saturating_sub(INDENT));
        for (index, line) in filled.iter().enumerate() {
            match line.strip_prefix(&place).filter(|_| index == 0) {
                Some(rest) => text.push_str(&format!("{time} {} {rest}\n", self.page.tint(Tone::Strong, &account))),
                None => text.push_str(&format!("{:INDENT$}{line}\n", "")),
            }
        }
        text
    }
}

fn sentence(entry: &LogEntry) -> String {
    let words = match entry.kind {
        LogKind::Audit if entry.field("how").is_some() => given(entry),
        LogKind::Audit if entry.field("again").is_some() => given_again(entry),
        _ => in_general(entry),
    };
    let level = match entry.level {
        LogLevel::Warning => "WARNING ",
        LogLevel::Error => "ERROR ",
        _ => "",
    };
    clean(&format!("{level}{words}"))
}

/// An audit line.
fn given(entry: &LogEntry) -> String {
    let mut about = Vec::new();
    about.extend(entry.field("scopes").filter(|scopes| !scopes.is_empty()).map(|scopes| format!("scopes {scopes}")));
    about.extend(entry.field("resource").map(|resource| format!("for {resource}")));
    about.push(match entry.field("expires_in").and_then(|seconds| seconds.parse().ok()) {
        Some(seconds) => format!("valid for {}", screen::words(Duration::from_secs(seconds))),
        None => "its end is not known".to_owned(),
    });
    let before = entry.field("again").map(|times| format!("; the one before it was given {} more", in_times(times)));
    format!("token given to {}: {}{}", program(entry), about.join(", "), before.unwrap_or_default())
}

fn given_again(entry: &LogEntry) -> String {
    let times = entry.field("again").map(in_times).unwrap_or_default();
    format!("the same token was given to {} {times} more", program(entry))
}

fn in_times(times: &str) -> String {
    if times == "1" { "once".to_owned() } else { format!("{times} times") }
}

fn program(entry: &LogEntry) -> String {
    let name = entry.field("program").or_else(|| entry.field("asked_as")).unwrap_or("a program");
    let own_name = entry.field("asked_as").filter(|own| *own != name);
    let known = [entry.field("pid").map(|pid| format!("pid {pid}")), own_name.map(|own| format!("calls itself {own}"))];
    let known: Vec<_> = known.into_iter().flatten().collect();
    if known.is_empty() { name.to_owned() } else { format!("{name} ({})", known.join(", ")) }
}

/// The sentence, and what belongs to it: values that speak for themselves alone, others with their names.
fn in_general(entry: &LogEntry) -> String {
    let told = |(name, value): &(String, String)| match name.as_str() {
        "why" | "trouble" | "outcome" | "failure" | "error" => value.clone(),
        name => format!("{} {value}", name.replace('_', " ")),
    };
    let fields: Vec<_> = entry.fields.iter().map(told).collect();
    if fields.is_empty() { entry.message.clone() } else { format!("{}: {}", entry.message, fields.join(", ")) }
}

/// A day of the calendar, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Date {
    year: u64,
    month: u64,
    day: u64,
}

impl Date {
    fn line(self) -> String {
        format!("{:04}-{:02}-{:02} (UTC)\n", self.year, self.month, self.day)
    }
}

/// The date and the time of day, in UTC: the Gregorian calendar counted from the 1st of March, so that a leap day comes last.
fn civil(at: SystemTime) -> (Date, String) {
    let seconds = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    // From 0000-03-01.
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let time = format!("{:02}:{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    (Date { year, month, day }, time)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::screen::Paint;

    fn entry(number: u64, at: u64, (account, message): (&str, &str), fields: &[(&str, &str)]) -> LogEntry {
        LogEntry {
            number,
            at: Some(UNIX_EPOCH + Duration::from_secs(at)),
            level: LogLevel::Info,
            kind: if fields.iter().any(|(name, _)| *name == "uid") { LogKind::Audit } else { LogKind::Event },
            account: Some(account.to_owned()).filter(|account| !account.is_empty()),
            message: message.to_owned(),
            fields: fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            missed: 0,
        }
    }

    /// One of each kind.
    pub(in crate::log) fn day() -> Vec<LogEntry> {
        const GIVEN: &str = "a token was given to a program";
        let warning = |entry| LogEntry { level: LogLevel::Warning, ..entry };
        let noon = 1_790_000_000;
        vec![
            entry(1, noon, ("", "serving"), &[("accounts", "2"), ("socket", "/run/user/1000/mcp-authd/tokens.sock")]),
            warning(entry(2, noon, ("github", "a person has to log in"), &[("why", "nobody has logged in yet")])),
            entry(3, noon + 5, ("github", "a login has begun"), &[("purpose", "first"), ("asked_by", "editor")]),
            entry(4, noon + 65, ("github", "a login has ended well"), &[("purpose", "first")]),
            entry(
                5,
                noon + 66,
                ("github", GIVEN),
                &[
                    ("uid", "1000"),
                    ("pid", "4242"),
                    ("process_start", "1789999000000"),
                    ("program", "editor"),
                    ("scopes", "read:org repo"),
                    ("expires_in", "25200"),
                    ("how", "get_token"),
                ],
            ),
            entry(
                6,
                noon + 70_000,
                ("a-company-with-a-long-name", GIVEN),
                &[
                    ("uid", "1000"),
                    ("pid", "17"),
                    ("program", "node"),
                    ("asked_as", "Claude \u{1b}[31mCode"),
                    ("scopes", ""),
                    ("resource", "https://mcp.company.example/a/rather/long/path/mcp"),
                    ("how", "watch_token"),
                    ("again", "1"),
                ],
            ),
            warning(entry(
                7,
                noon + 70_001,
                ("github", "something is wrong; it goes on by itself"),
                &[("trouble", "the server cannot be reached"), ("why", "connection\n refused")],
            )),
            LogEntry {
                missed: 12,
                ..entry(
                    20,
                    noon + 70_002,
                    ("github", "the same token was given to a program again"),
                    &[("uid", "1000"), ("again", "31")],
                )
            },
        ]
    }

    fn told(width: usize, paint: Paint) -> String {
        let mut teller = Teller::new(Page { width, paint });
        day().iter().map(|entry| teller.tell(entry)).collect()
    }

    #[test]
    fn a_day_fits_into_eighty_columns_and_into_forty() {
        for width in [80, 40] {
            let told = told(width, Paint::Plain);
            assert!(told.lines().all(|line| line.chars().count() <= width && !line.contains(char::is_control)), "{told}");
        }
        insta::assert_snapshot!(told(80, Paint::Plain));
    }

    #[test]
    fn a_colour_says_nothing_that_the_words_do_not() {
        let coloured = told(80, Paint::Colour);
        assert!(coloured.contains('\u{1b}'));
        assert_eq!(coloured.lines().map(clean).collect::<Vec<_>>(), told(80, Paint::Plain).lines().collect::<Vec<_>>());
    }

    #[test]
    fn the_calendar_is_that_of_everybody_else() {
        for (seconds, date, time) in [
            (0, "1970-01-01 (UTC)\n", "00:00:00"),
            (951_782_399, "2000-02-28 (UTC)\n", "23:59:59"),
            (951_782_400, "2000-02-29 (UTC)\n", "00:00:00"),
            (1_709_251_199, "2024-02-29 (UTC)\n", "23:59:59"),
            (1_735_689_600, "2025-01-01 (UTC)\n", "00:00:00"),
            (4_107_542_400, "2100-03-01 (UTC)\n", "00:00:00"),
        ] {
            let told = civil(UNIX_EPOCH + Duration::from_secs(seconds));
            assert_eq!((told.0.line().as_str(), told.1.as_str()), (date, time));
        }
    }
}
