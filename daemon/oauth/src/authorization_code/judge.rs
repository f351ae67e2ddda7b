//! Whether an authorization response counts (RFC 6749, 4.1.2; RFC 9207, 2.4).
//!
//! Must never: let a code through that may come from another server (D27, P20), or tell a word of an error that may.

use super::response::{AuthorizationError, AuthorizationResponse, ResponseOutcome};
use crate::endpoint::{Endpoint, Loopback};
use crate::misbehaved::ServerMisbehaved;
use crate::secret::{AuthorizationCode, SecretText};
use crate::sign_in::{PendingCode, SignInFailure};
use crate::time::Now;
use crate::wire::error_answer::Sent;

/// The longest issuer that is shown.
const LONGEST_SHOWN: usize = 200;

/// What a server's metadata says about `iss` in its responses: `authorization_response_iss_parameter_supported` (RFC 9207,
/// section 3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IssParameter {
    /// `true`: every response has it.
    Promised,
    /// `false`, absent, or there is no metadata.
    #[default]
    NotPromised,
}

/// A code that may be traded in, once.
#[derive(Debug, PartialEq, Eq)]
pub struct JudgedCode(pub(super) AuthorizationCode);

/// Why there is no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoCode {
    /// The response belongs to another login, or to none: this one goes on waiting (D26).
    #[error("the answer belongs to another login")]
    KeepWaiting,
    /// The login is over.
    #[error(transparent)]
    Over(SignInFailure),
}

/// Judges a response. Whatever comes of it but [`NoCode::KeepWaiting`]: the `state` is used up, no second response counts (D26).
///
/// # Errors
/// Why there is no code.
pub fn judge(pending: &PendingCode, response: AuthorizationResponse, now: Now) -> Result<JudgedCode, NoCode> {
    let AuthorizationResponse { state, outcome, iss } = response;
    if state != pending.state {
        return Err(NoCode::KeepWaiting);
    }
    if now.instant >= pending.expires {
        return Err(NoCode::Over(SignInFailure::Expired));
    }
    // Before anything else is looked at: the words of an error are another server's too (RFC 9207, 2.4).
    check_issuer(pending, iss.as_deref()).map_err(|why| NoCode::Over(SignInFailure::Misbehaved(why)))?;
    match outcome {
        ResponseOutcome::Code(code) => Ok(JudgedCode(code)),
        ResponseOutcome::Error(error) => Err(NoCode::Over(failure(pending, &error))),
    }
}

/// The table of RFC 9207, 2.4 (D27). Compared byte for byte, never through a URL (RFC 3986, 6.2.1).
///
/// Without a known issuer (a server of which only the endpoints are configured) an `iss` is ignored: there is nothing to compare it
/// with, hosts prove nothing (a server may keep its endpoints and its issuer apart), and to refuse it would shut out a server for
/// doing what RFC 9207 asks. What then keeps a code from another server is that a person has typed both endpoints, so that the
/// code goes to a server which that person trusts with the whole login; who has to do with servers that may lie configures the issuer.
fn check_issuer(pending: &PendingCode, iss: Option<&str>) -> Result<(), ServerMisbehaved> {
    match (&pending.binding.issuer, iss) {
        (Some(issuer), Some(iss)) if iss != issuer.as_str() => Err(ServerMisbehaved::ResponseIssuer { found: named(iss) }),
        (_, None) if pending.iss_parameter == IssParameter::Promised => Err(ServerMisbehaved::NoResponseIssuer),
        (Some(_) | None, _) => Ok(()),
    }
}

/// The issuer of a response, where it has the shape of one (RFC 9207, section 2). Any other text would be another server's words.
fn named(iss: &str) -> String {
    let is_issuer = iss.len() <= LONGEST_SHOWN && !iss.contains('?') && Endpoint::parse(iss, Loopback::Allowed).is_ok();
    if is_issuer { format!("\"{iss}\"") } else { "a server without a proper name".to_owned() }
}

/// RFC 6749, 4.1.2.1.
fn failure(pending: &PendingCode, error: &AuthorizationError) -> SignInFailure {
    let AuthorizationError(error) = error;
    match error.code() {
        "access_denied" | "authorization_declined" => SignInFailure::Denied,
        _ if error.may_pass() => SignInFailure::Unavailable { retry_after: None },
        // There is no status: the answer came through a browser.
        _ => SignInFailure::Refused(error.shown(0, &sent(pending))),
    }
}

/// What an error must not repeat.
fn sent(pending: &PendingCode) -> Sent {
    let PendingCode { state, verifier, .. } = pending;
    Sent::new([state.expose(), verifier.expose(), &verifier.challenge()].map(SecretText::new).into())
}
