//! The guests' library: access tokens from mcp-authd, for programs.
//!
//! A program asks for a token, or watches one; it never sees a refresh token, never runs an OAuth flow and never writes a file.
//!
//! ```no_run
//! # async fn story() -> Result<(), Box<dyn std::error::Error>> {
//! use mcp_authd_client::{Answer, Client, Need};
//!
//! let client = Client::find()?;
//! match client.token(Need::account("github")).await? {
//!     Answer::UseToken(token) => drop(token.authorization_header()), // send it, to the resource server only
//!     Answer::ShowSignIn(sign_in) => drop(sign_in.message),          // show it to the person, then ask again
//!     Answer::TryLater(refusal) => drop(refusal.retry_after),        // nothing to do but wait
//!     Answer::GiveUp(refusal) => drop(refusal.next_step),            // a person has to do something
//! }
//! # Ok(())
//! # }
//! ```
//!
//! In CI a token may come from outside instead: see [`StaticToken`]. Then nothing is connected to and nothing started.
//!
//! An MCP server on rmcp needs even less: feature `rmcp`, module `mcp`.
//!
//! Where no daemon runs, the first call starts one, by the rules of [`start`]; [`Client::never_starting`] switches that off.
//!
//! Must never: use the daemon or the OAuth annex, put a token into `Debug` or a log, or send a byte to a server that belongs to
//! another user (P2). It needs a tokio runtime with its I/O and time drivers on; a [`Client`] belongs to the runtime of its first
//! call.

pub mod admin;
mod call;
pub mod challenge;
mod clock;
pub mod connect;
mod convert;
mod error;
mod gather;
#[cfg(feature = "rmcp")]
pub mod mcp;
pub mod need;
mod resource;
pub mod standing;
pub mod start;
pub mod static_token;
pub mod status;
mod token;
mod watch;

#[cfg(test)]
mod tests;

pub use admin::AdminClient;
pub use clock::Countdown;
pub use connect::Sockets;
pub use error::{CallError, ConnectError, WatchError};
pub use mcp_authd_proto::shell;
pub use need::{Need, Request, SignInMode, Target};
pub use static_token::{StaticToken, StaticTokenError};
pub use token::{Account, Answer, Client, How, Purpose, Reason, Refusal, Secret, SignIn, Token};
pub use watch::Watch;
