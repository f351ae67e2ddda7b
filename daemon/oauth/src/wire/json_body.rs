//! A flat JSON object of strings (RFC 8259): the body of a request to a provider that wants one.
//!
//! Must never: leave a copy of a secret behind.

use std::fmt::Write;

use crate::secret::SecretText;

/// An escape is never longer.
const LONGEST_ESCAPE: usize = 6;

/// Writes parameters down, in their order.
pub(crate) fn encode(parameters: &[(&str, &str)]) -> SecretText {
    // Nothing is moved while it grows, and no copy of a secret stays behind.
    let room: usize = parameters.iter().map(|(name, value)| LONGEST_ESCAPE * (name.len() + value.len() + 1)).sum();
    let mut json = String::with_capacity(room + 2);
    json.push('{');
    for (index, (name, value)) in parameters.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        string(name, &mut json);
        json.push(':');
        string(value, &mut json);
    }
    json.push('}');
    SecretText::new(json)
}

/// The text as a JSON string writes it, without its quotes: for whoever looks for it in an answer.
pub(crate) fn escaped(text: &str) -> SecretText {
    let mut json = String::with_capacity(LONGEST_ESCAPE * text.len());
    escape(text, &mut json);
    SecretText::new(json)
}

fn string(text: &str, json: &mut String) {
    json.push('"');
    escape(text, json);
    json.push('"');
}

/// RFC 8259, section 7.
fn escape(text: &str, json: &mut String) {
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            control if control < ' ' => {
                // Writing to a string cannot fail.
                let _ = write!(json, "\\u{:04x}", u32::from(control));
            }
            other => json.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parameters_become_an_object_in_their_order() {
        let body = encode(&[("refreshToken", "a\"b\\c\n"), ("x", "é😀")]);
        assert_eq!(body.expose(), "{\"refreshToken\":\"a\\\"b\\\\c\\u000a\",\"x\":\"é😀\"}");
        assert_eq!(encode(&[]).expose(), "{}");
        assert_eq!(escaped("a\"b").expose(), "a\\\"b");
    }

    proptest! {
        #[test]
        fn another_reader_reads_what_was_written(name in any::<String>(), value in any::<String>()) {
            let read: serde_json::Value = serde_json::from_str(encode(&[(&name, &value)]).expose()).unwrap();
            prop_assert_eq!(read, serde_json::json!({ name: value }));
        }
    }
}
