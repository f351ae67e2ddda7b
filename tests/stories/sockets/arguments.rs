//! Wrong arguments are the caller's mistake and nobody else's; what every gRPC tool asks is answered (DESIGN, section 4).

use mcp_authd_client::{CallError, Client, Need, Reason};
use mcp_authd_proto::v1;
use mcp_authd_proto::v1::tokens_client::TokensClient;
use mcp_authd_tests::daemon::Daemon;
use mcp_authd_tests::programs::program;
use mcp_authd_tests::server::Settings;
use tonic::Code;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use crate::logged_in::{logged_in_at, look, refused, used};
use mcp_authd_tests::bare::channel;

fn seconds(seconds: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos: 0 })
}

#[tokio::test]
async fn wrong_arguments_are_named_and_the_daemon_lives() {
    let (server, daemon, token) = logged_in_at(Settings::default()).await;
    let mut tokens = TokensClient::new(channel(daemon.tokens_socket()).await);
    let asks = |need: v1::Need| v1::GetTokenRequest { need: Some(need), ..v1::GetTokenRequest::default() };
    let account = |name: &str| v1::Need { target: Some(v1::need::Target::Account(name.to_owned())), ..v1::Need::default() };
    let scoped = |scope: &str| v1::Need { scopes: vec![scope.to_owned()], ..v1::Need::default() };
    let wrong = [
        ("a hash of 31 bytes", v1::GetTokenRequest { rejected_sha256: vec![7; 31], ..asks(account("work")) }, "rejected_sha256"),
        ("a hash of 33 bytes", v1::GetTokenRequest { rejected_sha256: vec![7; 33], ..asks(account("work")) }, "rejected_sha256"),
        ("a negative wait", v1::GetTokenRequest { max_wait: seconds(-1), ..asks(account("work")) }, "max_wait"),
        ("a negative validity", asks(v1::Need { min_validity: seconds(-1), ..account("work") }), "min_validity"),
        ("an unheard-of mode", v1::GetTokenRequest { sign_in: 99, ..asks(account("work")) }, "sign_in"),
        ("a scope with a space", asks(scoped("mcp:read mcp:write")), "scopes"),
        ("an empty scope", asks(scoped("")), "scopes"),
        ("a scope with a line break", asks(scoped("a\nb")), "scopes"),
        ("a thousand scopes", asks(v1::Need { scopes: vec!["a".to_owned(); 1000], ..v1::Need::default() }), "scopes"),
        ("an empty account", asks(account("")), "account"),
        ("an account with an escape", asks(account("\u{1b}[2J")), "account"),
        ("an account of 100,000 bytes", asks(account(&"a".repeat(100_000))), "account"),
    ];
    for (case, request, word) in wrong {
        let status = tokens.get_token(request).await.expect_err(case);
        assert_eq!(status.code(), Code::InvalidArgument, "{case}: {status}");
        assert!(status.message().contains(word), "{case}: {status}");
    }
    // Too large for a message at all (B26).
    let huge = tokens.get_token(asks(account(&"a".repeat(200_000)))).await.unwrap_err();
    assert!(matches!(huge.code(), Code::OutOfRange | Code::ResourceExhausted), "{huge}");

    // An account that is not there is no mistake of this kind: it is an answer, with what to type.
    let refusal = refused(look(&program(&daemon), "nobody-has-this-name").await);
    assert_eq!(refusal.reason, Reason::NoSuchAccount);
    assert_eq!(used(look(&program(&daemon), "work").await).sha256(), token.sha256());
    assert_eq!((server.counts().refreshes, server.counts().device_authorizations), (0, 1), "and none of it reached the server");
    assert!(!daemon.logs().contains("panicked"));
}

#[tokio::test]
async fn the_library_tells_the_daemons_words_about_a_wrong_argument() {
    let (_server, daemon, _token) = logged_in_at(Settings::default()).await;
    let error = program(&daemon).token(Need::account("work").scope("a b")).await.unwrap_err();
    assert!(matches!(&error, CallError::Refused { message } if message.contains("scope-tokens")), "{error:?}");
    assert!(error.to_string().ends_with("authctl status"), "{error}");
}

#[tokio::test]
async fn health_and_reflection_answer_and_an_unknown_method_is_named_as_one() {
    let (_server, daemon, _token) = logged_in_at(Settings::default()).await;
    for (socket, service) in [(daemon.tokens_socket(), "authd.v1.Tokens"), (daemon.admin_socket(), "authd.v1.Admin")] {
        let channel = channel(socket).await;
        for service in ["", service] {
            let request = HealthCheckRequest { service: service.to_owned() };
            let health = HealthClient::new(channel.clone()).check(request).await.unwrap().into_inner();
            assert_eq!(health.status().as_str_name(), "SERVING", "{service:?}");
        }
        let listed = reflected(&channel, MessageRequest::ListServices(String::new())).await;
        let Some(MessageResponse::ListServicesResponse(services)) = listed.message_response else { panic!("{listed:?}") };
        assert!(services.service.iter().any(|listed| listed.name == service), "{services:?}");
        let described = reflected(&channel, MessageRequest::FileContainingSymbol(service.to_owned())).await;
        assert!(matches!(described.message_response, Some(MessageResponse::FileDescriptorResponse(_))), "{described:?}");
    }
    // The person's methods are not there for programs (P12).
    let at_the_wrong_door = v1::admin_client::AdminClient::new(channel(daemon.tokens_socket()).await)
        .status(v1::StatusRequest::default())
        .await
        .unwrap_err();
    assert_eq!(at_the_wrong_door.code(), Code::Unimplemented);
    assert_eq!(asks_at_the_admin_socket(&daemon).await.code(), Code::Unimplemented);
}

async fn reflected(channel: &Channel, request: MessageRequest) -> ServerReflectionResponse {
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(request) };
    let mut client = ServerReflectionClient::new(channel.clone());
    let mut answers = client.server_reflection_info(tokio_stream::once(request)).await.unwrap().into_inner();
    answers.message().await.unwrap().unwrap()
}

async fn asks_at_the_admin_socket(daemon: &Daemon) -> tonic::Status {
    let mut tokens = TokensClient::new(channel(daemon.admin_socket()).await);
    tokens.get_token(v1::GetTokenRequest::default()).await.unwrap_err()
}

#[tokio::test]
async fn a_program_that_names_no_account_gets_the_only_one_and_among_two_is_told_their_names() {
    let (_server, daemon, token) = logged_in_at(Settings::default()).await;
    let only = used(program(&daemon).token(Need::only_account()).await.unwrap());
    assert_eq!(only.sha256(), token.sha256());

    let two = mcp_authd_tests::daemon::Config::new()
        .account(mcp_authd_tests::daemon::Account::at("home", "http://127.0.0.1:1/"))
        .account(mcp_authd_tests::daemon::Account::at("work", "http://127.0.0.1:1/"));
    let daemon = Daemon::start(two).await;
    let client: Client = program(&daemon);
    let refusal = refused(client.token(Need::only_account()).await.unwrap());
    assert_eq!(refusal.reason, Reason::Ambiguous);
    assert!(refusal.message.contains("home") && refusal.message.contains("work"), "{refusal:?}");
}
