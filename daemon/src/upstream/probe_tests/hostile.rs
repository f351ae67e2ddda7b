//! Servers that want a request where none may go: on this machine, on a private network, at another origin (P14, P21; D1-D5, D9).

use mcp_authd_oauth::discovery::DiscoveryError;
use mcp_authd_oauth::misbehaved::ServerMisbehaved;
use serde_json::json;

use super::*;

/// As addresses are written to slip through.
const NEAR: [&str; 12] = [
    "127.0.0.1",
    "10.0.0.1",
    "169.254.169.254",
    "[::ffff:127.0.0.1]",
    "[::1]",
    "192.168.0.1",
    "2130706433",
    "0x7f.1",
    "localhost",
    "[::ffff:10.0.0.1]",
    "[fd00::1]",
    "0.0.0.0",
];

/// No request has left for anybody but the servers that the person's URL stands for.
fn assert_only_public(web: &Web) {
    for asked in web.asked() {
        let public = ["https://mcp.example/", "https://as.example/"].iter().any(|host| asked.contains(host));
        assert!(public, "{asked}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_challenge_that_points_at_a_near_address_is_not_followed_and_the_breach_is_told() {
    for near in NEAR {
        for scheme in ["https", "http"] {
            let web = Web::protected();
            web.challenge(&format!("Bearer resource_metadata=\"{scheme}://{near}/prm\""));
            let probed = web.probe(MCP).await.unwrap();
            let resource = probed.resource.as_ref().unwrap();
            let told = |finding: &Finding| matches!(finding, Finding::Broken(ServerMisbehaved::ChallengeUrl(_)));
            assert!(resource.findings.iter().any(told), "{near}: {resource:?}");
            assert!(matches!(resource.found_at, FoundAt::WellKnown(_)));
            assert_only_public(&web);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_authorization_server_at_a_near_address_is_no_server_and_the_next_one_is_taken() {
    for near in NEAR {
        let web = Web::protected();
        let named = json!([format!("https://{near}"), "file:///etc/passwd", "javascript:alert(1)", AS]);
        web.answers(PRM, 200, &document(&json!({ "authorization_servers": named })));
        let probed = web.probe(MCP).await.unwrap();
        assert_eq!(found(&probed).metadata.issuer.as_str(), AS, "{near}");
        let broken = |finding: &&Finding| matches!(finding, Finding::Broken(ServerMisbehaved::AuthorizationServer(_)));
        assert_eq!(probed.resource.as_ref().unwrap().findings.iter().filter(broken).count(), 3, "{near}");
        assert_only_public(&web);

        // and where it is the only one, there is none
        web.answers(PRM, 200, &document(&json!({ "authorization_servers": [format!("https://{near}")] })));
        let alone = web.probe(MCP).await;
        assert!(matches!(alone, Err(NotProbed::Operator(ServerMisbehaved::AuthorizationServer(_)))), "{near}: {alone:?}");
        assert_only_public(&web);
    }
}

#[tokio::test(start_paused = true)]
async fn endpoints_at_a_near_address_make_no_server() {
    for near in NEAR {
        for member in ["token_endpoint", "authorization_endpoint", "device_authorization_endpoint", "registration_endpoint"] {
            let web = Web::protected();
            let mut metadata: serde_json::Value = serde_json::from_str(&server(AS, &[])).unwrap();
            metadata.as_object_mut().unwrap().insert(member.to_owned(), json!(format!("https://{near}/x")));
            web.answers(AS_METADATA, 200, &metadata.to_string());
            let probed = web.probe(MCP).await.unwrap();
            assert!(probed.server.is_none() && !probed.login_is_possible(), "{near} {member}: {probed:?}");
            let why = &probed.passed_over[0].why;
            assert!(matches!(why, DiscoveryError::Misbehaved(ServerMisbehaved::MetadataEndpoint { .. })), "{why:?}");
            assert!(why.to_string().contains("(RFC 8414, section 2)"), "{why}");
            assert_only_public(&web);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_no_login_needs_is_left_out_where_it_is_near_and_told() {
    let web = Web::protected();
    web.answers(AS_METADATA, 200, &server(AS, &[]).replacen('{', "{\"userinfo_endpoint\":\"https://10.0.0.1/me\",", 1));
    let probed = web.probe(MCP).await.unwrap();
    assert!(probed.login_is_possible());
    assert!(found(&probed).findings.iter().any(|finding| matches!(finding, Finding::Broken(_))), "{probed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_document_about_another_origin_or_issuer_counts_for_nothing() {
    let web = Web::protected();
    for other in
        ["https://evil.example/mcp", "https://mcp.example.evil/mcp", "https://mcp.example:8443/mcp", "http://mcp.example/mcp"]
    {
        web.answers(PRM, 200, &document(&json!({ "resource": other })));
        let probed = web.probe(MCP).await;
        assert!(matches!(probed, Err(NotProbed::Operator(ServerMisbehaved::ResourceMismatch { .. }))), "{other}: {probed:?}");
    }
    let web = Web::protected();
    web.answers(AS_METADATA, 200, &server("https://evil.example", &[]));
    let probed = web.probe(MCP).await.unwrap();
    assert!(probed.server.is_none());
    let why = &probed.passed_over[0].why;
    assert!(matches!(why, DiscoveryError::Misbehaved(ServerMisbehaved::IssuerMismatch { .. })), "{why:?}");
    assert_only_public(&web);
}

#[tokio::test(start_paused = true)]
async fn a_web_page_in_the_place_of_a_document_is_no_answer_and_no_other_server_is_asked() {
    let page = "<!doctype html><p>Log in to the network";
    let web = Web::protected();
    web.answers(PRM, 200, page);
    assert!(matches!(web.probe(MCP).await, Err(NotProbed::Later(NotNow::Resource(_)))));
    let web = Web::protected();
    web.answers(AS_METADATA, 200, page);
    assert!(matches!(web.probe(MCP).await, Err(NotProbed::Later(NotNow::Server { .. }))));
}

#[tokio::test(start_paused = true)]
async fn many_servers_that_lead_on_are_not_all_looked_at() {
    let web = Web::protected();
    let many: Vec<String> = (0..16).map(|number| format!("https://as{number}.example")).collect();
    web.answers(PRM, 200, &document(&json!({ "authorization_servers": many })));
    let probed = web.probe(MCP).await.unwrap();
    assert!(probed.server.is_none() && probed.passed_over.len() == 4, "{probed:?}");
    assert!(web.asked().len() <= 2 + 4 * 3);
}

#[tokio::test(start_paused = true)]
async fn what_a_server_writes_into_its_names_cannot_steer_a_terminal() {
    let web = Web::protected();
    web.answers(PRM, 200, &document(&json!({ "resource": "https://evil.example/\u{1b}[2J\u{202e}" })));
    let Err(why) = web.probe(MCP).await else { panic!("P14") };
    assert!(!why.to_string().contains(['\u{1b}', '\u{202e}']), "{why:?}");
}
