//! A resource's URL in, its authorization server out: the flows of discovery over real sockets on loopback.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use mcp_authd_oauth::discovery::Discovery;
use mcp_authd_oauth::protected_resource::{FoundAt, ProtectedResource, ResourceDiscovery, ResourceError};
use mcp_authd_oauth::terms::{Resource, Scopes};
use mcp_authd_oauth::way::{Because, BeginsAt, NoDevice, Way, Wishes, choose};

use super::drive::drive;
use super::scripted::{Act, Scripted};
use super::transport::{HttpTransport, Limits};
use crate::host::clock::Clock;

fn transport() -> HttpTransport {
    HttpTransport::with(Limits::STANDARD, vec![])
}

async fn discover(typed: &str) -> Result<ProtectedResource, ResourceError> {
    let flow = ResourceDiscovery::new(Resource::new(typed));
    drive(flow, &transport(), &Clock::system(), |never| match never {}).await
}

fn lines(server: &Scripted) -> Vec<String> {
    server.received().iter().map(|request| request.lines().next().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn a_url_leads_to_its_authorization_server_and_to_a_way_to_log_in() {
    // given an authorization server with a code grant, and an MCP server of 2026 that is protected by it
    let issuing = Scripted::plain([]).await;
    let issuer = issuing.url("");
    let document = format!(
        "{{\"issuer\":\"{issuer}\",\"token_endpoint\":\"{issuer}/token\",\"authorization_endpoint\":\"{issuer}/authorize\",\
         \"code_challenge_methods_supported\":[\"S256\"]}}"
    );
    issuing.then([Act::answer(404, "", ""), Act::answer(200, "Content-Type: application/json\r\n", &document)]);
    let protected = Scripted::plain([]).await;
    let (typed, elsewhere) = (protected.url("/mcp"), protected.url("/prm.json"));
    let challenge = format!(
        "WWW-Authenticate: Basic realm=\"x\"\r\nWWW-Authenticate: Bearer resource_metadata=\"{elsewhere}\", scope=\"a b\"\r\n"
    );
    let metadata = format!("{{\"resource\":\"{typed}\",\"authorization_servers\":[\"{issuer}\"]}}");
    protected.then([Act::answer(405, "", ""), Act::answer(401, &challenge, "{}"), Act::answer(200, "", &metadata)]);

    // when it is discovered by nothing but its URL
    let found = discover(&typed).await.unwrap();
    let [named] = found.authorization_servers.as_slice() else { panic!("{found:?}") };
    let server = drive(Discovery::new(named.clone()), &transport(), &Clock::system(), |never| match never {}).await.unwrap();
    let choice = choose(BeginsAt::of(&server), Some(&server), Wishes::default()).unwrap();

    // then everything that a login needs is known, and each place was asked once
    assert_eq!((found.resource.as_str(), found.scopes.scopes()), (typed.as_str(), Scopes::parse("a b")));
    assert!(matches!(&found.found_at, FoundAt::NamedByChallenge(place) if place.as_str() == elsewhere));
    assert_eq!(choice.because, Because::CodeIsLeft(NoDevice::NoEndpoint));
    let Way::Code { authorization_endpoint, .. } = choice.way else { panic!("{choice:?}") };
    assert_eq!(authorization_endpoint.as_str(), format!("{issuer}/authorize"));
    assert_eq!(lines(&protected), ["GET /mcp HTTP/1.1", "POST /mcp HTTP/1.1", "GET /prm.json HTTP/1.1"]);
    assert_eq!(
        lines(&issuing),
        ["GET /.well-known/oauth-authorization-server HTTP/1.1", "GET /.well-known/openid-configuration HTTP/1.1"]
    );
}

#[tokio::test]
async fn a_redirect_to_another_origin_is_not_followed_wherever_it_comes() {
    let evil = Scripted::plain([]).await;
    let away = || Act::redirect(302, &evil.url("/prm"));
    let server = Scripted::plain([away(), away(), away()]).await;
    assert!(matches!(discover(&server.url("/mcp")).await, Err(ResourceError::Misbehaved(_))));
    assert_eq!((server.received().len(), evil.received().len()), (3, 0));
}
