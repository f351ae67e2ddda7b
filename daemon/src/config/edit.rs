//! A text with one account more or less, everything else byte for byte as it was.
//!
//! The parser says where things stand; the text itself is cut and pasted. (A text that is written anew from its parsed form does not
//! survive: toml_edit turns CRLF into LF, drops a byte order mark, ends the last line, and sorts dotted keys.)
//!
//! Must never: be given a text that does not hold.

use toml_edit::{Document, Item};

use super::account::AccountName;
use super::draft::Described;
use super::inline;
use super::lines::{Kind, Line, lines};

/// A text, and what makes it differ from the one before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Edited {
    /// The whole text.
    pub(super) text: String,
    /// What came in or went, for a person who does it by hand.
    pub(super) difference: String,
}

/// The text with the account at its end. `None`: the text is not TOML.
pub(super) fn with(text: &str, name: &AccountName, described: &Described<'_>) -> Option<Edited> {
    let document = Document::parse(text).ok()?;
    if let Some(place) = inline_accounts(&document) {
        let entry = described.inline(name);
        return Some(Edited { text: inline::with(text, &place, &entry), difference: entry });
    }
    let newline = newline_of(text);
    let block = described.table(name, newline);
    let empty = text.trim_start_matches('\u{feff}').is_empty();
    // A last line without a line break is left without one, so that taking the account out gives back what was there.
    let whole = if empty {
        format!("{text}{block}{newline}")
    } else if text.ends_with('\n') {
        format!("{text}{newline}{block}{newline}")
    } else {
        format!("{text}{newline}{newline}{block}")
    };
    Some(Edited { text: whole, difference: block })
}

/// The text without the account. `None`: the text is not TOML.
pub(super) fn without(text: &str, name: &AccountName) -> Option<Edited> {
    let document = Document::parse(text).ok()?;
    if inline_accounts(&document).is_some() {
        return without_inline(text, name);
    }
    let lines = lines(text, document.as_table(), name.as_str());
    let mut fates = fates(&lines);
    let taken = taken_out(text, &lines, &fates);
    tidy(&lines, &mut fates);
    Some(Edited { text: kept(text, &lines, &fates), difference: taken })
}

/// With dotted keys an account has several entries. Each cut moves what stands behind it, so each begins with a fresh look.
fn without_inline(text: &str, name: &AccountName) -> Option<Edited> {
    let mut edited = Edited { text: text.to_owned(), difference: String::new() };
    loop {
        let document = Document::parse(edited.text.as_str()).ok()?;
        let Some((text, taken)) = inline::without_one(&edited.text, &inline_accounts(&document)?, name.as_str()) else {
            return Some(edited);
        };
        let comma = if edited.difference.is_empty() { "" } else { ", " };
        edited = Edited { difference: format!("{taken}{comma}{}", edited.difference), text };
    }
}

/// `accounts = { .. }`.
fn inline_accounts<'d>(document: &'d Document<&str>) -> Option<inline::Place<'d>> {
    let table = document.as_table().get("accounts").and_then(Item::as_inline_table)?;
    Some(inline::Place { table, start: table.span()?.start })
}

/// As the first line ends.
fn newline_of(text: &str) -> &'static str {
    match text.split_inclusive('\n').next() {
        Some(first) if first.ends_with("\r\n") => "\r\n",
        _ => "\n",
    }
}

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    Gone,
}

/// The account's own lines go, and with them what stands between them, and the comments that touch them. A comment that touches the
/// next table from above belongs to that one.
fn fates(lines: &[Line]) -> Vec<Fate> {
    let mut fates: Vec<_> = lines.iter().map(|line| if line.kind == Kind::Ours { Fate::Gone } else { Fate::Kept }).collect();
    let is_loose = |line: &Line| matches!(line.kind, Kind::Comment | Kind::Blank);
    let mut at = 0;
    for run in lines.chunk_by(|a, b| is_loose(a) == is_loose(b)) {
        let from = at;
        at += run.len();
        if !run.first().is_some_and(is_loose) {
            continue;
        }
        let before = from.checked_sub(1).and_then(|before| lines.get(before)).map(|line| line.kind);
        let after = lines.get(at).map(|line| line.kind);
        let gone = match (before, after) {
            (Some(Kind::Ours), Some(Kind::Ours)) => from..at,
            (Some(Kind::Ours), _) => {
                let touching = run.iter().take_while(|line| line.kind == Kind::Comment).count();
                let touches_the_next_too = touching == run.len() && after.is_some();
                from..from + if touches_the_next_too { 0 } else { touching }
            }
            (_, Some(Kind::Ours)) => at - run.iter().rev().take_while(|line| line.kind == Kind::Comment).count()..at,
            _ => continue,
        };
        fates.iter_mut().take(gone.end).skip(gone.start).for_each(|fate| *fate = Fate::Gone);
    }
    fates
}

/// Of two blank lines that come together where something went, the upper one goes as well; and one at an edge of the file.
fn tidy(lines: &[Line], fates: &mut [Fate]) {
    let is_blank = |at: usize| lines.get(at).is_some_and(|line| line.kind == Kind::Blank);
    let mut at = 0;
    let runs: Vec<_> = fates
        .chunk_by(|a, b| a == b)
        .map(|run| {
            let from = at;
            at += run.len();
            (from..at, run.first().copied())
        })
        .collect();
    for (run, fate) in runs {
        let blank_below = run.end == lines.len() || is_blank(run.end);
        let doubled = match run.start.checked_sub(1) {
            _ if fate != Some(Fate::Gone) || !blank_below => None,
            Some(above) if is_blank(above) => Some(above),
            Some(_) => None,
            None => Some(run.end),
        };
        if let Some(fate) = doubled.and_then(|at| fates.get_mut(at)) {
            *fate = Fate::Gone;
        }
    }
}

fn taken_out(text: &str, lines: &[Line], fates: &[Fate]) -> String {
    let gone = lines.iter().zip(fates).filter(|(_, fate)| **fate == Fate::Gone);
    let gone: String = gone.filter_map(|(line, _)| text.get(line.range.clone())).collect();
    gone.trim_end().to_owned()
}

fn kept(text: &str, lines: &[Line], fates: &[Fate]) -> String {
    let mark = text.get(..lines.first().map_or(text.len(), |line| line.range.start)).unwrap_or_default();
    let kept = lines.iter().zip(fates).filter(|(_, fate)| **fate == Fate::Kept);
    let mut kept = kept.filter_map(|(line, _)| text.get(line.range.clone())).fold(mark.to_owned(), |kept, line| kept + line);
    let last_went = fates.last() == Some(&Fate::Gone);
    if last_went && !text.ends_with('\n') {
        let unended = kept.strip_suffix("\r\n").or_else(|| kept.strip_suffix('\n')).map(str::len);
        kept.truncate(unended.unwrap_or(kept.len()));
    }
    kept
}
