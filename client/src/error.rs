//! What can go wrong between a guest and its daemon, named after what the caller does next. Every message ends in what to type.
//!
//! Must never: carry a token, a code, or the query of a URL.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mcp_authd_proto::shell::word;

use crate::start::NotStarted;
use crate::static_token::StaticTokenError;

/// Why there is no connection to the daemon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nothing listens there.
    #[error("mcp-authd is not running (nothing answers at {}); start it with: authctl daemon start", path.display())]
    NoDaemon {
        /// The socket that was tried first.
        path: PathBuf,
    },
    /// Nothing listens there, and it was not started, or did not come to serve.
    #[error("mcp-authd is not running (nothing answers at {}) and was not started: {why}", path.display())]
    NotStarted {
        /// The socket that was tried first.
        path: PathBuf,
        /// Why not, with what to type.
        why: Box<NotStarted>,
    },
    /// Somebody else's server stands there. It was told nothing (P2).
    #[error("the socket {} belongs to uid {uid}, but you are uid {own}; look at it with: ls -ln {}", path.display(), quoted(path))]
    WrongOwner {
        /// The socket.
        path: PathBuf,
        /// Whose server it is, by the kernel.
        uid: u32,
        /// Who we are.
        own: u32,
    },
    /// The directory or the socket is closed to us.
    #[error("no permission for the socket {}; look at it with: ls -ln {}", path.display(), quoted(path))]
    NotAllowed {
        /// The socket.
        path: PathBuf,
    },
    /// Something stands there but takes no connection.
    #[error("mcp-authd took no connection at {} within {after:?}; look for a stopped one with: ps -C mcp-authd -o pid,stat,args", path.display())]
    TimedOut {
        /// The socket.
        path: PathBuf,
        /// The time limit.
        after: Duration,
    },
    /// The kernel has no room for such a path in a socket's address.
    #[error(
        "the path {} is too long for a socket (at most {limit} bytes); give both sides a short one: export MCP_AUTHD_SOCKET=/run/user/$(id -u)/mcp-authd/tokens.sock",
        path.display()
    )]
    PathTooLong {
        /// The socket.
        path: PathBuf,
        /// The kernel's limit.
        limit: usize,
    },
    /// Neither a runtime directory nor a home is known.
    #[error("no place for the socket is known; name it: export MCP_AUTHD_SOCKET=/path/to/tokens.sock")]
    NoPlace,
    /// A static token is to be used instead of a daemon, and cannot be.
    #[error(transparent)]
    StaticToken(#[from] StaticTokenError),
    /// The kernel says something else.
    #[error("cannot connect to {}: {why}; look at it with: ls -ln {}", path.display(), quoted(path))]
    Broken {
        /// The socket.
        path: PathBuf,
        /// The kernel's words.
        why: String,
    },
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// There is no connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The daemon took the call and says nothing (B36).
    #[error("mcp-authd has said nothing for {after:?}; look at it with: ps -C mcp-authd -o pid,stat,args")]
    Silent {
        /// The time limit.
        after: Duration,
    },
    /// The connection ended before the answer: the daemon left or restarts. Ask again.
    #[error("mcp-authd ended the connection before its answer; ask again, or look: authctl status")]
    Interrupted,
    /// The daemon does not know the method.
    #[error(
        "the running mcp-authd is too old for this program (it does not know {method}); restart it with: authctl daemon stop && authctl daemon start"
    )]
    DaemonTooOld {
        /// The method.
        method: &'static str,
    },
    /// This caller may not do that here.
    #[error("mcp-authd refuses this caller: {}", ending_in(message, "see what you may use: authctl status"))]
    NotAllowed {
        /// The daemon's words.
        message: String,
    },
    /// The arguments are wrong.
    #[error("mcp-authd refuses the request: {}", ending_in(message, "see the accounts: authctl status"))]
    Refused {
        /// The daemon's words.
        message: String,
    },
    /// The answer is about something else than what was asked, or cannot be used. Nothing of it is handed out.
    #[error("mcp-authd gave an answer that cannot be used: {why}; compare the versions: authctl status")]
    WrongAnswer {
        /// What is wrong with it.
        why: String,
    },
    /// The daemon is broken.
    #[error("mcp-authd failed: {}; look at it with: authctl status", message.trim_end_matches('.'))]
    Broken {
        /// The daemon's words.
        message: String,
    },
}

/// A path as a word of a command.
pub(crate) fn quoted(path: &Path) -> String {
    word(&path.to_string_lossy())
}

/// The daemon's words, which may say themselves what to do next.
fn ending_in(message: &str, next: &str) -> String {
    if message.contains(" Next: ") { message.to_owned() } else { format!("{}; {next}", message.trim_end_matches('.')) }
}

impl From<StaticTokenError> for CallError {
    fn from(error: StaticTokenError) -> Self {
        Self::Connect(error.into())
    }
}

/// Why a watch has no answer at this moment.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// No answer yet, or the token has ended and the next one has not come: await [`Watch::changed`](crate::Watch::changed).
    #[error("there is no living token at this moment; wait for the next, or look: authctl status")]
    NotYet,
    /// The daemon cannot be reached, and no living token is held. The watch goes on trying.
    #[error(transparent)]
    Lost(Arc<CallError>),
    /// The runtime that carried the watch has ended.
    #[error("the runtime that carried the watch has ended; begin a new watch")]
    Ended,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_once_what_to_do_next() {
        let refused = |message: &str| CallError::Refused { message: message.into() }.to_string();
        let said = refused("No account matches. Next: see the accounts with: authctl status");
        assert_eq!(said, "mcp-authd refuses the request: No account matches. Next: see the accounts with: authctl status");
        assert_eq!(refused("No."), "mcp-authd refuses the request: No; see the accounts: authctl status");
    }
}
