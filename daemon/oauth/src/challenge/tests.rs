//! Challenges, right and wrong.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use proptest::prelude::*;

const PRM: &str = "https://mcp.example/.well-known/oauth-protected-resource";

fn read(value: &str) -> BearerChallenge {
    bearer(&[value]).unwrap_or_default()
}

fn metadata_of(value: &str) -> Option<String> {
    read(value).resource_metadata
}

#[test]
fn a_challenge_is_read_with_all_that_it_says() {
    let challenge = read(&format!(
        "Bearer resource_metadata=\"{PRM}\", scope=\"files:read files:write\", error=\"invalid_token\", error_description=\"No \\\"token\\\"\""
    ));
    assert_eq!(challenge.resource_metadata.as_deref(), Some(PRM));
    assert_eq!(challenge.scope, Some(Scopes::parse("files:read files:write")));
    assert_eq!(challenge.error.as_deref(), Some("invalid_token"));
    assert_eq!(challenge.error_description.as_deref(), Some("No \"token\""));
}

#[test]
fn names_of_schemes_and_parameters_have_no_case_and_spaces_may_stand_around() {
    for value in [
        format!("bEaReR Resource_Metadata=\"{PRM}\""),
        format!("BEARER\t realm=\"x\" ,\t,  RESOURCE_METADATA \t= \"{PRM}\" ,"),
        format!(",, Bearer resource_metadata = \"{PRM}\""),
        format!("Bearer realm=\"x\" resource_metadata=\"{PRM}\""),
        format!("Bearer resource_metadata={PRM}"),
        format!("Bearer realm=x, resource_metadata={PRM}, error=invalid_token"),
    ] {
        assert_eq!(metadata_of(&value).as_deref(), Some(PRM), "{value}");
    }
}

#[test]
fn the_challenge_is_found_beside_others() {
    for value in [
        format!("Basic realm=\"a, Bearer b\", Bearer resource_metadata=\"{PRM}\""),
        format!("Negotiate, Bearer resource_metadata=\"{PRM}\", Basic realm=\"x\""),
        format!("Negotiate YWJj==, Bearer resource_metadata=\"{PRM}\""),
        format!("DPoP algs=\"ES256\", resource_metadata=\"https://other.example\", Bearer resource_metadata=\"{PRM}\""),
    ] {
        assert_eq!(metadata_of(&value).as_deref(), Some(PRM), "{value}");
    }
    let lines = ["Basic realm=\"x\"".to_owned(), format!("Bearer resource_metadata=\"{PRM}\"")];
    assert_eq!(bearer(&lines).unwrap().resource_metadata.as_deref(), Some(PRM));
}

#[test]
fn a_parameter_of_another_scheme_is_never_taken() {
    for value in [
        "DPoP resource_metadata=\"https://x.example\"",
        "Bearer realm=\"x\", DPoP resource_metadata=\"https://x.example\"",
        "Bearer, DPoP resource_metadata=\"https://x.example\"",
        "Bearer YWJj, DPoP resource_metadata=\"https://x.example\"",
        "Bearer Foo resource_metadata=\"https://x.example\"",
        "Foo Bearer resource_metadata=\"https://x.example\"",
        "Bearer realm=\"x\" DPoP resource_metadata=\"https://x.example\"",
        "Foo \"Bearer\" resource_metadata=\"https://x.example\"",
        "Foo realm=\"a\\\", Bearer resource_metadata=https://x.example, b=\"c\"",
        "Foo realm=\"unterminated, Bearer resource_metadata=https://x.example",
        "Bearerish resource_metadata=\"https://x.example\"",
        "resource_metadata=\"https://x.example\"",
        "Bearer/resource_metadata=\"https://x.example\"",
    ] {
        assert_eq!(metadata_of(value), None, "{value}");
    }
}

#[test]
fn a_value_counts_only_where_its_end_is_certain_and_a_name_that_came_twice_has_none() {
    // A scope without quotes would lose its second half, and a wrong scope counts for more than none.
    let half = read("Bearer error=invalid_token, scope=a b, resource_metadata=\"https://x.example\"");
    assert_eq!((half.error.as_deref(), half.scope, half.resource_metadata), (Some("invalid_token"), None, None));
    for value in ["Bearer scope=\"a", "Bearer scope=\"a\\", "Bearer scope=\"a\"b", "Bearer scope=, error=x", "Bearer scope"] {
        assert_eq!(read(value).scope, None, "{value}");
    }
    let twice = read("Bearer scope=\"a\", Scope=\"b\", error=\"x\"");
    assert_eq!((twice.scope, twice.error.as_deref()), (None, Some("x")));
}

#[test]
fn of_several_bearer_challenges_the_first_that_names_metadata_counts_alone() {
    let value = format!(
        "Bearer scope=\"a\", Bearer scope=\"b\", resource_metadata=\"{PRM}\", Bearer resource_metadata=\"https://x.example\""
    );
    let challenge = read(&value);
    assert_eq!((challenge.resource_metadata.as_deref(), challenge.scope), (Some(PRM), Some(Scopes::parse("b"))));
    assert_eq!(read("Bearer scope=\"a\", Bearer scope=\"b\"").scope, Some(Scopes::parse("a")));
    assert_eq!(bearer(&["Bearer"]), Some(BearerChallenge::default()));
    assert_eq!(bearer(&["Basic realm=\"Bearer\""]), None);
    assert_eq!(bearer::<&str>(&[]), None);
}

#[test]
fn a_scope_may_hold_a_comma_and_nothing_that_no_scope_holds() {
    assert_eq!(read("Bearer scope=\"a,b c\"").scope, Some(Scopes::from_words(["a,b", "c"])));
    assert_eq!(read("Bearer scope=\"a \u{1b}[31m \\\\ \u{e4} b\"").scope, Some(Scopes::parse("a b")));
    assert_eq!(read("Bearer scope=\"\"").scope, None);
}

#[test]
fn d19_what_is_shown_is_cut_and_filtered() {
    let long = "x".repeat(300);
    let challenge = read(&format!("Bearer error=\"{long}\", error_description=\"a\u{1b}[31mb\u{202e}{long}\""));
    assert_eq!(challenge.error.unwrap().len(), LONGEST_ERROR);
    let description = challenge.error_description.unwrap();
    assert!(description.starts_with("abx") && description.len() == LONGEST_DESCRIPTION, "{description}");
}

#[test]
fn what_is_longer_than_any_challenge_is_not_read() {
    let long = format!("Bearer realm=\"{}\", scope=\"a\"", "x".repeat(MOST_BYTES));
    assert_eq!(bearer(&[long.as_str()]), None);
    assert_eq!(bearer(&[long.as_str(), "Bearer scope=\"b\""]).unwrap().scope, Some(Scopes::parse("b")));
    let many = vec!["Bearer"; MOST_VALUES].into_iter().chain(["Bearer resource_metadata=\"https://x.example\""]);
    assert_eq!(bearer(&many.collect::<Vec<_>>()).unwrap().resource_metadata, None);
    let url = format!("Bearer resource_metadata=\"https://x.example/{}\"", "x".repeat(LONGEST_URL));
    assert_eq!(metadata_of(&url), None);
}

/// A value, and how it may be written.
fn written(value: &str, quoted: bool) -> String {
    let is_token = !value.is_empty() && value.chars().all(is_token_character);
    if is_token && !quoted {
        return value.to_owned();
    }
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

type Written = (String, Vec<(String, String, bool)>);

fn challenge(scheme: &'static str) -> impl Strategy<Value = Written> {
    let parameter = ("[a-z_]{1,12}", "[ -~]{0,20}", any::<bool>());
    (scheme, proptest::collection::vec(parameter, 0..5))
}

fn render((scheme, parameters): &Written) -> String {
    let parameters: Vec<_> =
        parameters.iter().map(|(name, value, quoted)| format!("{name}={}", written(value, *quoted))).collect();
    format!("{scheme} {}", parameters.join(", ")).trim().to_owned()
}

proptest! {
    #[test]
    fn every_challenge_that_is_written_by_the_grammar_is_read_back(
        all in proptest::collection::vec(challenge("[A-Za-z][A-Za-z0-9-]{0,8}"), 1..5)
    ) {
        let text = all.iter().map(render).collect::<Vec<_>>().join(", ");
        let found = Reader { text: &text }.challenges();
        let found: Vec<(&str, Vec<(&str, &str)>)> = found
            .iter()
            .map(|one| (one.scheme, one.parameters.iter().map(|(name, value)| (*name, value.as_str())).collect()))
            .collect();
        let expected: Vec<(&str, Vec<(&str, &str)>)> = all
            .iter()
            .map(|(scheme, list)| (scheme.as_str(), list.iter().map(|(name, value, _)| (name.as_str(), value.as_str())).collect()))
            .collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn nothing_moves_to_bearer_from_another_scheme(
        others in proptest::collection::vec(challenge("[AC-Z][a-z]{0,6}"), 0..4),
        own in "[ -~]{0,12}",
        at in 0_usize..4,
    ) {
        let mut all: Vec<String> = others
            .iter()
            .map(|(scheme, list)| {
                let mut list = list.clone();
                list.push(("resource_metadata".to_owned(), "https://theirs.example".to_owned(), true));
                render(&(scheme.clone(), list))
            })
            .collect();
        all.insert(at.min(all.len()), format!("Bearer error={}", written(&own, true)));
        let found = bearer(&[all.join(", ")]).unwrap();
        prop_assert_eq!(found.resource_metadata, None);
    }

    #[test]
    fn no_text_brings_the_reader_down(values in proptest::collection::vec("[ -~\\t\u{e4}]{0,80}|\\PC{0,40}|(Bearer|Basic|[ ,=\"\\\\]|scope|error){0,20}", 0..4)) {
        if let Some(found) = bearer(&values) {
            for shown in [found.error, found.error_description].into_iter().flatten() {
                prop_assert!(!shown.chars().any(shown::is_hidden));
            }
        }
    }
}
