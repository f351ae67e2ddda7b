//! One line as it was said: a constant sentence and its fields, each as text.
//!
//! Must never: be longer than its bounds, whatever a server or a program has put into a value.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::{Event, Level};

use super::{ACCOUNT, AUDIT};

/// So much of a value is kept, in bytes.
const LONGEST_VALUE: usize = 1024;
/// Fields beyond the account.
const MOST_FIELDS: usize = 16;

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) level: Level,
    pub(super) target: &'static str,
    pub(super) message: String,
    pub(super) account: Option<String>,
    pub(super) fields: Vec<(&'static str, String)>,
}

impl Line {
    pub(super) fn of(event: &Event<'_>) -> Self {
        let metadata = event.metadata();
        let (level, target) = (*metadata.level(), metadata.target());
        let mut line = Self { level, target, message: String::new(), account: None, fields: Vec::new() };
        event.record(&mut line);
        line
    }

    pub(super) fn is_audit(&self) -> bool {
        self.target == AUDIT
    }

    fn note(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = value,
            ACCOUNT => self.account = Some(value),
            name if self.fields.len() < MOST_FIELDS => self.fields.push((name, value)),
            _ => {}
        }
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.note(field, bounded(format_args!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.note(field, bounded(format_args!("{value}")));
    }
}

/// In one line: the sentence, then what belongs to it.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(account) = &self.account {
            write!(f, " {ACCOUNT}={account}")?;
        }
        self.fields.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
    }
}

fn bounded(text: fmt::Arguments<'_>) -> String {
    let mut short = Short(String::new());
    // An error tells that the rest has no room.
    let _ = short.write_fmt(text);
    short.0
}

struct Short(String);

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = LONGEST_VALUE - self.0.len().min(LONGEST_VALUE);
        if text.len() <= room {
            self.0.push_str(text);
            return Ok(());
        }
        let end = text.floor_char_boundary(room);
        self.0.push_str(text.get(..end).unwrap_or_default());
        self.0.push_str("..");
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_value_keeps_its_beginning_and_its_bound(parts in prop::collection::vec("\\PC{0,400}", 0..6)) {
            struct Parts(Vec<String>);
            impl fmt::Display for Parts {
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.0.iter().try_for_each(|part| f.write_str(part))
                }
            }
            let whole = parts.concat();
            let kept = bounded(format_args!("{}", Parts(parts)));
            if whole.len() <= LONGEST_VALUE {
                prop_assert_eq!(kept, whole);
            } else {
                prop_assert!(kept.len() <= LONGEST_VALUE + 2 && kept.ends_with(".."));
                prop_assert!(whole.starts_with(kept.trim_end_matches("..")) || whole.starts_with(&kept[..kept.len() - 2]));
            }
        }
    }
}
