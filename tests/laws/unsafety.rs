//! There is no `unsafe`, in no crate, no test and no macro.

use proc_macro2::{TokenStream, TokenTree};

use crate::obeyed;
use crate::tree::{self, Source};

/// Files that may hold `unsafe`: none.
const ALLOWED: [&str; 0] = [];

fn broken(sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in sources.iter().filter(|source| !ALLOWED.contains(&source.path.as_str())) {
        let tokens: TokenStream = source.text.parse().unwrap_or_else(|error| panic!("{}: {error}", source.path));
        broken.extend(lines(tokens).into_iter().map(|line| format!("{}:{line}: unsafe", source.path)));
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
fn nothing_is_unsafe() {
    obeyed("no unsafe anywhere", &broken(&tree::rust()));
}

#[test]
fn unsafe_code_is_found_and_the_word_in_a_text_is_not() {
    for way in ["fn f() {\n unsafe { g() } }", "\nunsafe impl Send for X {}", "\nmacro_rules! m { () => { unsafe { g() } } }"] {
        assert_eq!(broken(&[Source::imagined("a.rs", way)]), ["a.rs:2: unsafe"], "{way}");
    }
    assert!(broken(&[Source::imagined("a.rs", "#![deny(unsafe_code)] // unsafe\nconst X: &str = \"unsafe\";")]).is_empty());
}
