//! One call: its time limit, and what its gRPC status means.
//!
//! Must never: wait without a limit for a daemon that says nothing (B36).

use std::error::Error;
use std::future::Future;
use std::time::Duration;

use tonic::{Code, Response, Status};

use crate::error::{CallError, ConnectError};

/// What a call gets beyond the wait that the daemon was granted (B36).
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// How long a call without a wait of its own may last where the daemon says nothing (B36).
pub(crate) const SILENCE_LIMIT: Duration = Duration::from_secs(10);

/// Names a method for an error.
pub(crate) type Method = &'static str;

/// A call's answer, or the end of its time.
pub(crate) async fn within<T>(limit: Duration, call: impl Future<Output = Result<T, CallError>>) -> Result<T, CallError> {
    tokio::time::timeout(limit, call).await.unwrap_or(Err(CallError::Silent { after: limit }))
}

/// The message of an answer, or what its status means.
pub(crate) fn message<T>(method: Method, outcome: Result<Response<T>, Status>) -> Result<T, CallError> {
    outcome.map(Response::into_inner).map_err(|status| failure(method, &status))
}

/// What a status means. A status with a source was made on this side: the connection failed, the daemon said nothing.
pub(crate) fn failure(method: Method, status: &Status) -> CallError {
    if let Some(error) = connect_error(status) {
        return CallError::Connect(error.clone());
    }
    if status.source().is_some() {
        return CallError::Interrupted;
    }
    let message = status.message().to_owned();
    match status.code() {
        Code::Unimplemented => CallError::DaemonTooOld { method },
        Code::PermissionDenied | Code::Unauthenticated => CallError::NotAllowed { message },
        Code::InvalidArgument | Code::NotFound | Code::FailedPrecondition | Code::OutOfRange | Code::AlreadyExists => {
            CallError::Refused { message }
        }
        Code::Unavailable | Code::Cancelled => CallError::Interrupted,
        _ => CallError::Broken { message },
    }
}

fn connect_error(status: &Status) -> Option<&ConnectError> {
    let mut cause = status.source();
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref::<ConnectError>() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}
