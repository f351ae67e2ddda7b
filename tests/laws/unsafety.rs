//! There is one `unsafe`, in no other crate, no test and no macro: the call that gives memory back.

use proc_macro2::{TokenStream, TokenTree};

use crate::obeyed;
use crate::tree::{self, Source};

/// The file that may hold `unsafe`, once: glibc gives memory back by one call that takes a number (DESIGN, section 7).
const ALLOWED: &str = "daemon/src/host/memory.rs";

fn broken(sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in sources {
        let tokens: TokenStream = source.text.parse().unwrap_or_else(|error| panic!("{}: {error}", source.path));
        let allowed = usize::from(source.path == ALLOWED);
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
fn one_call_is_unsafe_and_nothing_else() {
    obeyed("no unsafe but one", &broken(&tree::rust()));
}

#[test]
fn unsafe_code_is_found_and_the_word_in_a_text_is_not() {
    for way in ["fn f() {\n unsafe { g() } }", "\nunsafe impl Send for X {}", "\nmacro_rules! m { () => { unsafe { g() } } }"] {
        assert_eq!(broken(&[Source::imagined("a.rs", way)]), ["a.rs:2: unsafe"], "{way}");
    }
    assert!(broken(&[Source::imagined("a.rs", "#![deny(unsafe_code)] // unsafe\nconst X: &str = \"unsafe\";")]).is_empty());
    let twice = "\nunsafe fn f() {\n unsafe { g() } }";
    assert_eq!(broken(&[Source::imagined(ALLOWED, twice)]), [format!("{ALLOWED}:3: unsafe")]);
}
