//! Text of a server made fit for a terminal and a log line (D19, D61).
//!
//! Must never: let an escape sequence, a control character or a change of writing direction through.

/// The text without escape sequences, control, bidi and invisible characters, in one line, at most so many characters.
pub(crate) fn fit(text: &str, most: usize) -> String {
    let mut shown = String::new();
    let mut count = 0;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' | '\u{9b}' => skip_escape(character, &mut characters),
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => {
                shown.push(' ');
                count += 1;
            }
            hidden if is_hidden(hidden) => {}
            plain => {
                shown.push(plain);
                count += 1;
            }
        }
        if count >= most {
            break;
        }
    }
    shown.trim().to_owned()
}

/// Whether a terminal would do something else with it than print it.
pub(crate) fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Skips the rest of an escape sequence (ECMA-48, 5.4): the control sequences to their final byte, the strings to their end.
fn skip_escape(begin: char, characters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    let kind = if begin == '\u{9b}' { Some('[') } else { characters.next() };
    match kind {
        Some('[') => while characters.next_if(|c| matches!(c, '\u{20}'..='\u{3f}')).is_some() {},
        Some(']' | 'P' | 'X' | '^' | '_') => {
            while characters.next_if(|c| !matches!(c, '\u{7}' | '\u{1b}' | '\u{9c}')).is_some() {}
        }
        _ => return,
    }
    characters.next_if(|c| matches!(c, '\u{40}'..='\u{7e}' | '\u{7}' | '\u{9c}'));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn d19_escapes_controls_and_bidi_are_stripped() {
        assert_eq!(fit("WDJB-\u{1b}[31mMJHT\u{1b}[0m", 64), "WDJB-MJHT");
        assert_eq!(fit("a\u{1b}]0;title\u{7}b", 64), "ab");
        assert_eq!(fit("a\u{1b}]8;;https://evil\u{1b}\\b", 64), "ab");
        assert_eq!(fit("A\u{202e}B\u{200b}C\u{0}D\u{9b}2JE", 64), "ABCDE");
        assert_eq!(fit(" two\r\nlines ", 64), "two  lines");
    }

    #[test]
    fn text_is_cut_at_characters_not_at_bytes() {
        assert_eq!(fit("äöüß", 2), "äö");
    }

    proptest! {
        #[test]
        fn whatever_comes_is_fit_to_be_shown(text in any::<String>(), most in 0..50_usize) {
            let shown = fit(&text, most);
            prop_assert!(!shown.chars().any(is_hidden));
            prop_assert!(shown.chars().count() <= most.max(1));
        }
    }
}
