//! A second floor, as a program of its own: the least that tonic can do to answer `GetToken`. It knows no account, no time and no
//! caller, and has one thread as the daemon has. What is between it and the daemon is ours; what is between it and the raw floor is
//! gRPC's.
//!
//! `bench-bare-tonic SOCKET` serves for ever.

use std::pin::Pin;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use mcp_authd_proto::v1;
use mcp_authd_proto::v1::tokens_server::{Tokens, TokensServer};
use tokio::net::UnixListener;
use tokio_stream::Stream;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;
use tonic::{Request, Response, Status};

/// As long as those of our authorization server.
const TOKEN: &str = "a-token-that-is-as-long-as-those-of-our-servers";
const LIFE: i64 = 3600;

struct Constant;

#[tonic::async_trait]
impl Tokens for Constant {
    async fn get_token(&self, request: Request<v1::GetTokenRequest>) -> Result<Response<v1::TokenState>, Status> {
        let need = request.into_inner().need.unwrap_or_default();
        let Some(v1::need::Target::Account(account)) = need.target else { return Err(Status::invalid_argument("no account")) };
        let token = v1::AccessToken {
            access_token: TOKEN.to_owned(),
            token_type: "Bearer".to_owned(),
            expires_at: Some(prost_types::Timestamp { seconds: i64::from(u32::MAX), nanos: 123_000_000 }),
            expires_in: Some(prost_types::Duration { seconds: LIFE, nanos: 456_000_000 }),
            scopes: vec!["mcp:read".to_owned()],
            resource: String::new(),
        };
        let state = Some(v1::token_state::State::Token(token));
        Ok(Response::new(v1::TokenState { account, revision: 1, state }))
    }

    type WatchTokenStream = Pin<Box<dyn Stream<Item = Result<v1::TokenState, Status>> + Send>>;

    async fn watch_token(&self, _: Request<v1::Need>) -> Result<Response<Self::WatchTokenStream>, Status> {
        Err(Status::unimplemented("this is a floor"))
    }

    async fn list_accounts(&self, _: Request<v1::ListAccountsRequest>) -> Result<Response<v1::ListAccountsResponse>, Status> {
        Err(Status::unimplemented("this is a floor"))
    }
}

fn main() -> ExitCode {
    if serve().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn serve() -> Result<()> {
    let socket = std::env::args_os().nth(1).context("a socket is named")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let connections = UnixListenerStream::new(UnixListener::bind(socket)?);
        Ok(Server::builder().add_service(TokensServer::new(Constant)).serve_with_incoming(connections).await?)
    })
}
