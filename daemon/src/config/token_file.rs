//! An account without a login: its access token stands in a file that somebody else keeps.
//!
//! Must never: read that file; or let a key stand beside it that would do nothing.

use super::account::{AccountName, TokenFileConfig};
use super::error::Problem;
use super::raw::{Findings, Reported, Section};
use super::{check, client, request};

/// The key that makes an account one of these.
pub(super) const KEY: &str = "token_file";
/// What stands in such an account.
const KEYS: &[&str] = &[KEY, "scopes", "resource"];

/// The account, where `token_file` stands in the section.
pub(super) fn check(
    name: Result<AccountName, Reported>,
    section: &Section<'_>,
    findings: &mut Findings,
) -> Result<TokenFileConfig, Reported> {
    for entry in section.unknown(KEYS, findings) {
        let problem = if check::is_client_secret(entry.key) {
            Problem::ClientSecretBesideTokenFile
        } else if let Some(key) = check::ACCOUNT.iter().find(|known| **known == entry.key) {
            Problem::BesideTokenFile { key }
        } else {
            section.unknown_key(&entry, KEYS, None)
        };
        findings.report(entry.line, problem);
    }
    let token_file = client::path(section, KEY, findings);
    let scopes = request::scopes(section, findings);
    let resource = request::resource(section, findings);
    match token_file? {
        Some(token_file) => Ok(TokenFileConfig { name: name?, token_file, scopes: scopes?, resource: resource? }),
        None => Err(Reported),
    }
}
