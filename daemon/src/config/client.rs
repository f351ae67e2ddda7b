//! How an account's client proves who it is (RFC 6749, 2.3): by which method, and where its secret stands.
//!
//! Must never: read the secret. Only the path of its file is looked at here.

use std::path::PathBuf;

use mcp_authd_oauth::terms::TokenEndpointAuthMethod;

use super::error::Problem;
use super::raw::{Findings, Reported, Section};

const METHOD: &str = "token_endpoint_auth_method";
const SECRET_FILE: &str = "client_secret_file";

/// What is known of a client beside its id.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientAuthentication {
    pub(super) method: Option<TokenEndpointAuthMethod>,
    pub(super) secret_file: Option<PathBuf>,
}

/// Both keys, and whether they fit together.
pub(super) fn check(section: &Section<'_>, findings: &mut Findings) -> Result<ClientAuthentication, Reported> {
    let method = method(section, findings);
    let secret_file = path(section, SECRET_FILE, findings);
    let (method, secret_file) = (method?, secret_file?);
    if method == Some(TokenEndpointAuthMethod::None) && secret_file.is_some() {
        let line = section.entry(SECRET_FILE, findings).and_then(|entry| entry.line);
        return Err(findings.report(line, Problem::SecretOfAPublicClient));
    }
    Ok(ClientAuthentication { method, secret_file })
}

/// The method of that key, `None` where there is none.
pub(super) fn method(section: &Section<'_>, findings: &mut Findings) -> Result<Option<TokenEndpointAuthMethod>, Reported> {
    let Some(text) = section.text(METHOD, findings)? else { return Ok(None) };
    match TokenEndpointAuthMethod::parse(text.value) {
        Some(method) => Ok(Some(method)),
        None => Err(findings.report(text.line, Problem::UnknownAuthMethod)),
    }
}

/// An absolute path: what it means may not depend on where the daemon was started.
pub(super) fn path(section: &Section<'_>, key: &'static str, findings: &mut Findings) -> Result<Option<PathBuf>, Reported> {
    let Some(text) = section.text(key, findings)? else { return Ok(None) };
    if text.value.chars().any(char::is_control) {
        return Err(findings.report(text.line, Problem::ControlCharacters { key: key.to_owned() }));
    }
    if !text.value.starts_with('/') {
        return Err(findings.report(text.line, Problem::PathNotAbsolute { key }));
    }
    Ok(Some(PathBuf::from(text.value)))
}
