//! The closing table, as Markdown: what was measured, the floor beside it, their ratio, the goal of DESIGN, section 7, and whether
//! it is reached.

use std::fmt::Write as _;

use crate::samples::Rounds;

/// What kind of number a row holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Unit {
    /// Seconds.
    Time,
    /// Calls a second.
    Rate,
    /// Megabytes (10^6 bytes).
    Megabytes,
    /// A number of things.
    Count,
}

/// What DESIGN, section 7, wants.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    /// Nothing: the figure is there to be known.
    Unset,
    /// So many times the floor at most.
    TimesAtMost(f64),
    /// So many times the floor at least.
    TimesAtLeast(f64),
    /// So much more than the floor at most.
    MoreAtMost(f64),
    /// So much at most.
    AtMost(f64),
    /// So much at least.
    AtLeast(f64),
    /// That, and nothing else.
    Exactly(f64),
}

/// One line.
#[derive(Debug)]
pub(crate) struct Row {
    name: String,
    measured: Result<Measured, String>,
}

#[derive(Debug)]
struct Measured {
    ours: f64,
    floor: Option<f64>,
    ratio: Option<f64>,
    more: f64,
    unit: Unit,
    goal: Goal,
}

impl Row {
    /// Ours against a floor.
    pub(crate) fn pair(name: impl Into<String>, unit: Unit, rounds: &Rounds, goal: Goal) -> Self {
        let measured = Measured {
            ours: rounds.ours(),
            floor: Some(rounds.floor()),
            ratio: Some(rounds.ratio()),
            more: rounds.difference(),
            unit,
            goal,
        };
        Self { name: name.into(), measured: Ok(measured) }
    }

    /// Ours alone.
    pub(crate) fn alone(name: impl Into<String>, unit: Unit, ours: f64, goal: Goal) -> Self {
        Self { name: name.into(), measured: Ok(Measured { ours, floor: None, ratio: None, more: f64::NAN, unit, goal }) }
    }

    /// What could not be measured here, and why.
    pub(crate) fn missing(name: impl Into<String>, why: impl Into<String>) -> Self {
        Self { name: name.into(), measured: Err(why.into()) }
    }

    fn cells(&self) -> [String; 6] {
        let nothing = || "-".to_owned();
        match &self.measured {
            Ok(found) => [
                self.name.clone(),
                found.unit.shown(found.ours),
                found.floor.map_or_else(nothing, |floor| found.unit.shown(floor)),
                found.ratio.map_or_else(nothing, |ratio| format!("{ratio:.2}")),
                found.goal_in_words(),
                found.verdict().to_owned(),
            ],
            Err(why) => [self.name.clone(), nothing(), nothing(), nothing(), nothing(), format!("NOT MEASURED: {why}")],
        }
    }
}

impl Measured {
    fn verdict(&self) -> &'static str {
        let ratio = self.ratio.unwrap_or(f64::NAN);
        let reached = match self.goal {
            Goal::Unset => return "-",
            Goal::TimesAtMost(times) => ratio <= times,
            Goal::TimesAtLeast(times) => ratio >= times,
            Goal::MoreAtMost(more) => self.more <= more,
            Goal::AtMost(most) => self.ours <= most,
            Goal::AtLeast(least) => self.ours >= least,
            Goal::Exactly(number) => (self.ours - number).abs() < f64::EPSILON,
        };
        if reached { "reached" } else { "NOT reached" }
    }

    fn goal_in_words(&self) -> String {
        match self.goal {
            Goal::Unset => "-".to_owned(),
            Goal::TimesAtMost(times) => format!("<= {times} times"),
            Goal::TimesAtLeast(times) => format!(">= {times} times"),
            Goal::MoreAtMost(more) => format!("<= {} more ({} now)", self.unit.shown(more), self.unit.shown(self.more)),
            Goal::AtMost(most) => format!("<= {}", self.unit.shown(most)),
            Goal::AtLeast(least) => format!(">= {}", self.unit.shown(least)),
            Goal::Exactly(number) => self.unit.shown(number),
        }
    }
}

impl Unit {
    fn shown(self, value: f64) -> String {
        match self {
            Self::Time if value.abs() < 1e-6 => format!("{:.0} ns", value * 1e9),
            Self::Time if value.abs() < 1e-3 => format!("{:.1} us", value * 1e6),
            Self::Time => format!("{:.2} ms", value * 1e3),
            Self::Rate => format!("{value:.0}/s"),
            Self::Megabytes => format!("{value:.1} MB"),
            Self::Count => format!("{value:.0}"),
        }
    }
}

/// The rows as a table.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let head = ["", "ours", "floor", "ratio", "goal", ""].map(str::to_owned);
    let cells: Vec<[String; 6]> = std::iter::once(head).chain(rows.iter().map(Row::cells)).collect();
    let widths: Vec<usize> =
        (0..6).map(|column| cells.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for (number, row) in cells.iter().enumerate() {
        let padded: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        let _never_fails = writeln!(text, "| {} |", padded.join(" | "));
        if number == 0 {
            let lines: Vec<String> = widths.iter().map(|width| "-".repeat((*width).max(3))).collect();
            let _never_fails = writeln!(text, "| {} |", lines.join(" | "));
        }
    }
    text
}
