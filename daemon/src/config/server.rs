//! How an account names its authorization server: by its issuer, or by its endpoints, never both.
//!
//! Must never: change a byte of an issuer or an endpoint; servers compare them byte by byte (RFC 8414, 3.3).

use mcp_authd_oauth::endpoint::{Endpoint, InvalidEndpoint, Loopback};
use mcp_authd_oauth::profile::{Pkce, Profile, ProviderEndpoints};
use mcp_authd_oauth::terms::Issuer;

use super::account::ServerConfig;
use super::error::Problem;
use super::profile::read;
use super::raw::{Findings, Reported, Section, Text};

/// The key of the endpoint at which a login in a browser begins.
pub(super) const AUTHORIZATION: &str = "authorization_endpoint";
/// The key of the switch for a server that does PKCE without saying so.
pub(super) const PKCE: &str = "pkce";
const DEVICE_AUTHORIZATION: &str = "device_authorization_endpoint";
const TOKEN: &str = "token_endpoint";
const REVOCATION: &str = "revocation_endpoint";

/// What stands in the place of an issuer.
const ENDPOINTS: [&str; 4] = [AUTHORIZATION, DEVICE_AUTHORIZATION, TOKEN, REVOCATION];

/// Whether the account names its server itself.
pub(super) fn is_named(section: &Section<'_>, findings: &Findings) -> bool {
    ["issuer", AUTHORIZATION, DEVICE_AUTHORIZATION, TOKEN, REVOCATION].iter().any(|key| section.entry(key, findings).is_some())
}

/// The server of an account.
pub(super) fn check(section: &Section<'_>, findings: &mut Findings) -> Result<ServerConfig, Reported> {
    let given: Vec<_> = ENDPOINTS.iter().filter_map(|key| section.entry(key, findings)).collect();
    let issuer = section.entry("issuer", findings);
    match (issuer, given.first()) {
        (None, None) => Err(findings.report(section.line, Problem::NoServer { table: section.title.clone() })),
        (Some(_), None) => issuer_of(section, findings).map(ServerConfig::Issuer),
        (None, Some(_)) => endpoints(section, findings),
        (Some(_), Some(first)) => {
            let names: Vec<_> = given.iter().map(|entry| format!("`{}`", entry.key)).collect();
            let both = findings.report(first.line, Problem::TwoServers { endpoints: names.join(", ") });
            // What else is wrong with them is told in the same run.
            let _ = issuer_of(section, findings);
            for key in ENDPOINTS {
                let _ = endpoint(section, key, findings);
            }
            Err(both)
        }
    }
}

fn issuer_of(section: &Section<'_>, findings: &mut Findings) -> Result<Issuer, Reported> {
    let text = required(section, "issuer", findings)?;
    checked_issuer(&text, findings)
}

/// An issuer as it may stand in the file.
pub(super) fn checked_issuer(text: &Text<'_>, findings: &mut Findings) -> Result<Issuer, Reported> {
    url(text, "issuer", findings)?;
    // RFC 8414, section 2: no query and no fragment. An endpoint may have a query (RFC 6749, 3.2).
    if text.value.contains('?') {
        return Err(findings.report(text.line, Problem::IssuerWithQuery));
    }
    if text.value.contains("/.well-known/") {
        return Err(findings.report(text.line, Problem::IssuerIsMetadata));
    }
    Ok(Issuer::new(text.value))
}

/// Where the profile of an account knows a login to begin, beside what the account itself names.
///
/// A browser's endpoint is the account's own where no metadata is read, and then nobody but the person can say that the server does S256
/// (RFC 7636, 4.2; D24): by `pkce`, here or at the provider.
pub(super) fn beginning(section: &Section<'_>, profile: Profile, findings: &mut Findings) -> Result<Profile, Reported> {
    let choices = [("as-advertised", Pkce::AsAdvertised), ("assumed", Pkce::Assumed)];
    let pkce = match section.entry(PKCE, findings) {
        Some(_) => read::choice(section, PKCE, &choices, findings)?,
        None => profile.pkce,
    };
    let profile = Profile { pkce, ..profile };
    let Some(text) = section.text(AUTHORIZATION, findings)? else { return Ok(profile) };
    let authorization = Some(url(&text, AUTHORIZATION, findings)?);
    if pkce == Pkce::AsAdvertised {
        return Err(findings.report(text.line, Problem::PkceUnsaid));
    }
    Ok(Profile { endpoints: ProviderEndpoints { authorization, ..profile.endpoints }, ..profile })
}

fn endpoints(section: &Section<'_>, findings: &mut Findings) -> Result<ServerConfig, Reported> {
    let begins_in_a_browser = section.entry(AUTHORIZATION, findings).is_some();
    let device = match endpoint(section, DEVICE_AUTHORIZATION, findings) {
        Ok(None) if !begins_in_a_browser => required(section, DEVICE_AUTHORIZATION, findings).map(|_| None),
        device => device,
    };
    let token = required(section, TOKEN, findings).and_then(|text| url(&text, TOKEN, findings));
    let revocation = endpoint(section, REVOCATION, findings);
    let (device, token_endpoint, revocation_endpoint) = (device?, token?, revocation?);
    Ok(match device {
        Some(device_authorization_endpoint) => {
            ServerConfig::Endpoints { device_authorization_endpoint, token_endpoint, revocation_endpoint }
        }
        None => ServerConfig::Profile { token_endpoint, revocation_endpoint },
    })
}

fn endpoint(section: &Section<'_>, key: &'static str, findings: &mut Findings) -> Result<Option<Endpoint>, Reported> {
    section.text(key, findings)?.map(|text| url(&text, key, findings)).transpose()
}

fn required<'d>(section: &Section<'d>, key: &'static str, findings: &mut Findings) -> Result<Text<'d>, Reported> {
    if let Some(text) = section.text(key, findings)? {
        return Ok(text);
    }
    let example = match key {
        TOKEN => "token_endpoint = \"https://...\"",
        DEVICE_AUTHORIZATION => "device_authorization_endpoint = \"https://...\"",
        _ => "issuer = \"https://...\"",
    };
    Err(findings.report(section.line, Problem::Missing { table: section.title.clone(), key, example }))
}

/// The person typed it, so loopback is in order (D3).
pub(super) fn url(text: &Text<'_>, key: &'static str, findings: &mut Findings) -> Result<Endpoint, Reported> {
    // `https:host` is a URL to some parsers and a slip of the hand to everybody else.
    let checked = if text.value.contains("://") || !text.value.starts_with("http") {
        Endpoint::parse(text.value, Loopback::Allowed)
    } else {
        Err(InvalidEndpoint::NotAUrl)
    };
    checked.map_err(|why| findings.report(text.line, Problem::BadUrl { key, why }))
}
