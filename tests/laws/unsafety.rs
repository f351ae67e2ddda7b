//! There are two `unsafe`, in one file, and in no other crate, test or macro: the calls that give memory back.

use proc_macro2::{TokenStream, TokenTree};

use crate::obeyed;
use crate::tree::{self, Source};

/// The file that may hold `unsafe`, so often: glibc gives memory back by a call that takes a number, and the kernel by one that
/// takes an address (DESIGN, sections 7 and 8).
const ALLOWED: &str = "daemon/src/host/memory.rs";
const SO_OFTEN: usize = 2;

fn broken(sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in sources {
        let tokens: TokenStream = source.text.parse().unwrap_or_else(|error| panic!("{}: {error}", source.path));
        let allowed = if source.path == ALLOWED { SO_OFTEN } else { 0 };
        broken.extend(lines(tokens).into_iter().skip(allowed).map(|line| format!("{}:{line}: unsafe", source.path)));
    }
    broken
}

fn lines(tokens: TokenStream) -> Vec<usize> {
    let line = |token| match token {
        TokenTree::Ident(ident) if ident == "unsafe" => vec![ident.span().start().line],
        TokenTree::Group(group) => lines(group.stream()),
        _ => vec![],
    };
    tokens.into_iter().flat_map(line).collect()
}

#[test]
fn two_calls_are_unsafe_and_nothing_else() {
    obeyed("no unsafe but two", &broken(&tree::rust()));
}

#[test]
fn unsafe_code_is_found_and_the_word_in_a_text_is_not() {
    for way in ["fn f() {\n unsafe { g() } }", "\nunsafe impl Send for X {}", "\nmacro_rules! m { () => { unsafe { g() } } }"] {
        assert_eq!(broken(&[Source::imagined("a.rs", way)]), ["a.rs:2: unsafe"], "{way}");
    }
    assert!(broken(&[Source::imagined("a.rs", "#![deny(unsafe_code)] // unsafe\nconst X: &str = \"unsafe\";")]).is_empty());
    let thrice = "\nunsafe fn f() {\n unsafe { g() }\n unsafe { h() } }";
    assert_eq!(broken(&[Source::imagined(ALLOWED, thrice)]), [format!("{ALLOWED}:4: unsafe")]);
}
