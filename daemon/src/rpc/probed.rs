//! What a probe has found, in the words of the wire: what a server offers and breaks, and what a person does next.
//!
//! Must never: put what a server has written into a command without quoting it.

use mcp_authd_oauth::discovery::ServerMetadata;
use mcp_authd_oauth::endpoint::Endpoint;
use mcp_authd_oauth::finding::Finding;
use mcp_authd_oauth::protected_resource::{FoundAt, ProtectedResource, ScopesToAsk};
use mcp_authd_oauth::registration::{AskForClient, RedirectUri};
use mcp_authd_oauth::way::{NoWay, Way};
use mcp_authd_proto::v1;

use super::typed::Typed;
use super::words::sentence;
use crate::accounts::probe::{NotProbed, Probed, ProbedClient, ProbedServer};

/// All of it, where this was typed.
pub(super) fn told(probed: &Probed, typed: Typed<'_>) -> v1::Probed {
    v1::Probed {
        url: probed.url.clone(),
        resource: probed.resource.as_ref().map(resource),
        passed_over: probed
            .passed_over
            .iter()
            .map(|passed| v1::PassedOver { issuer: passed.issuer.to_string(), message: sentence(&passed.why.to_string()) })
            .collect(),
        server: probed.server.as_ref().map(server),
        login_possible: probed.login_is_possible(),
        next_step: next_step(probed, typed),
    }
}

fn resource(found: &ProtectedResource) -> v1::ProbedResource {
    let (place, metadata_url) = match &found.found_at {
        FoundAt::NamedByChallenge(place) => (v1::MetadataPlace::Challenge, place.to_string()),
        FoundAt::WellKnown(place) => (v1::MetadataPlace::WellKnown, place.to_string()),
        FoundAt::Nowhere => (v1::MetadataPlace::Nowhere, String::new()),
    };
    let scopes_from = match &found.scopes {
        ScopesToAsk::Challenge(_) => v1::ScopesFrom::Challenge,
        ScopesToAsk::Supported(_) => v1::ScopesFrom::Metadata,
        ScopesToAsk::None => v1::ScopesFrom::Nobody,
    };
    let named = if found.found_at == FoundAt::Nowhere { &[] } else { found.authorization_servers.as_slice() };
    v1::ProbedResource {
        resource: found.resource.to_string(),
        metadata_url,
        metadata_place: place.into(),
        authorization_servers: named.iter().map(ToString::to_string).collect(),
        scopes_from: scopes_from.into(),
        findings: findings(&found.findings),
    }
}

fn server(found: &ProbedServer) -> v1::ProbedServer {
    let (way, why) = match &found.choice {
        Ok(choice) => {
            let way = match choice.way {
                Way::DeviceGrant { .. } => v1::Way::Device,
                Way::Code { .. } => v1::Way::Code,
            };
            (way, choice.because.to_string())
        }
        Err(no_way) => (v1::Way::Unspecified, no_way.to_string().trim_start_matches("no way to log in: ").to_owned()),
    };
    let client = match &found.client {
        None | Some(ProbedClient::Unread(_)) => v1::ProbedClient::Unspecified,
        Some(ProbedClient::Configured(_)) => v1::ProbedClient::Configured,
        Some(ProbedClient::MetadataDocument(_)) => v1::ProbedClient::MetadataDocument,
        Some(ProbedClient::Registered(_)) => v1::ProbedClient::Registered,
        Some(ProbedClient::ToBeRegistered(_) | ProbedClient::Later { .. }) => v1::ProbedClient::ToBeRegistered,
        Some(ProbedClient::Missing(_)) => v1::ProbedClient::Missing,
    };
    let client_id = found.client.as_ref().and_then(ProbedClient::client_id);
    v1::ProbedServer {
        issuer: found.metadata.issuer.to_string(),
        endpoints: endpoints(&found.metadata),
        scopes: found.scopes.iter().map(str::to_owned).collect(),
        way: way.into(),
        why,
        client: client.into(),
        client_id: client_id.map(ToString::to_string).unwrap_or_default(),
        client_message: found.client.as_ref().map(ToString::to_string).unwrap_or_default(),
        findings: findings(&found.findings),
    }
}

fn endpoints(metadata: &ServerMetadata) -> Vec<v1::ProbedEndpoint> {
    let all: [(&str, Option<&Endpoint>); 5] = [
        ("device_authorization_endpoint", metadata.device_authorization_endpoint.as_ref()),
        ("authorization_endpoint", metadata.authorization_endpoint.as_ref()),
        ("token_endpoint", Some(&metadata.token_endpoint)),
        ("registration_endpoint", metadata.registration_endpoint.as_ref()),
        ("revocation_endpoint", metadata.revocation_endpoint.as_ref()),
    ];
    let named = all.into_iter().filter_map(|(name, url)| url.map(|url| (name, url)));
    named.map(|(name, url)| v1::ProbedEndpoint { name: name.to_owned(), url: url.to_string() }).collect()
}

fn findings(findings: &[Finding]) -> Vec<v1::ProbeFinding> {
    let told = |finding: &Finding| v1::ProbeFinding { is_breach: finding.is_breach(), message: sentence(&finding.to_string()) };
    findings.iter().map(told).collect()
}

/// What a person does next: adds it, gives it a client, or has the server mended.
fn next_step(probed: &Probed, typed: Typed<'_>) -> String {
    match probed.server.as_ref().map(|server| (&server.choice, &server.client)) {
        Some((Ok(_), Some(ProbedClient::Missing(_)))) => {
            let redirect = RedirectUri::ipv4();
            format!(
                "register mcp-authd there as a native (public) client with the redirect URI {redirect}, then: {}",
                typed.to_add_with_a_client()
            )
        }
        Some((Ok(_), _)) => typed.to_add(),
        Some((Err(NoWay::WishedDevice(_) | NoWay::WishedCode(_)), _)) => {
            format!("{} (without the --flow that is not there)", typed.to_add_in_any_way())
        }
        Some((Err(_), _)) => "ask the server's operator, or describe its endpoints: authctl account add --help".to_owned(),
        None => "ask the operator of the resource, or, where you know the right server: authctl account add --issuer URL \
                 --client-id ID"
            .to_owned(),
    }
}

/// Why nobody could log in: one sentence.
pub(super) fn hopeless(probed: &Probed) -> String {
    match &probed.server {
        Some(ProbedServer { choice: Err(no_way), .. }) => sentence(&no_way.to_string()),
        Some(ProbedServer { client: Some(ProbedClient::Missing(AskForClient { issuer, why })), .. }) => {
            sentence(&format!("the authorization server {issuer} {why}"))
        }
        _ => match probed.passed_over.first() {
            Some(passed) => sentence(&format!("the authorization server {} cannot be used: {}", passed.issuer, passed.why)),
            None => "No authorization server can be used.".to_owned(),
        },
    }
}

/// Why nothing is known, where this was typed.
pub(super) fn not_probed(why: &NotProbed, typed: Typed<'_>) -> v1::NotProbed {
    let again = typed.again();
    let next_step = match why {
        NotProbed::AnotherUrl(_) => "type the URL as your program has it, beginning with https://".to_owned(),
        NotProbed::AnotherIssuer { named, .. } => match named.first() {
            Some(issuer) => typed.at(issuer),
            None => again,
        },
        NotProbed::Later(later) => match later.retry_after() {
            Some(wait) => format!("{again} (in {} s)", wait.as_secs()),
            None => format!("{again} (when it can be reached)"),
        },
        NotProbed::Operator(_) => "ask the operator of the server; what it publishes must not be used".to_owned(),
    };
    v1::NotProbed { message: sentence(&why.to_string()), next_step }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::accounts::probe::{NotNow, PassedOver};
    use crate::config::AccountDraft;
    use mcp_authd_oauth::discovery::DiscoveryError;
    use mcp_authd_oauth::misbehaved::ServerMisbehaved;
    use mcp_authd_oauth::protected_resource::ResourceError;
    use mcp_authd_oauth::terms::Issuer;
    use std::time::Duration;

    const URL: &str = "https://mcp.example/mcp?a=1&b=$(id)";

    #[test]
    fn a_command_to_copy_runs_nothing_that_a_server_or_a_url_has_in_it() {
        let named = vec![Issuer::new("https://as.example/$(id)")];
        let why = NotProbed::AnotherIssuer { chosen: Issuer::new("https://x.example"), named };
        let said = AccountDraft { issuer: "https://x.example".to_owned(), name: "work".to_owned(), ..AccountDraft::default() };
        assert_eq!(
            not_probed(&why, Typed::add("https://mcp.example", &said)).next_step,
            "authctl account add work https://mcp.example --issuer 'https://as.example/$(id)'"
        );
    }

    #[test]
    fn each_end_says_what_to_do_next() {
        let later = |retry_after| NotProbed::Later(NotNow::Resource(ResourceError::Unavailable { retry_after }));
        for (why, next) in [
            (NotProbed::AnotherUrl(mcp_authd_oauth::endpoint::InvalidEndpoint::NotHttps), "https://"),
            (later(None), "authctl provider check https://mcp.example (when"),
            (later(Some(Duration::from_secs(30))), "https://mcp.example (in 30 s)"),
            (NotProbed::Later(NotNow::TimeOver(Duration::from_secs(30))), "https://mcp.example (when"),
            (NotProbed::Operator(ServerMisbehaved::DuplicateMember), "operator"),
        ] {
            let said = AccountDraft::default();
            let told = not_probed(&why, Typed::check("https://mcp.example", &said));
            assert!(told.next_step.contains(next) && told.message.ends_with('.'), "{told:?}");
        }
    }

    #[test]
    fn where_no_server_can_be_used_the_first_breach_is_the_reason() {
        let why = DiscoveryError::Misbehaved(ServerMisbehaved::MetadataMember("token_endpoint"));
        let passed_over = vec![PassedOver { issuer: Issuer::new("https://as.example"), why }];
        let probed = Probed { url: URL.to_owned(), resource: None, passed_over, server: None };
        let said = AccountDraft::default();
        let told = told(&probed, Typed::check(URL, &said));
        assert!(!told.login_possible && told.server.is_none() && told.next_step.contains("authctl account add --issuer"));
        assert!(
            hopeless(&probed).starts_with("The authorization server https://as.example cannot be used: "),
            "{}",
            hopeless(&probed)
        );
        assert!(told.passed_over[0].message.ends_with("(RFC 8414, section 2)."), "{told:?}");
    }
}
