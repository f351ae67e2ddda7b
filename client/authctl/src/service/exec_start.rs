//! A program's path as the first word of `ExecStart=` (systemd.service(5), "Command lines").
//!
//! Must never: write a path that the manager reads as another one.

use std::path::Path;

/// Why a path cannot stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unwritable {
    /// It is not absolute.
    Relative,
    /// It is no text.
    NotText,
    /// systemd takes no program with a quote, a backslash or a control character in its path, however it is written.
    Character(char),
}

/// The path as systemd reads it back: quoted where it has to be, its percent signs doubled, as they begin specifiers. A dollar sign
/// stays alone: variables are not put into the program's own path.
pub(crate) fn word(program: &Path) -> Result<String, Unwritable> {
    let text = program.to_str().ok_or(Unwritable::NotText)?;
    if !program.is_absolute() {
        return Err(Unwritable::Relative);
    }
    if let Some(odd) = text.chars().find(|c| c.is_control() || matches!(c, '"' | '\'' | '\\')) {
        return Err(Unwritable::Character(odd));
    }
    let specified = text.replace('%', "%%");
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | '%');
    Ok(if specified.chars().all(plain) { specified } else { format!("\"{specified}\"") })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    /// What systemd makes of the first word of a line: quotes and escapes taken away, then specifiers put in.
    fn read_back(line: &str) -> (String, String) {
        let (mut word, mut quoted, mut characters) = (String::new(), false, line.chars());
        for c in characters.by_ref() {
            match c {
                '"' => quoted = !quoted,
                ' ' if !quoted => break,
                c => word.push(c),
            }
        }
        assert!(!quoted && !word.replace("%%", "").contains('%'), "{line}");
        (word.replace("%%", "%"), characters.collect())
    }

    #[test]
    fn a_usual_path_stands_as_it_is_and_an_odd_one_is_quoted() {
        for (path, expected) in [
            ("/usr/bin/mcp-authd", "/usr/bin/mcp-authd"),
            ("/home/ada/my tools/mcp-authd", "\"/home/ada/my tools/mcp-authd\""),
            ("/opt/100%/mcp-authd", "/opt/100%%/mcp-authd"),
            ("/opt/$HOME/mcp-authd", "\"/opt/$HOME/mcp-authd\""),
            ("/opt/;#@-/mcp-authd", "\"/opt/;#@-/mcp-authd\""),
            ("/opt/é/mcp-authd", "\"/opt/é/mcp-authd\""),
        ] {
            assert_eq!(word(Path::new(path)).unwrap(), expected);
        }
    }

    #[test]
    fn what_systemd_does_not_take_is_refused() {
        assert_eq!(word(Path::new("bin/mcp-authd")), Err(Unwritable::Relative));
        for (path, odd) in [("/a\\b", '\\'), ("/a\"b", '"'), ("/a'b", '\''), ("/a\nb", '\n'), ("/a\u{7f}b", '\u{7f}')] {
            assert_eq!(word(Path::new(path)), Err(Unwritable::Character(odd)));
        }
        let bytes: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"/a\xffb");
        assert_eq!(word(Path::new(bytes)), Err(Unwritable::NotText));
    }

    proptest! {
        #[test]
        fn every_path_is_read_back_as_it_is_or_refused(path in "/[ -~é%$ ]{0,30}") {
            match word(Path::new(&path)) {
                Ok(word) => prop_assert_eq!(read_back(&format!("{word} --take-over")), (path, "--take-over".to_owned())),
                Err(unwritable) => prop_assert!(matches!(unwritable, Unwritable::Character('"' | '\'' | '\\'))),
            }
        }
    }
}
