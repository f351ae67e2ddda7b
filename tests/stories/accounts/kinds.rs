//! Accounts of other kinds by command: a client with a secret, a token that somebody else keeps.

use std::process::Stdio;

use mcp_authd_tests::daemon::{Config, Daemon};
use mcp_authd_tests::programs::{logged_in, program};
use mcp_authd_tests::server::{AuthorizationServer, ClientMethod, ConfidentialClient, Settings};
use tokio::io::AsyncWriteExt as _;

use super::{assert_done, file};
use crate::authctl::{Told, authctl};
use crate::logged_in::{look, used};
use crate::written::Written;

const CLIENT: &str = "confidential:1";
/// With the mark: it must not stand in clear in anything that the daemon writes.
const SECRET: &str = "SNTL_CS_right 100%:+&=/~";

async fn set_secret(daemon: &Daemon, secret: &str) -> Told {
    let mut command = daemon.program("authctl");
    command.args(["account", "set-secret", "work"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(secret.as_bytes()).await.unwrap();
    Told::of(child.wait_with_output().await.unwrap())
}

#[tokio::test]
async fn a_client_with_a_secret_is_added_given_its_secret_through_a_pipe_and_logged_in() {
    // given a server that takes this client only with its secret
    let client = ConfidentialClient { client_id: CLIENT.into(), client_secret: SECRET.into(), method: ClientMethod::Basic };
    let server = AuthorizationServer::start(Settings { clients: vec![client], ..Settings::default() });
    let daemon = Daemon::start(Config::new()).await;

    // when the person does what each answer says
    let method = ["--token-endpoint-auth-method", "client_secret_basic"];
    let described = ["account", "add", "work", "--issuer", server.issuer(), "--client-id", CLIENT];
    let told = authctl(&daemon, &[&described[..], &method].concat()).await;
    assert!(told.code == Some(0) && told.out.ends_with("  next      authctl account set-secret work\n"), "{told:?}");
    let told = set_secret(&daemon, &format!("{SECRET}\n")).await;
    assert_done(&told, "The secret of the client of work is kept, encrypted. next authctl login work");
    assert!(!told.out.contains("SNTL") && !file(&daemon).contains("SNTL"));
    logged_in(&daemon, "work").await;

    // then programs have a token, and the server has never seen the client without its secret
    let token = used(look(&program(&daemon), "work").await);
    assert_eq!(authctl(&daemon, &["token", "work"]).await.out, format!("{}\n", token.expose()));
    assert_eq!(server.counts().clients_refused, 0);

    // and a secret that is forgotten is wanted again before the next login, by the same daemon
    assert_done(&authctl(&daemon, &["account", "set-secret", "work", "--forget"]).await, "No secret is kept");
    let told = authctl(&daemon, &["login", "work", "--again", "--no-browser"]).await;
    assert!(told.code != Some(0) && told.err.contains("next: authctl account set-secret work"), "{told:?}");
    assert_eq!(used(look(&program(&daemon), "work").await).expose(), token.expose(), "what is held goes on serving");
    assert_eq!(server.counts().clients_refused, 0);
}

#[tokio::test]
async fn a_token_file_is_added_by_a_path_from_where_the_person_stands() {
    let token = Written::holding("SNTL_AT_from_elsewhere\n");
    let daemon = Daemon::start(Config::new()).await;
    let path = token.path();
    let mut command = daemon.program("authctl");
    command.args(["account", "add", "ci", "--token-file", path.file_name().unwrap().to_str().unwrap()]);
    let told = Told::of(command.current_dir(path.parent().unwrap()).stdin(Stdio::null()).output().await.unwrap());
    assert_done(&told, "ci is added.");
    assert_eq!(authctl(&daemon, &["token", "ci"]).await.out, "SNTL_AT_from_elsewhere\n");
    let listed = authctl(&daemon, &["account", "list", "--json"]).await;
    assert!(listed.out.contains(&format!("\"token_file\":{:?}", path.to_str().unwrap())), "{listed:?}");
    let secret = authctl(&daemon, &["account", "set-secret", "ci"]).await;
    assert!(secret.code == Some(1) && secret.err.contains("reads its token from a file"), "{secret:?}");

    assert_done(&authctl(&daemon, &["account", "remove", "ci", "--yes"]).await, "ci is removed");
    assert!(path.is_file(), "somebody else's file stays");
    authctl(&daemon, &["token", "ci"]).await.assert_refused(1, "authctl");
}
