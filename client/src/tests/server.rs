//! A server that answers as it is told. It lives in a runtime of its own, so that it can die at once, as a killed daemon does.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use futures_util::Stream;
use futures_util::StreamExt as _;
use mcp_authd_proto::v1;
use mcp_authd_proto::v1::token_state::State;
use mcp_authd_proto::v1::tokens_server::{Tokens, TokensServer};
use tokio::net::UnixListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_stream::wrappers::{UnixListenerStream, WatchStream};
use tonic::{Request, Response, Status};

use crate::{Client, Sockets};

/// A server on a socket of its own directory.
pub(super) struct Server {
    directory: tempfile::TempDir,
    script: Script,
    runtime: Option<Runtime>,
}

/// What the server answers, and what it was asked.
#[derive(Clone)]
pub(super) struct Script {
    answers: Arc<Mutex<VecDeque<Result<v1::TokenState, Status>>>>,
    asked: Arc<Mutex<Vec<v1::GetTokenRequest>>>,
    present: watch::Sender<v1::TokenState>,
}

impl Server {
    pub(super) fn start(answers: impl IntoIterator<Item = Result<v1::TokenState, Status>>) -> Self {
        let script = Script {
            answers: Arc::new(Mutex::new(answers.into_iter().collect())),
            asked: Arc::default(),
            present: watch::Sender::new(token("tok-watch", None)),
        };
        let mut server = Self { directory: tempfile::tempdir().unwrap(), script, runtime: None };
        server.restart();
        server
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.path().join("tokens.sock")
    }

    pub(super) fn client(&self) -> Client {
        Client::new(&Sockets::at(self.path()))
    }

    /// What GetToken was asked, in order.
    pub(super) fn asked(&self) -> Vec<v1::GetTokenRequest> {
        self.script.asked.lock().unwrap().clone()
    }

    pub(super) fn answer_next(&self, state: v1::TokenState) {
        self.script.answers.lock().unwrap().push_back(Ok(state));
    }

    /// Changes what the watches see.
    pub(super) fn publish(&self, state: v1::TokenState) {
        self.script.present.send_replace(state);
    }

    /// Waits until nobody watches.
    pub(super) async fn unwatched(&self) {
        self.script.present.closed().await;
    }

    /// Ends with all its connections, at once.
    pub(super) fn kill(&mut self) {
        let runtime = self.runtime.take();
        // A runtime may not be dropped inside another one.
        std::thread::spawn(move || drop(runtime)).join().unwrap();
        std::fs::remove_file(self.path()).ok();
    }

    /// Begins anew on the same path.
    pub(super) fn restart(&mut self) {
        self.kill();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let incoming = listen(&runtime, &self.path());
        let routes = tonic::transport::Server::builder().add_service(TokensServer::new(self.script.clone()));
        runtime.spawn(routes.serve_with_incoming(incoming));
        self.runtime = Some(runtime);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn listen(runtime: &Runtime, path: &Path) -> UnixListenerStream {
    let listener = std::os::unix::net::UnixListener::bind(path).unwrap();
    listener.set_nonblocking(true).unwrap();
    let _inside = runtime.enter();
    UnixListenerStream::new(UnixListener::from_std(listener).unwrap())
}

#[tonic::async_trait]
impl Tokens for Script {
    async fn get_token(&self, request: Request<v1::GetTokenRequest>) -> Result<Response<v1::TokenState>, Status> {
        self.asked.lock().unwrap().push(request.into_inner());
        let answer = self.answers.lock().unwrap().pop_front();
        answer.unwrap_or(Err(Status::internal("the script has ended"))).map(Response::new)
    }

    type WatchTokenStream = Pin<Box<dyn Stream<Item = Result<v1::TokenState, Status>> + Send>>;

    async fn watch_token(&self, _need: Request<v1::Need>) -> Result<Response<Self::WatchTokenStream>, Status> {
        Ok(Response::new(Box::pin(WatchStream::new(self.present.subscribe()).map(Ok))))
    }

    async fn list_accounts(
        &self,
        _request: Request<v1::ListAccountsRequest>,
    ) -> Result<Response<v1::ListAccountsResponse>, Status> {
        let account = v1::Account { name: "github".into(), issuer: "https://github.com".into(), ..v1::Account::default() };
        Ok(Response::new(v1::ListAccountsResponse { accounts: vec![account] }))
    }
}

/// The state in which account "github" serves this token, with so many seconds left.
pub(super) fn token(access_token: &str, seconds: Option<i64>) -> v1::TokenState {
    state(State::Token(v1::AccessToken {
        access_token: access_token.into(),
        token_type: "Bearer".into(),
        expires_in: seconds.map(|seconds| prost_types::Duration { seconds, nanos: 0 }),
        scopes: vec!["repo".into()],
        resource: "https://mcp.example/".into(),
        ..v1::AccessToken::default()
    }))
}

/// The state in which account "github" waits for a person.
pub(super) fn sign_in() -> v1::TokenState {
    state(State::SignIn(v1::SignIn {
        id: "7".into(),
        how: Some(v1::sign_in::How::Device(v1::Device {
            user_code: "ABCD-1234".into(),
            verification_uri: "https://github.com/login/device".into(),
            verification_uri_complete: String::new(),
        })),
        ..v1::SignIn::default()
    }))
}

/// The state in which account "github" has no token.
pub(super) fn refusal(reason: v1::Reason, retry_after: Option<i64>) -> v1::TokenState {
    state(State::Refusal(v1::Refusal {
        reason: reason.into(),
        message: "No.".into(),
        next_step: "authctl login github".into(),
        retry_after: retry_after.map(|seconds| prost_types::Duration { seconds, nanos: 0 }),
    }))
}

fn state(state: State) -> v1::TokenState {
    v1::TokenState { account: "github".into(), revision: 3, state: Some(state) }
}
