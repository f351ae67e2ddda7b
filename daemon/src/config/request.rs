//! What an account asks for, in the words of RFC 6749 and RFC 8707: client, scopes, resource, audience.
//!
//! Must never: normalise what a server compares byte by byte.

use mcp_authd_oauth::terms::{Audience, ClientId, Resource, Scopes};
use mcp_authd_oauth::way::FlowWish;
use toml_edit::{Array, Value};

use super::error::{Problem, printable};
use super::raw::{Findings, Reported, Section};

/// How scopes are written.
const SCOPES: &str = "scopes = [\"...\"]";

/// `client-id = *VSCHAR` (RFC 6749, appendix A.1).
pub(super) fn client_id(section: &Section<'_>, findings: &mut Findings) -> Result<ClientId, Reported> {
    let Some(text) = section.text("client_id", findings)? else {
        let example = "client_id = \"...\"";
        return Err(findings.report(section.line, Problem::Missing { table: section.title.clone(), key: "client_id", example }));
    };
    if text.value.trim().is_empty() {
        return Err(findings.report(text.line, Problem::Empty { key: "client_id".to_owned() }));
    }
    if !text.value.chars().all(|c| (' '..='~').contains(&c)) {
        return Err(findings.report(text.line, Problem::BadClientId));
    }
    Ok(ClientId::new(text.value))
}

/// The key of the way that a login takes.
pub(super) const FLOW: &str = "flow";

/// The way that a login takes, where the person wants a certain one.
pub(super) fn flow(section: &Section<'_>, findings: &mut Findings) -> Result<Option<FlowWish>, Reported> {
    let Some(text) = section.text(FLOW, findings)? else { return Ok(None) };
    match FlowWish::parse(text.value) {
        Some(wish) => Ok(Some(wish)),
        None => Err(findings.report(text.line, Problem::UnknownFlow)),
    }
}

/// The scopes of a login, none where there is no such key.
pub(super) fn scopes(section: &Section<'_>, findings: &mut Findings) -> Result<Scopes, Reported> {
    let Some(entry) = section.entry("scopes", findings) else { return Ok(Scopes::default()) };
    let array = match (entry.item.as_array(), entry.item.as_str()) {
        (Some(array), _) => array,
        (None, Some(words)) => {
            let words = as_words(words).unwrap_or_else(|| "\"...\"".to_owned());
            return Err(findings.report(entry.line, Problem::ScopesInOneString { words }));
        }
        (None, None) => return Err(entry.wrong_type("an array of strings", SCOPES.to_owned(), findings)),
    };
    let words = each_scope(array, findings);
    Ok(Scopes::from_words(words?))
}

/// Every scope is looked at, whatever is wrong with the others.
fn each_scope<'d>(array: &'d Array, findings: &mut Findings) -> Result<Vec<&'d str>, Reported> {
    let checked: Vec<_> = array.iter().map(|value| one_scope(value, findings)).collect();
    checked.into_iter().collect()
}

fn one_scope<'d>(value: &'d Value, findings: &mut Findings) -> Result<&'d str, Reported> {
    let line = findings.line(value.span());
    let Some(word) = value.as_str() else {
        let found = super::raw::with_article(&toml_edit::Item::Value(value.clone()));
        let problem = Problem::WrongType {
            key: "scopes".to_owned(),
            expected: "an array of strings",
            found: match found {
                "an integer" => "an array with an integer in it",
                "an array" => "an array with an array in it",
                "a table" => "an array with a table in it",
                _ => "an array with something else in it",
            },
            example: SCOPES.to_owned(),
        };
        return Err(findings.report(line, problem));
    };
    if is_scope_token(word) {
        return Ok(word);
    }
    let next = match as_words(word) {
        Some(words) => format!("Write: {words}"),
        None => "Correct or delete it".to_owned(),
    };
    Err(findings.report(line, Problem::BadScope { word: format!("\"{}\"", printable(word)), next }))
}

/// `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )` (RFC 6749, 3.3).
fn is_scope_token(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_graphic() && c != '"' && c != '\\')
}

/// The words of one string as an array has them, if they are scopes.
fn as_words(text: &str) -> Option<String> {
    let words: Vec<_> = text.split([' ', ',', '\t', '\n']).filter(|word| !word.is_empty()).collect();
    let fit = !words.is_empty() && words.iter().all(|word| is_scope_token(word));
    fit.then(|| words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", "))
}

/// An absolute URI without a fragment, kept byte for byte (RFC 8707, section 2).
pub(super) fn resource(section: &Section<'_>, findings: &mut Findings) -> Result<Option<Resource>, Reported> {
    let Some(text) = section.text("resource", findings)? else { return Ok(None) };
    if text.value.contains('#') {
        return Err(findings.report(text.line, Problem::ResourceWithFragment));
    }
    if !is_absolute_uri(text.value) {
        return Err(findings.report(text.line, Problem::ResourceNotAbsolute));
    }
    Ok(Some(Resource::new(text.value)))
}

/// `absolute-URI = scheme ":" hier-part [ "?" query ]` (RFC 3986, 4.3), as far as its characters go.
fn is_absolute_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let scheme_fits = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let rest_fits = rest.chars().all(|c| c.is_ascii_graphic() && !"\"<>\\^`{|}#".contains(c));
    // A web address without a host is a slip of the hand, never a resource.
    let names_something = match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" => rest.strip_prefix("//").is_some_and(|rest| rest.starts_with(|c| !"/?".contains(c))),
        _ => !rest.is_empty(),
    };
    scheme_fits && rest_fits && names_something
}

/// The `audience` parameter that some servers take in the place of `resource`.
pub(super) fn audience(section: &Section<'_>, findings: &mut Findings) -> Result<Option<Audience>, Reported> {
    let Some(text) = section.text("audience", findings)? else { return Ok(None) };
    if text.value.chars().any(char::is_control) {
        return Err(findings.report(text.line, Problem::ControlCharacters { key: "audience".to_owned() }));
    }
    Ok(Some(Audience::new(text.value)))
}
