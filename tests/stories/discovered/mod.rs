//! An MCP server is named by nothing but its URL: the daemon finds the rest, and a program asks by the URL too.

mod checked;
mod moved;
mod nothing_guessed;
mod refused;

use mcp_authd_client::{Client, Need, Request, SignInMode, Token};
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::plain_http::fetch_with_token;
use mcp_authd_tests::programs::{logged_in, program};
use mcp_authd_tests::server::{AuthorizationServer, Challenge, MetadataPlace, Protected, Registration, Settings, Spoilt};
use serde_json::{Value, json};

use crate::authctl::{Told, authctl};
use crate::logged_in::used;

const CLIENT: &str = "mcp-authd-tests";

/// A server whose resource says this about itself.
fn protected(protected: Protected) -> AuthorizationServer {
    AuthorizationServer::start(Settings { protected, ..Settings::default() })
}

/// A server with this in its metadata, beside what it has.
fn with_metadata(answers: Vec<Spoilt>) -> AuthorizationServer {
    AuthorizationServer::start(Settings { metadata_answers: answers, ..Settings::default() })
}

pub(crate) async fn add(daemon: &Daemon, url: &str, more: &[&str]) -> Told {
    authctl(daemon, &[&["account", "add", url][..], more].concat()).await
}

pub(crate) async fn added(daemon: &Daemon, url: &str, more: &[&str]) -> Value {
    let told = add(daemon, url, &[more, &["--json"]].concat()).await;
    assert_eq!(told.code, Some(0), "{told:?}");
    serde_json::from_str(&told.out).unwrap()
}

/// What a person reads, whatever the width of the page.
pub(crate) fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(crate) fn file(daemon: &Daemon) -> String {
    std::fs::read_to_string(daemon.dirs().config_file()).unwrap()
}

/// Asks for the token of a resource as a program does that knows nothing but its URL.
async fn token_for(program: &Client, resource: &str) -> Token {
    used(program.token(Request::new(Need::resource(resource)).sign_in(SignInMode::Never)).await.unwrap())
}

#[tokio::test]
async fn a_url_in_and_a_token_out_wherever_the_resource_says_what_it_is() {
    let everywhere = [
        (vec![MetadataPlace::WithPath], Challenge::NamesMetadata),
        (vec![MetadataPlace::WithPath], Challenge::Bare),
        (vec![MetadataPlace::AtRoot], Challenge::Bare),
        (vec![MetadataPlace::AtRoot], Challenge::Missing),
        (vec![MetadataPlace::Elsewhere], Challenge::NamesMetadata),
        (vec![], Challenge::Bare),
    ];
    for (metadata, challenge) in everywhere {
        // given an MCP server of whom a person knows the URL, and a client_id there
        let server = protected(Protected { metadata: metadata.clone(), challenge, ..Protected::default() });
        let url = server.resource();
        let daemon = Daemon::start(Config::new()).await;

        // when it is added by that, and logged in to
        let answer = added(&daemon, &url, &["--client-id", CLIENT]).await;
        assert_eq!(
            (&answer["outcome"], &answer["account"]["issuer"]),
            (&json!("added"), &json!(server.issuer())),
            "{metadata:?}"
        );
        let name = answer["account"]["name"].as_str().unwrap();
        assert_eq!((name, &answer["next_step"]), ("127.0.0.1", &json!("authctl login 127.0.0.1")), "named after its host");
        logged_in(&daemon, name).await;

        // then a program that knows the URL has a token that the MCP server takes, and the server was told what it is for
        let token = token_for(&program(&daemon), &url).await;
        let served = fetch_with_token(&url, token.expose()).await.unwrap();
        assert_eq!(served.status, 200, "{metadata:?}: {served:?}");
        let told: Vec<_> = server.log().into_iter().filter(|request| request.client_id.is_some()).collect();
        assert!(told.len() >= 2 && told.iter().all(|request| request.resource.as_deref() == Some(url.as_str())), "{told:#?}");
        assert_eq!(server.counts().grants_started, 1);
    }
}

#[tokio::test]
async fn nothing_but_the_url_is_needed_where_the_server_registers_clients() {
    // given a server that registers whoever asks, and what it says about scopes in its challenge
    let says = Protected { challenge_scope: Some("mcp:read".into()), scopes: vec!["mcp:all".into()], ..Protected::default() };
    let settings = Settings { registration: Registration::Open, protected: says, ..Settings::default() };
    let server = AuthorizationServer::start(settings);
    let daemon = Daemon::start(Config::new()).await;

    // when an account is added by its URL, nothing is registered yet
    let answer = added(&daemon, &server.resource(), &[]).await;
    assert_eq!(answer["found"]["server"]["client"], "to_be_registered");
    assert!(!file(&daemon).contains("client_id"), "{}", file(&daemon));
    assert!(!server.log().iter().any(|request| request.path == "/register"), "a look registers nobody");

    // then its login registers one client, and asks for what the challenge has said
    logged_in(&daemon, "127.0.0.1").await;
    token_for(&program(&daemon), &server.resource()).await;
    let login = server.log().into_iter().find(|request| request.path == "/device_authorization").unwrap();
    assert_eq!((login.client_id.as_deref(), login.scope.as_deref()), (Some("registered-1"), Some("mcp:read")));
    assert_eq!(server.log().iter().filter(|request| request.path == "/register").count(), 1);

    // and another look finds the client that is kept
    let checked = authctl(&daemon, &["provider", "check", &server.resource(), "--json"]).await;
    let checked: Value = serde_json::from_str(&checked.out).unwrap();
    assert_eq!((&checked["server"]["client"], &checked["server"]["client_id"]), (&json!("registered"), &json!("registered-1")));
}

#[tokio::test]
async fn the_scopes_are_those_of_the_challenge_then_those_of_the_metadata_then_none() {
    let challenge = || Some("mcp:read".to_owned());
    let listed = || vec!["mcp:all".to_owned(), "mcp:read".to_owned()];
    let offline = || vec![Spoilt::With("scopes_supported", json!(["offline_access"]))];
    for (scope, scopes, metadata_answers, expected) in [
        (challenge(), listed(), vec![], "scopes = [\"mcp:read\"]"),
        (challenge(), listed(), offline(), "scopes = [\"mcp:read\", \"offline_access\"]"),
        (None, listed(), vec![], "scopes = [\"mcp:all\", \"mcp:read\"]"),
        (None, vec![], offline(), ""),
    ] {
        let says = Protected { challenge_scope: scope, scopes, ..Protected::default() };
        let server = AuthorizationServer::start(Settings { protected: says, metadata_answers, ..Settings::default() });
        let daemon = Daemon::start(Config::new()).await;
        added(&daemon, &server.resource(), &["--client-id", CLIENT]).await;
        assert!(file(&daemon).contains(expected), "{expected} is not in {}", file(&daemon));
        assert_eq!(file(&daemon).contains("scopes"), !expected.is_empty(), "{}", file(&daemon));
        // What the person has said stands.
        let other = Daemon::start(Config::new()).await;
        added(&other, &server.resource(), &["--client-id", CLIENT, "--scope", "own"]).await;
        assert!(file(&other).contains("scopes = [\"own\"]"), "{}", file(&other));
    }
}

#[tokio::test]
async fn the_published_resource_is_kept_byte_for_byte_and_doing_it_twice_does_nothing() {
    // given a resource that is published as its origin, which is wider than what the person types
    let server = AuthorizationServer::start(Settings::default());
    let origin = server.resource().strip_suffix("/resource").unwrap().to_owned();
    server.change(|settings| settings.protected.answers = vec![Spoilt::With("resource", json!(format!("{origin}/")))]);
    let daemon = Daemon::start(Config::new()).await;
    let url = server.resource();

    added(&daemon, &url, &["work", "--client-id", CLIENT]).await;
    let written = file(&daemon);
    assert!(written.contains(&format!("resource = \"{origin}/\"\n")), "{written}");
    for again in
        [added(&daemon, &url, &["--client-id", CLIENT]).await, added(&daemon, &url, &["work", "--client-id", CLIENT]).await]
    {
        assert_eq!((&again["outcome"], &again["account"]["name"]), (&json!("present"), &json!("work")));
    }
    // A program that knows nothing but the URL has the token of the resource around it.
    logged_in(&daemon, "work").await;
    token_for(&program(&daemon), &url).await;
    // By the very resource it is known although nobody answers.
    server.go_down().await;
    assert_eq!(added(&daemon, &format!("{origin}/"), &[]).await["outcome"], "present");
    assert_eq!(file(&daemon), written);
}

#[tokio::test]
async fn a_resource_that_moves_to_another_server_is_told_and_takes_nothing_of_the_first_one_there() {
    // given an account at a server that registers clients, logged in
    let open = || Settings { registration: Registration::Open, ..Settings::default() };
    let (first, second) = (AuthorizationServer::start(open()), AuthorizationServer::start(open()));
    let daemon = Daemon::start(Config::new()).await;
    let url = first.resource();
    added(&daemon, &url, &["work"]).await;
    logged_in(&daemon, "work").await;
    let before = file(&daemon);

    // when its resource names another server, and it is added once more, then that is told, and nothing is done
    first.change(|settings| settings.protected.answers = vec![Spoilt::With("authorization_servers", json!([second.issuer()]))]);
    let told = add(&daemon, &url, &[]).await;
    let next = format!("authctl account remove work, then: authctl account add {url} work");
    told.assert_refused(1, &next);
    let said = format!("its resource names another one now: {}.", second.issuer());
    assert!(words(&told.err).contains(&said), "{told:?}");
    assert_eq!(file(&daemon), before);
    assert!(used(program(&daemon).token(Need::account("work")).await.unwrap()).expose().starts_with("SNTL_AT_"));

    // and who names the first server themselves has said that it is right
    assert_eq!(added(&daemon, &url, &["--issuer", first.issuer()]).await["outcome"], "present");

    // and when the person does what was told, then it is another client of another server
    authctl(&daemon, &["account", "remove", "work", "--yes"]).await;
    added(&daemon, &url, &["work"]).await;
    logged_in(&daemon, "work").await;
    assert!(file(&daemon).contains(second.issuer()), "{}", file(&daemon));
    let asked = second.log();
    assert_eq!(asked.iter().filter(|request| request.path == "/register").count(), 1, "{asked:#?}");
    assert_eq!((first.counts().grants_started, second.counts().grants_started), (1, 1));
}

#[tokio::test]
async fn an_account_whose_server_has_no_issuer_never_moves() {
    let server = AuthorizationServer::start(Settings::default());
    let endpoints = (server.device_authorization_endpoint(), server.token_endpoint());
    let account = Account::at_endpoints("work", &endpoints.0, &endpoints.1).resource(&server.resource());
    let daemon = Daemon::start(Config::new().account(account)).await;
    let answer = added(&daemon, &server.resource(), &[]).await;
    assert_eq!((&answer["outcome"], &answer["account"]["name"]), (&json!("present"), &json!("work")));
}

#[tokio::test]
async fn of_several_servers_the_first_that_works_is_taken_or_the_one_that_is_chosen() {
    // given a resource that names a broken server, and then two good ones
    let (broken, first, second) = (
        with_metadata(vec![Spoilt::With("issuer", json!("https://evil.example"))]),
        AuthorizationServer::start(Settings::default()),
        AuthorizationServer::start(Settings::default()),
    );
    let named = json!([broken.issuer(), first.issuer(), second.issuer()]);
    let server = protected(Protected { answers: vec![Spoilt::With("authorization_servers", named)], ..Protected::default() });
    let daemon = Daemon::start(Config::new()).await;
    let url = server.resource();

    let answer = added(&daemon, &url, &["--client-id", CLIENT]).await;
    assert_eq!(answer["account"]["issuer"], first.issuer());
    assert!(answer["found"]["passed_over"][0]["message"].as_str().unwrap().contains("(RFC 8414, 3.3)"), "{answer}");
    let other = Daemon::start(Config::new()).await;
    let answer = added(&other, &url, &["--client-id", CLIENT, "--issuer", second.issuer()]).await;
    assert_eq!(answer["account"]["issuer"], second.issuer());
}
