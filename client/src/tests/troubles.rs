//! Wrong servers, silent servers, old servers, no server.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::UnixListener;
use tonic::Status;

use super::server::{Server, token};
use crate::{Answer, CallError, Client, ConnectError, Need, Request, Sockets};

#[tokio::test]
async fn a_server_of_another_user_is_refused_and_receives_no_byte() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let own = nix::unistd::geteuid().as_raw();
    let client = Client::new(&Sockets::at(&path)).with_owner(own + 1);
    let error = client.token(Need::only_account()).await.unwrap_err();
    assert_eq!(error, CallError::Connect(ConnectError::WrongOwner { path, uid: own, own: own + 1 }));
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"");
}

#[tokio::test]
async fn no_daemon_is_told_through_the_call() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.sock");
    let error = Client::new(&Sockets::at(&path)).token(Need::only_account()).await.unwrap_err();
    assert_eq!(error, CallError::Connect(ConnectError::NoDaemon { path }));
    assert!(error.to_string().ends_with("start it with: authctl daemon start"));
}

#[tokio::test]
async fn a_missing_method_is_a_daemon_too_old() {
    let server = Server::start([Err(Status::unimplemented(""))]);
    let error = server.client().token(Need::only_account()).await.unwrap_err();
    assert_eq!(error, CallError::DaemonTooOld { method: "GetToken" });
}

#[tokio::test]
async fn a_wrong_caller_and_a_broken_daemon_are_told_apart() {
    let server = Server::start([Err(Status::permission_denied("not you")), Err(Status::internal("oh"))]);
    let client = server.client();
    let error = client.token(Need::only_account()).await.unwrap_err();
    assert_eq!(error, CallError::NotAllowed { message: "not you".into() });
    let error = client.token(Need::only_account()).await.unwrap_err();
    assert_eq!(error, CallError::Broken { message: "oh".into() });
}

/// A server that takes the connection and says nothing. Its backlog does the taking.
fn silent(directory: &tempfile::TempDir) -> (UnixListener, Client) {
    let path = directory.path().join("tokens.sock");
    (UnixListener::bind(&path).unwrap(), Client::new(&Sockets::at(path)))
}

#[tokio::test(start_paused = true)]
async fn a_silent_daemon_ends_a_plain_call_after_ten_seconds() {
    let directory = tempfile::tempdir().unwrap();
    let (_listener, client) = silent(&directory);
    let ten = CallError::Silent { after: Duration::from_secs(10) };
    let begin = tokio::time::Instant::now();
    assert_eq!(client.token(Need::only_account()).await.unwrap_err(), ten);
    assert_eq!(begin.elapsed().as_secs(), 10);
    assert_eq!(client.accounts().await.unwrap_err(), ten);
}

#[tokio::test(start_paused = true)]
async fn a_silent_daemon_ends_a_waiting_call_five_seconds_after_its_wait() {
    let directory = tempfile::tempdir().unwrap();
    let (_listener, client) = silent(&directory);
    let begin = tokio::time::Instant::now();
    let request = Request::new(Need::only_account()).max_wait(Duration::from_secs(600));
    let error = client.token(request).await.unwrap_err();
    assert_eq!(error, CallError::Silent { after: Duration::from_secs(25) }, "the wait is capped at 20 s");
    assert_eq!(begin.elapsed().as_secs(), 25);
}

#[tokio::test]
async fn a_client_finds_the_daemon_again_after_a_restart() {
    let mut server = Server::start([Ok(token("tok-1", None))]);
    let client = server.client();
    client.token(Need::only_account()).await.unwrap();
    server.kill();
    let error = client.token(Need::only_account()).await.unwrap_err();
    assert_eq!(error, CallError::Connect(ConnectError::NoDaemon { path: server.path() }));
    server.restart();
    server.answer_next(token("tok-2", None));
    let Answer::UseToken(token) = client.token(Need::only_account()).await.unwrap() else { panic!() };
    assert_eq!(token.expose(), "tok-2");
}

#[tokio::test]
async fn a_restart_between_two_calls_is_not_noticed() {
    let mut server = Server::start([Ok(token("tok-1", None)), Ok(token("tok-2", None))]);
    let client = server.client();
    client.token(Need::only_account()).await.unwrap();
    server.restart();
    client.token(Need::only_account()).await.unwrap();
}

#[tokio::test]
async fn a_daemon_that_takes_its_time_to_leave_is_asked_again_until_the_next_one_answers() {
    let leaves = || Err(Status::unavailable("the daemon is about to end"));
    let server = Server::start((0..6).map(|_| leaves()).chain([Ok(token("tok-1", None))]));
    let Answer::UseToken(token) = server.client().token(Need::only_account()).await.unwrap() else { panic!() };
    assert_eq!((token.expose(), server.asked().len()), ("tok-1", 7));

    let server = Server::start((0..99).map(|_| leaves()));
    assert_eq!(server.client().token(Need::only_account()).await.unwrap_err(), CallError::Interrupted);
    assert_eq!(server.asked().len(), 10, "it is not asked without end");
}
