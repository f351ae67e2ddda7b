//! The version before: its programs, and a daemon of its time without any OAuth behind it. Both are made of the code that was
//! generated then.
//!
//! Must never: use a message of the present wire.

use std::path::{Path, PathBuf};
use std::pin::Pin;

use tokio::net::UnixListener;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::UnixListenerStream;
use tokio_stream::{Stream, once};
use tonic::{Request, Response, Status};

use v1::admin_server::{Admin, AdminServer};
use v1::token_state::State;
use v1::tokens_server::{Tokens, TokensServer};

/// The first wire, as its code was generated then, but for the features that chose its sides.
#[allow(warnings, clippy::all, clippy::pedantic, clippy::restriction, reason = "generated code")]
pub(super) mod v1 {
    include!("wire/first/authd.v1.generated");

    impl std::fmt::Debug for AccessToken {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("AccessToken").finish_non_exhaustive()
        }
    }
}

/// The token that it serves.
pub(super) const TOKEN: &str = "token-of-the-daemon-before";

/// A daemon of the version before with one account, `work`. Ends when it is dropped.
pub(super) struct OldDaemon {
    folder: tempfile::TempDir,
    doors: [JoinHandle<Result<(), tonic::transport::Error>>; 2],
}

impl OldDaemon {
    pub(super) fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("authd-").tempdir().expect("a folder");
        let listen = |name: &str| UnixListenerStream::new(UnixListener::bind(folder.path().join(name)).expect("a socket"));
        let tokens = tonic::transport::Server::builder().add_service(TokensServer::new(Face));
        let admin = tonic::transport::Server::builder().add_service(AdminServer::new(Face));
        let doors = [
            tokio::spawn(tokens.serve_with_incoming(listen("tokens.sock"))),
            tokio::spawn(admin.serve_with_incoming(listen("admin.sock"))),
        ];
        Self { folder, doors }
    }

    pub(super) fn tokens_socket(&self) -> PathBuf {
        self.folder.path().join("tokens.sock")
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for OldDaemon {
    fn drop(&mut self) {
        self.doors.iter().for_each(JoinHandle::abort);
    }
}

struct Face;

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn state() -> v1::TokenState {
    let token = v1::AccessToken { access_token: TOKEN.into(), token_type: "Bearer".into(), ..v1::AccessToken::default() };
    v1::TokenState { account: "work".into(), revision: 1, state: Some(State::Token(token)) }
}

fn account() -> v1::AccountStatus {
    let grant = Some(v1::GrantStatus { renewable: true, ..v1::GrantStatus::default() });
    let health = v1::Health::Good.into();
    v1::AccountStatus { name: "work".into(), issuer: "https://as.example".into(), health, grant, ..v1::AccountStatus::default() }
}

#[tonic::async_trait]
impl Tokens for Face {
    async fn get_token(&self, _: Request<v1::GetTokenRequest>) -> Result<Response<v1::TokenState>, Status> {
        Ok(Response::new(state()))
    }

    type WatchTokenStream = Answers<v1::TokenState>;

    async fn watch_token(&self, _: Request<v1::Need>) -> Result<Response<Self::WatchTokenStream>, Status> {
        Ok(Response::new(Box::pin(once(Ok(state())))))
    }

    async fn list_accounts(&self, _: Request<v1::ListAccountsRequest>) -> Result<Response<v1::ListAccountsResponse>, Status> {
        let account = v1::Account { name: "work".into(), ..v1::Account::default() };
        Ok(Response::new(v1::ListAccountsResponse { accounts: vec![account] }))
    }
}

#[tonic::async_trait]
impl Admin for Face {
    async fn start_sign_in(&self, _: Request<v1::StartSignInRequest>) -> Result<Response<v1::AccountStatus>, Status> {
        Ok(Response::new(account()))
    }

    async fn cancel_sign_in(&self, _: Request<v1::CancelSignInRequest>) -> Result<Response<v1::AccountStatus>, Status> {
        Ok(Response::new(account()))
    }

    async fn sign_out(&self, _: Request<v1::SignOutRequest>) -> Result<Response<v1::SignOutResponse>, Status> {
        Ok(Response::new(v1::SignOutResponse { account: "work".into(), erased: true, revocation: v1::Revocation::Sent.into() }))
    }

    type WatchAccountsStream = Answers<v1::AccountStatus>;

    async fn watch_accounts(&self, _: Request<v1::WatchAccountsRequest>) -> Result<Response<Self::WatchAccountsStream>, Status> {
        Ok(Response::new(Box::pin(once(Ok(account())))))
    }

    async fn status(&self, _: Request<v1::StatusRequest>) -> Result<Response<v1::StatusResponse>, Status> {
        let (key_state, accounts) = (v1::KeyState::Open.into(), vec![account()]);
        Ok(Response::new(v1::StatusResponse { version: "0.0.9".into(), key_state, accounts, ..v1::StatusResponse::default() }))
    }

    async fn stop(&self, _: Request<v1::StopRequest>) -> Result<Response<v1::StopResponse>, Status> {
        Ok(Response::new(v1::StopResponse {}))
    }
}
