//! Why there is no registration, by what the caller does next.
//!
//! Must never: hold a piece of a secret. What is carried here is shown and logged.

use std::time::Duration;

use crate::http::NothingSent;
use crate::misbehaved::ServerMisbehaved;
use crate::token::ErrorAnswer;

/// Why there is no registration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// The server registers nobody, or not everybody (401, 403, 404, 405; `unapproved_software_statement`): ask for a client id.
    #[error("the authorization server registers no client on its own (status {status})")]
    AskForClient {
        /// The status.
        status: u16,
    },
    /// The server refuses what was asked for (RFC 7591, 3.2.2): a person must look, and may ask for a client id.
    #[error("the authorization server refused to register a client: {}{}", .0.error, described(.0))]
    Refused(ErrorAnswer),
    /// The server answered "later": try then.
    #[error("the authorization server registers nobody now (status {status})")]
    Later {
        /// The server's wish, at most one hour.
        retry_after: Option<Duration>,
        /// The status.
        status: u16,
    },
    /// Nothing was sent: try again as after any failure of the network.
    #[error("the authorization server could not be reached: {0}")]
    Unreachable(NothingSent),
    /// There may be a client that we do not know: wait for an hour.
    #[error("the answer to the registration was lost")]
    AnswerLost,
    /// The server changed what was asked for into what must not be used (D59): ask for a client id.
    #[error(transparent)]
    Changed(ChangedMetadata),
    /// The server broke a rule: ask for a client id.
    #[error(transparent)]
    Misbehaved(ServerMisbehaved),
}

/// What a server put in the place of what was asked for (RFC 7591, 3.2.1), and we cannot use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangedMetadata {
    /// Codes could be sent off this machine.
    #[error("the authorization server registered the redirect URI \"{found}\", which is not on this machine")]
    RedirectUri {
        /// What it registered, fit to be shown, without a query.
        found: String,
    },
    /// A method that we cannot do.
    #[error("the authorization server registered the authentication method \"{found}\", which mcp-authd does not speak")]
    AuthMethod {
        /// What it registered, fit to be shown.
        found: String,
    },
}

fn described(error: &ErrorAnswer) -> String {
    error.description.as_ref().map(|text| format!(" ({text})")).unwrap_or_default()
}

impl RegistrationError {
    /// How long no registration is tried at this server after this one: at least, and at most an hour (D59).
    #[must_use]
    pub fn pause(&self) -> Duration {
        match self {
            // Nothing was sent: the login's own back-off is enough (D48).
            Self::Unreachable(_) => Duration::ZERO,
            // These say that nothing was done (RFC 6585, section 4; RFC 9110, 15.6.4). Behind any other 5xx there may be a client.
            Self::Later { retry_after, status: 429 | 503 } => {
                retry_after.unwrap_or_default().clamp(super::attempts::SHORTEST, super::attempts::HOUR)
            }
            _ => super::attempts::HOUR,
        }
    }
}
