//! Programs and daemons of three versions: each program gets its token from each daemon, and what a daemon is too old for is said.

use mcp_authd_client::CallError;
use mcp_authd_client::admin::Reloading;
use mcp_authd_client::{AdminClient, Client, Need, Sockets};
use mcp_authd_proto::v1;
use mcp_authd_tests::bare::channel;
use mcp_authd_tests::daemon::{Account, Config, Daemon};
use mcp_authd_tests::programs::{a_token, logged_in, program, token, watched};
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use prost::Message as _;
use std::path::{Path, PathBuf};
use tonic::Code;

use super::ahead::{self, NewerDaemon, ahead};
use super::behind::{self, OldDaemon};
use crate::effort::{figures, rounds};

const GET_TOKEN: &str = "/authd.v1.Tokens/GetToken";

/// Our daemon, with one account that is logged in, and its token.
async fn house() -> (AuthorizationServer, Daemon, String) {
    let server = AuthorizationServer::start(Settings::default());
    let daemon = Daemon::start(Config::new().account(Account::at("work", server.issuer()).scopes(["mcp:read"]))).await;
    logged_in(&daemon, "work").await;
    let held = token(program(&daemon).token(Need::account("work")).await.unwrap()).expose().to_owned();
    (server, daemon, held)
}

/// A program of the version before asks, watches and lists.
async fn program_before(tokens: &Path) -> Vec<String> {
    use behind::v1;
    let mut client = v1::tokens_client::TokensClient::new(channel(tokens).await);
    let need = v1::Need { target: Some(v1::need::Target::Account("work".into())), ..v1::Need::default() };
    let request = v1::GetTokenRequest { need: Some(need.clone()), ..v1::GetTokenRequest::default() };
    let asked = client.get_token(request).await.unwrap().into_inner();
    let seen = client.watch_token(need).await.unwrap().into_inner().message().await.unwrap().unwrap();
    let listed = client.list_accounts(v1::ListAccountsRequest {}).await.unwrap().into_inner();
    assert_eq!(listed.accounts[0].name, "work");
    [asked, seen]
        .into_iter()
        .map(|answer| match answer.state {
            Some(v1::token_state::State::Token(token)) => token.access_token,
            other => panic!("{other:?}"),
        })
        .collect()
}

/// A program of ours does the same.
async fn program_of_now(tokens: &Path) -> Vec<String> {
    let client = Client::new(&Sockets::at(tokens));
    let asked = token(client.token(Need::account("work")).await.unwrap());
    let seen = watched(&mut client.watch(Need::account("work")), a_token).await;
    assert_eq!(client.accounts().await.unwrap()[0].name, "work");
    vec![asked.expose().to_owned(), seen.expose().to_owned()]
}

/// A program of the version after asks, and is content with what it is told.
async fn program_after(tokens: &Path) -> Vec<String> {
    let need = v1::Need { target: Some(v1::need::Target::Account("work".into())), ..v1::Need::default() };
    let request = v1::GetTokenRequest {
        need: Some(need),
        max_wait: Some(prost_types::Duration { seconds: 9, nanos: 0 }),
        ..v1::GetTokenRequest::default()
    };
    let request = ahead(&request.encode_to_vec(), ".authd.v1.GetTokenRequest");
    let answer = ahead::call(channel(tokens).await, GET_TOKEN, request).await.unwrap();
    match v1::TokenState::decode(answer).unwrap().state {
        Some(v1::token_state::State::Token(token)) => vec![token.access_token],
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn b33_each_of_three_programs_gets_its_token_from_each_of_three_daemons() {
    let (server, daemon, held) = house().await;
    let before = OldDaemon::start();
    let after = NewerDaemon::before(&daemon.tokens_socket(), &daemon.admin_socket()).await;
    let daemons: [(PathBuf, &str); 3] =
        [(before.tokens_socket(), behind::TOKEN), (daemon.tokens_socket(), &held), (after.tokens_socket(), &held)];
    let rounds = rounds(100, 5);
    let mut pairs = 0;
    for (socket, expected) in &daemons {
        for round in 0..rounds {
            let told = [program_before(socket).await, program_of_now(socket).await, program_after(socket).await];
            for (version, told) in told.iter().enumerate() {
                assert!(
                    !told.is_empty() && told.iter().all(|token| token == expected),
                    "round {round}: program {version} at {socket:?}"
                );
            }
        }
        pairs += 3;
    }
    assert_eq!((server.counts().device_authorizations, server.counts().refreshes), (1, 0));
    figures(
        "b33",
        format!(
            "{pairs} of 9 pairs of versions serve, {rounds} times each; each message of the version after has 4 fields more at every depth"
        ),
    );
}

#[tokio::test]
async fn b33_a_command_that_a_daemon_is_too_old_for_says_so_and_what_to_type() {
    // given a daemon of the version before, and the tool of now
    let old = OldDaemon::start();
    let world = Daemon::prepare(Config::new().environment("MCP_AUTHD_SOCKET", old.tokens_socket()));
    let secret = old.folder().join("secret");
    std::fs::write(&secret, "a-secret\n").unwrap();
    let authctl = async |arguments: &[&str]| {
        let mut command = world.program("authctl");
        command.args(arguments).stdin(std::fs::File::open(&secret).unwrap());
        let output = command.output().await.unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };

    // then each new command names what the daemon does not know, and the cure
    for (arguments, method) in [
        (&["account", "add", "files", "--issuer", "https://as.example", "--client-id", "c"][..], "AddAccount"),
        (&["account", "remove", "work", "--yes"], "RemoveAccount"),
        (&["account", "set-secret", "work"], "SetClientSecret"),
        (&["reload"], "Reload"),
    ] {
        let (code, _, told) = authctl(arguments).await;
        assert_eq!(code, Some(1), "{arguments:?}: {told}");
        assert!(told.contains("too old for this program") && told.contains(method), "{arguments:?}: {told}");
        assert!(told.contains("authctl daemon stop && authctl daemon start") && !told.contains("panicked"), "{told}");
    }
    // and the library says the same
    let tool = AdminClient::new(&Sockets::at(old.tokens_socket()));
    assert_eq!(tool.reload().await.unwrap_err(), CallError::DaemonTooOld { method: "Reload" });

    // and what it knows goes on: to look, to take a token, to log out, and to end it as it was told
    for (arguments, shown) in [
        (&["status"][..], "work"),
        (&["account", "list"], "work"),
        (&["account", "show", "work"], "https://as.example"),
        (&["token", "work"], behind::TOKEN),
        (&["logout", "work"], "work"),
    ] {
        let (code, told, complaint) = authctl(arguments).await;
        assert!(code == Some(0) && told.contains(shown), "{arguments:?}: {code:?} {told} {complaint}");
    }
}

#[tokio::test]
async fn b33_a_daemon_refuses_what_only_the_version_after_knows_and_goes_on_on_the_same_connection() {
    let (_server, daemon, held) = house().await;
    for (socket, service) in [(daemon.tokens_socket(), "Tokens"), (daemon.admin_socket(), "Admin")] {
        let line = channel(&socket).await;
        for _ in 0..rounds(100, 5) {
            let unknown = ahead::call(line.clone(), &format!("/authd.v1.{service}/OfTomorrow"), vec![8, 1]).await.unwrap_err();
            assert_eq!(unknown.code(), Code::Unimplemented, "{service}");
            let other = ahead::call(line.clone(), "/authd.v2.Tokens/GetToken", Vec::new()).await.unwrap_err();
            assert_eq!(other.code(), Code::Unimplemented, "{service}");
        }
    }
    // A mode that it does not know might mean to begin nothing: it is not guessed.
    let request = v1::GetTokenRequest { sign_in: 99, ..v1::GetTokenRequest::default() };
    let refused = ahead::call(channel(&daemon.tokens_socket()).await, GET_TOKEN, request.encode_to_vec()).await.unwrap_err();
    assert!(refused.code() == Code::InvalidArgument && refused.message().contains("update mcp-authd"), "{refused:?}");
    assert_eq!(program_of_now(&daemon.tokens_socket()).await, [held.as_str(), held.as_str()]);
}

#[tokio::test]
async fn b33_the_person_s_tool_reads_a_daemon_of_the_version_after_and_so_does_the_one_before() {
    let (_server, daemon, held) = house().await;
    let after = NewerDaemon::before(&daemon.tokens_socket(), &daemon.admin_socket()).await;
    let world = Daemon::prepare(Config::new().environment("MCP_AUTHD_SOCKET", after.tokens_socket()));
    for (arguments, shown) in [
        (&["status"][..], "work"),
        (&["account", "list", "--json"], "work"),
        (&["token", "work"], held.as_str()),
        (&["reload"], "Nothing has changed"),
    ] {
        let output = world.program("authctl").args(arguments).output().await.unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && told.contains(shown), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let tool = AdminClient::new(&Sockets::at(after.tokens_socket()));
    assert!(matches!(tool.reload().await.unwrap(), Reloading::Done(_)));

    // and the tool of the version before reads both
    use behind::v1;
    for tokens in [daemon.tokens_socket(), after.tokens_socket()] {
        let mut admin = v1::admin_client::AdminClient::new(channel(&tokens.with_file_name("admin.sock")).await);
        let status = admin.status(v1::StatusRequest::default()).await.unwrap().into_inner();
        assert_eq!((status.accounts[0].name.as_str(), status.accounts[0].health()), ("work", v1::Health::Good));
        let mut changes = admin.watch_accounts(v1::WatchAccountsRequest::default()).await.unwrap().into_inner();
        assert_eq!(changes.message().await.unwrap().unwrap().name, "work");
    }
}
