//! One provider's table: every key is looked at, whatever is wrong with the others.
//!
//! Must never: stop at the first error.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use mcp_authd_oauth::profile::{
    ClientNeed, DeviceGrant, ErrorWords, Expiry, ExpirySource, Pkce, Profile, ProviderEndpoints, Redirect, RefreshEnds,
    RefreshRedirect, ReplayTime, ResourceMode,
};
use mcp_authd_oauth::registration::RedirectUri;

use super::super::error::{Problem, printable};
use super::super::raw::{Findings, Reported, Section};
use super::super::{client, parameters, request};
use super::error::ProviderProblem;
use super::exchange::{self, Body, EveryAnswer};
use super::read::{self, report};
use super::{Described, server};

const KEYS: &[&str] = &[
    "issuer",
    "discovery",
    "base",
    "authorization_endpoint",
    "device_authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    "rewrite_hosts",
    "parameters",
    "client",
    "token_endpoint_auth_method",
    "scopes",
    "resource",
    "device_grant",
    "pkce",
    "redirect_port",
    "redirect_uri",
    "authorization_parameters",
    "device_authorization",
    "poll",
    "token_request",
    "refresh",
    "refresh_sends_redirect_uri",
    "revocation",
    "answer",
    "errors",
    "expiry",
    "refresh_ends_access_tokens",
    "replay",
    "replay_after",
];

const ERRORS: &[&str] = &[
    "none",
    "pending",
    "slow_down",
    "denied",
    "expired",
    "dead_grant",
    "pending_statuses",
    "slow_down_statuses",
    "dead_grant_statuses",
];

/// The whole table.
pub(super) fn check(name: &str, section: &Section<'_>, findings: &mut Findings) -> Result<Described, Reported> {
    read::refuse_unknown(section, KEYS, findings);
    let parameters = url_parameters(section, findings);
    let no_parameters = BTreeMap::new();
    // Where the parameters do not hold, no URL is judged by them.
    let server = match &parameters {
        Ok(parameters) => server::check(section, parameters, findings),
        Err(reported) => Err(*reported),
    };
    let discovery = server.as_ref().map_err(|reported| *reported).and_then(|server| server::discovery(section, server, findings));
    let host_rewrites = server::host_rewrites(section, findings);
    let client = read::choice(section, "client", &CLIENT, findings);
    let method = client::method(section, findings);
    let scopes = request::scopes(section, findings);
    let resource = read::choice(section, "resource", &RESOURCE, findings);
    let device_grant = read::choice(section, "device_grant", &DEVICE_GRANT, findings);
    let pkce = read::choice(section, "pkce", &PKCE, findings);
    let redirect = redirect(section, findings);
    let refresh_redirect = read::flag(section, "refresh_sends_redirect_uri", RefreshRedirect::Sent, findings);
    let authorization_parameters = parameters::table(section, "authorization_parameters", findings);
    let refresh_ends = read::flag(section, "refresh_ends_access_tokens", RefreshEnds::AccessTokensToo, findings);
    let replay = replay(section, findings);
    let expiry = expiry(section, findings);
    let errors = errors(section, findings);
    let members = exchange::members(section, findings);
    let (no_error, errors) = errors.map_or_else(|reported| (Vec::new(), Err(reported)), |(none, errors)| (none, Ok(errors)));
    let every = EveryAnswer { members: members.clone().unwrap_or_default(), no_error };
    let mut exchange = |key, body| exchange::check(section, (key, body), &every, findings);
    let device_authorization = exchange("device_authorization", Body::MayBeNone);
    let poll = exchange("poll", Body::Needed);
    let token_request = exchange("token_request", Body::Needed);
    let refresh = exchange("refresh", Body::Needed);
    let revocation = exchange("revocation", Body::Needed);
    let (redirect, refresh_redirect) = (redirect?, refresh_redirect?);
    if refresh_redirect == RefreshRedirect::Sent && redirect == Redirect::AnyPort {
        let line = section.entry("refresh_sends_redirect_uri", findings).and_then(|entry| entry.line);
        return Err(report(findings, line, ProviderProblem::NoRedirectToSend));
    }
    members?;
    let profile = Profile {
        name: name.to_owned(),
        discovery: discovery?,
        endpoints: ProviderEndpoints::default(),
        host_rewrites: host_rewrites?,
        client: client?,
        token_endpoint_auth_method: method?,
        device_grant: device_grant?,
        pkce: pkce?,
        redirect,
        resource: resource?,
        scopes: scopes?,
        authorization_parameters: authorization_parameters?,
        device_authorization: device_authorization?,
        poll: poll?,
        token_request: token_request?,
        refresh: refresh?,
        refresh_redirect,
        revocation: revocation?,
        errors: errors?,
        expiry: expiry?,
        refresh_ends: refresh_ends?,
        replay: replay?,
    };
    let parameters = parameters.unwrap_or(no_parameters);
    Ok(Described { profile, server: server?, parameters })
}

const CLIENT: [read::Choice<ClientNeed>; 3] =
    [("any", ClientNeed::Any), ("secret", ClientNeed::Secret), ("none", ClientNeed::None)];
const RESOURCE: [read::Choice<ResourceMode>; 2] = [("as-published", ResourceMode::AsPublished), ("omit", ResourceMode::Omit)];
const DEVICE_GRANT: [read::Choice<DeviceGrant>; 2] =
    [("allowed", DeviceGrant::Allowed), ("unavailable", DeviceGrant::Unavailable)];
const PKCE: [read::Choice<Pkce>; 2] = [("as-advertised", Pkce::AsAdvertised), ("assumed", Pkce::Assumed)];

/// What stands for `{NAME}` in a URL. Empty: each account has to say.
fn url_parameters(section: &Section<'_>, findings: &mut Findings) -> Result<BTreeMap<String, String>, Reported> {
    let Some(table) = read::table(section, "parameters", findings)? else { return Ok(BTreeMap::new()) };
    let checked: Vec<_> = table
        .entries(findings)
        .iter()
        .map(|entry| {
            let Some(value) = entry.item.as_str() else {
                let name = printable(entry.key);
                return Err(entry.wrong_type("a string", format!("{name} = \"...\""), findings));
            };
            if is_parameter(entry.key) && is_value(value) {
                return Ok((entry.key.to_owned(), value.to_owned()));
            }
            Err(report(findings, entry.line, ProviderProblem::BadParameter { name: printable(entry.key) }))
        })
        .collect();
    checked.into_iter().collect()
}

fn is_parameter(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
}

/// A part of a host or a path: nothing that could begin a query, a fragment or a user name.
pub(super) fn is_value(value: &str) -> bool {
    value.chars().all(|c| c.is_ascii_alphanumeric() || "-._~:/[]".contains(c))
}

fn redirect(section: &Section<'_>, findings: &mut Findings) -> Result<Redirect, Reported> {
    let port = read::number(section, "redirect_port", (1..=65535, "a port from 1 to 65535"), findings);
    let uri = section.text("redirect_uri", findings);
    match (port?, uri?) {
        (None, None) => Ok(Redirect::AnyPort),
        (Some(port), None) => {
            let at = |port| Redirect::Exact(RedirectUri::ipv4().with_port(port));
            Ok(u16::try_from(port).map_or(Redirect::AnyPort, at))
        }
        // RFC 8252, 7.3: http, a name of this machine, and a port that we can listen on.
        (None, Some(text)) => match RedirectUri::parse(text.value) {
            Ok(uri) if uri.port().is_some() => Ok(Redirect::Exact(uri)),
            Ok(_) | Err(_) => Err(report(findings, text.line, ProviderProblem::BadRedirect)),
        },
        (Some(_), Some(text)) => Err(report(findings, text.line, ProviderProblem::TwoRedirects)),
    }
}

fn replay(section: &Section<'_>, findings: &mut Findings) -> Result<ReplayTime, Reported> {
    let choices = [("at-once", ReplayTime::AtOnce), ("at-token-end", ReplayTime::AtTokenEnd)];
    let chosen = read::choice(section, "replay", &choices, findings);
    let after = read::number(section, "replay_after", REPLAY_WINDOW, findings);
    match (chosen?, after?) {
        (chosen, None) => Ok(chosen),
        (_, Some(wait)) => Ok(ReplayTime::After(Duration::from_secs(wait))),
    }
}

/// No grant is left in doubt for longer by a number alone: the windows that servers document end long before (D56).
const REPLAY_WINDOW: (RangeInclusive<i64>, &str) =
    (0..=3600, "a number of seconds, at most 3600 (for later: replay = \"at-token-end\")");

fn expiry(section: &Section<'_>, findings: &mut Findings) -> Result<Expiry, Reported> {
    let Some(table) = read::table(section, "expiry", findings)? else { return Ok(Expiry::default()) };
    read::refuse_unknown(&table, &["source", "seconds", "skew"], findings);
    #[derive(Clone, Copy, Default)]
    enum Source {
        #[default]
        ExpiresIn,
        Jwt,
        Fixed,
    }
    let sources = [("expires_in", Source::ExpiresIn), ("jwt", Source::Jwt), ("fixed", Source::Fixed)];
    let source = read::choice(&table, "source", &sources, findings);
    let seconds = read::seconds(&table, "seconds", findings);
    let skew = read::seconds(&table, "skew", findings);
    let (source, seconds, skew) = (source?, seconds?, skew?.unwrap_or_default());
    Ok(match (source, seconds) {
        (Source::ExpiresIn, fallback) => Expiry { source: ExpirySource::ExpiresIn, fallback, skew },
        (Source::Jwt, fallback) => Expiry { source: ExpirySource::Jwt, fallback, skew },
        (Source::Fixed, Some(life)) => Expiry { source: ExpirySource::Fixed(life), fallback: None, skew },
        (Source::Fixed, None) => {
            let (title, example) = (table.title.clone(), "seconds = 3600");
            return Err(findings.report(table.line, Problem::Missing { table: title, key: "seconds", example }));
        }
    })
}

/// The words and statuses, and apart from them the words that say that there is no error.
fn errors(section: &Section<'_>, findings: &mut Findings) -> Result<(Vec<String>, ErrorWords), Reported> {
    let Some(table) = read::table(section, "errors", findings)? else { return Ok((Vec::new(), ErrorWords::default())) };
    read::refuse_unknown(&table, ERRORS, findings);
    let mut words = |key| read::list(&table, key, findings);
    let (none, pending, slow_down) = (words("none"), words("pending"), words("slow_down"));
    let (denied, expired, dead_grant) = (words("denied"), words("expired"), words("dead_grant"));
    let pending_statuses = statuses(&table, "pending_statuses", POLL_STATUSES, findings);
    let slow_down_statuses = statuses(&table, "slow_down_statuses", POLL_STATUSES, findings);
    let dead_grant_statuses = statuses(&table, "dead_grant_statuses", DEAD_STATUSES, findings);
    let errors = ErrorWords {
        pending: pending?,
        slow_down: slow_down?,
        denied: denied?,
        expired: expired?,
        dead_grant: dead_grant?,
        pending_statuses: pending_statuses?,
        slow_down_statuses: slow_down_statuses?,
        dead_grant_statuses: dead_grant_statuses?,
    };
    Ok((none?, errors))
}

/// Which statuses may stand there, and the same in words.
type Statuses = (fn(u16) -> bool, &'static str);

/// A redirect is never followed (D5), whatever a profile says.
const POLL_STATUSES: Statuses = (|status| matches!(status, 200..=299 | 400..=599), "from 200 to 299 and from 400 to 599");
/// What may pass ends no grant (D48).
const DEAD_STATUSES: Statuses =
    (|status| matches!(status, 400..=499) && !matches!(status, 408 | 425 | 429), "from 400 to 499, without 408, 425 and 429");

fn statuses(
    table: &Section<'_>,
    key: &'static str,
    (may_be, range): Statuses,
    findings: &mut Findings,
) -> Result<Vec<u16>, Reported> {
    let Some(entry) = table.entry(key, findings) else { return Ok(Vec::new()) };
    let numbers =
        entry.item.as_array().and_then(|array| array.iter().map(|value| value.as_integer()).collect::<Option<Vec<_>>>());
    let Some(numbers) = numbers else {
        return Err(entry.wrong_type("an array of numbers", format!("{key} = [401]"), findings));
    };
    let statuses: Option<Vec<_>> =
        numbers.into_iter().map(|number| u16::try_from(number).ok().filter(|status| may_be(*status))).collect();
    statuses.ok_or_else(|| report(findings, entry.line, ProviderProblem::BadStatus { key, range }))
}
