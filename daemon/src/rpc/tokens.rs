//! What programs ask on `tokens.sock`.

use mcp_authd_proto::v1;
use mcp_authd_proto::v1::tokens_server::Tokens;
use tonic::{Request, Response, Status};

use super::need::{self, Asked};
use super::{Face, convert, peer, watch, words};
use crate::accounts::keeper::AccountHandle;

/// The service for programs.
pub(super) struct TokensFace(pub(super) Face);

#[tonic::async_trait]
impl Tokens for TokensFace {
    async fn get_token(&self, request: Request<v1::GetTokenRequest>) -> Result<Response<v1::TokenState>, Status> {
        let program = peer::program(&request);
        let request = request.into_inner();
        let asked = Asked::check(request.need, program)?;
        let mode = need::mode(request.sign_in)?;
        let wait = need::max_wait(request.max_wait)?;
        let rejected = need::rejected(&request.rejected_sha256)?;
        let account = match self.0.find(&asked) {
            Ok(account) => account,
            Err(refusal) => return Ok(Response::new(convert::refused(refusal))),
        };
        let mut need = asked.need(mode, wait, self.0.clock.now());
        need.rejected = rejected;
        let answer = account.token(need).await.map_err(|gone| Status::unavailable(gone.to_string()))?;
        Ok(Response::new(convert::token_state(&answer, account.description(), self.0.clock.now())))
    }

    type WatchTokenStream = watch::TokenStream;

    async fn watch_token(&self, request: Request<v1::Need>) -> Result<Response<Self::WatchTokenStream>, Status> {
        let program = peer::program(&request);
        let asked = Asked::check(Some(request.into_inner()), program)?;
        Ok(Response::new(match self.0.find(&asked) {
            Ok(account) => watch::token(self.0.clone(), account.clone(), asked),
            Err(refusal) => watch::refused(self.0.clone(), refusal),
        }))
    }

    async fn list_accounts(&self, _: Request<v1::ListAccountsRequest>) -> Result<Response<v1::ListAccountsResponse>, Status> {
        let accounts = self.0.registry.iter().map(|handle| convert::account(handle.description())).collect();
        Ok(Response::new(v1::ListAccountsResponse { accounts }))
    }
}

impl Face {
    /// The account that a need is asked of.
    pub(super) fn find(&self, asked: &Asked) -> Result<&AccountHandle, v1::Refusal> {
        let config_path = self.facts.config_path.display().to_string();
        self.registry.find(&asked.target).map_err(|error| words::no_account(&error, &config_path))
    }
}
