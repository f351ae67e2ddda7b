//! A reader for one JSON object (RFC 8259) that loses as little as it can: a damaged value spoils its own member and no other,
//! because a refresh token beside it must not be lost (I9, D43).
//!
//! Must never: follow the body into its depth but where the shape of the answer leads, so that depth costs nothing; trust a value
//! that it could not read whole; copy a secret around.

use zeroize::Zeroizing;

use super::members::{Members, Value, number};
use crate::profile::AnswerShape;
use crate::secret::SecretText;

/// More elements of an array than this are read over.
const MOST_ELEMENTS: usize = 1024;

/// How much of an object could be read.
#[derive(Debug)]
pub(crate) enum Object {
    /// All of it.
    Whole(Members),
    /// It is cut off or broken; these members stood complete before that.
    Broken(Members),
}

/// Reads an object. `bytes` begin with `{`.
pub(crate) fn object(bytes: &[u8]) -> Object {
    object_as(bytes, &AnswerShape::default())
}

/// Reads an object. `bytes` begin with `{`. Where the shape names a place within objects (`data.accessToken`), what stands there
/// is a member of that name.
pub(crate) fn object_as(bytes: &[u8], shape: &AnswerShape) -> Object {
    let mut reader = Reader { bytes, at: 0, shape };
    let mut members = Members::default();
    match reader.members(&mut members, "").and_then(|()| reader.end()) {
        Ok(()) => Object::Whole(members),
        Err(Broken) => Object::Broken(members),
    }
}

/// The object cannot be read on from here.
struct Broken;

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    shape: &'a AnswerShape,
}

impl Reader<'_> {
    /// The members of an object that stands below `place`, which is empty or ends in a dot.
    fn members(&mut self, members: &mut Members, place: &str) -> Result<(), Broken> {
        self.expect(b'{')?;
        if self.after_space() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.space();
            let name = self.string()?.map(|name| format!("{place}{}", name.as_str()));
            self.expect(b':')?;
            let value = match name.as_deref().and_then(|name| self.leads_on(name)) {
                Some(below) => {
                    self.members(members, &below)?;
                    Value::Object
                }
                None => self.value()?,
            };
            // A value counts only once its end is certain: a number could go on behind the cut.
            let next = self.after_space().filter(|byte| matches!(byte, b',' | b'}')).ok_or(Broken)?;
            if let Some(name) = name {
                members.add(name, value).map_err(|_| Broken)?;
            }
            self.at += 1;
            if next == b'}' {
                return Ok(());
            }
            if self.after_space() == Some(b'}') {
                // A comma before the end: wrong, and harmless.
                self.at += 1;
                return Ok(());
            }
        }
    }

    /// What the names below the member `name` begin with, where it is an object that the shape names something in.
    fn leads_on(&mut self, name: &str) -> Option<String> {
        if self.after_space() != Some(b'{') {
            return None;
        }
        let below = format!("{name}.");
        self.shape.places().any(|place| place.starts_with(&below)).then_some(below)
    }

    fn value(&mut self) -> Result<Value, Broken> {
        match self.after_space().ok_or(Broken)? {
            b'"' => Ok(self.string()?.map_or(Value::Damaged, |text| Value::Text(SecretText::new(text.as_str())))),
            b'[' => self.list(),
            b'{' => self.skip_nested().map(|()| Value::Object),
            _ => Ok(self.scalar()),
        }
    }

    fn list(&mut self) -> Result<Value, Broken> {
        self.expect(b'[')?;
        let mut list = Vec::new();
        if self.after_space() == Some(b']') {
            self.at += 1;
            return Ok(Value::List(list));
        }
        loop {
            let element = match self.after_space().ok_or(Broken)? {
                b'"' => self.string()?.map_or(Value::Damaged, |text| Value::Text(SecretText::new(text.as_str()))),
                b'[' | b'{' => self.skip_nested().map(|()| Value::Object)?,
                _ => self.scalar(),
            };
            if list.len() < MOST_ELEMENTS {
                list.push(element);
            }
            match self.after_space().ok_or(Broken)? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Ok(Value::List(list));
                }
                _ => return Err(Broken),
            }
        }
    }

    /// Reads over an object or array whose content nobody here needs. Brackets must match, the rest may be anything.
    fn skip_nested(&mut self) -> Result<(), Broken> {
        let mut open = Vec::new();
        loop {
            match self.peek().ok_or(Broken)? {
                b'"' => {
                    self.raw_string()?;
                    continue;
                }
                b'{' => open.push(b'}'),
                b'[' => open.push(b']'),
                close @ (b'}' | b']') => {
                    if open.pop() != Some(close) {
                        return Err(Broken);
                    }
                    if open.is_empty() {
                        self.at += 1;
                        return Ok(());
                    }
                }
                _ => {}
            }
            self.at += 1;
        }
    }

    fn scalar(&mut self) -> Value {
        let from = self.at;
        while self.peek().is_some_and(|byte| !matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        let word = self.bytes.get(from..self.at).and_then(|word| std::str::from_utf8(word).ok()).unwrap_or_default();
        match word {
            "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => number(word).map_or(Value::Damaged, Value::Number),
        }
    }

    /// A string, unescaped; `None` where its content is no text.
    fn string(&mut self) -> Result<Option<Zeroizing<String>>, Broken> {
        Ok(unescape(self.raw_string()?))
    }

    /// What stands between the quotes.
    fn raw_string(&mut self) -> Result<&[u8], Broken> {
        if self.peek() != Some(b'"') {
            return Err(Broken);
        }
        let from = self.at + 1;
        let mut at = from;
        loop {
            match self.bytes.get(at).ok_or(Broken)? {
                b'"' => break,
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        self.at = at + 1;
        self.bytes.get(from..at).ok_or(Broken)
    }

    /// Behind the object only white space may follow.
    fn end(&mut self) -> Result<(), Broken> {
        if self.after_space().is_none() { Ok(()) } else { Err(Broken) }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Broken> {
        if self.after_space() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        Err(Broken)
    }

    fn after_space(&mut self) -> Option<u8> {
        self.space();
        self.peek()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

/// Undoes the escapes of a string (RFC 8259, section 7). Raw control characters pass: whoever uses the text checks for them.
fn unescape(raw: &[u8]) -> Option<Zeroizing<String>> {
    // An escape is never shorter than what it stands for: one allocation, no copies of a secret left behind.
    let mut text = Zeroizing::new(String::with_capacity(raw.len()));
    let mut rest = std::str::from_utf8(raw).ok()?;
    while let Some((plain, escape)) = rest.split_once('\\') {
        text.push_str(plain);
        let mut after = escape.chars();
        let character = match after.next()? {
            quoted @ ('"' | '\\' | '/') => quoted,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let (character, behind) = unicode(after.as_str())?;
                after = behind.chars();
                character
            }
            _ => return None,
        };
        text.push(character);
        rest = after.as_str();
    }
    text.push_str(rest);
    Some(text)
}

/// The character of `\uXXXX`, or of a surrogate pair of two, and what stands behind.
fn unicode(hex: &str) -> Option<(char, &str)> {
    let (first, behind) = unit(hex)?;
    if let Some(character) = char::from_u32(first) {
        return Some((character, behind));
    }
    let (second, behind) = unit(behind.strip_prefix("\\u")?)?;
    let pair = (u16::try_from(first).ok()?, u16::try_from(second).ok()?);
    let character = char::decode_utf16([pair.0, pair.1]).next()?.ok()?;
    Some((character, behind))
}

fn unit(hex: &str) -> Option<(u32, &str)> {
    let (digits, behind) = hex.split_at_checked(4)?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    Some((u32::from_str_radix(digits, 16).ok()?, behind))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn whole(json: impl AsRef<[u8]>) -> Members {
        match object(json.as_ref()) {
            Object::Whole(members) => members,
            Object::Broken(_) => panic!("broken: {}", String::from_utf8_lossy(json.as_ref())),
        }
    }

    fn broken(json: impl AsRef<[u8]>) -> Members {
        match object(json.as_ref()) {
            Object::Broken(members) => members,
            Object::Whole(_) => panic!("whole: {}", String::from_utf8_lossy(json.as_ref())),
        }
    }

    #[test]
    fn strings_are_unescaped_as_the_rfc_says() {
        let members = whole(r#" { "a" : "\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00" , "\u0062":"x" } "#);
        assert_eq!(members.text("a"), Some("\"\\/\u{8}\u{c}\n\r\té😀"));
        assert_eq!(members.text("b"), Some("x"));
    }

    #[test]
    fn a_damaged_value_spoils_no_other_member() {
        for damage in [
            r#""\x""#,
            r#""\ud800""#,
            r#""\ud800\u0041""#,
            r#""\u+123""#,
            "nul",
            "NaN",
            "1.2.3",
            "",
            "[[[[]]]]",
            r#"{"r":"}"}"#,
            "[nul,]",
        ] {
            let members = whole(format!(r#"{{"bad":{damage},"r":"token"}}"#));
            assert_eq!(members.text("r"), Some("token"), "{damage}");
            assert!(members.text("bad").is_none(), "{damage}");
        }
        let members = whole(b"{\"bad\":\"\xff\xfe\",\"r\":\"token\"}");
        assert!(matches!(members.value("bad"), Some(Value::Damaged)));
        assert_eq!(members.text("r"), Some("token"));
    }

    #[test]
    fn a_cut_object_tells_what_stood_complete_and_nothing_half_read() {
        let json = r#"{"a":"one","b":12,"c":["x"],"r":"token"}"#;
        for cut in 1..json.len() {
            let members = broken(&json[..cut]);
            assert!(members.text("a").is_none_or(|a| a == "one"));
            assert!(members.value("b").is_none_or(|b| b.number() == Some(12.0)));
            assert!(members.text("r").is_none(), "its end is not certain at {cut}");
        }
        assert_eq!(broken(r#"{"r":"token","a":"on"#).text("r"), Some("token"));
        assert_eq!(broken(r#"{"r":"token"} trailing"#).text("r"), Some("token"));
        assert_eq!(broken(r#"{"r":"token","x":{"a":[}}"#).text("r"), Some("token"));
    }

    #[test]
    fn depth_costs_nothing() {
        let deep = format!(r#"{{"x":{}{},"r":"token"}}"#, "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(whole(deep).text("r"), Some("token"));
    }

    #[test]
    fn lists_hold_their_strings_and_a_bounded_number_of_them() {
        assert_eq!(whole(r#"{"l":["a",1,null,{"b":"c"},"d"]}"#).texts("l"), ["a", "d"]);
        let long = format!(r#"{{"l":["a"{}],"r":"token"}}"#, ",\"a\"".repeat(5000));
        assert_eq!(whole(&long).texts("l").len(), MOST_ELEMENTS);
        assert_eq!(whole(long).text("r"), Some("token"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = object(&bytes);
        }

        #[test]
        fn nothing_that_looks_like_json_panics(text in r#"\{("[a-z\\u0-9"]{0,6}"?[:,]?|[\[\]{},:]|[0-9eE.+-]{1,5}|null|\\){0,40}"#) {
            let _ = object(text.as_bytes());
        }

        #[test]
        fn what_another_writer_wrote_is_read_the_same(name in "\\PC{1,8}", text in any::<String>(), n in any::<i32>()) {
            let json = serde_json::json!({ &name: &text, "n__": n, "o__": { "deep": [1, { "x": "]" }] } }).to_string();
            let members = whole(json);
            prop_assert_eq!(members.value(&name).and_then(Value::text), Some(text.as_str()));
            prop_assert_eq!(members.value("n__").and_then(Value::number), Some(f64::from(n)));
        }
    }
}
