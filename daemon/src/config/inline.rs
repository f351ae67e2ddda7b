//! `accounts = { a = { .. }, b = { .. } }`: one entry of an inline table more or less.
//!
//! Must never: touch a byte outside the entry, its comma, and the white space between them.

use std::ops::Range;

use toml_edit::{InlineTable, Value};

/// An inline table in a text.
pub(super) struct Place<'d> {
    /// As it was parsed.
    pub(super) table: &'d InlineTable,
    /// Where its brace opens.
    pub(super) start: usize,
}

/// One `key = value`, which with dotted keys may be a part of an account.
struct Entry {
    range: Range<usize>,
    ours: bool,
}

/// The text with the entry at the end of the table.
pub(super) fn with(text: &str, place: &Place<'_>, entry: &str) -> String {
    let (at, comma) = match entries(text, place, "").last() {
        Some(last) => (last.range.end, ", "),
        None => (place.start + 1, ""),
    };
    let (before, after) = text.split_at_checked(at).unwrap_or((text, ""));
    format!("{before}{comma}{entry}{after}")
}

/// The text without the last entry of this account, and that entry. `None`: it has none.
pub(super) fn without_one(text: &str, place: &Place<'_>, account: &str) -> Option<(String, String)> {
    let entries = entries(text, place, account);
    let index = entries.iter().rposition(|entry| entry.ours)?;
    let entry = entries.get(index)?;
    let before = index.checked_sub(1).and_then(|before| entries.get(before));
    let cuts = match (before, entries.get(index + 1)) {
        (Some(before), _) => with_the_comma_before(text, before, entry),
        (None, after) => with_the_comma_after(text, entry, after),
    };
    Some((cut(text, cuts), text.get(entry.range.clone())?.to_owned()))
}

/// A comment between the two stays.
fn with_the_comma_before(text: &str, before: &Entry, entry: &Entry) -> [Range<usize>; 2] {
    if !holds_a_comment(text, before.range.end..entry.range.start) {
        return [before.range.end..entry.range.start, entry.range.clone()];
    }
    let comma = skip_trivia(text, before.range.end);
    [comma..comma + 1, entry.range.clone()]
}

/// A comment between the two stays.
fn with_the_comma_after(text: &str, entry: &Entry, after: Option<&Entry>) -> [Range<usize>; 2] {
    let rest = match after {
        Some(after) if !holds_a_comment(text, entry.range.end..after.range.start) => entry.range.end..after.range.start,
        _ => {
            let comma = skip_trivia(text, entry.range.end);
            let length = usize::from(text.get(comma..).is_some_and(|rest| rest.starts_with(',')));
            comma..comma + length
        }
    };
    [entry.range.clone(), rest]
}

/// Between two entries there are only white space, comments and a comma.
fn holds_a_comment(text: &str, gap: Range<usize>) -> bool {
    text.get(gap).is_none_or(|gap| gap.contains('#'))
}

/// Without these, which stand in order.
fn cut(text: &str, cuts: [Range<usize>; 2]) -> String {
    let mut rest = String::with_capacity(text.len());
    let mut from = 0;
    for cut in cuts {
        rest.push_str(text.get(from..cut.start).unwrap_or_default());
        from = from.max(cut.end);
    }
    rest + text.get(from..).unwrap_or_default()
}

/// Every entry, in the order of the text. Where one begins is found from the end of the one before: a dotted key shows only its last part.
fn entries(text: &str, place: &Place<'_>, account: &str) -> Vec<Entry> {
    let mut values = Vec::new();
    for (key, value) in place.table {
        ends(value, key == account, &mut values);
    }
    values.sort_by_key(|(end, _)| *end);
    let mut from = place.start + 1;
    let entry = |(end, ours): (usize, bool)| {
        let mut start = skip_trivia(text, from);
        if text.get(start..).is_some_and(|rest| rest.starts_with(',')) {
            start = skip_trivia(text, start + 1);
        }
        from = end;
        Entry { range: start..end, ours }
    };
    values.into_iter().map(entry).collect()
}

fn ends(value: &Value, ours: bool, found: &mut Vec<(usize, bool)>) {
    match value {
        Value::InlineTable(table) if table.is_dotted() => table.iter().for_each(|(_, value)| ends(value, ours, found)),
        _ => found.extend(value.span().map(|span| (span.end, ours))),
    }
}

/// Past white space, line breaks and comments.
fn skip_trivia(text: &str, from: usize) -> usize {
    let mut at = from;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let white = rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
        at += white;
        match rest.get(white..).filter(|rest| rest.starts_with('#')) {
            Some(comment) => at += comment.find('\n').unwrap_or(comment.len()),
            None => return at,
        }
    }
}
