//! The lines of a text that holds, and which of them belong to one account.
//!
//! Must never: change a byte, or decide what is done with a line.

use std::ops::Range;

use toml_edit::{Item, Table};

/// Windows editors begin a text with it. It is no part of the first line.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// One line with its line break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Where it stands.
    pub(super) range: Range<usize>,
    /// What is on it.
    pub(super) kind: Kind,
}

/// What is on a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A header, a key or a part of a value of the account.
    Ours,
    /// The same of anything else.
    Others,
    /// Only a comment.
    Comment,
    /// Nothing, or white space.
    Blank,
}

/// Every line, in order.
pub(super) fn lines(text: &str, top: &Table, account: &str) -> Vec<Line> {
    let mut statements = Vec::new();
    walk(top, Above::Top, account, &mut statements);
    let mut lines = bare_lines(text);
    for (span, kind) in statements {
        let first = lines.partition_point(|line| line.range.end <= span.start);
        let of_it = lines.iter_mut().skip(first).take_while(|line| line.range.start < span.end);
        of_it.for_each(|line| line.kind = kind);
    }
    lines
}

fn bare_lines(text: &str) -> Vec<Line> {
    let mut start = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len_utf8() } else { 0 };
    let body = text.get(start..).unwrap_or_default();
    let line = |line: &str| {
        let range = start..start + line.len();
        start = range.end;
        Line { range, kind: if line.trim().is_empty() { Kind::Blank } else { Kind::Comment } }
    };
    body.split_inclusive('\n').map(line).collect()
}

/// Where a table stands.
#[derive(Clone, Copy)]
enum Above {
    Top,
    Accounts,
    InAccount(Kind),
}

impl Above {
    fn below(self, key: &str, account: &str) -> Self {
        match self {
            Self::Top if key == "accounts" => Self::Accounts,
            Self::Top => Self::InAccount(Kind::Others),
            Self::Accounts if key == account => Self::InAccount(Kind::Ours),
            Self::Accounts => Self::InAccount(Kind::Others),
            Self::InAccount(kind) => Self::InAccount(kind),
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Top | Self::Accounts => Kind::Others,
            Self::InAccount(kind) => kind,
        }
    }
}

/// Every header and every value with where it stands. What was written with dots shows only in its last key, which shares a line with
/// the others.
fn walk(table: &Table, above: Above, account: &str, found: &mut Vec<(Range<usize>, Kind)>) {
    for (key, item) in table {
        let here = above.below(key, account);
        let key = table.key(key).and_then(toml_edit::Key::span);
        match item {
            Item::Table(table) => {
                if !table.is_dotted() && !table.is_implicit() {
                    found.extend(table.span().map(|span| (span, here.kind())));
                }
                walk(table, here, account, found);
            }
            Item::ArrayOfTables(tables) => tables.iter().for_each(|table| {
                found.extend(table.span().map(|span| (span, here.kind())));
                walk(table, here, account, found);
            }),
            Item::Value(value) => {
                let span = key.zip(value.span()).map(|(key, value)| key.start..value.end);
                found.extend(span.map(|span| (span, here.kind())));
            }
            Item::None => {}
        }
    }
}
