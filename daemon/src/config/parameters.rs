//! Further parameters of the device authorization request (RFC 8628, 3.1), for servers that want some.
//!
//! Must never: let a parameter through that mcp-authd sends itself, or that carries a secret.

use std::collections::BTreeMap;

use super::error::{Problem, printable};
use super::raw::{Entry, Findings, Reported, Section};

/// A secret, wherever it is sent.
const SECRET: &str = "A secret does not belong in this file; delete the line";
/// Set by the flow, or a parameter of another request.
const OURS: &str = "mcp-authd sends it itself where it belongs; delete the line";

/// What may not be set here, and what to do instead.
const RESERVED: &[(&str, &str)] = &[
    ("client_id", "Use the account's own key: client_id = \"...\""),
    ("scope", "Use the account's own key: scopes = [\"...\"]"),
    ("resource", "Use the account's own key: resource = \"https://...\""),
    ("audience", "Use the account's own key: audience = \"...\""),
    ("client_secret", SECRET),
    ("client_assertion", SECRET),
    ("client_assertion_type", OURS),
    ("password", SECRET),
    ("assertion", SECRET),
    ("access_token", SECRET),
    ("refresh_token", SECRET),
    ("subject_token", SECRET),
    ("actor_token", SECRET),
    ("token", SECRET),
    ("device_code", OURS),
    ("user_code", OURS),
    ("grant_type", OURS),
    ("response_type", OURS),
    ("response_mode", OURS),
    ("redirect_uri", OURS),
    ("code", OURS),
    ("code_verifier", OURS),
    ("code_challenge", OURS),
    ("code_challenge_method", OURS),
    ("state", OURS),
    ("nonce", OURS),
    ("request", OURS),
    ("request_uri", OURS),
];

/// The table `extra_parameters`, empty where there is none.
pub(super) fn check(section: &Section<'_>, findings: &mut Findings) -> Result<BTreeMap<String, String>, Reported> {
    let Some(entry) = section.entry("extra_parameters", findings) else { return Ok(BTreeMap::new()) };
    let title = section.title.replace(']', ".extra_parameters]");
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
        return Err(findings.report(entry.line, Problem::ReservedParameter { name, instead }));
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
