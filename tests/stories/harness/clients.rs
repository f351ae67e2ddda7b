//! The server knows its clients: who must show a secret is served with the right one, shown the right way, and not otherwise.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mcp_authd_tests::plain_http::{Answered, post_form, post_form_as};
use mcp_authd_tests::server::{AuthorizationServer, ClientMethod, ConfidentialClient, Settings};

const SECRET: &str = "SNTL_CS_a b%:+";

fn server(method: ClientMethod) -> AuthorizationServer {
    let client = ConfidentialClient { client_id: "kept:1".to_owned(), client_secret: SECRET.to_owned(), method };
    AuthorizationServer::start(Settings { clients: vec![client], ..Settings::default() })
}

fn endpoints(server: &AuthorizationServer) -> [String; 3] {
    [server.device_authorization_endpoint(), server.token_endpoint(), server.revocation_endpoint()]
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

fn is_refused(answer: &Answered) -> bool {
    (answer.status, answer.member("error").as_str()) == (401, "invalid_client")
}

#[tokio::test]
async fn a_client_with_a_secret_is_refused_without_it_with_another_one_and_with_the_other_method() {
    for (method, wrong) in [
        (ClientMethod::Basic, [None, Some(basic("kept%3A1:SNTL_CS_x")), Some(basic("kept:1:SNTL_CS_a b%:+"))]),
        (ClientMethod::Post, [None, Some(basic("kept%3A1:SNTL_CS_a+b%25%3A%2B")), None]),
    ] {
        let server = server(method);
        for endpoint in endpoints(&server) {
            for header in &wrong {
                let answer = match header {
                    Some(header) => post_form_as(header, &endpoint, &[]).await.unwrap(),
                    None => post_form(&endpoint, &[("client_id", "kept:1")]).await.unwrap(),
                };
                assert!(is_refused(&answer), "{method:?} {endpoint} {header:?}: {}", answer.text());
            }
        }
        assert_eq!(server.counts().clients_refused, 9);
    }
    let server = server(ClientMethod::Basic);
    let in_body = [("client_id", "kept:1"), ("client_secret", SECRET)];
    assert!(is_refused(&post_form(&server.token_endpoint(), &in_body).await.unwrap()));
    let both = post_form_as(&basic("kept%3A1:SNTL_CS_a+b%25%3A%2B"), &server.token_endpoint(), &in_body).await.unwrap();
    assert_eq!((both.status, both.member("error").as_str()), (400, "invalid_request"));
}

#[tokio::test]
async fn a_client_with_its_secret_is_served_and_one_without_is_not_asked_for_any() {
    let scope = ("scope", "mcp:read");
    let encoded = server(ClientMethod::Basic);
    let header = basic("kept%3A1:SNTL_CS_a+b%25%3A%2B");
    let served = post_form_as(&header, &encoded.device_authorization_endpoint(), &[scope]).await.unwrap();
    assert!(served.member("device_code").starts_with("SNTL_DC_"), "{}", served.text());
    assert_eq!(encoded.pending()[0].client_id, "kept:1");

    let posted = server(ClientMethod::Post);
    let form = [("client_id", "kept:1"), ("client_secret", SECRET), scope];
    assert_eq!(post_form(&posted.device_authorization_endpoint(), &form).await.unwrap().status, 200);
    assert_eq!(post_form(&posted.device_authorization_endpoint(), &[("client_id", "guest"), scope]).await.unwrap().status, 200);
    let boastful = [("client_id", "guest"), ("client_secret", SECRET)];
    assert!(is_refused(&post_form(&posted.device_authorization_endpoint(), &boastful).await.unwrap()));
}
