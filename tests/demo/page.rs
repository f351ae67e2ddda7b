//! What the demo says: plain lines of at most 80 columns, and the closing table.

use std::io::Write as _;

/// One line, or several, on standard output. A reader that has left is no reason to stop.
pub(crate) fn line(text: &str) {
    let _no_matter = writeln!(std::io::stdout().lock(), "{text}");
}

/// On standard error.
pub(crate) fn complain(text: &str) {
    let _no_matter = writeln!(std::io::stderr().lock(), "{text}");
}

/// A step of the show, with its number.
pub(crate) fn step(number: usize, title: &str) {
    line(&format!("\n{number}. {title}"));
}

/// One program's line.
pub(crate) fn program(number: usize, text: &str) {
    line(&format!("   program {number:<2} {text}"));
}

/// The closing table: what has to be, and what was counted.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

struct Row {
    what: &'static str,
    wanted: u64,
    counted: u64,
}

impl Table {
    /// One more row.
    pub(crate) fn row(mut self, what: &'static str, wanted: u64, counted: u64) -> Self {
        self.rows.push(Row { what, wanted, counted });
        self
    }

    /// Shows it. Whether every count was right.
    pub(crate) fn show(&self) -> bool {
        line(&format!("\n   {:<52} {:>8} {:>8}", "", "wanted", "counted"));
        for row in &self.rows {
            let verdict = if row.wanted == row.counted { "" } else { "  WRONG" };
            line(&format!("   {:<52} {:>8} {:>8}{verdict}", row.what, row.wanted, row.counted));
        }
        let wrong = self.rows.iter().filter(|row| row.wanted != row.counted).count();
        match wrong {
            0 => line("\nAll counts are right."),
            wrong => line(&format!("\n{wrong} of {} counts are WRONG.", self.rows.len())),
        }
        wrong == 0
    }
}

/// Numbers as words read better in a sentence.
pub(crate) fn word(number: usize) -> String {
    const WORDS: [&str; 11] = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    WORDS.get(number).map_or_else(|| number.to_string(), |word| (*word).to_owned())
}
