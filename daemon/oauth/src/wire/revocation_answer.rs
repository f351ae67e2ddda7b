//! Answers of a revocation endpoint (RFC 7009, 2.2), body before status.
//!
//! Must never: take a web page for a revocation.

use super::error_answer::{self, ErrorMember, RawError};
use super::{NoErrorCode, Reading, StatusClass, read_as};
use crate::http::HttpAnswer;
use crate::misbehaved::ServerMisbehaved;
use crate::profile::AnswerShape;

/// What a revocation endpoint said.
#[derive(Debug)]
pub(crate) enum RevocationAnswer {
    /// The token is gone, or was never good.
    Revoked,
    /// An error, whatever the status.
    Error(RawError),
    /// Another status without a readable error.
    NoErrorCode(NoErrorCode),
    /// A web page: anything on the way may have sent it (P15).
    WebPage,
}

/// Reads an answer. The RFC ignores a success answer's body; an error in it, or a web page, is heard all the same.
pub(crate) fn read(answer: &HttpAnswer, shape: &AnswerShape) -> RevocationAnswer {
    let status = StatusClass::of(answer.status);
    let reading = read_as(answer, shape);
    let without_code = NoErrorCode::of(status, &reading);
    if let Reading::Whole(members) = &reading
        && let ErrorMember::Error(error) = error_answer::read(members)
        && status != StatusClass::Redirect
    {
        return RevocationAnswer::Error(error);
    }
    match reading {
        _ if status != StatusClass::Success => RevocationAnswer::NoErrorCode(without_code),
        Reading::Unreadable(ServerMisbehaved::WebPage) => RevocationAnswer::WebPage,
        _ => RevocationAnswer::Revoked,
    }
}
