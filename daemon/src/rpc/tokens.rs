//! What programs ask on `tokens.sock`.

use mcp_authd_proto::v1;
use mcp_authd_proto::v1::tokens_server::Tokens;
use tonic::{Request, Response, Status};

use super::audit::{Giving, How};
use super::need::{self, Asked};
use super::peer::Caller;
use super::{Face, convert, watch, words};
use crate::accounts::handle::{AccountHandle, KeeperGone};
use crate::accounts::need::{Answer, Need};

/// The service for programs.
pub(super) struct TokensFace(pub(super) Face);

#[tonic::async_trait]
impl Tokens for TokensFace {
    async fn get_token(&self, request: Request<v1::GetTokenRequest>) -> Result<Response<v1::TokenState>, Status> {
        let caller = Caller::of(&request)?;
        let request = request.into_inner();
        let asked = Asked::check(request.need, caller.program())?;
        let mode = need::mode(request.sign_in)?;
        let wait = need::max_wait(request.max_wait)?;
        let rejected = need::rejected(&request.rejected_sha256)?;
        let now = self.0.clock.now();
        let state = match self.0.ask(&asked, || Need { rejected, ..asked.need(mode, wait, now) }).await {
            Ok((account, answer)) => {
                let (account, asked_as) = (&account, asked.client_name.as_str());
                let giving = Giving { caller: &caller, account, how: How::GetToken, asked_as, now: self.0.clock.now() };
                convert::token_state(&answer, &giving)
            }
            Err(Unanswered::NoAccount(refusal)) => convert::refused(refusal),
            Err(Unanswered::Leaving(gone)) => return Err(Status::unavailable(gone.to_string())),
        };
        Ok(Response::new(state))
    }

    type WatchTokenStream = watch::TokenStream;

    async fn watch_token(&self, request: Request<v1::Need>) -> Result<Response<Self::WatchTokenStream>, Status> {
        let caller = Caller::of(&request)?;
        let asked = Asked::check(Some(request.into_inner()), caller.program())?;
        Ok(Response::new(watch::token(self.0.clone(), asked, caller)))
    }

    async fn list_accounts(&self, _: Request<v1::ListAccountsRequest>) -> Result<Response<v1::ListAccountsResponse>, Status> {
        let accounts = self.0.registry.present().iter().map(|account| convert::account(&account.description())).collect();
        Ok(Response::new(v1::ListAccountsResponse { accounts }))
    }
}

/// Why a caller has no answer from an account.
pub(super) enum Unanswered {
    /// None fits, or several do.
    NoAccount(v1::Refusal),
    /// The daemon leaves.
    Leaving(KeeperGone),
}

impl Face {
    /// The account that a need is asked of.
    pub(super) fn find(&self, asked: &Asked) -> Result<AccountHandle, v1::Refusal> {
        self.registry.find(&asked.target).map_err(|error| words::no_account(&error))
    }

    /// Asks it. One that goes away between being found and being asked is looked for again.
    pub(super) async fn ask(&self, asked: &Asked, need: impl Fn() -> Need) -> Result<(AccountHandle, Answer), Unanswered> {
        let mut gone: Option<AccountHandle> = None;
        loop {
            let account = self.find(asked).map_err(Unanswered::NoAccount)?;
            if gone.is_some_and(|gone| gone.is(&account)) {
                return Err(Unanswered::Leaving(KeeperGone));
            }
            match account.token(need()).await {
                Ok(answer) => return Ok((account, answer)),
                Err(KeeperGone) => gone = Some(account),
            }
        }
    }
}
