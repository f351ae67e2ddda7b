//! Where a provider is: its issuer and its endpoints, with `{NAME}` for what each account fills in.
//!
//! Must never: change a byte of what stands there, but for what is filled in.

use std::collections::BTreeMap;

use mcp_authd_oauth::endpoint::Endpoint;
use mcp_authd_oauth::profile::{DiscoveryMode, HostRewrite, Profile, ProviderEndpoints};

use super::super::account::ServerConfig;
use super::super::error::printable;
use super::super::raw::{Findings, Reported, Section, Text};
use super::super::server::{checked_issuer, url};
use super::error::ProviderProblem;
use super::read::{self, report};

const ISSUER: &str = "issuer";
const BASE: &str = "base";
const AUTHORIZATION: &str = "authorization_endpoint";
const DEVICE_AUTHORIZATION: &str = "device_authorization_endpoint";
const TOKEN: &str = "token_endpoint";
const REVOCATION: &str = "revocation_endpoint";

/// What stands for a parameter that has no value of its own, while its provider is checked.
const STAND_IN: &str = "example";

/// Where a provider is, but for what is filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ServerTemplate {
    issuer: Option<Template>,
    authorization: Option<Template>,
    device_authorization: Option<Template>,
    token: Option<Template>,
    revocation: Option<Template>,
}

/// A URL with `{NAME}` in it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Template {
    key: &'static str,
    text: String,
    line: Option<usize>,
}

/// What is filled in, and where a person reads of it if it does not fit.
#[derive(Clone, Copy)]
pub(super) struct Filling<'a> {
    pub(super) parameters: &'a BTreeMap<String, String>,
    /// `None`: where the URL stands.
    pub(super) line: Option<usize>,
}

/// The templates, each tried with what stands for its parameters.
pub(super) fn check(
    section: &Section<'_>,
    parameters: &BTreeMap<String, String>,
    findings: &mut Findings,
) -> Result<ServerTemplate, Reported> {
    let base = template(section, BASE, parameters, findings);
    let issuer = template(section, ISSUER, parameters, findings);
    let mut endpoint = |key| match (template(section, key, parameters, findings)?, &base) {
        (Some(path), Ok(Some(base))) if path.text.starts_with('/') => {
            Ok(Some(Template { text: format!("{}{}", base.text.trim_end_matches('/'), path.text), ..path }))
        }
        (Some(path), Ok(None)) if path.text.starts_with('/') => Err(report(findings, path.line, ProviderProblem::NoBase { key })),
        (whole, _) => Ok(whole),
    };
    let (authorization, device) = (endpoint(AUTHORIZATION), endpoint(DEVICE_AUTHORIZATION));
    let (token, revocation) = (endpoint(TOKEN), endpoint(REVOCATION));
    base?;
    let server = ServerTemplate {
        issuer: issuer?,
        authorization: authorization?,
        device_authorization: device?,
        token: token?,
        revocation: revocation?,
    };
    let stand_in =
        |(name, value): (&String, &String)| (name.clone(), if value.is_empty() { STAND_IN.to_owned() } else { value.clone() });
    let tried = parameters.iter().map(stand_in).collect();
    server.filled(Filling { parameters: &tried, line: None }, findings)?;
    Ok(server)
}

/// What the metadata is for, where there is any to be read.
pub(super) fn discovery(
    section: &Section<'_>,
    server: &ServerTemplate,
    findings: &mut Findings,
) -> Result<DiscoveryMode, Reported> {
    let given = section.text("discovery", findings)?;
    let choices = [("metadata", DiscoveryMode::Metadata), ("none", DiscoveryMode::None)];
    let chosen = read::choice(section, "discovery", &choices, findings)?;
    let line = given.map_or(section.line, |text| text.line);
    match (given.map(|_| chosen), &server.issuer, &server.token) {
        (Some(DiscoveryMode::Metadata), None, _) => Err(report(findings, line, ProviderProblem::NoIssuer)),
        (Some(DiscoveryMode::Metadata) | None, Some(_), _) => Ok(DiscoveryMode::Metadata),
        // A provider that names no server at all is one for any server.
        (None, None, None) if !server.names_any() => Ok(DiscoveryMode::Metadata),
        (_, _, Some(_)) => Ok(DiscoveryMode::None),
        (_, _, None) => {
            let table = section.title.clone();
            Err(report(findings, line, ProviderProblem::NoTokenEndpoint { table }))
        }
    }
}

/// Hosts that the metadata names wrongly.
pub(super) fn host_rewrites(section: &Section<'_>, findings: &mut Findings) -> Result<Vec<HostRewrite>, Reported> {
    let line = section.entry("rewrite_hosts", findings).and_then(|entry| entry.line);
    let pairs = read::strings(section, "rewrite_hosts", findings)?;
    if pairs.iter().any(|(from, to)| !is_host(from) || !is_host(to)) {
        return Err(report(findings, line, ProviderProblem::BadHost));
    }
    Ok(pairs.into_iter().map(|(from, to)| HostRewrite { from, to }).collect())
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(c))
}

/// A URL whose every `{NAME}` is a parameter.
fn template(
    section: &Section<'_>,
    key: &'static str,
    parameters: &BTreeMap<String, String>,
    findings: &mut Findings,
) -> Result<Option<Template>, Reported> {
    let Some(text) = section.text(key, findings)? else { return Ok(None) };
    let template = Template { key, text: text.value.to_owned(), line: text.line };
    let unknown = template.placeholders().find(|name| !parameters.contains_key(*name)).map(printable);
    let Some(name) = unknown else { return Ok(Some(template)) };
    let problem = ProviderProblem::NoSuchPlaceholder { key, name, table: section.title.replace(']', ".parameters]") };
    Err(report(findings, text.line, problem))
}

impl Template {
    fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.text.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
    }

    fn filled(&self, parameters: &BTreeMap<String, String>) -> String {
        let fill = |text: String, (name, value): (&String, &String)| text.replace(&format!("{{{name}}}"), value);
        parameters.iter().fold(self.text.clone(), fill)
    }
}

impl ServerTemplate {
    /// The issuer, with `{NAME}` in it.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.issuer.as_ref().map(|issuer| issuer.text.as_str())
    }

    /// Whether it names an endpoint at which a login by code begins, and one at which a login in a browser does.
    pub(super) fn names_beginnings(&self) -> (bool, bool) {
        (self.device_authorization.is_some(), self.authorization.is_some())
    }

    pub(super) fn names_any(&self) -> bool {
        let Self { issuer, authorization, device_authorization, token, revocation } = self;
        [issuer, authorization, device_authorization, token, revocation].iter().any(|named| named.is_some())
    }

    /// The server, and the endpoints that the profile names. `None`: it names no server.
    pub(super) fn filled(
        &self,
        filling: Filling<'_>,
        findings: &mut Findings,
    ) -> Result<(Option<ServerConfig>, ProviderEndpoints), Reported> {
        let issuer = self.issuer.as_ref().map(|template| {
            let text = template.filled(filling.parameters);
            checked_issuer(&Text { value: &text, line: filling.line.or(template.line) }, findings)
        });
        let mut endpoint = |template: &Option<Template>| -> Result<Option<Endpoint>, Reported> {
            let Some(template) = template else { return Ok(None) };
            let text = template.filled(filling.parameters);
            url(&Text { value: &text, line: filling.line.or(template.line) }, template.key, findings).map(Some)
        };
        let authorization = endpoint(&self.authorization);
        let device_authorization = endpoint(&self.device_authorization);
        let token = endpoint(&self.token);
        let revocation = endpoint(&self.revocation);
        let endpoints = ProviderEndpoints {
            authorization: authorization?,
            device_authorization: device_authorization?,
            token: token?,
            revocation: revocation?,
        };
        let server = match (issuer.transpose()?, &endpoints.token) {
            (Some(issuer), _) => Some(ServerConfig::Issuer(issuer)),
            (None, Some(token_endpoint)) => Some(ServerConfig::Profile {
                token_endpoint: token_endpoint.clone(),
                revocation_endpoint: endpoints.revocation.clone(),
            }),
            (None, None) => None,
        };
        Ok((server, endpoints))
    }
}

/// The same for an account that names its own server: what is about another one goes (P14).
pub(super) fn without_server(profile: Profile) -> Profile {
    let (discovery, endpoints) = (DiscoveryMode::Metadata, ProviderEndpoints::default());
    Profile { discovery, endpoints, host_rewrites: Vec::new(), ..profile }
}
