//! A value as `systemctl show-environment` writes it: bare, as `$'…'`, or (older ones) as `"…"`, with the escapes of C.
//!
//! Must never: expand anything, or give half of a value that is not written so.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

/// Reads it. `None`: it begins as a quoted value, and is none.
pub(crate) fn read(written: &str) -> Option<OsString> {
    let (quote, rest) = match (written.strip_prefix("$'"), written.strip_prefix('"')) {
        (Some(rest), _) => (b'\'', rest),
        (None, Some(rest)) => (b'"', rest),
        (None, None) => return Some(written.into()),
    };
    let (mut bytes, mut read) = (rest.bytes(), Vec::new());
    loop {
        match bytes.next()? {
            byte if byte == quote => return bytes.next().is_none().then(|| OsString::from_vec(read)),
            b'\\' => read.push(escaped(&mut bytes)?),
            byte => read.push(byte),
        }
    }
}

/// What stands after a backslash.
fn escaped(bytes: &mut impl Iterator<Item = u8>) -> Option<u8> {
    let first = bytes.next()?;
    Some(match first {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0C,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0B,
        b's' => b' ',
        b'x' => number(&[bytes.next()?, bytes.next()?], 16)?,
        b'0'..=b'7' => number(&[first, bytes.next()?, bytes.next()?], 8)?,
        // Itself: a quote, a backslash, a dollar, a backtick.
        other if other.is_ascii_punctuation() => other,
        _ => return None,
    })
}

fn number(digits: &[u8], radix: u32) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u8::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As `shell_maybe_quote` of systemd does it.
    fn written(value: &[u8]) -> String {
        let mut text = "$'".to_owned();
        for chunk in value.utf8_chunks() {
            for letter in chunk.valid().chars() {
                match letter {
                    '\n' => text.push_str("\\n"),
                    '\t' => text.push_str("\\t"),
                    '\r' => text.push_str("\\r"),
                    '\x0B' => text.push_str("\\v"),
                    '\\' | '\'' => text.extend(['\\', letter]),
                    _ if letter < ' ' || letter == '\x7F' => text.push_str(&format!("\\{:03o}", letter as u32)),
                    _ => text.push(letter),
                }
            }
            text.extend(chunk.invalid().iter().map(|byte| format!("\\{byte:03o}")));
        }
        text + "'"
    }

    proptest! {
        #[test]
        fn what_systemd_quotes_is_read_as_it_was(value in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(read(&written(&value)), Some(OsString::from_vec(value)));
        }

        #[test]
        fn whatever_is_written_nothing_breaks_and_what_is_bare_is_itself(text in "[\"$'\\\\a-f0-9x é]{0,12}") {
            let value = read(&text);
            if !text.starts_with("$'") && !text.starts_with('"') {
                prop_assert_eq!(value, Some(OsString::from(text)));
            }
        }
    }

    #[test]
    fn each_kind_of_quoting_is_read_and_half_of_one_is_none() {
        let cases = [
            ("/home/ada", Some("/home/ada")),
            ("", Some("")),
            ("$HOME", Some("$HOME")),
            ("$'/home/ada b'", Some("/home/ada b")),
            (r"$'it\'s \x41\102\t\\'", Some("it's AB\t\\")),
            (r#""/a \"b\" \$c \`d""#, Some("/a \"b\" $c `d")),
            ("$'no end", None),
            ("$'an end' and more", None),
            (r"$'\400'", None),
            (r"$'\x4'", None),
            (r"$'\0+1'", None),
            (r"$'\", None),
        ];
        for (written, value) in cases {
            assert_eq!(read(written), value.map(OsString::from), "{written}");
        }
    }
}
