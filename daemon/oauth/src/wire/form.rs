//! `application/x-www-form-urlencoded`: how every request body goes out, and how some answers come in (GitHub's default).
//!
//! Must never: take any text for a form. One of the words of OAuth must be in it.

use url::form_urlencoded;

use super::members::{Members, Value};
use crate::profile::AnswerShape;
use crate::secret::SecretText;

/// A body without any of these is no form of ours.
const KNOWN: &[&str] = &["access_token", "refresh_token", "error", "error_code", "device_code"];

/// Writes parameters down, in their order.
pub(crate) fn encode(parameters: &[(&str, &str)]) -> SecretText {
    // At most three bytes for one: nothing is moved while it grows, and no copy of a secret stays behind.
    let room = parameters.iter().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
    let mut form = form_urlencoded::Serializer::new(String::with_capacity(room));
    form.extend_pairs(parameters);
    SecretText::new(form.finish())
}

/// One value as a form writes it (RFC 6749, 2.3.1 wants this within Basic).
pub(crate) fn encode_value(value: &str) -> String {
    form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

/// Reads a body as a form, where it is one: it holds a word of OAuth, or one that stands for it.
pub(crate) fn parse_as(body: &[u8], shape: &AnswerShape) -> Option<Members> {
    let body = body.trim_ascii();
    if body.iter().any(|byte| byte.is_ascii_whitespace() || matches!(byte, b'<' | b'{' | b'"') || *byte < b' ') {
        return None;
    }
    let mut members = Members::default();
    for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let (name, value) = match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => (pair.get(..at)?, pair.get(at + 1..)?),
            None => (pair, [].as_slice()),
        };
        let Some(name) = decode(name) else { continue };
        let value = decode(value).map_or(Value::Damaged, |text| Value::Text(SecretText::new(text)));
        members.add(name, value).ok()?;
    }
    (members.has_any(KNOWN) || shape.places().any(|place| members.has_any(&[place]))).then_some(members)
}

/// One name or value; `None` where it is no UTF-8. `url`'s own decoder would put replacement characters there.
pub(crate) fn decode(raw: &[u8]) -> Option<String> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.iter().copied();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let ahead = rest.clone().take(2).map_while(|digit| char::from(digit).to_digit(16)).collect::<Vec<_>>();
                match ahead.as_slice() {
                    [high, low] => {
                        bytes.push(u8::try_from(high * 16 + low).ok()?);
                        rest.nth(1);
                    }
                    _ => bytes.push(b'%'),
                }
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn parse(body: &[u8]) -> Option<Members> {
        parse_as(body, &AnswerShape::default())
    }
    use proptest::prelude::*;

    #[test]
    fn a_github_answer_is_read() {
        let members = parse(b"access_token=gho_16C7&scope=repo%2Cgist&token_type=bearer\n").unwrap();
        assert_eq!(members.text("access_token"), Some("gho_16C7"));
        assert_eq!(members.text("scope"), Some("repo,gist"));
        let members = parse(b"error=slow_down&error_description=Too+many&interval=10").unwrap();
        assert_eq!(members.text("error_description"), Some("Too many"));
        assert_eq!(members.value("interval").and_then(Value::number), Some(10.0));
    }

    #[test]
    fn text_without_a_word_of_oauth_is_no_form() {
        for body in ["", "OK", "status=up", "a proxy says error=1", "<p>error=1</p>", "\"error=1\""] {
            assert!(parse(body.as_bytes()).is_none(), "{body}");
        }
    }

    #[test]
    fn d39_bytes_that_are_no_text_spoil_their_own_value_only() {
        let members = parse(b"access_token=%ff%fe&refresh_token=r%2").unwrap();
        assert!(matches!(members.value("access_token"), Some(Value::Damaged)));
        assert_eq!(members.text("refresh_token"), Some("r%2"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn what_is_written_is_read_the_same(value in any::<String>(), other in any::<String>()) {
            let body = encode(&[("refresh_token", &value), ("x", &other)]);
            let members = parse(body.expose().as_bytes()).unwrap();
            prop_assert_eq!(members.value("refresh_token").and_then(Value::text), Some(value.as_str()));
            prop_assert_eq!(members.value("x").and_then(Value::text), Some(other.as_str()));
        }
    }
}
