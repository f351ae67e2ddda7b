//! How an account names its provider, and what it fills in.
//!
//! Must never: send what belongs to a provider's server to another one that the account names (P14).

use std::collections::BTreeMap;

use mcp_authd_oauth::profile::{ClientNeed, DiscoveryMode, Profile};
use mcp_authd_oauth::terms::ClientId;

use super::super::client;
use super::super::error::{Problem, printable};
use super::super::raw::{Findings, Reported, Section, Text};
use super::error::ProviderProblem;
use super::read::{self, report};
use super::server::{self, Filling};
use super::{Described, Provider, Providers, table};
use crate::config::ClientConfig;

const PROVIDER: &str = "provider";
const PARAMETERS: &str = "provider_parameters";

/// What an account says about its provider.
pub(in super::super) const KEYS: [&str; 2] = [PROVIDER, PARAMETERS];

/// Whose server an account logs in to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum OfAccount {
    /// The account names it.
    OwnServer,
    /// The provider does.
    ProvidersServer,
}

/// The provider of an account. `None`: the account names none.
pub(in super::super) fn of_account(
    section: &Section<'_>,
    providers: &Providers,
    whose: OfAccount,
    findings: &mut Findings,
) -> Result<Option<Provider>, Reported> {
    let named = section.text(PROVIDER, findings)?;
    let given = read::strings(section, PARAMETERS, findings);
    let Some(named) = named else {
        let alone = section.entry(PARAMETERS, findings).map(|entry| entry.line);
        return alone.map_or(Ok(None), |line| Err(report(findings, line, ProviderProblem::ParametersAlone)));
    };
    let Some(described) = providers.find(named.value) else {
        let problem = ProviderProblem::Unknown { name: printable(named.value), known: providers.names() };
        return Err(report(findings, named.line, problem));
    };
    let (described, given) = (described?, given?);
    if whose == OfAccount::OwnServer {
        // Nothing is filled in: every URL is the account's own.
        let unused = section.entry(PARAMETERS, findings).map(|entry| entry.line);
        if let (Some(line), Some(name)) = (unused, given.keys().next()) {
            let known = " here: the account names its server itself".to_owned();
            let problem = ProviderProblem::NoSuchParameter { provider: printable(named.value), name: printable(name), known };
            return Err(report(findings, line, problem));
        }
        let profile = server::without_server(described.profile.clone());
        return Ok(Some(Provider { profile, server: None }));
    }
    filled(described, &named, (&given, section), findings).map(Some)
}

/// The client of an account of a provider that knows none: its name is empty, and never sent.
pub(in super::super) fn no_client(
    section: &Section<'_>,
    provider: &Provider,
    findings: &mut Findings,
) -> Result<ClientConfig, Reported> {
    for key in ["client_id", client::DOCUMENT, "client_secret_file", "token_endpoint_auth_method"] {
        if let Some(entry) = section.entry(key, findings) {
            let problem = ProviderProblem::NoClients { key, provider: printable(&provider.profile.name) };
            return Err(report(findings, entry.line, problem));
        }
    }
    Ok(ClientConfig::PreRegistered(ClientId::new("")))
}

/// Whether the account has to name its client and does not: where a client without a secret is of no use, and where no metadata is
/// read that could say where one is registered.
pub(in super::super) fn wants_a_client(section: &Section<'_>, provider: &Provider, findings: &Findings) -> bool {
    let Profile { client, discovery, .. } = &provider.profile;
    section.entry("client_id", findings).is_none() && (*client == ClientNeed::Secret || *discovery == DiscoveryMode::None)
}

/// It has to.
pub(in super::super) fn no_client_id(section: &Section<'_>, provider: &Provider, findings: &mut Findings) -> Reported {
    let line = section.entry(client::DOCUMENT, findings).map_or(section.line, |entry| entry.line);
    report(findings, line, ProviderProblem::NoClientId { provider: printable(&provider.profile.name) })
}

fn filled(
    described: &Described,
    named: &Text<'_>,
    (given, section): (&BTreeMap<String, String>, &Section<'_>),
    findings: &mut Findings,
) -> Result<Provider, Reported> {
    let provider = || printable(named.value);
    let line = section.entry(PARAMETERS, findings).map_or(named.line, |entry| entry.line);
    for (name, value) in given {
        if !described.parameters.contains_key(name) {
            let names: Vec<_> = described.parameters.keys().map(String::as_str).collect();
            let known = match names.as_slice() {
                [] => ", and no other one".to_owned(),
                names => format!(", only {}", names.join(", ")),
            };
            let problem = ProviderProblem::NoSuchParameter { provider: provider(), name: printable(name), known };
            return Err(report(findings, line, problem));
        }
        if value.is_empty() || !table::is_value(value) {
            return Err(report(findings, line, ProviderProblem::BadParameter { name: printable(name) }));
        }
    }
    let mut parameters = described.parameters.clone();
    parameters.extend(given.clone());
    if let Some(name) = parameters.iter().find(|(_, value)| value.is_empty()).map(|(name, _)| name.clone()) {
        return Err(report(findings, line, ProviderProblem::ParameterMissing { provider: provider(), name }));
    }
    let (server, endpoints) = described.server.filled(Filling { parameters: &parameters, line }, findings)?;
    if server.is_none() {
        return Err(findings.report(named.line, Problem::Provider(ProviderProblem::NoServer { provider: provider() })));
    }
    let profile = Profile { endpoints, ..described.profile.clone() };
    Ok(Provider { profile, server })
}
