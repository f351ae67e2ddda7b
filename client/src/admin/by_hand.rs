//! The answer of a login in a browser, brought by hand: for a browser on another machine (SSH, containers, WSL).
//!
//! Must never: keep what was pasted longer than its call, or put it into an error.

use mcp_authd_proto::v1;
use mcp_authd_proto::v1::complete_sign_in_response::Outcome;

use super::AdminClient;
use crate::call::{self, SILENCE_LIMIT};
use crate::convert::filled;
use crate::error::CallError;
use crate::token::Secret;

/// What became of an answer that was brought by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completion {
    /// Its login has it. How that ends is told by [`AdminClient::watch_accounts`].
    Taken {
        /// The account that is logged in to: the one whose login it is, whichever was meant.
        account: String,
    },
    /// No login took it. Whichever waits goes on waiting.
    NotTaken {
        /// Why, in a sentence that holds nothing of it.
        message: String,
        /// What to do next.
        next_step: Option<String>,
    },
}

impl AdminClient {
    /// Hands the daemon what a browser's address bar shows after a login (RFC 6749, 4.1.2): the whole address, or its query alone. It
    /// counts once, for the login whose `state` it holds, as if the browser had brought it; the account that is meant only stands in
    /// what the person is told.
    ///
    /// # Errors
    /// A [`CallError`] where there is no answer.
    pub async fn complete_sign_in(&self, account: Option<String>, pasted: Secret) -> Result<Completion, CallError> {
        // As in `set_client_secret`: the call's own copy goes through the buffers of the libraries below.
        let request = v1::CompleteSignInRequest { redirect: pasted.expose().to_owned(), account: account.unwrap_or_default() };
        drop(pasted);
        let answer = self.call(SILENCE_LIMIT, || async {
            call::message("CompleteSignIn", self.stub().complete_sign_in(request.clone()).await)
        });
        match answer.await?.outcome {
            Some(Outcome::Account(account)) => Ok(Completion::Taken { account }),
            Some(Outcome::NotCompleted(why)) => {
                Ok(Completion::NotTaken { message: why.message, next_step: filled(why.next_step) })
            }
            None => Err(super::accounts::unknown_outcome()),
        }
    }
}
