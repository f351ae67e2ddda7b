//! `CompleteSignIn`: the one way in for the answer of a browser on another machine. There is no way out.
//!
//! Must never: log what was pasted, or tell any of it in an answer.

use mcp_authd_proto::v1;
use mcp_authd_proto::v1::complete_sign_in_response::Outcome;
use zeroize::Zeroizing;

use super::{Face, words};
use crate::accounts::AccountName;

/// Hands it to the login that waits for it.
pub(super) fn complete(face: &Face, request: v1::CompleteSignInRequest) -> v1::CompleteSignInResponse {
    let v1::CompleteSignInRequest { redirect, account } = request;
    let outcome = match face.roster.complete_sign_in(&Zeroizing::new(redirect)) {
        Ok(account) => Outcome::Account(account.to_string()),
        Err(why) => Outcome::NotCompleted(v1::NotCompleted {
            message: words::sentence(&why.to_string()),
            next_step: why.next_step(AccountName::parse(&account).ok().as_ref()),
        }),
    };
    v1::CompleteSignInResponse { outcome: Some(outcome) }
}
