//! Whatever stands in the file: no panic, no endless run, and each error has a line of the text and one line of words.

use proptest::prelude::*;

use super::parse;

const GOOD: &str = r#"
[providers.own]
base = "https://{host}/x"
token_endpoint = "/t"
parameters = { host = "as.example" }
refresh = { body = "json", names = { refresh_token = "rt" }, omit = ["grant_type"], answer = { access_token = "a.b" } }
errors = { pending = ["W"], dead_grant_statuses = [401] }
expiry = { source = "fixed", seconds = 60 }
[accounts.own]
provider = "own"
client_id = "abc"
provider_parameters = { host = "other.example" }
[accounts.github]
issuer = "https://auth.example.com"
client_id = "abc"
scopes = ["a", "b"]
resource = "https://mcp.example.com/mcp"
audience = "x"
[accounts.github.extra_parameters]
prompt = "consent"
[accounts."with.dot"]
client_id = 'c'
device_authorization_endpoint = "https://as.example/d"
token_endpoint = "https://as.example/t"
"#;

fn is_orderly(text: &str) {
    let Err(errors) = parse(text) else { return };
    assert!(!errors.errors.is_empty());
    let lines = text.matches('\n').count() + 1;
    for error in &errors.errors {
        assert!(error.line.is_none_or(|line| (1..=lines).contains(&line)), "{error:?}");
        let told = error.problem.to_string();
        assert!(!told.chars().any(char::is_control), "{told:?}");
    }
}

/// Splices `with` over the characters `from..to` of the text.
fn spliced(text: &str, (from, to): (usize, usize), with: &str) -> String {
    let (from, to) = (from.min(to), from.max(to));
    text.chars().take(from).chain(with.chars()).chain(text.chars().skip(to)).collect()
}

#[test]
fn the_good_text_is_good() {
    assert_eq!(parse(GOOD).expect("no error").accounts.len(), 3);
}

#[test]
fn deep_nesting_is_an_error_and_no_overflow() {
    for text in
        ["[".repeat(100_000), "a.".repeat(100_000), format!("[{}a]", "a.".repeat(100_000)), format!("a={}", "{a=".repeat(50_000))]
    {
        is_orderly(&text);
        assert!(parse(&text).is_err());
    }
}

proptest! {
    #[test]
    fn any_text_is_checked_without_a_panic(text in "\\PC*|(?s).{0,200}") {
        is_orderly(&text);
    }

    #[test]
    fn any_words_of_toml_are_checked_without_a_panic(
        words in prop::collection::vec(prop::sample::select(vec![
            "[accounts.a]", "[[accounts.a]]", "accounts", "client_id", "issuer", "scopes", "extra_parameters", "=", ".", "\n", "\n",
            "[", "]", "{", "}", "\"", "'", "'''", "\"x\"", "1", "true", ",", "#", "\\u0000", "\r", "é", "1979-05-27", "[accounts.a.b]",
            "[providers.p]", "provider", "parameters", "base", "answer", "errors", "refresh", "names", "body", "{x}", "-1", "[\"x\"]",
        ]), 0..40),
    ) {
        is_orderly(&words.concat());
    }

    #[test]
    fn a_mutated_good_text_is_checked_without_a_panic(
        cuts in prop::collection::vec((0..GOOD.len(), 0..12_usize, "[\\x00-\\x7f]{0,4}|.{0,3}"), 1..4),
    ) {
        let text = cuts.iter().fold(GOOD.to_owned(), |text, (from, length, with)| spliced(&text, (*from, from + length), with));
        is_orderly(&text);
    }
}
