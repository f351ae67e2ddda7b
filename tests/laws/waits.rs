//! No test sleeps (house style 18): it waits for something that happens, or it moves the clock.
//!
//! The exception says why, on the line above or on its own line: `// law: sleep: REASON`.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::obeyed;
use crate::tree::{self, Source};

const SLEEPS: [&str; 4] = ["sleep", "sleep_ms", "sleep_until", "park_timeout"];
/// The scriptable server drips and delays its answers by its script: that is what it serves, and nobody waits on it to be sure.
const SLOW_ON_PURPOSE: &str = "tests/harness/server/";
const REASON: &str = "// law: sleep: ";

fn broken(sources: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for source in sources {
        let tokens: TokenStream = source.text.parse().unwrap_or_else(|error| panic!("{}: {error}", source.path));
        let unexcused = lines(tokens).into_iter().filter(|line| !has_reason(&source.text, *line));
        broken.extend(unexcused.map(|line| format!("{}:{line}: sleeps; wait for a watch, or move the clock", source.path)));
    }
    broken
}

/// A call, or a path that ends so; a variable of this name is no sleep.
fn lines(tokens: TokenStream) -> Vec<usize> {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut lines = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(ident) if SLEEPS.iter().any(|sleep| ident == sleep) => {
                let after_colon = index.checked_sub(1).is_some_and(|before| is_colon(&tokens[before]));
                let is_call =
                    matches!(tokens.get(index + 1), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis);
                lines.extend((after_colon || is_call).then(|| ident.span().start().line));
            }
            TokenTree::Group(group) => lines.extend(self::lines(group.stream())),
            _ => {}
        }
    }
    lines
}

fn is_colon(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':')
}

/// A reason counts for its own line and the one below.
fn has_reason(text: &str, line: usize) -> bool {
    let near = text.lines().skip(line.saturating_sub(2)).take(if line == 1 { 1 } else { 2 });
    near.filter_map(|line| line.split_once(REASON)).any(|(_, reason)| !reason.trim().is_empty())
}

#[test]
fn no_test_sleeps_without_a_reason() {
    let mut sources = tree::rust_below(&["tests/"]);
    sources.retain(|source| !source.path.starts_with(SLOW_ON_PURPOSE));
    obeyed("house style 18", &broken(&sources));
}

#[test]
fn a_sleep_is_found_and_a_reason_excuses_one() {
    let sleep = "fn f() {\n    tokio::time::sleep(second).await;\n}";
    assert_eq!(broken(&[Source::imagined("a.rs", sleep)]).len(), 1);
    assert_eq!(broken(&[Source::imagined("a.rs", "use std::thread::sleep;")]).len(), 1);
    assert_eq!(broken(&[Source::imagined("a.rs", "fn f() { select! { _ = sleep(second) => {} } }")]).len(), 1);
    assert_eq!(broken(&[Source::imagined("a.rs", "fn f(sleep: Duration) { g(sleep) }")]).len(), 0);
    assert_eq!(broken(&[Source::imagined("a.rs", &sleep.replace("{\n", "{ // law: sleep:  \n"))]).len(), 1);
    assert_eq!(broken(&[Source::imagined("a.rs", &sleep.replace("{\n", "{ // law: sleep: the other side polls\n"))]).len(), 0);
    let two = "fn f() {\n// law: sleep: the other side polls\n    sleep(1);\n    sleep(2);\n}";
    assert_eq!(broken(&[Source::imagined("a.rs", two)]), ["a.rs:4: sleeps; wait for a watch, or move the clock"]);
}
