//! Further parameters of the device authorization request (RFC 8628, 3.1), for servers that want some.
//!
//! Must never: let a parameter through that mcp-authd sends itself, or that carries a secret.

use std::collections::BTreeMap;

use super::error::{Instead, Problem, printable};
use super::raw::{Entry, Findings, Reported, Section};

/// What may not be set here, and what to do instead.
const RESERVED: &[(&str, Instead)] = &[
    ("client_id", Instead::OwnKey("client_id = \"...\"")),
    ("scope", Instead::OwnKey("scopes = [\"...\"]")),
    ("resource", Instead::OwnKey("resource = \"https://...\"")),
    ("audience", Instead::OwnKey("audience = \"...\"")),
    ("client_secret", Instead::Secret),
    ("client_assertion", Instead::Secret),
    ("client_assertion_type", Instead::Nothing),
    ("password", Instead::Secret),
    ("assertion", Instead::Secret),
    ("access_token", Instead::Secret),
    ("refresh_token", Instead::Secret),
    ("subject_token", Instead::Secret),
    ("actor_token", Instead::Secret),
    ("token", Instead::Secret),
    ("device_code", Instead::Nothing),
    ("user_code", Instead::Nothing),
    ("grant_type", Instead::Nothing),
    ("response_type", Instead::Nothing),
    ("response_mode", Instead::Nothing),
    ("redirect_uri", Instead::Nothing),
    ("code", Instead::Nothing),
    ("code_verifier", Instead::Nothing),
    ("code_challenge", Instead::Nothing),
    ("code_challenge_method", Instead::Nothing),
    ("state", Instead::Nothing),
    ("nonce", Instead::Nothing),
    ("request", Instead::Nothing),
    ("request_uri", Instead::Nothing),
];

/// The table `extra_parameters`, empty where there is none.
pub(super) fn check(section: &Section<'_>, findings: &mut Findings) -> Result<BTreeMap<String, String>, Reported> {
    table(section, "extra_parameters", findings)
}

/// The table of this key, empty where there is none.
pub(super) fn table(
    section: &Section<'_>,
    key: &'static str,
    findings: &mut Findings,
) -> Result<BTreeMap<String, String>, Reported> {
    let Some(entry) = section.entry(key, findings) else { return Ok(BTreeMap::new()) };
    let title = section.title.replace(']', &format!(".{key}]"));
    let Some(table) = entry.item.as_table_like() else {
        return Err(entry.wrong_type("a table of strings", title, findings));
    };
    let parameters = Section::new(title, entry.line, table);
    let entries = parameters.entries(findings);
    let checked: Vec<_> = entries.iter().map(|entry| parameter(entry, findings)).collect();
    checked.into_iter().collect()
}

fn parameter(entry: &Entry<'_>, findings: &mut Findings) -> Result<(String, String), Reported> {
    let name = printable(entry.key);
    if let Some((_, instead)) = RESERVED.iter().find(|(reserved, _)| entry.key.eq_ignore_ascii_case(reserved)) {
        return Err(findings.report(entry.line, Problem::ReservedParameter { name, instead: *instead }));
    }
    // `param-name = 1*name-char` (RFC 6749, 8.2 and appendix A).
    let fits = !entry.key.is_empty() && entry.key.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
    if !fits {
        return Err(findings.report(entry.line, Problem::BadParameterName { name }));
    }
    let text = entry.text(findings)?;
    if text.value.chars().any(char::is_control) {
        return Err(findings.report(text.line, Problem::ControlCharacters { key: name }));
    }
    Ok((entry.key.to_owned(), text.value.to_owned()))
}

/// What to do in the place of a parameter of this name that stands in the file, where it is one that carries a secret.
pub(super) fn secret_instead(name: &str) -> Option<Instead> {
    let reserved = RESERVED.iter().find(|(reserved, _)| name.eq_ignore_ascii_case(reserved));
    reserved.map(|(_, instead)| *instead).filter(|instead| *instead == Instead::Secret)
}
