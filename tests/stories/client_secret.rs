//! Confidential clients (RFC 6749, 2.3.1): a secret that is kept or stands in a file reaches its server and nothing else (I5, P14).
//!
//! Every daemon here logs at trace, and every secret carries the mark: each story so proves that none stands in clear.

use std::time::Duration;

use mcp_authd_client::status::Health;
use mcp_authd_client::{Answer, Client, Need, Reason, Refusal, Token};
use mcp_authd_proto::v1;
use mcp_authd_proto::v1::admin_client::AdminClient;
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{program, tool};
use mcp_authd_tests::server::{AuthorizationServer, ClientMethod, ConfidentialClient, Settings};
use tonic::{Code, Status};

use crate::logged_in::{insist, log_in, look, refused, used};
use crate::written::Written;
use mcp_authd_tests::bare::channel;

const CLIENT: &str = "confidential:1";
/// With characters that RFC 6749, 2.3.1 wants encoded before they go into the header.
const RIGHT: &str = "SNTL_CS_right 100%:+&=/~";
const WRONG: &str = "SNTL_CS_wrong";
const NEWER: &str = "SNTL_CS_newer";

fn server(client_secret: &str, method: ClientMethod) -> AuthorizationServer {
    let client = ConfidentialClient { client_id: CLIENT.to_owned(), client_secret: client_secret.to_owned(), method };
    AuthorizationServer::start(Settings { clients: vec![client], ..Settings::default() })
}

fn takes(server: &AuthorizationServer, client_secret: &str) {
    server.change(|settings| client_secret.clone_into(&mut settings.clients[0].client_secret));
}

fn account(server: &AuthorizationServer) -> Account {
    Account::at("work", server.issuer()).scopes(["mcp:read"]).client_id(CLIENT)
}

async fn daemon_of(account: Account) -> (Daemon, Client) {
    let daemon = Daemon::start(Config::new().account(account)).await;
    let program = program(&daemon);
    (daemon, program)
}

/// What the person's tool says with `authctl account set-secret`; empty: forget it.
async fn give(daemon: &Daemon, client_secret: &str) -> Result<String, Status> {
    let mut admin = AdminClient::new(channel(daemon.admin_socket()).await);
    let request = v1::SetClientSecretRequest { account: "work".to_owned(), client_secret: client_secret.to_owned() };
    let answer = admin.set_client_secret(request).await.map(|answer| answer.into_inner().account);
    if let Err(status) = &answer {
        assert!(!status.message().contains("SNTL"), "the answer tells the secret");
    }
    answer
}

/// A refusal that says what to type: about the configuration, and naming the way to mend it.
fn about_the_secret(refusal: &Refusal, next: &str) {
    assert_eq!(refusal.reason, Reason::Configuration, "{refusal:?}");
    assert!(refusal.next_step.contains(next), "{refusal:?}");
}

/// Reports a token until the daemon has another one, and takes a refusal for the end.
async fn renewed(program: &Client, token: &Token) -> Token {
    let new = used(insist(program, token).await);
    assert_ne!(new.expose(), token.expose());
    new
}

#[tokio::test]
async fn a_client_shows_its_secret_as_configured_at_every_endpoint() {
    let methods = [
        (ClientMethod::Basic, Some("client_secret_basic")),
        (ClientMethod::Post, Some("client_secret_post")),
        // Where nothing is configured: as every server must take it (RFC 6749, 2.3.1).
        (ClientMethod::Basic, None),
    ];
    for (method, configured) in methods {
        // given a client that must show its secret, and a file that holds it
        let (server, file) = (server(RIGHT, method), Written::holding(&format!("{RIGHT}\n")));
        let account = account(&server).client_secret_file(&file.path());
        let account = configured.into_iter().fold(account, Account::token_endpoint_auth_method);
        let (daemon, program) = daemon_of(account).await;

        // when the account is logged in to, refreshed and logged out of
        let token = log_in(&program, &server, "work").await;
        renewed(&program, &token).await;
        tool(&daemon).sign_out(Some("work".to_owned())).await.unwrap();
        let counts = server.wait_for(|counts| counts.revocations_effective == 1).await;

        // then the server has refused nothing, and no secret stood in a URL (D64)
        assert_eq!((counts.clients_refused, counts.secrets_in_urls), (0, 0), "{method:?}");
        assert_eq!((counts.grants_started, counts.refreshes_ok()), (1, 1), "{method:?}");
        counts.assert_no_race_was_lost();
    }
}

#[tokio::test]
async fn a_client_that_needs_a_secret_and_has_none_asks_no_server_and_goes_on_once_it_is_given() {
    // given a client whose secret nobody has told yet
    let server = server(RIGHT, ClientMethod::Post);
    let (daemon, program) = daemon_of(account(&server).token_endpoint_auth_method("client_secret_post")).await;

    // then a program is told what the person must type, and no server is asked
    let refusal = refused(program.token(Need::account("work")).await.unwrap());
    about_the_secret(&refusal, "authctl account set-secret work");
    assert_eq!((server.counts().device_authorizations, server.counts().clients_refused), (0, 0));
    let status = tool(&daemon).status().await.unwrap().accounts.remove(0);
    assert_eq!(status.health, Health::Degraded);
    assert!(status.next_step.unwrap().contains("authctl account set-secret work"));

    // when it is given, then the next call begins the login, in the same daemon
    assert_eq!(give(&daemon, RIGHT).await.unwrap(), "work");
    let token = log_in(&program, &server, "work").await;
    renewed(&program, &token).await;
    assert_eq!(server.counts().clients_refused, 0);
}

#[tokio::test]
async fn a_wrong_secret_ends_nothing_and_the_right_one_is_tried_at_once() {
    // given a secret that the server does not take
    let server = server(RIGHT, ClientMethod::Basic);
    let (daemon, program) = daemon_of(account(&server)).await;
    give(&daemon, WRONG).await.unwrap();
    let refusal = refused(program.token(Need::account("work")).await.unwrap());
    about_the_secret(&refusal, "authctl account set-secret work");
    assert!(refusal.message.contains("invalid_client"), "{refusal:?}");

    // when the right one is given, then the login goes on
    give(&daemon, RIGHT).await.unwrap();
    let token = log_in(&program, &server, "work").await;

    // when the server takes another one from then on, then a refresh is refused, and the grant stays
    takes(&server, NEWER);
    let refusal = refused(insist(&program, &token).await);
    about_the_secret(&refusal, "authctl account set-secret work");
    let refused_once = server.counts().refreshes_ended("invalid_client");
    assert_eq!(refused_once, 1, "what was refused as such is not tried again by itself");

    // and with that one it is refreshed: the same grant, nobody was asked to log in
    give(&daemon, NEWER).await.unwrap();
    renewed(&program, &token).await;
    let counts = server.counts();
    assert_eq!((counts.grants_started, counts.refreshes_ok(), counts.refreshes_ended("invalid_client")), (1, 1, 1));
    counts.assert_no_race_was_lost();
}

#[tokio::test]
async fn a_kept_secret_outlives_a_restart_and_is_gone_when_it_is_forgotten() {
    // given a secret that was given, and a login with it
    let server = server(RIGHT, ClientMethod::Basic);
    let (mut daemon, program) = daemon_of(account(&server).token_endpoint_auth_method("client_secret_basic")).await;
    give(&daemon, RIGHT).await.unwrap();
    let first = log_in(&program, &server, "work").await;

    // when the daemon is started anew, then it shows the same secret; on the disk it stands sealed
    daemon.restart().await;
    let again = self::program(&daemon);
    let second = renewed(&again, &first).await;
    daemon.assert_no_secret_in_clear();

    // when it is forgotten, then nothing more is sent, and the present token serves on
    daemon.restart().await;
    let again = self::program(&daemon);
    give(&daemon, "").await.unwrap();
    let refusal = refused(insist(&again, &second).await);
    about_the_secret(&refusal, "authctl account set-secret work");
    assert_eq!(used(look(&again, "work").await).expose(), second.expose());
    assert_eq!((server.counts().refreshes, server.counts().clients_refused), (1, 0));
}

#[tokio::test]
async fn a_secret_in_a_file_is_read_at_each_use() {
    // given a client whose secret stands in a file, and a login
    let (server, file) = (server(RIGHT, ClientMethod::Post), Written::holding(RIGHT));
    let account = account(&server).token_endpoint_auth_method("client_secret_post").client_secret_file(&file.path());
    let (daemon, program) = daemon_of(account).await;
    let first = log_in(&program, &server, "work").await;

    // when both sides take another one, then the next refresh shows it, and nobody told the daemon
    takes(&server, NEWER);
    file.write(&format!("{NEWER}\n"));
    renewed(&program, &first).await;
    assert_eq!((server.counts().clients_refused, server.counts().grants_started), (0, 1));

    // and a secret by command is refused: the file goes first
    let status = give(&daemon, WRONG).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert!(status.message().contains("client_secret_file"), "{status}");
}

#[tokio::test]
async fn a_refresh_whose_secret_cannot_be_read_is_not_sent_and_its_grant_goes_on() {
    // given an account that is logged in, and a secret file that is damaged in one of many ways
    let (server, file) = (server(RIGHT, ClientMethod::Basic), Written::holding(RIGHT));
    let (_daemon, program) = daemon_of(account(&server).client_secret_file(&file.path())).await;
    let token = log_in(&program, &server, "work").await;
    type Damage = fn(&Written);
    let damages: [(&str, Damage, &str); 6] = [
        ("loose", |file| file.set_mode(0o640), "chmod 600"),
        ("missing", Written::remove, "is missing"),
        ("empty", |file| file.write(""), "is empty"),
        ("too long", |file| file.write(&"a".repeat(4097)), "longer than 4096 bytes"),
        ("two lines", |file| file.write("SNTL_CS_a\nSNTL_CS_b\n"), "printable ASCII"),
        ("binary", |file| file.write("SNTL_CS_\u{e9}"), "printable ASCII"),
    ];
    for (case, damage, told) in damages {
        damage(&file);

        // when a refresh is due, then the refusal names the file and what to do, and nothing is sent
        let refusal = refused(tried(&program, &token, |refusal| refusal.message.contains(told)).await);
        about_the_secret(&refusal, "authctl status");
        assert!(refusal.message.contains(file.path().to_str().unwrap()), "{case}: {refusal:?}");
        assert_eq!(server.counts().refreshes, 0, "{case}");
        assert_eq!(used(look(&program, "work").await).expose(), token.expose(), "{case}: the present token serves on");
    }

    // and once the file is mended the same grant is refreshed, without a login and without a reload
    file.write(RIGHT);
    used(tried(&program, &token, |_| false).await);
    let counts = server.counts();
    assert_eq!((counts.grants_started, counts.refreshes, counts.refreshes_ok(), counts.clients_refused), (1, 1, 1, 0));
    counts.assert_no_race_was_lost();
}

/// Reports a token until it is renewed or refused so: what could not be sent is tried again at a call, once a second.
async fn tried(program: &Client, token: &Token, so: impl Fn(&Refusal) -> bool) -> Answer {
    loop {
        match insist(program, token).await {
            Answer::GiveUp(refusal) if refusal.reason == Reason::Configuration && !so(&refusal) => {
                // law: sleep: the daemon tries at most once a second
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            other => return other,
        }
    }
}

#[tokio::test]
async fn what_is_no_secret_is_not_kept() {
    let server = server(RIGHT, ClientMethod::Basic);
    let (daemon, _program) = daemon_of(account(&server)).await;
    for (text, told) in [
        ("SNTL_CS_with_a_break\n", "ends with a line break"),
        ("SNTL_CS_\u{e9}", "printable ASCII"),
        ("SNTL_CS_\t", "printable ASCII"),
        (&*format!("SNTL_CS_{}", "a".repeat(4096)), "longer than 4096 bytes"),
    ] {
        let status = give(&daemon, text).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().contains(told), "{status}");
    }
    let needless = account(&server).token_endpoint_auth_method("none");
    let (daemon, _program) = daemon_of(needless).await;
    assert_eq!(give(&daemon, RIGHT).await.unwrap_err().code(), Code::FailedPrecondition);
}
