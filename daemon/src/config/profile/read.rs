//! Values of a provider's table: words, numbers, lists, and tables of them.
//!
//! Must never: decide what a value means.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::super::error::{Problem, printable};
use super::super::raw::{Entry, Findings, Reported, Section};
use super::error::ProviderProblem;

/// A word of a list, with what it means.
pub(in super::super) type Choice<T> = (&'static str, T);

/// The meaning of a word; the default where there is no such key.
pub(in super::super) fn choice<T: Copy + Default>(
    section: &Section<'_>,
    key: &'static str,
    choices: &[Choice<T>],
    findings: &mut Findings,
) -> Result<T, Reported> {
    let Some(text) = section.text(key, findings)? else { return Ok(T::default()) };
    if let Some((_, meaning)) = choices.iter().find(|(word, _)| *word == text.value) {
        return Ok(*meaning);
    }
    let words: Vec<_> = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect();
    Err(report(findings, text.line, ProviderProblem::NoSuchChoice { key, choices: words.join(" or ") }))
}

/// One of two meanings; the default where there is no such key.
pub(super) fn flag<T: Default>(
    section: &Section<'_>,
    key: &'static str,
    if_true: T,
    findings: &mut Findings,
) -> Result<T, Reported> {
    let Some(entry) = section.entry(key, findings) else { return Ok(T::default()) };
    match entry.item.as_bool() {
        Some(true) => Ok(if_true),
        Some(false) => Ok(T::default()),
        None => Err(entry.wrong_type("true or false", format!("{key} = true"), findings)),
    }
}

/// A number within a range, which `in_words` says to a person.
pub(super) fn number(
    section: &Section<'_>,
    key: &'static str,
    (range, in_words): (RangeInclusive<i64>, &'static str),
    findings: &mut Findings,
) -> Result<Option<u64>, Reported> {
    let Some(entry) = section.entry(key, findings) else { return Ok(None) };
    let Some(number) = entry.item.as_integer() else {
        return Err(entry.wrong_type("a number", format!("{key} = {}", range.start()), findings));
    };
    match u64::try_from(number).ok().filter(|_| range.contains(&number)) {
        Some(number) => Ok(Some(number)),
        None => Err(report(findings, entry.line, ProviderProblem::OutOfRange { key, range: in_words })),
    }
}

/// Whole seconds, at most a year.
pub(super) fn seconds(section: &Section<'_>, key: &'static str, findings: &mut Findings) -> Result<Option<Duration>, Reported> {
    const YEAR: i64 = 365 * 24 * 60 * 60;
    let seconds = number(section, key, (0..=YEAR, "a number of seconds, at most a year"), findings)?;
    Ok(seconds.map(Duration::from_secs))
}

/// A list of strings, none of them empty; a single string is a list of one.
pub(super) fn words(entry: &Entry<'_>, findings: &mut Findings) -> Result<Vec<String>, Reported> {
    let key = printable(entry.key);
    if entry.item.as_str().is_some() {
        return Ok(vec![clean(entry.text(findings)?.value, entry.line, &key, findings)?]);
    }
    let strings = entry.item.as_array().and_then(|array| array.iter().map(|value| value.as_str()).collect::<Option<Vec<_>>>());
    let Some(strings) = strings else {
        return Err(entry.wrong_type("a string, or an array of strings", format!("{key} = [\"...\"]"), findings));
    };
    if strings.is_empty() || strings.contains(&"") {
        return Err(findings.report(entry.line, Problem::Empty { key }));
    }
    strings.into_iter().map(|word| clean(word, entry.line, &key, findings)).collect()
}

/// The list of this key, empty where there is none.
pub(super) fn list(section: &Section<'_>, key: &str, findings: &mut Findings) -> Result<Vec<String>, Reported> {
    section.entry(key, findings).map_or_else(|| Ok(Vec::new()), |entry| words(&entry, findings))
}

/// The table of this key, `None` where there is none.
pub(super) fn table<'d>(
    section: &Section<'d>,
    key: &'static str,
    findings: &mut Findings,
) -> Result<Option<Section<'d>>, Reported> {
    let Some(entry) = section.entry(key, findings) else { return Ok(None) };
    let title = section.title.replace(']', &format!(".{key}]"));
    match entry.item.as_table_like() {
        Some(table) => Ok(Some(Section::new(title, entry.line, table))),
        None => Err(entry.wrong_type("a table", title, findings)),
    }
}

/// The table of this key as names with strings, empty where there is none. Every entry is looked at.
pub(super) fn strings(
    section: &Section<'_>,
    key: &'static str,
    findings: &mut Findings,
) -> Result<BTreeMap<String, String>, Reported> {
    let Some(table) = table(section, key, findings)? else { return Ok(BTreeMap::new()) };
    let read: Vec<_> = table
        .entries(findings)
        .iter()
        .map(|entry| {
            let text = entry.text(findings)?;
            let key = printable(entry.key);
            Ok((clean(entry.key, entry.line, &key, findings)?, clean(text.value, text.line, &key, findings)?))
        })
        .collect();
    read.into_iter().collect()
}

fn clean(text: &str, line: Option<usize>, key: &str, findings: &mut Findings) -> Result<String, Reported> {
    if text.chars().any(char::is_control) {
        return Err(findings.report(line, Problem::ControlCharacters { key: key.to_owned() }));
    }
    Ok(text.to_owned())
}

/// Every key that nobody reads.
pub(super) fn refuse_unknown(section: &Section<'_>, known: &'static [&'static str], findings: &mut Findings) {
    for entry in section.unknown(known, findings) {
        let problem = section.unknown_key(&entry, known, None);
        findings.report(entry.line, problem);
    }
}

pub(super) fn report(findings: &mut Findings, line: Option<usize>, problem: ProviderProblem) -> Reported {
    findings.report(line, Problem::Provider(problem))
}
