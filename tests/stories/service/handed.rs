//! The manager holds the sockets: who connects starts the daemon, and what is handed over must be what programs look for.

use std::os::unix::fs::PermissionsExt as _;

use mcp_authd_tests::programs::until;
use mcp_authd_tests::server::{AuthorizationServer, Settings};
use mcp_authd_tests::service::inside;

use super::{installed, logged_in, service_is, token};

#[tokio::test]
async fn the_first_call_starts_the_daemon_by_its_socket_and_is_answered() {
    let Some(machine) = inside("handed::the_first_call_starts_the_daemon_by_its_socket_and_is_answered") else { return };
    let server = AuthorizationServer::start(Settings::default());
    installed(&machine, &server);
    machine.listen();
    assert_eq!((machine.property("ActiveState").as_str(), machine.main_pid()), ("inactive", 0));
    assert_eq!(machine.tokens_socket().metadata().unwrap().permissions().mode() & 0o777, 0o600);

    // The first call of all: nobody has started anything.
    logged_in(&machine).await;
    let first = token(&machine).await;
    assert_eq!(machine.property("ActiveState"), "active");
    assert_eq!(machine.tool().status().await.unwrap().pid, i64::from(machine.main_pid()));
    until("the status is told", || machine.property("StatusText") == "1 account: 1 well").await;
    let status = machine.systemctl(&["status", "--no-pager", "mcp-authd.service"]);
    assert!(status.contains("active (running)") && status.contains("Status: \"1 account: 1 well\""), "{status}");

    // At its end the sockets stay with the manager, and the next call starts it again.
    machine.systemctl(&["stop", "mcp-authd.service"]);
    assert_eq!(machine.property("Result"), "success");
    assert!(machine.tokens_socket().exists());
    assert_eq!(token(&machine).await.sha256(), first.sha256());
    assert_eq!((server.counts().device_authorizations, server.counts().refreshes), (1, 0));
    assert!(!machine.log().contains("bound again"), "{}", machine.log());
    // A forbidden system call would have killed it.
    assert_eq!((machine.property("NRestarts"), machine.property("Result")), ("0".to_owned(), "success".to_owned()));
}

#[tokio::test]
async fn a_socket_with_another_name_ends_the_start_with_a_sentence() {
    let story = "handed::a_socket_with_another_name_ends_the_start_with_a_sentence";
    refused(story, "[Socket]\nFileDescriptorName=connection\n", "with the name \\\"connection\\\", which is neither").await;
}

#[tokio::test]
async fn a_socket_at_another_path_ends_the_start_with_a_sentence() {
    let story = "handed::a_socket_at_another_path_ends_the_start_with_a_sentence";
    refused(story, "[Socket]\nListenStream=\nListenStream=%t/mcp-authd/other.sock\n", "other.sock\\\", and programs look for it")
        .await;
}

#[tokio::test]
async fn a_socket_that_others_may_enter_ends_the_start_with_a_sentence() {
    let story = "handed::a_socket_that_others_may_enter_ends_the_start_with_a_sentence";
    refused(story, "[Socket]\nSocketMode=0666\n", "write SocketMode=0600 into its socket unit").await;
}

async fn refused(story: &str, tokens_socket: &str, sentence: &str) {
    let Some(machine) = inside(story) else { return };
    installed(&machine, &AuthorizationServer::start(Settings::default()));
    machine.edit("mcp-authd-tokens.socket", tokens_socket);
    machine.listen();
    machine.systemctl(&["start", "--no-block", "mcp-authd.service"]);
    until("the start is refused", || machine.property("ExecMainStatus") == "78").await;
    let (log, sentence) = (machine.log(), sentence.replace("\\\"", "\""));
    let told = log.lines().find(|line| line.starts_with("mcp-authd: ") && line.contains(&sentence));
    assert!(told.is_some_and(|told| told.contains("Look with: systemctl --user cat")), "{log}");
    assert!(!log.contains("serving"), "{log}");
    // Nobody asks: it is not tried again and again, and says why to whoever looks.
    service_is(&machine, "failed").await;
    assert!(machine.property("StatusText").contains(&sentence) && machine.property("NRestarts") == "0");
}
