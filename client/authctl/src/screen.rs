//! Writing to a terminal: what may be shown, how wide, in which colour, and that nobody may be reading.
//!
//! Must never: pass a control character, an escape sequence or a bidirectional override on (D19), panic on a closed pipe, or say
//! something by colour alone.

pub(crate) mod advice;
pub(crate) mod present;
pub(crate) mod qr;
pub(crate) mod terminal;

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    /// Columns.
    pub(crate) width: usize,
    /// Colours.
    pub(crate) paint: Paint,
}

/// Whether there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// No.
    Plain,
    /// Yes.
    Colour,
}

/// What a word means, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// A name, a code, a host.
    Strong,
    /// Good.
    Good,
    /// Something to look at.
    Warning,
    /// Something that a person has to mend.
    Bad,
}

/// The usual width, and the widest that reads well.
const USUAL_WIDTH: usize = 80;
const NARROWEST: usize = 40;

/// Where the value of a field begins.
const VALUE_COLUMN: usize = 12;

impl Page {
    /// The page of standard output.
    pub(crate) fn of_stdout() -> Self {
        Self::of(io::stdout().is_terminal(), terminal_size::terminal_size_of(io::stdout()))
    }

    /// The page of standard error.
    pub(crate) fn of_stderr() -> Self {
        Self::of(io::stderr().is_terminal(), terminal_size::terminal_size_of(io::stderr()))
    }

    fn of(is_terminal: bool, size: Option<(terminal_size::Width, terminal_size::Height)>) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let paint = if is_terminal && !dumb && !set("NO_COLOR") { Paint::Colour } else { Paint::Plain };
        let width = size.map_or(USUAL_WIDTH, |(columns, _)| usize::from(columns.0).clamp(NARROWEST, USUAL_WIDTH));
        Self { width, paint }
    }

    /// A word in its tone.
    pub(crate) fn tint(self, tone: Tone, word: &str) -> String {
        let code = match tone {
            Tone::Strong => "1",
            Tone::Good => "32",
            Tone::Warning => "33",
            Tone::Bad => "31",
        };
        match self.paint {
            Paint::Plain => word.to_owned(),
            Paint::Colour => format!("\x1b[{code}m{word}\x1b[0m"),
        }
    }

    /// A paragraph, cleaned and filled.
    pub(crate) fn paragraph(self, text: &str) -> String {
        lines(&fill(&clean(text), self.width))
    }

    /// A name and its value, cleaned and filled; what is too long for a line goes on under it.
    pub(crate) fn field(self, name: &str, value: &str) -> String {
        let value = fill(&clean(value), self.width.saturating_sub(VALUE_COLUMN));
        let mut text = String::new();
        for (index, line) in value.iter().enumerate() {
            text.push_str(&label(if index == 0 { name } else { "" }));
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// A name and what has to be copied whole, in its tone: a command, an address. Cleaned, but never broken.
    pub(crate) fn whole(self, name: &str, value: &str, tone: Option<Tone>) -> String {
        let value = clean(value);
        let value = tone.map_or_else(|| value.clone(), |tone| self.tint(tone, &value));
        format!("{}{value}\n", label(name))
    }

    /// What to type, in strong. A command stays whole; a sentence is filled, and the command that it ends in stays whole below it.
    pub(crate) fn next(self, name: &str, step: &str) -> String {
        let width = self.width.saturating_sub(VALUE_COLUMN);
        let lines = advice::fill(&clean(step), width);
        let labels = std::iter::once(name).chain(std::iter::repeat(""));
        labels.zip(&lines).map(|(name, line)| format!("{}{}\n", label(name), self.tint(Tone::Strong, line))).collect()
    }
}

fn label(name: &str) -> String {
    format!("{:VALUE_COLUMN$}", format!("  {name}"))
}

fn lines(filled: &[String]) -> String {
    filled.iter().map(|line| format!("{line}\n")).collect()
}

/// Words to lines; a word that is wider than a line is cut, nothing is left out.
pub(crate) fn fill(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut filled: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split_whitespace() {
        let long = word.chars().count();
        if used > 0 && used + 1 + long > width {
            filled.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        for character in word.chars() {
            if used == width {
                filled.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(character);
            used += 1;
        }
    }
    if !line.is_empty() {
        filled.push(line);
    }
    filled
}

/// D19: the text without control characters, escape sequences (ECMA-48) and characters that reorder or hide others. A line break or
/// a tab becomes a space.
pub(crate) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => match characters.next() {
                Some('[') => skip_control_sequence(&mut characters),
                Some(']' | 'P' | 'X' | '^' | '_') => skip_control_string(&mut characters),
                Some(' '..='/') => skip_escape_sequence(&mut characters),
                _ => {}
            },
            '\u{9b}' => skip_control_sequence(&mut characters),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => skip_control_string(&mut characters),
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => cleaned.push(' '),
            hidden if hidden.is_control() || reorders_or_hides(hidden) => {}
            shown => cleaned.push(shown),
        }
    }
    cleaned
}

/// Up to its final byte.
fn skip_control_sequence(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    while let Some(' '..='?') = characters.peek() {
        characters.next();
    }
    if let Some('@'..='~') = characters.peek() {
        characters.next();
    }
}

/// The rest of an escape sequence with intermediate characters, as those that choose a character set.
fn skip_escape_sequence(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    while let Some(' '..='/') = characters.peek() {
        characters.next();
    }
    if let Some('0'..='~') = characters.peek() {
        characters.next();
    }
}

/// Up to its terminator. A string without one hides nothing behind it: its opening alone is dropped.
fn skip_control_string(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    let mut ahead = characters.clone();
    while let Some(character) = ahead.next() {
        let ended = match character {
            '\u{7}' | '\u{9c}' => true,
            '\u{1b}' => ahead.next_if_eq(&'\\').is_some(),
            _ => false,
        };
        if ended {
            *characters = ahead;
            return;
        }
    }
}

fn reorders_or_hides(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A length of time in words, with at most two units.
pub(crate) fn words(length: Duration) -> String {
    let seconds = length.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, seconds) if minutes < 10 && seconds > 0 => format!("{minutes} min {seconds} s"),
        (0, 0, minutes, _) => format!("{minutes} min"),
        (0, hours, 0, _) => format!("{hours} h"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, 0, ..) => format!("{days} d"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}

/// Writes to standard output. A reader that has gone away is no failure: it has seen what it wanted.
pub(crate) fn print(text: &str) -> io::Result<()> {
    match print_to_a_reader(text) {
        Err(gone) if gone.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

/// Writes to standard output; somebody must read it.
pub(crate) fn print_to_a_reader(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// How wide standard error is, where it is a terminal.
pub(crate) fn width_of_stderr() -> Option<usize> {
    io::stderr().is_terminal().then(|| Page::of_stderr().width)
}

/// Writes to standard error. There is nobody left to tell if that fails.
pub(crate) fn complain(text: &str) {
    io::stderr().lock().write_all(text.as_bytes()).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_overrides_do_not_get_through() {
        let cases = [
            ("AB\u{1b}[31mCD", "ABCD"),
            ("AB\u{1b}]0;title\u{7}CD", "ABCD"),
            ("AB\u{1b}]8;;https://evil.example\u{1b}\\CD\u{1b}]8;;\u{1b}\\", "ABCD"),
            ("AB\u{9b}2JCD", "ABCD"),
            ("AB\u{1b}(0CD", "ABCD"),
            ("AB\u{1b}cCD", "ABCD"),
            ("AB\u{202e}CD\u{2066}\u{200b}", "ABCD"),
            ("AB\r\nCD", "AB  CD"),
            ("AB\u{8}\u{7f}\0CD", "ABCD"),
            ("AB\u{1b}]never ended", "ABnever ended"),
            ("Zürich 東京", "Zürich 東京"),
        ];
        for (dirty, expected) in cases {
            assert_eq!(clean(dirty), expected, "{dirty:?}");
        }
    }

    #[test]
    fn a_quoted_word_loses_nothing_on_its_way_to_the_screen() {
        for hostile in
            ["a\u{1b}'; id; '", "a\u{9b}'b", "a\u{1b}]'\u{7}; id", "a\nid", "\u{202e}\u{2028}\u{ad}\u{e0041}'", "$(id) `id`"]
        {
            let quoted = mcp_authd_client::shell::word(hostile);
            assert_eq!(clean(&quoted), quoted, "{hostile:?}");
        }
    }

    #[test]
    fn nothing_is_left_out_and_no_line_is_too_wide() {
        let text = format!("a {} b cc", "x".repeat(25));
        let filled = fill(&text, 10);
        assert!(filled.iter().all(|line| line.chars().count() <= 10), "{filled:?}");
        assert_eq!(filled.concat().replace(' ', ""), text.replace(' ', ""));
    }

    #[test]
    fn a_length_of_time_has_at_most_two_units() {
        let cases =
            [(0, "0 s"), (59, "59 s"), (60, "1 min"), (61, "1 min 1 s"), (899, "14 min"), (3600, "1 h"), (28_799, "7 h 59 min")];
        for (seconds, expected) in cases.into_iter().chain([(86_400, "1 d"), (100_000, "1 d 3 h")]) {
            assert_eq!(words(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn colour_only_adds_to_what_is_said() {
        let plain = Page { width: 80, paint: Paint::Plain };
        let colour = Page { width: 80, paint: Paint::Colour };
        assert_eq!(clean(&colour.tint(Tone::Bad, "login needed")), plain.tint(Tone::Bad, "login needed"));
    }
}
