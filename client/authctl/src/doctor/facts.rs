//! What is so, for the doctor to judge.
//!
//! Must never: hold more than what a person may be shown.

use mcp_authd_client::admin::{Examined, Probing};
use mcp_authd_client::connect::Doors;
use mcp_authd_client::start::{Kept, Process, Situation};
use mcp_authd_client::{CallError, ConnectError};

use crate::service::Managed;

/// All that was found.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// Whose processes and files are ours (uid).
    pub(super) own_uid: u32,
    /// The version of this authctl.
    pub(super) version: String,
    /// Whether a variable names the sockets.
    pub(super) named: Naming,
    /// Each place of the sockets, the best first.
    pub(super) doors: Vec<Doors>,
    /// What has to do with starting.
    pub(super) situation: Situation,
    /// The process that the lock names, where it runs.
    pub(super) owner: Option<Process>,
    /// Where the daemon keeps what it keeps. `None`: no home is known.
    pub(super) kept: Option<Kept>,
    /// Whether a service manager rules it.
    pub(super) service: Managed,
    /// What the daemon says.
    pub(super) daemon: Heard,
    /// What stands behind each issuer. Empty where none was asked.
    pub(super) servers: Vec<Asked>,
    /// Whether servers were to be asked.
    pub(super) asking: Asking,
}

/// Who says where the sockets stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// The usual places.
    Usual,
    /// `MCP_AUTHD_SOCKET`.
    Variable,
}

/// Whether servers were to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asking {
    /// Each, once.
    Each,
    /// None: `--offline`.
    None,
}

/// What the daemon says.
#[derive(Debug, Clone)]
pub(super) enum Heard {
    /// It answers.
    Answers(Box<Examined>),
    /// There is none.
    Nothing,
    /// It was not asked: a service manager listens for it, or may, and would have started it.
    NotAsked,
    /// It cannot be asked.
    Fails(CallError),
}

impl Heard {
    /// What it has told.
    pub(super) fn examined(&self) -> Option<&Examined> {
        if let Self::Answers(examined) = self { Some(examined) } else { None }
    }

    /// What an answer or its absence means.
    pub(super) fn of(answer: Result<Examined, CallError>) -> Self {
        match answer {
            Ok(examined) => Self::Answers(Box::new(examined)),
            Err(CallError::Connect(ConnectError::NoDaemon { .. })) => Self::Nothing,
            Err(error) => Self::Fails(error),
        }
    }
}

/// An authorization server, asked about itself.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// Its issuer identifier.
    pub(super) issuer: String,
    /// The accounts that log in there.
    pub(super) accounts: Vec<String>,
    /// What it said.
    pub(super) answer: Said,
}

/// What a server said.
#[derive(Debug, Clone)]
pub(super) enum Said {
    /// The daemon has looked.
    Probing(Probing),
    /// The daemon gave no answer.
    Failed(String),
    /// Nothing within our time, in seconds.
    TimeOver(u64),
}
