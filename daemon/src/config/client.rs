//! Which client an account is, and how it proves that (RFC 6749, 2.2 and 2.3): by which method, and where its secret stands.
//!
//! Must never: read the secret. Only the path of its file is looked at here.

use std::path::PathBuf;

use mcp_authd_oauth::registration::ClientIdUrl;
use mcp_authd_oauth::terms::TokenEndpointAuthMethod;

use super::account::{ClientConfig, ServerConfig};
use super::error::{Problem, printable};
use super::raw::{Findings, Reported, Section};
use super::request;

const METHOD: &str = "token_endpoint_auth_method";
const SECRET_FILE: &str = "client_secret_file";

/// The key of a Client ID Metadata Document.
pub(super) const DOCUMENT: &str = "client_id_metadata_document";

/// Which client the account is. None need be configured where the server is known by its issuer: there one can be registered.
pub(super) fn which(
    section: &Section<'_>,
    server: Option<&ServerConfig>,
    findings: &mut Findings,
) -> Result<ClientConfig, Reported> {
    let document = document(section, findings)?;
    let has_id = section.entry("client_id", findings).is_some();
    match (has_id, document, server) {
        (true, Some((_, line)), _) => Err(findings.report(line, Problem::TwoClients)),
        (false, document, Some(ServerConfig::Issuer(_))) => {
            let needs_id = [METHOD, SECRET_FILE].into_iter().find_map(|key| section.entry(key, findings));
            match needs_id {
                Some(entry) => Err(findings.report(entry.line, Problem::WithoutClientId { key: printable(entry.key) })),
                None => Ok(ClientConfig::Found { document: document.map(|(url, _)| url) }),
            }
        }
        (false, Some((_, line)), _) => Err(findings.report(line, Problem::DocumentWithoutIssuer)),
        (_, None, _) => request::client_id(section, findings).map(ClientConfig::PreRegistered),
    }
}

type AtLine<T> = (T, Option<usize>);

fn document(section: &Section<'_>, findings: &mut Findings) -> Result<Option<AtLine<ClientIdUrl>>, Reported> {
    let Some(text) = section.text(DOCUMENT, findings)? else { return Ok(None) };
    match ClientIdUrl::parse(text.value) {
        Ok(url) => Ok(Some((url, text.line))),
        Err(why) => Err(findings.report(text.line, Problem::BadDocument(why))),
    }
}

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
