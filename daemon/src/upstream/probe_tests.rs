//! A URL in, everything that a person wants to know of it out; and whatever the servers say, no request goes where none may.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod configured;
mod hostile;
mod web;

use std::collections::BTreeSet;
use std::time::Duration;

use mcp_authd_oauth::discovery::DiscoveryError;
use mcp_authd_oauth::finding::Finding;
use mcp_authd_oauth::http::NothingSent;
use mcp_authd_oauth::misbehaved::ServerMisbehaved;
use mcp_authd_oauth::protected_resource::{FoundAt, ResourceError, ScopesToAsk};
use mcp_authd_oauth::registration::{
    ClientIdUrl, GrantType, RedirectUri, RegisteredClient, Registration, SecretExpires, Standing, WhyAsk, WhyRegister,
};
use mcp_authd_oauth::secret::ClientSecret;
use mcp_authd_oauth::terms::{ClientId, Issuer, Scopes, TokenEndpointAuthMethod};
use mcp_authd_oauth::time::WallTime;
use mcp_authd_oauth::way::{Because, Choice, FlowWish, NoWay, Way};
use serde_json::json;

use crate::accounts::probe::{NotNow, NotProbed, Probed, ProbedClient, ProbedServer, Question};
use web::{MCP, PRM, Web, document, server, which};

const AS: &str = "https://as.example";
const AS_METADATA: &str = "https://as.example/.well-known/oauth-authorization-server";

fn found(probed: &Probed) -> &ProbedServer {
    probed.server.as_ref().unwrap_or_else(|| panic!("{probed:?}"))
}

fn found_client(probed: &Probed) -> &ProbedClient {
    found(probed).client.as_ref().unwrap()
}

/// A registration that is kept for `AS` and may use these grants.
fn registration(grants: impl IntoIterator<Item = GrantType>) -> Registration {
    Registration {
        issuer: Issuer::new(AS),
        client: RegisteredClient {
            client_id: ClientId::new("kept"),
            client_secret: Some(ClientSecret::new("SNTL_CS_kept")),
            secret_expires: SecretExpires::Never,
            auth_method: TokenEndpointAuthMethod::ClientSecretBasic,
        },
        redirect_uris: vec![RedirectUri::ipv4()],
        grant_types: grants.into_iter().collect::<BTreeSet<_>>(),
        registration_access_token: None,
        registration_client_uri: None,
        registered_at: WallTime::from_millis(0),
        standing: Standing::Good,
        former: Vec::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_url_is_all_that_is_needed_and_each_place_is_asked_once() {
    // given a resource that says in its challenge which scope it wants, and a server with a device grant and offline_access
    let web = Web::protected();
    web.challenge(&format!("Bearer resource_metadata=\"{PRM}\", scope=\"mcp:read\""));
    let probed = web.probe(MCP).await.unwrap();

    let resource = probed.resource.as_ref().unwrap();
    assert_eq!(resource.resource.as_str(), MCP);
    assert!(matches!(&resource.found_at, FoundAt::NamedByChallenge(place) if place.as_str() == PRM));
    assert_eq!(resource.scopes, ScopesToAsk::Challenge(Scopes::parse("mcp:read")));
    let server = found(&probed);
    let Ok(Choice { way: Way::DeviceGrant { endpoint }, because: Because::DeviceAdvertised }) = &server.choice else {
        panic!("{:?}", server.choice)
    };
    assert_eq!(endpoint.as_str(), "https://as.example/device");
    assert_eq!(server.scopes, Scopes::parse("mcp:read offline_access"), "the rule of scopes_to_send");
    assert_eq!(found_client(&probed), &ProbedClient::ToBeRegistered(WhyRegister::NoneKept));
    assert!(probed.login_is_possible() && probed.passed_over.is_empty());
    assert_eq!(web.asked(), [format!("GET {MCP}"), format!("GET {PRM}"), format!("GET {AS_METADATA}")]);
}

#[tokio::test(start_paused = true)]
async fn without_a_device_grant_the_way_is_a_code_and_the_findings_name_their_sections() {
    let web = Web::protected();
    web.answers(AS_METADATA, 200, &server(AS, &["device_authorization_endpoint", "revocation_endpoint"]));
    let probed = web.probe(MCP).await.unwrap();
    let server = found(&probed);
    assert!(matches!(&server.choice, Ok(Choice { way: Way::Code { .. }, because: Because::CodeIsLeft(_) })));
    assert!(server.findings.contains(&Finding::NoDeviceGrant) && server.findings.contains(&Finding::NoRevocation));
    assert!(server.findings.iter().all(|finding| finding.to_string().contains("(RFC ")), "{:?}", server.findings);
}

#[tokio::test(start_paused = true)]
async fn without_any_way_no_client_is_told_and_no_login_is_possible() {
    let web = Web::protected();
    web.answers(AS_METADATA, 200, &server(AS, &["device_authorization_endpoint", "code_challenge_methods_supported"]));
    let probed = web.probe(MCP).await.unwrap();
    assert!(matches!(found(&probed), ProbedServer { choice: Err(NoWay::Neither { .. }), client: None, .. }));
    assert!(!probed.login_is_possible());
}

#[tokio::test(start_paused = true)]
async fn a_document_counts_where_the_server_takes_one_and_a_flow_decides_the_way() {
    let web = Web::protected();
    let documented = ClientIdUrl::parse("https://me.example/client.json").unwrap();
    let mut metadata: serde_json::Value = serde_json::from_str(&server(AS, &["registration_endpoint"])).unwrap();
    metadata["client_id_metadata_document_supported"] = json!(true);
    web.answers(AS_METADATA, 200, &metadata.to_string());
    let asked = Question { document: Some(documented.clone()), flow: Some(FlowWish::Code), ..which(MCP) };
    let probed = web.probe_as(asked).await.unwrap();
    assert_eq!(found_client(&probed), &ProbedClient::MetadataDocument(documented.client_id()));
    assert!(matches!(found(&probed).choice, Ok(Choice { way: Way::Code { .. }, because: Because::Wished(FlowWish::Code) })));
    let without = web.probe(MCP).await.unwrap();
    assert!(matches!(found_client(&without), ProbedClient::Missing(_)));
    assert!(matches!(found(&without).choice, Ok(Choice { way: Way::DeviceGrant { .. }, .. })));
}

#[tokio::test(start_paused = true)]
async fn the_client_is_the_given_one_then_the_kept_one_then_a_new_one_then_a_question_to_the_person() {
    let web = Web::protected();
    let given = Question { client_id: Some(ClientId::new("mine")), ..which(MCP) };
    let probed = web.probe_as(given.clone()).await.unwrap();
    assert_eq!(found_client(&probed), &ProbedClient::Configured(ClientId::new("mine")));

    // kept, and good for the device grant; a kept one that is not good for it is renewed
    for (grant, expected) in [
        (GrantType::DeviceCode, ProbedClient::Registered(ClientId::new("kept"))),
        (
            GrantType::AuthorizationCode,
            ProbedClient::ToBeRegistered(WhyRegister::Renewal(mcp_authd_oauth::registration::Unusable::LacksGrant)),
        ),
    ] {
        web.keeps(registration([grant])).await;
        let probed = web.probe(MCP).await.unwrap();
        assert_eq!(found_client(&probed), &expected);
        assert!(!format!("{probed:?}").contains("SNTL"), "no secret leaves the vault");
        assert!(probed.login_is_possible());
    }

    // nobody registers there
    let web = Web::protected();
    web.answers(AS_METADATA, 200, &server(AS, &["registration_endpoint"]));
    let probed = web.probe(MCP).await.unwrap();
    assert!(matches!(found_client(&probed), ProbedClient::Missing(ask) if ask.why == WhyAsk::NoRegistration), "{probed:?}");
    assert!(!probed.login_is_possible());
    assert!(web.probe_as(given).await.unwrap().login_is_possible());
}

#[tokio::test(start_paused = true)]
async fn of_several_servers_the_first_that_can_be_used_is_taken_and_the_broken_one_is_named() {
    let web = Web::protected();
    let named = json!(["https://broken.example", AS, "https://third.example"]);
    web.answers(PRM, 200, &document(&json!({ "authorization_servers": named })));
    web.answers("https://broken.example/.well-known/oauth-authorization-server", 200, &server("https://evil.example", &[]));
    let probed = web.probe(MCP).await.unwrap();
    assert_eq!(found(&probed).metadata.issuer.as_str(), AS);
    let [passed] = probed.passed_over.as_slice() else { panic!("{probed:?}") };
    assert_eq!(passed.issuer.as_str(), "https://broken.example");
    assert!(passed.why.to_string().contains("(RFC 8414, 3.3)"), "{passed:?}");
    assert!(!web.asked().iter().any(|asked| asked.contains("third")), "no more is asked than is needed");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_may_come_back_is_waited_for_and_no_other_one_is_taken() {
    let web = Web::protected();
    web.answers(PRM, 200, &document(&json!({ "authorization_servers": ["https://busy.example", AS] })));
    web.answers("https://busy.example/.well-known/oauth-authorization-server", 503, "");
    let Err(NotProbed::Later(NotNow::Server { issuer, why })) = web.probe(MCP).await else { panic!("d2") };
    assert_eq!((issuer.as_str(), why), ("https://busy.example", DiscoveryError::Unavailable { retry_after: None }));
    assert!(!web.asked().contains(&format!("GET {AS_METADATA}")));
}

#[tokio::test(start_paused = true)]
async fn a_person_chooses_among_the_servers_that_are_named_and_no_other_one() {
    let web = Web::protected();
    web.answers(PRM, 200, &document(&json!({ "authorization_servers": ["https://first.example", AS] })));
    web.answers("https://first.example/.well-known/oauth-authorization-server", 200, &server("https://first.example", &[]));
    let choosing = |issuer: &str| Question { issuer: Some(Issuer::new(issuer)), ..which(MCP) };
    assert_eq!(found(&web.probe_as(choosing(AS)).await.unwrap()).metadata.issuer.as_str(), AS);
    let other = web.probe_as(choosing("https://other.example")).await;
    assert!(matches!(other, Err(NotProbed::AnotherIssuer { named, .. }) if named.len() == 2));
    assert!(!web.asked().iter().any(|asked| asked.contains("other.example") || asked.contains("first.example")));
}

#[tokio::test(start_paused = true)]
async fn an_issuer_is_told_from_a_resource() {
    for issuer in ["https://as.example", "https://as.example/", "https://as.example/tenant/1"] {
        let web = Web::empty();
        let path = issuer.strip_prefix(AS).unwrap().trim_end_matches('/');
        web.answers(&format!("{AS_METADATA}{path}"), 200, &server(issuer, &[]));
        let probed = web.probe(issuer).await.unwrap();
        assert_eq!((probed.resource.as_ref(), found(&probed).metadata.issuer.as_str()), (None, issuer));
        assert!(found(&probed).scopes.is_empty(), "nobody says what to ask for");
    }
}

#[tokio::test(start_paused = true)]
async fn a_resource_from_before_rfc_9728_has_its_origin_as_its_server_in_either_spelling_with_a_challenge_or_without() {
    for (issuer, challenges) in [
        ("https://mcp.example", true),
        ("https://mcp.example/", true),
        ("https://mcp.example", false),
        ("https://mcp.example/", false),
    ] {
        let web = Web::empty();
        match challenges {
            true => web.challenge("Bearer"),
            false => web.answers(MCP, 401, ""),
        }
        web.answers("https://mcp.example/.well-known/oauth-authorization-server", 200, &server(issuer, &[]));
        let probed = web.probe(MCP).await.unwrap();
        let resource = probed.resource.as_ref().unwrap();
        assert_eq!((resource.resource.as_str(), &resource.found_at), (MCP, &FoundAt::Nowhere));
        assert_eq!(found(&probed).metadata.issuer.as_str(), issuer);
        assert!(probed.passed_over.is_empty(), "the other spelling was nobody's: {probed:?}");
        assert!(resource.findings.contains(&Finding::NoResourceMetadata));
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_asked_is_told_by_what_to_do_next() {
    let web = Web::protected();
    for wrong in ["mcp.example/mcp", "http://mcp.example/mcp", "https://u:p@mcp.example/mcp", "file:///etc/passwd", ""] {
        assert!(matches!(web.probe(wrong).await, Err(NotProbed::AnotherUrl(_))), "{wrong}");
    }
    assert!(web.asked().is_empty(), "nothing is sent for what is no URL");

    let unreachable = NotProbed::Later(NotNow::Resource(ResourceError::Unreachable(NothingSent::NotConnected)));
    assert_eq!(web.probe("https://down.example/mcp").await, Err(unreachable));
    web.answers(PRM, 200, &document(&json!({ "resource": "https://evil.example/mcp" })));
    let Err(NotProbed::Operator(why)) = web.probe(MCP).await else { panic!("P14") };
    assert!(matches!(why, ServerMisbehaved::ResourceMismatch { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_probe_ends_within_half_a_minute_whoever_is_silent() {
    let web = Web::protected();
    web.each_answer_takes(Duration::from_secs(11));
    let Err(NotProbed::Later(NotNow::TimeOver(limit))) = web.probe(MCP).await else { panic!("it went on") };
    assert_eq!(limit, Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_the_person_names_as_such_is_asked_for_nothing_but_its_metadata() {
    let web = Web::protected();
    // It answers everything else with a page, as many do.
    web.answers(AS, 200, "<!doctype html>");
    let question = Question { issuer: Some(Issuer::new(AS)), ..which(AS) };
    let probed = web.probe_as(question).await.unwrap();
    assert!(probed.resource.is_none() && probed.server.is_some(), "{probed:?}");
    assert_eq!(web.asked(), [format!("GET {AS_METADATA}")]);
}
