//! Standard output where it is a terminal that can be steered: its size, one line that is written anew in its place, and a screen of
//! our own that leaves the person's as it was.
//!
//! Must never: send a control sequence into a pipe or to a terminal that calls itself dumb, or end without putting back what it
//! changed. The terminal's modes (echo, line editing) stay as they are: a tool that is killed must leave nothing behind that the
//! shell cannot mend.

use std::ffi::OsString;
use std::io::{self, IsTerminal as _};

use super::print;

/// The room that a terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    /// Columns.
    pub(crate) columns: usize,
    /// Rows.
    pub(crate) rows: usize,
}

/// What a terminal is taken for that does not tell its size, as on a serial line.
const USUAL: Size = Size { columns: 80, rows: 24 };

impl Size {
    /// The size of standard output at this moment; `None` where it is no terminal that can be steered.
    pub(crate) fn of_stdout() -> Option<Self> {
        let told = terminal_size::terminal_size_of(io::stdout());
        let told = told.map(|(columns, rows)| Self { columns: usize::from(columns.0), rows: usize::from(rows.0) });
        (io::stdout().is_terminal() && steerable(std::env::var_os("TERM"))).then(|| told.unwrap_or(USUAL))
    }
}

/// A terminal without a name is as dumb as one of that name.
fn steerable(term: Option<OsString>) -> bool {
    term.is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// Whether the locale writes UTF-8, by the variables in the order of POSIX.
pub(crate) fn writes_utf8(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
    let locale = locale.map(|locale| locale.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// A line, cut to a width; three dots stand for the rest. Colours count for nothing and are kept, so that they also end.
pub(crate) fn cut(line: &str, width: usize) -> String {
    let shown = crate::screen::clean(line).chars().count();
    let room = if shown <= width { width } else { width.saturating_sub(3) };
    let (mut text, mut used, mut in_colour) = (String::with_capacity(line.len()), 0, false);
    for character in line.chars() {
        if character == '\u{1b}' {
            in_colour = true;
        }
        if in_colour {
            text.push(character);
            in_colour = character != 'm';
        } else if used < room {
            text.push(character);
            used += 1;
        }
    }
    if shown > width {
        text.push_str(&"..."[..width.min(3)]);
    }
    text
}

/// One line at the end of what was printed, written anew in its place. Erased when it is dropped.
#[derive(Debug, Default)]
pub(crate) struct LiveLine {
    drawn: bool,
}

impl LiveLine {
    /// Puts this text into the line; nothing where standard output cannot be steered.
    pub(crate) fn show(&mut self, text: &str) -> io::Result<()> {
        let Some(size) = Size::of_stdout() else { return Ok(()) };
        self.drawn = true;
        print(&rewritten(text, size))
    }

    /// Takes the line away, so that something else can be printed in its place.
    pub(crate) fn erase(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.drawn) { print("\r\x1b[K") } else { Ok(()) }
    }
}

impl Drop for LiveLine {
    fn drop(&mut self) {
        self.erase().ok();
    }
}

/// Written over what stands there, then the rest erased: nothing flickers. The last column stays free, so that nothing wraps.
fn rewritten(text: &str, size: Size) -> String {
    format!("\r{}\x1b[K", cut(text, size.columns.saturating_sub(1)))
}

/// The alternate screen, without a cursor and without line wrap. Left when it is dropped, with the person's screen as it was: nothing
/// of ours stays behind, above or below.
#[derive(Debug)]
pub(crate) struct Stage(());

const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

impl Stage {
    /// Enters it.
    pub(crate) fn enter() -> io::Result<Self> {
        let stage = Self(());
        print(ENTER)?;
        Ok(stage)
    }

    /// Shows these lines and nothing else.
    pub(crate) fn draw(&self, lines: &[String]) -> io::Result<()> {
        print(&drawn(lines))
    }

    /// Gives the terminal back and stops, as Ctrl-Z asks; comes back when the person does.
    pub(crate) fn suspend(&self) -> io::Result<()> {
        print(LEAVE)?;
        nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP)?;
        print(ENTER)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        print(LEAVE).ok();
    }
}

/// One synchronised update (mode 2026, where the terminal knows it): each line over the old one, its rest erased, then all below.
fn drawn(lines: &[String]) -> String {
    format!(
        "\x1b[?2026h\x1b[H{}\x1b[J\x1b[?2026l",
        lines.iter().map(|line| format!("{line}\x1b[K")).collect::<Vec<_>>().join("\r\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_without_a_name_is_dumb() {
        assert!(!steerable(None) && !steerable(Some("".into())) && !steerable(Some("dumb".into())));
        assert!(steerable(Some("xterm".into())));
    }

    #[test]
    fn the_first_variable_that_is_set_names_the_locale() {
        let utf8 = |variables: &[(&str, &str)]| {
            writes_utf8(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value)))
        };
        assert!(utf8(&[("LANG", "en_GB.UTF-8")]) && utf8(&[("LC_ALL", ""), ("LC_CTYPE", "C.utf8")]));
        assert!(!utf8(&[]) && !utf8(&[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")]));
    }

    #[test]
    fn a_line_is_cut_to_its_width_and_its_colours_end() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abc...");
        assert_eq!(cut("a\u{1b}[31mbcdefg\u{1b}[0m", 6), "a\u{1b}[31mbc\u{1b}[0m...");
        assert_eq!(cut("abc", 2), "..");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn a_live_line_takes_one_row_of_any_width() {
        for columns in 1..60 {
            let written = rewritten("  time left 14:32", Size { columns, rows: 24 });
            assert!(written.starts_with('\r') && written.ends_with("\u{1b}[K") && !written.contains('\n'));
            assert!(crate::screen::clean(written.trim_start()).chars().count() < columns, "{columns}");
        }
    }
}
