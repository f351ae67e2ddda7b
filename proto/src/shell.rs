//! The one way in which both sides of the wire put a word of somebody else into a command that a person may copy.
//!
//! Must never: give a shell anything to run, or a terminal anything to obey: what is shown is cleaned after it was quoted, and a
//! character that goes missing then could open the quotes.

use std::fmt::Write as _;

/// As a shell takes it for one word, in printable characters alone: bare where it needs no quotes; in single quotes; and where those
/// do not hold in every shell, or a character cannot be seen, as `$'..'`, with octal numbers for its bytes. That form is POSIX's of
/// 2024; a shell that does not know it takes another word, or refuses the command, and runs nothing of it.
#[must_use]
pub fn word(text: &str) -> String {
    // Some shells look for a program of the name behind an equals sign at the beginning.
    if !text.is_empty() && !text.starts_with('=') && text.chars().all(needs_no_quotes) {
        return text.to_owned();
    }
    if !text.chars().any(needs_its_number) {
        return format!("'{text}'");
    }
    let mut quoted = String::from("$'");
    for character in text.chars() {
        if needs_its_number(character) {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                // Writing to a string does not fail.
                let _ = write!(quoted, "\\{byte:03o}");
            }
        } else {
            quoted.push(character);
        }
    }
    quoted.push('\'');
    quoted
}

/// Means itself in every shell.
fn needs_no_quotes(character: char) -> bool {
    character.is_ascii_alphanumeric() || ":/._@%+,=-".contains(character)
}

/// The quote itself; the backslash, which some shells read within quotes; and whatever steers, reorders or hides.
fn needs_its_number(character: char) -> bool {
    let is_seen = character == ' ' || character.is_ascii_graphic() || character.is_alphanumeric();
    !is_seen || character == '\'' || character == '\\'
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const HOSTILE: [&str; 16] = [
        "",
        "a b",
        "$(id)",
        "`id`",
        "a;id",
        "a'b",
        "';id;'",
        "\";id;\"",
        "\\';id;'\\",
        "~root",
        "=ls",
        "a\nid\n",
        "a\u{1b}';id;'",
        "a\u{1b}[2Jb\u{7}\u{9b}c",
        "\u{202e}b\u{200b}\u{feff}",
        "https://as.example/Zürich?a=1&b={c,d}*#!x",
    ];

    #[test]
    fn what_needs_no_quotes_has_none() {
        for plain in ["https://mcp.example:8443/mcp", "work", "a@b.example", "-x", "tenant=x"] {
            assert_eq!(word(plain), plain);
        }
    }

    #[test]
    fn a_word_of_a_stranger_is_quoted() {
        for (text, quoted) in [
            ("", "''"),
            ("a b", "'a b'"),
            ("$(id)", "'$(id)'"),
            ("`id`", "'`id`'"),
            ("a\"b", "'a\"b'"),
            ("a'b", "$'a\\047b'"),
            ("a\\b", "$'a\\134b'"),
            ("a\nb", "$'a\\012b'"),
            ("a\u{1b}[2Jb", "$'a\\033[2Jb'"),
            ("a\u{202e}b", "$'a\\342\\200\\256b'"),
        ] {
            assert_eq!(word(text), quoted);
        }
    }

    #[test]
    fn only_what_can_be_seen_is_shown() {
        for text in HOSTILE {
            let quoted = word(text);
            assert!(quoted.chars().all(|c| c == ' ' || c.is_ascii_graphic() || c.is_alphanumeric()), "{quoted:?}");
            let inside = quoted.trim_start_matches('$').trim_matches('\'');
            assert!(!inside.contains('\''), "a quote within quotes is a matter of the shell: {quoted}");
        }
    }

    #[test]
    fn a_shell_takes_it_for_this_one_word() {
        for text in HOSTILE {
            let script = format!("printf '<%s>' {}", word(text));
            let said = Command::new("bash").args(["-c", &script]).output().expect("bash");
            assert_eq!(String::from_utf8_lossy(&said.stdout), format!("<{text}>"), "{script}");
            assert!(said.status.success() && said.stderr.is_empty(), "{script}");
        }
    }
}
