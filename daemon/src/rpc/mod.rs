//! The gRPC face: two sockets, `tokens.sock` for programs and `admin.sock` for the person (DESIGN, section 4).
//!
//! Must never: see a refresh token, a client secret or a key (I5), know HTTP or files, or hold a request in a caller's future
//! that matters to anybody else (I7).

mod accounts;
mod admin;
mod audit;
mod client_secret;
mod clients;
mod convert;
mod examine;
mod frames;
mod guarded;
mod need;
mod paste;
mod peer;
mod probe;
mod probed;
mod providers;
mod server;
mod token_file;
mod tokens;
mod typed;
mod watch;
mod watch_accounts;
mod watch_log;
mod words;

use std::path::PathBuf;

use mcp_authd_oauth::time::WallTime;
use tokio::sync::watch::Receiver;
use tokio_util::sync::CancellationToken;

use crate::accounts::KeyState;
use crate::accounts::registry::Registry;
use crate::accounts::roster::Roster;
use crate::host::clock::Clock;
use crate::host::log::Ring;
use crate::host::tasks::Tasks;
pub use server::{serve_admin, serve_tokens};

/// What both faces need of the house.
#[derive(Debug, Clone)]
pub struct Face {
    /// The accounts.
    pub registry: Registry,
    /// Who adds to them and takes out.
    pub roster: Roster,
    /// Time.
    pub clock: Clock,
    /// To know when the daemon leaves.
    pub tasks: Tasks,
    /// What `Status` tells about the daemon itself.
    pub facts: Facts,
    /// Ends the daemon as SIGTERM does.
    pub stop: CancellationToken,
    /// What is kept of the log.
    pub log: Ring,
}

/// What `Status` tells about the daemon itself.
#[derive(Debug, Clone)]
pub struct Facts {
    /// When it began to serve.
    pub started_at: WallTime,
    /// Where the key of the store comes from, in words.
    pub key_source: String,
    /// Whether it is open.
    pub key: Receiver<KeyState>,
    /// The configuration file in use.
    pub config_path: PathBuf,
    /// Who has started it.
    pub started_by: StartedBy,
}

/// Who has started the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartedBy {
    /// A person.
    Person,
    /// A program that needed it.
    Program,
    /// A service manager.
    Manager,
}
