//! What nobody but the daemon can tell about where it runs.

use std::time::SystemTime;

use mcp_authd_proto::v1;

use super::accounts::problem;
use super::{AdminClient, ConfigProblem};
use crate::call::{self, SILENCE_LIMIT};
use crate::clock::Clock;
use crate::error::CallError;
use crate::status::{self, DaemonStatus, wall};

/// The daemon, looked at closer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// As [`AdminClient::status`] tells it.
    pub status: DaemonStatus,
    /// `None`: it is too old to tell.
    pub more: Option<Examination>,
}

/// What nobody but the daemon can tell about where it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examination {
    /// Its calendar.
    pub now: Option<SystemTime>,
    /// How many files and connections it may have open (`RLIMIT_NOFILE`).
    pub open_files: u64,
    /// How config.toml stands to what is served.
    pub config: ConfigState,
    /// The issuers (RFC 8414) by which accounts know their servers: each can be asked about itself.
    pub issuers: Vec<String>,
}

/// How config.toml stands to what is served.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigState {
    /// It says what is served.
    Served,
    /// It was changed since it was read.
    Changed,
    /// It does not hold.
    Broken(Vec<ConfigProblem>),
    /// There is none.
    Missing,
    /// This program does not know the daemon's word.
    Unknown,
}

impl AdminClient {
    /// The daemon and every account at one moment, and what the daemon alone can tell about where it runs. It reads config.toml for
    /// that, and changes nothing.
    ///
    /// # Errors
    /// A [`CallError`] where there is no answer.
    pub async fn examine(&self) -> Result<Examined, CallError> {
        let request = v1::StatusRequest { examine: true };
        let answer = self.call(SILENCE_LIMIT, async || call::message("Status", self.stub().status(request).await));
        let mut answer = answer.await?;
        let more = answer.examination.take().map(examination);
        Ok(Examined { status: status::daemon(answer, SystemTime::UNIX_EPOCH + Clock::Kernel.wall())?, more })
    }
}

fn examination(wire: v1::Examination) -> Examination {
    let config = match wire.config_state() {
        v1::ConfigState::Served => ConfigState::Served,
        v1::ConfigState::Changed => ConfigState::Changed,
        v1::ConfigState::Broken => ConfigState::Broken(wire.config_problems.into_iter().map(problem).collect()),
        v1::ConfigState::Missing => ConfigState::Missing,
        v1::ConfigState::Unspecified => ConfigState::Unknown,
    };
    Examination { now: wire.now.and_then(wall), open_files: wire.open_files, config, issuers: wire.issuers }
}
