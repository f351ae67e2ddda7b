//! The parsed file with its lines: tables that hand out text, and a list of what is wrong so far.
//!
//! Must never: decide what a value means.

use std::ops::Range;
use std::path::Path;

use toml_edit::{Item, TableLike};

use super::error::{ConfigError, ConfigErrors, Hint, Problem, printable};

/// What is wrong so far.
pub(super) struct Findings {
    newlines: Vec<usize>,
    errors: Vec<ConfigError>,
}

/// Something was wrong, and stands in the [`Findings`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Reported;

impl Findings {
    pub(super) fn new(text: &str) -> Self {
        Self { newlines: text.match_indices('\n').map(|(at, _)| at).collect(), errors: Vec::new() }
    }

    pub(super) fn line(&self, span: Option<Range<usize>>) -> Option<usize> {
        span.map(|span| self.newlines.partition_point(|newline| *newline < span.start) + 1)
    }

    pub(super) fn report(&mut self, line: Option<usize>, problem: Problem) -> Reported {
        self.errors.push(ConfigError { line, problem });
        Reported
    }

    /// `value`, if nothing at all was wrong.
    pub(super) fn settle<T>(self, value: T, path: &Path) -> Result<T, ConfigErrors> {
        if self.errors.is_empty() {
            return Ok(value);
        }
        Err(self.errors.into_iter().fold(ConfigErrors::none(path), ConfigErrors::with))
    }
}

/// A table, and how a person finds it.
pub(super) struct Section<'d> {
    /// `[accounts.github]`.
    pub(super) title: String,
    /// Where it begins.
    pub(super) line: Option<usize>,
    table: &'d dyn TableLike,
}

/// A string value, and where its key stands.
#[derive(Clone, Copy)]
pub(super) struct Text<'d> {
    pub(super) value: &'d str,
    pub(super) line: Option<usize>,
}

/// A key with its value, whatever that is.
pub(super) struct Entry<'d> {
    pub(super) key: &'d str,
    pub(super) item: &'d Item,
    pub(super) line: Option<usize>,
}

impl<'d> Section<'d> {
    pub(super) fn new(title: String, line: Option<usize>, table: &'d dyn TableLike) -> Self {
        Self { title, line, table }
    }

    /// Every entry, in the order of the file.
    pub(super) fn entries(&self, findings: &Findings) -> Vec<Entry<'d>> {
        let entry = |(key, item): (&'d str, &'d Item)| Entry { key, item, line: self.line_of(key, item, findings) };
        self.table.iter().map(entry).collect()
    }

    /// The entry of this key, if there is one.
    pub(super) fn entry(&self, key: &str, findings: &Findings) -> Option<Entry<'d>> {
        let (found, item) = self.table.get_key_value(key)?;
        Some(Entry { key: found.get(), item, line: self.line_of(key, item, findings) })
    }

    /// The string of this key. `Ok(None)`: no such key. An empty string is an error.
    pub(super) fn text(&self, key: &'static str, findings: &mut Findings) -> Result<Option<Text<'d>>, Reported> {
        self.entry(key, findings).map(|entry| entry.text(findings)).transpose()
    }

    /// Every entry whose key is not among these.
    pub(super) fn unknown(&self, known: &[&str], findings: &Findings) -> Vec<Entry<'d>> {
        self.entries(findings).into_iter().filter(|entry| !known.contains(&entry.key)).collect()
    }

    /// That a key is not known, with the nearest that is; where none is near, with `other`; else with all.
    pub(super) fn unknown_key(&self, entry: &Entry<'d>, known: &'static [&'static str], other: Option<Hint>) -> Problem {
        let hint = nearest(entry.key, known).map(Hint::DidYouMean).or(other).unwrap_or(Hint::Known(known));
        Problem::UnknownKey { key: printable(entry.key), table: self.title.clone(), hint }
    }

    fn line_of(&self, key: &str, item: &Item, findings: &Findings) -> Option<usize> {
        let span = self.table.key(key).and_then(toml_edit::Key::span).or_else(|| item.span());
        findings.line(span).or(self.line)
    }
}

impl<'d> Entry<'d> {
    /// The value as a string that is not empty.
    pub(super) fn text(&self, findings: &mut Findings) -> Result<Text<'d>, Reported> {
        let key = printable(self.key);
        match self.item.as_str() {
            Some("") => Err(findings.report(self.line, Problem::Empty { key })),
            Some(value) => Ok(Text { value, line: self.line }),
            None => {
                let example = format!("{key} = \"...\"");
                Err(self.wrong_type("a string", example, findings))
            }
        }
    }

    /// Reports that the value is of another type.
    pub(super) fn wrong_type(&self, expected: &'static str, example: String, findings: &mut Findings) -> Reported {
        let key = printable(self.key);
        findings.report(self.line, Problem::WrongType { key, expected, found: with_article(self.item), example })
    }
}

/// The line of a byte, counted from 1.
pub(super) fn line_of(bytes: &[u8], at: usize) -> usize {
    bytes.iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

/// A type's name as a sentence wants it.
pub(super) fn with_article(item: &Item) -> &'static str {
    match item.type_name() {
        "string" => "a string",
        "integer" => "an integer",
        "float" => "a float",
        "boolean" => "a boolean",
        "datetime" => "a date or a time",
        "array" => "an array",
        "array of tables" => "an array of tables",
        _ => "a table",
    }
}

/// The known key that a person may have meant: at most a third of it differs.
fn nearest(key: &str, known: &'static [&'static str]) -> Option<&'static str> {
    /// No known key is near this length; comparing a long one would only cost time.
    const LONGEST: usize = 64;
    if key.len() > LONGEST {
        return None;
    }
    let key = key.to_ascii_lowercase().replace(['-', ' '], "_");
    let distance = |known: &&'static str| (strsim::damerau_levenshtein(&key, known), *known);
    let (distance, nearest) = known.iter().map(distance).min()?;
    (distance <= nearest.len().div_ceil(3)).then_some(nearest)
}
