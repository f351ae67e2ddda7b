//! The members of a body, whether it came as JSON or as a form: what a careful reader may see of it.
//!
//! Must never: show a value in `Debug`, or hide that a name came twice (D42).

use std::collections::BTreeMap;

use crate::profile::AnswerShape;
use crate::secret::SecretText;

/// More members than this, and the body is not read on: no honest answer has so many.
const MOST_MEMBERS: usize = 4096;

/// Names with their values, in the order they came; a name that came twice has two.
#[derive(Debug, Default)]
pub(crate) struct Members(BTreeMap<String, Vec<Value>>);

/// A value, as far as an answer of OAuth needs it.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// A string of clean UTF-8.
    Text(SecretText),
    /// A number, as near as a float comes to it. Infinite where it is too large for one.
    Number(f64),
    /// `true` or `false`.
    Bool(bool),
    /// `null`: as good as absent.
    Null,
    /// An array.
    List(Vec<Value>),
    /// An object: nothing in an answer of ours is one.
    Object,
    /// A string with bytes that are no text, or a scalar that is none (D39).
    Damaged,
}

/// Too many members.
#[derive(Debug)]
pub(crate) struct TooMany;

impl Members {
    /// Adds one.
    pub(crate) fn add(&mut self, name: String, value: Value) -> Result<(), TooMany> {
        if self.0.len() >= MOST_MEMBERS {
            return Err(TooMany);
        }
        self.0.entry(name).or_default().push(value);
        Ok(())
    }

    /// Under the names of the RFCs, wherever they stood.
    pub(crate) fn named_by(mut self, shape: &AnswerShape) -> Self {
        if shape.is_plain() {
            return self;
        }
        let found: Vec<_> = shape
            .members
            .iter()
            .map(|(name, places)| {
                let place = places.iter().find(|place| self.value(place).is_some());
                (name, place.and_then(|place| self.0.get(place)).cloned())
            })
            .collect();
        for (name, values) in found {
            match values {
                Some(values) => drop(self.0.insert(name.clone(), values)),
                None => drop(self.0.remove(name)),
            }
        }
        self.settle_error(shape);
        self
    }

    /// An error by number becomes one by word, and what says that there is none goes.
    fn settle_error(&mut self, shape: &AnswerShape) {
        let Some(values) = self.0.get_mut("error") else { return };
        if shape.members.contains_key("error") {
            for value in values.iter_mut() {
                if let Value::Number(number) = value {
                    *value = if *number == 0.0 { Value::Null } else { Value::Text(SecretText::new(number.to_string())) };
                }
            }
        }
        values.retain(|value| !value.text().is_some_and(|text| shape.no_error.iter().any(|word| word == text)));
        if values.is_empty() {
            self.0.remove("error");
        }
    }

    /// Whether any name came twice (D42).
    pub(crate) fn has_duplicates(&self) -> bool {
        self.0.values().any(|values| values.len() > 1)
    }

    /// Whether this name came twice (D42).
    pub(crate) fn is_duplicate(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|values| values.len() > 1)
    }

    /// The value; the last one where there are more, as most readers of JSON do. `null` is as good as absent.
    pub(crate) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).and_then(|values| values.last()).filter(|value| !matches!(value, Value::Null))
    }

    /// The value, where it is a string that is not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.value(name).and_then(Value::text).filter(|text| !text.is_empty())
    }

    /// The value as a list of strings; a single string is a list of one. Other elements do not count.
    pub(crate) fn texts(&self, name: &str) -> Vec<&str> {
        match self.value(name) {
            Some(Value::Text(text)) => vec![text.expose()],
            Some(Value::List(list)) => list.iter().filter_map(Value::text).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether there is any of these names.
    pub(crate) fn has_any(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.0.contains_key(*name))
    }
}

impl Value {
    /// The string, where it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.expose()),
            _ => None,
        }
    }

    /// The number, also where it came as a string (D38). Never NaN.
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => number(text.expose().trim()),
            _ => None,
        }
    }
}

/// A number as JSON writes it. Rust's own parser would also take `inf` and `nan`.
pub(crate) fn number(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    if plain { text.parse().ok().filter(|number: &f64| !number.is_nan()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d38_numbers_come_as_strings_and_floats_but_never_as_words() {
        assert_eq!(number("3600"), Some(3600.0));
        assert_eq!(number("-1.5e2"), Some(-150.0));
        assert_eq!(number("1e999"), Some(f64::INFINITY));
        for word in ["inf", "NaN", "infinity", "0x10", "", "1,5", "12s"] {
            assert_eq!(number(word), None, "{word}");
        }
        assert_eq!(Value::Text(SecretText::new(" 60 ")).number(), Some(60.0));
        assert_eq!(Value::Bool(true).number(), None);
    }

    #[test]
    fn d42_a_name_that_came_twice_is_noticed_and_its_last_value_counts() {
        let mut members = Members::default();
        assert!(members.add("a".into(), Value::Number(1.0)).is_ok());
        assert!(!members.has_duplicates());
        assert!(members.add("a".into(), Value::Text(SecretText::new("x"))).is_ok());
        assert!(members.has_duplicates() && members.is_duplicate("a") && !members.is_duplicate("b"));
        assert_eq!(members.text("a"), Some("x"));
    }
}
